//! What does a source say of a request: who asks, and who approved?
//!
//! Neither was seen by tapdesk. Who asks is shown as stated; an approval that is stated counts only if its approver could
//! have given it in chat, where they are told at once and can say that they did not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Approval, Asker, Refusal, Request};
use crate::ids::{PersonId, SourceName};
use crate::people::Naming;

/// So many people can be named as approvers of one request before the source has to let it be.
pub const MOST_STATEMENTS: usize = 5;

/// How a source asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourced {
    /// Which source.
    pub source: SourceName,
    /// Who asks, as it says; nobody where it asks for itself.
    pub requested_by: Option<Naming>,
    /// Who approved, as it said when it asked.
    pub approved_by: Option<Naming>,
    /// By which key of its own it knows the request.
    pub key: String,
    /// A digest of all that it asked for: the same key with another one is another request.
    pub fingerprint: String,
}

/// An approval that the source says was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Whose.
    pub approver: Naming,
    /// When it was said.
    pub at: Timestamp,
    /// What became of it.
    pub weighed: Weighed,
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weighed {
    /// Nobody has looked yet.
    NotYet,
    /// It is an approval.
    Counts,
    /// It is none.
    Not(NotCounted),
}

/// Why what a source states is no approval; worded by [`crate::words`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NotCounted {
    /// The configuration lets the source state none.
    SourceMayNot,
    /// The rule lets nobody state any.
    RuleMayNot,
    /// No single enabled member of the tenant has that address.
    Unknown,
    /// They asked, or the pass is for them.
    Involved,
    /// They are not asked to approve, or no chat reaches them.
    NotAnApprover,
    /// The approval that they could give was given.
    Given,
    /// The source stated one already: it is one approval at most.
    OneIsEnough,
    /// It takes a number that only who asks knows.
    NumberWanted,
    /// The subject is privileged: approvers decide themselves.
    Privileged,
}

impl NotCounted {
    /// Its name, for ledger, logs and the source.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SourceMayNot => "source_may_not",
            Self::RuleMayNot => "rule_may_not",
            Self::Unknown => "unknown",
            Self::Involved => "involved",
            Self::NotAnApprover => "not_an_approver",
            Self::Given => "given",
            Self::OneIsEnough => "one_is_enough",
            Self::NumberWanted => "number_wanted",
            Self::Privileged => "privileged",
        }
    }
}

impl From<Refusal> for NotCounted {
    /// Why somebody's press would have been no approval.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadyApproved | Refusal::GivenAlready | Refusal::AlreadyDecided => Self::Given,
            Refusal::NumberWanted => Self::NumberWanted,
            Refusal::NotAnApprover
            | Refusal::DelegationOver
            | Refusal::NotTheRequester
            | Refusal::TooLate
            | Refusal::Claimed
            | Refusal::SentEnough
            | Refusal::AlreadyOpened
            | Refusal::InHand
            | Refusal::Waiting
            | Refusal::Over
            | Refusal::Moot => Self::NotAnApprover,
        }
    }
}

impl Asker {
    /// How a source asked, if it was one.
    #[must_use]
    pub fn sourced(&self) -> Option<&Sourced> {
        match self {
            Self::Source(sourced) => Some(sourced),
            Self::Account(_) | Self::Visitor(_) => None,
        }
    }
}

impl Statement {
    /// One that nobody has looked at.
    #[must_use]
    pub fn new(approver: Naming, at: Timestamp) -> Self {
        Self { approver, at, weighed: Weighed::NotYet }
    }
}

impl Request {
    /// The source that asked, if one did.
    #[must_use]
    pub fn source(&self) -> Option<&SourceName> {
        self.requester.sourced().map(|sourced| &sourced.source)
    }

    /// The approval that the source says this person gave, if it counted.
    #[must_use]
    pub fn stated_approval(&self, of: PersonId) -> Option<&Approval> {
        self.approvals().iter().find(|approval| approval.by.id == of && approval.stated_by.is_some())
    }

    /// The numbers of the statements that nobody has looked at.
    pub(super) fn unweighed(&self) -> impl Iterator<Item = u8> {
        let waits =
            |(number, statement): (u8, &Statement)| (statement.weighed == Weighed::NotYet).then_some(number);
        (0_u8..).zip(&self.stated).filter_map(waits)
    }
}
