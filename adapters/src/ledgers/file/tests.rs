//! Does the ledger notice what was done to it, and keep its word on a bad disk?

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tapdesk_core::ids::{LedgerName, Version};
use tapdesk_core::ledger::{Head, Phase, Record};
use tapdesk_core::ports::{Ledger, PortError};
use tempfile::TempDir;

use super::disk::{Disk, RealDisk, Segment};
use super::{FileLedger, OpenError, Options, Verified, VerifyError, tail, verify};

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds)
}

fn record(n: i64) -> Record {
    let id = format!("req_{n:026}").parse().unwrap();
    Record::new(at(n), &id, Version(2), Phase::Event, "request.received").with("route", "sms")
}

fn open(dir: &Path) -> FileLedger {
    FileLedger::open(dir, Options::default(), at(100)).unwrap()
}

fn small(dir: &Path) -> FileLedger {
    let options = Options { segment_bytes: 700, ..Options::default() };
    FileLedger::open(dir, options, at(100)).unwrap()
}

/// A ledger of nine lines in three segments, closed.
async fn nine_lines() -> (TempDir, Head) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = small(dir.path());
    for n in 1..=9 {
        ledger.append(vec![record(n)]).await.unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "three segments and the lock");
    (dir, ledger.head())
}

fn segment(dir: &Path, number: u32) -> std::path::PathBuf {
    dir.join(format!("{number:08}.ndjson"))
}

#[tokio::test]
async fn a_line_is_canonical_and_says_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(vec![record(1)]).await.unwrap();
    insta::assert_snapshot!(fs::read_to_string(segment(dir.path(), 1)).unwrap().trim_end(), @r#"{"at":"2027-01-15T08:00:01Z","facts":{"route":"sms"},"hash":"db1916505bd4ba26848b9abaf93636172a70382a3d168b2acdee39fac78a38c1","ledger":"tapdesk","phase":"event","prev":"0000000000000000000000000000000000000000000000000000000000000000","request":"req_00000000000000000000000001","seq":1,"version":2,"what":"request.received"}"#);
}

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart_and_goes_on() {
    let (dir, head) = nine_lines().await;
    let ledger = small(dir.path());
    assert_eq!(ledger.head(), head);
    let next = ledger.append(vec![record(10), record(11)]).await.unwrap();
    assert_eq!((next.seq, ledger.head()), (11, next.clone()));
    let verified = verify(dir.path(), Some(&head.hash)).unwrap();
    let expected = Verified { lines: 11, head: Some(next), open_intents: Vec::new(), warnings: Vec::new() };
    assert_eq!(verified, expected);
}

#[tokio::test]
async fn the_tail_begins_where_it_is_asked_to_and_knows_no_foreign_anchor() {
    let (dir, head) = nine_lines().await;
    let whole = tail(dir.path(), &Head::empty(LedgerName::default()), 0).unwrap();
    assert_eq!(whole.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    assert_eq!(whole[8].record, record(9));
    assert_eq!(tail(dir.path(), &head, 0).unwrap(), []);
    assert_eq!(tail(dir.path(), &head, 3).unwrap(), whole[6..]);
    assert_eq!(tail(dir.path(), &head, 1024).unwrap(), whole);
    let foreign = Head { hash: "f".repeat(64), ..head };
    assert!(matches!(tail(dir.path(), &foreign, 3), Err(VerifyError::HeadMissing)));
    let later = Head { ledger: LedgerName::default(), seq: 10, hash: "f".repeat(64) };
    assert!(matches!(tail(dir.path(), &later, 3), Err(VerifyError::HeadMissing)));
}

#[tokio::test]
async fn a_ledger_that_turned_over_and_died_goes_on() {
    let (dir, head) = nine_lines().await;
    fs::write(segment(dir.path(), 4), "").unwrap();
    let ledger = small(dir.path());
    assert_eq!(ledger.head(), head);
    ledger.append(vec![record(10)]).await.unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().lines, 10);
}

#[tokio::test]
async fn every_tampering_is_named_with_its_line() {
    type Tamper = fn(&Path);
    let table: [(&str, Tamper, &str); 9] = [
        (
            "a byte is edited",
            |dir| change(dir, 2, |lines| lines[1] = lines[1].replace("sms", "smt")),
            "00000002.ndjson:2: its hash is not the hash of its content",
        ),
        (
            "a blank is put in",
            |dir| change(dir, 1, |lines| lines[0] = lines[0].replace("\":\"", "\": \"")),
            "00000001.ndjson:1: not in canonical form",
        ),
        (
            "a key is added",
            |dir| change(dir, 1, |lines| lines[0] = lines[0].replace('{', "{\"a\":1,")),
            "00000001.ndjson:1: not a ledger line: ",
        ),
        (
            "a line is deleted",
            |dir| change(dir, 2, |lines| drop(lines.remove(1))),
            "00000002.ndjson:2: its seq is 6 after 4",
        ),
        (
            "the first line of a segment is deleted",
            |dir| change(dir, 2, |lines| drop(lines.remove(0))),
            "00000002.ndjson:1: its seq is 5 after 3",
        ),
        (
            "lines are swapped",
            |dir| change(dir, 1, |lines| lines.swap(1, 2)),
            "00000001.ndjson:2: its seq is 3 after 1",
        ),
        (
            "a line is there twice",
            |dir| change(dir, 1, |lines| lines.push(lines[2].clone())),
            "00000001.ndjson:4: its seq is 3 after 3",
        ),
        (
            "the last lines are gone",
            |dir| change(dir, 3, |lines| lines.truncate(1)),
            "the ledger does not contain the head you kept: it was cut or rewritten",
        ),
        ("a segment is gone", |dir| fs::remove_file(segment(dir, 2)).unwrap(), "00000002.ndjson is missing"),
    ];
    for (what, tamper, expected) in table {
        let (dir, head) = nine_lines().await;
        tamper(dir.path());
        let error = verify(dir.path(), Some(&head.hash)).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{what}: {error}");
    }
}

fn change(dir: &Path, number: u32, change: fn(&mut Vec<String>)) {
    let path = segment(dir, number);
    let mut lines = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
}

#[tokio::test]
async fn a_rewritten_ledger_is_found_out_by_the_head_that_was_kept() {
    let (dir, head) = nine_lines().await;
    let other = tempfile::tempdir().unwrap();
    let ledger = open(other.path());
    for n in 11..=19 {
        ledger.append(vec![record(n)]).await.unwrap();
    }
    assert!(verify(other.path(), None).is_ok());
    assert!(matches!(verify(other.path(), Some(&head.hash)), Err(VerifyError::HeadMissing)));
    assert!(verify(dir.path(), Some(&head.hash)).is_ok());
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_that_is_recorded() {
    let (dir, head) = nine_lines().await;
    let mut bytes = fs::read(segment(dir.path(), 3)).unwrap();
    bytes.extend(b"{\"at\":\"2027-");
    fs::write(segment(dir.path(), 3), bytes).unwrap();
    assert_eq!(verify(dir.path(), Some(&head.hash)).unwrap().warnings.len(), 1);

    let ledger = small(dir.path());
    assert_eq!(ledger.head().seq, 10);
    let verified = verify(dir.path(), Some(&head.hash)).unwrap();
    assert_eq!((verified.lines, verified.warnings), (10, Vec::new()));
    let last = fs::read_dir(dir.path()).unwrap().count() - 1;
    let text = fs::read_to_string(segment(dir.path(), u32::try_from(last).unwrap())).unwrap();
    let line = text.lines().last().unwrap();
    assert!(line.contains(r#""facts":{"bytes":"12"}"#) && line.contains("ledger.repaired"), "{line}");
}

#[tokio::test]
async fn other_damage_is_refused_and_left_as_it_is() {
    let (dir, _) = nine_lines().await;
    change(dir.path(), 3, |lines| lines[1] = lines[1].replace("sms", "smt"));
    let before = fs::read(segment(dir.path(), 3)).unwrap();
    let error = FileLedger::open(dir.path(), Options::default(), at(0)).err().unwrap();
    assert!(error.to_string().contains("00000003.ndjson:2: its hash"), "{error}");
    assert_eq!(fs::read(segment(dir.path(), 3)).unwrap(), before);
}

#[tokio::test]
async fn a_second_tapdesk_on_the_same_ledger_is_refused_and_may_read() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    first.append(vec![record(1)]).await.unwrap();
    let second = FileLedger::open(dir.path(), Options::default(), at(0)).err().unwrap();
    assert!(matches!(second, OpenError::Busy(_)), "{second:?}");
    assert_eq!(verify(dir.path(), None).unwrap().head, Some(first.head()));
    drop(first);
    open(dir.path());
}

#[tokio::test]
async fn many_appends_at_once_make_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(small(dir.path()));
    let appends = (0..100).map(|n| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.append(vec![record(n % 5), record(n % 5)]).await.unwrap().seq })
    });
    let mut heads = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        heads.push(append.await.unwrap());
    }
    heads.sort_unstable();
    assert_eq!(heads, (1..=100).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(verify(dir.path(), None).unwrap().lines, 200);
}

#[tokio::test]
async fn an_intent_without_its_outcome_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let line = |n, phase, what| Record { phase, what: String::from(what), ..record(n) };
    ledger
        .append(vec![
            line(1, Phase::Intent, "pass.create"),
            line(1, Phase::Outcome, "pass.create").with("pass", "p1"),
            line(2, Phase::Intent, "pass.delete").with("pass", "p1"),
            line(2, Phase::Intent, "pass.delete").with("pass", "p2"),
            line(2, Phase::Outcome, "pass.delete").with("pass", "p2"),
            line(3, Phase::Intent, "pass.create"),
        ])
        .await
        .unwrap();
    let open = verify(dir.path(), None).unwrap().open_intents;
    let named: Vec<_> =
        open.iter().map(|intent| (intent.seq, intent.what.as_str(), intent.pass.as_deref())).collect();
    assert_eq!(named, [(3, "pass.delete", Some("p1")), (6, "pass.create", None)]);
}

#[tokio::test]
async fn a_clock_that_goes_back_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(vec![record(50), record(45), record(30)]).await.unwrap();
    let warnings = verify(dir.path(), None).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("00000001.ndjson:3: the clock went back"), "{warnings:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_stays_one_line(facts in prop::collection::btree_map(any::<String>(), "(?s).{0,40}", 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(one_line(facts));
    }
}

async fn one_line(facts: BTreeMap<String, String>) {
    let dir = tempfile::tempdir().unwrap();
    let head = open(dir.path()).append(vec![Record { facts, ..record(1) }]).await.unwrap();
    let text = fs::read_to_string(segment(dir.path(), 1)).unwrap();
    assert_eq!(text.matches('\n').count(), 1);
    assert_eq!(verify(dir.path(), Some(&head.hash)).unwrap().lines, 1);
}

/// What a bad disk does to the next calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Append,
    ShortWrite,
    Sync,
}

/// A disk with one fault at a time.
#[derive(Clone, Default)]
struct BadDisk {
    fault: Arc<Mutex<Option<Fault>>>,
    cannot_truncate: Arc<Mutex<bool>>,
}

struct BadSegment(Box<dyn Segment>, BadDisk);

impl BadDisk {
    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn has(&self, fault: Fault) -> bool {
        *self.fault.lock().unwrap() == Some(fault)
    }
}

impl Disk for BadDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        Ok(Box::new(BadSegment(RealDisk.open(path)?, self.clone())))
    }
}

impl Segment for BadSegment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.1.has(Fault::Append) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.1.has(Fault::ShortWrite) {
            self.0.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.1.has(Fault::Sync) { Err(io::Error::other("sync")) } else { self.0.sync() }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if *self.1.cannot_truncate.lock().unwrap() {
            return Err(io::Error::other("truncate"));
        }
        self.0.truncate(length)
    }
}

#[tokio::test]
async fn an_append_that_failed_leaves_nothing_behind_and_the_next_one_works() {
    for fault in [Fault::Append, Fault::ShortWrite, Fault::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let disk = BadDisk::default();
        let options = Options { disk: Arc::new(disk.clone()), ..Options::default() };
        let ledger = FileLedger::open(dir.path(), options, at(0)).unwrap();
        let head = ledger.append(vec![record(1)]).await.unwrap();
        let before = fs::read(segment(dir.path(), 1)).unwrap();

        disk.set(Some(fault));
        let failed = ledger.append(vec![record(2)]).await;
        assert!(matches!(failed, Err(PortError::Retry { .. })), "{fault:?}: {failed:?}");
        assert_eq!(ledger.head(), head);
        assert_eq!(fs::read(segment(dir.path(), 1)).unwrap(), before, "{fault:?}");

        disk.set(None);
        assert_eq!(ledger.append(vec![record(2)]).await.unwrap().seq, 2);
        assert_eq!(verify(dir.path(), Some(&head.hash)).unwrap().lines, 2);
    }
}

#[tokio::test]
async fn a_ledger_whose_end_is_not_known_refuses_everything_until_it_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let disk = BadDisk::default();
    let options = Options { disk: Arc::new(disk.clone()), ..Options::default() };
    let ledger = FileLedger::open(dir.path(), options, at(0)).unwrap();
    disk.set(Some(Fault::ShortWrite));
    *disk.cannot_truncate.lock().unwrap() = true;
    for _ in 0..2 {
        let failed = ledger.append(vec![record(1)]).await;
        assert!(matches!(failed, Err(PortError::Fatal { .. })), "{failed:?}");
        disk.set(None);
    }
    drop(ledger);
    let ledger = open(dir.path());
    assert_eq!(ledger.head().seq, 1, "the repair");
    ledger.append(vec![record(1)]).await.unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().lines, 2);
}
