//! Which routes are there, and what holds for all of them?
//!
//! The route table is data, so that a test can send every forgery to every route. Handlers never see a body
//! above its route's limit, and every answer carries the security headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest;
use axum::Router;
use axum::body::{HttpBody, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::middleware::{self, Next};
use axum::routing::{MethodRouter, get, post};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use metrics::{counter, gauge};
use tapdesk_adapters::couriers::StatusReports;
use tapdesk_adapters::hooks::Hooks;
use tapdesk_adapters::slack::Slack;
use tapdesk_adapters::teams::Teams;
use tapdesk_core::desk::Desk;
use tapdesk_core::evaluation::Mode;
use tapdesk_core::ports::{Clock, Ledger};
use tokio_util::task::TaskTracker;

use crate::ask::{self, Asks};
use crate::audit::names;
use crate::claim;
use crate::explain;
use crate::page::{self, element};
use crate::scrub::Scrubbed;
use crate::tally::{From, Tally};
use crate::{telemetry, webhooks};

/// Bodies, in and out.
pub type Body = axum::body::Body;

/// What the public listener's handlers work with.
pub struct Site {
    /// The desk.
    pub desk: Arc<Desk>,
    /// Slack, where it is configured.
    pub slack: Option<Arc<Slack>>,
    /// Teams, where it is configured.
    pub teams: Option<Arc<Teams>>,
    /// The ticket systems and workflows that may ask.
    pub hooks: Hooks,
    /// What reads Twilio's reports, where its auth token is configured.
    pub status_reports: Option<Arc<StatusReports>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Work that outlives its connection; shutdown waits for it.
    pub tracker: TaskTracker,
    /// Unknown codes by address prefix.
    pub misses: Tally<IpAddr>,
    /// The page for people without chat, where it is configured.
    pub asks: Option<Asks>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How long a request may take to bring its body.
    pub body_within: Duration,
}

/// Where the Bot Connector brings what people do in Teams.
pub const TEAMS_MESSAGES: &str = "/teams/messages";
/// Where a team's outgoing webhook brings what somebody wrote to it.
pub const TEAMS_OUTGOING: &str = "/teams/outgoing";
/// Where Twilio reports how far a text message came.
pub const TWILIO_STATUS: &str = "/twilio/status";

/// Where ticket systems and workflows ask.
pub const HOOK_REQUESTS: &str = "/hooks/requests";

/// One route of the public listener.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, in the router's syntax.
    pub path: &'static str,
    /// The largest body that it reads.
    pub largest_body: usize,
    /// Whether its connection ends with the answer. Those of the pages do: a code, PIN or passcode must not stay in the
    /// buffers of a connection that waits for more.
    pub is_last: bool,
    /// The page whose script and style its answers allow.
    page: &'static LazyLock<String>,
    handler: fn() -> MethodRouter<Arc<Site>>,
}

/// Every route of the public listener.
#[must_use]
pub fn routes() -> Vec<Route> {
    type Handler = fn() -> MethodRouter<Arc<Site>>;
    let page = |method, path, largest_body, handler: Handler| Route {
        method,
        path,
        largest_body,
        is_last: true,
        page: &page::CLAIM,
        handler,
    };
    let hook = |path, largest_body, handler: Handler| Route {
        is_last: false,
        ..page(Method::POST, path, largest_body, handler)
    };
    vec![
        page(Method::GET, "/c", 0, || get(claim::page)),
        // A mail gateway may have turned the fragment into a path.
        page(Method::GET, "/{code}", 0, || get(claim::page_behind_gateway).fallback(page::nothing_here)),
        page(Method::POST, "/c/status", 4 << 10, || post(claim::status)),
        page(Method::POST, "/c/claim", 4 << 10, || post(claim::claim)),
        page(Method::POST, "/c/shown", 4 << 10, || post(claim::shown)),
        page(Method::POST, "/c/report", 4 << 10, || post(claim::report)),
        Route { page: &page::ASK, ..page(Method::GET, "/ask", 0, || get(ask::page)) },
        Route { page: &page::ASK, ..page(Method::POST, "/ask", 4 << 10, || post(ask::ask)) },
        hook("/slack/commands", 64 << 10, || post(webhooks::slack::command)),
        hook(TWILIO_STATUS, 16 << 10, || post(webhooks::twilio::status)),
        hook("/slack/interactions", 256 << 10, || post(webhooks::slack::interaction)),
        hook("/slack/events", 256 << 10, || post(webhooks::slack::event)),
        hook(TEAMS_MESSAGES, 256 << 10, || post(webhooks::teams::message)),
        hook(TEAMS_OUTGOING, 64 << 10, || post(webhooks::teams::outgoing)),
        hook(HOOK_REQUESTS, 16 << 10, || post(webhooks::hook::request)),
    ]
}

/// The public router.
pub fn public(site: Arc<Site>) -> Router {
    let mut router = Router::new();
    for Route { path, largest_body, is_last, page, handler, .. } in routes() {
        let limit = Limit { route: path, largest: largest_body, within: site.body_within };
        let mut limited = handler().layer(middleware::from_fn_with_state(limit, within_limit));
        limited = limited.layer(middleware::from_fn_with_state(content_policy(page), allowing));
        if is_last {
            limited = limited.layer(middleware::from_fn(leaving_nothing));
        }
        router = router.route(path, limited);
    }
    router
        .with_state(site)
        .layer(middleware::from_fn(secured))
        .layer(middleware::from_fn_with_state(content_policy(&page::CLAIM), allowing))
}

/// What the admin listener's handlers work with.
pub struct Admin {
    /// The desk.
    pub desk: Arc<Desk>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
}

/// The admin router: health, metrics, the names of a request, what would become of one, lockdown.
pub fn admin(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/requests/{id}", get(names::answer))
        .route("/explain", get(explain::answer))
        .route("/lockdown", get(lockdown).put(lock_down).delete(lift_lockdown))
        .with_state(admin)
}

/// The headers of every answer.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 9] = [
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow, noarchive")),
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
             microphone=(), midi=(), payment=(), usb=(), clipboard-read=(), clipboard-write=(self)",
        ),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The policy that allows a page's one script and one style by hash, and nothing else.
fn content_policy(page: &str) -> Option<HeaderValue> {
    let (script, style) = (element_hash(page, "script"), element_hash(page, "style"));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; \
         img-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    HeaderValue::from_str(&policy).ok()
}

/// SHA-256 of what stands in the page's one element of that name, as the policy wants it.
fn element_hash(page: &str, name: &str) -> String {
    BASE64_STANDARD.encode(digest::digest(&digest::SHA256, element(page, name).as_bytes()))
}

async fn secured(request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The content policy, unless the route has its own.
async fn allowing(State(policy): State<Option<HeaderValue>>, request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    if let Some(policy) = policy {
        response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// Neither on the stack nor in a connection's buffers.
async fn leaving_nothing(request: Request, next: Next) -> Response<Body> {
    let mut response = Scrubbed::new(next.run(request)).await;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What a route's body may be.
#[derive(Clone, Copy)]
struct Limit {
    route: &'static str,
    largest: usize,
    within: Duration,
}

/// Reads the whole body before the handler runs: too large is 413, too slow is 408.
async fn within_limit(State(limit): State<Limit>, request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let announced = usize::try_from(HttpBody::size_hint(&body).lower()).unwrap_or(usize::MAX);
    let read = async {
        // What is announced too large is refused before a byte of it is waited for.
        if announced > limit.largest { None } else { to_bytes(body, limit.largest).await.ok() }
    };
    let (status, why) = match tokio::time::timeout(limit.within, read).await {
        Ok(Some(bytes)) => return next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(None) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
    };
    counter!("tapdesk_refused_total", "route" => limit.route, "why" => why).increment(1);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl FromRequestParts<Arc<Site>> for From {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, StatusCode> {
        let socket =
            parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        let peer = socket.0.ip();
        if !site.trusted_proxies.contains(&peer) {
            return Ok(Self(peer));
        }
        // The last address that no trusted proxy vouches for is the client; what stands before it, anybody can write.
        let forwarded =
            parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<IpAddr> =
            forwarded.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
        let client = hops.iter().rev().find(|hop| !site.trusted_proxies.contains(hop));
        Ok(Self(client.copied().unwrap_or(peer)))
    }
}

async fn ready(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    // The store answers, and the ledger has not fallen behind what the store holds.
    match admin.desk.store().anchor(&admin.ledger.head().ledger).await {
        Ok(anchor) if admin.ledger.head().seq >= anchor.seq => (StatusCode::OK, "ready\n"),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "the ledger is behind the store\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> String {
    let head = admin.ledger.head();
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 ledger lines are far away")]
    gauge!("tapdesk_ledger_lines").set(head.seq as f64);
    gauge!("tapdesk_evaluating").set(match admin.desk.mode() {
        Mode::Enforce => 0.0,
        Mode::Evaluate => 1.0,
    });
    if let Ok(lockdown) = admin.desk.store().lockdown().await {
        gauge!("tapdesk_lockdown").set(if lockdown.is_some() { 1.0 } else { 0.0 });
    }
    // The hash is a label of one series that is written here: a recorder would keep every head there ever was.
    format!(
        "{}# HELP tapdesk_ledger_head The ledger's last line; keep it elsewhere and compare with: tapdesk ledger verify --head\n\
         # TYPE tapdesk_ledger_head gauge\ntapdesk_ledger_head{{hash=\"{}\"}} {}\n",
        telemetry::metrics().render(),
        head.hash,
        head.seq
    )
}

async fn lockdown(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    match admin.desk.store().lockdown().await {
        Ok(Some(since)) => (StatusCode::OK, format!("on since {since}\n")),
        Ok(None) => (StatusCode::OK, "off\n".to_owned()),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n".to_owned()),
    }
}

async fn lock_down(peer: ConnectInfo<SocketAddr>, state: State<Arc<Admin>>) -> (StatusCode, String) {
    switch(peer, state, true).await
}

async fn lift_lockdown(peer: ConnectInfo<SocketAddr>, state: State<Arc<Admin>>) -> (StatusCode, String) {
    switch(peer, state, false).await
}

async fn switch(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(admin): State<Arc<Admin>>,
    on: bool,
) -> (StatusCode, String) {
    // The admin listener may be open to a metrics collector; switching is for who is on the machine.
    if !peer.ip().is_loopback() {
        return (StatusCode::FORBIDDEN, "only from this machine\n".to_owned());
    }
    match admin.desk.set_lockdown(on).await {
        Ok(()) => lockdown(State(admin)).await,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the lockdown could not be switched");
            (StatusCode::SERVICE_UNAVAILABLE, "not switched: store or ledger failed\n".to_owned())
        }
    }
}
