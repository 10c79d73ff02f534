//! How does a careful rule say what it does not rely on, and what else can be done?

use std::time::Duration;

use jiff::Timestamp;

use super::length;
use crate::caution::Caution;
use crate::people::ContactSource;

/// A fact of the approval card: its label, and what is kept out.
pub(super) fn caution(caution: &Caution, now: Timestamp) -> (&'static str, String) {
    let age = |at: &Timestamp| ago(Duration::try_from(now.duration_since(*at)).unwrap_or_default());
    match caution {
        Caution::Contact { source, masked, changed_at, wait } => (
            "Not used",
            format!(
                "the {} ({masked}) was changed {}; the rule waits {} before it uses a new one. Ask them about the change",
                on_file(*source),
                age(changed_at),
                length(*wait)
            ),
        ),
        Caution::Manager { changed_at, wait } => (
            "Not asked",
            format!(
                "their manager was changed {}; the rule waits {} before it asks a new one",
                age(changed_at),
                length(*wait)
            ),
        ),
        Caution::LogUnreadable => (
            "Audit log",
            "it cannot be read, so nobody knows whether phone, mail or manager changed lately. Therefore one more \
             person has to approve"
                .to_owned(),
        ),
    }
}

pub(super) fn contact_too_new(source: ContactSource, age: Duration, wait: Duration) -> String {
    format!(
        "The {} was changed {}, and the rule waits {} before it uses a new one: a new number is how accounts are taken \
         over. Ask again in {}. Until then they need another contact that is older and that the rule may use, or help in \
         person. If they know nothing of the change, tell your security team now.",
        on_file(source),
        ago(age),
        length(wait),
        left(age, wait)
    )
}

pub(super) fn manager_too_new(age: Duration, wait: Duration) -> String {
    format!(
        "Their manager was changed {}, and the rule waits {} before it relies on a new one; it names nobody else. Ask again \
         in {}, or have your administrator name others who may approve. If they know nothing of the change, tell your \
         security team now.",
        ago(age),
        length(wait),
        left(age, wait)
    )
}

/// What is left of the wait, rounded up to what people count in.
fn left(age: Duration, wait: Duration) -> String {
    let hours = wait.saturating_sub(age).as_secs().div_ceil(3600);
    length(Duration::from_hours(if hours > 48 { hours.next_multiple_of(24) } else { hours }))
}

fn on_file(source: ContactSource) -> &'static str {
    match source {
        ContactSource::PhoneMethods => "phone on file",
        ContactSource::MobilePhone => "mobile phone in the profile",
        ContactSource::OtherMails => "other mail address on file",
        ContactSource::Mail => "mailbox",
    }
}

fn ago(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match (minutes / 1440, minutes / 60, minutes) {
        (0, 0, 0) => "less than a minute ago".to_owned(),
        (0, 0, 1) => "1 minute ago".to_owned(),
        (0, 0, minutes) => format!("{minutes} minutes ago"),
        (0, 1, _) => "1 hour ago".to_owned(),
        (0, hours, _) => format!("{hours} hours ago"),
        (1, _, _) => "1 day ago".to_owned(),
        (days, _, _) => format!("{days} days ago"),
    }
}
