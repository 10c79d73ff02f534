//! Which requests fill a store?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use tapdesk_core::ids::{ChatName, ChatUser, DeliveryId, LedgerName, RequestId, Version};
use tapdesk_core::inbound::Ask;
use tapdesk_core::ledger::Head;
use tapdesk_core::people::Naming;
use tapdesk_core::ports::{Commit, Opened, RequesterCap, Store};
use tapdesk_core::request::{Asker, Change, Event, Reason, Request};

/// Lets many requests live, from their first message to their end, so many at a time.
pub(crate) async fn live(
    store: &dyn Store,
    numbers: std::ops::Range<u32>,
    at_once: usize,
) -> anyhow::Result<()> {
    futures::stream::iter(numbers)
        .map(|n| live_once(store, n))
        .buffer_unordered(at_once)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// One request is opened, loaded, and closed because no rule matches.
async fn live_once(store: &dyn Store, n: u32) -> anyhow::Result<()> {
    let now = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(1_800_000_000 + u64::from(n)))?;
    let account =
        ChatUser { chat: ChatName::from("slack"), workspace: "T1".to_owned(), id: format!("U{}", n / 10) };
    let id: RequestId = format!("req_{n:026}").parse()?;
    let subject = Naming::Address(format!("person{n}@example.com"));
    let ask = Ask::new(subject, "lost the phone on a train".to_owned());
    let opening = Request::open(id.clone(), Asker::Account(account), ask, now);
    let cap = RequesterCap { most: 20, window: Duration::from_hours(1) };
    let delivery = Some(DeliveryId(format!("delivery {n}")));
    let opened = store.open(commit(n, opening, delivery), cap, now).await?;
    ensure!(opened == Opened::New, "request {n} is {opened:?}");
    let stored = store.load(&id).await?.context("a request is gone")?;
    let closing = stored.request.apply(Event::FactsForbid(Reason::NoRule), now, stored.version.next())?;
    let version = store.commit(stored.version, commit(n, closing, None)).await?;
    ensure!(version == Version::FIRST.next(), "request {n} was changed by somebody else");
    Ok(())
}

fn commit(n: u32, change: Change, delivery: Option<DeliveryId>) -> Commit {
    Commit {
        request: change.next,
        tasks: change.tasks,
        head: Head { ledger: LedgerName::default(), seq: u64::from(n) + 1, hash: "0".repeat(64) },
        delivery,
        fresh_tries: false,
    }
}
