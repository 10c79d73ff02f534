//! What can happen to a request, and what follows? (The state machine.)
//!
//! [`Request::apply`] is pure and total: the same request, event and time always give the same change, and
//! every state answers every event. Whatever is to be done is a task in the change; whatever is to be written
//! down is a record in it. `bot/core/README.md` holds the table of all states and events, made by a test.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alarm::Alarm;
use crate::ids::{ChatUser, GroupId, PassId, PersonId, RequestId, SourceName, TicketNumber, Version};
use crate::ledger::Footing;
use crate::people::{ContactSource, Human, Naming};
use crate::policy::Route;
use crate::ports::NotVouched;

mod asked;
mod case;
mod ending;
mod event;
mod grant;
mod lookup;
mod matching;
mod stated;
#[cfg(test)]
pub(crate) mod tests;
mod transition;

pub use self::case::{
    Approval, Candidate, Case, Mandate, MessageRef, Outcome, Posted, Reminders, Standing, Terms,
    ToldRequester,
};
pub use self::event::{Change, Claim, Escalation, Event, Refusal};
pub use self::grant::{
    Attempt, CodeHalf, Delivery, Found, Grant, Look, Loose, Made, Notice, PinHalf, Progress, Ticket, Told,
};
pub use self::matching::Matching;
pub use self::stated::{MOST_STATEMENTS, NotCounted, Sourced, Statement, Weighed};

/// A pass that the page has not confirmed by then is deleted.
pub const UNSEEN_AFTER: Duration = Duration::from_mins(2);
/// The same browser may have its pass made anew for this long after it was shown.
pub const RETRY_WINDOW: Duration = Duration::from_mins(1);
/// At most so many reminders to one approver of one request; each pause is twice the one before.
pub const MOST_REMINDERS: u8 = 6;
/// An issuing without an outcome by then has an unknown one: longer than every time limit on the way to Graph.
pub const SETTLE_AFTER: Duration = Duration::from_mins(1);
/// When to look for what an unknown outcome left behind: at once, after 30 s and after 5 min.
pub const SWEEPS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(30), Duration::from_mins(5)];
/// How often a shown pass is looked at.
pub const WATCH_EVERY: Duration = Duration::from_mins(5);
/// When to look for what was registered with a pass that is over: once that is told, and when there was time for it.
pub const LOOKS: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(30)];
/// How long the "this wasn't me" link outlives the pass.
pub const REPORT_OUTLIVES: Duration = Duration::from_hours(7 * 24);
/// How often code and PIN of one approval may be sent again.
pub const RESENDS: u8 = 2;
/// However often it is sent again, a ticket is over after this many times its own time.
pub const TICKET_TIMES: u32 = 4;
/// Tries at the two digits of the owner's notice.
pub const REPORT_TRIES: u8 = 5;

/// One wish for one pass for one subject, from first message to closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Who asked.
    pub requester: Asker,
    /// Whom the pass is for, as asked.
    pub subject: Naming,
    /// Why, as asked.
    pub reason: String,
    /// The ticket number, where it was given by itself.
    pub ticket_number: Option<TicketNumber>,
    /// The lifetime that the requester wished, if they said so.
    pub lifetime: Option<Duration>,
    /// The approval cards that were posted.
    pub posted: Vec<Posted>,
    /// What the requester was told in messages that can be edited.
    #[serde(default)]
    pub told: Vec<ToldRequester>,
    /// Approvals that its source says were given.
    #[serde(default)]
    pub stated: Vec<Statement>,
    /// What looked wrong to an approver, if anything did.
    #[serde(default)]
    pub doubt: Option<Doubt>,
    /// The alarms that rang for it, one of each kind at most.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    /// Which ledger lines its changes stand on.
    pub footing: Footing,
    /// Where it stands.
    pub state: State,
}

/// Who asked, as far as it is known when a request comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asker {
    /// Somebody in a chat.
    Account(ChatUser),
    /// Somebody at the page who says that they are the subject. Nobody vouches for it, and there is no way to tell them
    /// anything but the number that the page showed at once.
    Visitor(Matching),
    /// A system that signs what it says: a ticket system, say. Who stands behind it is its word alone.
    Source(Sourced),
}

/// Who wants something of a request, as far as it is known when they say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Whoever has this account.
    Account(ChatUser),
    /// This person, whatever account they use now.
    Person(PersonId),
}

impl From<ChatUser> for Caller {
    fn from(account: ChatUser) -> Self {
        Self::Account(account)
    }
}

/// Whose requests count towards one cap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counted {
    /// Those of an account.
    Of(ChatUser),
    /// Those that visitors made for a subject, as named.
    For(Naming),
    /// Those of a source.
    By(SourceName),
}

/// Where a request stands, with exactly the facts that exist then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Durable and acknowledged; nobody looked at it yet.
    Received,
    /// The facts are in; approvers decide.
    AwaitingApproval {
        /// The facts.
        case: Box<Case>,
        /// Approvals so far.
        approvals: Vec<Approval>,
        /// When it lapses.
        expires_at: Timestamp,
    },
    /// Approved; code and PIN are not both sent yet.
    Approved(Box<Grant>),
    /// Code and PIN were sent; the subject may claim.
    ClaimOpen(Box<Grant>),
    /// The subject proved both; Graph is being asked.
    Issuing {
        /// What was granted.
        grant: Box<Grant>,
        /// The one create under way.
        attempt: Attempt,
    },
    /// The outcome of a create is unknown; nothing is created before the first clean look.
    Unsettled {
        /// What was granted.
        grant: Box<Grant>,
        /// Where it goes once settled.
        goal: Goal,
    },
    /// Graph made the pass; the page has not said yet that it is on the screen.
    Issued {
        /// What was granted.
        grant: Box<Grant>,
        /// The pass.
        pass: Made,
    },
    /// The subject saw the pass.
    Shown {
        /// What was granted.
        grant: Box<Grant>,
        /// The pass.
        pass: Made,
        /// When the page said so.
        shown_at: Timestamp,
    },
    /// The pass is being deleted.
    Revoking {
        /// What was granted.
        grant: Box<Grant>,
        /// The pass.
        pass: PassId,
        /// The version whose intent covers the deletion.
        intent: Version,
        /// Where it goes once deleted.
        goal: Goal,
    },
    /// Over.
    Closed {
        /// How it ended.
        ending: Ending,
        /// When.
        at: Timestamp,
        /// What is remembered of it.
        past: Past,
    },
}

/// Where a settled or revoked request goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Goal {
    /// Back to the claim: the ticket still works.
    Reopen,
    /// The end.
    End(Ending),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Ending {
    /// The pass was used.
    Used,
    /// The pass lived out its time, or vanished from the directory.
    Expired,
    /// Somebody revoked it.
    Revoked(Human),
    /// Rules or facts forbid it.
    Refused(Reason),
    /// An approver said no.
    Denied(Human),
    /// An approver chose another number than the requester was shown.
    Mismatched(Human),
    /// A request of somebody in a chat took the place of a visitor's.
    SetAside(RequestId),
    /// The requester took it back.
    Cancelled,
    /// An approver took the approval back.
    Withdrawn(Human),
    /// Nobody decided in time.
    LapsedUndecided,
    /// Nobody claimed in time.
    LapsedUnclaimed,
    /// Too many wrong PINs.
    Locked,
    /// Somebody said that this was not them.
    Reported,
    /// An approver said that it looks wrong: frozen like a reported one, and to whoever is not security it seems to have
    /// ended in an ordinary way.
    Doubted {
        /// Who said so.
        by: Human,
        /// What it seems to be.
        seems: Seeming,
    },
}

/// What a doubted request seems to be to whoever may be the attacker: what it would be, had the approver said no, taken
/// the approval back or revoked the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seeming {
    /// Denied.
    Denied,
    /// Withdrawn.
    Withdrawn,
    /// Revoked.
    Revoked,
}

/// What looks wrong to an approver. For security alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// The approver.
    pub by: Human,
    /// What they wrote.
    pub line: String,
}

/// What a closed request remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Past {
    /// It ended before the facts were in.
    Nothing,
    /// It ended before it was approved.
    Asked(Box<Case>),
    /// It was approved.
    Granted(Box<Grant>),
}

/// Why a request is refused; worded by [`crate::words`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The chat cannot vouch for the requester.
    RequesterNotVouched(NotVouched),
    /// No single enabled member of the tenant has the requester's address.
    RequesterUnknown,
    /// Several people have the requester's address.
    RequesterAmbiguous,
    /// The chat cannot vouch for the mentioned subject.
    SubjectNotVouched(NotVouched),
    /// Nobody has that address.
    SubjectUnknown,
    /// Several people have that address.
    SubjectAmbiguous,
    /// The subject's account is disabled.
    SubjectDisabled,
    /// The subject is a guest.
    SubjectGuest,
    /// The subject is privileged.
    SubjectPrivileged,
    /// No rule lets this person ask for that person.
    NoRule,
    /// The rule that was bound does not match any more.
    RuleChanged,
    /// The rule wants a ticket number of this pattern in the reason.
    NoTicketNumber(String),
    /// Not enough people can approve; names those whom the rule means.
    NobodyCanApprove(String),
    /// The chats of those who could approve take no messages of ours; names them.
    NotReached(String),
    /// An approver may not approve any more.
    ApproverNotEntitled(String),
    /// Entra has no address on file for the routes of the rule.
    NoContact(Route),
    /// Entra shows only masked numbers to tapdesk.
    ContactMasked,
    /// The address on file changed since the request was made.
    ContactChanged,
    /// The only contact was changed too lately for the rule.
    ContactTooNew {
        /// Where it is on file.
        source: ContactSource,
        /// How long ago it was changed.
        age: Duration,
        /// How long the rule waits.
        wait: Duration,
    },
    /// The manager was changed too lately for the rule, and nobody else is there.
    ManagerTooNew {
        /// How long ago they were changed.
        age: Duration,
        /// How long the rule waits.
        wait: Duration,
    },
    /// The rule wants to know what changed lately, and the audit log cannot be read.
    LogUnreadable,
    /// The tenant's pass policy is off, or leaves the subject out.
    PassPolicyOff,
    /// The subject had as many tickets today as the policy allows.
    TooManyTickets(u32),
    /// The subject has another open request.
    AlreadyOpen(RequestId),
    /// No courier could bring the code or the PIN.
    Undeliverable,
    /// The directory or the chat says no until an administrator mends something.
    LookupFailed,
}

/// Whose open requests are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Whom {
    /// The subject.
    Subject(PersonId),
    /// Who asked, by the account that they used.
    Requester(ChatUser),
    /// Who asked, whatever account they used.
    Asker(PersonId),
    /// Who is asked to decide.
    Approver(PersonId),
    /// The members of a group as one of whom the requester asked: whoever takes over their shift.
    Colleagues(GroupId),
}

/// Whose requests are found from when they were received until they are forgotten, closed ones included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The subject.
    Subject(PersonId),
    /// Who asked, by the account that they used.
    Requester(ChatUser),
    /// Who asked, whatever account they used.
    Asker(PersonId),
    /// Who approved.
    Approved(PersonId),
}
