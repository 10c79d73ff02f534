//! What does simulated Slack know: people, conversations, messages, modals, and the short-lived handles it gave out?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::visible::{self, Names};
use crate::chat::{Button, Delivery};

/// How the app is installed; a story may change it while the world runs.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// `T…`
    pub team_id: String,
    /// Sub-domain of the workspace.
    pub team_domain: String,
    /// Id and name of the organisation, if the workspace belongs to one.
    pub enterprise: Option<(String, String)>,
    /// Installed for the whole organisation: `team` is `null` in interactive payloads.
    pub is_org_install: bool,
    /// `A…`
    pub app_id: String,
    /// The token that the Web API accepts.
    pub bot_token: String,
    /// What requests to the program are signed with.
    pub signing_secret: String,
    /// `U…` of the app's own user.
    pub bot_user_id: String,
    /// `B…`
    pub bot_id: String,
    /// Granted scopes, checked per method.
    pub scopes: BTreeSet<String>,
    /// The app's home tab is switched on.
    pub has_home_tab: bool,
    /// Enforces about one message per second and channel, by the simulated clock.
    pub has_posting_limit: bool,
}

impl Default for Workspace {
    fn default() -> Self {
        let scopes = ["chat:write", "commands", "im:write", "users:read", "users:read.email"];
        Self {
            team_id: "T0EXAMPLE".to_owned(),
            team_domain: "example".to_owned(),
            enterprise: None,
            is_org_install: false,
            app_id: "A0TAPDESK".to_owned(),
            // Not the shape of a real token, so that secret scanners stay quiet.
            bot_token: "xoxb-simulated".to_owned(),
            signing_secret: "8f742231b10e8888abcd99yyyzzz85a5".to_owned(),
            bot_user_id: "U0TAPDESK".to_owned(),
            bot_id: "B0TAPDESK".to_owned(),
            scopes: scopes.map(str::to_owned).into(),
            has_home_tab: true,
            has_posting_limit: false,
        }
    }
}

/// What `profile.email` of a person looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Email {
    /// The key is absent.
    Missing,
    /// The key is there and `null`.
    Null,
    /// The key is there; the text may be empty.
    Given(String),
}

/// Somebody who uses Slack.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "these are Slack's own flags")]
pub struct Person {
    /// `U…` or `W…`
    pub id: String,
    /// Handle and display name.
    pub name: String,
    /// Home workspace.
    pub team_id: String,
    /// Address as the profile shows it.
    pub email: Email,
    /// The time zone that the profile says.
    pub zone: String,
    /// Deactivated.
    pub is_deleted: bool,
    /// An app, not a human.
    pub is_bot: bool,
    /// Guest.
    pub is_restricted: bool,
    /// Guest in one channel only.
    pub is_ultra_restricted: bool,
    /// From another company, through Slack Connect.
    pub is_stranger: bool,
}

impl Person {
    /// How a slash command with `should_escape` shows this person.
    #[must_use]
    pub fn mention(&self) -> String {
        format!("<@{}>", self.id)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) members: BTreeSet<String>,
    pub(super) has_bot: bool,
}

/// A message as one person sees it now.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of which a story asks for")]
pub struct Message {
    /// `D…` or `C…`
    pub channel: String,
    /// Slack's id of the message within its channel.
    pub ts: String,
    /// The fallback and notification text.
    pub text: String,
    /// The blocks as they were sent; empty if there are none.
    pub blocks: Arc<[Value]>,
    /// `{text, blocks}` of earlier versions, oldest first.
    pub history: Vec<Arc<Value>>,
    /// Arrived since the person last read.
    pub is_unread: bool,
    /// Edited since the person last read (Slack does not announce edits).
    pub is_changed: bool,
    /// Shown only to this person ("Only visible to you").
    pub only_for: Option<String>,
    /// Deleted through a response URL.
    pub is_deleted: bool,
    /// Who wrote it: the app, or Slack itself ("/tap failed with …").
    pub is_from_app: bool,
    pub(super) names: Names,
}

impl Message {
    /// The message as plain text: mentions by name, links as `label (url)`, buttons as `[Approve]`.
    #[must_use]
    pub fn visible_text(&self) -> String {
        if self.blocks.is_empty() {
            visible::mrkdwn(&self.text, &self.names)
        } else {
            visible::blocks(&self.blocks, &self.names)
        }
    }

    /// Its buttons, in order.
    #[must_use]
    pub fn buttons(&self) -> Vec<Button> {
        let elements = self.blocks.iter().filter_map(|block| block["elements"].as_array()).flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let button = |element: &Value| Button {
            label: text(&element["text"]["text"]),
            value: text(&element["value"]),
            stands_out: !element["style"].is_null(),
        };
        elements.filter(|element| element["type"] == "button").map(button).collect()
    }

    pub(super) fn edit(&mut self, text: String, blocks: Vec<Value>) {
        self.history.push(Arc::new(json!({"text": self.text, "blocks": &*self.blocks})));
        self.text = text;
        self.blocks = blocks.into();
        self.is_changed = true;
    }
}

/// A modal in front of somebody.
#[derive(Debug, Clone)]
pub struct View {
    /// `V…`
    pub id: String,
    /// Whose screen.
    pub user: String,
    /// The view as it was sent.
    pub content: Value,
    /// Guards `views.update` against races.
    pub hash: String,
    /// `block_id` and text of the errors shown after the last submission.
    pub errors: Vec<(String, String)>,
    /// Still on the screen.
    pub is_open: bool,
    pub(super) root: String,
    pub(super) previous: Option<String>,
    pub(super) names: Names,
}

impl View {
    /// Title, blocks, errors and buttons as plain text.
    #[must_use]
    pub fn visible_text(&self) -> String {
        visible::view(&self.content, &self.errors, &self.names)
    }
}

pub(super) struct Trigger {
    pub(super) user: String,
    pub(super) at: Timestamp,
    pub(super) is_used: bool,
}

pub(super) struct Hook {
    pub(super) user: String,
    pub(super) channel: String,
    /// The message that `replace_original` and `delete_original` mean.
    pub(super) original: Option<String>,
    pub(super) at: Timestamp,
    pub(super) uses: u32,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) workspace: Workspace,
    pub(super) people: BTreeMap<String, Person>,
    pub(super) names: Names,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) messages: Vec<Message>,
    pub(super) views: Vec<View>,
    pub(super) homes: BTreeMap<String, View>,
    pub(super) triggers: BTreeMap<String, Trigger>,
    pub(super) hooks: BTreeMap<String, Hook>,
    pub(super) last_posted: BTreeMap<String, Timestamp>,
    pub(super) seen: Vec<Value>,
    pub(super) modals: Vec<Value>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) counter: u64,
}

impl State {
    /// A fresh id: the same sequence in every run, yet nothing that a program could guess from the one before.
    pub(super) fn opaque(&mut self) -> String {
        self.counter += 1;
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.workspace.signing_secret.as_bytes());
        hex(&hmac::sign(&key, &self.counter.to_be_bytes()).as_ref()[..12])
    }

    pub(super) fn next_ts(&mut self, now: Timestamp) -> String {
        self.counter += 1;
        format!("{}.{:06}", now.as_second(), self.counter)
    }

    /// Somebody who is new, or has changed.
    pub(super) fn put(&mut self, person: Person) {
        Arc::make_mut(&mut self.names).insert(person.id.clone(), person.name.clone());
        self.people.insert(person.id.clone(), person);
    }

    /// The direct conversation of the app with `user`, once it is open.
    pub(super) fn direct(&self, user: &str) -> Option<&Channel> {
        let id = direct_id(user);
        self.channels.get(&id)
    }

    pub(super) fn open_direct(&mut self, user: &str) -> String {
        let id = direct_id(user);
        self.channels.entry(id.clone()).or_insert_with(|| Channel {
            id: id.clone(),
            name: "directmessage".to_owned(),
            members: [user.to_owned()].into(),
            has_bot: true,
        });
        id
    }

    pub(super) fn trigger(&mut self, user: &str, now: Timestamp) -> String {
        let id = format!("{}.{}", now.as_second(), self.opaque());
        self.triggers.insert(id.clone(), Trigger { user: user.to_owned(), at: now, is_used: false });
        id
    }

    /// Checks a trigger and uses it up; `Err` is Slack's error name.
    pub(super) fn exchange(&mut self, trigger: &str, now: Timestamp) -> Result<String, &'static str> {
        let known = self.triggers.get_mut(trigger).ok_or("invalid_trigger_id")?;
        if known.is_used {
            return Err("exchanged_trigger_id");
        }
        if now.duration_since(known.at) > SignedDuration::from_secs(3) {
            return Err("expired_trigger_id");
        }
        known.is_used = true;
        Ok(known.user.clone())
    }

    /// Gives out a response URL and returns its path.
    pub(super) fn hook(
        &mut self,
        kind: &str,
        user: &str,
        channel: &str,
        original: Option<String>,
        now: Timestamp,
    ) -> String {
        let token = self.opaque();
        let path = format!("/{kind}/{}/{token}", self.workspace.team_id);
        let hook = Hook { user: user.to_owned(), channel: channel.to_owned(), original, at: now, uses: 0 };
        self.hooks.insert(path.clone(), hook);
        path
    }

    pub(super) fn post(
        &mut self,
        channel: &str,
        text: &str,
        blocks: Vec<Value>,
        only_for: Option<&str>,
        now: Timestamp,
    ) -> String {
        let (ts, names) = (self.next_ts(now), Arc::clone(&self.names));
        self.messages.push(Message {
            channel: channel.to_owned(),
            ts: ts.clone(),
            text: text.to_owned(),
            blocks: blocks.into(),
            history: Vec::new(),
            is_unread: true,
            is_changed: false,
            only_for: only_for.map(str::to_owned),
            is_deleted: false,
            is_from_app: true,
            names,
        });
        ts
    }

    pub(super) fn message(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        self.messages.iter_mut().find(|m| m.channel == channel && m.ts == ts && !m.is_deleted)
    }

    /// Whether `user` has this message on the screen.
    pub(super) fn can_see(&self, user: &str, message: &Message) -> bool {
        let is_addressed = match &message.only_for {
            Some(person) => person == user,
            None => self.channels.get(&message.channel).is_some_and(|c| c.members.contains(user)),
        };
        is_addressed && !message.is_deleted
    }

    pub(super) fn open_view(&mut self, user: &str, content: Value, previous: Option<&str>) -> View {
        let id = format!("V{}", self.opaque().to_uppercase());
        let root = previous
            .and_then(|p| self.views.iter().find(|v| v.id == p))
            .map_or_else(|| id.clone(), |v| v.root.clone());
        self.modals.push(content.clone());
        let (hash, names) = (self.opaque(), Arc::clone(&self.names));
        let view = View {
            id,
            user: user.to_owned(),
            content,
            hash,
            errors: Vec::new(),
            is_open: true,
            root,
            previous: previous.map(str::to_owned),
            names,
        };
        self.views.push(view.clone());
        view
    }

    pub(super) fn publish_home(&mut self, user: &str, content: Value) -> View {
        let (fresh, hash, names) = (format!("V{}", self.opaque()), self.opaque(), Arc::clone(&self.names));
        let id = self.homes.get(user).map_or(fresh, |home| home.id.clone());
        let home = View {
            root: id.clone(),
            id,
            user: user.to_owned(),
            content,
            hash,
            errors: Vec::new(),
            is_open: true,
            previous: None,
            names,
        };
        self.homes.insert(user.to_owned(), home.clone());
        home
    }

    pub(super) fn change_view(&mut self, id: &str, content: Value) -> Option<View> {
        let hash = self.opaque();
        let view = self.views.iter_mut().find(|v| v.id == id && v.is_open)?;
        self.modals.push(content.clone());
        view.content = content;
        view.hash = hash;
        view.errors.clear();
        Some(view.clone())
    }

    pub(super) fn top_view(&self, user: &str) -> Option<View> {
        self.views.iter().rev().find(|v| v.user == user && v.is_open).cloned()
    }

    /// A view as payloads and API answers show it.
    pub(super) fn view_json(&self, view: &View, values: &Value) -> Value {
        let mut shown = view.content.clone();
        let team = &self.workspace.team_id;
        if let Some(shown) = shown.as_object_mut() {
            for key in ["private_metadata", "callback_id", "external_id"] {
                shown.entry(key).or_insert_with(|| json!(""));
            }
            for key in ["submit", "close"] {
                shown.entry(key).or_insert(Value::Null);
            }
            for key in ["clear_on_close", "notify_on_close"] {
                shown.entry(key).or_insert(Value::Bool(false));
            }
            shown.insert("id".to_owned(), json!(view.id));
            shown.insert("team_id".to_owned(), json!(team));
            shown.insert("state".to_owned(), json!({"values": values}));
            shown.insert("hash".to_owned(), json!(view.hash));
            shown.insert("root_view_id".to_owned(), json!(view.root));
            shown.insert("previous_view_id".to_owned(), json!(view.previous));
            shown.insert("app_id".to_owned(), json!(self.workspace.app_id));
            shown.insert("app_installed_team_id".to_owned(), json!(team));
            shown.insert("bot_id".to_owned(), json!(self.workspace.bot_id));
        }
        shown
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn direct_id(user: &str) -> String {
    format!("D{}", user.get(1..).unwrap_or_default())
}
