//! What did a tapdesk that died leave in the ledger, and may this one go on?
//!
//! The store names the ledger line that its last commit stands on. A ledger without that line was cut, restored from an
//! older copy or rewritten: nothing starts on it. Lines whose change never reached the store belong to a tapdesk that was
//! killed between the two; they are written off here, so that an auditor reads no approval that never counted. An
//! intent whose change was stored is left to its tasks, which find out what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_adapters::ledgers::file::{self, Entry, VerifyError};
use tapdesk_core::ids::{RequestId, Version};
use tapdesk_core::ledger::{Head, Phase, Record};
use tapdesk_core::ports::{PortError, Stored};
use tapdesk_core::request::State;

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
    let lines = write_off(parts, entries, &anchor, config.store.keep_closed).await.context("[store]")?;
    if !lines.is_empty() {
        tracing::warn!(ledger.lines = lines.len(), "what a killed tapdesk had begun is written off");
        parts.ledger.append(lines).await.context("[ledger]")?;
    }
    Ok(())
}

/// The outcomes that the killed tapdesk could not write.
async fn write_off(
    parts: &Parts,
    entries: Vec<Entry>,
    anchor: &Head,
    keep_closed: Duration,
) -> Result<Vec<Record>, PortError> {
    let now = parts.clock.now();
    // A request that is gone was forgotten, unless that cannot be yet.
    let forgotten = now.saturating_sub(keep_closed).unwrap_or(jiff::Timestamp::MIN);
    let mut requests: BTreeMap<RequestId, Option<Stored>> = BTreeMap::new();
    let mut lines = Vec::new();
    for Entry { seq, record } in unanswered(entries) {
        let (Some(id), Some(version)) = (&record.request, record.version) else { continue };
        if !requests.contains_key(id) {
            requests.insert(id.clone(), parts.store.load(id).await?);
        }
        match requests.get(id).and_then(Option::as_ref) {
            Some(stored) if version > stored.version => lines.push(record.superseded(now)),
            // A look for stray passes died over a deletion. It comes again, and what it finds gone it does not mention.
            Some(stored) if is_deletion(&record) && !is_covered(&stored.request.state, version) => {
                lines.push(record.outcome(now, "unknown"));
            }
            None if seq > anchor.seq || record.at > forgotten => lines.push(record.superseded(now)),
            Some(_) | None => {}
        }
    }
    Ok(lines)
}

/// Intents and events that no outcome follows.
fn unanswered(entries: Vec<Entry>) -> Vec<Entry> {
    let mut open: Vec<Entry> = Vec::new();
    for entry in entries {
        let Entry { record, .. } = &entry;
        let same = |other: &Record| {
            other.request == record.request && other.version == record.version && other.what == record.what
        };
        match record.phase {
            Phase::Intent | Phase::Event => open.push(entry),
            Phase::Outcome if record.is_superseding() => {
                // The newest: older ones of that version were superseded before it was written.
                if let Some(place) = open.iter().rposition(|open| same(&open.record)) {
                    open.remove(place);
                }
            }
            Phase::Outcome => {
                let pass = record.facts.get("pass");
                open.retain(|open| {
                    let about = open.record.facts.get("pass");
                    !(same(&open.record) && (about.is_none() || about == pass))
                });
            }
        }
    }
    open
}

fn is_deletion(record: &Record) -> bool {
    record.phase == Phase::Intent && record.what == "pass.delete"
}

/// Whether the state itself sees to the intent of that version.
fn is_covered(state: &State, version: Version) -> bool {
    matches!(state, State::Revoking { intent, .. } if *intent == version)
}
