//! Is this the server that the store may rely on?
//!
//! Asked once, at start-up: which kind of server the URL means, what a crash of it can lose, and whether it may throw
//! away what was stored.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use redis::{Client, IntoConnectionInfo};
use tapdesk_core::ports::PortError;

use super::{Redis, fault};

/// The layout that this program reads and writes.
const SCHEMA: &str = "1";

/// What of the accepted writes survives a crash of the server. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Snapshots at best: minutes may be lost.
    None,
    /// The append-only file is synced once a second.
    EverySecond,
    /// The append-only file is synced before a write is answered.
    Always,
}

impl Durability {
    /// What a crash can lose, in words.
    fn loss(self) -> &'static str {
        match self {
            Self::None => "everything since the last snapshot, if it makes any",
            Self::EverySecond => "the last one or two seconds",
            Self::Always => "nothing that was answered",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::EverySecond => "everysec",
            Self::Always => "always",
        })
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::None, Self::EverySecond, Self::Always]
            .into_iter()
            .find(|durability| durability.to_string() == text)
            .ok_or_else(|| "\"always\", \"everysec\" or \"none\"".to_owned())
    }
}

/// Why tapdesk does not start on this server. No variant quotes the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of Redis.
    #[error("url: {0}; write redis://user:password@host:6379 or rediss://… for TLS")]
    Url(&'static str),
    /// A kind of set-up that is not supported yet.
    #[error(
        "url: {0} is not supported yet; name the primary itself: redis://host:6379 or rediss://host:6379"
    )]
    NotYet(&'static str),
    /// A later tapdesk wrote the store.
    #[error("the store has layout {found}, this tapdesk knows layout {SCHEMA}: another tapdesk wrote it")]
    Newer {
        /// Its layout.
        found: String,
    },
    /// The server is a replica.
    #[error("this Redis is a read-only replica: name the primary")]
    Replica,
    /// The server evicts keys.
    #[error(
        "this Redis throws away keys when its memory is full (maxmemory-policy {policy}): set maxmemory-policy noeviction"
    )]
    Evicts {
        /// Its policy.
        policy: String,
    },
    /// A crash can lose more than was configured.
    #[error("required_durability is \"{required}\", and a crash of this Redis can lose {}: {hint}", .found.loss())]
    TooWeak {
        /// What was configured.
        required: Durability,
        /// What the server does.
        found: Durability,
        /// What to change.
        hint: &'static str,
    },
    /// The server did not answer, or refused.
    #[error("Redis cannot be used")]
    Failed(#[from] PortError),
}

/// A client for the URL.
pub(super) fn client(url: &str) -> Result<Client, ConnectError> {
    let (scheme, _) = url.split_once("://").ok_or(ConnectError::Url("it has no scheme"))?;
    match scheme {
        "redis" | "rediss" | "unix" => {}
        "redis+sentinel" | "rediss+sentinel" => return Err(ConnectError::NotYet("Sentinel")),
        "redis+cluster" | "rediss+cluster" => return Err(ConnectError::NotYet("Redis Cluster")),
        _ => return Err(ConnectError::Url("its scheme is unknown")),
    }
    if url.contains('#') {
        return Err(ConnectError::Url("it has a fragment, which would switch off checks"));
    }
    let info = url.into_connection_info().map_err(|_| ConnectError::Url("it is not well-formed"))?;
    if let redis::ConnectionAddr::Tcp(host, _) = info.addr()
        && !is_loopback(host)
    {
        tracing::warn!(
            "the store's url has no TLS: who can read the network reads names and can change requests; use rediss://"
        );
    }
    // The library's name is of no use to anybody, and before Redis 7.2 an ACL cannot even allow sending it.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Client::open(info.set_redis_settings(settings)).map_err(|_| ConnectError::Url("it is not usable"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the server says about itself.
struct Facts {
    info: BTreeMap<String, String>,
    /// `None` where the user may not ask.
    sync: Option<(String, String)>,
    /// Whether a restart would drop what the default user may not do.
    drops_on_restart: bool,
}

impl Facts {
    fn says(&self, key: &str) -> &str {
        self.info.get(key).map_or("", String::as_str)
    }

    /// What is not known counts as not done.
    fn durability(&self) -> (Durability, &'static str) {
        if self.says("aof_enabled") != "1" {
            return (Durability::None, "set appendonly yes and appendfsync always");
        }
        if self.drops_on_restart {
            return (Durability::None, "give the default user back what it may do, see deploy/redis.acl");
        }
        let Some((sync, skips_on_rewrite)) = &self.sync else {
            return (Durability::None, "its appendfsync cannot be read, give the user +config|get");
        };
        match (sync.as_str(), skips_on_rewrite.as_str()) {
            (_, "yes") => (Durability::None, "set no-appendfsync-on-rewrite no"),
            ("always", _) => (Durability::Always, ""),
            ("everysec", _) => (Durability::EverySecond, "set appendfsync always"),
            (_, _) => (Durability::None, "set appendfsync always"),
        }
    }
}

impl Redis {
    /// Refuses a server that could lose more than `required_durability` allows, or that another layout lives on; says in
    /// one line of the log what a crash can lose.
    pub async fn check(&self) -> Result<(), ConnectError> {
        let facts = self.facts().await?;
        if facts.says("role") != "master" {
            return Err(ConnectError::Replica);
        }
        let policy = facts.says("maxmemory_policy");
        if policy != "noeviction" {
            return Err(ConnectError::Evicts { policy: policy.to_owned() });
        }
        let (found, hint) = facts.durability();
        if found < self.required {
            return Err(ConnectError::TooWeak { required: self.required, found, hint });
        }
        self.check_schema().await?;
        let version = facts.says("redis_version");
        if found < Durability::Always {
            tracing::warn!(redis.version = version, "a crash of Redis can lose {}", found.loss());
        } else {
            tracing::info!(redis.version = version, "a crash of Redis can lose {}", found.loss());
        }
        Ok(())
    }

    async fn facts(&self) -> Result<Facts, PortError> {
        let mut info = BTreeMap::new();
        for section in ["server", "persistence", "memory", "replication"] {
            let text: String = self.ask_redis(redis::cmd("INFO").arg(section)).await?;
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            info.extend(lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())));
        }
        let sync = self.sync_settings().await?;
        Ok(Facts { info, sync, drops_on_restart: self.drops_on_restart().await? })
    }

    /// Redis replays its append-only file as the default user, and skips, with no more than a line in its log, every
    /// script's writes that this user may not do; a bare `user default off` may do nothing. Mended in late 2025
    /// (redis/redis#14541, valkey-io/valkey#3983), seen here with 7.0.15.
    async fn drops_on_restart(&self) -> Result<bool, PortError> {
        let mut question = redis::cmd("ACL");
        question.arg("DRYRUN").arg("default").arg("HSET").arg(self.keys.global("probe")).arg("a").arg("b");
        match question.query_async::<String>(&mut self.connection.clone()).await {
            Ok(answer) => Ok(answer != "OK"),
            Err(error) if fault::is_unknown(&error) => Err(fault::port_error(&error)),
            // Older servers do not know the command.
            Err(_) => Ok(false),
        }
    }

    async fn sync_settings(&self) -> Result<Option<(String, String)>, PortError> {
        let mut settings = BTreeMap::new();
        for name in ["appendfsync", "no-appendfsync-on-rewrite"] {
            let mut connection = self.connection.clone();
            let answer = redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await;
            match answer {
                Ok(found) => {
                    let found: BTreeMap<String, String> = found;
                    settings.extend(found);
                }
                Err(error) if fault::is_unknown(&error) => return Err(fault::port_error(&error)),
                // Managed servers do not know the command, and users may lack it.
                Err(_) => return Ok(None),
            }
        }
        let setting = |name: &str| settings.get(name).cloned();
        Ok(setting("appendfsync").zip(setting("no-appendfsync-on-rewrite")))
    }

    async fn check_schema(&self) -> Result<(), ConnectError> {
        let key = self.keys.global("schema");
        let _: Option<String> = self.ask_redis(redis::cmd("SET").arg(&key).arg(SCHEMA).arg("NX")).await?;
        let found: String = self.ask_redis(redis::cmd("GET").arg(&key)).await?;
        if found == SCHEMA { Ok(()) } else { Err(ConnectError::Newer { found }) }
    }
}
