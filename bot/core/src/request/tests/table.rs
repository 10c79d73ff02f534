//! Every state × every event, compared with the table in the package's README.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::samples::{
    FINN, JANE, MAX, OLGA, SAM, SECURITY, STRANGER, Sample, account, another_source, browser, case, claim,
    code, escalation, human, id, looks_wrong, made, mary, monday, new_approver, notice, pin_hash, posted,
    service_now, told,
};
use crate::policy::Route;
use crate::ports::Decline;
use crate::request::{
    Asker, Ending, Event, Found, Goal, Look, NotCounted, Past, Progress, Reason, Refusal, Request, Seeming,
    State, Told, UNSEEN_AFTER,
};

/// The event after `event` in the order of the enum: a new variant does not compile until it has its place here,
/// and so its row.
fn next(event: Option<&Event>) -> Option<Event> {
    let Some(event) = event else { return Some(Event::FactsArrived(Box::new(case(&[&[MAX]])))) };
    Some(match event {
        Event::FactsArrived(_) => Event::FactsForbid(Reason::NoRule),
        Event::FactsForbid(_) => Event::Prompted(posted(MAX, "1")),
        Event::Prompted(_) => Event::NotReached(OLGA),
        Event::NotReached(_) => Event::RequesterTold(told("1")),
        Event::RequesterTold(_) => Event::Approve(MAX),
        Event::Approve(_) => Event::Pick(MAX, 47),
        Event::Pick(..) => Event::Deny(MAX),
        Event::Deny(_) => looks_wrong(MAX),
        Event::LooksWrong { .. } => Event::Alarmed(vec![new_approver()]),
        Event::Alarmed(_) => Event::RemindTime(MAX, 0),
        Event::RemindTime(..) => Event::Escalated(escalation(&[FINN])),
        Event::Escalated(_) => Event::Stated(service_now(), mary()),
        Event::Stated(..) => Event::Weighed(0, Ok(MAX)),
        Event::Weighed(..) => Event::Disown(MAX),
        Event::Disown(_) => Event::SetAside(id()),
        Event::SetAside(_) => Event::ApprovalTimeOver,
        Event::ApprovalTimeOver => Event::CodeMinted(code(2), Route::Sms),
        Event::CodeMinted(..) => Event::CodeSent(code(1), "SM1".to_owned()),
        Event::CodeSent(..) => Event::CodeUndeliverable(Route::Sms),
        Event::CodeUndeliverable(_) => Event::CodeReceipt(1, Progress::Delivered),
        Event::CodeReceipt(..) => Event::PinMinted(pin_hash(2), Some(MAX)),
        Event::PinMinted(..) => Event::PinSent(pin_hash(1), Route::Approver),
        Event::PinSent(..) => Event::PinUndeliverable,
        Event::PinUndeliverable => Event::ContactChanged,
        Event::ContactChanged => Event::TicketTimeOver,
        Event::TicketTimeOver => Event::WrongPin,
        Event::WrongPin => Event::TriesExhausted,
        Event::TriesExhausted => Event::Claim(claim(1)),
        Event::Claim(_) => Event::RecheckForbids(Reason::RuleChanged),
        Event::RecheckForbids(_) => Event::ForeignPass,
        Event::ForeignPass => Event::Created(made("pass-2", 1, monday())),
        Event::Created(_) => Event::Declined(Decline::PolicyOff),
        Event::Declined(_) => Event::LockedDown,
        Event::LockedDown => Event::Unusable("pass-2".into()),
        Event::Unusable(_) => Event::OutcomeUnknown,
        Event::OutcomeUnknown => Event::Swept(0),
        Event::Swept(_) => Event::PageShowed(browser(1)),
        Event::PageShowed(_) => Event::UnseenTimeOver,
        Event::UnseenTimeOver => Event::Deleted,
        Event::Deleted => Event::PassUsed,
        Event::PassUsed => Event::PassUnused,
        Event::PassUnused => Event::PassOver,
        Event::PassOver => Event::Looked(Look { number: 1, found: Found::New(Vec::new()) }),
        Event::Looked(_) => Event::PinProved,
        Event::PinProved => Event::NoticeMinted(notice(monday())),
        Event::NoticeMinted(_) => Event::OwnerTold(1, Told::Made),
        Event::OwnerTold(..) => Event::WrongNumber,
        Event::WrongNumber => Event::Report,
        Event::Report => Event::Cancel(account(SAM).into()),
        Event::Cancel(_) => Event::CancelBySource(service_now()),
        Event::CancelBySource(_) => Event::Resend(account(SAM).into()),
        Event::Resend(_) => Event::Withdraw(MAX),
        Event::Withdraw(_) => Event::Revoke(account(MAX).into()),
        Event::Revoke(_) => Event::RevokeBySecurity(human(SECURITY)),
        Event::RevokeBySecurity(_) => return None,
    })
}

/// The rows: each event, and those whose answer depends on who, where or when.
pub(super) fn rows() -> Vec<(String, Event, Duration)> {
    let (soon, a_while) = (Duration::from_secs(1), Duration::from_mins(45));
    let late = Duration::from_hours(5);
    let mut rows: Vec<(String, Event, Duration)> = Vec::new();
    let mut last = None;
    while let Some(event) = next(last.as_ref()) {
        let name = format!("{event:?}");
        let name = name.split(['(', ' ']).next().unwrap().to_owned();
        let wait = match event {
            Event::RemindTime(..) | Event::Escalated(_) => a_while,
            Event::ApprovalTimeOver | Event::TicketTimeOver | Event::UnseenTimeOver => late,
            _ => soon,
        };
        let special = match event {
            Event::Approve(_) => vec![
                ("by the requester", Event::Approve(SAM), soon),
                ("by the subject", Event::Approve(JANE), soon),
                ("by a stranger", Event::Approve(STRANGER), soon),
                ("after its time", Event::Approve(MAX), late),
            ],
            Event::Pick(..) => vec![
                ("another number", Event::Pick(MAX, 12), soon),
                ("by a stranger", Event::Pick(STRANGER, 47), soon),
            ],
            Event::LooksWrong { .. } => vec![
                ("to another approver", looks_wrong(OLGA), soon),
                ("to a stranger", looks_wrong(STRANGER), soon),
            ],
            Event::RemindTime(..) => vec![
                ("too early", Event::RemindTime(MAX, 0), soon),
                ("that was counted", Event::RemindTime(MAX, 1), a_while),
            ],
            Event::Escalated(_) => vec![
                ("too early", Event::Escalated(escalation(&[FINN])), soon),
                ("after its time", Event::Escalated(escalation(&[FINN])), late),
            ],
            Event::Stated(..) => vec![("by another source", Event::Stated(another_source(), mary()), soon)],
            Event::Weighed(..) => vec![
                ("of the requester", Event::Weighed(0, Ok(SAM)), soon),
                ("that counts not", Event::Weighed(0, Err(NotCounted::Unknown)), soon),
            ],
            Event::Disown(_) => vec![("of a stranger", Event::Disown(STRANGER), soon)],
            Event::CancelBySource(_) => {
                vec![("by another source", Event::CancelBySource(another_source()), soon)]
            }
            Event::ApprovalTimeOver => vec![("too early", Event::ApprovalTimeOver, soon)],
            Event::TicketTimeOver => vec![("too early", Event::TicketTimeOver, soon)],
            Event::UnseenTimeOver => vec![("too early", Event::UnseenTimeOver, soon)],
            Event::CodeReceipt(..) => vec![
                ("not delivered", Event::CodeReceipt(1, Progress::Failed), soon),
                ("of an older code", Event::CodeReceipt(0, Progress::Failed), soon),
            ],
            Event::PinMinted(..) => {
                vec![("by a stranger", Event::PinMinted(pin_hash(2), Some(STRANGER)), soon)]
            }
            Event::Claim(_) => vec![
                ("another browser", Event::Claim(claim(2)), soon),
                ("after its time", Event::Claim(claim(1)), late),
            ],
            Event::Swept(_) => vec![("found one", Event::Swept(1), soon)],
            Event::PageShowed(_) => vec![("another browser", Event::PageShowed(browser(2)), soon)],
            Event::Cancel(_) => vec![("by a stranger", Event::Cancel(account(STRANGER).into()), soon)],
            Event::Resend(_) => vec![("by a stranger", Event::Resend(account(STRANGER).into()), soon)],
            Event::Revoke(_) => vec![("by a stranger", Event::Revoke(account(STRANGER).into()), soon)],
            Event::Withdraw(_) => vec![("by a stranger", Event::Withdraw(STRANGER), soon)],
            _ => Vec::new(),
        };
        rows.push((format!("`{name}`"), event.clone(), wait));
        rows.extend(special.into_iter().map(|(why, event, wait)| (format!("`{name}` {why}"), event, wait)));
        last = Some(event);
    }
    rows
}

/// A request that ended like this. The match keeps the list whole.
fn closed(ending: &Ending) -> Sample {
    match ending {
        Ending::Used => Sample::shown().after([Event::PassUsed, Event::Deleted]),
        Ending::Expired => Sample::shown().after([Event::PassOver, Event::Deleted]),
        Ending::Revoked(_) => Sample::shown().after([Event::Revoke(account(SAM).into()), Event::Deleted]),
        Ending::Refused(reason) => Sample::received().after([Event::FactsForbid(reason.clone())]),
        Ending::Denied(_) => Sample::awaiting().after([Event::Deny(MAX)]),
        Ending::Mismatched(_) => Sample::matching().after([Event::Pick(MAX, 12)]),
        Ending::SetAside(by) => Sample::visited().after([Event::SetAside(by.clone())]),
        Ending::Cancelled => Sample::awaiting().after([Event::Cancel(account(SAM).into())]),
        Ending::Withdrawn(_) => Sample::claim_open().after([Event::Withdraw(MAX)]),
        Ending::LapsedUndecided => {
            Sample::awaiting().wait(Duration::from_hours(4)).after([Event::ApprovalTimeOver])
        }
        Ending::LapsedUnclaimed => {
            Sample::claim_open().wait(Duration::from_mins(30)).after([Event::TicketTimeOver])
        }
        Ending::Locked => Sample::claim_open().after([Event::TriesExhausted]),
        Ending::Reported => Sample::shown().after([Event::Report, Event::Deleted]),
        Ending::Doubted { .. } => Sample::awaiting().after([looks_wrong(MAX)]),
    }
}

/// The ending after `ending`, in the order of the enum.
fn next_ending(ending: &Ending) -> Option<Ending> {
    Some(match ending {
        Ending::Used => Ending::Expired,
        Ending::Expired => Ending::Revoked(human(SAM)),
        Ending::Revoked(_) => Ending::Refused(Reason::NoRule),
        Ending::Refused(_) => Ending::Denied(human(MAX)),
        Ending::Denied(_) => Ending::Mismatched(human(MAX)),
        Ending::Mismatched(_) => Ending::SetAside(id()),
        Ending::SetAside(_) => Ending::Cancelled,
        Ending::Cancelled => Ending::Withdrawn(human(MAX)),
        Ending::Withdrawn(_) => Ending::LapsedUndecided,
        Ending::LapsedUndecided => Ending::LapsedUnclaimed,
        Ending::LapsedUnclaimed => Ending::Locked,
        Ending::Locked => Ending::Reported,
        Ending::Reported => Ending::Doubted { by: human(MAX), seems: Seeming::Denied },
        Ending::Doubted { .. } => return None,
    })
}

/// The columns: every state, both goals, every ending.
pub(crate) fn columns() -> Vec<(String, Sample)> {
    let open = [
        Sample::received(),
        Sample::awaiting(),
        Sample::matching(),
        Sample::visited(),
        Sample::sourced(),
        Sample::stated(),
        Sample::approved()
            .after([Event::CodeMinted(code(1), Route::Sms), Event::PinMinted(pin_hash(1), Some(MAX))]),
        Sample::claim_open(),
        Sample::issuing(),
        Sample::unsettled(),
        Sample::unsettled().after([Event::Revoke(account(SAM).into())]),
        Sample::issued(),
        Sample::shown(),
        Sample::revoking(),
        Sample::shown().after([Event::Revoke(account(SAM).into())]),
    ];
    let mut columns: Vec<(String, Sample)> =
        open.into_iter().map(|sample| (name(&sample.request), sample)).collect();
    let mut ending = Some(Ending::Used);
    while let Some(this) = ending {
        let sample = closed(&this);
        let State::Closed { ending: reached, past, .. } = &sample.request.state else { panic!("{this:?}") };
        assert_eq!(*reached, this);
        let name = match (&this, past) {
            (Ending::LapsedUndecided, _) => "Lapsed undecided",
            (Ending::LapsedUnclaimed, _) => "Lapsed unclaimed",
            (Ending::Doubted { .. }, _) => "Reported by an approver",
            (_, Past::Nothing | Past::Asked(_) | Past::Granted(_)) => sample.request.state.name(),
        };
        columns.push((name.to_owned(), sample.clone()));
        ending = next_ending(&this);
    }
    columns
}

fn name(request: &Request) -> String {
    let wants_number =
        matches!(&request.state, State::AwaitingApproval { case, .. } if case.matching.is_some());
    let how = match (wants_number, &request.requester) {
        (false, Asker::Source(_)) => ", of a source",
        (false, _) => "",
        (true, Asker::Account(_) | Asker::Source(_)) => ", by number",
        (true, Asker::Visitor(_)) => ", of a visitor",
    };
    format!("{}{how}", request.state.name())
}

fn cell(sample: &Sample, event: &Event, wait: Duration) -> String {
    let mut sample = sample.clone().wait(wait);
    let from = sample.request.state.name();
    match sample.apply(event.clone()) {
        Ok(change) if change.next.state.name() == from => "stays".to_owned(),
        Ok(change) => format!("**{}**", change.next.state.name()),
        Err(Refusal::Moot) => "·".to_owned(),
        Err(refusal) => format!("_{refusal}_"),
    }
}

fn rendered() -> String {
    let rows = rows();
    // Endings that answer alike share a column.
    let mut shown: Vec<(String, Vec<String>)> = Vec::new();
    for (name, sample) in columns() {
        let cells: Vec<String> = rows.iter().map(|(_, event, wait)| cell(&sample, event, *wait)).collect();
        let is_closed = !sample.request.is_open();
        match shown.iter_mut().skip(15).find(|(_, known)| is_closed && *known == cells) {
            Some((names, _)) => write!(names, ", {name}").unwrap(),
            None => shown.push((name, cells)),
        }
    }
    let mut text = String::from("| event |");
    for (name, _) in &shown {
        write!(text, " {name} |").unwrap();
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(shown.len()));
    for (row, (label, _, _)) in rows.iter().enumerate() {
        write!(text, "\n| {label} |").unwrap();
        for (_, cells) in &shown {
            write!(text, " {} |", cells[row]).unwrap();
        }
    }
    text
}

/// Compares a table with the one of that name in the package's README, or writes it there.
pub(super) fn in_readme(name: &str, rendered: &str) {
    let begin = format!("<!-- {name}: made by a test; UPDATE=1 cargo test -p tapdesk-core table -->");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(&begin).expect("README.md has lost the marker before a table");
    let (table, tail) =
        rest.split_once("<!-- end of table -->").expect("README.md has lost the marker after a table");
    if table.trim() == rendered {
        return;
    }
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::write(&path, format!("{head}{begin}\n\n{rendered}\n\n<!-- end of table -->{tail}")).unwrap();
        return;
    }
    let old: Vec<&str> = table.trim().lines().collect();
    let changed: Vec<&str> = rendered.lines().filter(|line| !old.contains(line)).collect();
    panic!(
        "bot/core/README.md does not show the state machine as it is.\nIf the change is meant, run \
         `UPDATE=1 cargo test -p tapdesk-core table` and review the diff.\nNew or changed rows:\n{}",
        changed.join("\n")
    );
}

#[test]
fn the_table_in_the_readme_is_the_state_machine() {
    in_readme("table", &rendered());
}

#[test]
fn the_columns_show_every_state_and_both_goals() {
    let mut seen = [false; 12];
    for (_, sample) in columns() {
        let place = match sample.request.state {
            State::Received => 0,
            State::AwaitingApproval { .. } => 1,
            State::Approved(_) => 2,
            State::ClaimOpen(_) => 3,
            State::Issuing { .. } => 4,
            State::Unsettled { goal: Goal::Reopen, .. } => 5,
            State::Unsettled { goal: Goal::End(_), .. } => 6,
            State::Issued { .. } => 7,
            State::Shown { .. } => 8,
            State::Revoking { goal: Goal::Reopen, .. } => 9,
            State::Revoking { goal: Goal::End(_), .. } => 10,
            State::Closed { .. } => 11,
        };
        seen[place] = true;
    }
    assert_eq!(seen, [true; 12]);
}

#[test]
fn the_unseen_time_is_shorter_than_the_wait_of_the_table() {
    assert!(UNSEEN_AFTER < Duration::from_hours(5));
}
