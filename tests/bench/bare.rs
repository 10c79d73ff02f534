//! What is the least that such an acknowledgement can cost? An axum handler that verifies Slack's signature and runs
//! one Redis script.
//!
//! Started with signing secret and Redis URL; ends when its standard input does.

use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use redis::Script;
use redis::aio::ConnectionManager;
use tapdesk::system::SystemClock;
use tapdesk_core::ports::Clock as _;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

const ANSWER: &str = include_str!("acknowledgement.json");

struct Bot {
    key: hmac::Key,
    redis: ConnectionManager,
    script: Script,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let secret = arguments.next().context("name the signing secret")?;
    let url = arguments.next().context("name the Redis server")?;
    let bot = Bot {
        key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        redis: ConnectionManager::new(redis::Client::open(url)?).await?,
        script: Script::new(include_str!("record.lua")),
    };
    let router = Router::new().route("/slack/commands", post(command)).with_state(Arc::new(bot));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening address={}", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        ended = spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())) => drop(ended??),
    }
    Ok(())
}

async fn command(State(bot): State<Arc<Bot>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(signature) = genuine(&bot.key, &headers, &body) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let mut invocation = bot.script.prepare_invoke();
    invocation.key(format!("request:{signature}")).arg(&*body);
    match invocation.invoke_async::<String>(&mut bot.redis.clone()).await {
        Ok(_) => ([(CONTENT_TYPE, "application/json")], ANSWER).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The signature, if it is right and fresh.
fn genuine<'h>(key: &hmac::Key, headers: &'h HeaderMap, body: &[u8]) -> Option<&'h str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let (timestamp, signature) = (text("x-slack-request-timestamp")?, text("x-slack-signature")?);
    let sent: i64 = timestamp.parse().ok()?;
    if SystemClock.now().as_second().abs_diff(sent) > 300 {
        return None;
    }
    let given: Vec<u8> = signature
        .strip_prefix("v0=")?
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    hmac::verify(key, &signed, &given).ok()?;
    Some(signature)
}
