//! How does a webhook become a durable promise? Raw bytes → verify → parse → desk → acknowledge.
//!
//! The acknowledgement never waits for anything outside this machine: it waits for the store, and only so long.

pub(crate) mod hook;
pub(crate) mod slack;
pub(crate) mod teams;
pub(crate) mod twilio;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::Value;
use tapdesk_core::card::{Card, Choice};
use tapdesk_core::desk::{Answer, Inquiry};
use tapdesk_core::form::Form;
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;

use crate::scrub::Scrubbed;
use crate::server::{Body, Site};

/// A promise that the store has not confirmed by then is not made.
const CONFIRM_WITHIN: Duration = Duration::from_secs(2);

/// What became of a message.
enum Taken {
    Answered(Answer),
    Unconfirmed,
}

/// Gives the message to the desk, in a task of its own: a commit that takes longer is not torn off.
async fn take_in(site: &Arc<Site>, inbound: Inbound) -> Taken {
    let shows_pin = matches!(inbound.wish, Wish::Press { choice: Choice::ShowPin, .. });
    let desk = Arc::clone(&site.desk);
    let receive = async move { desk.receive(inbound).await };
    let (limit, receiving) = if shows_pin {
        (Duration::from_secs(20), site.tracker.spawn(Scrubbed::new(receive)))
    } else {
        (CONFIRM_WITHIN, site.tracker.spawn(receive))
    };
    match tokio::time::timeout(limit, receiving).await {
        Ok(Ok(Ok(answer))) => Taken::Answered(answer),
        Ok(Ok(Err(error))) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a message could not be taken in");
            Taken::Unconfirmed
        }
        Ok(Err(_)) | Err(_) => Taken::Unconfirmed,
    }
}

fn whisper_later(site: &Arc<Site>, reply: Reply, card: Card) {
    let desk = Arc::clone(&site.desk);
    site.tracker.spawn(async move { desk.whisper(&reply, &card).await });
}

/// Looks up what the acknowledgement could not wait for, and whispers it.
fn answer_later(site: &Arc<Site>, reply: Reply, inquiry: Inquiry) {
    let desk = Arc::clone(&site.desk);
    site.tracker.spawn(async move {
        let card = desk.answer(inquiry).await;
        desk.whisper(&reply, &card).await;
    });
}

/// Opens a form: what allows it is good for three seconds, and its platform is not waited for.
fn open_later(site: &Arc<Site>, reply: Reply, form: Form) {
    let desk = Arc::clone(&site.desk);
    site.tracker.spawn(async move { desk.open_form(&reply, &form).await });
}

fn copy(reply: &Reply) -> Reply {
    Reply { modal: reply.modal.clone(), whisper: reply.whisper.clone(), to: reply.to.clone() }
}

#[expect(clippy::needless_pass_by_value, reason = "a body is made once and given away")]
fn json(body: Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
