//! What can people ask for in a chat, once a platform's message was verified and understood?

use crate::card::Choice;
use crate::ids::{ChatUser, DeliveryId};
use crate::people::Naming;
use crate::ports::Reply;

/// A verified message from a person.
pub struct Inbound {
    /// Identifies the delivery: the same id means the same message, sent again.
    pub delivery: DeliveryId,
    /// Who sent it, verified by the platform.
    pub sender: ChatUser,
    /// What they want.
    pub wish: Wish,
    /// How to answer them privately.
    pub reply: Reply,
}

/// What a person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// How does this work?
    Help,
    /// A pass for somebody.
    Ask {
        /// For whom.
        subject: Naming,
        /// Everything that was typed after the person, as typed.
        reason: String,
    },
    /// A command that names no one person; the text says what could not be read.
    Unclear(Unclear),
    /// A button was pressed.
    Press {
        /// Which one.
        choice: Choice,
        /// What it carried.
        value: String,
    },
}

/// Why a command could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// The first word is no command.
    NoSuchCommand,
    /// `for` without a person.
    NoPerson,
    /// Neither a mention nor an address.
    NotAPerson,
    /// More than one person is named.
    SeveralPeople,
}
