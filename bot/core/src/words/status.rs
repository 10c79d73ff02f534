//! How do requests look from a distance, one line each?

use std::time::Duration;

use jiff::Timestamp;

use super::{by_whom, clock_time, ended, length, reason, some_names, subject_name};
use crate::card::Card;
use crate::policy::Route;
use crate::request::{Approval, Candidate, Case, Goal, Grant, Progress, Reason, Request, State};

/// So many lines of one kind fit into one answer.
pub(super) const MOST_LINES: usize = 10;

/// The acknowledgement of an inquiry.
#[must_use]
pub fn looking() -> Card {
    Card::line("One moment: I look that up.")
}

/// An inquiry could not be answered.
#[must_use]
pub fn not_looked_up() -> Card {
    Card::line("I could not look that up just now. Ask again in a minute; nothing was changed.")
}

/// Somebody asks whom the directory does not know.
#[must_use]
pub fn not_for_you(why: &Reason) -> Card {
    Card::line("I have nothing to show you.").text(reason(why))
}

/// There is nothing, or nothing that this person may see: both sound the same.
#[must_use]
pub fn nothing_to_see() -> Card {
    Card::line("I have no request for that colleague to show you.").text(
        "You see what you asked for, what you are asked to decide, and what your help desk asked for, until a day after \
         it ended. If you expected one, check the address, or ask whoever made the request.",
    )
}

/// The requests for one subject.
#[must_use]
pub fn status_of(subject: &str, requests: &[Request], now: Timestamp) -> Card {
    list(Card::line(format!("Passes for {subject}:")), None, requests, now)
}

/// What somebody asked for.
#[must_use]
pub fn own_status(open: &[Request], closed: &[Request], now: Timestamp) -> Card {
    if open.is_empty() && closed.is_empty() {
        return Card::line("You wait for nothing, and nothing that you asked for ended since yesterday.");
    }
    let newest_first: Vec<Request> = closed.iter().rev().cloned().collect();
    let card = list(Card::line("What you asked for:"), Some("Open"), open, now);
    list(card, Some("Ended since yesterday"), &newest_first, now)
}

/// What waits for somebody's decision, what they asked for, and what their colleagues did.
#[must_use]
pub fn pending(to_decide: &[Request], own: &[Request], colleagues: &[Request], now: Timestamp) -> Card {
    if to_decide.is_empty() && own.is_empty() && colleagues.is_empty() {
        return Card::line("Nothing waits for you, and you wait for nothing.");
    }
    let card = list(Card::line("What is open:"), Some("Waits for your decision"), to_decide, now);
    let card = list(card, Some("You asked for"), own, now);
    list(card, Some("Your colleagues asked for"), colleagues, now)
}

fn list(card: Card, title: Option<&str>, requests: &[Request], now: Timestamp) -> Card {
    if requests.is_empty() {
        return card;
    }
    let mut lines: Vec<String> = title.map(|title| format!("{title}:")).into_iter().collect();
    lines.extend(requests.iter().take(MOST_LINES).map(|request| line(request, now)));
    if let Some(more @ 1..) = requests.len().checked_sub(MOST_LINES) {
        lines.push(format!("and {more} more"));
    }
    card.text(lines.join("\n"))
}

/// One request.
fn line(request: &Request, now: Timestamp) -> String {
    let (name, id) = (subject_name(request), request.id.short());
    let asked_by =
        request.case().map_or_else(String::new, |case| format!(", asked by {}", case.requester.name));
    format!("{name} (request {id}{asked_by}): {}", stage(request, now))
}

fn stage(request: &Request, now: Timestamp) -> String {
    match &request.state {
        State::Received => format!("being checked since {}", ago(request.received_at, now)),
        State::AwaitingApproval { case, approvals, expires_at } => {
            let asked_at = expires_at.saturating_sub(case.terms.approval_expires).unwrap_or(*expires_at);
            let (who, reminded) = undecided(case, approvals);
            format!("waiting for {who} since {}{reminded}", ago(asked_at, now))
        }
        State::Approved(grant) => format!("approved{}, {}", by_whom(request), halves(grant)),
        State::ClaimOpen(grant) => {
            format!("{}, to be opened until {}", code_message(grant), clock_time(grant.ticket.expires_at))
        }
        State::Issuing { .. } => "being opened right now".to_owned(),
        State::Unsettled { goal: Goal::Reopen, .. } => {
            "opened, and I look for what Entra did with it; they can try again in a minute".to_owned()
        }
        State::Revoking { goal: Goal::Reopen, .. } => {
            "opened and not seen, so the pass is being deleted; they can try again".to_owned()
        }
        State::Issued { pass, .. } => format!("opened {}", clock_time(pass.issued_at)),
        State::Shown { shown_at, pass, .. } => {
            format!("opened {}, good until {}", clock_time(*shown_at), clock_time(pass.ends_at))
        }
        State::Unsettled { goal: Goal::End(ending), .. }
        | State::Revoking { goal: Goal::End(ending), .. } => {
            format!("{}, and the pass is being deleted", ended(ending))
        }
        State::Closed { ending, at, .. } => format!("{} {}", ended(ending), clock_time(*at)),
    }
}

/// Who could still give an approval, and how often they were reminded.
fn undecided(case: &Case, approvals: &[Approval]) -> (String, String) {
    let waits = |candidate: &&Candidate| approvals.iter().all(|given| given.by.id != candidate.human.id);
    let waiting: Vec<&Candidate> = case.approvers.iter().filter(waits).collect();
    let names = some_names(waiting.iter().map(|candidate| candidate.human.name.as_str()).collect());
    let reminded = match waiting.iter().map(|candidate| candidate.reminders.count).max() {
        None | Some(0) => String::new(),
        Some(1) => ", reminded once".to_owned(),
        Some(2) => ", reminded twice".to_owned(),
        Some(more) => format!(", reminded {more} times"),
    };
    (names, reminded)
}

/// What an approved request still lacks.
fn halves(grant: &Grant) -> String {
    let code = code_message(grant);
    let is_sent = grant.ticket.pin.as_ref().is_some_and(|pin| pin.sent);
    let by_approver = grant.case.terms.pin_routes.contains(&Route::Approver);
    match (is_sent, grant.pin_keeper()) {
        (true, _) => code,
        (false, Some(keeper)) if by_approver => format!("{code}, the PIN is with {}", keeper.name),
        (false, Some(_) | None) => format!("{code}, the PIN is on its way"),
    }
}

/// `SMS delivered 10:02 UTC to +49…12`.
fn code_message(grant: &Grant) -> String {
    let Some(code) = grant.ticket.code.as_ref() else { return "the code is on its way".to_owned() };
    let Some(delivery) = code.delivery else { return "the code is on its way".to_owned() };
    let message = match code.route {
        Route::Sms => "SMS",
        Route::Email => "mail",
        Route::Approver | Route::Manager => "code",
    };
    let to = grant.case.contact(code.route).map_or("the contact on file", |contact| &contact.masked);
    let at = clock_time(delivery.at);
    match delivery.progress {
        Progress::Accepted | Progress::Sent => format!("{message} sent {at} to {to}"),
        Progress::Delivered => format!("{message} delivered {at} to {to}"),
        Progress::Failed => format!("{message} not delivered {at} to {to}"),
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = Duration::try_from(now.duration_since(at)).unwrap_or_default().as_secs() / 60;
    match minutes {
        0 => "a moment".to_owned(),
        1..60 => format!("{minutes} min"),
        60.. => length(Duration::from_mins(minutes)),
    }
}
