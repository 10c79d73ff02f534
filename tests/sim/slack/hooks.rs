//! What does the host of response URLs (hooks.slack.com) do with a message?
//!
//! A response URL works five times within 30 minutes, without any token: whoever holds it may use it.

use crate::wire::lock;

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{Response, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Inner;
use super::api::checked_content;
use super::state::State;

const KEYS: [&str; 7] = [
    "text",
    "blocks",
    "response_type",
    "replace_original",
    "delete_original",
    "unfurl_links",
    "unfurl_media",
];

pub(super) async fn respond(Shared(inner): Shared<Inner>, uri: Uri, body: Bytes) -> Response<Body> {
    let now = (inner.now)();
    let mut state = lock(&inner.state);
    let (status, body) = match take(&mut state, uri.path(), &body, now) {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err((status, error)) => (status, json!({"ok": false, "error": error}).to_string()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

type Refused = (StatusCode, &'static str);

fn take(state: &mut State, path: &str, body: &Bytes, now: Timestamp) -> Result<(), Refused> {
    let hook = state.hooks.get_mut(path).ok_or((StatusCode::NOT_FOUND, "no_service"))?;
    if now.duration_since(hook.at) > SignedDuration::from_mins(30) {
        return Err((StatusCode::NOT_FOUND, "expired_url"));
    }
    if hook.uses == 5 {
        return Err((StatusCode::NOT_FOUND, "used_url"));
    }
    hook.uses += 1;
    let message: Value =
        serde_json::from_slice(body).map_err(|_| (StatusCode::BAD_REQUEST, "invalid_payload"))?;
    state.seen.push(json!({"response_url": message}));
    if message.as_object().is_none_or(|m| m.keys().any(|key| !KEYS.contains(&key.as_str()))) {
        return Err((StatusCode::BAD_REQUEST, "invalid_arguments"));
    }
    apply(state, path, &message, now)
}

fn apply(state: &mut State, path: &str, message: &Value, now: Timestamp) -> Result<(), Refused> {
    let Some(hook) = state.hooks.get(path) else { return Ok(()) };
    let (user, channel, original) = (hook.user.clone(), hook.channel.clone(), hook.original.clone());
    let target = original.as_deref().and_then(|ts| state.message(&channel, ts));
    if message["delete_original"] == true {
        if let Some(target) = target {
            target.is_deleted = true;
        }
        return Ok(());
    }
    let (text, blocks) = checked_content(message["text"].as_str(), message.get("blocks").cloned())
        .map_err(|refusal| (StatusCode::BAD_REQUEST, refusal.name()))?;
    if message["replace_original"] == true
        && let Some(target) = target
    {
        target.edit(text, blocks);
        return Ok(());
    }
    let only_for = (message["response_type"] != "in_channel").then_some(user.as_str());
    let ts = state.post(&channel, &text, blocks, only_for, now);
    if let Some(hook) = state.hooks.get_mut(path) {
        // The next `replace_original` through this URL means what was just shown.
        hook.original.get_or_insert(ts);
    }
    Ok(())
}
