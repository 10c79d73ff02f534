//! Who may come in, and what does every answer of Graph carry?
//!
//! The guard checks the token, gives every answer its ids and date, and turns a [`Problem`] into the documented error
//! body.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use super::{AppRole, Tenant};
use crate::chance;

/// What a handler answers.
pub(super) type Answer = Result<Response, Problem>;

/// The application that calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Granted application permissions.
    pub(super) permissions: Vec<String>,
    /// Its directory role.
    pub(super) role: AppRole,
}

impl Caller {
    /// Whether one of these permissions was granted.
    pub(super) fn has(&self, any: &[&str]) -> bool {
        any.iter().any(|wanted| self.permissions.iter().any(|p| p == wanted))
    }

    /// Refuses, the way directory objects do, unless one of these permissions was granted.
    pub(super) fn must_have(&self, any: &[&str]) -> Result<(), Problem> {
        if self.has(any) { Ok(()) } else { Err(Problem::request_denied()) }
    }
}

/// A refusal of Graph.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The authentication-methods service repeats its message inside.
    is_repeated: bool,
}

impl Problem {
    /// A refusal of the directory.
    pub(super) fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), is_repeated: false }
    }

    /// A refusal of the authentication-methods service.
    pub(super) fn of_methods(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { is_repeated: true, ..Self::new(status, code, message) }
    }

    /// A request that Graph does not understand.
    pub(super) fn bad(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// A query that Graph understands and does not offer.
    pub(super) fn unsupported(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
    }

    /// No permission, as the directory says it.
    pub(super) fn request_denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::new(StatusCode::FORBIDDEN, "Authorization_RequestDenied", message)
    }

    /// No permission, as the authentication-methods service says it.
    pub(super) fn access_denied() -> Self {
        Self::of_methods(StatusCode::FORBIDDEN, "accessDenied", "Request Authorization failed")
    }

    /// Nothing with this id in the directory.
    pub(super) fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", &message)
    }

    fn bad_token(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    fn body(&self, now: Timestamp, ids: &Ids) -> serde_json::Value {
        let mut inner = json!({
            "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": ids.request, "client-request-id": ids.client,
        });
        if self.is_repeated {
            inner["message"] = json!(self.message);
        }
        json!({ "error": { "code": self.code, "message": self.message, "innerError": inner } })
    }
}

impl IntoResponse for Problem {
    /// Leaves itself to the guard, which knows the ids that belong into the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

struct Ids {
    request: String,
    client: String,
}

impl Ids {
    fn of(headers: &HeaderMap) -> Self {
        let request = chance::id("request");
        let sent = headers.get("client-request-id").and_then(|value| value.to_str().ok());
        Self { client: sent.map_or_else(|| request.clone(), ToOwned::to_owned), request }
    }
}

/// Checks the token, runs the handler, and completes its answer.
pub(super) async fn guard(tenant: Tenant, mut request: Request, next: Next) -> Response {
    let ids = Ids::of(request.headers());
    let response = match caller(&tenant, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    let now = (tenant.clock)();
    complete(response, now + tenant.with(|desk| desk.clock_ahead), &ids)
}

fn caller(tenant: &Tenant, headers: &HeaderMap) -> Result<Caller, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = value.strip_prefix("Bearer ").unwrap_or_default();
    if token.is_empty() {
        return Err(Problem::bad_token("Access token is empty."));
    }
    let claims = tenant.entra.claims(token);
    let claims = claims.ok_or_else(|| Problem::bad_token("Access token has expired or is not yet valid."))?;
    if claims.tid != tenant.entra.tenant_id {
        let message = "The identity of the calling application could not be established.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Authorization_IdentityNotFound", message));
    }
    Ok(Caller { permissions: claims.roles, role: tenant.with(|desk| desk.app_role) })
}

fn complete(mut response: Response, now: Timestamp, ids: &Ids) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = (problem.status, Json(problem.body(now, ids))).into_response();
        if problem.status == StatusCode::UNAUTHORIZED {
            set(&mut response, header::WWW_AUTHENTICATE, "Bearer realm=\"\", error=\"invalid_token\"");
        }
    }
    if response.headers().contains_key(header::CONTENT_TYPE) {
        let kind = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
        set(&mut response, header::CONTENT_TYPE, kind);
    }
    set(&mut response, header::DATE, &now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    set(&mut response, HeaderName::from_static("request-id"), &ids.request);
    set(&mut response, HeaderName::from_static("client-request-id"), &ids.client);
    set(
        &mut response,
        HeaderName::from_static("x-ms-ags-diagnostic"),
        "{\"ServerInfo\":{\"DataCenter\":\"Simulated\"}}",
    );
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A path that Graph does not have.
pub(super) async fn no_such_segment(request: Request) -> Problem {
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    Problem::bad(&format!("Resource not found for the segment '{segment}'."))
}

/// A method that this path does not have.
pub(super) async fn no_such_method() -> Problem {
    let message = "The request is not valid for this resource.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message)
}
