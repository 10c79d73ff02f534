//! What can happen to a request, and what follows? (The state machine.)
//!
//! [`Request::apply`] is pure and total: the same request, event and time always give the same change, and
//! every state answers every event. Whatever is to be done is a task in the change; whatever is to be written
//! down is a record in it. `bot/core/README.md` holds the table of all states and events, made by a test.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alarm::Alarm;
use crate::caution::Caution;
use crate::hours::{QuietHours, Zone};
use crate::ids::{ChatUser, GroupId, PassId, PersonId, PromptId, RequestId, RuleName, TicketNumber, Version};
use crate::ledger::Footing;
use crate::method::MethodKind;
use crate::pass::{PassMeta, PassWish};
use crate::people::{ContactSource, Human, Naming, PinnedContact};
use crate::policy::Route;
use crate::ports::NotVouched;
use crate::ticket::{CodeHash, PinHash, TokenHash};

mod asked;
mod ending;
mod event;
mod lookup;
mod matching;
#[cfg(test)]
pub(crate) mod tests;
mod transition;

pub use self::event::{Change, Claim, Escalation, Event, Refusal};
pub use self::matching::Matching;

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
}

/// Whose requests count towards one cap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counted {
    /// Those of an account.
    Of(ChatUser),
    /// Those that visitors made for a subject, as named.
    For(Naming),
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

/// The facts of a request, bound when they arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Who asked.
    pub requester: Human,
    /// For whom.
    pub subject: Human,
    /// The subject's manager, if there is one.
    pub manager: Option<Human>,
    /// The rule that matched.
    pub rule: RuleName,
    /// The ticket number, wherever the rule found it.
    pub ticket_number: Option<TicketNumber>,
    /// The groups as one of whose members the requester matched it.
    pub colleagues: Vec<GroupId>,
    /// Per approval, who may give it: neither requester nor subject.
    pub slots: Vec<Vec<PersonId>>,
    /// Everybody who is asked.
    pub approvers: Vec<Candidate>,
    /// Since when fallback approvers are asked as well.
    pub escalated_at: Option<Timestamp>,
    /// What the rule said when it was bound.
    pub terms: Terms,
    /// The contact for each route that needs one.
    pub contacts: Vec<(Route, PinnedContact)>,
    /// Living passes of somebody else, seen at submit and shown to the approvers.
    pub foreign: Vec<PassMeta>,
    /// The number to choose instead of Approve, where one has to be matched.
    pub matching: Option<Matching>,
    /// What the rule's caution keeps out.
    pub cautions: Vec<Caution>,
    /// The subject's sign-in methods that the directory does not date, if they could be read.
    pub undated: Option<Vec<MethodKind>>,
}

/// What the bound rule and policy said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// How long approvers have.
    pub approval_expires: Duration,
    /// How long the ticket is good.
    pub ticket_expires: Duration,
    /// The pass to make, inside the tenant's range.
    pub wish: PassWish,
    /// The lifetime that the requester wished, if they said so.
    pub asked: Option<Duration>,
    /// The lifetime that rule and requester came to, if the tenant's range changed it.
    pub wished: Option<Duration>,
    /// Routes of the code, in order.
    pub code_routes: Vec<Route>,
    /// Routes of the PIN, in order.
    pub pin_routes: Vec<Route>,
    /// Routes of the owner's notice.
    pub notice_routes: Vec<Route>,
    /// Where contacts may come from.
    pub sources: Vec<ContactSource>,
    /// How long after they were asked approvers are reminded, if they are.
    pub remind_after: Option<Duration>,
    /// When nobody is reminded.
    pub quiet_hours: Option<QuietHours>,
    /// How long after the facts arrived fallback approvers are asked as well, if the rule names some.
    pub escalate_after: Option<Duration>,
}

/// Somebody who may approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub human: Human,
    /// Where they are asked.
    pub account: ChatUser,
    /// Their time zone, where the chat knows it.
    pub zone: Option<Zone>,
    /// The opaque id that their buttons carry.
    pub prompt: PromptId,
    /// What makes them somebody to ask.
    pub standing: Standing,
    /// The reminders that they got.
    pub reminders: Reminders,
}

/// What makes somebody an approver of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// The rule means them.
    Named,
    /// The rule means them in case nobody decides for a while.
    Fallback,
    /// Somebody whom the rule means delegated to them: their approval is that person's, and counts once.
    Delegate(Mandate),
}

/// Whom a delegate decides for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// Who delegated.
    pub delegator: Human,
    /// The last day of it.
    pub last_day: jiff::civil::Date,
}

/// Reminders to one approver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminders {
    /// How many.
    pub count: u8,
    /// When the last of them became due.
    pub last: Option<Timestamp>,
    /// When the next one is due, if one is.
    pub next: Option<Timestamp>,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// By whom.
    pub by: Human,
    /// In whose stead, if they are a delegate.
    pub stands_for: Option<Human>,
    /// When.
    pub at: Timestamp,
}

/// A posted approval card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// Who sees it.
    pub approver: PersonId,
    /// Since when.
    pub at: Timestamp,
    /// Where it is.
    pub message: MessageRef,
}

/// Where a posted message is, in the chat's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    /// The chat.
    pub chat: crate::ids::ChatName,
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: String,
}

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

/// Whose open requests are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Whom {
    /// The subject.
    Subject(PersonId),
    /// Who asked.
    Requester(ChatUser),
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
    /// Who asked.
    Requester(ChatUser),
    /// Who approved.
    Approved(PersonId),
}
