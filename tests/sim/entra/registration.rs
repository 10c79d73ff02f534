//! What does the tenant know about the application, and what does it grant to it?

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::assertion::Trust;
use super::refusal::Refusal;
use super::{Claims, LEAST_PERMISSIONS};
use crate::chance::{self, Clock};
use crate::wire::lock;

const GRAPH_ROOTS: [&str; 4] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];
pub(super) const LIFETIME_SECONDS: i64 = 3599;

/// The registration, shared by every endpoint that issues tokens.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) registration: Arc<Mutex<Registration>>,
}

impl Desk {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Registration) -> T) -> T {
        work(&mut lock(&self.registration))
    }
}

pub(super) struct Registration {
    pub(super) tenant_id: String,
    pub(super) tid: String,
    pub(super) client_id: String,
    pub(super) secret: String,
    pub(super) old_secrets: Vec<String>,
    pub(super) trust: Trust,
    /// Every assertion that was shown, believed or not.
    pub(super) presented: Vec<String>,
    pub(super) granted: Vec<String>,
    pub(super) issued: Vec<String>,
    pub(super) valid: HashMap<String, Claims>,
}

/// A request for a token.
pub(super) struct Asked<'a> {
    /// The tenant of its path.
    pub(super) tenant: &'a str,
    /// Where it was sent to.
    pub(super) url: &'a str,
    pub(super) form: &'a HashMap<String, String>,
    pub(super) now: Timestamp,
}

impl Registration {
    pub(super) fn new() -> Self {
        let tenant_id = chance::id_of("tenant", "contoso");
        Self {
            tid: tenant_id.clone(),
            tenant_id,
            client_id: chance::id_of("application", "tapdesk"),
            secret: new_secret(),
            old_secrets: Vec::new(),
            trust: Trust::default(),
            presented: Vec::new(),
            granted: LEAST_PERMISSIONS.map(str::to_owned).to_vec(),
            issued: Vec::new(),
            valid: HashMap::new(),
        }
    }

    /// Checks the request in the order in which Entra seems to: tenant, grant, application, scope, credential.
    pub(super) fn check(&mut self, asked: &Asked<'_>) -> Result<String, Refusal> {
        let Asked { tenant, form, .. } = asked;
        self.presented.extend(form.get("client_assertion").cloned());
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
        let scope = required(form, "scope")?;
        let resource = scope.strip_suffix("/.default").and_then(resource_of).ok_or_else(|| {
            let text = format!("The provided value for the input parameter 'scope' is not valid: {scope}.");
            Refusal::new(70011, "invalid_scope", &text)
        })?;
        self.check_credential(asked)?;
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

    fn check_credential(&mut self, asked: &Asked<'_>) -> Result<(), Refusal> {
        const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let field = |name: &str| asked.form.get(name).map(String::as_str);
        let lacks = |what: &str| {
            let text = format!("The request body must contain the following parameter: {what}.");
            Err(Refusal::of_client(7_000_218, &text))
        };
        match (field("client_secret"), field("client_assertion")) {
            (Some(secret), None) if secret == self.secret => Ok(()),
            (Some(_), None) => Err(Refusal::of_client(7_000_215, "Invalid client secret provided.")),
            (None, Some(text)) if field("client_assertion_type") == Some(JWT_BEARER) => {
                self.trust.check(text, &self.client_id, asked.url, asked.now)
            }
            (None, Some(_)) => lacks("'client_assertion_type'"),
            (None, None) | (Some(_), Some(_)) => lacks("'client_assertion' or 'client_secret'"),
        }
    }

    pub(super) fn issue(&mut self, audience: &str, now: Timestamp) -> String {
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

/// A field of the form, or the refusal that says that it is missing.
pub(crate) fn required<'a>(form: &'a HashMap<String, String>, name: &str) -> Result<&'a str, Refusal> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        Refusal::new(900_144, "invalid_request", &text)
    })
}

/// A resource that tokens are for: Graph has the roots of the four clouds, and any loopback port in this world.
pub(super) fn resource_of(root: &str) -> Option<String> {
    let resource = root.trim_end_matches('/');
    (GRAPH_ROOTS.contains(&resource) || resource.starts_with("http://127.0.0.1:"))
        .then(|| resource.to_owned())
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

pub(super) fn new_secret() -> String {
    // Entra's secrets hold `~`, `.`, `-` and `_`; `+` and `&` prove that the form is encoded.
    chance::text("secret", "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789~._-+&", 36) + "~+&="
}
