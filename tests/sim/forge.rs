//! How does a stranger knock: with any method, any headers and any bytes, all at once or never to the end?

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use tapdesk::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::{Url, form_urlencoded};

use crate::chat::Delivery;
use crate::check::{files, ledger_lines};
use crate::slack::sign;
use crate::world::{Colleague, World};

/// Header with the time of sending.
pub const TIMESTAMP: &str = "x-slack-request-timestamp";
/// Header with the signature.
pub const SIGNATURE: &str = "x-slack-signature";

/// A raw request to the public listener.
#[derive(Debug, Clone)]
pub struct Knock {
    /// Its method.
    pub method: Method,
    /// Its path as it is written.
    pub path: String,
    /// Its headers, repeated ones too.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// Everything that a request which is refused leaves as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    ledger_lines: usize,
    store: String,
    calls: [(&'static str, usize); 3],
    mails: usize,
}

impl Knock {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// The same with another body; a signature that it has stays as it is.
    #[must_use]
    pub fn body(&self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }

    /// The same with one more header, even if there is one already.
    #[must_use]
    pub fn and(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let mut knock = self.clone();
        knock.headers.push((name, value.as_ref().to_vec()));
        knock
    }

    /// The same without a header.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut knock = self.clone();
        knock.headers.retain(|(known, _)| *known != name);
        knock
    }

    /// The same with another value of a header.
    #[must_use]
    pub fn with(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).and(name, value)
    }

    /// The same, signed by whoever knows `secret` and writes that timestamp.
    #[must_use]
    pub fn signed(&self, secret: &str, timestamp: &str) -> Self {
        let signature = sign(secret, timestamp, &self.body);
        self.with(TIMESTAMP, timestamp).with(SIGNATURE, signature)
    }

    /// The value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }
}

impl From<&Delivery> for Knock {
    fn from(delivery: &Delivery) -> Self {
        let value = |name: &str| {
            let found = delivery.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut knock = Self::new(Method::POST, &delivery.path).body(delivery.body.clone());
        for name in ["content-type", TIMESTAMP, SIGNATURE] {
            knock = knock.and(name, value(name));
        }
        knock
    }
}

impl World {
    /// Sends a raw request to the public listener.
    pub async fn knock(&self, knock: &Knock) -> anyhow::Result<Heard> {
        // Joined as text: a `Url` would tidy up what the story wrote.
        let url = format!("{}{}", self.base(), knock.path.trim_start_matches('/'));
        let mut request = self.http.request(knock.method.clone(), url).body(knock.body.clone());
        // A connection of its own: tapdesk closes those whose body it did not want, and may be just about to.
        request = request.header("connection", "close");
        for (name, value) in &knock.headers {
            request = request.header(HeaderName::from_static(name), HeaderValue::from_bytes(value)?);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Heard { status, headers, body: response.text().await? })
    }

    /// Sends the head of a request, with `framing` for its body and the beginning of that, and waits for the answer
    /// without sending more.
    pub async fn knock_and_stall(
        &self,
        method: &Method,
        path: &str,
        framing: &str,
        beginning: &[u8],
    ) -> anyhow::Result<String> {
        let port = self.base().port().context("the listener has a port")?;
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: tapdesk\r\n{framing}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), beginning].concat()).await?;
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.context("no answer")??;
        Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
    }

    /// The bytes of the store: its file, or every write that its server logged.
    fn stored(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(file) = &self.config().store.path {
            return Ok(std::fs::read(file)?);
        }
        let log = files(&self.files.path().join("redis/appendonlydir"))?;
        Ok(log.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// What there is now of everything that a refused request must not touch.
    pub fn footprint(&self) -> anyhow::Result<Footprint> {
        let store = format!("{:?}", digest::digest(&digest::SHA256, &self.stored()?));
        Ok(Footprint {
            ledger_lines: ledger_lines(&self.files.path().join("ledger"))?.len(),
            store,
            calls: [
                ("Graph", &self.graph.wire),
                ("the chat", self.chat.wire()),
                ("Twilio", &self.twilio.wire),
            ]
            .map(|(name, wire)| (name, wire.seen().len())),
            mails: self.smtp.sent().len(),
        })
    }

    /// A command that the chat could not bring, as it was on the wire: genuine, and never seen.
    pub async fn lost_command(&self, who: &Colleague, text: &str) -> anyhow::Result<Delivery> {
        self.nobody_listens()?;
        self.types(who, text).await;
        self.chat.read(&who.account);
        self.found_lost()
    }

    /// A press that the chat could not bring, as it was on the wire: genuine, and never seen.
    pub async fn lost_press(&self, who: &Colleague, button: &str) -> anyhow::Result<Delivery> {
        let card = self.card(who, button)?;
        self.nobody_listens()?;
        self.chat.press(&who.account, &card, button).await?;
        self.found_lost()
    }

    /// A look at the home tab of which the chat could not tell, as it was on the wire.
    pub async fn lost_visit(&self, who: &Colleague) -> anyhow::Result<Delivery> {
        self.nobody_listens()?;
        self.chat.opens_home(&who.account).await;
        self.found_lost()
    }

    /// Changes what tapdesk is configured with from its next start on.
    pub fn configured(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    /// What Slack would say if somebody pressed a button with that value: one that they saw, kept or guessed.
    #[must_use]
    pub fn press_of(&self, who: &Colleague, choice: &str, value: &str) -> Value {
        self.slack().pressed_with(who.account.in_slack(), choice, value)
    }

    /// Slack brings an interaction, signed as it should be.
    pub async fn brings(&self, payload: &Value) -> anyhow::Result<Heard> {
        let workspace = self.slack().workspace();
        let text = payload.to_string();
        let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish();
        let now = self.hands.now().as_second().to_string();
        let knock = Knock::new(Method::POST, "/slack/interactions").body(body);
        self.knock(&knock.signed(&workspace.signing_secret, &now)).await
    }

    /// Somebody presses a button with that value, wherever they have it from; returns what they are told.
    pub async fn presses_with(&self, who: &Colleague, choice: &str, value: &str) -> anyhow::Result<String> {
        self.reads(who);
        let reply = self.chat.press_with(&who.account, choice, value).await;
        ensure!(reply.is_accepted(), "{reply:?}");
        self.settle().await?;
        Ok(self.reads(who).join("\n"))
    }

    /// What a button of somebody's newest card with that button carries.
    pub fn value_of(&self, who: &Colleague, button: &str) -> anyhow::Result<String> {
        let found = self.card(who, button)?.buttons().into_iter().find(|one| one.label == button);
        Ok(found.context("no such button")?.value)
    }

    /// How many events of that kind the ledger has, without those whose commit lost its race.
    pub fn events(&self, what: &str) -> anyhow::Result<usize> {
        let lines = ledger_lines(&self.files.path().join("ledger"))?;
        let of =
            |phase: &str| lines.iter().filter(|line| line["what"] == what && line["phase"] == phase).count();
        Ok(of("event") - of("outcome"))
    }

    /// How often a counter of tapdesk counted; every story of this process counts into it.
    #[must_use]
    pub fn counted(&self, series: &str) -> u64 {
        let metrics = tapdesk::telemetry::metrics().render();
        let count = metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        count.unwrap_or_default()
    }

    fn nobody_listens(&self) -> anyhow::Result<()> {
        self.chat.attach(Url::parse("http://127.0.0.1:1/")?);
        Ok(())
    }

    fn found_lost(&self) -> anyhow::Result<Delivery> {
        self.chat.attach(self.base());
        self.chat.deliveries().pop().context("the chat sent nothing")
    }
}

/// How long a story waits for an answer to a request that it never finishes.
const PATIENCE: Duration = Duration::from_secs(10);
