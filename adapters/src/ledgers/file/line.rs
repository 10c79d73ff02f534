//! What does a line of the ledger look like, and how does it hang on the one before?
//!
//! A line is one JSON object with sorted keys and no blanks; absent facts have no key. Its hash covers the hash of
//! the line before and the line itself without its hash.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tapdesk_core::ids::{LedgerName, PersonId, RequestId, Version};
use tapdesk_core::ledger::{Head, Phase, Record};
use tapdesk_core::ticket::sha256_hex;

/// Keeps these hashes apart from every other use of SHA-256, and one layout from the next.
const PURPOSE: &str = "tapdesk/ledger/v1\0";
/// No honest line comes near it; a reader needs an end.
pub(super) const LONGEST: usize = 1 << 20;

/// A line of the ledger. The fields stand in the order of their names, which is the order they are written in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<PersonId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) facts: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<String>,
    pub(super) ledger: LedgerName,
    pub(super) phase: Phase,
    pub(super) prev: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<RequestId>,
    pub(super) seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Version>,
    pub(super) what: String,
}

/// Writes the record as the line after `head`: its bytes, with the line feed, and the head that it makes.
pub(super) fn write(record: Record, head: &Head) -> Result<(Vec<u8>, Head), String> {
    let mut line = Line {
        at: record.at,
        by: record.by,
        facts: record.facts,
        hash: None,
        ledger: head.ledger.clone(),
        phase: record.phase,
        prev: head.hash.clone(),
        request: record.request,
        seq: head.seq + 1,
        version: record.version,
        what: record.what,
    };
    let hash = hash(&line)?;
    line.hash = Some(hash.clone());
    let mut bytes = encode(&line)?;
    bytes.push(b'\n');
    if bytes.len() > LONGEST {
        return Err(format!("a line of {} bytes is too long", bytes.len()));
    }
    Ok((bytes, Head { ledger: line.ledger, seq: line.seq, hash }))
}

/// Where a reader stands in the chain.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// The line before, if one was read.
    before: Option<Head>,
    /// Where the reader starts in the middle it has to believe the first line.
    from_the_start: bool,
}

impl Chain {
    /// From the first line on.
    pub(super) fn from_the_start() -> Self {
        Self { before: None, from_the_start: true }
    }

    /// From any line on.
    pub(super) fn from_the_middle() -> Self {
        Self { before: None, from_the_start: false }
    }

    /// The last line that was read.
    pub(super) fn head(&self) -> Option<&Head> {
        self.before.as_ref()
    }

    /// Reads the next line, without its line feed; says what is wrong with it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Line, String> {
        let line: Line =
            serde_json::from_slice(bytes).map_err(|error| format!("not a ledger line: {error}"))?;
        if encode(&line)? != bytes {
            return Err("not in canonical form".to_owned());
        }
        let mut bare = line.clone();
        let stated = bare.hash.take().ok_or("it has no hash")?;
        if hash(&bare)? != stated {
            return Err("its hash is not the hash of its content".to_owned());
        }
        let start = || self.from_the_start.then(|| Head::empty(line.ledger.clone()));
        if let Some(before) = self.before.clone().or_else(start) {
            if line.ledger != before.ledger {
                return Err(format!(
                    "it is a line of ledger {:?}, not {:?}",
                    line.ledger.as_str(),
                    before.ledger.as_str()
                ));
            }
            if line.seq != before.seq + 1 {
                return Err(format!("its seq is {} after {}", line.seq, before.seq));
            }
            if line.prev != before.hash {
                return Err("its prev is not the hash of the line before".to_owned());
            }
        }
        self.before = Some(Head { ledger: line.ledger.clone(), seq: line.seq, hash: stated });
        Ok(line)
    }
}

fn hash(bare: &Line) -> Result<String, String> {
    let mut bytes = [PURPOSE.as_bytes(), bare.prev.as_bytes()].concat();
    bytes.extend(encode(bare)?);
    Ok(sha256_hex(&bytes))
}

fn encode(line: &Line) -> Result<Vec<u8>, String> {
    serde_json::to_vec(line).map_err(|error| error.to_string())
}
