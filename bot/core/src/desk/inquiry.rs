//! What does somebody see of the requests, once directory and chat have told who they are?
//!
//! An inquiry changes nothing before its answer, so nothing is lost with it: it is asked again. Whoever may not see a
//! request is answered as if there were none.

use std::time::Duration;

use jiff::Timestamp;

use crate::card::Card;
use crate::desk::undo::{Undoing, each_once};
use crate::desk::{Desk, Looked};
use crate::ids::{ChatUser, DeliveryId, GroupId, PersonId, RequestId};
use crate::inbound::Delegating;
use crate::people::{Naming, Person};
use crate::ports::PortError;
use crate::request::{Asker, Party, Reason, Request, Whom};
use crate::words;

/// How long what became of a request is told to whoever asks; afterwards the ledger knows.
const RECENTLY: Duration = Duration::from_hours(24);

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
    /// How is it going with the requests for somebody, or with mine?
    Status(Option<Naming>),
    /// What waits for me, and what is open where I work?
    Pending,
    /// Which of the requests that I made, from whatever account, do I mean?
    Undo {
        /// What is to be done with it.
        what: Undoing,
        /// For whom it is; may be left out where one has only one open.
        of: Option<Naming>,
        /// What asks, so that it counts once.
        delivery: DeliveryId,
    },
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

/// Somebody who asks, as far as it decides what they see.
struct Viewer {
    account: ChatUser,
    id: PersonId,
    groups: Vec<GroupId>,
    is_security: bool,
}

impl Desk {
    /// Answers an inquiry; what cannot be looked up now is said to be so.
    pub async fn answer(&self, inquiry: Inquiry) -> Card {
        let Inquiry { sender, question } = inquiry;
        let answer = match question {
            Question::Status(of) => self.standing_of(sender, of).await,
            Question::Pending => self.pending(sender).await,
            Question::Undo { what, of, delivery } => {
                self.undo_anywhere(&delivery, &sender, what, of.as_ref()).await
            }
            Question::Revoke { of, delivery } => self.revoke_if_entitled(&delivery, &sender, &of).await,
            Question::Delegate(what) => self.delegating(&sender, what).await,
        };
        answer.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "an inquiry could not be answered");
            words::not_looked_up()
        })
    }

    async fn standing_of(&self, sender: ChatUser, of: Option<Naming>) -> Result<Card, PortError> {
        match (self.viewer(sender).await?, of) {
            (Ok(viewer), Some(naming)) => self.status_of(&viewer, &naming).await,
            (Ok(viewer), None) => self.own_status(&viewer).await,
            (Err(reason), _) => Ok(words::not_for_you(&reason)),
        }
    }

    async fn pending(&self, sender: ChatUser) -> Result<Card, PortError> {
        match self.viewer(sender).await? {
            Ok(viewer) => self.open_before(&viewer).await,
            Err(reason) => Ok(words::not_for_you(&reason)),
        }
    }

    async fn viewer(&self, account: ChatUser) -> Looked<Viewer> {
        let person = match self.who_is(&account).await? {
            Ok(person) => person,
            Err(reason) => return Ok(Err(reason)),
        };
        self.viewer_as(&person, account).await.map(Ok)
    }

    async fn viewer_as(&self, person: &Person, account: ChatUser) -> Result<Viewer, PortError> {
        let groups = self.ports.directory.groups_among(person.id, &self.policy.groups_that_ask()).await?;
        let is_security = self.is_security(person.id).await?;
        Ok(Viewer { account, id: person.id, groups: groups.into_iter().collect(), is_security })
    }

    async fn status_of(&self, viewer: &Viewer, naming: &Naming) -> Result<Card, PortError> {
        let subject = match self.named(naming).await? {
            Ok(subject) => subject,
            Err(Reason::SubjectUnknown | Reason::SubjectNotVouched(_) | Reason::SubjectAmbiguous) => {
                return Ok(words::nothing_to_see());
            }
            Err(reason) => return Ok(words::not_for_you(&reason)),
        };
        let seen = |request: &Request| viewer.may_see(request);
        let open = self.all_open(&Whom::Subject(subject.id)).await?;
        let open: Vec<Request> = open.into_iter().filter(seen).collect();
        let closed = self.recently_closed(&Party::Subject(subject.id)).await?;
        let newest = closed.into_iter().rfind(seen);
        let found: Vec<Request> = open.into_iter().chain(newest).collect();
        Ok(if found.is_empty() {
            words::nothing_to_see()
        } else {
            words::status_of(&subject.name, &found, self.now())
        })
    }

    async fn own_status(&self, viewer: &Viewer) -> Result<Card, PortError> {
        let open = self.own_open(&viewer.account, Some(viewer.id)).await?;
        let mut closed = self.recently_closed(&Party::Requester(viewer.account.clone())).await?;
        closed.extend(self.recently_closed(&Party::Asker(viewer.id)).await?);
        let mut closed = each_once(closed);
        closed.sort_by_key(Request::closed_at);
        Ok(words::own_status(&open, &closed, self.now()))
    }

    /// What is open for somebody whom the chat vouches for.
    pub(super) async fn open_for(&self, me: &Person, sender: &ChatUser) -> Result<Card, PortError> {
        self.open_before(&self.viewer_as(me, sender.clone()).await?).await
    }

    async fn open_before(&self, viewer: &Viewer) -> Result<Card, PortError> {
        let to_decide = self.all_open(&Whom::Approver(viewer.id)).await?;
        let to_decide: Vec<Request> =
            to_decide.into_iter().filter(|request| request.waits_for(viewer.id)).collect();
        let own = self.own_open(&viewer.account, Some(viewer.id)).await?;
        let mut colleagues: Vec<Request> = Vec::new();
        for group in &viewer.groups {
            for request in self.all_open(&Whom::Colleagues(*group)).await? {
                let is_new = colleagues.iter().chain(&own).all(|known| known.id != request.id);
                if is_new {
                    colleagues.push(request);
                }
            }
        }
        Ok(words::pending(&to_decide, &own, &colleagues, self.now()))
    }

    /// The open requests of somebody, the oldest first.
    pub(super) async fn all_open(&self, whom: &Whom) -> Result<Vec<Request>, PortError> {
        let ids = self.ports.store.open_requests(whom).await?;
        let mut requests = self.load_all(&ids).await?;
        requests.retain(Request::is_open);
        Ok(requests)
    }

    /// Those that closed not long ago, the last one last.
    async fn recently_closed(&self, party: &Party) -> Result<Vec<Request>, PortError> {
        let ago = |time: Duration| self.now().saturating_sub(time).unwrap_or(Timestamp::MIN);
        // A request is open for some hours at most, so what closed within a day was received within two.
        let ids = self.ports.store.requests_since(party, ago(2 * RECENTLY)).await?;
        let mut requests = self.load_all(&ids).await?;
        requests.retain(|request| request.closed_at().is_some_and(|at| at >= ago(RECENTLY)));
        requests.sort_by_key(Request::closed_at);
        Ok(requests)
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

impl Viewer {
    /// Who asked, for whom, who is asked to decide, who works with who asked, and security.
    fn may_see(&self, request: &Request) -> bool {
        let asked = match &request.requester {
            Asker::Account(account) => *account == self.account,
            Asker::Visitor(_) | Asker::Source(_) => false,
        };
        let Some(case) = request.case() else { return asked };
        asked
            || self.is_security
            || case.requester.id == self.id
            || case.subject.id == self.id
            || case.approvers.iter().any(|candidate| candidate.human.id == self.id)
            || case.colleagues.iter().any(|group| self.groups.contains(group))
    }
}
