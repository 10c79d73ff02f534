//! Does the store keep its word on a cluster of several nodes?

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tapdesk_core::ports::Store;

use super::server::{Server, config, free_port, fresh_prefix};
use super::{check_filled, crowd, fill, is_retry, threads};
use crate::stores::contract::crowd::adds_up;
use crate::stores::contract::samples::*;
use crate::stores::redis::{ConnectError, Durability, Redis, RedisConfig};

/// Three nodes with a third of the slots each.
fn start() -> [Server; 3] {
    let buses = [free_port(), free_port(), free_port()];
    let nodes =
        buses.map(|bus| Server::lasting(&["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]));
    for (node, slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        node.does_now(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
    }
    for (node, bus) in nodes.iter().zip(buses).skip(1) {
        nodes[0].does_now(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()));
    }
    for node in &nodes {
        node.has_said(&["Cluster state changed: ok"]);
    }
    nodes
}

/// The nodes of this test process, for tests that leave them as they found them.
fn nodes() -> &'static [Server; 3] {
    static NODES: OnceLock<[Server; 3]> = OnceLock::new();
    NODES.get_or_init(start)
}

/// The url names two of the nodes; the third is found.
fn url() -> String {
    url_of(nodes())
}

fn url_of([one, two, _]: &[Server; 3]) -> String {
    format!("redis+cluster://tapdesk:pass@127.0.0.1:{},127.0.0.1:{}", one.port(), two.port())
}

async fn clustered() -> Arc<dyn Store> {
    Arc::new(Redis::new(config(&url(), &fresh_prefix())).unwrap())
}

crate::store_contract!(clustered);

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_crowd_is_promised_adds_up(workers in crowd()) {
        threads().block_on(async { adds_up(clustered().await, workers).await });
    }
}

#[tokio::test]
async fn a_life_is_spread_over_the_nodes_and_leaves_no_key() {
    let prefix = fresh_prefix();
    let store = Redis::new(config(&url(), &prefix)).unwrap();
    fill(&store).await;
    check_filled(&store).await;
    let mut keys = Vec::new();
    for node in nodes() {
        let found = node.does(&format!("KEYS {prefix}:*")).await;
        keys.push(redis::from_redis_value::<Vec<String>>(found).unwrap().len());
    }
    assert!(keys.iter().all(|count| *count > 0), "{keys:?}");
}

#[tokio::test]
async fn a_new_task_rings_whichever_node_is_listened_to() {
    let prefix = fresh_prefix();
    let here = Redis::new(config(&url(), &prefix)).unwrap();
    let there = Arc::new(Redis::new(config(&url(), &prefix)).unwrap());
    // Each subscription takes the next of the url's nodes.
    for n in 0..2 {
        let (ring, mut rings) = tokio::sync::mpsc::unbounded_channel();
        let ear = Arc::clone(&there);
        let listening = tokio::spawn(async move { ear.listen(|| assert!(ring.send(()).is_ok())).await });
        rings.recv().await.unwrap();
        here.open(with_task(commit(received(n)), at(0)), NO_CAP, at(0)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), rings.recv()).await.unwrap().unwrap();
        listening.abort();
    }
}

#[tokio::test]
async fn nodes_that_forgot_scripts_and_connections_are_told_again() {
    let nodes = tokio::task::spawn_blocking(start).await.unwrap();
    let store = Redis::new(config(&url_of(&nodes), &fresh_prefix())).unwrap();
    fill(&store).await;
    for node in &nodes {
        node.does("SCRIPT FLUSH").await;
        node.does("CLIENT KILL TYPE normal").await;
    }
    // The first call after it may learn of the loss.
    let _ = store.next_due().await;
    check_filled(&store).await;
}

#[tokio::test]
async fn nodes_that_do_not_answer_are_tried_again() {
    let nodes = tokio::task::spawn_blocking(start).await.unwrap();
    let limit = Duration::from_millis(200);
    let config = config(&url_of(&nodes), &fresh_prefix());
    let store = Redis::new(RedisConfig { respond: limit, connect: limit, ..config }).unwrap();
    store.next_due().await.unwrap();
    for node in &nodes {
        node.does("CLIENT PAUSE 60000 ALL").await;
    }
    let asked = Instant::now();
    let refused = store.open(commit(received(1)), NO_CAP, at(0)).await;
    assert!(is_retry(&refused), "{refused:?}");
    assert!(asked.elapsed() < 10 * limit, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_server_of_a_cluster_that_is_named_alone_says_so() {
    let alone = Redis::new(nodes()[0].config(&fresh_prefix())).unwrap();
    let refused = alone.next_due().await;
    assert!(is_retry(&refused), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("redis+cluster://"));
}

/// The weakest node counts, whichever it is.
#[tokio::test]
async fn every_primary_is_looked_at() {
    let connect = async |required| {
        let config = RedisConfig { required, ..config(&url(), &fresh_prefix()) };
        Redis::connect(config).await.err()
    };
    assert!(connect(Durability::None).await.is_none());
    let refused = connect(Durability::EverySecond).await;
    assert!(matches!(refused, Some(ConnectError::TooWeak { .. })), "{refused:?}");
    for node in nodes() {
        // With all the memory there is, that harms no other test.
        node.does("CONFIG SET maxmemory-policy allkeys-lru").await;
        let refused = connect(Durability::None).await;
        node.does("CONFIG SET maxmemory-policy noeviction").await;
        assert!(matches!(refused, Some(ConnectError::Evicts { .. })), "{refused:?}");
    }
}
