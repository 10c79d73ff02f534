//! A real Redis server, or sentinel, of one's own: on a free loopback port, in a directory of its own, gone when its owner is.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use redis::aio::MultiplexedConnection;
use tapdesk_core::ports::Clock;
use tempfile::TempDir;

use crate::secret::Secret;

use super::super::{Durability, Redis, RedisConfig};

/// Its standard input is its owner: when that closes, however the owner ended, the server is killed.
const RUN: &str = r#"redis-server "$@" & read -r _; kill -9 $!; wait; [ -z "$REMOVE" ] || rm -rf "$REMOVE""#;
/// For whatever a server is to say it has done.
const LIMIT: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills it without a chance to save anything.
pub(crate) struct Server {
    port: u16,
    shell: Child,
    says: Mutex<Receiver<String>>,
}

impl Server {
    /// The server of this test process, for tests that leave it as they found it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::lasting(&["--appendfsync", "everysec"]))
    }

    /// A server in that directory, with further settings.
    pub(crate) fn in_dir(dir: &TempDir, settings: &[&str]) -> Self {
        Self::start(dir.path(), settings, None)
    }

    /// A server that takes its directory with it when this process ends.
    pub(crate) fn lasting(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        Self::start(&dir, settings, Some(&dir))
    }

    /// A sentinel with these lines in its configuration, once it has said that.
    pub(crate) fn sentinel(config: &str, ready: &str) -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        let file = dir.join("sentinel.conf");
        let start = || {
            std::fs::write(&file, config).unwrap();
            let args = [file.to_str().unwrap(), "--sentinel", "--dir", dir.to_str().unwrap()];
            Self::try_start(&args, ready, Some(&dir))
        };
        (0..10).find_map(|_| start()).expect("no port is free for a sentinel")
    }

    fn start(dir: &Path, settings: &[&str], remove: Option<&Path>) -> Self {
        let acl = include_str!("../../../../../deploy/redis.acl").replace("resetpass", ">pass");
        let acl = format!("{acl}user admin on >pass ~* &* +@all\n");
        let file = dir.join("users.acl");
        std::fs::write(&file, acl).unwrap();
        let mut args = vec!["--dir", dir.to_str().unwrap(), "--aclfile", file.to_str().unwrap()];
        args.extend(["--save", "", "--appendonly", "yes"]);
        args.extend(["--masteruser", "admin", "--masterauth", "pass"]);
        args.extend(settings);
        (0..10)
            .find_map(|_| Self::try_start(&args, "Ready to accept connections", remove))
            .expect("no port is free for redis-server")
    }

    fn try_start(args: &[&str], ready: &str, remove: Option<&Path>) -> Option<Self> {
        let port = free_port();
        let mut shell = Command::new("sh")
            .args(["-c", RUN, "redis"])
            .args(args)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .env("REMOVE", remove.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        let (say, says) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(say.send(line))));
        let server = Self { port, shell, says: Mutex::new(says) };
        server.has_said(&[ready, "Address already in use"]).contains(ready).then_some(server)
    }

    /// Waits until the server says one of these; returns the line.
    pub(crate) fn has_said(&self, words: &[&str]) -> String {
        let (says, until) = (self.says.lock().unwrap(), Instant::now() + LIMIT);
        let mut said = String::new();
        loop {
            let line = says.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("redis-server did not say {words:?}, but: {said}"));
            if words.iter().any(|word| line.contains(word)) {
                return line;
            }
            assert!(!line.contains("FATAL") && !line.contains("Aborting"), "redis-server: {said}{line}");
            said.push_str(&line);
            said.push('\n');
        }
    }

    /// The store on this server under a prefix that nobody else uses.
    pub(crate) fn store(&self) -> Redis {
        self.store_at(&fresh_prefix())
    }

    pub(crate) fn store_at(&self, prefix: &str) -> Redis {
        Redis::new(self.config(prefix)).unwrap()
    }

    pub(crate) fn config(&self, prefix: &str) -> RedisConfig {
        config(&self.url("tapdesk"), prefix)
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
        let limits = redis::AsyncConnectionConfig::new().set_response_timeout(Some(LIMIT));
        client.get_multiplexed_async_connection_with_config(&limits).await.unwrap()
    }

    /// Does one thing as the administrator, and does nothing else meanwhile.
    pub(crate) fn does_now(&self, command: &str) -> redis::Value {
        let mut connection = redis::Client::open(self.url("admin")).unwrap().get_connection().unwrap();
        words(command).query(&mut connection).unwrap()
    }

    /// Does one thing as the administrator.
    pub(crate) async fn does(&self, command: &str) -> redis::Value {
        words(command).query_async(&mut self.admin().await).await.unwrap()
    }

    /// Does one thing as the administrator as soon as it can be done: servers learn of each other once a second.
    pub(crate) async fn does_at_last(&self, command: &str) {
        let (mut admin, until) = (self.admin().await, Instant::now() + LIMIT);
        while let Err(error) = words(command).exec_async(&mut admin).await {
            assert!(Instant::now() < until, "{command}: {error}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn words(command: &str) -> redis::Cmd {
    let mut words = command.split(' ');
    let mut cmd = redis::cmd(words.next().unwrap());
    cmd.arg(words.collect::<Vec<_>>());
    cmd
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Another process's settings for a store at that url.
pub(crate) fn config(url: &str, prefix: &str) -> RedisConfig {
    static STORES: AtomicU32 = AtomicU32::new(0);
    RedisConfig {
        url: Secret::new(url.to_owned()),
        prefix: prefix.to_owned(),
        name: format!("test-{}", STORES.fetch_add(1, Ordering::Relaxed)),
        machine_clock: Arc::new(MachineClock { ahead: SignedDuration::ZERO }),
        required: Durability::EverySecond,
        connect: Duration::from_secs(2),
        respond: Duration::from_secs(5),
    }
}

/// The clock of a machine that is so far ahead of the others.
pub(crate) struct MachineClock {
    pub(crate) ahead: SignedDuration,
}

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "the time of a real server is compared with it")]
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }
}

pub(crate) fn fresh_prefix() -> String {
    static PREFIXES: AtomicU32 = AtomicU32::new(0);
    format!("tapdesk:{}", PREFIXES.fetch_add(1, Ordering::Relaxed))
}
