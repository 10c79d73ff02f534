//! What happens when somebody changes their mind: cancel, resend, revoke?
//!
//! The sender is known by the account that the platform verified. What they name is looked for among their own open
//! requests first, which takes no look-up outside: so the change is durable before it is acknowledged.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::card::Card;
use crate::desk::{Answer, Desk, Inquiry, Question, Stopped};
use crate::ids::{ChatUser, DeliveryId, PersonId, RequestId};
use crate::people::{Human, Naming};
use crate::ports::{PortError, Stored};
use crate::request::{Event, REPORT_OUTLIVES, Refusal, Request, Whom};
use crate::words;

/// Entra lets no tenant have longer ones.
const LONGEST_PASS: Duration = Duration::from_hours(30 * 24);

/// What is said of a request that was changed, and of one that was not.
struct Said {
    done: fn(&Request) -> Card,
    not: fn(&Request, Refusal, &str) -> Card,
}

impl Desk {
    pub(super) async fn cancel(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        of: Option<&Naming>,
    ) -> Result<Answer, PortError> {
        let said = Said { done: words::cancelled, not: words::not_cancelled };
        match self.own_request(sender, of, "cancel").await? {
            Ok(id) => {
                self.undo(&id, delivery, sender, Event::Cancel(sender.clone()), &said).await.map(Answer::Say)
            }
            Err(card) => Ok(Answer::Say(card)),
        }
    }

    pub(super) async fn resend(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        of: Option<&Naming>,
    ) -> Result<Answer, PortError> {
        let said = Said { done: words::resent, not: words::not_resent };
        match self.own_request(sender, of, "resend").await? {
            Ok(id) => {
                self.undo(&id, delivery, sender, Event::Resend(sender.clone()), &said).await.map(Answer::Say)
            }
            Err(card) => Ok(Answer::Say(card)),
        }
    }

    async fn undo(
        &self,
        id: &RequestId,
        delivery: &DeliveryId,
        sender: &ChatUser,
        event: Event,
        said: &Said,
    ) -> Result<Card, PortError> {
        match self.change_for(id, delivery, event).await {
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

    /// The one open request of the sender that they mean, or what to tell them.
    async fn own_request(
        &self,
        sender: &ChatUser,
        of: Option<&Naming>,
        verb: &str,
    ) -> Result<Result<RequestId, Card>, PortError> {
        let open = self.all_open(&Whom::Requester(sender.clone())).await?;
        let mut meant = open.iter().filter(|request| of.is_none_or(|of| request.is_for(of)));
        Ok(match (meant.next(), meant.next()) {
            (Some(one), None) => Ok(one.id.clone()),
            _ if open.is_empty() => Err(words::nothing_open()),
            (found, _) => {
                Err(words::which_one(&open, verb, self.command(sender), of.is_some() && found.is_none()))
            }
        })
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
            let said = Said { done: words::revoked, not: words::not_revoked };
            let event = Event::Revoke(sender.clone());
            return self.undo(&request.id, &delivery, &sender, event, &said).await.map(Answer::Say);
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
        let security = match self.who_is(sender).await? {
            Ok(person) if self.is_security(person.id).await? => Some(Human::from(&person)),
            Ok(_) | Err(_) => None,
        };
        let subject = match self.named(of).await? {
            Ok(person) => person.id,
            Err(reason) => return Ok(words::nobody_to_revoke(&reason)),
        };
        let mut revoked = None;
        for id in self.may_still_matter(subject).await? {
            let event = match &security {
                Some(human) => Event::RevokeBySecurity(human.clone()),
                None => Event::Revoke(sender.clone()),
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
