//! What would a core dump of a process hold? Every byte that it could have written.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use anyhow::Context as _;

/// Larger than what tapdesk maps at once; a mapping beyond it would be skipped in silence, so it is an error.
const LARGEST: u64 = 1 << 30;

/// A mapping of the process, with what was in it.
pub struct Region {
    /// As the kernel names it: `[heap]`, `[stack]`, a file, or nothing.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The writable memory of a process. The process may not be dumped, so that this needs root, as a core dump would.
pub fn of_process(id: u32) -> anyhow::Result<Vec<Region>> {
    let maps = std::fs::read_to_string(format!("/proc/{id}/maps"))?;
    let mut memory = File::open(format!("/proc/{id}/mem")).context(
        "the memory of a process that may not be dumped is read as root: run the tests as root or with sudo",
    )?;
    let mut regions = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').with_context(|| line.to_owned())?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        anyhow::ensure!(to - from <= LARGEST, "a mapping is too large to be searched: {line}");
        let mut bytes = vec![0; usize::try_from(to - from)?];
        memory.seek(SeekFrom::Start(from))?;
        memory.read_exact(&mut bytes).with_context(|| line.to_owned())?;
        regions.push(Region { name: fields.nth(3).unwrap_or("anonymous").to_owned(), bytes });
    }
    Ok(regions)
}
