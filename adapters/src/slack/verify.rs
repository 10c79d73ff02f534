//! Did Slack send this request, and just now?
//!
//! The rules are the union of what Slack's own libraries refuse; each of them alone accepts something that
//! another one does not. Nothing of the body is parsed before the signature holds.
//! Source: docs.slack.dev, "Verifying requests from Slack", January 2026.

use aws_lc_rs::{constant_time, hmac};
use jiff::Timestamp;
use reqwest::header::HeaderMap;

use crate::secret::Secret;

/// Header with the time of sending, in Unix seconds.
const TIMESTAMP: &str = "x-slack-request-timestamp";
/// Header with `v0=` and the MAC in lower-case hex.
const SIGNATURE: &str = "x-slack-signature";

/// How far the time of sending may be from ours, in seconds, in either direction.
const LARGEST_SKEW: u64 = 300;
/// More digits than this are no time of this millennium, and could overflow.
const MOST_DIGITS: usize = 12;
/// Length of an HMAC-SHA256.
const MAC_LENGTH: usize = 32;

/// Why a request is not taken to be Slack's. For metrics; the answer carries no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotVerified {
    /// A header is missing, repeated or not text.
    #[error("a signature header is missing or repeated")]
    Headers,
    /// The time of sending is not 1 to 12 digits.
    #[error("the timestamp is malformed")]
    Timestamp,
    /// The time of sending is too far from now.
    #[error("the timestamp is too old or in the future")]
    Stale,
    /// The signature is malformed or another one.
    #[error("the signature is wrong")]
    Signature,
}

/// Checks the signature of a raw request against one secret, or two while they rotate.
pub(super) fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<(), NotVerified> {
    let timestamp = only(headers, TIMESTAMP)?;
    let signature = only(headers, SIGNATURE)?;
    let sent = seconds(timestamp)?;
    if now.as_second().abs_diff(sent) > LARGEST_SKEW {
        return Err(NotVerified::Stale);
    }
    let given = mac(signature).ok_or(NotVerified::Signature)?;
    let genuine = |secret: &Secret| {
        constant_time::verify_slices_are_equal(sign(secret, timestamp, body).as_ref(), &given).is_ok()
    };
    if secrets.iter().any(genuine) { Ok(()) } else { Err(NotVerified::Signature) }
}

/// The one value of a header. A proxy and a library may disagree on which of two counts, so two are refused.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, NotVerified> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| NotVerified::Headers),
        (None | Some(_), _) => Err(NotVerified::Headers),
    }
}

/// Reads the time of sending. Only digits: the MAC covers a plain concatenation, so a "timestamp" that swallowed
/// the body up to its first colon would have a valid MAC.
fn seconds(text: &str) -> Result<i64, NotVerified> {
    let digits = (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().map_err(|_| NotVerified::Timestamp) } else { Err(NotVerified::Timestamp) }
}

/// Reads `v0=` and exactly 64 lower-case hex digits.
fn mac(signature: &str) -> Option<[u8; MAC_LENGTH]> {
    let hex = signature.strip_prefix("v0=")?.as_bytes();
    if hex.len() != 2 * MAC_LENGTH {
        return None;
    }
    let mut bytes = [0; MAC_LENGTH];
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

/// The MAC of `v0:` + timestamp + `:` + raw body. The key is the secret as text; it is not hex to be decoded.
fn sign(secret: &Secret, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(b"v0:");
    context.update(timestamp.as_bytes());
    context.update(b":");
    context.update(body);
    context.sign()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The headers that Slack would send with `body` at `sent`.
    pub(in crate::slack) fn signed(secret: &str, body: &[u8], sent: i64) -> HeaderMap {
        let tag = sign(&Secret::new(secret.to_owned()), &sent.to_string(), body);
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap();
        let hex: String = tag.as_ref().iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect();
        headers(&[(TIMESTAMP, &sent.to_string()), (SIGNATURE, &format!("v0={hex}"))])
    }

    pub(in crate::slack) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{headers, signed};
    use super::*;

    // The vector of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const SENT: i64 = 1_531_420_618;
    const MAC: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J\
        %2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn check(pairs: &[(&'static str, &str)], body: &str, now: i64) -> Result<(), NotVerified> {
        let secrets = [Secret::new(SECRET.to_owned())];
        verify(&headers(pairs), body.as_bytes(), &secrets, Timestamp::from_second(now).unwrap())
    }

    fn sent(timestamp: &str, signature: &str, now: i64) -> Result<(), NotVerified> {
        check(&[(TIMESTAMP, timestamp), (SIGNATURE, signature)], BODY, now)
    }

    #[test]
    fn the_documented_vector_is_accepted_up_to_300_seconds_off_and_not_a_second_more() {
        for now in [SENT, SENT + 300, SENT - 300] {
            assert_eq!(sent("1531420618", MAC, now), Ok(()), "{now}");
        }
        for now in [SENT + 301, SENT - 301, 0] {
            assert_eq!(sent("1531420618", MAC, now), Err(NotVerified::Stale), "{now}");
        }
    }

    #[test]
    fn a_signature_in_any_other_spelling_is_refused() {
        let hex = MAC.strip_prefix("v0=").unwrap();
        for signature in [
            hex,
            &format!("v1={hex}"),
            &format!("V0={hex}"),
            &MAC[..65],
            &format!("{MAC}00"),
            &format!("{MAC}=junk"),
            &format!("{MAC},{MAC}"),
            &format!("v0={}", hex.to_uppercase()),
            &format!("v0= {}", &hex[1..]),
            "v0=",
            "",
            // The same body signed with another secret.
            "v0=3859a9a919d50935596031154fb7bcad3d63d9f2a13a5b213aa6d38c697d9895",
        ] {
            assert_eq!(sent("1531420618", signature, SENT), Err(NotVerified::Signature), "{signature}");
        }
    }

    #[test]
    fn a_timestamp_that_is_not_digits_is_refused_even_when_it_was_signed() {
        let signed_abc = "v0=0a1d54dbd4ea9dc7d2d38740a5422c73ecae51cd8ede59115bf561082a571fff";
        assert_eq!(sent("abc", signed_abc, SENT), Err(NotVerified::Timestamp));
        for timestamp in ["", "1531420618.5", "-1531420618", "+1531420618", "1531420618 1", "0x5b479d8a"] {
            assert_eq!(sent(timestamp, MAC, SENT), Err(NotVerified::Timestamp), "{timestamp:?}");
        }
        assert_eq!(sent("1531420618000", MAC, SENT), Err(NotVerified::Timestamp), "13 digits");
    }

    #[test]
    fn a_timestamp_cannot_swallow_the_beginning_of_the_body() {
        let genuine = signed(SECRET, b"text=a:b", SENT);
        let signature = genuine[SIGNATURE].to_str().unwrap();
        let shifted = [(TIMESTAMP, "1531420618:text=a"), (SIGNATURE, signature)];
        assert_eq!(check(&shifted, "b", SENT), Err(NotVerified::Timestamp));
    }

    #[test]
    fn a_fresh_timestamp_does_not_go_with_an_old_signature() {
        assert_eq!(sent("1531421618", MAC, SENT + 1000), Err(NotVerified::Signature));
    }

    #[test]
    fn the_signature_covers_the_bytes_and_not_their_meaning() {
        let mut fields: Vec<&str> = BODY.split('&').collect();
        fields.reverse();
        let pairs = [(TIMESTAMP, "1531420618"), (SIGNATURE, MAC)];
        assert_eq!(check(&pairs, &fields.join("&"), SENT), Err(NotVerified::Signature));
        assert_eq!(check(&pairs, "", SENT), Err(NotVerified::Signature));
    }

    #[test]
    fn an_empty_body_can_be_signed_too() {
        let signature = "v0=55f41ec73231010289b54e669149ea021fccab11b5524355523533ce930cb739";
        assert_eq!(check(&[(TIMESTAMP, "1531420618"), (SIGNATURE, signature)], "", SENT), Ok(()));
    }

    #[test]
    fn both_headers_are_there_exactly_once() {
        let (timestamp, signature) = ((TIMESTAMP, "1531420618"), (SIGNATURE, MAC));
        let repeated = (SIGNATURE, "v0=00");
        for pairs in [
            &[][..],
            &[timestamp],
            &[signature],
            &[timestamp, timestamp, signature],
            &[timestamp, signature, signature],
            &[timestamp, signature, repeated],
            &[timestamp, repeated, signature],
        ] {
            assert_eq!(check(pairs, BODY, SENT), Err(NotVerified::Headers), "{pairs:?}");
        }
    }

    #[test]
    fn either_secret_verifies_while_they_rotate_and_none_verifies_nothing() {
        let now = Timestamp::from_second(SENT).unwrap();
        let secrets = |names: &[&str]| names.iter().map(|n| Secret::new((*n).to_owned())).collect::<Vec<_>>();
        let request = signed("old", b"x", SENT);
        assert_eq!(verify(&request, b"x", &secrets(&["new", "old"]), now), Ok(()));
        assert_eq!(verify(&request, b"x", &secrets(&["new"]), now), Err(NotVerified::Signature));
        assert_eq!(verify(&request, b"x", &[], now), Err(NotVerified::Signature));
    }
}
