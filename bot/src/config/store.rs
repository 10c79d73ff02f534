//! Where are state and the audit record kept? (`[store]`, `[ledger]`)

use std::path::PathBuf;
use std::time::Duration;

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
    /// The directory of its segments.
    pub path: PathBuf,
}

fn thirty_days() -> Duration {
    Duration::from_hours(30 * 24)
}
