//! How does a simulator speak HTTP, and how is it made to misbehave?
//!
//! Every simulator is an axum router on a loopback port with a [`Wire`] in front: it records what came in, and applies
//! the troubles that a story planned for a path: hold, drop, other answers. A request is handled in a task of its own, so a
//! client that gives up undoes nothing: what was held still lands when its gate opens.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::middleware::{self, Next};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How long a story waits for a request that never comes before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One exchange as it was on the wire.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Request method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Request headers.
    pub headers: HeaderMap,
    /// Request body.
    pub body: Bytes,
    /// Whether the simulator has handled it; its answer may still be held.
    pub is_handled: bool,
    /// Whether the simulator has handled it and holds no work for it any more.
    pub is_done: bool,
    /// Status of the answer; `None` while it is held, or when the client did not get one.
    pub status: Option<StatusCode>,
}

impl Exchange {
    /// `METHOD path?query`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Whether its line is one that stories name so: it contains the part, whose pieces between `*` come in that order, and
    /// ends with it if the part ends with `$`.
    #[must_use]
    pub fn is_named(&self, part: &str) -> bool {
        is_named(&self.line(), part)
    }

    /// The body as JSON; null when it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A request header; empty when it was not sent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Something that goes wrong with one request.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The request is handled, its answer waits until the gate opens.
    HoldAnswer(Gate),
    /// The request waits before it is handled.
    HoldRequest(Gate),
    /// The request is handled and its answer never leaves: the connection is closed instead.
    DropAnswer,
    /// The connection is closed before the request is handled.
    DropRequest,
    /// Another answer instead of the real one; the request is not handled.
    Answer(StatusCode, Vec<(&'static str, String)>, String),
    /// The request is handled, another answer is sent.
    HandleThenAnswer(StatusCode, String),
}

/// A gate that a story opens.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits until the gate is open.
    pub(crate) async fn wait(&self) {
        // `acquire` ends with an error once the semaphore is closed: that is the gate opening.
        let _ = self.0.acquire().await;
    }
}

struct Planned {
    path: String,
    times: usize,
    trouble: Trouble,
}

/// The recorder and trouble-maker in front of one simulator.
#[derive(Clone, Default)]
pub struct Wire {
    seen: Arc<Mutex<Vec<Exchange>>>,
    planned: Arc<Mutex<VecDeque<Planned>>>,
    changed: Arc<watch::Sender<()>>,
    server: Arc<Mutex<Option<AbortHandle>>>,
}

impl Wire {
    /// Everything that came in so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Exchange> {
        lock(&self.seen).clone()
    }

    /// Requests so far whose path and query contain `part`.
    #[must_use]
    pub fn count(&self, method: &Method, part: &str) -> usize {
        lock(&self.seen).iter().filter(|e| e.method == method && e.target.contains(part)).count()
    }

    /// The latest request for which `"METHOD path?query"` contains `part`.
    #[must_use]
    pub fn last(&self, part: &str) -> Option<Exchange> {
        lock(&self.seen).iter().rev().find(|e| e.is_named(part)).cloned()
    }

    /// Waits until `times` requests for which `"METHOD path?query"` contains `part` came in, held or not.
    ///
    /// # Panics
    /// When they do not come within some seconds.
    pub async fn arrived(&self, part: &str, times: usize) {
        let enough = |seen: &[Exchange]| seen.iter().filter(|e| e.is_named(part)).count() >= times;
        assert!(self.until(enough).await, "{times} × {part:?} did not arrive");
    }

    /// Waits until `times` requests for which `"METHOD path?query"` contains `part` were handled, their answers held or not.
    ///
    /// # Panics
    /// When that does not happen within some seconds.
    pub async fn handled(&self, part: &str, times: usize) {
        let handled = |e: &&Exchange| e.is_handled && e.is_named(part);
        let enough = |seen: &[Exchange]| seen.iter().filter(handled).count() >= times;
        assert!(self.until(enough).await, "{times} × {part:?} were not handled");
    }

    /// Waits until every request that came in was handled: what was held has landed.
    ///
    /// # Panics
    /// When something is still held after some seconds.
    pub async fn landed(&self) {
        assert!(self.until(|seen| seen.iter().all(|e| e.is_done)).await, "a request is still held");
    }

    async fn until(&self, holds: impl Fn(&[Exchange]) -> bool) -> bool {
        let mut changes = self.changed.subscribe();
        let wait = changes.wait_for(|()| holds(&lock(&self.seen)));
        timeout(PATIENCE, wait).await.is_ok_and(|outcome| outcome.is_ok())
    }

    /// Waits until something holds that requests to this simulator bring about; `false` if patience is over before.
    pub async fn brings(&self, patience: Duration, holds: impl Fn() -> bool) -> bool {
        let mut changes = self.changed.subscribe();
        timeout(patience, changes.wait_for(|()| holds())).await.is_ok_and(|outcome| outcome.is_ok())
    }

    /// Plans a trouble for the next `times` requests for which `"METHOD path?query"` contains `part`.
    pub fn trouble(&self, part: &str, times: usize, trouble: Trouble) {
        lock(&self.planned).push_back(Planned { path: part.to_owned(), times, trouble });
    }

    /// Keeps the next request that matches from being handled until the gate opens, even if its client gives up.
    #[must_use]
    pub fn hold_request(&self, part: &str) -> Gate {
        let gate = Gate::closed();
        self.trouble(part, 1, Trouble::HoldRequest(gate.clone()));
        gate
    }

    /// Handles the next request that matches, and keeps its answer until the gate opens.
    #[must_use]
    pub fn hold_answer(&self, part: &str) -> Gate {
        let gate = Gate::closed();
        self.trouble(part, 1, Trouble::HoldAnswer(gate.clone()));
        gate
    }

    /// Ends all planned troubles. What is held already stays held until its gate opens.
    pub fn heal(&self) {
        lock(&self.planned).clear();
    }

    /// Serves `router` behind this wire on a free loopback port until it is stopped.
    pub async fn serve(&self, router: Router) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let router = router.layer(middleware::from_fn_with_state(self.clone(), pass));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        *lock(&self.server) = Some(server.abort_handle());
        Ok(address)
    }

    /// Stops to serve: a world that is over must not hold its ports and files open.
    pub fn stop(&self) {
        if let Some(server) = lock(&self.server).take() {
            server.abort();
        }
    }

    fn write_down(&self, exchange: Exchange) -> usize {
        let mut seen = lock(&self.seen);
        seen.push(exchange);
        let place = seen.len() - 1;
        drop(seen);
        self.changed.send_replace(());
        place
    }

    fn note(&self, place: usize, change: impl FnOnce(&mut Exchange)) {
        lock(&self.seen).get_mut(place).map(change);
        self.changed.send_replace(());
    }

    fn next_trouble(&self, line: &str) -> Option<Trouble> {
        let mut planned = lock(&self.planned);
        let at = planned.iter().position(|p| p.times > 0 && is_named(line, &p.path))?;
        planned[at].times -= 1;
        let trouble = planned[at].trouble.clone();
        if planned[at].times == 0 {
            planned.remove(at);
        }
        Some(trouble)
    }
}

fn is_named(line: &str, part: &str) -> bool {
    let (part, is_end) = part.strip_suffix('$').map_or((part, false), |part| (part, true));
    let mut rest = Some(line);
    for piece in part.split('*') {
        rest = rest.and_then(|rest| rest.split_once(piece)).map(|(_, after)| after);
    }
    rest.is_some() && (!is_end || line.ends_with(part))
}

async fn pass(State(wire): State<Wire>, request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap_or_default();
    let exchange = Exchange {
        method: parts.method.clone(),
        target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: parts.headers.clone(),
        body: body.clone(),
        is_handled: false,
        is_done: false,
        status: None,
    };
    let trouble = wire.next_trouble(&exchange.line());
    let place = wire.write_down(exchange);
    let request = Request::from_parts(parts, Body::from(body));
    let work = tokio::spawn({
        let wire = wire.clone();
        async move {
            let handled = || wire.note(place, |exchange| exchange.is_handled = true);
            let response = play(trouble, request, next, handled).await;
            wire.note(place, |exchange| (exchange.is_handled, exchange.is_done) = (true, true));
            response
        }
    });
    let Ok(Some(response)) = work.await else { close() };
    wire.note(place, |exchange| exchange.status = Some(response.status()));
    response
}

/// Handles a request with its trouble; `None` means that the client gets no answer.
async fn play(
    trouble: Option<Trouble>,
    request: Request,
    next: Next,
    handled: impl Fn(),
) -> Option<Response<Body>> {
    match trouble {
        None => Some(next.run(request).await),
        Some(Trouble::HoldAnswer(gate)) => {
            let answer = next.run(request).await;
            handled();
            gate.wait().await;
            Some(answer)
        }
        Some(Trouble::HoldRequest(gate)) => {
            gate.wait().await;
            Some(next.run(request).await)
        }
        Some(Trouble::DropAnswer) => {
            next.run(request).await;
            None
        }
        Some(Trouble::DropRequest) => None,
        Some(Trouble::Answer(status, headers, body)) => Some(answer(status, headers, body)),
        Some(Trouble::HandleThenAnswer(status, body)) => {
            next.run(request).await;
            Some(answer(status, Vec::new(), body))
        }
    }
}

fn answer(status: StatusCode, headers: Vec<(&'static str, String)>, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Closes the connection without a byte of an answer. Unwinding the connection's task is the only way that axum leaves;
/// `resume_unwind` does it without the panic message.
fn close() -> ! {
    resume_unwind(Box::new("the simulator closed the connection"))
}

/// A lock that a panicking test thread cannot poison for the others.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
