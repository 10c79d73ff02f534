//! What can people ask for in a chat, once a platform's message was verified and understood?

use std::time::Duration;

use jiff::civil::Date;

use crate::card::Choice;
use crate::form::Filled;
use crate::ids::{ChatUser, DeliveryId, TicketNumber};
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
    Ask(Ask),
    /// The form in which a pass is asked for.
    Form,
    /// The person's own page in the chat, which they look at now.
    Home {
        /// Which version of it they see, in the chat's own terms, if there is one.
        seen: Option<String>,
    },
    /// A form was submitted.
    Fill(Filled),
    /// Where does it stand?
    Status {
        /// With the request for this person, or with all of one's own.
        of: Option<Naming>,
    },
    /// What waits for whom?
    Pending,
    /// The requester takes a request back.
    Cancel {
        /// For whom it is; may be left out where one has only one open.
        of: Option<Naming>,
    },
    /// A new code and a new PIN.
    Resend {
        /// For whom; may be left out where one has only one open.
        of: Option<Naming>,
    },
    /// No pass of this person may stay usable.
    Revoke {
        /// Whose pass.
        of: Naming,
    },
    /// Somebody else decides for the sender for a while.
    Delegate(Delegating),
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

/// A wish for a pass, in the requester's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// For whom.
    pub subject: Naming,
    /// Why, as typed.
    pub reason: String,
    /// The number of the ticket about it, where it was given by itself.
    pub ticket_number: Option<TicketNumber>,
    /// How long the pass should live, where the requester said so.
    pub lifetime: Option<Duration>,
}

impl Ask {
    /// A wish of which nothing but the reason is said.
    #[must_use]
    pub fn new(subject: Naming, reason: String) -> Self {
        Self { subject, reason, ticket_number: None, lifetime: None }
    }
}

/// What an approver wants who lets somebody else decide for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delegating {
    /// Does anybody decide for me?
    Show,
    /// Nobody is to decide for me any more.
    Off,
    /// Somebody is to decide for me.
    To {
        /// Who.
        to: Naming,
        /// The first day.
        from: Date,
        /// The last day, not before the first.
        until: Date,
    },
}

/// Why a command could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// The first word is no command.
    NoSuchCommand,
    /// No person where one is needed.
    NoPerson,
    /// Neither a mention nor an address.
    NotAPerson,
    /// A name with an `@` that the chat made no mention of.
    UnknownName,
    /// More than one person is named.
    SeveralPeople,
    /// A delegation without days that make sense.
    NoDates,
}
