//! Which one thing proves an Entra app? The same keys in every section that has one.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use tapdesk_adapters::entra::{Credential, Endpoint, IMDS, ManagedIdentity};
use tapdesk_adapters::secret::Secret;
use tapdesk_core::policy::Fault;
use tapdesk_core::ports::Clock;
use url::Url;

use super::fixed_url;

/// How variables of the environment are read.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// What the platform of a cluster calls the file with its token.
const ANNOUNCED: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// A file, or the one that the platform names in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a path, or true for the file that AZURE_FEDERATED_TOKEN_FILE names")]
pub enum FileOrAnnounced {
    /// Whether it is the announced one.
    Announced(bool),
    /// This one.
    File(PathBuf),
}

/// An identity of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "true for the machine's own identity, or the client id of one that is assigned to it"
)]
pub enum Identity {
    /// Whether it is the machine's own.
    Own(bool),
    /// The one with this client id.
    Assigned(String),
}

/// The keys of a section that prove its app.
pub(super) struct Keys<'c> {
    pub(super) section: &'static str,
    pub(super) client_id: Option<&'c str>,
    pub(super) client_secret: Option<&'c Secret>,
    pub(super) client_secret_file: Option<&'c PathBuf>,
    pub(super) certificate_file: Option<&'c PathBuf>,
    pub(super) key_file: Option<&'c PathBuf>,
    pub(super) federated_token_file: Option<&'c FileOrAnnounced>,
    pub(super) managed_identity: Option<&'c Identity>,
}

/// The one proof that is configured.
enum Chosen<'c> {
    Secret(&'c Secret),
    SecretFile(&'c PathBuf),
    Certificate(&'c PathBuf, &'c PathBuf),
    Federated(&'c FileOrAnnounced),
    Identity(&'c Identity),
}

impl<'c> Keys<'c> {
    /// What is wrong with the choice. Reads no file.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let chosen = match self.chosen() {
            Ok(chosen) => chosen,
            Err(fault) => return vec![fault],
        };
        let key = format!("{}.client_id", self.section);
        let what = match (chosen, self.client_id) {
            (Chosen::Identity(_), Some(_)) => {
                "leave it out: a managed identity is chosen by managed_identity = \"its client id\""
            }
            (Chosen::Identity(_), None) => return Vec::new(),
            (_, None | Some("")) => "is missing: the application id of the Entra app",
            (_, Some(_)) => return Vec::new(),
        };
        vec![Fault::new(&key, what)]
    }

    /// What proves the app, by what the files hold now.
    pub(super) fn credential(
        &self,
        imds: Option<&Url>,
        environment: &Environment<'_>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Credential> {
        let section = self.section;
        Ok(match self.chosen().map_err(|fault| anyhow::anyhow!("{}: {}", fault.key, fault.what))? {
            Chosen::Secret(secret) => Credential::secret(secret.clone()),
            Chosen::SecretFile(path) => Credential::secret_file(section, path.clone())?,
            Chosen::Certificate(certificate, key) => {
                Credential::certificate(section, certificate.clone(), key.clone(), clock)?
            }
            Chosen::Federated(FileOrAnnounced::File(path)) => Credential::federated(section, path.clone())?,
            Chosen::Federated(FileOrAnnounced::Announced(_)) => {
                let path = environment(ANNOUNCED).with_context(|| {
                    format!("{section}.federated_token_file = true, and {ANNOUNCED} is not set")
                })?;
                Credential::federated(section, path.into())?
            }
            Chosen::Identity(identity) => {
                let imds = imds.cloned().unwrap_or_else(|| fixed_url(IMDS));
                let endpoint = Endpoint::of_machine(imds, environment)
                    .with_context(|| format!("{section}.managed_identity"))?;
                let client_id = match identity {
                    Identity::Own(_) => None,
                    Identity::Assigned(id) => Some(id.clone()),
                };
                Credential::managed_identity(ManagedIdentity { endpoint, client_id })
            }
        })
    }

    /// The one proof, or what is wrong with the choice.
    fn chosen(&self) -> Result<Chosen<'c>, Fault> {
        let fault = |key: &str, what: String| Err(Fault::new(key, &what));
        let of = |key: &str| format!("{}.{key}", self.section);
        let federated = self.federated_token_file.filter(|file| **file != FileOrAnnounced::Announced(false));
        let identity = self.managed_identity.filter(|identity| **identity != Identity::Own(false));
        if self.client_secret.is_some() && self.client_secret_file.is_some() {
            let key = of("client_secret");
            return fault(&key, format!("give either {key} or {key}_file"));
        }
        let mut chosen = Vec::new();
        chosen.extend(self.client_secret.map(|secret| ("client_secret", Chosen::Secret(secret))));
        chosen.extend(self.client_secret_file.map(|path| ("client_secret_file", Chosen::SecretFile(path))));
        match (self.certificate_file, self.key_file) {
            (Some(certificate), Some(key)) => {
                chosen.push(("certificate_file", Chosen::Certificate(certificate, key)));
            }
            (Some(_), None) => {
                let what =
                    "needs key_file beside it: the certificate's private key, perhaps in the same file";
                return fault(&of("certificate_file"), what.to_owned());
            }
            (None, Some(_)) => {
                return fault(&of("key_file"), "needs certificate_file beside it".to_owned());
            }
            (None, None) => {}
        }
        chosen.extend(federated.map(|file| ("federated_token_file", Chosen::Federated(file))));
        chosen.extend(identity.map(|identity| ("managed_identity", Chosen::Identity(identity))));
        let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
        match (names.len(), chosen.pop()) {
            (1, Some((_, one))) => Ok(one),
            (_, None) => fault(
                self.section,
                "say what proves that tapdesk is the Entra app: client_secret_file, or certificate_file and key_file, or federated_token_file, or managed_identity".to_owned(),
            ),
            (_, Some((name, _))) => {
                fault(&of(name), format!("one thing proves the app, not several: {}", names.join(", ")))
            }
        }
    }
}
