//! What does tapdesk say to prove itself with a certificate?
//!
//! A short-lived assertion, signed with the certificate's key (PS256), that names the certificate by its SHA-256 thumbprint.
//! See <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>, read in November 2026.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use super::files::Fault;

/// How long an assertion is good: it is used at once, and clocks differ.
const ASSERTION_SECONDS: i64 = 300;
/// How far a certificate may be from its first moment: clocks differ.
const SKEW_SECONDS: i64 = 300;
/// How long before its end a certificate is warned of.
const SOON_SECONDS: i64 = 30 * 24 * 3600;
/// The places of the two files.
pub(super) const CERTIFICATE: usize = 0;
pub(super) const KEY: usize = 1;

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its first second.
    pub from: Timestamp,
    /// Its last one.
    pub until: Timestamp,
}

/// A certificate with its key.
pub(super) struct Certificate {
    /// As an assertion names it: the SHA-256 of its DER in base64url.
    thumbprint: String,
    /// The same as people compare it: as `openssl x509 -fingerprint -sha256` shows it, but for colons.
    fingerprint: String,
    validity: Validity,
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: Uuid,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Validity {
    /// What makes the certificate useless at that time, and what to do.
    pub(super) fn fault(&self, now: Timestamp) -> Option<String> {
        if now > self.until {
            let until = day(self.until);
            return Some(format!(
                "the certificate expired on {until}: make a new one, upload it to the Entra app, and put it and its key here"
            ));
        }
        let is_early = now.as_second() + SKEW_SECONDS < self.from.as_second();
        is_early.then(|| format!("the certificate is not valid before {}", self.from))
    }

    /// What has to be done before long.
    pub(super) fn warning(&self, now: Timestamp) -> Option<String> {
        let left = self.until.as_second() - now.as_second();
        (left < SOON_SECONDS).then(|| {
            let (until, days) = (day(self.until), left / (24 * 3600));
            format!(
                "the certificate of the Entra app expires on {until}, in {days} days: upload a new one and replace the files"
            )
        })
    }
}

impl Certificate {
    /// Reads the two files, which may be one: PEM, the certificate's own entry first, an RSA key without password.
    pub(super) fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, Fault> {
        let of_certificate = |what: &str| Fault { file: CERTIFICATE, what: what.to_owned() };
        let der = CertificateDer::from_pem_slice(certificate)
            .map_err(|_| of_certificate("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"))?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|_| of_certificate("the certificate cannot be read: make it anew"))?;
        let second = |time: i64| Timestamp::from_second(time).unwrap_or(Timestamp::MAX);
        let validity = Validity {
            from: second(parsed.validity().not_before.timestamp()),
            until: second(parsed.validity().not_after.timestamp()),
        };
        let (key, public) = read_key(key).map_err(|what| Fault { file: KEY, what: what.to_owned() })?;
        if *parsed.public_key().subject_public_key.data != *public {
            let what = "is not the key of the certificate in certificate_file";
            return Err(Fault { file: KEY, what: what.to_owned() });
        }
        let hash = digest(&SHA256, &der);
        Ok(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(hash.as_ref()),
            fingerprint: hex(hash.as_ref()),
            validity,
            key,
        })
    }

    pub(super) const fn validity(&self) -> Validity {
        self.validity
    }

    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// An assertion for that audience; `id` may never be used again.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, jsonwebtoken::errors::Error> {
        let now = now.as_second();
        let claims = Claims {
            aud: audience,
            iss: client_id,
            sub: client_id,
            jti: id,
            nbf: now,
            iat: now,
            exp: now + ASSERTION_SECONDS,
        };
        let header = Header { x5t_s256: Some(self.thumbprint.clone()), ..Header::new(Algorithm::PS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).map(Zeroizing::new)
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// The private key, and the public one that belongs to it.
fn read_key(pem: &[u8]) -> Result<(EncodingKey, Vec<u8>), &'static str> {
    const NOT_RSA: &str =
        "holds no RSA key of 2048 to 8192 bits; Entra takes no other for an app's certificate";
    if pem.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(
            "is protected by a password: remove it (openssl pkey -in FILE -out FILE.open) and guard the file",
        );
    }
    let key = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)")?;
    let pair = match &key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        // SEC1 is for elliptic curves, and the enum may grow.
        _ => return Err(NOT_RSA),
    };
    let public = pair.map_err(|_| NOT_RSA)?.public_key().as_ref().to_vec();
    let signing = if let PrivateKeyDer::Pkcs1(key) = &key {
        EncodingKey::from_rsa_der(key.secret_pkcs1_der())
    } else {
        // The key alone: the file may hold the certificate, too.
        let inner = Zeroizing::new(STANDARD.encode(key.secret_der()));
        let alone = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *inner);
        EncodingKey::from_rsa_pem(Zeroizing::new(alone).as_bytes()).map_err(|_| NOT_RSA)?
    };
    Ok((signing, public))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
    use serde_json::Value;

    use super::*;

    const APP: &str = "8d2a6b5c-3f0e-4a55-9d2b-0d5cbb2f9a10";
    const AUDIENCE: &str = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token";

    /// A certificate for 2026 and its key.
    fn pair() -> &'static (String, String) {
        static PAIR: OnceLock<(String, String)> = OnceLock::new();
        PAIR.get_or_init(|| {
            let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
            (certificate_of(&key), key.serialize_pem())
        })
    }

    fn certificate_of(key: &KeyPair) -> String {
        let mut params = CertificateParams::new(vec!["tapdesk".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 12, 31);
        params.self_signed(key).unwrap().pem()
    }

    fn parse(certificate: &str, key: &str) -> Result<Certificate, Fault> {
        Certificate::parse(certificate.as_bytes(), key.as_bytes())
    }

    fn fault(certificate: &str, key: &str) -> (usize, String) {
        let fault = parse(certificate, key).err().unwrap();
        (fault.file, fault.what)
    }

    fn part(assertion: &str, place: usize) -> Value {
        let part = assertion.split('.').nth(place).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_says_what_entra_documents_and_is_short_lived() {
        let (pem, key) = pair();
        let certificate = parse(pem, key).ok().expect("a pair");
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let assertion = certificate.assertion(APP, AUDIENCE, Uuid::from_u128(7), now).unwrap();
        let (header, claims) = (part(&assertion, 0), part(&assertion, 1));
        let hash = digest(&SHA256, &CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
        let thumbprint = URL_SAFE_NO_PAD.encode(hash.as_ref());
        assert_eq!(header, serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}));
        let expected = serde_json::json!({
            "aud": AUDIENCE, "iss": APP, "sub": APP, "jti": Uuid::from_u128(7),
            "nbf": now.as_second(), "iat": now.as_second(), "exp": now.as_second() + 300,
        });
        assert_eq!(claims, expected);
        assert_eq!(certificate.fingerprint().len(), 64);
    }

    #[test]
    fn one_file_may_hold_both_in_either_order() {
        let (certificate, key) = pair();
        for both in [format!("{certificate}{key}"), format!("{key}{certificate}")] {
            let read = parse(&both, &both).ok().expect("both are read");
            read.assertion(APP, AUDIENCE, Uuid::nil(), Timestamp::UNIX_EPOCH).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_file() {
        let (certificate, key) = pair();
        assert_eq!(fault("", key).0, CERTIFICATE);
        assert!(fault(key, key).1.contains("no certificate in PEM"));
        let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        assert!(fault(broken, key).1.contains("cannot be read"));
        assert!(fault(certificate, certificate).1.contains("no private key in PEM"));
        let protected = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(fault(certificate, protected).1.contains("password"));
        let curve = KeyPair::generate().unwrap();
        assert!(fault(certificate, &curve.serialize_pem()).1.contains("no RSA key"));
        let (place, what) = fault(&certificate_of(&curve), key);
        assert_eq!((place, what.contains("not the key of the certificate")), (KEY, true));
    }

    #[test]
    fn the_end_of_a_certificate_is_told_before_and_after() {
        let (certificate, key) = pair();
        let validity = parse(certificate, key).ok().expect("a pair").validity();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(validity.fault(at("2026-11-23T10:00:00Z")), None);
        assert_eq!(validity.warning(at("2026-11-23T10:00:00Z")), None);
        let warning = validity.warning(at("2026-12-11T00:00:00Z")).unwrap();
        assert!(warning.contains("expires on 2026-12-31, in 20 days"), "{warning}");
        assert!(validity.fault(at("2027-01-01T00:00:00Z")).unwrap().contains("expired on 2026-12-31"));
        assert!(validity.fault(at("2025-12-31T23:00:00Z")).unwrap().contains("not valid before 2026-01-01"));
        assert_eq!(validity.fault(at("2025-12-31T23:58:00Z")), None);
    }
}
