//! What is written down about a request, and in which order?
//!
//! A ledger line is an intent (written before the effect), an outcome (after it) or an event (something
//! that people decided, written before it counts). Free text and names go in as keyed pseudonyms only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{LedgerName, PersonId, RequestId, Version};

/// The result of an intent whose change was never stored.
const SUPERSEDED: &str = "superseded";

/// The last durable line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which ledger.
    pub ledger: LedgerName,
    /// Its number; 0 is the empty ledger.
    pub seq: u64,
    /// Its chain hash in hex; 64 zeros for the empty ledger.
    pub hash: String,
}

impl Head {
    /// The head of a ledger without lines.
    #[must_use]
    pub fn empty(ledger: LedgerName) -> Self {
        Self { ledger, seq: 0, hash: "0".repeat(64) }
    }
}

/// Which ledger lines the changes of a request stand on. What else was written about one of its versions belongs to a
/// change that was never stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Footing(BTreeMap<LedgerName, Vec<(Version, u64, u64)>>);

impl Footing {
    /// The change to `version` stands on the last `lines` lines up to `head`.
    pub fn add(&mut self, version: Version, head: &Head, lines: usize) {
        let before = head.seq.saturating_sub(lines as u64);
        self.0.entry(head.ledger.clone()).or_default().push((version, before + 1, head.seq));
    }

    /// Whether the change to `version` stands on that line.
    #[must_use]
    pub fn has(&self, version: Version, ledger: &LedgerName, seq: u64) -> bool {
        let steps = self.0.get(ledger).map_or(&[][..], Vec::as_slice);
        steps.iter().any(|(step, first, last)| *step == version && (*first..=*last).contains(&seq))
    }
}

/// What kind of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Something is about to be done to the directory.
    Intent,
    /// What became of the intent of the same request and version.
    Outcome,
    /// Something was decided or happened.
    Event,
}

/// One line of the ledger, before it has a number and a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// Which request; `None` for what concerns the service (start, lockdown, repair).
    pub request: Option<RequestId>,
    /// The version that the change makes; intent and outcome of one effect share it.
    pub version: Option<Version>,
    /// Intent, outcome or event.
    pub phase: Phase,
    /// What, in words with dots: `request.received`, `pass.create`.
    pub what: String,
    /// Who caused it, where a person did.
    pub by: Option<PersonId>,
    /// Further facts: ids, durations, routes, masked contacts, pseudonyms. Never a secret, a name or a free text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl Record {
    /// A line about a request.
    #[must_use]
    pub fn new(at: Timestamp, request: &RequestId, version: Version, phase: Phase, what: &str) -> Self {
        Self {
            at,
            request: Some(request.clone()),
            version: Some(version),
            phase,
            what: what.to_owned(),
            by: None,
            facts: BTreeMap::new(),
        }
    }

    /// A line about the service itself.
    #[must_use]
    pub fn service(at: Timestamp, what: &str) -> Self {
        Self {
            at,
            request: None,
            version: None,
            phase: Phase::Event,
            what: what.to_owned(),
            by: None,
            facts: BTreeMap::new(),
        }
    }

    /// The line which says that this one, with that number, does not count: its change was never stored.
    #[must_use]
    pub fn superseded(&self, now: Timestamp, seq: u64) -> Self {
        self.outcome(now, SUPERSEDED).with("line", seq)
    }

    /// The line which says what became of this one.
    #[must_use]
    pub fn outcome(&self, now: Timestamp, result: &str) -> Self {
        Self { at: now, phase: Phase::Outcome, ..self.clone() }.with("result", result)
    }

    /// The number of the line that does not count, if it says so of one.
    #[must_use]
    pub fn supersedes(&self) -> Option<u64> {
        let is_superseding = self.facts.get("result").is_some_and(|result| result == SUPERSEDED);
        self.facts.get("line").filter(|_| is_superseding)?.parse().ok()
    }

    /// Whether it is the intent to delete a pass that no state names: it belongs to no change, and says why.
    #[must_use]
    pub fn is_stray_deletion(&self) -> bool {
        self.phase == Phase::Intent && self.what == "pass.delete" && self.facts.contains_key("why")
    }

    /// The same line with the person who caused it.
    #[must_use]
    pub fn by(mut self, person: PersonId) -> Self {
        self.by = Some(person);
        self
    }

    /// The same line with one more fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.facts.insert(key.to_owned(), value.to_string());
        self
    }
}
