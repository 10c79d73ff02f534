//! How long may things take? (`[outbound]`, `[worker]`)

use std::time::Duration;

use serde::Deserialize;
use tapdesk_core::policy::duration;

/// `[outbound]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Until a connection stands.
    #[serde(deserialize_with = "duration")]
    pub connect: Duration,
    /// Until the whole answer is there. Longer than 20 s could outlast the look for an unknown outcome.
    #[serde(deserialize_with = "duration")]
    pub total: Duration,
    /// Before a harmless call is repeated for the first time; later pauses grow from it.
    #[serde(deserialize_with = "duration")]
    pub retry_pause: Duration,
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How long a task is its worker's. What a killed process had in hand waits so long.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(15),
            retry_pause: Duration::from_secs(1),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self { lease: Duration::from_secs(90) }
    }
}
