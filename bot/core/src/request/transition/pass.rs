//! How is a pass made, shown, and taken away again?

use std::time::Duration;

use jiff::Timestamp;

use super::{Applied, Draft, later};
use crate::ids::PassId;
use crate::ports::Decline;
use crate::request::{
    Attempt, Claim, Ending, Goal, Grant, Loose, Made, Past, RETRY_WINDOW, Reason, Refusal, SETTLE_AFTER,
    SWEEPS, State, Told, UNSEEN_AFTER, WATCH_EVERY,
};
use crate::task::{Audience, News, Task};
use crate::ticket::TokenHash;

impl Draft<'_> {
    pub(super) fn claim(&mut self, claim: Claim) -> Applied {
        let now = self.now;
        match self.before.state.clone() {
            State::Received | State::AwaitingApproval { .. } => Err(Refusal::Moot),
            State::Approved(_) => Err(Refusal::Waiting),
            State::ClaimOpen(grant) if now >= grant.ticket.expires_at => Err(Refusal::TooLate),
            // Sent again while the claim was checked: what was proved is void.
            State::ClaimOpen(grant) if grant.ticket.generation != claim.generation => Err(Refusal::Moot),
            State::ClaimOpen(grant) => {
                self.begin(grant, claim, None);
                Ok(())
            }
            State::Issuing { attempt, .. } if attempt.client.is(&claim.client) => Err(Refusal::InHand),
            State::Issued { grant, pass } if pass.client.is(&claim.client) => {
                self.begin(grant, claim, Some(pass.id));
                Ok(())
            }
            State::Shown { grant, pass, shown_at }
                if pass.client.is(&claim.client)
                    && now <= later(shown_at.max(claim.up_since), RETRY_WINDOW) =>
            {
                self.begin(grant, claim, Some(pass.id));
                Ok(())
            }
            State::Unsettled { goal: Goal::Reopen, .. } | State::Revoking { goal: Goal::Reopen, .. } => {
                Err(Refusal::InHand)
            }
            State::Issuing { .. } | State::Issued { .. } | State::Shown { .. } => Err(Refusal::AlreadyOpened),
            State::Unsettled { goal: Goal::End(_), .. }
            | State::Revoking { goal: Goal::End(_), .. }
            | State::Closed { .. } => Err(Refusal::Over),
        }
    }

    pub(super) fn begin(&mut self, mut grant: Box<Grant>, claim: Claim, replaces: Option<PassId>) {
        grant.attempts += 1;
        grant.issuing_since.get_or_insert(self.now);
        grant.fate = None;
        grant.ticket.wrong = 0;
        self.fresh_tries = true;
        self.intent("pass.create")
            .with_fact("subject", grant.case.subject.id)
            .with_fact("lifetime_minutes", claim.wish.lifetime.as_secs() / 60)
            .with_fact("one_time", claim.wish.one_time);
        self.task(later(self.now, SETTLE_AFTER), Task::Settle);
        self.task(self.now, Task::NotifyOwner);
        let attempt = Attempt {
            at: self.now,
            intent: self.version,
            wish: claim.wish,
            before: claim.before,
            replaces,
            client: claim.client,
        };
        self.next.state = State::Issuing { grant, attempt };
    }

    pub(super) fn recheck_forbids(&mut self, reason: Reason) -> Applied {
        match self.before.state.clone() {
            State::ClaimOpen(grant) => {
                self.tell_security_of(&reason);
                self.end(Ending::Refused(reason), Past::Granted(grant));
            }
            State::Issued { grant, pass } | State::Shown { grant, pass, .. } => {
                self.tell_security_of(&reason);
                self.delete(grant, pass.id, Goal::End(Ending::Refused(reason)));
            }
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => return Err(Refusal::Moot),
        }
        Ok(())
    }

    /// A contact that changes while a request for its owner is open is how accounts are taken over.
    fn tell_security_of(&mut self, reason: &Reason) {
        if *reason == Reason::ContactChanged {
            self.tell(Audience::Security, News::Refused);
        }
    }

    pub(super) fn foreign_pass(&mut self) -> Applied {
        let State::ClaimOpen(_) = self.before.state else { return Err(Refusal::Moot) };
        self.event("claim.stopped").with_fact("why", "a pass of somebody else appeared");
        self.tell_requester(News::ForeignPass);
        Ok(())
    }

    pub(super) fn created(&mut self, made: Made) -> Applied {
        match self.before.state.clone() {
            State::Issuing { mut grant, attempt } => {
                self.outcome("pass.create", attempt.intent)
                    .with_fact("result", "created")
                    .with_fact("made", &made.id);
                grant.fate = Some(Told::Made);
                self.task(later(made.issued_at, UNSEEN_AFTER), Task::Unseen);
                self.next.state = State::Issued { grant, pass: made };
                Ok(())
            }
            // It was given up on, or reported, while Graph still worked: the answer came, nobody will see it.
            State::Unsettled { mut grant, goal } => {
                if let Some(late) = grant.loose.pop() {
                    let line = self.outcome("pass.create", late.attempt.intent);
                    line.with_fact("result", "created late").with_fact("made", &made.id);
                }
                self.delete(grant, made.id, goal);
                Ok(())
            }
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => Err(Refusal::Moot),
        }
    }

    pub(super) fn no_pass(&mut self, result: &str, declined: Option<Decline>) -> Applied {
        let State::Issuing { mut grant, attempt } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        self.outcome("pass.create", attempt.intent).with_fact("result", result);
        // An earlier create may still have made one.
        grant.fate = grant.loose.is_empty().then_some(Told::NotMade);
        if declined.is_some_and(|why| why != Decline::Throttled && why != Decline::NotSent) {
            self.tell_requester(News::Declined);
        }
        match attempt.replaces {
            Some(old) => self.delete(grant, old, Goal::Reopen),
            None => self.reopen(grant),
        }
        Ok(())
    }

    pub(super) fn unusable(&mut self, pass: PassId) -> Applied {
        let State::Issuing { grant, attempt } = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.outcome("pass.create", attempt.intent).with_fact("result", "unusable").with_fact("made", &pass);
        self.tell_requester(News::Declined);
        self.delete(grant, pass, Goal::Reopen);
        Ok(())
    }

    pub(super) fn outcome_unknown(&mut self) -> Applied {
        let State::Issuing { grant, attempt } = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.unsettle(grant, attempt, Goal::Reopen);
        Ok(())
    }

    pub(super) fn unsettle(&mut self, mut grant: Box<Grant>, attempt: Attempt, goal: Goal) {
        self.outcome("pass.create", attempt.intent).with_fact("result", "unknown");
        grant.loose.push(Loose { attempt, since: self.now, looks: 0 });
        self.task(self.now, Task::Sweep);
        self.next.state = State::Unsettled { grant, goal };
    }

    pub(super) fn swept(&mut self, deleted: u32) -> Applied {
        if self.before.grant().is_none_or(|grant| grant.loose.is_empty()) {
            return Err(Refusal::Moot);
        }
        let state = &mut self.next.state;
        let loose = match state {
            State::Approved(grant)
            | State::ClaimOpen(grant)
            | State::Unsettled { grant, .. }
            | State::Issued { grant, .. }
            | State::Shown { grant, .. }
            | State::Revoking { grant, .. } => &mut grant.loose,
            // The look began before this create did and proves nothing about it. If it were dropped, nobody would
            // look again.
            State::Issuing { .. } => {
                self.event("pass.looked_for").with_fact("deleted", deleted);
                self.task(later(self.now, SWEEPS[1]), Task::Sweep);
                return Ok(());
            }
            State::Received | State::AwaitingApproval { .. } | State::Closed { .. } => {
                return Err(Refusal::Moot);
            }
        };
        if deleted == 0 {
            // A look counts once it is due: a repeated one must not stand in for the one after five minutes.
            let now = self.now;
            for one in loose.iter_mut().filter(|one| now >= later(one.since, SWEEPS[usize::from(one.looks)]))
            {
                one.looks += 1;
            }
            loose.retain(|one| usize::from(one.looks) < SWEEPS.len());
        }
        let now = self.now;
        let next_look = loose.iter().map(|one| one.next_look(now, deleted)).min();
        self.event("pass.looked_for").with_fact("deleted", deleted);
        if let Some(at) = next_look {
            self.task(at.max(self.now), Task::Sweep);
        }
        if deleted > 0
            && let Some(grant) = self.next.grant_mut().filter(|grant| grant.fate.is_none())
        {
            grant.fate = Some(Told::Deleted);
            self.task(self.now, Task::NotifyOwner);
        }
        if let State::Unsettled { grant, goal } = self.next.state.clone() {
            match goal {
                Goal::Reopen if deleted == 0 => self.reopen(grant),
                Goal::End(ending) if grant.loose.is_empty() => self.end(ending, Past::Granted(grant)),
                Goal::Reopen | Goal::End(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn page_showed(&mut self, client: &TokenHash) -> Applied {
        match self.before.state.clone() {
            State::Issued { grant, pass } if pass.client.is(client) => {
                self.event("pass.shown").with_fact("pass", &pass.id);
                self.tell_requester(News::Shown);
                self.task(later(self.now, WATCH_EVERY).min(pass.ends_at), Task::Watch);
                self.next.state = State::Shown { grant, pass, shown_at: self.now };
                Ok(())
            }
            State::Shown { pass, .. } if pass.client.is(client) => Err(Refusal::Moot),
            State::Issued { .. } | State::Shown { .. } => Err(Refusal::AlreadyOpened),
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => Err(Refusal::TooLate),
        }
    }

    pub(super) fn unseen_time_over(&mut self) -> Applied {
        let State::Issued { grant, pass } = self.before.state.clone() else { return Err(Refusal::Moot) };
        let due = later(pass.issued_at, UNSEEN_AFTER);
        if self.now < due {
            self.not_yet(due, Task::Unseen);
            return Ok(());
        }
        self.tell_requester(News::NotSeen);
        self.delete(grant, pass.id, Goal::Reopen);
        Ok(())
    }

    pub(super) fn deleted(&mut self) -> Applied {
        let State::Revoking { grant, pass, intent, goal } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        self.outcome("pass.delete", intent).with_fact("pass", &pass).with_fact("result", "deleted");
        match goal {
            Goal::Reopen => self.reopen(grant),
            Goal::End(ending) => self.end(ending, Past::Granted(grant)),
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, mut grant: Box<Grant>, pass: PassId, goal: Goal) {
        grant.fate = Some(Told::Deleted);
        self.take_away(grant, pass, goal);
    }

    /// Deletes a pass; the owner's notice is worded from the fate.
    pub(super) fn take_away(&mut self, grant: Box<Grant>, pass: PassId, goal: Goal) {
        self.intent("pass.delete").with_fact("pass", &pass).with_fact("subject", grant.case.subject.id);
        self.task(self.now, Task::Delete);
        self.task(self.now, Task::NotifyOwner);
        self.next.state = State::Revoking { grant, pass, intent: self.version, goal };
    }

    pub(super) fn reopen(&mut self, grant: Box<Grant>) {
        if self.now >= grant.ticket.expires_at {
            self.end(Ending::LapsedUnclaimed, Past::Granted(grant));
            return;
        }
        self.task(grant.ticket.expires_at, Task::LapseTicket);
        self.next.state = State::ClaimOpen(grant);
    }
}

impl Loose {
    /// When to look again. Looks that an outage delayed still lie apart: what lands late lands between them.
    fn next_look(&self, now: Timestamp, deleted: u32) -> Timestamp {
        let due = SWEEPS[usize::from(self.looks)];
        let last = usize::from(self.looks).checked_sub(1).map_or(due, |last| SWEEPS[last]);
        let apart = if deleted == 0 { due.saturating_sub(last) } else { Duration::ZERO };
        later(self.since, due).max(later(now, apart))
    }
}
