//! How does tapdesk read and write Entra?
//!
//! [`Graph`] implements the core's `Directory` with Microsoft Graph v1.0 and an app-only token. One sub-module
//! per question: `token` (who are we), `call` and `answer` (one call, its log line, its repeats), `people`,
//! `audit`, `privilege`, `methods`, `passes` (policy, list, delete), `create` (the one call that is never repeated), and
//! `examine` with `permission` (could all of that work in this tenant).

mod answer;
mod audit;
mod call;
mod create;
mod examine;
#[cfg(test)]
mod loopback;
mod methods;
mod passes;
mod people;
mod permission;
mod privilege;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tapdesk_core::caution::FileChange;
use tapdesk_core::ids::{GroupId, PassId, PersonId};
use tapdesk_core::method::Method;
use tapdesk_core::pass::{NewPass, PassMeta, PassPolicy, PassWish};
use tapdesk_core::people::{Contact, Person, Privileges};
use tapdesk_core::ports::{Clock, CreateError, Directory, Entropy, PortError};
use url::{Host, Url};
use uuid::{Uuid, uuid};

use crate::secret::Secret;

pub use examine::Uses;

/// The sign-in service of the public cloud (also GCC). National clouds: see Microsoft's page "National clouds".
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
/// Microsoft Graph of the public cloud (also GCC).
pub const BASE_URL: &str = "https://graph.microsoft.com";
/// The pause before the first repeat of a call.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The tenant of personal Microsoft accounts, which no organisation owns.
const CONSUMERS: Uuid = uuid!("9188040d-6c67-4c5b-b112-36a304b66dad");

/// The one tenant whose people tapdesk serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantId(Uuid);

/// A text that does not name one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of one tenant (a GUID; common, organizations and consumers stand for many tenants)")]
pub struct NotATenant;

impl FromStr for TenantId {
    type Err = NotATenant;

    fn from_str(text: &str) -> Result<Self, NotATenant> {
        match Uuid::try_parse(text) {
            Ok(id) if !id.is_nil() && id != CONSUMERS => Ok(Self(id)),
            Ok(_) | Err(_) => Err(NotATenant),
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Everything about Graph that an organisation decides.
pub struct GraphConfig {
    /// Where tokens come from, usually [`AUTHORITY`]; plain HTTP only on loopback.
    pub authority: Url,
    /// Where Graph is, usually [`BASE_URL`]; plain HTTP only on loopback.
    pub base_url: Url,
    /// The one tenant; the tenant of every token is compared with it.
    pub tenant_id: TenantId,
    /// The id of the Entra app.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// The pause before the first repeat of a call, usually [`RETRY_PAUSE`]; later pauses grow from it.
    pub retry_pause: Duration,
    /// Whether the tenant has a licence for Privileged Identity Management (Entra ID P2 or Governance).
    ///
    /// Without one, Graph answers the look-up of eligible roles with `AadPremiumLicenseRequired`. `false` reads
    /// exactly that answer as "nobody is eligible"; `true`, the safe default, makes it an error like any other.
    pub tenant_has_pim: bool,
}

impl GraphConfig {
    /// The public cloud, with a tenant that has PIM.
    pub fn public_cloud(
        tenant_id: TenantId,
        client_id: String,
        client_secret: Secret,
    ) -> Result<Self, Misconfigured> {
        Ok(Self {
            authority: Url::parse(AUTHORITY).map_err(|_| Misconfigured::Authority)?,
            base_url: Url::parse(BASE_URL).map_err(|_| Misconfigured::BaseUrl)?,
            tenant_id,
            client_id,
            client_secret,
            retry_pause: RETRY_PAUSE,
            tenant_has_pim: true,
        })
    }
}

impl fmt::Debug for GraphConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphConfig")
            .field("authority", &self.authority.as_str())
            .field("base_url", &self.base_url.as_str())
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .field("retry_pause", &self.retry_pause)
            .field("tenant_has_pim", &self.tenant_has_pim)
            .finish_non_exhaustive()
    }
}

/// A configuration that would be unsafe or cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// An authority that is no bare origin, or that would get the secret unencrypted.
    #[error("the authority has to be like {AUTHORITY}: https, no path (http only on loopback)")]
    Authority,
    /// A Graph address that is no bare origin, or that would get tokens unencrypted.
    #[error("Graph's base_url has to be like {BASE_URL}: https, no path (http only on loopback)")]
    BaseUrl,
    /// No app.
    #[error("client_id is empty: it is the application id of the Entra app")]
    ClientId,
    /// No secret.
    #[error("the client secret of the Entra app is empty")]
    ClientSecret,
}

/// The directory of one Entra tenant.
pub struct Graph {
    config: GraphConfig,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tokens: token::Tokens,
}

impl Graph {
    /// Checks the configuration; nothing is sent yet. `http` is expected to come from `crate::http::client`:
    /// time limits, no redirects.
    pub fn new(
        config: GraphConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Misconfigured> {
        if !is_safe_origin(&config.authority) {
            return Err(Misconfigured::Authority);
        }
        if !is_safe_origin(&config.base_url) {
            return Err(Misconfigured::BaseUrl);
        }
        if config.client_id.is_empty() {
            return Err(Misconfigured::ClientId);
        }
        if config.client_secret.expose().is_empty() {
            return Err(Misconfigured::ClientSecret);
        }
        Ok(Self { config, http, clock, entropy, tokens: token::Tokens::default() })
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("config", &self.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Directory for Graph {
    async fn find(&self, address: &str) -> Result<Vec<Person>, PortError> {
        people::find(self, address).await
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>, PortError> {
        people::person(self, id).await
    }

    async fn manager(&self, of: PersonId) -> Result<Option<Person>, PortError> {
        people::manager(self, of).await
    }

    async fn groups_among(
        &self,
        person: PersonId,
        groups: &[GroupId],
    ) -> Result<BTreeSet<GroupId>, PortError> {
        people::groups_among(self, person, groups).await
    }

    async fn members(&self, group: GroupId) -> Result<Vec<Person>, PortError> {
        people::members(self, group).await
    }

    async fn privileges(&self, person: PersonId) -> Result<Privileges, PortError> {
        privilege::privileges(self, person).await
    }

    async fn phones(&self, person: PersonId) -> Result<Vec<Contact>, PortError> {
        people::phones(self, person).await
    }

    async fn changes(&self, of: PersonId, since: Timestamp) -> Result<Vec<FileChange>, PortError> {
        audit::changes(self, of, since).await
    }

    async fn methods(&self, person: PersonId) -> Result<Vec<Method>, PortError> {
        methods::methods(self, person).await
    }

    async fn pass_policy(&self) -> Result<PassPolicy, PortError> {
        passes::policy(self).await
    }

    async fn passes(&self, of: PersonId) -> Result<Vec<PassMeta>, PortError> {
        passes::list(self, of).await
    }

    async fn create_pass(&self, of: PersonId, wish: PassWish) -> Result<NewPass, CreateError> {
        create::create(self, of, wish).await
    }

    async fn delete_pass(&self, of: PersonId, pass: &PassId) -> Result<(), PortError> {
        passes::delete(self, of, pass).await
    }

    async fn revoke_sessions(&self, of: PersonId) -> Result<(), PortError> {
        people::revoke_sessions(self, of).await
    }
}

/// Whether secrets may be sent there: encrypted, or to this very machine.
fn is_safe_origin(url: &Url) -> bool {
    let is_bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_bare && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_one_tenant() {
        let id = "5a1c8b1e-93a4-4c2a-8a79-0d5cbb2f9a10";
        assert_eq!(id.parse::<TenantId>().unwrap().to_string(), id);
        for many in [
            "common",
            "organizations",
            "consumers",
            "contoso.onmicrosoft.com",
            "",
            "00000000-0000-0000-0000-000000000000",
            "9188040d-6c67-4c5b-b112-36a304b66dad",
        ] {
            assert_eq!(many.parse::<TenantId>(), Err(NotATenant), "{many}");
        }
    }

    #[test]
    fn secrets_travel_encrypted_or_not_at_all() {
        let is_safe = |text: &str| is_safe_origin(&text.parse().unwrap());
        for safe in [AUTHORITY, BASE_URL, "http://127.0.0.1:4711", "http://localhost:1", "http://[::1]:1"] {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_ in [
            "http://graph.microsoft.com",
            "https://graph.microsoft.com/v1.0",
            "https://user:word@graph.microsoft.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
        ] {
            assert!(!is_safe(unsafe_), "{unsafe_}");
        }
    }

    #[test]
    fn the_configuration_prints_without_its_secret() {
        let tenant = "5a1c8b1e-93a4-4c2a-8a79-0d5cbb2f9a10".parse().unwrap();
        let secret = Secret::new("canary-7f3a".to_owned());
        let config = GraphConfig::public_cloud(tenant, "app".to_owned(), secret).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
