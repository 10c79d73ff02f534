//! How is a token asked for, and what comes back?

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use tapdesk_core::ports::PortError;
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Tokens;
use super::credential::Kind;
use super::denial::{Cause, Failure, of_authority, of_machine};
use super::identity::ManagedIdentity;
use crate::http;

/// A token is renewed this long before its end, so that no call starts with one that dies on the way.
const MARGIN: u64 = 300;
const ROUTE: &str = "/{tenant}/oauth2/v2.0/token";

/// A token that was granted.
pub(super) struct Token {
    pub(super) bearer: HeaderValue,
    pub(super) roles: BTreeSet<String>,
    pub(super) principal: Option<Uuid>,
    pub(super) fresh_until: Timestamp,
}

/// The authority gives the first, as a number; machines give texts, and some only the second.
#[derive(Deserialize)]
struct Granted<'a> {
    access_token: &'a str,
    expires_in: Option<Seconds<'a>>,
    expires_on: Option<Seconds<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds<'a> {
    Number(u64),
    Text(&'a str),
}

#[derive(Deserialize)]
struct Claims {
    tid: Uuid,
    #[serde(default)]
    roles: BTreeSet<String>,
    oid: Option<Uuid>,
}

impl Tokens {
    /// Asks once.
    pub(super) async fn ask(&self) -> Result<Token, Failure> {
        let id = uuid::Builder::from_random_bytes(self.entropy.array()).into_uuid();
        let started = Instant::now();
        let (route, outcome) = match self.app.credential.kind() {
            Kind::ManagedIdentity(identity) => (identity.endpoint.name(), self.ask_machine(identity).await),
            Kind::Secret(_) | Kind::SecretFile(_) | Kind::Certificate(_) | Kind::Federated(_) => {
                (ROUTE, self.ask_authority(id).await)
            }
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(_) => tracing::debug!(
                entra.route = route, entra.client_request_id = %id, entra.ms = ms, "Entra granted a token"
            ),
            Err(failure) => tracing::warn!(
                entra.route = route, entra.client_request_id = %id, entra.ms = ms, entra.code = failure.trace,
                "no token from Entra: {}", failure.what
            ),
        }
        outcome
    }

    async fn ask_authority(&self, id: Uuid) -> Result<Token, Failure> {
        let asked_at = self.clock.now();
        let app = &self.app;
        let mut url = app.authority.clone();
        url.set_path(&format!("/{}/oauth2/v2.0/token", app.tenant_id));
        let jti = uuid::Builder::from_random_bytes(self.entropy.array()).into_uuid();
        let proof = app.credential.fields(app, url.as_str(), jti, asked_at).await?;
        let scope = format!("{}/.default", self.resource);
        let mut form = vec![
            ("client_id", app.client_id.as_str()),
            ("scope", scope.as_str()),
            ("grant_type", "client_credentials"),
        ];
        form.extend(proof.iter().map(|(name, value)| (*name, value.as_str())));
        let request = self.http.post(url).header("client-request-id", id.to_string()).form(&form);
        let (status, headers, body) = send(request, "Entra's token endpoint").await?;
        if status.is_success() {
            return self.read(&body, asked_at, "Entra's token endpoint");
        }
        let mut failure = of_authority(status, self.retry_after(&headers), &body, app.credential.proof());
        if let (true, Some(theirs)) = (failure.cause == Cause::Untimely, date(&headers)) {
            let what = format!("{} (it is {asked_at} here, and {theirs} at Entra)", failure.what);
            failure.what = what.into();
        }
        Err(failure)
    }

    async fn ask_machine(&self, identity: &ManagedIdentity) -> Result<Token, Failure> {
        const WHO: &str = "the machine's identity endpoint";
        let asked_at = self.clock.now();
        let (status, headers, body) = send(identity.request(&self.http, &self.resource), WHO).await?;
        if status.is_success() {
            return self.read(&body, asked_at, WHO);
        }
        Err(of_machine(status, self.retry_after(&headers), &body))
    }

    fn read(&self, body: &[u8], asked_at: Timestamp, who: &str) -> Result<Token, Failure> {
        read_token(body, self.app.tenant_id.id(), asked_at, who)
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        http::retry_after(headers.get(RETRY_AFTER)?.to_str().ok(), self.clock.now())
    }
}

async fn send(
    request: RequestBuilder,
    who: &str,
) -> Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
    let response = request.header(ACCEPT, "application/json").send().await;
    let mut response: Response =
        response.map_err(|error| unreachable(who, &http::failed(&error), !error.is_timeout()))?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = http::body(response).await.map_err(|error| unreachable(who, &error, true))?;
    Ok((status, headers, Zeroizing::new(body)))
}

fn unreachable(who: &str, error: &PortError, again: bool) -> Failure {
    Failure { again, ..Failure::passing(format!("{who}: {error}")) }
}

/// What time it is there.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?).ok()
}

fn read_token(body: &[u8], tenant: Uuid, asked_at: Timestamp, who: &str) -> Result<Token, Failure> {
    let odd = || Failure::fatal(format!("{who} answered with something else than a token"));
    let granted: Granted<'_> = serde_json::from_slice(body).map_err(|_| odd())?;
    let claims = claims(granted.access_token).ok_or_else(odd)?;
    if claims.tid != tenant {
        return Err(Failure::fatal("the token is for another tenant than tenant_id"));
    }
    let text = Zeroizing::new(format!("Bearer {}", granted.access_token));
    let mut bearer = HeaderValue::try_from(text.as_str()).map_err(|_| odd())?;
    bearer.set_sensitive(true);
    let lives = granted.lives(asked_at).ok_or_else(odd)?;
    let fresh_for = Duration::from_secs(lives.saturating_sub(MARGIN));
    let fresh_until = asked_at.saturating_add(fresh_for).unwrap_or(asked_at);
    Ok(Token { bearer, roles: claims.roles, principal: claims.oid, fresh_until })
}

impl Granted<'_> {
    /// How many seconds the token is good from then on.
    fn lives(&self, asked_at: Timestamp) -> Option<u64> {
        if let Some(seconds) = &self.expires_in {
            return seconds.read();
        }
        let end = i64::try_from(self.expires_on.as_ref()?.read()?).ok()?;
        Some(u64::try_from(end - asked_at.as_second()).unwrap_or_default())
    }
}

impl Seconds<'_> {
    fn read(&self) -> Option<u64> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// What the token says about itself. Its signature is not checked: it came over TLS from the authority or from the
/// machine itself, and whoever is shown it is the one that relies on it.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "5a1c8b1e-93a4-4c2a-8a79-0d5cbb2f9a10";

    fn answer(payload: &str, expires: &str) -> String {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        format!(r#"{{"token_type":"Bearer",{expires},"access_token":"{token}"}}"#)
    }

    fn read(body: &str) -> Result<Token, Failure> {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        read_token(body.as_bytes(), TENANT.parse().unwrap(), now, "Entra")
    }

    #[test]
    fn a_token_of_the_tenant_is_used_until_five_minutes_before_its_end() {
        let payload = format!(r#"{{"tid":"{TENANT}","roles":["User.Read.All"]}}"#);
        for expires in [
            r#""expires_in":3599,"ext_expires_in":3599"#,
            r#""expires_in":"3599","expires_on":"1795428000""#,
            r#""expires_on":"1795431599""#,
            r#""expires_on":1795431599"#,
        ] {
            let token = read(&answer(&payload, expires)).unwrap();
            assert_eq!(token.fresh_until.to_string(), "2026-11-23T10:54:59Z", "{expires}");
            assert!(token.bearer.is_sensitive());
            assert!(token.roles.contains("User.Read.All"));
        }
        let over = read(&answer(&payload, r#""expires_on":"1506484173""#)).unwrap();
        assert_eq!(over.fresh_until.to_string(), "2026-11-23T10:00:00Z");
        assert!(read(&answer(&payload, r#""expires_in":"soon""#)).is_err());
    }

    #[test]
    fn a_token_of_another_tenant_or_of_none_is_refused() {
        for payload in [r#"{"tid":"11111111-1111-1111-1111-111111111111"}"#, "{}", "not json"] {
            assert!(read(&answer(payload, r#""expires_in":3599"#)).is_err(), "{payload}");
        }
        for body in ["<html>", "{}", r#"{"access_token":"opaque","expires_in":3599}"#] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
