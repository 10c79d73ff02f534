//! What does somebody want who typed this after the command?
//!
//! One grammar for every chat. A platform only says how it writes names and what it escapes ([`Spelling`]).

use jiff::civil::Date;

use crate::inbound::{Ask, Delegating, Unclear, Wish};
use crate::people::Naming;

/// How a platform writes what people type.
pub trait Spelling {
    /// The person that `text` starts with, a mention or an address, and what follows.
    fn person<'t>(&self, text: &'t str) -> Option<(Naming, &'t str)>;
    /// The text as it was typed, without the platform's escapes.
    fn typed(&self, text: &str) -> String;
}

/// What people put right after a person.
pub const PUNCTUATION: [char; 6] = [',', ';', ':', '.', '!', '?'];

/// What people write between two days; some keyboards make one character of several.
const UNTIL: [&str; 7] = ["..", "...", "…", "-", "–", "to", "until"];

/// A day as it is written: `2026-12-20`.
const DATE_LENGTH: usize = 10;

/// Reads what follows the command.
#[must_use]
pub fn read(text: &str, spelling: &dyn Spelling) -> Wish {
    let (word, rest) = first_word(text);
    let wish = match word.to_lowercase().as_str() {
        "" => Ok(Wish::Form),
        "help" => Ok(Wish::Help),
        "for" => ask(rest, spelling),
        "status" => person_if_any(rest, spelling).map(|of| Wish::Status { of }),
        "pending" => Ok(Wish::Pending),
        "cancel" => person_if_any(rest, spelling).map(|of| Wish::Cancel { of }),
        "resend" => person_if_any(rest, spelling).map(|of| Wish::Resend { of }),
        "revoke" => person(rest, spelling).map(|(of, _)| Wish::Revoke { of }),
        "delegate" => delegate(rest, spelling),
        _ => Err(Unclear::NoSuchCommand),
    };
    wish.unwrap_or_else(Wish::Unclear)
}

fn ask(text: &str, spelling: &dyn Spelling) -> Result<Wish, Unclear> {
    let (subject, reason) = person(text, spelling)?;
    Ok(Wish::Ask(Ask::new(subject, spelling.typed(reason))))
}

fn delegate(text: &str, spelling: &dyn Spelling) -> Result<Wish, Unclear> {
    match text.to_lowercase().as_str() {
        "" => return Ok(Wish::Delegate(Delegating::Show)),
        "off" => return Ok(Wish::Delegate(Delegating::Off)),
        _ => {}
    }
    let (to, rest) = person(text, spelling)?;
    let (from, until) = days(rest).ok_or(Unclear::NoDates)?;
    Ok(Wish::Delegate(Delegating::To { to, from, until }))
}

fn person_if_any(text: &str, spelling: &dyn Spelling) -> Result<Option<Naming>, Unclear> {
    if text.is_empty() { Ok(None) } else { person(text, spelling).map(|(naming, _)| Some(naming)) }
}

/// The one person at the start of `text`, and what follows without the punctuation between them.
fn person<'t>(text: &'t str, spelling: &dyn Spelling) -> Result<(Naming, &'t str), Unclear> {
    if text.is_empty() {
        return Err(Unclear::NoPerson);
    }
    let unknown = if text.starts_with('@') { Unclear::UnknownName } else { Unclear::NotAPerson };
    let (naming, rest) = spelling.person(text).ok_or(unknown)?;
    let rest = rest.trim_start_matches(PUNCTUATION).trim_start();
    if spelling.person(rest).is_some() { Err(Unclear::SeveralPeople) } else { Ok((naming, rest)) }
}

/// `2026-12-20..2027-01-03`, or a single day.
fn days(text: &str) -> Option<(Date, Date)> {
    let text = text.trim();
    let (first, rest) = text.split_at_checked(DATE_LENGTH)?;
    let from = first.parse().ok()?;
    if rest.is_empty() {
        return Some((from, from));
    }
    let (between, last) = rest.split_at_checked(rest.len().checked_sub(DATE_LENGTH)?)?;
    let until = last.parse().ok()?;
    let is_range = UNTIL.contains(&between.trim().to_lowercase().as_str()) && from <= until;
    is_range.then_some((from, until))
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses up to the next blank, and nothing else.
    struct Plain;

    impl Spelling for Plain {
        fn person<'t>(&self, text: &'t str) -> Option<(Naming, &'t str)> {
            let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
            Naming::address(word.trim_end_matches(PUNCTUATION)).map(|naming| (naming, rest))
        }

        fn typed(&self, text: &str) -> String {
            text.replace("&amp;", "&")
        }
    }

    fn wish(text: &str) -> Wish {
        read(text, &Plain)
    }

    fn jane() -> Naming {
        Naming::Address("jane@contoso.com".to_owned())
    }

    #[test]
    fn help_is_a_question_and_nothing_opens_the_form() {
        for text in ["help", " HELP me"] {
            assert_eq!(wish(text), Wish::Help, "{text:?}");
        }
        for text in ["", "  "] {
            assert_eq!(wish(text), Wish::Form, "{text:?}");
        }
    }

    #[test]
    fn asking_names_a_person_and_keeps_the_reason_as_typed() {
        for text in ["for jane@contoso.com R&amp;D  phone", " FOR Jane@Contoso.COM,  R&amp;D  phone "] {
            let ask = Ask::new(jane(), "R&D  phone".to_owned());
            assert_eq!(wish(text), Wish::Ask(ask), "{text}");
        }
    }

    #[test]
    fn status_cancel_and_resend_name_somebody_or_mean_ones_own() {
        for (text, expected) in [
            ("status", Wish::Status { of: None }),
            ("Status jane@contoso.com", Wish::Status { of: Some(jane()) }),
            ("pending", Wish::Pending),
            ("cancel", Wish::Cancel { of: None }),
            ("cancel jane@contoso.com, found it", Wish::Cancel { of: Some(jane()) }),
            ("resend", Wish::Resend { of: None }),
            ("resend jane@contoso.com", Wish::Resend { of: Some(jane()) }),
            ("revoke jane@contoso.com!", Wish::Revoke { of: jane() }),
        ] {
            assert_eq!(wish(text), expected, "{text}");
        }
    }

    #[test]
    fn a_delegation_has_a_first_and_a_last_day() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (from, until) = (day("2026-12-20"), day("2027-01-03"));
        for days in [
            "2026-12-20..2027-01-03",
            "2026-12-20 .. 2027-01-03",
            "2026-12-20...2027-01-03",
            "2026-12-20…2027-01-03",
            "2026-12-20 – 2027-01-03",
            "2026-12-20 to 2027-01-03",
            "2026-12-20 UNTIL 2027-01-03 ",
        ] {
            let expected = Wish::Delegate(Delegating::To { to: jane(), from, until });
            assert_eq!(wish(&format!("delegate jane@contoso.com {days}")), expected, "{days}");
        }
        let one_day = Wish::Delegate(Delegating::To { to: jane(), from, until: from });
        assert_eq!(wish("delegate jane@contoso.com 2026-12-20"), one_day);
    }

    #[test]
    fn a_delegation_is_shown_and_ended_by_a_word() {
        assert_eq!(wish("delegate"), Wish::Delegate(Delegating::Show));
        assert_eq!(wish(" Delegate  OFF "), Wish::Delegate(Delegating::Off));
    }

    #[test]
    fn what_is_not_clear_says_why() {
        for (text, why) in [
            ("unlock jane@contoso.com", Unclear::NoSuchCommand),
            ("jane@contoso.com lost it", Unclear::NoSuchCommand),
            ("for ", Unclear::NoPerson),
            ("revoke", Unclear::NoPerson),
            ("for jane lost it", Unclear::NotAPerson),
            ("status everything", Unclear::NotAPerson),
            ("for @jane lost it", Unclear::UnknownName),
            ("revoke @jane", Unclear::UnknownName),
            ("for jane@contoso.com bob@contoso.com lost it", Unclear::SeveralPeople),
            ("revoke jane@contoso.com, bob@contoso.com", Unclear::SeveralPeople),
            ("delegate jane@contoso.com", Unclear::NoDates),
            ("delegate jane@contoso.com next week", Unclear::NoDates),
            ("delegate jane@contoso.com 20.12.2026", Unclear::NoDates),
            ("delegate jane@contoso.com 2026-12-20..", Unclear::NoDates),
            ("delegate jane@contoso.com 2026-12-20 2027-01-03", Unclear::NoDates),
            ("delegate jane@contoso.com 2026-02-30..2026-03-01", Unclear::NoDates),
            ("delegate jane@contoso.com 2027-01-03..2026-12-20", Unclear::NoDates),
            ("delegate jane@contoso.com 2026-12-20…", Unclear::NoDates),
            ("delegate jane@contoso.com ééééééééé", Unclear::NoDates),
        ] {
            assert_eq!(wish(text), Wish::Unclear(why), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            wish(&text);
            wish(&format!("delegate jane@contoso.com {text}"));
        }
    }
}
