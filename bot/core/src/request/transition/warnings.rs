//! What do warnings lead to?

use super::{Applied, Draft};
use crate::request::{Ending, Goal, Notice, Past, REPORT_TRIES, Refusal, State, Told};
use crate::task::{Audience, News};

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
        self.look_after_the_account();
        Ok(())
    }
}
