//! How does the program prove to Entra who it is, and what does it get for that?
//!
//! The v2.0 token endpoint for the client-credentials grant (a secret, an assertion of the app's own, or a federated one),
//! and the identity endpoints of the machine that the program runs on; against an access token, with the documented
//! refusals. [`Entra`] remembers every token, so that Graph knows them and a story can revoke them.

mod assertion;
mod machine;
mod proof;
mod refusal;
mod registration;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use jiff::Timestamp;
use serde_json::json;
use url::Url;

pub use assertion::EXCHANGE;
use assertion::Federated;
pub use machine::Machine;
pub use proof::{EVERY_PROOF, Issuer, Pair, Proof, Proofs, SUBJECT};
pub(crate) use refusal::Refusal;
use registration::{Asked, Desk, LIFETIME_SECONDS, Registration};
pub(crate) use registration::{jwt, required};

use crate::chance::Clock;
use crate::wire::Wire;

/// What the program needs and no more (application permissions of Graph).
pub const LEAST_PERMISSIONS: [&str; 8] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "RoleManagement.Read.Directory",
    "RoleEligibilitySchedule.Read.Directory",
    "UserAuthMethod-TAP.ReadWrite.All",
    "UserAuthMethod-Phone.Read.All",
    "Policy.Read.AuthenticationMethod",
    "User.RevokeSessions.All",
];

/// What an access token says, as Graph reads it.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Tenant that issued the token.
    pub tid: String,
    /// Granted application permissions.
    pub roles: Vec<String>,
    /// End of life.
    pub expires: Timestamp,
}

/// The token endpoint of one tenant with one registered application.
#[derive(Clone)]
pub struct Entra {
    /// What was asked, and the troubles.
    pub wire: Wire,
    /// The authority: what stands in for `https://login.microsoftonline.com/`.
    pub url: Url,
    /// The tenant.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// The machine that the program runs on.
    pub machine: Machine,
    desk: Desk,
}

impl Entra {
    /// Starts the endpoint on a free loopback port, with [`LEAST_PERMISSIONS`] granted.
    pub async fn start(clock: Clock) -> anyhow::Result<Self> {
        let wire = Wire::default();
        let registration = Registration::new();
        let (tenant_id, client_id) = (registration.tenant_id.clone(), registration.client_id.clone());
        let desk = Desk { clock, registration: Arc::new(Mutex::new(registration)) };
        let router = Router::new().route("/{tenant}/oauth2/v2.0/token", post(token)).with_state(desk.clone());
        let url = Url::parse(&format!("http://{}/", wire.serve(router).await?))?;
        let machine = Machine::start(desk.clone()).await?;
        Ok(Self { wire, url, tenant_id, client_id, machine, desk })
    }

    /// The secret of the application.
    #[must_use]
    pub fn client_secret(&self) -> String {
        self.desk.with(|r| r.secret.clone())
    }

    /// Replaces the secret, as an administrator does; the old one is wrong from now on.
    #[must_use]
    pub fn rotate_secret(&self) -> String {
        self.desk.with(|r| {
            r.old_secrets.push(std::mem::replace(&mut r.secret, registration::new_secret()));
            r.secret.clone()
        })
    }

    /// Believes whoever has the key of that certificate, as when an administrator uploads it.
    pub fn upload(&self, pair: Pair) {
        self.desk.with(|r| r.trust.certificates.push(pair));
    }

    /// Forgets every certificate.
    pub fn forget_certificates(&self) {
        self.desk.with(|r| r.trust.certificates.clear());
    }

    /// Believes that issuer's tokens for that subject.
    pub fn trust(&self, issuer: &Issuer, subject: &str) {
        let federated = Federated { issuer: issuer.clone(), subject: subject.to_owned() };
        self.desk.with(|r| r.trust.federated.push(federated));
    }

    /// Forgets every issuer.
    pub fn forget_issuers(&self) {
        self.desk.with(|r| r.trust.federated.clear());
    }

    /// Sets the granted application permissions. Like in Entra, only tokens from now on carry them.
    pub fn grant(&self, permissions: &[&str]) {
        self.desk.with(|r| r.granted = permissions.iter().map(ToString::to_string).collect());
    }

    /// Grants one permission more, to tokens from now on.
    pub fn grant_also(&self, permission: &str) {
        self.desk.with(|r| r.granted.push(permission.to_owned()));
    }

    /// Takes one permission away, from tokens from now on.
    pub fn withhold(&self, permission: &str) {
        self.desk.with(|r| r.granted.retain(|p| p != permission));
    }

    /// Issues tokens with another tenant's id from now on.
    pub fn answer_for_tenant(&self, tid: &str) {
        self.desk.with(|r| tid.clone_into(&mut r.tid));
    }

    /// Makes all tokens so far worthless: Graph answers 401 to them.
    pub fn revoke_tokens(&self) {
        self.desk.with(|r| r.valid.clear());
    }

    /// How many requests for a token came in.
    #[must_use]
    pub fn token_requests(&self) -> usize {
        self.wire.count(&axum::http::Method::POST, "/token")
            + self.machine.wire.count(&axum::http::Method::GET, "/token")
    }

    /// Client secrets, assertions and access tokens so far, for the search for leaks. Of an assertion also its signature,
    /// without which the rest proves nothing.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.desk.with(|r| {
            let signatures = r.presented.iter().filter_map(|text| Some(text.rsplit_once('.')?.1.to_owned()));
            let secrets = r.old_secrets.iter().chain([&r.secret, &self.machine.header]).chain(&r.presented);
            secrets.chain(&r.issued).cloned().chain(signatures).collect()
        })
    }

    /// What a token says, while it is good.
    #[must_use]
    pub fn claims(&self, token: &str) -> Option<Claims> {
        let now = (self.desk.clock)();
        self.desk.with(|r| r.valid.get(token).filter(|claims| now < claims.expires).cloned())
    }
}

async fn token(
    State(desk): State<Desk>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let now = (desk.clock)();
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let url = format!("http://{host}/{tenant}/oauth2/v2.0/token");
    let asked = Asked { tenant: &tenant, url: &url, form: &form, now };
    match desk.with(|r| r.check(&asked).map(|audience| r.issue(&audience, now))) {
        Ok(token) => {
            let body = json!({
                "token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS,
                "access_token": token,
            });
            ([("cache-control", "no-store, no-cache")], Json(body)).into_response()
        }
        Err(refusal) => refusal.answer(now),
    }
}
