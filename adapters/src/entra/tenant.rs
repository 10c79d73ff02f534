//! Which tenant? One, by id: never "whoever signs in".

use std::fmt;
use std::str::FromStr;

use uuid::{Uuid, uuid};

/// The tenant of personal Microsoft accounts, which no organisation owns.
const CONSUMERS: Uuid = uuid!("9188040d-6c67-4c5b-b112-36a304b66dad");

/// The one tenant whose people tapdesk serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantId(Uuid);

/// A text that does not name one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of one tenant (a GUID; common, organizations and consumers stand for many tenants)")]
pub struct NotATenant;

impl TenantId {
    /// The id.
    #[must_use]
    pub const fn id(self) -> Uuid {
        self.0
    }
}

impl FromStr for TenantId {
    type Err = NotATenant;

    fn from_str(text: &str) -> Result<Self, NotATenant> {
        match Uuid::try_parse(text) {
            Ok(id) if !id.is_nil() && id != CONSUMERS => Ok(Self(id)),
            Ok(_) | Err(_) => Err(NotATenant),
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_one_tenant() {
        let id = "5a1c8b1e-93a4-4c2a-8a79-0d5cbb2f9a10";
        assert_eq!(id.parse::<TenantId>().unwrap().to_string(), id);
        for many in [
            "common",
            "organizations",
            "consumers",
            "contoso.onmicrosoft.com",
            "",
            "00000000-0000-0000-0000-000000000000",
            "9188040d-6c67-4c5b-b112-36a304b66dad",
        ] {
            assert_eq!(many.parse::<TenantId>(), Err(NotATenant), "{many}");
        }
    }
}
