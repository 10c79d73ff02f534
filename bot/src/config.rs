//! What does the administrator configure, and is it usable?
//!
//! The file is one struct of sections, each owned by the part that it configures. Unknown keys are errors, and
//! every secret is either `x` or `x_file`. `deploy/tapdesk.example.toml` documents every key.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use tapdesk_core::alarm::Alarms;
use tapdesk_core::evaluation::Mode;
use tapdesk_core::ids::{GroupId, LedgerName};
use tapdesk_core::people::{Contact, ContactKind, ContactSource};
use tapdesk_core::policy::{Fault, Policy, Route, Visits, duration};
use url::Url;
use zeroize::Zeroizing;

mod place;
#[cfg(test)]
mod tests;

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

/// `[graph]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// The one tenant, by GUID.
    pub tenant_id: String,
    /// The app registration.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// The file that holds its secret.
    pub client_secret_file: Option<PathBuf>,
    /// Another cloud's Graph.
    #[serde(default = "graph_url")]
    pub base_url: Url,
    /// Another cloud's login.
    #[serde(default = "login_url")]
    pub authority: Url,
    /// Whether the tenant has a licence for Privileged Identity Management. Without one nobody can be eligible for a
    /// role, and Graph refuses to be asked.
    #[serde(default = "yes")]
    pub tenant_has_pim: bool,
}

/// `[slack]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The app's signing secret.
    pub signing_secret: Option<Secret>,
    /// The file that holds it.
    pub signing_secret_file: Option<PathBuf>,
    /// The secret before this one, while it is being rotated.
    pub previous_signing_secret_file: Option<PathBuf>,
    /// The bot token, `xoxb-…`.
    pub bot_token: Option<Secret>,
    /// The file that holds it.
    pub bot_token_file: Option<PathBuf>,
    /// The app's id, `A…`.
    pub app_id: String,
    /// Workspaces (`T…`) or organisations (`E…`) that may send.
    pub teams: Vec<String>,
    /// Whether the workspace enforces single sign-on, so that a member's address is their Entra address.
    #[serde(default)]
    pub trust_email: bool,
    /// The slash command, as the manifest names it.
    #[serde(default = "slash_command")]
    pub command: String,
    /// Slack's Web API; another only for tests and government clouds.
    #[serde(default = "slack_url")]
    pub base_url: Url,
    /// Hosts that may be answered at a `response_url`.
    #[serde(default = "slack_response_hosts")]
    pub response_hosts: Vec<String>,
}

/// `[courier]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Couriers {
    /// Text messages.
    pub sms: Option<Sms>,
    /// Mail.
    pub email: Option<Email>,
}

/// `[courier.sms]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Which provider.
    pub kind: SmsKind,
    /// `AC…`
    pub account_sid: String,
    /// An API key's sid (`SK…`); the account's own sid if left out.
    pub username: Option<String>,
    /// The API key's secret, or the account's auth token.
    pub password: Option<Secret>,
    /// The file that holds it.
    pub password_file: Option<PathBuf>,
    /// The account's auth token, with which Twilio signs its reports of how far a message came; none are asked for
    /// without it.
    pub auth_token: Option<Secret>,
    /// The file that holds it.
    pub auth_token_file: Option<PathBuf>,
    /// The sender's number in E.164 …
    pub from: Option<String>,
    /// … or a messaging service, `MG…`.
    pub messaging_service: Option<String>,
    /// Whether Twilio forgets bodies and masks numbers; needs Message Redaction on the account.
    #[serde(default = "yes")]
    pub discard_content: bool,
    /// Twilio's API.
    #[serde(default = "twilio_url")]
    pub base_url: Url,
}

/// The providers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmsKind {
    /// Twilio.
    Twilio,
}

/// `[courier.email]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The mail server.
    pub host: String,
    /// Its port; 587, or 465 with `tls = "implicit"`.
    pub port: Option<u16>,
    /// How TLS is done.
    #[serde(default)]
    pub tls: EmailTls,
    /// Log-in name.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The file that holds it.
    pub password_file: Option<PathBuf>,
    /// The sender: `tapdesk <tapdesk@example.com>`.
    pub from: String,
}

/// How TLS is done towards the mail server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailTls {
    /// STARTTLS, or no mail.
    #[default]
    Required,
    /// TLS from the first byte.
    Implicit,
    /// None: only towards this machine.
    None,
}

/// `[log]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// One JSON object per line instead of text.
    #[serde(default)]
    pub json: bool,
}

/// `[outbound]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Until a connection stands.
    #[serde(deserialize_with = "duration")]
    pub connect: Duration,
    /// Until the whole answer is there. Longer than 20 s could outlast the look for an unknown outcome.
    #[serde(deserialize_with = "duration")]
    pub total: Duration,
    /// Before a harmless call is repeated for the first time; later pauses grow from it.
    #[serde(deserialize_with = "duration")]
    pub retry_pause: Duration,
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How long a task is its worker's. What a killed process had in hand waits so long.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
}

/// What is wrong with a configuration, for the administrator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not what it should be; the source line is not quoted, since it may hold a secret.
    #[error("{path}:{line}:{column}: {key}: {what}")]
    Malformed {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The key.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// The file is well-formed and asks for something that must not be.
    #[error("{}", .faults.iter().map(|(line, fault)| format!("{path}:{line}: {}: {}", fault.key, fault.what)).collect::<Vec<_>>().join("\n"))]
    Refused {
        /// The file.
        path: String,
        /// Each fault with the line of its key, or of the section that lacks it.
        faults: Vec<(usize, Fault)>,
    },
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
        let placed = faults.into_iter().map(|fault| (place::line_of(text, &fault.key), fault)).collect();
        Err(ConfigError::Refused { path: path.to_owned(), faults: placed })
    }

    /// Parses the file; `path` is only for messages.
    pub fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let malformed = |key: String, error: &toml::de::Error| {
            let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
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

    /// Everything that is wrong with a well-formed configuration. Reads no secret.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.policy.faults();
        faults.extend(self.security.alarms.faults(self.store.keep_closed));
        faults.extend(self.ask.iter().flat_map(|visits| visits.faults(&self.policy)));
        let mut fault = |key: &str, what: &str| faults.push(Fault::new(key, what));
        let safe = self.tls.is_some() || self.behind_tls_proxy || self.listen.ip().is_loopback();
        if !safe {
            fault(
                "listen",
                "neither loopback nor TLS: add [tls], or behind_tls_proxy = true if a proxy terminates it",
            );
        }
        if self.tls.is_some() && self.behind_tls_proxy {
            fault("behind_tls_proxy", "tapdesk terminates TLS itself ([tls]) or a proxy does, not both");
        }
        if self.public_url.scheme() != "https" && !is_loopback(&self.public_url) {
            fault("public_url", "people type a PIN there: it starts with https://");
        }
        if self.public_url.path() != "/"
            || self.public_url.query().is_some()
            || self.public_url.fragment().is_some()
        {
            fault("public_url", "tapdesk lives at the root of its own host name: https://tap.example.com");
        }
        if self.security_contacts().is_none() || self.security.notify.is_empty() {
            fault(
                "security.notify",
                "name at least one address of your security team: [\"mailto:soc@example.com\"]",
            );
        }
        if self.courier.email.is_none() {
            fault("courier.email", "security and account owners are told by mail: configure a mail server");
        }
        if self.slack.is_none() {
            fault("slack", "no chat is configured: nobody could ask or approve");
        }
        if self.outbound.total > Duration::from_secs(20) || self.outbound.connect > self.outbound.total {
            fault("outbound", "total is at most 20s, and connect at most total");
        }
        if self.worker.lease < 2 * self.outbound.total || self.worker.lease > Duration::from_mins(10) {
            fault(
                "worker.lease",
                "at least twice outbound.total, so that a task can end in it, and at most 10m",
            );
        }
        if self.ask.is_some() && self.behind_tls_proxy && self.trusted_proxies.is_empty() {
            fault(
                "ask",
                "behind a proxy that trusted_proxies does not name, everybody has one address, and few could ask",
            );
        }
        for rule in &self.policy.rules {
            let key = format!("policy.rule \"{}\"", rule.name);
            let used = rule.ticket.iter().chain(&rule.pin).chain(&rule.notice);
            if used.clone().any(|route| *route == Route::Sms) && self.courier.sms.is_none() {
                fault(&key, "uses sms, and [courier.sms] is missing");
            }
        }
        let store = &self.store;
        match store.kind {
            StoreKind::Embedded if store.path.is_none() => {
                fault("store.path", "the embedded store needs a file");
            }
            StoreKind::Embedded if store.url.is_some() || store.url_file.is_some() => {
                fault("store.url", "is for kind = \"redis\"");
            }
            StoreKind::Redis if store.path.is_some() => fault("store.path", "is for kind = \"embedded\""),
            StoreKind::Embedded | StoreKind::Redis => {}
        }
        for (key, inline, file) in self.secrets() {
            if inline.is_some() == file.is_some() {
                fault(key, &format!("give either {key} or {key}_file"));
            }
        }
        if let Some(sms) = &self.courier.sms
            && sms.from.is_some() == sms.messaging_service.is_some()
        {
            fault("courier.sms", "give either from or messaging_service");
        }
        if let Some(sms) = &self.courier.sms
            && sms.auth_token.is_some()
            && sms.auth_token_file.is_some()
        {
            fault(
                "courier.sms.auth_token",
                "give either courier.sms.auth_token or courier.sms.auth_token_file",
            );
        }
        if let Some(email) = &self.courier.email
            && email.tls == EmailTls::None
            && !is_loopback_host(&email.host)
        {
            fault("courier.email.tls", "\"none\" is only for a mail server on this machine");
        }
        faults
    }

    /// The security contacts, unless one of them is not a `mailto:` address.
    #[must_use]
    pub fn security_contacts(&self) -> Option<Vec<Contact>> {
        let contact = |text: &String| {
            let address = text.strip_prefix("mailto:").filter(|address| address.contains('@'))?;
            Some(Contact {
                source: ContactSource::Mail,
                kind: ContactKind::Mail,
                address: address.to_owned(),
            })
        };
        self.security.notify.iter().map(contact).collect()
    }

    /// Every secret that is `x` or `x_file`.
    fn secrets(&self) -> Vec<(&'static str, Option<&Secret>, Option<&PathBuf>)> {
        let mut secrets = vec![(
            "graph.client_secret",
            self.graph.client_secret.as_ref(),
            self.graph.client_secret_file.as_ref(),
        )];
        if self.store.kind == StoreKind::Redis {
            secrets.push(("store.url", self.store.url.as_ref(), self.store.url_file.as_ref()));
        }
        if let Some(slack) = &self.slack {
            secrets.push((
                "slack.signing_secret",
                slack.signing_secret.as_ref(),
                slack.signing_secret_file.as_ref(),
            ));
            secrets.push(("slack.bot_token", slack.bot_token.as_ref(), slack.bot_token_file.as_ref()));
        }
        if let Some(sms) = &self.courier.sms {
            secrets.push(("courier.sms.password", sms.password.as_ref(), sms.password_file.as_ref()));
        }
        if let Some(email) = &self.courier.email
            && email.username.is_some()
        {
            secrets.push(("courier.email.password", email.password.as_ref(), email.password_file.as_ref()));
        }
        secrets
    }
}

/// The secret itself: from the file it is in, without the newline that editors add.
pub fn secret(key: &str, inline: Option<&Secret>, file: Option<&PathBuf>) -> anyhow::Result<Secret> {
    use anyhow::Context as _;
    if let Some(secret) = inline {
        return Ok(secret.clone());
    }
    let path = file.with_context(|| format!("{key} or {key}_file is missing"))?;
    let text = fs::read_to_string(path).with_context(|| format!("{key}_file: {}", path.display()))?;
    let text = Zeroizing::new(text);
    let trimmed = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!trimmed.is_empty(), "{key}_file: {} is empty", path.display());
    Ok(Secret::new(trimmed.to_owned()))
}

/// The pepper in a file: 32 bytes, as they are or as 64 hex digits.
pub fn pepper(path: &Path) -> anyhow::Result<[u8; 32]> {
    use anyhow::Context as _;
    let bytes = Zeroizing::new(fs::read(path).with_context(|| format!("pepper_file: {}", path.display()))?);
    if let Ok(raw) = <[u8; 32]>::try_from(&bytes[..]) {
        return Ok(raw);
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let mut pepper = [0; 32];
    let readable = text.len() == 64
        && text.is_ascii()
        && pepper.iter_mut().enumerate().all(|(i, byte)| {
            u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map(|value| *byte = value).is_ok()
        });
    anyhow::ensure!(
        readable,
        "pepper_file: {} holds neither 32 bytes nor 64 hex digits; make one with: openssl rand -hex 32",
        path.display()
    );
    Ok(pepper)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(15),
            retry_pause: Duration::from_secs(1),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self { lease: Duration::from_secs(90) }
    }
}

#[expect(clippy::expect_used, reason = "the text is a constant that a test parses")]
fn fixed_url(text: &str) -> Url {
    Url::parse(text).expect("a URL that is written in this file")
}

fn graph_url() -> Url {
    fixed_url("https://graph.microsoft.com")
}

fn login_url() -> Url {
    fixed_url("https://login.microsoftonline.com")
}

fn slack_url() -> Url {
    fixed_url("https://slack.com/api/")
}

fn twilio_url() -> Url {
    fixed_url("https://api.twilio.com")
}

fn slack_response_hosts() -> Vec<String> {
    vec!["hooks.slack.com".to_owned(), "hooks.slack-gov.com".to_owned()]
}

fn slash_command() -> String {
    "/tap".to_owned()
}

fn thirty_days() -> Duration {
    Duration::from_hours(30 * 24)
}

fn yes() -> bool {
    true
}
