//! Which bot in Teams, and by which addresses of its cloud? (`[teams]`)

use std::path::PathBuf;

use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use tapdesk_adapters::teams::{ISSUER, OPENID_URL, SERVICE_HOSTS, TOKEN_SCOPE};
use url::Url;

use super::fixed_url;

/// `[teams]`
///
/// Its people are those of `graph.tenant_id`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teams {
    /// The bot's own app registration, in the same tenant and without any right in the directory.
    pub app_id: String,
    /// Its client secret.
    pub app_secret: Option<Secret>,
    /// The file that holds it.
    pub app_secret_file: Option<PathBuf>,
    /// What people may write before a command.
    #[serde(default = "command")]
    pub command: String,
    /// Where the Bot Connector announces its keys.
    #[serde(default = "openid_url")]
    pub openid_url: Url,
    /// Who makes the Bot Connector's tokens.
    #[serde(default = "issuer")]
    pub issuer: String,
    /// Where the bot's own token comes from; that of `[graph]` if left out.
    pub authority: Option<Url>,
    /// What the bot's own token is for.
    #[serde(default = "token_scope")]
    pub token_scope: String,
    /// Hosts that the bot's token may be sent to.
    #[serde(default = "service_hosts")]
    pub service_hosts: Vec<String>,
    /// The security token of an outgoing webhook, two while it is replaced.
    #[serde(default)]
    pub outgoing_secrets: Vec<Secret>,
    /// Files that hold one each.
    #[serde(default)]
    pub outgoing_secret_files: Vec<PathBuf>,
}

fn command() -> String {
    "tap".to_owned()
}

fn openid_url() -> Url {
    fixed_url(OPENID_URL)
}

fn issuer() -> String {
    ISSUER.to_owned()
}

fn token_scope() -> String {
    TOKEN_SCOPE.to_owned()
}

fn service_hosts() -> Vec<String> {
    SERVICE_HOSTS.map(str::to_owned).into()
}
