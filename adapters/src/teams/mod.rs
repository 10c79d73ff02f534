//! What does Microsoft Teams need to be one of tapdesk's chats?
//!
//! Inbound: [`Teams::receive`] turns the raw bytes of an activity of the Bot Connector into a wish of the core, or says
//! how to answer it otherwise; [`Teams::receive_outgoing`] does so for a team's outgoing webhook, which may only ask.
//! Outbound: [`Teams`] implements the core's `Chat`. Teams vouches for people by their object id in the one tenant.

mod client;
mod parse;
mod render;
mod verify;

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tapdesk_core::card::Card;
use tapdesk_core::ports::{Clock, Entropy, Store};
use url::Url;
use uuid::Uuid;

use crate::secret::Secret;
use client::{Paces, Tokens, Waiting};
use parse::Ours;
use verify::{Verifier, outgoing};

pub use client::{Pending, Said};
pub use parse::{Among, Answered, Look, Message, NotOurs, Outgoing, Parsed, Routes, Shown};
pub use verify::NotVerified;

/// The name of this chat in every `ChatUser` and `MessageRef`.
pub const NAME: &str = "teams";
/// Where the Connector's keys are announced, unless the configuration says otherwise.
pub const OPENID_URL: &str = "https://login.botframework.com/v1/.well-known/openidconfiguration";
/// Who makes the Connector's tokens.
pub const ISSUER: &str = "https://api.botframework.com";
/// What our own token is good for.
pub const TOKEN_SCOPE: &str = "https://api.botframework.com/.default";
/// The services of Teams that our token may go to.
pub const SERVICE_HOSTS: [&str; 4] = [
    "smba.trafficmanager.net",
    "smba.infra.gcc.teams.microsoft.com",
    "smba.infra.gov.teams.microsoft.us",
    "*.botframework.azure.cn",
];

/// Everything about Teams that an organisation decides.
pub struct TeamsConfig {
    /// The one tenant whose people may act.
    pub tenant: Uuid,
    /// The bot's app registration: not the directory's, and without any right in it.
    pub app_id: String,
    /// Its client secret.
    pub app_secret: Secret,
    /// What people may write before a command.
    pub command: String,
    /// Where the Connector's keys are announced, usually [`OPENID_URL`]; plain HTTP only on loopback, as below.
    pub openid_url: Url,
    /// Who makes the Connector's tokens, usually [`ISSUER`].
    pub issuer: String,
    /// Where our own token comes from.
    pub authority: Url,
    /// What it is for, usually [`TOKEN_SCOPE`].
    pub token_scope: String,
    /// Hosts, `name`, `name:port` or `*.domain`, that our token may go to; usually [`SERVICE_HOSTS`]. Plain HTTP only on
    /// loopback.
    pub service_hosts: Vec<String>,
    /// The security token of the outgoing webhook, two while it is replaced, or none.
    pub outgoing_secrets: Vec<Secret>,
}

/// A configuration that would be unsafe or cannot work. It names the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// Not the id of an app.
    #[error("app_id: not the id of an app registration (a GUID)")]
    AppId,
    /// No secret.
    #[error("app_secret: empty")]
    AppSecret,
    /// No word to write.
    #[error("command: it has to be one word")]
    Command,
    /// Keys that anybody on the way could replace.
    #[error("openid_url: it has to be https, except on loopback")]
    OpenidUrl,
    /// Nobody makes tokens.
    #[error("issuer: empty")]
    Issuer,
    /// The secret would travel in the clear.
    #[error("authority: it has to be https, except on loopback")]
    Authority,
    /// A token for nothing.
    #[error("token_scope: empty")]
    TokenScope,
    /// Nobody could be answered, or anybody.
    #[error("service_hosts: empty, or with an entry that is no host")]
    ServiceHosts,
    /// A webhook whose signatures cannot be checked.
    #[error("outgoing_secrets: at most two, each the 32 bytes in base64 that Teams shows")]
    OutgoingSecrets,
}

/// Teams, both directions.
pub struct Teams {
    verifier: Verifier,
    ours: Ours,
    outgoing: Vec<outgoing::Key>,
    app_secret: Secret,
    authority: Url,
    token_scope: String,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    store: Arc<dyn Store>,
    tokens: Tokens,
    paces: Paces,
    waiting: Arc<Waiting>,
}

impl Teams {
    /// Joins the configuration with the one HTTP client and the store that keeps where people are reached; does no I/O.
    pub fn new(
        config: TeamsConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        store: Arc<dyn Store>,
    ) -> Result<Self, Misconfigured> {
        config.check()?;
        let keys: Option<Vec<outgoing::Key>> =
            config.outgoing_secrets.iter().map(outgoing::Key::read).collect();
        let outgoing = keys.ok_or(Misconfigured::OutgoingSecrets)?;
        let app_id = config.app_id.to_lowercase();
        let verifier =
            Verifier::new(app_id.clone(), config.issuer, config.openid_url, http.clone(), Arc::clone(&clock));
        Ok(Self {
            verifier,
            ours: Ours {
                app_id,
                tenant: config.tenant,
                command: config.command,
                service_hosts: config.service_hosts,
            },
            outgoing,
            app_secret: config.app_secret,
            authority: config.authority,
            token_scope: config.token_scope,
            http,
            clock,
            entropy,
            store,
            tokens: Tokens::default(),
            paces: Paces::default(),
            waiting: Arc::default(),
        })
    }

    /// The word that people may write before a command.
    #[must_use]
    pub fn command_word(&self) -> &str {
        &self.ours.command
    }

    /// Verifies, parses and checks against the allow-lists, in this order. Keys may have to be fetched for it.
    ///
    /// Answers, each with an empty body unless said otherwise: `Err` 401, or 503 where the keys are not there yet ·
    /// [`Parsed::Inbound`] as its [`Answered`] says · [`Parsed::Look`] 200 with the card · [`Parsed::Routes`] 200 once they
    /// are kept · [`Parsed::NoButton`] 200 with [`no_button`] · [`Parsed::NotForUs`] 200 · [`Parsed::Refused`] 403 ·
    /// [`Parsed::Malformed`] 400.
    pub async fn receive(&self, headers: &HeaderMap, body: &[u8]) -> Result<Parsed, NotVerified> {
        let token = self.verifier.token(headers).await?;
        match parse::parse(body, &token, &self.ours) {
            Parsed::NotVerified(why) => Err(why),
            parsed => Ok(parsed),
        }
    }

    /// Verifies and parses what an outgoing webhook sent; does no I/O. `None` where no secret for one is configured.
    pub fn receive_outgoing(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Result<Outgoing, NotVerified>> {
        if self.outgoing.is_empty() {
            return None;
        }
        let now = self.clock.now();
        let verified = outgoing::verify(headers, body, &self.outgoing);
        Some(verified.map(|()| parse::outgoing(body, &self.ours, |sent| verify::is_recent(sent, now))))
    }
}

/// The answer to a press that no button of ours makes.
#[must_use]
pub fn no_button() -> Value {
    render::answer::no_button()
}

/// The answer to a client that asks how a card looks now.
#[must_use]
pub fn look(card: &Card, shown: Option<&Shown>) -> Value {
    render::answer::shown(&render::card(card, shown.map(|shown| shown.place.user.as_str())))
}

/// The answer to an invoke in whose time nothing was found to say: `dialog` says where it is shown.
#[must_use]
pub fn say(card: &Card, dialog: bool) -> Value {
    if dialog { render::answer::dialog_said(card) } else { render::answer::said(card) }
}

/// The answer to an outgoing webhook, which everybody in the channel reads.
#[must_use]
pub fn outgoing_answer(card: &Card) -> Value {
    json!({ "type": "message", "text": render::line(card)["text"] })
}

impl TeamsConfig {
    fn check(&self) -> Result<(), Misconfigured> {
        let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        let is_host =
            |entry: &String| is_word(entry.strip_prefix("*.").unwrap_or(entry)) && !entry.contains('/');
        let hosts = &self.service_hosts;
        let checks = [
            (Uuid::try_parse(&self.app_id).is_ok(), Misconfigured::AppId),
            (!self.app_secret.expose().is_empty(), Misconfigured::AppSecret),
            (is_word(self.command.trim_start_matches('/')), Misconfigured::Command),
            (is_safe(&self.openid_url), Misconfigured::OpenidUrl),
            (!self.issuer.is_empty(), Misconfigured::Issuer),
            (is_safe(&self.authority), Misconfigured::Authority),
            (!self.token_scope.is_empty(), Misconfigured::TokenScope),
            (!hosts.is_empty() && hosts.iter().all(is_host), Misconfigured::ServiceHosts),
            (self.outgoing_secrets.len() <= 2, Misconfigured::OutgoingSecrets),
        ];
        checks.into_iter().find(|(is_met, _)| !is_met).map_or(Ok(()), |(_, why)| Err(why))
    }
}

impl fmt::Debug for TeamsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeamsConfig")
            .field("tenant", &self.tenant)
            .field("app_id", &self.app_id)
            .field("command", &self.command)
            .field("openid_url", &self.openid_url.as_str())
            .field("issuer", &self.issuer)
            .field("authority", &self.authority.as_str())
            .field("service_hosts", &self.service_hosts)
            .finish_non_exhaustive()
    }
}

/// Whether a secret may travel to `url`: https anywhere, http only within this machine.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::verify::testing::{APP, NOW, Set, TENANT};
    use super::*;

    const OUTGOING: &str = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=";

    fn config() -> TeamsConfig {
        TeamsConfig {
            tenant: TENANT.parse().unwrap(),
            app_id: APP.to_owned(),
            app_secret: Secret::new("canary-secret".to_owned()),
            command: "tap".to_owned(),
            openid_url: OPENID_URL.parse().unwrap(),
            issuer: ISSUER.to_owned(),
            authority: "https://login.microsoftonline.com".parse().unwrap(),
            token_scope: TOKEN_SCOPE.to_owned(),
            service_hosts: SERVICE_HOSTS.map(str::to_owned).into(),
            outgoing_secrets: vec![Secret::new(OUTGOING.to_owned())],
        }
    }

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn teams(config: TeamsConfig) -> Result<Teams, Misconfigured> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = crate::http::client(crate::http::Limits::default()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let store = crate::stores::embedded::Embedded::open(directory.path().join("store")).unwrap();
        Teams::new(config, http, Set::to(NOW), Arc::new(Zeros), Arc::new(store))
    }

    #[test]
    fn an_unsafe_configuration_does_not_start_and_none_prints_a_secret() {
        let refused = |change: fn(&mut TeamsConfig)| {
            let mut config = config();
            change(&mut config);
            teams(config).err()
        };
        let clear = "http://login.example/";
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|c| c.app_id = "tapdesk".to_owned()), Some(Misconfigured::AppId));
        assert_eq!(refused(|c| c.app_secret = Secret::new(String::new())), Some(Misconfigured::AppSecret));
        assert_eq!(refused(|c| c.command = "two words".to_owned()), Some(Misconfigured::Command));
        assert_eq!(refused(|c| c.command = "/".to_owned()), Some(Misconfigured::Command));
        assert_eq!(refused(|c| c.issuer.clear()), Some(Misconfigured::Issuer));
        assert_eq!(refused(|c| c.token_scope.clear()), Some(Misconfigured::TokenScope));
        assert_eq!(refused(|c| c.service_hosts.clear()), Some(Misconfigured::ServiceHosts));
        assert_eq!(refused(|c| c.service_hosts.push("*.".to_owned())), Some(Misconfigured::ServiceHosts));
        assert_eq!(
            refused(|c| c.service_hosts.push("https://smba.example/".to_owned())),
            Some(Misconfigured::ServiceHosts)
        );
        let short = |c: &mut TeamsConfig| c.outgoing_secrets.push(Secret::new("c2hvcnQ=".to_owned()));
        assert_eq!(refused(short), Some(Misconfigured::OutgoingSecrets));
        let three = |c: &mut TeamsConfig| c.outgoing_secrets = vec![Secret::new(OUTGOING.to_owned()); 3];
        assert_eq!(refused(three), Some(Misconfigured::OutgoingSecrets));
        let mut keys_in_the_clear = config();
        keys_in_the_clear.openid_url = clear.parse().unwrap();
        assert_eq!(teams(keys_in_the_clear).err(), Some(Misconfigured::OpenidUrl));
        let mut secret_in_the_clear = config();
        secret_in_the_clear.authority = clear.parse().unwrap();
        assert_eq!(teams(secret_in_the_clear).err(), Some(Misconfigured::Authority));
        let printed = format!("{:?}", config());
        assert!(!printed.contains("canary") && !printed.contains(OUTGOING));
    }

    #[test]
    fn without_a_secret_there_is_no_outgoing_webhook() {
        let closed = teams(TeamsConfig { outgoing_secrets: Vec::new(), ..config() }).unwrap();
        assert!(closed.receive_outgoing(&HeaderMap::new(), b"{}").is_none());
        let open = teams(config()).unwrap();
        assert!(matches!(open.receive_outgoing(&HeaderMap::new(), b"{}"), Some(Err(NotVerified::Header))));
    }
}
