//! How does a mail leave through an SMTP server?
//!
//! One connection per mail, closed when the time is up, and no pool. lettre's pool takes back a connection
//! whose send was cancelled halfway, with an unread reply on it (0.11.23): the next mail would take the
//! replies of the last one for its own. At tapdesk's handful of mails a fresh handshake costs nothing.
//!
//! Nothing that the server says is kept but its codes: replies quote addresses, and a content filter quotes
//! links, which hold the code. A mail is found in the server's log by its Message-ID, which is the receipt.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use lettre::{Address, transport::smtp};
use tapdesk_core::people::{Contact, ContactKind};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{Clock, Courier, Entropy, Message, PortError, Receipt};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{GOODBYE, Misconfigured, is_loopback, millis};
use crate::secret::Secret;

/// Everything about the mail server that an organisation decides.
#[derive(Debug)]
pub struct MailConfig {
    /// The server; with TLS, the name that its certificate has to carry.
    pub host: String,
    /// Its port; by default 587 with STARTTLS, 465 with implicit TLS, 25 without TLS.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User name and password, where the server wants them.
    pub credentials: Option<(String, Secret)>,
    /// The sender, `tapdesk <tapdesk@example.com>`.
    pub from: String,
    /// The name that tapdesk greets with; by default the machine's.
    pub helo: Option<String>,
    /// For a whole mail, from connecting to the server's last word; usually [`MailConfig::TIMEOUT`].
    pub timeout: Duration,
}

/// How the connection to the mail server is protected. Certificates are checked by the system's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// STARTTLS; a server without it gets nothing.
    Required,
    /// TLS from the first byte.
    Implicit,
    /// None at all: only for a server on this machine.
    None,
}

/// The courier of route `email`.
pub struct Mail {
    config: MailConfig,
    port: u16,
    tls: Option<TlsParameters>,
    from: Mailbox,
    helo: ClientId,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl MailConfig {
    /// Time for a whole mail, unless the configuration says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    fn tls_parameters(&self) -> Result<Option<TlsParameters>, Misconfigured> {
        match self.tls {
            MailTls::None if is_loopback(&self.host) => Ok(None),
            MailTls::None => Err(Misconfigured::MailWithoutTls),
            // lettre panics where the program forgot to install a provider.
            MailTls::Required | MailTls::Implicit
                if rustls::crypto::CryptoProvider::get_default().is_none() =>
            {
                Err(Misconfigured::NoTlsProvider)
            }
            MailTls::Required | MailTls::Implicit => {
                rustls::pki_types::ServerName::try_from(self.host.as_str())
                    .map_err(|_| Misconfigured::MailTls)?;
                TlsParameters::new(self.host.clone()).map(Some).map_err(|_| Misconfigured::MailTls)
            }
        }
    }

    fn client_id(&self) -> Result<ClientId, Misconfigured> {
        let is_name = |name: &String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-[]:".contains(&b))
        };
        match &self.helo {
            None => Ok(ClientId::default()),
            Some(name) if is_name(name) => Ok(ClientId::Domain(name.clone())),
            Some(_) => Err(Misconfigured::MailHelo),
        }
    }
}

impl MailTls {
    fn port(self) -> u16 {
        match self {
            Self::Required => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

impl Mail {
    /// Reads the configuration; does no I/O. With TLS, the process needs its rustls provider by now.
    pub fn new(
        config: MailConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Misconfigured> {
        if config.timeout.is_zero() {
            return Err(Misconfigured::MailTimeout);
        }
        Ok(Self {
            port: config.port.unwrap_or(config.tls.port()),
            tls: config.tls_parameters()?,
            from: config.from.parse().map_err(|_| Misconfigured::MailFrom)?,
            helo: config.client_id()?,
            config,
            clock,
            entropy,
        })
    }

    /// The letter. lettre encodes every header, so a line break in a subject stays inside it.
    fn letter(&self, to: Address, message: &Message, id: &str) -> Result<Letter, PortError> {
        let auto_submitted = HeaderName::new_from_ascii_str("Auto-Submitted");
        Letter::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject.as_str())
            // The HTTP-date inside cannot hold a time before 1970, and panics.
            .date(SystemTime::from(self.clock.now()).max(SystemTime::UNIX_EPOCH))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .raw_header(HeaderValue::new(auto_submitted, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            // This copy and the connection's buffers are freed by lettre unwiped; the program's zero-on-free
            // allocator sees to them.
            .body(message.text.as_str().to_owned())
            .map_err(|_| PortError::fatal("the mail could not be put together"))
    }

    async fn deliver(&self, letter: &Letter) -> Result<(AsyncSmtpConnection, Response), PortError> {
        let mut connection = self.log_in().await?;
        let text = Zeroizing::new(letter.formatted());
        let sent = connection.send(letter.envelope(), &text).await;
        let response = sent.map_err(|error| classify(Step::Send, &error))?;
        Ok((connection, response))
    }

    async fn log_in(&self) -> Result<AsyncSmtpConnection, PortError> {
        let mut connection = self.connect().await.map_err(|error| classify(Step::Connect, &error))?;
        if let Some((user, password)) = &self.config.credentials {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let login = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            login.map_err(|error| classify(Step::LogIn, &error))?;
        }
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let server = (self.config.host.trim_matches(['[', ']']), self.port);
        let implicit = self.tls.clone().filter(|_| self.config.tls == MailTls::Implicit);
        let limit = Some(self.config.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, limit, &self.helo, implicit, None).await?;
        if let Some(tls) = self.tls.clone().filter(|_| self.config.tls == MailTls::Required) {
            connection.starttls(tls, &self.helo).await?;
        }
        Ok(connection)
    }
}

#[async_trait]
impl Courier for Mail {
    fn route(&self) -> Route {
        Route::Email
    }

    async fn send(&self, to: &Contact, message: &Message) -> Result<Receipt, PortError> {
        let id = format!("{:032x}", u128::from_be_bytes(self.entropy.array()));
        let letter = self.letter(recipient(to)?, message, &id)?;
        let start = Instant::now();
        // lettre limits only the connecting, hence the limit around everything. Dropping the future closes
        // the connection.
        let Ok(delivered) = timeout(self.config.timeout, self.deliver(&letter)).await else {
            return Err(PortError::retry("no answer from the mail server within the time limit"));
        };
        let (mut connection, response) = delivered?;
        let codes = Codes::of(&response);
        tracing::info!(
            mail.id = id,
            smtp.code = codes.reply,
            ms = millis(start),
            "the mail server took a mail"
        );
        // The mail is accepted; whether the server says goodbye changes nothing.
        let _ = timeout(GOODBYE, connection.quit()).await;
        Ok(Receipt(format!("{codes} {id}")))
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How far a conversation got.
#[derive(Clone, Copy)]
enum Step {
    Connect,
    LogIn,
    Send,
}

/// A server's reply without its words: `550 5.1.1`.
struct Codes {
    reply: u16,
    enhanced: Option<String>,
}

impl Codes {
    fn of(response: &Response) -> Self {
        Self { reply: response.code().into(), enhanced: enhanced(response.first_line().unwrap_or_default()) }
    }

    fn of_error(error: &smtp::Error) -> Option<Self> {
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        Some(Self { reply: error.status()?.into(), enhanced: enhanced(&words) })
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reply)?;
        self.enhanced.iter().try_for_each(|enhanced| write!(f, " {enhanced}"))
    }
}

/// The enhanced status code of RFC 3463 that a reply starts with, if it does.
fn enhanced(words: &str) -> Option<String> {
    let first = words.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| first.to_owned())
}

/// An error of lettre as a port error. It is not kept as the source, since it quotes the server.
fn classify(step: Step, error: &smtp::Error) -> PortError {
    match Codes::of_error(error) {
        Some(codes) if error.is_transient() => {
            PortError::retry(format!("the mail server cannot take mail now ({codes})"))
        }
        Some(codes) => PortError::fatal(refused(step, &codes)),
        None if error.is_client() => PortError::fatal(unable(step)),
        None if error.is_tls() => PortError::retry(
            "TLS with the mail server failed; its certificate has to be valid for its host name",
        ),
        None => PortError::retry("no connection to the mail server, or it broke"),
    }
}

fn refused(step: Step, codes: &Codes) -> String {
    match (step, codes.reply) {
        (Step::LogIn, _) | (Step::Send, 530 | 535 | 538) => format!(
            "the mail server refused the credentials ({codes}): check the mail courier's user name and password"
        ),
        (Step::Connect, _) => format!("the mail server turned tapdesk away ({codes}): check host and helo"),
        (Step::Send, _) => format!(
            "the mail server refused this mail for good ({codes}): the address on file does not work or, \
             if this happens to everybody, the sender address is not permitted"
        ),
    }
}

fn unable(step: Step) -> &'static str {
    match step {
        Step::Connect => "the mail server offers no STARTTLS: use implicit TLS or another port",
        Step::LogIn => "the mail server offers no way to log in that tapdesk knows (PLAIN, LOGIN)",
        Step::Send => "the mail server cannot take an address that is not ASCII (SMTPUTF8)",
    }
}

fn recipient(to: &Contact) -> Result<Address, PortError> {
    let unusable = || PortError::fatal("a mail needs a whole mail address; this contact has none");
    if to.kind != ContactKind::Mail || !to.is_readable() {
        return Err(unusable());
    }
    to.address.parse().map_err(|_| unusable())
}

mod examine;
#[cfg(test)]
mod tests;
