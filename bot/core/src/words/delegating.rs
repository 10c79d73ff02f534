//! What do people read who delegate, or are delegated to?

use jiff::Timestamp;
use jiff::civil::Date;

use super::reason;
use crate::card::Card;
use crate::delegation::{Delegation, MOST_DAYS, Unsuitable};
use crate::people::Human;
use crate::request::Reason;

/// The sender's delegation.
#[must_use]
pub fn delegation(delegation: &Delegation, now: Timestamp, command: &str) -> Card {
    let (delegate, days) = (&delegation.delegate.name, days_of(delegation));
    let verb = if delegation.is_in_force(now) { "decides" } else { "will decide" };
    Card::line(format!("{delegate} {verb} for you, {days}."))
        .text(format!(
            "I ask both of you then, and remind only {delegate}. The first decision counts, as one of you: two approvals \
             still need somebody else. The audit record names both of you."
        ))
        .text(format!("{command} delegate off ends it."))
}

/// The sender has none.
#[must_use]
pub fn no_delegation(command: &str) -> Card {
    Card::line("Nobody decides for you.")
        .text(format!("To let somebody: {command} delegate @colleague 2026-12-20..2027-01-03"))
}

/// The sender has another one.
#[must_use]
pub fn one_delegation_at_a_time(kept: &Delegation, command: &str) -> Card {
    Card::line(format!("{} decides for you already, {}.", kept.delegate.name, days_of(kept)))
        .text(format!("One delegation at a time: end it with {command} delegate off, then delegate anew."))
}

/// The sender ended theirs.
#[must_use]
pub fn delegation_ended(ended: &Delegation) -> Card {
    Card::line(format!("{} does not decide for you any more.", ended.delegate.name))
        .text("What they approved and nobody claimed yet does not count any more either.")
}

/// Somebody else decides through the sender.
#[must_use]
pub fn you_are_delegate(made: &Delegation) -> Card {
    let delegator = &made.delegator.name;
    Card::line(format!("{delegator} lets you decide for them, {}.", days_of(made))).text(format!(
        "What {delegator} is asked to approve then, you are asked as well. You cannot hand it on. If you would rather \
         not, tell {delegator}."
    ))
}

/// And does not any more.
#[must_use]
pub fn delegate_no_more(ended: &Delegation) -> Card {
    Card::line(format!("You do not decide for {} any more.", ended.delegator.name))
}

/// The sender is nobody whom a rule could ask.
#[must_use]
pub fn no_approver() -> Card {
    Card::line("You have nothing to delegate: no rule asks you to approve anything.")
}

/// The person whom the sender named cannot decide for them.
#[must_use]
pub fn no_delegate(why: &Reason) -> Card {
    let why = match why {
        Reason::SubjectDisabled => "Their account is disabled.".to_owned(),
        Reason::SubjectGuest => "They are a guest.".to_owned(),
        other => reason(other),
    };
    Card::line("They cannot decide for you.").text(why)
}

/// The person whom the sender named has no account in chat.
#[must_use]
pub fn delegate_without_chat(delegate: &Human) -> Card {
    Card::line(format!("{} cannot decide for you: I cannot reach them in chat.", delegate.name))
}

/// The days, or the person, make no sense.
#[must_use]
pub fn unsuitable(why: Unsuitable) -> Card {
    Card::line(match why {
        Unsuitable::Oneself => "You decide for yourself anyway: name a colleague.".to_owned(),
        Unsuitable::Past => "Those days are over already.".to_owned(),
        Unsuitable::TooLong => {
            format!("A delegation lasts {MOST_DAYS} days at most and begins within a year.")
        }
    })
}

fn days_of(delegation: &Delegation) -> String {
    let (first, last) = (day(delegation.first_day), day(delegation.last_day));
    if first == last { format!("on {first}") } else { format!("from {first} to {last}") }
}

/// A day as people write it.
pub(super) fn day(day: Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}
