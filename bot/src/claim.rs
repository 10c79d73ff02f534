//! What does the claim page's server side accept, and what does it answer?
//!
//! Unknown codes get one uniform answer and are counted per address prefix.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use jiff::Timestamp;
use metrics::counter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tapdesk_core::desk::{ClaimAnswer, ClosedWhy, ReportAnswer, ShownAnswer, StatusAnswer};
use tapdesk_core::ticket::{Client, Code, Malformed, Pin, ReportToken};

use crate::page::{self, accept, answer, later, malformed, nothing_here};
use crate::scrub::Scrubbed;
use crate::server::{Body, Site};
use crate::tally::{From, Tally};

/// Unknown codes per address prefix and minute.
const MISSES_PER_MINUTE: u32 = 20;

/// `POST /c/claim`
#[derive(Deserialize)]
struct ClaimBody {
    code: String,
    pin: String,
    client: String,
}

/// `POST /c/status`
#[derive(Deserialize)]
struct StatusBody {
    code: String,
}

/// `POST /c/shown`
#[derive(Deserialize)]
struct ShownBody {
    code: String,
    client: String,
}

/// `POST /c/report`
#[derive(Deserialize)]
struct ReportBody {
    code: Option<String>,
    token: Option<String>,
    number: Option<String>,
}

/// `GET /c`
pub async fn page() -> Response<Body> {
    page::show(&page::CLAIM)
}

/// The page at `/c%23…`, where a mail gateway encoded the fragment, perhaps twice; everything else at the root is unknown.
pub async fn page_behind_gateway(uri: Uri) -> Response<Body> {
    if uri.path().starts_with("/c%23") || uri.path().starts_with("/c%2523") {
        return page().await;
    }
    nothing_here().await
}

/// `POST /c/status`: what the code's holder may know.
pub async fn status(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(StatusBody { code }) = accept(&headers, &body) else { return malformed("body") };
    let Ok(code) = Code::parse(&code) else { return malformed("code") };
    if let Some(pause) = site.misses.pause(&from.prefix(), site.clock.now()) {
        return later("too_many", StatusCode::TOO_MANY_REQUESTS, pause);
    }
    match site.desk.status(&code).await {
        Ok(StatusAnswer::Open(until)) => answer(StatusCode::OK, &json!({"state": "open", "until": until})),
        Ok(StatusAnswer::Waiting) => answer(StatusCode::OK, &json!({"state": "waiting"})),
        Ok(StatusAnswer::Busy) => answer(StatusCode::OK, &json!({"state": "busy"})),
        Ok(StatusAnswer::Opened(at)) => answer(StatusCode::OK, &json!({"state": "opened", "at": at})),
        Ok(StatusAnswer::Closed(why)) => {
            answer(StatusCode::OK, &json!({"state": "closed", "why": closed(why)}))
        }
        Ok(StatusAnswer::Unknown) => unknown(&site, from),
        Err(_) => later("unavailable", StatusCode::SERVICE_UNAVAILABLE, 30),
    }
}

/// `POST /c/claim`: the one response that holds a passcode.
pub async fn claim(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(ClaimBody { code, pin, client }) = accept(&headers, &body) else { return malformed("body") };
    let (code, pin, client) = match (Code::parse(&code), Pin::parse(&pin), Client::parse(&client)) {
        (Ok(code), Ok(pin), Ok(client)) => (code, pin, client),
        (Err(Malformed(_)), _, _) => return malformed("code"),
        (_, Err(Malformed(_)), _) => return malformed("pin"),
        (_, _, Err(Malformed(_))) => return malformed("client"),
    };
    if let Some(pause) = site.misses.pause(&from.prefix(), site.clock.now()) {
        return later("too_many", StatusCode::TOO_MANY_REQUESTS, pause);
    }
    // In a task of its own: a dropped connection must not cancel a create, and shutdown waits for it.
    let desk = Arc::clone(&site.desk);
    let claimed = site.tracker.spawn(Scrubbed::new(async move { desk.claim(code, pin, client).await })).await;
    let Ok(claimed) = claimed else { return later("unavailable", StatusCode::SERVICE_UNAVAILABLE, 60) };
    counter!("tapdesk_claims_total", "answer" => name(&claimed)).increment(1);
    let state = name(&claimed);
    match claimed {
        ClaimAnswer::Pass { passcode, ends_at, lifetime_minutes, one_time, upn } => {
            let Ok(passcode) = std::str::from_utf8(passcode.reveal()) else {
                return later("unavailable", StatusCode::SERVICE_UNAVAILABLE, 60);
            };
            answer(
                StatusCode::OK,
                &PassBody { state, passcode, ends_at, lifetime_minutes, one_time, upn: &upn },
            )
        }
        ClaimAnswer::Evaluated => answer(StatusCode::OK, &json!({"state": state})),
        ClaimAnswer::WrongPin(left) => {
            answer(StatusCode::FORBIDDEN, &json!({"state": state, "tries_left": left}))
        }
        ClaimAnswer::Locked | ClaimAnswer::Stopped | ClaimAnswer::Lockdown | ClaimAnswer::Refused => {
            answer(StatusCode::FORBIDDEN, &json!({"state": state}))
        }
        ClaimAnswer::Opened(at) => answer(StatusCode::CONFLICT, &json!({"state": state, "at": at})),
        ClaimAnswer::Waiting => answer(StatusCode::CONFLICT, &json!({"state": state})),
        ClaimAnswer::Unknown => unknown(&site, from),
        ClaimAnswer::Busy(pause) => later(state, StatusCode::TOO_MANY_REQUESTS, pause),
        ClaimAnswer::Unavailable(pause) => later(state, StatusCode::SERVICE_UNAVAILABLE, pause),
        ClaimAnswer::Closed(why) => answer(StatusCode::GONE, &json!({"state": state, "why": closed(why)})),
    }
}

/// `POST /c/shown`: only this makes a pass count as seen.
pub async fn shown(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let Some(ShownBody { code, client }) = accept(&headers, &body) else { return malformed("body") };
    let (Ok(code), Ok(client)) = (Code::parse(&code), Client::parse(&client)) else {
        return malformed("body");
    };
    match site.desk.shown(&code, &client).await {
        ShownAnswer::Noted => answer(StatusCode::NO_CONTENT, &()),
        ShownAnswer::TooLate => answer(StatusCode::GONE, &json!({"state": "gone"})),
        ShownAnswer::Again => later("unavailable", StatusCode::SERVICE_UNAVAILABLE, 2),
    }
}

/// `POST /c/report`: "this wasn't me", by the code's holder or by the notice's reader.
pub async fn report(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(ReportBody { code, token, number }) = accept(&headers, &body) else { return malformed("body") };
    if let Some(pause) = site.misses.pause(&from.prefix(), site.clock.now()) {
        return later("too_many", StatusCode::TOO_MANY_REQUESTS, pause);
    }
    let reported = match (code, token, number) {
        (Some(code), None, None) => match Code::parse(&code) {
            Ok(code) => site.desk.report_by_code(&code).await,
            Err(_) => return malformed("code"),
        },
        (None, Some(token), Some(number)) => {
            let number = number.trim().parse::<u8>().ok().filter(|number| *number < 100);
            let (Ok(token), Some(number)) = (ReportToken::parse(&token), number) else {
                return malformed("number");
            };
            site.desk.report_by_notice(&token, number).await
        }
        _ => return malformed("body"),
    };
    match reported {
        ReportAnswer::Reported => answer(StatusCode::OK, &json!({"state": "reported"})),
        ReportAnswer::WrongNumber(left) => {
            answer(StatusCode::FORBIDDEN, &json!({"state": "wrong_number", "tries_left": left}))
        }
        ReportAnswer::Unknown => unknown(&site, from),
        ReportAnswer::Again => later("unavailable", StatusCode::SERVICE_UNAVAILABLE, 5),
    }
}

/// Counts unknown codes by address prefix.
#[must_use]
pub fn misses() -> Tally<IpAddr> {
    Tally::new(MISSES_PER_MINUTE, Duration::from_mins(1))
}

#[derive(Serialize)]
struct PassBody<'a> {
    state: &'static str,
    passcode: &'a str,
    ends_at: Timestamp,
    lifetime_minutes: u64,
    one_time: bool,
    upn: &'a str,
}

fn unknown(site: &Site, from: From) -> Response<Body> {
    if site.misses.note(from.prefix(), site.clock.now()) {
        tracing::warn!(prefix = %from.prefix(), "many unknown codes from one address prefix");
    }
    answer(StatusCode::NOT_FOUND, &json!({"state": "unknown"}))
}

fn name(answer: &ClaimAnswer) -> &'static str {
    match answer {
        ClaimAnswer::Pass { .. } => "pass",
        ClaimAnswer::Evaluated => "evaluated",
        ClaimAnswer::WrongPin(_) => "wrong_pin",
        ClaimAnswer::Locked => "locked",
        ClaimAnswer::Opened(_) => "opened",
        ClaimAnswer::Unknown => "unknown",
        ClaimAnswer::Waiting => "waiting",
        ClaimAnswer::Busy(_) => "busy",
        ClaimAnswer::Unavailable(_) => "unavailable",
        ClaimAnswer::Stopped => "stopped",
        ClaimAnswer::Lockdown => "lockdown",
        ClaimAnswer::Refused => "refused",
        ClaimAnswer::Closed(_) => "closed",
    }
}

fn closed(why: ClosedWhy) -> &'static str {
    match why {
        ClosedWhy::Expired => "expired",
        ClosedWhy::Used => "used",
        ClosedWhy::Revoked => "revoked",
        ClosedWhy::Reported => "reported",
        ClosedWhy::Cancelled => "cancelled",
        ClosedWhy::Denied => "denied",
        ClosedWhy::Locked => "locked",
    }
}
