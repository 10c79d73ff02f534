//! What is reported to auditors, and where does it come from?
//!
//! From ledgers whose every line was verified first, and, for names and reasons, from the service while it keeps the
//! requests. A ledger that does not verify gives no report.

mod csv;
mod html;
pub(crate) mod names;
mod shown;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use tapdesk_adapters::ledgers::file::{self, Jointly};
use tapdesk_core::audit::{Line, Row, rows};
use tapdesk_core::hours::Zone;
use tapdesk_core::ids::{LedgerName, RequestId};
use tapdesk_core::ledger::Head;

use self::names::Source;
use self::shown::{Entry, Summary};
use crate::cli::one_head_each;
use crate::config::Config;

/// What somebody wants to read.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// The first day: requests received from then on, as 2026-11-01.
    #[arg(long, value_parser = day)]
    from: Date,
    /// The last day, which belongs to it.
    #[arg(long, value_parser = day)]
    to: Date,
    /// The time zone whose days they are, as Europe/Berlin. Times in the report are UTC.
    #[arg(long, default_value = "UTC")]
    zone: Zone,
    #[command(flatten)]
    form: Form,
    /// Ask no running service: object ids instead of names, and no reasons.
    #[arg(long)]
    offline: bool,
    /// A ledger's directory, if not the configuration's; may be given for each replica.
    #[arg(long)]
    path: Vec<PathBuf>,
    /// A head that was kept elsewhere: the ledger (each its own, in the order of the paths) has to contain it.
    #[arg(long)]
    head: Vec<String>,
}

/// How it is written; a text table, unless said otherwise.
#[derive(clap::Args)]
#[group(multiple = false)]
struct Form {
    /// As comma-separated values (RFC 4180) that no spreadsheet takes for formulas.
    #[arg(long)]
    csv: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// As one page to print.
    #[arg(long)]
    html: bool,
}

/// A report.
#[derive(Serialize)]
struct Report {
    /// What the fields mean; another number where one of them changes.
    format: &'static str,
    made_at: Timestamp,
    from: Date,
    to: Date,
    zone: String,
    ledgers: Vec<Verified>,
    /// What was begun and has no outcome, in all ledgers and at any time.
    open_intents: Vec<String>,
    names: Source,
    summary: Summary,
    requests: Vec<Entry>,
}

/// A ledger of which every line was verified.
#[derive(Serialize)]
struct Verified {
    name: LedgerName,
    lines: u64,
    head: String,
    warnings: Vec<String>,
    #[serde(skip)]
    path: PathBuf,
}

/// The report in the form that was wanted. `config` is read only where something is asked of it.
pub(crate) async fn report(
    wanted: &Wanted,
    config: impl Fn() -> anyhow::Result<Config>,
    now: Timestamp,
) -> anyhow::Result<String> {
    let (from, until) = wanted.period()?;
    let paths = if wanted.path.is_empty() { vec![config()?.ledger.path] } else { wanted.path.clone() };
    let (ledgers, open_intents) = verified(&paths, &wanted.head)?;
    let rows = rows(lines(&ledgers, from, until)?, from, until);
    let (names, known) = if wanted.offline {
        (Source::Offline, BTreeMap::new())
    } else {
        let config = config().context("names come from the running service; --offline does without it")?;
        names::ask(config.admin_listen, rows.iter().map(|row: &Row| &row.request)).await?
    };
    let requests: Vec<Entry> = rows
        .into_iter()
        .map(|row| {
            let known = known.get(&row.request);
            Entry::new(row, known)
        })
        .collect();
    let report = Report {
        format: "tapdesk report 1",
        made_at: now,
        from: wanted.from,
        to: wanted.to,
        zone: wanted.zone.to_string(),
        ledgers,
        open_intents,
        names,
        summary: Summary::of(&requests),
        requests,
    };
    Ok(match &wanted.form {
        Form { csv: true, .. } => csv::written(&report),
        Form { json: true, .. } => serde_json::to_string_pretty(&report)? + "\n",
        Form { html: true, .. } => html::written(&report),
        Form { .. } => text::written(&report),
    })
}

impl Wanted {
    /// From the first instant of the first day to that of the day after the last one.
    fn period(&self) -> anyhow::Result<(Timestamp, Timestamp)> {
        ensure!(self.from <= self.to, "--from {} is after --to {}", self.from, self.to);
        let day_after = self.to.tomorrow().ok();
        let begins = |day: Option<Date>| day.and_then(|day| self.zone.begins(day));
        match (begins(Some(self.from)), begins(day_after)) {
            (Some(from), Some(until)) => Ok((from, until)),
            (None, _) | (_, None) => bail!("--from or --to lies beyond all times"),
        }
    }
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "a day is written like 2026-11-30".to_owned())
}

/// Every ledger, if each is whole and no two of them contradict each other, and what was begun without an end.
fn verified(paths: &[PathBuf], heads: &[String]) -> anyhow::Result<(Vec<Verified>, Vec<String>)> {
    one_head_each(paths, heads)?;
    let no_report = || "the ledger does not verify, so it gives no report; tapdesk ledger verify shows more";
    let mut jointly = Jointly::default();
    let mut ledgers = Vec::new();
    for (place, path) in paths.iter().enumerate() {
        let one = jointly
            .verify(path, heads.get(place).map(String::as_str))
            .with_context(|| path.display().to_string())
            .with_context(no_report)?;
        let Some(Head { ledger: name, seq: lines, hash: head }) = one.head else { continue };
        ledgers.push(Verified { name, lines, head, warnings: one.warnings, path: path.clone() });
    }
    if let Some(contradiction) = jointly.contradictions().into_iter().next() {
        return Err(contradiction).with_context(no_report);
    }
    let open = jointly.open_intents();
    Ok((ledgers, open.into_iter().map(|(ledger, intent)| crate::cli::describe(ledger, intent)).collect()))
}

/// Every line about the requests that were received in that time, whenever and wherever it was written.
fn lines(ledgers: &[Verified], from: Timestamp, until: Timestamp) -> anyhow::Result<Vec<Line>> {
    let mut wanted: BTreeSet<RequestId> = BTreeSet::new();
    each_line(ledgers, &mut |line| {
        if line.record.what == "request.received" && (from..until).contains(&line.record.at) {
            wanted.extend(line.record.request);
        }
    })?;
    let mut lines = Vec::new();
    each_line(ledgers, &mut |line| {
        if line.record.request.as_ref().is_some_and(|request| wanted.contains(request)) {
            lines.push(line);
        }
    })?;
    Ok(lines)
}

/// Up to the line that was the last one when the ledger was verified: a service may be writing.
fn each_line(ledgers: &[Verified], take: &mut dyn FnMut(Line)) -> anyhow::Result<()> {
    for Verified { name, lines, path, .. } in ledgers {
        file::read(path, &mut |file::Entry { seq, record }| {
            if seq <= *lines {
                take(Line { ledger: name.clone(), seq, record });
            }
        })
        .with_context(|| path.display().to_string())?;
    }
    Ok(())
}
