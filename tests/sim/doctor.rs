//! What does `tapdesk doctor` say, as a story reads it?

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::process::{Ended, run};
use crate::world::{Setting, World};

/// A world whose time is the machine's, as `tapdesk doctor` reads it.
pub async fn a_world_now(setting: Setting) -> anyhow::Result<World> {
    let world = World::without_tapdesk(setting).await?;
    world.hands.run();
    Ok(world)
}

/// How it ended, and its report.
pub async fn examined(config: &Path, arguments: &[&str]) -> anyhow::Result<(Ended, Value)> {
    let said = run(config, &[&["doctor", "--json"], arguments].concat()).await?;
    let report = serde_json::from_str(&said.out).with_context(|| format!("{said:?}"))?;
    Ok((said, report))
}

/// The findings of those severities: what was looked at, and what is said about it.
#[must_use]
pub fn found(report: &Value, severities: &[&str]) -> Vec<(String, String)> {
    let groups = report["groups"].as_array().into_iter().flatten();
    let findings = groups.filter_map(|group| group["findings"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_one = |finding: &&Value| severities.iter().any(|severity| finding["severity"] == *severity);
    findings.filter(is_one).map(|finding| (text(&finding["what"]), text(&finding["said"]))).collect()
}

/// What there is to mend.
#[must_use]
pub fn wrong(report: &Value) -> BTreeSet<String> {
    found(report, &["warning", "fault"]).into_iter().map(|(what, _)| what).collect()
}

/// Whether something was found with that severity, in words of which `part` is one.
#[must_use]
pub fn says(report: &Value, severity: &str, what: &str, part: &str) -> bool {
    found(report, &[severity]).iter().any(|(one, said)| one == what && said.contains(part))
}

/// Whatever is not fine says what to do.
pub fn everything_can_be_mended(report: &Value) -> anyhow::Result<()> {
    let groups = report["groups"].as_array().context("no groups")?;
    for finding in groups.iter().filter_map(|group| group["findings"].as_array()).flatten() {
        let has_remedy = finding["remedy"].as_str().is_some_and(|remedy| remedy.len() > 5);
        ensure!(has_remedy == (finding["severity"] != "ok"), "{finding}");
    }
    Ok(())
}
