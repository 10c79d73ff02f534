//! How are Slack's commands, interactions and events answered?

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use metrics::counter;
use serde_json::Value;
use tapdesk_adapters::slack::{self, Parsed, Surface};
use tapdesk_core::card::Choice;
use tapdesk_core::desk::Answer;
use tapdesk_core::form::{Complaint, Purpose};
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;
use tapdesk_core::words;

use super::{Taken, answer_later, copy, empty, json, open_later, take_in, whisper_later};
use crate::server::{Body, Site};

/// `POST /slack/commands`: answered in the response, for the sender alone.
pub(crate) async fn command(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let inbound = match inbound(&site, Surface::Commands, &headers, &body) {
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
pub(crate) async fn interaction(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let inbound = match inbound(&site, Surface::Interactions, &headers, &body) {
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
pub(crate) async fn event(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let inbound = match inbound(&site, Surface::Events, &headers, &body) {
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

fn inbound(
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
