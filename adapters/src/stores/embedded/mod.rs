//! How does tapdesk keep its state without a server? In one file, durable whenever a verb returns.
//!
//! Writing verbs go to one thread that puts as many as it finds into one transaction. Reading verbs use a
//! snapshot on a blocking thread: they never wait for the writer, but a slow disk must not hold up an async one.

mod disk;
mod tables;
#[cfg(test)]
mod tests;
mod verbs;
mod writer;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use redb::backends::FileBackend;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tapdesk_core::delegation::Delegation;
use tapdesk_core::ids::{ChatUser, LedgerName, PersonId, RequestId, Version, WorkerId};
use tapdesk_core::ledger::Head;
use tapdesk_core::ports::{
    Commit, CommitError, Conversation, Leased, Opened, PortError, RequesterCap, Store, Stored, Try,
};
use tapdesk_core::request::{Party, Whom};
use tapdesk_core::ticket::{CodeHash, TokenHash};
use tokio::sync::mpsc;

use tables::{Fault, Nanos, SCHEMA, Tables};
use writer::{Engine, Job, Verb};

/// The store in one file.
pub struct Embedded {
    engine: Arc<Engine>,
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another tapdesk is running on {0}; stop it, or ask it through admin_listen")]
    Busy(PathBuf),
    /// A later tapdesk wrote it.
    #[error(
        "the store has layout {found}, this tapdesk knows layouts up to {SCHEMA}: a later tapdesk wrote it"
    )]
    Newer {
        /// The layout of the file.
        found: String,
    },
    /// It cannot be read, or not made.
    #[error("the store {0} cannot be opened")]
    Failed(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Embedded {
    /// Opens the store in the file, which is made if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_path_buf();
        if !path.exists() {
            make_file(&path).map_err(|error| OpenError::Failed(path.clone(), Box::new(error)))?;
        }
        let file = path.clone();
        Self::start(path, Box::new(move || Ok(Box::new(backend(&file, false)?))))
    }

    /// An empty store that is gone when it is dropped, for whoever only looks.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::with_backend(|| Ok(Box::new(redb::backends::InMemoryBackend::new())))
    }

    /// Opens the store on other bytes than a file's. `source` is asked once now, and again after a failed write.
    pub fn with_backend(
        source: impl Fn() -> std::io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        Self::start(PathBuf::from("(memory)"), Box::new(source))
    }

    /// How many write transactions were made durable since it was opened.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.engine.commits()
    }

    fn start(path: PathBuf, source: writer::Source) -> Result<Self, OpenError> {
        let failed = |cause: Box<redb::Error>| match *cause {
            redb::Error::DatabaseAlreadyOpen => OpenError::Busy(path.clone()),
            other => OpenError::Failed(path.clone(), Box::new(other)),
        };
        let engine = Arc::new(Engine::open(source).map_err(failed)?);
        check_schema(&engine, &path)?;
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let writing = Arc::clone(&engine);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&writing, queue))
            .map_err(|error| OpenError::Failed(path, Box::new(error)))?;
        Ok(Self { engine, jobs: Some(jobs), writer: Some(writer) })
    }

    async fn write<T, F>(&self, run: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (verb, answer) = Verb::new(run);
        let jobs = self.jobs.as_ref().ok_or_else(|| writer::failed("it is closed"))?;
        jobs.send(Box::new(verb)).await.map_err(|_| writer::failed("its writer is gone"))?;
        answer.await.unwrap_or_else(|_| Err(writer::failed("its writer is gone")))
    }

    async fn read<T, F>(&self, run: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    {
        let engine = Arc::clone(&self.engine);
        let read = move || engine.with(|database| run(&database.begin_read()?));
        match tokio::task::spawn_blocking(read).await {
            Ok(result) => result.map_err(port_error),
            Err(error) => Err(writer::failed(&error.to_string())),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // Without senders the writer finishes what it was given and ends.
        self.jobs.take();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.engine.close();
    }
}

/// What is kept about somebody beside the requests.
impl Embedded {
    async fn kept<T: DeserializeOwned + Send + 'static>(&self, key: String) -> Result<Option<T>, PortError> {
        self.read(move |transaction| {
            let meta = transaction.open_table(tables::META)?;
            let kept = meta.get(key.as_str())?;
            kept.map(|value| tables::decode(value.value().as_bytes())).transpose()
        })
        .await
    }

    async fn keep<T: Serialize + Send + 'static>(
        &self,
        key: String,
        value: Option<T>,
    ) -> Result<(), PortError> {
        self.write(move |tables| verbs::keep(tables, &key, value.as_ref())).await
    }
}

#[async_trait]
impl Store for Embedded {
    async fn open(&self, commit: Commit, cap: RequesterCap, now: Timestamp) -> Result<Opened, PortError> {
        self.write(move |tables| verbs::open(tables, &commit, cap, now)).await
    }

    async fn load(&self, id: &RequestId) -> Result<Option<Stored>, PortError> {
        let id = id.clone();
        self.read(move |transaction| tables::stored(transaction, &id)).await
    }

    async fn commit(&self, expected: Version, commit: Commit) -> Result<Version, CommitError> {
        self.write(move |tables| verbs::commit(tables, expected, &commit)).await?
    }

    async fn due(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Leased>, PortError> {
        let worker = worker.clone();
        self.write(move |tables| verbs::due(tables, now, &worker, lease, most)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, PortError> {
        self.read(|transaction| {
            let agenda = transaction.open_table(tables::AGENDA)?;
            let first = agenda.first()?.map(|(key, _)| key.value().0);
            first.map(|nanos| Timestamp::from_nanosecond(nanos).map_err(tables::unreadable)).transpose()
        })
        .await
    }

    async fn done(&self, leased: &Leased) -> Result<(), PortError> {
        let leased = leased.clone();
        self.write(move |tables| verbs::done(tables, &leased)).await
    }

    async fn again(&self, leased: &Leased, at: Timestamp) -> Result<(), PortError> {
        let leased = leased.clone();
        self.write(move |tables| verbs::again(tables, &leased, at)).await
    }

    async fn try_pin(&self, code: &CodeHash, now: Timestamp) -> Result<Try, PortError> {
        // Most codes that strangers try are unknown: those cost a read, not a place in the writer's queue.
        if self.find_code(code).await?.is_none() {
            return Ok(Try::Unknown);
        }
        let code = code.clone();
        self.write(move |tables| verbs::try_pin(tables, &code, now)).await
    }

    async fn find_code(&self, code: &CodeHash) -> Result<Option<RequestId>, PortError> {
        let code = code.0.clone();
        self.read(move |transaction| find(transaction, tables::CODES, &code)).await
    }

    async fn find_report(&self, token: &TokenHash) -> Result<Option<RequestId>, PortError> {
        let token = token.0.clone();
        self.read(move |transaction| find(transaction, tables::REPORTS, &token)).await
    }

    async fn open_requests(&self, whom: &Whom) -> Result<Vec<RequestId>, PortError> {
        let whom = whom.clone();
        self.read(move |transaction| {
            let whom = tables::whose_key(&whom)?;
            let mut found = Vec::new();
            for row in transaction.open_table(tables::OPEN_BY)?.range((whom.as_str(), "")..)? {
                let (key, _) = row?;
                let (of, id) = key.value();
                if of != whom {
                    break;
                }
                found.push(tables::request_id(id)?);
            }
            Ok(found)
        })
        .await
    }

    async fn requests_since(&self, party: &Party, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        let party = party.clone();
        self.read(move |transaction| {
            let (party, since) = (tables::whose_key(&party)?, since.as_nanosecond());
            let history = transaction.open_table(tables::HISTORY)?;
            let mut found = Vec::new();
            for row in history.range((party.as_str(), since, "")..(party.as_str(), Nanos::MAX, ""))? {
                let (key, _) = row?;
                found.push(tables::request_id(key.value().2)?);
            }
            Ok(found)
        })
        .await
    }

    async fn tickets_since(&self, subject: PersonId, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.read(move |transaction| {
            let (subject, since) = (subject.to_string(), since.as_nanosecond());
            let tickets = transaction.open_table(tables::TICKETS)?;
            let mut found = Vec::new();
            for row in tickets.range((subject.as_str(), since, "")..(subject.as_str(), Nanos::MAX, ""))? {
                let (key, _) = row?;
                let (_, _, id) = key.value();
                found.push(tables::request_id(id)?);
            }
            Ok(found)
        })
        .await
    }

    async fn anchor(&self, ledger: &LedgerName) -> Result<Head, PortError> {
        let ledger = ledger.clone();
        self.read(move |transaction| {
            let meta = transaction.open_table(tables::META)?;
            let anchor = meta.get(verbs::anchor_key(&ledger).as_str())?;
            anchor.map_or_else(|| Ok(Head::empty(ledger)), |value| tables::decode(value.value().as_bytes()))
        })
        .await
    }

    async fn delegation(&self, of: PersonId) -> Result<Option<Delegation>, PortError> {
        self.kept(verbs::delegation_key(of)).await
    }

    async fn set_delegation(&self, of: PersonId, delegation: Option<Delegation>) -> Result<(), PortError> {
        self.keep(verbs::delegation_key(of), delegation).await
    }

    async fn conversation(&self, with: &ChatUser) -> Result<Option<Conversation>, PortError> {
        self.kept(verbs::conversation_key(with)).await
    }

    async fn keep_conversation(
        &self,
        with: &ChatUser,
        conversation: Option<Conversation>,
    ) -> Result<(), PortError> {
        self.keep(verbs::conversation_key(with), conversation).await
    }

    async fn lockdown(&self) -> Result<Option<Timestamp>, PortError> {
        self.read(|transaction| {
            let meta = transaction.open_table(tables::META)?;
            let since = meta.get("lockdown")?;
            since.map(|value| value.value().parse().map_err(tables::unreadable)).transpose()
        })
        .await
    }

    async fn set_lockdown(&self, since: Option<Timestamp>) -> Result<(), PortError> {
        self.write(move |tables| verbs::set_lockdown(tables, since)).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, PortError> {
        let mut forgotten = 0;
        let mut next = Some((Nanos::MIN, String::new()));
        while let Some(start) = next {
            let step = self.write(move |tables| verbs::forget(tables, before, &start)).await?;
            forgotten += step.requests;
            next = step.next;
        }
        Ok(forgotten)
    }
}

fn find(
    transaction: &ReadTransaction,
    table: redb::TableDefinition<'_, &'static str, &'static str>,
    key: &str,
) -> Result<Option<RequestId>, Fault> {
    transaction.open_table(table)?.get(key)?.map(|id| tables::request_id(id.value())).transpose()
}

fn port_error(fault: Fault) -> PortError {
    match fault {
        Fault::Alone(error) => error,
        Fault::Engine(error) => writer::failed(&error.to_string()),
    }
}

/// Makes the file under another name first: half a header, left by a crash, would be refused for ever.
fn make_file(path: &Path) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    match std::fs::remove_file(unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let made = redb::Builder::new().create_with_backend(backend(unfinished, true)?);
    drop(made.map_err(std::io::Error::other)?);
    std::fs::rename(unfinished, path)?;
    crate::ledgers::sync_folder_of(path)
}

/// The bytes of a file that only this process's user may read.
fn backend(path: &Path, is_new: bool) -> std::io::Result<FileBackend> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(is_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    FileBackend::new(options.open(path)?).map_err(std::io::Error::other)
}

/// Makes the tables where there are none; refuses the file of a later tapdesk.
fn check_schema(engine: &Engine, path: &Path) -> Result<(), OpenError> {
    let failed = |fault| OpenError::Failed(path.to_path_buf(), Box::new(port_error(fault)));
    match engine.with(schema).map_err(failed)? {
        Some(found) if found.parse() == Ok(SCHEMA) => Ok(()),
        Some(found) => Err(OpenError::Newer { found }),
        None => {
            let (verb, _) = Verb::new(|tables: &mut Tables<'_>| {
                tables.write().meta.insert("schema", SCHEMA.to_string().as_str())?;
                Ok(())
            });
            engine.apply(&mut [Box::new(verb)]).map_err(failed)
        }
    }
}

fn schema(database: &redb::Database) -> Result<Option<String>, Fault> {
    match database.begin_read()?.open_table(tables::META) {
        Ok(meta) => Ok(meta.get("schema")?.map(|value| value.value().to_owned())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
