//! How does tapdesk speak HTTP to others?
//!
//! One client for everything: time limits, no redirects (a redirect could carry a token elsewhere), no
//! proxies from the environment, a size limit on every answer.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tapdesk_core::ports::PortError;
use zeroize::Zeroizing;

/// How long a connection waits for the next call.
const IDLE: Duration = Duration::from_millis(500);

/// Largest answer that is read.
pub const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Time limits on outbound calls.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the whole answer is there.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(20) }
    }
}

/// Builds the client.
pub fn client(limits: Limits) -> Result<Client, reqwest::Error> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that the ban points to")]
    let builder = Client::builder();
    builder
        .user_agent(concat!("tapdesk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        .timeout(limits.total)
        // A connection that waits keeps what it read and wrote last, and that may have been a passcode, a code or a PIN.
        .pool_idle_timeout(IDLE)
        .redirect(Policy::none())
        .no_proxy()
        .build()
}

/// Reads an answer's body up to the limit, into one buffer that the caller owns. A short answer, or one that tells
/// its length, never makes the buffer move, so that a caller who wipes it leaves no copy.
pub async fn body(mut response: Response) -> Result<Vec<u8>, PortError> {
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(4096);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(LARGEST_ANSWER)));
    while let Some(chunk) = response.chunk().await.map_err(|e| failed(&e))? {
        if bytes.len() + chunk.len() > LARGEST_ANSWER {
            return Err(PortError::fatal("the answer is larger than 4 MiB"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(std::mem::take(&mut *bytes))
}

/// A transport failure as a port error; the URL stays out, since some carry tokens.
#[must_use]
pub fn failed(error: &reqwest::Error) -> PortError {
    let what = if error.is_timeout() {
        "no answer within the time limit"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    PortError::retry(what)
}

/// `Retry-After` as seconds, with a fraction, or as a date; at most an hour.
#[must_use]
pub fn retry_after(value: Option<&str>, now: jiff::Timestamp) -> Option<Duration> {
    let value = value?.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Duration::try_from_secs_f64(seconds).ok()?,
        Ok(_) => return None,
        Err(_) => {
            let at = jiff::Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?;
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(Duration::from_hours(1)))
}

/// The pause after try number `tries`: doubling, and spread by `dice` over half to one and a half of that, so
/// that replicas that failed together do not come back together.
pub(crate) fn pause(first: Duration, tries: u32, dice: u8) -> Duration {
    first.saturating_mul(1 << (tries - 1).min(8)).mul_f64(0.5 + f64::from(dice) / 255.0)
}

/// A word of a foreign answer, made safe for the log: an identifier, or nothing.
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_spread() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(second, 1, 0), Duration::from_millis(500));
        assert_eq!(pause(second, 2, 255), Duration::from_secs(3));
    }

    #[test]
    fn retry_after_is_read_in_every_form_that_services_send() {
        let now: jiff::Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let wait = |value| retry_after(Some(value), now);
        assert_eq!(wait("3"), Some(Duration::from_secs(3)));
        assert_eq!(wait("2.128"), Some(Duration::from_millis(2_128)));
        assert_eq!(wait("Mon, 23 Nov 2026 10:01:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(wait("Mon, 23 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("999999999"), Some(Duration::from_hours(1)));
        for nonsense in ["", "soon", "-1", "NaN", "inf"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn only_identifiers_reach_the_log() {
        assert_eq!(word("07ddd94e-55c9\r\nx: y"), "07ddd94e-55c9xy");
    }
}
