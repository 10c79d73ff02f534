//! Where are state and the audit record kept? (`[store]`, `[ledger]`)

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use tapdesk_core::ids::LedgerName;
use tapdesk_core::policy::duration;

/// `[store]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Which engine.
    pub kind: StoreKind,
    /// The file of the embedded store.
    pub path: Option<PathBuf>,
    /// The Redis server, the sentinels of one, or a cluster; with user and password.
    pub url: Option<Secret>,
    /// The file that holds it.
    pub url_file: Option<PathBuf>,
    /// What a crash of a Redis server has to leave.
    #[serde(default)]
    pub required_durability: Durability,
    /// How long closed requests are kept.
    #[serde(default = "thirty_days", deserialize_with = "duration")]
    pub keep_closed: Duration,
}

/// The engines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// One file, no server.
    Embedded,
    /// Redis, for several replicas.
    Redis,
}

/// What of the accepted changes has to survive a crash of a Redis server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Everything that was answered: a single server with `appendfsync always`. Neither sentinels nor a cluster leave it,
    /// since replication is asynchronous.
    #[default]
    Always,
    /// Everything but the last one or two seconds; with sentinels or a cluster, but the last `min-replicas-max-lag`
    /// seconds, which the servers keep only with `min-replicas-to-write` set.
    EverySec,
    /// Whatever the servers have.
    None,
}

/// `[ledger]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Its name: replicas that share a store write ledgers of different names.
    #[serde(default)]
    pub name: LedgerName,
    /// The file that holds its name: replicas in containers have one each in `/etc/hostname`.
    pub name_file: Option<PathBuf>,
    /// The directory of its segments.
    pub path: PathBuf,
}

impl Ledger {
    /// Its name, from the file if there is one.
    pub fn name(&self) -> anyhow::Result<LedgerName> {
        let Some(path) = &self.name_file else { return Ok(self.name.clone()) };
        let shown = || format!("ledger.name_file: {}", path.display());
        let text = fs::read_to_string(path).with_context(shown)?;
        text.trim_end_matches(['\r', '\n']).parse::<LedgerName>().with_context(shown)
    }
}

fn thirty_days() -> Duration {
    Duration::from_hours(30 * 24)
}
