//! What is known of a request when it is decided?

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::caution::Caution;
use crate::hours::{QuietHours, Zone};
use crate::ids::{ChatUser, GroupId, PersonId, PromptId, RuleName, SourceName, TicketNumber};
use crate::method::MethodKind;
use crate::pass::{PassMeta, PassWish};
use crate::people::{ContactSource, Human, PinnedContact};
use crate::policy::Route;
use crate::request::{Ending, Matching};
use crate::task::News;

/// The facts of a request, bound when they arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Who asked; where a source names nobody, the source itself ([`SourceName::stand_in`]).
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
    /// Whether their chat takes no messages of ours: they have to be told some other way.
    #[serde(default)]
    pub unreachable: bool,
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
    /// Which source says so; none where they gave it themselves, in chat.
    #[serde(default)]
    pub stated_by: Option<SourceName>,
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

/// A message that told the requester something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToldRequester {
    /// What it told.
    pub news: News,
    /// What had come of the request by then: once something else has, the message is out of date.
    pub outcome: Outcome,
    /// Where it is.
    pub message: MessageRef,
}

/// What came of a request, as its requester waits for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing yet.
    Undecided,
    /// It was approved.
    Approved,
    /// The subject saw the pass.
    Shown,
    /// It is over, or will be once its pass is gone.
    Ended(Ending),
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
