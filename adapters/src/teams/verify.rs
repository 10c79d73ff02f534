//! Did the Bot Connector send this activity, to us, just now?
//!
//! The rules are the union of what Microsoft's own libraries refuse; each of them alone accepts something that another
//! one does not. The token covers neither body nor time of sending, so what it says is compared with every activity that
//! comes with it, and the activity's own id counts once.
//! Source: learn.microsoft.com, "Authentication with the Bot Connector API", 2026.

mod keys;
pub(super) mod outgoing;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use tapdesk_core::ports::{Clock, PortError};
use url::Url;

use self::keys::{Key, Keys};

/// The channel that Teams is to the Connector: others have bots too, and keys.
const CHANNEL: &str = "msteams";
/// How far the Connector's clock may be from ours, in seconds.
const LARGEST_SKEW: i64 = 300;
/// Longer than any token of the Connector.
const LONGEST_TOKEN: usize = 8 * 1024;
/// Tokens that are remembered; the Connector uses one for about an hour.
const MOST_TOKENS: usize = 256;

/// Why an activity is not taken to be the Connector's. For metrics; the answer carries no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotVerified {
    /// The authorization header is missing, repeated or of another kind.
    #[error("the authorization header is missing, repeated or of another kind")]
    Header,
    /// Not a token that the Connector makes.
    #[error("the token is malformed or of another kind")]
    Token,
    /// No key of that name is published.
    #[error("the token names a key that is not published")]
    Key,
    /// The keys could not be fetched yet: nothing can be verified.
    #[error("the keys to check tokens with are not there yet")]
    NoKeys,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// Somebody else made the token, or for somebody else.
    #[error("the token is by or for somebody else")]
    Parties,
    /// The token, or what it came with, is over or not yet good.
    #[error("too old or in the future")]
    Stale,
    /// The token does not go with the activity: another service, or a channel that its key may not speak for.
    #[error("the token does not go with the activity")]
    Activity,
}

/// Checks tokens.
pub(super) struct Verifier {
    app_id: String,
    issuer: String,
    keys: Keys,
    clock: Arc<dyn Clock>,
    /// What was verified, by the token's hash: it halves the work per activity.
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

/// What a genuine token says.
#[derive(Clone)]
pub(super) struct Verified {
    service_url: String,
    key: Arc<Key>,
    expires_at: i64,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: Option<i64>,
    serviceurl: String,
}

impl Verifier {
    pub(super) fn new(
        app_id: String,
        issuer: String,
        openid_url: Url,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keys = Keys::new(openid_url, http, Arc::clone(&clock));
        Self { app_id, issuer, keys, clock, verified: Mutex::default() }
    }

    /// Reads the token that came with a request; every activity is held against it afterwards.
    pub(super) async fn token(&self, headers: &HeaderMap) -> Result<Verified, NotVerified> {
        let token = bearer(only(headers, AUTHORIZATION.as_str())?)?;
        let hash = hash(token);
        if let Some(verified) = self.remembered(&hash) {
            return Ok(verified);
        }
        let header = decode_header(token).map_err(|_| NotVerified::Token)?;
        // Nothing else of the header is looked at: it could name keys of its sender's.
        if header.alg != Algorithm::RS256 || header.crit.is_some() {
            return Err(NotVerified::Token);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty()).ok_or(NotVerified::Token)?;
        let key = self.keys.find(&kid).await?;
        let claims = signed_claims(token, &key)?;
        self.check(&claims)?;
        let verified = Verified { service_url: claims.serviceurl, key, expires_at: claims.exp };
        self.remember(hash, verified.clone());
        Ok(verified)
    }

    /// How many keys the Connector publishes now that may speak for Teams.
    pub(super) async fn published(&self) -> Result<usize, PortError> {
        self.keys.speaking_for(CHANNEL).await
    }

    /// Where its keys are announced.
    pub(super) const fn announced_at(&self) -> &Url {
        self.keys.announced_at()
    }

    fn check(&self, claims: &Claims) -> Result<(), NotVerified> {
        if claims.iss != self.issuer || !claims.aud.eq_ignore_ascii_case(&self.app_id) {
            return Err(NotVerified::Parties);
        }
        let now = self.clock.now().as_second();
        let is_over = now > claims.exp.saturating_add(LARGEST_SKEW);
        let is_early = claims.nbf.is_some_and(|from| now < from.saturating_sub(LARGEST_SKEW));
        if is_over || is_early { Err(NotVerified::Stale) } else { Ok(()) }
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Verified> {
        let now = self.clock.now().as_second();
        let mut verified = self.lock();
        let known = verified.get(hash)?;
        if now < known.expires_at {
            return Some(known.clone());
        }
        verified.remove(hash);
        None
    }

    fn remember(&self, hash: [u8; 32], token: Verified) {
        let now = self.clock.now().as_second();
        let mut verified = self.lock();
        if verified.len() >= MOST_TOKENS {
            verified.retain(|_, known| now < known.expires_at);
        }
        if verified.len() < MOST_TOKENS && now < token.expires_at {
            verified.insert(hash, token);
        }
    }

    /// A panic elsewhere leaves the map whole: every change of it is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Verified>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verified {
    /// Whether the token goes with an activity of that service and channel.
    pub(super) fn goes_with(&self, service_url: &str, channel: &str) -> Result<(), NotVerified> {
        let is_same = self.service_url.trim_end_matches('/') == service_url.trim_end_matches('/');
        let is_endorsed = self.key.endorsements.iter().any(|endorsed| endorsed == channel);
        if is_same && is_endorsed && channel == CHANNEL { Ok(()) } else { Err(NotVerified::Activity) }
    }
}

/// Whether something that says it was sent at `sent` was sent just now.
pub(super) fn is_recent(sent: Timestamp, now: Timestamp) -> bool {
    now.as_second().abs_diff(sent.as_second()) <= LARGEST_SKEW.unsigned_abs()
}

/// The one value of a header. A proxy and a library may disagree on which of two counts, so two are refused.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, NotVerified> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| NotVerified::Header),
        (None | Some(_), _) => Err(NotVerified::Header),
    }
}

fn bearer(authorization: &str) -> Result<&str, NotVerified> {
    let (scheme, token) = authorization.split_once(' ').ok_or(NotVerified::Header)?;
    let is_token = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= LONGEST_TOKEN;
    if is_token { Ok(token) } else { Err(NotVerified::Header) }
}

/// The claims of a token whose signature is right. Times are ours to check: the library asks the machine's clock.
fn signed_claims(token: &str, key: &Key) -> Result<Claims, NotVerified> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    match decode::<Claims>(token, &key.decoding, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::InvalidSignature) => {
            Err(NotVerified::Signature)
        }
        Err(_) => Err(NotVerified::Token),
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}
