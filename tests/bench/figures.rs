//! How do rounds become a figure?

use std::time::Duration;

use crate::load::Round;

/// What one round of one contender cost.
pub(crate) struct Cost {
    /// Processor time of the server per thousand requests, in milliseconds.
    pub(crate) cpu: f64,
    /// The same of its Redis.
    pub(crate) redis: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Half of the acknowledgements came within so many milliseconds …
    pub(crate) half: f64,
    /// … and all but one in a hundred within so many.
    pub(crate) most: f64,
}

impl Cost {
    pub(crate) fn of(round: &Round, cpu: Duration, redis: Duration) -> Self {
        let requests = f64::from(round.requests);
        let quantile =
            |share: usize| round.waits.get(round.waits.len() * share / 100).copied().unwrap_or_default();
        Self {
            cpu: millis(cpu) * 1000.0 / requests,
            redis: millis(redis) * 1000.0 / requests,
            rate: requests / round.elapsed.as_secs_f64(),
            half: millis(quantile(50)),
            most: millis(quantile(99)),
        }
    }

    /// The median of each figure over the rounds.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure));
        Self {
            cpu: of(|cost| cost.cpu),
            redis: of(|cost| cost.redis),
            rate: of(|cost| cost.rate),
            half: of(|cost| cost.half),
            most: of(|cost| cost.most),
        }
    }

    /// Server and Redis together.
    pub(crate) fn total(&self) -> f64 {
        self.cpu + self.redis
    }
}

/// The middle one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Whether a goal is met, in a word.
pub(crate) fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}
