//! Who turns events into effects, and in which order? (The one driver of the flow.)
//!
//! load → apply → ledger → store → perform → ledger outcome → settle the task. Nothing is done that is not
//! written down first, and nothing that was accepted is lost: what fails is left where a later try finds it.

mod after;
mod alarms;
mod approvers;
mod caution;
mod claim;
mod contacts;
mod delegating;
mod explain;
mod facts;
mod home;
mod inquiry;
mod intake;
mod look;
mod notify;
mod receipt;
mod source;
mod suspicion;
mod undo;
mod visit;
mod work;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::claim::{ClaimAnswer, ClosedWhy, ReportAnswer, ShownAnswer, StatusAnswer};
pub use self::facts::Looked;
pub use self::inquiry::{Inquiry, Question};
pub use self::intake::Answer;
pub use self::undo::Undoing;
pub use self::visit::Visit;
use crate::alarm::Alarms;
use crate::evaluation::Mode;
use crate::ids::{ChatName, ChatUser, DeliveryId, GroupId, RequestId, Version, WorkerId};
use crate::ledger::{Head, Phase, Record};
use crate::people::Contact;
use crate::policy::{Policy, Route, Visits};
use crate::ports::{
    Chat, Clock, Commit, CommitError, Courier, Directory, Entropy, Ledger, Pins, PortError, Source, Store,
    Stored,
};
use crate::request::{Event, Refusal, Request, State};
use crate::ticket::Pepper;

/// Everything that the desk works with.
pub struct Ports {
    /// Entra.
    pub directory: Arc<dyn Directory>,
    /// The chats, in the order in which approvers are looked for.
    pub chats: Vec<Arc<dyn Chat>>,
    /// The systems that ask by signed messages.
    pub sources: Vec<Arc<dyn Source>>,
    /// At most one courier per route.
    pub couriers: Vec<Arc<dyn Courier>>,
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// The audit record.
    pub ledger: Arc<dyn Ledger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// PIN hashing.
    pub pins: Arc<dyn Pins>,
    /// Called after a commit that brought tasks, so that their performer need not poll.
    pub tasks_added: Arc<dyn Fn() + Send + Sync>,
}

/// What the configuration says, beside the policy.
pub struct Settings {
    /// Where people reach the claim page; ends with a slash.
    pub public_url: String,
    /// Where security is told.
    pub security: Vec<Contact>,
    /// What security hears of because it is out of the ordinary.
    pub alarms: Alarms,
    /// Whose members are security's people in chat.
    pub security_group: Option<GroupId>,
    /// What people may ask for at the page, if there is one.
    pub visits: Option<Visits>,
    /// This process.
    pub worker: WorkerId,
    /// Whether it is in earnest.
    pub mode: Mode,
}

/// The one driver of the flow.
pub struct Desk {
    ports: Ports,
    settings: Settings,
    policy: Policy,
    pepper: Arc<Pepper>,
    up_since: Timestamp,
}

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The request's state does not allow it.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// The delivery was accepted before.
    #[error("seen before")]
    Seen,
    /// The subject has another open request.
    #[error("the subject has another open request")]
    SubjectBusy(RequestId),
    /// There is no such request.
    #[error("no such request")]
    Gone,
    /// Store or ledger failed: nothing was changed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A lost race is tried again this often: more than the people and workers that can meet on one request.
const RACES: usize = 16;

impl Desk {
    /// A desk at work since now.
    #[must_use]
    pub fn new(ports: Ports, settings: Settings, policy: Policy, pepper: Arc<Pepper>) -> Self {
        let up_since = ports.clock.now();
        Self { ports, settings, policy, pepper, up_since }
    }

    /// The store, for what is not a request: lockdown, tasks, housekeeping.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.ports.store
    }

    /// Whether tapdesk is in earnest.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// Which policy it goes by: [`Policy::mark`].
    #[must_use]
    pub fn policy_mark(&self) -> String {
        self.policy.mark()
    }

    /// The ledger's last line: worth keeping elsewhere, since it proves what came before it.
    #[must_use]
    pub fn ledger_head(&self) -> Head {
        self.ports.ledger.head()
    }

    /// Locks issuing down, or lifts the lockdown; recorded before it counts.
    pub async fn set_lockdown(&self, on: bool) -> Result<(), PortError> {
        let now = self.now();
        let what = if on { "lockdown.on" } else { "lockdown.off" };
        self.ports.ledger.append(vec![Record::service(now, what)]).await?;
        self.ports.store.set_lockdown(on.then_some(now)).await?;
        tracing::warn!(lockdown = on, "the lockdown was switched");
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn chat(&self, name: &ChatName) -> Result<&Arc<dyn Chat>, PortError> {
        self.ports
            .chats
            .iter()
            .find(|chat| chat.name() == *name)
            .ok_or_else(|| PortError::fatal("the request came from a chat that is not configured any more"))
    }

    /// What the account's owner types before a command.
    fn command(&self, account: &ChatUser) -> &str {
        self.chat(&account.chat).map_or("", |chat| chat.command())
    }

    fn courier(&self, route: Route) -> Result<&Arc<dyn Courier>, PortError> {
        self.ports
            .couriers
            .iter()
            .find(|courier| courier.route() == route)
            .ok_or_else(|| PortError::fatal("no courier is configured for the route"))
    }

    async fn load(&self, id: &RequestId) -> Result<Stored, Stopped> {
        self.ports.store.load(id).await?.ok_or(Stopped::Gone)
    }

    /// Applies an event to the request as it is now, writes it down, and stores what follows.
    async fn change(&self, id: &RequestId, event: Event) -> Result<Stored, Stopped> {
        self.change_as(id, None, &|_| true, event).await
    }

    /// The same, claiming the delivery that brought the event.
    async fn change_for(
        &self,
        id: &RequestId,
        delivery: &DeliveryId,
        event: Event,
    ) -> Result<Stored, Stopped> {
        self.change_as(id, Some(delivery), &|_| true, event).await
    }

    /// The same for an event about one pass or one create: it counts only while the request is still at that one,
    /// however late its bearer comes.
    async fn change_while(
        &self,
        id: &RequestId,
        still: &(dyn Fn(&State) -> bool + Sync),
        event: Event,
    ) -> Result<Stored, Stopped> {
        self.change_as(id, None, still, event).await
    }

    async fn change_as(
        &self,
        id: &RequestId,
        delivery: Option<&DeliveryId>,
        still: &(dyn Fn(&State) -> bool + Sync),
        event: Event,
    ) -> Result<Stored, Stopped> {
        for _ in 0..RACES {
            let Stored { request, version } = self.load(id).await?;
            if !still(&request.state) {
                return Err(Refusal::Moot.into());
            }
            let now = self.now();
            let mut change = request.apply(event.clone(), now, version.next())?;
            let head = self.ports.ledger.append(change.records.clone()).await?;
            change.next.footing.add(version.next(), &head, change.records.len());
            let brings_tasks = !change.tasks.is_empty();
            let commit = Commit {
                request: change.next.clone(),
                tasks: change.tasks,
                head: head.clone(),
                delivery: delivery.cloned(),
                fresh_tries: change.fresh_tries,
            };
            let error = self.ports.store.commit(version, commit).await.err();
            let is_stored = match &error {
                None => true,
                Some(_) => self.is_stored_after_all(id, version.next(), &head, &change.records).await?,
            };
            if is_stored {
                if brings_tasks {
                    (self.ports.tasks_added)();
                }
                log_step(&request, &change.next, version.next());
                return Ok(Stored { request: change.next, version: version.next() });
            }
            let Some(error) = error else { continue };
            match error {
                CommitError::Conflict => {}
                CommitError::Seen => return Err(Stopped::Seen),
                CommitError::SubjectBusy(first) => return Err(Stopped::SubjectBusy(first)),
                CommitError::Port(error) => return Err(error.into()),
            }
        }
        Err(PortError::retry("the request changes too fast").into())
    }

    /// The lines of a change are in the ledger and the store reported an error: is the change in the store? If not, the
    /// ledger is told that they do not count, or an auditor would read an approval that never was one. If nobody can
    /// tell, the lines stay as they are, and the next start will know. An outcome stays in any case: it is what Graph
    /// did, and no lost race undoes it.
    async fn is_stored_after_all(
        &self,
        id: &RequestId,
        version: Version,
        head: &Head,
        records: &[Record],
    ) -> Result<bool, PortError> {
        if records.is_empty() {
            return Ok(false);
        }
        let stored = match self.ports.store.load(id).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(request.id = %id, error = &error as &dyn std::error::Error, "whether a change was stored is not known");
                return Ok(false);
            }
        };
        if stored.is_some_and(|stored| stored.request.footing.has(version, &head.ledger, head.seq)) {
            return Ok(true);
        }
        let now = self.now();
        let first = (head.seq + 1).saturating_sub(records.len() as u64);
        let numbered = (first..).zip(records).filter(|(_, record)| record.phase != Phase::Outcome);
        let lines = numbered.map(|(seq, record)| record.superseded(now, seq)).collect();
        self.ports.ledger.append(lines).await?;
        Ok(false)
    }

    /// Writes one line about a request outside a change: an outcome, or the intent of a clean-up.
    async fn record(
        &self,
        id: &RequestId,
        version: Version,
        phase: Phase,
        what: &str,
        facts: &[(&str, &str)],
    ) -> Result<(), PortError> {
        let line = Record::new(self.now(), id, version, phase, what);
        let line = facts.iter().fold(line, |line, (key, value)| line.with(key, value));
        self.ports.ledger.append(vec![line]).await.map(drop)
    }
}

fn log_step(before: &Request, after: &Request, version: Version) {
    let (from, to) = (before.state.name(), after.state.name());
    if from == to {
        tracing::debug!(request.id = %after.id, request.version = version.0, state = to, "the request was updated");
    } else {
        tracing::info!(request.id = %after.id, request.version = version.0, from, to, "the request moved on");
    }
}
