//! What is still to be done about a request, and when?
//!
//! Tasks are stored with the commit that brings them and carry no secret. Each can be repeated safely: it
//! looks at the request as it is when it is performed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alarm::AlarmKind;
use crate::ids::{ChatUser, PersonId, SourceName};

/// A task with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Not before this.
    pub due: Timestamp,
    /// What to do.
    pub task: Task,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Ask chat and directory who everybody is and whether a rule allows the request.
    FetchFacts,
    /// Post the approval card to an approver.
    Prompt {
        /// Whom to ask.
        approver: PersonId,
    },
    /// Find out whose approval it is that the source states.
    Weigh {
        /// Which statement of the request.
        statement: u8,
    },
    /// Edit every posted card so that it shows the request as it is now.
    Refresh,
    /// Edit the older copies of one approver's card, since a newer one was sent.
    RetireCopies {
        /// Whose.
        approver: PersonId,
    },
    /// Edit what told the requester of an earlier outcome, since something else has come of the request.
    RetireNews,
    /// Tell somebody something.
    Tell {
        /// Whom.
        to: Audience,
        /// What.
        news: News,
    },
    /// Ask an approver again who has not decided.
    Remind {
        /// Whom.
        approver: PersonId,
        /// How many reminders they got before.
        after: u8,
    },
    /// Find out who else can approve, since nobody decided for a while.
    Escalate,
    /// The approval's time is over.
    LapseApproval,
    /// Mint a code and send it.
    SendCode,
    /// Mint a PIN and send it by a courier. (For route `approver` the approver's button does it.)
    SendPin,
    /// The ticket's time is over.
    LapseTicket,
    /// An issuing that has no outcome by now has an unknown one.
    Settle,
    /// Look for a pass that an issuing with unknown outcome made.
    Sweep,
    /// A pass that was not shown by now is deleted.
    Unseen,
    /// Delete the pass that is being revoked.
    Delete,
    /// End the subject's sessions, since somebody else may have used the pass.
    RevokeSessions,
    /// Look for what is out of the ordinary, and tell security.
    RaiseAlarms,
    /// Tell security which ways to sign in were registered since, for somebody else may have done so.
    ListMethods {
        /// When the first pass was asked for.
        since: Timestamp,
    },
    /// Tell the account's owner that a pass was made.
    NotifyOwner,
    /// Look whether the pass was used, or is over.
    Watch,
    /// Look for what was registered with a pass that is over.
    LookForMethods {
        /// Which look it is, from 1.
        number: u8,
    },
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Who asked.
    Requester(ChatUser),
    /// The source that asked, by machine.
    Source(SourceName),
    /// An approver who was prompted.
    Approver(PersonId),
    /// The configured security contact.
    Security,
}

/// What they are told; worded by [`crate::words`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// The request goes to its approvers.
    Checked,
    /// The request was refused, at whatever point.
    Refused,
    /// The chat of somebody who could approve takes no messages.
    NotReached,
    /// Enough people approved.
    Approved,
    /// An approver denied it.
    Denied,
    /// An approver chose another number than the requester was shown.
    Mismatched,
    /// What the source states is no approval.
    NotCounted,
    /// Nobody decided for a while: others are asked as well.
    Escalated,
    /// Nobody decided for a while, and there is nobody else to ask.
    NobodyElse,
    /// Nobody decided in time, or nobody claimed in time.
    Lapsed,
    /// The code is on its way; the PIN is the next step.
    CodeSent,
    /// The message with the code did not arrive.
    CodeNotDelivered,
    /// Five wrong PINs.
    Locked,
    /// The pass was made and the claim page said that it was shown.
    Shown,
    /// A pass that nobody saw was deleted; the ticket still works.
    NotSeen,
    /// The pass was used, expired or revoked.
    Over,
    /// What was registered with the pass, as far as somebody looked.
    Registered,
    /// A pass of somebody else appeared between approval and claim.
    ForeignPass,
    /// Graph declined to make the pass.
    Declined,
    /// The owner, or who held the code, said that it was not them.
    Reported,
    /// A new code is sent, and the PIN is void.
    Resent,
    /// Somebody revoked it.
    Revoked,
    /// An approver said that it looks wrong.
    Doubted,
    /// Something is out of the ordinary.
    Alarm(AlarmKind),
}
