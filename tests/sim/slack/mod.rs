//! What is Slack, as far as tapdesk can tell?
//!
//! Two halves over one state: the Web API with its response URLs ([`Slack::url`]), and the people, who type commands,
//! press buttons and fill in modals, which reaches the program as signed requests ([`Slack::attach`]).
//! Facts: docs.slack.dev as of January 2026.

mod api;
mod client;
mod gesture;
mod home;
mod hooks;
mod limits;
mod state;
#[cfg(test)]
mod tests;
mod views;
mod visible;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use url::Url;

pub(crate) use client::http;
pub use client::{Endpoints, sign};
pub use state::{Email, Message, Person, View, Workspace};

use crate::Now;
use crate::wire::{Wire, lock};
use state::{Channel, State};

#[derive(Clone)]
struct Inner {
    state: Arc<Mutex<State>>,
    now: Now,
}

/// A workspace with its people, its Web API and its clients.
#[derive(Clone)]
pub struct Slack {
    /// Recorder and trouble-maker in front of the Web API and the response URLs.
    pub wire: Wire,
    /// Root of the simulated hosts; see [`Slack::api_url`].
    pub url: Url,
    inner: Inner,
    line: Arc<Mutex<client::Line>>,
    http: reqwest::Client,
}

impl Slack {
    /// Opens the workspace on a free loopback port.
    pub async fn start(now: Now, workspace: Workspace) -> anyhow::Result<Self> {
        let inner = Inner { state: Arc::new(Mutex::new(State { workspace, ..State::default() })), now };
        let wire = Wire::default();
        let address = wire.serve(api::router(inner.clone())).await?;
        let url = Url::parse(&format!("http://{address}/"))?;
        Ok(Self { wire, url, inner, line: Arc::default(), http: http()? })
    }

    /// Base of the Web API methods, with a slash at the end (really `https://slack.com/api/`).
    #[must_use]
    pub fn api_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path("/api/");
        url
    }

    /// Changes how the app is installed: scopes, token, signing secret, organisation, posting limit.
    pub fn configure(&self, change: impl FnOnce(&mut Workspace)) {
        change(&mut self.state().workspace);
    }

    /// How the app is installed now.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        self.state().workspace.clone()
    }

    /// Adds a full member of the workspace.
    #[expect(clippy::must_use_candidate, reason = "somebody may just be there")]
    pub fn user(&self, id: &str, name: &str, email: &str) -> Person {
        let mut state = self.state();
        let person = Person {
            id: id.to_owned(),
            name: name.to_owned(),
            team_id: state.workspace.team_id.clone(),
            email: Email::Given(email.to_owned()),
            zone: "Europe/Berlin".to_owned(),
            is_deleted: false,
            is_bot: false,
            is_restricted: false,
            is_ultra_restricted: false,
            is_stranger: false,
        };
        state.put(person.clone());
        person
    }

    /// Turns a person into a guest, a stranger, somebody without an address …; returns them as they are now.
    pub fn change(&self, user: &Person, change: impl FnOnce(&mut Person)) -> Person {
        let mut state = self.state();
        let mut person = state.people.get(&user.id).unwrap_or(user).clone();
        change(&mut person);
        state.put(person.clone());
        person
    }

    /// Adds a channel; the app may write there only if `has_bot`.
    pub fn channel(&self, id: &str, name: &str, members: &[&Person], has_bot: bool) {
        let members = members.iter().map(|p| p.id.clone()).collect();
        let channel = Channel { id: id.to_owned(), name: name.to_owned(), members, has_bot };
        self.state().channels.insert(id.to_owned(), channel);
    }

    /// The direct messages of the app to this person, in order, as they look now.
    #[must_use]
    pub fn inbox(&self, user: &Person) -> Vec<Message> {
        let state = self.state();
        let Some(direct) = state.direct(&user.id) else { return Vec::new() };
        let is_mine = |m: &&Message| m.channel == direct.id && m.only_for.is_none() && !m.is_deleted;
        state.messages.iter().filter(is_mine).cloned().collect()
    }

    /// What only this person was shown ("Only visible to you"), in order, as it looks now.
    #[must_use]
    pub fn ephemerals(&self, user: &Person) -> Vec<Message> {
        let is_mine = |m: &&Message| m.only_for.as_deref() == Some(&user.id) && !m.is_deleted;
        self.state().messages.iter().filter(is_mine).cloned().collect()
    }

    /// The messages of a channel that everybody in it sees.
    #[must_use]
    pub fn channel_messages(&self, channel: &str) -> Vec<Message> {
        let is_there = |m: &&Message| m.channel == channel && m.only_for.is_none() && !m.is_deleted;
        self.state().messages.iter().filter(is_there).cloned().collect()
    }

    /// Direct and ephemeral messages that this person has not read.
    #[must_use]
    pub fn unread(&self, user: &Person) -> Vec<Message> {
        self.state().messages.iter().filter(|m| m.is_unread && is_addressed(m, user)).cloned().collect()
    }

    /// Reads everything: returns what was unread or edited since, and marks it.
    #[expect(clippy::must_use_candidate, reason = "called to mark as read")]
    pub fn read(&self, user: &Person) -> Vec<Message> {
        let mut state = self.state();
        let fresh =
            state.messages.iter_mut().filter(|m| (m.is_unread || m.is_changed) && is_addressed(m, user));
        fresh
            .map(|message| {
                let before = message.clone();
                message.is_unread = false;
                message.is_changed = false;
                before
            })
            .collect()
    }

    /// Everybody's unread direct and ephemeral messages, for the check at the end of a story.
    #[must_use]
    pub fn all_unread(&self) -> Vec<(Person, Message)> {
        let people: Vec<_> = self.state().people.values().cloned().collect();
        people.into_iter().flat_map(|p| self.unread(&p).into_iter().map(move |m| (p.clone(), m))).collect()
    }

    /// Deletes a message, as an administrator of the workspace may.
    pub fn delete(&self, message: &Message) {
        if let Some(message) = self.state().message(&message.channel, &message.ts) {
            message.is_deleted = true;
        }
    }

    /// The modal in front of this person.
    #[must_use]
    pub fn modal(&self, user: &Person) -> Option<View> {
        self.state().top_view(&user.id)
    }

    /// The app's home tab as this person sees it.
    #[must_use]
    pub fn home(&self, user: &Person) -> Option<View> {
        self.state().homes.get(&user.id).cloned()
    }

    /// Everything the program ever sent to Slack except modals: arguments of methods (also of refused calls), response
    /// URL messages and the bodies of acknowledgements.
    #[must_use]
    pub fn everything_ever_seen(&self) -> Vec<Value> {
        self.state().seen.clone()
    }

    /// Every modal the program ever opened or changed, and refused attempts.
    #[must_use]
    pub fn modals_ever_opened(&self) -> Vec<Value> {
        self.state().modals.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }
}

fn is_addressed(message: &Message, user: &Person) -> bool {
    let is_mine = match &message.only_for {
        Some(person) => *person == user.id,
        None => message.channel.strip_prefix('D') == user.id.get(1..),
    };
    is_mine && !message.is_deleted
}
