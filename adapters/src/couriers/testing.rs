//! Doubles for the couriers' tests: a still clock, counted randomness, and a server that speaks a script.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tapdesk_core::people::{Contact, ContactKind, ContactSource};
use tapdesk_core::ports::{Clock, Entropy, Message, PortError};
use tapdesk_core::ticket::Revealed;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(super) const TEXT: &str = "Ihr Code für tapdesk: 0123-4567-89ABC\nNiemand fragt danach.";

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }
}

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x77);
    }
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(StillClock)
}

pub(super) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(Sevens)
}

pub(super) fn install_tls_provider() {
    // Somebody else's test may have been first; either way one is there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub(super) fn phone(address: &str) -> Contact {
    Contact { source: ContactSource::PhoneMethods, kind: ContactKind::Phone, address: address.to_owned() }
}

pub(super) fn mailbox(address: &str) -> Contact {
    Contact { source: ContactSource::OtherMails, kind: ContactKind::Mail, address: address.to_owned() }
}

pub(super) fn message(subject: &str) -> Message {
    Message { subject: subject.to_owned(), text: Revealed::new(TEXT.to_owned()), mark: None }
}

/// What an error says, everything in it: the place to look for leaks.
pub(super) fn everything(error: &PortError) -> String {
    format!("{error} {error:?}")
}

/// One HTTP exchange: returns what was asked, answers with `answer` or, without one, never.
pub(super) async fn http_server(answer: Option<String>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = read_request(&mut stream).await;
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            // The other side gives up first, which ends this read.
            None => drop(stream.read(&mut [0]).await),
        }
        asked
    });
    (address, served)
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).await.unwrap(), 0, "the request broke off");
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// One SMTP conversation. `replies` answer the commands whose verb they start with (`RCPT 450 …`), and the
/// text itself as `TEXT`; other commands get 250. `drop` hangs up. Returns everything that was said.
pub(super) async fn smtp_server(replies: &'static [&'static str]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut said = String::new();
        stream.write_all(b"220 post.example ESMTP\r\n").await.unwrap();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return said;
            }
            said += &line;
            let verb = line.split_whitespace().next().unwrap_or_default().to_owned();
            if verb == "DATA" {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                while !said.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut said).await.unwrap();
                }
            }
            match reply(replies, if verb == "DATA" { "TEXT" } else { &verb }) {
                "drop" => return said,
                "silence" => {}
                reply => stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap(),
            }
        }
    });
    (address, served)
}

fn reply(replies: &'static [&'static str], verb: &str) -> &'static str {
    replies
        .iter()
        .find_map(|reply| reply.split_once(' ').filter(|(to, _)| *to == verb))
        .map_or("250 ok", |(_, reply)| reply)
}
