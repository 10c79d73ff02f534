//! Did the source send this, and just now? And how does tapdesk sign what it sends back?
//!
//! Both ways the same: HMAC-SHA256 over the time, a dot and the raw body, with the one secret that both know. Nothing of
//! the body is parsed before the signature holds.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use tapdesk_core::ids::SourceName;

use crate::secret::Secret;

/// Header with the name of the source, as `[hook.NAME]` has it.
pub(super) const SOURCE: &str = "tapdesk-source";
/// Header with the time of sending, in Unix seconds.
pub(super) const TIMESTAMP: &str = "tapdesk-timestamp";
/// Header with `v1=` and the MAC in lower-case hex; several, parted by blanks, while a secret is rotated.
pub(super) const SIGNATURE: &str = "tapdesk-signature";

/// How far the time of sending may be from ours, in seconds, in either direction.
const LARGEST_SKEW: u64 = 300;
/// More digits than this are no time of this millennium.
const MOST_DIGITS: usize = 12;
/// More signatures than two secrets on each side need are somebody's tries.
const MOST_SIGNATURES: usize = 4;
/// Length of an HMAC-SHA256.
const MAC_LENGTH: usize = 32;

/// Why a message is not taken to be the source's. The words are for its integrator, and tell nobody which sources there
/// are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotVerified {
    /// A header is missing, repeated or not text.
    #[error("send each of the headers Tapdesk-Source, Tapdesk-Timestamp and Tapdesk-Signature once")]
    Headers,
    /// The time of sending is not 1 to 12 digits.
    #[error("Tapdesk-Timestamp is the time of sending in Unix seconds, digits only")]
    Timestamp,
    /// The time of sending is too far from now.
    #[error("Tapdesk-Timestamp is more than five minutes from now: sign each try anew, and set the clock")]
    Stale,
    /// The source is unknown, or the signature malformed or another one.
    #[error(
        "Tapdesk-Signature is not v1= and the lower-case hex HMAC-SHA256 of timestamp, a dot and the body as it was sent, \
         with the secret of Tapdesk-Source"
    )]
    Signature,
}

/// The source that the message names.
pub(super) fn claimed(headers: &HeaderMap) -> Result<SourceName, NotVerified> {
    only(headers, SOURCE)?.parse().map_err(|_| NotVerified::Signature)
}

/// Checks the signature of a raw message against one secret, or two while they rotate.
pub(super) fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<(), NotVerified> {
    let timestamp = only(headers, TIMESTAMP)?;
    let signatures = only(headers, SIGNATURE)?;
    // Only digits: the MAC covers a plain concatenation, so a "timestamp" that swallowed the beginning of the body would
    // have a valid MAC.
    let digits =
        (1..=MOST_DIGITS).contains(&timestamp.len()) && timestamp.bytes().all(|b| b.is_ascii_digit());
    let sent: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(NotVerified::Timestamp)?;
    if now.as_second().abs_diff(sent) > LARGEST_SKEW {
        return Err(NotVerified::Stale);
    }
    let given: Option<Vec<_>> = signatures.split(' ').map(mac).collect();
    let given = given.filter(|given| given.len() <= MOST_SIGNATURES).ok_or(NotVerified::Signature)?;
    let signed = signed(timestamp, body);
    let genuine = |secret: &Secret| given.iter().any(|mac| hmac::verify(&key(secret), &signed, mac).is_ok());
    if secrets.iter().any(genuine) { Ok(()) } else { Err(NotVerified::Signature) }
}

/// The signature of a body by each of the secrets.
pub(super) fn sign(secrets: &[Secret], timestamp: &str, body: &[u8]) -> String {
    let signed = signed(timestamp, body);
    let one = |secret: &Secret| {
        let mac = hmac::sign(&key(secret), &signed);
        let hex: String = mac.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect();
        format!("v1={hex}")
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The secret is text, whatever it looks like: it is not hex to be decoded.
fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

fn signed(timestamp: &str, body: &[u8]) -> Vec<u8> {
    [timestamp.as_bytes(), b".", body].concat()
}

/// The one value of a header. A proxy and a library may disagree on which of two counts, so two are refused.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, NotVerified> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| NotVerified::Headers),
        (None | Some(_), _) => Err(NotVerified::Headers),
    }
}

/// Reads `v1=` and exactly 64 lower-case hex digits.
fn mac(signature: &str) -> Option<[u8; MAC_LENGTH]> {
    let hex = signature.strip_prefix("v1=")?.as_bytes();
    let mut bytes = [0; MAC_LENGTH];
    if hex.len() != 2 * MAC_LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1772442000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
    const BY_OPENSSL: &str = "v1=5bb8fee3612016ec9a697ffa3ded33ab2e55e0fa5dc07cb97ac3136f4912b31c";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const BODY: &[u8] = br#"{"a":1}"#;
    const SENT: i64 = 1_772_442_000;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn verdict(timestamp: &str, signature: &str, secrets: &[&str], now: i64) -> Result<(), NotVerified> {
        let headers = headers(&[(TIMESTAMP, timestamp), (SIGNATURE, signature)]);
        let secrets: Vec<Secret> = secrets.iter().map(|text| secret(text)).collect();
        verify(&headers, BODY, &secrets, Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn what_openssl_signs_is_genuine_and_what_is_signed_here_is_the_same() {
        assert_eq!(sign(&[secret(SECRET)], &SENT.to_string(), BODY), BY_OPENSSL);
        assert_eq!(verdict("1772442000", BY_OPENSSL, &[SECRET], SENT), Ok(()));
    }

    #[test]
    fn either_secret_is_good_while_they_rotate_and_no_other_is() {
        let other = "fedcba9876543210fedcba9876543210";
        assert_eq!(verdict("1772442000", BY_OPENSSL, &[other, SECRET], SENT), Ok(()));
        assert_eq!(verdict("1772442000", BY_OPENSSL, &[other], SENT), Err(NotVerified::Signature));
        let both = sign(&[secret(other), secret(SECRET)], "1772442000", BODY);
        for known in [other, SECRET] {
            assert_eq!(verdict("1772442000", &both, &[known], SENT), Ok(()));
        }
    }

    #[test]
    fn a_message_is_good_for_five_minutes_either_way() {
        for (now, expected) in [
            (SENT + 300, Ok(())),
            (SENT - 300, Ok(())),
            (SENT + 301, Err(NotVerified::Stale)),
            (SENT - 301, Err(NotVerified::Stale)),
        ] {
            assert_eq!(verdict("1772442000", BY_OPENSSL, &[SECRET], now), expected, "{now}");
        }
    }

    #[test]
    fn nothing_else_is_a_signature_or_a_time() {
        let upper = BY_OPENSSL.to_uppercase();
        let many = [BY_OPENSSL; 5].join(" ");
        let bare = &BY_OPENSSL[3..];
        let short = &BY_OPENSSL[..66];
        for wrong in ["", "v1=", bare, short, &upper, &many, &format!("{BY_OPENSSL},{BY_OPENSSL}")] {
            let refused = verdict("1772442000", wrong, &[SECRET], SENT);
            assert_eq!(refused, Err(NotVerified::Signature), "{wrong}");
        }
        for wrong in ["", "+1772442000", "1772442000.", "1772442000.0", "0x69a5", "1772442000000000"] {
            let refused = verdict(wrong, BY_OPENSSL, &[SECRET], SENT);
            assert_eq!(refused, Err(NotVerified::Timestamp), "{wrong}");
        }
    }

    #[test]
    fn every_header_comes_once() {
        let now = Timestamp::from_second(SENT).unwrap();
        let twice = [(TIMESTAMP, "1772442000"), (SIGNATURE, BY_OPENSSL), (SIGNATURE, BY_OPENSSL)];
        for pairs in [&twice[..], &twice[..1], &twice[1..2], &[]] {
            let refused = verify(&headers(pairs), BODY, &[secret(SECRET)], now);
            assert_eq!(refused, Err(NotVerified::Headers));
        }
        assert_eq!(claimed(&headers(&[(SOURCE, "a"), (SOURCE, "b")])), Err(NotVerified::Headers));
        assert_eq!(claimed(&headers(&[(SOURCE, "not a name")])), Err(NotVerified::Signature));
    }
}
