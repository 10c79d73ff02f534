//! What do people do who have no chat: on the page, and on the phone afterwards?

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use serde_json::json;

use crate::scene::rulebook;
use crate::visitor::{Seen, Visitor};
use crate::world::{Setting, World};

/// A rule that serves whoever asks for themselves.
pub const SELF_RULE: &str = "name = \"locked out\"\nrequester = \"self\"";
/// The user name that Jane signs in with.
pub const JANES_NAME: &str = "jane.doe@contoso.com";
/// What Jane writes.
pub const JANES_REASON: &str = "phone fell into a lake";

impl World {
    /// The usual people, with the page: the help desk's rule, then one for those who ask for themselves. `ask` is the
    /// section without its head.
    pub async fn with_page(ask: &str) -> anyhow::Result<Self> {
        let policy = rulebook("", &["", SELF_RULE]);
        let world =
            Self::with(Setting { policy, extra: format!("[ask]\n{ask}"), ..Setting::default() }).await?;
        let faults = world.config().faults();
        ensure!(faults.is_empty(), "the configuration of the story cannot be used: {faults:#?}");
        Ok(world)
    }

    /// Somebody asks at the page for Jane; returns the number on it. Nobody has worked yet.
    pub async fn asks_as_jane(&self) -> anyhow::Result<String> {
        number_in(&self.visitor().asks_for(JANES_NAME, JANES_REASON).await?)
    }
}

impl Visitor {
    /// Types a user name and a reason at the page.
    pub async fn asks_for(&self, user: &str, reason: &str) -> anyhow::Result<Seen> {
        self.posts("ask", &json!({"user": user, "reason": reason})).await
    }
}

/// The number that the page shows.
pub fn number_in(seen: &Seen) -> anyhow::Result<String> {
    ensure!(seen.status == StatusCode::OK && seen.state() == "asked", "{} {}", seen.status, seen.json());
    let number = seen.json()["number"].as_str().context("no number")?.to_owned();
    ensure!(number.len() == 2 && number.parse::<u8>().is_ok(), "{number:?} is no two-digit number");
    Ok(number)
}
