//! Who decides for whom, from which day to which?
//!
//! A delegation adds somebody who may decide in the delegator's stead: the two of them count once. It is not inherited:
//! whom a delegate delegates to decides for the delegate alone.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::hours::Zone;
use crate::ids::PersonId;
use crate::people::Human;

/// The longest delegation, in days.
pub const MOST_DAYS: i32 = 90;
/// The latest first day of one, in days from now.
pub const MOST_DAYS_AHEAD: i32 = 365;

/// Somebody lets somebody else decide for a while. Each delegator has one at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Who delegated.
    pub delegator: Human,
    /// Who decides in their stead.
    pub delegate: Human,
    /// The first day.
    pub first_day: Date,
    /// The last day.
    pub last_day: Date,
    /// Where those days begin and end.
    pub zone: Zone,
}

/// Why a delegation cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsuitable {
    /// Nobody stands for themselves.
    Oneself,
    /// It would be over already.
    Past,
    /// It would last longer than [`MOST_DAYS`], or begins later than [`MOST_DAYS_AHEAD`].
    TooLong,
}

impl Delegation {
    /// The same delegation, if there may be one like it.
    pub fn checked(self, now: Timestamp) -> Result<Self, Unsuitable> {
        let days = |from: Date, to: Date| from.until(to).map_or(i32::MAX, |span| span.get_days());
        let today = self.zone.date(now);
        if self.delegator.id == self.delegate.id {
            return Err(Unsuitable::Oneself);
        }
        if self.last_day < self.first_day || self.last_day < today {
            return Err(Unsuitable::Past);
        }
        let is_long = days(self.first_day, self.last_day) >= MOST_DAYS;
        if is_long || days(today, self.first_day) > MOST_DAYS_AHEAD {
            Err(Unsuitable::TooLong)
        } else {
            Ok(self)
        }
    }

    /// Whether the delegate may decide now.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        (self.first_day..=self.last_day).contains(&self.zone.date(now))
    }

    /// Whether its last day is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.zone.date(now) > self.last_day
    }

    /// Whether it lets that person decide now.
    #[must_use]
    pub fn lets(&self, delegate: PersonId, now: Timestamp) -> bool {
        self.delegate.id == delegate && self.is_in_force(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::tests::samples::{DORA, MAX, human, monday};

    fn delegation(first_day: &str, last_day: &str) -> Delegation {
        Delegation {
            delegator: human(MAX),
            delegate: human(DORA),
            first_day: first_day.parse().unwrap(),
            last_day: last_day.parse().unwrap(),
            zone: "Europe/Berlin".parse().unwrap(),
        }
    }

    #[test]
    fn it_holds_from_the_first_midnight_to_the_last_by_the_delegators_clock() {
        let holidays = delegation("2026-12-20", "2027-01-03");
        for (at, expected) in [
            ("2026-12-19T22:59:59Z", false),
            ("2026-12-19T23:00:00Z", true),
            ("2027-01-03T22:59:59Z", true),
            ("2027-01-03T23:00:00Z", false),
        ] {
            let at = at.parse().unwrap();
            assert_eq!(holidays.is_in_force(at), expected, "{at}");
            assert_eq!(holidays.lets(DORA, at), expected, "{at}");
            assert!(!holidays.lets(MAX, at), "{at}");
        }
        assert!(!holidays.is_over("2026-12-01T00:00:00Z".parse().unwrap()), "it has not begun");
    }

    #[test]
    fn a_day_on_which_the_clocks_change_is_one_day() {
        let sunday = delegation("2026-03-29", "2026-03-29");
        assert!(!sunday.is_in_force("2026-03-28T22:59:00Z".parse().unwrap()));
        assert!(sunday.is_in_force("2026-03-28T23:00:00Z".parse().unwrap()));
        assert!(sunday.is_in_force("2026-03-29T21:59:00Z".parse().unwrap()));
        assert!(!sunday.is_in_force("2026-03-29T22:00:00Z".parse().unwrap()), "this day has 23 hours");
    }

    #[test]
    fn a_delegation_is_to_somebody_else_and_neither_past_nor_endless() {
        // Today is 2 March 2026.
        for (first_day, last_day, expected) in [
            ("2026-03-02", "2026-03-02", Ok(())),
            ("2026-02-20", "2026-03-02", Ok(())),
            ("2026-02-20", "2026-03-01", Err(Unsuitable::Past)),
            ("2026-03-05", "2026-03-04", Err(Unsuitable::Past)),
            ("2026-03-02", "2026-05-30", Ok(())),
            ("2026-03-02", "2026-05-31", Err(Unsuitable::TooLong)),
            ("2027-03-02", "2027-03-02", Ok(())),
            ("2027-03-03", "2027-03-03", Err(Unsuitable::TooLong)),
        ] {
            let made = delegation(first_day, last_day).checked(monday());
            assert_eq!(made.map(drop), expected, "{first_day}..{last_day}");
        }
        let own = Delegation { delegate: human(MAX), ..delegation("2026-03-02", "2026-03-02") };
        assert_eq!(own.checked(monday()), Err(Unsuitable::Oneself));
    }
}
