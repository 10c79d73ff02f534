//! What can a source say, and what is it told? (A source is a system that signs its messages: a ticket system, a workflow.)

use std::time::Duration;

use serde::Serialize;

use crate::evaluation::Mode;
use crate::ids::{DeliveryId, RequestId, SourceName, TicketNumber, Version};
use crate::inbound::Ask;
use crate::people::Naming;
use crate::ports::TaskKey;
use crate::request::{Goal, Refusal, Request, Sourced, State, Statement, Weighed};
use crate::task::News;
use crate::ticket::sha256_hex;
use crate::words;

/// What a source wants, once its signature was verified and its words understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A pass for somebody.
    Open(Box<Opening>),
    /// Somebody approved the request in the source.
    Approve {
        /// Which request.
        request: RequestId,
        /// Who.
        approver: Naming,
    },
    /// The request is not needed any more.
    Cancel {
        /// Which request.
        request: RequestId,
    },
}

/// A wish for a pass, as a source words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The source's own key: the same key is the same wish, however often it comes.
    pub key: String,
    /// For whom, why, the ticket's number and for how long.
    pub ask: Ask,
    /// Who asks, if the source says so.
    pub requested_by: Option<Naming>,
    /// Who approved, if the source says so.
    pub approved_by: Option<Naming>,
}

/// What became of an order. What is taken is durable; whether anything comes of it is told later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// It is taken in, now or when it came before.
    Taken(RequestId),
    /// The key was used before, for something else.
    OtherWish(RequestId),
    /// The source asked this often within an hour, which is all that it may.
    TooMany(u32),
    /// The source made no such request.
    NotYours,
    /// The configuration lets the source state no approvals.
    MayNotState,
    /// The request has moved on.
    Refused(Refusal),
}

/// What a source may do, as plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceTerms {
    /// Whether it may state that somebody approved, where a rule allows it, too.
    pub may_state_approvals: bool,
    /// How often it may ask within an hour.
    pub requests_per_hour: u32,
}

/// What a source is told of its request: what a person who asks in chat would read, for a machine. No contact, no code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Names this news, however often it is sent.
    pub delivery: String,
    /// Orders the news of a request: a greater one is newer.
    pub sequence: u64,
    /// What happened.
    pub event: &'static str,
    /// The request.
    pub request: RequestId,
    /// The source's own key of it.
    pub key: String,
    /// The number of its ticket.
    pub ticket_number: Option<TicketNumber>,
    /// Where the request stands by now.
    pub state: &'static str,
    /// How it ended, or will once its pass is deleted.
    pub outcome: Option<&'static str>,
    /// Why it was refused.
    pub reason: Option<&'static str>,
    /// Who approved.
    pub approved_by: Vec<String>,
    /// Who ended it, where somebody did.
    pub ended_by: Option<String>,
    /// What became of the approvals that the source stated.
    pub stated_approvals: Vec<Stated>,
    /// The news in words.
    pub message: String,
    /// `evaluate` where tapdesk is only being tried out.
    pub mode: &'static str,
}

/// What became of an approval that the source stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// Whose, as stated.
    pub approved_by: String,
    /// Whether it counts; nothing while nobody has looked.
    pub counts: Option<bool>,
    /// Why not.
    pub why: Option<&'static str>,
}

impl Opening {
    /// What claims the key for the source.
    #[must_use]
    pub fn delivery(&self, source: &SourceName) -> DeliveryId {
        DeliveryId(format!("hook:{source}:{}", self.key))
    }

    /// The wish as the request of that source remembers it.
    pub(crate) fn sourced(&self, source: &SourceName) -> Sourced {
        let Self { key, ask, requested_by, approved_by } = self;
        let name = |naming: Option<&Naming>| naming.map(named).unwrap_or_default();
        let parts = [
            named(&ask.subject),
            ask.reason.clone(),
            ask.ticket_number.as_ref().map(ToString::to_string).unwrap_or_default(),
            ask.lifetime.map(|lifetime| lifetime.as_secs().to_string()).unwrap_or_default(),
            name(requested_by.as_ref()),
            name(approved_by.as_ref()),
        ];
        Sourced {
            source: source.clone(),
            requested_by: requested_by.clone(),
            approved_by: approved_by.clone(),
            key: key.clone(),
            fingerprint: sha256_hex(parts.join("\0").as_bytes()),
        }
    }
}

impl Status {
    /// The news that the task brings, of the request as it is now; nothing if no source asked.
    #[must_use]
    pub fn of(request: &Request, news: News, task: &TaskKey, mode: Mode) -> Option<Self> {
        let sourced = request.requester.sourced()?;
        let TaskKey { request: id, version: Version(version), place } = task;
        let ending = request.ending().map(crate::request::Ending::as_told);
        let number = request.case().and_then(|case| case.ticket_number.clone());
        Some(Self {
            delivery: format!("{id}.{version}.{place}"),
            sequence: version.saturating_mul(1 << 16).saturating_add(u64::from(*place)),
            event: news.name(),
            request: id.clone(),
            key: sourced.key.clone(),
            ticket_number: number.or_else(|| request.ticket_number.clone()),
            state: stage(&request.state),
            outcome: ending.as_ref().map(crate::request::Ending::name),
            reason: request.refused_for().map(crate::request::Reason::name),
            approved_by: request.approvals().iter().map(|approval| approval.by.name.clone()).collect(),
            ended_by: ending.as_ref().and_then(|ending| ending.by()).map(|human| human.name.clone()),
            stated_approvals: request.stated.iter().map(Stated::of).collect(),
            message: words::status_message(request, news),
            mode: match mode {
                Mode::Enforce => "enforce",
                Mode::Evaluate => "evaluate",
            },
        })
    }
}

impl Stated {
    fn of(statement: &Statement) -> Self {
        let (counts, why) = match statement.weighed {
            Weighed::NotYet => (None, None),
            Weighed::Counts => (Some(true), None),
            Weighed::Not(why) => (Some(false), Some(why.name())),
        };
        Self { approved_by: named(&statement.approver), counts, why }
    }
}

/// How long a status that is not taken waits for its next try: twice as long each time, an hour at most.
#[must_use]
pub fn pause_before(tries: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    Duration::from_secs(10).saturating_mul(doubled).min(Duration::from_hours(1))
}

/// So often a status is sent: for about a day.
pub const MOST_TRIES: u32 = 32;

fn named(naming: &Naming) -> String {
    match naming {
        Naming::Address(address) => address.clone(),
        Naming::Account(account) => account.id.clone(),
    }
}

/// Where a request stands, in few words of which none will change: programs read them.
fn stage(state: &State) -> &'static str {
    match state {
        State::Received => "received",
        State::AwaitingApproval { .. } => "awaiting_approval",
        State::Approved(_) => "approved",
        State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { goal: Goal::Reopen, .. }
        | State::Issued { .. }
        | State::Revoking { goal: Goal::Reopen, .. } => "ready",
        State::Shown { .. } => "handed_over",
        State::Unsettled { goal: Goal::End(_), .. } | State::Revoking { goal: Goal::End(_), .. } => "closing",
        State::Closed { .. } => "closed",
    }
}

impl News {
    /// Its name, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Refused => "refused",
            Self::NotReached => "approver_not_reached",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Mismatched => "mismatched",
            Self::NotCounted => "approval_not_counted",
            Self::Escalated => "escalated",
            Self::NobodyElse => "nobody_else",
            Self::Lapsed => "lapsed",
            Self::CodeSent => "code_sent",
            Self::CodeNotDelivered => "code_not_delivered",
            Self::Locked => "locked",
            Self::Shown => "handed_over",
            Self::NotSeen => "not_seen",
            Self::Over => "over",
            Self::Registered => "registered",
            Self::ForeignPass => "foreign_pass",
            Self::Declined => "declined",
            Self::Reported => "reported",
            Self::Resent => "resent",
            Self::Revoked => "revoked",
            Self::Doubted => "doubted",
            Self::Alarm(_) => "alarm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_tried_for_about_a_day_and_ever_more_seldom() {
        let pauses: Vec<Duration> = (1..MOST_TRIES).map(pause_before).collect();
        assert!(pauses.is_sorted() && pauses[0] == Duration::from_secs(10));
        let day = Duration::from_hours(24);
        let all: Duration = pauses.iter().sum();
        assert!(all > day.mul_f32(0.9) && all < day.mul_f32(1.2), "{all:?}");
    }

    #[test]
    fn the_same_wish_has_the_same_fingerprint_and_any_other_has_not() {
        let jane = Naming::Address("jane@contoso.com".to_owned());
        let mary = Some(Naming::Address("mary@contoso.com".to_owned()));
        let source: SourceName = "ServiceNow".parse().unwrap();
        let wish = |reason: &str, requested_by: Option<Naming>, approved_by: Option<Naming>| Opening {
            key: "1".to_owned(),
            ask: Ask::new(jane.clone(), reason.to_owned()),
            requested_by,
            approved_by,
        };
        let print = |opening: &Opening| opening.sourced(&source).fingerprint;
        let wishes = [
            wish("lost her phone", None, None),
            wish("lost her key", None, None),
            wish("lost her phone", mary.clone(), None),
            wish("lost her phone", None, mary),
        ];
        let prints: std::collections::BTreeSet<String> = wishes.iter().map(print).collect();
        assert_eq!(prints.len(), wishes.len());
        assert_eq!(print(&wishes[0]), print(&wishes[0].clone()));
    }
}
