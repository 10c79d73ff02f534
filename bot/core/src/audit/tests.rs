//! What is folded into a row, and what is not?

use super::*;
use crate::ids::Version;
use crate::request::tests::samples::{JANE, MAX, SAM};

const ID: &str = "req_0123456789ABCDEFGHJKMNPQRS";

fn at(minute: i64) -> Timestamp {
    let monday: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    monday.checked_add(jiff::SignedDuration::from_mins(minute)).unwrap()
}

fn line(ledger: &str, seq: u64, minute: i64, version: u64, what: &str) -> Line {
    let record = Record::new(at(minute), &ID.parse().unwrap(), Version(version), Phase::Event, what);
    Line { ledger: ledger.parse().unwrap(), seq, record }
}

fn with(line: Line, facts: &[(&str, &str)]) -> Line {
    let record = facts.iter().fold(line.record, |record, (key, value)| record.with(key, value));
    Line { record, ..line }
}

fn one_row(lines: Vec<Line>) -> Row {
    let mut rows = rows(lines, at(0), at(60));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn what_two_ledgers_say_about_a_request_is_one_row() {
    let checked =
        Line { record: line("one", 2, 1, 2, "request.checked").record.by(SAM), ..line("one", 2, 1, 2, "") };
    let given =
        Line { record: line("two", 1, 2, 3, "approval.given").record.by(MAX), ..line("two", 1, 2, 3, "") };
    let row = one_row(vec![
        with(line("two", 2, 2, 3, "request.denied"), &[("ended", "denied")]),
        with(given, &[("proof", "button")]),
        with(checked, &[("subject", &JANE.to_string()), ("approvals", "2"), ("ticket_number", "INC1")]),
        with(line("one", 1, 0, 1, "request.received"), &[("chat", "chat"), ("reason", "~00")]),
        line("one", 7, 1, 2, "approver.asked"),
        line("one", 8, 1, 2, "approver.asked"),
    ]);
    assert_eq!((row.requester, row.subject), (Some(SAM), Some(JANE)));
    assert_eq!((row.outcome.as_str(), row.ended_at, row.approvals_wanted), ("denied", Some(at(2)), Some(2)));
    assert_eq!((row.asked_at.as_str(), row.ticket_number.as_deref()), ("chat", Some("INC1")));
    let decision = &row.decisions[0];
    assert_eq!((decision.by, decision.proof.as_deref()), (Some(MAX), Some("button")));
    assert_eq!(row.other_lines, BTreeMap::from([("approver.asked".to_owned(), 2)]));
    let lines: Vec<_> = row.lines.iter().map(|(ledger, lines)| (ledger.as_str(), lines.len())).collect();
    assert_eq!(lines, [("one", 4), ("two", 2)]);
}

#[test]
fn a_superseded_line_does_not_count_and_only_in_its_own_ledger() {
    let lost = line("two", 1, 1, 2, "approval.given");
    let takes_back = Line { record: lost.record.superseded(at(1), 1), ..line("two", 2, 1, 2, "") };
    let row = one_row(vec![line("one", 1, 0, 1, "request.received"), lost, takes_back]);
    assert_eq!((row.decisions.len(), row.outcome.as_str()), (0, "open"));
    assert_eq!(row.lines.len(), 1);

    let never = line("one", 1, 0, 1, "request.received");
    let takes_back = Line { record: never.record.superseded(at(0), 1), ..line("one", 2, 0, 1, "") };
    assert_eq!(rows(vec![never, takes_back], at(0), at(60)), []);
}

#[test]
fn a_request_belongs_to_the_time_in_which_it_was_received() {
    let lines = || vec![line("one", 1, 0, 1, "request.received"), line("one", 2, 90, 2, "request.checked")];
    for (from, until, rows_of_it) in [(0, 1, 1), (1, 120, 0), (-1, 0, 0), (-1, 1, 1)] {
        assert_eq!(rows(lines(), at(from), at(until)).len(), rows_of_it, "{from}..{until}");
    }
}

#[test]
fn what_was_reported_after_its_end_is_reported() {
    let row = one_row(vec![
        line("one", 1, 0, 1, "request.received"),
        with(line("one", 2, 1, 2, "request.used"), &[("ended", "used")]),
        with(line("one", 3, 1, 3, "request.reported.closed"), &[("ended", "reported")]),
    ]);
    assert_eq!(row.outcome, "reported");
}

#[test]
fn what_was_only_tried_out_says_so() {
    let received = || line("one", 1, 0, 1, "request.received");
    assert_eq!(one_row(vec![received()]).mode, "enforce");
    assert_eq!(one_row(vec![with(received(), &[("mode", "evaluate")])]).mode, "evaluate");
}
