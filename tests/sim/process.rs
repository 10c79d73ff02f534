//! What if tapdesk is a process of its own: started from its configuration file, killed, told to stop?
//!
//! Time is real there, so that what a story waits for has to come soon.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use url::Url;

use crate::wire::lock;
use crate::world::World;

/// How long a story waits for a process before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// `tapdesk serve`, running.
pub struct Process {
    /// The public listener.
    pub base: Url,
    /// The admin listener.
    pub admin_base: Url,
    /// As the leases of its tasks name it.
    pub worker: String,
    child: Child,
    said: Said,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub err: String,
}

/// The lines on standard error so far.
#[derive(Clone)]
pub struct Said {
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<()>,
}

impl World {
    /// Writes the configuration file, with whatever `change` makes of it.
    pub fn write_config(&self, change: impl FnOnce(String) -> String) -> anyhow::Result<PathBuf> {
        let path = self.files.path().join("tapdesk.toml");
        std::fs::write(&path, change(self.config_text().to_owned()))?;
        Ok(path)
    }

    /// Starts tapdesk as a process on the machine's time; tasks of a killed one come again after two seconds.
    pub async fn start_process(&self) -> anyhow::Result<Process> {
        self.start_process_logging("info").await
    }

    /// The same with `RUST_LOG`.
    pub async fn start_process_logging(&self, level: &str) -> anyhow::Result<Process> {
        self.start_process_in(level, &[]).await
    }

    /// The same in an environment with more variables.
    pub async fn start_process_in(&self, level: &str, variables: &[(&str, &str)]) -> anyhow::Result<Process> {
        self.hands.run();
        let config = self.write_config(|text| {
            text.replace("total = \"5s\"", "total = \"1s\"").replace("connect = \"2s\"", "connect = \"1s\"")
                + "\n[worker]\nlease = \"2s\"\n"
        })?;
        let process = Process::start_in(&config, level, variables).await?;
        self.chat.attach(process.base.clone());
        Ok(process)
    }

    /// What the admin listener answers: status and body.
    pub async fn asks_admin(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let http = tapdesk_adapters::http::client(tapdesk_adapters::http::Limits::default())?;
        let answer = http.get(self.admin_base().join(path)?).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Goes on with tapdesk inside the story, on the files that the process left, and on manual time.
    pub async fn take_over(&mut self) -> anyhow::Result<()> {
        self.hands.stop();
        self.start_tapdesk().await
    }
}

impl Process {
    /// Starts `tapdesk serve` and waits until it listens.
    pub async fn start(config: &Path, level: &str) -> anyhow::Result<Self> {
        Self::start_in(config, level, &[]).await
    }

    /// The same in an environment with more variables.
    pub async fn start_in(config: &Path, level: &str, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = command(config).await?;
        command.envs(variables.iter().copied());
        let mut child = command.arg("serve").env("RUST_LOG", level).kill_on_drop(true).spawn()?;
        let stderr = child.stderr.take().context("standard error is not piped")?;
        let said = Said::listen(stderr);
        let Some(line) = said.hears("tapdesk is listening").await else {
            anyhow::bail!("tapdesk does not listen: {:#?}", lock(&said.lines));
        };
        let field = |name: &str| {
            let rest = line.split_once(&format!(" {name}=")).with_context(|| line.clone())?.1;
            anyhow::Ok(rest.split_whitespace().next().unwrap_or_default())
        };
        let address = |name| Url::parse(&format!("http://{}/", field(name)?)).context("an address");
        let (base, admin_base) = (address("address")?, address("admin_address")?);
        Ok(Self { base, admin_base, worker: field("worker")?.to_owned(), child, said })
    }

    /// Its process id.
    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the process is gone")
    }

    /// Kills it as a power cut does.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the process cannot be killed")
    }

    /// Tells it to stop, as the service manager does.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Waits until it logs a line with that part.
    pub async fn says(&self, part: &str) -> anyhow::Result<String> {
        let line = self.said.hears(part).await;
        line.with_context(|| format!("it did not say {part:?}, but {:#?}", lock(&self.said.lines)))
    }

    /// Everything that it logged so far.
    #[must_use]
    pub fn logged(&self) -> String {
        lock(&self.said.lines).join("\n")
    }

    /// Stops it in its tracks: it keeps its connections and does nothing.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// What it says, also after it is gone.
    #[must_use]
    pub fn said(&self) -> Said {
        self.said.clone()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.id()?)?).context("no process id")?;
        kill_process(pid, signal).with_context(|| format!("{signal:?}"))
    }

    /// Waits until it has ended by itself.
    pub async fn ends(mut self) -> anyhow::Result<ExitStatus> {
        Ok(timeout(PATIENCE, self.child.wait()).await.context("the process does not end")??)
    }
}

/// Runs a command of tapdesk to its end.
pub async fn run(config: &Path, arguments: &[&str]) -> anyhow::Result<Ended> {
    let running = command(config).await?.args(arguments).kill_on_drop(true).spawn()?;
    let output =
        timeout(PATIENCE, running.wait_with_output()).await.context("the command does not end")??;
    Ok(Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

async fn command(config: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(binary().await?);
    command.arg("--config").arg(config).env_remove("RUST_LOG").env_remove("TAPDESK_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// The program next to the test executable. `tests/run` builds it; whoever runs the stories alone need not think of it.
async fn binary() -> anyhow::Result<PathBuf> {
    static BUILT: tokio::sync::OnceCell<PathBuf> = tokio::sync::OnceCell::const_new();
    let built = BUILT.get_or_try_init(|| async {
        let test = std::env::current_exe()?;
        let profile = test.ancestors().nth(2).context("the test is not in target/<profile>/deps")?;
        let path = profile.join("tapdesk");
        // Always: a program from before the last change would be tested instead. Without a change this is quick.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--package", "tapdesk"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        ensure!(cargo.status().await?.success(), "tapdesk cannot be built");
        Ok(path)
    });
    built.await.cloned()
}

impl Said {
    fn listen(stderr: tokio::process::ChildStderr) -> Self {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (tell, changed) = watch::channel(());
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                lock(&kept).push(line);
                tell.send_replace(());
            }
        });
        Self { lines, changed }
    }

    /// The lines so far with that part.
    #[must_use]
    pub fn lines(&self, part: &str) -> Vec<String> {
        lock(&self.lines).iter().filter(|line| line.contains(part)).cloned().collect()
    }

    async fn hears(&self, part: &str) -> Option<String> {
        let find = || lock(&self.lines).iter().find(|line| line.contains(part)).cloned();
        let mut changed = self.changed.clone();
        // An error means that the process closed its standard error: what was said was said.
        let _ = timeout(PATIENCE, changed.wait_for(|()| find().is_some())).await;
        find()
    }
}
