//! What does the subject prove, how is it minted, and what of it is kept?
//!
//! A ticket is a code (65 bits, by one route) and a PIN (8 digits, by another). Only hashes outlive the
//! moment of sending: the code as HMAC-SHA256 under the pepper, so that it can be looked up; the PIN as
//! Argon2id with the pepper as secret, so that a stolen store cannot be searched.

use std::fmt;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params};
use aws_lc_rs::{constant_time, digest, hmac};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::ids::{CROCKFORD, RequestId};
use crate::ports::Entropy;

/// Characters of a code: 13 × 5 = 65 bits.
const CODE_LENGTH: usize = 13;
/// Digits of a PIN: 26.6 bits, above the 20 bits that ASVS 6.5.4 asks for.
const PIN_LENGTH: usize = 8;

/// The code half of a ticket. Printed only by [`Code::reveal`], wiped on drop.
pub struct Code(Zeroizing<[u8; CODE_LENGTH]>);

/// The PIN half of a ticket. Printed only by [`Pin::reveal`], wiped on drop.
pub struct Pin(Zeroizing<[u8; PIN_LENGTH]>);

/// The 128-bit token of a "this wasn't me" link. Printed only by [`ReportToken::reveal`], wiped on drop.
pub struct ReportToken(Zeroizing<[u8; 26]>);

/// What the claim page made up to recognise its own retries: 16 random bytes, of which only a hash is kept.
pub struct Client(Zeroizing<[u8; 16]>);

/// What a person typed is not a code, a PIN, or whatever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// A text of a secret on its way to its one reader; wiped on drop, never printed by `Debug`.
pub struct Revealed(Zeroizing<String>);

/// HMAC-SHA256 of a code under the pepper, in hex: the key a ticket is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeHash(pub String);

/// Argon2id of a PIN in PHC form, the pepper being the secret input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PinHash(pub String);

/// SHA-256 of a random token of at least 128 bits, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(pub String);

impl Code {
    /// A fresh code.
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let random = Zeroizing::new(entropy.array::<CODE_LENGTH>());
        let mut characters = Zeroizing::new([0; CODE_LENGTH]);
        for (character, byte) in characters.iter_mut().zip(random.iter()) {
            *character = CROCKFORD[usize::from(byte & 31)];
        }
        Self(characters)
    }

    /// Reads what was typed or followed: any case, blanks and hyphens ignored, O as 0, I and L as 1.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut characters = Zeroizing::new([0; CODE_LENGTH]);
        let mut length = 0;
        for byte in text.bytes().filter(|b| !matches!(b, b' ' | b'-')) {
            let character = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if length == CODE_LENGTH || !CROCKFORD.contains(&character) {
                return Err(Malformed("code"));
            }
            characters[length] = character;
            length += 1;
        }
        if length == CODE_LENGTH { Ok(Self(characters)) } else { Err(Malformed("code")) }
    }

    /// The code as people read it: 4-4-5.
    #[must_use]
    pub fn reveal(&self) -> Revealed {
        let text = ascii(&self.0[..]);
        Revealed(Zeroizing::new(format!("{}-{}-{}", &text[..4], &text[4..8], &text[8..])))
    }
}

impl Pin {
    /// A fresh PIN, every one of the 10^8 equally likely.
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let mut digits = Zeroizing::new([0; PIN_LENGTH]);
        for digit in digits.iter_mut() {
            *digit = loop {
                let [byte] = entropy.array::<1>();
                if byte < 250 {
                    break b'0' + byte % 10;
                }
            };
        }
        Self(digits)
    }

    /// Reads eight digits; blanks and hyphens are ignored.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut digits = Zeroizing::new([0; PIN_LENGTH]);
        let mut length = 0;
        for byte in text.bytes().filter(|b| !matches!(b, b' ' | b'-')) {
            if length == PIN_LENGTH || !byte.is_ascii_digit() {
                return Err(Malformed("PIN"));
            }
            digits[length] = byte;
            length += 1;
        }
        if length == PIN_LENGTH { Ok(Self(digits)) } else { Err(Malformed("PIN")) }
    }

    /// The PIN as people read it aloud: 4 4.
    #[must_use]
    pub fn reveal(&self) -> Revealed {
        let text = ascii(&self.0[..]);
        Revealed(Zeroizing::new(format!("{} {}", &text[..4], &text[4..])))
    }
}

impl ReportToken {
    /// Reads what followed the link.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes: [u8; 26] = text.as_bytes().try_into().map_err(|_| Malformed("token"))?;
        if bytes.iter().all(|b| CROCKFORD.contains(b)) {
            Ok(Self(Zeroizing::new(bytes)))
        } else {
            Err(Malformed("token"))
        }
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        token_hash(b"tapdesk/report/v1", &self.0[..])
    }

    /// The token as the link carries it.
    #[must_use]
    pub fn reveal(&self) -> Revealed {
        Revealed(Zeroizing::new(ascii(&self.0[..]).to_string()))
    }
}

impl Client {
    /// Reads the page's 32 hex digits.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut bytes = Zeroizing::new([0; 16]);
        if text.len() != 32 || !text.is_ascii() {
            return Err(Malformed("client"));
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| Malformed("client"))?;
        }
        Ok(Self(bytes))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        token_hash(b"tapdesk/client/v1", &self.0[..])
    }
}

impl Revealed {
    /// A revealed text that was put together from others, for example a whole message.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Call it only where it leaves for its reader.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The server's pepper: 32 bytes that never enter the store. During rotation an older one is still read.
pub struct Pepper {
    current: Zeroizing<[u8; 32]>,
    previous: Option<Zeroizing<[u8; 32]>>,
}

impl Pepper {
    /// A pepper from one or two secret values.
    #[must_use]
    pub fn new(current: [u8; 32], previous: Option<[u8; 32]>) -> Self {
        Self { current: Zeroizing::new(current), previous: previous.map(Zeroizing::new) }
    }

    /// The hash that a new code is kept as.
    #[must_use]
    pub fn code_hash(&self, code: &Code) -> CodeHash {
        keyed_code_hash(&self.current, code)
    }

    /// Every hash under which a code may be kept: one, or two while the pepper rotates.
    #[must_use]
    pub fn code_hashes(&self, code: &Code) -> Vec<CodeHash> {
        let previous = self.previous.iter().map(|pepper| keyed_code_hash(pepper, code));
        std::iter::once(self.code_hash(code)).chain(previous).collect()
    }

    /// The hash that a new PIN is kept as. Costs tens of milliseconds of one core: never call it on an async thread.
    pub fn pin_hash(&self, pin: &Pin, entropy: &dyn Entropy) -> Result<PinHash, Malformed> {
        let salt = SaltString::encode_b64(&entropy.array::<16>()).map_err(|_| Malformed("salt"))?;
        let argon2 = argon2(&self.current).ok_or(Malformed("pepper"))?;
        let hash = argon2.hash_password(&pin.0[..], &salt).map_err(|_| Malformed("PIN"))?;
        Ok(PinHash(hash.to_string()))
    }

    /// Whether `pin` is the one behind `hash`. Costs tens of milliseconds of one core: never call it on an async thread.
    #[must_use]
    pub fn pin_matches(&self, pin: &Pin, hash: &PinHash) -> bool {
        let Ok(parsed) = PasswordHash::new(&hash.0) else { return false };
        std::iter::once(&self.current)
            .chain(&self.previous)
            .filter_map(|pepper| argon2(pepper))
            .any(|argon2| argon2.verify_password(&pin.0[..], &parsed).is_ok())
    }

    /// The token and the two digits of the "this wasn't me" link of a request: the same in every notice on it, so that a
    /// later notice does not void the link that the owner has in front of them.
    #[must_use]
    pub fn report_link(&self, request: &RequestId) -> (ReportToken, u8) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.current[..]);
        let mut context = hmac::Context::with_key(&key);
        context.update(b"tapdesk/report-link/v1\0");
        context.update(request.as_str().as_bytes());
        let tag = context.sign();
        let (token, digits) = tag.as_ref().split_at(16);
        let text = Zeroizing::new(crate::ids::base32(token));
        let mut characters = Zeroizing::new([0; 26]);
        characters.copy_from_slice(text.as_bytes());
        let number = digits.iter().fold(0, |number, byte| (number * 256 + u32::from(*byte)) % 100);
        (ReportToken(characters), u8::try_from(number).unwrap_or_default())
    }

    /// A keyed pseudonym of a free text or name: equal texts stay comparable, none can be read back.
    #[must_use]
    pub fn pseudonym(&self, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.current[..]);
        let mut context = hmac::Context::with_key(&key);
        context.update(b"tapdesk/pseudonym/v1\0");
        context.update(text.as_bytes());
        format!("~{}", hex(&context.sign().as_ref()[..12]))
    }
}

impl TokenHash {
    /// Compares without telling by its duration where two hashes differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

/// SHA-256 of `bytes` in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// OWASP's second setting (9 MiB, 4 passes): 22 ms on a small server, so that five tries stay cheap for us.
fn argon2(pepper: &[u8; 32]) -> Option<Argon2<'_>> {
    let params = Params::new(9 * 1024, 4, 1, None).ok()?;
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, argon2::Version::V0x13, params).ok()
}

fn keyed_code_hash(pepper: &[u8; 32], code: &Code) -> CodeHash {
    let key = hmac::Key::new(hmac::HMAC_SHA256, pepper);
    let mut context = hmac::Context::with_key(&key);
    context.update(b"tapdesk/code/v1\0");
    context.update(&code.0[..]);
    CodeHash(hex(context.sign().as_ref()))
}

fn token_hash(purpose: &[u8], token: &[u8]) -> TokenHash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(purpose);
    context.update(&[0]);
    context.update(token);
    TokenHash(hex(context.finish().as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn ascii(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|&b| char::from(b)).collect())
}

macro_rules! hide_in_debug {
    ($($secret:ident),*) => {$(
        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($secret), "(…)"))
            }
        }
    )*};
}
hide_in_debug!(Code, Pin, ReportToken, Client, Revealed, Pepper);

impl Zeroize for Revealed {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::testing::CountUp;

    #[test]
    fn a_code_is_read_in_any_spelling_that_people_use() {
        let code = Code::parse("0123-4567-89ABC").unwrap();
        for spelling in ["o123-4567-89abc", "OI23 4567 89ABC", "0l23456789abc", " 0123-4567-89ABC "] {
            assert_eq!(
                Code::parse(spelling).unwrap().reveal().as_str(),
                code.reveal().as_str(),
                "{spelling}"
            );
        }
    }

    #[test]
    fn a_code_of_another_length_or_alphabet_is_malformed() {
        for text in [
            "",
            "0123-4567-89AB",
            "0123-4567-89ABCD",
            "0123-4567-89AB!",
            "0123-4567-89ABU",
            "0123-4567-89ABé",
        ] {
            assert!(Code::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pin_is_eight_digits_and_nothing_else() {
        assert_eq!(Pin::parse("1234-5678").unwrap().reveal().as_str(), "1234 5678");
        for text in ["", "1234567", "123456789", "1234567a", "１2345678"] {
            assert!(Pin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pin_matches_its_own_hash_under_both_peppers_of_a_rotation_and_no_other() {
        let entropy = CountUp::new();
        let pin = Pin::mint(&entropy);
        let (old, new) = ([1; 32], [2; 32]);
        let hash = Pepper::new(old, None).pin_hash(&pin, &entropy).unwrap();
        assert!(Pepper::new(new, Some(old)).pin_matches(&pin, &hash));
        assert!(!Pepper::new(new, None).pin_matches(&pin, &hash));
        assert!(!Pepper::new(old, None).pin_matches(&Pin::parse("00000000").unwrap(), &hash));
    }

    #[test]
    fn a_code_is_found_under_the_older_pepper_while_it_rotates() {
        let code = Code::mint(&CountUp::new());
        let kept = Pepper::new([1; 32], None).code_hash(&code);
        assert!(Pepper::new([2; 32], Some([1; 32])).code_hashes(&code).contains(&kept));
        assert!(!Pepper::new([2; 32], None).code_hashes(&code).contains(&kept));
    }

    #[test]
    fn the_link_of_a_request_stays_the_same_and_is_no_others() {
        let entropy = CountUp::new();
        let (one, other) = (RequestId::fresh(&entropy), RequestId::fresh(&entropy));
        let link = |pepper: u8, of: &RequestId| {
            let (token, number) = Pepper::new([pepper; 32], None).report_link(of);
            assert!(number < 100 && ReportToken::parse(token.reveal().as_str()).is_ok());
            token.hash()
        };
        assert_eq!(link(1, &one), link(1, &one));
        assert_ne!(link(1, &one), link(1, &other));
        assert_ne!(link(1, &one), link(2, &one));
    }

    #[test]
    fn debug_prints_no_secret() {
        let entropy = CountUp::new();
        let pin = Pin::mint(&entropy);
        assert_eq!(
            format!("{pin:?} {:?} {:?}", Code::mint(&entropy), pin.reveal()),
            "Pin(…) Code(…) Revealed(…)"
        );
    }
}
