//! What if several tapdesks share one Redis?
//!
//! Each replica is a process with a configuration file, addresses and a ledger of its own. A story sends people to one of
//! them by name, or to all of them through a balancer that knows no stickiness. Time is real.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::select_ok;
use tapdesk::config::StoreKind;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use url::Url;

use crate::browser::Browser;
use crate::chat::Chat;
use crate::process::{Process, Said};
use crate::wire::lock;
use crate::world::{Setting, World};

/// How long a replica has a task: what a dead one had in hand waits so long.
pub const LEASE: Duration = Duration::from_secs(2);
/// The names of replicas, in this order.
const NAMES: [&str; 3] = ["one", "two", "three"];

/// Several replicas and the world around them.
pub struct Replicas {
    /// Everything else.
    pub world: World,
    all: Vec<Replica>,
    balancer: Balancer,
}

/// One replica, perhaps dead.
struct Replica {
    config: PathBuf,
    process: Option<Process>,
    lives: Vec<Life>,
}

/// One run of a replica, which may be over.
pub struct Life {
    /// As the leases of its tasks name it.
    pub worker: String,
    /// How it ended.
    pub was_killed: bool,
    said: Said,
}

/// Gives each connection to the next replica that takes it.
struct Balancer {
    address: SocketAddr,
    replicas: Arc<Mutex<Vec<SocketAddr>>>,
    server: AbortHandle,
}

impl Replicas {
    /// Two replicas under the usual policy.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(2, Setting::default(), str::to_owned).await
    }

    /// That many replicas; `change` has the last word on each configuration file.
    pub async fn with(
        count: usize,
        setting: Setting,
        change: impl Fn(&str) -> String,
    ) -> anyhow::Result<Self> {
        // The lease has to outlast two of its waits.
        let setting = Setting { store: StoreKind::Redis, patience: 1, ..setting };
        let mut world = World::without_tapdesk(setting).await?;
        world.hands.run();
        let ledgers = world.config.ledger.path.clone();
        let mut all = Vec::new();
        for name in &NAMES[..count] {
            let config = world.files.path().join(format!("{name}.toml"));
            let ledger = format!("name = \"{name}\"\npath = \"{}/{name}\"", ledgers.display());
            let text = world.config_text().replace(&format!("path = \"{}\"", ledgers.display()), &ledger);
            ensure!(text.contains(&ledger), "the ledger is configured elsewhere:\n{text}");
            let lease = LEASE.as_secs();
            std::fs::write(&config, change(&format!("{text}\n[worker]\nlease = \"{lease}s\"\n")))?;
            all.push(Replica { config, process: None, lives: Vec::new() });
        }
        // Who takes over at the end is one more replica, on the story's own time.
        (world.config.ledger.name, world.config.ledger.path) = ("last".parse()?, ledgers.join("last"));
        let mut replicas = Self { world, all, balancer: Balancer::start().await? };
        for n in 0..count {
            replicas.start_again(n).await?;
        }
        replicas.world.chat.attach(replicas.base()?);
        Ok(replicas)
    }

    /// Where the balancer is.
    pub fn base(&self) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("http://{}/", self.balancer.address))?)
    }

    /// One replica, which has to be alive.
    pub fn replica(&self, n: usize) -> anyhow::Result<&Process> {
        self.all[n].process.as_ref().with_context(|| format!("replica {} is dead", NAMES[n]))
    }

    /// The chat, as if the balancer gave everything to one replica.
    pub fn chat(&self, n: usize) -> anyhow::Result<Chat> {
        Ok(self.world.chat.by_way_of(self.replica(n)?.base.clone()))
    }

    /// A claim page that talks to one replica.
    pub fn browser(&self, n: usize) -> anyhow::Result<Browser> {
        Ok(self.world.browser().at(self.replica(n)?.base.clone()))
    }

    /// Kills one replica as a power cut does.
    pub async fn kill(&mut self, n: usize) -> anyhow::Result<()> {
        let process = self.all[n].process.take().context("it is dead already")?;
        if let Some(life) = self.all[n].lives.last_mut() {
            life.was_killed = true;
        }
        process.kill().await
    }

    /// Starts a dead replica on its own files.
    pub async fn start_again(&mut self, n: usize) -> anyhow::Result<()> {
        let process = Process::start(&self.all[n].config, "info").await.context(NAMES[n])?;
        let (worker, said) = (process.worker.clone(), process.said());
        self.all[n].lives.push(Life { worker, was_killed: false, said });
        self.all[n].process = Some(process);
        let living = self.all.iter().filter_map(|replica| replica.process.as_ref());
        let addresses: anyhow::Result<Vec<SocketAddr>> =
            living.map(|process| Ok(process.base.authority().parse()?)).collect();
        *lock(&self.balancer.replicas) = addresses?;
        Ok(())
    }

    /// Waits until some living replica logs a line with that part.
    pub async fn say(&self, part: &str) -> anyhow::Result<String> {
        let living = self.all.iter().filter_map(|replica| replica.process.as_ref());
        Ok(select_ok(living.map(|process| Box::pin(process.says(part)))).await?.0)
    }

    /// The lines with that part that any replica ever logged.
    #[must_use]
    pub fn said(&self, part: &str) -> Vec<String> {
        self.lives().flat_map(|life| life.said(part)).collect()
    }

    /// The lines with that part that one replica ever logged.
    #[must_use]
    pub fn said_by(&self, n: usize, part: &str) -> Vec<String> {
        self.all[n].lives.iter().flat_map(|life| life.said(part)).collect()
    }

    /// Every run of every replica.
    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.all.iter().flat_map(|replica| &replica.lives)
    }

    /// What a metric of one replica counts, over all its labels.
    pub async fn counted(&self, n: usize, metric: &str) -> anyhow::Result<u64> {
        let url = self.replica(n)?.admin_base.join("metrics")?;
        let text = self.world.http.get(url).send().await?.text().await?;
        let lines = text.lines().filter(|line| line.starts_with(metric));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Tells the replicas to stop, and goes on with one more inside the story, on manual time.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        for replica in &mut self.all {
            let Some(process) = replica.process.take() else { continue };
            process.terminate()?;
            let ended = process.ends().await?;
            ensure!(ended.success(), "a replica that was told to stop ended with {ended}");
        }
        self.world.hands.stop();
        if self.world.tapdesk().is_err() { self.world.start_tapdesk().await } else { Ok(()) }
    }

    /// What must hold when the story is over, whoever has read what.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        self.stop().await?;
        Box::pin(self.world.finish_unread()).await
    }
}

impl Life {
    /// The lines with that part that it logged.
    #[must_use]
    pub fn said(&self, part: &str) -> Vec<String> {
        self.said.lines(part)
    }
}

impl Balancer {
    async fn start() -> anyhow::Result<Self> {
        let replicas: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (known, next) = (Arc::clone(&replicas), AtomicUsize::new(0));
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut replicas = lock(&known).clone();
                let first = next.fetch_add(1, Ordering::Relaxed) % replicas.len().max(1);
                replicas.rotate_left(first);
                tokio::spawn(join(client, replicas));
            }
        });
        Ok(Self { address, replicas, server: server.abort_handle() })
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Joins a client with the first replica that listens; without any, the connection closes.
async fn join(mut client: TcpStream, replicas: Vec<SocketAddr>) {
    for replica in replicas {
        if let Ok(mut server) = TcpStream::connect(replica).await {
            // An end that breaks off is what the other end gets to see.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
