//! What does the claim page's server side accept, and what does it answer?
//!
//! `GET /c` is one static file that reads nothing. Everything else is a POST of JSON with a custom header, so that
//! no form of another site can send it. Unknown codes get one uniform answer and are counted per address prefix.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use jiff::Timestamp;
use metrics::counter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tapdesk_core::desk::{ClaimAnswer, ClosedWhy, ReportAnswer, ShownAnswer, StatusAnswer};
use tapdesk_core::ticket::{Client, Code, Malformed, Pin, ReportToken};

use crate::scrub::Scrubbed;
use crate::server::{Body, Site};

/// The page: the same bytes for everybody.
pub const PAGE: &str = include_str!("claim.html");
/// Unknown codes per address prefix and minute.
const MISSES_PER_MINUTE: u32 = 20;
/// Address prefixes that are remembered at a time.
const MOST_PREFIXES: usize = 100_000;

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
    let mut response = Response::new(Body::from(PAGE));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The page at `/c%23…`, where a mail gateway encoded the fragment, perhaps twice; everything else at the root is unknown.
pub async fn page_behind_gateway(uri: Uri) -> Response<Body> {
    if uri.path().starts_with("/c%23") || uri.path().starts_with("/c%2523") {
        return page().await;
    }
    nothing_here().await
}

/// Every other path.
pub async fn nothing_here() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
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
    if let Some(pause) = site.misses.pause(from.0, site.clock.now()) {
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
    if let Some(pause) = site.misses.pause(from.0, site.clock.now()) {
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
    if let Some(pause) = site.misses.pause(from.0, site.clock.now()) {
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

/// The address that a request came from, after trusted proxies.
#[derive(Debug, Clone, Copy)]
pub struct From(pub IpAddr);

/// Misses per address prefix: /24 and /56.
#[derive(Default)]
pub struct Misses(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl Misses {
    /// How many seconds the prefix has to wait, if it missed too often within the last minute.
    fn pause(&self, from: IpAddr, now: Timestamp) -> Option<u64> {
        let misses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = misses.get(&prefix(from))?;
        let left = 60_u64.saturating_sub(age(*since, now).as_secs());
        (*count >= MISSES_PER_MINUTE && left > 0).then_some(left)
    }

    fn note(&self, from: IpAddr, now: Timestamp) {
        let mut misses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if misses.len() >= MOST_PREFIXES {
            misses.retain(|_, (since, _)| age(*since, now) < Duration::from_mins(1));
        }
        if misses.len() >= MOST_PREFIXES {
            return;
        }
        let entry = misses.entry(prefix(from)).or_insert((now, 0));
        if age(entry.0, now) >= Duration::from_mins(1) {
            *entry = (now, 0);
        }
        entry.1 += 1;
        if entry.1 == MISSES_PER_MINUTE {
            tracing::warn!(prefix = %prefix(from), "many unknown codes from one address prefix");
        }
    }
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

/// The body, if the request is one that only our own page can have sent. Of a repeated header every value counts:
/// which of them others go by is not known here.
fn accept<'a, T: Deserialize<'a>>(headers: &HeaderMap, body: &'a [u8]) -> Option<T> {
    let are = |name: &str, value: &str| headers.get_all(name).iter().all(|given| given == value);
    let json = |given: &HeaderValue| {
        let kind = given.to_str().ok().and_then(|given| given.split(';').next());
        kind.is_some_and(|kind| kind.trim() == "application/json")
    };
    let ours =
        headers.contains_key("x-tapdesk") && are("x-tapdesk", "1") && are("sec-fetch-site", "same-origin");
    let is_json = headers.contains_key(CONTENT_TYPE) && headers.get_all(CONTENT_TYPE).iter().all(json);
    if ours && is_json { serde_json::from_slice(body).ok() } else { None }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn later(state: &str, status: StatusCode, seconds: u64) -> Response<Body> {
    let mut response = answer(status, &json!({"state": state, "retry_after": seconds}));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn malformed(field: &str) -> Response<Body> {
    answer(StatusCode::BAD_REQUEST, &json!({"state": "malformed", "field": field}))
}

fn unknown(site: &Site, from: From) -> Response<Body> {
    site.misses.note(from.0, site.clock.now());
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

fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & 0xFFFF_FF00).into(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => prefix(v4.into()),
            None => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 72)).into(),
        },
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_are_counted_per_prefix_and_forgiven_after_a_minute() {
        let misses = Misses::default();
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let from: IpAddr = "192.0.2.7".parse().unwrap();
        for _ in 0..MISSES_PER_MINUTE {
            assert_eq!(misses.pause(from, start), None);
            misses.note(from, start);
        }
        assert_eq!(misses.pause("192.0.2.200".parse().unwrap(), start), Some(60));
        assert_eq!(misses.pause("192.0.3.7".parse().unwrap(), start), None);
        assert_eq!(misses.pause(from, start + Duration::from_mins(1)), None);
    }

    #[test]
    fn an_ipv6_prefix_is_56_bits_and_a_mapped_address_counts_as_ipv4() {
        let of = |text: &str| prefix(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2ff:3::4"), "2001:db8:1:200::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.0");
    }
}
