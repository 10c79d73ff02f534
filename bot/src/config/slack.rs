//! Which Slack app, and whose word does it take? (`[slack]`)

use std::path::PathBuf;

use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use url::Url;

use super::fixed_url;

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

fn slack_url() -> Url {
    fixed_url("https://slack.com/api/")
}

fn slack_response_hosts() -> Vec<String> {
    vec!["hooks.slack.com".to_owned(), "hooks.slack-gov.com".to_owned()]
}

fn slash_command() -> String {
    "/tap".to_owned()
}
