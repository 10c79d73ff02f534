//! Does the store follow the primary that a sentinel names?

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tapdesk_core::ports::Store;

use super::server::{Server, config, fresh_prefix};
use super::{check_filled, fill, is_retry};
use crate::stores::contract::samples::*;
use crate::stores::redis::{ConnectError, Durability, Redis, RedisConfig};

const CREDENTIALS: &str = "sentinel_username=watcher&sentinel_password=watch";

/// A primary and its replica, which keeps some seconds behind at most, and their sentinel.
struct Watched {
    primary: Server,
    replica: Server,
    sentinel: Server,
}

impl Watched {
    fn start() -> Self {
        let lag = ["--min-replicas-max-lag", "10", "--repl-diskless-sync-delay", "0"];
        let primary = Server::lasting(&lag);
        let of = primary.port().to_string();
        let replica = Server::lasting(&[&lag[..], &["--replicaof", "127.0.0.1", &of]].concat());
        replica.has_said(&["MASTER <-> REPLICA sync: Finished with success"]);
        let lines = format!(
            "sentinel monitor primary 127.0.0.1 {of} 1\n\
             sentinel auth-user primary admin\n\
             sentinel auth-pass primary pass\n\
             sentinel down-after-milliseconds primary 60000\n\
             sentinel failover-timeout primary 5000\n\
             user watcher on >watch -@all +auth +hello +ping +role +sentinel|masters\n\
             user admin on >pass &* +@all\n\
             user default off\n"
        );
        let sentinel = Server::sentinel(&lines, "+slave slave");
        Self { primary, replica, sentinel }
    }

    /// The url names a sentinel that is not there, too.
    fn url(&self) -> String {
        format!("redis+sentinel://tapdesk:pass@127.0.0.1:{}/primary/0?{CREDENTIALS}", self.sentinel.port())
    }

    /// The replica has whatever was written by now.
    async fn replicate(&self) {
        let mut admin = self.primary.admin().await;
        let written: () = redis::cmd("SET").arg("marker").arg("1").query_async(&mut admin).await.unwrap();
        let replicas: u32 = redis::cmd("WAIT").arg(1).arg(5000).query_async(&mut admin).await.unwrap();
        assert_eq!((written, replicas), ((), 1));
    }

    /// Kills the primary; returns the replica once it was promoted.
    fn fail_over(self) -> (Server, Server) {
        let is_down_after = |millis| {
            self.sentinel.does_now(&format!("SENTINEL SET primary down-after-milliseconds {millis}"));
        };
        is_down_after(200);
        drop(self.primary);
        self.sentinel.has_said(&["+switch-master"]);
        is_down_after(60_000);
        (self.replica, self.sentinel)
    }
}

/// A store after a fail-over that happened once for all tests.
async fn failed_over() -> Arc<dyn Store> {
    static URL: OnceLock<(String, Server, Server)> = OnceLock::new();
    let (url, ..) = URL.get_or_init(|| {
        let watched = Watched::start();
        let url = watched.url();
        let (promoted, sentinel) = watched.fail_over();
        (url, promoted, sentinel)
    });
    Arc::new(Redis::new(config(url, &fresh_prefix())).unwrap())
}

crate::store_contract!(failed_over);

#[tokio::test]
async fn a_store_goes_on_where_the_primary_failed_over_to() {
    let watched = tokio::task::spawn_blocking(Watched::start).await.unwrap();
    let (url, prefix) = (watched.url(), fresh_prefix());
    let store = Arc::new(Redis::new(config(&url, &prefix)).unwrap());
    fill(&store).await;
    let (ring, mut rings) = tokio::sync::mpsc::unbounded_channel();
    let there = Arc::clone(&store);
    let listening = tokio::spawn(async move { there.listen(|| assert!(ring.send(()).is_ok())).await });
    rings.recv().await.unwrap();
    watched.replicate().await;

    let (_promoted, _sentinel) = tokio::task::spawn_blocking(|| watched.fail_over()).await.unwrap();
    // The first call after it may learn of the loss.
    let _ = store.next_due().await;
    check_filled(&store).await;
    // A subscription begins with a ring, and so does a new one.
    rings.recv().await.unwrap();
    while rings.try_recv().is_ok() {}
    store.open(with_task(commit(received(3)), at(0)), NO_CAP, at(0)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), rings.recv()).await.unwrap().unwrap();
    listening.abort();
}

#[tokio::test]
async fn a_primary_that_was_demoted_is_left_for_the_new_one() {
    let watched = tokio::task::spawn_blocking(Watched::start).await.unwrap();
    let store = Redis::new(config(&watched.url(), &fresh_prefix())).unwrap();
    fill(&store).await;
    watched.replicate().await;
    watched.sentinel.does_at_last("SENTINEL FAILOVER primary").await;
    let watched = tokio::task::spawn_blocking(move || {
        watched.sentinel.has_said(&["+switch-master"]);
        watched
    });
    let watched = watched.await.unwrap();
    // So does the sentinel, some seconds later.
    watched.primary.does(&format!("REPLICAOF 127.0.0.1 {}", watched.replica.port())).await;
    let refused = store.set_lockdown(Some(at(3))).await;
    assert!(is_retry(&refused), "{refused:?}");
    check_filled(&store).await;
}

#[tokio::test]
async fn what_a_fail_over_can_lose_is_said_and_measured_against_what_is_required() {
    let watched = tokio::task::spawn_blocking(Watched::start).await.unwrap();
    let connect = async |required| {
        let config = RedisConfig { required, ..config(&watched.url(), &fresh_prefix()) };
        Redis::connect(config).await.err().map(|error| error.to_string()).unwrap_or_default()
    };
    watched.primary.does("CONFIG SET appendfsync always").await;
    insta::assert_snapshot!(connect(Durability::EverySecond).await, @r#"required_durability is "everysec", and a crash of this Redis can lose all that its replicas lagged behind when one of them took over, however much that is: set min-replicas-to-write 1 or more, and min-replicas-max-lag"#);
    assert_eq!(connect(Durability::None).await, "");
    watched.primary.does("CONFIG SET min-replicas-to-write 1").await;
    watched.primary.does_at_last("SET marker 1").await;
    assert_eq!(connect(Durability::EverySecond).await, "");
    insta::assert_snapshot!(connect(Durability::Always).await, @r#"required_durability is "always", and a crash of this Redis can lose the last 10 seconds, when a replica takes over before it has them: only a single server leaves "always", since replication is asynchronous"#);
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_said() {
    let watched = tokio::task::spawn_blocking(Watched::start).await.unwrap();
    let url = watched.url().replace("/primary/", "/another/");
    let refused = Redis::connect(config(&url, &fresh_prefix())).await.err().unwrap();
    let ConnectError::Failed(error) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("no sentinel"), "{error}");
}
