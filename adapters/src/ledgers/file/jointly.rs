//! Do the ledgers of several tapdesks, which share a store, agree?
//!
//! A change is recorded in the ledger of the tapdesk that made it, and nowhere else. What it began may be ended by
//! another one: an intent in one ledger can have its outcome in another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tapdesk_core::ids::{LedgerName, RequestId, Version};
use tapdesk_core::ledger::{Phase, Record};

use super::verify::{OpenIntent, Verified, VerifyError, verify_each};

/// What two ledgers cannot both say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// One of them is a copy, or two tapdesks were given one name.
    #[error("two of the ledgers are named \"{0}\"")]
    OneName(LedgerName),
    /// Only one change makes a version: the lines of one of them should have been superseded.
    #[error("version {} of {request} is recorded in \"{}\" (line {}) and in \"{}\" (line {})", .version.0, .one.0, .one.1, .other.0, .other.1)]
    OneVersion {
        /// The request.
        request: RequestId,
        /// The version.
        version: Version,
        /// A ledger and its first line on it.
        one: (LedgerName, u64),
        /// Another ledger and its first line on it.
        other: (LedgerName, u64),
    },
}

/// The ledgers that were verified so far.
#[derive(Default)]
pub struct Jointly(Vec<Said>);

/// What one ledger says.
struct Said {
    name: LedgerName,
    open_intents: Vec<OpenIntent>,
    notes: Notes,
}

#[derive(Default)]
struct Notes {
    /// The lines that count of each change.
    changes: BTreeMap<(RequestId, Version), BTreeSet<u64>>,
    /// The passes that outcomes are about, by request, version and deed.
    outcomes: BTreeMap<(RequestId, Version, String), Vec<Option<String>>>,
}

impl Jointly {
    /// Verifies one more ledger by itself.
    pub fn verify(&mut self, dir: &Path, head: Option<&str>) -> Result<Verified, VerifyError> {
        let mut notes = Notes::default();
        let verified = verify_each(dir, head, &mut |line, record| notes.take(line, record))?;
        if let Some(head) = &verified.head {
            let (name, open_intents) = (head.ledger.clone(), verified.open_intents.clone());
            self.0.push(Said { name, open_intents, notes });
        }
        Ok(verified)
    }

    /// Intents whose outcome is in none of the ledgers.
    #[must_use]
    pub fn open_intents(&self) -> Vec<(&LedgerName, &OpenIntent)> {
        let mut open = Vec::new();
        for (place, said) in self.0.iter().enumerate() {
            let others = || self.0.iter().enumerate().filter(|(other, _)| *other != place);
            let is_open =
                |intent: &&OpenIntent| !others().any(|(_, other)| other.notes.has_outcome_of(intent));
            open.extend(said.open_intents.iter().filter(is_open).map(|intent| (&said.name, intent)));
        }
        open
    }

    /// Everything that cannot be.
    #[must_use]
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        let mut names = BTreeSet::new();
        let mut changes: BTreeMap<_, (LedgerName, u64)> = BTreeMap::new();
        for said in &self.0 {
            if !names.insert(&said.name) {
                found.push(Contradiction::OneName(said.name.clone()));
            }
            for (change, lines) in &said.notes.changes {
                let Some(first) = lines.first() else { continue };
                let here = (said.name.clone(), *first);
                if let Some(one) = changes.insert(change, here.clone()) {
                    let (request, version) = change.clone();
                    found.push(Contradiction::OneVersion { request, version, one, other: here });
                }
            }
        }
        found
    }
}

impl Notes {
    fn take(&mut self, line: u64, record: &Record) {
        let (Some(request), Some(version)) = (&record.request, record.version) else { return };
        let change = (request.clone(), version);
        match record.phase {
            // Whoever looks for stray passes may find one, at whatever version.
            Phase::Intent if record.is_stray_deletion() => {}
            Phase::Intent | Phase::Event => drop(self.changes.entry(change).or_default().insert(line)),
            Phase::Outcome => {
                if let Some(superseded) = record.supersedes() {
                    self.changes.entry(change).or_default().remove(&superseded);
                } else {
                    let key = (request.clone(), version, record.what.clone());
                    self.outcomes.entry(key).or_default().push(record.facts.get("pass").cloned());
                }
            }
        }
    }

    fn has_outcome_of(&self, intent: &OpenIntent) -> bool {
        let (Some(request), Some(version)) = (&intent.request, intent.version) else { return false };
        let passes = self.outcomes.get(&(request.clone(), version, intent.what.clone()));
        passes.is_some_and(|passes| intent.pass.is_none() || passes.contains(&intent.pass))
    }
}
