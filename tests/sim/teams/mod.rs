//! What is Microsoft Teams, as far as tapdesk can tell?
//!
//! Two halves over one state: the service, which is the Bot Connector with its OpenID metadata and the bot's token endpoint
//! ([`Teams::url`]), and the people, who type, press, fill in and look at cards, which reaches the program as signed
//! activities ([`Teams::attach`]). Facts: learn.microsoft.com and Microsoft's SDKs as of the middle of 2026.

mod api;
mod client;
mod dialog;
mod gesture;
mod hooks;
mod install;
mod keys;
mod limits;
mod roster;
mod state;
#[cfg(test)]
mod tests;
mod token;
mod visible;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use url::Url;

pub use client::Endpoints;
pub use hooks::webhook_signature;
pub use keys::{Key, Signing, Token};
pub use state::{App, Message, Person, Role, View};

use crate::Now;
use crate::chance;
use crate::slack::http;
use crate::wire::{Wire, lock};
use state::{Conversation, Standing, State, personal_id};

/// Who signs the activities that the bot gets.
pub const ISSUER: &str = "https://api.botframework.com";
/// What the bot's access tokens are for.
pub const SCOPE: &str = "https://api.botframework.com/.default";

#[derive(Clone)]
struct Inner {
    state: Arc<Mutex<State>>,
    now: Now,
}

/// A tenant's Teams with its people, the Bot Connector and the clients.
#[derive(Clone)]
pub struct Teams {
    /// Recorder and trouble-maker in front of the Connector, its metadata and the token endpoint.
    pub wire: Wire,
    /// Root of the simulated hosts; see [`Teams::service_url`].
    pub url: Url,
    inner: Inner,
    line: Arc<Mutex<client::Line>>,
    http: reqwest::Client,
}

impl Teams {
    /// Opens Teams on a free loopback port.
    pub async fn start(now: Now, app: App) -> anyhow::Result<Self> {
        let published = [Key::Teams, Key::WebChat, Key::Unendorsed].into();
        let state = State { app, published, ..State::default() };
        let inner = Inner { state: Arc::new(Mutex::new(state)), now };
        let wire = Wire::default();
        let address = wire.serve(api::router(inner.clone())).await?;
        let url = Url::parse(&format!("http://{address}/"))?;
        Ok(Self { wire, url, inner, line: Arc::default(), http: http()? })
    }

    /// Where the tenant's conversations live (really `https://smba.trafficmanager.net/emea/<tenant>/`).
    #[must_use]
    pub fn service_url(&self) -> Url {
        self.at(&format!("/emea/{}/", self.app().tenant_id))
    }

    /// Where the Connector's metadata are (really `https://login.botframework.com/v1/.well-known/openidconfiguration`).
    #[must_use]
    pub fn openid_url(&self) -> Url {
        self.at("/v1/.well-known/openidconfiguration")
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    /// Changes how the app is registered.
    pub fn configure(&self, change: impl FnOnce(&mut App)) {
        change(&mut self.state().app);
    }

    /// How the app is registered now.
    #[must_use]
    pub fn app(&self) -> App {
        self.state().app.clone()
    }

    /// Replaces the bot's secret, as an administrator does; the old one is wrong from now on.
    #[must_use]
    pub fn rotate_secret(&self) -> String {
        let mut state = self.state();
        let old = std::mem::replace(&mut state.app.secret, App::default().secret);
        state.old_secrets.push(old);
        state.app.secret.clone()
    }

    /// Makes all access tokens so far worthless.
    pub fn revoke_tokens(&self) {
        let now = (self.inner.now)();
        self.state().tokens.values_mut().for_each(|end| *end = now);
    }

    /// The Connector publishes its next key for Teams and signs with it; the old one stays published.
    pub fn rotate_keys(&self) {
        let mut state = self.state();
        state.published.insert(Key::NextForTeams);
        state.is_rotated = true;
    }

    /// Adds a member of the tenant, who gets the app without doing anything: an administrator installed it for everybody.
    #[must_use]
    pub fn user(&self, name: &str, object_id: &str, upn: &str) -> Person {
        let person = self.stranger(name, object_id, upn);
        self.state().standings.insert(person.id.clone(), Standing::Arriving);
        self.state().open_personal(&person.id);
        person
    }

    /// Adds a member of the tenant who does not have the app.
    #[must_use]
    pub fn stranger(&self, name: &str, object_id: &str, upn: &str) -> Person {
        let mut state = self.state();
        let person = Person {
            id: format!("29:1{}", chance::id_of("in Teams", object_id).replace('-', "")),
            object_id: Some(object_id.to_owned()),
            name: name.to_owned(),
            upn: upn.to_owned(),
            email: upn.to_owned(),
            tenant_id: state.app.tenant_id.clone(),
            role: Role::User,
            zone: "Europe/Berlin".to_owned(),
        };
        state.people.insert(person.id.clone(), person.clone());
        person
    }

    /// Turns a person into a guest, somebody of another tenant, somebody in another time zone …; returns them as they are now.
    pub fn change(&self, user: &Person, change: impl FnOnce(&mut Person)) -> Person {
        let mut state = self.state();
        let person = state.people.entry(user.id.clone()).or_insert_with(|| user.clone());
        change(person);
        person.clone()
    }

    /// Adds a channel of a team; the app is in the team only if `has_bot`.
    #[must_use]
    pub fn channel(&self, name: &str, members: &[&Person], has_bot: bool) -> String {
        let id = format!("19:{}@thread.tacv2", chance::id_of("channel", name).replace('-', ""));
        let conversation = Conversation {
            of: None,
            team: format!("19:{}@thread.tacv2", chance::id_of("team", name).replace('-', "")),
            members: members.iter().map(|person| person.id.clone()).collect(),
            has_bot,
        };
        self.state().conversations.insert(id.clone(), conversation);
        id
    }

    /// The messages in this person's private chat with the app that are there for good, in order, as they look now.
    #[must_use]
    pub fn inbox(&self, user: &Person) -> Vec<Message> {
        let state = self.state();
        let is_mine = |m: &&Message| is_personal(m, user) && m.only_for.is_none();
        state.messages.iter().filter(is_mine).map(|message| message.seen_by(&user.id)).collect()
    }

    /// The card that this person has to fill in and has not left.
    #[must_use]
    pub fn form(&self, user: &Person) -> Option<Message> {
        let newest = self.inbox(user).into_iter().rev().find(Message::is_form)?;
        (!newest.left.contains(&user.id)).then_some(newest)
    }

    /// Somebody reads a card to fill in, and leaves it at that.
    pub fn leaves(&self, user: &Person, form: &Message) {
        if let Some(message) = self.state().message(&form.conversation, &form.id) {
            message.left.insert(user.id.clone());
            message.is_unread = false;
            message.is_changed = false;
        }
    }

    /// What answered this person alone, in order, as it looks now: what they pressed, and what they typed in private.
    #[must_use]
    pub fn answers(&self, user: &Person) -> Vec<Message> {
        let state = self.state();
        let is_answer =
            |m: &&Message| is_addressed(m, user) && (m.only_for.is_some() || m.reply_to.is_some());
        state.messages.iter().filter(is_answer).map(|message| message.seen_by(&user.id)).collect()
    }

    /// The messages of a channel and its threads that everybody in it sees.
    #[must_use]
    pub fn channel_messages(&self, channel: &str) -> Vec<Message> {
        let is_there = |m: &&Message| {
            m.conversation.split(';').next() == Some(channel) && m.only_for.is_none() && !m.is_deleted
        };
        self.state().messages.iter().filter(is_there).cloned().collect()
    }

    /// Messages to this person alone that they have not read.
    #[must_use]
    pub fn unread(&self, user: &Person) -> Vec<Message> {
        let state = self.state();
        let fresh = state.messages.iter().filter(|m| m.is_unread && is_addressed(m, user));
        fresh.map(|message| message.seen_by(&user.id)).collect()
    }

    /// Reads everything: returns what was unread or edited since, and marks it.
    #[expect(clippy::must_use_candidate, reason = "called to mark as read")]
    pub fn read(&self, user: &Person) -> Vec<Message> {
        let mut state = self.state();
        let fresh =
            state.messages.iter_mut().filter(|m| (m.is_unread || m.is_changed) && is_addressed(m, user));
        fresh
            .map(|message| {
                let before = message.seen_by(&user.id);
                message.is_unread = false;
                message.is_changed = false;
                before
            })
            .collect()
    }

    /// Everybody's unread messages, for the check at the end of a story.
    #[must_use]
    pub fn all_unread(&self) -> Vec<(Person, Message)> {
        let people: Vec<_> = self.state().people.values().cloned().collect();
        people.into_iter().flat_map(|p| self.unread(&p).into_iter().map(move |m| (p.clone(), m))).collect()
    }

    /// Deletes a message behind the program's back.
    pub fn delete(&self, message: &Message) {
        if let Some(message) = self.state().message(&message.conversation, &message.id) {
            message.is_deleted = true;
        }
    }

    /// The dialog in front of this person.
    #[must_use]
    pub fn dialog(&self, user: &Person) -> Option<View> {
        self.state().top_view(&user.id)
    }

    /// Everything the program ever sent to Teams except dialogs: bodies of calls (also of refused ones) and of answers.
    #[must_use]
    pub fn everything_ever_seen(&self) -> Vec<Value> {
        self.state().seen.clone()
    }

    /// Every dialog the program ever answered with, and refused attempts.
    #[must_use]
    pub fn dialogs_ever_opened(&self) -> Vec<Value> {
        self.state().dialogs.clone()
    }

    /// What the program and Teams prove themselves with to each other: secrets, access tokens, signed tokens.
    #[must_use]
    pub fn credentials(&self) -> Vec<String> {
        let state = self.state();
        let mut all = vec![state.app.secret.clone(), state.app.webhook_token.clone()];
        all.extend(state.old_secrets.iter().cloned());
        all.extend(state.tokens.keys().cloned());
        let headers = state.deliveries.iter().flat_map(|delivery| &delivery.headers);
        let bearers = headers
            .filter_map(|(name, value)| value.strip_prefix("Bearer ").filter(|_| name == "authorization"));
        all.extend(bearers.map(str::to_owned));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What people typed so far.
    #[must_use]
    pub fn typed(&self) -> Vec<String> {
        self.state().typed.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }
}

fn is_personal(message: &Message, user: &Person) -> bool {
    message.conversation == personal_id(&user.id) && !message.is_deleted
}

fn is_addressed(message: &Message, user: &Person) -> bool {
    let is_mine = match &message.only_for {
        Some(person) => *person == user.id,
        None => message.conversation == personal_id(&user.id),
    };
    is_mine && !message.is_deleted
}
