//! What is a ticket system, as far as tapdesk can tell: how does it sign what it asks for, and what does it take for news?
//!
//! It takes a status only if its signature holds by its own reckoning, and counts what it refuses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use url::Url;

use crate::Now;
use crate::forge::{Heard, Knock};
use crate::graph::SignIn;
use crate::scene::rulebook;
use crate::wire::{Trouble, Wire, lock};
use crate::world::{Setting, World};

/// The header that names the source.
pub const SOURCE: &str = "tapdesk-source";
/// The header with the time of sending.
pub const SENT_AT: &str = "tapdesk-timestamp";
/// The header with the signature.
pub const SIGNED: &str = "tapdesk-signature";
/// What the system is called in the configuration.
pub const NAME: &str = "ServiceNow";
/// What it signs with, and what tapdesk does.
pub const SECRET: &str = "9d1f6a0b7c52e48835a1c6f4e20b9d7714c3a85f6e0d92b1";
/// Where tapdesk has it that orders come in.
pub const ORDERS: &str = "/hooks/requests";

/// One ticket system with its inbox for news.
#[derive(Clone)]
pub struct TicketSystem {
    /// Recorder and trouble-maker in front of the inbox.
    pub wire: Wire,
    /// Where it wants to be told.
    pub url: Url,
    inner: Inner,
}

/// Something that it was told.
#[derive(Debug, Clone)]
pub struct News {
    /// The delivery id.
    pub delivery: String,
    /// What it says.
    pub body: Value,
    /// How often it came.
    pub times: usize,
    is_unread: bool,
}

#[derive(Clone)]
struct Inner {
    state: Arc<Mutex<Inbox>>,
    now: Now,
}

struct Inbox {
    secret: String,
    news: Vec<News>,
    refused: usize,
}

impl TicketSystem {
    /// Opens its inbox on a free loopback port.
    pub async fn start(now: Now) -> anyhow::Result<Self> {
        let inbox = Inbox { secret: SECRET.to_owned(), news: Vec::new(), refused: 0 };
        let inner = Inner { state: Arc::new(Mutex::new(inbox)), now };
        let router = Router::new().route("/tapdesk/status", post(take)).with_state(inner.clone());
        let wire = Wire::default();
        let address = wire.serve(router).await?;
        Ok(Self { wire, url: Url::parse(&format!("http://{address}/tapdesk/status"))?, inner })
    }

    /// Somebody sets another secret in it.
    pub fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.inner.state).secret);
    }

    /// Everything that it was told, each once, in the order in which it first came.
    #[must_use]
    pub fn news(&self) -> Vec<News> {
        lock(&self.inner.state).news.clone()
    }

    /// What it was told and nobody has read.
    #[must_use]
    pub fn reads(&self) -> Vec<Value> {
        let mut inbox = lock(&self.inner.state);
        let unread = inbox.news.iter_mut().filter(|news| news.is_unread);
        unread.map(|news| (news.is_unread = false, news.body.clone()).1).collect()
    }

    /// The names of the events that nobody has read.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        self.reads().iter().map(|news| news["event"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How often it refused a status.
    #[must_use]
    pub fn refused(&self) -> usize {
        lock(&self.inner.state).refused
    }

    /// That message as it signs it now.
    #[must_use]
    pub fn signs(&self, body: impl Into<Vec<u8>>) -> Knock {
        let secret = lock(&self.inner.state).secret.clone();
        let now = (self.inner.now)().as_second().to_string();
        let knock = Knock::new(Method::POST, ORDERS).body(body).and("content-type", "application/json");
        signed(&knock.and(SOURCE, NAME), &secret, &now)
    }
}

/// The same message, signed by whoever knows `secret` and writes that time.
#[must_use]
pub fn signed(knock: &Knock, secret: &str, timestamp: &str) -> Knock {
    let signature = format!("v1={}", mac(secret, timestamp, &knock.body));
    knock.with(SENT_AT, timestamp).with(SIGNED, signature)
}

fn mac(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = [timestamp.as_bytes(), b".", body].concat();
    let mac = hmac::sign(&key, &text);
    mac.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

async fn take(Shared(inner): Shared<Inner>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut inbox = lock(&inner.state);
    let expected = format!("v1={}", mac(&inbox.secret, header(SENT_AT), &body));
    let age = header(SENT_AT).parse::<i64>().map_or(i64::MAX, |sent| (inner.now)().as_second() - sent);
    let is_genuine = header(SIGNED).split(' ').any(|given| given == expected);
    if !is_genuine || header(SOURCE) != NAME || age.abs() > 60 {
        inbox.refused += 1;
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let delivery = header("tapdesk-delivery").to_owned();
    if delivery.is_empty() || body["delivery"] != delivery.as_str() {
        return StatusCode::BAD_REQUEST;
    }
    match inbox.news.iter_mut().find(|news| news.delivery == delivery) {
        Some(known) => known.times += 1,
        None => inbox.news.push(News { delivery, body, times: 1, is_unread: true }),
    }
    StatusCode::NO_CONTENT
}

/// Another answer than its own.
#[must_use]
pub fn answered(status: StatusCode) -> Trouble {
    Trouble::Answer(status, Vec::new(), String::new())
}

/// What an agent's ticket asks for: a pass for Jane.
#[must_use]
pub fn ticket() -> Value {
    json!({
        "action": "open",
        "idempotency_key": "INC0012345",
        "subject": "jane.doe@contoso.com",
        "reason": "lost her phone",
        "ticket_number": "INC0012345",
        "requested_by": "ada.agent@contoso.com",
    })
}

/// The same ticket, which Mary has approved there.
#[must_use]
pub fn approved_ticket() -> Value {
    let mut ticket = ticket();
    ticket["approved_by"] = json!("mary.major@contoso.com");
    ticket
}

/// The section and the rule of a ticket system, with more keys for each.
#[must_use]
pub fn ticket_setting(section: &str, rule: &str) -> Setting {
    let approvals = if rule.contains("approvals = ") { "" } else { "approvals = [\"manager\"]\n" };
    let tickets = format!("name = \"tickets\"\nrequester = \"hook:{NAME}\"\n{approvals}{rule}");
    Setting {
        policy: rulebook("", &["", &tickets]),
        extra: format!("[hook.{NAME}]\nsecret = \"{SECRET}\"\nstatus_url = \"{{tickets}}\"\n{section}"),
        ..Setting::default()
    }
}

impl World {
    /// The usual people, and a ticket system that may ask.
    pub async fn with_tickets(section: &str, rule: &str) -> anyhow::Result<Self> {
        let world = Self::with(ticket_setting(section, rule)).await?;
        let faults = world.config().faults();
        ensure!(faults.is_empty(), "the configuration of the story cannot be used: {faults:#?}");
        Ok(world)
    }

    /// The same, and the system may state that somebody approved.
    pub async fn with_trusted_tickets() -> anyhow::Result<Self> {
        Self::with_tickets("may_state_approvals = true", "stated_approval = true").await
    }

    /// Jane claims, signs in at the lock screen, and tapdesk notices.
    pub async fn jane_signs_in(&self, code: &str, pin: &str) -> anyhow::Result<()> {
        let passcode = self.browser().claims_and_sees(code, pin).await?;
        self.settle().await?;
        let signed_in = self.graph.use_pass(&self.jane.person, &passcode);
        ensure!(signed_in == SignIn::Ok, "Windows answered {signed_in:?}");
        self.advance(Duration::from_mins(10)).await
    }

    /// The ticket system sends a message; nobody has worked yet.
    pub async fn order(&self, body: &Value) -> anyhow::Result<Heard> {
        self.knock(&self.tickets.signs(body.to_string())).await
    }

    /// The same, which is taken, and everybody works; returns the request's id.
    pub async fn orders(&self, body: &Value) -> anyhow::Result<String> {
        let heard = self.order(body).await?;
        ensure!(heard.status == StatusCode::ACCEPTED, "{body}: {heard:?}");
        self.settle().await?;
        Ok(heard.json()?["request"].as_str().context("no request id")?.to_owned())
    }
}

impl Heard {
    /// The body, read.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| self.body.clone())
    }
}
