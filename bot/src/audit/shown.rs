//! How does a row look with the names that are known? (The fields of the JSON form; `deploy/report.md` says what each
//! means.)

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tapdesk_core::audit::{Decided, Decision, Row, Sent};
use tapdesk_core::ids::{LedgerName, PersonId, RequestId};
use tapdesk_core::people::one_line;

use super::names::Known;

/// What stands for what the service forgot, was not asked, or never knew.
const NOT_KEPT: &str = "not kept any more";
/// What nobody or nothing is called.
pub(super) const NONE: &str = "–";

/// A request.
#[derive(Serialize)]
pub(super) struct Entry {
    pub(super) request: RequestId,
    pub(super) mode: String,
    pub(super) received_at: Timestamp,
    pub(super) asked_in: String,
    pub(super) account: Option<String>,
    pub(super) requester: Option<Who>,
    pub(super) subject: Option<Who>,
    pub(super) reason: Option<String>,
    pub(super) reason_pseudonym: Option<String>,
    pub(super) ticket_number: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) approvals_wanted: Option<u32>,
    pub(super) decisions: Vec<Choice>,
    pub(super) approved_at: Option<Timestamp>,
    pub(super) sent: Vec<Sent>,
    pub(super) claimed_at: Option<Timestamp>,
    pub(super) passes_made: u32,
    pub(super) passes_deleted: u32,
    pub(super) shown_at: Option<Timestamp>,
    pub(super) outcome: String,
    pub(super) outcome_why: Option<String>,
    pub(super) outcome_by: Option<Who>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) other_lines: BTreeMap<String, u32>,
    pub(super) lines: BTreeMap<LedgerName, Vec<u64>>,
}

/// A person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Who {
    pub(super) id: PersonId,
    pub(super) name: Option<String>,
}

/// What somebody decided.
#[derive(Serialize)]
pub(super) struct Choice {
    pub(super) at: Timestamp,
    pub(super) by: Option<Who>,
    pub(super) decision: Decided,
    pub(super) proof: Option<String>,
    pub(super) stands_for: Option<Who>,
}

/// All of them at a glance.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) requests: usize,
    pub(super) by_outcome: BTreeMap<String, usize>,
    pub(super) by_requester: Vec<Share>,
    pub(super) by_rule: BTreeMap<String, usize>,
    pub(super) approved_without_approvals: usize,
    pub(super) passes_made: u32,
    pub(super) evaluated: usize,
}

/// How many requests somebody made.
#[derive(Serialize)]
pub(super) struct Share {
    /// `None` where nobody found out.
    pub(super) requester: Option<Who>,
    pub(super) requests: usize,
}

impl Entry {
    pub(super) fn new(row: Row, known: Option<&Known>) -> Self {
        let who = |id: PersonId| Who {
            id,
            name: known.and_then(|known| known.people.get(&id)).map(|name| one_line(name)),
        };
        let choice = |Decision { at, by, kind, proof, stands_for }: Decision| Choice {
            at,
            by: by.map(who),
            decision: kind,
            proof,
            stands_for: stands_for.map(who),
        };
        Self {
            request: row.request,
            mode: row.mode,
            received_at: row.received_at,
            asked_in: row.asked_at,
            account: row.account,
            requester: row.requester.map(who),
            subject: row.subject.map(who),
            reason: known.map(|known| one_line(&known.reason)),
            reason_pseudonym: row.reason,
            ticket_number: row.ticket_number,
            rule: row.rule,
            approvals_wanted: row.approvals_wanted,
            decisions: row.decisions.into_iter().map(choice).collect(),
            approved_at: row.approved_at,
            sent: row.sent,
            claimed_at: row.claimed_at,
            passes_made: row.passes_made,
            passes_deleted: row.passes_deleted,
            shown_at: row.shown_at,
            outcome: row.outcome,
            outcome_why: row.outcome_why,
            outcome_by: row.outcome_by.map(who),
            ended_at: row.ended_at,
            other_lines: row.other_lines,
            lines: row
                .lines
                .into_iter()
                .map(|(ledger, lines)| (ledger, lines.into_iter().collect()))
                .collect(),
        }
    }

    /// Why, or that nobody knows any more.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or(NOT_KEPT)
    }

    /// Who asked; where nobody found out, the account.
    pub(super) fn asked_by(&self) -> String {
        let account = || self.account.as_ref().map(|account| format!("{} {account}", self.asked_in));
        // A ticket system that names nobody asks for itself.
        let source = || self.asked_in.strip_prefix("hook:").map(str::to_owned);
        let somebody = || "somebody nobody vouches for".to_owned();
        self.requester.as_ref().map(Who::shown).or_else(account).or_else(source).unwrap_or_else(somebody)
    }

    /// For whom.
    pub(super) fn for_whom(&self) -> String {
        self.subject.as_ref().map_or_else(|| NONE.to_owned(), Who::shown)
    }

    /// Who approved.
    pub(super) fn approved_by(&self) -> String {
        let approvals = self.decisions.iter().filter(|choice| choice.decision == Decided::Approved);
        let names: Vec<String> = approvals.map(Choice::by).collect();
        match (names.is_empty(), self.approvals_wanted) {
            (false, _) => names.join(", "),
            (true, Some(0)) => "nobody (none wanted)".to_owned(),
            (true, Some(_) | None) => NONE.to_owned(),
        }
    }

    /// How it ended, why, and by whom.
    pub(super) fn ending(&self) -> String {
        let why = self.outcome_why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let by = self.outcome_by.as_ref().map(|by| format!(" by {}", by.shown())).unwrap_or_default();
        format!("{}{why}{by}", self.outcome)
    }

    /// What was decided, one sentence each.
    pub(super) fn decided(&self) -> Vec<String> {
        let said = |choice: &Choice| {
            let instead = choice.stands_for.as_ref().map(|who| format!(" for {}", who.shown()));
            let proof = choice.proof.as_ref().map(|proof| format!(" ({proof})")).unwrap_or_default();
            let (at, what, by) = (choice.at, choice.decision.name(), choice.by());
            format!("{at} {what} by {by}{}{proof}", instead.unwrap_or_default())
        };
        self.decisions.iter().map(said).collect()
    }

    /// What was sent, one sentence each.
    pub(super) fn routes(&self) -> Vec<String> {
        let said = |Sent { at, what, route, to }: &Sent| {
            let to = to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
            format!("{at} {what} by {route}{to}")
        };
        self.sent.iter().map(said).collect()
    }

    /// What happened to passes, in one line, if anything did.
    pub(super) fn passes(&self) -> Option<String> {
        let claimed_at = self.claimed_at?;
        let shown = self.shown_at.map_or_else(|| "never shown".to_owned(), |at| format!("shown {at}"));
        let Self { passes_made, passes_deleted, .. } = self;
        Some(format!("claimed {claimed_at}, {passes_made} made, {passes_deleted} deleted, {shown}"))
    }

    /// Further lines, counted.
    pub(super) fn others(&self) -> Vec<String> {
        self.other_lines.iter().map(|(what, times)| format!("{what} × {times}")).collect()
    }

    /// Ledgers and the numbers of the lines in them.
    pub(super) fn references(&self) -> Vec<String> {
        self.lines.iter().map(|(ledger, lines)| format!("{ledger} {}", ranges(lines))).collect()
    }
}

impl Choice {
    fn by(&self) -> String {
        self.by.as_ref().map_or_else(|| NONE.to_owned(), Who::shown)
    }
}

impl Who {
    /// The name, or the object id where the name is not kept any more.
    pub(super) fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

impl Summary {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut shares: BTreeMap<Option<PersonId>, Share> = BTreeMap::new();
        let (mut by_outcome, mut by_rule) = (BTreeMap::new(), BTreeMap::new());
        for entry in entries {
            *by_outcome.entry(entry.outcome.clone()).or_default() += 1;
            *by_rule.entry(entry.rule.clone().unwrap_or_else(|| NONE.to_owned())).or_default() += 1;
            let id = entry.requester.as_ref().map(|who| who.id);
            let share = shares.entry(id).or_insert(Share { requester: None, requests: 0 });
            share.requests += 1;
            let is_named = share.requester.as_ref().is_some_and(|who| who.name.is_some());
            if !is_named {
                share.requester.clone_from(&entry.requester);
            }
        }
        let mut by_requester: Vec<Share> = shares.into_values().collect();
        by_requester.sort_by_key(|share| std::cmp::Reverse(share.requests));
        let without = |entry: &&Entry| entry.approved_at.is_some() && entry.approvals_wanted == Some(0);
        Self {
            requests: entries.len(),
            by_outcome,
            by_requester,
            by_rule,
            approved_without_approvals: entries.iter().filter(without).count(),
            passes_made: entries.iter().map(|entry| entry.passes_made).sum(),
            evaluated: entries.iter().filter(|entry| entry.mode == "evaluate").count(),
        }
    }

    /// Each group of numbers with its heading.
    pub(super) fn counts(&self) -> Vec<(&'static str, String)> {
        let listed = |counts: &BTreeMap<String, usize>| {
            counts.iter().map(|(what, times)| format!("{what} {times}")).collect::<Vec<_>>().join(" · ")
        };
        let people = self.by_requester.iter().map(|share| {
            let who = share.requester.as_ref().map_or_else(|| "nobody known".to_owned(), Who::shown);
            format!("{who} {}", share.requests)
        });
        vec![
            ("requests", self.requests.to_string()),
            ("by outcome", listed(&self.by_outcome)),
            ("by requester", people.collect::<Vec<_>>().join(" · ")),
            ("by rule", listed(&self.by_rule)),
            ("approved without approvals", self.approved_without_approvals.to_string()),
            ("passes made", self.passes_made.to_string()),
            ("in evaluate mode (nothing was made)", self.evaluated.to_string()),
        ]
    }
}

/// `1-4, 7`.
fn ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            Some(_) | None => ranges.push((*number, *number)),
        }
    }
    let shown = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(shown).collect::<Vec<_>>().join(", ")
}
