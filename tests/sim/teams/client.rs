//! How do activities reach the program: signed, on time, repeated, replayed or forged?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::keys::{Key, Signing, Token};
use super::{ISSUER, Teams};
use crate::chat::{Delivery, Reply};
use crate::wire::lock;

const JSON: &str = "application/json; charset=utf-8";
/// How long a token of the Connector is good for.
const LIFETIME_SECONDS: i64 = 3600;

/// Where the program listens for Teams.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Activities of the Bot Connector.
    pub messages: String,
    /// The outgoing webhook.
    pub outgoing: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self { messages: "/teams/messages".to_owned(), outgoing: "/teams/outgoing".to_owned() }
    }
}

/// Where the program is and how long Teams waits for it.
#[derive(Clone, Default)]
pub(super) struct Line {
    base: Option<Url>,
    pub(super) endpoints: Endpoints,
    deadline: Option<Duration>,
    repeats: u32,
}

/// How Teams waits for the answer to an activity.
#[derive(Debug, Clone, Copy)]
struct Manners {
    within: Duration,
    /// How often the client asks again by itself.
    repeats: u32,
}

impl Teams {
    /// Tells Teams where the program is.
    pub fn attach(&self, base: Url) {
        lock(&self.line).base = Some(base);
    }

    /// The same Teams, whose requests reach one replica of several.
    #[must_use]
    pub fn by_way_of(&self, replica: Url) -> Self {
        let line = Arc::new(Mutex::new(lock(&self.line).clone()));
        lock(&line).base = Some(replica);
        Self { line, ..self.clone() }
    }

    /// Tells Teams the messaging endpoint and the address of the outgoing webhook.
    pub fn set_endpoints(&self, endpoints: Endpoints) {
        lock(&self.line).endpoints = endpoints;
    }

    /// How long Teams waits for an answer: 15 s for a message and 5 s for everything else, unless a story shortens it.
    pub fn set_deadline(&self, deadline: Duration) {
        lock(&self.line).deadline = Some(deadline);
    }

    /// How often what brought no 2xx in time is repeated at once, besides what Teams repeats by itself.
    pub fn repeats_deliveries(&self, times: u32) {
        lock(&self.line).repeats = times;
    }

    /// The token that the Connector signs its next activity with. It is used for five minutes, then there is a new one.
    #[must_use]
    pub fn token(&self) -> Token {
        let now = (self.inner.now)().as_second();
        let since = now - now.rem_euclid(300);
        let state = self.state();
        let key = if state.is_rotated { Key::NextForTeams } else { Key::Teams };
        let app = state.app.app_id.clone();
        drop(state);
        let claims = json!({
            "serviceurl": self.service_url(), "nbf": since, "exp": since + LIFETIME_SECONDS, "iss": ISSUER, "aud": app,
        });
        let header = json!({"typ": "JWT"});
        Token { header, claims, key, signing: Signing::Rs256 }.by(key).signing(Signing::Rs256)
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

    /// Sends an activity as it is with that token, whoever signed it.
    pub async fn bring(&self, activity: &Value, token: &Token) -> Reply {
        let path = lock(&self.line).endpoints.messages.clone();
        let bearer = format!("Bearer {}", token.signed());
        let headers = [("content-type", JSON), ("authorization", &bearer)];
        self.raw(&path, activity.to_string(), &headers).await
    }

    /// Sends the same bytes with the same headers once more.
    pub async fn replay(&self, delivery: &Delivery) -> Reply {
        self.hand_over(delivery, Duration::from_secs(15)).await
    }

    /// The Connector's own repetition: the same activity with the same id, and the token of now.
    pub async fn retry(&self, delivery: &Delivery) -> Reply {
        let mut again = delivery.clone();
        for (name, value) in &mut again.headers {
            if name == "authorization" && value.starts_with("Bearer ") {
                *value = format!("Bearer {}", self.token().signed());
            }
        }
        self.replay(&again).await
    }

    /// Sends an activity as the Connector does: signed, and repeated as Teams repeats it.
    pub(super) async fn send(&self, activity: &Value) -> Reply {
        self.everybody_arrives().await;
        self.send_now(activity).await
    }

    pub(super) async fn send_now(&self, activity: &Value) -> Reply {
        let path = lock(&self.line).endpoints.messages.clone();
        let headers = [
            ("content-type", JSON.to_owned()),
            ("user-agent", "Microsoft-SkypeBotApi (Microsoft-BotFramework/3.0)".to_owned()),
            ("authorization", format!("Bearer {}", self.token().signed())),
            ("ms-cv", format!("{}.1", activity["id"].as_str().unwrap_or_default())),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        self.deliver(Delivery { path, headers, body: activity.to_string().into_bytes() }, manners(activity))
            .await
    }

    pub(super) async fn deliver_webhook(&self, delivery: Delivery) -> Reply {
        self.deliver(delivery, Manners { within: Duration::from_secs(5), repeats: 0 }).await
    }

    async fn deliver(&self, delivery: Delivery, manners: Manners) -> Reply {
        self.state().deliveries.push(delivery.clone());
        let (deadline, more) = {
            let line = lock(&self.line);
            (line.deadline.unwrap_or(manners.within), line.repeats)
        };
        let mut reply = self.hand_over(&delivery, deadline).await;
        for number in 0..manners.repeats + more {
            let Some(failure) = reply.failure else { break };
            // By itself Teams repeats only what was not answered at all.
            if number >= more && failure != "no_answer_in_time" {
                break;
            }
            reply = self.hand_over(&delivery, deadline).await;
        }
        if reply.failure.is_some()
            && let Ok(activity) = serde_json::from_slice::<Value>(&delivery.body)
        {
            self.state().lost.extend(activity["id"].as_str().map(str::to_owned));
        }
        reply
    }

    async fn hand_over(&self, delivery: &Delivery, deadline: Duration) -> Reply {
        let base = lock(&self.line).base.clone();
        let Some(url) = base.and_then(|base| base.join(&delivery.path).ok()) else {
            return Reply::failed("unable_to_reach_app");
        };
        let request = self.http.post(url).headers(header_map(&delivery.headers)).body(delivery.body.clone());
        match tokio::time::timeout(deadline, answer(request)).await {
            Err(_) => Reply::failed("no_answer_in_time"),
            Ok(Err(_)) => Reply::failed("unable_to_reach_app"),
            Ok(Ok(reply)) => reply,
        }
    }
}

/// Dialogs are asked for twice more after 5 s without an answer; no document says so of buttons.
fn manners(activity: &Value) -> Manners {
    match activity["name"].as_str() {
        Some("task/fetch" | "task/submit") => Manners { within: Duration::from_secs(5), repeats: 2 },
        Some(_) => Manners { within: Duration::from_secs(5), repeats: 0 },
        None => Manners { within: Duration::from_secs(15), repeats: 0 },
    }
}

async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.text().await?;
    // What the client shows: `unable_to_reach_app`, also for what came too late, and for an answer that it does not
    // take `invalid_invoke_response` or `invalid_task_response`.
    let failure = (!status.is_success()).then_some("unable_to_reach_app");
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
