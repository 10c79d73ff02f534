//! Which processes are measured, and how much processor time did each take?
//!
//! Each is killed when it is dropped, and ends by itself when its standard input does: nothing outlives a benchmark.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_adapters::secret::Secret;
use tapdesk_adapters::stores::redis::{Durability, Redis, RedisConfig};
use tapdesk_tests::redis as redis_server;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Linux counts in hundredths of a second towards programs, whatever its own tick is (USER_HZ).
const TICK: Duration = Duration::from_millis(10);
const STARTS_WITHIN: Duration = Duration::from_mins(1);
const ENDS_WITHIN: Duration = Duration::from_secs(30);

pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub(crate) const APP: &str = "A0BENCH0000";
pub(crate) const TEAM: &str = "T0BENCH0000";

/// A server of commands.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
}

/// How the Redis server keeps what it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// `appendfsync always`
    Always,
    /// `appendfsync everysec`
    EverySecond,
    /// No append-only file.
    Nothing,
}

/// A Redis server of one's own.
pub(crate) struct RedisServer {
    server: redis_server::Redis,
    keeps: Keeps,
}

/// What tapdesk keeps its state in.
pub(crate) enum State<'r> {
    Embedded,
    Redis(&'r RedisServer),
}

impl Server {
    /// The acknowledging part of tapdesk.
    pub(crate) async fn without_worker(config: &Path) -> anyhow::Result<Self> {
        Self::start(Command::new(beside("without_worker")?).arg(config)).await
    }

    /// The program itself.
    pub(crate) async fn tapdesk(config: &Path) -> anyhow::Result<Self> {
        let program = beside("../tapdesk")?;
        Self::start(Command::new(program).arg("--config").arg(config).arg("serve").env_remove("RUST_LOG"))
            .await
    }

    pub(crate) async fn bare(redis: &RedisServer, database: u8) -> anyhow::Result<Self> {
        Self::start(Command::new(beside("bare")?).arg(SIGNING_SECRET).arg(redis.url(database))).await
    }

    pub(crate) async fn bolt(redis: &RedisServer, database: u8) -> anyhow::Result<Self> {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/bolt/app.mjs");
        let mut command = Command::new("node");
        command.env("NODE_ENV", "production").arg(app).arg(SIGNING_SECRET).arg(redis.url(database));
        Self::start(&mut command).await
    }

    async fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let said = child.stderr.take().context("standard error is not piped")?;
        let line = line_with(said, " address=").await?;
        let address = line.split_once(" address=").map(|(_, rest)| rest.split(' ').next().unwrap_or(rest));
        Ok(Self { address: address.context("an address")?.parse()?, child })
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.child.id().context("the server is gone")?)
    }

    /// Lets it finish and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        timeout(ENDS_WITHIN, self.child.wait()).await.context("a server does not end")??;
        Ok(())
    }
}

impl RedisServer {
    pub(crate) async fn start(dir: &Path, keeps: Keeps) -> anyhow::Result<Self> {
        let (append, sync) = match keeps {
            Keeps::Always => ("yes", "always"),
            Keeps::EverySecond => ("yes", "everysec"),
            Keeps::Nothing => ("no", "everysec"),
        };
        let settings = ["--appendonly", append, "--appendfsync", sync, "--auto-aof-rewrite-percentage", "0"];
        Ok(Self { server: redis_server::Redis::start(dir, &settings).await?, keeps })
    }

    /// For everybody but tapdesk, which keeps to its own user and its database.
    pub(crate) fn url(&self, database: u8) -> String {
        format!("{}/{database}", self.server.admin_url())
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.server.id())
    }

    pub(crate) async fn keys(&self, database: u8) -> anyhow::Result<u64> {
        Ok(redis::cmd("DBSIZE").query_async(&mut self.connection(database).await?).await?)
    }

    /// Bytes of its data.
    pub(crate) async fn bytes(&self) -> anyhow::Result<u64> {
        Ok(self.info("used_memory").await?.parse()?)
    }

    pub(crate) async fn connection(&self, database: u8) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        Ok(redis::Client::open(self.url(database))?.get_multiplexed_async_connection().await?)
    }

    /// tapdesk's store on it.
    pub(crate) async fn store(&self, name: &str) -> anyhow::Result<Redis> {
        let config = RedisConfig {
            url: Secret::new(self.server.url()),
            prefix: "tapdesk".to_owned(),
            name: name.to_owned(),
            machine_clock: Arc::new(tapdesk::system::SystemClock),
            required: Durability::None,
            connect: Duration::from_secs(5),
            respond: Duration::from_mins(1),
        };
        Ok(Redis::connect(config).await?)
    }

    async fn info(&self, field: &str) -> anyhow::Result<String> {
        let info: String = redis::cmd("INFO").query_async(&mut self.connection(0).await?).await?;
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.with_context(|| field.to_owned())?.to_owned())
    }
}

/// Processor time of a process, its threads included.
pub(crate) fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next().context("utime")??, times.next().context("stime")??);
    Ok(TICK * (user + system))
}

/// Writes a configuration for tapdesk into `dir`. Everything outside but Slack is a closed port.
pub(crate) fn configure(dir: &Path, state: &State<'_>, slack: &str) -> anyhow::Result<PathBuf> {
    let files = dir.display();
    let store = match state {
        State::Embedded => format!("kind = \"embedded\"\npath = \"{files}/tapdesk.db\""),
        State::Redis(server) => {
            let durability = match server.keeps {
                Keeps::Always => "always",
                Keeps::EverySecond => "everysec",
                Keeps::Nothing => "none",
            };
            format!(
                "kind = \"redis\"\nurl = \"{}\"\nrequired_durability = \"{durability}\"",
                server.server.url()
            )
        }
    };
    std::fs::write(dir.join("pepper"), [7; 32])?;
    let path = dir.join("tapdesk.toml");
    let text = include_str!("tapdesk.toml")
        .replace("{files}", &files.to_string())
        .replace("{store}", &store)
        .replace("{secret}", SIGNING_SECRET)
        .replace("{app}", APP)
        .replace("{team}", TEAM)
        .replace("{slack}", slack);
    std::fs::write(&path, text)?;
    Ok(path)
}

/// A folder on the disk that the programs are on: `/tmp` is often memory.
pub(crate) fn folder() -> anyhow::Result<tempfile::TempDir> {
    let program = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(program.parent().context("no folder")?)?)
}

fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built: start tests/bench/run", path.display());
    Ok(path)
}

/// The first line with that part; what follows is read and dropped.
async fn line_with(output: impl AsyncRead + Unpin + Send + 'static, part: &str) -> anyhow::Result<String> {
    let mut lines = BufReader::new(output).lines();
    let found = async {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await? {
            if line.contains(part) {
                return Ok(line);
            }
            said.push_str(&line);
            said.push('\n');
        }
        anyhow::bail!("a server ended: {said}")
    };
    let line = timeout(STARTS_WITHIN, found).await.context("a server does not start")??;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(line)
}
