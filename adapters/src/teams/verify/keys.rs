//! With which keys does the Bot Connector sign, and for which channels is each good?
//!
//! Fetched when the first token comes, so that tapdesk starts without network, and kept for a day. However many tokens
//! name a key that is not known, one fetch is under way, and the next one waits five minutes: garbage must not make us
//! hammer Microsoft. Keys stay in use while they cannot be fetched anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tapdesk_core::ports::{Clock, PortError};
use url::Url;

use super::super::is_safe;
use super::NotVerified;
use crate::http;

/// How long keys are good without being looked at again. Microsoft allows five days, its own library takes one.
const KEPT: Duration = Duration::from_hours(24);
/// How long the next fetch waits after one that was due to an unknown key, or that failed.
const PAUSE: Duration = Duration::from_mins(5);

/// The Connector's keys.
pub(super) struct Keys {
    openid_url: Url,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Arc<Set>>>,
    /// When the last fetch began; held while one is under way.
    fetching: tokio::sync::Mutex<Option<Timestamp>>,
    /// How many fetches have ended, so that whoever waited for one takes its outcome.
    ended: AtomicU64,
}

struct Set {
    keys: HashMap<String, Arc<Key>>,
    fetched_at: Timestamp,
}

/// A published key.
pub(super) struct Key {
    /// What checks its signatures.
    pub(super) decoding: DecodingKey,
    /// The channels that it may speak for. Without any it speaks for none.
    pub(super) endorsements: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<PublishedKey>,
}

#[derive(Deserialize)]
struct PublishedKey {
    kid: Option<String>,
    kty: Option<String>,
    n: Option<String>,
    e: Option<String>,
    #[serde(default)]
    endorsements: Vec<String>,
}

impl Keys {
    pub(super) fn new(openid_url: Url, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        let (known, fetching) = (Mutex::new(None), tokio::sync::Mutex::new(None));
        Self { openid_url, http, clock, known, fetching, ended: AtomicU64::new(0) }
    }

    /// The key of that name.
    pub(super) async fn find(&self, kid: &str) -> Result<Arc<Key>, NotVerified> {
        if let Some(key) = self.fresh(kid) {
            return Ok(key);
        }
        let ended_before = self.ended.load(Ordering::Acquire);
        let mut began = self.fetching.lock().await;
        if let Some(key) = self.fresh(kid) {
            return Ok(key);
        }
        let now = self.clock.now();
        let is_due = match (self.known(), *began) {
            (None, _) => self.ended.load(Ordering::Acquire) == ended_before,
            (Some(_), Some(last)) => is_over(last, PAUSE, now),
            (Some(_), None) => true,
        };
        if is_due {
            *began = Some(now);
            match self.fetch(now).await {
                Ok(set) => *self.lock() = Some(Arc::new(set)),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the Bot Connector's keys could not be fetched"
                    );
                }
            }
            self.ended.fetch_add(1, Ordering::Release);
        }
        let known = self.known().ok_or(NotVerified::NoKeys)?;
        known.keys.get(kid).cloned().ok_or(NotVerified::Key)
    }

    /// How many keys are published now that may speak for a channel. What is kept stays as it is.
    pub(super) async fn speaking_for(&self, channel: &str) -> Result<usize, PortError> {
        let set = self.fetch(self.clock.now()).await?;
        let speaks = |key: &&Arc<Key>| key.endorsements.iter().any(|endorsed| endorsed == channel);
        Ok(set.keys.values().filter(speaks).count())
    }

    /// Where they are announced.
    pub(super) const fn announced_at(&self) -> &Url {
        &self.openid_url
    }

    fn fresh(&self, kid: &str) -> Option<Arc<Key>> {
        let known = self.known()?;
        let is_fresh = !is_over(known.fetched_at, KEPT, self.clock.now());
        known.keys.get(kid).filter(|_| is_fresh).cloned()
    }

    fn known(&self) -> Option<Arc<Set>> {
        self.lock().clone()
    }

    /// A panic elsewhere leaves it whole: every change of it is one assignment.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Set>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, now: Timestamp) -> Result<Set, PortError> {
        let metadata: Metadata = self.get(self.openid_url.clone()).await?;
        if !is_safe(&metadata.jwks_uri) {
            return Err(PortError::fatal("the Bot Connector's metadata names an address that is not https"));
        }
        let published: Published = self.get(metadata.jwks_uri).await?;
        let keys: HashMap<String, Arc<Key>> = published.keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err(PortError::fatal("the Bot Connector publishes no RSA key"));
        }
        tracing::info!(keys = keys.len(), "the Bot Connector's keys were fetched");
        Ok(Set { keys, fetched_at: now })
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, PortError> {
        let response = self.http.get(url).send().await.map_err(|error| http::failed(&error))?;
        if !response.status().is_success() {
            return Err(PortError::retry(format!("status {}", response.status().as_u16())));
        }
        let body = http::body(response).await?;
        serde_json::from_slice(&body)
            .map_err(|error| PortError::fatal("not what is documented").because(error))
    }
}

fn usable(key: PublishedKey) -> Option<(String, Arc<Key>)> {
    if key.kty.as_deref() != Some("RSA") {
        return None;
    }
    let decoding = DecodingKey::from_rsa_components(&key.n?, &key.e?).ok()?;
    Some((key.kid?, Arc::new(Key { decoding, endorsements: key.endorsements })))
}

fn is_over(since: Timestamp, time: Duration, now: Timestamp) -> bool {
    since.checked_add(time).is_ok_and(|end| now >= end)
}
