//! How does the ticket come into force, and what voids it?

use super::{Applied, Draft, later};
use crate::ids::PersonId;
use crate::policy::Route;
use crate::ports::PIN_TRIES;
use crate::request::{
    CodeHalf, Delivery, Ending, Goal, Grant, Past, PinHalf, Progress, Reason, Refusal, State,
};
use crate::task::{Audience, News, Task};
use crate::ticket::{CodeHash, PinHash};

impl Draft<'_> {
    pub(super) fn code_minted(&mut self, hash: CodeHash, route: Route) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        if grant.ticket.code.as_ref().is_some_and(|code| code.sent) {
            return Err(Refusal::Moot);
        }
        grant.ticket.generation += 1;
        grant.ticket.code = Some(CodeHalf { hash, route, sent: false, delivery: None });
        self.event("ticket.code.minted")
            .with_fact("route", route)
            .with_fact("generation", grant.ticket.generation);
        self.fresh_tries = true;
        self.next.state = State::Approved(grant);
        Ok(())
    }

    pub(super) fn code_sent(&mut self, hash: &CodeHash, receipt: &str) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        let code = grant.ticket.code.as_mut().filter(|code| code.hash == *hash && !code.sent);
        let code = code.ok_or(Refusal::Moot)?;
        code.sent = true;
        let route = code.route;
        // The provider may have said more of it already.
        let accepted = Delivery { progress: Progress::Accepted, at: self.now };
        let delivery = *code.delivery.get_or_insert(accepted);
        let to = grant.case.contact(route).map(|contact| contact.masked.clone());
        self.event("ticket.code.sent")
            .with_fact("route", route)
            .with_fact_if("to", to)
            .with_fact("receipt", receipt);
        if delivery.progress != Progress::Failed {
            self.tell_requester(News::CodeSent);
        }
        self.open_claim_if_ready(grant);
        Ok(())
    }

    pub(super) fn code_undeliverable(&mut self, route: Route) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        if !grant.ticket.failed_routes.contains(&route) {
            grant.ticket.failed_routes.push(route);
        }
        self.event("ticket.code.undeliverable").with_fact("route", route);
        if grant.next_code_route().is_some() {
            self.task(self.now, Task::SendCode);
            self.next.state = State::Approved(grant);
        } else {
            self.end(Ending::Refused(Reason::Undeliverable), Past::Granted(grant));
        }
        Ok(())
    }

    pub(super) fn pin_minted(&mut self, hash: &PinHash, by: Option<PersonId>) -> Applied {
        let may =
            |grant: &Grant| by.is_none() || grant.pin_keeper().is_some_and(|keeper| Some(keeper.id) == by);
        let refused = |grant: &Grant, why| if may(grant) { Err(why) } else { Err(Refusal::NotAnApprover) };
        let half = |sent| Some(PinHalf { hash: hash.clone(), sent });
        match self.before.state.clone() {
            State::Approved(mut grant) if may(&grant) => {
                grant.ticket.pin = half(false);
                self.next.state = State::Approved(grant);
            }
            State::ClaimOpen(mut grant) if may(&grant) => {
                grant.ticket.pin = half(true);
                self.next.state = State::ClaimOpen(grant);
            }
            State::Received | State::AwaitingApproval { .. } => return Err(Refusal::Moot),
            State::Approved(grant) | State::ClaimOpen(grant) => return refused(&grant, Refusal::Moot),
            State::Issuing { grant, .. }
            | State::Unsettled { grant, .. }
            | State::Issued { grant, .. }
            | State::Shown { grant, .. }
            | State::Revoking { grant, .. } => return refused(&grant, Refusal::TooLate),
            State::Closed { .. } => return Err(Refusal::Over),
        }
        let line = self.event("ticket.pin.minted");
        if let Some(by) = by {
            line.by(by);
        }
        Ok(())
    }

    pub(super) fn pin_sent(&mut self, hash: &PinHash, route: Route) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        let pin =
            grant.ticket.pin.as_mut().filter(|pin| pin.hash == *hash && !pin.sent).ok_or(Refusal::Moot)?;
        pin.sent = true;
        let to = grant.case.contact(route).map(|contact| contact.masked.clone());
        self.event("ticket.pin.sent").with_fact("route", route).with_fact_if("to", to);
        self.open_claim_if_ready(grant);
        Ok(())
    }

    pub(super) fn open_claim_if_ready(&mut self, mut grant: Box<Grant>) {
        let sent = |half: Option<bool>| half == Some(true);
        let ready = sent(grant.ticket.code.as_ref().map(|code| code.sent))
            && sent(grant.ticket.pin.as_ref().map(|pin| pin.sent));
        if !ready {
            self.next.state = State::Approved(grant);
            return;
        }
        let expires_at = later(self.now, grant.case.terms.ticket_expires);
        grant.ticket.expires_at = expires_at.min(grant.ticket.ends_at);
        self.task(grant.ticket.expires_at, Task::LapseTicket);
        self.event("ticket.open");
        self.next.state = State::ClaimOpen(grant);
    }

    pub(super) fn undeliverable(&mut self) -> Applied {
        let State::Approved(grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.end(Ending::Refused(Reason::Undeliverable), Past::Granted(grant));
        Ok(())
    }

    pub(super) fn contact_changed(&mut self) -> Applied {
        let State::Approved(grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.tell(Audience::Security, News::Refused);
        self.end(Ending::Refused(Reason::ContactChanged), Past::Granted(grant));
        Ok(())
    }

    pub(super) fn ticket_time_over(&mut self) -> Applied {
        let (State::Approved(grant) | State::ClaimOpen(grant)) = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        if self.now < grant.ticket.expires_at {
            self.not_yet(grant.ticket.expires_at, Task::LapseTicket);
            return Ok(());
        }
        self.end(Ending::LapsedUnclaimed, Past::Granted(grant));
        Ok(())
    }

    pub(super) fn wrong_pin(&mut self) -> Applied {
        match self.before.state.clone() {
            State::ClaimOpen(mut grant) => {
                grant.ticket.wrong += 1;
                self.event("ticket.pin.wrong").with_fact("wrong", grant.ticket.wrong);
                if grant.ticket.wrong >= PIN_TRIES {
                    self.lock(grant);
                } else {
                    self.next.state = State::ClaimOpen(grant);
                }
                Ok(())
            }
            State::Issued { mut grant, pass } => {
                grant.ticket.wrong += 1;
                self.event("ticket.pin.wrong").with_fact("wrong", grant.ticket.wrong);
                if grant.ticket.wrong >= PIN_TRIES {
                    self.tell_locked(&grant);
                    self.delete(grant, pass.id, Goal::End(Ending::Locked));
                } else {
                    self.next.state = State::Issued { grant, pass };
                }
                Ok(())
            }
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => Err(Refusal::Moot),
            State::Closed { .. } => Err(Refusal::Over),
        }
    }

    pub(super) fn tries_exhausted(&mut self) -> Applied {
        let State::ClaimOpen(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        grant.ticket.wrong = PIN_TRIES;
        self.lock(grant);
        Ok(())
    }

    pub(super) fn lock(&mut self, grant: Box<Grant>) {
        self.tell_locked(&grant);
        self.end(Ending::Locked, Past::Granted(grant));
    }

    /// Approvers and security; the requester is told by the ending.
    pub(super) fn tell_locked(&mut self, grant: &Grant) {
        for approval in &grant.approvals {
            self.tell(Audience::Approver(approval.by.id), News::Locked);
        }
        self.tell(Audience::Security, News::Locked);
    }
}
