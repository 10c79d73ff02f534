//! What does the ledger say about each request, for somebody who was not there?
//!
//! One row per request, folded from the lines about it. Lines that were superseded do not count. Every line that
//! counts is in its row: what has no place of its own there is counted by its name, so that nothing goes unseen.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::ids::{LedgerName, PersonId, RequestId};
use crate::ledger::{Phase, Record};
use crate::people::Human;
use crate::request::Request;

#[cfg(test)]
mod tests;

/// A line of a ledger.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which ledger.
    pub ledger: LedgerName,
    /// Its number there.
    pub seq: u64,
    /// What it says.
    pub record: Record,
}

/// What the ledgers say about one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which.
    pub request: RequestId,
    /// Whether passes were made (`enforce`) or only would have been (`evaluate`).
    pub mode: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The chat or the source (`hook:…`) it came from, or the page.
    pub asked_at: String,
    /// The chat account that asked, as workspace and id.
    pub account: Option<String>,
    /// Who asked, once it was known.
    pub requester: Option<PersonId>,
    /// For whom, once it was known.
    pub subject: Option<PersonId>,
    /// The pseudonym of why.
    pub reason: Option<String>,
    /// The ticket number.
    pub ticket_number: Option<String>,
    /// The rule that matched.
    pub rule: Option<String>,
    /// How many approvals it wanted.
    pub approvals_wanted: Option<u32>,
    /// What people decided, in order.
    pub decisions: Vec<Decision>,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
    /// What was sent to whom, in order.
    pub sent: Vec<Sent>,
    /// When code and PIN were first proved and a pass asked for.
    pub claimed_at: Option<Timestamp>,
    /// How many passes were made.
    pub passes_made: u32,
    /// How many passes were deleted.
    pub passes_deleted: u32,
    /// When the subject last saw a pass.
    pub shown_at: Option<Timestamp>,
    /// How it ended; `open` while it has not.
    pub outcome: String,
    /// Why, where it was refused.
    pub outcome_why: Option<String>,
    /// Who ended it, where somebody did.
    pub outcome_by: Option<PersonId>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Further lines, by name.
    pub other_lines: BTreeMap<String, u32>,
    /// Every line that counts, by ledger.
    pub lines: BTreeMap<LedgerName, BTreeSet<u64>>,
}

/// What somebody decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Option<PersonId>,
    /// What.
    pub kind: Decided,
    /// How they proved that they meant it, or by which right they decided.
    pub proof: Option<String>,
    /// In whose stead.
    pub stands_for: Option<PersonId>,
}

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// An approval.
    Approved,
    /// A denial.
    Denied,
    /// A wrong number was chosen.
    Mismatched,
    /// It looked wrong to an approver.
    Doubted,
    /// They did not give the approval that a source had stated.
    Disowned,
    /// It was cancelled, withdrawn or revoked.
    Stopped,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// When a courier accepted it, or a modal showed it.
    pub at: Timestamp,
    /// `code` or `pin`.
    pub what: &'static str,
    /// The route.
    pub route: String,
    /// The masked contact.
    pub to: Option<String>,
}

/// A row per request that was received from `from` on and before `until`, the oldest first.
#[must_use]
pub fn rows(lines: Vec<Line>, from: Timestamp, until: Timestamp) -> Vec<Row> {
    let void: BTreeSet<(LedgerName, u64)> =
        lines.iter().filter_map(|line| Some((line.ledger.clone(), line.record.supersedes()?))).collect();
    let mut requests: BTreeMap<RequestId, Vec<Line>> = BTreeMap::new();
    for line in lines {
        let counts = line.record.supersedes().is_none() && !void.contains(&(line.ledger.clone(), line.seq));
        if let Some(request) = line.record.request.clone().filter(|_| counts) {
            requests.entry(request).or_default().push(line);
        }
    }
    let rows = requests.into_iter().filter_map(|(request, lines)| row(request, lines));
    let mut rows: Vec<Row> = rows.filter(|row| (from..until).contains(&row.received_at)).collect();
    rows.sort_by(|one, other| (one.received_at, &one.request).cmp(&(other.received_at, &other.request)));
    rows
}

/// Everybody whom a request names, as it names them.
#[must_use]
pub fn people(request: &Request) -> Vec<&Human> {
    let Some(case) = request.case() else { return Vec::new() };
    let mut people = vec![&case.requester, &case.subject];
    people.extend(&case.manager);
    for candidate in &case.approvers {
        people.push(&candidate.human);
        people.extend(candidate.stands_for());
    }
    people.extend(request.ending().and_then(|ending| ending.by()));
    people
}

fn row(request: RequestId, mut lines: Vec<Line>) -> Option<Row> {
    lines.sort_by(|one, other| {
        let key = |line: &Line| (line.record.at, line.record.version, line.ledger.clone(), line.seq);
        key(one).cmp(&key(other))
    });
    let received = lines.iter().find(|line| line.record.what == "request.received")?;
    let mut row = Row::received(request, &received.record);
    for line in &lines {
        row.lines.entry(line.ledger.clone()).or_default().insert(line.seq);
        row.take(&line.record);
    }
    Some(row)
}

impl Row {
    fn received(request: RequestId, record: &Record) -> Self {
        Self {
            request,
            mode: "enforce".to_owned(),
            received_at: record.at,
            asked_at: fact(record, "chat").or_else(|| source(record)).unwrap_or_else(|| "page".to_owned()),
            account: fact(record, "account"),
            requester: None,
            subject: None,
            reason: fact(record, "reason"),
            ticket_number: None,
            rule: None,
            approvals_wanted: None,
            decisions: Vec::new(),
            approved_at: None,
            sent: Vec::new(),
            claimed_at: None,
            passes_made: 0,
            passes_deleted: 0,
            shown_at: None,
            outcome: "open".to_owned(),
            outcome_why: None,
            outcome_by: None,
            ended_at: None,
            other_lines: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }

    fn take(&mut self, record: &Record) {
        if let Some(mode) = fact(record, "mode") {
            self.mode = mode;
        }
        if let Some(number) = fact(record, "ticket_number") {
            self.ticket_number = Some(number);
        }
        if let Some(outcome) = fact(record, "ended") {
            self.outcome = outcome;
            self.outcome_why = fact(record, "why");
            self.outcome_by = record.by;
            self.ended_at = Some(record.at);
            return;
        }
        let count = |number: &mut u32| *number = number.saturating_add(1);
        match (record.phase, record.what.as_str()) {
            (Phase::Event, "request.received") => {}
            (Phase::Event, "request.checked") => {
                // A source's word for it, where `asked_at` is one.
                self.requester = record.by.or_else(|| person(record, "stated_requester"));
                self.subject = person(record, "subject");
                self.rule = fact(record, "rule");
                self.approvals_wanted = fact(record, "approvals").and_then(|number| number.parse().ok());
            }
            (Phase::Event, "approval.given") => self.decide(record, Decided::Approved),
            (Phase::Event, "approval.disowned") => self.decide(record, Decided::Disowned),
            (Phase::Event, "denial.given") => self.decide(record, Decided::Denied),
            (Phase::Event, "approval.mismatched") => self.decide(record, Decided::Mismatched),
            (Phase::Event, "request.doubted") => self.decide(record, Decided::Doubted),
            (Phase::Event, "request.stopped") => self.decide(record, Decided::Stopped),
            (Phase::Event, "request.approved") => self.approved_at = Some(record.at),
            (Phase::Event, "ticket.code.sent") => self.send(record, "code"),
            (Phase::Event, "ticket.pin.sent") => self.send(record, "pin"),
            (Phase::Event, "pass.shown") => self.shown_at = Some(record.at),
            (Phase::Intent, "pass.create") => self.claimed_at = self.claimed_at.or(Some(record.at)),
            (Phase::Outcome, "pass.create") if record.facts.contains_key("made") => {
                count(&mut self.passes_made);
            }
            (Phase::Outcome, "pass.delete") if fact(record, "result").as_deref() == Some("deleted") => {
                count(&mut self.passes_deleted);
            }
            (Phase::Event, other) => count(self.other_lines.entry(other.to_owned()).or_default()),
            (Phase::Intent, other) => {
                count(self.other_lines.entry(format!("{other} (begun)")).or_default());
            }
            (Phase::Outcome, other) => {
                let result = fact(record, "result").unwrap_or_default();
                count(self.other_lines.entry(format!("{other} ({result})")).or_default());
            }
        }
    }

    fn decide(&mut self, record: &Record, kind: Decided) {
        let proof = fact(record, "proof")
            .or_else(|| Some(format!("as {}", fact(record, "as")?)))
            .or_else(|| Some(format!("stated by {}", fact(record, "stated_by")?)));
        let stands_for = person(record, "stands_for");
        self.decisions.push(Decision { at: record.at, by: record.by, kind, proof, stands_for });
    }

    fn send(&mut self, record: &Record, what: &'static str) {
        let route = fact(record, "route").unwrap_or_default();
        let to = fact(record, "to");
        self.sent.push(Sent { at: record.at, what, route, to });
    }
}

impl Decided {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Mismatched => "mismatched",
            Self::Doubted => "doubted",
            Self::Disowned => "disowned",
            Self::Stopped => "stopped",
        }
    }
}

fn fact(record: &Record, key: &str) -> Option<String> {
    record.facts.get(key).cloned()
}

fn source(record: &Record) -> Option<String> {
    fact(record, "source").map(|source| format!("hook:{source}"))
}

fn person(record: &Record, key: &str) -> Option<PersonId> {
    record.facts.get(key)?.parse().ok()
}
