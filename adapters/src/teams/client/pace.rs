//! How fast may a bot write to one conversation?
//!
//! Teams says 429 beyond that, and longer to whoever goes on. A short wait is waited out here; a longer one is the
//! worker's. Source: learn.microsoft.com, "Optimize your bot with rate limiting", 2026.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many calls within so long.
const LIMITS: [(usize, Duration); 4] = [
    (7, Duration::from_secs(1)),
    (8, Duration::from_secs(2)),
    (60, Duration::from_secs(30)),
    (1800, Duration::from_hours(1)),
];
/// The longest time that any limit looks back.
const LONGEST: Duration = Duration::from_hours(1);
/// What is waited out at once.
pub(super) const SHORT: Duration = Duration::from_secs(2);
/// Conversations that are kept count of.
const MOST: usize = 4096;

/// When conversations were written to.
#[derive(Default)]
pub(in crate::teams) struct Paces(Mutex<HashMap<String, VecDeque<Instant>>>);

impl Paces {
    /// Takes a place in the conversation, now or within [`SHORT`]; returns when it comes, or how long to stay away.
    pub(super) fn take(&self, conversation: &str, now: Instant) -> Result<Instant, Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, calls| calls.back().is_some_and(|last| now.duration_since(*last) < LONGEST));
        }
        let calls = all.entry(conversation.to_owned()).or_default();
        while calls.front().is_some_and(|first| now.duration_since(*first) >= LONGEST) {
            calls.pop_front();
        }
        let free = |(most, window): (usize, Duration)| {
            let nth_last = calls.len().checked_sub(most).and_then(|at| calls.get(at));
            nth_last.map_or(now, |call| *call + window)
        };
        let last = calls.back().copied().unwrap_or(now);
        let at = LIMITS.into_iter().map(free).fold(now.max(last), Instant::max);
        let wait = at.duration_since(now);
        if wait > SHORT {
            return Err(wait);
        }
        calls.push_back(at);
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_ever_holds_more_calls_than_teams_allows() {
        let paces = Paces::default();
        let start = Instant::now();
        let mut now = start;
        let mut calls = Vec::new();
        while calls.len() < 200 {
            match paces.take("a:1", now) {
                Ok(at) => calls.push(at),
                Err(wait) => now += wait,
            }
        }
        for (most, window) in LIMITS {
            for pair in calls.windows(most + 1) {
                assert!(pair[most].duration_since(pair[0]) >= window, "{most} within {window:?}");
            }
        }
    }

    #[test]
    fn conversations_do_not_wait_for_each_other() {
        let paces = Paces::default();
        let now = Instant::now();
        for _ in 0..7 {
            assert_eq!(paces.take("a:1", now), Ok(now));
        }
        assert!(paces.take("a:1", now).is_ok_and(|at| at > now));
        assert_eq!(paces.take("a:2", now), Ok(now));
    }
}
