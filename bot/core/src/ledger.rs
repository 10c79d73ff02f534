//! What is written down about a request, and in which order?
//!
//! A ledger line is an intent (written before the effect), an outcome (after it) or an event (something
//! that people decided, written before it counts). Free text and names go in as keyed pseudonyms only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{PersonId, RequestId, Version};

/// The result of an intent whose change was never stored.
const SUPERSEDED: &str = "superseded";

/// The last durable line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number; 0 is the empty ledger.
    pub seq: u64,
    /// Its chain hash in hex; 64 zeros for the empty ledger.
    pub hash: String,
}

impl Head {
    /// The head of a ledger without lines.
    #[must_use]
    pub fn empty() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
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

    /// The line which says that this one does not count: the change that it belongs to was never stored.
    #[must_use]
    pub fn superseded(&self, now: Timestamp) -> Self {
        self.outcome(now, SUPERSEDED)
    }

    /// The line which says what became of this one.
    #[must_use]
    pub fn outcome(&self, now: Timestamp, result: &str) -> Self {
        Self { at: now, phase: Phase::Outcome, ..self.clone() }.with("result", result)
    }

    /// Whether it says that another line does not count.
    #[must_use]
    pub fn is_superseding(&self) -> bool {
        self.phase == Phase::Outcome && self.facts.get("result").is_some_and(|result| result == SUPERSEDED)
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
