//! How do the store and the ledger fail or dawdle, when a story wants them to?
//!
//! Wrappers around the real ports with one switch for both. Every call has a label: the verb, then what it is about
//! (`commit Issuing`, `append intent pass.create`); a fault hits the calls whose label contains its part.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tapdesk_adapters::ledgers::file::{Disk, FileLedger, Options, RealDisk, Segment};
use tapdesk_core::delegation::Delegation;
use tapdesk_core::ids::{ChatUser, LedgerName, PersonId, RequestId, Version, WorkerId};
use tapdesk_core::ledger::{Head, Phase, Record};
use tapdesk_core::ports::{
    Commit, CommitError, Conversation, Leased, Ledger, Opened, PortError, RequesterCap, Store, Stored, Try,
};
use tapdesk_core::request::{Party, Whom};
use tapdesk_core::ticket::{CodeHash, TokenHash};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::wire::{Gate, lock};
use crate::world::{Fit, Setting, World};

/// How long a story waits for a call that never comes before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The switch of all faulty ports of one world.
#[derive(Clone, Default)]
pub struct Faults {
    planned: Arc<Mutex<Vec<Planned>>>,
    /// Labels of the calls that a fault has hit.
    hit: Arc<watch::Sender<Vec<String>>>,
    appended: Arc<Mutex<Vec<Appended>>>,
    count: Arc<Mutex<Option<Count>>>,
}

type Count = Arc<dyn Fn() -> usize + Send + Sync>;

/// Lines that the ledger has made durable.
#[derive(Debug, Clone)]
pub struct Appended {
    /// Phase and deed of each, such as `intent pass.create`.
    pub lines: Vec<String>,
    /// What [`Faults::count_with`] counted before the append.
    pub before: usize,
    /// What it counted after the append.
    pub after: usize,
}

struct Planned {
    part: String,
    left: usize,
    fault: Fault,
}

#[derive(Clone)]
enum Fault {
    /// The call fails; nothing of it happens.
    Fail,
    /// The call waits until the gate opens, then happens.
    Hold(Gate),
    /// The call happens, and its caller is told that it failed.
    LoseAnswer,
}

impl Faults {
    /// Every call of the store from now on whose label contains `part` happens, and its caller does not hear of it.
    pub fn lose_answer(&self, part: &str) {
        self.plan(part, usize::MAX, Fault::LoseAnswer);
    }

    /// Fails every call from now on whose label contains `part`.
    pub fn fail(&self, part: &str) {
        self.plan(part, usize::MAX, Fault::Fail);
    }

    /// Fails the next `times` calls whose label contains `part`.
    pub fn fail_times(&self, part: &str, times: usize) {
        self.plan(part, times, Fault::Fail);
    }

    /// Keeps the next call whose label contains `part` from happening until the gate opens.
    #[must_use]
    pub fn hold(&self, part: &str) -> Gate {
        let gate = Gate::closed();
        self.plan(part, 1, Fault::Hold(gate.clone()));
        gate
    }

    /// Ends all faults. What is held already stays held until its gate opens.
    pub fn heal(&self) {
        lock(&self.planned).clear();
    }

    /// How many calls whose label contains `part` were failed or held so far.
    #[must_use]
    pub fn hits(&self, part: &str) -> usize {
        self.hit.borrow().iter().filter(|label| label.contains(part)).count()
    }

    /// Waits until a fault has hit a call whose label contains `part`.
    ///
    /// # Panics
    /// When none comes within some seconds.
    pub async fn arrived(&self, part: &str) {
        let mut hits = self.hit.subscribe();
        let wait = hits.wait_for(|labels| labels.iter().any(|label| label.contains(part)));
        assert!(timeout(PATIENCE, wait).await.is_ok_and(|hit| hit.is_ok()), "no {part:?} arrived");
    }

    /// Counts something with `count` before and after each append, to compare the order of both.
    pub fn count_with(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        *lock(&self.count) = Some(Arc::new(count));
    }

    /// Everything that the ledger made durable so far, in order.
    #[must_use]
    pub fn appended(&self) -> Vec<Appended> {
        lock(&self.appended).clone()
    }

    /// Puts the faulty wrappers around store and ledger; for [`crate::world::Setting::fit`].
    #[must_use]
    pub fn fit(&self) -> Fit {
        let faults = self.clone();
        Arc::new(move |parts| {
            parts.store = Arc::new(FaultyStore { inner: Arc::clone(&parts.store), faults: faults.clone() });
            parts.ledger =
                Arc::new(FaultyLedger { inner: Arc::clone(&parts.ledger), faults: faults.clone() });
        })
    }

    fn plan(&self, part: &str, times: usize, fault: Fault) {
        lock(&self.planned).push(Planned { part: part.to_owned(), left: times, fault });
    }

    fn next(&self, label: &str) -> Option<Fault> {
        let mut planned = lock(&self.planned);
        let found = planned.iter_mut().find(|plan| plan.left > 0 && label.contains(&plan.part))?;
        found.left -= 1;
        Some(found.fault.clone())
    }

    /// `Ok` if the call happens; says whether its caller hears of it.
    async fn meet(&self, label: String) -> Result<Hears, PortError> {
        let Some(fault) = self.next(&label) else { return Ok(Hears::All) };
        self.hit.send_modify(|labels| labels.push(label));
        match fault {
            Fault::Fail => Err(PortError::retry("a fault of the story")),
            Fault::Hold(gate) => {
                gate.wait().await;
                Ok(Hears::All)
            }
            Fault::LoseAnswer => Ok(Hears::Nothing),
        }
    }

    fn counted(&self) -> usize {
        let count = lock(&self.count).clone();
        count.map_or(0, |count| count())
    }
}

/// What a caller hears of its call.
#[derive(PartialEq, Eq)]
enum Hears {
    All,
    Nothing,
}

/// A store that fails and dawdles.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
}

/// A ledger that fails and dawdles.
pub struct FaultyLedger {
    inner: Arc<dyn Ledger>,
    faults: Faults,
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn append(&self, records: Vec<Record>) -> Result<Head, PortError> {
        if records.is_empty() {
            return self.inner.append(records).await;
        }
        let lines: Vec<String> = records.iter().map(line).collect();
        self.faults.meet(format!("append {}", lines.join(", "))).await?;
        let before = self.faults.counted();
        let head = self.inner.append(records).await?;
        let after = self.faults.counted();
        lock(&self.faults.appended).push(Appended { lines, before, after });
        Ok(head)
    }

    fn head(&self) -> Head {
        self.inner.head()
    }
}

fn line(record: &Record) -> String {
    let phase = match record.phase {
        Phase::Intent => "intent",
        Phase::Outcome => "outcome",
        Phase::Event => "event",
    };
    format!("{phase} {}", record.what)
}

#[async_trait]
impl Store for FaultyStore {
    async fn open(&self, commit: Commit, cap: RequesterCap, now: Timestamp) -> Result<Opened, PortError> {
        let hears = self.faults.meet("open".to_owned()).await?;
        let opened = self.inner.open(commit, cap, now).await?;
        if hears == Hears::All { Ok(opened) } else { Err(PortError::retry("the answer was lost")) }
    }

    async fn load(&self, id: &RequestId) -> Result<Option<Stored>, PortError> {
        self.faults.meet("load".to_owned()).await?;
        self.inner.load(id).await
    }

    async fn commit(&self, expected: Version, commit: Commit) -> Result<Version, CommitError> {
        let hears = self.faults.meet(format!("commit {}", commit.request.state.name())).await?;
        let version = self.inner.commit(expected, commit).await?;
        // A repeat that the caller did not need finds another version.
        if hears == Hears::All { Ok(version) } else { Err(CommitError::Conflict) }
    }

    async fn due(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Leased>, PortError> {
        self.faults.meet("due".to_owned()).await?;
        self.inner.due(now, worker, lease, most).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, PortError> {
        self.inner.next_due().await
    }

    async fn done(&self, leased: &Leased) -> Result<(), PortError> {
        self.faults.meet("done".to_owned()).await?;
        self.inner.done(leased).await
    }

    async fn again(&self, leased: &Leased, at: Timestamp) -> Result<(), PortError> {
        self.faults.meet("again".to_owned()).await?;
        self.inner.again(leased, at).await
    }

    async fn try_pin(&self, code: &CodeHash, now: Timestamp) -> Result<Try, PortError> {
        self.faults.meet("try_pin".to_owned()).await?;
        self.inner.try_pin(code, now).await
    }

    async fn find_code(&self, code: &CodeHash) -> Result<Option<RequestId>, PortError> {
        self.faults.meet("find_code".to_owned()).await?;
        self.inner.find_code(code).await
    }

    async fn find_report(&self, token: &TokenHash) -> Result<Option<RequestId>, PortError> {
        self.faults.meet("find_report".to_owned()).await?;
        self.inner.find_report(token).await
    }

    async fn open_requests(&self, whom: &Whom) -> Result<Vec<RequestId>, PortError> {
        self.faults.meet("open_requests".to_owned()).await?;
        self.inner.open_requests(whom).await
    }

    async fn requests_since(&self, party: &Party, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.faults.meet("requests_since".to_owned()).await?;
        self.inner.requests_since(party, since).await
    }

    async fn tickets_since(&self, subject: PersonId, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.faults.meet("tickets_since".to_owned()).await?;
        self.inner.tickets_since(subject, since).await
    }

    async fn anchor(&self, ledger: &LedgerName) -> Result<Head, PortError> {
        self.inner.anchor(ledger).await
    }

    async fn delegation(&self, of: PersonId) -> Result<Option<Delegation>, PortError> {
        self.faults.meet("delegation".to_owned()).await?;
        self.inner.delegation(of).await
    }

    async fn set_delegation(&self, of: PersonId, delegation: Option<Delegation>) -> Result<(), PortError> {
        self.faults.meet("set_delegation".to_owned()).await?;
        self.inner.set_delegation(of, delegation).await
    }

    async fn conversation(&self, with: &ChatUser) -> Result<Option<Conversation>, PortError> {
        self.faults.meet("conversation".to_owned()).await?;
        self.inner.conversation(with).await
    }

    async fn keep_conversation(
        &self,
        with: &ChatUser,
        conversation: Option<Conversation>,
    ) -> Result<(), PortError> {
        self.faults.meet("keep_conversation".to_owned()).await?;
        self.inner.keep_conversation(with, conversation).await
    }

    async fn lockdown(&self) -> Result<Option<Timestamp>, PortError> {
        self.faults.meet("lockdown".to_owned()).await?;
        self.inner.lockdown().await
    }

    async fn set_lockdown(&self, since: Option<Timestamp>) -> Result<(), PortError> {
        self.inner.set_lockdown(since).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, PortError> {
        self.inner.forget(before).await
    }
}

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// There is no room for a byte.
    Full,
    /// There is room for half of what is written.
    HalfFull,
    /// What was written does not become durable.
    NoSync,
}

/// The ledger's disk, with one fault at a time.
#[derive(Clone, Default)]
pub struct BadDisk {
    fault: Arc<Mutex<Option<DiskFault>>>,
    cannot_truncate: Arc<Mutex<bool>>,
}

struct BadSegment(Box<dyn Segment>, BadDisk);

impl BadDisk {
    /// Breaks the disk.
    pub fn breaks(&self, fault: DiskFault) {
        *lock(&self.fault) = Some(fault);
    }

    /// Keeps a failed write from being taken back: the end of the file is lost.
    pub fn cannot_truncate(&self) {
        *lock(&self.cannot_truncate) = true;
    }

    /// Mends the disk.
    pub fn heal(&self) {
        *lock(&self.fault) = None;
        *lock(&self.cannot_truncate) = false;
    }

    fn fault(&self) -> Option<DiskFault> {
        *lock(&self.fault)
    }
}

impl Disk for BadDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        Ok(Box::new(BadSegment(RealDisk.open(path)?, self.clone())))
    }
}

impl Segment for BadSegment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.1.fault() {
            Some(DiskFault::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(DiskFault::HalfFull) => {
                self.0.append(&bytes[..bytes.len() / 2])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(DiskFault::NoSync) | None => self.0.append(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.1.fault() {
            Some(DiskFault::NoSync) => Err(io::Error::other("the disk does not confirm")),
            Some(DiskFault::Full | DiskFault::HalfFull) | None => self.0.sync(),
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if *lock(&self.1.cannot_truncate) {
            return Err(io::Error::other("the disk takes nothing back"));
        }
        self.0.truncate(length)
    }
}

/// A ledger that is closed: it keeps the place of one that is being replaced.
struct NoLedger;

#[async_trait]
impl Ledger for NoLedger {
    async fn append(&self, _: Vec<Record>) -> Result<Head, PortError> {
        Err(PortError::fatal("the ledger is closed"))
    }

    fn head(&self) -> Head {
        Head::empty(LedgerName::default())
    }
}

impl World {
    /// A world whose store and ledger fail when `faults` says so.
    pub async fn with_faults(faults: &Faults) -> anyhow::Result<Self> {
        Self::with(Setting { fit: faults.fit(), ..Setting::default() }).await
    }

    /// A world whose ledger is on a bad disk.
    pub async fn with_ledger_on(disk: &BadDisk) -> anyhow::Result<Self> {
        let mut world = Self::start().await?;
        let (folder, disk) = (world.files.path().join("ledger"), disk.clone());
        world
            .restart_with(Arc::new(move |parts| {
                // One at a time: the first one holds the folder's lock.
                parts.ledger = Arc::new(NoLedger);
                let options = Options { disk: Arc::new(disk.clone()), ..Options::default() };
                // A ledger that does not open stays closed, and tapdesk does not start on it.
                if let Ok(ledger) = FileLedger::open(&folder, options, parts.clock.now()) {
                    parts.ledger = Arc::new(ledger);
                }
            }))
            .await?;
        Ok(world)
    }
}
