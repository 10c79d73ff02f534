//! What happens when somebody changes their mind: cancel, resend, revoke?
//!
//! The sender is known by the account that the platform verified. What they name is looked for among what the account has
//! open first, which takes no look-up outside: so the change is durable before it is acknowledged. What they asked for
//! from another account, or may revoke for another reason, takes the directory, and is answered afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::card::Card;
use crate::desk::{Answer, Desk, Inquiry, Question, Stopped};
use crate::ids::{ChatUser, DeliveryId, PersonId, RequestId};
use crate::people::{Human, Naming};
use crate::ports::{PortError, Stored};
use crate::request::{Caller, Event, REPORT_OUTLIVES, Refusal, Request, Whom};
use crate::words;

/// Entra lets no tenant have longer ones.
const LONGEST_PASS: Duration = Duration::from_hours(30 * 24);

/// What a requester may want of their own request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undoing {
    /// It is to end.
    Cancel,
    /// A new code and a new PIN.
    Resend,
    /// No pass of it may stay usable.
    Revoke,
}

/// What is said of a request that was changed, and of one that was not.
struct Said {
    done: fn(&Request) -> Card,
    not: fn(&Request, Refusal, &str) -> Card,
}

impl Undoing {
    fn event(self, by: Caller) -> Event {
        match self {
            Self::Cancel => Event::Cancel(by),
            Self::Resend => Event::Resend(by),
            Self::Revoke => Event::Revoke(by),
        }
    }

    /// As it is typed.
    fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Resend => "resend",
            Self::Revoke => "revoke",
        }
    }

    fn said(self) -> Said {
        match self {
            Self::Cancel => Said { done: words::cancelled, not: words::not_cancelled },
            Self::Resend => Said { done: words::resent, not: words::not_resent },
            Self::Revoke => Said { done: words::revoked, not: words::not_revoked },
        }
    }
}

impl Desk {
    /// Does it at once where the account has the one request that is meant. What its owner asked for from another
    /// account, only the directory can tell.
    pub(super) async fn undo_own(
        &self,
        delivery: DeliveryId,
        sender: ChatUser,
        what: Undoing,
        of: Option<Naming>,
    ) -> Result<Answer, PortError> {
        let open = self.all_open(&Whom::Requester(sender.clone())).await?;
        match meant(&open, of.as_ref()) {
            Meant::One(id) => {
                let by = Caller::Account(sender.clone());
                return self.undo(id, &delivery, &sender, what, by).await.map(Answer::Say);
            }
            Meant::Several => {
                let command = self.command(&sender);
                return Ok(Answer::Say(words::which_one(&open, what.verb(), command, false)));
            }
            Meant::Another | Meant::Nothing => {}
        }
        let inquiry = Inquiry { sender, question: Question::Undo { what, of, delivery } };
        Ok(Answer::Later(words::looking(), Box::new(inquiry)))
    }

    /// The same among everything that the sender asked for, from whatever account. What is answered is durable.
    pub(super) async fn undo_anywhere(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        what: Undoing,
        of: Option<&Naming>,
    ) -> Result<Card, PortError> {
        let person = self.who_is(sender).await?.ok().map(|person| person.id);
        let open = self.own_open(sender, person).await?;
        let (verb, command) = (what.verb(), self.command(sender));
        match meant(&open, of) {
            Meant::One(id) => {
                let by = person.map_or_else(|| Caller::Account(sender.clone()), Caller::Person);
                self.undo(id, delivery, sender, what, by).await
            }
            Meant::Nothing => Ok(words::nothing_open()),
            Meant::Another => Ok(words::which_one(&open, verb, command, true)),
            Meant::Several => Ok(words::which_one(&open, verb, command, false)),
        }
    }

    /// What somebody asked for and is open, the oldest first: from this account, and from any other that they have.
    pub(super) async fn own_open(
        &self,
        account: &ChatUser,
        person: Option<PersonId>,
    ) -> Result<Vec<Request>, PortError> {
        let mut open = self.all_open(&Whom::Requester(account.clone())).await?;
        if let Some(person) = person {
            open.extend(self.all_open(&Whom::Asker(person)).await?);
        }
        Ok(each_once(open))
    }

    async fn undo(
        &self,
        id: &RequestId,
        delivery: &DeliveryId,
        sender: &ChatUser,
        what: Undoing,
        by: Caller,
    ) -> Result<Card, PortError> {
        let said = what.said();
        match self.change_for(id, delivery, what.event(by)).await {
            Ok(after) => Ok((said.done)(&after.request)),
            Err(Stopped::Seen) => Ok(words::seen_before()),
            Err(Stopped::Gone | Stopped::SubjectBusy(_)) => Ok(words::refusal(Refusal::Over)),
            Err(Stopped::Port(error)) => Err(error),
            Err(Stopped::Refused(why)) => {
                let stored = self.ports.store.load(id).await?;
                Ok(stored.map_or_else(
                    || words::refusal(why),
                    |Stored { request, .. }| (said.not)(&request, why, self.command(sender)),
                ))
            }
        }
    }

    /// Revokes the sender's own request at once; who else may revoke what, the directory has to say.
    pub(super) async fn revoke(
        &self,
        delivery: DeliveryId,
        sender: ChatUser,
        of: Naming,
    ) -> Result<Answer, PortError> {
        let own = self.all_open(&Whom::Requester(sender.clone())).await?;
        if let Some(request) = own.iter().find(|request| request.is_for(&of)) {
            let by = Caller::Account(sender.clone());
            return self.undo(&request.id, &delivery, &sender, Undoing::Revoke, by).await.map(Answer::Say);
        }
        let inquiry = Inquiry { sender, question: Question::Revoke { of, delivery } };
        Ok(Answer::Later(words::revoking(), Box::new(inquiry)))
    }

    /// Revokes everything of the named person that the sender may revoke. What is answered is durable.
    pub(super) async fn revoke_if_entitled(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        of: &Naming,
    ) -> Result<Card, PortError> {
        let person = self.who_is(sender).await?.ok();
        let security = match &person {
            Some(person) if self.is_security(person.id).await? => Some(Human::from(person)),
            Some(_) | None => None,
        };
        let caller =
            person.map_or_else(|| Caller::Account(sender.clone()), |person| Caller::Person(person.id));
        let subject = match self.named(of).await? {
            Ok(person) => person.id,
            Err(reason) => return Ok(words::nobody_to_revoke(&reason)),
        };
        let mut revoked = None;
        for id in self.may_still_matter(subject).await? {
            let event = match &security {
                Some(human) => Event::RevokeBySecurity(human.clone()),
                None => Event::Revoke(caller.clone()),
            };
            // One delivery revokes what it found the first time, however often it comes.
            let change = match &revoked {
                None => self.change_for(&id, delivery, event).await,
                Some(_) => self.change(&id, event).await,
            };
            match change {
                Ok(after) => revoked = revoked.or(Some(after.request)),
                Err(Stopped::Seen) => return Ok(words::seen_before()),
                Err(Stopped::Refused(_) | Stopped::Gone | Stopped::SubjectBusy(_)) => {}
                Err(Stopped::Port(error)) if revoked.is_none() => return Err(error),
                Err(Stopped::Port(error)) => {
                    tracing::error!(request.id = %id, error = &error as &dyn std::error::Error, "an older request could not be revoked");
                }
            }
        }
        Ok(revoked.map_or_else(words::nothing_to_revoke, |request| words::revoked(&request)))
    }

    /// The open request for somebody, and those closed ones of which a session may still be open; the newest first.
    async fn may_still_matter(&self, subject: PersonId) -> Result<Vec<RequestId>, PortError> {
        let mut ids = self.ports.store.open_requests(&Whom::Subject(subject)).await?;
        let since = self.now().saturating_sub(LONGEST_PASS.saturating_add(REPORT_OUTLIVES));
        let tickets = self.ports.store.tickets_since(subject, since.unwrap_or(Timestamp::MIN)).await?;
        ids.extend(tickets.into_iter().rev());
        let mut seen = BTreeSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        Ok(ids)
    }
}

/// Which open request somebody means.
enum Meant<'a> {
    One(&'a RequestId),
    Several,
    /// None of those that are open.
    Another,
    /// Nothing is open.
    Nothing,
}

fn meant<'a>(open: &'a [Request], of: Option<&Naming>) -> Meant<'a> {
    let mut meant = open.iter().filter(|request| of.is_none_or(|of| request.is_for(of)));
    match (meant.next(), meant.next()) {
        (Some(one), None) => Meant::One(&one.id),
        (Some(_), Some(_)) => Meant::Several,
        (None, _) if open.is_empty() => Meant::Nothing,
        (None, _) => Meant::Another,
    }
}

/// The oldest first.
pub(super) fn each_once(mut requests: Vec<Request>) -> Vec<Request> {
    let mut seen = BTreeSet::new();
    requests.retain(|request| seen.insert(request.id.clone()));
    requests.sort_by_key(|request| request.received_at);
    requests
}
