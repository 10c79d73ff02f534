//! What does tapdesk say, to whom?
//!
//! Every sentence that a person reads outside the claim page is here. A refusal says what to do next; words
//! that go with a code or a PIN warn against reading them to anybody who calls.

use std::time::Duration;

use crate::card::Card;
use crate::inbound::Unclear;
use crate::request::{Approval, Case, Ending, Goal, Past, Refusal, Request, State};

mod after;
mod alarm;
mod approval;
mod asked;
mod caution;
mod delegating;
mod form;
mod message;
mod news;
mod place;
mod reason;
mod source;
mod status;
mod suspicion;
#[cfg(test)]
mod tests;
mod undo;
mod visit;

pub use self::approval::{approval, approvals};
pub use self::asked::older_copy;
pub use self::delegating::{
    delegate_no_more, delegate_without_chat, delegation, delegation_ended, no_approver, no_delegate,
    no_delegation, one_delegation_at_a_time, unsuitable, you_are_delegate,
};
pub use self::form::{ask_form, complaint, form_not_opened, home};
pub use self::message::{code_message, manager_notice, owner_notice, owner_unreachable, pin, pin_message};
pub use self::news::{news, security_mail, since_then};
pub use self::place::{answered_privately, card_of_somebody_else, no_private_chat, only_asking_here};
pub use self::reason::reason;
pub use self::source::{disowned, disowned_line, sourced, status_message};
pub use self::status::{looking, not_for_you, not_looked_up, nothing_to_see, own_status, pending, status_of};
pub use self::suspicion::{doubted, methods_registered, mismatched, nothing_asked, what_looks_wrong};
pub use self::undo::{
    cancelled, nobody_to_revoke, not_cancelled, not_resent, not_revoked, nothing_open, nothing_to_revoke,
    resent, revoked, revoking, which_one,
};
pub use self::visit::visitor;

/// Shortest reason that is accepted, in characters.
pub const SHORTEST_REASON: usize = 5;
/// What every message of an evaluation begins with.
pub const EVALUATION: &str = "[Evaluation: nothing changes in Entra]";
/// Longest reason that is accepted, in characters.
pub const LONGEST_REASON: usize = 300;

/// The answer to `help`.
#[must_use]
pub fn help(command: &str) -> Card {
    Card::line("tapdesk gets a locked-out colleague back in")
        .text(format!("{command} alone opens a form in which you ask for a Temporary Access Pass for a colleague"))
        .text(format!(
            "{command} for @colleague REASON asks for one in a line. \
             Example: {command} for jane.doe@contoso.com lost her phone, INC0012345"
        ))
        .text(format!("{command} status [@colleague] tells where a request stands"))
        .text(format!("{command} pending lists what waits, and for whom"))
        .text(format!("{command} cancel [@colleague] takes your request back"))
        .text(format!("{command} resend [@colleague] sends a new code and a new PIN"))
        .text(format!("{command} revoke @colleague deletes their pass and ends their sessions"))
        .text(format!(
            "{command} delegate @colleague 2026-12-20..2027-01-03 lets somebody decide for you while you are away"
        ))
        .text(
            "I check who asks, ask the approvers, and hand the pass to the colleague alone: they get a code on the \
             phone that is on file and hear a PIN from the approver. Nobody in chat ever sees the pass.",
        )
}

/// The answer to a command that could not be read.
#[must_use]
pub fn unclear(unclear: Unclear, command: &str) -> Card {
    let title = match unclear {
        Unclear::NoSuchCommand => "I do not know that command",
        Unclear::NoPerson => "For whom? Name a colleague",
        Unclear::NotAPerson => {
            "I could not tell who that is: pick the colleague from the @ list, or type their address"
        }
        Unclear::UnknownName => {
            "The chat did not recognise that @name: pick the colleague from the list that opens while you type it, or \
             type their address"
        }
        Unclear::SeveralPeople => "One request is for one colleague: name one person, then the reason",
        Unclear::NoDates => {
            let example = format!("{command} delegate @colleague 2026-12-20..2027-01-03");
            return Card::line("From which day until which day?").text(format!("Write: {example}"));
        }
    };
    Card::line(format!("{title}.")).text(format!("Write: {command} for @colleague REASON, or {command} help"))
}

/// The reason is too short or too long.
#[must_use]
pub fn reason_length() -> Card {
    Card::line(format!(
        "Add a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters: approvers and auditors read it."
    ))
    .text("Nothing was asked yet.")
}

/// The acknowledgement of a new request.
#[must_use]
pub fn checking(request: &Request) -> Card {
    Card::line(format!("Checking… (request {})", request.id.short()))
        .text("I look up both of you in the directory and then write to you here, whatever comes out.")
}

/// The acknowledgement of a delivery that was accepted before.
#[must_use]
pub fn seen_before() -> Card {
    Card::line("I have this one already and am working on it.")
}

/// The requester asked too often.
#[must_use]
pub fn too_many_requests(most: u32) -> Card {
    Card::line(format!("You have asked {most} times within the hour, which is all that the policy allows."))
        .text("Wait a little. In an emergency, phone your security team: they can raise the limit.")
}

/// The store did not confirm in time.
#[must_use]
pub fn not_confirmed() -> Card {
    Card::line("I could not confirm that this was stored.").text(
        "If I write to you within two minutes, it was. If not, do it again: doing it twice does no harm.",
    )
}

/// The window with the PIN did not open.
#[must_use]
pub fn pin_not_shown() -> Card {
    Card::line("The window with the PIN did not open.")
        .text("Press Show PIN again: that makes a new PIN, and no older one works any more.")
}

/// The answer to a press that changes nothing.
#[must_use]
pub fn refusal(refusal: Refusal) -> Card {
    Card::line(match refusal {
        Refusal::AlreadyDecided => {
            "This was decided already; nothing changed. The message above shows by whom."
        }
        Refusal::GivenAlready => {
            "This approval was given already, by your delegate or by whom you stand for; it waits for somebody else now."
        }
        Refusal::DelegationOver => "You decided for somebody whose delegation is over, so nothing happened.",
        Refusal::AlreadyApproved => "You approved this already; it waits for somebody else now.",
        Refusal::NumberWanted => {
            "This is approved by a number: choose on the card the one that you were told."
        }
        Refusal::NotAnApprover => "This is not yours to decide, so nothing happened.",
        Refusal::NotTheRequester => "Only the person who asked can do that.",
        Refusal::TooLate => "Too late: its time is over. If it is still needed, ask for it again.",
        Refusal::Claimed => {
            "Too late: the pass is being opened, or was. The command's revoke takes it back and ends their sessions."
        }
        Refusal::SentEnough => "That was sent as often as one approval allows.",
        Refusal::AlreadyOpened => "The pass was opened already.",
        Refusal::InHand => "I am working on it. Try again in a minute.",
        Refusal::Waiting => "This still waits for the code or the PIN.",
        Refusal::Over => "This request is over; nothing changed.",
        Refusal::Moot => "Nothing to do here right now.",
    })
}

/// Where the request stands, in a few words.
fn standing(request: &Request) -> String {
    match &request.state {
        State::Received => "being checked".to_owned(),
        State::AwaitingApproval { .. } => "waiting for approval".to_owned(),
        State::Approved(_) | State::ClaimOpen(_) | State::Issuing { .. } | State::Issued { .. } => {
            format!("approved{}", by_whom(request))
        }
        State::Shown { .. } => format!("handed over, approved{}", by_whom(request)),
        State::Unsettled { goal, .. } | State::Revoking { goal, .. } => match goal {
            Goal::Reopen => format!("approved{}", by_whom(request)),
            Goal::End(ending) => ended(ending),
        },
        State::Closed { ending, past, .. } => match past {
            Past::Granted(_) => format!("approved{}, then {}", by_whom(request), ended(ending)),
            Past::Nothing | Past::Asked(_) => ended(ending),
        },
    }
}

fn ended(ending: &Ending) -> String {
    match ending {
        Ending::Used => "used".to_owned(),
        Ending::Expired => "expired".to_owned(),
        Ending::Revoked(by) => format!("revoked by {}", by.name),
        Ending::Refused(_) => "refused".to_owned(),
        Ending::Denied(by) => format!("denied by {}", by.name),
        Ending::Mismatched(by) => format!("stopped, {} chose another number", by.name),
        Ending::SetAside(_) => visit::set_aside(),
        Ending::Cancelled => "cancelled by the requester".to_owned(),
        Ending::Withdrawn(by) => format!("withdrawn by {}", by.name),
        Ending::LapsedUndecided => "nobody decided in time".to_owned(),
        Ending::LapsedUnclaimed => "not claimed in time".to_owned(),
        Ending::Locked => "locked after five wrong PINs".to_owned(),
        Ending::Reported => "stopped for safety".to_owned(),
        Ending::Doubted { .. } => ended(&ending.as_told()),
    }
}

fn subject_name(request: &Request) -> String {
    use crate::people::Naming;
    match (request.case(), &request.subject) {
        (Some(case), _) => case.subject.name.clone(),
        (None, Naming::Address(address)) => address.clone(),
        (None, Naming::Account(_)) => "your colleague".to_owned(),
    }
}

fn by_whom(request: &Request) -> String {
    let name = |approval: &Approval| {
        let by = match &approval.stands_for {
            Some(delegator) => format!("{} for {}", approval.by.name, delegator.name),
            None => approval.by.name.clone(),
        };
        match &approval.stated_by {
            Some(source) => format!("{by} (says {source})"),
            None => by,
        }
    };
    let names: Vec<String> =
        request.grant().map(|grant| grant.approvals.iter().map(name).collect()).unwrap_or_default();
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(" and ")) }
}

fn code_destination(case: &Case) -> String {
    let found = case.terms.code_routes.iter().find_map(|route| case.contact(*route).map(|c| (route, c)));
    found.map_or_else(|| "nobody".to_owned(), |(route, contact)| format!("{} ({route})", contact.masked))
}

fn clock_time(at: jiff::Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

fn length(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60, minutes % 60) {
        (days, _, _) if days > 1 && minutes.is_multiple_of(1440) => format!("{days} days"),
        (_, 0, 1) => "1 minute".to_owned(),
        (_, 0, minutes) => format!("{minutes} minutes"),
        (_, 1, 0) => "1 hour".to_owned(),
        (_, hours, 0) => format!("{hours} hours"),
        (_, hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// The first few of several names.
fn some_names(mut names: Vec<&str>) -> String {
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    let list = names.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

impl Card {
    fn without_blanks(mut self) -> Self {
        self.text.retain(|paragraph| !paragraph.is_empty());
        self
    }
}
