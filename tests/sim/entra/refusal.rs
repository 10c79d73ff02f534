//! How does Entra say no?

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use crate::chance;

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

    /// A proof that Entra does not believe.
    pub(super) fn of_client(code: u32, text: &str) -> Self {
        Self::new(code, "invalid_client", text)
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
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        (status, [("date", date)], Json(body)).into_response()
    }
}
