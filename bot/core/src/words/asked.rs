//! What do people read about who is asked, why, and since when?

use super::delegating::day;
use super::{length, some_names, subject_name};
use crate::card::Card;
use crate::request::{Candidate, Case, Request, Standing, State};
use crate::words::clock_time;

/// The approval card with what makes this person somebody to ask, and who else is asked.
pub(super) fn why(card: Card, case: &Case, candidate: &Candidate) -> Card {
    let card = match &candidate.standing {
        Standing::Named | Standing::Fallback => card,
        Standing::Delegate(mandate) => card.fact(
            "You decide for",
            format!("{}, who delegated to you until {}", mandate.delegator.name, day(mandate.last_day)),
        ),
    };
    match asked_as_well(case, candidate) {
        Some(others) => card.fact("Asked as well", others),
        None => card,
    }
}

/// The approval card of somebody in whose stead another is asked.
pub(super) fn delegated(card: Card, case: &Case, candidate: &Candidate) -> Card {
    match case.delegate_of(candidate.human.id) {
        Some(delegate) => card.text(format!(
            "{} is asked in your stead, as you wished. Either of you can decide.",
            delegate.human.name
        )),
        None => card,
    }
}

/// The approval card once its time is over.
pub(super) fn lapsed(card: Card, case: &Case) -> Card {
    card.text(format!(
        "Nothing was made, and this card decides nothing any more. If {} still needs it, {} has to ask again.",
        case.subject.name, case.requester.name
    ))
}

/// The same card once a newer copy of it was sent: it keeps what it says and gives the newer one its buttons.
#[must_use]
pub fn older_copy(mut card: Card) -> Card {
    if card.buttons.is_empty() {
        return card;
    }
    card.buttons.clear();
    card.text.clear();
    card.text("I asked you again below: go on there.")
}

/// The requester hears that others are asked as well.
pub(super) fn escalated(request: &Request) -> Card {
    let case = request.case();
    let has_joined = |candidate: &&Candidate| candidate.standing == Standing::Fallback;
    let joined = case.iter().flat_map(|case| case.approvers.iter().filter(has_joined));
    let joined = some_names(joined.map(|candidate| candidate.human.name.as_str()).collect());
    still_waits(request).text(format!(
        "I asked {joined} as well. Whoever was asked before can still decide.{}",
        lapses_at(request)
    ))
}

/// Or that somebody was not asked at all.
pub(super) fn not_reached(request: &Request) -> Card {
    let (id, name) = (request.id.short(), subject_name(request));
    let names = |is_unreachable: bool| {
        let approvers = request.case().into_iter().flat_map(|case| &case.approvers);
        let these = approvers.filter(|candidate| candidate.unreachable == is_unreachable);
        some_names(these.map(|candidate| candidate.human.name.as_str()).collect())
    };
    let (gone, asked) = (names(true), names(false));
    let card = Card::line(format!("Request {id} for {name}: I cannot reach {gone} in the chat.")).text(
        "The app is blocked or was removed there. They can add it again and then decide on a new request.",
    );
    if asked.is_empty() { card } else { card.text(format!("I asked {asked}; it goes on with them.")) }
}

/// Or that there is nobody else.
pub(super) fn nobody_else(request: &Request) -> Card {
    let asked = request.case().map_or_else(String::new, super::news::approver_names);
    still_waits(request).text(format!(
        "I looked for somebody else to ask and found nobody. Call {asked}.{}",
        lapses_at(request)
    ))
}

fn still_waits(request: &Request) -> Card {
    let (id, name) = (request.id.short(), subject_name(request));
    Card::line(format!("Request {id} for {name} still waits: nobody decided yet."))
}

fn lapses_at(request: &Request) -> String {
    match &request.state {
        State::AwaitingApproval { expires_at, .. } => format!(" It lapses at {}.", clock_time(*expires_at)),
        State::Received
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => String::new(),
    }
}

/// Why somebody is asked only now, or who joined those who were asked first.
fn asked_as_well(case: &Case, candidate: &Candidate) -> Option<String> {
    case.escalated_at?;
    let waited = length(case.terms.escalate_after?);
    if candidate.standing == Standing::Fallback {
        return Some(format!("you, because nobody decided for {waited}"));
    }
    let joined = case.approvers.iter().filter(|other| other.standing == Standing::Fallback);
    let joined = some_names(joined.map(|other| other.human.name.as_str()).collect());
    (!joined.is_empty()).then(|| format!("{joined}, because nobody decided for {waited}"))
}
