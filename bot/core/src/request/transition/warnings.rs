//! What do warnings and changes of mind lead to?

use super::{Applied, Draft};
use crate::ids::PersonId;
use crate::request::{Approval, Ending, Goal, Notice, Past, REPORT_TRIES, Refusal, State, Told};
use crate::task::{Audience, News, Task};

impl Draft<'_> {
    pub(super) fn pin_proved(&mut self) -> Applied {
        let grant = self.next.grant_mut().ok_or(Refusal::Moot)?;
        grant.ticket.wrong = 0;
        self.fresh_tries = true;
        Ok(())
    }

    pub(super) fn owner_told(&mut self, attempt: u32, told: Told) -> Applied {
        let notice = self.next.grant_mut().and_then(|grant| grant.notice.as_mut()).ok_or(Refusal::Moot)?;
        notice.told = Some((attempt, told));
        self.event("owner.told").with_fact("what", format!("{told:?}"));
        Ok(())
    }

    pub(super) fn notice_minted(&mut self, mut notice: Notice) -> Applied {
        let grant = self.next.grant_mut().ok_or(Refusal::Moot)?;
        // One link for all notices on a request: a later one gives neither new tries nor less time.
        if let Some(earlier) = grant.notice.as_ref().filter(|earlier| earlier.token.is(&notice.token)) {
            notice.wrong = earlier.wrong;
            notice.expires_at = notice.expires_at.max(earlier.expires_at);
        }
        grant.notice = Some(notice);
        self.event("owner.notice.minted");
        Ok(())
    }

    pub(super) fn wrong_number(&mut self) -> Applied {
        let now = self.now;
        let notice = self.next.grant_mut().and_then(|grant| grant.notice.as_mut()).ok_or(Refusal::Moot)?;
        if notice.wrong >= REPORT_TRIES || now >= notice.expires_at {
            return Err(Refusal::TooLate);
        }
        notice.wrong += 1;
        self.event("report.wrong_number");
        Ok(())
    }

    pub(super) fn report(&mut self) -> Applied {
        let reported = Goal::End(Ending::Reported);
        match self.before.state.clone() {
            State::Received | State::AwaitingApproval { .. } => return Err(Refusal::Moot),
            State::Unsettled { ref goal, .. } | State::Revoking { ref goal, .. } if *goal == reported => {
                return Err(Refusal::Over);
            }
            State::Closed { ending: Ending::Reported, .. }
            | State::Closed { past: Past::Nothing | Past::Asked(_), .. } => return Err(Refusal::Over),
            State::Approved(grant)
            | State::ClaimOpen(grant)
            | State::Closed { past: Past::Granted(grant), .. } => {
                self.end(Ending::Reported, Past::Granted(grant));
            }
            State::Issuing { grant, attempt } => self.unsettle(grant, attempt, reported),
            State::Unsettled { grant, .. } => self.next.state = State::Unsettled { grant, goal: reported },
            State::Issued { grant, pass } | State::Shown { grant, pass, .. } => {
                self.delete(grant, pass.id, reported);
            }
            State::Revoking { grant, pass, intent, .. } => {
                self.next.state = State::Revoking { grant, pass, intent, goal: reported };
            }
        }
        self.event("request.reported");
        self.tell(Audience::Security, News::Reported);
        for approval in self.before.grant().map(|grant| grant.approvals.clone()).unwrap_or_default() {
            self.tell(Audience::Approver(approval.by.id), News::Reported);
        }
        if self.before.grant().is_some_and(|grant| grant.attempts > 0) {
            self.intent("sessions.revoke");
            self.task(self.now, Task::RevokeSessions);
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, by: PersonId) -> Applied {
        // Who asked is known by object id once the facts are in, a moment later.
        let case = self.before.case().ok_or(Refusal::Moot)?;
        if case.requester.id != by {
            return Err(Refusal::NotTheRequester);
        }
        self.stop(Ending::Cancelled, by)
    }

    pub(super) fn withdraw(&mut self, by: PersonId) -> Applied {
        let approved =
            |approvals: &[Approval]| approvals.iter().find(|a| a.by.id == by).map(|a| a.by.clone());
        let human = match &self.before.state {
            State::AwaitingApproval { approvals, .. } => approved(approvals),
            State::Received => None,
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => self.before.grant().and_then(|grant| approved(&grant.approvals)),
        };
        let human = human.ok_or(Refusal::NotAnApprover)?;
        match self.before.state {
            State::AwaitingApproval { .. } | State::Approved(_) | State::ClaimOpen(_) => {
                self.stop(Ending::Withdrawn(human), by)
            }
            State::Received
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => Err(Refusal::TooLate),
            State::Closed { .. } => Err(Refusal::Over),
        }
    }

    /// Ends a request that has no pass yet.
    pub(super) fn stop(&mut self, ending: Ending, by: PersonId) -> Applied {
        self.event("request.stopped").by(by);
        match self.before.state.clone() {
            State::Received => return Err(Refusal::Moot),
            State::AwaitingApproval { case, .. } => self.end(ending, Past::Asked(case)),
            State::Approved(grant) | State::ClaimOpen(grant) => self.end(ending, Past::Granted(grant)),
            State::Issuing { grant, attempt } => self.unsettle(grant, attempt, Goal::End(ending)),
            State::Unsettled { grant, goal: Goal::Reopen } => {
                self.next.state = State::Unsettled { grant, goal: Goal::End(ending) };
            }
            State::Revoking { grant, pass, intent, goal: Goal::Reopen } => {
                self.next.state = State::Revoking { grant, pass, intent, goal: Goal::End(ending) };
            }
            State::Issued { .. } | State::Shown { .. } => return Err(Refusal::TooLate),
            State::Unsettled { .. } | State::Revoking { .. } | State::Closed { .. } => {
                return Err(Refusal::Over);
            }
        }
        Ok(())
    }

    pub(super) fn revoke(&mut self, by: PersonId) -> Applied {
        let end = Goal::End(Ending::Revoked);
        match self.before.state.clone() {
            State::Issued { grant, pass } | State::Shown { grant, pass, .. } => {
                self.delete(grant, pass.id, end);
            }
            State::Issuing { grant, attempt } => self.unsettle(grant, attempt, end),
            State::Unsettled { grant, goal: Goal::Reopen } => {
                self.next.state = State::Unsettled { grant, goal: end }
            }
            State::Revoking { grant, pass, intent, goal: Goal::Reopen } => {
                self.next.state = State::Revoking { grant, pass, intent, goal: end };
            }
            State::Received | State::AwaitingApproval { .. } | State::Approved(_) | State::ClaimOpen(_) => {
                return Err(Refusal::Moot);
            }
            State::Unsettled { .. } | State::Revoking { .. } | State::Closed { .. } => {
                return Err(Refusal::Over);
            }
        }
        self.event("pass.revoked").by(by);
        self.intent("sessions.revoke");
        self.task(self.now, Task::RevokeSessions);
        Ok(())
    }
}
