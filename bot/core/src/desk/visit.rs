//! What happens to what somebody asks at the page, where nobody vouches for them?
//!
//! Whoever asks is answered before anybody looks whether there is such an account: all that they are told is a number,
//! and only an approver to whom they tell it can approve.

use std::time::Duration;

use crate::desk::{Desk, Looked, Stopped};
use crate::ids::{PersonId, RequestId};
use crate::inbound::Ask;
use crate::people::{Human, Naming, Person, one_line};
use crate::policy::Rule;
use crate::ports::{Opened, PortError, RequesterCap};
use crate::request::{Asker, Event, Matching, Reason, Refusal, Request, Whom};
use crate::ticket::Malformed;
use crate::words;

/// What was typed at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    subject: Naming,
    reason: String,
}

impl Visit {
    /// A user name and a reason, if they could be such.
    ///
    /// # Errors
    /// Names the field to mend.
    pub fn parse(user: &str, reason: &str) -> Result<Self, Malformed> {
        let subject = Naming::address(user.trim()).ok_or(Malformed("user"))?;
        let reason = one_line(reason);
        let fits = (words::SHORTEST_REASON..=words::LONGEST_REASON).contains(&reason.chars().count());
        if fits { Ok(Self { subject, reason }) } else { Err(Malformed("reason")) }
    }
}

impl Desk {
    /// A number to show to somebody at the page, whatever becomes of what they ask.
    #[must_use]
    pub fn number_to_show(&self) -> Matching {
        Matching::fresh(&*self.ports.entropy)
    }

    /// Takes a visit in; whether it is one more than a day allows for that name. It is durable when this returns.
    ///
    /// # Errors
    /// Store or ledger failed: nothing was accepted.
    pub async fn visit(&self, visit: Visit, matching: Matching) -> Result<Opened, PortError> {
        let Some(visits) = &self.settings.visits else { return Ok(Opened::TooMany) };
        let cap = RequesterCap { most: visits.per_subject, window: Duration::from_hours(24) };
        let id = RequestId::fresh(&*self.ports.entropy);
        let change =
            Request::open(id, Asker::Visitor(matching), Ask::new(visit.subject, visit.reason), self.now());
        self.open(change, None, cap).await
    }

    /// Makes room for a request from a chat, if it is a visitor's that keeps it waiting.
    pub(super) async fn is_set_aside(&self, first: &RequestId, by: &Request) -> Result<bool, Stopped> {
        if by.requester.is_visitor() {
            return Ok(false);
        }
        match self.change(first, Event::SetAside(by.id.clone())).await {
            Ok(_) | Err(Stopped::Gone | Stopped::Refused(Refusal::Over)) => Ok(true),
            Err(Stopped::Refused(_)) => Ok(false),
            Err(stopped) => Err(stopped),
        }
    }

    /// The subject of a visit, by user name alone: were another address of theirs good, too, what was asked for them
    /// would not count together.
    pub(super) async fn visited_subject(&self, naming: &Naming) -> Looked<Person> {
        if self.settings.visits.is_none() {
            return Ok(Err(Reason::NoRule));
        }
        let found = self.subject(naming).await?;
        let is_named = |person: &Person| *naming == Naming::Address(person.upn.to_lowercase());
        Ok(found.and_then(|person| if is_named(&person) { Ok(person) } else { Err(Reason::SubjectUnknown) }))
    }

    /// How long approvers have.
    pub(super) fn approval_time(&self, request: &Request) -> Duration {
        let visits = self.settings.visits.as_ref().filter(|_| request.requester.is_visitor());
        visits.map_or(self.policy.approval_expires, |visits| visits.approval_expires)
    }

    /// The number to match: the page has shown a visitor theirs, whatever the rule says.
    pub(super) fn matching(&self, request: &Request, rule: &Rule) -> Option<Matching> {
        match &request.requester {
            Asker::Account(_) | Asker::Source(_) => rule.number_match.then(|| self.number_to_show()),
            Asker::Visitor(matching) => Some(*matching),
        }
    }

    /// Whether an approver has as many open prompts as they can be asked at a time. Those of visitors count apart: they
    /// must not use up what the desk needs.
    pub(super) async fn has_enough_prompts(
        &self,
        approver: PersonId,
        asker: &Asker,
    ) -> Result<bool, PortError> {
        let most = match asker {
            Asker::Account(_) | Asker::Source(_) => self.policy.prompts_per_approver,
            Asker::Visitor(_) => {
                self.settings.visits.as_ref().map_or(0, |visits| visits.prompts_per_approver)
            }
        };
        let open = self.ports.store.open_requests(&Whom::Approver(approver)).await?;
        let mut alike = 0;
        for id in open.iter().take_while(|_| open.len() >= most as usize) {
            let stored = self.ports.store.load(id).await?;
            let is_alike =
                stored.is_some_and(|stored| stored.request.requester.is_visitor() == asker.is_visitor());
            alike += u32::from(is_alike);
        }
        Ok(alike >= most)
    }
}

/// How the requester is called: whoever visits has no name yet.
pub(super) fn called(request: &Request, requester: &Person) -> Human {
    let human = Human::from(requester);
    match &request.requester {
        Asker::Account(_) => human,
        Asker::Visitor(_) => Human { name: words::visitor(&human.name), ..human },
        Asker::Source(sourced) => {
            Human { name: words::sourced(sourced, request.ticket_number.as_ref(), &human.name), ..human }
        }
    }
}
