//! What stands at the end of the ledger, and is the line that the store knows in it?

use std::path::Path;

use tapdesk_core::ledger::{Head, Record};

use super::line::{Chain, Line};
use super::segment::{self, Found, Reader};
use super::verify::VerifyError;

/// A line of the ledger with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// What it says.
    pub record: Record,
}

/// The lines from `back` before `anchor` on. Reads only the segments that hold them and checks the chain between them;
/// an anchor that is not in the chain is [`VerifyError::HeadMissing`].
pub fn tail(dir: &Path, anchor: &Head, back: u64) -> Result<Vec<Entry>, VerifyError> {
    let from = anchor.seq.saturating_sub(back);
    let numbers = segment::numbers(dir).map_err(|error| VerifyError::Unreadable(dir.to_path_buf(), error))?;
    let first = first_segment(dir, &numbers, from)?;
    let mut chain = Chain::from_the_middle();
    let mut entries = Vec::new();
    let mut found = *anchor == Head::empty(anchor.ledger.clone());
    for number in numbers.into_iter().filter(|number| *number >= first) {
        each_line(dir, number, &mut chain, |line| {
            found |= line.seq == anchor.seq && line.hash.as_deref() == Some(&anchor.hash);
            if line.seq > from {
                entries.push(Entry { seq: line.seq, record: record(line) });
            }
            true
        })?;
    }
    if found { Ok(entries) } else { Err(VerifyError::HeadMissing) }
}

/// The last segment that begins at or before line `from`.
fn first_segment(dir: &Path, numbers: &[u32], from: u64) -> Result<u32, VerifyError> {
    for number in numbers.iter().rev() {
        let mut begins = None;
        each_line(dir, *number, &mut Chain::from_the_middle(), |line| {
            begins = Some(line.seq);
            false
        })?;
        // A segment without lines is the last one: a service died right after it had turned over.
        if begins.is_some_and(|seq| seq <= from) {
            return Ok(*number);
        }
    }
    Ok(1)
}

/// Gives each line of the segment to `take`, until that has enough.
pub(super) fn each_line(
    dir: &Path,
    number: u32,
    chain: &mut Chain,
    mut take: impl FnMut(Line) -> bool,
) -> Result<(), VerifyError> {
    let path = segment::path(dir, number);
    let unreadable = |error| VerifyError::Unreadable(path.clone(), error);
    let mut reader = Reader::open(&path).map_err(unreadable)?;
    loop {
        let line = reader.lines + 1;
        let wrong = |reason| VerifyError::Wrong { segment: segment::name(number), line, reason };
        match reader.next().map_err(unreadable)? {
            Found::Line(bytes) => {
                if !take(chain.read(bytes).map_err(wrong)?) {
                    return Ok(());
                }
            }
            Found::TooLong => return Err(wrong("the line is too long".to_owned())),
            // A line that is being written is not there yet.
            Found::Unfinished(_) | Found::End => return Ok(()),
        }
    }
}

pub(super) fn record(line: Line) -> Record {
    Record {
        at: line.at,
        request: line.request,
        version: line.version,
        phase: line.phase,
        what: line.what,
        by: line.by,
        facts: line.facts,
    }
}
