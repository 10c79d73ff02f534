//! What can be said in a chat, before any platform has its way with it?
//!
//! A card is plain text in a few slots; adapters escape, shorten and lay it out.

use crate::ticket::Revealed;

/// A message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// One line that says it all: also the notification's text.
    pub title: String,
    /// Labelled facts, in order.
    pub facts: Vec<(String, String)>,
    /// Paragraphs.
    pub text: Vec<String>,
    /// Buttons; what they bring back is opaque.
    pub buttons: Vec<Button>,
}

/// A button of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What pressing it means.
    pub choice: Choice,
    /// The opaque text that it brings back.
    pub value: String,
    /// How it looks.
    pub look: Look,
}

/// What a button can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Approve the request.
    Approve,
    /// Approve it by choosing the number that the requester was shown; the value ends with it.
    Pick,
    /// Deny it.
    Deny,
    /// Mint a PIN and show it privately.
    ShowPin,
    /// Take the approval back.
    Withdraw,
    /// Say what looks wrong, and freeze the request.
    LooksWrong,
    /// Say that one did not give the approval that somebody else states, and freeze the request.
    Disown,
    /// Open the form in which a pass is asked for.
    Ask,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The expected way on.
    Primary,
    /// The way out.
    Danger,
    /// Neither.
    Plain,
}

/// The private modal that shows a PIN to the approver who opened it. Never posted, never stored.
#[derive(Debug)]
pub struct PinCard {
    /// Title of the modal.
    pub title: String,
    /// What to do with the PIN.
    pub before: Vec<String>,
    /// The PIN.
    pub pin: Revealed,
    /// What not to do with it.
    pub after: Vec<String>,
    /// Caption of the button that closes it.
    pub close: String,
}

impl Choice {
    /// Every choice there is.
    pub const ALL: [Self; 8] = [
        Self::Approve,
        Self::Pick,
        Self::Deny,
        Self::ShowPin,
        Self::Withdraw,
        Self::LooksWrong,
        Self::Disown,
        Self::Ask,
    ];

    /// The name that a platform may carry as an action id.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Pick => "pick",
            Self::Deny => "deny",
            Self::ShowPin => "show_pin",
            Self::Withdraw => "withdraw",
            Self::LooksWrong => "looks_wrong",
            Self::Disown => "disown",
            Self::Ask => "ask",
        }
    }

    /// The choice with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

impl Card {
    /// A card that is one line.
    #[must_use]
    pub fn line(title: impl Into<String>) -> Self {
        Self { title: title.into(), facts: Vec::new(), text: Vec::new(), buttons: Vec::new() }
    }

    /// The same card with one more paragraph.
    #[must_use]
    pub fn text(mut self, paragraph: impl Into<String>) -> Self {
        self.text.push(paragraph.into());
        self
    }

    /// The same card with one more fact.
    #[must_use]
    pub fn fact(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((label.into(), value.into()));
        self
    }

    /// The same card with one more button.
    #[must_use]
    pub fn button(mut self, label: &str, choice: Choice, value: impl Into<String>, look: Look) -> Self {
        self.buttons.push(Button { label: label.to_owned(), choice, value: value.into(), look });
        self
    }
}
