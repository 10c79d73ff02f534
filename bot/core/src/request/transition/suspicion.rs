//! What follows when somebody says that a request is not what it seems?

use jiff::Timestamp;

use super::{Applied, Draft, later};
use crate::alarm::Alarm;
use crate::ids::PersonId;
use crate::people::Human;
use crate::request::{Doubt, Ending, Goal, Past, REPORT_OUTLIVES, Refusal, Seeming, State};
use crate::task::{Audience, News, Task};
use crate::words;

impl Draft<'_> {
    /// Freezes the request for good. Whoever asked hears no more than had the approver changed their mind, since they may
    /// be the attacker.
    pub(super) fn looks_wrong(&mut self, by: PersonId, line: String, pseudonym: &str) -> Applied {
        let human = self.who_may_doubt(by)?;
        self.event("request.doubted").with_fact("line", pseudonym).by(by);
        self.freeze(&human, line)
    }

    /// Whoever a source names did not approve: nothing goes on, however far it came, and a week after a pass was used
    /// its sessions still end.
    pub(super) fn disown(&mut self, by: PersonId) -> Applied {
        let approval = self.before.stated_approval(by).ok_or(Refusal::NotAnApprover)?.clone();
        if let Some(Ending::Reported | Ending::Doubted { .. }) = self.before.ending() {
            return Err(Refusal::Over);
        }
        let is_late = |at: Timestamp| self.now >= later(at, REPORT_OUTLIVES);
        if self.before.closed_at().is_some_and(is_late) {
            return Err(Refusal::TooLate);
        }
        let source = approval.stated_by.as_ref().map(ToString::to_string).unwrap_or_default();
        self.event("approval.disowned").with_fact("stated_by", &source).by(by);
        self.freeze(&approval.by, words::disowned_line(&source))
    }

    /// Ends the request for good because of what `human` says.
    fn freeze(&mut self, human: &Human, line: String) -> Applied {
        let by = human.id;
        let as_it_seems = |seems| Ending::Doubted { by: human.clone(), seems };
        let revoked = Goal::End(as_it_seems(Seeming::Revoked));
        self.next.doubt = Some(Doubt { by: human.clone(), line });
        self.tell(Audience::Security, News::Doubted);
        match self.before.state.clone() {
            State::Received => return Err(Refusal::Moot),
            State::AwaitingApproval { case, .. } => self.end(as_it_seems(Seeming::Denied), Past::Asked(case)),
            State::Approved(grant) | State::ClaimOpen(grant) => {
                self.end(as_it_seems(Seeming::Withdrawn), Past::Granted(grant));
            }
            State::Issuing { grant, attempt } => self.unsettle(grant, attempt, revoked),
            State::Unsettled { grant, .. } => self.next.state = State::Unsettled { grant, goal: revoked },
            State::Issued { grant, pass } | State::Shown { grant, pass, .. } => {
                self.delete(grant, pass.id, revoked);
            }
            State::Revoking { grant, pass, intent, .. } => {
                self.next.state = State::Revoking { grant, pass, intent, goal: revoked };
            }
            State::Closed { past, .. } => self.end(as_it_seems(Seeming::Revoked), past),
        }
        for candidate in self.before.case().map(|case| case.approvers.clone()).unwrap_or_default() {
            let id = candidate.human.id;
            if id != by && self.before.has_approved(id) {
                self.tell(Audience::Approver(id), News::Doubted);
            }
        }
        self.look_after_the_account();
        Ok(())
    }

    /// Security hears of each kind once; the request goes on as it is.
    pub(super) fn alarmed(&mut self, alarms: Vec<Alarm>) -> Applied {
        for alarm in alarms {
            let kind = alarm.kind();
            if self.next.alarms.iter().all(|rung| rung.kind() != kind) {
                self.next.alarms.push(alarm);
                self.event("alarm.raised").with_fact("kind", kind.name());
                self.tell(Audience::Security, News::Alarm(kind));
            }
        }
        if self.records.is_empty() { Err(Refusal::Moot) } else { Ok(()) }
    }

    /// Once a pass may have been made, somebody else may be signed in with it and may have made themselves at home.
    pub(super) fn look_after_the_account(&mut self) {
        if let Some(since) = self.before.grant().and_then(|grant| grant.issuing_since) {
            self.intent("sessions.revoke");
            self.task(self.now, Task::RevokeSessions);
            self.task(self.now, Task::ListMethods { since });
        }
    }

    /// Whoever is asked, until it is decided; then those who approved.
    fn who_may_doubt(&self, by: PersonId) -> Result<Human, Refusal> {
        let case = self.before.case().ok_or(Refusal::Moot)?;
        let human = case.candidate(by).ok_or(Refusal::NotAnApprover)?.human.clone();
        if self.before.ending().is_some() {
            return Err(Refusal::Over);
        }
        let is_undecided = self.before.grant().is_none();
        if is_undecided || self.before.has_approved(by) { Ok(human) } else { Err(Refusal::AlreadyDecided) }
    }
}
