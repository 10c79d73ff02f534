//! Would it work here, and what is to be mended if not?
//!
//! Every check only looks. Those of one kind stand together, all kinds are looked at side by side, and each has only so
//! long. What cannot be looked at is said to be so.

mod local;
mod rules;
mod subject;
mod text;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, join_all};
use serde::Serialize;
use tapdesk_adapters::finding::{Finding, Severity};
use tapdesk_core::people::Naming;

use crate::app::look::Look;
use crate::config::Config;
use crate::explain::naming;

/// How long one kind of check has.
const WITHIN: Duration = Duration::from_secs(45);

/// What somebody wants to know.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Say as well who could approve a pass for this person, by user principal name or mail address, and how it would
    /// reach them.
    #[arg(long, value_parser = naming)]
    subject: Option<Naming>,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    /// What the fields mean; another number where one of them changes.
    format: &'static str,
    /// The worst of all.
    severity: Severity,
    groups: Vec<Group>,
}

/// The findings of one kind.
#[derive(Serialize)]
struct Group {
    group: &'static str,
    findings: Vec<Finding>,
}

/// The findings in the form that was wanted, and the exit code: 0 nothing to mend, 1 warnings, 2 faults.
pub(crate) async fn report(path: &Path, wanted: &Wanted) -> anyhow::Result<(String, ExitCode)> {
    let groups = match Config::read(path) {
        Ok(config) => examined(&config, wanted.subject.as_ref()).await?,
        Err(error) => {
            let remedy = "mend the file, then run this again: nothing else was looked at";
            let faults = error.to_string();
            let findings = faults.lines().map(|line| Finding::fault("configuration", line, remedy)).collect();
            vec![Group { group: "This machine", findings }]
        }
    };
    let worst = groups.iter().flat_map(|group| &group.findings).map(|finding| finding.severity).max();
    let severity = worst.unwrap_or(Severity::Ok);
    let code = match severity {
        Severity::Ok | Severity::Note => ExitCode::SUCCESS,
        Severity::Warning => ExitCode::from(1),
        Severity::Fault => ExitCode::from(2),
    };
    let report = Report { format: "tapdesk doctor 1", severity, groups };
    let said =
        if wanted.json { serde_json::to_string_pretty(&report)? + "\n" } else { text::written(&report) };
    Ok((said, code))
}

async fn examined(config: &Config, subject: Option<&Naming>) -> anyhow::Result<Vec<Group>> {
    let look = &Look::at(config)?;
    let mut kinds: Vec<(&'static str, BoxFuture<'_, Option<Vec<Finding>>>)> = vec![
        ("This machine", local::examine(config, look).map(Some).boxed()),
        ("Entra", look.graph().map(Some).boxed()),
        ("Rules", rules::examine(config, look).map(Some).boxed()),
        ("Slack", look.slack().boxed()),
        ("Teams", look.teams().boxed()),
        ("Ticket systems", look.hooks().boxed()),
        ("Text messages", look.text_messages().boxed()),
        ("Mail", look.mail().boxed()),
    ];
    if let Some(subject) = subject {
        kinds.push(("Subject", subject::examine(look, subject).map(Some).boxed()));
    }
    let looked = kinds.into_iter().map(|(group, looked)| async move {
        let findings = if let Ok(findings) = tokio::time::timeout(WITHIN, looked).await {
            findings?
        } else {
            let said = format!("no end within {} s", WITHIN.as_secs());
            vec![Finding::warning(
                "time",
                said,
                "see whether the other side can be reached, then run this again",
            )]
        };
        Some(Group { group, findings })
    });
    Ok(join_all(looked).await.into_iter().flatten().collect())
}
