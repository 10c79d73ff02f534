//! What is said where something may be wrong: to those who asked and decided, and to security?

use super::subject_name;
use crate::card::Card;
use crate::request::{Ending, Request, State};
use crate::task::News;

/// The answer to a wrong number.
#[must_use]
pub fn mismatched() -> Card {
    Card::line("That is not the number that the requester was shown: the request is over.").text(
        "If somebody told it to you, they are not who asked. I have told security; tell them who it was. If you guessed, \
         tell them that, too.",
    )
}

/// What only the requester reads, where a number has to be matched.
pub(super) fn number_to_tell(request: &Request) -> Option<String> {
    let number = request.case()?.matching?.number();
    Some(format!(
        "Your number is {number}. They approve by choosing it among three: call them and tell it to them. Tell it only in \
         a call that you make, and write it nowhere."
    ))
}

/// What the requester hears of a wrong number.
pub(super) fn number_mismatched(request: &Request) -> Card {
    let (id, name) = (request.id.short(), subject_name(request));
    Card::line(format!("Request {id} for {name} is over: {}.", other_number(request))).text(
        "If it is still needed, ask again: you get a new number. Tell it to them in a call that you make.",
    )
}

/// The same news in the words for security, where those differ.
pub(super) fn for_security(request: &Request, news: News) -> Option<Card> {
    let (id, name) = (request.id.short(), subject_name(request));
    match news {
        News::Mismatched => Some(
            Card::line(format!("Request {id} for {name} is over: {}.", other_number(request))).text(
                "Either they approved without a call, or somebody told them a number who did not ask. Talk to both before \
                 either of them asks or approves again.",
            ),
        ),
        News::Checked
        | News::Refused
        | News::Approved
        | News::Denied
        | News::Escalated
        | News::NobodyElse
        | News::Lapsed
        | News::CodeSent
        | News::CodeNotDelivered
        | News::Locked
        | News::Shown
        | News::NotSeen
        | News::Over
        | News::Registered
        | News::ForeignPass
        | News::Declined
        | News::Reported
        | News::Resent
        | News::Revoked => None,
    }
}

fn other_number(request: &Request) -> String {
    let who = match &request.state {
        State::Closed { ending: Ending::Mismatched(by), .. } => by.name.as_str(),
        State::Closed { .. }
        | State::Received
        | State::AwaitingApproval { .. }
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. } => "an approver",
    };
    format!("{who} chose another number than the one that I had shown to who asked")
}
