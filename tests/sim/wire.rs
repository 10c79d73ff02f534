//! How does a simulator speak HTTP, and how is it made to misbehave?
//!
//! Every simulator is an axum router on a loopback port with a [`Wire`] in front: it records what came in,
//! and applies the troubles that a story planned for a path: hold, drop, delay past the limit, other answers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::middleware::{self, Next};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

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
    /// Status of the answer; `None` while it is held, or when the connection was dropped.
    pub status: Option<StatusCode>,
}

/// Something that goes wrong with one request.
#[derive(Clone)]
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
#[derive(Clone)]
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

    async fn wait(&self) {
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

    /// Plans a trouble for the next `times` requests for which `"METHOD path?query"` contains `part`.
    pub fn trouble(&self, part: &str, times: usize, trouble: Trouble) {
        lock(&self.planned).push_back(Planned { path: part.to_owned(), times, trouble });
    }

    /// Ends all planned troubles.
    pub fn heal(&self) {
        lock(&self.planned).clear();
    }

    /// Serves `router` behind this wire on a free loopback port until the process ends.
    pub async fn serve(&self, router: Router) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let router = router.layer(middleware::from_fn_with_state(self.clone(), pass));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    fn next_trouble(&self, line: &str) -> Option<Trouble> {
        let mut planned = lock(&self.planned);
        let at = planned.iter().position(|p| p.times > 0 && line.contains(&p.path))?;
        planned[at].times -= 1;
        let trouble = planned[at].trouble.clone();
        if planned[at].times == 0 {
            planned.remove(at);
        }
        Some(trouble)
    }
}

async fn pass(State(wire): State<Wire>, request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap_or_default();
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let line = format!("{} {target}", parts.method);
    let place = {
        let mut seen = lock(&wire.seen);
        seen.push(Exchange {
            method: parts.method.clone(),
            target,
            headers: parts.headers.clone(),
            body: body.clone(),
            status: None,
        });
        seen.len() - 1
    };
    let handle = next.run(Request::from_parts(parts, Body::from(body)));
    let response = match wire.next_trouble(&line) {
        None => handle.await,
        Some(Trouble::HoldAnswer(gate)) => {
            // Handled in a task of its own: a client that gives up must not undo what was already sent.
            let handled = handle.await;
            gate.wait().await;
            handled
        }
        Some(Trouble::HoldRequest(gate)) => {
            gate.wait().await;
            handle.await
        }
        Some(Trouble::DropAnswer) => {
            handle.await;
            return broken();
        }
        Some(Trouble::DropRequest) => return broken(),
        Some(Trouble::Answer(status, headers, body)) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            for (name, value) in headers {
                if let Ok(value) = value.parse() {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Some(Trouble::HandleThenAnswer(status, body)) => {
            handle.await;
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            response
        }
    };
    if let Some(exchange) = lock(&wire.seen).get_mut(place) {
        exchange.status = Some(response.status());
    }
    response
}

/// An answer whose body fails at once: the client sees the connection break.
fn broken() -> Response<Body> {
    let failing =
        futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("dropped by the simulator")) });
    Response::new(Body::from_stream(failing))
}

/// A lock that a panicking test thread cannot poison for the others.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
