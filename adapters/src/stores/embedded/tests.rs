//! Does the store keep its word when the disk does not?

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use tapdesk_core::ids::{LedgerName, Version};
use tapdesk_core::ports::{Commit, Opened, PortError, Store};
use tapdesk_core::request::Whom;

use super::{Embedded, OpenError};
use crate::stores::contract::crowd::adds_up;
use crate::stores::contract::model::{Step, agree};
use crate::stores::contract::samples::*;

async fn in_memory() -> Arc<dyn Store> {
    Arc::new(Embedded::with_backend(|| Ok(Box::new(InMemoryBackend::new()))).unwrap())
}

crate::store_contract!(in_memory);

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_the_model_does(steps in prop::collection::vec(any::<[u8; 4]>().prop_map(Step), 1..60)) {
        runtime().block_on(async { agree(in_memory().await, &steps).await });
    }

    #[test]
    fn what_a_crowd_is_promised_adds_up(
        workers in prop::collection::vec(
            prop::collection::vec(any::<[u8; 4]>().prop_map(Step), 1..40),
            2..6,
        )
    ) {
        threads().block_on(async { adds_up(in_memory().await, workers).await });
    }
}

fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Bytes that survive their store, on a disk that goes wrong when it is told to.
#[derive(Debug, Clone, Default)]
struct BadDisk(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    /// What readers see.
    cached: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    /// Writes and syncs until the fault.
    left: Option<u32>,
    fault: Fault,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Fault {
    /// No space for it.
    #[default]
    Full,
    /// Half of it is written.
    Torn,
    /// The sync fails.
    Sync,
}

impl BadDisk {
    fn store(&self) -> Result<Embedded, OpenError> {
        let disk = self.clone();
        Embedded::with_backend(move || Ok(Box::new(disk.clone())))
    }

    fn fail_after(&self, calls: u32, fault: Fault) {
        let mut bytes = self.0.lock().unwrap();
        (bytes.left, bytes.fault) = (Some(calls), fault);
    }

    fn mend(&self) {
        self.0.lock().unwrap().left = None;
    }

    /// The disk after a power cut: with what was synced, or with the unsynced writes as well.
    fn after_power_cut(&self, keeps_cache: bool) -> Self {
        let bytes = self.0.lock().unwrap();
        let survived = if keeps_cache { bytes.cached.clone() } else { bytes.durable.clone() };
        Self(Arc::new(Mutex::new(Bytes { cached: survived.clone(), durable: survived, ..Bytes::default() })))
    }
}

impl Bytes {
    /// Whether this call is the one that fails. Every call after it fails too.
    fn fails(&mut self) -> bool {
        let Some(left) = &mut self.left else { return false };
        let fails = *left == 0;
        *left = left.saturating_sub(1);
        fails
    }
}

impl StorageBackend for BadDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let bytes = self.0.lock().unwrap();
        let found = bytes.cached.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().cached.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        if bytes.fails() && bytes.fault == Fault::Sync {
            return Err(io::Error::other("sync"));
        }
        bytes.durable = bytes.cached.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let written = match (bytes.fails(), bytes.fault) {
            (true, Fault::Full) => 0,
            (true, Fault::Torn) => data.len() / 2,
            (true, Fault::Sync) | (false, _) => data.len(),
        };
        if bytes.cached.len() < start + written {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.cached[start..start + written].copy_from_slice(&data[..written]);
        if written < data.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn try_lock_range(
        &self,
        _: std::ops::Bound<u64>,
        _: std::ops::Bound<u64>,
    ) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(
        &self,
        _: std::ops::Bound<u64>,
        _: std::ops::Bound<u64>,
    ) -> Result<(), redb::BackendError> {
        Ok(())
    }
}

/// Opens requests from `from` on until one fails; returns those that were promised.
async fn open_until_it_fails(store: &Embedded, from: u32) -> BTreeSet<u32> {
    let mut promised = BTreeSet::new();
    for n in from..from + 40 {
        let opening =
            Commit { head: head(n.into()), ..with_task(by_delivery(commit(received(n)), n), at(0)) };
        match store.open(opening, NO_CAP, at(0)).await {
            Ok(_) => promised.insert(n),
            Err(error) => {
                assert!(matches!(error, PortError::Retry { .. }), "{error:?}");
                return promised;
            }
        };
    }
    promised
}

/// Every request that was promised is there, and whatever is there is there with everything that came with it.
async fn check_survivors(store: &Embedded, promised: &BTreeSet<u32>) {
    let found: BTreeSet<_> =
        store.open_requests(&Whom::Requester(account(1))).await.unwrap().into_iter().collect();
    assert!(promised.iter().all(|n| found.contains(&id(*n))), "{promised:?} but {found:?}");
    assert!(found.len() <= promised.len() + 1, "more than the one that was under way");
    let tasks = store.due(at(0), &worker("a"), std::time::Duration::from_secs(1), 999).await.unwrap();
    let owners: BTreeSet<_> = tasks.into_iter().map(|task| task.key.request).collect();
    assert_eq!(owners, found);
    let last = u64::try_from(found.len()).unwrap().saturating_sub(1);
    assert_eq!(store.anchor(&LedgerName::default()).await.unwrap().seq, last);
    for id in &found {
        assert_eq!(store.load(id).await.unwrap().unwrap().version, Version::FIRST);
    }
}

#[tokio::test]
async fn a_crash_at_any_write_loses_no_promise_and_leaves_no_half() {
    for fault in [Fault::Full, Fault::Torn, Fault::Sync] {
        for calls in (0..60).step_by(3) {
            let disk = BadDisk::default();
            let store = disk.store().unwrap();
            disk.fail_after(calls, fault);
            let promised = open_until_it_fails(&store, 0).await;
            for keeps_cache in [false, true] {
                let survivor = disk.after_power_cut(keeps_cache).store().unwrap();
                check_survivors(&survivor, &promised).await;
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_was_half_made_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tapdesk.db");
    std::fs::write(dir.path().join("tapdesk.db.new"), [0; 4096]).unwrap();
    Embedded::open(&path).unwrap().set_lockdown(None).await.unwrap();
    assert!(path.exists() && !dir.path().join("tapdesk.db.new").exists());
}

#[tokio::test]
async fn a_disk_that_was_full_is_used_again_once_there_is_space() {
    let disk = BadDisk::default();
    let store = disk.store().unwrap();
    let mut promised = open_until_it_fails(&store, 0).await;
    disk.fail_after(5, Fault::Full);
    promised.extend(open_until_it_fails(&store, 40).await);
    store.set_lockdown(Some(at(0))).await.unwrap_err();
    disk.mend();
    store.set_lockdown(Some(at(0))).await.unwrap();
    check_survivors(&store, &promised).await;
}

#[tokio::test]
async fn a_store_whose_bytes_vanish_while_it_runs_never_starts_anew() {
    let disk = BadDisk::default();
    let store = disk.store().unwrap();
    open_until_it_fails(&store, 0).await;
    *disk.0.lock().unwrap() = Bytes { left: Some(0), ..Bytes::default() };
    store.set_lockdown(Some(at(0))).await.unwrap_err();
    disk.mend();
    store.set_lockdown(Some(at(0))).await.unwrap_err();
    assert!(matches!(store.load(&id(1)).await, Err(PortError::Retry { .. })));
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_promised_until_a_restart() {
    let disk = BadDisk::default();
    let store = disk.store().unwrap();
    disk.fail_after(0, Fault::Sync);
    store.set_lockdown(Some(at(0))).await.unwrap_err();
    disk.mend();
    store.set_lockdown(Some(at(0))).await.unwrap_err();
    assert!(matches!(store.anchor(&LedgerName::default()).await, Err(PortError::Retry { .. })));
    drop(store);
    disk.store().unwrap().set_lockdown(Some(at(0))).await.unwrap();
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tapdesk.db");
    {
        let store = Embedded::open(&path).unwrap();
        let opening = with_task(by_delivery(commit(received(1)), 1), at(9));
        store.open(opening, NO_CAP, at(0)).await.unwrap();
        store.commit(Version::FIRST, Commit { head: head(4), ..commit(noticed(1, 10, 5, 6)) }).await.unwrap();
        store.set_lockdown(Some(at(3))).await.unwrap();
    }
    let store = Embedded::open(&path).unwrap();
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().request, noticed(1, 10, 5, 6));
    assert_eq!(store.find_code(&code(5)).await.unwrap(), Some(id(1)));
    assert_eq!(store.next_due().await.unwrap(), Some(at(9)));
    assert_eq!(store.anchor(&LedgerName::default()).await.unwrap(), head(4));
    assert_eq!(store.lockdown().await.unwrap(), Some(at(3)));
    let again = store.open(by_delivery(commit(received(2)), 1), NO_CAP, at(0)).await.unwrap();
    assert_eq!(again, Opened::Seen(id(1)));
}

#[tokio::test]
async fn a_second_tapdesk_on_the_same_file_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tapdesk.db");
    let _first = Embedded::open(&path).unwrap();
    let second = Embedded::open(&path).err().unwrap();
    assert!(matches!(second, OpenError::Busy(_)), "{second:?}");
    assert!(second.to_string().contains("another tapdesk is running on"), "{second}");
}

#[tokio::test]
async fn the_store_of_a_later_tapdesk_is_refused() {
    let disk = BadDisk::default();
    let store = disk.store().unwrap();
    store
        .write(|tables| {
            tables.write().meta.insert("schema", "2")?;
            Ok(())
        })
        .await
        .unwrap();
    drop(store);
    assert!(matches!(disk.store().err().unwrap(), OpenError::Newer { found } if found == "2"));
}

#[tokio::test]
async fn many_commits_share_a_transaction() {
    let store = Arc::new(Embedded::with_backend(|| Ok(Box::new(InMemoryBackend::new()))).unwrap());
    for n in 0..64 {
        store.open(commit(received(n)), NO_CAP, at(0)).await.unwrap();
    }
    let before = store.commits();
    let commits = (0..64).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(Version::FIRST, commit(awaiting(n, 100 + n, 2))).await })
    });
    for one in commits.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().unwrap(), Version(2));
    }
    assert!(store.commits() - before < 64, "{}", store.commits() - before);
}

#[tokio::test]
async fn a_look_that_finds_nothing_costs_no_sync() {
    let store = Embedded::with_backend(|| Ok(Box::new(InMemoryBackend::new()))).unwrap();
    let before = store.commits();
    assert_eq!(store.due(at(0), &worker("a"), std::time::Duration::from_secs(1), 9).await.unwrap(), []);
    store.forget(at(0)).await.unwrap();
    assert_eq!(store.commits(), before);
}

#[tokio::test]
async fn a_verb_that_panics_fails_its_batch_and_not_the_store() {
    let store = Embedded::with_backend({
        let disk = BadDisk::default();
        move || Ok(Box::new(disk.clone()))
    })
    .unwrap();
    let panicked = store.write::<(), _>(|_| panic!("a bug")).await;
    assert!(matches!(panicked, Err(PortError::Retry { .. })), "{panicked:?}");
    assert_eq!(store.open(commit(received(1)), NO_CAP, at(0)).await.unwrap(), Opened::New);
}
