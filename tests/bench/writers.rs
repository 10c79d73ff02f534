//! How many changes a second does the embedded store make durable, next to what the disk gives?

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tapdesk_adapters::stores::embedded::Embedded;

use crate::disk::{Counted, sync_rate};
use crate::figures::median;
use crate::requests;
use crate::servers::folder;

const ROUNDS: u32 = 5;
const WRITERS: [u32; 3] = [1, 16, 256];
/// A disk is asked for so long.
const PROBE: Duration = Duration::from_secs(1);

struct Rates {
    commits: f64,
    syncs: f64,
    disk: f64,
}

/// Plays the rounds and returns the table.
pub(crate) async fn measure() -> anyhow::Result<String> {
    let dir = folder()?;
    let syncs = Arc::new(AtomicU64::new(0));
    let (path, counted) = (dir.path().join("tapdesk.db"), Arc::clone(&syncs));
    let store = Embedded::with_backend(move || Counted::open(&path, &counted, true))?;
    let mut rates = WRITERS.map(|_| Vec::new());
    let mut first = 0;
    for round in 1..=ROUNDS {
        for (writers, rates) in WRITERS.into_iter().zip(&mut rates) {
            eprintln!("writers, round {round} of {ROUNDS}: {writers}");
            let disk = sync_rate(dir.path(), PROBE)?;
            let requests = if writers == 1 { 50 } else { writers * 16 };
            let (before, begun) = (syncs.load(Ordering::Relaxed), Instant::now());
            requests::live(&store, first..first + requests, usize::try_from(writers)?).await?;
            let seconds = begun.elapsed().as_secs_f64();
            let synced = u32::try_from(syncs.load(Ordering::Relaxed) - before)?;
            // Opening and closing.
            let commits = f64::from(2 * requests) / seconds;
            rates.push(Rates { commits, syncs: f64::from(synced) / seconds, disk });
            first += requests;
        }
    }
    let mut text = "| writers at a time | commits/s | syncs/s | the disk's own syncs/s | syncs ÷ disk | commits ÷ disk |\n\
         |--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (writers, rates) in WRITERS.into_iter().zip(&rates) {
        let of = |figure: fn(&Rates) -> f64| median(rates.iter().map(figure));
        let (commits, syncs, disk) = (of(|r| r.commits), of(|r| r.syncs), of(|r| r.disk));
        let (share, gain) = (of(|r| r.syncs / r.disk), of(|r| r.commits / r.disk));
        writeln!(text, "| {writers} | {commits:.0} | {syncs:.0} | {disk:.0} | {share:.2} | {gain:.2} |")?;
    }
    Ok(text)
}
