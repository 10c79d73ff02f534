//! Who writes? One thread, so that many verbs share one transaction and its syncs (group commit).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use redb::{Builder, Database, StorageBackend};
use tapdesk_core::ports::PortError;
use tokio::sync::{mpsc, oneshot};

use super::disk::Watched;
use super::tables::{Fault, Tables};

/// How many verbs share one transaction at most.
const BATCH: usize = 256;
/// How many verbs wait for the writer at most; further ones wait for a place.
pub(super) const QUEUE: usize = 1024;
/// Redb would take up to 1 GiB; the requests of years fit into much less.
const CACHE_BYTES: usize = 32 << 20;

/// Opens the bytes under the store, once at the start and again after each failed write.
pub(super) type Source = Box<dyn Fn() -> std::io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// What the writer and the readers share.
pub(super) struct Engine {
    source: Source,
    database: RwLock<Option<Database>>,
    sync_failed: Arc<AtomicBool>,
    commits: AtomicU64,
}

/// A verb on its way to the writer.
pub(super) trait Job: Send {
    /// Applies it to the tables of the batch. An error fails the whole batch.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Box<redb::Error>>;
    /// Answers its caller: with what `apply` brought, or with the failure of the batch.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

/// A verb as a closure, with the place where its caller waits.
pub(super) struct Verb<T, F> {
    run: Option<F>,
    result: Option<Result<T, PortError>>,
    answer: oneshot::Sender<Result<T, PortError>>,
}

impl<T, F> Verb<T, F> {
    pub(super) fn new(run: F) -> (Self, oneshot::Receiver<Result<T, PortError>>) {
        let (answer, wait) = oneshot::channel();
        (Self { run: Some(run), result: None, answer }, wait)
    }
}

impl<T, F> Job for Verb<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Box<redb::Error>> {
        let Some(run) = self.run.take() else { return Ok(()) };
        self.result = Some(match run(tables) {
            Ok(value) => Ok(value),
            Err(Fault::Alone(error)) => Err(error),
            Err(Fault::Engine(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&str>) {
        let result = match (self.result, failure) {
            (Some(result), None) => result,
            (_, cause) => Err(failed(cause.unwrap_or("the verb did not run"))),
        };
        // A caller that stopped waiting needs no answer.
        let _ = self.answer.send(result);
    }
}

impl Engine {
    pub(super) fn open(source: Source) -> Result<Self, Box<redb::Error>> {
        let engine = Self {
            source,
            database: RwLock::new(None),
            sync_failed: Arc::default(),
            commits: AtomicU64::new(0),
        };
        let disk = engine.disk()?;
        engine.reopen(disk)?;
        Ok(engine)
    }

    /// How many write transactions were made durable.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Lets `read` look at the database.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| Fault::Alone(failed("it is closed")))?;
        read(database)
    }

    /// Waits for the readers and closes the file.
    pub(super) fn close(&self) {
        self.database.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn disk(&self) -> Result<Box<dyn StorageBackend>, Box<redb::Error>> {
        (self.source)().map_err(|error| Box::new(redb::Error::from(redb::StorageError::Io(error))))
    }

    fn reopen(&self, disk: Box<dyn StorageBackend>) -> Result<(), Box<redb::Error>> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The old one goes first: it holds the lock of the file.
        database.take();
        let disk = Watched::new(disk, Arc::clone(&self.sync_failed));
        let opened = catch_unwind(AssertUnwindSafe(|| {
            Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(disk)
        }));
        *database = Some(match opened {
            Ok(opened) => opened.map_err(|error| Box::new(redb::Error::from(error)))?,
            // Redb panics on some files that something else has written to.
            Err(_) => return Err(Box::new(redb::Error::Corrupted("the file makes no sense".to_owned()))),
        });
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// All verbs of a batch in one durable transaction.
    pub(super) fn apply(&self, batch: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        self.with(|database| {
            let mut transaction = database.begin_write()?;
            // Two-phase, so that a torn write never looks like a commit; with the allocator state saved, so that a
            // start after a crash does not walk the whole file.
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(true);
            let changed = {
                let mut tables = Tables::new(&transaction)?;
                for job in batch {
                    job.apply(&mut tables).map_err(Fault::Engine)?;
                }
                tables.changed()
            };
            if changed {
                transaction.commit()?;
                self.commits.fetch_add(1, Ordering::Relaxed);
            } else {
                transaction.abort()?;
            }
            Ok(())
        })
    }

    /// Makes the store usable again after a failure, if that is safe.
    fn recover(&self) -> Result<(), String> {
        if self.sync_failed.load(Ordering::SeqCst) {
            self.close();
            return Err(
                "a sync failed: restart tapdesk, so that it reads what is really on the disk".to_owned()
            );
        }
        let disk = self.disk().map_err(|error| error.to_string())?;
        // Redb would start anew on it, and everything that was promised would be gone without a word.
        if disk.len().map_err(|error| error.to_string())? == 0 {
            self.close();
            return Err("the file is empty".to_owned());
        }
        self.reopen(disk).map_err(|error| error.to_string())
    }
}

/// The writer's life: until every sender is gone.
pub(super) fn run(engine: &Engine, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        let failure = run_batch(engine, &mut batch).err();
        for job in batch {
            job.answer(failure.as_deref());
        }
    }
}

/// Says why the batch failed.
fn run_batch(engine: &Engine, batch: &mut [Box<dyn Job>]) -> Result<(), String> {
    if !engine.is_open() {
        engine.recover()?;
    }
    let cause = match catch_unwind(AssertUnwindSafe(|| engine.apply(batch))) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Fault::Engine(error))) => error.to_string(),
        Ok(Err(Fault::Alone(error))) => error.to_string(),
        Err(_) => "the writer panicked".to_owned(),
    };
    tracing::error!(store.cause = %cause, "the store failed to write; what waited for it is told to try again");
    if let Err(error) = engine.recover() {
        tracing::error!(store.cause = %error, "the store stays closed");
    }
    Err(cause)
}

/// The answer of a store that cannot do it now.
pub(super) fn failed(cause: &str) -> PortError {
    PortError::retry("the store failed").because(cause.to_owned())
}
