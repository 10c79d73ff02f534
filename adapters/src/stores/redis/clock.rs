//! What time is it? Redis says so, since replicas may differ about it.
//!
//! Leases, due tasks, tries and the requester's cap are decided in scripts, by the server's `TIME`. Two distances tie the
//! caller's times to it:
//!
//! - The *shift* is how far the caller's now is from the clock of this machine: nothing but the moment since it was read,
//!   unless somebody turns the caller's clock, as stories do. Scripts add it to `TIME`.
//! - The machine's *lead* is how far its clock is ahead of Redis'. It is measured with every look at the agenda. What
//!   goes into the agenda is told by Redis' clock, and what comes out of it by the caller's.
//!
//! The nodes of a cluster are taken to agree about the time, as NTP makes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use redis::Value;
use tapdesk_core::ports::{Clock, PortError};

use super::{Redis, fault};

/// No measure was taken yet.
const UNKNOWN: i64 = i64::MIN;

/// The clock of this machine, and what is known about it.
pub(super) struct MachineClock {
    clock: Arc<dyn Clock>,
    /// How many microseconds it is ahead of Redis'.
    lead: AtomicI64,
}

impl MachineClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lead: AtomicI64::new(UNKNOWN) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The shift, in the microseconds that scripts count in.
    pub(super) fn shift(&self, now: Timestamp) -> String {
        now.duration_since(self.clock.now()).as_micros().to_string()
    }

    /// Learns the lead from an answer to `TIME` that was asked for at `asked` and is here now: the smallest that explains
    /// it, so that clocks which agree as far as anybody can tell agree.
    pub(super) fn learn(&self, asked: Timestamp, time: Value) -> Result<SignedDuration, PortError> {
        let (seconds, micros): (i64, i64) = redis::from_redis_value(time).map_err(fault::unreadable)?;
        let time = seconds.saturating_mul(1_000_000).saturating_add(micros);
        let (asked, answered) = (asked.as_microsecond(), self.clock.now().as_microsecond());
        let lead = if time < asked { asked - time } else { (answered - time).min(0) };
        self.lead.store(lead, Ordering::Relaxed);
        Ok(SignedDuration::from_micros(lead))
    }
}

impl Redis {
    /// How far this machine's clock is ahead, as measured last.
    pub(super) async fn lead(&self) -> Result<SignedDuration, PortError> {
        match self.machine.lead.load(Ordering::Relaxed) {
            UNKNOWN => {
                let asked = self.machine.now();
                self.machine.learn(asked, self.ask_redis(&redis::cmd("TIME")).await?)
            }
            lead => Ok(SignedDuration::from_micros(lead)),
        }
    }
}

/// The caller's time as Redis tells it.
pub(super) fn by_redis(at: Timestamp, lead: SignedDuration) -> Timestamp {
    at.saturating_sub(lead).unwrap_or(Timestamp::MIN)
}

/// Redis' time as the caller tells it.
pub(super) fn by_caller(at: Timestamp, lead: SignedDuration) -> Timestamp {
    at.saturating_add(lead).unwrap_or(Timestamp::MAX)
}
