//! Would Entra believe that assertion?
//!
//! Either the app signed it itself, with the key of a certificate that somebody uploaded; or another issuer did, whom the
//! app trusts for one subject. Raw JSON and bare signatures: the program's own library has no word in this.

use std::collections::HashSet;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

use super::proof::{Issuer, Pair};
use super::refusal::Refusal;

/// What a federated token is for.
pub const EXCHANGE: &str = "api://AzureADTokenExchange";
/// The longest life that Entra's documentation gives an assertion.
const LONGEST_SECONDS: i64 = 600;
const SKEW_SECONDS: i64 = 300;

/// Whom the app believes.
#[derive(Default)]
pub(super) struct Trust {
    pub(super) certificates: Vec<Pair>,
    pub(super) federated: Vec<Federated>,
    used: HashSet<String>,
}

/// A federated credential: one subject of one issuer.
pub(super) struct Federated {
    pub(super) issuer: Issuer,
    pub(super) subject: String,
}

/// The three parts of an assertion.
struct Parts<'a> {
    signed: &'a str,
    header: Value,
    claims: Value,
    signature: Vec<u8>,
}

impl Trust {
    /// Checks the assertion that an app sends to the token endpoint `url`.
    pub(super) fn check(
        &mut self,
        text: &str,
        client_id: &str,
        url: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let parts = Parts::read(text)
            .ok_or_else(|| Refusal::of_client(50_027, "JWT token is invalid or malformed."))?;
        if parts.claim("iss") == client_id || parts.claim("sub") == client_id {
            self.check_own(&parts, client_id, url, now)
        } else {
            self.check_foreign(&parts, now)
        }
    }

    fn check_own(
        &mut self,
        parts: &Parts<'_>,
        client_id: &str,
        url: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let unknown = || {
            Refusal::of_client(
                700_027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            )
        };
        let invalid = |text: &str| Refusal::of_client(50_012, text);
        if parts.header["alg"] != "PS256" || parts.header["typ"] != "JWT" {
            return Err(invalid("The assertion is not signed with PS256."));
        }
        let thumbprint = parts.header["x5t#S256"].as_str().unwrap_or_default();
        let certificate = self.certificates.iter().find(|known| known.thumbprint() == thumbprint);
        let certificate = certificate.ok_or_else(unknown)?;
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.public_key());
        key.verify(parts.signed.as_bytes(), &parts.signature).map_err(|_| unknown())?;
        if now > certificate.until() {
            let text = "The provided certificate is not within its specified validity period.";
            return Err(Refusal::of_client(1_000_502, text));
        }
        if parts.claim("aud") != url {
            return Err(invalid("The audience of the assertion is not the token endpoint."));
        }
        if parts.claim("iss") != client_id || parts.claim("sub") != client_id {
            return Err(invalid("Issuer and subject of the assertion have to be the application."));
        }
        parts.check_times(now, LONGEST_SECONDS)?;
        let id = parts.claim("jti");
        if uuid::Uuid::try_parse(id).is_err() || !self.used.insert(id.to_owned()) {
            return Err(invalid("The assertion was used before."));
        }
        Ok(())
    }

    fn check_foreign(&self, parts: &Parts<'_>, now: Timestamp) -> Result<(), Refusal> {
        let is_it = |known: &&Federated| {
            known.issuer.url == parts.claim("iss")
                && known.subject == parts.claim("sub")
                && parts.claim("aud") == EXCHANGE
        };
        let known = self.federated.iter().find(is_it).ok_or_else(|| {
            let text = "No matching federated identity record found for presented assertion.";
            Refusal::new(70_021, "invalid_request", text)
        })?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, known.issuer.public_key());
        let is_signed =
            parts.header["alg"] == "RS256" && key.verify(parts.signed.as_bytes(), &parts.signature).is_ok();
        if !is_signed {
            return Err(Refusal::of_client(50_012, "The signature of the assertion is not its issuer's."));
        }
        parts.check_times(now, i64::MAX)
    }
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            signed,
            header: json(header)?,
            claims: json(claims)?,
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    fn claim(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap_or_default()
    }

    fn check_times(&self, now: Timestamp, longest: i64) -> Result<(), Refusal> {
        let time = |name: &str| self.claims[name].as_i64();
        let is_timely = time("exp").zip(time("nbf")).is_some_and(|(end, begin)| {
            now.as_second() < end
                && begin <= now.as_second() + SKEW_SECONDS
                && (1..=longest).contains(&(end - begin))
        });
        if is_timely {
            return Ok(());
        }
        Err(Refusal::of_client(500_133, "Assertion is not within its valid time range."))
    }
}
