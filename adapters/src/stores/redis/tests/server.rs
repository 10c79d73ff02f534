//! A real Redis server of one's own: on a free loopback port, in a directory of its own, gone when its owner is.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::secret::Secret;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use super::super::{Durability, Redis, RedisConfig};

/// Its standard input is its owner: when that closes, however the owner ended, the server is killed.
const RUN: &str = r#"redis-server "$@" & read -r _; kill -9 $!; wait; [ -z "$REMOVE" ] || rm -rf "$REMOVE""#;

/// A running server. Dropping it kills it without a chance to save anything.
pub(crate) struct Server {
    port: u16,
    shell: Child,
}

impl Server {
    /// The server of this test process, for tests that leave it as they found it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap().keep();
            Self::start(&dir, &["--appendfsync", "everysec"], Some(&dir))
        })
    }

    /// A server in that directory, with further settings.
    pub(crate) fn in_dir(dir: &TempDir, settings: &[&str]) -> Self {
        Self::start(dir.path(), settings, None)
    }

    fn start(dir: &Path, settings: &[&str], remove: Option<&Path>) -> Self {
        let acl = include_str!("../../../../../deploy/redis.acl").replace("resetpass", ">pass");
        let acl = format!("{acl}user admin on >pass ~* &* +@all\n");
        std::fs::write(dir.join("users.acl"), acl).unwrap();
        (0..10)
            .find_map(|_| Self::try_start(dir, settings, remove))
            .expect("no port is free for redis-server")
    }

    fn try_start(dir: &Path, settings: &[&str], remove: Option<&Path>) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = dir.to_str().unwrap();
        let shell = Command::new("sh")
            .args(["-c", RUN, "redis", "--bind", "127.0.0.1", "--port", &port.to_string(), "--dir", dir])
            .args(["--save", "", "--appendonly", "yes", "--aclfile", &format!("{dir}/users.acl")])
            .args(settings)
            .env("REMOVE", remove.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self { port, shell };
        let mut lines = BufReader::new(server.shell.stdout.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = lines.next().and_then(Result::ok)?;
            if line.contains("Ready to accept connections") {
                break;
            }
            said.push_str(&line);
            if line.contains("Address already in use") {
                return None;
            }
            assert!(!line.contains("FATAL") && !line.contains("Aborting"), "redis-server: {said}");
        }
        std::thread::spawn(move || lines.for_each(drop));
        Some(server)
    }

    /// The store on this server under a prefix that nobody else uses.
    pub(crate) fn store(&self) -> Redis {
        self.store_at(&fresh_prefix())
    }

    pub(crate) fn store_at(&self, prefix: &str) -> Redis {
        Redis::new(self.config(prefix)).unwrap()
    }

    pub(crate) fn config(&self, prefix: &str) -> RedisConfig {
        static STORES: AtomicU32 = AtomicU32::new(0);
        RedisConfig {
            url: Secret::new(self.url("tapdesk")),
            prefix: prefix.to_owned(),
            name: format!("test-{}", STORES.fetch_add(1, Ordering::Relaxed)),
            required: Durability::EverySecond,
            connect: Duration::from_secs(2),
            respond: Duration::from_secs(5),
        }
    }

    pub(crate) fn url(&self, user: &str) -> String {
        format!("redis://{user}:pass@127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection that may do everything.
    pub(crate) async fn admin(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url("admin")).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Does one thing as the administrator.
    pub(crate) async fn does(&self, command: &str) -> redis::Value {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        cmd.arg(words.collect::<Vec<_>>());
        cmd.query_async(&mut self.admin().await).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

pub(crate) fn fresh_prefix() -> String {
    static PREFIXES: AtomicU32 = AtomicU32::new(0);
    format!("tapdesk:{}", PREFIXES.fetch_add(1, Ordering::Relaxed))
}
