//! How is each task performed?
//!
//! Every task looks at the request as it is when it is performed, so doing it twice does no harm, and a task
//! whose time has passed finds nothing to do.

use std::time::Duration;

use jiff::Timestamp;

use crate::card::Card;
use crate::desk::{Desk, RACES, Stopped};
use crate::ids::{PassId, PersonId, RequestId, Version};
use crate::ledger::Phase;
use crate::pass::PassMeta;
use crate::people::Contact;
use crate::policy::Route;
use crate::ports::{Leased, Mark, PortError, SayError, Stored};
use crate::request::{Event, Grant, Loose, MessageRef, Posted, Reason, Request, SETTLE_AFTER, State};
use crate::task::Task;
use crate::ticket::{Code, Pin};
use crate::words;

/// Pause before a task that failed is tried again, unless the other side names one.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Pause before a task is tried again that somebody has to mend something for.
const AFTER_MENDING: Duration = Duration::from_mins(1);
/// How long facts are asked for before the request is given up.
const FACTS_WITHIN: Duration = Duration::from_mins(10);
/// A pass that Graph made for an unknown create appears within this time of it.
const LANDS_WITHIN: Duration = Duration::from_mins(10);
/// How far Graph's clock may be from ours.
const SKEW: Duration = Duration::from_mins(2);

/// What is left of a task.
pub(super) enum Done {
    /// Nothing.
    Done,
    /// It is due again after a while.
    In(Duration),
}

impl Desk {
    /// Performs a leased task and settles it.
    ///
    /// # Errors
    /// The store failed while settling: the lease runs out and the task comes again.
    pub async fn perform(&self, leased: Leased) -> Result<(), PortError> {
        let again = match self.work(&leased).await {
            Ok(Done::Done)
            | Err(Stopped::Refused(_) | Stopped::Seen | Stopped::Gone | Stopped::SubjectBusy(_)) => None,
            Ok(Done::In(pause)) => Some(pause),
            Err(Stopped::Port(error)) => Some(pause_after(&leased, &error)),
        };
        match again {
            None => self.ports.store.done(&leased).await,
            Some(pause) => {
                let at = self.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
                self.ports.store.again(&leased, at).await
            }
        }
    }

    async fn work(&self, leased: &Leased) -> Result<Done, Stopped> {
        let stored = self.load(&leased.key.request).await?;
        let id = &stored.request.id;
        let event = match &leased.task {
            Task::FetchFacts => return self.fetch_facts(&stored.request).await,
            Task::Prompt { approver } => return self.prompt(&stored.request, *approver).await,
            Task::Remind { approver, after } => Event::RemindTime(*approver, *after),
            Task::Escalate => return self.escalate(&stored.request).await,
            Task::Weigh { statement } => return self.weigh(&stored.request, *statement).await,
            Task::Refresh => {
                let now = self.now();
                return self.refresh(&stored.request, |request| cards(request, now, |_| true)).await;
            }
            Task::RetireCopies { approver } => {
                let now = self.now();
                let is_theirs = |posted: &Posted| posted.approver == *approver;
                return self.refresh(&stored.request, |request| cards(request, now, is_theirs)).await;
            }
            Task::RetireNews => return self.refresh(&stored.request, old_news).await,
            Task::Tell { to, news } => return self.tell_or_give_up(leased, &stored, to, *news).await,
            Task::SendCode => return self.send_code(&stored.request).await,
            Task::SendPin => return self.send_pin(&stored.request).await,
            Task::Sweep => return self.sweep(leased, &stored.request).await,
            Task::Delete => return self.delete(&stored.request).await,
            Task::RevokeSessions => return self.revoke_sessions(leased, &stored.request).await,
            Task::RaiseAlarms => return self.raise_alarms(&stored.request).await,
            Task::ListMethods { since } => return self.list_methods(leased, &stored.request, *since).await,
            Task::NotifyOwner => return self.notify_owner(&stored).await,
            Task::Watch => return self.watch(&stored.request).await,
            Task::LookForMethods { number } => {
                return self.look_for_methods(&stored.request, *number).await;
            }
            Task::LapseApproval => Event::ApprovalTimeOver,
            Task::LapseTicket => Event::TicketTimeOver,
            Task::Unseen => Event::UnseenTimeOver,
            Task::Settle => return self.settle(&stored.request).await,
        };
        self.change(id, event).await.map(|_| Done::Done)
    }

    /// Gives up on a create that has no outcome by now: its process was killed, or the outcome could not be stored.
    async fn settle(&self, request: &Request) -> Result<Done, Stopped> {
        let State::Issuing { attempt, .. } = &request.state else { return Ok(Done::Done) };
        let due = attempt.at.saturating_add(SETTLE_AFTER).unwrap_or(Timestamp::MAX);
        if self.now() < due {
            return Ok(Done::In(until(self.now(), due)));
        }
        let still = |state: &State| matches!(state, State::Issuing { attempt: other, .. } if other.intent == attempt.intent);
        self.change_while(&request.id, &still, Event::OutcomeUnknown).await.map(|_| Done::Done)
    }

    async fn fetch_facts(&self, request: &Request) -> Result<Done, Stopped> {
        let State::Received = request.state else { return Ok(Done::Done) };
        let event = match self.facts(request).await {
            Ok(Ok(case)) => Event::FactsArrived(Box::new(case)),
            Ok(Err(reason)) => Event::FactsForbid(reason),
            Err(PortError::Retry { what, after, source }) => {
                let waited =
                    Duration::try_from(self.now().duration_since(request.received_at)).unwrap_or_default();
                if waited < FACTS_WITHIN {
                    return Err(PortError::Retry { what, after, source }.into());
                }
                Event::FactsForbid(Reason::LookupFailed)
            }
            Err(fatal @ PortError::Fatal { .. }) => {
                tracing::error!(request.id = %request.id, error = &fatal as &dyn std::error::Error, "facts cannot be read");
                Event::FactsForbid(Reason::LookupFailed)
            }
        };
        let mut bound = self.change(&request.id, event.clone()).await;
        if let Err(Stopped::SubjectBusy(first)) = &bound
            && self.is_set_aside(first, request).await?
        {
            bound = self.change(&request.id, event).await;
        }
        match bound {
            Err(Stopped::SubjectBusy(first)) => {
                self.change(&request.id, Event::FactsForbid(Reason::AlreadyOpen(first))).await
            }
            other => other,
        }
        .map(|_| Done::Done)
    }

    async fn prompt(&self, request: &Request, approver: PersonId) -> Result<Done, Stopped> {
        let copies = request.posted.iter().filter(|posted| posted.approver == approver).count();
        // Whoever a source says approved is told at once, however far it came meanwhile.
        let is_stated = request.stated_approval(approver).is_some();
        let stated = request.case().filter(|case| is_stated && copies <= case.reminders_of(approver) + 1);
        let case = match &request.state {
            // A reminder is the card once more, below whatever came since: on a phone that is one tap.
            State::AwaitingApproval { case, .. } if copies <= case.reminders_of(approver) => case,
            // Approved on a card that a killed worker posted and did not note: without another one the PIN would have
            // no button.
            State::Approved(grant) | State::ClaimOpen(grant)
                if copies == 0 && grant.pin_keeper().is_some_and(|keeper| keeper.id == approver) =>
            {
                &grant.case
            }
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => match stated {
                Some(case) => case,
                None => return Ok(Done::Done),
            },
        };
        let Some(candidate) = case.candidate(approver) else { return Ok(Done::Done) };
        let card = words::approval(request, case, candidate, self.now());
        let said = self.chat(&candidate.account.chat)?.say(&candidate.account, &card).await;
        let message: MessageRef = match said {
            Ok(message) => message,
            Err(SayError::Closed) => {
                return self.change(&request.id, Event::NotReached(approver)).await.map(|_| Done::Done);
            }
            Err(SayError::Port(error)) => return Err(error.into()),
        };
        self.change(&request.id, Event::Prompted(Posted { approver, at: self.now(), message }))
            .await
            .map(|_| Done::Done)
    }

    /// Finds out who else can be asked. A look-up that fails is tried again until the time is over.
    async fn escalate(&self, request: &Request) -> Result<Done, Stopped> {
        let Some(due) = request.escalates_at() else { return Ok(Done::Done) };
        if self.now() < due {
            return Ok(Done::In(until(self.now(), due)));
        }
        let Some(escalation) = self.escalation(request).await? else { return Ok(Done::Done) };
        self.change(&request.id, Event::Escalated(escalation)).await.map(|_| Done::Done)
    }

    /// Edits what is out of date until it shows the request as it is: a newer edit may have been overtaken by this one, on
    /// its way from another replica. What a change of the request leaves as it was is not sent again.
    async fn refresh(
        &self,
        request: &Request,
        edits: impl Fn(&Request) -> Vec<(MessageRef, Card)>,
    ) -> Result<Done, Stopped> {
        let mut sent = Vec::new();
        let mut wanted = edits(request);
        for _ in 0..RACES {
            let news: Vec<_> = wanted.iter().filter(|edit| !sent.contains(*edit)).cloned().collect();
            if news.is_empty() {
                return Ok(Done::Done);
            }
            self.edit_each(&request.id, &news).await?;
            sent = wanted;
            wanted = edits(&self.load(&request.id).await?.request);
        }
        Ok(Done::In(TRY_AGAIN))
    }

    /// Each by itself: one that cannot be edited must not leave the others with their buttons.
    async fn edit_each(&self, id: &RequestId, edits: &[(MessageRef, Card)]) -> Result<(), Stopped> {
        let mut later = None;
        for (message, card) in edits {
            let edited = match self.chat(&message.chat) {
                Ok(chat) => chat.edit(message, card).await,
                Err(error) => Err(error),
            };
            match edited {
                Ok(()) => {}
                Err(retry @ PortError::Retry { .. }) => later = Some(retry),
                Err(fatal @ PortError::Fatal { .. }) => {
                    tracing::error!(request.id = %id, error = &fatal as &dyn std::error::Error, "a message could not be edited");
                }
            }
        }
        later.map_or(Ok(()), |error| Err(error.into()))
    }

    /// A message that can never be brought is given up: the request itself does not hang on it.
    async fn tell_or_give_up(
        &self,
        leased: &Leased,
        stored: &Stored,
        to: &crate::task::Audience,
        news: crate::task::News,
    ) -> Result<Done, Stopped> {
        match self.tell(leased, stored, to, news).await {
            Err(Stopped::Port(fatal @ PortError::Fatal { .. })) => {
                tracing::error!(request.id = %stored.request.id, error = &fatal as &dyn std::error::Error, "somebody could not be told");
                Ok(Done::Done)
            }
            other => other,
        }
    }

    async fn send_code(&self, request: &Request) -> Result<Done, Stopped> {
        let State::Approved(grant) = &request.state else { return Ok(Done::Done) };
        if grant.ticket.code.as_ref().is_some_and(|code| code.sent) {
            return Ok(Done::Done);
        }
        let Some(route) = grant.next_code_route() else { return Ok(Done::Done) };
        let id = &request.id;
        if grant.case.contact(route).is_none() {
            return self.change(id, Event::CodeUndeliverable(route)).await.map(|_| Done::Done);
        }
        let Some(contact) = self.pinned_contact(grant, route).await? else {
            return self.change(id, Event::ContactChanged).await.map(|_| Done::Done);
        };
        let code = Code::mint(&*self.ports.entropy);
        let hash = self.pepper.code_hash(&code);
        let minted = self.change(id, Event::CodeMinted(hash.clone(), route)).await?;
        let generation = minted.request.grant().map_or(0, |grant| grant.ticket.generation);
        let mark = Mark { request: id.clone(), generation };
        let minutes = grant.case.terms.ticket_expires.as_secs() / 60;
        let message = words::code_message(&code, mark, &self.settings.public_url, minutes);
        let event = match self.courier(route)?.send(&contact, &message).await {
            Ok(receipt) => Event::CodeSent(hash, receipt.0),
            Err(retry @ PortError::Retry { .. }) => return Err(retry.into()),
            Err(fatal @ PortError::Fatal { .. }) => {
                tracing::error!(request.id = %id, %route, error = &fatal as &dyn std::error::Error, "the code could not be sent");
                Event::CodeUndeliverable(route)
            }
        };
        self.change(id, event).await.map(|_| Done::Done)
    }

    async fn send_pin(&self, request: &Request) -> Result<Done, Stopped> {
        let State::Approved(grant) = &request.state else { return Ok(Done::Done) };
        if grant.ticket.pin.as_ref().is_some_and(|pin| pin.sent) {
            return Ok(Done::Done);
        }
        let id = &request.id;
        let minutes = grant.case.terms.ticket_expires.as_secs() / 60;
        for route in grant.case.terms.pin_routes.iter().filter(|route| grant.case.contact(**route).is_some())
        {
            let Some(contact) = self.pinned_contact(grant, *route).await? else {
                return self.change(id, Event::ContactChanged).await.map(|_| Done::Done);
            };
            let pin = Pin::mint(&*self.ports.entropy);
            let message = words::pin_message(&pin, minutes);
            let hash = self
                .ports
                .pins
                .hash(pin)
                .await
                .map_err(|_| PortError::fatal("the PIN could not be hashed"))?;
            self.change(id, Event::PinMinted(hash.clone(), None)).await?;
            match self.courier(*route)?.send(&contact, &message).await {
                Ok(_) => return self.change(id, Event::PinSent(hash, *route)).await.map(|_| Done::Done),
                Err(retry @ PortError::Retry { .. }) => return Err(retry.into()),
                Err(fatal @ PortError::Fatal { .. }) => {
                    tracing::error!(request.id = %id, %route, error = &fatal as &dyn std::error::Error, "the PIN could not be sent");
                }
            }
        }
        self.change(id, Event::PinUndeliverable).await.map(|_| Done::Done)
    }

    /// The contact that was pinned for the route, if it is still on file as it was.
    async fn pinned_contact(&self, grant: &Grant, route: Route) -> Result<Option<Contact>, PortError> {
        let case = &grant.case;
        let Some(subject) = self.ports.directory.person(case.subject.id).await? else { return Ok(None) };
        let pinned = case.contact(route);
        let contacts = self.contacts(&subject, &case.terms.sources).await?;
        Ok(contacts.into_iter().find(|contact| Some(&contact.pin()) == pinned))
    }

    async fn delete(&self, request: &Request) -> Result<Done, Stopped> {
        let State::Revoking { grant, pass, .. } = &request.state else { return Ok(Done::Done) };
        self.ports.directory.delete_pass(grant.case.subject.id, pass).await?;
        let still = |state: &State| matches!(state, State::Revoking { pass: other, .. } if other == pass);
        self.change_while(&request.id, &still, Event::Deleted).await.map(|_| Done::Done)
    }

    async fn revoke_sessions(&self, leased: &Leased, request: &Request) -> Result<Done, Stopped> {
        let Some(case) = request.case() else { return Ok(Done::Done) };
        self.ports.directory.revoke_sessions(case.subject.id).await?;
        self.record(
            &request.id,
            leased.key.version,
            Phase::Outcome,
            "sessions.revoke",
            &[("result", "revoked")],
        )
        .await?;
        Ok(Done::Done)
    }

    /// Looks for what creates with unknown outcome left behind, and deletes it.
    async fn sweep(&self, leased: &Leased, request: &Request) -> Result<Done, Stopped> {
        let Some(case) = request.case() else { return Ok(Done::Done) };
        let passes = self.ports.directory.passes(case.subject.id).await?;
        // As the request is after the look: a pass that it saw may be one that was made and shown meanwhile.
        let stored = self.load(&request.id).await?;
        if let State::Issuing { .. } = stored.request.state {
            return Ok(Done::In(TRY_AGAIN));
        }
        let deleted = self.delete_strays(leased.key.version, &stored.request, &passes).await?;
        let deleted = u32::try_from(deleted.len()).unwrap_or(u32::MAX);
        self.change(&request.id, Event::Swept(deleted)).await.map(|_| Done::Done)
    }

    /// Deletes those of `passes` that creates with unknown outcome left behind; `request` was loaded after they were
    /// listed.
    pub(super) async fn delete_strays(
        &self,
        version: Version,
        request: &Request,
        passes: &[PassMeta],
    ) -> Result<Vec<PassId>, PortError> {
        let Some(grant) = request.grant() else { return Ok(Vec::new()) };
        if let State::Issuing { .. } = request.state {
            // The pass that is just being made would be taken for a stray one.
            return Ok(Vec::new());
        }
        let ours = match &request.state {
            // The pass that is being revoked has its own intent and deletion.
            State::Revoking { pass, .. } => Some(pass),
            state => state.made().map(|made| &made.id),
        };
        let stray = |pass: &&PassMeta| {
            Some(&pass.id) != ours && grant.loose.iter().any(|loose| left_behind(pass, loose))
        };
        let mut deleted = Vec::new();
        for pass in passes.iter().filter(stray) {
            let (of, why) = (grant.case.subject.id, "left behind by a create with unknown outcome");
            self.delete_stray(&request.id, version, of, &pass.id, why).await?;
            deleted.push(pass.id.clone());
        }
        Ok(deleted)
    }

    /// Deletes a pass that no state names, written down before and after.
    pub(super) async fn delete_stray(
        &self,
        request: &RequestId,
        version: Version,
        of: PersonId,
        pass: &PassId,
        why: &str,
    ) -> Result<(), PortError> {
        let facts = [("pass", pass.as_str()), ("why", why)];
        self.record(request, version, Phase::Intent, "pass.delete", &facts).await?;
        let outcome = self.ports.directory.delete_pass(of, pass).await;
        let result = if outcome.is_ok() { "deleted" } else { "unknown" };
        let facts = [("pass", pass.as_str()), ("result", result)];
        self.record(request, version, Phase::Outcome, "pass.delete", &facts).await?;
        outcome
    }
}

/// The approval cards that are picked, as they look now.
fn cards(request: &Request, now: Timestamp, which: impl Fn(&Posted) -> bool) -> Vec<(MessageRef, Card)> {
    let Some(case) = request.case() else { return Vec::new() };
    let picked = request.posted.iter().filter(|posted| which(posted));
    let drawn = picked.filter_map(|posted| {
        let card = words::approval(request, case, case.candidate(posted.approver)?, now);
        let is_newest = request.newest_card(posted.approver) == Some(&posted.message);
        Some((posted.message.clone(), if is_newest { card } else { words::older_copy(card) }))
    });
    drawn.collect()
}

/// What told the requester of an earlier outcome, with what came of the request since.
fn old_news(request: &Request) -> Vec<(MessageRef, Card)> {
    let told = request.outdated();
    told.map(|told| (told.message.clone(), words::since_then(request, told))).collect()
}

fn pause_after(leased: &Leased, error: &PortError) -> Duration {
    tracing::warn!(
        request.id = %leased.key.request,
        task = leased.task.name(),
        error = error as &dyn std::error::Error,
        "a task will be tried again"
    );
    match error {
        PortError::Retry { after, .. } => after.unwrap_or(TRY_AGAIN).max(Duration::from_secs(1)),
        PortError::Fatal { .. } => AFTER_MENDING,
    }
}

/// The time from `now` to `then`, at least a second.
pub(super) fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1))
}

/// Whether the pass is what that create made: not there before, made about then, with the same terms.
fn left_behind(pass: &PassMeta, loose: &Loose) -> bool {
    let attempt = &loose.attempt;
    let earliest = attempt.at.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
    let latest = attempt.at.saturating_add(LANDS_WITHIN).unwrap_or(Timestamp::MAX);
    let like_it = pass.lifetime == attempt.wish.lifetime && pass.one_time == attempt.wish.one_time;
    let new = !attempt.before.contains(&pass.id) && (earliest..=latest).contains(&pass.created_at) && like_it;
    new || attempt.replaces.as_ref() == Some(&pass.id)
}

impl Task {
    /// Its name, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FetchFacts => "fetch_facts",
            Self::Prompt { .. } => "prompt",
            Self::Remind { .. } => "remind",
            Self::Escalate => "escalate",
            Self::Weigh { .. } => "weigh",
            Self::Refresh => "refresh",
            Self::RetireCopies { .. } => "retire_copies",
            Self::RetireNews => "retire_news",
            Self::Tell { .. } => "tell",
            Self::LapseApproval => "lapse_approval",
            Self::SendCode => "send_code",
            Self::SendPin => "send_pin",
            Self::LapseTicket => "lapse_ticket",
            Self::Settle => "settle",
            Self::Sweep => "sweep",
            Self::Unseen => "unseen",
            Self::Delete => "delete",
            Self::RevokeSessions => "revoke_sessions",
            Self::RaiseAlarms => "raise_alarms",
            Self::ListMethods { .. } => "list_methods",
            Self::NotifyOwner => "notify_owner",
            Self::Watch => "watch",
            Self::LookForMethods { .. } => "look_for_methods",
        }
    }
}
