//! What do approvers read before they decide, and after?

use std::time::Duration;

use jiff::Timestamp;

use super::{asked, clock_time, code_destination, length, source, standing, suspicion, visit};
use crate::card::{Card, Choice, Look};
use crate::pass::PassMeta;
use crate::policy::Route;
use crate::request::{Asker, Candidate, Case, Ending, Grant, Request, State};

/// Every approver's card, as [`approval`] words it.
#[must_use]
pub fn approvals(request: &Request, now: Timestamp) -> Vec<Card> {
    let Some(case) = request.case() else { return Vec::new() };
    case.approvers.iter().map(|candidate| approval(request, case, candidate, now)).collect()
}

/// The approval card as it looks in the request's present state.
#[must_use]
pub fn approval(request: &Request, case: &Case, candidate: &Candidate, now: Timestamp) -> Card {
    let stated_by = request.stated_approval(candidate.human.id).and_then(|given| given.stated_by.as_ref());
    let title = match &request.state {
        State::AwaitingApproval { .. } if request.requester.is_visitor() => visit::title(case),
        State::AwaitingApproval { .. } => {
            let asks = format!("{} asks for a pass for {}: approve?", case.requester.name, case.subject.name);
            if candidate.reminders.count > 0 { format!("Still waiting for you: {asks}") } else { asks }
        }
        State::Received
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => {
            let standing = suspicion::standing_to_approvers(request).unwrap_or_else(|| standing(request));
            format!("Pass for {}: {standing}", case.subject.name)
        }
    };
    let goes_on = request.ending().is_none();
    let title = match stated_by {
        Some(source) if goes_on => source::stated_title(source, request),
        Some(_) | None => title,
    };
    let mut card = Card::line(title)
        .fact("For", format!("{} ({})", case.subject.name, case.subject.upn))
        .fact("Asked by", asked_by(request, case))
        .fact("Reason", &request.reason);
    if let Some(number) = &request.ticket_number {
        card = card.fact("Ticket", number.as_str());
    }
    card = card
        .fact("Code goes to", code_destination(case))
        .fact("Pass", pass_terms(case))
        .fact("Rule", case.rule.as_str());
    card = asked::why(card, case, candidate);
    for pass in &case.foreign {
        card = card.fact("Existing pass", existing_pass(pass, now));
    }
    for caution in &case.cautions {
        let (label, text) = super::caution::caution(caution, now);
        card = card.fact(label, text);
    }
    let value = format!("{}.{}", request.id, candidate.prompt.as_str());
    let card = deciding(card, request, case, candidate, &value);
    let card = match stated_by {
        Some(source) => source::disowning(card, request, source, &value),
        None => card,
    };
    doubting(card, request, candidate, value)
}

/// The way to raise the alarm: for everybody who is asked, and then for those who approved, as long as it goes on.
fn doubting(card: Card, request: &Request, candidate: &Candidate, value: String) -> Card {
    let goes_on = request.ending().is_none();
    if goes_on && (request.grant().is_none() || request.has_approved(candidate.human.id)) {
        return card.button("This looks wrong", Choice::LooksWrong, value, Look::Plain);
    }
    card
}

fn deciding(card: Card, request: &Request, case: &Case, candidate: &Candidate, value: &str) -> Card {
    match &request.state {
        State::AwaitingApproval { approvals, expires_at, .. } => {
            if approvals.iter().any(|approval| approval.by.id == candidate.human.id) {
                let card = match request.stated_approval(candidate.human.id) {
                    Some(_) => card.text("It waits for somebody else now."),
                    None => card.text("You approved. It waits for somebody else now."),
                };
                return withdrawable(card, value);
            }
            if let Some(given) = approvals.iter().find(|given| given.counts_for() == candidate.gives()) {
                let card = card.text(format!(
                    "{} gave the approval that was yours to give. It waits for somebody else now.",
                    given.by.name
                ));
                return card.button("Deny", Choice::Deny, value, Look::Danger);
            }
            let card = asked::delegated(card, case, candidate);
            let until = clock_time(*expires_at);
            let card = if request.requester.is_visitor() {
                visit::advice(card, case, &until)
            } else {
                advice(card, case, &until)
            };
            approving(card, case, value).button("Deny", Choice::Deny, value, Look::Danger)
        }
        State::Closed { ending: Ending::LapsedUndecided | Ending::LapsedUnclaimed, .. } => {
            asked::lapsed(card, case)
        }
        State::Approved(grant) | State::ClaimOpen(grant) if keeps_pin(grant, candidate) => {
            let card = card
                .text(format!(
                    "You tell {} the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN \
                     and read it out. Each press makes a new PIN and voids the one before.",
                    case.subject.name
                ))
                .text(void_pin(grant))
                .without_blanks()
                .button("Show PIN", Choice::ShowPin, value, Look::Primary);
            withdrawable(card, value)
        }
        State::Approved(grant) | State::ClaimOpen(grant) if has_approved(grant, candidate) => {
            let is_stated = request.stated_approval(candidate.human.id).is_some();
            withdrawable(if is_stated { card } else { card.text("You approved.") }, value)
        }
        State::Received
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => card,
    }
}

fn asked_by(request: &Request, case: &Case) -> String {
    let (name, upn) = (&case.requester.name, &case.requester.upn);
    match &request.requester {
        Asker::Account(_) => format!("{name} ({upn})"),
        Asker::Visitor(_) => format!("{name}; NOT verified"),
        Asker::Source(sourced) => source::asked_by(sourced, name, upn),
    }
}

/// What to do before approving.
fn advice(card: Card, case: &Case, until: &str) -> Card {
    let card = card.text(format!(
        "Approve only if you know that {} really is locked out: call them on a number that you already had. Until {until}.",
        case.subject.name,
    ));
    if case.matching.is_none() {
        return card;
    }
    card.text(format!(
        "{} sees a number and tells it to you in a call. Choosing it approves. You have one try: a wrong number ends the \
         request, so never guess.",
        case.requester.name
    ))
}

/// Approve, or the numbers that stand for it: nothing shows which of them is the right one.
fn approving(card: Card, case: &Case, value: &str) -> Card {
    let Some(matching) = &case.matching else {
        return card.button("Approve", Choice::Approve, value, Look::Primary);
    };
    matching.choices().iter().fold(card, |card, number| {
        card.button(&number.to_string(), Choice::Pick, format!("{value}.{number}"), Look::Plain)
    })
}

/// Whoever approved may change their mind until the claim.
fn withdrawable(card: Card, value: &str) -> Card {
    card.button("Withdraw approval", Choice::Withdraw, value, Look::Danger)
}

fn has_approved(grant: &Grant, candidate: &Candidate) -> bool {
    grant.approvals.iter().any(|approval| approval.by.id == candidate.human.id)
}

fn void_pin(grant: &Grant) -> &'static str {
    let is_void = grant.ticket.resends > 0 && grant.ticket.pin.is_none();
    if is_void { "A new code is sent, so the PIN before is void: they need a new one from you." } else { "" }
}

fn keeps_pin(grant: &Grant, candidate: &Candidate) -> bool {
    grant.case.terms.pin_routes.contains(&Route::Approver)
        && grant.pin_keeper().is_some_and(|keeper| keeper.id == candidate.human.id)
}

fn pass_terms(case: &Case) -> String {
    let wish = case.terms.wish;
    let uses = if wish.one_time { "one sign-in" } else { "several sign-ins" };
    format!("good for {} and {uses}, from the moment they open it", length(wish.lifetime))
}

fn existing_pass(pass: &PassMeta, now: Timestamp) -> String {
    let left = Duration::try_from(pass.ends_at().duration_since(now)).unwrap_or_default();
    format!("somebody made one that lives for {} more; approving replaces it", length(left))
}
