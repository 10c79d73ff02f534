//! What does the machine that tapdesk runs on answer when it is asked who it is?
//!
//! The metadata service of a virtual machine and the endpoint of App Service, on one port. Numbers are texts here, and
//! App Service tells the end of a token only as a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::json;
use url::Url;

use super::registration::{Desk, resource_of};
use crate::chance;
use crate::wire::{Wire, lock};

/// The identity endpoints of one machine.
#[derive(Clone)]
pub struct Machine {
    /// What was asked, and the troubles.
    pub wire: Wire,
    /// What stands in for `http://169.254.169.254/`.
    pub url: Url,
    /// What App Service announces as `IDENTITY_HEADER`.
    pub header: String,
    assigned: Arc<Mutex<bool>>,
}

#[derive(Clone)]
struct Answers {
    desk: Desk,
    header: String,
    assigned: Arc<Mutex<bool>>,
}

impl Machine {
    pub(super) async fn start(desk: Desk) -> anyhow::Result<Self> {
        let (wire, header, assigned) =
            (Wire::default(), chance::id("identity header"), Arc::new(Mutex::new(true)));
        let answers = Answers { desk, header: header.clone(), assigned: Arc::clone(&assigned) };
        let router = Router::new()
            .route("/metadata/identity/oauth2/token", get(metadata))
            .route("/msi/token", get(app_service))
            .with_state(answers);
        let url = Url::parse(&format!("http://{}/", wire.serve(router).await?))?;
        Ok(Self { wire, url, header, assigned })
    }

    /// What App Service announces as `IDENTITY_ENDPOINT`.
    pub fn app_service(&self) -> anyhow::Result<Url> {
        Ok(self.url.join("msi/token")?)
    }

    /// Takes the identity away from the machine.
    pub fn unassign(&self) {
        *lock(&self.assigned) = false;
    }
}

async fn metadata(
    State(answers): State<Answers>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let refusal = |text: &str, error: &str| {
        (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": text}))).into_response()
    };
    if headers.get("metadata").is_none_or(|value| value != "true") {
        return refusal("Required metadata header not specified", "bad_request_102");
    }
    if headers.contains_key("x-forwarded-for") {
        return refusal("Proxied requests are refused", "invalid_request");
    }
    match answers.grant(&query, "2018-02-01") {
        Err(text) => refusal(text, "invalid_request"),
        Ok(Granted { token, resource, now, life }) => {
            let (begin, end) = (now.as_second().to_string(), (now.as_second() + life).to_string());
            let body = json!({
                "access_token": token, "refresh_token": "", "expires_in": life.to_string(), "expires_on": end,
                "not_before": begin, "resource": resource, "token_type": "Bearer",
            });
            Json(body).into_response()
        }
    }
}

async fn app_service(
    State(answers): State<Answers>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let refusal = |status: StatusCode, text: &str| {
        (status, Json(json!({"statusCode": status.as_u16(), "message": text}))).into_response()
    };
    if headers.get("x-identity-header").is_none_or(|value| value != answers.header.as_str()) {
        return refusal(StatusCode::UNAUTHORIZED, "The identity header is wrong.");
    }
    match answers.grant(&query, "2019-08-01") {
        Err(text) => refusal(StatusCode::BAD_REQUEST, text),
        Ok(Granted { token, resource, now, life }) => {
            let end = (now.as_second() + life).to_string();
            let body = json!({
                "access_token": token, "expires_on": end, "resource": resource, "token_type": "Bearer",
            });
            Json(body).into_response()
        }
    }
}

struct Granted {
    token: String,
    resource: String,
    now: Timestamp,
    life: i64,
}

impl Answers {
    fn grant(&self, query: &HashMap<String, String>, version: &str) -> Result<Granted, &'static str> {
        let field = |name: &str| query.get(name).map(String::as_str);
        if field("api-version") != Some(version) {
            return Err("The api-version is not supported");
        }
        let resource = resource_of(field("resource").unwrap_or_default()).ok_or("invalid_resource")?;
        let now = (self.desk.clock)();
        self.desk.with(|r| {
            let is_known = field("client_id").is_none_or(|id| id == r.client_id);
            if !is_known || !*lock(&self.assigned) {
                return Err("Identity not found");
            }
            let token = r.issue(&resource, now);
            Ok(Granted { token, resource, now, life: super::registration::LIFETIME_SECONDS })
        })
    }
}
