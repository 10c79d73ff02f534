//! What does the administrator configure, and is it usable?
//!
//! The file is one struct of sections, each owned by the part that it configures; one sub-module per group of them.
//! Unknown keys are errors, and every secret is either `x` or `x_file`. `deploy/tapdesk.example.toml` documents every
//! key.

mod check;
mod courier;
mod credential;
mod error;
mod graph;
mod hook;
mod limits;
mod place;
mod secret;
mod slack;
mod store;
mod teams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tapdesk_core::alarm::Alarms;
use tapdesk_core::evaluation::Mode;
use tapdesk_core::ids::{GroupId, SourceName};
use tapdesk_core::policy::{Policy, Visits};
use url::Url;

pub use courier::{Couriers, Email, EmailTls, Sms, SmsKind};
pub use credential::{Environment, FileOrAnnounced, Identity};
pub use error::ConfigError;
pub use graph::Graph;
pub use hook::Hook;
pub use limits::{Outbound, Worker};
pub use secret::{pepper, secret};
pub use slack::Slack;
pub use store::{Durability, Ledger, Store, StoreKind};
pub use teams::Teams;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where people and webhooks reach tapdesk; signed URLs and links are made from it.
    pub public_url: Url,
    /// Whether tapdesk is in earnest, or being tried out.
    #[serde(default)]
    pub mode: Mode,
    /// The public listener.
    pub listen: SocketAddr,
    /// Health, metrics, and what the command line asks a running service.
    pub admin_listen: SocketAddr,
    /// 32 bytes, as they are or as 64 hex digits.
    pub pepper_file: PathBuf,
    /// The pepper before this one, while it is being rotated.
    pub previous_pepper_file: Option<PathBuf>,
    /// A proxy in front terminates TLS.
    #[serde(default)]
    pub behind_tls_proxy: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
    /// The certificate of the public listener.
    pub tls: Option<Tls>,
    /// Where state is kept.
    pub store: Store,
    /// Where the audit record is kept.
    pub ledger: Ledger,
    /// Who hears of what is suspicious.
    pub security: Security,
    /// The directory.
    pub graph: Graph,
    /// Slack.
    pub slack: Option<Slack>,
    /// Microsoft Teams.
    pub teams: Option<Teams>,
    /// Ticket systems and workflows that ask by signed messages, by name.
    #[serde(default)]
    pub hook: BTreeMap<SourceName, Hook>,
    /// How messages reach people outside the chat.
    #[serde(default)]
    pub courier: Couriers,
    /// Who may ask for whom.
    pub policy: Policy,
    /// The page for people without chat.
    pub ask: Option<Visits>,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// Time limits on the way out.
    #[serde(default)]
    pub outbound: Outbound,
    /// The performer of due tasks.
    #[serde(default)]
    pub worker: Worker,
}

/// `[tls]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM, leaf first.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
}

/// `[security]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// `mailto:` addresses.
    pub notify: Vec<String>,
    /// What security hears of because it is out of the ordinary.
    #[serde(default)]
    pub alarms: Alarms,
    /// The object id of a group: its members are security's people in chat, who may see and revoke any request.
    pub group: Option<GroupId>,
}

/// `[log]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// One JSON object per line instead of text.
    #[serde(default)]
    pub json: bool,
}

impl Config {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        Self::check(&shown, &text)
    }

    /// Parses and checks the file; `path` is only for messages.
    pub fn check(path: &str, text: &str) -> Result<Self, ConfigError> {
        let config = Self::parse(path, text)?;
        let faults = config.faults();
        if faults.is_empty() {
            return Ok(config);
        }
        let placed = faults.into_iter().map(|fault| (place::place_of(text, &fault.key), fault)).collect();
        Err(ConfigError::Refused { path: path.to_owned(), faults: placed })
    }

    /// Parses the file; `path` is only for messages.
    pub fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let malformed = |key: String, error: &toml::de::Error| {
            let (line, column) = place::place_at(text, error.span().map_or(0, |span| span.start));
            let key = if key == "." { "the file".to_owned() } else { key };
            ConfigError::Malformed {
                path: path.to_owned(),
                line,
                column,
                key,
                what: error.message().to_owned(),
            }
        };
        let input =
            toml::Deserializer::parse(text).map_err(|error| malformed("the file".to_owned(), &error))?;
        serde_path_to_error::deserialize(input)
            .map_err(|error| malformed(error.path().to_string(), error.inner()))
    }
}

#[expect(clippy::expect_used, reason = "the text is a constant that a test parses")]
fn fixed_url(text: &str) -> Url {
    Url::parse(text).expect("a URL that is written in this file")
}

fn yes() -> bool {
    true
}
