//! Who sends signed commands, and how long does each wait for its acknowledgement?

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use aws_lc_rs::hmac;
use futures::future::try_join_all;
use tapdesk::system::SystemClock;
use tapdesk_core::ports::Clock as _;
use url::form_urlencoded::Serializer;

use crate::servers::{APP, SIGNING_SECRET, Server, TEAM};

/// Connections at a time, each with one command on its way.
pub(crate) const CONNECTIONS: usize = 16;
/// Fewer than the hourly cap: a refusal would cost something else.
const PER_REQUESTER: u32 = 10;

/// What a round of commands took.
pub(crate) struct Round {
    pub(crate) requests: u32,
    pub(crate) elapsed: Duration,
    /// From the first byte sent to the last byte read, sorted.
    pub(crate) waits: Vec<Duration>,
}

/// Who sends the command of that number.
pub(crate) fn requester(n: u32) -> String {
    format!("U0ASK{:06}", n / PER_REQUESTER)
}

/// The body of the command of that number, as Slack sends it.
pub(crate) fn body(n: u32) -> String {
    let requester = requester(n);
    Serializer::new(String::new())
        .append_pair("token", "gIkuvaNzQIHg97ATvDxqgjtO")
        .append_pair("team_id", TEAM)
        .append_pair("team_domain", "bench")
        .append_pair("channel_id", "D0BENCH0000")
        .append_pair("channel_name", "directmessage")
        .append_pair("user_id", &requester)
        .append_pair("user_name", &requester.to_lowercase())
        .append_pair("command", "/tap")
        .append_pair(
            "text",
            &format!("for <@U0SUB{n:06}|person.{n:06}> lost the phone on a train, INC{n:07}"),
        )
        .append_pair("api_app_id", APP)
        .append_pair("is_enterprise_install", "false")
        .append_pair(
            "response_url",
            &format!("https://hooks.slack.com/commands/{TEAM}/{n:012}/6YiVhvKzVHPtCYsSMHqUCBCe"),
        )
        .append_pair("trigger_id", &format!("{n:012}.13345224609.738474920b8068f81f84da22"))
        .finish()
}

/// Sends the commands and insists that each is acknowledged as a new request.
pub(crate) async fn send(
    http: &reqwest::Client,
    server: &Server,
    commands: Range<u32>,
) -> anyhow::Result<Round> {
    let requests = commands.end - commands.start;
    let next = AtomicU32::new(commands.start);
    let begun = Instant::now();
    let connections = (0..CONNECTIONS).map(|_| async {
        let mut waits = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= commands.end {
                return anyhow::Ok(waits);
            }
            waits.push(send_one(http, server, n).await?);
        }
    });
    let mut waits = try_join_all(connections).await?.concat();
    let elapsed = begun.elapsed();
    waits.sort_unstable();
    Ok(Round { requests, elapsed, waits })
}

/// Sends one command; returns how long its acknowledgement took.
pub(crate) async fn send_one(http: &reqwest::Client, server: &Server, n: u32) -> anyhow::Result<Duration> {
    let body = body(n);
    let sent = SystemClock.now().as_second();
    let request = http
        .post(format!("http://{}/slack/commands", server.address))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", sent)
        .header("x-slack-signature", sign(sent, &body))
        .body(body);
    let begun = Instant::now();
    let answer = request.send().await?.error_for_status()?.text().await?;
    let wait = begun.elapsed();
    ensure!(answer.contains("Checking"), "command {n} was answered with {answer}");
    Ok(wait)
}

fn sign(sent: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{sent}:{body}").as_bytes());
    let mut signature = "v0=".to_owned();
    for byte in tag.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(signature, "{byte:02x}");
    }
    signature
}
