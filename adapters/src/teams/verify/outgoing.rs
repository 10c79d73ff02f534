//! Did a team's outgoing webhook send this?
//!
//! Source: learn.microsoft.com, "Create outgoing webhooks", 2026: HMAC-SHA256 of the raw body under the base64-decoded
//! security token.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use zeroize::Zeroizing;

use super::{NotVerified, only};
use crate::secret::Secret;

/// Bytes of a security token.
const KEY_LENGTH: usize = 32;

/// The key that Teams shows once, when the webhook is made.
pub(in crate::teams) struct Key(hmac::Key);

impl Key {
    /// Reads the token, unless it is none.
    pub(in crate::teams) fn read(token: &Secret) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(token.expose().trim()).ok()?);
        (bytes.len() == KEY_LENGTH).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// Checks the body against one key, or two while they rotate.
pub(in crate::teams) fn verify(headers: &HeaderMap, body: &[u8], keys: &[Key]) -> Result<(), NotVerified> {
    let given = only(headers, AUTHORIZATION.as_str())?.strip_prefix("HMAC ").ok_or(NotVerified::Header)?;
    let given = BASE64_STANDARD.decode(given).map_err(|_| NotVerified::Signature)?;
    let genuine =
        |key: &Key| constant_time::verify_slices_are_equal(hmac::sign(&key.0, body).as_ref(), &given).is_ok();
    if !body.is_empty() && keys.iter().any(genuine) { Ok(()) } else { Err(NotVerified::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The sample token of Microsoft's documentation.
    const TOKEN: &str = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=";
    const BODY: &str = r#"{"type":"message","text":"Zoë ✅"}"#;
    const GENUINE: &str = "HMAC Gi9UPWdRu4WqgYjTAsTtADl9SjLnMeyJnJ97FcZ8/i8=";

    fn key(token: &str) -> Key {
        Key::read(&Secret::new(token.to_owned())).unwrap()
    }

    fn check(authorizations: &[&str], body: &str) -> Result<(), NotVerified> {
        let mut headers = HeaderMap::new();
        for value in authorizations {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        verify(&headers, body.as_bytes(), &[key(TOKEN)])
    }

    fn signed(key: &Key, body: &str) -> String {
        format!("HMAC {}", BASE64_STANDARD.encode(hmac::sign(&key.0, body.as_bytes())))
    }

    #[test]
    fn the_raw_bytes_are_what_is_signed() {
        assert_eq!(check(&[GENUINE], BODY), Ok(()));
        // The MAC of the same message with its letters escaped.
        let of_escaped = "HMAC 2qkc7TxHVUwM4ZRyQoZL1k7rEv4bSmuLyR5G8xh4mTQ=";
        assert_eq!(check(&[of_escaped], BODY), Err(NotVerified::Signature));
        assert_eq!(check(&[GENUINE], &format!("{BODY} ")), Err(NotVerified::Signature));
    }

    #[test]
    fn a_mac_in_any_other_spelling_is_refused() {
        let mac = GENUINE.strip_prefix("HMAC ").unwrap();
        let hex = "1a2d3b2f1f08cc82d8a5d2a8b3c2a8b1e1f0a9d8c7b6a5f4e3d2c1b0a9f8e7d6";
        for header in ["", mac, &format!("Bearer {mac}"), &format!("hmac {mac}")] {
            assert_eq!(check(&[header], BODY), Err(NotVerified::Header), "{header}");
        }
        for header in [format!("HMAC {hex}"), format!("HMAC {}", &mac[..21]), "HMAC ".to_owned()] {
            assert_eq!(check(&[&header], BODY), Err(NotVerified::Signature), "{header}");
        }
        assert_eq!(check(&[GENUINE, GENUINE], BODY), Err(NotVerified::Header), "repeated");
        assert_eq!(check(&[], BODY), Err(NotVerified::Header), "missing");
    }

    #[test]
    fn the_token_is_decoded_before_it_is_a_key() {
        let as_text = Key(hmac::Key::new(hmac::HMAC_SHA256, TOKEN.as_bytes()));
        assert_eq!(check(&[&signed(&as_text, BODY)], BODY), Err(NotVerified::Signature));
        for token in ["", "short", "c2hvcnQ=", "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA"] {
            assert!(Key::read(&Secret::new(token.to_owned())).is_none(), "{token}");
        }
    }

    #[test]
    fn an_empty_body_is_refused_even_when_it_is_signed() {
        assert_eq!(
            check(&["HMAC /ex0XdGvqjwDWzUCzGc0pfpkrGlTx1VCfqXLsxUyPNY="], ""),
            Err(NotVerified::Signature)
        );
    }

    #[test]
    fn either_key_verifies_while_they_rotate_and_none_verifies_nothing() {
        let old = key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, signed(&old, BODY).parse().unwrap());
        assert_eq!(verify(&headers, BODY.as_bytes(), &[key(TOKEN), old]), Ok(()));
        assert_eq!(verify(&headers, BODY.as_bytes(), &[key(TOKEN)]), Err(NotVerified::Signature));
        assert_eq!(verify(&headers, BODY.as_bytes(), &[]), Err(NotVerified::Signature));
    }
}
