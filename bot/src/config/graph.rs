//! Which directory, and what proves that tapdesk is its app? (`[graph]`)

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tapdesk_adapters::entra::{App, Cloud, Credential, has_no_passes};
use tapdesk_adapters::secret::Secret;
use tapdesk_core::policy::Fault;
use tapdesk_core::ports::Clock;
use url::Url;

use super::credential::{Environment, FileOrAnnounced, Identity, Keys};
use super::{fixed_url, yes};

/// `[graph]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// The one tenant, by GUID.
    pub tenant_id: String,
    /// The cloud that it is in.
    #[serde(default)]
    pub cloud: Cloud,
    /// The app registration; left out with `managed_identity`.
    pub client_id: Option<String>,
    /// Its secret …
    pub client_secret: Option<Secret>,
    /// … or the file that holds its secret …
    pub client_secret_file: Option<PathBuf>,
    /// … or a certificate that was uploaded to it …
    pub certificate_file: Option<PathBuf>,
    /// … with its key …
    pub key_file: Option<PathBuf>,
    /// … or a file with a token of an issuer that it trusts; `true` for the one that `AZURE_FEDERATED_TOKEN_FILE` names …
    pub federated_token_file: Option<FileOrAnnounced>,
    /// … or the identity of the machine: `true` for its own, a client id for one that was assigned to it.
    pub managed_identity: Option<Identity>,
    /// The machine's metadata service; another only for tests.
    pub imds_url: Option<Url>,
    /// Graph; another than the cloud's only for tests and for clouds without a name here.
    pub base_url: Option<Url>,
    /// The login; another than the cloud's only for tests and for clouds without a name here.
    pub authority: Option<Url>,
    /// Whether the tenant has a licence for Privileged Identity Management. Without one nobody can be eligible for a
    /// role, and Graph refuses to be asked.
    #[serde(default = "yes")]
    pub tenant_has_pim: bool,
}

impl Graph {
    /// Where Graph is.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.base_url.clone().unwrap_or_else(|| fixed_url(self.cloud.graph()))
    }

    /// Where tokens come from.
    #[must_use]
    pub fn authority(&self) -> Url {
        self.authority.clone().unwrap_or_else(|| fixed_url(self.cloud.authority()))
    }

    /// What is wrong with what proves the app, and with where it is proved.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.keys().faults();
        for (key, url) in [("graph.base_url", &self.base_url), ("graph.authority", &self.authority)] {
            let refusal = url.as_ref().and_then(has_no_passes);
            faults.extend(refusal.map(|why| Fault::new(key, &why.to_string())));
        }
        faults
    }

    /// What proves the app. Reads files.
    pub fn credential(
        &self,
        environment: &Environment<'_>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Credential> {
        self.keys().credential(self.imds_url.as_ref(), environment, clock)
    }

    /// The app that tapdesk is. Reads the files that prove it.
    pub fn app(
        &self,
        environment: &Environment<'_>,
        clock: Arc<dyn Clock>,
        retry_pause: Duration,
    ) -> anyhow::Result<App> {
        Ok(App {
            authority: self.authority(),
            tenant_id: self.tenant_id.parse().context("graph.tenant_id")?,
            client_id: self.client_id.clone().unwrap_or_default(),
            credential: self.credential(environment, clock)?,
            retry_pause,
        })
    }

    fn keys(&self) -> Keys<'_> {
        Keys {
            section: "graph",
            client_id: self.client_id.as_deref(),
            client_secret: self.client_secret.as_ref(),
            client_secret_file: self.client_secret_file.as_ref(),
            certificate_file: self.certificate_file.as_ref(),
            key_file: self.key_file.as_ref(),
            federated_token_file: self.federated_token_file.as_ref(),
            managed_identity: self.managed_identity.as_ref(),
        }
    }
}
