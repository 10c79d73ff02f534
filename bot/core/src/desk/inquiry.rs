//! What does somebody see of the requests, once directory and chat have told who they are?
//!
//! An inquiry changes nothing before its answer, so nothing is lost with it: it is asked again.

use crate::card::Card;
use crate::desk::Desk;
use crate::ids::{ChatUser, DeliveryId, RequestId};
use crate::inbound::Delegating;
use crate::people::{Naming, Person};
use crate::ports::PortError;
use crate::request::{Request, Whom};
use crate::words;

/// A question whose answer needs directory or chat, so that no acknowledgement can wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Who asks, verified by the platform.
    pub sender: ChatUser,
    /// What.
    pub question: Question,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What waits for me, and what do I wait for?
    Pending,
    /// May I revoke what this person has?
    Revoke {
        /// Whose pass.
        of: Naming,
        /// What asks, so that it counts once.
        delivery: DeliveryId,
    },
    /// Who decides for me, from when to when?
    Delegate(Delegating),
}

impl Desk {
    /// Answers an inquiry; what cannot be looked up now is said to be so.
    pub async fn answer(&self, inquiry: Inquiry) -> Card {
        let Inquiry { sender, question } = inquiry;
        let answer = match question {
            Question::Pending => self.pending(&sender).await,
            Question::Revoke { of, delivery } => self.revoke_if_entitled(&delivery, &sender, &of).await,
            Question::Delegate(what) => self.delegating(&sender, what).await,
        };
        answer.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "an inquiry could not be answered");
            words::not_looked_up()
        })
    }

    async fn pending(&self, sender: &ChatUser) -> Result<Card, PortError> {
        let me = match self.who_is(sender).await? {
            Ok(person) => person,
            Err(reason) => return Ok(words::not_for_you(&reason)),
        };
        self.open_for(&me, sender).await
    }

    /// What is open for somebody whom the chat vouches for.
    pub(super) async fn open_for(&self, me: &Person, sender: &ChatUser) -> Result<Card, PortError> {
        let to_decide = self.all_open(&Whom::Approver(me.id)).await?;
        let to_decide: Vec<Request> =
            to_decide.into_iter().filter(|request| request.waits_for(me.id)).collect();
        let asked = self.all_open(&Whom::Requester(sender.clone())).await?;
        Ok(words::pending(&to_decide, &asked, self.now()))
    }

    /// The open requests of somebody, the oldest first.
    pub(super) async fn all_open(&self, whom: &Whom) -> Result<Vec<Request>, PortError> {
        let ids = self.ports.store.open_requests(whom).await?;
        self.load_all(&ids).await
    }

    async fn load_all(&self, ids: &[RequestId]) -> Result<Vec<Request>, PortError> {
        let mut requests = Vec::with_capacity(ids.len());
        for id in ids {
            requests.extend(self.ports.store.load(id).await?.map(|stored| stored.request));
        }
        requests.sort_by_key(|request| request.received_at);
        Ok(requests)
    }
}
