//! Who is told what when a request moves on? Nobody waits for something that will not come.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::samples::Sample;
use super::table::{columns, in_readme, rows};
use crate::request::{Change, Ending, Event, State};
use crate::task::{Audience, Task};

/// What each sort of people hears of a change.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    requester: BTreeSet<String>,
    approvers: BTreeSet<String>,
    security: BTreeSet<String>,
    owner: BTreeSet<String>,
}

fn told(change: &Change) -> Told {
    let mut told = Told::default();
    for new in &change.tasks {
        let heard = |set: &mut BTreeSet<String>, what: &str| {
            set.insert(what.to_owned());
        };
        match &new.task {
            Task::Tell { to: Audience::Requester(_) | Audience::Source(_), news } => {
                heard(&mut told.requester, &format!("{news:?}"));
            }
            Task::Tell { to: Audience::Approver(_), news } => {
                heard(&mut told.approvers, &format!("{news:?}"));
            }
            Task::Tell { to: Audience::Security, news } => heard(&mut told.security, &format!("{news:?}")),
            Task::Prompt { .. } => heard(&mut told.approvers, "*asked*"),
            Task::Refresh => heard(&mut told.approvers, "*card*"),
            Task::NotifyOwner => heard(&mut told.owner, "*notice*"),
            Task::SendCode => heard(&mut told.owner, "*code*"),
            Task::SendPin => heard(&mut told.owner, "*PIN*"),
            _ => {}
        }
    }
    told
}

/// Every change of state that some event brings about, with what is told of it.
fn moves() -> Vec<(String, &'static str, Sample, Event, Change)> {
    let mut moves = Vec::new();
    for (_, sample) in columns() {
        for (name, event, wait) in rows() {
            let mut sample = sample.clone().with_card().wait(wait);
            let (before, from) = (sample.clone(), sample.request.state.name());
            let Ok(change) = sample.apply(event.clone()) else { continue };
            if change.next.state.name() != from || told(&change) != Told::default() {
                moves.push((name, from, before, event, change));
            }
        }
    }
    moves
}

fn rendered() -> String {
    let mut rows: Vec<(String, BTreeMap<Told, BTreeSet<&str>>)> = Vec::new();
    for (name, from, _, _, change) in moves() {
        let to = change.next.state.name();
        let row = format!("{name} | {}", if to == from { "stays" } else { to });
        let at = rows.iter().position(|(known, _)| *known == row).unwrap_or_else(|| {
            rows.push((row, BTreeMap::new()));
            rows.len() - 1
        });
        rows[at].1.entry(told(&change)).or_default().insert(from);
    }
    let mut text = String::from(
        "| event | enters | from | requester | approvers | security | subject |\n|---|---|---|---|---|---|---|",
    );
    for (row, variants) in rows {
        for (told, from) in variants {
            let from = from.into_iter().collect::<Vec<_>>().join(", ");
            let [requester, approvers, security, owner] =
                [&told.requester, &told.approvers, &told.security, &told.owner]
                    .map(|set| set.iter().cloned().collect::<Vec<_>>().join(", "));
            write!(text, "\n| {row} | {from} | {requester} | {approvers} | {security} | {owner} |").unwrap();
        }
    }
    text
}

#[test]
fn the_table_in_the_readme_says_who_is_told_what() {
    in_readme("told", &rendered());
}

/// The end is told to whoever waits for it: the requester, unless it was them, and everybody who has a card.
#[test]
fn nobody_waits_for_what_has_ended() {
    let mut ends = 0;
    for (name, from, before, _, change) in moves() {
        let State::Closed { ending, .. } = &change.next.state else { continue };
        if !before.request.is_open() {
            continue;
        }
        ends += 1;
        let told = told(&change);
        let did_it_themselves = *ending == Ending::Cancelled;
        // Whoever asks at the page looks there.
        let cannot_be_told = before.request.requester.is_visitor();
        assert!(
            did_it_themselves || cannot_be_told || !told.requester.is_empty(),
            "{name} in {from}: the requester is not told that it ended"
        );
        let nobody_was_asked = before.request.case().is_none();
        assert!(
            nobody_was_asked || told.approvers.contains("*card*"),
            "{name} in {from}: the cards are not edited"
        );
    }
    assert!(ends > 20, "only {ends} ends were found");
}
