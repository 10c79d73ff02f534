//! How does the program prove to Entra who it is, and what does it get for that?
//!
//! The v2.0 token endpoint for the client-credentials grant: a secret (or the text of a federated assertion) against an
//! access token, with the documented refusals. [`Entra`] remembers every token, so that Graph knows them and a story can
//! revoke them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use crate::chance::{self, Clock};
use crate::wire::{Wire, lock};

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

const GRAPH_ROOTS: [&str; 4] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];
const LIFETIME_SECONDS: i64 = 3599;

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
        Ok(Self { wire, url, tenant_id, client_id, desk })
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
            r.old_secrets.push(std::mem::replace(&mut r.secret, new_secret()));
            r.secret.clone()
        })
    }

    /// Accepts exactly this text as client assertion (the content of a federated token file).
    pub fn trust_assertion(&self, text: &str) {
        self.desk.with(|r| r.assertions.push(text.to_owned()));
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
    }

    /// Client secrets and access tokens so far, for the search for leaks.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.desk.with(|r| {
            let secrets = r.old_secrets.iter().chain([&r.secret]).chain(&r.assertions);
            secrets.chain(&r.issued).cloned().collect()
        })
    }

    /// What a token says, while it is good.
    #[must_use]
    pub fn claims(&self, token: &str) -> Option<Claims> {
        let now = (self.desk.clock)();
        self.desk.with(|r| r.valid.get(token).filter(|claims| now < claims.expires).cloned())
    }
}

#[derive(Clone)]
struct Desk {
    clock: Clock,
    registration: Arc<Mutex<Registration>>,
}

impl Desk {
    fn with<T>(&self, work: impl FnOnce(&mut Registration) -> T) -> T {
        work(&mut lock(&self.registration))
    }
}

struct Registration {
    tenant_id: String,
    tid: String,
    client_id: String,
    secret: String,
    old_secrets: Vec<String>,
    assertions: Vec<String>,
    granted: Vec<String>,
    issued: Vec<String>,
    valid: HashMap<String, Claims>,
}

impl Registration {
    fn new() -> Self {
        let tenant_id = chance::id_of("tenant", "contoso");
        Self {
            tid: tenant_id.clone(),
            tenant_id,
            client_id: chance::id_of("application", "tapdesk"),
            secret: new_secret(),
            old_secrets: Vec::new(),
            assertions: Vec::new(),
            granted: LEAST_PERMISSIONS.map(str::to_owned).to_vec(),
            issued: Vec::new(),
            valid: HashMap::new(),
        }
    }

    /// Checks the request in the order in which Entra seems to: tenant, grant, application, scope, credential.
    fn check(&self, tenant: &str, form: &HashMap<String, String>) -> Result<String, Refusal> {
        self.check_tenant(tenant)?;
        let grant = required(form, "grant_type")?;
        if grant != "client_credentials" {
            return Err(Refusal::new(
                70003,
                "unsupported_grant_type",
                "The app requested an unsupported grant type.",
            ));
        }
        let client = required(form, "client_id")?;
        if client != self.client_id {
            let text =
                format!("Application with identifier '{client}' was not found in the directory '{tenant}'.");
            return Err(Refusal::new(700_016, "unauthorized_client", &text));
        }
        let resource = resource_of(required(form, "scope")?)?;
        self.check_credential(form)?;
        Ok(resource)
    }

    fn check_tenant(&self, tenant: &str) -> Result<(), Refusal> {
        if tenant.eq_ignore_ascii_case(&self.tenant_id) {
            return Ok(());
        }
        let (code, text) = match tenant {
            "common" | "consumers" | "organizations" => (
                9_001_023,
                "The grant type is not supported over the /common or /consumers endpoints.".to_owned(),
            ),
            _ if tenant.contains('.') || uuid::Uuid::try_parse(tenant).is_ok() => {
                (90002, format!("Tenant '{tenant}' not found."))
            }
            _ => (
                900_023,
                format!("Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a GUID."),
            ),
        };
        Err(Refusal::new(code, "invalid_request", &text))
    }

    fn check_credential(&self, form: &HashMap<String, String>) -> Result<(), Refusal> {
        const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let field = |name: &str| form.get(name).map(String::as_str);
        let (code, text) = match (field("client_secret"), field("client_assertion")) {
            (Some(secret), None) if secret == self.secret => return Ok(()),
            (Some(_), None) => (7_000_215, "Invalid client secret provided."),
            (None, Some(text)) if self.assertions.iter().any(|known| known == text) => {
                if field("client_assertion_type") == Some(JWT_BEARER) {
                    return Ok(());
                }
                (7_000_218, "The request body must contain the following parameter: 'client_assertion_type'.")
            }
            (None, Some(_)) => (
                700_027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            ),
            (None, None) | (Some(_), Some(_)) => (
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            ),
        };
        Err(Refusal::new(code, "invalid_client", text))
    }

    fn issue(&mut self, audience: &str, now: Timestamp) -> String {
        let (issued, expires) = (now.as_second(), now.as_second() + LIFETIME_SECONDS);
        let mut payload = json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{}/", self.tid), "iat": issued, "nbf": issued,
            "exp": expires, "appid": self.client_id, "idtyp": "app", "oid": chance::id_of("principal", "tapdesk"),
            "tid": self.tid, "uti": chance::id("uti"), "ver": "1.0",
        });
        // An application without any grant gets a token too; it just has no `roles` claim.
        if !self.granted.is_empty() {
            payload["roles"] = json!(self.granted);
        }
        let token = jwt(&payload);
        let expires = Timestamp::from_second(expires).unwrap_or(Timestamp::MAX);
        let claims = Claims { tid: self.tid.clone(), roles: self.granted.clone(), expires };
        self.valid.insert(token.clone(), claims);
        self.issued.push(token.clone());
        token
    }
}

/// An error of the token endpoint.
pub(crate) struct Refusal {
    code: u32,
    error: &'static str,
    text: String,
}

impl Refusal {
    pub(crate) fn new(code: u32, error: &'static str, text: &str) -> Self {
        Self { code, error, text: text.to_owned() }
    }

    pub(crate) fn answer(&self, now: Timestamp) -> Response {
        let (trace, correlation) = (chance::id("trace"), chance::id("correlation"));
        let time = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let Self { code, error, text } = self;
        let status =
            if *error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let description =
            format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}");
        let body = json!({
            "error": error, "error_description": description, "error_codes": [code], "timestamp": time,
            "trace_id": trace, "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        });
        (status, Json(body)).into_response()
    }
}

async fn token(
    State(desk): State<Desk>,
    Path(tenant): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let now = (desk.clock)();
    match desk.with(|r| r.check(&tenant, &form).map(|audience| r.issue(&audience, now))) {
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

/// A field of the form, or the refusal that says that it is missing.
pub(crate) fn required<'a>(form: &'a HashMap<String, String>, name: &str) -> Result<&'a str, Refusal> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        Refusal::new(900_144, "invalid_request", &text)
    })
}

/// The resource of `{resource}/.default`. Graph has the roots of the four clouds, and any loopback port in this world.
fn resource_of(scope: &str) -> Result<String, Refusal> {
    let resource = scope.strip_suffix("/.default").map(|root| root.trim_end_matches('/')).unwrap_or_default();
    if GRAPH_ROOTS.contains(&resource) || resource.starts_with("http://127.0.0.1:") {
        return Ok(resource.to_owned());
    }
    let text = format!(
        "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
    );
    Err(Refusal::new(70011, "invalid_scope", &text))
}

/// A token that looks signed; nobody but the issuer's own record can tell.
pub(crate) fn jwt(payload: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "simulated" });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&header),
        part(payload),
        BASE64_URL_SAFE_NO_PAD.encode(chance::bytes("signature"))
    )
}

fn new_secret() -> String {
    // Entra's secrets hold `~`, `.`, `-` and `_`; `+` and `&` prove that the form is encoded.
    chance::text("secret", "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789~._-+&", 36) + "~+&="
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn ask(entra: &Entra, changes: &[(&str, &str)]) -> (u16, Value) {
        let secret = entra.client_secret();
        let mut form = HashMap::from([
            ("grant_type", "client_credentials"),
            ("client_id", entra.client_id.as_str()),
            ("client_secret", secret.as_str()),
            ("scope", "https://graph.microsoft.com/.default"),
        ]);
        form.extend(changes.iter().copied());
        let tenant = form.remove("tenant").unwrap_or(&entra.tenant_id);
        form.retain(|_, value| !value.is_empty());
        let url = entra.url.join(&format!("{tenant}/oauth2/v2.0/token")).unwrap();
        let answer = crate::graph::tests::client().post(url).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn noon() -> Clock {
        Arc::new(|| "2026-03-02T12:00:00Z".parse().unwrap())
    }

    #[tokio::test]
    async fn a_token_says_what_was_granted_until_it_is_revoked() {
        let entra = Entra::start(noon()).await.unwrap();
        let (status, body) = ask(&entra, &[]).await;
        assert_eq!((status, &body["expires_in"]), (200, &json!(3599)));
        let token = body["access_token"].as_str().unwrap();
        let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["tid"], json!(entra.tenant_id));
        assert_eq!(payload["roles"], json!(LEAST_PERMISSIONS));
        assert!(entra.claims(token).is_some());
        entra.revoke_tokens();
        assert!(entra.claims(token).is_none());
        assert!(entra.secrets().iter().any(|secret| secret == token));
    }

    #[tokio::test]
    async fn every_wrong_field_has_its_own_refusal() {
        let entra = Entra::start(noon()).await.unwrap();
        let cases = [
            (("client_secret", "wrong"), 401, 7_000_215),
            (("client_secret", ""), 401, 7_000_218),
            (("client_id", "who"), 400, 700_016),
            (("scope", "openid"), 400, 70011),
            (("grant_type", "password"), 400, 70003),
            (("grant_type", ""), 400, 900_144),
            (("tenant", "common"), 400, 9_001_023),
            (("tenant", "8d2a6b5c-3f0e-4a55-9d2b-000000000000"), 400, 90002),
        ];
        for (change, status, code) in cases {
            let (got, body) = ask(&entra, &[change]).await;
            assert_eq!((got, &body["error_codes"]), (status, &json!([code])), "{change:?}: {body}");
        }
        assert_eq!(entra.token_requests(), cases.len());
    }
}
