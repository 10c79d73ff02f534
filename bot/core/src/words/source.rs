//! What is read of a request that a source made: by approvers, by whoever it says approved, and by its program?

use super::news::news;
use super::{reason, subject_name};
use crate::card::{Card, Choice, Look};
use crate::ids::{SourceName, TicketNumber};
use crate::request::{Ending, NotCounted, Reason, Request, Sourced, Weighed};
use crate::task::News;

/// What a source is called that asks for `name`, or for itself.
#[must_use]
pub fn sourced(sourced: &Sourced, number: Option<&TicketNumber>, name: &str) -> String {
    let ticket = number.map_or_else(String::new, |number| format!(" (ticket {number})"));
    let source = &sourced.source;
    match &sourced.requested_by {
        Some(_) => format!("{source}{ticket} for {name}"),
        None => format!("{source}{ticket}"),
    }
}

/// Who asked, on the card: what is only said there is not passed off as seen.
pub(super) fn asked_by(sourced: &Sourced, name: &str, upn: &str) -> String {
    match &sourced.requested_by {
        Some(_) => format!("{name} ({upn}); stated by {}, not verified here", sourced.source),
        None => format!("{name}; it names nobody who asks"),
    }
}

/// What the card says to whoever is said to have approved.
pub(super) fn stated_title(source: &SourceName, request: &Request) -> String {
    format!("{source} says that you approved a pass for {}", subject_name(request))
}

/// The way to say that it is not so, as long as that changes something.
pub(super) fn disowning(card: Card, request: &Request, source: &SourceName, value: &str) -> Card {
    if let Some(Ending::Reported | Ending::Doubted { .. }) = request.ending() {
        return card;
    }
    card.text(format!(
        "{source} stated your approval, so you did not press anything here. If you did not approve it there either, say so: \
         the request is stopped for good, and security is told."
    ))
    .button("I did not approve this", Choice::Disown, value, Look::Danger)
}

/// What security reads of whoever did not approve.
#[must_use]
pub fn disowned_line(source: &str) -> String {
    format!("I did not approve this. ({source} had stated that they did: find out who can speak for it.)")
}

/// The answer to who said so.
#[must_use]
pub fn disowned(request: &Request) -> Card {
    Card::line(format!("Thank you. The request for {} is stopped for good.", subject_name(request))).text(
        "Your approval is taken back, and security is told that you never gave it. If somebody calls you about it, hang up.",
    )
}

/// What a program gives its people to read. A chat would name contacts; a machine is told none.
#[must_use]
pub fn status_message(request: &Request, what: News) -> String {
    let name = subject_name(request);
    match what {
        News::CodeSent => format!("The code for {name} is on its way to the contact on file."),
        News::CodeNotDelivered => format!("The code for {name} did not reach the contact on file."),
        News::NotCounted => not_counted(request),
        News::Refused => {
            let why = match request.refused_for() {
                Some(Reason::RequesterUnknown) => {
                    "requested_by is the address of no enabled member of the directory.".to_owned()
                }
                Some(Reason::RequesterAmbiguous) => {
                    "Several accounts of the directory have the address in requested_by.".to_owned()
                }
                Some(Reason::NoRule) => {
                    "No rule of tapdesk lets this source ask for this colleague, or for who asks there."
                        .to_owned()
                }
                Some(why) => reason(why),
                None => String::new(),
            };
            format!("{} {why}", news(request, what).title).trim_end().to_owned()
        }
        News::Checked
        | News::Approved
        | News::Denied
        | News::Mismatched
        | News::NotReached
        | News::Escalated
        | News::NobodyElse
        | News::Lapsed
        | News::Locked
        | News::Shown
        | News::NotSeen
        | News::Over
        | News::Registered
        | News::ForeignPass
        | News::Declined
        | News::Reported
        | News::Resent
        | News::Revoked
        | News::Doubted
        | News::Alarm(_) => news(request, what).title,
    }
}

/// Why the last approval that the source stated is none.
pub(super) fn not_counted(request: &Request) -> String {
    let mut whys = request.stated.iter().filter_map(|statement| match statement.weighed {
        Weighed::Not(why) => Some(why),
        Weighed::NotYet | Weighed::Counts => None,
    });
    let why = whys.next_back().map_or("", |why| match why {
        NotCounted::SourceMayNot => {
            "tapdesk's configuration lets this source state none (may_state_approvals)."
        }
        NotCounted::RuleMayNot => {
            "the rule of tapdesk that was matched lets nobody state one (stated_approval)."
        }
        NotCounted::Unknown => "approved_by is the address of no enabled member of the directory.",
        NotCounted::Involved => "nobody approves what they asked for or what is for them.",
        NotCounted::NotAnApprover => "they are not one of those who are asked to approve.",
        NotCounted::Given => "the approval that they could give was given already.",
        NotCounted::OneIsEnough => "a source can state one approval of a request.",
        NotCounted::NumberWanted => "it takes a number that a source does not know.",
        NotCounted::Privileged => "the account is privileged: its approvers decide in chat.",
    });
    format!(
        "The stated approval for {} does not count: {why} Its approvers decide in chat.",
        subject_name(request)
    )
}
