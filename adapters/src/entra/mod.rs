//! Who is tapdesk to Entra?
//!
//! An [`App`] of one tenant, with a [`Credential`] that proves it: a secret, a certificate, a token of another issuer, or
//! the identity of the machine. [`Tokens`] are what it gets for that, for one resource. Nothing here knows what the
//! tokens are for. One sub-module per question: `cloud` and `tenant` (where), `credential`, `certificate`, `files` and
//! `identity` (with which proof), `tokens` (how long), `request` (over the wire), `denial` (what a refusal means).

mod certificate;
mod cloud;
mod credential;
mod denial;
mod files;
mod identity;
mod request;
mod tenant;
mod tokens;

use std::fmt;
use std::time::Duration;

pub use certificate::Validity;
pub use cloud::{Cloud, NoCloud, has_no_passes};
pub use credential::Credential;
pub use files::Unusable;
pub use identity::{Endpoint, IMDS, ManagedIdentity, NoEndpoint};
pub use tenant::{NotATenant, TenantId};
pub use tokens::Tokens;
use url::{Host, Url};

/// The pause before the first repeat of a call.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// An app of one tenant.
#[derive(Debug)]
pub struct App {
    /// Where tokens come from, usually [`Cloud::authority`]; plain HTTP only on loopback.
    pub authority: Url,
    /// The one tenant; the tenant of every token is compared with it.
    pub tenant_id: TenantId,
    /// The id of the app; empty for a managed identity, which brings its own.
    pub client_id: String,
    /// What proves it.
    pub credential: Credential,
    /// The pause before the first repeat of a request for a token, usually [`RETRY_PAUSE`]; later pauses grow from it.
    pub retry_pause: Duration,
}

/// An app that would be unsafe or cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// An authority that is no bare origin, or that would get the proof unencrypted.
    #[error(
        "the authority has to be like https://login.microsoftonline.com: https, no path (http only on loopback)"
    )]
    Authority,
    /// A resource that is no bare origin, or that would get tokens unencrypted.
    #[error("base_url has to be like https://graph.microsoft.com: https, no path (http only on loopback)")]
    Resource,
    /// No app.
    #[error("client_id is empty: it is the application id of the Entra app")]
    ClientId,
    /// No secret.
    #[error("the client secret of the Entra app is empty")]
    ClientSecret,
}

/// Whether secrets may be sent there: encrypted, or to this very machine.
pub(crate) fn is_safe_origin(url: &Url) -> bool {
    let is_bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_bare && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

/// What proves an app, by kind: it decides what a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A client secret.
    Secret,
    /// A certificate, whose key signs an assertion.
    Certificate,
    /// A token of another issuer that the app trusts.
    Federated,
    /// The identity of the machine.
    ManagedIdentity,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "a client secret",
            Self::Certificate => "a certificate",
            Self::Federated => "a federated token",
            Self::ManagedIdentity => "a managed identity",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_encrypted_or_not_at_all() {
        let is_safe = |text: &str| is_safe_origin(&text.parse().unwrap());
        for safe in [
            "https://login.microsoftonline.com",
            "http://127.0.0.1:4711",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_ in [
            "http://graph.microsoft.com",
            "https://graph.microsoft.com/v1.0",
            "https://user:word@graph.microsoft.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
        ] {
            assert!(!is_safe(unsafe_), "{unsafe_}");
        }
    }
}
