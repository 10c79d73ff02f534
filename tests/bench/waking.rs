//! How soon does one replica start what another one was asked for?
//!
//! Two processes on one Redis: the first takes commands in and performs nothing, the second performs. Measured from
//! sending the command to the first until the second asks Slack who sent it, which is how that task begins; the
//! acknowledgement, a file's sync included, is a part of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::figures::{median, millis, verdict};
use crate::load;
use crate::servers::{self, Keeps, RedisServer, Server, configure, folder};

const TIMES: u32 = 300;
const WITHIN: Duration = Duration::from_secs(5);
const GOAL: f64 = 100.0;

/// Which method of Slack was called, and when.
type Call = (String, Instant);

/// Wakes the second replica some hundred times and returns the table.
pub(crate) async fn measure(http: &reqwest::Client) -> anyhow::Result<String> {
    let folders = [folder()?, folder()?, folder()?];
    let redis = RedisServer::start(folders[0].path(), Keeps::EverySecond).await?;
    let (told, mut calls) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let slack = format!("http://{}/", listener.local_addr()?);
    let router = Router::new().route("/{method}", post(answer)).with_state(Arc::new(told));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let state = servers::State::Redis(&redis);
    let asked = Server::without_worker(&configure(folders[1].path(), &state, &slack)?).await?;
    let _performer = Server::tapdesk(&configure(folders[2].path(), &state, &slack)?).await?;
    let (mut acknowledged, mut started) = (Vec::new(), Vec::new());
    for n in 0..TIMES {
        let begun = Instant::now();
        acknowledged.push(millis(load::send_one(http, &asked, n).await?));
        started.push(millis(called(&mut calls, "users.info").await?.duration_since(begun)));
        // Nobody is known to this Slack; the sender is told so, and the request is over.
        called(&mut calls, "chat.postMessage").await?;
    }
    serving.abort();
    let most = started.iter().copied().fold(0.0, f64::max);
    let (half, acknowledged) = (median(started.into_iter()), median(acknowledged.into_iter()));
    Ok(format!(
        "| {TIMES} wake-ups | median ms | longest ms | within 100 ms |\n|---|--:|--:|---|\n\
         | command sent to one replica → task begun in the other | {half:.1} | {most:.1} | {} |\n\
         | of which until the acknowledgement | {acknowledged:.1} | | |\n",
        verdict(most <= GOAL)
    ))
}

async fn called(calls: &mut UnboundedReceiver<Call>, method: &str) -> anyhow::Result<Instant> {
    let waiting = async {
        loop {
            let (called, at) = calls.recv().await.context("Slack is gone")?;
            if called == method {
                return Ok(at);
            }
        }
    };
    timeout(WITHIN, waiting).await.with_context(|| format!("nobody calls {method}"))?
}

/// A Slack that knows nobody.
async fn answer(
    State(told): State<Arc<UnboundedSender<Call>>>,
    Path(method): Path<String>,
    _body: Bytes,
) -> Json<Value> {
    let answer = match method.as_str() {
        "conversations.open" => json!({"ok": true, "channel": {"id": "D0BENCH0000"}}),
        "chat.postMessage" => json!({"ok": true, "channel": "D0BENCH0000", "ts": "1.1"}),
        _ => json!({"ok": false, "error": "user_not_found"}),
    };
    // Nobody listens any more once everything was measured.
    let _ = told.send((method, Instant::now()));
    Json(answer)
}
