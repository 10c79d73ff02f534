//! Do replicas whose clocks differ agree about what is due, leased and used up?

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tapdesk_core::ids::Version;
use tapdesk_core::ports::{Opened, PIN_TRIES, RequesterCap, Store, Try};

use super::server::{MachineClock, Server, fresh_prefix};
use crate::stores::contract::samples::*;
use crate::stores::redis::{Redis, RedisConfig};

const MINUTE: Duration = Duration::from_mins(1);

/// A store and the time that its machine tells.
struct Replica {
    store: Redis,
    ahead: SignedDuration,
}

impl Replica {
    fn now(&self) -> Timestamp {
        self.store.machine.now()
    }
}

/// Three replicas of one store: one whose clock is right, one five minutes fast, one five minutes slow.
fn replicas() -> [Replica; 3] {
    let prefix = fresh_prefix();
    [0, 5, -5].map(|minutes| {
        let ahead = SignedDuration::from_mins(minutes);
        let machine_clock = Arc::new(MachineClock { ahead });
        let config = RedisConfig { machine_clock, ..Server::shared().config(&prefix) };
        Replica { store: Redis::new(config).unwrap(), ahead }
    })
}

#[tokio::test]
async fn a_task_that_one_replica_leased_is_not_due_for_a_faster_one() {
    let [right, fast, slow] = replicas();
    right.store.open(with_task(commit(received(1)), right.now()), NO_CAP, right.now()).await.unwrap();
    let leased = right.store.due(right.now(), &worker("right"), MINUTE, 9).await.unwrap();
    assert_eq!(leased.len(), 1);
    for other in [fast, slow] {
        assert_eq!(other.store.due(other.now(), &worker("other"), MINUTE, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_lease_ends_at_the_same_moment_for_everybody() {
    let replicas = replicas();
    let opening = with_task(commit(received(1)), replicas[1].now());
    replicas[1].store.open(opening, NO_CAP, replicas[1].now()).await.unwrap();
    let leased = replicas[2].store.due(replicas[2].now(), &worker("slow"), MINUTE, 9).await.unwrap();
    assert_eq!(leased.len(), 1, "a task that is due for the fast one is due for the slow one");
    for one in replicas {
        let wait = one.store.next_due().await.unwrap().unwrap().duration_since(one.now());
        let off = (SignedDuration::from_mins(1) - wait).abs();
        assert!(off < SignedDuration::from_secs(5), "{:?} ahead: {wait:?}", one.ahead);
    }
}

#[tokio::test]
async fn what_is_given_back_or_stored_for_later_is_due_after_that_long() {
    let [right, fast, slow] = replicas();
    let later = |one: &Replica| one.now() + MINUTE;
    fast.store.open(with_task(commit(received(1)), fast.now()), NO_CAP, fast.now()).await.unwrap();
    slow.store.open(with_task(commit(received(2)), later(&slow)), NO_CAP, slow.now()).await.unwrap();
    let leased = right.store.due(right.now(), &worker("right"), MINUTE, 9).await.unwrap();
    assert_eq!(leased.iter().map(|one| one.key.request.clone()).collect::<Vec<_>>(), [id(1)]);
    assert!((leased[0].due.duration_since(right.now())).abs() < SignedDuration::from_secs(5), "{leased:?}");
    fast.store.again(&leased[0], later(&fast)).await.unwrap();
    for one in [&right, &fast, &slow] {
        assert_eq!(one.store.due(one.now(), &worker("any"), MINUTE, 9).await.unwrap(), []);
    }
    // Somebody turns the caller's clock, as stories do, and leaves the machine's alone.
    let leased = right.store.due(right.now() + 2 * MINUTE, &worker("right"), MINUTE, 9).await.unwrap();
    assert_eq!(leased.len(), 2);
}

#[tokio::test]
async fn tries_that_are_still_being_checked_are_not_used_up_for_a_faster_one() {
    let [right, fast, slow] = replicas();
    right.store.open(commit(received(1)), NO_CAP, right.now()).await.unwrap();
    let ticket = commit(claimable(1, 11, 1, right.now()));
    right.store.commit(Version::FIRST, ticket).await.unwrap();
    for _ in 0..PIN_TRIES {
        assert_eq!(slow.store.try_pin(&code(1), slow.now()).await.unwrap(), Try::Counted(id(1)));
    }
    assert_eq!(fast.store.try_pin(&code(1), fast.now()).await.unwrap(), Try::Busy(id(1)));
}

#[tokio::test]
async fn the_window_of_the_cap_is_the_same_for_everybody() {
    let [right, fast, slow] = replicas();
    let cap = RequesterCap { most: 1, window: MINUTE };
    assert_eq!(slow.store.open(commit(received(1)), cap, slow.now()).await.unwrap(), Opened::New);
    for (n, one) in [(2, right), (3, fast)] {
        assert_eq!(one.store.open(commit(received(n)), cap, one.now()).await.unwrap(), Opened::TooMany);
    }
}
