//! How is a report read by a spreadsheet? (RFC 4180, without a byte-order mark.)

use super::Report;
use super::shown::{Entry, Who};

/// The columns, in order.
const COLUMNS: [&str; 28] = [
    "request",
    "mode",
    "received_at",
    "asked_in",
    "account",
    "requester_id",
    "requester",
    "subject_id",
    "subject",
    "reason",
    "reason_pseudonym",
    "ticket_number",
    "rule",
    "approvals_wanted",
    "decisions",
    "approved_at",
    "sent",
    "claimed_at",
    "passes_made",
    "passes_deleted",
    "shown_at",
    "outcome",
    "outcome_why",
    "outcome_by",
    "ended_at",
    "other_lines",
    "lines",
    "verified",
];

pub(super) fn written(report: &Report) -> String {
    let verified: Vec<String> =
        report.ledgers.iter().map(|of| format!("{} {} {}", of.name, of.lines, of.head)).collect();
    let verified = verified.join("; ");
    let mut text = record(&COLUMNS.map(str::to_owned));
    for entry in &report.requests {
        text.push_str(&record(&cells(entry, &verified)));
    }
    text
}

fn cells(entry: &Entry, verified: &str) -> [String; 28] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let time = |at: &Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let id = |who: &Option<Who>| who.as_ref().map(|who| who.id.to_string()).unwrap_or_default();
    let name = |who: &Option<Who>| who.as_ref().map(Who::shown).unwrap_or_default();
    [
        entry.request.to_string(),
        entry.mode.clone(),
        entry.received_at.to_string(),
        entry.asked_in.clone(),
        text(&entry.account),
        id(&entry.requester),
        name(&entry.requester),
        id(&entry.subject),
        name(&entry.subject),
        entry.reason().to_owned(),
        text(&entry.reason_pseudonym),
        text(&entry.ticket_number),
        text(&entry.rule),
        entry.approvals_wanted.map(|wanted| wanted.to_string()).unwrap_or_default(),
        entry.decided().join("; "),
        time(&entry.approved_at),
        entry.routes().join("; "),
        time(&entry.claimed_at),
        entry.passes_made.to_string(),
        entry.passes_deleted.to_string(),
        time(&entry.shown_at),
        entry.outcome.clone(),
        text(&entry.outcome_why),
        name(&entry.outcome_by),
        time(&entry.ended_at),
        entry.others().join("; "),
        entry.references().join("; "),
        verified.to_owned(),
    ]
}

fn record(cells: &[String]) -> String {
    cells.iter().map(|cell| field(cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A field that is text to every spreadsheet: what would begin a formula begins with an apostrophe instead, also behind
/// blanks, which some of them skip (OWASP, CSV injection).
fn field(text: &str) -> String {
    let begins_formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let is_control = text.starts_with(['\t', '\r', '\n']);
    let text = if begins_formula || is_control { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_somebody_typed_is_a_formula() {
        for (typed, written) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("+49 170", "'+49 170"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "'  =1"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("a, b", "\"a, b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(field(typed), written, "{typed:?}");
        }
    }

    #[test]
    fn every_column_is_documented() {
        let documented = include_str!("../../../deploy/report.md");
        for column in COLUMNS {
            assert!(documented.contains(&format!("| `{column}` |")), "{column}");
        }
    }
}
