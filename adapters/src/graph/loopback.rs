//! What goes over the wire when things go wrong? Tests against a listener that answers by a script.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use tapdesk_core::ids::{GroupId, PersonId};
use tapdesk_core::pass::PassWish;
use tapdesk_core::ports::{Clock, CreateError, Decline, Directory, Entropy, PortError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::{Graph, GraphConfig};
use crate::entra::{App, Credential};
use crate::http;
use crate::secret::Secret;

const TENANT: &str = "5a1c8b1e-93a4-4c2a-8a79-0d5cbb2f9a10";
const JANE: PersonId = PersonId(Uuid::from_u128(1));
const WISH: PassWish = PassWish { lifetime: Duration::from_hours(1), one_time: true };

/// What the listener does with a request: a status and a body, or hanging up.
type Script = dyn Fn(&str, usize) -> Option<(u16, Value)> + Send + Sync;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }
}

struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
    }
}

/// A Graph on loopback and the requests that it got, tokens included, as `METHOD path?query`.
struct World {
    graph: Graph,
    seen: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// `script` answers everything but token requests: it gets the request line and how often that came before.
    async fn new(script: impl Fn(&str, usize) -> Option<(u16, Value)> + Send + Sync + 'static) -> Self {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, Arc::clone(&seen), Arc::new(script)));
        let pause = Duration::from_millis(1);
        let app = App {
            authority: here.clone(),
            tenant_id: TENANT.parse().unwrap(),
            client_id: "app".to_owned(),
            credential: Credential::secret(Secret::new("s3cret&more".to_owned())),
            retry_pause: pause,
        };
        let config = GraphConfig { base_url: here, retry_pause: pause, tenant_has_pim: true };
        let client = http::client(http::Limits::default()).unwrap();
        let entropy = Arc::new(Counting(AtomicU8::new(0)));
        Self { graph: Graph::new(app, config, client, Arc::new(Noon), entropy).unwrap(), seen }
    }

    fn count(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<String>>>, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&seen), Arc::clone(&script)));
    }
}

async fn answer(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, script: Arc<Script>) {
    let line = read_request(&mut stream).await;
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(line.clone());
        seen.iter().filter(|known| **known == line).count() - 1
    };
    let answer =
        if line.contains("/oauth2/v2.0/token") { Some((200, token())) } else { script(&line, before) };
    let Some((status, body)) = answer else { return };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

/// Reads one request with its body; gives back `METHOD target`.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let expected = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        if body.len() >= expected {
            return head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        }
    }
}

fn token() -> Value {
    let claims = URL_SAFE_NO_PAD.encode(json!({ "tid": TENANT }).to_string());
    json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("e30.{claims}.c2ln")})
}

fn error(code: &str) -> Value {
    json!({"error": {"code": code, "message": "", "innerError": {}}})
}

#[tokio::test]
async fn many_calls_at_once_ask_for_one_token() {
    let world = World::new(|_, _| Some((404, error("Request_ResourceNotFound")))).await;
    let (a, b, c) =
        tokio::join!(world.graph.person(JANE), world.graph.manager(JANE), world.graph.person(JANE));
    assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (None, None, None));
    assert_eq!(world.count("/oauth2/v2.0/token"), 1);
}

#[tokio::test]
async fn a_read_is_repeated_and_then_given_up() {
    let world = World::new(|_, before| match before {
        0 => None,
        1 => Some((503, error("serviceNotAvailable"))),
        _ => Some((200, json!({"value": []}))),
    })
    .await;
    assert_eq!(world.graph.passes(JANE).await.unwrap(), []);
    let world = World::new(|_, _| Some((503, error("serviceNotAvailable")))).await;
    assert!(matches!(world.graph.passes(JANE).await, Err(PortError::Retry { .. })));
    assert_eq!(world.count("temporaryAccessPassMethods"), 3);
}

#[tokio::test]
async fn a_create_is_never_repeated() {
    for answer in [None, Some((503, error("serviceNotAvailable"))), Some((201, json!({})))] {
        let world = World::new(move |_, _| answer.clone()).await;
        let result = world.graph.create_pass(JANE, WISH).await;
        assert!(matches!(result, Err(CreateError::Unknown { .. })), "{result:?}");
        assert_eq!(world.count("POST /v1.0/users"), 1);
    }
    let world = World::new(|_, _| Some((429, error("TooManyRequests")))).await;
    let result = world.graph.create_pass(JANE, WISH).await;
    assert!(matches!(result, Err(CreateError::Declined { why: Decline::Throttled, .. })), "{result:?}");
    assert_eq!(world.count("POST /v1.0/users"), 1);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_even_for_a_create() {
    let world = World::new(|_, _| Some((401, error("InvalidAuthenticationToken")))).await;
    let result = world.graph.create_pass(JANE, WISH).await;
    assert!(matches!(result, Err(CreateError::Declined { why: Decline::Other, .. })), "{result:?}");
    assert_eq!(world.count("/oauth2/v2.0/token"), 2);
    assert_eq!(world.count("POST /v1.0/users"), 2);
}

#[tokio::test]
async fn nothing_was_sent_when_nobody_listens() {
    let mut world = World::new(|_, _| None).await;
    world.graph.tokens.bearer().await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.graph.config.base_url = format!("http://{}", closed.local_addr().unwrap()).parse().unwrap();
    drop(closed);
    let result = world.graph.create_pass(JANE, WISH).await;
    assert!(matches!(result, Err(CreateError::Declined { why: Decline::NotSent, .. })), "{result:?}");
}

#[tokio::test]
async fn a_look_up_of_roles_that_fails_anywhere_is_an_error() {
    let parts = ["transitiveMemberOf", "ownedObjects", "roleAssignments", "roleEligibilityScheduleInstances"];
    for part in parts {
        let script = move |line: &str, _| {
            Some(if line.contains(part) { (403, error("accessDenied")) } else { (200, json!({"value": []})) })
        };
        let world = World::new(script).await;
        assert!(matches!(world.graph.privileges(JANE).await, Err(PortError::Fatal { .. })), "{part}");
    }
}

#[tokio::test]
async fn a_tenant_without_pim_has_to_say_so() {
    let script = |line: &str, _| {
        Some(if line.contains("roleEligibility") {
            (400, error("AadPremiumLicenseRequired"))
        } else {
            (200, json!({"value": []}))
        })
    };
    let mut world = World::new(script).await;
    assert!(world.graph.privileges(JANE).await.is_err());
    world.graph.config.tenant_has_pim = false;
    assert_eq!(world.graph.privileges(JANE).await.unwrap(), tapdesk_core::people::Privileges::default());
}

#[tokio::test]
async fn groups_are_asked_for_twenty_at_a_time() {
    let groups: Vec<GroupId> = (1..=41).map(|n| GroupId(Uuid::from_u128(n))).collect();
    let yes = json!({"value": [groups[0], groups[40], Uuid::from_u128(99)]});
    let world = World::new(move |_, _| Some((200, yes.clone()))).await;
    let found = world.graph.groups_among(JANE, &groups).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [groups[0], groups[40]]);
    assert_eq!(world.count("checkMemberGroups"), 3);
    assert!(world.graph.groups_among(JANE, &[]).await.unwrap().is_empty());
    assert_eq!(world.count("checkMemberGroups"), 3);
}

#[tokio::test]
async fn a_pass_that_is_gone_counts_as_deleted() {
    let world = World::new(|_, _| Some((404, error("resourceNotFound")))).await;
    world.graph.delete_pass(JANE, &"6f1967b7".into()).await.unwrap();
    assert_eq!(world.count("DELETE /v1.0/users"), 1);
    assert!(world.graph.delete_pass(JANE, &"..".into()).await.is_err());
}
