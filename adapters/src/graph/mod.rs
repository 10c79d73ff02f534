//! How does tapdesk read and write Entra?
//!
//! [`Graph`] implements the core's `Directory` with Microsoft Graph v1.0 and an app-only token. One sub-module
//! per question: `call` and `answer` (one call, its log line, its repeats), `people`, `audit`, `privilege`, `methods`,
//! `passes` (policy, list, delete), `create` (the one call that is never repeated), and `examine` with `permission` (could
//! all of that work in this tenant).

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

use std::collections::BTreeSet;
use std::fmt;
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
use url::Url;

use crate::entra::{App, Misconfigured, Tokens};

pub use examine::Uses;

/// What an organisation decides about Graph.
#[derive(Debug)]
pub struct GraphConfig {
    /// Where Graph is, usually [`Cloud::graph`](crate::entra::Cloud::graph); plain HTTP only on loopback.
    pub base_url: Url,
    /// The pause before the first repeat of a call, usually [`RETRY_PAUSE`](crate::entra::RETRY_PAUSE); later pauses grow
    /// from it.
    pub retry_pause: Duration,
    /// Whether the tenant has a licence for Privileged Identity Management (Entra ID P2 or Governance).
    ///
    /// Without one, Graph answers the look-up of eligible roles with `AadPremiumLicenseRequired`. `false` reads
    /// exactly that answer as "nobody is eligible"; `true`, the safe default, makes it an error like any other.
    pub tenant_has_pim: bool,
}

/// The directory of one Entra tenant.
pub struct Graph {
    config: GraphConfig,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tokens: Tokens,
}

impl Graph {
    /// Checks the configuration; nothing is sent yet. `http` is expected to come from `crate::http::client`:
    /// time limits, no redirects.
    pub fn new(
        app: App,
        config: GraphConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Misconfigured> {
        let tokens =
            Tokens::new(app, &config.base_url, http.clone(), Arc::clone(&clock), Arc::clone(&entropy))?;
        Ok(Self { config, http, clock, entropy, tokens })
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("config", &self.config)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
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
