//! What would a core dump of a process hold? Every byte that it could have written.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Larger than what tapdesk maps at once; a mapping beyond it would be skipped in silence, so it is an error.
const LARGEST: u64 = 1 << 30;
/// Writes the stretches of memory of process `$0` that standard input names: begin and length, a line each.
const COPY: &str = r#"while read -r from length; do
    dd if="/proc/$0/mem" bs=65536 iflag=skip_bytes,count_bytes,fullblock skip="$from" count="$length" status=none || exit
done"#;

/// A mapping of the process, with what was in it.
pub struct Region {
    /// As the kernel names it: `[heap]`, `[stack]`, a file, or nothing.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A mapping as `/proc/PID/maps` tells it.
struct Mapping {
    name: String,
    from: u64,
    length: u64,
}

/// The writable memory of a process. The process may not be dumped, so that only root can read it.
pub fn of_process(id: u32) -> anyhow::Result<Vec<Region>> {
    let maps = as_root(&["cat", &format!("/proc/{id}/maps")], "")?;
    let mut mappings = Vec::new();
    for line in std::str::from_utf8(&maps)?.lines() {
        mappings.extend(Mapping::writable(line)?);
    }
    let stretches: Vec<_> =
        mappings.iter().map(|Mapping { from, length, .. }| format!("{from} {length}\n")).collect();
    let memory = as_root(&["sh", "-c", COPY, &id.to_string()], &stretches.concat())?;
    let mut rest = memory.as_slice();
    let mut regions = Vec::new();
    for Mapping { name, length, .. } in mappings {
        let (bytes, after) =
            rest.split_at_checked(usize::try_from(length)?).with_context(|| format!("{name} ends early"))?;
        regions.push(Region { name, bytes: bytes.to_vec() });
        rest = after;
    }
    ensure!(rest.is_empty(), "more was read than the process has");
    Ok(regions)
}

impl Mapping {
    fn writable(line: &str) -> anyhow::Result<Option<Self>> {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        if !rights.starts_with("rw") {
            return Ok(None);
        }
        let (from, to) = range.split_once('-').with_context(|| line.to_owned())?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        ensure!(to - from <= LARGEST, "a mapping is too large to be searched: {line}");
        let name = fields.nth(3).unwrap_or("anonymous").to_owned();
        Ok(Some(Self { name, from, length: to - from }))
    }
}

/// What a command prints that needs root: an ordinary user has to be allowed to use sudo, as `tests/run` says.
fn as_root(command: &[&str], input: &str) -> anyhow::Result<Vec<u8>> {
    let sudo: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "-n"] };
    let words = [sudo, command].concat();
    let mut running = Command::new(words[0]);
    running.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = running.spawn().with_context(|| words[0].to_owned())?;
    // Shorter than what a pipe takes without a reader.
    running.stdin.take().context("standard input is not piped")?.write_all(input.as_bytes())?;
    let ended = running.wait_with_output()?;
    ensure!(
        ended.status.success(),
        "the memory of a process is read as root, and {words:?} ended with {}",
        ended.status
    );
    Ok(ended.stdout)
}
