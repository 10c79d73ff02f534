//! How is a request asked about and decided?

use super::{Applied, Draft, later};
use crate::caution::Caution;
use crate::ids::{PersonId, SourceName};
use crate::policy::{Route, assign};
use crate::request::{
    Approval, Candidate, Case, Ending, Grant, Past, Posted, Reason, Refusal, State, TICKET_TIMES, Ticket,
    ToldRequester,
};
use crate::task::{News, Task};
use jiff::Timestamp;

impl Draft<'_> {
    pub(super) fn facts_arrived(&mut self, case: Case) -> Applied {
        let State::Received = self.before.state else { return Err(Refusal::Moot) };
        // Whoever visits has proved nothing yet: it takes an approver who was told the number.
        if self.before.requester.is_visitor() && (case.slots.is_empty() || case.matching.is_none()) {
            return self.facts_forbid(Reason::NoRule);
        }
        let minutes = case.terms.wish.lifetime.as_secs() / 60;
        let sourced = self.before.requester.sourced();
        let stated = sourced.and_then(|sourced| sourced.requested_by.as_ref()).map(|_| case.requester.id);
        // Who visits is not known, nor is who stands behind a source: nobody's name stands for it.
        let by = self.before.requester.account().map(|_| case.requester.id);
        let mut line = self
            .event("request.checked")
            .with_fact("rule", &case.rule)
            .with_fact("subject", case.subject.id)
            .with_fact("approvals", case.slots.len())
            .with_fact("lifetime_minutes", minutes)
            .with_fact_if("ticket_number", case.ticket_number.as_ref())
            .with_fact_if("stated_requester", stated);
        if !case.cautions.is_empty() {
            let names: Vec<String> = case.cautions.iter().map(Caution::ledger_words).collect();
            line = line.with_fact("cautions", names.join(", "));
        }
        line.by(by);
        self.task(self.now, Task::RaiseAlarms);
        if case.slots.is_empty() {
            self.grant(case, Vec::new());
            return Ok(());
        }
        let expires_at = later(self.now, case.terms.approval_expires);
        // First: who is said to have approved reads that, and is not asked.
        for statement in self.before.unweighed() {
            self.task(self.now, Task::Weigh { statement });
        }
        for candidate in &case.approvers {
            self.task(self.now, Task::Prompt { approver: candidate.human.id });
        }
        self.tell_requester(News::Checked);
        if let Some(after) = case.terms.escalate_after {
            self.task(later(self.now, after), Task::Escalate);
        }
        self.task(expires_at, Task::LapseApproval);
        self.next.state = State::AwaitingApproval { case: Box::new(case), approvals: Vec::new(), expires_at };
        Ok(())
    }

    pub(super) fn facts_forbid(&mut self, reason: Reason) -> Applied {
        let State::Received = self.before.state else { return Err(Refusal::Moot) };
        self.end(Ending::Refused(reason), Past::Nothing);
        Ok(())
    }

    pub(super) fn prompted(&mut self, posted: Posted) -> Applied {
        let known = self.next.posted.iter().any(|old| old.message == posted.message);
        if known {
            return Err(Refusal::Moot);
        }
        self.event("approver.asked").by(posted.approver);
        let is_first = self.next.posted.iter().all(|old| old.approver != posted.approver);
        let approver = posted.approver;
        self.next.posted.push(posted);
        if !is_first {
            self.task(self.now, Task::RetireCopies { approver });
        }
        // The card may have been decided while it was on its way.
        if !matches!(self.before.state, State::AwaitingApproval { .. }) {
            self.task(self.now, Task::Refresh);
        }
        self.plan_reminder(approver);
        Ok(())
    }

    /// Something may have come of the request while the message was on its way.
    pub(super) fn requester_told(&mut self, told: ToldRequester) -> Applied {
        if self.next.told.iter().any(|known| known.message == told.message) {
            return Err(Refusal::Moot);
        }
        if told.outcome != self.before.outcome() {
            self.task(self.now, Task::RetireNews);
        }
        self.next.told.push(told);
        Ok(())
    }

    pub(super) fn approve(&mut self, by: PersonId) -> Applied {
        let (case, _, _) = self.undecided(by)?;
        if case.matching.is_some() {
            return Err(Refusal::NumberWanted);
        }
        self.give(by, "button", None)
    }

    /// One more approval; `proof` says how the approver gave it, or whose word for it there is.
    pub(super) fn give(&mut self, by: PersonId, proof: &str, stated_by: Option<SourceName>) -> Applied {
        let (case, mut approvals, expires_at) = self.undecided(by)?;
        if approvals.iter().any(|approval| approval.by.id == by) {
            return Err(Refusal::AlreadyApproved);
        }
        let candidate = case.candidate(by).ok_or(Refusal::NotAnApprover)?;
        if approvals.iter().any(|approval| approval.counts_for() == candidate.gives()) {
            return Err(Refusal::GivenAlready);
        }
        self.decision("approval.given", candidate, Some(proof));
        self.task(self.now, Task::RaiseAlarms);
        let stands_for = candidate.stands_for().cloned();
        approvals.push(Approval { by: candidate.human.clone(), stands_for, at: self.now, stated_by });
        let people: Vec<PersonId> = approvals.iter().map(Approval::counts_for).collect();
        if assign(&case.slots, &people).is_some() {
            self.grant(*case, approvals);
        } else {
            self.next.state = State::AwaitingApproval { case, approvals, expires_at };
        }
        Ok(())
    }

    pub(super) fn deny(&mut self, by: PersonId) -> Applied {
        let (case, _, _) = self.undecided(by)?;
        let candidate = case.candidate(by).ok_or(Refusal::NotAnApprover)?.clone();
        self.decision("denial.given", &candidate, None);
        self.end(Ending::Denied(candidate.human), Past::Asked(case));
        Ok(())
    }

    /// Writes down who decided, in whose stead, and how they proved it.
    pub(super) fn decision(&mut self, what: &str, candidate: &Candidate, proof: Option<&str>) {
        let mut line = self.event(what);
        if let Some(proof) = proof {
            line = line.with_fact("proof", proof);
        }
        if let Some(delegator) = candidate.stands_for() {
            line = line.with_fact("stands_for", delegator.id);
        }
        line.by(candidate.human.id);
    }

    /// The facts of a request that still waits for decisions, if `by` may decide.
    pub(super) fn undecided(&self, by: PersonId) -> Result<(Box<Case>, Vec<Approval>, Timestamp), Refusal> {
        let case = self.before.case().ok_or(Refusal::Moot)?;
        // Separation of people holds by construction of the case; a case that broke it must still not pass.
        let candidate = case.candidate(by).ok_or(Refusal::NotAnApprover)?;
        let involved = [case.requester.id, case.subject.id];
        if [by, candidate.gives()].iter().any(|person| involved.contains(person)) {
            return Err(Refusal::NotAnApprover);
        }
        match &self.before.state {
            State::AwaitingApproval { expires_at, .. } if self.now >= *expires_at => Err(Refusal::TooLate),
            State::AwaitingApproval { case, approvals, expires_at } => {
                Ok((case.clone(), approvals.clone(), *expires_at))
            }
            State::Closed { .. } => Err(Refusal::Over),
            State::Received => Err(Refusal::Moot),
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => Err(Refusal::AlreadyDecided),
        }
    }

    pub(super) fn approval_time_over(&mut self) -> Applied {
        let State::AwaitingApproval { case, expires_at, .. } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        if self.now < expires_at {
            self.not_yet(expires_at, Task::LapseApproval);
            return Ok(());
        }
        self.end(Ending::LapsedUndecided, Past::Asked(case));
        Ok(())
    }

    pub(super) fn grant(&mut self, case: Case, approvals: Vec<Approval>) {
        let expires_at = later(self.now, case.terms.ticket_expires);
        self.event("request.approved").with_fact("approvals", approvals.len());
        self.task(self.now, Task::SendCode);
        if !case.terms.pin_routes.contains(&Route::Approver) {
            self.task(self.now, Task::SendPin);
        }
        self.task(expires_at, Task::LapseTicket);
        self.tell_requester(News::Approved);
        let ticket = Ticket {
            generation: 0,
            code: None,
            failed_routes: Vec::new(),
            pin: None,
            wrong: 0,
            resends: 0,
            expires_at,
            ends_at: later(self.now, case.terms.ticket_expires.saturating_mul(TICKET_TIMES)),
        };
        let grant = Grant {
            case,
            approvals,
            ticket,
            loose: Vec::new(),
            attempts: 0,
            issuing_since: None,
            fate: None,
            notice: None,
            look: None,
        };
        self.next.state = State::Approved(Box::new(grant));
    }
}
