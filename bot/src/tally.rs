//! How often did something happen of late, and from where?

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Keys that are remembered at a time.
const MOST_KEYS: usize = 100_000;

/// The address that a request came from, after trusted proxies.
#[derive(Debug, Clone, Copy)]
pub struct From(pub IpAddr);

/// Counts per key within a window of time that begins with the first.
pub struct Tally<K> {
    most: u32,
    window: Duration,
    counts: Mutex<HashMap<K, (Timestamp, u32)>>,
}

impl From {
    /// The network that a caller can choose addresses in: /24 or /56.
    #[must_use]
    pub fn prefix(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & 0xFFFF_FF00).into(),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Self(v4.into()).prefix(),
                None => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 72)).into(),
            },
        }
    }
}

impl<K: Eq + Hash> Tally<K> {
    /// At most `most` per key within `window`.
    #[must_use]
    pub fn new(most: u32, window: Duration) -> Self {
        Self { most, window, counts: Mutex::default() }
    }

    /// How many seconds are left of the key's window, if it counted too many within it.
    pub fn pause(&self, key: &K, now: Timestamp) -> Option<u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = counts.get(key)?;
        let left = self.window.as_secs().saturating_sub(age(*since, now).as_secs());
        (*count >= self.most && left > 0).then_some(left)
    }

    /// Counts one; whether the key has just reached its limit.
    pub fn note(&self, key: K, now: Timestamp) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_KEYS {
            counts.retain(|_, (since, _)| age(*since, now) < self.window);
        }
        if counts.len() >= MOST_KEYS {
            return false;
        }
        let entry = counts.entry(key).or_insert((now, 0));
        if age(entry.0, now) >= self.window {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 == self.most
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_counted_by_itself_and_forgiven_after_its_window() {
        let tally = Tally::new(20, Duration::from_mins(1));
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        for n in 1..=20 {
            assert_eq!(tally.pause(&"a", start), None);
            assert_eq!(tally.note("a", start), n == 20);
        }
        assert_eq!(tally.pause(&"a", start), Some(60));
        assert_eq!(tally.pause(&"b", start), None);
        assert_eq!(tally.pause(&"a", start + Duration::from_mins(1)), None);
    }

    #[test]
    fn an_ipv6_prefix_is_56_bits_and_a_mapped_address_counts_as_ipv4() {
        let of = |text: &str| From(text.parse().unwrap()).prefix().to_string();
        assert_eq!(of("192.0.2.200"), "192.0.2.0");
        assert_eq!(of("2001:db8:1:2ff:3::4"), "2001:db8:1:200::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.0");
    }
}
