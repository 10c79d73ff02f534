//! What is done when an approver says that a request looks wrong, or an owner that it was not them?

use jiff::Timestamp;

use crate::desk::intake::Answer;
use crate::desk::work::Done;
use crate::desk::{Desk, Stopped};
use crate::form::Filled;
use crate::ids::{ChatUser, DeliveryId, PersonId};
use crate::ledger::Phase;
use crate::method::Method;
use crate::ports::{Leased, PortError, Stored};
use crate::request::{Event, Request};
use crate::words;

impl Desk {
    /// Asks the approver what looks wrong; nothing is frozen before they have answered.
    pub(super) async fn ask_what_is_wrong(&self, sender: &ChatUser, value: &str) -> Result<Answer, Stopped> {
        let (Stored { request, version }, by) = self.presser(sender, value).await?;
        request.apply(looks_wrong(by, String::new(), String::new()), self.now(), version.next())?;
        Ok(Answer::Open(words::what_looks_wrong(value)))
    }

    /// Freezes the request that a source says the sender approved.
    pub(super) async fn disown_approval(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        value: &str,
    ) -> Result<Answer, Stopped> {
        let (stored, by) = self.presser(sender, value).await?;
        self.change_for(&stored.request.id, delivery, Event::Disown(by)).await?;
        Ok(Answer::Say(words::disowned(&stored.request)))
    }

    /// Freezes the request that the form was opened for.
    pub(super) async fn doubt(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        filled: &Filled,
    ) -> Result<Answer, Stopped> {
        let (stored, by) = self.presser(sender, &filled.value).await?;
        let line = filled.doubt();
        let pseudonym = self.pepper.pseudonym(&line);
        self.change_for(&stored.request.id, delivery, looks_wrong(by, line, pseudonym)).await?;
        Ok(Answer::Say(words::doubted(&stored.request)))
    }

    /// Lists to security what somebody else may have registered, or says that the directory does not tell. Tried until
    /// security has it.
    pub(super) async fn list_methods(
        &self,
        leased: &Leased,
        request: &Request,
        since: Timestamp,
    ) -> Result<Done, Stopped> {
        let Some(case) = request.case() else { return Ok(Done::Done) };
        let methods = match self.ports.directory.methods(case.subject.id).await {
            Ok(methods) => Some(methods),
            Err(fatal @ PortError::Fatal { .. }) => {
                tracing::error!(request.id = %request.id, error = &fatal as &dyn std::error::Error, "what was registered cannot be read");
                None
            }
            Err(retry @ PortError::Retry { .. }) => return Err(retry.into()),
        };
        self.tell_security(&words::methods_registered(request, methods.as_deref(), since)).await?;
        let may_be =
            |methods: Vec<Method>| methods.iter().filter(|method| method.may_be_since(since)).count();
        let listed = methods.map_or_else(|| "not known".to_owned(), |methods| may_be(methods).to_string());
        let facts = [("listed", listed.as_str())];
        self.record(&request.id, leased.key.version, Phase::Event, "methods.listed", &facts).await?;
        Ok(Done::Done)
    }
}

fn looks_wrong(by: PersonId, line: String, pseudonym: String) -> Event {
    Event::LooksWrong { by, line, pseudonym }
}
