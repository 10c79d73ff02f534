//! How are Twilio's reports taken in?

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use metrics::counter;
use tapdesk_adapters::couriers::{NotTaken, Report};

use super::{CONFIRM_WITHIN, empty};
use crate::server::{Body, Site, TWILIO_STATUS};

/// `POST /twilio/status`: how far the text message with a code came.
pub(crate) async fn status(
    State(site): State<Arc<Site>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(reports) = &site.status_reports else { return empty(StatusCode::NOT_FOUND) };
    let (result, status) = match reports.read(query.as_deref(), &headers, &body) {
        Ok(report) => take_report(&site, report).await,
        Err(NotTaken::NotVerified) => ("not_verified", StatusCode::UNAUTHORIZED),
        Err(NotTaken::NotOurs) => ("not_ours", StatusCode::FORBIDDEN),
        Err(NotTaken::Malformed) => ("malformed", StatusCode::BAD_REQUEST),
    };
    if status.is_client_error() {
        tracing::warn!(route = TWILIO_STATUS, result, "a report on a text message was not taken");
    }
    counter!("tapdesk_webhooks_total", "route" => TWILIO_STATUS, "result" => result).increment(1);
    empty(status)
}

async fn take_report(site: &Arc<Site>, report: Report) -> (&'static str, StatusCode) {
    let desk = Arc::clone(&site.desk);
    let taking = site.tracker.spawn(async move {
        let Report { mark, progress, error_code } = report;
        let is_news = desk.take_receipt(&mark, progress).await;
        if let Ok(true) = is_news {
            counter!("tapdesk_code_messages_total", "progress" => progress.name()).increment(1);
            tracing::info!(
                request.id = %mark.request,
                progress = progress.name(),
                twilio.code = error_code,
                "Twilio reported on a text message"
            );
        }
        is_news.map(drop)
    });
    match tokio::time::timeout(CONFIRM_WITHIN, taking).await {
        Ok(Ok(Ok(()))) => ("accepted", StatusCode::OK),
        Ok(Ok(Err(error))) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a report could not be taken in");
            ("not_stored", StatusCode::SERVICE_UNAVAILABLE)
        }
        Ok(Err(_)) | Err(_) => ("not_stored", StatusCode::SERVICE_UNAVAILABLE),
    }
}
