//! What is the mail server, as far as tapdesk can tell, and what do people find in their mailboxes?
//!
//! A small real SMTP server (RFC 5321) without TLS, since it listens on loopback only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::wire::lock;

mod mime;

pub use mime::Decoded;

const LONGEST_LINE: u64 = 64 << 10;
const LONGEST_MAIL: usize = 4 << 20;

/// A mail as the server took it.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// The message as it was sent, dots unstuffed.
    pub raw: String,
    /// Decoded subject.
    pub subject: String,
    /// Decoded text of all text parts, in order.
    pub text: String,
    /// Recipients that have not read it.
    pub unread_by: Vec<String>,
}

/// What goes wrong, until healed.
#[derive(Debug, Clone)]
pub enum MailTrouble {
    /// The whole server answers MAIL with this code and text, such as `(451, "try later")`.
    Refuse(u16, String),
    /// The connection is closed when a client says EHLO.
    DropAtOnce,
    /// The mail is taken, but the connection is closed instead of the 250: the client cannot know.
    DropAfterData,
}

/// A mail server with any mailbox.
#[derive(Clone)]
pub struct Smtp {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: AbortHandle,
}

#[derive(Default)]
struct State {
    login: Option<(String, String)>,
    mails: Vec<Mail>,
    refused: BTreeMap<String, (u16, String)>,
    trouble: Option<MailTrouble>,
    commands: Vec<String>,
}

impl Smtp {
    /// Listens on a free loopback port; with a `login`, AUTH PLAIN is offered and required.
    pub async fn start(login: Option<(&str, &str)>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let state = Arc::new(Mutex::new(State { login, ..State::default() }));
        let shared = state.clone();
        let server = tokio::spawn(async move {
            let state = shared;
            while let Ok((stream, _)) = listener.accept().await {
                // A broken connection is the client's business.
                let state = state.clone();
                tokio::spawn(async move { Session::new(stream, state).run().await });
            }
        });
        Ok(Self { address, state, server: server.abort_handle() })
    }

    /// Stops to listen: a world that is over must not hold its ports open.
    pub fn stop(&self) {
        self.server.abort();
    }

    /// Offers and wants AUTH PLAIN with this user and password from now on.
    pub fn wants_login(&self, user: &str, password: &str) {
        lock(&self.state).login = Some((user.to_owned(), password.to_owned()));
    }

    /// Refuses this recipient from now on, such as `(550, "no such user")`.
    pub fn refuse(&self, recipient: &str, code: u16, text: &str) {
        lock(&self.state).refused.insert(recipient.to_lowercase(), (code, text.to_owned()));
    }

    /// Makes the server misbehave until [`Smtp::heal`].
    pub fn trouble(&self, trouble: MailTrouble) {
        lock(&self.state).trouble = Some(trouble);
    }

    /// Ends the trouble and takes every recipient again.
    pub fn heal(&self) {
        let mut state = lock(&self.state);
        state.trouble = None;
        state.refused.clear();
    }

    /// Every mail that was taken, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Mail> {
        lock(&self.state).mails.clone()
    }

    /// Every command line so far, AUTH without its secret.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        lock(&self.state).commands.clone()
    }

    /// The mails in this mailbox, in order.
    #[must_use]
    pub fn mailbox(&self, address: &str) -> Vec<Mail> {
        self.sent().into_iter().filter(|m| m.to.iter().any(|to| to.eq_ignore_ascii_case(address))).collect()
    }

    /// Reads a mailbox: returns what was unread, and marks it.
    #[expect(clippy::must_use_candidate, reason = "called to mark as read")]
    pub fn read(&self, address: &str) -> Vec<Mail> {
        let mut fresh = Vec::new();
        for mail in &mut lock(&self.state).mails {
            if mail.unread_by.iter().any(|to| to.eq_ignore_ascii_case(address)) {
                fresh.push(mail.clone());
                mail.unread_by.retain(|to| !to.eq_ignore_ascii_case(address));
            }
        }
        fresh
    }

    /// Mails that some recipient has not read.
    #[must_use]
    pub fn unread(&self) -> Vec<Mail> {
        self.sent().into_iter().filter(|mail| !mail.unread_by.is_empty()).collect()
    }
}

/// One connection.
struct Session {
    stream: BufReader<TcpStream>,
    state: Arc<Mutex<State>>,
    is_known: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// What follows a command.
enum Next {
    Say(String),
    Data,
    Login,
    Bye,
    Drop,
}

impl Session {
    fn new(stream: TcpStream, state: Arc<Mutex<State>>) -> Self {
        let is_known = lock(&state).login.is_none();
        Self { stream: BufReader::new(stream), state, is_known, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> std::io::Result<()> {
        self.say("220 mail.simulated ESMTP").await?;
        while let Some(line) = self.line().await? {
            match self.command(&line) {
                Next::Say(answer) => self.say(&answer).await?,
                Next::Data => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                Next::Login => {
                    self.say("334 ").await?;
                    let Some(secret) = self.line().await? else { return Ok(()) };
                    let answer = self.login(&secret);
                    self.say(&answer).await?;
                }
                Next::Bye => return self.say("221 Bye").await,
                Next::Drop => return Ok(()),
            }
        }
        Ok(())
    }

    async fn say(&mut self, answer: &str) -> std::io::Result<()> {
        self.stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await
    }

    /// One line without its end; `None` when the client has gone.
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        Ok((read > 0).then_some(text))
    }

    fn command(&mut self, line: &str) -> Next {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        let kept = if verb == "AUTH" { "AUTH" } else { line };
        lock(&self.state).commands.push(kept.to_owned());
        match verb.as_str() {
            "EHLO" | "HELO" => self.hello(),
            "AUTH" => self.auth(rest),
            "MAIL" => self.mail(rest),
            "RCPT" => Next::Say(self.recipient(rest)),
            "DATA" if self.to.is_empty() => Next::Say("503 need RCPT first".to_owned()),
            "DATA" => Next::Data,
            "RSET" => {
                self.reset();
                Next::Say("250 OK".to_owned())
            }
            "NOOP" => Next::Say("250 OK".to_owned()),
            "QUIT" => Next::Bye,
            _ => Next::Say("502 command not implemented".to_owned()),
        }
    }

    fn hello(&mut self) -> Next {
        self.reset();
        let state = lock(&self.state);
        if matches!(state.trouble, Some(MailTrouble::DropAtOnce)) {
            return Next::Drop;
        }
        let auth = if state.login.is_some() { "250-AUTH PLAIN\r\n" } else { "" };
        Next::Say(format!("250-mail.simulated\r\n{auth}250-8BITMIME\r\n250 SIZE {LONGEST_MAIL}"))
    }

    fn auth(&mut self, rest: &str) -> Next {
        match rest.split_once(' ') {
            Some((kind, secret)) if kind.eq_ignore_ascii_case("PLAIN") => Next::Say(self.login(secret)),
            None if rest.eq_ignore_ascii_case("PLAIN") => Next::Login,
            _ => Next::Say("504 unrecognized authentication type".to_owned()),
        }
    }

    fn login(&mut self, secret: &str) -> String {
        let decoded = STANDARD.decode(secret).unwrap_or_default();
        let mut parts = decoded.split(|byte| *byte == 0).skip(1);
        let given = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let state = lock(&self.state);
        self.is_known = state.login.as_ref().is_some_and(|(u, p)| given == (u.as_bytes(), p.as_bytes()));
        if self.is_known { "235 Authentication successful" } else { "535 Authentication credentials invalid" }
            .to_owned()
    }

    fn mail(&mut self, rest: &str) -> Next {
        if !self.is_known {
            return Next::Say("530 Authentication required".to_owned());
        }
        if let Some(MailTrouble::Refuse(code, text)) = &lock(&self.state).trouble {
            return Next::Say(format!("{code} {text}"));
        }
        let Some(from) = address(rest, "FROM:") else {
            return Next::Say("501 syntax: MAIL FROM:<address>".to_owned());
        };
        self.from = Some(from);
        self.to.clear();
        Next::Say("250 OK".to_owned())
    }

    fn recipient(&mut self, rest: &str) -> String {
        if self.from.is_none() {
            return "503 need MAIL first".to_owned();
        }
        let Some(to) = address(rest, "TO:").filter(|to| to.contains('@')) else {
            return "501 syntax: RCPT TO:<address>".to_owned();
        };
        if let Some((code, text)) = lock(&self.state).refused.get(&to.to_lowercase()) {
            return format!("{code} {text}");
        }
        self.to.push(to);
        "250 OK".to_owned()
    }

    /// Takes the message; `false` when the connection is to be closed without an answer.
    async fn data(&mut self) -> std::io::Result<bool> {
        self.say("354 end with <CRLF>.<CRLF>").await?;
        let mut raw = String::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(false) };
            if line == "." {
                break;
            }
            if raw.len() > LONGEST_MAIL {
                self.say("552 message too large").await?;
                return Ok(false);
            }
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
            raw.push_str("\r\n");
        }
        self.keep(raw);
        if matches!(lock(&self.state).trouble, Some(MailTrouble::DropAfterData)) {
            return Ok(false);
        }
        self.say("250 OK queued").await?;
        Ok(true)
    }

    fn keep(&mut self, raw: String) {
        let from = self.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.to);
        let Decoded { subject, text } = mime::decode(&raw);
        lock(&self.state).mails.push(Mail { from, unread_by: to.clone(), to, raw, subject, text });
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

/// The address in `FROM:<a@b> SIZE=1`.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let is_keyword = rest.get(..keyword.len())?.eq_ignore_ascii_case(keyword);
    let inside = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let (address, _) = inside.split_once('>')?;
    is_keyword.then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn talk(smtp: &Smtp, lines: &[&str]) -> Vec<String> {
        let stream = TcpStream::connect(smtp.address).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut answers = Vec::new();
        for line in [""].iter().chain(lines) {
            if !line.is_empty() {
                stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            }
            let mut answer = String::new();
            while stream.read_line(&mut answer).await.unwrap() > 0 {
                let last = answer.lines().last().unwrap_or_default();
                if last.as_bytes().get(3) != Some(&b'-') {
                    break;
                }
            }
            answers.push(answer.lines().last().unwrap_or_default().chars().take(3).collect());
        }
        answers
    }

    #[tokio::test]
    async fn takes_a_mail_and_shows_it_decoded() {
        let smtp = Smtp::start(Some(("bot", "pw"))).await.unwrap();
        let mail = "Subject: =?utf-8?Q?Dein_Zugang_f=C3=BCr?=\r\n =?utf-8?B?IGhldXRl?=\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=C3=BC=\r\n=C3=9Fe\r\n..punkt\r\n.";
        let auth = format!("AUTH PLAIN {}", STANDARD.encode("\0bot\0pw"));
        let lines = [
            "EHLO me",
            "MAIL FROM:<a@x.de>",
            &auth,
            "MAIL FROM:<a@x.de> BODY=8BITMIME",
            "RCPT TO:<b@x.de>",
            "DATA",
            mail,
            "QUIT",
        ];
        let answers = talk(&smtp, &lines).await;
        assert_eq!(answers, ["220", "250", "530", "235", "250", "250", "354", "250", "221"]);
        let read = smtp.read("B@x.de");
        assert_eq!(read[0].subject, "Dein Zugang für heute");
        assert_eq!(read[0].text, "Grüße\r\n.punkt\r\n");
        assert!(smtp.unread().is_empty());
        assert!(!smtp.commands().concat().contains(&STANDARD.encode("\0bot\0pw")));
    }

    #[tokio::test]
    async fn refuses_and_drops_as_planned() {
        let smtp = Smtp::start(None).await.unwrap();
        smtp.refuse("gone@x.de", 550, "no such user");
        let lines = ["EHLO me", "MAIL FROM:<a@x.de>", "RCPT TO:<gone@x.de>", "DATA"];
        assert_eq!(talk(&smtp, &lines).await, ["220", "250", "250", "550", "503"]);
        smtp.trouble(MailTrouble::Refuse(451, "try later".to_owned()));
        assert_eq!(talk(&smtp, &lines[..2]).await, ["220", "250", "451"]);
        smtp.trouble(MailTrouble::DropAfterData);
        let lines =
            ["EHLO me", "MAIL FROM:<a@x.de>", "RCPT TO:<gone2@x.de>", "DATA", "Subject: x\r\n\r\ny\r\n."];
        assert_eq!(talk(&smtp, &lines).await, ["220", "250", "250", "250", "354", ""]);
        assert_eq!(smtp.sent().len(), 1);
    }
}
