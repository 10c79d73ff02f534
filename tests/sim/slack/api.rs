//! What does Slack's Web API answer?
//!
//! Every method takes `Authorization: Bearer`, answers HTTP 200 with `ok`, and names its errors as docs.slack.dev does.
//! Arguments that a method does not have are refused here (Slack ignores them), so that a typo shows.

use crate::wire::lock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::state::{Email, Person, State};
use super::{Inner, hooks, limits, views};

/// What a method answers: the body without `ok`, or an error.
pub(super) type Answer = Result<Value, Refusal>;

/// An error as the Web API reports it.
pub(super) struct Refusal {
    name: &'static str,
    more: Value,
    is_rate_limit: bool,
}

impl From<&'static str> for Refusal {
    fn from(name: &'static str) -> Self {
        Self { name, more: json!({}), is_rate_limit: false }
    }
}

impl Refusal {
    /// An error with `response_metadata.messages`.
    pub(super) fn because(name: &'static str, messages: &[String]) -> Self {
        Self { name, more: json!({"response_metadata": {"messages": messages}}), is_rate_limit: false }
    }

    fn scope(needed: &str, state: &State) -> Self {
        let more = json!({"needed": needed, "provided": provided(state)});
        Self { name: "missing_scope", more, is_rate_limit: false }
    }
}

/// The arguments of one call.
pub(super) struct Call {
    pub(super) args: Map<String, Value>,
    pub(super) now: Timestamp,
    is_json: bool,
}

impl Call {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.args.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn need(&self, key: &str) -> Result<&str, Refusal> {
        self.text(key).ok_or_else(|| {
            Refusal::because("invalid_arguments", &[format!("[ERROR] missing required field: {key}")])
        })
    }

    /// A structured argument; in a form it is JSON text.
    pub(super) fn object(&self, key: &str) -> Option<Value> {
        match self.args.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or(Value::Null)),
            other => Some(other.clone()),
        }
    }

    fn only(&self, keys: &[&str]) -> Result<(), Refusal> {
        let unknown: Vec<_> =
            self.args.keys().filter(|k| !keys.contains(&k.as_str()) && *k != "token").collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Refusal::because(
            "invalid_arguments",
            &[format!("[ERROR] the simulator does not know {unknown:?}")],
        ))
    }

    fn has_form(&self) -> Result<(), Refusal> {
        if self.is_json {
            // These methods read forms only; Slack overlooks a JSON body and misses its arguments.
            return Err(Refusal::because(
                "invalid_arguments",
                &["[ERROR] this method reads forms, not JSON".to_owned()],
            ));
        }
        Ok(())
    }
}

pub(super) fn router(inner: Inner) -> Router {
    Router::new()
        .route("/api/{method}", get(method).post(method))
        .route("/commands/{team}/{token}", post(hooks::respond))
        .route("/actions/{team}/{token}", post(hooks::respond))
        .with_state(inner)
}

async fn method(
    Shared(inner): Shared<Inner>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let now = (inner.now)();
    let mut state = lock(&inner.state);
    let answer = arguments(&uri, &headers, &body, now).and_then(|call| {
        authorize(&state, &headers, &call)?;
        record(&mut state, &name, &call.args);
        dispatch(&mut state, &name, &call)
    });
    render(answer, &state)
}

fn dispatch(state: &mut State, name: &str, call: &Call) -> Answer {
    let post =
        ["channel", "text", "blocks", "unfurl_links", "unfurl_media", "mrkdwn", "metadata", "thread_ts"];
    match name {
        "auth.test" => call.only(&[]).map(|()| auth_test(state)),
        "bots.info" => {
            call.has_form()?;
            call.only(&["bot", "team_id"])?;
            bots_info(state, call)
        }
        "users.info" => {
            call.has_form()?;
            call.only(&["user", "include_locale"])?;
            users_info(state, call)
        }
        "users.lookupByEmail" => {
            call.has_form()?;
            call.only(&["email"])?;
            users_lookup(state, call)
        }
        "conversations.open" => {
            call.only(&["users", "channel", "return_im", "prevent_creation"])?;
            conversations_open(state, call)
        }
        "chat.postMessage" => {
            call.only(&post)?;
            post_message(state, call)
        }
        "chat.postEphemeral" => {
            call.only(&[&post[..], &["user"]].concat())?;
            post_ephemeral(state, call)
        }
        "chat.update" => {
            call.only(&["channel", "ts", "text", "blocks", "metadata"])?;
            update(state, call)
        }
        "views.open" => {
            call.only(&["trigger_id", "view"])?;
            views::open(state, call)
        }
        "views.update" => {
            call.only(&["view_id", "external_id", "hash", "view"])?;
            views::update(state, call)
        }
        "views.publish" => {
            call.only(&["user_id", "view", "hash"])?;
            views::publish(state, call)
        }
        _ => Err("unknown_method".into()),
    }
}

/// Keeps what the program sent, refused or not. Modals are kept apart, since a PIN may be in one; a home tab is none.
fn record(state: &mut State, name: &str, args: &Map<String, Value>) {
    let seen = json!({"method": name, "args": args});
    if name.starts_with("views.") && name != "views.publish" {
        state.modals.push(seen);
    } else {
        state.seen.push(seen);
    }
}

fn arguments(uri: &Uri, headers: &HeaderMap, body: &Bytes, now: Timestamp) -> Result<Call, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|k| k.to_str().ok()).unwrap_or_default();
    let mut args = form(uri.query().unwrap_or_default().as_bytes());
    let is_json = kind.starts_with("application/json");
    if is_json {
        let body: Value = serde_json::from_slice(body).map_err(|_| Refusal::from("invalid_json"))?;
        args.extend(body.as_object().ok_or(Refusal::from("json_not_object"))?.clone());
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        args.extend(form(body));
    } else if !body.is_empty() {
        return Err("invalid_post_type".into());
    }
    Ok(Call { args, now, is_json: is_json && !body.is_empty() })
}

/// Decodes a form; of a repeated name the last value counts.
pub(super) fn form(bytes: &[u8]) -> Map<String, Value> {
    url::form_urlencoded::parse(bytes).map(|(k, v)| (k.into_owned(), Value::String(v.into_owned()))).collect()
}

fn authorize(state: &State, headers: &HeaderMap, call: &Call) -> Result<(), Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let token = header.map_or(call.text("token"), |h| h.strip_prefix("Bearer "));
    match token {
        None => Err("not_authed".into()),
        Some(token) if token == state.workspace.bot_token => Ok(()),
        Some(_) => Err("invalid_auth".into()),
    }
}

fn need_scope(state: &State, scope: &str) -> Result<(), Refusal> {
    if state.workspace.scopes.contains(scope) { Ok(()) } else { Err(Refusal::scope(scope, state)) }
}

fn provided(state: &State) -> String {
    state.workspace.scopes.iter().cloned().collect::<Vec<_>>().join(",")
}

fn render(answer: Answer, state: &State) -> Response<Body> {
    let (mut body, more, is_rate_limit) = match answer {
        Ok(body) => (json!({"ok": true}), body, false),
        Err(refusal) => (json!({"ok": false, "error": refusal.name}), refusal.more, refusal.is_rate_limit),
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let mut response = Response::new(Body::from(body.to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json; charset=utf-8"));
    if let Ok(scopes) = provided(state).parse() {
        headers.insert("x-oauth-scopes", scopes);
    }
    if is_rate_limit {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    response
}

fn auth_test(state: &State) -> Value {
    let workspace = &state.workspace;
    json!({
        "url": format!("https://{}.slack.com/", workspace.team_domain),
        "team": workspace.team_domain,
        "user": "tapdesk",
        "team_id": workspace.team_id,
        "user_id": workspace.bot_user_id,
        "bot_id": workspace.bot_id,
        "enterprise_id": workspace.enterprise.as_ref().map(|(id, _)| id),
        "is_enterprise_install": workspace.is_org_install,
    })
}

fn bots_info(state: &State, call: &Call) -> Answer {
    need_scope(state, "users:read")?;
    let workspace = &state.workspace;
    if call.need("bot")? != workspace.bot_id {
        return Err("bot_not_found".into());
    }
    Ok(json!({"bot": {
        "id": workspace.bot_id, "deleted": false, "name": "tapdesk", "updated": 1_502_138_686,
        "app_id": workspace.app_id, "user_id": workspace.bot_user_id, "icons": {},
    }}))
}

fn users_info(state: &State, call: &Call) -> Answer {
    need_scope(state, "users:read")?;
    let person = state.people.get(call.need("user")?).ok_or("user_not_found")?;
    Ok(json!({"user": user_json(state, person)}))
}

fn users_lookup(state: &State, call: &Call) -> Answer {
    need_scope(state, "users:read.email")?;
    let wanted = call.need("email")?;
    let has = |p: &&Person| matches!(&p.email, Email::Given(e) if e.eq_ignore_ascii_case(wanted));
    let person = state.people.values().filter(|p| !p.is_deleted).find(has).ok_or("users_not_found")?;
    Ok(json!({"user": user_json(state, person)}))
}

fn user_json(state: &State, person: &Person) -> Value {
    let mut profile = json!({
        "real_name": person.name, "display_name": person.name, "avatar_hash": "ge3b51ca72de", "team": person.team_id,
    });
    if state.workspace.scopes.contains("users:read.email") {
        match &person.email {
            Email::Missing => {}
            Email::Null => profile["email"] = Value::Null,
            Email::Given(email) => profile["email"] = json!(email),
        }
    }
    let mut user = json!({
        "id": person.id, "team_id": person.team_id, "name": person.name, "deleted": person.is_deleted,
        "color": "9f69e7", "real_name": person.name, "tz": person.zone, "tz_label": "Some Time",
        "tz_offset": 3600, "profile": profile, "is_admin": false, "is_owner": false, "is_primary_owner": false,
        "is_restricted": person.is_restricted, "is_ultra_restricted": person.is_ultra_restricted,
        "is_bot": person.is_bot, "updated": 1_502_138_686, "is_app_user": false, "has_2fa": false,
    });
    if let Some((enterprise, _)) = &state.workspace.enterprise {
        user["enterprise_user"] =
            json!({"id": person.id, "enterprise_id": enterprise, "teams": [person.team_id]});
    }
    // Slack sends this key only for people of other companies.
    if person.is_stranger {
        user["is_stranger"] = json!(true);
    }
    user
}

fn conversations_open(state: &mut State, call: &Call) -> Answer {
    need_scope(state, "im:write")?;
    let users = match call.args.get("users") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        _ => call.need("users")?.to_owned(),
    };
    if users.contains(',') {
        return Err(Refusal::scope("mpim:write", state));
    }
    let person = state.people.get(&users).ok_or("user_not_found")?;
    match person {
        Person { is_deleted: true, .. } => return Err("user_disabled".into()),
        Person { is_bot: true, .. } => return Err("cannot_dm_bot".into()),
        _ => {}
    }
    let was_open = state.direct(&users).is_some();
    let mut channel = json!({"id": state.open_direct(&users)});
    if matches!(call.args.get("return_im"), Some(Value::Bool(true))) || call.text("return_im") == Some("true")
    {
        channel["is_im"] = json!(true);
        channel["user"] = json!(users);
        channel["is_open"] = json!(true);
    }
    if was_open {
        return Ok(json!({"no_op": true, "already_open": true, "channel": channel}));
    }
    Ok(json!({"channel": channel}))
}

fn post_message(state: &mut State, call: &Call) -> Answer {
    need_scope(state, "chat:write")?;
    let channel = writable(state, call)?;
    let (text, blocks) = content(call)?;
    within_posting_limit(state, &channel, call.now)?;
    let ts = state.post(&channel, &text, blocks.clone(), None, call.now);
    Ok(json!({"channel": channel, "ts": ts, "message": message_json(state, &ts, &text, &blocks)}))
}

fn post_ephemeral(state: &mut State, call: &Call) -> Answer {
    need_scope(state, "chat:write")?;
    let channel = writable(state, call)?;
    let user = call.need("user")?;
    if !state.channels.get(&channel).is_some_and(|c| c.members.contains(user)) {
        return Err("user_not_in_channel".into());
    }
    let (text, blocks) = content(call)?;
    let ts = state.post(&channel, &text, blocks, Some(user), call.now);
    Ok(json!({"message_ts": ts}))
}

fn update(state: &mut State, call: &Call) -> Answer {
    need_scope(state, "chat:write")?;
    let channel = call.need("channel")?.to_owned();
    let ts = call.need("ts")?.to_owned();
    if !state.channels.contains_key(&channel) {
        return Err("channel_not_found".into());
    }
    let (text, blocks) = content(call)?;
    let message = state.message(&channel, &ts).filter(|m| m.only_for.is_none()).ok_or("message_not_found")?;
    if !message.is_from_app {
        return Err("cant_update_message".into());
    }
    message.edit(text.clone(), blocks.clone());
    Ok(
        json!({"channel": channel, "ts": ts, "text": text, "message": message_json(state, &ts, &text, &blocks)}),
    )
}

/// Where a message goes. A user id works only once the direct conversation is open: use conversations.open.
fn writable(state: &State, call: &Call) -> Result<String, Refusal> {
    let name = call.need("channel")?;
    let channel = match name.chars().next() {
        Some('U' | 'W') => state.direct(name),
        _ => state.channels.get(name),
    };
    let channel = channel.ok_or("channel_not_found")?;
    if !channel.has_bot {
        return Err("not_in_channel".into());
    }
    Ok(channel.id.clone())
}

fn content(call: &Call) -> Result<(String, Vec<Value>), Refusal> {
    checked_content(call.text("text"), call.object("blocks"))
}

/// Text and blocks of a message, or what Slack says instead.
pub(super) fn checked_content(
    text: Option<&str>,
    blocks: Option<Value>,
) -> Result<(String, Vec<Value>), Refusal> {
    let text = text.unwrap_or_default().to_owned();
    if text.chars().count() > limits::MESSAGE_TEXT {
        return Err("msg_too_long".into());
    }
    let Some(blocks) = blocks else {
        return if text.is_empty() { Err("no_text".into()) } else { Ok((text, Vec::new())) };
    };
    let complaints = limits::message_blocks(&blocks);
    if !complaints.is_empty() {
        return Err(Refusal::because("invalid_blocks", &complaints));
    }
    let blocks = blocks.as_array().cloned().unwrap_or_default();
    if text.is_empty() && blocks.is_empty() { Err("no_text".into()) } else { Ok((text, blocks)) }
}

impl Refusal {
    /// Slack's name of the error.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

fn within_posting_limit(state: &mut State, channel: &str, now: Timestamp) -> Result<(), Refusal> {
    let last = state.last_posted.get(channel).copied();
    let is_too_soon = last.is_some_and(|last| now.duration_since(last) < SignedDuration::from_secs(1));
    if state.workspace.has_posting_limit && is_too_soon {
        return Err(Refusal { name: "ratelimited", more: json!({}), is_rate_limit: true });
    }
    state.last_posted.insert(channel.to_owned(), now);
    Ok(())
}

/// A message as payloads and API answers show it.
pub(super) fn message_json(state: &State, ts: &str, text: &str, blocks: &[Value]) -> Value {
    let workspace = &state.workspace;
    let mut message = json!({
        "type": "message", "user": workspace.bot_user_id, "bot_id": workspace.bot_id, "app_id": workspace.app_id,
        "team": workspace.team_id, "ts": ts, "text": text,
    });
    if !blocks.is_empty() {
        message["blocks"] = json!(blocks);
    }
    message
}
