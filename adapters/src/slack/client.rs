//! How does tapdesk speak to Slack?
//!
//! The only I/O of this folder. The bot token goes to the Web API only; addresses of ephemeral answers are bearer
//! secrets themselves and get none. Logs name the method, Slack's error and the time it took, nothing else.
//! Methods and errors: docs.slack.dev, Web API methods, January 2026.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tapdesk_core::card::{Card, PinCard};
use tapdesk_core::form::Form;
use tapdesk_core::ids::{ChatName, ChatUser};
use tapdesk_core::people::Person;
use tapdesk_core::ports::{Abilities, Account, Chat, Home, NotVouched, PortError, Reply, SayError, Vouched};
use tapdesk_core::request::MessageRef;

use super::parse::Ours;
use super::render::{self, form};
use super::{NAME, Slack, acknowledge};
use crate::http;

mod examine;

/// Errors that pass by themselves; every other error stays until somebody mends something.
const PASSING: [&str; 9] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "org_login_required",
    "external_channel_migrating",
];
/// Errors of an edit that leave nothing to edit.
const NOTHING_TO_EDIT: [&str; 3] = ["message_not_found", "cant_update_message", "edit_window_closed"];
/// Errors of a post to somebody who takes no messages of the app any more.
const CLOSED: [&str; 4] = ["messages_tab_disabled", "user_disabled", "cannot_dm_bot", "is_inactive"];
/// Errors of a modal whose button was pressed too long ago, or twice.
const TRIGGER_OVER: [&str; 3] = ["expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"];
/// Errors of a token that Slack does not take (any more).
const BAD_TOKEN: [&str; 5] =
    ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"];
/// Errors that mean that an account is not there, or not for us.
const NO_SUCH_USER: [&str; 3] = ["user_not_found", "users_not_found", "user_not_visible"];

/// Private conversations that are remembered; then all are looked up afresh.
const MOST_CONVERSATIONS: usize = 4096;

#[async_trait]
impl Chat for Slack {
    fn name(&self) -> ChatName {
        ChatName::from(NAME)
    }

    fn abilities(&self) -> Abilities {
        Abilities { private_modal: true, edit: true }
    }

    fn command(&self) -> &str {
        &self.command
    }

    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, SayError> {
        let conversation = self.conversation(&to.id).await?;
        let mut message = render::message(card);
        message["channel"] = json!(conversation);
        // Slack fetches addresses that it unfurls; nobody but their reader is to follow one of ours.
        message["unfurl_links"] = json!(false);
        message["unfurl_media"] = json!(false);
        let posted: Result<Posted, Failure> = self.call("chat.postMessage", &Arguments::Json(&message)).await;
        if posted.as_ref().is_err_and(|failure| failure.is_one_of(&["channel_not_found", "is_archived"])) {
            self.conversations.forget(&to.id);
        }
        let posted = match posted {
            Err(failure) if failure.is_one_of(&CLOSED) => return Err(SayError::Closed),
            other => other.map_err(PortError::from)?,
        };
        let conversation = posted.channel.unwrap_or(conversation);
        Ok(MessageRef { chat: self.name(), conversation, message: posted.ts })
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), PortError> {
        let mut edited = render::message(card);
        edited["channel"] = json!(message.conversation);
        edited["ts"] = json!(message.message);
        match self.call::<Done>("chat.update", &Arguments::Json(&edited)).await {
            Ok(Done {}) => Ok(()),
            Err(failure) if failure.is_one_of(&NOTHING_TO_EDIT) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), PortError> {
        if let Some(address) = &reply.whisper
            && self.respond(address, card).await.is_ok()
        {
            return Ok(());
        }
        // The address serves five answers within half an hour; after that a message has to do.
        Ok(self.say(&reply.to, card).await.map(drop)?)
    }

    async fn reveal(&self, reply: &Reply, card: &PinCard) -> Result<(), PortError> {
        self.open(reply, &render::modal(card)).await
    }

    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<(), PortError> {
        self.open(reply, &form::view(form)).await
    }

    async fn show_home(&self, to: &ChatUser, seen: Option<&str>, card: &Card) -> Result<Home, PortError> {
        let mut arguments = json!({ "user_id": to.id, "view": render::home(card) });
        if let Some(hash) = seen {
            arguments["hash"] = json!(hash);
        }
        match self.call::<Done>("views.publish", &Arguments::Json(&arguments)).await {
            Ok(Done {}) => Ok(Home::Shown),
            Err(failure) if failure.is_one_of(&["hash_conflict"]) => Ok(Home::Newer),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError> {
        let Some(member) = self.member(&user.id).await? else {
            return Ok(Vouched::Nobody(NotVouched::Gone));
        };
        Ok(member.judge(&self.ours, self.trust_email))
    }

    async fn account_of(&self, person: &Person) -> Result<Option<Account>, PortError> {
        if !self.trust_email {
            return Ok(None);
        }
        for address in person.mail.iter().chain([&person.upn]) {
            if let Some(account) = self.account_with(&address.to_lowercase()).await? {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }
}

impl Slack {
    /// The private conversation with an account. Posting to the account's id would reach it only as the app's
    /// own tab, and an edit needs the conversation's id.
    async fn conversation(&self, user: &str) -> Result<String, PortError> {
        if let Some(known) = self.conversations.get(user) {
            return Ok(known);
        }
        let arguments = json!({ "users": user });
        let opened: Opened = self.call("conversations.open", &Arguments::Json(&arguments)).await?;
        self.conversations.put(user, &opened.channel.id);
        Ok(opened.channel.id)
    }

    /// Opens a modal in front of whoever pressed or typed.
    async fn open(&self, reply: &Reply, view: &Value) -> Result<(), PortError> {
        let over = || PortError::fatal("that was pressed or typed too long ago to open a modal; do it again");
        let trigger = reply.modal.as_ref().ok_or_else(over)?;
        let arguments = json!({ "trigger_id": trigger, "view": view });
        match self.call::<Done>("views.open", &Arguments::Json(&arguments)).await {
            Ok(Done {}) => Ok(()),
            Err(failure) if failure.is_one_of(&TRIGGER_OVER) => Err(over()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Answers where somebody pressed or typed. The address is checked again here, since a reply can be made
    /// without the parser.
    async fn respond(&self, address: &str, card: &Card) -> Result<(), PortError> {
        let url =
            self.ours.response_url(address).ok_or_else(|| PortError::fatal("not a response address"))?;
        let mut answer = acknowledge(card);
        answer["replace_original"] = json!(false);
        let started = Instant::now();
        let sent = self.http.post(url).json(&answer).send().await.map_err(|error| http::failed(&error));
        let outcome = match sent {
            Ok(response) => response_outcome(response.status(), &http::body(response).await?),
            Err(error) => Err(error),
        };
        let error = outcome.as_ref().err().map(tracing::field::display);
        tracing::debug!(
            slack.method = "response_url",
            slack.error = error,
            ms = elapsed(started),
            "answered"
        );
        outcome
    }

    /// The account that vouches for exactly this address, if it may act.
    async fn account_with(&self, address: &str) -> Result<Option<Account>, PortError> {
        let arguments = [("email", address)];
        let found: Found = match self.call("users.lookupByEmail", &Arguments::Form(&arguments)).await {
            Ok(found) => found,
            Err(failure) if failure.is_one_of(&NO_SUCH_USER) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let id = found.user.id;
        let Some(member) = self.member(&id).await? else { return Ok(None) };
        // An account whose profile says another address would vouch for somebody else when it presses.
        if member.judge(&self.ours, self.trust_email) != Vouched::Address(address.to_owned()) {
            return Ok(None);
        }
        let zone = member.tz.and_then(|name| name.parse().ok());
        let workspace = member.team_id.unwrap_or_default();
        Ok(Some(Account { user: ChatUser { chat: self.name(), workspace, id }, zone }))
    }

    async fn member(&self, user: &str) -> Result<Option<Member>, PortError> {
        match self.call::<Info>("users.info", &Arguments::Form(&[("user", user)])).await {
            Ok(info) => Ok(Some(info.user)),
            Err(failure) if failure.is_one_of(&NO_SUCH_USER) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: &Arguments<'_>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let outcome = self.exchange(method, arguments).await;
        let error = outcome.as_ref().err().map(|failure| tracing::field::display(failure.word()));
        tracing::debug!(slack.method = method, slack.error = error, ms = elapsed(started), "called Slack");
        outcome
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: &Arguments<'_>,
    ) -> Result<T, Failure> {
        let url =
            self.base.join(method).map_err(|_| PortError::fatal("Slack's base_url cannot be extended"))?;
        let request = self.http.post(url).header(AUTHORIZATION, self.authorization.clone());
        let request = match arguments {
            Arguments::Json(json) => {
                request.header(CONTENT_TYPE, "application/json; charset=utf-8").body(json.to_string())
            }
            // Some methods read no JSON; as a form, addresses stay out of URLs and so out of others' logs.
            Arguments::Form(form) => request.form(form),
        };
        let response = request.send().await.map_err(|error| http::failed(&error))?;
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let (status, after) = (response.status(), http::retry_after(wait, self.clock.now()));
        read(method, status, after, &http::body(response).await?)
    }
}

/// Private conversations by account.
#[derive(Default)]
pub(super) struct Conversations(Mutex<HashMap<String, String>>);

impl Conversations {
    fn get(&self, user: &str) -> Option<String> {
        self.lock().get(user).cloned()
    }

    fn put(&self, user: &str, conversation: &str) {
        let mut known = self.lock();
        if known.len() >= MOST_CONVERSATIONS {
            known.clear();
        }
        known.insert(user.to_owned(), conversation.to_owned());
    }

    fn forget(&self, user: &str) {
        self.lock().remove(user);
    }

    /// A panic elsewhere leaves the map whole: every change of it is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Arguments<'a> {
    Json(&'a Value),
    Form(&'a [(&'a str, &'a str)]),
}

#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    error: Option<String>,
    needed: Option<String>,
}

/// An answer of which only its being one matters.
#[derive(Deserialize)]
struct Done {}

#[derive(Deserialize)]
struct Opened {
    channel: Id,
}

#[derive(Deserialize)]
struct Found {
    user: Id,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Posted {
    channel: Option<String>,
    ts: String,
}

#[derive(Deserialize)]
struct Info {
    user: Member,
}

/// An account. Slack leaves out what it has no reason to say; a flag that is not there is not set.
#[derive(Deserialize)]
struct Member {
    team_id: Option<String>,
    deleted: Option<bool>,
    is_bot: Option<bool>,
    is_restricted: Option<bool>,
    is_ultra_restricted: Option<bool>,
    is_stranger: Option<bool>,
    enterprise_user: Option<EnterpriseUser>,
    /// A name of the IANA database, as the person or their device set it.
    tz: Option<String>,
    profile: Option<Contact>,
}

#[derive(Deserialize)]
struct EnterpriseUser {
    enterprise_id: Option<String>,
    teams: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Contact {
    email: Option<String>,
}

impl Member {
    /// Whom the account stands for. Accounts that may never act are named as such even where addresses are not
    /// trusted, so that a link to Entra cannot make up for it.
    fn judge(&self, ours: &Ours, trust_email: bool) -> Vouched {
        let is = |flag: Option<bool>| flag == Some(true);
        let why = if is(self.deleted) {
            NotVouched::Gone
        } else if is(self.is_bot) {
            NotVouched::Bot
        } else if is(self.is_stranger) || !self.is_at_home(ours) {
            NotVouched::Stranger
        } else if is(self.is_restricted) || is(self.is_ultra_restricted) {
            NotVouched::Guest
        } else if !trust_email {
            NotVouched::NotTrusted
        } else {
            return self.address().map_or(Vouched::Nobody(NotVouched::NoAddress), Vouched::Address);
        };
        Vouched::Nobody(why)
    }

    fn is_at_home(&self, ours: &Ours) -> bool {
        let organisation = self.enterprise_user.as_ref();
        let workspaces = organisation.and_then(|user| user.teams.as_deref()).unwrap_or_default();
        let enterprise = organisation.and_then(|user| user.enterprise_id.as_ref());
        self.team_id.iter().chain(enterprise).chain(workspaces).any(|team| ours.allows(team))
    }

    fn address(&self) -> Option<String> {
        let address = self.profile.as_ref()?.email.as_ref()?.trim().to_lowercase();
        (!address.is_empty()).then_some(address)
    }
}

/// Why a call brought nothing.
enum Failure {
    /// Slack answered `ok: false`.
    Said { method: &'static str, error: String, needed: Option<String>, after: Option<Duration> },
    /// Slack did not answer, or not in its own words.
    Port(PortError),
}

impl Failure {
    fn is_one_of(&self, errors: &[&str]) -> bool {
        matches!(self, Self::Said { error, .. } if errors.contains(&error.as_str()))
    }

    /// What the log calls it.
    fn word(&self) -> String {
        match self {
            Self::Said { error, .. } => error.clone(),
            Self::Port(error) => error.to_string(),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let (method, error, needed, after) = match failure {
            Failure::Said { method, error, needed, after } => (method, error, needed, after),
            Failure::Port(error) => return error,
        };
        let what = format!("Slack's {method} says {error}");
        match error.as_str() {
            word if PASSING.contains(&word) => Self::retry(what).after(after),
            word if BAD_TOKEN.contains(&word) => Self::fatal(format!("{what}: replace the bot token")),
            "missing_scope" => {
                let scope = needed.unwrap_or_else(|| "that the method needs".to_owned());
                Self::fatal(format!("{what}: give the app the scope {scope} and install it again"))
            }
            _ => Self::fatal(what),
        }
    }
}

/// Reads an answer. Success is HTTP 200 *and* `ok: true`.
fn read<T: DeserializeOwned>(
    method: &'static str,
    status: StatusCode,
    after: Option<Duration>,
    body: &[u8],
) -> Result<T, Failure> {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(PortError::retry(format!("Slack wants fewer calls of {method}")).after(after).into());
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Err(PortError::retry(format!("Slack's {method} answered {status}")).after(after).into());
    }
    match serde_json::from_slice::<Verdict>(body) {
        Ok(verdict) if verdict.ok && status.is_success() => serde_json::from_slice(body)
            .map_err(|_| PortError::fatal(format!("Slack's {method} answered in an unknown shape")).into()),
        Ok(Verdict { ok: false, error, needed, .. }) => {
            let error = word(error.as_deref().unwrap_or_default());
            Err(Failure::Said { method, error, needed: needed.as_deref().map(word), after })
        }
        Err(_) if status.is_success() => Err(PortError::retry(format!("{method} answered no JSON")).into()),
        Ok(_) | Err(_) => {
            Err(PortError::fatal(format!("{method} answered {status}; is base_url right?")).into())
        }
    }
}

/// A word of Slack's that is safe to log and to show: no other text of an answer leaves this file.
fn word(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_:.,-".contains(c);
    let word: String = text.chars().filter(|c| safe(*c)).take(64).collect();
    if word.is_empty() { "no_reason".to_owned() } else { word }
}

/// A used or expired address answers 404, or 200 with `ok: false`.
fn response_outcome(status: StatusCode, body: &[u8]) -> Result<(), PortError> {
    let refused = serde_json::from_slice::<Verdict>(body).is_ok_and(|verdict| !verdict.ok);
    if status.is_success() && !refused {
        Ok(())
    } else {
        Err(PortError::fatal(format!("the response address answered {status}")))
    }
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Ours {
        let teams = ["T1", "E1"].map(str::to_owned).into();
        Ours { app_id: "A1".to_owned(), teams, response_hosts: Vec::new() }
    }

    /// Slack's documented example of a profile, with changes.
    fn judged(changes: Value, trust_email: bool) -> Vouched {
        let mut profile = json!({
            "id": "W012A3CDE", "team_id": "T1", "name": "spengler", "deleted": false, "color": "9f69e7",
            "real_name": "Egon Spengler", "tz": "America/Los_Angeles", "tz_offset": -25200,
            "profile": {"real_name": "Egon Spengler", "email": "Spengler@ghostbusters.example.com", "team": "T1"},
            "is_admin": true, "is_restricted": false, "is_ultra_restricted": false, "is_bot": false,
            "updated": 1_502_138_686, "is_app_user": false, "has_2fa": false,
        });
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        profile.as_object_mut().unwrap().extend(changes);
        serde_json::from_value::<Member>(profile).unwrap().judge(&ours(), trust_email)
    }

    fn said(status: u16, body: &Value) -> PortError {
        let status = StatusCode::from_u16(status).unwrap();
        let after = Some(Duration::from_secs(30));
        let Err(failure) = read::<Done>("users.info", status, after, body.to_string().as_bytes()) else {
            panic!("a success");
        };
        failure.into()
    }

    #[test]
    fn an_account_stands_for_its_address_only_where_addresses_are_trusted() {
        let address = Vouched::Address("spengler@ghostbusters.example.com".to_owned());
        assert_eq!(judged(json!({}), true), address);
        assert_eq!(judged(json!({}), false), Vouched::Nobody(NotVouched::NotTrusted));
        let org =
            json!({"team_id": "T7", "enterprise_user": {"id": "W1", "enterprise_id": "E1", "teams": ["T7"]}});
        assert_eq!(judged(org, true), address);
    }

    #[test]
    fn accounts_that_may_not_act_are_refused_whether_addresses_are_trusted_or_not() {
        for (changes, why) in [
            (json!({"deleted": true}), NotVouched::Gone),
            (json!({"is_bot": true}), NotVouched::Bot),
            (json!({"is_restricted": true}), NotVouched::Guest),
            (json!({"is_restricted": true, "is_ultra_restricted": true}), NotVouched::Guest),
            (json!({"is_stranger": true, "team_id": "T2"}), NotVouched::Stranger),
            (json!({"is_stranger": true}), NotVouched::Stranger),
            (json!({"team_id": "T2"}), NotVouched::Stranger),
            (json!({"team_id": null}), NotVouched::Stranger),
            (json!({"team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}}), NotVouched::Stranger),
        ] {
            for trust_email in [true, false] {
                assert_eq!(judged(changes.clone(), trust_email), Vouched::Nobody(why), "{changes}");
            }
        }
    }

    #[test]
    fn an_account_without_an_address_stands_for_nobody() {
        for profile in [json!({"real_name": "x"}), json!({"email": ""}), json!({"email": null}), json!(null)]
        {
            let judged = judged(json!({"profile": profile}), true);
            assert_eq!(judged, Vouched::Nobody(NotVouched::NoAddress), "{profile}");
        }
    }

    #[test]
    fn errors_that_pass_are_tried_again_and_others_say_what_to_mend() {
        for error in PASSING {
            let error = said(200, &json!({"ok": false, "error": error}));
            assert!(matches!(error, PortError::Retry { after: Some(_), .. }), "{error}");
        }
        for (error, text) in [
            ("channel_not_found", "Slack's users.info says channel_not_found"),
            ("invalid_auth", "Slack's users.info says invalid_auth: replace the bot token"),
        ] {
            let error = said(200, &json!({"ok": false, "error": error}));
            assert!(matches!(error, PortError::Fatal { .. }));
            assert_eq!(error.to_string(), text);
        }
        let scope =
            json!({"ok": false, "error": "missing_scope", "needed": "users:read.email", "provided": "x"});
        let text = "Slack's users.info says missing_scope: give the app the scope users:read.email and install \
                    it again";
        assert_eq!(said(200, &scope).to_string(), text);
        let chatty = json!({"ok": false, "error": "no such user jane@contoso.com\n\u{1b}[31m"});
        assert_eq!(said(200, &chatty).to_string(), "Slack's users.info says nosuchuserjanecontoso.com31m");
    }

    #[test]
    fn a_status_that_is_no_answer_of_slacks_is_judged_by_itself() {
        let error = said(429, &json!({"ok": false, "error": "ratelimited"}));
        assert!(matches!(error, PortError::Retry { after, .. } if after == Some(Duration::from_secs(30))));
        assert!(matches!(said(503, &json!(null)), PortError::Retry { .. }));
        assert!(matches!(said(200, &json!("<html>")), PortError::Retry { .. }));
        assert!(matches!(said(302, &json!({"ok": true})), PortError::Fatal { .. }));
        assert!(matches!(said(404, &json!(null)), PortError::Fatal { .. }));
    }

    #[test]
    fn the_memory_of_conversations_is_bounded() {
        let known = Conversations::default();
        for user in 0..=MOST_CONVERSATIONS {
            known.put(&user.to_string(), "D1");
        }
        assert_eq!(known.lock().len(), 1);
    }
}
