//! With what do commands work that only look?
//!
//! The same adapters as the service's, a store that is read and never made, and a ledger that takes nothing.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use tapdesk_adapters::finding::Finding;
use tapdesk_adapters::graph::{Graph, Uses};
use tapdesk_adapters::http;
use tapdesk_adapters::stores::embedded::{Embedded, OpenError};
use tapdesk_adapters::stores::redis::Redis;
use tapdesk_core::desk::Desk;
use tapdesk_core::ids::LedgerName;
use tapdesk_core::ledger::{Head, Record};
use tapdesk_core::people::ContactSource;
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{Clock, Directory, Entropy, Ledger, PortError, Store};

use super::{Parts, idle_desk};
use crate::config::{Config, StoreKind};
use crate::system::{SystemClock, SystemEntropy};

/// The adapters of a configuration, each made when it is looked at.
pub(crate) struct Look<'c> {
    config: &'c Config,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    graph: Result<Arc<Graph>, anyhow::Error>,
    store: Kept,
}

/// Where state is, for somebody who only reads it.
pub(crate) enum Kept {
    /// Here.
    Readable(Arc<dyn Store>),
    /// In the hands of a service that runs.
    Held,
    /// Nowhere yet: the first start makes it.
    NotYet,
    /// It cannot be opened.
    Broken(anyhow::Error),
}

/// A ledger for whoever writes nothing.
struct Unwritten;

impl<'c> Look<'c> {
    /// Makes nothing and connects nowhere yet, but opens a store that nobody else has open.
    pub(crate) fn at(config: &'c Config) -> anyhow::Result<Self> {
        let limits = http::Limits { connect: config.outbound.connect, total: config.outbound.total };
        let http = http::client(limits).context("the HTTP client cannot be built")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let graph = super::graph(config, &http, &clock, &entropy).map(Arc::new);
        let store = kept(config, &*entropy);
        Ok(Self { config, http, clock, entropy, graph, store })
    }

    /// Now.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Where state is.
    pub(crate) fn store(&self) -> &Kept {
        &self.store
    }

    /// The directory, unless the configuration does not tell how to reach it.
    pub(crate) fn directory(&self) -> Option<Arc<dyn Directory>> {
        self.graph.as_ref().ok().map(|graph| Arc::clone(graph) as Arc<dyn Directory>)
    }

    /// A desk that can look and cannot write. What only the store knows is missing where it is not at hand.
    pub(crate) fn desk(&self) -> anyhow::Result<Desk> {
        let store: Arc<dyn Store> = match &self.store {
            Kept::Readable(store) => Arc::clone(store),
            Kept::Held | Kept::NotYet | Kept::Broken(_) => Arc::new(Embedded::in_memory()?),
        };
        let ledger = Arc::new(Unwritten);
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        let parts = Parts::around(self.config, store, None, ledger, clock, entropy)?;
        Ok(idle_desk(self.config, parts))
    }

    /// What Graph says about itself.
    pub(crate) async fn graph(&self) -> Vec<Finding> {
        let rules = &self.config.policy.rules;
        let uses = Uses {
            phones: rules.iter().any(|rule| {
                let carries = rule.ticket.iter().chain(&rule.pin).any(|route| *route == Route::Sms);
                carries && rule.contacts.contains(&ContactSource::PhoneMethods)
            }),
            audit_log: rules.iter().any(|rule| rule.cool_down.is_some()),
        };
        match &self.graph {
            Ok(graph) => graph.examine(uses).await,
            Err(error) => vec![unusable("[graph]", error)],
        }
    }

    /// What Slack says about itself, where it is configured.
    pub(crate) async fn slack(&self) -> Option<Vec<Finding>> {
        let section = self.config.slack.as_ref()?;
        Some(match super::slack(section, &self.http, &self.clock) {
            Ok(slack) => slack.examine().await,
            Err(error) => vec![unusable("[slack]", &error)],
        })
    }

    /// What Entra and the Connector say about the bot in Teams, where one is configured.
    pub(crate) async fn teams(&self) -> Option<Vec<Finding>> {
        let section = self.config.teams.as_ref()?;
        let made = Embedded::in_memory().map_err(anyhow::Error::from).and_then(|store| {
            let store: Arc<dyn Store> = Arc::new(store);
            super::teams(section, self.config, &self.http, &self.clock, &self.entropy, &store)
        });
        Some(match made {
            Ok(teams) => teams.examine().await,
            Err(error) => vec![unusable("[teams]", &error)],
        })
    }

    /// What can be seen of the ticket systems and workflows, where any are configured.
    pub(crate) async fn hooks(&self) -> Option<Vec<Finding>> {
        if self.config.hook.is_empty() {
            return None;
        }
        Some(match super::hooks(self.config, &self.http, &self.clock) {
            Ok(hooks) => hooks.examine().await,
            Err(error) => vec![unusable("[hook]", &error)],
        })
    }

    /// What Twilio says about itself, where it is configured.
    pub(crate) async fn text_messages(&self) -> Option<Vec<Finding>> {
        let section = self.config.courier.sms.as_ref()?;
        Some(match super::twilio(section, self.config, &self.http, &self.clock) {
            Ok(twilio) => twilio.examine().await,
            Err(error) => vec![unusable("[courier.sms]", &error)],
        })
    }

    /// What the mail server says, where one is configured.
    pub(crate) async fn mail(&self) -> Option<Vec<Finding>> {
        let section = self.config.courier.email.as_ref()?;
        Some(match super::mail(section, self.config, &self.clock, &self.entropy) {
            Ok(mail) => mail.examine().await,
            Err(error) => vec![unusable("[courier.email]", &error)],
        })
    }

    /// What Redis says about itself, where it is the store.
    pub(crate) async fn redis(&self) -> Option<Vec<Finding>> {
        match self.config.store.kind {
            StoreKind::Embedded => None,
            StoreKind::Redis => Some(match super::redis(&self.config.store, &*self.entropy) {
                Ok(redis) => redis.examine().await,
                Err(error) => vec![unusable("[store]", &error)],
            }),
        }
    }
}

/// A section that nothing can be made from: a secret file that cannot be read, an id that is none.
fn unusable(section: &str, error: &anyhow::Error) -> Finding {
    Finding::fault(section, format!("{error:#}"), "mend it, then: tapdesk check-config")
}

fn kept(config: &Config, entropy: &dyn Entropy) -> Kept {
    let store = &config.store;
    match (store.kind, &store.path) {
        (StoreKind::Redis, _) => match super::redis(store, entropy) {
            Ok(redis) => Kept::Readable(redis as Arc<Redis>),
            Err(error) => Kept::Broken(error),
        },
        (StoreKind::Embedded, Some(path)) if path.exists() => match Embedded::open(path) {
            Ok(store) => Kept::Readable(Arc::new(store)),
            Err(OpenError::Busy(_)) => Kept::Held,
            Err(error) => Kept::Broken(error.into()),
        },
        (StoreKind::Embedded, _) => Kept::NotYet,
    }
}

#[async_trait]
impl Ledger for Unwritten {
    async fn append(&self, _: Vec<Record>) -> Result<Head, PortError> {
        Err(PortError::fatal("this command only looks, and writes nothing"))
    }

    fn head(&self) -> Head {
        Head::empty(LedgerName::default())
    }
}
