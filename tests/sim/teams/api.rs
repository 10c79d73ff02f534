//! What do the Bot Connector and its OpenID metadata answer?
//!
//! Requests carry the bot's access token; errors are named as learn.microsoft.com names them. Keys that an activity or a
//! card does not have are refused here (Teams overlooks some of them), so that a typo shows.

use std::collections::BTreeSet;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Content, Standing, State};
use super::{Inner, limits, roster, token};
use crate::wire::lock;

/// What a call answers: status and body, or an error.
pub(super) type Answer = Result<(StatusCode, Value), Refusal>;

/// An error as the Connector reports it.
pub(super) struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after: Option<i64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, body: json!({"error": {"code": code, "message": message}}), retry_after: None }
    }

    pub(super) fn bad(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadArgument", message)
    }

    /// The person blocked or removed the app.
    pub(super) fn blocked() -> Self {
        let body = json!({"error": {
            "code": "Forbidden", "message": "Message writes are blocked for this conversation.",
            "innerHttpError": null, "subCode": "MessageWritesBlocked",
        }});
        Self { status: StatusCode::FORBIDDEN, body, retry_after: None }
    }

    pub(super) fn not_in_roster() -> Self {
        let text = "The bot is not part of the conversation roster.";
        Self::new(StatusCode::FORBIDDEN, "BotNotInConversationRoster", text)
    }

    pub(super) fn too_many(seconds: i64) -> Self {
        let text = "Too many requests: try again later.";
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", text);
        Self { retry_after: Some(seconds), ..refusal }
    }

    fn unauthorized() -> Self {
        let body = json!({"message": "Authorization has been denied for this request."});
        Self { status: StatusCode::UNAUTHORIZED, body, retry_after: None }
    }
}

/// One call of the Connector's REST interface.
pub(super) struct Call<'b> {
    pub(super) body: &'b [u8],
    pub(super) now: Timestamp,
}

impl Call<'_> {
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let bad = |_| Refusal::new(StatusCode::BAD_REQUEST, "BadSyntax", "The body is not JSON.");
        serde_json::from_slice(self.body).map_err(bad)
    }
}

pub(super) fn router(inner: Inner) -> Router {
    let conversations = "/emea/{tenant}/v3/conversations";
    let one = "/emea/{tenant}/v3/conversations/{conversation}";
    Router::new()
        .route("/v1/.well-known/openidconfiguration", get(metadata))
        .route("/v1/.well-known/keys", get(keys))
        .route("/{tenant}/oauth2/v2.0/token", post(token::grant))
        .route(conversations, post(create))
        .route(&format!("{one}/activities"), post(send))
        .route(&format!("{one}/activities/{{activity}}"), post(reply).put(change).delete(remove))
        .route(&format!("{one}/members/{{member}}"), get(member))
        .route(&format!("{one}/pagedmembers"), get(paged_members))
        .with_state(inner)
}

async fn metadata(Shared(inner): Shared<Inner>, headers: HeaderMap) -> Json<Value> {
    // Whatever host it was asked by: a loopback port has no other name.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let _ = inner;
    Json(json!({
        "issuer": super::ISSUER,
        "authorization_endpoint": "https://invalid.botframework.com",
        "jwks_uri": format!("http://{host}/v1/.well-known/keys"),
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    }))
}

async fn keys(Shared(inner): Shared<Inner>) -> Json<Value> {
    let published = lock(&inner.state).published.clone();
    Json(json!({ "keys": published.into_iter().map(super::Key::published).collect::<Vec<_>>() }))
}

async fn create(
    Shared(inner): Shared<Inner>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    perform(&inner, &tenant, &headers, &body, |state, call| {
        record(state, "create", call.body);
        roster::create(state, call)
    })
}

async fn send(
    Shared(inner): Shared<Inner>,
    Path((tenant, conversation)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    perform(&inner, &tenant, &headers, &body, |state, call| {
        record(state, "send", call.body);
        post_activity(state, &conversation, None, call)
    })
}

async fn reply(
    Shared(inner): Shared<Inner>,
    Path((tenant, conversation, activity)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    perform(&inner, &tenant, &headers, &body, |state, call| {
        record(state, "reply", call.body);
        post_activity(state, &conversation, Some(activity), call)
    })
}

async fn change(
    Shared(inner): Shared<Inner>,
    Path((tenant, conversation, activity)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    perform(&inner, &tenant, &headers, &body, |state, call| {
        record(state, "update", call.body);
        writable(state, &conversation)?;
        let content = content(state, call)?;
        within_limits(state, &conversation, call.now)?;
        let message = own_message(state, &conversation, &activity)?;
        message.edit(content.text, content.summary, content.cards);
        Ok((StatusCode::OK, json!({ "id": activity })))
    })
}

async fn remove(
    Shared(inner): Shared<Inner>,
    Path((tenant, conversation, activity)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    perform(&inner, &tenant, &headers, &[], |state, _| {
        writable(state, &conversation)?;
        own_message(state, &conversation, &activity)?.is_deleted = true;
        Ok((StatusCode::OK, Value::Null))
    })
}

async fn member(
    Shared(inner): Shared<Inner>,
    Path((tenant, conversation, member)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    perform(&inner, &tenant, &headers, &[], |state, _| roster::member(state, &conversation, &member))
}

async fn paged_members(
    Shared(inner): Shared<Inner>,
    Path((tenant, conversation)): Path<(String, String)>,
    uri: axum::http::Uri,
    method: Method,
    headers: HeaderMap,
) -> Response<Body> {
    debug_assert_eq!(method, Method::GET);
    let query = uri.query().unwrap_or_default().to_owned();
    perform(&inner, &tenant, &headers, &[], |state, _| roster::paged(state, &conversation, &query))
}

/// Checks who asks, does the work, and writes the answer.
fn perform(
    inner: &Inner,
    tenant: &str,
    headers: &HeaderMap,
    body: &[u8],
    work: impl FnOnce(&mut State, &Call<'_>) -> Answer,
) -> Response<Body> {
    let now = (inner.now)();
    let mut state = lock(&inner.state);
    let answer = authorize(&state, tenant, headers, now)
        .and_then(|()| within_size(body))
        .and_then(|()| work(&mut state, &Call { body, now }));
    render(answer)
}

fn authorize(state: &State, tenant: &str, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
    if state.tokens.get(token).is_none_or(|end| *end <= now) {
        return Err(Refusal::unauthorized());
    }
    if tenant != state.app.tenant_id {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden", "The bot is not of this tenant."));
    }
    Ok(())
}

fn within_size(body: &[u8]) -> Result<(), Refusal> {
    if body.len() <= limits::MESSAGE_BYTES {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "MessageSizeTooBig", "Message size too large."))
}

/// Keeps what the program sent, refused or not.
fn record(state: &mut State, what: &str, body: &[u8]) {
    let body = serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)));
    state.seen.push(json!({ what: body }));
}

fn render(answer: Answer) -> Response<Body> {
    let (status, body, retry_after) = match answer {
        Ok((status, body)) => (status, body, None),
        Err(refusal) => (refusal.status, refusal.body, refusal.retry_after),
    };
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json; charset=utf-8"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Whether the bot may write there.
fn writable(state: &State, id: &str) -> Result<(), Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "ConversationNotFound", "Conversation not found.");
    let conversation = state.conversation(id).ok_or_else(unknown)?;
    let standing = conversation.of.as_ref().map(|person| state.standings.get(person));
    match standing {
        // A channel.
        None if conversation.has_bot => Ok(()),
        None | Some(None) => Err(Refusal::not_in_roster()),
        Some(Some(Standing::Arriving | Standing::Installed)) => Ok(()),
        Some(Some(Standing::Blocked | Standing::Removed)) => Err(Refusal::blocked()),
    }
}

fn within_limits(state: &mut State, conversation: &str, now: Timestamp) -> Result<(), Refusal> {
    let thread = conversation.to_owned();
    state.writes(&thread, now).map_err(Refusal::too_many)
}

fn post_activity(state: &mut State, conversation: &str, reply_to: Option<String>, call: &Call<'_>) -> Answer {
    writable(state, conversation)?;
    let activity = call.json()?;
    let content = content(state, call)?;
    within_limits(state, conversation, call.now)?;
    if activity["type"] == "typing" {
        return Ok((StatusCode::CREATED, json!({ "id": "" })));
    }
    let message = state.post(conversation, content, call.now);
    message.reply_to = reply_to;
    Ok((StatusCode::CREATED, json!({ "id": message.id })))
}

fn own_message<'s>(
    state: &'s mut State,
    conversation: &str,
    id: &str,
) -> Result<&'s mut super::Message, Refusal> {
    let message = state.message(conversation, id).filter(|message| message.only_for.is_none());
    match message {
        None => {
            let text = "The activity was not found in the conversation.";
            Err(Refusal::new(StatusCode::NOT_FOUND, "ActivityNotFoundInConversation", text))
        }
        Some(message) if !message.is_from_app => {
            Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden", "The message is somebody else's."))
        }
        Some(message) => Ok(message),
    }
}

/// What an activity says, or what Teams says instead.
pub(super) fn content(state: &State, call: &Call<'_>) -> Result<Content, Refusal> {
    let activity = call.json()?;
    let complaints = limits::activity(&activity, &known_people(state));
    if !complaints.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "BadSyntax", &complaints.join("; ")));
    }
    let text = |key: &str| activity[key].as_str().unwrap_or_default().to_owned();
    let cards = activity["attachments"].as_array().into_iter().flatten();
    let cards = cards.map(|attachment| attachment["content"].clone()).collect();
    Ok(Content { text: text("text"), summary: text("summary"), cards })
}

/// Everybody whom a card may name.
pub(super) fn known_people(state: &State) -> BTreeSet<String> {
    state.people.keys().cloned().collect()
}
