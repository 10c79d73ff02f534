//! How is one call to Graph made, logged, repeated and refused?
//!
//! Addresses never reach the log: a call is named by its route template. Harmless calls are repeated here, with
//! growing pauses; the one that is not harmless (`create`) uses [`Graph::signed_in`] directly.

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tapdesk_core::ports::PortError;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Graph;
use super::answer::{Reply, is_passing};
use crate::http::{self, pause, word};

/// How often a harmless call is tried.
const TRIES: u32 = 3;
/// The longest `Retry-After` that is waited for here; a longer one goes back to the worker.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The most pages of one list: 100 of 999 entries are more than any group of approvers has.
const MOST_PAGES: usize = 100;

/// One call, before it is signed.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The route template, the only form of the address that is logged.
    pub(super) route: &'static str,
    pub(super) body: Option<Value>,
    /// The permission that mends a 403.
    pub(super) needs: &'static str,
}

/// Why there is no answer.
pub(super) enum Failed {
    /// Entra granted no token: nothing was sent.
    NoToken(PortError),
    /// The connection was never made: nothing was sent.
    NoConnection(PortError),
    /// It was sent, or may have been.
    Lost(PortError),
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl Call {
    pub(super) fn get(url: Url, route: &'static str, needs: &'static str) -> Self {
        Self { method: Method::GET, url, route, body: None, needs }
    }

    pub(super) fn post(url: Url, route: &'static str, body: Value, needs: &'static str) -> Self {
        Self { method: Method::POST, url, route, body: Some(body), needs }
    }

    /// An answer that Microsoft documents otherwise. Serde's own error stays out: it may quote the answer.
    pub(super) fn odd(&self) -> PortError {
        PortError::fatal(format!("Graph's answer to {} has another shape than documented", self.route))
    }

    /// A 404 where the port promises an answer.
    pub(super) fn missing(&self) -> PortError {
        PortError::fatal(format!("Graph knows nothing at {}", self.route))
    }

    /// What a refusal means to the worker.
    fn refused(&self, reply: &Reply) -> PortError {
        let route = self.route;
        match reply.status.as_u16() {
            401 => PortError::fatal(format!("Graph refuses the app's token for {route}")),
            403 => PortError::fatal(format!(
                "Graph refuses {route}: give the Entra app {} and admin consent",
                self.needs
            )),
            429 => PortError::retry("Graph asks for fewer calls").after(reply.retry_after),
            408 | 500..=599 => PortError::retry(format!("Graph fails at {route}")).after(reply.retry_after),
            _ => PortError::fatal(format!("Graph refuses {route}")),
        }
        .because(reply.told())
    }

    fn parse<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, PortError> {
        let body = reply.body.as_ref().ok_or_else(|| self.odd())?;
        serde_json::from_slice(body).map_err(|_| self.odd())
    }
}

impl Graph {
    /// The address of `segments` below `/v1.0`; `query` has its values already percent-encoded.
    pub(super) fn address(&self, segments: &[&str], query: &str) -> Url {
        let mut url = self.config.base_url.clone();
        // Only a URL that cannot be a base has no segments, and `Graph::new` let only origins pass.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().push("v1.0").extend(segments);
        }
        url.set_query((!query.is_empty()).then_some(query));
        url
    }

    /// Makes a harmless call, again if that may help. `None` is a 404.
    pub(super) async fn ask(&self, call: &Call) -> Result<Option<Reply>, PortError> {
        let mut tries = 1;
        loop {
            let (error, wait) = match self.signed_in(call).await {
                Ok(reply) if reply.status == StatusCode::NOT_FOUND => return Ok(None),
                Ok(reply) if reply.body.is_none() => (PortError::retry("the connection broke"), None),
                Ok(reply) if reply.status.is_success() => return Ok(Some(reply)),
                Ok(reply) if is_passing(reply.status) => (call.refused(&reply), reply.retry_after),
                Ok(reply) => return Err(call.refused(&reply)),
                Err(Failed::NoToken(error)) => return Err(error),
                Err(Failed::NoConnection(error) | Failed::Lost(error)) => (error, None),
            };
            if tries == TRIES || wait.is_some_and(|wait| wait > LONGEST_WAIT) {
                return Err(error);
            }
            let [dice] = self.entropy.array();
            tokio::time::sleep(wait.unwrap_or_else(|| pause(self.config.retry_pause, tries, dice))).await;
            tries += 1;
        }
    }

    /// A harmless call whose answer is one object; `None` is a 404.
    pub(super) async fn one<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, PortError> {
        match self.ask(call).await? {
            Some(reply) => call.parse(&reply).map(Some),
            None => Ok(None),
        }
    }

    /// A harmless call whose answer is a list, all pages of it.
    pub(super) async fn all<T: DeserializeOwned>(&self, mut call: Call) -> Result<Vec<T>, PortError> {
        let mut entries = Vec::new();
        for _ in 0..MOST_PAGES {
            let page: Page<T> = self.one(&call).await?.ok_or_else(|| call.missing())?;
            entries.extend(page.value);
            let Some(next) = page.next else { return Ok(entries) };
            call = Call::get(
                next_page(&self.config.base_url, &next).ok_or_else(|| call.odd())?,
                call.route,
                call.needs,
            );
        }
        Err(PortError::fatal(format!("{} has more than {MOST_PAGES} pages", call.route)))
    }

    /// Makes a call once; a second time only if Graph said that it did not accept the token, hence did nothing.
    pub(super) async fn signed_in(&self, call: &Call) -> Result<Reply, Failed> {
        let bearer = self.tokens.bearer().await.map_err(Failed::NoToken)?;
        let reply = self.exchange(call, &bearer).await?;
        let is_stale = reply.status == StatusCode::UNAUTHORIZED
            && reply.said().code.eq_ignore_ascii_case("InvalidAuthenticationToken");
        if !is_stale {
            return Ok(reply);
        }
        self.tokens.forget(&bearer).await;
        let bearer = self.tokens.bearer().await.map_err(Failed::NoToken)?;
        self.exchange(call, &bearer).await
    }

    async fn exchange(&self, call: &Call, bearer: &HeaderValue) -> Result<Reply, Failed> {
        let client_request_id = self.fresh_id();
        let started = Instant::now();
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .header(reqwest::header::AUTHORIZATION, bearer.clone())
            .header(ACCEPT, "application/json")
            .header("client-request-id", client_request_id.to_string());
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| {
            let failure = http::failed(&error);
            tracing::warn!(
                graph.method = %call.method,
                graph.route = call.route,
                graph.client_request_id = %client_request_id,
                graph.ms = millis(started),
                "a call to Graph got no answer: {failure}"
            );
            if error.is_connect() || error.is_builder() {
                Failed::NoConnection(failure)
            } else {
                Failed::Lost(failure)
            }
        })?;
        let reply = Reply {
            status: response.status(),
            retry_after: self.retry_after(response.headers()),
            request_id: word(header(response.headers(), "request-id").unwrap_or_default()),
            client_request_id,
            body: http::body(response).await.ok().map(Zeroizing::new),
        };
        log(call, &reply, millis(started));
        Ok(reply)
    }

    /// `Retry-After`, by the clock of the core.
    pub(super) fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        http::retry_after(header(headers, RETRY_AFTER.as_str()), self.clock.now())
    }

    /// A fresh GUID for `client-request-id`.
    pub(super) fn fresh_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.entropy.array()).into_uuid()
    }
}

/// Percent-encodes everything but unreserved characters. `+` for a blank, which form encoding would make, is not
/// a blank to every OData parser.
pub(super) fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Milliseconds since `started`, for the log.
pub(super) fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A next link, if it leads to Graph: the token goes wherever it points.
fn next_page(base: &Url, link: &str) -> Option<Url> {
    let next = Url::parse(link).ok()?;
    let is_ours = next.origin() == base.origin()
        && next.path().starts_with("/v1.0/")
        && next.username().is_empty()
        && next.password().is_none();
    is_ours.then_some(next)
}

/// One line per call. A 404 is an answer to a look-up, not a failure.
fn log(call: &Call, reply: &Reply, ms: u64) {
    let (method, route, status) = (&call.method, call.route, reply.status.as_u16());
    let (request_id, client_request_id) = (&reply.request_id, reply.client_request_id);
    if reply.status.is_success() || reply.status == StatusCode::NOT_FOUND {
        tracing::debug!(
            graph.method = %method, graph.route = route, graph.status = status, graph.request_id = request_id,
            graph.client_request_id = %client_request_id, graph.ms = ms,
            "Graph answered"
        );
    } else {
        tracing::warn!(
            graph.method = %method, graph.route = route, graph.status = status, graph.request_id = request_id,
            graph.client_request_id = %client_request_id, graph.ms = ms,
            graph.code = reply.said().code, graph.needs = call.needs,
            "Graph refused a call"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::answer::told_code;

    fn refused(status: u16) -> PortError {
        let url = "https://graph.microsoft.com/v1.0/users/jane@contoso.com".parse().unwrap();
        let body = r#"{"error":{"code":"accessDenied","message":"jane@contoso.com may not"}}"#;
        Call::get(url, "/users/{id}", "User.Read.All").refused(&Reply::fixture(status, Some(body)))
    }

    #[test]
    fn a_refusal_tells_the_worker_whether_to_come_back() {
        for status in [429, 408, 500, 502, 503, 504] {
            let error = refused(status);
            let PortError::Retry { after, .. } = error else { panic!("{status}: {error}") };
            assert_eq!(after, Some(Duration::from_secs(7)));
        }
        for status in [400, 401, 403, 409, 302] {
            assert!(matches!(refused(status), PortError::Fatal { .. }), "{status}");
        }
        assert!(refused(403).to_string().contains("User.Read.All"));
    }

    #[test]
    fn a_refusal_never_quotes_graphs_message() {
        use std::error::Error as _;
        let error = refused(403);
        let told = error.source().unwrap().to_string();
        assert!(told.contains("403 accessDenied (request-id r-1"), "{told}");
        assert!(!format!("{error:?} {error} {told}").contains("jane"));
        assert_eq!(told_code(&error), Some("accessDenied"));
    }

    #[test]
    fn a_next_link_is_followed_to_graph_only() {
        let base: Url = "https://graph.microsoft.com".parse().unwrap();
        assert!(next_page(&base, "https://graph.microsoft.com/v1.0/groups/1/members?$skiptoken=x").is_some());
        for elsewhere in [
            "https://graph.microsoft.com.example/v1.0/x",
            "http://graph.microsoft.com/v1.0/x",
            "https://graph.microsoft.com:8443/v1.0/x",
            "https://graph.microsoft.com/beta/x",
            "https://graph.microsoft.com/v1.0/../beta/x",
            "https://a:b@graph.microsoft.com/v1.0/x",
            "/v1.0/groups",
        ] {
            assert!(next_page(&base, elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn a_query_value_is_encoded_without_plus_signs() {
        assert_eq!(percent("o'hara+x@contoso.com"), "o%27hara%2Bx%40contoso.com");
    }
}
