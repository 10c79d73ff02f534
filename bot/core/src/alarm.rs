//! What is out of the ordinary, so that security hears of it?
//!
//! Alarms never hold a request up: they are looked for beside it, once its facts are in and at each approval, from what
//! the store remembers. Each kind rings once for a request.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::hours::{Zone, time_of_day};
use crate::people::Human;
use crate::policy::{Fault, duration};

/// A day, as busy agents count.
pub const DAY: Duration = Duration::from_hours(24);

/// The `[security.alarms]` section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// One subject is asked for again and again.
    pub repeated_requests: Watch<Repeated>,
    /// An agent asks far more often than they usually do.
    pub busy_agent: Watch<Busy>,
    /// Somebody approves sooner than they can have read the card, let alone called anybody.
    pub quick_approval: Watch<Quick>,
    /// Somebody approves who never did before.
    pub new_approver: Watch<Newcomer>,
    /// It happens when nobody works.
    pub off_hours: Watch<WorkingHours>,
}

/// Something that is watched for, unless it is `"off"`.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch<T> {
    /// It is not.
    Off,
    /// It is.
    For(T),
}

/// How many requests for one subject are too many.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeated {
    /// The how-manieth request rings.
    pub requests: u32,
    /// Within how long.
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
}

/// When an agent asks far above their own average.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Busy {
    /// So many requests within 24 hours are nobody's alarm yet.
    pub at_least: u32,
    /// So many times the mean of a day before.
    pub times: u32,
    /// How long before counts for the mean.
    #[serde(deserialize_with = "duration")]
    pub over: Duration,
}

/// How soon is too soon.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// An approval within this time of the card rings.
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
}

/// Whose first approval is news.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    /// Whether the subject's own manager is, too: managers approve seldom.
    pub managers: bool,
}

/// When people work.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkingHours {
    /// The working days.
    #[serde(deserialize_with = "days")]
    pub days: Vec<Weekday>,
    /// The first minute of work.
    #[serde(deserialize_with = "time_of_day")]
    pub from: Time,
    /// The first minute after it, on the same day.
    #[serde(deserialize_with = "time_of_day")]
    pub to: Time,
    /// Where.
    pub zone: Zone,
}

/// An alarm that rang.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Alarm {
    /// So many requests for the subject within that time.
    Repeated(u32, Duration),
    /// So many requests of the agent within a day, and so many within that time before.
    BusyAgent(u32, u32, Duration),
    /// Approved by them so soon after the card came.
    QuickApproval(Human, Duration),
    /// Approved by them for the first time.
    NewApprover(Human),
    /// Asked or approved at that time.
    OffHours(Timestamp, Zone),
}

/// Which alarm it is: each rings once for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlarmKind {
    /// [`Alarm::Repeated`]
    Repeated,
    /// [`Alarm::BusyAgent`]
    BusyAgent,
    /// [`Alarm::QuickApproval`]
    QuickApproval,
    /// [`Alarm::NewApprover`]
    NewApprover,
    /// [`Alarm::OffHours`]
    OffHours,
}

impl Default for Alarms {
    /// Working hours differ, so nobody's are assumed.
    fn default() -> Self {
        Self {
            repeated_requests: Watch::For(Repeated { requests: 3, within: 7 * DAY }),
            busy_agent: Watch::For(Busy { at_least: 5, times: 3, over: 28 * DAY }),
            quick_approval: Watch::For(Quick { within: Duration::from_secs(10) }),
            new_approver: Watch::For(Newcomer { managers: false }),
            off_hours: Watch::Off,
        }
    }
}

impl Alarms {
    /// What is wrong with them, where closed requests are remembered for so long.
    #[must_use]
    pub fn faults(&self, keep_closed: Duration) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, what: &str| {
            faults.push(Fault::new(&format!("security.alarms.{key}"), what));
        };
        if let Watch::For(Repeated { requests, within }) = &self.repeated_requests {
            if *requests < 2 {
                fault(
                    "repeated_requests",
                    "requests is at least 2: the first is no repeat; or write \"off\"",
                );
            }
            if *within > keep_closed {
                fault("repeated_requests", "within reaches back further than store.keep_closed remembers");
            }
        }
        if let Watch::For(Busy { at_least, times, over }) = &self.busy_agent {
            if *at_least < 2 || *times < 2 {
                fault(
                    "busy_agent",
                    "at_least and times are at least 2: less rings every day; or write \"off\"",
                );
            }
            if *over < DAY || *over + DAY > keep_closed {
                fault("busy_agent", "over is at least 1d, and a day less than store.keep_closed remembers");
            }
        }
        if let Watch::For(Quick { within }) = &self.quick_approval
            && !(Duration::from_secs(1)..=Duration::from_mins(10)).contains(within)
        {
            fault("quick_approval", "within is 1s to 10m: who takes longer may have called somebody");
        }
        if let Watch::For(WorkingHours { days, from, to, .. }) = &self.off_hours
            && (days.is_empty() || from >= to)
        {
            fault("off_hours", "name at least one working day, and let work begin before it ends");
        }
        faults
    }
}

impl Busy {
    /// Whether `today` requests are far above the average of one who made `before` of them in the time before.
    #[must_use]
    pub fn rings(&self, today: u32, before: u32) -> bool {
        let days = self.over.as_secs().div_ceil(DAY.as_secs());
        let above = u64::from(today) * days >= u64::from(self.times) * u64::from(before);
        today >= self.at_least && above
    }
}

impl WorkingHours {
    /// Whether nobody works then.
    #[must_use]
    pub fn are_over(&self, at: Timestamp) -> bool {
        let works = self.days.contains(&self.zone.date(at).weekday());
        !works || !(self.from..self.to).contains(&self.zone.time(at))
    }
}

impl Alarm {
    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> AlarmKind {
        match self {
            Self::Repeated(..) => AlarmKind::Repeated,
            Self::BusyAgent(..) => AlarmKind::BusyAgent,
            Self::QuickApproval(..) => AlarmKind::QuickApproval,
            Self::NewApprover(_) => AlarmKind::NewApprover,
            Self::OffHours(..) => AlarmKind::OffHours,
        }
    }
}

impl AlarmKind {
    /// Its name in the ledger, which is its key in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeated => "repeated_requests",
            Self::BusyAgent => "busy_agent",
            Self::QuickApproval => "quick_approval",
            Self::NewApprover => "new_approver",
            Self::OffHours => "off_hours",
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Watch<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct OffOr<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OffOr<T> {
            type Value = Watch<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"off\" or a table of what is watched for")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Watch<T>, E> {
                if text == "off" {
                    Ok(Watch::Off)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Watch<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Watch::For)
            }
        }
        input.deserialize_any(OffOr(PhantomData))
    }
}

/// Reads `["monday", "tuesday"]`.
fn days<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Weekday>, D::Error> {
    let day = |name: String| {
        Ok(match name.as_str() {
            "monday" => Weekday::Monday,
            "tuesday" => Weekday::Tuesday,
            "wednesday" => Weekday::Wednesday,
            "thursday" => Weekday::Thursday,
            "friday" => Weekday::Friday,
            "saturday" => Weekday::Saturday,
            "sunday" => Weekday::Sunday,
            other => return Err(Error::custom(format!("\"{other}\" is not a day: write monday to sunday"))),
        })
    };
    Vec::<String>::deserialize(input)?.into_iter().map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(text: &str) -> Alarms {
        toml::from_str(text).unwrap()
    }

    fn faults(text: &str) -> String {
        let faults = alarms(text).faults(30 * DAY);
        faults
            .into_iter()
            .map(|fault| format!("{}: {}", fault.key, fault.what))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(alarms(""), Alarms::default());
        assert_eq!(Alarms::default().faults(30 * DAY), []);
    }

    #[test]
    fn each_can_be_switched_off_or_tuned() {
        let off = "repeated_requests = \"off\"\nbusy_agent = \"off\"\nquick_approval = \"off\"\nnew_approver = \"off\"";
        let Alarms { repeated_requests, busy_agent, quick_approval, new_approver, off_hours } = alarms(off);
        assert!(repeated_requests == Watch::Off && busy_agent == Watch::Off && quick_approval == Watch::Off);
        assert!(new_approver == Watch::Off && off_hours == Watch::Off);
        let tuned = alarms("quick_approval = { within = \"1m\" }");
        assert_eq!(tuned.quick_approval, Watch::For(Quick { within: Duration::from_mins(1) }));
    }

    #[test]
    fn nonsense_is_named() {
        for (text, part) in [
            ("repeated_requests = { requests = 1, within = \"7d\" }", "requests is at least 2"),
            ("repeated_requests = { requests = 3, within = \"31d\" }", "further than store.keep_closed"),
            ("busy_agent = { at_least = 1, times = 3, over = \"28d\" }", "at least 2"),
            ("busy_agent = { at_least = 5, times = 1, over = \"28d\" }", "at least 2"),
            ("busy_agent = { at_least = 5, times = 3, over = \"30d\" }", "a day less"),
            ("busy_agent = { at_least = 5, times = 3, over = \"1h\" }", "at least 1d"),
            ("quick_approval = { within = \"0s\" }", "1s to 10m"),
            (
                "off_hours = { days = [], from = \"07:00\", to = \"19:00\", zone = \"UTC\" }",
                "one working day",
            ),
            (
                "off_hours = { days = [\"monday\"], from = \"19:00\", to = \"07:00\", zone = \"UTC\" }",
                "before it ends",
            ),
        ] {
            assert!(faults(text).contains(part), "{text}: {}", faults(text));
        }
        for (text, part) in [
            ("quick_approval = \"on\"", "\"off\" or a table"),
            ("quick_approval = { within = \"10s\", also = 1 }", "unknown field"),
            ("quick = \"off\"", "unknown field"),
            (
                "off_hours = { days = [\"mon\"], from = \"07:00\", to = \"19:00\", zone = \"UTC\" }",
                "monday to sunday",
            ),
        ] {
            let error = toml::from_str::<Alarms>(text).unwrap_err().message().to_owned();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn an_agent_is_measured_by_their_own_average() {
        let busy = Busy { at_least: 5, times: 3, over: 28 * DAY };
        for (today, before, rings) in
            [(4, 0, false), (5, 0, true), (5, 46, true), (5, 47, false), (30, 280, true), (29, 280, false)]
        {
            assert_eq!(busy.rings(today, before), rings, "{today} after {before}");
        }
    }

    #[test]
    fn work_is_over_by_the_clock_on_the_wall() {
        let text =
            "off_hours = { days = [\"monday\"], from = \"07:00\", to = \"19:00\", zone = \"Europe/Berlin\" }";
        let Watch::For(hours) = alarms(text).off_hours else { panic!("off") };
        for (at, over) in [
            ("2026-11-23T05:59:59Z", true),
            ("2026-11-23T06:00:00Z", false),
            ("2026-11-23T17:59:59Z", false),
            ("2026-11-23T18:00:00Z", true),
            ("2026-11-24T10:00:00Z", true),
        ] {
            assert_eq!(hours.are_over(at.parse().unwrap()), over, "{at}");
        }
    }
}
