//! In which words is an explanation given?

use std::fmt::Write as _;
use std::time::Duration;

use tapdesk_core::explanation::{Approver, Bound, Can, Carries, Explanation, Leads, Way};
use tapdesk_core::people::{Human, one_line};
use tapdesk_core::policy::Route;
use tapdesk_core::words;

use super::By;

/// So many names stand in a line.
const MOST_NAMES: usize = 12;

/// The whole explanation.
pub(super) fn written(told: &Explanation, by: &By) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<10} {what}");
    };
    line("requester", &asks(told));
    line("subject", &who(told.subject.as_ref()));
    if told.subject.is_some() {
        line(
            "manager",
            &told.manager.as_ref().map_or_else(|| "none is set in the directory".to_owned(), one),
        );
    }
    for tried in &told.rules {
        let why = match (tried.requester, tried.subject) {
            (true, true) => "matches",
            (false, true) => "does not match: not for this requester",
            (true, false) => "does not match: not for this subject",
            (false, false) => "does not match: neither for this requester nor for this subject",
        };
        line("rule", &format!("\"{}\" {why}", tried.rule));
    }
    if let Some(bound) = &told.bound {
        bound_lines(bound, &mut line);
    }
    line("policy", by.words());
    for unknown in &told.unknown {
        line("unknown", unknown);
    }
    text.push('\n');
    text.push_str(&verdict(told));
    text
}

fn asks(told: &Explanation) -> String {
    let name = who(told.requester.as_ref());
    match &told.asks_in {
        Some(chat) => format!("{name}, in {chat}"),
        None if told.at_the_page => format!("{name}, at the page for people without chat"),
        None => name,
    }
}

fn bound_lines(bound: &Bound, line: &mut impl FnMut(&str, &str)) {
    let uses = |one_time: bool| if one_time { "for one sign-in" } else { "for any number of sign-ins" };
    match bound.pass {
        Some(pass) if pass.lifetime != bound.lifetime => line(
            "pass",
            &format!(
                "{}, {}: the rule says {}, which the tenant does not allow",
                length(pass.lifetime),
                uses(pass.one_time),
                length(bound.lifetime)
            ),
        ),
        Some(pass) => line("pass", &format!("{}, {}", length(pass.lifetime), uses(pass.one_time))),
        None => line("pass", &length(bound.lifetime)),
    }
    if let Some(pattern) = &bound.ticket_number {
        line("ticket", &format!("a number that looks like {pattern} has to be given"));
    }
    if bound.approvals.is_empty() {
        line("approvals", "none: approved at the source");
    }
    for (number, people) in (1..).zip(&bound.approvals) {
        line("approval", &format!("{number} of {}: {}", bound.approvals.len(), approvers(people)));
    }
    if bound.number_match {
        line("", "approvers choose the number that the requester is shown");
    }
    if let Some(after) = bound.escalate_after {
        for people in &bound.fallback {
            line("later", &format!("after {} also {}", length(after), approvers(people)));
        }
    }
    for carried in &bound.ways {
        let name = match carried.carries {
            Carries::Code => "code",
            Carries::Pin => "PIN",
            Carries::Notice => "notice",
        };
        line(name, &way(carried));
    }
    for caution in &bound.cautions {
        line("caution", &caution.ledger_words());
    }
}

impl By {
    fn words(&self) -> &'static str {
        match self {
            Self::Service { same_policy: true } => "that of the running service, and of the file",
            Self::Service { same_policy: false } => {
                "that of the running service; the file says another, which --offline explains"
            }
            Self::File => "that of the file",
            Self::FileAlone => {
                "that of the file; open requests, tickets of the day and delegations are not in this, since the store is \
                 not at hand"
            }
        }
    }
}

fn verdict(told: &Explanation) -> String {
    let mut text = match told.goes_through() {
        Some(true) => return "The request would come before its approvers.\n".to_owned(),
        Some(false) => "The request would be refused:\n".to_owned(),
        None => return "Nobody can tell what would become of the request: see unknown above.\n".to_owned(),
    };
    let too_often = told.asked_too_often.map(|most| words::too_many_requests(most).title);
    let reasons = told.refusals.iter().map(words::reason);
    for said in reasons.chain(too_often) {
        let _ = writeln!(text, "  - {said}");
    }
    text
}

fn who(human: Option<&Human>) -> String {
    human.map_or_else(|| "nobody".to_owned(), one)
}

fn one(human: &Human) -> String {
    format!("{} ({})", human.name, one_line(&human.upn))
}

/// Those who can decide by name, and why the others cannot.
pub(crate) fn approvers(people: &[Approver]) -> String {
    if people.is_empty() {
        return "nobody".to_owned();
    }
    let named: Vec<String> = people.iter().take(MOST_NAMES).map(approver).collect();
    let more = people.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

fn approver(approver: &Approver) -> String {
    let name = &approver.human.name;
    match &approver.can {
        Can::InChat(chat) => format!("{name} (in {chat})"),
        Can::ByDelegate(delegate) => format!("{name} (by {}, who stands for them)", delegate.name),
        Can::NotAboutThemselves => format!("{name} (not: has part in the request)"),
        Can::NotEnabled => format!("{name} (not: disabled, or a guest)"),
        Can::NotInAnyChat => format!("{name} (not: no chat knows them)"),
        Can::HasEnough => format!("{name} (not now: has as many requests to decide as the policy allows)"),
    }
}

/// A way in words.
pub(crate) fn way(way: &Way) -> String {
    let by = match way.route {
        Route::Sms => "by text message",
        Route::Email => "by mail",
        Route::Approver => "by word of mouth",
        Route::Manager => "by the manager",
    };
    match &way.to {
        Leads::To(masked) => format!("{by} to {masked}"),
        Leads::ToTheApprover => format!("{by}, from the last one who approves"),
        Leads::ToTheManager => format!("{by}, in chat"),
        Leads::Nowhere => format!("{by}: there is no such contact"),
        Leads::Masked => format!("{by}: Entra shows tapdesk only a masked number"),
        Leads::Unknown => format!("{by}: could not be looked up"),
    }
}

/// A time as a rule would say it.
pub(crate) fn length(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 1440, minutes / 60, minutes % 60) {
        (days, _, _) if days > 0 && minutes.is_multiple_of(1440) => format!("{days}d"),
        (_, hours, 0) if hours > 0 => format!("{hours}h"),
        (_, 0, minutes) => format!("{minutes}m"),
        (_, hours, minutes) => format!("{hours}h {minutes}m"),
    }
}
