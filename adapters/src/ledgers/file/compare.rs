//! Do several ledgers tell one story? Replicas on one store write a ledger each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tapdesk_core::ids::{LedgerName, RequestId, Version};
use tapdesk_core::ledger::Phase;

use super::line::Chain;
use super::segment;
use super::tail::{each_line, record};
use super::verify::VerifyError;

/// One version of a request, for which more than one ledger holds lines that count: only one change can have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The request.
    pub request: RequestId,
    /// The version.
    pub version: Version,
    /// The ledgers.
    pub ledgers: BTreeSet<LedgerName>,
}

/// Compares ledgers that were verified; oldest request id first.
pub fn compare(ledgers: &[PathBuf]) -> Result<Vec<Contradiction>, VerifyError> {
    let mut told: BTreeMap<Change, BTreeSet<LedgerName>> = BTreeMap::new();
    for dir in ledgers {
        for (change, ledger) in changes(dir)?.into_values() {
            told.entry(change).or_default().insert(ledger);
        }
    }
    let several = told.into_iter().filter(|(_, ledgers)| ledgers.len() > 1);
    Ok(several.map(|((request, version), ledgers)| Contradiction { request, version, ledgers }).collect())
}

/// What a line belongs to.
type Change = (RequestId, Version);

/// Which change each line belongs to, by its number, of every line that counts.
fn changes(dir: &Path) -> Result<BTreeMap<u64, (Change, LedgerName)>, VerifyError> {
    let mut changes = BTreeMap::new();
    let mut chain = Chain::from_the_start();
    let numbers = segment::numbers(dir).map_err(|error| VerifyError::Unreadable(dir.to_path_buf(), error))?;
    for number in numbers {
        each_line(dir, number, &mut chain, |line| {
            let (seq, ledger) = (line.seq, line.ledger.clone());
            let record = record(line);
            match (record.phase, &record.request, record.version) {
                (Phase::Outcome, _, _) => drop(record.supersedes().and_then(|line| changes.remove(&line))),
                // The deletion of a pass that no state names belongs to no change.
                (Phase::Intent | Phase::Event, Some(request), Some(version))
                    if !record.is_stray_deletion() =>
                {
                    changes.insert(seq, ((request.clone(), version), ledger));
                }
                (Phase::Intent | Phase::Event, _, _) => {}
            }
            true
        })?;
    }
    Ok(changes)
}
