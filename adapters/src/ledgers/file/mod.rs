//! How is the audit record kept on the disk? As lines of JSON in numbered segments, each line chained to the one before.
//!
//! One thread appends, so that many requests share one sync. A line is there for good when `append` returns; an
//! append that failed has left nothing behind, or the ledger refuses every further one.

mod disk;
mod jointly;
mod line;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod verify;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use jiff::Timestamp;
use tapdesk_core::ids::LedgerName;
use tapdesk_core::ledger::{Head, Record};
use tapdesk_core::ports::{Ledger, PortError};
use tokio::sync::{mpsc, oneshot};

pub use disk::{Disk, RealDisk, Segment};
pub use jointly::{Contradiction, Jointly};
pub use tail::{Entry, tail};
pub use verify::{OpenIntent, Verified, VerifyError, read, verify};

use line::Chain;
use segment::{Found, Reader};

/// How many appends share one sync at most.
const BATCH: usize = 256;
/// How many appends wait at most; further ones wait for a place.
const QUEUE: usize = 1024;

/// How a ledger is kept.
pub struct Options {
    /// Its name, which every line carries.
    pub name: LedgerName,
    /// A segment that has grown to so many bytes gets a successor.
    pub segment_bytes: u64,
    /// What it is written to.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: LedgerName::default(), segment_bytes: 16 << 20, disk: Arc::new(RealDisk) }
    }
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("another tapdesk writes the ledger in {0}; stop it first")]
    Busy(PathBuf),
    /// It was begun under another name.
    #[error(
        "the ledger in {dir} is named {found}, not {wanted}: set ledger.name to {found}, or name another directory"
    )]
    Named {
        /// Where it is.
        dir: PathBuf,
        /// The name that its lines carry.
        found: LedgerName,
        /// The name that the configuration gives it.
        wanted: LedgerName,
    },
    /// It cannot be read or written.
    #[error("the ledger {0} cannot be opened")]
    Io(PathBuf, #[source] io::Error),
    /// Its last segment is not what was once written.
    #[error("the ledger is damaged: {0}; `tapdesk ledger verify` shows more, nothing was changed")]
    Damaged(VerifyError),
    /// The repair of its last line could not be recorded.
    #[error("the repair of the ledger's last line could not be recorded")]
    NotRecorded(#[source] PortError),
}

/// The ledger in a folder.
pub struct FileLedger {
    head: Arc<Mutex<Head>>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Held for as long as the ledger is open: the lock goes with it.
    _lock: File,
}

impl FileLedger {
    /// Opens the ledger in `dir`, which is made if it does not exist.
    ///
    /// A last line without an end is cut off, and a line `ledger.repaired` with the time `now` says so.
    pub fn open(dir: impl AsRef<Path>, options: Options, now: Timestamp) -> Result<Self, OpenError> {
        let dir = dir.as_ref().to_path_buf();
        let lock = lock(&dir)?;
        let (mut pen, cut) = Pen::open(dir.clone(), options)?;
        if cut > 0 {
            tracing::warn!(ledger.bytes = cut, "the last line of the ledger had no end and was cut off");
            let repaired = Record::service(now, "ledger.repaired").with("bytes", cut);
            pen.write(vec![vec![repaired]]).pop().transpose().map_err(OpenError::NotRecorded)?;
        }
        let head = Arc::clone(&pen.head);
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || run(pen, queue))
            .map_err(|error| OpenError::Io(dir, error))?;
        Ok(Self { head, jobs: Some(jobs), writer: Some(writer), _lock: lock })
    }
}

#[async_trait]
impl Ledger for FileLedger {
    async fn append(&self, records: Vec<Record>) -> Result<Head, PortError> {
        let gone = || PortError::fatal("the ledger's writer is gone: restart tapdesk");
        let (answer, wait) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { records, answer }).await.map_err(|_| gone())?;
        wait.await.unwrap_or_else(|_| Err(gone()))
    }

    fn head(&self) -> Head {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FileLedger {
    fn drop(&mut self) {
        // Without senders the writer finishes what it was given and ends.
        self.jobs.take();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Records on their way to the writer.
struct Job {
    records: Vec<Record>,
    answer: oneshot::Sender<Result<Head, PortError>>,
}

/// The writer's life: until every sender is gone.
fn run(mut pen: Pen, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match queue.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        let (records, callers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.records, job.answer)).unzip();
        for (answer, caller) in pen.write(records).into_iter().zip(callers) {
            // A caller that stopped waiting needs no answer.
            let _ = caller.send(answer);
        }
    }
}

/// The end of the ledger, open for writing.
struct Pen {
    dir: PathBuf,
    options: Options,
    number: u32,
    file: Box<dyn Segment>,
    /// How many bytes of the segment are durable.
    length: u64,
    head: Arc<Mutex<Head>>,
    /// Set once the end of the file is not known any more.
    is_lost: bool,
}

impl Pen {
    /// Finds the end of the ledger; says how many bytes of a line without an end were cut off.
    fn open(dir: PathBuf, options: Options) -> Result<(Self, u64), OpenError> {
        let failed = |error| OpenError::Io(dir.clone(), error);
        let numbers = segment::numbers(&dir).map_err(failed)?;
        if let Some(gap) = segment::gap(&numbers) {
            return Err(OpenError::Damaged(VerifyError::Missing(segment::name(gap))));
        }
        let number = numbers.last().copied().unwrap_or(1);
        let end = if numbers.is_empty() {
            End::default()
        } else {
            end_of(&dir, number).map_err(OpenError::Damaged)?
        };
        let head = match end.head {
            Some(head) => Some(head),
            None => head_before(&dir, number).map_err(OpenError::Damaged)?,
        };
        let head = head.unwrap_or_else(|| Head::empty(options.name.clone()));
        if head.ledger != options.name {
            return Err(OpenError::Named { dir, found: head.ledger, wanted: options.name });
        }
        let mut file = options.disk.open(&segment::path(&dir, number)).map_err(failed)?;
        if end.unfinished > 0 {
            file.truncate(end.length).map_err(failed)?;
        }
        let head = Arc::new(Mutex::new(head));
        Ok((Self { dir, options, number, file, length: end.length, head, is_lost: false }, end.unfinished))
    }

    /// Writes every job's records with one sync; one answer per job.
    fn write(&mut self, jobs: Vec<Vec<Record>>) -> Vec<Result<Head, PortError>> {
        let before = self.head.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (bytes, answers, head) = lines(jobs, before);
        if bytes.is_empty() {
            return answers;
        }
        match self.keep(&bytes) {
            Ok(()) => {
                *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
                answers
            }
            Err(error) => {
                tracing::error!(ledger.cause = %error, "the ledger could not be written");
                answers.into_iter().map(|answer| answer.and_then(|_| Err(self.refusal(&error)))).collect()
            }
        }
    }

    /// Appends the bytes and syncs them, or leaves nothing of them behind.
    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_lost {
            return Err(io::Error::other("an earlier failure left its end unknown"));
        }
        if self.length >= self.options.segment_bytes {
            self.turn_over()?;
        }
        let result = self.file.append(bytes).and_then(|()| self.file.sync());
        if result.is_err() {
            self.is_lost = self.file.truncate(self.length).is_err();
            return result;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Goes on in the next segment. Until it is open, everything stays as it is.
    fn turn_over(&mut self) -> io::Result<()> {
        let next = self.number + 1;
        self.file = self.options.disk.open(&segment::path(&self.dir, next))?;
        self.number = next;
        self.length = 0;
        Ok(())
    }

    fn refusal(&self, cause: &io::Error) -> PortError {
        if self.is_lost {
            PortError::fatal("the ledger is closed after a failed write: mend the disk and restart tapdesk")
                .because(cause.to_string())
        } else {
            PortError::retry("the ledger could not be written").because(cause.to_string())
        }
    }
}

/// The lines of all jobs, every job's answer if they become durable, and the last head.
fn lines(jobs: Vec<Vec<Record>>, mut head: Head) -> (Vec<u8>, Vec<Result<Head, PortError>>, Head) {
    let mut bytes = Vec::new();
    let mut answers = Vec::with_capacity(jobs.len());
    for records in jobs {
        answers.push(match lines_of(records, &head) {
            Ok((new, after)) => {
                bytes.extend(new);
                head = after.clone();
                Ok(after)
            }
            Err(reason) => Err(PortError::fatal("a record cannot be written to the ledger").because(reason)),
        });
    }
    (bytes, answers, head)
}

fn lines_of(records: Vec<Record>, head: &Head) -> Result<(Vec<u8>, Head), String> {
    let mut bytes = Vec::new();
    let mut head = head.clone();
    for record in records {
        let (line, after) = line::write(record, &head)?;
        bytes.extend(line);
        head = after;
    }
    Ok((bytes, head))
}

/// Where a segment ends.
#[derive(Default)]
struct End {
    /// Its last line, if it has one.
    head: Option<Head>,
    /// Its bytes up to the end of its last line.
    length: u64,
    /// Bytes after that.
    unfinished: u64,
}

/// Reads a whole segment and checks its chain.
fn end_of(dir: &Path, number: u32) -> Result<End, VerifyError> {
    let path = segment::path(dir, number);
    let unreadable = |error| VerifyError::Unreadable(path.clone(), error);
    let mut chain = if number == 1 { Chain::from_the_start() } else { Chain::from_the_middle() };
    let mut reader = Reader::open(&path).map_err(unreadable)?;
    let mut unfinished = 0;
    loop {
        let line = reader.lines + 1;
        let wrong = |reason| VerifyError::Wrong { segment: segment::name(number), line, reason };
        match reader.next().map_err(unreadable)? {
            Found::Line(bytes) => drop(chain.read(bytes).map_err(wrong)?),
            Found::Unfinished(bytes) => unfinished = bytes,
            Found::TooLong => return Err(wrong("the line is too long".to_owned())),
            Found::End => break,
        }
    }
    Ok(End { head: chain.head().cloned(), length: reader.length, unfinished })
}

/// The last line of the segments before one that has none: a service died right after it had turned over.
fn head_before(dir: &Path, number: u32) -> Result<Option<Head>, VerifyError> {
    if number <= 1 {
        return Ok(None);
    }
    let end = end_of(dir, number - 1)?;
    end.head.filter(|_| end.unfinished == 0).map(Some).ok_or_else(|| VerifyError::Wrong {
        segment: segment::name(number - 1),
        line: 1,
        reason: "it does not end with a whole line, and a segment follows".to_owned(),
    })
}

/// Makes the folder and takes its lock.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Io(dir.to_path_buf(), error);
    if !dir.exists() {
        std::fs::create_dir_all(dir).and_then(|()| super::sync_folder_of(dir)).map_err(failed)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join("ledger.lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Busy(dir.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
