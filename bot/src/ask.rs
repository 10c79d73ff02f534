//! What does the page for people without chat accept, and what does it answer?
//!
//! Whoever asks gets the same answer, apart from its number, after the same time: whether there is such an account and
//! whether anything comes of it is looked up later, and what was too much is answered like the rest.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use metrics::counter;
use serde::Deserialize;
use serde_json::json;
use tapdesk_core::desk::Visit;
use tapdesk_core::policy::Visits;
use tapdesk_core::ports::Opened;
use tapdesk_core::request::Matching;
use tapdesk_core::ticket::Malformed;

use crate::page::{self, accept, answer, later, malformed, nothing_here};
use crate::server::{Body, Site};
use crate::tally::{From, Tally};

/// A visit that was not stored by then is answered as not stored.
const CONFIRM_WITHIN: Duration = Duration::from_secs(20);
/// In what time requests are counted.
const WINDOW: Duration = Duration::from_hours(1);

/// The page, where it is configured.
pub struct Asks {
    visits: Visits,
    by_address: Tally<IpAddr>,
    in_all: Tally<()>,
    answer_after: Duration,
}

/// `POST /ask`
#[derive(Deserialize)]
struct AskBody {
    user: String,
    reason: String,
}

impl Asks {
    /// No answer comes before `answer_after`: what is refused unseen must not be told by its speed.
    #[must_use]
    pub fn new(visits: Visits, answer_after: Duration) -> Self {
        let (by_address, in_all) = (visits.per_address, visits.per_hour);
        Self {
            visits,
            by_address: Tally::new(by_address, WINDOW),
            in_all: Tally::new(in_all, WINDOW),
            answer_after,
        }
    }

    /// Counts one more; why it is too many, if it is. Only what is let in is counted, so that the caps bound what has to
    /// be remembered.
    fn too_many(&self, site: &Site, from: From) -> Option<&'static str> {
        let (prefix, now) = (from.prefix(), site.clock.now());
        if self.by_address.pause(&prefix, now).is_some() {
            return Some("too_many_from_address");
        }
        if self.in_all.pause(&(), now).is_some() {
            return Some("too_many");
        }
        if self.by_address.note(prefix, now) {
            tracing::warn!(%prefix, "one address prefix asked as often as it may within an hour");
        }
        if self.in_all.note((), now) {
            tracing::error!("the page for people without chat takes in nothing more within this hour");
        }
        None
    }
}

/// `GET /ask`
pub async fn page(State(site): State<Arc<Site>>) -> Response<Body> {
    if site.asks.is_some() { page::show(&page::ASK) } else { nothing_here().await }
}

/// `POST /ask`: a number to tell to the approver, whoever asks for whomever.
pub async fn ask(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(asks) = &site.asks else { return nothing_here().await };
    let Some(AskBody { user, reason }) = accept(&headers, &body) else { return malformed("body") };
    let visit = match Visit::parse(&user, &reason) {
        Ok(visit) => visit,
        Err(Malformed(field)) => return malformed(field),
    };
    let matching = site.desk.number_to_show();
    let taking = async {
        match asks.too_many(&site, from) {
            Some(why) => why,
            None => take_in(&site, visit, matching).await,
        }
    };
    let (result, ()) = tokio::join!(taking, tokio::time::sleep(asks.answer_after));
    counter!("tapdesk_asks_total", "result" => result).increment(1);
    if result == UNAVAILABLE {
        return later(UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE, 10);
    }
    let minutes = asks.visits.approval_expires.as_secs() / 60;
    let number = matching.number().to_string();
    answer(StatusCode::OK, &json!({"state": "asked", "number": number, "minutes": minutes}))
}

const UNAVAILABLE: &str = "unavailable";

/// Stores the visit, in a task of its own: a browser that goes away does not tear it off.
async fn take_in(site: &Arc<Site>, visit: Visit, matching: Matching) -> &'static str {
    let desk = Arc::clone(&site.desk);
    let visiting = site.tracker.spawn(async move { desk.visit(visit, matching).await });
    match tokio::time::timeout(CONFIRM_WITHIN, visiting).await {
        Ok(Ok(Ok(Opened::New | Opened::Seen(_)))) => "taken_in",
        Ok(Ok(Ok(Opened::TooMany))) => {
            tracing::warn!("one user name was asked for as often as a day allows");
            "too_many_for_subject"
        }
        Ok(Ok(Err(error))) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a visit could not be taken in");
            UNAVAILABLE
        }
        Ok(Err(_)) | Err(_) => UNAVAILABLE,
    }
}
