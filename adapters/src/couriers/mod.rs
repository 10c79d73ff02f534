//! How does a message reach a person away from the chat?
//!
//! A courier hands one message to one provider and says what became of it, in the terms of the `Courier`
//! port. The text may hold a code or a PIN, so no courier logs, stores or quotes it, and no answer of a
//! provider is quoted either: an answer may echo the text or the address. Couriers do not repeat a send;
//! the worker does, with a *new* code each time, which voids the older one. So a message that went out
//! twice is a nuisance and never a risk, and an unknown outcome is worth another try.

mod email;
mod sms;
#[cfg(test)]
mod testing;

use std::net::IpAddr;
use std::time::{Duration, Instant};

pub use email::{Mail, MailConfig, MailTls};
pub use sms::status::{NotTaken, Report, StatusReports};
pub use sms::{Sender, Twilio, TwilioConfig};

/// A configuration that would be unsafe or cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// Credentials and texts would travel in the clear.
    #[error("the base_url of the text message courier has to be https, except on loopback")]
    SmsBaseUrl,
    /// Not an account SID.
    #[error("Twilio's account_sid is AC and 32 hexadecimal digits")]
    SmsAccount,
    /// No user name or password.
    #[error("Twilio needs a username (the account SID or an API key SID) and a password")]
    SmsCredentials,
    /// No sender.
    #[error("Twilio needs a number or a messaging service (MG…) to send from")]
    SmsSender,
    /// Mails would travel in the clear.
    #[error("mail without TLS is only for a mail server on loopback")]
    MailWithoutTls,
    /// The host cannot be a name in a certificate, or TLS cannot be set up.
    #[error("TLS to the mail server cannot be set up; its host has to be a DNS name or an address")]
    MailTls,
    /// The program has to choose a TLS provider first.
    #[error("no TLS provider is installed in this process yet")]
    NoTlsProvider,
    /// Not a mailbox.
    #[error("the mail sender has to look like `tapdesk <tapdesk@example.com>`")]
    MailFrom,
    /// A name that no EHLO can carry.
    #[error("the mail courier's helo has to be a host name")]
    MailHelo,
    /// No time at all.
    #[error("the mail courier's timeout has to be longer than zero")]
    MailTimeout,
}

/// Whether a configured host can only be this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Milliseconds since `start`, for the log.
fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// How long a courier says goodbye before it just hangs up.
const GOODBYE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "smtp.example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {}
}
