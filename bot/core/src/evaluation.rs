//! What does tapdesk do while an organisation tries it out?
//!
//! Everything but the calls that change Entra. [`Evaluating`] stands before the ports: its directory makes, deletes and
//! revokes nothing, whatever people read through it is marked, and every ledger line says so. The core behind it works as
//! ever; only the answer to a claim has no pass to show.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use crate::card::{Card, PinCard};
use crate::caution::FileChange;
use crate::form::Form;
use crate::ids::{ChatName, ChatUser, GroupId, PassId, PersonId};
use crate::ledger::{Head, Record};
use crate::method::Method;
use crate::pass::{NewPass, PassMeta, PassPolicy, PassWish, Usability};
use crate::people::{Contact, Person, Privileges};
use crate::policy::Route;
use crate::ports::{
    Abilities, Account, Chat, Clock, Courier, CreateError, Directory, Entropy, Home, Ledger, Message,
    PortError, Receipt, Reply, SayError, Vouched,
};
use crate::request::MessageRef;
use crate::ticket::Revealed;
use crate::words;

/// Whether tapdesk is in earnest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is.
    #[default]
    Enforce,
    /// Everything happens except the calls that change Entra.
    Evaluate,
}

impl Mode {
    /// The card as this mode sends it.
    #[must_use]
    pub fn marked(self, card: Card) -> Card {
        match self {
            Self::Enforce => card,
            Self::Evaluate => marked(&card),
        }
    }

    /// The form as this mode opens it.
    #[must_use]
    pub(crate) fn marked_form(self, form: Form) -> Form {
        match self {
            Self::Enforce => form,
            Self::Evaluate => marked_form(&form),
        }
    }
}

/// A port whose messages are marked, or whose lines say that they are of an evaluation.
pub struct Evaluating<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Evaluating<P> {
    /// The port behind its mark.
    pub fn new(port: Arc<P>) -> Self {
        Self(port)
    }
}

/// A directory that is read and never changed.
pub struct UnchangedDirectory {
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The passes that would be there: at most one for each person. A restart forgets them, and they count as over.
    imagined: Mutex<Vec<(PersonId, PassMeta)>>,
}

impl UnchangedDirectory {
    /// Reads from `directory`.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { directory, clock, entropy, imagined: Mutex::new(Vec::new()) }
    }

    fn imagined<T>(&self, work: impl FnOnce(&mut Vec<(PersonId, PassMeta)>) -> T) -> T {
        work(&mut self.imagined.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Directory for UnchangedDirectory {
    async fn find(&self, address: &str) -> Result<Vec<Person>, PortError> {
        self.directory.find(address).await
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, PortError> {
        self.directory.person(id).await
    }

    async fn manager(&self, of: PersonId) -> Result<Option<Person>, PortError> {
        self.directory.manager(of).await
    }

    async fn groups_among(
        &self,
        person: PersonId,
        groups: &[GroupId],
    ) -> Result<BTreeSet<GroupId>, PortError> {
        self.directory.groups_among(person, groups).await
    }

    async fn members(&self, group: GroupId) -> Result<Vec<Person>, PortError> {
        self.directory.members(group).await
    }

    async fn privileges(&self, person: PersonId) -> Result<Privileges, PortError> {
        self.directory.privileges(person).await
    }

    async fn phones(&self, person: PersonId) -> Result<Vec<Contact>, PortError> {
        self.directory.phones(person).await
    }

    async fn changes(&self, of: PersonId, since: Timestamp) -> Result<Vec<FileChange>, PortError> {
        self.directory.changes(of, since).await
    }

    async fn methods(&self, person: PersonId) -> Result<Vec<Method>, PortError> {
        self.directory.methods(person).await
    }

    async fn pass_policy(&self) -> Result<PassPolicy, PortError> {
        self.directory.pass_policy().await
    }

    async fn passes(&self, of: PersonId) -> Result<Vec<PassMeta>, PortError> {
        let mut passes = self.directory.passes(of).await?;
        self.imagined(|imagined| {
            passes.extend(imagined.iter().filter(|(owner, _)| *owner == of).map(|(_, pass)| pass.clone()));
        });
        Ok(passes)
    }

    async fn create_pass(&self, of: PersonId, wish: PassWish) -> Result<NewPass, CreateError> {
        let now = self.clock.now();
        let meta = PassMeta {
            id: PassId(format!("evaluation-{:016x}", u64::from_be_bytes(self.entropy.array()))),
            created_at: now,
            starts_at: now,
            lifetime: wish.lifetime,
            one_time: wish.one_time,
            usability: Usability::Usable,
        };
        self.imagined(|imagined| {
            imagined.retain(|(owner, _)| *owner != of);
            imagined.push((of, meta.clone()));
        });
        Ok(NewPass { meta, passcode: None })
    }

    async fn delete_pass(&self, of: PersonId, pass: &PassId) -> Result<(), PortError> {
        self.imagined(|imagined| imagined.retain(|(owner, known)| *owner != of || known.id != *pass));
        Ok(())
    }

    async fn revoke_sessions(&self, _of: PersonId) -> Result<(), PortError> {
        Ok(())
    }
}

#[async_trait]
impl Chat for Evaluating<dyn Chat> {
    fn name(&self) -> ChatName {
        self.0.name()
    }

    fn abilities(&self) -> Abilities {
        self.0.abilities()
    }

    fn command(&self) -> &str {
        self.0.command()
    }

    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, SayError> {
        self.0.say(to, &marked(card)).await
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), PortError> {
        self.0.edit(message, &marked(card)).await
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), PortError> {
        self.0.whisper(reply, &marked(card)).await
    }

    async fn reveal(&self, reply: &Reply, card: &PinCard) -> Result<(), PortError> {
        let marked = PinCard {
            title: card.title.clone(),
            before: std::iter::once(words::EVALUATION.to_owned())
                .chain(card.before.iter().cloned())
                .collect(),
            pin: Revealed::new(card.pin.as_str().to_owned()),
            after: card.after.clone(),
            close: card.close.clone(),
        };
        self.0.reveal(reply, &marked).await
    }

    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<(), PortError> {
        self.0.open_form(reply, &marked_form(form)).await
    }

    async fn show_home(&self, to: &ChatUser, seen: Option<&str>, card: &Card) -> Result<Home, PortError> {
        self.0.show_home(to, seen, &marked(card)).await
    }

    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError> {
        self.0.vouch(user).await
    }

    async fn account_of(&self, person: &Person) -> Result<Option<Account>, PortError> {
        self.0.account_of(person).await
    }
}

#[async_trait]
impl Courier for Evaluating<dyn Courier> {
    fn route(&self) -> Route {
        self.0.route()
    }

    async fn send(&self, to: &Contact, message: &Message) -> Result<Receipt, PortError> {
        let marked = Message {
            subject: format!("{} {}", words::EVALUATION, message.subject),
            text: Revealed::new(format!("{} {}", words::EVALUATION, message.text.as_str())),
            mark: message.mark.clone(),
        };
        self.0.send(to, &marked).await
    }
}

#[async_trait]
impl Ledger for Evaluating<dyn Ledger> {
    async fn append(&self, records: Vec<Record>) -> Result<Head, PortError> {
        self.0.append(records.into_iter().map(|record| record.with("mode", "evaluate")).collect()).await
    }

    fn head(&self) -> Head {
        self.0.head()
    }
}

fn marked_form(form: &Form) -> Form {
    let text = std::iter::once(words::EVALUATION.to_owned()).chain(form.text.iter().cloned()).collect();
    Form { text, ..form.clone() }
}

/// The mark stands first, where a notification shows it.
fn marked(card: &Card) -> Card {
    if card.title.starts_with(words::EVALUATION) {
        return card.clone();
    }
    Card { title: format!("{} {}", words::EVALUATION, card.title), ..card.clone() }
}
