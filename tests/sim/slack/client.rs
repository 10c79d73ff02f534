//! How do requests of Slack reach the program: signed, on time, retried, replayed or forged?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::Slack;
use super::state::hex;
use crate::chat::{Delivery, Reply};
use crate::wire::lock;

const FORM: &str = "application/x-www-form-urlencoded";

/// Where the program listens for Slack.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Slash commands.
    pub commands: String,
    /// Buttons, modals and shortcuts.
    pub interactive: String,
    /// The Events API, which also sends `url_verification`.
    pub events: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            commands: "/slack/commands".to_owned(),
            interactive: "/slack/interactions".to_owned(),
            events: "/slack/events".to_owned(),
        }
    }
}

/// Where the program is and how long Slack waits for it.
#[derive(Clone)]
pub(super) struct Line {
    base: Option<Url>,
    pub(super) endpoints: Endpoints,
    deadline: Duration,
    repeats: u32,
}

impl Default for Line {
    fn default() -> Self {
        Self { base: None, endpoints: Endpoints::default(), deadline: Duration::from_secs(3), repeats: 0 }
    }
}

/// `X-Slack-Signature` of a body: `v0=` and the HMAC-SHA256 of `v0:<timestamp>:<body>` in lower-case hex.
#[must_use]
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let base = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    format!("v0={}", hex(hmac::sign(&key, &base).as_ref()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "Slack's own client: it must not share limits with the program's"
)]
pub(crate) fn http() -> anyhow::Result<reqwest::Client> {
    // The program listens on loopback without TLS, yet reqwest wants a provider before it builds any client.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let none = reqwest::redirect::Policy::none();
    // Slack has many senders: each request is a connection of its own, which a balancer gives to any replica.
    Ok(reqwest::Client::builder().redirect(none).no_proxy().pool_max_idle_per_host(0).build()?)
}

impl Slack {
    /// Tells Slack where the program is.
    pub fn attach(&self, base: Url) {
        lock(&self.line).base = Some(base);
    }

    /// The same Slack, whose requests reach one replica of several.
    #[must_use]
    pub fn by_way_of(&self, replica: Url) -> Self {
        let line = Arc::new(Mutex::new(lock(&self.line).clone()));
        lock(&line).base = Some(replica);
        Self { line, ..self.clone() }
    }

    /// Tells Slack the request URLs of the app's manifest.
    pub fn set_endpoints(&self, endpoints: Endpoints) {
        lock(&self.line).endpoints = endpoints;
    }

    /// How long Slack waits for an acknowledgement: 3000 ms unless a story shortens it.
    pub fn set_deadline(&self, deadline: Duration) {
        lock(&self.line).deadline = deadline;
    }

    /// How often Slack repeats at once what brought no 2xx in time: never unless a story says so. Slack itself promises
    /// that for events; for commands and buttons a balancer may do the same.
    pub fn repeats_deliveries(&self, times: u32) {
        lock(&self.line).repeats = times;
    }

    /// The signature of `body` at `timestamp` with the workspace's signing secret.
    #[must_use]
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        sign(&self.workspace().signing_secret, timestamp, body)
    }

    /// Every request to the program so far.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().deliveries.clone()
    }

    /// Sends any bytes with any headers: forged, stale, oversized.
    pub async fn raw(&self, path: &str, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Reply {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.replay(&Delivery { path: path.to_owned(), headers, body: body.into() }).await
    }

    /// Sends the same bytes with the same signature once more.
    pub async fn replay(&self, delivery: &Delivery) -> Reply {
        let (base, deadline) = {
            let line = lock(&self.line);
            (line.base.clone(), line.deadline)
        };
        let Some(url) = base.and_then(|base| base.join(&delivery.path).ok()) else {
            return Reply::failed("dispatch_failed");
        };
        let request = self.http.post(url).headers(header_map(&delivery.headers)).body(delivery.body.clone());
        match tokio::time::timeout(deadline, answer(request)).await {
            Err(_) => Reply::failed("operation_timeout"),
            Ok(Err(_)) => Reply::failed("dispatch_failed"),
            Ok(Ok(reply)) => reply,
        }
    }

    /// Slack's own retry: the same body, signed anew, with the number (1 to 3) and the reason of the retry.
    pub async fn retry(&self, delivery: &Delivery, number: u32, reason: &str) -> Reply {
        let kind =
            delivery.headers.iter().find(|(n, _)| n == "content-type").map_or(FORM, |(_, v)| v.as_str());
        let mut again = self.signed(&delivery.path, kind, delivery.body.clone());
        again.headers.push(("x-slack-retry-num".to_owned(), number.to_string()));
        again.headers.push(("x-slack-retry-reason".to_owned(), reason.to_owned()));
        self.replay(&again).await
    }

    /// The check of the endpoint's certificate that Slack sends for distributed apps.
    pub async fn ssl_check(&self) -> Reply {
        let path = lock(&self.line).endpoints.commands.clone();
        self.send(&path, FORM, b"ssl_check=1&token=gIkuvaNzQIHg97ATvDxqgjtO".to_vec()).await
    }

    /// The question that Slack asks when an events URL is set; the answer's body is to carry `challenge`.
    pub async fn url_verification(&self, challenge: &str) -> Reply {
        self.event(&json!({"token": "deprecated", "challenge": challenge, "type": "url_verification"})).await
    }

    /// Any payload of the Events API.
    pub async fn event(&self, payload: &Value) -> Reply {
        let path = lock(&self.line).endpoints.events.clone();
        self.send(&path, "application/json", payload.to_string().into_bytes()).await
    }

    pub(super) async fn send_form(&self, path: &str, fields: &[(&str, String)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(path, FORM, body.into_bytes()).await
    }

    pub(super) async fn send_payload(&self, payload: &Value) -> Reply {
        let path = lock(&self.line).endpoints.interactive.clone();
        self.send_form(&path, &[("payload", payload.to_string())]).await
    }

    async fn send(&self, path: &str, kind: &str, body: Vec<u8>) -> Reply {
        let delivery = self.signed(path, kind, body);
        self.state().deliveries.push(delivery.clone());
        let mut reply = self.replay(&delivery).await;
        let repeats = lock(&self.line).repeats;
        for number in 1..=repeats {
            let Some(failure) = reply.failure else { break };
            let reason = if failure == "operation_timeout" { "http_timeout" } else { "connection_failed" };
            reply = self.retry(&delivery, number, reason).await;
        }
        if !reply.body.is_empty() {
            self.keep(&reply);
        }
        reply
    }

    /// Keeps the body of an acknowledgement for leak searches; an answer that carries a view is a modal.
    fn keep(&self, reply: &Reply) {
        let body = reply.json().unwrap_or_else(|| json!(reply.body));
        let mut state = self.state();
        if body.get("view").is_some() {
            state.modals.push(body);
        } else {
            state.seen.push(json!({"answer": body}));
        }
    }

    fn signed(&self, path: &str, kind: &str, body: Vec<u8>) -> Delivery {
        let timestamp = (self.inner.now)().as_second().to_string();
        let signature = self.sign(&timestamp, &body);
        let headers = [
            ("content-type", kind),
            ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)"),
            ("x-slack-request-timestamp", &timestamp),
            ("x-slack-signature", &signature),
        ];
        let headers = headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        Delivery { path: path.to_owned(), headers, body }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.text().await?;
    // What Slack shows to the person who waited: `operation_timeout` (too late), `dispatch_failed` (no connection or a
    // status that is not 2xx), `invalid_command_response`, `invalid_view_response`.
    let failure = (!status.is_success()).then_some("dispatch_failed");
    Ok(Reply { status: Some(status), headers, body, failure })
}

fn header_map(headers: &[(String, String)]) -> HeaderMap {
    let parse = |(name, value): &(String, String)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().filter_map(parse) {
        // Appended, not inserted: a story may send a header twice.
        map.append(name, value);
    }
    map
}
