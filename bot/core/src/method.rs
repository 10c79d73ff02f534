//! How can somebody sign in, and what did they register since?
//!
//! Kinds and times only: names, numbers and devices stay in the directory.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the directory's clock may be behind ours.
const SKEW: Duration = Duration::from_mins(2);

/// A way to sign in that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// What it is.
    pub kind: MethodKind,
    /// When it was registered; Entra tells that of some kinds only.
    pub created_at: Option<Timestamp>,
}

/// A kind of method.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MethodKind {
    /// A passkey: a security key, or one in Microsoft Authenticator.
    Passkey,
    /// Windows Hello for Business.
    WindowsHello,
    /// A credential that a platform keeps, on macOS.
    PlatformCredential,
    /// Microsoft Authenticator.
    Authenticator,
    /// One-time codes from an app.
    SoftwareToken,
    /// One-time codes from a device.
    HardwareToken,
    /// A phone.
    Phone,
    /// A mail address.
    Mail,
    /// The password, which everybody has.
    Password,
    /// A Temporary Access Pass.
    Pass,
    /// A kind that Microsoft added since, by its name.
    Other(String),
}

/// What was registered since some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    /// Kinds of methods that are new.
    pub new: Vec<MethodKind>,
    /// Kinds of methods of which nobody can tell whether they are.
    pub undated: Vec<MethodKind>,
}

impl Method {
    /// Whether it may have been registered since `since`: it was, or nobody can tell.
    #[must_use]
    pub fn may_be_since(&self, since: Timestamp) -> bool {
        let since = since.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
        self.kind.is_registered() && self.created_at.is_none_or(|at| at >= since)
    }
}

impl MethodKind {
    /// Whether it was registered to sign in with. The password is always there, and a pass is ours or another one's.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        match self {
            Self::Passkey
            | Self::WindowsHello
            | Self::PlatformCredential
            | Self::Authenticator
            | Self::SoftwareToken
            | Self::HardwareToken
            | Self::Phone
            | Self::Mail
            | Self::Other(_) => true,
            Self::Password | Self::Pass => false,
        }
    }
}

/// The kinds of the methods whose age the directory does not tell: what [`registered`] compares with later.
#[must_use]
pub fn undated(methods: &[Method]) -> Vec<MethodKind> {
    let undated = methods.iter().filter(|method| method.kind.is_registered() && method.created_at.is_none());
    undated.map(|method| method.kind.clone()).collect()
}

/// Which of `methods` were registered since `since`. `before` are the undated ones that were there earlier, if that was
/// read.
#[must_use]
pub fn registered(methods: &[Method], since: Timestamp, before: Option<&[MethodKind]>) -> Registered {
    let since = since.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
    let dated = methods.iter().filter(|method| method.kind.is_registered());
    let mut new: Vec<MethodKind> = dated
        .filter(|method| method.created_at.is_some_and(|at| at >= since))
        .map(|method| method.kind.clone())
        .collect();
    let mut undated = undated(methods);
    if let Some(before) = before {
        for kind in before {
            if let Some(place) = undated.iter().position(|other| other == kind) {
                undated.swap_remove(place);
            }
        }
        new.append(&mut undated);
    }
    new.sort();
    undated.sort();
    Registered { new, undated }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2026-11-23T12:00:00Z";

    fn method(kind: MethodKind, created_at: Option<&str>) -> Method {
        Method { kind, created_at: created_at.map(|at| at.parse().unwrap()) }
    }

    fn since_noon(methods: &[Method], before: Option<&[MethodKind]>) -> Registered {
        registered(methods, NOON.parse().unwrap(), before)
    }

    #[test]
    fn a_method_is_as_new_as_its_date() {
        let old = method(MethodKind::Passkey, Some("2026-11-23T11:57:59Z"));
        let new = method(MethodKind::WindowsHello, Some("2026-11-23T12:04:00Z"));
        let registered = since_noon(&[old, new], Some(&[]));
        assert_eq!(registered, Registered { new: vec![MethodKind::WindowsHello], undated: vec![] });
    }

    #[test]
    fn an_undated_method_is_new_if_there_are_more_of_its_kind_than_before() {
        let phones = [method(MethodKind::Phone, None), method(MethodKind::Phone, None)];
        let one = [MethodKind::Phone];
        assert_eq!(since_noon(&phones, Some(&one)).new, [MethodKind::Phone]);
        assert_eq!(since_noon(&phones[1..], Some(&one)), Registered::default());
    }

    #[test]
    fn without_knowing_what_was_there_an_undated_method_proves_nothing() {
        let phone = method(MethodKind::Phone, None);
        assert_eq!(since_noon(&[phone], None), Registered { new: vec![], undated: vec![MethodKind::Phone] });
    }

    #[test]
    fn the_password_and_the_pass_itself_are_not_news() {
        let pass = method(MethodKind::Pass, Some("2026-11-23T12:01:00Z"));
        let password = method(MethodKind::Password, None);
        assert_eq!(since_noon(&[pass, password], None), Registered::default());
    }
}
