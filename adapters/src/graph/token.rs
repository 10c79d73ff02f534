//! Who is tapdesk to Graph?
//!
//! An app with a client secret: the token comes from the tenant's own endpoint, is kept until five minutes before
//! its end, and has to name the configured tenant. However many calls need a new one, one request is under way.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use tapdesk_core::ports::PortError;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Graph;
use super::answer::word;
use super::call::millis;
use crate::http;

/// A token is renewed this long before its end, so that no call starts with one that dies on the way.
const MARGIN: u64 = 300;
const ROUTE: &str = "/{tenant}/oauth2/v2.0/token";

/// The token that is used now, and how the last request for one ended.
#[derive(Default)]
pub(super) struct Tokens {
    /// Held while a token is asked for: whoever comes meanwhile waits for that answer instead of asking too.
    slot: Mutex<Slot>,
    /// How many requests have ended, so that a waiter knows whether one ended while it waited.
    ended: AtomicU64,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    failure: Option<Failure>,
}

struct Token {
    bearer: HeaderValue,
    roles: BTreeSet<String>,
    principal: Option<Uuid>,
    fresh_until: Timestamp,
}

/// Why there is no token; kept as data, since several waiters get the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    what: Cow<'static, str>,
    is_passing: bool,
    after: Option<Duration>,
    /// Whether asking once more at once may help.
    again: bool,
    trace: Option<String>,
}

#[derive(Deserialize)]
struct Granted<'a> {
    access_token: &'a str,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Claims {
    tid: Uuid,
    #[serde(default)]
    roles: BTreeSet<String>,
    oid: Option<Uuid>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: String,
    error_codes: Vec<u32>,
    trace_id: String,
    correlation_id: String,
}

impl Failure {
    fn fatal(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), is_passing: false, after: None, again: false, trace: None }
    }

    fn passing(what: impl Into<Cow<'static, str>>) -> Self {
        Self { is_passing: true, ..Self::fatal(what) }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let Failure { what, is_passing, after, trace, .. } = failure;
        let error = if is_passing { Self::retry(what).after(after) } else { Self::fatal(what) };
        match trace {
            Some(trace) => error.because(trace),
            None => error,
        }
    }
}

/// The application permissions that the token carries, and whose it is: the app's service principal. A granted token by
/// itself proves nothing, since Entra issues one to an app without any permission too.
pub(super) async fn identity(graph: &Graph) -> Result<(BTreeSet<String>, Option<Uuid>), PortError> {
    graph.bearer().await?;
    let slot = graph.tokens.slot.lock().await;
    Ok(slot.token.as_ref().map(|token| (token.roles.clone(), token.principal)).unwrap_or_default())
}

impl Graph {
    /// The `Authorization` header, with a token that stays valid for some minutes.
    pub(super) async fn bearer(&self) -> Result<HeaderValue, PortError> {
        let ended_before = self.tokens.ended.load(Ordering::Acquire);
        let mut slot = self.tokens.slot.lock().await;
        let now = self.clock.now();
        if let Some(token) = slot.token.as_ref().filter(|token| now < token.fresh_until) {
            return Ok(token.bearer.clone());
        }
        let has_waited = self.tokens.ended.load(Ordering::Acquire) != ended_before;
        if let (true, Some(failure)) = (has_waited, &slot.failure) {
            return Err(failure.clone().into());
        }
        let outcome = self.fetch_token().await;
        self.tokens.ended.fetch_add(1, Ordering::Release);
        *slot = Slot::default();
        match outcome {
            Ok(token) => Ok(slot.token.insert(token).bearer.clone()),
            Err(failure) => Err(slot.failure.insert(failure).clone().into()),
        }
    }

    /// Drops a token that Graph refused, unless it was replaced meanwhile.
    pub(super) async fn forget(&self, refused: &HeaderValue) {
        let mut slot = self.tokens.slot.lock().await;
        slot.token.take_if(|token| token.bearer == refused);
    }

    /// Asks for a token, twice where Microsoft's own library does: on 5xx without `Retry-After`.
    async fn fetch_token(&self) -> Result<Token, Failure> {
        match self.ask_authority().await {
            Err(failure) if failure.again => {
                tokio::time::sleep(self.config.retry_pause).await;
                self.ask_authority().await
            }
            outcome => outcome,
        }
    }

    async fn ask_authority(&self) -> Result<Token, Failure> {
        let config = &self.config;
        let asked_at = self.clock.now();
        let started = Instant::now();
        let client_request_id = self.fresh_id();
        let mut url = config.authority.clone();
        url.set_path(&format!("/{}/oauth2/v2.0/token", config.tenant_id));
        let scope = format!("{}/.default", config.base_url.as_str().trim_end_matches('/'));
        let answer = self
            .http
            .post(url)
            .header(ACCEPT, "application/json")
            .header("client-request-id", client_request_id.to_string())
            .form(&[
                ("client_id", config.client_id.as_str()),
                ("client_secret", config.client_secret.expose()),
                ("scope", scope.as_str()),
                ("grant_type", "client_credentials"),
            ])
            .send()
            .await;
        let outcome = match answer {
            Err(error) => Err(unreachable(&http::failed(&error), !error.is_timeout())),
            Ok(response) => {
                let status = response.status();
                let after = self.retry_after(response.headers());
                match http::body(response).await.map(Zeroizing::new) {
                    Err(error) => Err(unreachable(&error, true)),
                    Ok(body) if status.is_success() => read_token(&body, config.tenant_id.0, asked_at),
                    Ok(body) => Err(read_denial(status, after, &body)),
                }
            }
        };
        let ms = millis(started);
        match &outcome {
            Ok(_) => tracing::debug!(
                graph.method = "POST", graph.route = ROUTE, graph.client_request_id = %client_request_id,
                graph.ms = ms, "Entra granted a token"
            ),
            Err(failure) => tracing::warn!(
                graph.method = "POST", graph.route = ROUTE, graph.client_request_id = %client_request_id,
                graph.ms = ms, graph.code = failure.trace, "no token from Entra: {}", failure.what
            ),
        }
        outcome
    }
}

fn unreachable(error: &PortError, again: bool) -> Failure {
    Failure { again, ..Failure::passing(format!("Entra's token endpoint: {error}")) }
}

fn read_token(body: &[u8], tenant: Uuid, asked_at: Timestamp) -> Result<Token, Failure> {
    let odd = || Failure::fatal("Entra's token endpoint answered with something else than a token");
    let granted: Granted<'_> = serde_json::from_slice(body).map_err(|_| odd())?;
    let claims = claims(granted.access_token).ok_or_else(odd)?;
    if claims.tid != tenant {
        return Err(Failure::fatal("the token is for another tenant than tenant_id"));
    }
    let text = Zeroizing::new(format!("Bearer {}", granted.access_token));
    let mut bearer = HeaderValue::try_from(text.as_str()).map_err(|_| odd())?;
    bearer.set_sensitive(true);
    let fresh_for = Duration::from_secs(granted.expires_in.saturating_sub(MARGIN));
    let fresh_until = asked_at.saturating_add(fresh_for).unwrap_or(asked_at);
    Ok(Token { bearer, roles: claims.roles, principal: claims.oid, fresh_until })
}

/// What the token says about itself. Its signature is not checked: it came over TLS from the authority, and Graph
/// is the one that relies on it.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

/// What a denial means: by code, never by text, which Microsoft changes.
fn read_denial(status: StatusCode, after: Option<Duration>, body: &[u8]) -> Failure {
    let denied: Denied = serde_json::from_slice(body).unwrap_or_default();
    let code = denied.error_codes.first().copied();
    let failure = if let Some(what) = denied.error_codes.iter().find_map(|code| to_mend(*code)) {
        Failure::fatal(what)
    } else if denied.error_codes.iter().any(|code| is_transient(*code)) {
        Failure::passing("Entra cannot grant a token at the moment")
    } else if status.is_server_error() {
        Failure { again: after.is_none(), ..Failure::passing("Entra's token endpoint fails") }
    } else if matches!(status.as_u16(), 408 | 429) {
        Failure::passing("Entra asks for fewer token requests")
    } else if let Some(code) = code {
        Failure::fatal(format!(
            "Entra refuses the app's sign-in with AADSTS{code}: https://login.microsoftonline.com/error?code={code}"
        ))
    } else {
        Failure::fatal("the authority does not answer like Entra: check authority and tenant_id")
    };
    let trace = format!(
        "{} AADSTS{} {} (trace_id {}, correlation_id {})",
        status.as_u16(),
        code.unwrap_or_default(),
        word(&denied.error),
        word(&denied.trace_id),
        word(&denied.correlation_id)
    );
    Failure { after, trace: Some(trace), ..failure }
}

/// What somebody has to mend, by AADSTS code.
/// See <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn to_mend(code: u32) -> Option<&'static str> {
    Some(match code {
        7_000_215 => {
            "the client secret is wrong: client_secret_file has to hold the secret's value, not its id"
        }
        7_000_222 => {
            "the client secret of the Entra app expired: make a new one and update client_secret_file"
        }
        7_000_218 => "Entra got no client secret: check client_secret_file",
        700_016 => "the tenant has no app with this client_id: check client_id and tenant_id",
        7_000_112 => "the Entra app is disabled: enable it under enterprise applications",
        70_011 | 700_022 => "Entra refuses the scope: check base_url",
        90_002 => "there is no such tenant in this cloud: check tenant_id and authority",
        90_038 | 900_382 => "the tenant lives in another national cloud: check authority and base_url",
        900_023 | 9_001_023 => "tenant_id is not the id of one tenant",
        530_032 | 53_003 => "Conditional Access for workload identities blocks the app: allow it there",
        _ => return None,
    })
}

fn is_transient(code: u32) -> bool {
    matches!(code, 50_000 | 90_006 | 90_024 | 90_033 | 90_055 | 90_090)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "5a1c8b1e-93a4-4c2a-8a79-0d5cbb2f9a10";

    fn answer(payload: &str) -> String {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        format!(
            r#"{{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"{token}"}}"#
        )
    }

    fn read(body: &str) -> Result<Token, Failure> {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        read_token(body.as_bytes(), TENANT.parse().unwrap(), now)
    }

    fn denial(status: u16, code: u32) -> Failure {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{code}: about jane@contoso.com","error_codes":[{code}],"timestamp":"2025-04-04 21:10:04Z","trace_id":"t-1","correlation_id":"c-1"}}"#
        );
        read_denial(StatusCode::from_u16(status).unwrap(), None, body.as_bytes())
    }

    #[test]
    fn a_token_of_the_tenant_is_used_until_five_minutes_before_its_end() {
        let token = read(&answer(&format!(r#"{{"tid":"{TENANT}","roles":["User.Read.All"]}}"#))).unwrap();
        assert_eq!(token.fresh_until.to_string(), "2026-11-23T10:54:59Z");
        assert!(token.bearer.is_sensitive());
        assert!(token.roles.contains("User.Read.All"));
    }

    #[test]
    fn a_token_of_another_tenant_or_of_none_is_refused() {
        for payload in [r#"{"tid":"11111111-1111-1111-1111-111111111111"}"#, "{}", "not json"] {
            assert!(read(&answer(payload)).is_err(), "{payload}");
        }
        for body in ["<html>", "{}", r#"{"access_token":"opaque","expires_in":3599}"#] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_denial_says_what_to_mend_or_that_it_passes() {
        for code in [7_000_215, 7_000_222, 7_000_218, 700_016, 700_027, 7_000_112, 90_002, 90_038, 530_032] {
            assert!(!denial(401, code).is_passing, "{code}");
        }
        assert!(denial(401, 7_000_222).what.contains("make a new one and update client_secret_file"));
        for code in [90_006, 90_024, 90_033, 90_055, 90_090] {
            assert!(denial(400, code).is_passing, "{code}");
        }
        assert!(denial(400, 4_711).what.contains("AADSTS4711"));
    }

    #[test]
    fn only_a_server_error_without_retry_after_is_asked_again_at_once() {
        let bare = |status: u16, after| read_denial(StatusCode::from_u16(status).unwrap(), after, b"");
        assert!(bare(503, None).again);
        let told = bare(503, Some(Duration::from_secs(9)));
        assert!(!told.again);
        assert!(matches!(PortError::from(told), PortError::Retry { after: Some(_), .. }));
        assert!(!bare(429, None).again);
        assert!(!denial(401, 7_000_222).again);
    }

    #[test]
    fn a_denial_keeps_codes_and_ids_and_no_text() {
        let trace = denial(401, 7_000_222).trace.unwrap();
        assert_eq!(trace, "401 AADSTS7000222 invalid_client (trace_id t-1, correlation_id c-1)");
    }
}
