//! What is said where something may be wrong: to those who asked and decided, and to security?

use jiff::Timestamp;

use super::news::people;
use super::{LONGEST_REASON, alarm, subject_name};
use crate::card::Card;
use crate::form::{Field, FieldName, Form, Input, Purpose};
use crate::method::{Method, MethodKind};
use crate::people::Contact;
use crate::ports::Message;
use crate::request::{Ending, Request, State};
use crate::task::News;
use crate::ticket::Revealed;

/// The modal that asks what looks wrong.
#[must_use]
pub fn what_looks_wrong(value: &str) -> Form {
    Form {
        purpose: Purpose::Doubt,
        value: value.to_owned(),
        title: "This looks wrong".to_owned(),
        text: vec![
            "Sending this stops the request for good: only a new one goes on. Security reads your line; whoever asked hears \
             only that the request is over."
                .to_owned(),
        ],
        fields: vec![Field {
            name: FieldName::Doubt,
            label: "What looks wrong?".to_owned(),
            hint: "One line, for security.".to_owned(),
            input: Input::Line { longest: LONGEST_REASON },
            optional: false,
        }],
        submit: "Stop it".to_owned(),
        close: "Back".to_owned(),
    }
}

/// The modal did not open.
#[must_use]
pub fn nothing_asked(security: &[Contact]) -> Card {
    let addresses: Vec<&str> = security.iter().map(|contact| contact.address.as_str()).collect();
    Card::line("The window did not open, so nothing was stopped. Press This looks wrong again.").text(format!(
        "If it does not open then either: do not approve, press Deny if you see it, and write to your security team \
         yourself: {}.",
        addresses.join(", ")
    ))
}

/// The answer to who said that it looks wrong.
#[must_use]
pub fn doubted(request: &Request) -> Card {
    Card::line(format!("Thank you. The request for {} is stopped for good.", subject_name(request))).text(
        "Security has your line and will talk to you. Whoever asked hears only that it is over: do not tell them more. If \
         somebody calls you about it, hang up.",
    )
}

/// What others who approved hear.
pub(super) fn looks_wrong_to_another(request: &Request) -> Card {
    let (id, name) = (request.id.short(), subject_name(request));
    Card::line(format!("Request {id} for {name} looks wrong to {}: it is stopped for good.", doubter(request))).text(
        "You had approved it. Security looks into it and may talk to you; if somebody calls you about it, hang up.",
    )
}

/// Where a doubted request stands, for approvers: who asked reads of an ordinary end.
pub(super) fn standing_to_approvers(request: &Request) -> Option<String> {
    let Ending::Doubted { by, .. } = request.ending()? else { return None };
    Some(format!("stopped for safety, it looks wrong to {}", by.name))
}

/// What security reads about ways to sign in that may be somebody else's.
#[must_use]
pub fn methods_registered(request: &Request, methods: Option<&[Method]>, since: Timestamp) -> Message {
    let name = subject_name(request);
    let listed: Option<Vec<String>> = methods
        .map(|methods| methods.iter().filter(|method| method.may_be_since(since)).map(registered).collect());
    let what = match listed.as_deref() {
        None => format!(
            "I cannot read what was registered for {name} since {}: Entra does not let me (the permission is \
             UserAuthenticationMethod.Read.All). Look there yourself, now.",
            moment(since)
        ),
        Some([]) => format!("Entra lists nothing that was registered for {name} since {}.", moment(since)),
        Some(listed) => format!(
            "Ways to sign in of {name} that were registered since {}, or whose time Entra does not tell:\n{}\nRemove in \
             Entra what {name} does not know. Talk to them on a number that you know.",
            moment(since),
            listed.join("\n")
        ),
    };
    let subject = format!("tapdesk: what was registered for {name} since a pass was made");
    let text = format!("{what}\n\nRequest: {}{}\n", request.id, people(request));
    Message { subject, text: Revealed::new(text), mark: None }
}

fn registered(method: &Method) -> String {
    let when = method.created_at.map_or_else(|| "unknown time".to_owned(), moment);
    format!("- {}: {when}", kind(&method.kind))
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn kind(kind: &MethodKind) -> String {
    match kind {
        MethodKind::Passkey => "passkey".to_owned(),
        MethodKind::WindowsHello => "Windows Hello".to_owned(),
        MethodKind::PlatformCredential => "platform credential".to_owned(),
        MethodKind::Authenticator => "Microsoft Authenticator".to_owned(),
        MethodKind::SoftwareToken => "codes from an app".to_owned(),
        MethodKind::HardwareToken => "codes from a device".to_owned(),
        MethodKind::Phone => "phone".to_owned(),
        MethodKind::Mail => "mail address".to_owned(),
        MethodKind::Password => "password".to_owned(),
        MethodKind::Pass => "Temporary Access Pass".to_owned(),
        MethodKind::Other(name) => name.clone(),
    }
}

fn doubter(request: &Request) -> &str {
    request.doubt.as_ref().map_or("an approver", |doubt| doubt.by.name.as_str())
}

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
        News::Doubted => {
            let line = request.doubt.as_ref().map_or("", |doubt| doubt.line.as_str());
            let line = if line.is_empty() { "They wrote nothing.".to_owned() } else { format!("They wrote: {line}") };
            let made = if request.grant().is_some_and(|grant| grant.attempts > 0) {
                "A pass may have been made: it is deleted, and sessions end."
            } else {
                "No pass was made, and none will be."
            };
            Some(
                Card::line(format!("Request {id} for {name} looks wrong to {}.", doubter(request)))
                    .text(line)
                    .text(format!("The request is stopped for good. {made}"))
                    .text(
                        "Whoever asked was told no more than had the approver changed their mind. Talk to both, and to the \
                         owner of the account, on numbers that you know.",
                    ),
            )
        }
        News::Alarm(kind) => Some(alarm::alarm(request, kind)),
        News::Checked
        | News::Refused
        | News::NotReached
        | News::Approved
        | News::Denied
        | News::NotCounted
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
