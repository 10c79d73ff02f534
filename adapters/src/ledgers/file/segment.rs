//! Which segments are there, and what stands in them?

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::line::LONGEST;

/// The path of a segment.
pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(name(number))
}

/// The name of a segment, as it is shown.
pub(super) fn name(number: u32) -> String {
    format!("{number:08}.ndjson")
}

/// The numbers of the segments in the folder, in order. Other files are left alone.
pub(super) fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let file = entry?.file_name();
        let number =
            file.to_str().and_then(|text| text.strip_suffix(".ndjson")).and_then(|text| text.parse().ok());
        numbers.extend(number.filter(|number| file.to_str() == Some(name(*number).as_str())));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The first number that is missing, if one is.
pub(super) fn gap(numbers: &[u32]) -> Option<u32> {
    (1..).zip(numbers).find(|(expected, number)| expected != *number).map(|(expected, _)| expected)
}

/// What a reader finds next.
pub(super) enum Found<'b> {
    /// A line, without its line feed.
    Line(&'b [u8]),
    /// So many bytes without a line feed at the end of the file.
    Unfinished(u64),
    /// More bytes without a line feed than a line may have.
    TooLong,
    /// Nothing.
    End,
}

/// Reads a segment line by line.
pub(super) struct Reader {
    file: BufReader<File>,
    buffer: Vec<u8>,
    /// Lines read so far.
    pub(super) lines: u64,
    /// Bytes of the lines read so far.
    pub(super) length: u64,
}

impl Reader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), buffer: Vec::new(), lines: 0, length: 0 })
    }

    pub(super) fn next(&mut self) -> io::Result<Found<'_>> {
        self.buffer.clear();
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        let read = self.file.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(Found::End);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.lines += 1;
            self.length += read as u64;
            self.buffer.pop();
            return Ok(Found::Line(&self.buffer));
        }
        if read == LONGEST {
            return Ok(Found::TooLong);
        }
        Ok(Found::Unfinished(read as u64))
    }
}
