//! How do messages reach people outside the chat? (`[courier.…]`)

use std::path::PathBuf;

use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use url::Url;

use super::{fixed_url, yes};

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

fn twilio_url() -> Url {
    fixed_url("https://api.twilio.com")
}
