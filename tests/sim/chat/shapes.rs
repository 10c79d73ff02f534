//! What do accounts, messages, windows, requests and answers look like, whatever the chat?

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tapdesk_core::ids::ChatUser;

use crate::{slack, teams};

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
    /// In Teams.
    Teams(teams::Person),
}

/// A message as one person sees it.
#[derive(Debug, Clone)]
pub enum Message {
    /// In Slack.
    Slack(slack::Message),
    /// In Teams.
    Teams(teams::Message),
}

/// A window in front of somebody, or the app's home page.
#[derive(Debug, Clone)]
pub enum View {
    /// In Slack.
    Slack(slack::View),
    /// In Teams.
    Teams(teams::View),
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
            // Nobody can be mentioned in the private chat: people write the sign-in name.
            Profile::Teams(person) => person.upn.clone(),
        }
    }

    /// The same as tapdesk names it.
    #[must_use]
    pub fn user(&self) -> ChatUser {
        match &self.profile {
            Profile::Slack(person) => {
                ChatUser { chat: "slack".into(), workspace: person.team_id.clone(), id: person.id.clone() }
            }
            Profile::Teams(person) => {
                ChatUser { chat: "teams".into(), workspace: person.tenant_id.clone(), id: self.id.clone() }
            }
        }
    }

    /// The same as the simulator of Slack knows it.
    ///
    /// # Panics
    /// When it is in another chat.
    #[must_use]
    pub fn in_slack(&self) -> &slack::Person {
        match &self.profile {
            Profile::Slack(person) => person,
            Profile::Teams(_) => panic!("{} is not in Slack", self.name),
        }
    }

    /// The same as the simulator of Teams knows it.
    ///
    /// # Panics
    /// When it is in another chat.
    #[must_use]
    pub fn in_teams(&self) -> &teams::Person {
        match &self.profile {
            Profile::Teams(person) => person,
            Profile::Slack(_) => panic!("{} is not in Teams", self.name),
        }
    }
}

impl From<slack::Person> for Account {
    fn from(person: slack::Person) -> Self {
        Self { id: person.id.clone(), name: person.name.clone(), profile: Profile::Slack(person) }
    }
}

impl From<teams::Person> for Account {
    fn from(person: teams::Person) -> Self {
        // Forms carry the object id of whoever is picked.
        let id = person.object_id.clone().unwrap_or_else(|| person.id.clone());
        Self { id, name: person.name.clone(), profile: Profile::Teams(person) }
    }
}

impl Message {
    /// The message as plain text: mentions by name, links as `label (url)`, buttons as `[Approve]`.
    #[must_use]
    pub fn visible_text(&self) -> String {
        match self {
            Self::Slack(message) => message.visible_text(),
            Self::Teams(message) => message.visible_text(),
        }
    }

    /// Its buttons, in order.
    #[must_use]
    pub fn buttons(&self) -> Vec<Button> {
        match self {
            Self::Slack(message) => message.buttons(),
            Self::Teams(message) => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let button = |one: &Value| Button {
                    label: text(&one["title"]),
                    value: text(&one["data"]["value"]),
                    stands_out: !matches!(one["style"].as_str(), None | Some("default")),
                };
                message.buttons().iter().map(button).collect()
            }
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
            Self::Teams(message) => {
                let earlier =
                    message.history.iter().flat_map(|version| [&version["text"], &version["summary"]]);
                let earlier = earlier.filter_map(Value::as_str);
                let now = [message.text.as_str(), message.summary.as_str()];
                earlier.chain(now).filter(|text| !text.is_empty()).map(str::to_owned).collect()
            }
        }
    }

    /// The same as the simulator of Slack knows it.
    ///
    /// # Panics
    /// When it is in another chat.
    #[must_use]
    pub fn in_slack(&self) -> &slack::Message {
        match self {
            Self::Slack(message) => message,
            Self::Teams(message) => panic!("not in Slack: {}", message.visible_text()),
        }
    }

    /// The same as the simulator of Teams knows it.
    ///
    /// # Panics
    /// When it is in another chat.
    #[must_use]
    pub fn in_teams(&self) -> &teams::Message {
        match self {
            Self::Teams(message) => message,
            Self::Slack(message) => panic!("not in Teams: {}", message.visible_text()),
        }
    }
}

impl View {
    /// Title, content, complaints and buttons as plain text.
    #[must_use]
    pub fn visible_text(&self) -> String {
        match self {
            Self::Slack(view) => view.visible_text(),
            Self::Teams(view) => view.visible_text(),
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
