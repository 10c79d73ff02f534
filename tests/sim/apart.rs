//! How does a story drive a tapdesk that is a process of its own? (The other end of `mortal`.)

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use crate::fuse::Death;

/// How long a dead process may take to be gone.
const CLEARED_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to listen.
const STARTED_WITHIN: Duration = Duration::from_secs(30);
const SIGKILL: i32 = 9;

/// The program, and where it dies.
#[derive(Clone)]
pub struct Apart {
    /// `mortal`.
    pub program: PathBuf,
    /// At which of its effects it kills itself.
    pub death: Option<(usize, Death)>,
}

/// The running process.
pub struct Mortal {
    /// The public listener.
    pub base: Url,
    /// The admin listener.
    pub admin_base: Url,
    control: Url,
    child: Child,
    http: reqwest::Client,
}

impl Mortal {
    /// Starts it on the configuration file next to which it leaves its log and the names of its effects.
    pub async fn start(
        apart: &Apart,
        config: &Path,
        now: Timestamp,
        http: reqwest::Client,
    ) -> anyhow::Result<Self> {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(config.with_extension("log"))?;
        let mut command = Command::new(&apart.program);
        command.arg(config).arg(effects_file(config)).arg(now.to_string());
        if let Some((n, death)) = apart.death {
            command.arg(n.to_string()).arg(match death {
                Death::Before => "before",
                Death::After => "after",
            });
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| apart.program.display().to_string())?;
        let out = child.stdout.take().context("standard output is not piped")?;
        let mut lines = BufReader::new(out).lines();
        let line = timeout(STARTED_WITHIN, lines.next_line()).await.context("it does not start")??;
        let line = line.with_context(|| {
            let log = std::fs::read_to_string(config.with_extension("log")).unwrap_or_default();
            format!("it does not start: {}", log.lines().last().unwrap_or_default())
        })?;
        let urls: Result<Vec<Url>, _> =
            line.split(' ').map(|one| Url::parse(&format!("http://{one}/"))).collect();
        let [base, admin_base, control] = urls?.try_into().ok().context("three addresses")?;
        Ok(Self { base, admin_base, control, child, http })
    }

    /// Sets its time and lets it work until nothing is due.
    pub async fn settle(&self, now: Timestamp) -> anyhow::Result<()> {
        self.asks(self.http.post(self.control.join("settle")?).body(now.to_string())).await.map(drop)
    }

    /// When its next task is due.
    pub async fn next_due(&self) -> anyhow::Result<Option<Timestamp>> {
        let next = self.asks(self.http.get(self.control.join("next")?)).await?;
        if next.is_empty() { Ok(None) } else { Ok(Some(next.parse()?)) }
    }

    /// The state of a request.
    pub async fn state(&self, id: &str) -> anyhow::Result<Option<tapdesk_core::request::State>> {
        let json = self.asks(self.http.post(self.control.join("state")?).body(id.to_owned())).await?;
        if json.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&json)?)) }
    }

    /// Whether it is dead. Somebody whom it did not answer knows before the system has cleared it away.
    pub async fn is_dead(&mut self, did_not_answer: bool) -> anyhow::Result<bool> {
        if did_not_answer {
            // Whether it ended in time is the next question.
            let _ = timeout(CLEARED_WITHIN, self.child.wait()).await;
        }
        let Some(ended) = self.child.try_wait()? else { return Ok(false) };
        ensure!(ended.signal() == Some(SIGKILL), "it ended by itself: {ended}");
        Ok(true)
    }

    /// Kills it, if it lives, and waits until it is gone.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("it cannot be killed")
    }

    async fn asks(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{text}");
        Ok(text)
    }
}

/// The names of all effects since the story began, whichever process had them.
pub fn effects(config: &Path) -> anyhow::Result<Vec<String>> {
    Ok(std::fs::read_to_string(effects_file(config))?.lines().map(str::to_owned).collect())
}

fn effects_file(config: &Path) -> PathBuf {
    config.with_extension("effects")
}
