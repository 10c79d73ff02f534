//! How is a report read in a terminal?

use std::fmt::Write as _;

use super::Report;
use super::names::Source;
use super::shown::{Entry, NONE};

/// What the columns are headed with.
const HEADINGS: [&str; 6] = ["RECEIVED", "FOR", "ASKED BY", "APPROVED BY", "OUTCOME", "TICKET NUMBER"];

pub(super) fn written(report: &Report) -> String {
    let mut text = heading(report).join("\n") + "\n\n";
    for (what, count) in report.summary.counts() {
        line(&mut text, &format!("{what:<36} {count}"));
    }
    if !report.requests.is_empty() {
        text.push('\n');
        table(&mut text, &report.requests);
    }
    text
}

/// What the report is of, and what it stands on.
pub(super) fn heading(report: &Report) -> Vec<String> {
    let Report { from, to, zone, made_at, .. } = report;
    let mut lines =
        vec![format!("Requests received from {from} to {to} ({zone}); made {made_at}; times are UTC.")];
    for ledger in &report.ledgers {
        lines.push(format!(
            "Ledger {}: every one of its {} lines was verified; head {}.",
            ledger.name, ledger.lines, ledger.head
        ));
        lines.extend(ledger.warnings.iter().map(|warning| format!("Warning: {warning}.")));
    }
    if report.ledgers.is_empty() {
        lines.push("The ledger has no lines.".to_owned());
    }
    lines.extend(report.open_intents.iter().map(|intent| format!("Without an outcome: {intent}.")));
    lines.push(
        match report.names {
            Source::Service => {
                "Names and reasons are the running service's, for the requests that it still keeps; the ledger has none."
            }
            Source::NoService => "No service answers on admin_listen: object ids instead of names, and no reasons.",
            Source::Offline => "The service was not asked: object ids instead of names, and no reasons.",
        }
        .to_owned(),
    );
    lines
}

fn table(text: &mut String, entries: &[Entry]) {
    let rows: Vec<[String; 6]> = entries.iter().map(cells).collect();
    let widths: Vec<usize> = HEADINGS
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([heading.len()]).max().unwrap_or_default()
        })
        .collect();
    let padded = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ")
    };
    line(text, &padded(&HEADINGS.map(str::to_owned)));
    for (entry, row) in entries.iter().zip(&rows) {
        line(text, &padded(row));
        details(text, entry);
    }
}

fn cells(entry: &Entry) -> [String; 6] {
    [
        entry.received_at.to_string(),
        entry.for_whom(),
        entry.asked_by(),
        entry.approved_by(),
        entry.ending(),
        entry.ticket_number.clone().unwrap_or_else(|| NONE.to_owned()),
    ]
}

fn details(text: &mut String, entry: &Entry) {
    let mut detail = |what: &str, said: &str| line(text, &format!("    {what:<8} {said}"));
    detail("request", &format!("{}, asked in {}", entry.request, entry.asked_in));
    detail("why", entry.reason());
    if let Some(rule) = &entry.rule {
        let wanted = entry.approvals_wanted.unwrap_or_default();
        detail("rule", &format!("{rule}, approvals wanted: {wanted}"));
    }
    entry.decided().iter().for_each(|said| detail("decided", said));
    entry.routes().iter().for_each(|said| detail("sent", said));
    if let Some(passes) = entry.passes() {
        let note = if entry.mode == "evaluate" { " (evaluate: none was really made)" } else { "" };
        detail("pass", &format!("{passes}{note}"));
    }
    if let Some(at) = entry.ended_at {
        detail("ended", &at.to_string());
    }
    if !entry.other_lines.is_empty() {
        detail("also", &entry.others().join(", "));
    }
    detail("ledger", &entry.references().join("; "));
}

fn line(text: &mut String, said: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", said.trim_end());
}
