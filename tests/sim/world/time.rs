//! What time is it in the world?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tapdesk::system::SystemClock;
use tapdesk_core::ports::Clock;

use crate::wire::lock;

/// The clock of the world.
#[derive(Clone)]
pub struct Hands(Arc<Mutex<Option<Timestamp>>>);

impl Hands {
    /// A clock that stands at that time.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Some(time))))
    }

    /// The time that the world shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        lock(&self.0).unwrap_or_else(|| SystemClock.now())
    }

    /// Moves the time on, without letting anybody act.
    pub fn turn(&self, by: Duration) {
        let now = self.now();
        self.set(now.saturating_add(by).unwrap_or(now));
    }

    /// Lets the time go as fast as the machine's, for a tapdesk in a process of its own.
    pub fn run(&self) {
        *lock(&self.0) = None;
    }

    /// Stops the time where it is.
    pub fn stop(&self) {
        self.set(self.now());
    }

    /// The same clock for whoever only looks at it.
    #[must_use]
    pub fn shown(&self) -> crate::Now {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }

    /// Moves the hands to that time, without letting anybody act.
    pub fn set(&self, at: Timestamp) {
        *lock(&self.0) = Some(at);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}
