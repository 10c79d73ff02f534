//! What does security read when something is out of the ordinary?

use super::{length, standing, subject_name};
use crate::alarm::{Alarm, AlarmKind};
use crate::card::Card;
use crate::request::Request;

/// What rang, and what to do; the request goes on meanwhile.
pub(super) fn alarm(request: &Request, kind: AlarmKind) -> Card {
    let (id, name) = (request.id.short(), subject_name(request));
    let asked_by = request.case().map_or("somebody", |case| case.requester.name.as_str());
    let rung = request.alarms.iter().find(|alarm| alarm.kind() == kind);
    let (what, to_do) = match rung {
        None => ("something is out of the ordinary".to_owned(), String::new()),
        Some(Alarm::Repeated(requests, within)) => (
            format!("{requests} requests for {name} within {}", length(*within)),
            format!("Call {name} on a number that you know: did they need each of them?"),
        ),
        Some(Alarm::BusyAgent(today, before, over)) => (
            format!("{today} requests of {asked_by} within 24 hours"),
            format!(
                "In {} before there were {before}. Call {asked_by}: did they make all of them?",
                length(*over)
            ),
        ),
        Some(Alarm::QuickApproval(by, after)) => (
            format!("{} approved after {} seconds", by.name, after.as_secs()),
            format!("Ask {}, in a call that you make, whether they called {name} before.", by.name),
        ),
        Some(Alarm::NewApprover(by)) => (
            format!("{} approved for the first time that I remember", by.name),
            format!(
                "Is {} meant to approve? Look at how they came into the group that the rule names.",
                by.name
            ),
        ),
        Some(Alarm::OffHours(at, zone)) => (
            format!(
                "asked for or approved at {} on {} ({zone})",
                zone.time(*at).strftime("%H:%M"),
                zone.date(*at)
            ),
            format!("Call whoever was at work then: {asked_by} asked."),
        ),
    };
    Card::line(format!("Alarm: {what}."))
        .text(to_do)
        .text(format!(
            "Request {id} for {name} is {}: I hold nothing up. If it is wrong, have an approver press This looks wrong, \
             or revoke it yourself.",
            standing(request)
        ))
        .without_blanks()
}
