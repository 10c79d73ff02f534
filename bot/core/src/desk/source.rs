//! What happens to what a source says, and how does it hear what became of it?
//!
//! The signature tells which system speaks, and nothing more: who asks there is its word, and an approval that it states
//! counts only where source and rule both allow it, for whom the rule lets approve, and never for the privileged.

use std::sync::Arc;
use std::time::Duration;

use crate::desk::facts::Looked;
use crate::desk::work::Done;
use crate::desk::{Desk, Stopped};
use crate::ids::{PersonId, RequestId, SourceName};
use crate::people::{Naming, Person};
use crate::policy::Rule;
use crate::ports::{Leased, Opened, PortError, RequesterCap, Source, Stored};
use crate::request::{
    Asker, Candidate, Case, Ending, Event, NotCounted, Reason, Refusal, Request, Sourced, State,
};
use crate::source::{MOST_TRIES, Opening, Order, Ordered, Status, pause_before};
use crate::task::News;

impl Desk {
    /// Takes an order in. What it promises is durable when it returns.
    ///
    /// # Errors
    /// Store or ledger failed: nothing was accepted, and the same order may come again.
    pub async fn take_order(&self, name: &SourceName, order: Order) -> Result<Ordered, PortError> {
        let Some(source) = self.source(name) else { return Ok(Ordered::NotYours) };
        let states_approval = match &order {
            Order::Open(opening) => opening.approved_by.is_some(),
            Order::Approve { .. } => true,
            Order::Cancel { .. } => false,
        };
        if states_approval && !source.terms().may_state_approvals {
            return Ok(Ordered::MayNotState);
        }
        match order {
            Order::Open(opening) => self.open_by(&**source, *opening).await,
            Order::Approve { request, approver } => {
                self.tell_request(name, request, Event::Stated(name.clone(), approver)).await
            }
            Order::Cancel { request } => {
                self.tell_request(name, request, Event::CancelBySource(name.clone())).await
            }
        }
    }

    async fn open_by(&self, source: &dyn Source, opening: Opening) -> Result<Ordered, PortError> {
        let delivery = opening.delivery(source.name());
        let sourced = opening.sourced(source.name());
        let fingerprint = sourced.fingerprint.clone();
        let id = RequestId::fresh(&*self.ports.entropy);
        let change = Request::open(id.clone(), Asker::Source(sourced), opening.ask, self.now());
        let most = source.terms().requests_per_hour;
        let cap = RequesterCap { most, window: Duration::from_hours(1) };
        let first = match self.open(change, Some(delivery), cap).await? {
            Opened::New => return Ok(Ordered::Taken(id)),
            Opened::TooMany => return Ok(Ordered::TooMany(most)),
            Opened::Seen(first) => first,
        };
        let stored = self.ports.store.load(&first).await?;
        let before = stored.as_ref().and_then(|stored| stored.request.requester.sourced());
        let is_same = before.is_none_or(|before| before.fingerprint == fingerprint);
        Ok(if is_same { Ordered::Taken(first) } else { Ordered::OtherWish(first) })
    }

    /// What is said twice is taken twice: the source may not have heard the first answer.
    async fn tell_request(
        &self,
        source: &SourceName,
        id: RequestId,
        event: Event,
    ) -> Result<Ordered, PortError> {
        let stored = self.ports.store.load(&id).await?;
        let Some(Stored { request, .. }) = stored.filter(|stored| stored.request.source() == Some(source))
        else {
            return Ok(Ordered::NotYours);
        };
        let is_cancelled = request.ending() == Some(&Ending::Cancelled);
        if is_cancelled && matches!(event, Event::CancelBySource(_)) {
            return Ok(Ordered::Taken(id));
        }
        match self.change(&id, event).await {
            Ok(_) | Err(Stopped::Seen | Stopped::Refused(Refusal::AlreadyApproved)) => Ok(Ordered::Taken(id)),
            Err(Stopped::Refused(refusal)) => Ok(Ordered::Refused(refusal)),
            Err(Stopped::Gone | Stopped::SubjectBusy(_)) => Ok(Ordered::NotYours),
            Err(Stopped::Port(error)) => Err(error),
        }
    }

    /// Tells a source, with the same delivery id each time, for about a day.
    pub(super) async fn tell_source(
        &self,
        leased: &Leased,
        request: &Request,
        name: &SourceName,
        news: News,
    ) -> Result<Done, Stopped> {
        let status = Status::of(request, news, &leased.key, self.settings.mode);
        let (Some(source), Some(status)) = (self.source(name), status) else { return Ok(Done::Done) };
        let Err(error) = source.tell(&status).await else { return Ok(Done::Done) };
        let after = match &error {
            PortError::Retry { after, .. } if leased.lease < MOST_TRIES => after.unwrap_or_default(),
            PortError::Retry { .. } | PortError::Fatal { .. } => {
                tracing::error!(request.id = %request.id, source = %name, error = &error as &dyn std::error::Error, "a source was not told and will not be");
                return Ok(Done::Done);
            }
        };
        tracing::warn!(request.id = %request.id, source = %name, tries = leased.lease, error = &error as &dyn std::error::Error, "a source did not take a status");
        Ok(Done::In(pause_before(leased.lease).max(after)))
    }

    /// Finds out whose approval it is that the source states. A look-up that fails is tried again until the time is over.
    pub(super) async fn weigh(&self, request: &Request, number: u8) -> Result<Done, Stopped> {
        let State::AwaitingApproval { case, .. } = &request.state else { return Ok(Done::Done) };
        let statement = request.stated.get(usize::from(number));
        let (Some(source), Some(statement)) = (request.source(), statement) else { return Ok(Done::Done) };
        let verdict = self.whose_approval(source, case, &statement.approver).await?;
        self.change(&request.id, Event::Weighed(number, verdict)).await.map(|_| Done::Done)
    }

    async fn whose_approval(
        &self,
        source: &SourceName,
        case: &Case,
        approver: &Naming,
    ) -> Result<Result<PersonId, NotCounted>, PortError> {
        let Some(rule) = self.policy.rule(&case.rule) else { return Ok(Err(NotCounted::RuleMayNot)) };
        let Some(subject) = self.ports.directory.person(case.subject.id).await? else {
            return Ok(Err(NotCounted::Unknown));
        };
        if let Err(why) = self.may_state(source, rule, &subject).await? {
            return Ok(Err(why));
        }
        let person = match self.named(approver).await? {
            Ok(person) if person.enabled && person.member => person,
            Ok(_) | Err(_) => return Ok(Err(NotCounted::Unknown)),
        };
        let stands_for = case.candidate(person.id).and_then(Candidate::stands_for);
        if let Some(delegator) = stands_for
            && !self.may_stand_for(delegator.id, person.id).await?
        {
            return Ok(Err(NotCounted::NotAnApprover));
        }
        Ok(Ok(person.id))
    }

    /// Whether an approval that the source states can count, whoever gave it: asked when it is stated, and again at the
    /// claim.
    pub(super) async fn may_state(
        &self,
        source: &SourceName,
        rule: &Rule,
        subject: &Person,
    ) -> Result<Result<(), NotCounted>, PortError> {
        if !self.source(source).is_some_and(|source| source.terms().may_state_approvals) {
            return Ok(Err(NotCounted::SourceMayNot));
        }
        if !rule.stated_approval || !rule.sources().any(|asks| asks == source) {
            return Ok(Err(NotCounted::RuleMayNot));
        }
        let privileges = self.ports.directory.privileges(subject.id).await?;
        let is_ordinary = privileges.are_tolerated(&[], subject.management_restricted);
        Ok(if is_ordinary { Ok(()) } else { Err(NotCounted::Privileged) })
    }

    /// Whom the source names, or the source itself.
    pub(super) async fn behind(&self, sourced: &Sourced) -> Looked<Person> {
        let Some(naming) = &sourced.requested_by else { return Ok(Ok(stand_in(&sourced.source))) };
        Ok(match self.named(naming).await? {
            Ok(person) if person.enabled && person.member => Ok(person),
            Err(Reason::SubjectAmbiguous) => Err(Reason::RequesterAmbiguous),
            Ok(_) | Err(_) => Err(Reason::RequesterUnknown),
        })
    }

    fn source(&self, name: &SourceName) -> Option<&Arc<dyn Source>> {
        self.ports.sources.iter().find(|source| source.name() == name)
    }
}

/// The source in the place of a person who asks: neither looked up nor in any group.
pub(super) fn stand_in(source: &SourceName) -> Person {
    Person {
        id: source.stand_in(),
        name: source.to_string(),
        upn: String::new(),
        mail: None,
        enabled: true,
        member: true,
        management_restricted: false,
        mobile_phone: None,
        other_mails: Vec::new(),
    }
}
