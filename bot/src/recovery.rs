//! What did a tapdesk that died leave in the ledger, and may this one go on?
//!
//! The store names the ledger line that its last commit stands on. A ledger without that line was cut, restored from an
//! older copy or rewritten: nothing starts on it. Lines whose change never reached the store belong to a tapdesk that was
//! killed between the two; they are written off here, so that an auditor reads no approval that never counted. An
//! intent whose change was stored is not looked at: its tasks find out what became of it.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use tapdesk_adapters::ledgers::file::{self, Entry, VerifyError};
use tapdesk_core::ids::{RequestId, Version};
use tapdesk_core::ledger::{Phase, Record};

use crate::app::Parts;
use crate::config::Config;

/// Changes that are on their way at once commit in any order: lines so far before the store's may be without a commit.
const IN_FLIGHT: u64 = 1024;

/// Compares the ledger with the store and writes off what never happened.
pub(crate) async fn recover(config: &Config, parts: &Parts) -> anyhow::Result<()> {
    let anchor = parts.store.anchor().await.context("[store]")?;
    let head = parts.ledger.head();
    let restore = "Restore the ledger before starting.";
    ensure!(
        anchor.seq <= head.seq,
        "the ledger is behind the store: the store names line {} ({}), the ledger ends at line {} ({}). {restore}",
        anchor.seq,
        anchor.hash,
        head.seq,
        head.hash
    );
    let entries = match file::tail(&config.ledger.path, &anchor, IN_FLIGHT) {
        Err(VerifyError::HeadMissing) => anyhow::bail!(
            "the ledger was rewritten: the store names line {} ({}), which is not in it. {restore}",
            anchor.seq,
            anchor.hash
        ),
        read => read.context("[ledger]")?,
    };
    // A request that is gone was forgotten, unless that cannot be yet.
    let now = parts.clock.now();
    let forgotten = now.saturating_sub(config.store.keep_closed).unwrap_or(jiff::Timestamp::MIN);
    let mut versions: BTreeMap<RequestId, Option<Version>> = BTreeMap::new();
    let mut lost = Vec::new();
    for Entry { seq, record } in standing(entries) {
        let (Some(id), Some(version)) = (&record.request, record.version) else { continue };
        let stored = match versions.get(id) {
            Some(known) => *known,
            None => parts.store.load(id).await.context("[store]")?.map(|stored| stored.version),
        };
        versions.insert(id.clone(), stored);
        let is_lost = match stored {
            Some(stored) => version > stored,
            None => seq > anchor.seq || record.at > forgotten,
        };
        if is_lost {
            lost.push(record.superseded(now));
        }
    }
    if !lost.is_empty() {
        tracing::warn!(ledger.lines = lost.len(), "lines of changes that were never stored are written off");
        parts.ledger.append(lost).await.context("[ledger]")?;
    }
    Ok(())
}

/// Intents and events that nothing has superseded.
fn standing(entries: Vec<Entry>) -> Vec<Entry> {
    let same = |a: &Record, b: &Record| a.request == b.request && a.version == b.version && a.what == b.what;
    let mut standing: Vec<Entry> = Vec::new();
    for entry in entries {
        if entry.record.is_superseding() {
            // The newest: older ones of that version were superseded before it was written.
            if let Some(place) = standing.iter().rposition(|open| same(&open.record, &entry.record)) {
                standing.remove(place);
            }
        } else if matches!(entry.record.phase, Phase::Intent | Phase::Event) {
            standing.push(entry);
        }
    }
    standing
}
