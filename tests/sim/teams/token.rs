//! How does the bot prove to Entra that it is the bot?
//!
//! The client-credentials grant of the tenant that the bot is registered in, for the Bot Framework alone: an application of
//! its own, whose tokens are worth nothing at Graph.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Form, Path, State as Shared};
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Inner;
use super::state::State;
use crate::chance;
use crate::entra::{Refusal, jwt, required};
use crate::wire::lock;

const LIFETIME_SECONDS: i64 = 3599;

pub(super) async fn grant(
    Shared(inner): Shared<Inner>,
    Path(tenant): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let now = (inner.now)();
    let mut state = lock(&inner.state);
    match check(&state, &tenant, &form) {
        Err(refusal) => refusal.answer(now),
        Ok(()) => Json(json!({
            "token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS,
            "access_token": issue(&mut state, now),
        }))
        .into_response(),
    }
}

fn check(state: &State, tenant: &str, form: &HashMap<String, String>) -> Result<(), Refusal> {
    if !tenant.eq_ignore_ascii_case(&state.app.tenant_id) {
        return Err(Refusal::new(90002, "invalid_request", &format!("Tenant '{tenant}' not found.")));
    }
    if required(form, "grant_type")? != "client_credentials" {
        let text = "The app requested an unsupported grant type.";
        return Err(Refusal::new(70003, "unsupported_grant_type", text));
    }
    let client = required(form, "client_id")?;
    if client != state.app.app_id {
        let text =
            format!("Application with identifier '{client}' was not found in the directory '{tenant}'.");
        return Err(Refusal::new(700_016, "unauthorized_client", &text));
    }
    let scope = required(form, "scope")?;
    if scope != super::SCOPE {
        let text = format!("The provided value for the input parameter 'scope' is not valid: {scope}.");
        return Err(Refusal::new(70011, "invalid_scope", &text));
    }
    if required(form, "client_secret")? != state.app.secret {
        return Err(Refusal::new(7_000_215, "invalid_client", "Invalid client secret provided."));
    }
    Ok(())
}

fn issue(state: &mut State, now: Timestamp) -> String {
    let end = now.saturating_add(SignedDuration::from_secs(LIFETIME_SECONDS)).unwrap_or(Timestamp::MAX);
    let token = jwt(&json!({
        "aud": "https://api.botframework.com", "iss": format!("https://sts.windows.net/{}/", state.app.tenant_id),
        "iat": now.as_second(), "nbf": now.as_second(), "exp": end.as_second(), "appid": state.app.app_id,
        "idtyp": "app", "tid": state.app.tenant_id, "uti": chance::id("uti"), "ver": "1.0",
    }));
    state.tokens.insert(token.clone(), end);
    token
}
