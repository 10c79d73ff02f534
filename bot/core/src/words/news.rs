//! What do people hear of a request as it goes on?

use super::undo::{new_pin_needed, revoked};
use super::{
    after, alarm, asked, by_whom, ended, length, reason, some_names, source, subject_name, suspicion,
};
use crate::card::Card;
use crate::policy::Route;
use crate::ports::Message;
use crate::request::{Asker, Case, Ending, Grant, Outcome, Request, Sourced, State, ToldRequester};
use crate::task::News;
use crate::ticket::Revealed;

/// What somebody is told about a request.
#[must_use]
pub fn news(request: &Request, news: News) -> Card {
    let name = subject_name(request);
    let id = request.id.short();
    match news {
        News::Checked => {
            let asked = request.case().map_or_else(String::new, approver_names);
            Card::line(format!("Request {id} for {name} is with its approvers."))
                .text(format!("I asked {asked}. You will hear from me when they decide."))
                .text(lifetime(request).unwrap_or_default())
                .text(suspicion::number_to_tell(request).unwrap_or_default())
                .without_blanks()
        }
        News::Refused => {
            let text = request.refused_for().map_or_else(String::new, reason);
            Card::line(format!("Request {id} for {name} cannot go on.")).text(text).without_blanks()
        }
        News::Approved => Card::line(format!("Request {id} for {name} is approved{}.", by_whom(request)))
            .text("The code is on its way to the contact on file.")
            .text(lifetime(request).filter(|_| is_first_news(request)).unwrap_or_default())
            .without_blanks(),
        News::Denied => Card::line(format!("Request {id} for {name} {}.", denied_by(request)))
            .text("Talk to them if it is still needed; only a new request goes on."),
        News::NotReached => asked::not_reached(request),
        News::Mismatched => suspicion::number_mismatched(request),
        News::NotCounted => Card::line(source::not_counted(request)),
        News::Escalated => asked::escalated(request),
        News::NobodyElse => asked::nobody_else(request),
        News::Lapsed => lapsed(request),
        News::CodeSent => {
            let destination = code_went_to(request).unwrap_or_else(|| "the contact on file".to_owned());
            Card::line(format!("The code for {name} went to {destination}.")).text(pin_hint(request))
        }
        News::CodeNotDelivered => not_delivered(request),
        News::Locked => Card::line(format!("Request {id} for {name} is locked: five wrong PINs."))
            .text("Somebody had the code and not the PIN. Find out who. Only a new request goes on."),
        News::Shown => Card::line(format!("{name} has the pass."))
            .text("It may take two minutes until Windows accepts it. Do not ask for another one: that voids this one."),
        News::NotSeen => Card::line(format!("A pass for {name} was made and not seen, so I deleted it."))
            .text("Code and PIN still work: they can try again on the same page."),
        News::Over => after::over(request),
        News::Registered => after::registered(request),
        News::ForeignPass => {
            Card::line(format!("{name} tried to claim, and I stopped: somebody else made a pass for them meanwhile."))
                .text(
                    "Do you know who? If it may go, have it deleted in Entra, and let them try again with the same code \
                     and PIN; or ask again here, and the approvers will see that it is replaced.",
                )
        }
        News::Declined => Card::line(format!("Entra would not make the pass for {name}."))
            .text("Your Entra administrator finds the reason in the log of tapdesk. Code and PIN still work for now."),
        News::Resent => new_pin_needed(request),
        News::Revoked => revoked(request),
        News::Doubted => suspicion::looks_wrong_to_another(request),
        News::Alarm(kind) => alarm::alarm(request, kind),
        News::Reported => Card::line(format!("Request {id} for {name} was stopped for safety."))
            .text("Security looks into it. Please do not ask again before they have talked to you."),
    }
}

/// What told the requester of an earlier outcome, as it looks now: a number in it is of no use any more.
#[must_use]
pub fn since_then(request: &Request, told: &ToldRequester) -> Card {
    let since = match request.outcome() {
        Outcome::Undecided => return news(request, told.news),
        Outcome::Approved => format!("approved{}", by_whom(request)),
        Outcome::Shown => "they have the pass".to_owned(),
        Outcome::Ended(ending) => ended(&ending),
    };
    Card::line(news(request, told.news).title).text(format!("Since then: {since}."))
}

/// A mail to security.
#[must_use]
pub fn security_mail(request: &Request, what: News) -> Message {
    let card = suspicion::for_security(request, what).unwrap_or_else(|| news(request, what));
    let (text, id, people) = (card.text.join("\n"), &request.id, people(request));
    let text = format!("{}\n{text}\n\nRequest: {id}{people}\n", card.title);
    Message { subject: format!("tapdesk: {}", card.title), text: Revealed::new(text), mark: None }
}

/// Who a request is about, for security.
pub(super) fn people(request: &Request) -> String {
    request.case().map_or_else(String::new, |case| {
        let known = || format!("{} ({})", case.requester.upn, case.requester.id);
        let requester = match &request.requester {
            Asker::Account(_) => known(),
            Asker::Visitor(_) => "a visitor of the web page, not verified".to_owned(),
            Asker::Source(Sourced { source, requested_by: Some(_), .. }) => {
                format!("{}, stated by {source}, not verified", known())
            }
            Asker::Source(Sourced { source, requested_by: None, .. }) => {
                format!("{source}, which names nobody")
            }
        };
        format!(
            "\nSubject: {} ({})\nRequester: {requester}\nRule: {}",
            case.subject.upn, case.subject.id, case.rule
        )
    })
}

fn lapsed(request: &Request) -> Card {
    let (name, id) = (subject_name(request), request.id.short());
    let undecided = matches!(&request.state, State::Closed { ending: Ending::LapsedUndecided, .. });
    if undecided {
        let asked = request.case().map_or_else(String::new, approver_names);
        Card::line(format!("Request {id} for {name} lapsed: nobody decided in time."))
            .text(format!("I had asked {asked}. Call them, then ask again."))
    } else {
        Card::line(format!("Request {id} for {name} lapsed: it was not claimed in time."))
            .text("Code and PIN are void. If it is still needed, ask again.")
    }
}

/// Worded as things are when it is told: a newer code may have been sent meanwhile.
fn not_delivered(request: &Request) -> Card {
    let name = subject_name(request);
    let failed = request.grant().and_then(|grant| {
        let route = grant.ticket.failed_routes.last().copied();
        let route = route.or_else(|| grant.ticket.code.as_ref().map(|code| code.route))?;
        Some((destination(grant, route)?, grant.has_code_route_beside(route)))
    });
    let (to, goes_on) = failed.unwrap_or_else(|| ("the contact on file".to_owned(), false));
    let card = Card::line(format!("The code for {name} did not reach {to}."));
    if goes_on {
        card.text("I send a new one by the next way that the rule allows; the old one is void. You will hear where to.")
    } else {
        card.text(
            "Ask them whether that phone is theirs, switched on and reachable. If it is, send a new code with resend; if \
             not, have the contact on file mended and ask again.",
        )
    }
}

fn pin_hint(request: &Request) -> String {
    let keeper =
        request.grant().and_then(Grant::pin_keeper).map_or("the approver", |human| human.name.as_str());
    let by_approver = request.case().is_some_and(|case| case.terms.pin_routes.contains(&Route::Approver));
    if by_approver {
        format!("{keeper} now calls them and tells them the PIN.")
    } else {
        "The PIN goes another way.".to_owned()
    }
}

pub(super) fn approver_names(case: &Case) -> String {
    some_names(case.approvers.iter().map(|candidate| candidate.human.name.as_str()).collect())
}

fn denied_by(request: &Request) -> String {
    let told = request.ending().map(Ending::as_told);
    if let Some(Ending::Denied(by)) = &told {
        return format!("was turned down by {}", by.name);
    }
    if let Some(Ending::Withdrawn(by)) = &told {
        return format!("is over: {} took the approval back", by.name);
    }
    "was turned down".to_owned()
}

/// What became of the lifetime that rule or requester wished, where there is anything to say.
fn lifetime(request: &Request) -> Option<String> {
    let terms = &request.case()?.terms;
    let allowed = terms.wished.unwrap_or(terms.wish.lifetime);
    let (made, most) = (length(terms.wish.lifetime), length(allowed));
    let tenant = terms.wished.map(|_| format!("the tenant's policy makes it {made}"));
    match (terms.asked, tenant) {
        (None, None) => None,
        (None, Some(tenant)) => Some(format!("The rule asks for {most}; {tenant}.")),
        (Some(asked), None) if asked > allowed => {
            Some(format!("You wished a pass for {}; the rule allows {most}.", length(asked)))
        }
        (Some(asked), Some(tenant)) if asked > allowed => {
            Some(format!("You wished a pass for {}; the rule allows {most}, and {tenant}.", length(asked)))
        }
        (Some(asked), Some(tenant)) => Some(format!("You wished a pass for {}; {tenant}.", length(asked))),
        (Some(_), None) => Some(format!("The pass will be good for {made}, as you wished.")),
    }
}

/// Where nobody has to approve, nothing was said before.
fn is_first_news(request: &Request) -> bool {
    request.case().is_some_and(|case| case.slots.is_empty())
}

/// Where the code in force was sent: a fallback, perhaps.
fn code_went_to(request: &Request) -> Option<String> {
    let grant = request.grant()?;
    destination(grant, grant.ticket.code.as_ref()?.route)
}

fn destination(grant: &Grant, route: Route) -> Option<String> {
    let contact = grant.case.contact(route)?;
    Some(format!("{} ({route})", contact.masked))
}
