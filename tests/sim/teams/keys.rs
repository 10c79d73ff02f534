//! What does the Bot Connector sign with, and how does a program learn that?
//!
//! Four RSA keys, made once per process: the one that Teams uses, one that was not published, one that vouches for another
//! channel, and one that vouches for none. [`Token`] is a bearer token before it is signed, so that a story can change one
//! thing of it.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key of the Bot Connector, or of somebody who would like to be it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Published, endorsed for Teams.
    Teams,
    /// The next one for Teams: published once [`super::Teams::rotate_keys`] was called.
    NextForTeams,
    /// Nobody published it.
    Stranger,
    /// Published, endorsed for the web chat alone.
    WebChat,
    /// Published without endorsements.
    Unendorsed,
}

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// As the Connector does.
    Rs256,
    /// With a hash that its metadata do not list.
    Rs512,
    /// With the public key as if it were a shared secret.
    HmacOfPublicKey,
    /// Not at all.
    Nothing,
}

/// A bearer token before it is signed.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its header.
    pub header: Value,
    /// What it claims.
    pub claims: Value,
    /// Who signs.
    pub key: Key,
    /// How.
    pub signing: Signing,
}

/// The layout of a 2048-bit key in PKCS#1: the modulus begins after nine bytes, and the exponent is 65537.
const MODULUS: std::ops::Range<usize> = 9..265;
const EXPONENT: &str = "AQAB";

impl Key {
    const ALL: [Self; 5] = [Self::Teams, Self::NextForTeams, Self::Stranger, Self::WebChat, Self::Unendorsed];

    /// The `kid` that names it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Teams => "key-for-teams",
            Self::NextForTeams => "next-key-for-teams",
            Self::Stranger => "key-of-a-stranger",
            Self::WebChat => "key-for-the-web-chat",
            Self::Unendorsed => "key-without-endorsements",
        }
    }

    /// As the list of keys shows it.
    #[must_use]
    pub fn published(self) -> Value {
        let modulus = BASE64_URL_SAFE_NO_PAD.encode(&self.public_der()[MODULUS]);
        let mut key = json!({
            "kty": "RSA", "use": "sig", "kid": self.id(), "x5t": self.id(), "n": modulus, "e": EXPONENT,
        });
        match self {
            Self::Teams | Self::NextForTeams | Self::Stranger => {
                key["endorsements"] = json!(["msteams", "skype", "directline"]);
            }
            Self::WebChat => key["endorsements"] = json!(["webchat"]),
            Self::Unendorsed => {}
        }
        key
    }

    fn pair(self) -> &'static KeyPair {
        static PAIRS: [OnceLock<KeyPair>; Key::ALL.len()] = [const { OnceLock::new() }; Key::ALL.len()];
        PAIRS[self as usize].get_or_init(|| {
            KeyPair::generate(KeySize::Rsa2048)
                .unwrap_or_else(|error| unreachable!("no RSA key can be made: {error}"))
        })
    }

    fn public_der(self) -> Vec<u8> {
        let der = self.pair().public_key().as_ref().to_vec();
        debug_assert!(der.len() == 270 && der.ends_with(&[2, 3, 1, 0, 1]), "another layout than PKCS#1");
        der
    }

    fn sign(self, encoding: &'static dyn RsaEncoding, text: &str) -> Vec<u8> {
        let pair = self.pair();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .unwrap_or_else(|error| unreachable!("an RSA key does not sign: {error}"));
        signature
    }
}

impl Token {
    /// The token as it stands in a header, after `Bearer `.
    #[must_use]
    pub fn signed(&self) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = match self.signing {
            Signing::Rs256 => self.key.sign(&RSA_PKCS1_SHA256, &text),
            Signing::Rs512 => self.key.sign(&RSA_PKCS1_SHA512, &text),
            Signing::HmacOfPublicKey => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key.public_der());
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            Signing::Nothing => Vec::new(),
        };
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The same, signed by another key, which it names.
    #[must_use]
    pub fn by(mut self, key: Key) -> Self {
        self.key = key;
        self.header["kid"] = json!(key.id());
        self.header["x5t"] = json!(key.id());
        self
    }

    /// The same with another claim; `null` takes the claim away.
    #[must_use]
    pub fn claiming(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// The same with another field of the header; `null` takes the field away.
    #[must_use]
    pub fn headed(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// The same, signed in another way and saying so.
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = signing;
        let name = match signing {
            Signing::Rs256 => "RS256",
            Signing::Rs512 => "RS512",
            Signing::HmacOfPublicKey => "HS256",
            Signing::Nothing => "none",
        };
        self.header["alg"] = json!(name);
        self
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if value.is_null() {
        object.as_object_mut().and_then(|object| object.remove(name));
    } else {
        object[name] = value;
    }
}
