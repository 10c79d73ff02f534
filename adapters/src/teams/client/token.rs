//! Who is tapdesk to the Bot Connector?
//!
//! An app of its own, without any right in the directory: its token is good for sending messages and nothing else. It is
//! kept until five minutes before its end; however many calls need a new one, one request is under way.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tapdesk_core::ports::PortError;
use zeroize::Zeroizing;

use super::super::Teams;
use crate::http;

/// A token is renewed this long before its end, so that no call starts with one that dies on the way.
const MARGIN: u64 = 300;

/// The token that is used now; held while one is asked for.
#[derive(Default)]
pub(in crate::teams) struct Tokens(tokio::sync::Mutex<Option<Token>>);

struct Token {
    bearer: HeaderValue,
    fresh_until: Timestamp,
}

#[derive(Deserialize)]
struct Granted<'a> {
    access_token: &'a str,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: String,
    error_codes: Vec<u32>,
}

impl Teams {
    /// The `Authorization` header of a call.
    pub(super) async fn bearer(&self) -> Result<HeaderValue, PortError> {
        let mut slot = self.tokens.0.lock().await;
        let now = self.clock.now();
        if let Some(token) = slot.as_ref().filter(|token| now < token.fresh_until) {
            return Ok(token.bearer.clone());
        }
        *slot = None;
        let token = self.ask_authority(now).await?;
        Ok(slot.insert(token).bearer.clone())
    }

    /// Drops a token that the Connector refused, unless it was replaced meanwhile.
    pub(super) async fn forget_token(&self, refused: &HeaderValue) {
        self.tokens.0.lock().await.take_if(|token| token.bearer == refused);
    }

    async fn ask_authority(&self, now: Timestamp) -> Result<Token, PortError> {
        let mut url = self.authority.clone();
        url.set_path(&format!("/{}/oauth2/v2.0/token", self.ours.tenant));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.ours.app_id.as_str()),
            ("client_secret", self.app_secret.expose()),
            ("scope", self.token_scope.as_str()),
        ];
        let sent = self.http.post(url).form(&form).send().await;
        let response = sent.map_err(|error| http::failed(&error))?;
        let status = response.status();
        let after = http::retry_after(
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()),
            now,
        );
        let body = Zeroizing::new(http::body(response).await?);
        if status.is_success() {
            return read(&body, now);
        }
        let Denied { error, error_codes } = serde_json::from_slice(&body).unwrap_or_default();
        let code = error_codes.first().map_or(error, |code| format!("AADSTS{code}"));
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let what = format!("Entra gives Teams' app no token: status {}, {code}", status.as_u16());
        tracing::warn!(status = status.as_u16(), code, "no token for Teams from Entra");
        if status.as_u16() == 429 || status.is_server_error() {
            return Err(PortError::retry(what).after(after));
        }
        Err(PortError::fatal(format!("{what}; check teams.app_id, its secret and that it is of this tenant")))
    }
}

fn read(body: &[u8], now: Timestamp) -> Result<Token, PortError> {
    let odd = || PortError::fatal("Entra's token endpoint answered with something else than a token");
    let granted: Granted<'_> = serde_json::from_slice(body).map_err(|_| odd())?;
    let text = Zeroizing::new(format!("Bearer {}", granted.access_token));
    let mut bearer = HeaderValue::try_from(text.as_str()).map_err(|_| odd())?;
    bearer.set_sensitive(true);
    let fresh_for = Duration::from_secs(granted.expires_in.saturating_sub(MARGIN));
    Ok(Token { bearer, fresh_until: now.saturating_add(fresh_for).unwrap_or(now) })
}
