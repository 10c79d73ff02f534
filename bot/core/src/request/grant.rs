//! What did approval bring about: the ticket, creates and passes, and what the owner was told?

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{PassId, Version};
use crate::method::MethodKind;
use crate::pass::PassWish;
use crate::policy::Route;
use crate::request::{Approval, Case};
use crate::ticket::{CodeHash, PinHash, TokenHash};

/// What approval brought about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The facts.
    pub case: Case,
    /// Who approved; the last one shows the PIN.
    pub approvals: Vec<Approval>,
    /// What the subject has to prove.
    pub ticket: Ticket,
    /// Creates with unknown outcome that may still land.
    pub loose: Vec<Loose>,
    /// How many creates were begun.
    pub attempts: u32,
    /// When the first of them was.
    pub issuing_since: Option<Timestamp>,
    /// What became of the last create, as far as it is known.
    pub fate: Option<Told>,
    /// The owner's notice, once one was sent.
    pub notice: Option<Notice>,
    /// What was registered with the pass, once somebody looked.
    pub look: Option<Look>,
}

/// The ticket, as far as it is kept: hashes and times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// Counts the codes; a newer one voids the older.
    pub generation: u32,
    /// The code in force.
    pub code: Option<CodeHalf>,
    /// Routes of the code that failed.
    pub failed_routes: Vec<Route>,
    /// The PIN in force.
    pub pin: Option<PinHalf>,
    /// Wrong PINs so far.
    pub wrong: u8,
    /// How often it was sent again.
    pub resends: u8,
    /// When it is good for nothing any more.
    pub expires_at: Timestamp,
    /// What sending it again does not carry it beyond.
    pub ends_at: Timestamp,
}

/// The code in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeHalf {
    /// Its hash.
    pub hash: CodeHash,
    /// Its route.
    pub route: Route,
    /// Whether a courier accepted it.
    pub sent: bool,
    /// What was heard of its message.
    pub delivery: Option<Delivery>,
}

/// How far a message came, and when that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// How far.
    pub progress: Progress,
    /// When it was heard.
    pub at: Timestamp,
}

/// How far a message came. Reports come in any order; a greater one says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Progress {
    /// The courier's provider took it.
    Accepted,
    /// The provider sent it on.
    Sent,
    /// It did not arrive. Some that are given up on arrive all the same.
    Failed,
    /// It arrived.
    Delivered,
}

/// The PIN in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PinHalf {
    /// Its hash.
    pub hash: PinHash,
    /// Whether it was shown to the approver, or accepted by a courier.
    pub sent: bool,
}

/// One create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it was begun.
    pub at: Timestamp,
    /// The version whose intent covers it.
    pub intent: Version,
    /// What was asked for.
    pub wish: PassWish,
    /// Passes that existed before and are not ours.
    pub before: Vec<PassId>,
    /// Our own earlier pass that this one replaces.
    pub replaces: Option<PassId>,
    /// The browser that claimed.
    pub client: TokenHash,
}

/// A create with unknown outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loose {
    /// The create.
    pub attempt: Attempt,
    /// When its outcome became unknown.
    pub since: Timestamp,
    /// How many looks found nothing left to delete.
    pub looks: u8,
}

/// A pass of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Graph's id.
    pub id: PassId,
    /// When we learnt of it.
    pub issued_at: Timestamp,
    /// When Entra stops accepting it.
    pub ends_at: Timestamp,
    /// The browser it was made for.
    pub client: TokenHash,
}

/// The owner's notice, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Hash of its link's token.
    pub token: TokenHash,
    /// The two digits printed in it.
    pub number: u8,
    /// Wrong numbers so far.
    pub wrong: u8,
    /// Which create, and which word on it, the owner was told last.
    pub told: Option<(u32, Told)>,
    /// When the link stops working.
    pub expires_at: Timestamp,
}

/// A look at what was registered with a pass that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Which look it was, from 1.
    pub number: u8,
    /// What it found.
    pub found: Found,
}

/// What a look at somebody's methods found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// The directory does not tell.
    NotKnown,
    /// These kinds are new; none, perhaps.
    New(Vec<MethodKind>),
}

/// What the owner was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// A pass was made.
    Made,
    /// A pass may have been made.
    MayHaveBeenMade,
    /// A pass was deleted.
    Deleted,
    /// No pass was made after all.
    NotMade,
    /// Somebody signed in with the pass, and it is deleted.
    Used,
    /// Nobody signed in with the pass while it lived.
    Unused,
    /// The pass is over; Entra does not tell whether it was used.
    Over,
}
