//! The transitions: one small function per event.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Asker, Change, Ending, Event, Goal, Grant, Past, Refusal, Request, Seeming, State, Statement, Told,
};
use crate::ids::{PersonId, RequestId, Version};
use crate::inbound::Ask;
use crate::ledger::{Footing, Phase, Record};
use crate::task::{Audience, NewTask, News, Task};
use crate::words;

mod after;
mod deciding;
mod late;
mod matching;
mod pass;
mod receipt;
mod stated;
mod suspicion;
mod ticket;
mod undo;
mod visit;
mod warnings;

impl Request {
    /// A request as it is first stored, with its first tasks and records.
    #[must_use]
    pub fn open(id: RequestId, requester: Asker, ask: Ask, now: Timestamp) -> Change {
        let Ask { subject, reason, ticket_number, lifetime } = ask;
        let mut request = Self {
            id,
            received_at: now,
            requester,
            subject,
            reason,
            ticket_number,
            lifetime,
            posted: Vec::new(),
            told: Vec::new(),
            stated: Vec::new(),
            doubt: None,
            alarms: Vec::new(),
            footing: Footing::default(),
            state: State::Received,
        };
        let approver = request.requester.sourced().and_then(|sourced| sourced.approved_by.clone());
        request.stated.extend(approver.map(|approver| Statement::new(approver, now)));
        let mut draft = Draft::new(&request, now, Version::FIRST);
        draft
            .event("request.received")
            .with_fact("asker", request.requester.name())
            .with_fact_if("source", request.source())
            .with_fact_if("ticket_number", request.ticket_number.as_ref())
            .with_fact_if("lifetime_asked_minutes", request.lifetime.map(|asked| asked.as_secs() / 60));
        draft.task(now, Task::FetchFacts);
        draft.finish()
    }

    /// What follows from `event` at `now`; `version` is the one that the change would make.
    pub fn apply(&self, event: Event, now: Timestamp, version: Version) -> Result<Change, Refusal> {
        let mut draft = Draft::new(self, now, version);
        match event {
            Event::FactsArrived(case) => draft.facts_arrived(*case),
            Event::FactsForbid(reason) => draft.facts_forbid(reason),
            Event::Prompted(posted) => draft.prompted(posted),
            Event::NotReached(approver) => draft.not_reached(approver),
            Event::RequesterTold(told) => draft.requester_told(told),
            Event::Approve(by) => draft.approve(by),
            Event::Pick(by, number) => draft.pick(by, number),
            Event::Deny(by) => draft.deny(by),
            Event::RemindTime(approver, after) => draft.remind_time(approver, after),
            Event::Escalated(escalation) => draft.escalated(escalation),
            Event::Stated(source, approver) => draft.stated(&source, approver),
            Event::Weighed(statement, verdict) => draft.weighed(statement, verdict),
            Event::Disown(by) => draft.disown(by),
            Event::SetAside(by) => draft.set_aside(by),
            Event::LooksWrong { by, line, pseudonym } => draft.looks_wrong(by, line, &pseudonym),
            Event::Alarmed(alarms) => draft.alarmed(alarms),
            Event::ApprovalTimeOver => draft.approval_time_over(),
            Event::CodeMinted(hash, route) => draft.code_minted(hash, route),
            Event::CodeSent(hash, receipt) => draft.code_sent(&hash, &receipt),
            Event::CodeUndeliverable(route) => draft.code_undeliverable(route),
            Event::CodeReceipt(generation, progress) => draft.receipt(generation, progress),
            Event::PinMinted(hash, by) => draft.pin_minted(&hash, by),
            Event::PinSent(hash, route) => draft.pin_sent(&hash, route),
            Event::PinUndeliverable => draft.undeliverable(),
            Event::ContactChanged => draft.contact_changed(),
            Event::TicketTimeOver => draft.ticket_time_over(),
            Event::WrongPin => draft.wrong_pin(),
            Event::TriesExhausted => draft.tries_exhausted(),
            Event::Claim(claim) => draft.claim(claim),
            Event::RecheckForbids(reason) => draft.recheck_forbids(reason),
            Event::ForeignPass => draft.foreign_pass(),
            Event::Created(made) => draft.created(made),
            Event::Declined(why) => draft.no_pass(&format!("declined: {why:?}"), Some(why)),
            Event::LockedDown => draft.no_pass("locked down", None),
            Event::Unusable(pass) => draft.unusable(pass),
            Event::OutcomeUnknown => draft.outcome_unknown(),
            Event::Swept(deleted) => draft.swept(deleted),
            Event::PageShowed(client) => draft.page_showed(&client),
            Event::UnseenTimeOver => draft.unseen_time_over(),
            Event::Deleted => draft.deleted(),
            Event::PassUsed => draft.pass_ended(Ending::Used, Told::Used),
            Event::PassUnused => draft.pass_ended(Ending::Expired, Told::Unused),
            Event::PassOver => draft.pass_ended(Ending::Expired, Told::Over),
            Event::Looked(look) => draft.looked(&look),
            Event::PinProved => draft.pin_proved(),
            Event::NoticeMinted(notice) => draft.notice_minted(notice),
            Event::OwnerTold(attempt, told) => draft.owner_told(attempt, told),
            Event::WrongNumber => draft.wrong_number(),
            Event::Report => draft.report(),
            Event::Cancel(by) => draft.cancel(&by),
            Event::CancelBySource(source) => draft.cancel_by_source(&source),
            Event::Resend(by) => draft.resend(&by),
            Event::Withdraw(by) => draft.withdraw(by),
            Event::Revoke(by) => draft.revoke(&by),
            Event::RevokeBySecurity(by) => draft.take_back(&by, "security"),
        }?;
        Ok(draft.finish())
    }
}

/// A change being put together.
struct Draft<'a> {
    before: &'a Request,
    next: Request,
    now: Timestamp,
    version: Version,
    tasks: Vec<NewTask>,
    records: Vec<Record>,
    fresh_tries: bool,
}

type Applied = Result<(), Refusal>;

/// What all of them share.
impl<'a> Draft<'a> {
    fn new(before: &'a Request, now: Timestamp, version: Version) -> Self {
        let next = before.clone();
        Self { before, next, now, version, tasks: Vec::new(), records: Vec::new(), fresh_tries: false }
    }

    /// Whatever changed on an approver's card, every copy of it is edited, and so is whatever told the requester of an
    /// earlier outcome: no transition can forget one.
    fn finish(mut self) -> Change {
        let is_edited = self.tasks.iter().any(|new| new.task == Task::Refresh);
        if !is_edited && !self.next.posted.is_empty() && self.changes_a_card() {
            self.task(self.now, Task::Refresh);
        }
        // After the cards: others wait for their buttons.
        if !self.next.told.is_empty() && self.before.outcome() != self.next.outcome() {
            self.task(self.now, Task::RetireNews);
        }
        Change { next: self.next, tasks: self.tasks, records: self.records, fresh_tries: self.fresh_tries }
    }

    /// Whether somebody's card changed who is not sent it anew: a newer copy retires the older ones by itself, and to edit
    /// everybody's for one reminder would be more than a chat takes.
    fn changes_a_card(&self) -> bool {
        let shown = |request| words::approvals(request, self.now);
        let (before, after) = (shown(self.before), shown(&self.next));
        let asked = self.next.case().map_or(&[][..], |case| &case.approvers);
        let is_sent = |approver: PersonId| self.tasks.iter().any(|new| new.task == Task::Prompt { approver });
        let mut pairs = asked.iter().zip(before.iter().zip(&after));
        before.len() != after.len()
            || pairs.any(|(candidate, (before, after))| before != after && !is_sent(candidate.human.id))
    }

    /// Ends the request, unless a create may still land: then it ends once that is settled.
    fn end(&mut self, ending: Ending, past: Past) {
        let past = match past {
            Past::Granted(grant) if !grant.loose.is_empty() => {
                self.next.state = State::Unsettled { grant, goal: Goal::End(ending) };
                return;
            }
            Past::Nothing | Past::Asked(_) | Past::Granted(_) => past,
        };
        let (name, news) = ending.story();
        self.event(name)
            .with_fact("ended", ending.name())
            .with_fact_if("why", ending.why())
            .by(ending.by().map(|human| human.id));
        // Who cancelled was answered at once, save that a pass might have been made: now it is certain that none lives.
        let was_in_hand = matches!(self.before.state, State::Unsettled { .. } | State::Revoking { .. });
        if ending != Ending::Cancelled || was_in_hand {
            self.tell_requester(news);
        }
        if let (Ending::Used | Ending::Expired, Past::Granted(grant)) = (&ending, &past) {
            self.look_for_methods(grant);
        }
        self.next.state = State::Closed { ending, at: self.now, past };
    }

    /// A timer that comes early comes again. Clocks go back and differ between replicas, and a timer that was
    /// dropped would leave the request, or its pass, for ever.
    fn not_yet(&mut self, due: Timestamp, task: Task) {
        self.task(due.max(later(self.now, Duration::from_secs(1))), task);
    }

    fn task(&mut self, due: Timestamp, task: Task) {
        self.tasks.push(NewTask { due, task });
    }

    fn tell(&mut self, to: Audience, news: News) {
        self.task(self.now, Task::Tell { to, news });
    }

    fn tell_requester(&mut self, news: News) {
        match &self.before.requester {
            Asker::Account(account) => self.tell(Audience::Requester(account.clone()), news),
            // A visitor is told by the routes to the subject alone.
            Asker::Visitor(_) => {}
            Asker::Source(sourced) => self.tell(Audience::Source(sourced.source.clone()), news),
        }
    }

    fn event(&mut self, what: &str) -> Line<'_> {
        self.line(Phase::Event, what, self.version)
    }

    fn intent(&mut self, what: &str) -> Line<'_> {
        self.line(Phase::Intent, what, self.version)
    }

    fn outcome(&mut self, what: &str, of: Version) -> Line<'_> {
        self.line(Phase::Outcome, what, of)
    }

    fn line(&mut self, phase: Phase, what: &str, version: Version) -> Line<'_> {
        self.records.push(Record::new(self.now, &self.before.id, version, phase, what));
        Line(self.records.last_mut())
    }
}

/// The record that was just written, to add to.
struct Line<'a>(Option<&'a mut Record>);

impl Line<'_> {
    fn with_fact(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        if let Some(record) = self.0.as_mut() {
            record.facts.insert(key.to_owned(), value.to_string());
        }
        self
    }

    fn with_fact_if(self, key: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with_fact(key, value),
            None => self,
        }
    }

    fn by(mut self, person: impl Into<Option<PersonId>>) {
        if let Some(record) = self.0.as_mut() {
            record.by = person.into();
        }
    }
}

impl Ending {
    /// Its name in the ledger, and what the requester is told of it.
    fn story(&self) -> (&'static str, News) {
        match self {
            Self::Used => ("request.used", News::Over),
            Self::Expired => ("request.expired", News::Over),
            Self::Revoked(_) => ("request.revoked", News::Over),
            Self::Refused(_) => ("request.refused", News::Refused),
            Self::Denied(_) => ("request.denied", News::Denied),
            Self::Mismatched(_) => ("request.mismatched", News::Mismatched),
            Self::SetAside(_) => ("request.set_aside.closed", News::Over),
            Self::Cancelled => ("request.cancelled", News::Over),
            Self::Withdrawn(_) => ("request.withdrawn", News::Denied),
            Self::LapsedUndecided => ("request.lapsed.undecided", News::Lapsed),
            Self::LapsedUnclaimed => ("request.lapsed.unclaimed", News::Lapsed),
            Self::Locked => ("request.locked", News::Locked),
            Self::Reported => ("request.reported.closed", News::Reported),
            Self::Doubted { seems, .. } => (
                "request.doubted.closed",
                match seems {
                    Seeming::Denied | Seeming::Withdrawn => News::Denied,
                    Seeming::Revoked => News::Over,
                },
            ),
        }
    }
}

impl Request {
    fn grant_mut(&mut self) -> Option<&mut Grant> {
        match &mut self.state {
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
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
