//! How does a source hear what became of its request?

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use tapdesk_core::ids::SourceName;
use tapdesk_core::ports::PortError;
use tapdesk_core::source::Status;

use super::verify::{self, SIGNATURE, SOURCE, TIMESTAMP};
use crate::http;
use crate::secret::Secret;

/// Header with the delivery id, which stays the same however often a status is sent.
const DELIVERY: &str = "tapdesk-delivery";

/// Sends the status, signed as the source signs. Any 2xx means that it was taken. The URL may be a secret of its own, as
/// those of workflow triggers are: no error names it.
pub(super) async fn send(
    http: &Client,
    url: &Url,
    source: &SourceName,
    secrets: &[Secret],
    status: &Status,
    now: Timestamp,
) -> Result<(), PortError> {
    let unwritable = |error| PortError::fatal("a status cannot be written").because(Box::new(error));
    let body = serde_json::to_vec(status).map_err(unwritable)?;
    let timestamp = now.as_second().to_string();
    let sending = http
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(SOURCE, source.as_str())
        .header(DELIVERY, &status.delivery)
        .header(SIGNATURE, verify::sign(secrets, &timestamp, &body))
        .header(TIMESTAMP, timestamp)
        .body(body);
    let response = sending.send().await.map_err(|error| http::failed(&error))?;
    let answer = response.status();
    if answer.is_success() {
        return Ok(());
    }
    if answer == StatusCode::GONE {
        return Err(PortError::fatal("the source's status_url says 410: it wants no more news"));
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = http::retry_after(after, now);
    Err(PortError::retry(format!("the source's status_url answered {}", answer.as_u16())).after(after))
}
