//! The transitions: one small function per event.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Approval, Attempt, Case, Change, Claim, CodeHalf, Ending, Event, Goal, Grant, Loose, Made, Notice, Past,
    PinHalf, Posted, REPORT_OUTLIVES, REPORT_TRIES, RETRY_WINDOW, Reason, Refusal, Request, SETTLE_AFTER,
    SWEEPS, State, Ticket, Told, UNSEEN_AFTER, WATCH_EVERY,
};
use crate::ids::{ChatUser, PassId, PersonId, RequestId, Version};
use crate::ledger::{Phase, Record};
use crate::people::{Human, Naming};
use crate::policy::{Route, assign};
use crate::ports::{Decline, PIN_TRIES};
use crate::task::{Audience, NewTask, News, Task};
use crate::ticket::{CodeHash, PinHash, TokenHash};

impl Request {
    /// A request as it is first stored, with its first tasks and records.
    #[must_use]
    pub fn open(
        id: RequestId,
        requester: ChatUser,
        subject: Naming,
        reason: String,
        now: Timestamp,
    ) -> Change {
        let request = Self {
            id,
            received_at: now,
            requester,
            subject,
            reason,
            posted: Vec::new(),
            state: State::Received,
        };
        let mut draft = Draft::new(&request, now, Version::FIRST);
        draft.event("request.received");
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
            Event::Approve(by) => draft.approve(by),
            Event::Deny(by) => draft.deny(by),
            Event::ApprovalTimeOver => draft.approval_time_over(),
            Event::CodeMinted(hash, route) => draft.code_minted(hash, route),
            Event::CodeSent(hash, receipt) => draft.code_sent(&hash, &receipt),
            Event::CodeUndeliverable(route) => draft.code_undeliverable(route),
            Event::PinMinted(hash, by) => draft.pin_minted(&hash, by),
            Event::PinSent(hash) => draft.pin_sent(&hash),
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
            Event::PassUsed => draft.pass_ended(Ending::Used),
            Event::PassOver => draft.pass_ended(Ending::Expired),
            Event::PinProved => draft.pin_proved(),
            Event::NoticeMinted(notice) => draft.notice_minted(notice),
            Event::OwnerTold(attempt, told) => draft.owner_told(attempt, told),
            Event::WrongNumber => draft.wrong_number(),
            Event::Report => draft.report(),
            Event::Cancel(by) => draft.cancel(by),
            Event::Withdraw(by) => draft.withdraw(by),
            Event::Revoke(by) => draft.revoke(by),
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

/// Asking and deciding.
impl Draft<'_> {
    fn facts_arrived(&mut self, case: Case) -> Applied {
        let State::Received = self.before.state else { return Err(Refusal::Moot) };
        let minutes = case.terms.wish.lifetime.as_secs() / 60;
        self.event("request.checked")
            .with_fact("rule", &case.rule)
            .with_fact("subject", case.subject.id)
            .with_fact("approvals", case.slots.len())
            .with_fact("lifetime_minutes", minutes)
            .by(case.requester.id);
        if case.slots.is_empty() {
            self.grant(case, Vec::new());
            return Ok(());
        }
        let expires_at = later(self.now, case.terms.approval_expires);
        for candidate in &case.approvers {
            self.task(self.now, Task::Prompt { approver: candidate.human.id });
        }
        self.tell_requester(News::Checked);
        self.task(expires_at, Task::LapseApproval);
        self.next.state = State::AwaitingApproval { case: Box::new(case), approvals: Vec::new(), expires_at };
        Ok(())
    }

    fn facts_forbid(&mut self, reason: Reason) -> Applied {
        let State::Received = self.before.state else { return Err(Refusal::Moot) };
        self.end(Ending::Refused(reason), Past::Nothing);
        Ok(())
    }

    fn prompted(&mut self, posted: Posted) -> Applied {
        let known = self.next.posted.iter().any(|old| old.message == posted.message);
        if known {
            return Err(Refusal::Moot);
        }
        self.event("approver.asked").by(posted.approver);
        self.next.posted.push(posted);
        // The card may have been decided while it was on its way.
        if !matches!(self.before.state, State::AwaitingApproval { .. }) {
            self.task(self.now, Task::Refresh);
        }
        Ok(())
    }

    fn approve(&mut self, by: PersonId) -> Applied {
        let (case, mut approvals, expires_at) = self.undecided(by)?;
        if approvals.iter().any(|approval| approval.by.id == by) {
            return Err(Refusal::AlreadyApproved);
        }
        let human = approver(&case, by).ok_or(Refusal::NotAnApprover)?;
        approvals.push(Approval { by: human, at: self.now });
        self.event("approval.given").by(by);
        let people: Vec<PersonId> = approvals.iter().map(|approval| approval.by.id).collect();
        if assign(&case.slots, &people).is_some() {
            self.grant(*case, approvals);
        } else {
            self.next.state = State::AwaitingApproval { case, approvals, expires_at };
        }
        self.task(self.now, Task::Refresh);
        Ok(())
    }

    fn deny(&mut self, by: PersonId) -> Applied {
        let (case, _, _) = self.undecided(by)?;
        let human = approver(&case, by).ok_or(Refusal::NotAnApprover)?;
        self.end(Ending::Denied(human), Past::Asked(case));
        Ok(())
    }

    /// The facts of a request that still waits for decisions, if `by` may decide.
    fn undecided(&self, by: PersonId) -> Result<(Box<Case>, Vec<Approval>, Timestamp), Refusal> {
        let case = self.before.case().ok_or(Refusal::Moot)?;
        // Separation of people holds by construction of the case; a case that broke it must still not pass.
        if approver(case, by).is_none() || by == case.requester.id || by == case.subject.id {
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

    fn approval_time_over(&mut self) -> Applied {
        let State::AwaitingApproval { case, expires_at, .. } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        if self.now < expires_at {
            return Err(Refusal::Moot);
        }
        self.end(Ending::LapsedUndecided, Past::Asked(case));
        Ok(())
    }

    fn grant(&mut self, case: Case, approvals: Vec<Approval>) {
        let expires_at = later(self.now, case.terms.ticket_expires);
        self.event("request.approved").with_fact("approvals", approvals.len());
        self.task(self.now, Task::SendCode);
        if !case.terms.pin_routes.contains(&Route::Approver) {
            self.task(self.now, Task::SendPin);
        }
        self.task(expires_at, Task::LapseTicket);
        self.tell_requester(News::Approved);
        let ticket =
            Ticket { generation: 0, code: None, failed_routes: Vec::new(), pin: None, wrong: 0, expires_at };
        let grant =
            Grant { case, approvals, ticket, loose: Vec::new(), attempts: 0, fate: None, notice: None };
        self.next.state = State::Approved(Box::new(grant));
    }
}

/// The ticket.
impl Draft<'_> {
    fn code_minted(&mut self, hash: CodeHash, route: Route) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        if grant.ticket.code.as_ref().is_some_and(|code| code.sent) {
            return Err(Refusal::Moot);
        }
        grant.ticket.generation += 1;
        grant.ticket.code = Some(CodeHalf { hash, route, sent: false });
        self.event("ticket.code.minted")
            .with_fact("route", route)
            .with_fact("generation", grant.ticket.generation);
        self.fresh_tries = true;
        self.next.state = State::Approved(grant);
        Ok(())
    }

    fn code_sent(&mut self, hash: &CodeHash, receipt: &str) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        let code = grant.ticket.code.as_mut().filter(|code| code.hash == *hash && !code.sent);
        let code = code.ok_or(Refusal::Moot)?;
        code.sent = true;
        let route = code.route;
        self.event("ticket.code.sent").with_fact("route", route).with_fact("receipt", receipt);
        self.tell_requester(News::CodeSent);
        self.open_claim_if_ready(grant);
        Ok(())
    }

    fn code_undeliverable(&mut self, route: Route) -> Applied {
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

    fn pin_minted(&mut self, hash: &PinHash, by: Option<PersonId>) -> Applied {
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

    fn pin_sent(&mut self, hash: &PinHash) -> Applied {
        let State::Approved(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        let pin =
            grant.ticket.pin.as_mut().filter(|pin| pin.hash == *hash && !pin.sent).ok_or(Refusal::Moot)?;
        pin.sent = true;
        self.event("ticket.pin.sent");
        self.open_claim_if_ready(grant);
        Ok(())
    }

    fn open_claim_if_ready(&mut self, mut grant: Box<Grant>) {
        let sent = |half: Option<bool>| half == Some(true);
        let ready = sent(grant.ticket.code.as_ref().map(|code| code.sent))
            && sent(grant.ticket.pin.as_ref().map(|pin| pin.sent));
        if !ready {
            self.next.state = State::Approved(grant);
            return;
        }
        grant.ticket.expires_at = later(self.now, grant.case.terms.ticket_expires);
        self.task(grant.ticket.expires_at, Task::LapseTicket);
        self.task(self.now, Task::Refresh);
        self.event("ticket.open");
        self.next.state = State::ClaimOpen(grant);
    }

    fn undeliverable(&mut self) -> Applied {
        let State::Approved(grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.end(Ending::Refused(Reason::Undeliverable), Past::Granted(grant));
        Ok(())
    }

    fn contact_changed(&mut self) -> Applied {
        let State::Approved(grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.tell(Audience::Security, News::Refused);
        self.end(Ending::Refused(Reason::ContactChanged), Past::Granted(grant));
        Ok(())
    }

    fn ticket_time_over(&mut self) -> Applied {
        let (State::Approved(grant) | State::ClaimOpen(grant)) = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        if self.now < grant.ticket.expires_at {
            return Err(Refusal::Moot);
        }
        self.end(Ending::LapsedUnclaimed, Past::Granted(grant));
        Ok(())
    }

    fn wrong_pin(&mut self) -> Applied {
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

    fn tries_exhausted(&mut self) -> Applied {
        let State::ClaimOpen(mut grant) = self.before.state.clone() else { return Err(Refusal::Moot) };
        grant.ticket.wrong = PIN_TRIES;
        self.lock(grant);
        Ok(())
    }

    fn lock(&mut self, grant: Box<Grant>) {
        self.tell_locked(&grant);
        self.end(Ending::Locked, Past::Granted(grant));
    }

    /// Approvers and security; the requester is told by the ending.
    fn tell_locked(&mut self, grant: &Grant) {
        for approval in &grant.approvals {
            self.tell(Audience::Approver(approval.by.id), News::Locked);
        }
        self.tell(Audience::Security, News::Locked);
    }
}

/// The pass.
impl Draft<'_> {
    fn claim(&mut self, claim: Claim) -> Applied {
        let now = self.now;
        match self.before.state.clone() {
            State::Received | State::AwaitingApproval { .. } => Err(Refusal::Moot),
            State::Approved(_) => Err(Refusal::Waiting),
            State::ClaimOpen(grant) if now >= grant.ticket.expires_at => Err(Refusal::TooLate),
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

    fn begin(&mut self, mut grant: Box<Grant>, claim: Claim, replaces: Option<PassId>) {
        grant.attempts += 1;
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

    fn recheck_forbids(&mut self, reason: Reason) -> Applied {
        match self.before.state.clone() {
            State::ClaimOpen(grant) => self.end(Ending::Refused(reason), Past::Granted(grant)),
            State::Issued { grant, pass } | State::Shown { grant, pass, .. } => {
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

    fn foreign_pass(&mut self) -> Applied {
        let State::ClaimOpen(_) = self.before.state else { return Err(Refusal::Moot) };
        self.event("claim.stopped").with_fact("why", "a pass of somebody else appeared");
        self.tell_requester(News::ForeignPass);
        Ok(())
    }

    fn created(&mut self, made: Made) -> Applied {
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

    fn no_pass(&mut self, result: &str, declined: Option<Decline>) -> Applied {
        let State::Issuing { mut grant, attempt } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        self.outcome("pass.create", attempt.intent).with_fact("result", result);
        grant.fate = Some(Told::NotMade);
        if declined.is_some_and(|why| why != Decline::Throttled && why != Decline::NotSent) {
            self.tell_requester(News::Declined);
        }
        match attempt.replaces {
            Some(old) => self.delete(grant, old, Goal::Reopen),
            None => self.reopen(grant),
        }
        Ok(())
    }

    fn unusable(&mut self, pass: PassId) -> Applied {
        let State::Issuing { grant, attempt } = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.outcome("pass.create", attempt.intent).with_fact("result", "unusable").with_fact("made", &pass);
        self.tell_requester(News::Declined);
        self.delete(grant, pass, Goal::Reopen);
        Ok(())
    }

    fn outcome_unknown(&mut self) -> Applied {
        let State::Issuing { grant, attempt } = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.unsettle(grant, attempt, Goal::Reopen);
        Ok(())
    }

    fn unsettle(&mut self, mut grant: Box<Grant>, attempt: Attempt, goal: Goal) {
        self.outcome("pass.create", attempt.intent).with_fact("result", "unknown");
        grant.loose.push(Loose { attempt, since: self.now, looks: 0 });
        self.task(self.now, Task::Sweep);
        self.next.state = State::Unsettled { grant, goal };
    }

    fn swept(&mut self, deleted: u32) -> Applied {
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
            // A look during a create could take the new pass for a stray one.
            State::Received
            | State::AwaitingApproval { .. }
            | State::Issuing { .. }
            | State::Closed { .. } => {
                return Err(Refusal::Moot);
            }
        };
        if deleted == 0 {
            for one in loose.iter_mut() {
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
        if let State::Unsettled { grant, goal } = self.next.state.clone() {
            match goal {
                Goal::Reopen if deleted == 0 => self.reopen(grant),
                Goal::End(ending) if grant.loose.is_empty() => self.end(ending, Past::Granted(grant)),
                Goal::Reopen | Goal::End(_) => {}
            }
        }
        Ok(())
    }

    fn page_showed(&mut self, client: &TokenHash) -> Applied {
        match self.before.state.clone() {
            State::Issued { grant, pass } if pass.client.is(client) => {
                self.event("pass.shown").with_fact("pass", &pass.id);
                self.tell_requester(News::Shown);
                self.task(later(self.now, WATCH_EVERY).min(pass.ends_at), Task::Watch);
                self.task(self.now, Task::Refresh);
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

    fn unseen_time_over(&mut self) -> Applied {
        let State::Issued { grant, pass } = self.before.state.clone() else { return Err(Refusal::Moot) };
        if self.now < later(pass.issued_at, UNSEEN_AFTER) {
            return Err(Refusal::Moot);
        }
        self.tell_requester(News::NotSeen);
        self.delete(grant, pass.id, Goal::Reopen);
        Ok(())
    }

    fn deleted(&mut self) -> Applied {
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

    fn pass_ended(&mut self, ending: Ending) -> Applied {
        let State::Shown { grant, .. } = self.before.state.clone() else { return Err(Refusal::Moot) };
        self.end(ending, Past::Granted(grant));
        Ok(())
    }

    fn delete(&mut self, mut grant: Box<Grant>, pass: PassId, goal: Goal) {
        grant.fate = Some(Told::Deleted);
        self.intent("pass.delete").with_fact("pass", &pass).with_fact("subject", grant.case.subject.id);
        self.task(self.now, Task::Delete);
        self.task(self.now, Task::NotifyOwner);
        self.task(self.now, Task::Refresh);
        self.next.state = State::Revoking { grant, pass, intent: self.version, goal };
    }

    fn reopen(&mut self, grant: Box<Grant>) {
        if self.now >= grant.ticket.expires_at {
            self.end(Ending::LapsedUnclaimed, Past::Granted(grant));
            return;
        }
        self.task(grant.ticket.expires_at, Task::LapseTicket);
        self.next.state = State::ClaimOpen(grant);
    }
}

/// Warnings and changes of mind.
impl Draft<'_> {
    fn pin_proved(&mut self) -> Applied {
        let grant = self.next.grant_mut().ok_or(Refusal::Moot)?;
        grant.ticket.wrong = 0;
        self.fresh_tries = true;
        Ok(())
    }

    fn owner_told(&mut self, attempt: u32, told: Told) -> Applied {
        let notice = self.next.grant_mut().and_then(|grant| grant.notice.as_mut()).ok_or(Refusal::Moot)?;
        notice.told = Some((attempt, told));
        self.event("owner.told").with_fact("what", format!("{told:?}"));
        Ok(())
    }

    fn notice_minted(&mut self, notice: Notice) -> Applied {
        let grant = self.next.grant_mut().ok_or(Refusal::Moot)?;
        grant.notice = Some(notice);
        self.event("owner.notice.minted");
        Ok(())
    }

    fn wrong_number(&mut self) -> Applied {
        let now = self.now;
        let notice = self.next.grant_mut().and_then(|grant| grant.notice.as_mut()).ok_or(Refusal::Moot)?;
        if notice.wrong >= REPORT_TRIES || now >= notice.expires_at {
            return Err(Refusal::TooLate);
        }
        notice.wrong += 1;
        self.event("report.wrong_number");
        Ok(())
    }

    fn report(&mut self) -> Applied {
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

    fn cancel(&mut self, by: PersonId) -> Applied {
        if self.before.case().is_some_and(|case| case.requester.id != by) {
            return Err(Refusal::NotTheRequester);
        }
        self.stop(Ending::Cancelled, by)
    }

    fn withdraw(&mut self, by: PersonId) -> Applied {
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
    fn stop(&mut self, ending: Ending, by: PersonId) -> Applied {
        self.event("request.stopped").by(by);
        match self.before.state.clone() {
            State::Received => self.end(ending, Past::Nothing),
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

    fn revoke(&mut self, by: PersonId) -> Applied {
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

/// What all of them share.
impl<'a> Draft<'a> {
    fn new(before: &'a Request, now: Timestamp, version: Version) -> Self {
        let next = before.clone();
        Self { before, next, now, version, tasks: Vec::new(), records: Vec::new(), fresh_tries: false }
    }

    fn finish(self) -> Change {
        Change { next: self.next, tasks: self.tasks, records: self.records, fresh_tries: self.fresh_tries }
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
        self.event(name);
        if let Some(news) = news {
            self.tell_requester(news);
        }
        self.task(self.now, Task::Refresh);
        self.next.state = State::Closed { ending, at: self.now, past };
    }

    fn task(&mut self, due: Timestamp, task: Task) {
        self.tasks.push(NewTask { due, task });
    }

    fn tell(&mut self, to: Audience, news: News) {
        self.task(self.now, Task::Tell { to, news });
    }

    fn tell_requester(&mut self, news: News) {
        self.tell(Audience::Requester(self.before.requester.clone()), news);
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

    fn by(mut self, person: PersonId) {
        if let Some(record) = self.0.as_mut() {
            record.by = Some(person);
        }
    }
}

impl Ending {
    /// Its name in the ledger, and what the requester is told of it.
    fn story(&self) -> (&'static str, Option<News>) {
        match self {
            Self::Used => ("request.used", Some(News::Over)),
            Self::Expired => ("request.expired", Some(News::Over)),
            Self::Revoked => ("request.revoked", Some(News::Over)),
            Self::Refused(_) => ("request.refused", Some(News::Refused)),
            Self::Denied(_) => ("request.denied", Some(News::Denied)),
            Self::Cancelled => ("request.cancelled", None),
            Self::Withdrawn(_) => ("request.withdrawn", Some(News::Denied)),
            Self::LapsedUndecided => ("request.lapsed.undecided", Some(News::Lapsed)),
            Self::LapsedUnclaimed => ("request.lapsed.unclaimed", Some(News::Lapsed)),
            Self::Locked => ("request.locked", Some(News::Locked)),
            Self::Reported => ("request.reported.closed", Some(News::Reported)),
        }
    }
}

impl Grant {
    /// The approver who shows nobody the PIN and tells it: the last one.
    #[must_use]
    pub fn pin_keeper(&self) -> Option<&Human> {
        self.approvals.last().map(|approval| &approval.by)
    }

    /// The first route of the code that has not failed yet.
    #[must_use]
    pub fn next_code_route(&self) -> Option<Route> {
        let failed = &self.ticket.failed_routes;
        self.case.terms.code_routes.iter().copied().find(|route| !failed.contains(route))
    }
}

impl Notice {
    /// When the link of a notice stops working, if the pass ends at `ends_at`.
    #[must_use]
    pub fn link_ends(ends_at: Timestamp) -> Timestamp {
        later(ends_at, REPORT_OUTLIVES)
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

impl Loose {
    /// When to look again. Looks that an outage delayed still lie apart: what lands late lands between them.
    fn next_look(&self, now: Timestamp, deleted: u32) -> Timestamp {
        let due = SWEEPS[usize::from(self.looks)];
        let last = usize::from(self.looks).checked_sub(1).map_or(due, |last| SWEEPS[last]);
        let apart = if deleted == 0 { due.saturating_sub(last) } else { Duration::ZERO };
        later(self.since, due).max(later(now, apart))
    }
}

fn approver(case: &Case, id: PersonId) -> Option<Human> {
    case.approvers.iter().find(|candidate| candidate.human.id == id).map(|candidate| candidate.human.clone())
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
