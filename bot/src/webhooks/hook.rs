//! What does a ticket system or workflow get for an answer?
//!
//! 202 once its request is durable, the same each time it comes; whether anything comes of it is told later, at its status
//! URL. Every other answer says in words what its integrator has to mend, and nothing about who exists.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use metrics::counter;
use serde_json::{Value, json};
use tapdesk_adapters::hooks::NotTaken;
use tapdesk_core::ids::SourceName;
use tapdesk_core::request::{MOST_STATEMENTS, Refusal};
use tapdesk_core::source::{Order, Ordered};

use super::CONFIRM_WITHIN;
use crate::page::{answer, nothing_here};
use crate::server::{Body, HOOK_REQUESTS, Site};

/// How long a source that asked too often waits at least, in seconds.
const TOO_MANY_PAUSE: u64 = 300;
/// How long a source waits before it sends again what was not stored, in seconds.
const NOT_STORED_PAUSE: u64 = 10;

/// `POST /hooks/requests`
pub(crate) async fn request(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if site.hooks.is_empty() {
        return nothing_here().await;
    }
    let (result, response) = match site.hooks.receive(&headers, &body) {
        Ok((source, order)) => take_in(&site, source, order).await,
        Err(NotTaken::NotVerified(why)) => {
            tracing::warn!(route = HOOK_REQUESTS, ?why, "a message was not signed as it should be");
            let error = json!({"error": "not_verified", "message": why.to_string()});
            ("not_verified", answer(StatusCode::UNAUTHORIZED, &error))
        }
        Err(NotTaken::Wrong(source, wrong)) => {
            tracing::warn!(route = HOOK_REQUESTS, %source, field = wrong.field, "a source's message was not understood");
            let error = json!({"error": "malformed", "field": wrong.field, "message": wrong.message});
            ("malformed", answer(StatusCode::UNPROCESSABLE_ENTITY, &error))
        }
    };
    counter!("tapdesk_webhooks_total", "route" => HOOK_REQUESTS, "result" => result).increment(1);
    response
}

/// Gives the order to the desk, in a task of its own: a source that hangs up does not tear it off.
async fn take_in(site: &Arc<Site>, source: SourceName, order: Order) -> (&'static str, Response<Body>) {
    let desk = Arc::clone(&site.desk);
    let taking = site.tracker.spawn(async move { desk.take_order(&source, order).await });
    match tokio::time::timeout(CONFIRM_WITHIN, taking).await {
        Ok(Ok(Ok(ordered))) => said(&ordered),
        Ok(Ok(Err(error))) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a source's message could not be taken in"
            );
            not_stored()
        }
        Ok(Err(_)) | Err(_) => not_stored(),
    }
}

fn not_stored() -> (&'static str, Response<Body>) {
    let message =
        "this could not be stored just now: send the same again, signed anew; doing it twice does no harm";
    let error = json!({"error": "not_stored", "message": message});
    ("not_stored", later(StatusCode::SERVICE_UNAVAILABLE, &error, NOT_STORED_PAUSE))
}

fn said(ordered: &Ordered) -> (&'static str, Response<Body>) {
    let refused = |status, error: &'static str, field: Option<&str>, message: String| {
        (error, answer(status, &json!({"error": error, "field": field, "message": message})))
    };
    match ordered {
        Ordered::Taken(request) => {
            ("accepted", answer(StatusCode::ACCEPTED, &json!({"request": request, "status": "accepted"})))
        }
        Ordered::OtherWish(request) => {
            let message =
                format!("this idempotency_key was used for request {request}, which asks for something else");
            refused(StatusCode::CONFLICT, "key_used", Some("idempotency_key"), message)
        }
        Ordered::TooMany(most) => {
            let message = format!(
                "this source asked {most} times within an hour, which is all that it may (requests_per_hour); nothing was \
                 taken in"
            );
            let error = json!({"error": "too_many", "field": null, "message": message});
            ("too_many", later(StatusCode::TOO_MANY_REQUESTS, &error, TOO_MANY_PAUSE))
        }
        Ordered::NotYours => {
            let message = "request: this source made no such request, or it is forgotten by now".to_owned();
            refused(StatusCode::NOT_FOUND, "no_such_request", Some("request"), message)
        }
        Ordered::MayNotState => {
            let message = "approved_by: this source may state no approvals (may_state_approvals in tapdesk's \
                           configuration); leave it out, and tapdesk asks the approvers";
            refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                "may_not_state",
                Some("approved_by"),
                message.to_owned(),
            )
        }
        Ordered::Refused(refusal) => {
            let (error, message) = too_late(*refusal);
            refused(StatusCode::CONFLICT, error, None, message)
        }
    }
}

/// Why an order about a request changes nothing any more.
fn too_late(refusal: Refusal) -> (&'static str, String) {
    match refusal {
        Refusal::SentEnough => {
            let message =
                format!("{MOST_STATEMENTS} people were named as approvers of this request, which is enough");
            ("enough", message)
        }
        Refusal::AlreadyDecided => ("already_decided", "the request is approved already".to_owned()),
        Refusal::Claimed => {
            ("claimed", "too late: the colleague has the pass; revoke it in chat if it must go".to_owned())
        }
        Refusal::Over => ("over", "the request is over; nothing was changed".to_owned()),
        Refusal::AlreadyApproved
        | Refusal::NumberWanted
        | Refusal::GivenAlready
        | Refusal::DelegationOver
        | Refusal::NotAnApprover
        | Refusal::NotTheRequester
        | Refusal::TooLate
        | Refusal::AlreadyOpened
        | Refusal::InHand
        | Refusal::Waiting
        | Refusal::Moot => ("not_now", format!("nothing was changed: {refusal}")),
    }
}

fn later(status: StatusCode, body: &Value, seconds: u64) -> Response<Body> {
    let mut response = answer(status, body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
