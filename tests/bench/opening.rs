//! How long does the embedded store take to open with many closed requests in it?

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;
use tapdesk_adapters::stores::embedded::Embedded;
use tapdesk_core::ports::Store as _;

use crate::figures::{median, millis};

const ROUNDS: u32 = 5;

/// Opens the store files, each with so many requests, and returns the table.
pub(crate) async fn measure(files: &[(u32, PathBuf)]) -> anyhow::Result<String> {
    let mut text = "| stored requests | file MiB | open and ask for work, ms |\n|--:|--:|--:|\n".to_owned();
    for (requests, path) in files {
        let bytes = std::fs::metadata(path)?.len();
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let store = Embedded::open(path)?;
            let next = store.next_due().await?;
            times.push(millis(begun.elapsed()));
            ensure!(next.is_some(), "the tasks are gone");
        }
        writeln!(text, "| {requests} | {} | {:.1} |", bytes >> 20, median(times.into_iter()))?;
    }
    Ok(text)
}
