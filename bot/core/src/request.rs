//! What can happen to a request, and what follows? (The state machine.)
//!
//! [`Request::apply`] is pure and total: the same request, event and time always give the same change, and
//! every state answers every event. Whatever is to be done is a task in the change; whatever is to be written
//! down is a record in it. `bot/core/README.md` holds the table of all states and events, made by a test.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ChatUser, PassId, PersonId, PromptId, RequestId, RuleName, Version};
use crate::ledger::Record;
use crate::pass::{PassMeta, PassWish};
use crate::people::{ContactSource, Human, Naming, PinnedContact};
use crate::policy::Route;
use crate::ports::{Decline, NotVouched};
use crate::task::NewTask;
use crate::ticket::{CodeHash, PinHash, TokenHash};

mod transition;

/// A pass that the page has not confirmed by then is deleted.
pub const UNSEEN_AFTER: Duration = Duration::from_mins(2);
/// The same browser may have its pass made anew for this long after it was shown.
pub const RETRY_WINDOW: Duration = Duration::from_mins(1);
/// An issuing without an outcome by then has an unknown one: longer than every time limit on the way to Graph.
pub const SETTLE_AFTER: Duration = Duration::from_mins(1);
/// When to look for what an unknown outcome left behind: at once, after 30 s and after 5 min.
pub const SWEEPS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(30), Duration::from_mins(5)];
/// How often a shown pass is looked at.
pub const WATCH_EVERY: Duration = Duration::from_mins(5);
/// How long the "this wasn't me" link outlives the pass.
pub const REPORT_OUTLIVES: Duration = Duration::from_hours(7 * 24);
/// Tries at the two digits of the owner's notice.
pub const REPORT_TRIES: u8 = 5;

/// One wish for one pass for one subject, from first message to closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The account that asked.
    pub requester: ChatUser,
    /// Whom the pass is for, as asked.
    pub subject: Naming,
    /// Why, as asked.
    pub reason: String,
    /// The approval cards that were posted.
    pub posted: Vec<Posted>,
    /// Where it stands.
    pub state: State,
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
    /// The pass was revoked.
    Revoked,
    /// Rules or facts forbid it.
    Refused(Reason),
    /// An approver said no.
    Denied(Human),
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
    /// Per approval, who may give it: neither requester nor subject.
    pub slots: Vec<Vec<PersonId>>,
    /// Everybody who is asked.
    pub approvers: Vec<Candidate>,
    /// What the rule said when it was bound.
    pub terms: Terms,
    /// The contact for each route that needs one.
    pub contacts: Vec<(Route, PinnedContact)>,
    /// Living passes of somebody else, seen at submit and shown to the approvers.
    pub foreign: Vec<PassMeta>,
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
    /// The lifetime that the rule wished, if the tenant's range changed it.
    pub wished: Option<Duration>,
    /// Routes of the code, in order.
    pub code_routes: Vec<Route>,
    /// Routes of the PIN, in order.
    pub pin_routes: Vec<Route>,
    /// Routes of the owner's notice.
    pub notice_routes: Vec<Route>,
    /// Where contacts may come from.
    pub sources: Vec<ContactSource>,
}

/// Somebody who may approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub human: Human,
    /// Where they are asked.
    pub account: ChatUser,
    /// The opaque id that their buttons carry.
    pub prompt: PromptId,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// By whom.
    pub by: Human,
    /// When.
    pub at: Timestamp,
}

/// A posted approval card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// Who sees it.
    pub approver: PersonId,
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
    /// What became of the last create, as far as it is known.
    pub fate: Option<Told>,
    /// The owner's notice, once one was sent.
    pub notice: Option<Notice>,
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
    /// When it is good for nothing any more.
    pub expires_at: Timestamp,
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
}

/// Something that happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The facts allow it.
    FactsArrived(Box<Case>),
    /// The facts forbid it.
    FactsForbid(Reason),
    /// An approval card was posted.
    Prompted(Posted),
    /// Somebody pressed Approve.
    Approve(PersonId),
    /// Somebody pressed Deny.
    Deny(PersonId),
    /// The approval's time may be over.
    ApprovalTimeOver,
    /// A code was minted and is about to be sent.
    CodeMinted(CodeHash, Route),
    /// A courier accepted the code.
    CodeSent(CodeHash, String),
    /// No courier of that route takes it.
    CodeUndeliverable(Route),
    /// A PIN was minted, for an approver to see or a courier to bring.
    PinMinted(PinHash, Option<PersonId>),
    /// The approver's modal opened, or a courier accepted it.
    PinSent(PinHash),
    /// No courier takes the PIN.
    PinUndeliverable,
    /// A contact is not what it was at submit.
    ContactChanged,
    /// The ticket's time may be over.
    TicketTimeOver,
    /// A PIN was checked and is wrong.
    WrongPin,
    /// All tries were taken and none came back.
    TriesExhausted,
    /// Code and PIN were proved and everything was checked again.
    Claim(Claim),
    /// The check at the claim forbids it for good.
    RecheckForbids(Reason),
    /// A pass of somebody else appeared since the approval.
    ForeignPass,
    /// Graph made the pass.
    Created(Made),
    /// Graph made no pass.
    Declined(Decline),
    /// Issuing was locked down right before the create.
    LockedDown,
    /// Graph made a pass that is good for nothing.
    Unusable(PassId),
    /// Nobody knows whether Graph made a pass.
    OutcomeUnknown,
    /// A look after an unknown outcome: how many passes were deleted.
    Swept(u32),
    /// The page says that the pass is on the screen.
    PageShowed(TokenHash),
    /// The pass was not shown in time, perhaps.
    UnseenTimeOver,
    /// The pass is deleted.
    Deleted,
    /// The shown pass was used.
    PassUsed,
    /// The shown pass is over.
    PassOver,
    /// The PIN was proved, though the claim could not go on: its tries start anew.
    PinProved,
    /// The owner's notice is about to be sent.
    NoticeMinted(Notice),
    /// The owner's notice on that create was sent, with that word.
    OwnerTold(u32, Told),
    /// Somebody typed another number than the notice's.
    WrongNumber,
    /// The owner, or who holds the code, says that it was not them.
    Report,
    /// The requester takes it back.
    Cancel(PersonId),
    /// An approver takes the approval back.
    Withdraw(PersonId),
    /// Somebody entitled revokes the pass.
    Revoke(PersonId),
}

/// A proved and re-checked claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The browser.
    pub client: TokenHash,
    /// What to ask Graph for.
    pub wish: PassWish,
    /// Passes that exist and are not ours.
    pub before: Vec<PassId>,
    /// Since when this process runs: the retry window is counted anew after a crash.
    pub up_since: Timestamp,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The request after it.
    pub next: Request,
    /// What is to be done.
    pub tasks: Vec<NewTask>,
    /// What is to be written down.
    pub records: Vec<Record>,
    /// Whether the tries of the ticket start anew.
    pub fresh_tries: bool,
}

/// Why an event changes nothing. The person can mend it, or it does not matter any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It was decided before.
    #[error("already decided")]
    AlreadyDecided,
    /// This person approved before.
    #[error("already approved by this person")]
    AlreadyApproved,
    /// Not one of the approvers.
    #[error("not an approver")]
    NotAnApprover,
    /// Not the requester.
    #[error("not the requester")]
    NotTheRequester,
    /// Its time is over.
    #[error("too late")]
    TooLate,
    /// Another browser has the pass.
    #[error("already opened")]
    AlreadyOpened,
    /// A create is under way or unsettled.
    #[error("being worked on")]
    InHand,
    /// Code and PIN were not both sent yet.
    #[error("waiting for code or PIN")]
    Waiting,
    /// It is over.
    #[error("over")]
    Over,
    /// It does not matter (any more, or yet).
    #[error("moot")]
    Moot,
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
}

impl State {
    /// Its name, for logs and the table of states.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::AwaitingApproval { .. } => "AwaitingApproval",
            Self::Approved(_) => "Approved",
            Self::ClaimOpen(_) => "ClaimOpen",
            Self::Issuing { .. } => "Issuing",
            Self::Unsettled { goal: Goal::Reopen, .. } => "Unsettled",
            Self::Unsettled { goal: Goal::End(_), .. } => "Unsettled, then closed",
            Self::Issued { .. } => "Issued",
            Self::Shown { .. } => "Shown",
            Self::Revoking { goal: Goal::Reopen, .. } => "Revoking",
            Self::Revoking { goal: Goal::End(_), .. } => "Revoking, then closed",
            Self::Closed { ending, .. } => match ending {
                Ending::Used => "Used",
                Ending::Expired => "Expired",
                Ending::Revoked => "Revoked",
                Ending::Refused(_) => "Refused",
                Ending::Denied(_) => "Denied",
                Ending::Cancelled => "Cancelled",
                Ending::Withdrawn(_) => "Withdrawn",
                Ending::LapsedUndecided | Ending::LapsedUnclaimed => "Lapsed",
                Ending::Locked => "Locked",
                Ending::Reported => "Reported",
            },
        }
    }
}

/// What a store has to be able to look a request up by.
impl Request {
    /// Whether it still goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed_at().is_none()
    }

    /// When it was closed.
    #[must_use]
    pub fn closed_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Closed { at, .. } => Some(*at),
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => None,
        }
    }

    /// The facts, once they are in.
    #[must_use]
    pub fn case(&self) -> Option<&Case> {
        match &self.state {
            State::Received => None,
            State::AwaitingApproval { case, .. } => Some(case),
            State::Closed { past, .. } => match past {
                Past::Nothing => None,
                Past::Asked(case) => Some(case),
                Past::Granted(grant) => Some(&grant.case),
            },
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => self.grant().map(|grant| &grant.case),
        }
    }

    /// What was granted, once it was.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match &self.state {
            State::Received | State::AwaitingApproval { .. } => None,
            State::Approved(grant)
            | State::ClaimOpen(grant)
            | State::Issuing { grant, .. }
            | State::Unsettled { grant, .. }
            | State::Issued { grant, .. }
            | State::Shown { grant, .. }
            | State::Revoking { grant, .. } => Some(grant),
            State::Closed { past, .. } => match past {
                Past::Nothing | Past::Asked(_) => None,
                Past::Granted(grant) => Some(grant),
            },
        }
    }

    /// Under whom the request is found while it is open.
    #[must_use]
    pub fn whom(&self) -> Vec<Whom> {
        if !self.is_open() {
            return Vec::new();
        }
        let mut whom = vec![Whom::Requester(self.requester.clone())];
        whom.extend(self.subject_id().map(Whom::Subject));
        if let State::AwaitingApproval { case, .. } = &self.state {
            whom.extend(case.approvers.iter().map(|candidate| Whom::Approver(candidate.human.id)));
        }
        whom
    }

    /// The subject, once the facts are in. At most one open request per subject.
    #[must_use]
    pub fn subject_id(&self) -> Option<PersonId> {
        self.case().map(|case| case.subject.id)
    }

    /// The code under which the ticket is found. Closed requests keep theirs: its holder may ask why it is over.
    #[must_use]
    pub fn code_hash(&self) -> Option<&CodeHash> {
        self.grant()?.ticket.code.as_ref().map(|code| &code.hash)
    }

    /// The token under which the owner's notice is found.
    #[must_use]
    pub fn report_token(&self) -> Option<&TokenHash> {
        self.grant()?.notice.as_ref().map(|notice| &notice.token)
    }

    /// For whom and when a ticket was opened, once it was: what the daily cap counts.
    #[must_use]
    pub fn ticket_opened(&self) -> Option<(PersonId, Timestamp)> {
        let grant = self.grant()?;
        let at = grant.approvals.last().map_or(self.received_at, |approval| approval.at);
        Some((grant.case.subject.id, at))
    }
}
