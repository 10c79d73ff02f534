//! Are these the servers that the store may rely on?
//!
//! Asked once, at start-up: what a crash can lose, and whether a server may throw away what was stored. Of several
//! primaries each is asked, and the weakest counts.
//!
//! Replication is asynchronous: where a replica may take the primary's place, what was answered and not replicated yet
//! is lost with it. `min-replicas-to-write` bounds that to `min-replicas-max-lag` seconds, since a primary that its
//! replicas do not hear any more stops writing. `WAIT` after each write would not do better than a bound either: the
//! replica that answered need not be the one that is promoted.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use redis::Value;
use tapdesk_core::ports::PortError;

use super::ask::read;
use super::link::Primary;
use super::{Redis, fault};
use crate::finding::{Finding, in_full};

/// The layout that this program reads and writes.
const SCHEMA: &str = "1";

/// What of the accepted writes survives a crash of the server. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Snapshots at best, or replicas that may lag behind at will: minutes may be lost.
    None,
    /// The append-only file is synced once a second, or replicas lag behind by seconds.
    EverySecond,
    /// The append-only file is synced before a write is answered.
    Always,
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
    #[error(
        "url: {0}; write redis://user:password@host:6379, redis+sentinel://user:password@host:26379/name or \
         redis+cluster://user:password@host:6379, each with rediss for TLS"
    )]
    Url(&'static str),
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
    #[error("required_durability is \"{required}\", and a crash of this Redis can lose {loss}: {hint}")]
    TooWeak {
        /// What was configured.
        required: Durability,
        /// What a crash can lose.
        loss: String,
        /// What to change.
        hint: &'static str,
    },
    /// The server did not answer, or refused.
    #[error("Redis cannot be used")]
    Failed(#[from] PortError),
}

/// What a crash can lose.
struct Loss {
    left: Durability,
    /// In words.
    lost: String,
    /// What to change for the next better.
    hint: &'static str,
}

impl Loss {
    fn new(left: Durability, lost: &str, hint: &'static str) -> Self {
        Self { left, lost: lost.to_owned(), hint }
    }

    fn everything(hint: &'static str) -> Self {
        Self::new(Durability::None, "everything since the last snapshot, if it makes any", hint)
    }
}

/// What a server says about itself.
struct Facts {
    info: BTreeMap<String, String>,
    /// `None` where the user may not ask.
    settings: Option<BTreeMap<String, String>>,
    /// Whether a restart would drop what the default user may not do.
    drops_on_restart: bool,
    /// Whether a replica may take its place.
    fails_over: bool,
}

impl Facts {
    fn says(&self, key: &str) -> &str {
        self.info.get(key).map_or("", String::as_str)
    }

    fn is_set(&self, key: &str) -> &str {
        self.settings.as_ref().and_then(|settings| settings.get(key)).map_or("", String::as_str)
    }

    /// What is not known counts as not done.
    fn loss(&self) -> Loss {
        let restart = self.loss_by_restart();
        if !self.fails_over {
            return restart;
        }
        let fail_over = self.loss_by_fail_over();
        if restart.left <= fail_over.left { restart } else { fail_over }
    }

    fn loss_by_restart(&self) -> Loss {
        if self.says("aof_enabled") != "1" {
            return Loss::everything("set appendonly yes and appendfsync always");
        }
        if self.drops_on_restart {
            return Loss::everything("give the default user back what it may do, see deploy/redis.acl");
        }
        if self.settings.is_none() {
            return Loss::everything("its appendfsync cannot be read, give the user +config|get");
        }
        match (self.is_set("appendfsync"), self.is_set("no-appendfsync-on-rewrite")) {
            (_, "yes") => Loss::everything("set no-appendfsync-on-rewrite no"),
            ("always", _) => Loss::new(Durability::Always, "nothing that was answered", ""),
            ("everysec", _) => {
                Loss::new(Durability::EverySecond, "the last one or two seconds", "set appendfsync always")
            }
            (_, _) => Loss::everything("set appendfsync always"),
        }
    }

    fn loss_by_fail_over(&self) -> Loss {
        let number = |key| self.is_set(key).parse().unwrap_or(0_u32);
        match (number("min-replicas-to-write"), number("min-replicas-max-lag")) {
            (0, _) | (_, 0) => Loss::new(
                Durability::None,
                "all that its replicas lagged behind when one of them took over, however much that is",
                "set min-replicas-to-write 1 or more, and min-replicas-max-lag",
            ),
            (_, lag) => Loss {
                left: Durability::EverySecond,
                lost: format!("the last {lag} seconds, when a replica takes over before it has them"),
                hint: "only a single server leaves \"always\", since replication is asynchronous",
            },
        }
    }
}

impl Redis {
    /// Refuses servers that could lose more than `required_durability` allows, or that another layout lives on; says in
    /// one line of the log what a crash can lose.
    pub async fn check(&self) -> Result<(), ConnectError> {
        let Loss { left, lost, .. } = self.survey().await?;
        self.claim_schema().await?;
        self.lead().await?;
        if left < Durability::Always {
            tracing::warn!("a crash of Redis can lose {lost}");
        } else {
            tracing::info!("a crash of Redis can lose {lost}");
        }
        Ok(())
    }

    /// The same questions, and nothing written.
    pub async fn examine(&self) -> Vec<Finding> {
        const WHAT: &str = "Redis";
        let looked = async {
            let loss = self.survey().await?;
            self.check_schema().await?;
            Ok::<_, ConnectError>(loss)
        };
        vec![match looked.await {
            Ok(Loss { left: Durability::Always, lost, .. }) => {
                Finding::ok(WHAT, format!("a crash can lose {lost}"))
            }
            Ok(Loss { lost, hint, .. }) => {
                Finding::note(WHAT, format!("a crash can lose {lost}, as required_durability allows"), hint)
            }
            // Its words say what to change.
            Err(error) => Finding::fault(
                WHAT,
                in_full(&error),
                "deploy/redis.acl, and the section on replicas in the README",
            ),
        }]
    }

    /// What a crash of the weakest primary can lose, if it is no more than it may.
    async fn survey(&self) -> Result<Loss, ConnectError> {
        let mut weakest: Option<Loss> = None;
        let primaries = self.link.primaries().await.map_err(|error| fault::port_error(&error))?;
        for primary in &primaries {
            let facts = self.facts(primary).await?;
            if facts.says("role") != "master" {
                return Err(ConnectError::Replica);
            }
            let policy = facts.says("maxmemory_policy");
            if policy != "noeviction" {
                return Err(ConnectError::Evicts { policy: policy.to_owned() });
            }
            let loss = facts.loss();
            if weakest.as_ref().is_none_or(|weakest| loss.left < weakest.left) {
                weakest = Some(loss);
            }
        }
        let Loss { left, lost, hint } = weakest.ok_or(ConnectError::Replica)?;
        if left < self.required {
            return Err(ConnectError::TooWeak { required: self.required, loss: lost, hint });
        }
        Ok(Loss { left, lost, hint })
    }

    async fn facts(&self, primary: &Primary) -> Result<Facts, PortError> {
        let mut info = BTreeMap::new();
        for section in ["persistence", "memory", "replication"] {
            let text: String = read(primary.send(redis::cmd("INFO").arg(section)).await)?;
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            info.extend(lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())));
        }
        Ok(Facts {
            info,
            settings: settings(primary).await?,
            drops_on_restart: self.drops_on_restart(primary).await?,
            fails_over: self.link.fails_over(),
        })
    }

    /// Redis replays its append-only file as the default user, and skips, with no more than a line in its log, every
    /// script's writes that this user may not do; a bare `user default off` may do nothing. Mended in late 2025
    /// (redis/redis#14541, valkey-io/valkey#3983), seen here with 7.0.15.
    async fn drops_on_restart(&self, primary: &Primary) -> Result<bool, PortError> {
        let mut question = redis::cmd("ACL");
        question.arg("DRYRUN").arg("default").arg("HSET").arg(self.keys.global("probe")).arg("a").arg("b");
        match primary.send(&question).await {
            Ok(answer) => Ok(answer != Value::Okay && answer != Value::SimpleString("OK".to_owned())),
            Err(error) if fault::is_unknown(&error) => Err(fault::port_error(&error)),
            // Older servers do not know the command.
            Err(_) => Ok(false),
        }
    }

    async fn claim_schema(&self) -> Result<(), ConnectError> {
        let key = self.keys.global("schema");
        let _: Option<String> = self.ask_redis(redis::cmd("SET").arg(&key).arg(SCHEMA).arg("NX")).await?;
        self.check_schema().await
    }

    /// A store that nobody has written yet has no layout.
    async fn check_schema(&self) -> Result<(), ConnectError> {
        let key = self.keys.global("schema");
        let found: Option<String> = self.ask_redis(redis::cmd("GET").arg(&key)).await?;
        match found {
            Some(found) if found != SCHEMA => Err(ConnectError::Newer { found }),
            Some(_) | None => Ok(()),
        }
    }
}

async fn settings(primary: &Primary) -> Result<Option<BTreeMap<String, String>>, PortError> {
    let mut settings = BTreeMap::new();
    for name in ["appendfsync", "no-appendfsync-on-rewrite", "min-replicas-to-write", "min-replicas-max-lag"]
    {
        match primary.send(redis::cmd("CONFIG").arg("GET").arg(name)).await {
            Ok(found) => settings.extend(read::<BTreeMap<_, _>>(Ok(found))?),
            Err(error) if fault::is_unknown(&error) => return Err(fault::port_error(&error)),
            // Managed servers do not know the command, and users may lack it.
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(settings))
}
