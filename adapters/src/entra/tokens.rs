//! How long is a token used, and who asks for the next one?
//!
//! Until five minutes before its end. However many calls need a new one, one request is under way; and when the other
//! side says how long it wants to be left alone, nobody asks before that.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use reqwest::header::HeaderValue;
use tapdesk_core::ports::{Clock, Entropy, PortError};
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use super::denial::{Cause, Failure};
use super::request::Token;
use super::{App, Misconfigured, Proof, is_safe_origin};
use crate::http;

/// How long a new trust in another issuer may take to spread.
const SPREADS_WITHIN: Duration = Duration::from_mins(10);

/// The tokens of an app for one resource.
pub struct Tokens {
    pub(super) app: App,
    /// The resource without a slash at its end; `/.default` stands for every permission that was granted.
    pub(super) resource: String,
    pub(super) http: Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Held while a token is asked for: whoever comes meanwhile waits for that answer instead of asking too.
    slot: Mutex<Slot>,
    /// How many requests have ended, so that a waiter knows whether one ended while it waited.
    ended: AtomicU64,
}

/// The token that is used now, or how the last request for one ended.
#[derive(Default)]
struct Slot {
    token: Option<Token>,
    failure: Option<Failure>,
    rest_until: Option<Timestamp>,
    unmatched_since: Option<Timestamp>,
}

impl Tokens {
    /// Checks the app; nothing is sent yet. `http` is expected to come from `crate::http::client`: time limits, no
    /// redirects, no proxies.
    pub fn new(
        app: App,
        resource: &Url,
        http: Client,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Misconfigured> {
        if !is_safe_origin(&app.authority) {
            return Err(Misconfigured::Authority);
        }
        if !is_safe_origin(resource) {
            return Err(Misconfigured::Resource);
        }
        if app.client_id.is_empty() && app.credential.proof() != Proof::ManagedIdentity {
            return Err(Misconfigured::ClientId);
        }
        if app.credential.is_empty() {
            return Err(Misconfigured::ClientSecret);
        }
        let resource = resource.as_str().trim_end_matches('/').to_owned();
        let (slot, ended) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self { app, resource, http, clock, entropy, slot, ended })
    }

    /// The `Authorization` header, with a token that stays valid for some minutes.
    pub async fn bearer(&self) -> Result<HeaderValue, PortError> {
        let ended_before = self.ended.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        let now = self.clock.now();
        if let Some(token) = slot.token.as_ref().filter(|token| now < token.fresh_until) {
            return Ok(token.bearer.clone());
        }
        if let Some(failure) = &slot.failure {
            let has_waited = self.ended.load(Ordering::Acquire) != ended_before;
            let rest = slot.rest_until.filter(|until| now < *until);
            let after = rest.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
            if has_waited || after.is_some() {
                return Err(Failure { after, ..failure.clone() }.into());
            }
        }
        let outcome = self.fetch().await;
        self.ended.fetch_add(1, Ordering::Release);
        slot.settle(outcome, self.clock.now())
    }

    /// Drops a token that was refused, unless it was replaced meanwhile.
    pub async fn forget(&self, refused: &HeaderValue) {
        let mut slot = self.slot.lock().await;
        slot.token.take_if(|token| token.bearer == refused);
    }

    /// The app that they are given to.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// The application permissions that the token carries, and whose it is: the app's service principal. A granted token by
    /// itself proves nothing, since Entra issues one to an app without any permission too.
    pub async fn identity(&self) -> Result<(BTreeSet<String>, Option<Uuid>), PortError> {
        self.bearer().await?;
        let slot = self.slot.lock().await;
        Ok(slot.token.as_ref().map(|token| (token.roles.clone(), token.principal)).unwrap_or_default())
    }

    /// Asks for a token, again where Microsoft's own library does: the authority once, a machine three times with growing
    /// pauses.
    async fn fetch(&self) -> Result<Token, Failure> {
        let first = self.app.retry_pause;
        let most = match self.app.credential.proof() {
            Proof::ManagedIdentity => 4,
            Proof::Secret | Proof::Certificate | Proof::Federated => 2,
        };
        let mut tries = 1;
        loop {
            match self.ask().await {
                Err(failure) if failure.again && tries < most => {
                    let [dice] = self.entropy.array();
                    tokio::time::sleep(http::pause(first, tries, dice)).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

impl Slot {
    fn settle(&mut self, outcome: Result<Token, Failure>, now: Timestamp) -> Result<HeaderValue, PortError> {
        let unmatched_since = self.unmatched_since;
        *self = Self::default();
        match outcome {
            Ok(token) => Ok(self.token.insert(token).bearer.clone()),
            Err(mut failure) => {
                if failure.cause == Cause::Unmatched {
                    let since = *self.unmatched_since.insert(unmatched_since.unwrap_or(now));
                    failure.is_passing =
                        Duration::try_from(now.duration_since(since)).unwrap_or_default() < SPREADS_WITHIN;
                }
                if failure.is_passing {
                    self.rest_until = failure.after.and_then(|after| now.checked_add(after).ok());
                }
                Err(self.failure.insert(failure).clone().into())
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("app", &self.app)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
