//! Requests as the contract needs them: small, and different where it matters.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tapdesk_core::delegation::Delegation;
use tapdesk_core::hours::Zone;
use tapdesk_core::ids::{
    ChatName, ChatUser, DeliveryId, GroupId, LedgerName, PersonId, PromptId, RequestId, RuleName, WorkerId,
};
use tapdesk_core::ledger::{Footing, Head};
use tapdesk_core::pass::PassWish;
use tapdesk_core::people::{Human, Naming};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{Commit, RequesterCap};
use tapdesk_core::request::{
    Approval, Asker, Candidate, Case, CodeHalf, Ending, Grant, Notice, Past, Reminders, Request, Standing,
    State, Terms, Ticket,
};
use tapdesk_core::task::{NewTask, Task};
use tapdesk_core::ticket::{CodeHash, TokenHash};
use uuid::Uuid;

/// An hour as it suits everybody.
const HOUR: Duration = Duration::from_hours(1);

/// A cap that nobody reaches.
pub const NO_CAP: RequesterCap = RequesterCap { most: u32::MAX, window: HOUR };

/// The time, so many seconds into the test.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds)
}

/// The id of the `n`th request.
#[must_use]
pub fn id(n: u32) -> RequestId {
    format!("req_{n:026}").parse().unwrap()
}

/// The `n`th person.
#[must_use]
pub fn person(n: u32) -> PersonId {
    PersonId(Uuid::from_u128(u128::from(n)))
}

/// The `n`th group.
#[must_use]
pub fn group(n: u32) -> GroupId {
    GroupId(Uuid::from_u128(u128::from(n)))
}

/// The `n`th chat account.
#[must_use]
pub fn account(n: u32) -> ChatUser {
    ChatUser { chat: ChatName::from("chat"), workspace: "w".to_owned(), id: format!("user \"{n}\"") }
}

/// The `n`th delivery.
#[must_use]
pub fn delivery(n: u32) -> DeliveryId {
    DeliveryId(format!("delivery {n}"))
}

/// The hash of the `n`th code.
#[must_use]
pub fn code(n: u32) -> CodeHash {
    CodeHash(format!("{n:064x}"))
}

/// The hash of the `n`th token of a notice.
#[must_use]
pub fn token(n: u32) -> TokenHash {
    TokenHash(format!("{n:064x}"))
}

/// A worker.
#[must_use]
pub fn worker(name: &str) -> WorkerId {
    WorkerId::from(name)
}

/// The head of a ledger with so many lines.
#[must_use]
pub fn head(seq: u64) -> Head {
    head_of(&LedgerName::default(), seq)
}

/// The head of a certain ledger.
#[must_use]
pub fn head_of(ledger: &LedgerName, seq: u64) -> Head {
    Head { ledger: ledger.clone(), seq, hash: format!("{seq:064x}") }
}

/// A request that was just received, from the first account.
#[must_use]
pub fn received(n: u32) -> Request {
    Request {
        id: id(n),
        received_at: at(0),
        requester: Asker::Account(account(1)),
        subject: Naming::Address(format!("subject{n}@contoso.example")),
        reason: "lost phone\n\"really\"".to_owned(),
        ticket_number: None,
        lifetime: None,
        posted: Vec::new(),
        told: Vec::new(),
        stated: Vec::new(),
        doubt: None,
        alarms: Vec::new(),
        footing: Footing::default(),
        state: State::Received,
    }
}

/// The same request, waiting for the approval of `approver` of a pass for `subject`.
#[must_use]
pub fn awaiting(n: u32, subject: u32, approver: u32) -> Request {
    let state = State::AwaitingApproval {
        case: Box::new(case(subject, approver)),
        approvals: Vec::new(),
        expires_at: at(14_400),
    };
    Request { state, ..received(n) }
}

/// The same request with an open claim: its ticket was opened at `opened` and has this code.
#[must_use]
pub fn claimable(n: u32, subject: u32, of_code: u32, opened: Timestamp) -> Request {
    Request { state: State::ClaimOpen(Box::new(grant(subject, of_code, opened))), ..received(n) }
}

/// A claimable request whose owner got a notice with this token.
#[must_use]
pub fn noticed(n: u32, subject: u32, of_code: u32, of_token: u32) -> Request {
    let notice = Notice { token: token(of_token), number: 42, wrong: 0, told: None, expires_at: at(700_000) };
    let grant = Grant { notice: Some(notice), ..grant(subject, of_code, at(0)) };
    Request { state: State::ClaimOpen(Box::new(grant)), ..received(n) }
}

/// The request, closed at `closed` and remembering what it knew.
#[must_use]
pub fn closed(request: &Request, closed: Timestamp) -> Request {
    let past = match (request.grant(), request.case()) {
        (Some(grant), _) => Past::Granted(Box::new(grant.clone())),
        (None, Some(case)) => Past::Asked(Box::new(case.clone())),
        (None, None) => Past::Nothing,
    };
    Request { state: State::Closed { ending: Ending::Cancelled, at: closed, past }, ..request.clone() }
}

/// A commit of nothing but the request.
#[must_use]
pub fn commit(request: Request) -> Commit {
    Commit { request, tasks: Vec::new(), head: head(0), delivery: None, fresh_tries: false }
}

/// The same commit with a task.
#[must_use]
pub fn with_task(mut commit: Commit, due: Timestamp) -> Commit {
    commit.tasks.push(NewTask { due, task: Task::FetchFacts });
    commit
}

/// The same commit, caused by the `n`th delivery.
#[must_use]
pub fn by_delivery(commit: Commit, n: u32) -> Commit {
    Commit { delivery: Some(delivery(n)), ..commit }
}

fn human(n: u32) -> Human {
    Human { id: person(n), name: format!("Person {n} Ünal"), upn: format!("p{n}@contoso.example") }
}

/// Somebody lets somebody else decide.
#[must_use]
pub fn delegation(of: u32, to: u32) -> Delegation {
    let day = jiff::civil::date(2026, 12, 20);
    let zone = Zone::utc();
    Delegation { delegator: human(of), delegate: human(to), first_day: day, last_day: day, zone }
}

fn case(subject: u32, approver: u32) -> Case {
    Case {
        requester: human(1),
        subject: human(subject),
        manager: Some(human(approver)),
        rule: RuleName::from("helpdesk for staff"),
        ticket_number: None,
        colleagues: vec![group(approver)],
        slots: vec![vec![person(approver)]],
        approvers: vec![Candidate {
            human: human(approver),
            account: account(approver),
            zone: None,
            prompt: PromptId::from_button("prompt"),
            standing: Standing::Named,
            reminders: Reminders::default(),
            unreachable: false,
        }],
        terms: terms(),
        contacts: Vec::new(),
        foreign: Vec::new(),
        matching: None,
        escalated_at: None,
        cautions: Vec::new(),
        undated: None,
    }
}

fn terms() -> Terms {
    Terms {
        approval_expires: 4 * HOUR,
        ticket_expires: HOUR / 2,
        wish: PassWish { lifetime: HOUR, one_time: true },
        asked: None,
        wished: None,
        code_routes: vec![Route::Sms],
        pin_routes: vec![Route::Approver],
        notice_routes: vec![Route::Email],
        sources: Vec::new(),
        remind_after: None,
        quiet_hours: None,
        escalate_after: None,
    }
}

fn grant(subject: u32, of_code: u32, opened: Timestamp) -> Grant {
    let half = CodeHalf { hash: code(of_code), route: Route::Sms, sent: true, delivery: None };
    Grant {
        case: case(subject, 2),
        approvals: vec![Approval { by: human(2), stands_for: None, at: opened, stated_by: None }],
        ticket: Ticket {
            generation: 1,
            code: Some(half),
            failed_routes: Vec::new(),
            pin: None,
            wrong: 0,
            resends: 0,
            expires_at: at(1800),
            ends_at: at(7200),
        },
        loose: Vec::new(),
        attempts: 0,
        issuing_since: None,
        fate: None,
        notice: None,
        look: None,
    }
}
