//! With what does tapdesk prove itself in a story, and where does the administrator keep it?

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize, date_time_ymd};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{EXCHANGE, Entra};
use crate::chance;

/// Whom tapdesk is in the tokens of another issuer.
pub const SUBJECT: &str = "system:serviceaccount:tapdesk:tapdesk";
/// How long such a token is good.
const FEDERATED_SECONDS: i64 = 3600;

/// What proves tapdesk to Entra.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proof {
    /// A secret in the configuration.
    #[default]
    Secret,
    /// A secret in a file.
    SecretFile,
    /// A certificate and its key.
    Certificate,
    /// Another issuer's token.
    Federated,
    /// The machine's own identity.
    Machine,
    /// An identity that was assigned to the machine.
    Assigned,
}

/// Every proof there is.
pub const EVERY_PROOF: [Proof; 6] =
    [Proof::Secret, Proof::SecretFile, Proof::Certificate, Proof::Federated, Proof::Machine, Proof::Assigned];

/// The directory in which an administrator keeps what proves tapdesk. It is apart from tapdesk's own files: what is in
/// here may be nowhere else.
pub struct Proofs {
    directory: TempDir,
    /// Whose tokens tapdesk may show.
    pub issuer: Issuer,
}

impl Proofs {
    /// Lays out what the proof needs, and registers it; gives back the lines of `[graph]`.
    pub(crate) fn lay_out(proof: Proof, entra: &Entra, now: Timestamp) -> anyhow::Result<(Self, String)> {
        let proofs = Self { directory: tempfile::tempdir()?, issuer: Issuer::new() };
        let client = format!("client_id = \"{}\"\n", entra.client_id);
        let lines = match proof {
            Proof::Secret => format!("{client}client_secret = '{}'", entra.client_secret()),
            Proof::SecretFile => {
                proofs.write("secret", &(entra.client_secret() + "\n"))?;
                format!("{client}client_secret_file = \"{}\"", proofs.path("secret").display())
            }
            Proof::Certificate => {
                let pair = Pair::lasting(0)?;
                proofs.keep_pair(&pair)?;
                entra.upload(pair);
                let (certificate, key) = (proofs.path("certificate.pem"), proofs.path("key.pem"));
                let (certificate, key) = (certificate.display(), key.display());
                format!("{client}certificate_file = \"{certificate}\"\nkey_file = \"{key}\"")
            }
            Proof::Federated => {
                entra.trust(&proofs.issuer, SUBJECT);
                proofs.renew_token(now)?;
                format!("{client}federated_token_file = \"{}\"", proofs.path("token").display())
            }
            Proof::Machine => format!("managed_identity = true\nimds_url = \"{}\"", entra.machine.url),
            Proof::Assigned => {
                format!("managed_identity = \"{}\"\nimds_url = \"{}\"", entra.client_id, entra.machine.url)
            }
        };
        Ok((proofs, lines))
    }

    /// Where one of the files is: `secret`, `certificate.pem`, `key.pem`, `token`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes one of the files.
    pub fn write(&self, name: &str, content: &str) -> anyhow::Result<()> {
        std::fs::write(self.path(name), content).context("the administrator's directory")
    }

    /// Puts a certificate and its key where tapdesk looks for them.
    pub fn keep_pair(&self, pair: &Pair) -> anyhow::Result<()> {
        self.write("certificate.pem", &pair.certificate)?;
        self.write("key.pem", &pair.key)
    }

    /// Puts a fresh token of the issuer where tapdesk looks for it.
    pub fn renew_token(&self, now: Timestamp) -> anyhow::Result<()> {
        self.write("token", &self.issuer.token(SUBJECT, EXCHANGE, now)?)
    }

    /// What of these files may be found nowhere: whole lines of a key, and what is one line anyway.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        let of_key = read("key.pem");
        let lines = of_key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned);
        lines.chain(["secret", "token"].map(|name| read(name).trim().to_owned())).collect()
    }
}

/// A certificate and its key, as an administrator makes them.
#[derive(Clone)]
pub struct Pair {
    /// The certificate in PEM.
    pub certificate: String,
    /// Its key in PEM.
    pub key: String,
    thumbprint: String,
    public: Vec<u8>,
    until: Timestamp,
}

impl Pair {
    /// One of two pairs that are good for longer than stories are told.
    pub fn lasting(which: usize) -> anyhow::Result<Self> {
        Self::new(which, "2026-01-01".parse()?, "2049-12-31".parse()?)
    }

    /// One of two keys, with a certificate for those days.
    pub fn new(which: usize, from: Date, until: Date) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(key(which)?)?;
        let mut params = CertificateParams::new(vec!["tapdesk".to_owned()])?;
        let day = |date: Date| {
            anyhow::Ok(date_time_ymd(date.year().into(), date.month().try_into()?, date.day().try_into()?))
        };
        (params.not_before, params.not_after) = (day(from)?, day(until)?);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der())),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            public: key.der_bytes().to_vec(),
            until: until.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp(),
        })
    }

    /// The SHA-256 of the certificate, as an assertion names it.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public
    }

    pub(super) const fn until(&self) -> Timestamp {
        self.until
    }
}

/// Making an RSA key takes a while: two serve every story of the process.
fn key(which: usize) -> anyhow::Result<&'static str> {
    static KEYS: [OnceLock<String>; 2] = [OnceLock::new(), OnceLock::new()];
    let place = KEYS.get(which).context("there are two keys")?;
    if let Some(key) = place.get() {
        return Ok(key);
    }
    let made = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?.serialize_pem();
    Ok(place.get_or_init(|| made))
}

/// Somebody else who signs tokens: a cluster, a pipeline.
#[derive(Clone)]
pub struct Issuer {
    /// Its name.
    pub url: String,
    public: Vec<u8>,
}

impl Issuer {
    fn new() -> Self {
        let url = format!("https://{}.oidc.contoso.example/", chance::id("issuer"));
        let public = signer().map(|key| key.public_key().as_ref().to_vec()).unwrap_or_default();
        Self { url, public }
    }

    /// A token for that subject and audience, good for an hour.
    pub fn token(&self, subject: &str, audience: &str, now: Timestamp) -> anyhow::Result<String> {
        let issued = now.as_second();
        let claims = json!({
            "iss": self.url, "sub": subject, "aud": audience, "iat": issued, "nbf": issued,
            "exp": issued + FEDERATED_SECONDS, "jti": chance::id("federated"),
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed =
            format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT", "kid": "1"})), part(&claims));
        let key = signer()?;
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| anyhow::anyhow!("the issuer cannot sign"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public
    }
}

/// The key of every issuer.
fn signer() -> anyhow::Result<RsaKeyPair> {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    let der = if let Some(der) = KEY.get() {
        der
    } else {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?;
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der()?;
        let der = der.as_ref().to_vec();
        KEY.get_or_init(|| der)
    };
    RsaKeyPair::from_pkcs8(der).map_err(|error| anyhow::anyhow!("{error}"))
}
