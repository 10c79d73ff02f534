//! How does a webhook become a durable promise? Raw bytes → verify → parse → desk → acknowledge.
//!
//! The acknowledgement never waits for anything outside this machine: it waits for the store, and only so long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use metrics::counter;
use serde_json::Value;
use tapdesk_adapters::couriers::{NotTaken, Report};
use tapdesk_adapters::slack::{self, Parsed, Surface};
use tapdesk_core::card::{Card, Choice};
use tapdesk_core::desk::{Answer, Inquiry};
use tapdesk_core::form::{Complaint, Form, Purpose};
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;
use tapdesk_core::words;

use crate::scrub::Scrubbed;
use crate::server::{Body, Site, TWILIO_STATUS};

/// A promise that the store has not confirmed by then is not made.
const CONFIRM_WITHIN: Duration = Duration::from_secs(2);

/// `POST /slack/commands`: answered in the response, for the sender alone.
pub async fn slack_command(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let inbound = match slack_inbound(&site, Surface::Commands, &headers, &body) {
        Ok(inbound) => inbound,
        Err(response) => return *response,
    };
    let reply = copy(&inbound.reply);
    let card = match take_in(&site, inbound).await {
        Taken::Answered(Answer::Say(card)) => card,
        Taken::Answered(Answer::Later(card, inquiry)) => {
            answer_later(&site, reply, *inquiry);
            card
        }
        Taken::Answered(Answer::Open(form)) => {
            open_later(&site, reply, form);
            return empty(StatusCode::OK);
        }
        Taken::Answered(Answer::Nothing | Answer::Mend(_) | Answer::Home(_)) => return empty(StatusCode::OK),
        Taken::Unconfirmed => words::not_confirmed(),
    };
    json(slack::acknowledge(&site.desk.mode().marked(card)))
}

/// `POST /slack/interactions`: acknowledged empty, or with what has to be mended in a form; whatever else is to be said is
/// whispered.
pub async fn slack_interaction(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let inbound = match slack_inbound(&site, Surface::Interactions, &headers, &body) {
        Ok(inbound) => inbound,
        Err(response) => return *response,
    };
    let reply = copy(&inbound.reply);
    let form = match &inbound.wish {
        Wish::Fill(filled) => Some(filled.purpose),
        _ => None,
    };
    // Showing a PIN calls the platform, so its promise is the modal that opens, not this acknowledgement.
    let waits = !matches!(inbound.wish, Wish::Press { choice: Choice::ShowPin, .. });
    let answering = site.tracker.spawn(answer_interaction(Arc::clone(&site), inbound, reply, form));
    // A panic inside is logged where it happened; the platform repeats nothing either way.
    match waits.then_some(answering) {
        Some(answering) => answering.await.ok().flatten().map_or_else(|| empty(StatusCode::OK), json),
        None => empty(StatusCode::OK),
    }
}

/// Does what an interaction asks for; returns the body of the acknowledgement, if it has one.
async fn answer_interaction(
    site: Arc<Site>,
    inbound: Inbound,
    reply: Reply,
    form: Option<Purpose>,
) -> Option<Value> {
    match (take_in(&site, inbound).await, form) {
        (Taken::Answered(Answer::Say(card)), _) => whisper_later(&site, reply, card),
        (Taken::Answered(Answer::Later(_, inquiry)), _) => answer_later(&site, reply, *inquiry),
        (Taken::Answered(Answer::Open(form)), _) => open_later(&site, reply, form),
        (Taken::Answered(Answer::Mend(wrong)), _) => return Some(slack::mend(&wrong)),
        (Taken::Answered(Answer::Nothing | Answer::Home(_)), _) => {}
        (Taken::Unconfirmed, None) => whisper_later(&site, reply, words::not_confirmed()),
        // What was filled in stays on the screen, to be submitted again.
        (Taken::Unconfirmed, Some(form)) => {
            return Some(slack::mend(&[(form.main_field(), words::complaint(Complaint::NotConfirmed))]));
        }
    }
    None
}

/// `POST /slack/events`: acknowledged empty; what is looked at is drawn afterwards.
pub async fn slack_event(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let inbound = match slack_inbound(&site, Surface::Events, &headers, &body) {
        Ok(inbound) => inbound,
        Err(response) => return *response,
    };
    let owner = inbound.sender.clone();
    if let Taken::Answered(Answer::Home(seen)) = take_in(&site, inbound).await {
        let desk = Arc::clone(&site.desk);
        site.tracker.spawn(async move { desk.show_home(&owner, seen).await });
    }
    empty(StatusCode::OK)
}

/// `POST /twilio/status`: how far the text message with a code came.
pub async fn twilio_status(
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

fn slack_inbound(
    site: &Site,
    surface: Surface,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Inbound, Box<Response<Body>>> {
    let route = match surface {
        Surface::Commands => "/slack/commands",
        Surface::Interactions => "/slack/interactions",
        Surface::Events => "/slack/events",
    };
    let counted = |result: &'static str| {
        counter!("tapdesk_webhooks_total", "route" => route, "result" => result).increment(1);
    };
    let Some(slack) = &site.slack else { return Err(Box::new(empty(StatusCode::NOT_FOUND))) };
    let (result, response) = match slack.receive(surface, headers, body) {
        Ok(Parsed::Inbound(inbound)) => {
            counted("accepted");
            return Ok(*inbound);
        }
        Ok(Parsed::SslCheck) => ("ssl_check", empty(StatusCode::OK)),
        Ok(Parsed::NotForUs) => ("not_for_us", empty(StatusCode::OK)),
        Ok(Parsed::UrlVerification { challenge }) => {
            let mut response = Response::new(Body::from(challenge));
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            ("url_verification", response)
        }
        Ok(Parsed::Refused(why)) => {
            tracing::warn!(route, ?why, "a signed message came from an app or team that is not on the list");
            ("not_ours", empty(StatusCode::FORBIDDEN))
        }
        Ok(Parsed::Malformed) => ("malformed", empty(StatusCode::BAD_REQUEST)),
        Err(why) => {
            tracing::warn!(route, ?why, "a message was not signed as it should be");
            ("not_verified", empty(StatusCode::UNAUTHORIZED))
        }
    };
    counted(result);
    Err(Box::new(response))
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
