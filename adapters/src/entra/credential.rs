//! What proves to Entra that we are this app?

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tapdesk_core::ports::Clock;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::certificate::{Certificate, Validity};
use super::denial::Failure;
use super::files::{Fault, Files, Named, Unusable};
use super::identity::ManagedIdentity;
use super::{App, Proof};
use crate::secret::Secret;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves an app, for whatever it asks a token for. Files are read again before each token.
pub struct Credential(Kind);

pub(super) enum Kind {
    Secret(Secret),
    SecretFile(Arc<Files<Secret>>),
    Certificate(Arc<Files<Certificate>>),
    Federated(Arc<Files<Secret>>),
    ManagedIdentity(ManagedIdentity),
}

/// The fields of a request for a token that prove the app.
pub(super) type Fields = Vec<(&'static str, Zeroizing<String>)>;

impl Credential {
    /// A client secret.
    #[must_use]
    pub const fn secret(secret: Secret) -> Self {
        Self(Kind::Secret(secret))
    }

    /// A client secret in a file. `section` is where the configuration names the file, for messages.
    pub fn secret_file(section: &str, client_secret_file: PathBuf) -> Result<Self, Unusable> {
        let named = vec![Named { key: format!("{section}.client_secret_file"), path: client_secret_file }];
        Files::open(named, |contents| line(&contents[0])).map(Kind::SecretFile).map(Self)
    }

    /// A certificate and its key, in PEM files that may be one.
    pub fn certificate(
        section: &str,
        certificate_file: PathBuf,
        key_file: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unusable> {
        let named = vec![
            Named { key: format!("{section}.certificate_file"), path: certificate_file },
            Named { key: format!("{section}.key_file"), path: key_file },
        ];
        let files = Files::open(named, move |contents| {
            let read = Certificate::parse(&contents[0], &contents[1])?;
            match read.validity().fault(clock.now()) {
                None => Ok(read),
                Some(what) => Err(Fault { file: 0, what }),
            }
        })?;
        Ok(Self(Kind::Certificate(files)))
    }

    /// A token of another issuer, in a file that somebody keeps fresh.
    pub fn federated(section: &str, federated_token_file: PathBuf) -> Result<Self, Unusable> {
        let named =
            vec![Named { key: format!("{section}.federated_token_file"), path: federated_token_file }];
        Files::open(named, |contents| foreign_token(&contents[0])).map(Kind::Federated).map(Self)
    }

    /// The identity of the machine.
    #[must_use]
    pub const fn managed_identity(identity: ManagedIdentity) -> Self {
        Self(Kind::ManagedIdentity(identity))
    }

    /// Which kind of proof it is.
    #[must_use]
    pub const fn proof(&self) -> Proof {
        match &self.0 {
            Kind::Secret(_) | Kind::SecretFile(_) => Proof::Secret,
            Kind::Certificate(_) => Proof::Certificate,
            Kind::Federated(_) => Proof::Federated,
            Kind::ManagedIdentity(_) => Proof::ManagedIdentity,
        }
    }

    /// When it is good, where it says so itself: a certificate does.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        match &self.0 {
            Kind::Certificate(files) => Some(files.last().validity()),
            Kind::Secret(_) | Kind::SecretFile(_) | Kind::Federated(_) | Kind::ManagedIdentity(_) => None,
        }
    }

    /// What somebody has to do about it before long.
    #[must_use]
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        self.validity()?.warning(now)
    }

    pub(super) const fn kind(&self) -> &Kind {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.0, Kind::Secret(secret) if secret.expose().is_empty())
    }

    /// The proof itself, for the token endpoint `audience`. `id` is fresh each time.
    pub(super) async fn fields(
        &self,
        app: &App,
        audience: &str,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Fields, Failure> {
        let expose = |secret: &Secret| Zeroizing::new(secret.expose().to_owned());
        Ok(match &self.0 {
            Kind::Secret(secret) => vec![("client_secret", expose(secret))],
            Kind::SecretFile(files) => vec![("client_secret", expose(&*files.now().await))],
            Kind::Certificate(files) => assertion(signed(&*files.now().await, app, audience, id, now)?),
            Kind::Federated(files) => assertion(expose(&*files.now().await)),
            Kind::ManagedIdentity(_) => Vec::new(),
        })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.proof())
    }
}

fn assertion(text: Zeroizing<String>) -> Fields {
    vec![("client_assertion_type", Zeroizing::new(JWT_BEARER.to_owned())), ("client_assertion", text)]
}

fn signed(
    certificate: &Certificate,
    app: &App,
    audience: &str,
    id: Uuid,
    now: Timestamp,
) -> Result<Zeroizing<String>, Failure> {
    if let Some(what) = certificate.validity().fault(now) {
        return Err(Failure::fatal(format!("certificate_file: {what}")));
    }
    if let Some(warning) = certificate.validity().warning(now) {
        tracing::warn!(certificate = certificate.fingerprint(), "{warning}");
    }
    tracing::debug!(certificate = certificate.fingerprint(), "an assertion is signed for Entra");
    certificate
        .assertion(&app.client_id, audience, id, now)
        .map_err(|_| Failure::fatal("key_file: the key signs nothing: make certificate and key anew"))
}

/// A secret in a file, without the newline that editors add.
fn line(content: &[u8]) -> Result<Secret, Fault> {
    let fault = |what: &str| Fault { file: 0, what: what.to_owned() };
    let text = std::str::from_utf8(content).map_err(|_| fault("is not text"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(fault("is empty")) } else { Ok(Secret::new(text.to_owned())) }
}

/// What another issuer signed: three parts, whose meaning is between that issuer and Entra.
fn foreign_token(content: &[u8]) -> Result<Secret, Fault> {
    let text = std::str::from_utf8(content).unwrap_or_default().trim();
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
    };
    if text.split('.').count() == 3 && text.split('.').all(is_part) {
        return Ok(Secret::new(text.to_owned()));
    }
    Err(Fault { file: 0, what: "holds no token (a JWT: three parts with dots between them)".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_prints_its_kind_alone() {
        let secret = Credential::secret(Secret::new("canary-7f3a".to_owned()));
        assert_eq!(format!("{secret:?}"), "Credential(a client secret)");
    }

    #[test]
    fn what_is_no_token_is_not_sent_as_one() {
        for good in ["e30.e30.c2ln", " e30.e30.c2ln\n"] {
            assert_eq!(foreign_token(good.as_bytes()).ok().unwrap().expose(), "e30.e30.c2ln");
        }
        for bad in ["", "e30.e30", "e30..c2ln", "e30.e30.c2ln.x", "<html>a.b.c", "e30.e30.c2 ln"] {
            assert!(foreign_token(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_comes_without_the_newline_of_its_file() {
        assert_eq!(line(b"s3cret~\r\n").ok().unwrap().expose(), "s3cret~");
        assert!(line(b"\n").is_err() && line(&[0xff, 0xfe]).is_err());
    }
}
