//! What did a tapdesk that died leave in the ledger, and may this one go on?
//!
//! The store names the ledger line that its last commit stands on. A ledger without that line was cut, restored from an
//! older copy or rewritten: nothing starts on it. Lines whose change never reached the store belong to a tapdesk that was
//! killed between the two; they are written off here, so that an auditor reads no approval that never counted. Which
//! lines its changes stand on, a request says itself, whichever replica wrote them. An intent whose change was stored is
//! left to its tasks, which find out what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_adapters::ledgers::file::{self, Entry, VerifyError};
use tapdesk_core::ids::RequestId;
use tapdesk_core::ledger::{Head, Phase, Record};
use tapdesk_core::ports::{PortError, Stored};

use crate::app::Parts;
use crate::config::Config;

/// Changes that are on their way at once commit in any order: lines so far before the store's may be without a commit.
const IN_FLIGHT: u64 = 1024;

/// Compares the ledger with the store and writes off what never happened.
pub(crate) async fn recover(config: &Config, parts: &Parts) -> anyhow::Result<()> {
    let head = parts.ledger.head();
    let name = &head.ledger;
    let anchor = parts.store.anchor(name).await.context("[store]")?;
    let restore = format!(
        "Restore the ledger before starting. If another replica writes a ledger named {name}, give this one another ledger.name."
    );
    ensure!(
        anchor.seq <= head.seq,
        "the ledger {name} is behind the store: the store names line {} ({}), the ledger ends at line {} ({}). {restore}",
        anchor.seq,
        anchor.hash,
        head.seq,
        head.hash
    );
    let entries = match file::tail(&config.ledger.path, &anchor, IN_FLIGHT) {
        Err(VerifyError::HeadMissing) => anyhow::bail!(
            "the ledger {name} was rewritten: the store names line {} ({}), which is not in it. {restore}",
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
    let counts = |stored: &Stored, version, seq| stored.request.footing.has(version, &anchor.ledger, seq);
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
            // A look for stray passes died over a deletion. It comes again, and what it finds gone it does not mention.
            Some(_) if record.is_stray_deletion() => lines.push(record.outcome(now, "unknown")),
            Some(stored) if !counts(stored, version, seq) => lines.push(record.superseded(now, seq)),
            None if seq > anchor.seq || record.at > forgotten => lines.push(record.superseded(now, seq)),
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
            Phase::Outcome => {
                if let Some(line) = record.supersedes() {
                    open.retain(|open| open.seq != line);
                    continue;
                }
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
