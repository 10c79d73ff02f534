//! How does tapdesk speak to Teams?
//!
//! The only I/O of this folder. A token goes to services that the configuration allows and nowhere else, whatever an
//! activity or the store says. Who blocked or removed the app is forgotten: they cannot be written to before they come
//! back. Logs name the call, Teams' error and the time it took, nothing else.
//! Source: learn.microsoft.com, "Bot Connector REST API", 2026.

mod examine;
mod pace;
mod pending;
#[cfg(test)]
mod tests;
mod token;
mod way;

use std::time::Instant;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tapdesk_core::card::{Card, PinCard};
use tapdesk_core::form::{FieldName, Filled, Form};
use tapdesk_core::ids::{ChatName, ChatUser, PersonId};
use tapdesk_core::people::Person;
use tapdesk_core::ports::{
    Abilities, Account, Chat, Conversation, Home, NotVouched, PortError, Reply, SayError, Vouched,
};
use tapdesk_core::request::MessageRef;
use url::Url;

pub(super) use self::pace::Paces;
pub use self::pending::{Pending, Said};
pub(super) use self::pending::{Waiting, Window};
pub(super) use self::token::Tokens;
pub(super) use self::way::{Place, Way};
use super::parse::{Among, Routes, Shown};
use super::render::form::Frame;
use super::render::{self, answer};
use super::{NAME, Teams};
use crate::http;

/// Errors that mean that somebody takes no messages of ours.
const CLOSED: [&str; 3] = ["MessageWritesBlocked", "BotNotInConversationRoster", "ConversationBlockedByUser"];
/// Answers that pass by themselves.
const PASSING: [StatusCode; 6] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::PRECONDITION_FAILED,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

#[async_trait]
impl Chat for Teams {
    fn name(&self) -> ChatName {
        ChatName::from(NAME)
    }

    fn abilities(&self) -> Abilities {
        Abilities { private_modal: true, edit: true }
    }

    fn command(&self) -> &str {
        &self.ours.command
    }

    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, SayError> {
        self.send(to, |user| render::message(card, Some(user))).await
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), PortError> {
        let place: Place = message
            .conversation
            .parse()
            .map_err(|()| PortError::fatal("the message is in no conversation of Teams"))?;
        self.put(&place, &message.message, &render::message(card, Some(&place.user))).await
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), PortError> {
        if let Some((handle, window)) = self.waits(reply) {
            let said = match window {
                Window::Card => answer::said(card),
                Window::Dialog => answer::dialog_said(card),
            };
            if self.waiting.answer(handle, &said, false) {
                return Ok(());
            }
        }
        if let Some(here) = reply.whisper.as_deref()
            && let Ok(place) = here.parse::<Place>()
        {
            let (message, answered) = (render::message(card, Some(&place.user)), Place::answered(here));
            return Ok(self.post_privately(&reply.to, &place, answered, &message).await.map(drop)?);
        }
        Ok(self.say(&reply.to, card).await.map(drop)?)
    }

    async fn reveal(&self, reply: &Reply, card: &PinCard) -> Result<(), PortError> {
        let over = || PortError::fatal("that was pressed too long ago to open a dialog; press again");
        let Some((handle, Window::Dialog)) = self.waits(reply) else { return Err(over()) };
        let dialog = answer::dialog(&card.title, &render::pin(card));
        if self.waiting.answer(handle, &dialog, true) { Ok(()) } else { Err(over()) }
    }

    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<(), PortError> {
        let mark = self.mark();
        if let Some((handle, Window::Dialog)) = self.waits(reply) {
            let card = render::form::card(form, Frame::Dialog, &mark, None, &[]);
            if self.waiting.answer(handle, &answer::dialog(&form.title, &card), false) {
                return Ok(());
            }
        }
        // A message cannot open a dialog, so the form is in one.
        let card = render::form::card(form, Frame::Message, &mark, None, &[]);
        Ok(self.send(&reply.to, |_| render::activity(&card, &form.title)).await.map(drop)?)
    }

    /// Teams has no page for a bot: what would stand there is a message.
    async fn show_home(&self, to: &ChatUser, _seen: Option<&str>, card: &Card) -> Result<Home, PortError> {
        self.say(to, card).await?;
        Ok(Home::Shown)
    }

    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError> {
        let id = user.id.parse::<PersonId>().ok();
        let Some(way) = self.way(user).await? else {
            // Picked, or named by object id, and never met: the directory alone knows whether that is anybody.
            return Ok(id.map_or(Vouched::Nobody(NotVouched::Gone), Vouched::Object));
        };
        match self.member(&way).await {
            Ok(member) => Ok(member.judge(id, &self.ours.tenant.to_string())),
            Err(Failure::Gone) => Ok(Vouched::Nobody(NotVouched::Gone)),
            Err(Failure::Closed) => {
                self.forget(user, &way.conversation).await?;
                Ok(id.map_or(Vouched::Nobody(NotVouched::Gone), Vouched::Object))
            }
            Err(Failure::Port(error)) => Err(error),
        }
    }

    async fn account_of(&self, person: &Person) -> Result<Option<Account>, PortError> {
        let user = self.ours.user(&person.id.to_string());
        let Some(way) = self.way(&user).await? else { return Ok(None) };
        // Whoever was met may be a guest, somebody else or gone by now.
        match self.member(&way).await {
            Ok(member) => {
                let vouched = member.judge(Some(person.id), &self.ours.tenant.to_string());
                let zone = way.zone.and_then(|zone| zone.parse().ok());
                Ok((vouched == Vouched::Object(person.id)).then_some(Account { user, zone }))
            }
            Err(Failure::Gone) => Ok(None),
            Err(Failure::Closed) => {
                self.forget(&user, &way.conversation).await?;
                Ok(None)
            }
            Err(Failure::Port(error)) => Err(error),
        }
    }
}

impl Teams {
    /// Keeps where people are reached, and forgets where they are not any more.
    pub async fn keep(&self, routes: &Routes) -> Result<(), PortError> {
        for (user, way) in &routes.learnt {
            let known = self.way(user).await?;
            let after = way.clone().after(known.clone());
            if known.as_ref() != Some(&after) {
                self.store.keep_conversation(user, Some(Conversation::from(&after))).await?;
            }
        }
        for (user, conversation) in &routes.gone {
            self.forget(user, conversation).await?;
        }
        Ok(())
    }

    /// Waits for the answer to an invoke from a card.
    #[must_use]
    pub fn wait_in_card(&self) -> Pending {
        self.waiting.wait(Window::Card)
    }

    /// Waits for the answer to an invoke that opens or ends a dialog.
    #[must_use]
    pub fn wait_in_dialog(&self) -> Pending {
        self.waiting.wait(Window::Dialog)
    }

    /// Ends the wait of an invoke that nothing is said to; one that was answered stays so.
    pub fn wait_no_more(&self, handle: &str) {
        self.waiting.forget(handle);
    }

    /// Answers an invoke with the card in place of the one that was pressed.
    pub fn show(&self, handle: &str, card: &Card, viewer: Option<&Shown>) {
        let user = viewer.map(|shown| shown.place.user.as_str());
        self.waiting.answer(handle, &answer::shown(&render::card(card, user)), false);
    }

    /// Answers an invoke with the form as it was filled in and what has to be mended. It keeps its mark: whoever submits it
    /// again means the same request.
    pub fn mend(
        &self,
        handle: &str,
        mark: Option<&str>,
        form: &Form,
        filled: &Filled,
        wrong: &[(FieldName, String)],
    ) {
        let Some(window) = self.waiting.window(Some(&handle.to_owned())) else { return };
        let frame = match window {
            Window::Card => Frame::Message,
            Window::Dialog => Frame::Dialog,
        };
        let card = render::form::card(form, frame, &self.mark_again(mark), Some(filled), wrong);
        let answer = match window {
            Window::Card => answer::shown(&card),
            Window::Dialog => answer::dialog(&form.title, &card),
        };
        self.waiting.answer(handle, &answer, false);
    }

    /// Puts the form once more where a client sent it from that has no other answer.
    pub async fn send_form(
        &self,
        to: &ChatUser,
        mark: Option<&str>,
        form: &Form,
        filled: &Filled,
        wrong: &[(FieldName, String)],
    ) -> Result<(), PortError> {
        let card = render::form::card(form, Frame::Message, &self.mark_again(mark), Some(filled), wrong);
        Ok(self.send(to, |_| render::activity(&card, &form.title)).await.map(drop)?)
    }

    /// Replaces a message for everybody who sees it.
    pub async fn replace(&self, shown: &Shown, card: &Card) -> Result<(), PortError> {
        self.put(&shown.place, &shown.message, &render::message(card, Some(&shown.place.user))).await
    }

    /// Says one line where others read along, as an answer to what was written there.
    pub async fn note(&self, among: &Among, card: &Card) -> Result<(), PortError> {
        let Among { place, message } = among;
        let path = ["conversations", &place.conversation, "activities", message];
        match self.call(Method::POST, place, &path, Some(&render::line(card))).await {
            Ok(_) | Err(Failure::Gone | Failure::Closed) => Ok(()),
            Err(Failure::Port(error)) => Err(error),
        }
    }

    fn waits<'a>(&self, reply: &'a Reply) -> Option<(&'a str, Window)> {
        let window = self.waiting.window(reply.modal.as_ref())?;
        Some((reply.modal.as_deref()?, window))
    }

    /// A form's own mark.
    fn mark(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.entropy.array()))
    }

    fn mark_again(&self, mark: Option<&str>) -> String {
        mark.map_or_else(|| self.mark(), str::to_owned)
    }

    /// Posts to the account's private chat, which is begun where there is none yet.
    async fn send(
        &self,
        to: &ChatUser,
        draw: impl FnOnce(&str) -> Value + Send,
    ) -> Result<MessageRef, SayError> {
        let Some(way) = self.way(to).await? else { return Err(SayError::Closed) };
        let way = if way.personal { way } else { self.begin(to, way).await? };
        let place = way.place();
        let message = draw(&place.user);
        self.post_privately(to, &place, None, &message).await
    }

    async fn post_privately(
        &self,
        to: &ChatUser,
        place: &Place,
        answered: Option<&str>,
        message: &Value,
    ) -> Result<MessageRef, SayError> {
        let mut path = vec!["conversations", place.conversation.as_str(), "activities"];
        path.extend(answered);
        match self.call(Method::POST, place, &path, Some(message)).await {
            Ok(answer) => {
                let message = id_of(&answer)?;
                Ok(MessageRef { chat: self.name(), conversation: place.to_string(), message })
            }
            Err(Failure::Closed | Failure::Gone) => {
                self.forget(to, &place.conversation).await?;
                Err(SayError::Closed)
            }
            Err(Failure::Port(error)) => Err(error.into()),
        }
    }

    /// Begins a private chat with somebody who was met elsewhere.
    async fn begin(&self, to: &ChatUser, way: Way) -> Result<Way, SayError> {
        let tenant = self.ours.tenant.to_string();
        let wanted = json!({
            "bot": { "id": format!("28:{}", self.ours.app_id) },
            "isGroup": false,
            "members": [{ "id": way.user }],
            "tenantId": tenant,
            "channelData": { "tenant": { "id": tenant } },
        });
        match self.call(Method::POST, &way.place(), &["conversations"], Some(&wanted)).await {
            Ok(answer) => {
                let way = Way { conversation: id_of(&answer)?, personal: true, ..way };
                self.store.keep_conversation(to, Some(Conversation::from(&way))).await?;
                Ok(way)
            }
            Err(Failure::Closed | Failure::Gone) => {
                self.forget(to, &way.conversation).await?;
                Err(SayError::Closed)
            }
            Err(Failure::Port(error)) => Err(error.into()),
        }
    }

    async fn put(&self, place: &Place, id: &str, message: &Value) -> Result<(), PortError> {
        let path = ["conversations", &place.conversation, "activities", id];
        match self.call(Method::PUT, place, &path, Some(message)).await {
            Ok(_) | Err(Failure::Gone | Failure::Closed) => Ok(()),
            Err(Failure::Port(error)) => Err(error),
        }
    }

    async fn member(&self, way: &Way) -> Result<Member, Failure> {
        let path = ["conversations", &way.conversation, "members", &way.user];
        let answer = self.call(Method::GET, &way.place(), &path, None).await?;
        let odd =
            |_| Failure::Port(PortError::fatal("Teams described a member in words that are not documented"));
        serde_json::from_value(answer).map_err(odd)
    }

    async fn way(&self, user: &ChatUser) -> Result<Option<Way>, PortError> {
        let kept = self.store.conversation(user).await?;
        Ok(kept.and_then(|kept| Way::try_from(&kept).ok()))
    }

    /// Forgets where somebody was reached, unless they are reached elsewhere by now.
    async fn forget(&self, user: &ChatUser, conversation: &str) -> Result<(), PortError> {
        match self.way(user).await? {
            Some(way) if way.conversation == conversation => self.store.keep_conversation(user, None).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Calls the service that the place is at, at the conversation's pace.
    async fn call(
        &self,
        method: Method,
        place: &Place,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let base = self.ours.service(&place.service_url).ok_or_else(|| {
            PortError::fatal("a conversation is at a service that teams.service_hosts does not allow")
        })?;
        let url = extended(base, path)?;
        let now = tokio::time::Instant::now();
        // Teams counts who asks for a member apart from who writes.
        let counted = match method {
            Method::GET => format!("members of {}", place.conversation),
            _ => place.conversation.clone(),
        };
        match self.paces.take(&counted, now) {
            Ok(at) => tokio::time::sleep_until(at).await,
            Err(wait) => {
                return Err(PortError::retry("a conversation has its share of messages")
                    .after(Some(wait))
                    .into());
            }
        }
        let started = Instant::now();
        let mut outcome = self.exchange(&method, &url, body).await;
        if let Err(Exchange::Unauthorized(refused)) = &outcome {
            self.forget_token(refused).await;
            outcome = self.exchange(&method, &url, body).await;
        }
        let outcome = outcome.map_err(|failed| match failed {
            Exchange::Unauthorized(_) => {
                PortError::fatal("Teams refuses the bot's token: check teams.app_id and its secret").into()
            }
            Exchange::Failed(failure) => failure,
        });
        let error = outcome.as_ref().err().map(|failure| tracing::field::display(failure.word()));
        let what = path.iter().step_by(2).copied().collect::<Vec<_>>().join("/");
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(teams.method = %method, teams.what = what, teams.error = error, ms, "called Teams");
        outcome
    }

    async fn exchange(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Value, Exchange> {
        let bearer = self.bearer().await?;
        let mut request =
            self.http.request(method.clone(), url.clone()).header(AUTHORIZATION, bearer.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| http::failed(&error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(Exchange::Unauthorized(bearer));
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = http::retry_after(wait, self.clock.now());
        let body = http::body(response).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&body).unwrap_or_default());
        }
        let codes = serde_json::from_slice::<Refused>(&body).map(|refused| refused.error).unwrap_or_default();
        let is_closed =
            CLOSED.iter().any(|code| codes.code == *code || codes.sub_code.as_deref() == Some(code));
        Err(Exchange::Failed(match status {
            StatusCode::FORBIDDEN if is_closed => Failure::Closed,
            StatusCode::NOT_FOUND => Failure::Gone,
            status if PASSING.contains(&status) => {
                PortError::retry(format!("Teams answered {}", status.as_u16())).after(after).into()
            }
            status => {
                PortError::fatal(format!("Teams answered {} {}", status.as_u16(), word(&codes.code))).into()
            }
        }))
    }
}

/// A member of a conversation, as Teams describes one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    aad_object_id: Option<String>,
    object_id: Option<String>,
    tenant_id: Option<String>,
    user_role: Option<String>,
}

impl Member {
    /// Whom the member is. `known` is the object id that a verified activity said, if it was one.
    fn judge(&self, known: Option<PersonId>, tenant: &str) -> Vouched {
        let object_id = self.aad_object_id.as_ref().or(self.object_id.as_ref());
        let object_id = object_id.and_then(|id| id.parse::<PersonId>().ok());
        let is_elsewhere = self.tenant_id.as_ref().is_some_and(|id| !id.eq_ignore_ascii_case(tenant));
        let why = match self.user_role.as_deref() {
            Some("guest") => NotVouched::Guest,
            Some("anonymous") => NotVouched::Stranger,
            _ if is_elsewhere => NotVouched::Stranger,
            // Somebody else by the same name in Teams: nobody that we know.
            _ if known.is_some() && object_id.is_some() && known != object_id => NotVouched::Stranger,
            _ => return known.or(object_id).map_or(Vouched::Nobody(NotVouched::Stranger), Vouched::Object),
        };
        Vouched::Nobody(why)
    }
}

#[derive(Deserialize)]
struct Refused {
    error: Codes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Codes {
    code: String,
    sub_code: Option<String>,
}

/// Why a call brought nothing.
enum Failure {
    /// The person takes no messages of ours, or the conversation has no place for us.
    Closed,
    /// What was asked for is not there.
    Gone,
    /// Teams did not answer, or not in these words.
    Port(PortError),
}

enum Exchange {
    Unauthorized(reqwest::header::HeaderValue),
    Failed(Failure),
}

impl Failure {
    /// What the log calls it.
    fn word(&self) -> String {
        match self {
            Self::Closed => "closed".to_owned(),
            Self::Gone => "gone".to_owned(),
            Self::Port(error) => error.to_string(),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl From<PortError> for Exchange {
    fn from(error: PortError) -> Self {
        Self::Failed(Failure::Port(error))
    }
}

fn id_of(answer: &Value) -> Result<String, PortError> {
    let id = answer["id"].as_str().filter(|id| !id.is_empty() && !id.contains(char::is_whitespace));
    id.map(str::to_owned).ok_or_else(|| PortError::fatal("Teams named no id of what it took"))
}

/// The service's address with more path, each part encoded whole: ids hold colons, semicolons and at signs.
fn extended(mut base: Url, path: &[&str]) -> Result<Url, PortError> {
    let odd = || PortError::fatal("an id of Teams cannot be part of an address");
    if path.iter().any(|part| part.chars().all(|c| c == '.')) {
        return Err(odd());
    }
    let encoded: Vec<String> = std::iter::once("v3").chain(path.iter().copied()).map(encoded).collect();
    base.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), encoded.join("/")));
    Ok(base)
}

fn encoded(part: &str) -> String {
    let mut encoded = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
    }
    encoded
}

fn word(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}
