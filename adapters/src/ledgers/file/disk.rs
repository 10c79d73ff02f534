//! Which few things does the ledger ask of a disk? A trait, so that a test can be a bad one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Where segments are opened for writing.
pub trait Disk: Send + Sync {
    /// Opens the segment for appending; makes it, with a durable name, if it does not exist.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Segment>>;
}

/// One segment that is open for writing.
pub trait Segment: Send {
    /// Writes at the end. After an error any part of `bytes` may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was appended durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts everything from `length` on off, durably.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The disk of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

struct RealSegment(File);

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        // Empty, not absent: the sync of an earlier try may have failed.
        if file.metadata()?.len() == 0 {
            crate::ledgers::sync_folder_of(path)?;
        }
        Ok(Box::new(RealSegment(file)))
    }
}

impl Segment for RealSegment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.sync_all()
    }
}
