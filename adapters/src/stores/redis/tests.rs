//! Does the store keep its word on a real server, whatever happens to that server?

mod clock;
mod cluster;
mod sentinel;
mod server;
mod startup;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tapdesk_core::ids::{LedgerName, Version};
use tapdesk_core::ports::{Commit, CommitError, Opened, PortError, RequesterCap, Store, Try};
use tapdesk_core::request::Whom;

use self::server::{Server, fresh_prefix};
use super::keys::{self, Place, Shard};
use super::{ConnectError, Redis, RedisConfig, scripts};
use crate::stores::contract::crowd::adds_up;
use crate::stores::contract::model::{Step, agree};
use crate::stores::contract::samples::*;

async fn fresh() -> Arc<dyn Store> {
    Arc::new(Server::shared().store())
}

crate::store_contract!(fresh);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_the_model_does(steps in prop::collection::vec(any::<[u8; 4]>().prop_map(Step), 1..60)) {
        runtime().block_on(async { agree(fresh().await, &steps).await });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_crowd_is_promised_adds_up(workers in crowd()) {
        threads().block_on(async { adds_up(fresh().await, workers).await });
    }
}

/// What some workers do, each for itself.
fn crowd() -> impl Strategy<Value = Vec<Vec<Step>>> {
    prop::collection::vec(prop::collection::vec(any::<[u8; 4]>().prop_map(Step), 1..40), 2..6)
}

fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A store on a server of its own.
fn alone(settings: &[&str]) -> (tempfile::TempDir, Server, Redis) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::in_dir(&dir, settings);
    let store = server.store();
    (dir, server, store)
}

fn is_retry<T: std::fmt::Debug>(answer: &Result<T, PortError>) -> bool {
    matches!(answer, Err(PortError::Retry { .. }))
}

/// Request 1 with everything that can find it and a task.
async fn fill(store: &Redis) {
    let opening = with_task(by_delivery(commit(received(1)), 1), at(9));
    store.open(opening, NO_CAP, at(0)).await.unwrap();
    let change = Commit { head: head(4), ..by_delivery(commit(noticed(1, 10, 5, 6)), 2) };
    store.commit(Version::FIRST, change).await.unwrap();
    store.set_lockdown(Some(at(3))).await.unwrap();
}

async fn check_filled(store: &Redis) {
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().request, noticed(1, 10, 5, 6));
    assert_eq!(store.find_code(&code(5)).await.unwrap(), Some(id(1)));
    assert_eq!(store.open_requests(&Whom::Subject(person(10))).await.unwrap(), [id(1)]);
    assert_eq!(store.next_due().await.unwrap(), Some(at(9)));
    assert_eq!(store.anchor(&LedgerName::default()).await.unwrap(), head(4));
    assert_eq!(store.lockdown().await.unwrap(), Some(at(3)));
    let again = store.open(by_delivery(commit(received(2)), 1), NO_CAP, at(0)).await.unwrap();
    assert_eq!(again, Opened::Seen(id(1)));
}

#[tokio::test]
async fn of_many_requests_for_one_subject_one_is_bound() {
    let store = Arc::new(Server::shared().store());
    for n in 0..12 {
        store.open(commit(received(n)), NO_CAP, at(0)).await.unwrap();
    }
    let racers = (0..12).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(Version::FIRST, commit(awaiting(n, 10, 2))).await })
    });
    let mut winners = Vec::new();
    let mut told = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(_) => winners.push(()),
            Err(CommitError::SubjectBusy(first)) => told.push(first),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let open = store.open_requests(&Whom::Subject(person(10))).await.unwrap();
    assert_eq!(open.len(), 1);
    assert!(told.len() == 11 && told.iter().all(|first| *first == open[0]), "{told:?}");
}

#[tokio::test]
async fn of_many_repeats_of_a_delivery_one_opens() {
    let store = Arc::new(Server::shared().store());
    let racers = (0..12).map(|n| {
        let store = Arc::clone(&store);
        let opening = by_delivery(commit(received(n)), 1);
        tokio::spawn(async move { store.open(opening, NO_CAP, at(0)).await.unwrap() })
    });
    let mut opened = 0;
    for racer in racers.collect::<Vec<_>>() {
        opened += u32::from(racer.await.unwrap() == Opened::New);
    }
    assert_eq!(opened, 1);
    assert_eq!(store.open_requests(&Whom::Requester(account(1))).await.unwrap().len(), 1);
}

/// A process that died between its pointers and its commit holds nobody up for longer than the patience.
#[tokio::test]
async fn what_a_crash_left_of_a_commit_is_taken_over_and_cleaned_up() {
    let prefix = fresh_prefix();
    let mut store = Server::shared().store_at(&prefix);
    store.open(commit(received(1)), NO_CAP, at(0)).await.unwrap();
    store.open(commit(received(2)), NO_CAP, at(0)).await.unwrap();
    let lost =
        store.change(&by_delivery(commit(claimable(1, 10, 5, at(0))), 7), Version::FIRST).await.unwrap();
    store.crash_before_commit(&lost).await;
    assert_eq!(store.find_code(&code(5)).await.unwrap(), None);
    assert_eq!(store.open_requests(&Whom::Subject(person(10))).await.unwrap(), []);

    let waits = store.commit(Version::FIRST, by_delivery(commit(awaiting(2, 10, 2)), 7)).await;
    assert!(matches!(waits, Err(CommitError::Port(PortError::Retry { .. }))), "{waits:?}");

    store.patience = Duration::ZERO;
    store.commit(Version::FIRST, by_delivery(commit(awaiting(2, 10, 2)), 7)).await.unwrap();
    store.commit(Version::FIRST, commit(closed(&received(1), at(1)))).await.unwrap();
    store.commit(Version(2), commit(closed(&received(2), at(1)))).await.unwrap();
    // Litter is stale only once the second has passed in which it was made.
    while !keys_left(&prefix).await.is_empty() {
        store.forget(at(9)).await.unwrap();
    }
}

/// Whoever was given up cannot commit any more, however late it comes back.
#[tokio::test]
async fn a_commit_that_was_given_up_never_happens() {
    let mut store = Server::shared().store();
    store.open(commit(received(1)), NO_CAP, at(0)).await.unwrap();
    store.open(commit(received(2)), NO_CAP, at(0)).await.unwrap();
    let slow = store.change(&commit(awaiting(1, 10, 2)), Version::FIRST).await.unwrap();
    let plan = store.crash_before_commit(&slow).await;
    store.patience = Duration::ZERO;
    store.commit(Version::FIRST, commit(awaiting(2, 10, 2))).await.unwrap();
    assert!(!store.commit_planned(&slow, &plan).await);
    // Nor does it take away what is another's by now.
    assert!(store.give_up(&slow).await);
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().version, Version::FIRST);
    assert_eq!(store.open_requests(&Whom::Subject(person(10))).await.unwrap(), [id(2)]);
}

/// The server was too slow: what it was sent it carries out when nobody waits for it any more.
#[tokio::test]
async fn pointers_that_arrive_after_their_write_was_given_up_hold_nobody_up() {
    let (_dir, server, _) = alone(&[]);
    let limit = Duration::from_millis(300);
    let mut store = Redis::new(RedisConfig { respond: limit, ..server.config(&fresh_prefix()) }).unwrap();
    store.open(commit(received(9)), NO_CAP, at(0)).await.unwrap();
    server.does("CLIENT PAUSE 60000 WRITE").await;
    let refused = store.open(by_delivery(commit(received(1)), 1), NO_CAP, at(0)).await;
    assert!(is_retry(&refused), "{refused:?}");
    server.does("CLIENT UNPAUSE").await;
    store.patience = Duration::ZERO;
    let again = store.open(by_delivery(commit(received(2)), 1), NO_CAP, at(0)).await.unwrap();
    assert_eq!(again, Opened::New);
    assert_eq!(store.load(&id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_write_that_is_asked_twice_happens_once() {
    let store = Server::shared().store();
    store.open(commit(received(1)), NO_CAP, at(0)).await.unwrap();
    let change = with_task(commit(received(1)), at(0));
    let mut write = store.change(&change, Version::FIRST).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.write(&mut write).await.unwrap(), super::write::Outcome::Done);
    }
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().version, Version(2));
}

/// After a whole life nothing is left but one row of counters per shard and the layout's version.
#[tokio::test]
async fn a_forgotten_request_leaves_no_key() {
    let prefix = fresh_prefix();
    let store = Server::shared().store_at(&prefix);
    fill(&store).await;
    store.set_lockdown(None).await.unwrap();
    store.open(by_delivery(commit(received(2)), 1), NO_CAP, at(0)).await.unwrap();
    store.open(by_delivery(commit(received(3)), 3), NO_CAP, at(0)).await.unwrap();
    // The pointers of these were sent ahead of a refusal.
    let repeated = store.open(by_delivery(commit(received(3)), 3), NO_CAP, at(0)).await.unwrap();
    assert_eq!(repeated, Opened::Seen(id(3)));
    let taken = store.open(by_delivery(commit(received(3)), 5), NO_CAP, at(0)).await;
    assert!(matches!(taken, Err(PortError::Fatal { .. })), "{taken:?}");
    let cap = RequesterCap { most: 2, ..NO_CAP };
    let refused = store.open(by_delivery(commit(received(4)), 6), cap, at(0)).await.unwrap();
    assert_eq!(refused, Opened::TooMany);
    let busy = store.commit(Version::FIRST, by_delivery(commit(awaiting(3, 10, 2)), 4)).await;
    assert!(matches!(busy, Err(CommitError::SubjectBusy(_))), "{busy:?}");
    store.commit(Version(1), commit(closed(&received(3), at(1)))).await.unwrap();
    for _ in 0..6 {
        assert!(matches!(store.try_pin(&code(5), at(1)).await.unwrap(), Try::Counted(_) | Try::Busy(_)));
    }
    store.commit(Version(2), commit(claimable(1, 10, 6, at(1)))).await.unwrap();
    let end = with_task(commit(closed(&claimable(1, 10, 6, at(1)), at(2))), at(2));
    store.commit(Version(3), end).await.unwrap();
    for leased in store.due(at(9), &worker("a"), Duration::from_secs(9), 9).await.unwrap() {
        store.again(&leased, at(10)).await.unwrap();
    }
    for leased in store.due(at(19), &worker("a"), Duration::from_secs(9), 9).await.unwrap() {
        store.done(&leased).await.unwrap();
    }
    assert_eq!(store.forget(at(9)).await.unwrap(), 2);
    assert_eq!(keys_left(&prefix).await, Vec::<String>::new());
}

/// Keys that no shard owns.
async fn keys_left(prefix: &str) -> Vec<String> {
    let mut admin = Server::shared().admin().await;
    let found: Vec<String> =
        redis::cmd("KEYS").arg(format!("{prefix}:*")).query_async(&mut admin).await.unwrap();
    found.into_iter().filter(|key| !key.ends_with(":meta") && !key.ends_with(":schema")).collect()
}

/// Neither `KEYS` nor `SCAN`, and nothing that reads and deletes at once, or in two steps outside of a script.
#[tokio::test]
async fn the_access_list_allows_what_the_store_does_and_no_more() {
    let by_program = "auth hello ping info config|get acl|dryrun role cluster|slots script|load evalsha time publish \
                      subscribe get set del hget hmget zadd zrange zrangebylex";
    let sources = scripts::sources().concat();
    let by_script = sources.split("redis.call('").skip(1).filter_map(|rest| rest.split_once('\''));
    let by_script = by_script.map(|(command, _)| command.to_lowercase());
    let used: BTreeSet<_> = by_program.split_whitespace().map(str::to_owned).chain(by_script).collect();
    let rules = include_str!("../../../../deploy/redis.acl").lines().nth(1).unwrap();
    let allowed = rules.split_whitespace().filter_map(|rule| rule.strip_prefix('+')).map(str::to_owned);
    assert_eq!(allowed.collect::<BTreeSet<_>>(), used);
    for denied in ["KEYS *", "SCAN 0", "GETDEL a", "RENAME a b", "FLUSHALL", "EVAL x 0", "CONFIG SET a b"] {
        let answer = Server::shared().does(&format!("ACL DRYRUN tapdesk {denied}")).await;
        assert_ne!(answer, redis::Value::Okay, "{denied}");
    }
}

#[tokio::test]
async fn nothing_is_stored_that_opens_anything_by_itself() {
    let shards: BTreeSet<_> = (0..1000).map(|n| Shard::of(id(n).as_str())).collect();
    assert_eq!(shards.len(), usize::from(keys::SHARDS));
    assert!(!Place::code(&code(5)).name().contains(&code(5).0));
}

#[tokio::test]
async fn a_flushed_script_cache_is_filled_again() {
    let (_dir, server, store) = alone(&[]);
    store.open(commit(received(1)), NO_CAP, at(0)).await.unwrap();
    server.does("SCRIPT FLUSH").await;
    store.commit(Version::FIRST, commit(claimable(1, 10, 5, at(0)))).await.unwrap();
    server.does("SCRIPT FLUSH").await;
    assert_eq!(store.try_pin(&code(5), at(0)).await.unwrap(), Try::Counted(id(1)));
}

#[tokio::test]
async fn a_server_out_of_memory_is_tried_again_and_can_still_be_emptied() {
    let (_dir, server, store) = alone(&[]);
    fill(&store).await;
    server.does("CONFIG SET maxmemory 1").await;
    let refused = store.open(commit(received(3)), NO_CAP, at(0)).await;
    assert!(is_retry(&refused), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("maxmemory"));
    assert!(is_retry(&store.try_pin(&code(5), at(0)).await), "a try that cannot be counted is no try");
    server.does("CONFIG SET maxmemory 0").await;
    check_filled(&store).await;
    assert_eq!(store.load(&id(3)).await.unwrap(), None);
    store.open(commit(received(3)), NO_CAP, at(0)).await.unwrap();
}

#[tokio::test]
async fn a_replica_is_tried_again_until_it_is_the_primary() {
    let (_dir, server, store) = alone(&[]);
    store.open(commit(received(1)), NO_CAP, at(0)).await.unwrap();
    // A replica of a server that is not there keeps its data and accepts no writes.
    server.does("REPLICAOF 127.0.0.1 1").await;
    let refused = store.open(commit(received(2)), NO_CAP, at(0)).await;
    assert!(is_retry(&refused), "{refused:?}");
    assert!(matches!(store.check().await, Err(ConnectError::Replica)));
    server.does("REPLICAOF NO ONE").await;
    store.open(commit(received(2)), NO_CAP, at(0)).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_comes_back_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = fresh_prefix();
    let settings = ["--appendfsync", "always"];
    let server = Server::in_dir(&dir, &settings);
    fill(&server.store_at(&prefix)).await;
    drop(server);
    let server = Server::in_dir(&dir, &settings);
    check_filled(&server.store_at(&prefix)).await;
}

#[tokio::test]
async fn a_store_reconnects_by_itself() {
    let (_dir, server, store) = alone(&[]);
    fill(&store).await;
    server.does("CLIENT KILL TYPE normal").await;
    // The first call after it may learn of the loss.
    let _ = store.next_due().await;
    check_filled(&store).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_tried_again() {
    let (_dir, server, store) = alone(&[]);
    fill(&store).await;
    let limit = Duration::from_millis(200);
    let hurried = Redis::new(RedisConfig { respond: limit, ..server.config(&fresh_prefix()) }).unwrap();
    hurried.next_due().await.unwrap();
    server.does("CLIENT PAUSE 60000 ALL").await;
    let asked = Instant::now();
    let refused = hurried.open(commit(received(1)), NO_CAP, at(0)).await;
    assert!(is_retry(&refused), "{refused:?}");
    assert!(asked.elapsed() < 10 * limit, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let (_dir, server, store) = alone(&[]);
    store.next_due().await.unwrap();
    drop(server);
    let refused = store.load(&id(1)).await;
    assert!(is_retry(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_new_task_rings_in_another_process() {
    let prefix = fresh_prefix();
    let (here, there) = (Server::shared().store_at(&prefix), Arc::new(Server::shared().store_at(&prefix)));
    let (ring, mut rings) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(async move { there.listen(|| assert!(ring.send(()).is_ok())).await });
    rings.recv().await.unwrap();
    let stored = Instant::now();
    here.open(with_task(commit(received(1)), at(0)), NO_CAP, at(0)).await.unwrap();
    rings.recv().await.unwrap();
    assert!(stored.elapsed() < Duration::from_secs(1), "{:?}", stored.elapsed());
    listening.abort();
}
