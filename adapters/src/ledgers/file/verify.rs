//! Is the ledger what was once written, and what in it was begun without an end?
//!
//! Verifying only reads, so it works while a service writes. It proves that the ledger is one unbroken chain. That
//! the chain is not a rewritten one is proved by `head`: a hash that was kept somewhere else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tapdesk_core::ids::{LedgerName, RequestId, Version};
use tapdesk_core::ledger::{Head, Phase, Record};

use super::line::{Chain, Line};
use super::segment::{self, Found, Reader};
use super::tail::Entry;

/// Lines may be this much older than the line before: several requests write at once, and clocks are set.
const BACKWARDS: Duration = Duration::from_secs(10);

/// What a ledger without faults holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many lines.
    pub lines: u64,
    /// The last line, if there is one.
    pub head: Option<Head>,
    /// Intents without an outcome, oldest first.
    pub open_intents: Vec<OpenIntent>,
    /// What is odd without being wrong, as `segment:line: text`.
    pub warnings: Vec<String>,
}

/// An intent whose outcome is not in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Which request.
    pub request: Option<RequestId>,
    /// The version that it belongs to.
    pub version: Option<Version>,
    /// What was begun.
    pub what: String,
    /// The pass that it is about, where it names one.
    pub pass: Option<String>,
}

/// Why a ledger is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error("{0} cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    /// A whole segment is gone.
    #[error("{0} is missing")]
    Missing(String),
    /// The first line that is wrong.
    #[error("{segment}:{line}: {reason}")]
    Wrong {
        /// The segment.
        segment: String,
        /// The line in it, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Every line is right, and the one that the caller knows is not among them.
    #[error("the ledger does not contain the head you kept: it was cut or rewritten")]
    HeadMissing,
}

/// Reads the whole ledger in `dir`; `head` is the hash of a line that has to be in it.
pub fn verify(dir: &Path, head: Option<&str>) -> Result<Verified, VerifyError> {
    verify_each(dir, head, &mut |_, _| {})
}

/// Gives every line of the ledger in `dir` to `each`, as long as the chain is whole.
pub fn read(dir: &Path, each: &mut dyn FnMut(Entry)) -> Result<(), VerifyError> {
    verify_each(dir, None, &mut |seq, record| each(Entry { seq, record: record.clone() })).map(drop)
}

/// The same as [`verify`]; `each` gets every line with its number.
pub(super) fn verify_each(
    dir: &Path,
    head: Option<&str>,
    each: &mut dyn FnMut(u64, &Record),
) -> Result<Verified, VerifyError> {
    let unreadable = |error| VerifyError::Unreadable(dir.to_path_buf(), error);
    let numbers = segment::numbers(dir).map_err(unreadable)?;
    if let Some(gap) = segment::gap(&numbers) {
        return Err(VerifyError::Missing(segment::name(gap)));
    }
    let mut audit = Audit::new(head, each);
    for (place, number) in numbers.iter().enumerate() {
        audit.read(dir, *number, place + 1 == numbers.len())?;
    }
    audit.finish()
}

type Key = (Option<RequestId>, Option<Version>, String);

/// What was read so far.
struct Audit<'h> {
    each: &'h mut dyn FnMut(u64, &Record),
    chain: Chain,
    wanted: Option<&'h str>,
    found: bool,
    lines: u64,
    latest: Option<Timestamp>,
    intents: BTreeMap<Key, Vec<OpenIntent>>,
    warnings: Vec<String>,
}

impl<'h> Audit<'h> {
    fn new(wanted: Option<&'h str>, each: &'h mut dyn FnMut(u64, &Record)) -> Self {
        Self {
            each,
            chain: Chain::from_the_start(),
            wanted,
            found: wanted.is_none_or(|hash| hash == Head::empty(LedgerName::default()).hash),
            lines: 0,
            latest: None,
            intents: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn read(&mut self, dir: &Path, number: u32, is_last: bool) -> Result<(), VerifyError> {
        let path = segment::path(dir, number);
        let unreadable = |error| VerifyError::Unreadable(path.clone(), error);
        let mut reader = Reader::open(&path).map_err(unreadable)?;
        loop {
            let place = reader.lines + 1;
            let wrong = |reason| VerifyError::Wrong { segment: segment::name(number), line: place, reason };
            match reader.next().map_err(unreadable)? {
                Found::Line(bytes) => {
                    let line = self.chain.read(bytes).map_err(wrong)?;
                    self.take(line, &format!("{}:{place}", segment::name(number)));
                }
                // A service that runs may be writing this very line.
                Found::Unfinished(bytes) if is_last => self.warnings.push(format!(
                    "{}:{place}: {bytes} bytes of an unfinished line: it is being written, or its writer died",
                    segment::name(number)
                )),
                Found::Unfinished(_) => return Err(wrong("the line does not end".to_owned())),
                Found::TooLong => return Err(wrong("the line is too long".to_owned())),
                Found::End => return Ok(()),
            }
        }
    }

    fn take(&mut self, line: Line, place: &str) {
        self.lines += 1;
        self.found |= self.wanted.is_some_and(|hash| line.hash.as_deref() == Some(hash));
        if let Some(latest) = self.latest
            && latest.duration_since(line.at).unsigned_abs() > BACKWARDS
            && line.at < latest
        {
            self.warnings.push(format!("{place}: the clock went back from {latest} to {}", line.at));
        }
        self.latest = self.latest.max(Some(line.at));
        let (seq, record) = (line.seq, line.record());
        (self.each)(seq, &record);
        match record.phase {
            Phase::Intent => self.begin(seq, record),
            Phase::Outcome => self.end(&record),
            Phase::Event => {}
        }
    }

    fn begin(&mut self, seq: u64, record: Record) {
        let pass = record.facts.get("pass").cloned();
        let key = (record.request.clone(), record.version, record.what.clone());
        let Record { at, request, version, what, .. } = record;
        self.intents.entry(key).or_default().push(OpenIntent { seq, at, request, version, what, pass });
    }

    /// Closes every intent about the same pass, since a deletion that a kill cut short is begun again; an intent that
    /// named none, since the pass was yet to be made, is closed by any outcome of its request, version and deed. What was
    /// superseded is named by its line.
    fn end(&mut self, record: &Record) {
        let key = (record.request.clone(), record.version, record.what.clone());
        let Some(begun) = self.intents.get_mut(&key) else { return };
        if let Some(line) = record.supersedes() {
            begun.retain(|intent| intent.seq != line);
            return;
        }
        let pass = record.facts.get("pass");
        let before = begun.len();
        begun.retain(|intent| intent.pass.is_none() || intent.pass.as_ref() != pass);
        let place = begun.iter().position(|intent| intent.pass.is_none());
        if let Some(place) = place.filter(|_| begun.len() == before) {
            begun.remove(place);
        }
    }

    fn finish(self) -> Result<Verified, VerifyError> {
        if !self.found {
            return Err(VerifyError::HeadMissing);
        }
        let mut open_intents: Vec<OpenIntent> = self.intents.into_values().flatten().collect();
        open_intents.sort_by_key(|intent| intent.seq);
        let head = self.chain.head().cloned();
        Ok(Verified { lines: self.lines, head, open_intents, warnings: self.warnings })
    }
}
