//! How do ticket systems and workflows ask, and how do they hear what became of it?
//!
//! Each is a source of its own name and secret: `verify` (was it them, and just now), `parse` (what do they want),
//! `client` (what is sent back), `examine` (could it be).

mod client;
mod examine;
mod parse;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use reqwest::{Client, Url};
use tapdesk_core::ids::SourceName;
use tapdesk_core::ports::{Clock, PortError, Source};
use tapdesk_core::source::{Order, SourceTerms, Status};

pub use self::parse::Wrong;
pub use self::verify::NotVerified;
use crate::secret::Secret;

/// What a source needs to work.
pub struct HookConfig {
    /// Its name.
    pub name: SourceName,
    /// Its secret, and the one before it while they rotate.
    pub secrets: Vec<Secret>,
    /// Where it is told what became of its requests; it is told nothing without.
    pub status_url: Option<Url>,
    /// What it may do.
    pub terms: SourceTerms,
}

/// One source.
pub struct Hook {
    config: HookConfig,
    http: Client,
    clock: Arc<dyn Clock>,
}

/// Every source that is configured.
#[derive(Clone, Default)]
pub struct Hooks(Vec<Arc<Hook>>);

/// Why a message is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// Not signed as that source signs, or not now.
    NotVerified(NotVerified),
    /// Signed, and not understood.
    Wrong(SourceName, Wrong),
}

impl Hook {
    /// A source as it is configured.
    #[must_use]
    pub fn new(config: HookConfig, http: Client, clock: Arc<dyn Clock>) -> Self {
        Self { config, http, clock }
    }
}

impl Hooks {
    /// Those sources.
    #[must_use]
    pub fn new(hooks: Vec<Hook>) -> Self {
        Self(hooks.into_iter().map(Arc::new).collect())
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// They as the desk knows them.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        self.0.iter().map(|hook| Arc::clone(hook) as Arc<dyn Source>).collect()
    }

    /// Checks who sent it and reads what they want. A source that is not there and a signature that is wrong are one.
    pub fn receive(&self, headers: &HeaderMap, body: &[u8]) -> Result<(SourceName, Order), NotTaken> {
        let name = verify::claimed(headers).map_err(NotTaken::NotVerified)?;
        let hook = self.0.iter().find(|hook| hook.config.name == name);
        let hook = hook.ok_or(NotTaken::NotVerified(NotVerified::Signature))?;
        let (secrets, now) = (&hook.config.secrets, hook.clock.now());
        verify::verify(headers, body, secrets, now).map_err(NotTaken::NotVerified)?;
        match parse::parse(body) {
            Ok(order) => Ok((name, order)),
            Err(wrong) => Err(NotTaken::Wrong(name, wrong)),
        }
    }
}

#[async_trait]
impl Source for Hook {
    fn name(&self) -> &SourceName {
        &self.config.name
    }

    fn terms(&self) -> SourceTerms {
        self.config.terms
    }

    async fn tell(&self, status: &Status) -> Result<(), PortError> {
        let Some(url) = &self.config.status_url else { return Ok(()) };
        let HookConfig { name, secrets, .. } = &self.config;
        client::send(&self.http, url, name, secrets, status, self.clock.now()).await
    }
}
