//! What do the pages for people outside the chat share: the frame, what their scripts have to send, and how they are
//! answered?
//!
//! A page is one static file that reads nothing. Everything else is a POST of JSON with a custom header, so that no
//! form of another site can send it.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::server::Body;

/// What every page has: its look, its languages, and how its script asks the server.
const FRAME: &str = include_str!("page.html");

/// The page on which the subject claims: the same bytes for everybody.
pub static CLAIM: LazyLock<String> = LazyLock::new(|| framed(include_str!("claim.html")));

/// The page on which a locked-out colleague asks.
pub static ASK: LazyLock<String> = LazyLock::new(|| framed(include_str!("ask.html")));

/// The page, for whoever fetches it.
pub fn show(page: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Every path that is none.
pub async fn nothing_here() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The body, if the request is one that only our own page can have sent. Of a repeated header every value counts:
/// which of them others go by is not known here.
pub fn accept<'a, T: Deserialize<'a>>(headers: &HeaderMap, body: &'a [u8]) -> Option<T> {
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

/// An answer to the page's script.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Not now; the script asks again after that many seconds.
pub fn later(state: &str, status: StatusCode, seconds: u64) -> Response<Body> {
    let mut response = answer(status, &json!({"state": state, "retry_after": seconds}));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// What was sent cannot be meant; the script marks that field.
#[must_use]
pub fn malformed(field: &str) -> Response<Body> {
    answer(StatusCode::BAD_REQUEST, &json!({"state": "malformed", "field": field}))
}

/// What stands in the one element of that name.
#[must_use]
pub fn element<'a>(page: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let content = page.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    content.map_or("", |(content, _)| content)
}

/// A page's own style, sections and script in the frame.
fn framed(own: &str) -> String {
    FRAME
        .replace("/*style*/", element(own, "style").trim())
        .replace("<!--sections-->", element(own, "main").trim())
        .replace("/*script*/", element(own, "script").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_page_is_lost_in_its_frame() {
        for (own, page) in [(include_str!("claim.html"), &*CLAIM), (include_str!("ask.html"), &*ASK)] {
            for name in ["style", "main", "script"] {
                assert!(own.matches(&format!("<{name}>")).count() == 1 && !element(own, name).is_empty());
                assert!(page.contains(element(own, name).trim()), "{name}");
            }
            assert!(page.matches("<script").count() == 1 && page.matches("<style").count() == 1);
            assert!(["/*style*/", "<!--sections-->", "/*script*/"].iter().all(|slot| !page.contains(slot)));
        }
    }
}
