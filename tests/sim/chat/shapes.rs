//! What do accounts, messages, windows, requests and answers look like, whatever the chat?

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tapdesk_core::ids::ChatUser;

use crate::slack;

/// Somebody's account in the chat.
#[derive(Debug, Clone)]
pub struct Account {
    /// The chat's own id of it, as forms and payloads carry it.
    pub id: String,
    /// The name that the chat shows.
    pub name: String,
    /// What the chat keeps of it.
    pub profile: Profile,
}

/// An account as its own chat knows it.
#[derive(Debug, Clone)]
pub enum Profile {
    /// In Slack.
    Slack(slack::Person),
}

/// A message as one person sees it.
#[derive(Debug, Clone)]
pub enum Message {
    /// In Slack.
    Slack(slack::Message),
}

/// A window in front of somebody, or the app's home page.
#[derive(Debug, Clone)]
pub enum View {
    /// In Slack.
    Slack(slack::View),
}

/// A button of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What it carries.
    pub value: String,
    /// Whether its look sets it apart from others.
    pub stands_out: bool,
}

/// One request of the chat to the program, exactly as it was sent.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Path at the program.
    pub path: String,
    /// All headers that the chat sets.
    pub headers: Vec<(String, String)>,
    /// Raw body.
    pub body: Vec<u8>,
}

/// How the program answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// `None` when there was no answer within the deadline.
    pub status: Option<StatusCode>,
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// What it says, as far as it says something at once.
    pub body: String,
    /// What the chat shows instead of an answer, if it does not take the one that came, by the chat's own name for it.
    pub failure: Option<&'static str>,
}

impl Account {
    /// How a command names this account when it is picked from the list.
    #[must_use]
    pub fn mention(&self) -> String {
        match &self.profile {
            Profile::Slack(person) => person.mention(),
        }
    }

    /// The same as tapdesk names it.
    #[must_use]
    pub fn user(&self) -> ChatUser {
        match &self.profile {
            Profile::Slack(person) => {
                ChatUser { chat: "slack".into(), workspace: person.team_id.clone(), id: person.id.clone() }
            }
        }
    }

    /// The same as the simulator of Slack knows it.
    #[must_use]
    pub fn in_slack(&self) -> &slack::Person {
        match &self.profile {
            Profile::Slack(person) => person,
        }
    }
}

impl From<slack::Person> for Account {
    fn from(person: slack::Person) -> Self {
        Self { id: person.id.clone(), name: person.name.clone(), profile: Profile::Slack(person) }
    }
}

impl Message {
    /// The message as plain text: mentions by name, links as `label (url)`, buttons as `[Approve]`.
    #[must_use]
    pub fn visible_text(&self) -> String {
        match self {
            Self::Slack(message) => message.visible_text(),
        }
    }

    /// Its buttons, in order.
    #[must_use]
    pub fn buttons(&self) -> Vec<Button> {
        match self {
            Self::Slack(message) => message.buttons(),
        }
    }

    /// What notifications and screen readers said of it: earlier versions first, the present one last.
    #[must_use]
    pub fn announced(&self) -> Vec<String> {
        match self {
            Self::Slack(message) => {
                let earlier = message.history.iter().filter_map(|version| version["text"].as_str());
                earlier.chain([message.text.as_str()]).map(str::to_owned).collect()
            }
        }
    }

    /// The same as the simulator of Slack knows it.
    #[must_use]
    pub fn in_slack(&self) -> &slack::Message {
        match self {
            Self::Slack(message) => message,
        }
    }
}

impl View {
    /// Title, content, complaints and buttons as plain text.
    #[must_use]
    pub fn visible_text(&self) -> String {
        match self {
            Self::Slack(view) => view.visible_text(),
        }
    }
}

impl Reply {
    /// Acknowledged in time, with an answer that the chat takes.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.failure.is_none()
    }

    /// Acknowledged, and whoever asked reads nothing of it yet.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.is_accepted() && self.body.is_empty()
    }

    pub(crate) fn json(&self) -> Option<Value> {
        let kind = self.headers.get("content-type").and_then(|k| k.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") { serde_json::from_str(&self.body).ok() } else { None }
    }

    pub(crate) fn failed(failure: &'static str) -> Self {
        Self { status: None, headers: HeaderMap::new(), body: String::new(), failure: Some(failure) }
    }
}
