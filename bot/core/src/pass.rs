//! What is a pass to us, and what is its passcode allowed to do?

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ids::PassId;

/// The passcode of a pass: bytes that exist between Graph's 201 and the subject's screen.
///
/// No `Display`, no `Serialize`, no `Clone`; wiped on drop.
pub struct Passcode(Zeroizing<Vec<u8>>);

impl Passcode {
    /// Takes ownership of bytes that the caller has no other copy of.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The passcode itself. The one caller is the answer to a claim.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passcode(…)")
    }
}

/// A pass as Graph lists it: everything but the passcode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassMeta {
    /// Graph's id of the pass.
    pub id: PassId,
    /// When Graph made it.
    pub created_at: Timestamp,
    /// When its lifetime starts.
    pub starts_at: Timestamp,
    /// How long it lives, in whole minutes.
    pub lifetime: Duration,
    /// Whether one sign-in spends it.
    pub one_time: bool,
    /// Whether Entra says that it can be used now, and if not, why.
    pub usability: Usability,
}

impl PassMeta {
    /// The first instant at which Entra accepts it no longer.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX)
    }

    /// Whether somebody could still sign in with it, now or later.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let spent = match &self.usability {
            Usability::Expired | Usability::OneTimeUsed => true,
            Usability::Usable
            | Usability::NotYetValid
            | Usability::DisabledByPolicy
            | Usability::Other(_) => false,
        };
        !spent && now < self.ends_at()
    }
}

/// Graph's `methodUsabilityReason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Usability {
    /// `EnabledByPolicy`
    Usable,
    /// `NotYetValid`: it starts later.
    NotYetValid,
    /// `Expired`
    Expired,
    /// `OneTimeUsed`
    OneTimeUsed,
    /// `DisabledByPolicy`: it exists and will be refused at sign-in.
    DisabledByPolicy,
    /// A word that Graph did not document.
    Other(String),
}

/// What Graph answered to a create: the pass, and the only copy of its passcode.
#[derive(Debug)]
pub struct NewPass {
    /// The pass.
    pub meta: PassMeta,
    /// Its passcode; nothing where no pass is made, in an evaluation.
    pub passcode: Option<Passcode>,
}

/// The pass that we ask Graph for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassWish {
    /// Lifetime in whole minutes, already inside the tenant's range.
    pub lifetime: Duration,
    /// Whether one sign-in spends it.
    pub one_time: bool,
}

/// The tenant's Temporary Access Pass policy, as far as it binds us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassPolicy {
    /// Whether passes are on at all.
    pub enabled: bool,
    /// Shortest lifetime that Graph accepts.
    pub shortest: Duration,
    /// Longest lifetime that Graph accepts.
    pub longest: Duration,
    /// Whether every pass is one-time, whatever is asked for.
    pub always_one_time: bool,
    /// Whom the policy is for.
    pub includes: PolicyTargets,
    /// Whom it leaves out; wins over `includes`.
    pub excludes: PolicyTargets,
}

/// Targets of the tenant's pass policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTargets {
    /// Graph's literal `all_users`.
    pub everybody: bool,
    /// Groups, by object id.
    pub groups: Vec<crate::ids::GroupId>,
    /// Persons, by object id.
    pub people: Vec<crate::ids::PersonId>,
}

impl PassPolicy {
    /// The wish moved into the tenant's range, and whether that changed it.
    #[must_use]
    pub fn clamp(&self, wished: Duration, one_time: bool) -> (PassWish, bool) {
        let lifetime = wished.clamp(self.shortest, self.longest.max(self.shortest));
        let one_time = one_time || self.always_one_time;
        (PassWish { lifetime, one_time }, lifetime != wished)
    }
}
