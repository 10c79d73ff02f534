//! What does the disk give, and what does the store ask of it?

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redb::StorageBackend;
use redb::backends::FileBackend;

/// Syncs per second of a file that grows by a page each time.
pub(crate) fn sync_rate(dir: &Path, within: Duration) -> io::Result<f64> {
    let path = dir.join("syncs");
    let mut file = File::create(&path)?;
    let (begun, mut syncs) = (Instant::now(), 0_u32);
    while begun.elapsed() < within {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    std::fs::remove_file(path)?;
    Ok(f64::from(syncs) / begun.elapsed().as_secs_f64())
}

/// The file of a store, with its syncs counted, or left out while it is filled.
#[derive(Debug)]
pub(crate) struct Counted {
    file: FileBackend,
    syncs: Arc<AtomicU64>,
    really: bool,
}

impl Counted {
    pub(crate) fn open(
        path: &Path,
        syncs: &Arc<AtomicU64>,
        really: bool,
    ) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Box::new(Self { file, syncs: Arc::clone(syncs), really }))
    }
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        if self.really { self.file.sync_data() } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
