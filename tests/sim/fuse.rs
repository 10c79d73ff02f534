//! How does a process die between two effects?
//!
//! A [`Fuse`] sits in front of every port that has effects and counts them. At the chosen one it kills its own process:
//! before the effect, or after it happened and before anybody learns of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rustix::process::{Signal, getpid, kill_process};
use tapdesk::app::Parts;
use tapdesk_core::card::{Card, PinCard};
use tapdesk_core::caution::FileChange;
use tapdesk_core::delegation::Delegation;
use tapdesk_core::form::Form;
use tapdesk_core::ids::{
    ChatName, ChatUser, GroupId, LedgerName, PassId, PersonId, RequestId, Version, WorkerId,
};
use tapdesk_core::ledger::{Head, Record};
use tapdesk_core::method::Method;
use tapdesk_core::pass::{NewPass, PassMeta, PassPolicy, PassWish};
use tapdesk_core::people::{Contact, Person, Privileges};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{
    Abilities, Account, Chat, Commit, CommitError, Conversation, Courier, CreateError, Directory, Home,
    Leased, Ledger, Message, Opened, PortError, Receipt, Reply, RequesterCap, SayError, Store, Stored, Try,
    Vouched,
};
use tapdesk_core::request::{MessageRef, Party, Whom};
use tapdesk_core::ticket::{CodeHash, TokenHash};

use crate::wire::lock;

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Instead of the effect.
    Before,
    /// Right after the effect; nobody learns its result.
    After,
}

/// Notes effects and kills the process at one of them.
#[derive(Clone)]
pub struct Fuse(Arc<Mutex<Burning>>);

struct Burning {
    effects: usize,
    notes: File,
    death: Option<(usize, Death)>,
}

impl Fuse {
    /// Notes the name of every effect, a line each; dies at the `n`th, from 1.
    #[must_use]
    pub fn new(notes: File, death: Option<(usize, Death)>) -> Self {
        Self(Arc::new(Mutex::new(Burning { effects: 0, notes, death })))
    }

    /// Puts itself in front of every port.
    pub fn fit(&self, parts: &mut Parts) {
        parts.store = Arc::new(Fused { port: Arc::clone(&parts.store), fuse: self.clone() });
        parts.ledger = Arc::new(Fused { port: Arc::clone(&parts.ledger), fuse: self.clone() });
        parts.directory = Arc::new(Fused { port: Arc::clone(&parts.directory), fuse: self.clone() });
        for chat in &mut parts.chats {
            *chat = Arc::new(Fused { port: Arc::clone(chat), fuse: self.clone() });
        }
        for courier in &mut parts.couriers {
            *courier = Arc::new(Fused { port: Arc::clone(courier), fuse: self.clone() });
        }
    }

    /// Counts the effect; whether it is the last one.
    fn note(&self, effect: &str) -> bool {
        let mut burning = lock(&self.0);
        burning.effects += 1;
        if writeln!(burning.notes, "{effect}").is_err() {
            // Nobody could say afterwards where it died.
            die();
        }
        let death = burning.death.filter(|(n, _)| *n == burning.effects);
        if death.is_some_and(|(_, death)| death == Death::Before) {
            die();
        }
        death.is_some()
    }

    async fn effect<T>(&self, name: &str, call: impl Future<Output = T> + Send) -> T {
        let is_last = self.note(name);
        let result = call.await;
        if is_last {
            die();
        }
        result
    }
}

/// As a power cut would have it.
fn die() -> ! {
    loop {
        // It cannot fail, and nothing comes after it.
        let _ = kill_process(getpid(), Signal::KILL);
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
        self.port.load(id).await
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
        self.port.next_due().await
    }

    async fn done(&self, leased: &Leased) -> Result<(), PortError> {
        self.fuse.effect("store.done", self.port.done(leased)).await
    }

    async fn again(&self, leased: &Leased, at: Timestamp) -> Result<(), PortError> {
        self.fuse.effect("store.again", self.port.again(leased, at)).await
    }

    async fn try_pin(&self, code: &CodeHash, now: Timestamp) -> Result<Try, PortError> {
        self.fuse.effect("store.try_pin", self.port.try_pin(code, now)).await
    }

    async fn find_code(&self, code: &CodeHash) -> Result<Option<RequestId>, PortError> {
        self.port.find_code(code).await
    }

    async fn find_report(&self, token: &TokenHash) -> Result<Option<RequestId>, PortError> {
        self.port.find_report(token).await
    }

    async fn open_requests(&self, whom: &Whom) -> Result<Vec<RequestId>, PortError> {
        self.port.open_requests(whom).await
    }

    async fn requests_since(&self, party: &Party, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.port.requests_since(party, since).await
    }

    async fn tickets_since(&self, subject: PersonId, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.port.tickets_since(subject, since).await
    }

    async fn anchor(&self, ledger: &LedgerName) -> Result<Head, PortError> {
        self.port.anchor(ledger).await
    }

    async fn delegation(&self, of: PersonId) -> Result<Option<Delegation>, PortError> {
        self.port.delegation(of).await
    }

    async fn set_delegation(&self, of: PersonId, delegation: Option<Delegation>) -> Result<(), PortError> {
        self.fuse.effect("store.set_delegation", self.port.set_delegation(of, delegation)).await
    }

    async fn conversation(&self, with: &ChatUser) -> Result<Option<Conversation>, PortError> {
        self.port.conversation(with).await
    }

    async fn keep_conversation(
        &self,
        with: &ChatUser,
        conversation: Option<Conversation>,
    ) -> Result<(), PortError> {
        let keeping = self.port.keep_conversation(with, conversation);
        self.fuse.effect("store.keep_conversation", keeping).await
    }

    async fn lockdown(&self) -> Result<Option<Timestamp>, PortError> {
        self.port.lockdown().await
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
        self.port.find(address).await
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, PortError> {
        self.port.person(id).await
    }

    async fn manager(&self, of: PersonId) -> Result<Option<Person>, PortError> {
        self.port.manager(of).await
    }

    async fn groups_among(
        &self,
        person: PersonId,
        groups: &[GroupId],
    ) -> Result<BTreeSet<GroupId>, PortError> {
        self.port.groups_among(person, groups).await
    }

    async fn members(&self, group: GroupId) -> Result<Vec<Person>, PortError> {
        self.port.members(group).await
    }

    async fn privileges(&self, person: PersonId) -> Result<Privileges, PortError> {
        self.port.privileges(person).await
    }

    async fn phones(&self, person: PersonId) -> Result<Vec<Contact>, PortError> {
        self.port.phones(person).await
    }

    async fn changes(&self, of: PersonId, since: Timestamp) -> Result<Vec<FileChange>, PortError> {
        self.port.changes(of, since).await
    }

    async fn methods(&self, person: PersonId) -> Result<Vec<Method>, PortError> {
        self.port.methods(person).await
    }

    async fn pass_policy(&self) -> Result<PassPolicy, PortError> {
        self.port.pass_policy().await
    }

    async fn passes(&self, of: PersonId) -> Result<Vec<PassMeta>, PortError> {
        self.port.passes(of).await
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

    fn command(&self) -> &str {
        self.port.command()
    }

    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, SayError> {
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

    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<(), PortError> {
        self.fuse.effect("chat.open_form", self.port.open_form(reply, form)).await
    }

    async fn show_home(&self, to: &ChatUser, seen: Option<&str>, card: &Card) -> Result<Home, PortError> {
        self.fuse.effect("chat.show_home", self.port.show_home(to, seen, card)).await
    }

    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError> {
        self.port.vouch(user).await
    }

    async fn account_of(&self, person: &Person) -> Result<Option<Account>, PortError> {
        self.port.account_of(person).await
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
