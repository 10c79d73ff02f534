//! What follows from what a provider says became of a message?
//!
//! Reports come late, repeated and in any order: only one that says more than the last one counts.

use super::{Applied, Draft};
use crate::request::{Delivery, Grant, Progress, Refusal, State};
use crate::task::{News, Task};

impl Draft<'_> {
    pub(super) fn receipt(&mut self, generation: u32, progress: Progress) -> Applied {
        let now = self.now;
        let grant = self.next.grant_mut().ok_or(Refusal::Moot)?;
        let is_current = grant.ticket.generation == generation;
        let code = grant.ticket.code.as_mut().filter(|_| is_current).ok_or(Refusal::Moot)?;
        if code.delivery.is_some_and(|delivery| delivery.progress >= progress) {
            return Err(Refusal::Moot);
        }
        code.delivery = Some(Delivery { progress, at: now });
        let route = code.route;
        self.event("ticket.code.delivery")
            .with_fact("route", route)
            .with_fact("generation", generation)
            .with_fact("progress", progress.name());
        if let (Progress::Failed, State::Approved(grant) | State::ClaimOpen(grant)) =
            (progress, self.next.state.clone())
        {
            self.not_delivered(grant);
        }
        Ok(())
    }

    /// Goes on by the next route, as if the courier had refused the message; where there is none, people are asked to
    /// do something. A code that was proved has arrived, whatever is said of its message.
    fn not_delivered(&mut self, mut grant: Box<Grant>) {
        if grant.attempts > 0 {
            return;
        }
        self.tell_requester(News::CodeNotDelivered);
        let Some(route) = grant.ticket.code.as_ref().map(|code| code.route) else { return };
        if !grant.has_code_route_beside(route) {
            return;
        }
        grant.ticket.failed_routes.push(route);
        grant.ticket.code = None;
        self.task(self.now, Task::SendCode);
        self.next.state = State::Approved(grant);
    }
}
