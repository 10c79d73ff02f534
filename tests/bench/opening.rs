//! How long does the embedded store take to open with many closed requests in it?
//!
//! `cargo run --release -p tapdesk-tests --example opening -- 100000`

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use tapdesk_adapters::stores::embedded::Embedded;
use tapdesk_core::ids::{ChatName, ChatUser, DeliveryId, LedgerName, RequestId, Version};
use tapdesk_core::ledger::Head;
use tapdesk_core::people::Naming;
use tapdesk_core::ports::{Commit, RequesterCap, Store};
use tapdesk_core::request::{Event, Reason, Request};

/// Writers at a time, so that many share one sync.
const AT_ONCE: usize = 256;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]
async fn main() -> anyhow::Result<()> {
    let count: u32 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let files = tempfile::tempdir()?;
    let path = files.path().join("tapdesk.db");
    let begun = Instant::now();
    let store = Arc::new(Embedded::open(&path)?);
    futures::stream::iter(0..count)
        .map(|n| close(Arc::clone(&store), n))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    drop(Arc::into_inner(store).context("somebody still holds the store")?);
    let bytes = std::fs::metadata(&path)?.len();
    println!("{count} closed requests, {} MiB, written in {:.1?}", bytes >> 20, begun.elapsed());
    for _ in 0..3 {
        let begun = Instant::now();
        let store = Embedded::open(&path)?;
        let next = store.next_due().await?;
        let opened = begun.elapsed();
        ensure!(next.is_some(), "the tasks are gone");
        println!("opened and asked for work in {opened:.1?}");
    }
    Ok(())
}

/// One request from its first message to its end.
async fn close(store: Arc<Embedded>, n: u32) -> anyhow::Result<()> {
    let now = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(1_800_000_000 + u64::from(n)))?;
    let requester =
        ChatUser { chat: ChatName::from("slack"), workspace: "T1".to_owned(), id: format!("U{}", n % 50) };
    let id: RequestId = format!("req_{n:026}").parse()?;
    let subject = Naming::Address(format!("person{n}@example.com"));
    let change = Request::open(id, requester, subject, "lost the phone on a train".to_owned(), now);
    let commit = |change: tapdesk_core::request::Change, delivery| Commit {
        request: change.next,
        tasks: change.tasks,
        head: Head { ledger: LedgerName::default(), seq: u64::from(n) + 1, hash: "0".repeat(64) },
        delivery,
        fresh_tries: false,
    };
    let received = change.next.clone();
    let delivery = DeliveryId(format!("delivery {n}"));
    let cap = RequesterCap { most: u32::MAX, window: Duration::from_hours(1) };
    store.open(commit(change, Some(delivery)), cap, now).await?;
    let closed = received.apply(Event::FactsForbid(Reason::NoRule), now, Version::FIRST.next())?;
    store.commit(Version::FIRST, commit(closed, None)).await?;
    Ok(())
}
