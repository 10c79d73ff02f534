//! What can happen to a request, and what can come of it?

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Caller, Candidate, Case, Look, Made, NotCounted, Notice, Posted, Progress, Reason, Request, Told,
    ToldRequester,
};
use crate::alarm::Alarm;
use crate::ids::{PassId, PersonId, RequestId, SourceName};
use crate::ledger::Record;
use crate::pass::PassWish;
use crate::people::{Human, Naming};
use crate::policy::Route;
use crate::ports::Decline;
use crate::task::NewTask;
use crate::ticket::{CodeHash, PinHash, TokenHash};

/// Something that happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The facts allow it.
    FactsArrived(Box<Case>),
    /// The facts forbid it.
    FactsForbid(Reason),
    /// An approval card was posted.
    Prompted(Posted),
    /// The approver's chat takes no messages of ours.
    NotReached(PersonId),
    /// The requester was told something, in a message that can be edited.
    RequesterTold(ToldRequester),
    /// Somebody pressed Approve.
    Approve(PersonId),
    /// Somebody chose a number.
    Pick(PersonId, u8),
    /// Somebody pressed Deny.
    Deny(PersonId),
    /// An approver who got that many reminders may need another.
    RemindTime(PersonId, u8),
    /// Nobody decided for a while, and it is known who can be asked as well.
    Escalated(Escalation),
    /// The source says that somebody approved.
    Stated(SourceName, Naming),
    /// It is known whose approval the statement of that number is, or why it is none.
    Weighed(u8, Result<PersonId, NotCounted>),
    /// Somebody did not approve what a source says that they approved.
    Disown(PersonId),
    /// That request, of somebody in a chat, is for the same subject.
    SetAside(RequestId),
    /// An approver says that it looks wrong.
    LooksWrong {
        /// The approver.
        by: PersonId,
        /// What they wrote, for security.
        line: String,
        /// The same as the ledger may have it.
        pseudonym: String,
    },
    /// Alarms ring.
    Alarmed(Vec<Alarm>),
    /// The approval's time may be over.
    ApprovalTimeOver,
    /// A code was minted and is about to be sent.
    CodeMinted(CodeHash, Route),
    /// A courier accepted the code.
    CodeSent(CodeHash, String),
    /// No courier of that route takes it.
    CodeUndeliverable(Route),
    /// The provider says how far the message with the code of that generation came.
    CodeReceipt(u32, Progress),
    /// A PIN was minted, for an approver to see or a courier to bring.
    PinMinted(PinHash, Option<PersonId>),
    /// The approver's modal opened, or a courier of that route accepted it.
    PinSent(PinHash, Route),
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
    /// The shown pass lived out its time, and nobody signed in with it.
    PassUnused,
    /// The shown pass is over, used or not.
    PassOver,
    /// Somebody looked for what was registered with it.
    Looked(Look),
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
    /// Somebody wants it cancelled: the requester may.
    Cancel(Caller),
    /// A source wants it cancelled: the one that asked may.
    CancelBySource(SourceName),
    /// Somebody wants code and PIN sent again: the requester may.
    Resend(Caller),
    /// An approver takes the approval back.
    Withdraw(PersonId),
    /// Somebody wants it revoked: requester and approvers may.
    Revoke(Caller),
    /// Security revokes it.
    RevokeBySecurity(Human),
}

/// Who joins those who were asked first.
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// Per approval, who else may give it.
    pub slots: Vec<Vec<PersonId>>,
    /// Who is asked now.
    pub approvers: Vec<Candidate>,
}

/// A proved and re-checked claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Of which code and PIN the proof is: a newer code voids it.
    pub generation: u32,
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
    /// It is approved by choosing a number.
    #[error("number wanted")]
    NumberWanted,
    /// The approval that this person could give was given: by their delegate, or by whom they stand for.
    #[error("this approval was given already")]
    GivenAlready,
    /// What this person stood for is over.
    #[error("the delegation is over")]
    DelegationOver,
    /// Not one of the approvers.
    #[error("not an approver")]
    NotAnApprover,
    /// Not the requester.
    #[error("not the requester")]
    NotTheRequester,
    /// Its time is over.
    #[error("too late")]
    TooLate,
    /// The pass is on its way to the subject, or theirs.
    #[error("claimed already")]
    Claimed,
    /// Code and PIN were sent as often as they may be.
    #[error("sent often enough")]
    SentEnough,
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
