//! How are selectors, patterns and durations written?

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{AnyOf, Approver, Pattern, Requester, Subject};
use crate::ids::{GroupId, PersonId};

impl Pattern {
    /// Compiles the pattern.
    pub fn new(source: &str) -> Result<Self, regex_lite::Error> {
        // By itself first: `a)|(b` would be valid only inside the anchors, and mean something else there.
        regex_lite::Regex::new(source)?;
        Ok(Self { source: source.to_owned(), whole: regex_lite::Regex::new(&format!("^(?:{source})$"))? })
    }

    /// Whether the whole word matches.
    #[must_use]
    pub fn matches(&self, word: &str) -> bool {
        self.whole.is_match(word)
    }

    /// The pattern as it was configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let parts = text.split('|').map(|part| part.trim().parse()).collect::<Result<_, _>>();
        parts.map(Self).map_err(serde::de::Error::custom)
    }
}

impl FromStr for Requester {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "self" => Ok(Self::Subject),
            "manager-of-subject" => Ok(Self::ManagerOfSubject),
            "anyone" => Ok(Self::Anyone),
            _ => group_or_user(text, Self::Group, Self::User).or_else(|| source(text)).ok_or_else(|| {
                unknown(
                    text,
                    "self, manager-of-subject, anyone, group:<object id>, user:<object id> or hook:<name>",
                )
            }),
        }
    }
}

impl FromStr for Subject {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "anyone" => Ok(Self::Anyone),
            _ => group_or_user(text, Self::Group, Self::User)
                .ok_or_else(|| unknown(text, "anyone, group:<object id> or user:<object id>")),
        }
    }
}

impl FromStr for Approver {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "manager" => Ok(Self::Manager),
            _ => group_or_user(text, Self::Group, Self::User)
                .ok_or_else(|| unknown(text, "manager, group:<object id> or user:<object id>")),
        }
    }
}

fn group_or_user<T>(text: &str, group: fn(GroupId) -> T, user: fn(PersonId) -> T) -> Option<T> {
    match text.split_once(':')? {
        ("group", id) => id.parse().ok().map(group),
        ("user", id) => id.parse().ok().map(user),
        _ => None,
    }
}

fn source(text: &str) -> Option<Requester> {
    text.strip_prefix("hook:")?.parse().ok().map(Requester::Source)
}

fn unknown(text: &str, expected: &str) -> String {
    format!("\"{text}\" is not a selector: write {expected}")
}

/// Reads `"90s"`, `"15m"`, `"4h"`, `"30d"`.
pub fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse_duration(&text).ok_or_else(|| {
        serde::de::Error::custom(format!("\"{text}\" is not a duration: write 90s, 15m, 4h or 30d"))
    })
}

/// Reads a duration that may be left out.
pub(super) fn some_duration<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    duration(input).map(Some)
}

pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u32>().ok().map(|number| Duration::from_secs(u64::from(number) * seconds))
}
