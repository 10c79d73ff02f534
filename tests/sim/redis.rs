//! A real Redis server of the story's own: on a free loopback port, gone when the story is.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Says its number, and lives as long as its owner: when standard input closes, however the owner ended, it is killed.
const RUN: &str = r#"redis-server "$@" & echo "number $!"; read -r _; kill -9 $!; wait"#;
/// How a server is set up that loses nothing.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
/// Its password, for tapdesk and for the administrator.
pub const PASSWORD: &str = "redis-password-of-tapdesk";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub struct Redis {
    dir: PathBuf,
    port: u16,
    number: Pid,
    guard: Child,
}

impl Redis {
    /// A server that keeps its files in that directory, with settings as on its command line.
    pub async fn start(dir: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let users =
            include_str!("../../deploy/redis.acl").replace("on resetpass", &format!("on >{PASSWORD}"));
        ensure!(users.contains(PASSWORD), "deploy/redis.acl has no place for the password");
        std::fs::write(dir.join("users.acl"), format!("{users}user admin on >{PASSWORD} ~* &* +@all\n"))?;
        for _ in 0..10 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            if let Some((number, guard)) = run(dir, port, settings).await? {
                return Ok(Self { dir: dir.to_owned(), port, number, guard });
            }
        }
        bail!("no port is free for redis-server")
    }

    /// As tapdesk's configuration names it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("tapdesk")
    }

    /// As whoever may do everything names it.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.url_of("admin")
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.number.as_raw_nonzero().get().unsigned_abs()
    }

    fn url_of(&self, user: &str) -> String {
        format!("redis://{user}:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Pulls the plug: nothing is saved that was not saved yet.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        drop(self.guard.stdin.take());
        timeout(PATIENCE, self.guard.wait()).await.context("redis-server does not die")??;
        Ok(())
    }

    /// Starts it again after [`Redis::kill`], on its files.
    pub async fn start_again(&mut self, settings: &[&str]) -> anyhow::Result<()> {
        let started = run(&self.dir, self.port, settings).await?;
        (self.number, self.guard) = started.context("somebody else took the port of redis-server")?;
        Ok(())
    }

    /// Stops it in its tracks: it accepts connections and answers nothing.
    pub fn pause(&self) -> anyhow::Result<()> {
        kill_process(self.number, Signal::STOP).context("SIGSTOP")
    }

    /// Lets it go on.
    pub fn resume(&self) -> anyhow::Result<()> {
        kill_process(self.number, Signal::CONT).context("SIGCONT")
    }

    /// Does one thing as its administrator.
    pub async fn does<T: redis::FromRedisValue>(&self, command: &str) -> anyhow::Result<T> {
        let mut words = command.split(' ');
        let mut question = redis::cmd(words.next().unwrap_or_default());
        question.arg(words.collect::<Vec<_>>());
        Ok(question.query_async(&mut self.admin().await?).await?)
    }

    async fn admin(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = redis::Client::open(self.admin_url())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }
}

/// `None` if the port was taken meanwhile.
async fn run(dir: &Path, port: u16, settings: &[&str]) -> anyhow::Result<Option<(Pid, Child)>> {
    let mut command = Command::new("sh");
    command.args(["-c", RUN, "redis", "--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    // Compressed, a leaked secret would not be found.
    command.args(["--rdbcompression", "no"]);
    command.arg("--dir").arg(dir).arg("--aclfile").arg(dir.join("users.acl")).args(settings);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut guard = command.spawn().context("sh")?;
    let mut lines = BufReader::new(guard.stdout.take().context("standard output is not piped")?).lines();
    let (mut number, mut said) = (None, String::new());
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if let Some(text) = line.strip_prefix("number ") {
                number = Pid::from_raw(text.parse()?);
            } else if line.contains("Ready to accept connections") {
                return Ok(true);
            } else if line.contains("Address already in use") {
                return Ok(false);
            }
            said.push_str(&line);
        }
        bail!("redis-server ended: {said}")
    };
    if !timeout(PATIENCE, ready).await.context("redis-server does not start")?? {
        return Ok(None);
    }
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(Some((number.context("sh did not say a number")?, guard)))
}
