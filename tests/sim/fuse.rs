//! How does a process die between two effects?
//!
//! A [`Fuse`] sits in front of every port that has effects and counts them. At the chosen one the process dies: before
//! it, or after it happened and before anybody learns of it. From then on every port of that incarnation fails.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tapdesk::app::Parts;
use tapdesk_core::card::{Card, PinCard};
use tapdesk_core::ids::{
    ChatName, ChatUser, GroupId, LedgerName, PassId, PersonId, RequestId, Version, WorkerId,
};
use tapdesk_core::ledger::{Head, Record};
use tapdesk_core::pass::{NewPass, PassMeta, PassPolicy, PassWish};
use tapdesk_core::people::{Contact, Person, Privileges};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{
    Abilities, Chat, Commit, CommitError, Courier, CreateError, Directory, Leased, Ledger, Message, Opened,
    PortError, Receipt, Reply, RequesterCap, Store, Stored, TaskKey, Try, Vouched,
};
use tapdesk_core::request::{MessageRef, Whom};
use tapdesk_core::ticket::{CodeHash, TokenHash};

use crate::wire::lock;

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Instead of the effect.
    Before,
    /// Right after the effect; its result is lost.
    After,
}

/// Counts effects and kills at one of them.
#[derive(Clone)]
pub struct Fuse(Arc<Mutex<Burning>>);

struct Burning {
    effects: Vec<&'static str>,
    death: Option<(usize, Death)>,
    is_blown: bool,
}

/// What becomes of a call.
enum Fate {
    Happens,
    IsTheLast,
    IsTooLate,
}

impl Fuse {
    /// One that only counts.
    #[must_use]
    pub fn counting() -> Self {
        Self::new(None)
    }

    /// One that kills at the `n`th effect, from 1.
    #[must_use]
    pub fn at(n: usize, death: Death) -> Self {
        Self::new(Some((n, death)))
    }

    fn new(death: Option<(usize, Death)>) -> Self {
        Self(Arc::new(Mutex::new(Burning { effects: Vec::new(), death, is_blown: false })))
    }

    /// The effects so far, by name, the last one perhaps prevented.
    #[must_use]
    pub fn effects(&self) -> Vec<&'static str> {
        lock(&self.0).effects.clone()
    }

    /// Whether the process is dead.
    #[must_use]
    pub fn is_blown(&self) -> bool {
        lock(&self.0).is_blown
    }

    /// Puts itself in front of every port.
    #[must_use]
    pub fn fit(&self) -> Arc<dyn Fn(&mut Parts) + Send + Sync> {
        let fuse = self.clone();
        Arc::new(move |parts: &mut Parts| {
            parts.store = Arc::new(Fused { port: Arc::clone(&parts.store), fuse: fuse.clone() });
            parts.ledger = Arc::new(Fused { port: Arc::clone(&parts.ledger), fuse: fuse.clone() });
            parts.directory = Arc::new(Fused { port: Arc::clone(&parts.directory), fuse: fuse.clone() });
            for chat in &mut parts.chats {
                *chat = Arc::new(Fused { port: Arc::clone(chat), fuse: fuse.clone() });
            }
            for courier in &mut parts.couriers {
                *courier = Arc::new(Fused { port: Arc::clone(courier), fuse: fuse.clone() });
            }
        })
    }

    fn fate(&self, effect: &'static str) -> Fate {
        let mut burning = lock(&self.0);
        if burning.is_blown {
            return Fate::IsTooLate;
        }
        burning.effects.push(effect);
        match burning.death {
            Some((n, Death::Before)) if n == burning.effects.len() => {
                burning.is_blown = true;
                Fate::IsTooLate
            }
            Some((n, Death::After)) if n == burning.effects.len() => Fate::IsTheLast,
            Some(_) | None => Fate::Happens,
        }
    }

    async fn effect<T, E: Lost>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        match self.fate(name) {
            Fate::Happens => call.await,
            Fate::IsTooLate => Err(E::lost()),
            Fate::IsTheLast => {
                // Whatever came back, nobody lives to read it.
                drop(call.await);
                lock(&self.0).is_blown = true;
                Err(E::lost())
            }
        }
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T, PortError>> + Send) -> Result<T, PortError> {
        if self.is_blown() { Err(PortError::lost()) } else { call.await }
    }
}

/// An error that stands for the death of the process.
trait Lost {
    fn lost() -> Self;
}

impl Lost for PortError {
    fn lost() -> Self {
        Self::retry("the process is dead")
    }
}

impl Lost for CommitError {
    fn lost() -> Self {
        Self::Port(PortError::lost())
    }
}

impl Lost for CreateError {
    fn lost() -> Self {
        Self::Unknown { source: None }
    }
}

/// A port behind a fuse.
struct Fused<P: ?Sized> {
    port: Arc<P>,
    fuse: Fuse,
}

#[async_trait]
impl Store for Fused<dyn Store> {
    async fn open(&self, commit: Commit, cap: RequesterCap, now: Timestamp) -> Result<Opened, PortError> {
        self.fuse.effect("store.open", self.port.open(commit, cap, now)).await
    }

    async fn load(&self, id: &RequestId) -> Result<Option<Stored>, PortError> {
        self.fuse.read(self.port.load(id)).await
    }

    async fn commit(&self, expected: Version, commit: Commit) -> Result<Version, CommitError> {
        self.fuse.effect("store.commit", self.port.commit(expected, commit)).await
    }

    async fn due(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Leased>, PortError> {
        // Without a due task nothing is written: no effect.
        if self.next_due().await?.is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
        self.fuse.effect("store.due", self.port.due(now, worker, lease, most)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, PortError> {
        self.fuse.read(self.port.next_due()).await
    }

    async fn done(&self, key: &TaskKey) -> Result<(), PortError> {
        self.fuse.effect("store.done", self.port.done(key)).await
    }

    async fn again(&self, key: &TaskKey, at: Timestamp) -> Result<(), PortError> {
        self.fuse.effect("store.again", self.port.again(key, at)).await
    }

    async fn try_pin(&self, code: &CodeHash, now: Timestamp) -> Result<Try, PortError> {
        self.fuse.effect("store.try_pin", self.port.try_pin(code, now)).await
    }

    async fn find_code(&self, code: &CodeHash) -> Result<Option<RequestId>, PortError> {
        self.fuse.read(self.port.find_code(code)).await
    }

    async fn find_report(&self, token: &TokenHash) -> Result<Option<RequestId>, PortError> {
        self.fuse.read(self.port.find_report(token)).await
    }

    async fn open_requests(&self, whom: &Whom) -> Result<Vec<RequestId>, PortError> {
        self.fuse.read(self.port.open_requests(whom)).await
    }

    async fn tickets_since(&self, subject: PersonId, since: Timestamp) -> Result<u32, PortError> {
        self.fuse.read(self.port.tickets_since(subject, since)).await
    }

    async fn anchor(&self, ledger: &LedgerName) -> Result<Head, PortError> {
        self.fuse.read(self.port.anchor(ledger)).await
    }

    async fn lockdown(&self) -> Result<Option<Timestamp>, PortError> {
        self.fuse.read(self.port.lockdown()).await
    }

    async fn set_lockdown(&self, since: Option<Timestamp>) -> Result<(), PortError> {
        self.fuse.effect("store.set_lockdown", self.port.set_lockdown(since)).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, PortError> {
        self.fuse.effect("store.forget", self.port.forget(before)).await
    }
}

#[async_trait]
impl Ledger for Fused<dyn Ledger> {
    async fn append(&self, records: Vec<Record>) -> Result<Head, PortError> {
        self.fuse.effect("ledger.append", self.port.append(records)).await
    }

    fn head(&self) -> Head {
        self.port.head()
    }
}

#[async_trait]
impl Directory for Fused<dyn Directory> {
    async fn find(&self, address: &str) -> Result<Vec<Person>, PortError> {
        self.fuse.read(self.port.find(address)).await
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, PortError> {
        self.fuse.read(self.port.person(id)).await
    }

    async fn manager(&self, of: PersonId) -> Result<Option<Person>, PortError> {
        self.fuse.read(self.port.manager(of)).await
    }

    async fn groups_among(
        &self,
        person: PersonId,
        groups: &[GroupId],
    ) -> Result<BTreeSet<GroupId>, PortError> {
        self.fuse.read(self.port.groups_among(person, groups)).await
    }

    async fn members(&self, group: GroupId) -> Result<Vec<Person>, PortError> {
        self.fuse.read(self.port.members(group)).await
    }

    async fn privileges(&self, person: PersonId) -> Result<Privileges, PortError> {
        self.fuse.read(self.port.privileges(person)).await
    }

    async fn phones(&self, person: PersonId) -> Result<Vec<Contact>, PortError> {
        self.fuse.read(self.port.phones(person)).await
    }

    async fn pass_policy(&self) -> Result<PassPolicy, PortError> {
        self.fuse.read(self.port.pass_policy()).await
    }

    async fn passes(&self, of: PersonId) -> Result<Vec<PassMeta>, PortError> {
        self.fuse.read(self.port.passes(of)).await
    }

    async fn create_pass(&self, of: PersonId, wish: PassWish) -> Result<NewPass, CreateError> {
        self.fuse.effect("directory.create_pass", self.port.create_pass(of, wish)).await
    }

    async fn delete_pass(&self, of: PersonId, pass: &PassId) -> Result<(), PortError> {
        self.fuse.effect("directory.delete_pass", self.port.delete_pass(of, pass)).await
    }

    async fn revoke_sessions(&self, of: PersonId) -> Result<(), PortError> {
        self.fuse.effect("directory.revoke_sessions", self.port.revoke_sessions(of)).await
    }
}

#[async_trait]
impl Chat for Fused<dyn Chat> {
    fn name(&self) -> ChatName {
        self.port.name()
    }

    fn abilities(&self) -> Abilities {
        self.port.abilities()
    }

    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, PortError> {
        self.fuse.effect("chat.say", self.port.say(to, card)).await
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), PortError> {
        self.fuse.effect("chat.edit", self.port.edit(message, card)).await
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), PortError> {
        self.fuse.effect("chat.whisper", self.port.whisper(reply, card)).await
    }

    async fn reveal(&self, reply: &Reply, card: &PinCard) -> Result<(), PortError> {
        self.fuse.effect("chat.reveal", self.port.reveal(reply, card)).await
    }

    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError> {
        self.fuse.read(self.port.vouch(user)).await
    }

    async fn account_of(&self, person: &Person) -> Result<Option<ChatUser>, PortError> {
        self.fuse.read(self.port.account_of(person)).await
    }
}

#[async_trait]
impl Courier for Fused<dyn Courier> {
    fn route(&self) -> Route {
        self.port.route()
    }

    async fn send(&self, to: &Contact, message: &Message) -> Result<Receipt, PortError> {
        self.fuse.effect("courier.send", self.port.send(to, message)).await
    }
}
