//! What does simulated Teams know: people, conversations, messages, dialogs, and the tokens it gave out?

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::keys::Key;
use super::visible;
use crate::chance;
use crate::chat::Delivery;

/// The app and its bot as an administrator registered them; a story may change that while the world runs.
#[derive(Debug, Clone)]
pub struct App {
    /// The tenant that the bot is registered in, and whose people use it.
    pub tenant_id: String,
    /// The application id of the bot, which has an app registration of its own.
    pub app_id: String,
    /// What the token endpoint accepts.
    pub secret: String,
    /// What people mention the bot by.
    pub name: String,
    /// What people mention the outgoing webhook by.
    pub webhook: String,
    /// The security token of the outgoing webhook, in base64 as Teams showed it once.
    pub webhook_token: String,
    /// Enforces the limits per conversation, by the simulated clock.
    pub has_limits: bool,
}

impl Default for App {
    fn default() -> Self {
        Self {
            tenant_id: chance::id_of("tenant", "contoso"),
            app_id: chance::id_of("application", "tapdesk in Teams"),
            secret: chance::text(
                "secret",
                "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789~._-",
                36,
            ),
            name: "tapdesk".to_owned(),
            webhook: "passes".to_owned(),
            webhook_token: BASE64_STANDARD.encode(chance::bytes("webhook")),
            has_limits: false,
        }
    }
}

impl App {
    /// The bot as conversations know it.
    #[must_use]
    pub fn bot_id(&self) -> String {
        format!("28:{}", self.app_id)
    }
}

/// What somebody is in the conversations that they are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A member of the tenant.
    User,
    /// Invited from elsewhere.
    Guest,
    /// In a meeting without an account.
    Anonymous,
}

/// Somebody who uses Teams.
#[derive(Debug, Clone)]
pub struct Person {
    /// `29:…`, as this bot alone knows them.
    pub id: String,
    /// Entra object id; anonymous people have none.
    pub object_id: Option<String>,
    /// Display name.
    pub name: String,
    /// Sign-in name.
    pub upn: String,
    /// Mail address, which may differ from the sign-in name.
    pub email: String,
    /// Home tenant.
    pub tenant_id: String,
    /// What they are here.
    pub role: Role,
    /// The time zone of their machine.
    pub zone: String,
}

/// What the app is to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// They have it, and the program was not told yet.
    Arriving,
    /// They have it.
    Installed,
    /// They have it and want nothing of it.
    Blocked,
    /// They had it.
    Removed,
}

#[derive(Debug, Clone)]
pub(super) struct Conversation {
    /// Whose private chat with the bot it is; a channel is nobody's.
    pub(super) of: Option<String>,
    pub(super) team: String,
    pub(super) members: BTreeSet<String>,
    pub(super) has_bot: bool,
}

/// A message as one person sees it now.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of which a story asks for")]
pub struct Message {
    /// `a:…`, or `19:…@thread.tacv2;messageid=…`
    pub conversation: String,
    /// Id of the activity within its conversation.
    pub id: String,
    /// The text.
    pub text: String,
    /// What notifications say, where it is not the text.
    pub summary: String,
    /// The Adaptive Cards, as they were sent.
    pub cards: Vec<Value>,
    /// `{text, summary, cards}` of earlier versions, oldest first.
    pub history: Vec<Value>,
    /// Arrived since the person last read.
    pub is_unread: bool,
    /// Edited since the person last read (Teams does not announce edits).
    pub is_changed: bool,
    /// Shown only to this person: the answer to something that they pressed.
    pub only_for: Option<String>,
    /// Deleted.
    pub is_deleted: bool,
    /// Who wrote it: the app, or Teams itself.
    pub is_from_app: bool,
    /// The activity that it answers.
    pub reply_to: Option<String>,
    /// What single people see in place of the cards, until the next edit.
    pub(super) own: BTreeMap<String, Value>,
    /// Who has left a form in it as it is.
    pub(super) left: BTreeSet<String>,
    /// Who was shown the current version by an automatic refresh.
    pub(super) refreshed: BTreeSet<String>,
}

impl Message {
    /// The message as plain text: text, then cards line by line, buttons as `[Approve]`.
    #[must_use]
    pub fn visible_text(&self) -> String {
        let cards = self.cards.iter().map(visible::card);
        let text = (!self.text.is_empty()).then(|| visible::markdown(&self.text));
        text.into_iter().chain(cards).collect::<Vec<_>>().join("\n")
    }

    /// Every button that the person who sees the message can press, as it stands in the card.
    #[must_use]
    pub fn buttons(&self) -> Vec<Value> {
        self.cards.iter().flat_map(visible::actions).collect()
    }

    /// What the window of another chat would be: a card to fill in.
    #[must_use]
    pub fn as_view(&self, user: &Person) -> View {
        View {
            id: 0,
            user: user.id.clone(),
            title: String::new(),
            card: self.cards.first().cloned().unwrap_or_default(),
            is_open: true,
            from: (self.conversation.clone(), Some(self.id.clone())),
        }
    }

    /// Whether there is something to fill in.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.cards.iter().any(|card| !visible::inputs(card).is_empty())
    }

    pub(super) fn edit(&mut self, text: String, summary: String, cards: Vec<Value>) {
        self.history.push(json!({"text": self.text, "summary": self.summary, "cards": self.cards}));
        (self.text, self.summary, self.cards) = (text, summary, cards);
        self.own.clear();
        self.refreshed.clear();
        self.is_changed = true;
    }

    /// As this person sees it.
    pub(super) fn seen_by(&self, person: &str) -> Self {
        let mut seen = self.clone();
        if let Some(card) = self.own.get(person) {
            seen.cards = vec![card.clone()];
        }
        seen
    }
}

/// A dialog in front of somebody.
#[derive(Debug, Clone)]
pub struct View {
    /// Its number.
    pub id: u64,
    /// Whose screen.
    pub user: String,
    /// What stands above it.
    pub title: String,
    /// The Adaptive Card in it.
    pub card: Value,
    /// Still on the screen.
    pub is_open: bool,
    /// Conversation and message that it was opened from.
    pub(super) from: (String, Option<String>),
}

impl View {
    /// Every button of it, as it stands in the card.
    #[must_use]
    pub fn buttons(&self) -> Vec<Value> {
        visible::actions(&self.card)
    }

    /// Title, card and buttons as plain text.
    #[must_use]
    pub fn visible_text(&self) -> String {
        [self.title.clone(), visible::card(&self.card)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) app: App,
    pub(super) people: BTreeMap<String, Person>,
    pub(super) standings: BTreeMap<String, Standing>,
    pub(super) conversations: BTreeMap<String, Conversation>,
    pub(super) messages: Vec<Message>,
    pub(super) views: Vec<View>,
    pub(super) published: BTreeSet<Key>,
    pub(super) is_rotated: bool,
    /// Access tokens with their end of life.
    pub(super) tokens: BTreeMap<String, Timestamp>,
    pub(super) old_secrets: Vec<String>,
    /// When each conversation was written to.
    pub(super) written: BTreeMap<String, Vec<Timestamp>>,
    pub(super) seen: Vec<Value>,
    pub(super) dialogs: Vec<Value>,
    pub(super) typed: Vec<String>,
    pub(super) deliveries: Vec<Delivery>,
    /// Activities that brought no answer, by their ids.
    pub(super) lost: BTreeSet<String>,
    pub(super) counter: u64,
}

impl State {
    pub(super) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// An id as messages have it: milliseconds, which the counter keeps apart.
    pub(super) fn message_id(&mut self, now: Timestamp) -> String {
        let count = i64::try_from(self.next()).unwrap_or_default();
        (now.as_millisecond() + count).to_string()
    }

    /// The private conversation of somebody with the bot; the same one whenever it is asked for.
    pub(super) fn open_personal(&mut self, person: &str) -> String {
        let id = personal_id(person);
        let conversation = || Conversation {
            of: Some(person.to_owned()),
            team: String::new(),
            members: [person.to_owned()].into(),
            has_bot: true,
        };
        self.conversations.entry(id.clone()).or_insert_with(conversation);
        id
    }

    /// The conversation behind an id, which names a thread in a channel after a `;`.
    pub(super) fn conversation(&self, id: &str) -> Option<&Conversation> {
        self.conversations.get(id.split(';').next().unwrap_or_default())
    }

    pub(super) fn person_named(&self, key: &str) -> Option<&Person> {
        self.people.values().find(|person| {
            let is = |text: &str| text.eq_ignore_ascii_case(key);
            person.id == key || person.object_id.as_deref().is_some_and(is) || is(&person.upn)
        })
    }

    pub(super) fn message(&mut self, conversation: &str, id: &str) -> Option<&mut Message> {
        let base = |id: &str| id.split(';').next().unwrap_or_default().to_owned();
        self.messages
            .iter_mut()
            .find(|m| base(&m.conversation) == base(conversation) && m.id == id && !m.is_deleted)
    }

    /// Whether the person has this message on the screen.
    pub(super) fn can_see(&self, person: &str, message: &Message) -> bool {
        let is_addressed = match &message.only_for {
            Some(only) => only == person,
            None => self.conversation(&message.conversation).is_some_and(|c| c.members.contains(person)),
        };
        is_addressed && !message.is_deleted
    }

    pub(super) fn top_view(&self, person: &str) -> Option<View> {
        self.views.iter().rev().find(|view| view.user == person && view.is_open).cloned()
    }

    /// Writes down that something was sent to a conversation, or says for how many seconds that is too much. Microsoft's
    /// table of limits per bot and thread, 2026.
    pub(super) fn writes(&mut self, conversation: &str, now: Timestamp) -> Result<(), i64> {
        let times = self.written.entry(conversation.to_owned()).or_default();
        if self.app.has_limits {
            for (most, seconds) in [(7, 1), (8, 2), (60, 30), (1800, 3600)] {
                let window = SignedDuration::from_secs(seconds);
                let recent = times.iter().filter(|at| now.duration_since(**at) < window);
                if recent.count() >= most {
                    return Err(seconds);
                }
            }
        }
        times.push(now);
        Ok(())
    }

    pub(super) fn post(&mut self, conversation: &str, content: Content, now: Timestamp) -> &mut Message {
        let id = self.message_id(now);
        self.messages.push(Message {
            conversation: conversation.to_owned(),
            id,
            text: content.text,
            summary: content.summary,
            cards: content.cards,
            history: Vec::new(),
            is_unread: true,
            is_changed: false,
            only_for: None,
            is_deleted: false,
            is_from_app: true,
            reply_to: None,
            own: BTreeMap::new(),
            left: BTreeSet::new(),
            refreshed: BTreeSet::new(),
        });
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }
}

/// What a message says.
#[derive(Default)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) summary: String,
    pub(super) cards: Vec<Value>,
}

pub(super) fn personal_id(person: &str) -> String {
    format!("a:1{}", chance::id_of("conversation", person).replace('-', ""))
}
