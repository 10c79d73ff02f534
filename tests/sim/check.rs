//! What must hold when a story is over, whatever it told?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tapdesk_adapters::ledgers::file::Jointly;

pub use crate::leaks::{Kind, Place, Secret, places, search, secrets};
use crate::wire::Exchange;
use crate::world::World;

/// The ids of passes that tapdesk's ledger says were shown.
pub async fn shown_passes(world: &World) -> anyhow::Result<BTreeSet<String>> {
    world.settle().await?;
    let mut shown = BTreeSet::new();
    for line in ledger_lines(&world.files.path().join("ledger"))? {
        if line["what"] == "pass.shown" {
            shown.insert(line["facts"]["pass"].as_str().unwrap_or_default().to_owned());
        }
    }
    Ok(shown)
}

/// Invariants 5 and 6: a pass of ours that nobody saw is gone, and each subject has at most one that lives.
pub fn no_pass_lives_unseen(world: &World, shown: &BTreeSet<String>) -> anyhow::Result<()> {
    let now = world.hands.now();
    for pass in world.graph.passes().into_iter().filter(|pass| !pass.is_foreign) {
        let gone = pass.deleted_at.is_some() || pass.replaced_at.is_some();
        let seen = shown.contains(&pass.id.clone());
        ensure!(gone || seen, "a pass that nobody saw was not deleted: {} of {}", pass.id, pass.user);
        ensure!(!pass.is_live(now), "a pass still lives twelve hours later: {}", pass.id);
    }
    Ok(())
}

/// Each chain is whole, no intent is left without an outcome, and the ledgers of replicas tell one story.
pub fn ledger_verifies(world: &World) -> anyhow::Result<()> {
    let segments = segments(&world.files.path().join("ledger"))?;
    let ledgers: BTreeSet<&Path> = segments.iter().filter_map(|segment| segment.parent()).collect();
    let mut jointly = Jointly::default();
    for ledger in ledgers {
        jointly.verify(ledger, None).context("the ledger does not verify")?;
    }
    let (open, contradictions) = (jointly.open_intents(), jointly.contradictions());
    ensure!(open.is_empty(), "intents without outcome: {open:#?}");
    ensure!(contradictions.is_empty(), "the ledgers contradict each other: {contradictions:#?}");
    Ok(())
}

/// Invariant 4: whatever Graph was asked to make or delete stands in the ledger as an intent.
pub fn nothing_was_done_unrecorded(world: &World) -> anyhow::Result<()> {
    const PASSES: &str = "/temporaryAccessPassMethods";
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let intents = |what: &'static str| {
        lines.iter().filter(move |line| line["what"] == what && line["phase"] == "intent")
    };
    let asked = world.graph.wire.seen();
    // A token that is refused at the door is renewed, and the same create sent again: one intent covers both.
    let is_create = |e: &&Exchange| {
        e.method == Method::POST && e.target.ends_with(PASSES) && e.status != Some(StatusCode::UNAUTHORIZED)
    };
    let creates = asked.iter().filter(is_create).count();
    let intended = intents("pass.create").count();
    ensure!(creates <= intended, "Graph was asked for {creates} passes and the ledger intended {intended}");
    for delete in asked.iter().filter(|e| e.method == Method::DELETE && e.target.contains(PASSES)) {
        let id = delete.target.rsplit('/').next().unwrap_or_default();
        let is_intended = intents("pass.delete").any(|line| line["facts"]["pass"] == id);
        ensure!(is_intended, "pass {id} was deleted and the ledger did not intend it");
    }
    Ok(())
}

/// Invariants 1 and 2: whoever reads the ledger finds for each create the approvals of as many people as the rule
/// wants, none of them requester or subject.
pub fn no_pass_without_its_approvals(world: &World) -> anyhow::Result<()> {
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    for (at, create) in lines.iter().enumerate() {
        if create["what"] != "pass.create" || create["phase"] != "intent" {
            continue;
        }
        let earlier = |what: &'static str| {
            let of_it = move |line: &&Value| line["request"] == create["request"] && line["what"] == what;
            lines[..at].iter().filter(of_it)
        };
        let checked = earlier("request.checked").next().context("a pass for a request without facts")?;
        let wanted: usize = checked["facts"]["approvals"].as_str().unwrap_or("?").parse()?;
        let approvers: BTreeSet<&str> =
            earlier("approval.given").filter_map(|line| line["by"].as_str()).collect();
        ensure!(approvers.len() >= wanted, "{wanted} approvals are wanted, {approvers:?} gave theirs");
        for other in [&checked["by"], &checked["facts"]["subject"]] {
            let is_approver = other.as_str().is_some_and(|id| approvers.contains(id));
            ensure!(!is_approver, "requester or subject approved: {other}");
        }
    }
    Ok(())
}

/// Invariant 3: no secret of the story is anywhere but where it belongs.
pub fn nothing_leaked(world: &World) -> anyhow::Result<()> {
    let found = search(&secrets(world), &places(world)?);
    ensure!(found.is_empty(), "secrets leaked: {found:#?}");
    Ok(())
}

/// The token of a "this wasn't me" link.
#[must_use]
pub fn report_token_in(text: &str) -> Option<String> {
    let rest = text.split_once("#report=")?.1;
    Some(rest.chars().take_while(char::is_ascii_alphanumeric).collect())
}

/// Every line of every segment, in order; where several ledgers lie in the directory, in that of time.
pub fn ledger_lines(directory: &Path) -> anyhow::Result<Vec<Value>> {
    let mut lines: Vec<Value> = Vec::new();
    for segment in segments(directory)? {
        for line in std::fs::read_to_string(&segment)?.lines() {
            lines.push(serde_json::from_str(line)?);
        }
    }
    lines.sort_by_cached_key(|line| line["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok()));
    Ok(lines)
}

fn segments(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "ndjson");
    Ok(files(directory)?.into_iter().filter(is_segment).collect())
}

/// Every file below a directory but the pepper, which has to be there.
pub(crate) fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if !path.ends_with("pepper") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
