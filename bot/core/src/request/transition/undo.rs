//! What do changes of mind lead to? Cancelled, sent again, withdrawn, revoked.

use super::{Applied, Draft, later};
use crate::ids::PersonId;
use crate::people::Human;
use crate::policy::Route;
use crate::request::{Approval, Caller, Ending, Goal, Past, REPORT_OUTLIVES, RESENDS, Refusal, State};
use crate::task::{Audience, News, Task};

impl Draft<'_> {
    pub(super) fn cancel(&mut self, by: &Caller) -> Applied {
        if !self.before.is_asked_by(by) {
            return Err(Refusal::NotTheRequester);
        }
        // Who asked is known by object id once the facts are in, a moment later.
        let person = self.before.case().map(|case| case.requester.id);
        self.stopped_by(person, "requester");
        self.stop(Ending::Cancelled)
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
                self.stopped_by(Some(by), "approver");
                self.stop(Ending::Withdrawn(human))
            }
            State::Received
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => Err(Refusal::Claimed),
            State::Closed { .. } => Err(Refusal::Over),
        }
    }

    /// Who ends it, and by which right.
    fn stopped_by(&mut self, who: Option<PersonId>, right: &str) {
        let line = self.event("request.stopped").with_fact("as", right);
        if let Some(who) = who {
            line.by(who);
        }
    }

    /// Ends a request that has no pass yet.
    pub(super) fn stop(&mut self, ending: Ending) -> Applied {
        match self.before.state.clone() {
            State::Received => self.end(ending, Past::Nothing),
            State::AwaitingApproval { case, .. } => self.end(ending, Past::Asked(case)),
            State::Approved(grant) | State::ClaimOpen(grant) => self.end(ending, Past::Granted(grant)),
            State::Issuing { grant, attempt } => {
                self.unsettle(grant, attempt, Goal::End(ending));
            }
            State::Unsettled { goal: Goal::Reopen, .. } | State::Revoking { goal: Goal::Reopen, .. } => {
                self.aim(ending);
            }
            State::Issued { .. } | State::Shown { .. } => return Err(Refusal::Claimed),
            State::Unsettled { .. } | State::Revoking { .. } | State::Closed { .. } => {
                return Err(Refusal::Over);
            }
        }
        Ok(())
    }

    /// A pass that is being looked for or deleted: the request ends like this once that is done.
    fn aim(&mut self, ending: Ending) {
        if let State::Unsettled { goal, .. } | State::Revoking { goal, .. } = &mut self.next.state {
            *goal = Goal::End(ending);
        }
    }

    /// A new code and a new PIN, by the routes in their order. Wrong PINs stay counted, so that sending again gives
    /// nobody new tries.
    pub(super) fn resend(&mut self, by: &Caller) -> Applied {
        if !self.before.is_asked_by(by) {
            return Err(Refusal::NotTheRequester);
        }
        let mut grant = match self.before.state.clone() {
            State::Approved(grant) | State::ClaimOpen(grant) => grant,
            State::Received | State::AwaitingApproval { .. } => return Err(Refusal::Waiting),
            State::Issued { .. } | State::Shown { .. } => return Err(Refusal::AlreadyOpened),
            State::Issuing { .. }
            | State::Unsettled { goal: Goal::Reopen, .. }
            | State::Revoking { goal: Goal::Reopen, .. } => return Err(Refusal::InHand),
            State::Unsettled { goal: Goal::End(_), .. }
            | State::Revoking { goal: Goal::End(_), .. }
            | State::Closed { .. } => return Err(Refusal::Over),
        };
        let ticket = &mut grant.ticket;
        if self.now >= ticket.expires_at {
            return Err(Refusal::TooLate);
        }
        if ticket.resends >= RESENDS {
            return Err(Refusal::SentEnough);
        }
        // A code that no courier took yet is still being sent.
        if !ticket.code.as_ref().is_some_and(|code| code.sent) {
            return Err(Refusal::Waiting);
        }
        ticket.resends += 1;
        ticket.code = None;
        ticket.failed_routes.clear();
        ticket.pin = None;
        ticket.expires_at = later(self.now, grant.case.terms.ticket_expires).min(ticket.ends_at);
        let (resends, expires_at) = (ticket.resends, ticket.expires_at);
        self.event("ticket.resent").with_fact("times", resends).by(grant.case.requester.id);
        self.task(self.now, Task::SendCode);
        if !grant.case.terms.pin_routes.contains(&Route::Approver) {
            self.task(self.now, Task::SendPin);
        } else if let Some(keeper) = grant.pin_keeper() {
            self.tell(Audience::Approver(keeper.id), News::Resent);
        }
        self.task(expires_at, Task::LapseTicket);
        self.next.state = State::Approved(grant);
        Ok(())
    }

    /// Requester and approvers may.
    pub(super) fn revoke(&mut self, by: &Caller) -> Applied {
        let human = self.before.may_revoke(by).ok_or(Refusal::NotAnApprover)?;
        let right = if self.before.is_asked_by(by) { "requester" } else { "approver" };
        self.take_back(&human, right)
    }

    /// Somebody entitled takes the pass back, or what would have become one.
    pub(super) fn take_back(&mut self, by: &Human, right: &str) -> Applied {
        self.revocable()?;
        self.stopped_by(Some(by.id), right);
        let ending = Ending::Revoked(by.clone());
        match self.before.state.clone() {
            State::Received => return Err(Refusal::Moot),
            State::AwaitingApproval { case, .. } => self.end(ending, Past::Asked(case)),
            State::Approved(grant) | State::ClaimOpen(grant) => self.end(ending, Past::Granted(grant)),
            State::Issuing { grant, attempt } => {
                self.unsettle(grant, attempt, Goal::End(ending));
            }
            State::Unsettled { .. } | State::Revoking { .. } => self.aim(ending),
            State::Issued { grant, pass } | State::Shown { grant, pass, .. } => {
                self.delete(grant, pass.id, Goal::End(ending));
            }
            State::Closed { past, .. } => self.end(ending, past),
        }
        let Some(grant) = self.before.grant() else { return Ok(()) };
        for approval in grant.approvals.iter().filter(|approval| approval.by.id != by.id) {
            self.tell(Audience::Approver(approval.by.id), News::Revoked);
        }
        if grant.attempts > 0 {
            self.intent("sessions.revoke");
            self.task(self.now, Task::RevokeSessions);
        }
        Ok(())
    }

    /// Whether there is anything to take back: what may become a pass, is one, or was one so lately that somebody may
    /// still be signed in with it.
    fn revocable(&self) -> Applied {
        match &self.before.state {
            State::Received => Err(Refusal::Moot),
            State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Issued { .. }
            | State::Shown { .. } => Ok(()),
            State::Unsettled { goal, .. } | State::Revoking { goal, .. } => match goal {
                Goal::End(Ending::Revoked(_) | Ending::Reported | Ending::Doubted { .. }) => {
                    Err(Refusal::Over)
                }
                Goal::Reopen | Goal::End(_) => Ok(()),
            },
            State::Closed { ending: Ending::Used | Ending::Expired, at, .. }
                if self.now < later(*at, REPORT_OUTLIVES) =>
            {
                Ok(())
            }
            State::Closed { .. } => Err(Refusal::Over),
        }
    }
}
