//! Which directory, and what proves that tapdesk is its app? (`[graph]`)

use std::path::PathBuf;

use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use url::Url;

use super::{fixed_url, yes};

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

fn graph_url() -> Url {
    fixed_url("https://graph.microsoft.com")
}

fn login_url() -> Url {
    fixed_url("https://login.microsoftonline.com")
}
