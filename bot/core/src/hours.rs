//! Which hours are quiet, and where on earth?
//!
//! Everything else in the core counts in points of time; only here do clocks on walls matter. The rules of the time
//! zones are part of the program, so that every replica reads the same ones.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

/// A time zone of the IANA database by its name, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a time zone: write a name like Europe/Berlin or UTC")]
pub struct NoZone(String);

/// When people are not reminded: every day from one time to another, by the clock on their wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// The first quiet minute.
    #[serde(deserialize_with = "time_of_day")]
    pub from: Time,
    /// The first minute that is not quiet any more; it belongs to the next day where it is not after `from`.
    #[serde(deserialize_with = "time_of_day")]
    pub to: Time,
    /// The time zone of whoever's own one the chat does not know.
    pub zone: Zone,
}

impl Zone {
    /// Coordinated Universal Time, where nobody says anything else.
    #[must_use]
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The date there.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        self.rules().to_datetime(at).date()
    }

    /// The time of day there.
    #[must_use]
    pub fn time(&self, at: Timestamp) -> Time {
        self.rules().to_datetime(at).time()
    }

    /// When that day begins there, unless it lies beyond all times.
    #[must_use]
    pub fn begins(&self, day: Date) -> Option<Timestamp> {
        Some(day.to_zoned(self.rules()).ok()?.timestamp())
    }

    fn rules(&self) -> TimeZone {
        // A name that was read was found in the same database; one without rules would still keep order.
        TimeZone::get(&self.0).unwrap_or(TimeZone::UTC)
    }

    /// The first point of time, not before `after`, at which clocks there have reached `time` of that day.
    fn reached(&self, day: Date, time: Time, after: Timestamp) -> Option<Timestamp> {
        let rules = self.rules();
        let ambiguous = rules.to_ambiguous_timestamp(day.to_datetime(time));
        match ambiguous.offset() {
            // Clocks jump over it: it is reached when they jump.
            AmbiguousOffset::Gap { .. } => {
                let behind = ambiguous.later().ok()?;
                rules.preceding(behind).next().map(|jump| jump.timestamp())
            }
            AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().ok(),
            // Clocks show it twice.
            AmbiguousOffset::Fold { .. } => {
                let first = ambiguous.earlier().ok()?;
                if first >= after { Some(first) } else { ambiguous.later().ok() }
            }
        }
    }
}

impl QuietHours {
    /// `at`, or the end of the quiet hours that it falls into, by the clock of `own` where that is known.
    #[must_use]
    pub fn over(&self, at: Timestamp, own: Option<&Zone>) -> Timestamp {
        let zone = own.unwrap_or(&self.zone);
        let local = zone.rules().to_datetime(at);
        let (from, to, time) = (self.from, self.to, local.time());
        let is_quiet = if from < to { (from..to).contains(&time) } else { time >= from || time < to };
        if !is_quiet {
            return at;
        }
        let day = if time < to { Some(local.date()) } else { local.date().tomorrow().ok() };
        day.and_then(|day| zone.reached(day, to, at)).map_or(at, |end| end.max(at))
    }
}

impl FromStr for Zone {
    type Err = NoZone;

    fn from_str(name: &str) -> Result<Self, NoZone> {
        match TimeZone::get(name) {
            Ok(_) => Ok(Self(name.to_owned())),
            Err(_) => Err(NoZone(name.to_owned())),
        }
    }
}

impl TryFrom<String> for Zone {
    type Error = NoZone;
    fn try_from(name: String) -> Result<Self, NoZone> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads `"20:00"`, and what a stored request says.
pub(crate) fn time_of_day<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Time, D::Error> {
    let text = String::deserialize(input)?;
    text.parse()
        .map_err(|_| serde::de::Error::custom(format!("\"{text}\" is not a time of day: write 20:00")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(from: &str, to: &str) -> QuietHours {
        let time = |text: &str| text.parse().unwrap();
        QuietHours { from: time(from), to: time(to), zone: Zone::utc() }
    }

    /// What the wall clocks of `zone` show when the quiet hours are over that hold at `local`, and how long that takes.
    fn over(hours: &QuietHours, zone: &str, at: &str) -> String {
        let (zone, at): (Zone, Timestamp) = (zone.parse().unwrap(), at.parse().unwrap());
        let end = hours.over(at, Some(&zone));
        let minutes = end.duration_since(at).as_mins();
        format!("{} after {minutes} min", zone.rules().to_datetime(end).strftime("%F %H:%M"))
    }

    #[test]
    fn the_night_ends_in_the_morning_of_whoever_sleeps() {
        let night = quiet("20:00", "07:00");
        for (zone, at, expected) in [
            ("Europe/Berlin", "2026-11-23T18:59:59Z", "2026-11-23 19:59 after 0 min"),
            ("Europe/Berlin", "2026-11-23T19:00:00Z", "2026-11-24 07:00 after 660 min"),
            ("Europe/Berlin", "2026-11-24T05:59:00Z", "2026-11-24 07:00 after 1 min"),
            ("Europe/Berlin", "2026-11-24T06:00:00Z", "2026-11-24 07:00 after 0 min"),
            ("America/New_York", "2026-11-24T06:00:00Z", "2026-11-24 07:00 after 360 min"),
            ("Asia/Kolkata", "2026-11-23T10:00:00Z", "2026-11-23 15:30 after 0 min"),
            ("Asia/Kolkata", "2026-11-23T15:00:00Z", "2026-11-24 07:00 after 630 min"),
            // Midnight is in neither half by mistake.
            ("Pacific/Auckland", "2026-11-23T11:00:00Z", "2026-11-24 07:00 after 420 min"),
        ] {
            assert_eq!(over(&night, zone, at), expected, "{zone} {at}");
        }
    }

    #[test]
    fn quiet_hours_within_one_day_end_on_that_day() {
        let noon = quiet("12:00", "13:30");
        assert_eq!(over(&noon, "Europe/Berlin", "2026-11-23T10:59:00Z"), "2026-11-23 11:59 after 0 min");
        assert_eq!(over(&noon, "Europe/Berlin", "2026-11-23T11:00:00Z"), "2026-11-23 13:30 after 90 min");
        assert_eq!(over(&noon, "Europe/Berlin", "2026-11-23T12:30:00Z"), "2026-11-23 13:30 after 0 min");
    }

    #[test]
    fn a_night_in_which_the_clocks_change_is_an_hour_shorter_or_longer() {
        let night = quiet("20:00", "07:00");
        assert_eq!(over(&night, "Europe/Berlin", "2026-03-28T19:00:00Z"), "2026-03-29 07:00 after 600 min");
        assert_eq!(over(&night, "Europe/Berlin", "2026-10-24T18:00:00Z"), "2026-10-25 07:00 after 720 min");
        assert_eq!(
            over(&night, "America/New_York", "2026-03-08T01:00:00Z"),
            "2026-03-08 07:00 after 600 min"
        );
        assert_eq!(
            over(&night, "America/New_York", "2026-11-01T00:00:00Z"),
            "2026-11-01 07:00 after 720 min"
        );
    }

    #[test]
    fn an_end_that_clocks_jump_over_is_reached_when_they_jump() {
        // Berlin goes from 02:00 to 03:00 on 29 March 2026.
        let night = quiet("20:00", "02:30");
        assert_eq!(over(&night, "Europe/Berlin", "2026-03-29T00:59:00Z"), "2026-03-29 03:00 after 1 min");
        assert_eq!(over(&night, "Europe/Berlin", "2026-03-29T01:00:00Z"), "2026-03-29 03:00 after 0 min");
    }

    #[test]
    fn an_end_that_clocks_show_twice_holds_each_time() {
        // Berlin goes from 03:00 back to 02:00 on 25 October 2026, at 01:00 UTC.
        let night = quiet("20:00", "02:30");
        assert_eq!(over(&night, "Europe/Berlin", "2026-10-25T00:15:00Z"), "2026-10-25 02:30 after 15 min");
        assert_eq!(over(&night, "Europe/Berlin", "2026-10-25T00:45:00Z"), "2026-10-25 02:45 after 0 min");
        assert_eq!(over(&night, "Europe/Berlin", "2026-10-25T01:15:00Z"), "2026-10-25 02:30 after 15 min");
    }

    #[test]
    fn without_a_zone_of_their_own_people_have_the_configured_one() {
        let at: Timestamp = "2026-11-23T19:30:00Z".parse().unwrap();
        let night = QuietHours { zone: "Europe/Berlin".parse().unwrap(), ..quiet("20:00", "07:00") };
        assert_eq!(night.over(at, None).to_string(), "2026-11-24T06:00:00Z");
        assert_eq!(night.over(at, Some(&Zone::utc())), at);
    }

    #[test]
    fn a_name_without_rules_is_no_zone() {
        for name in ["", "Mars/Olympus", "Europe/Berlin ", "../etc/passwd"] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
    }
}
