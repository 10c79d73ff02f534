//! What does an auditor read of an ending?

use super::Ending;
use crate::people::Human;

impl Ending {
    /// Its name in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
            Self::Refused(_) => "refused",
            Self::Denied(_) => "denied",
            Self::Mismatched(_) => "mismatched",
            Self::Cancelled => "cancelled",
            Self::Withdrawn(_) => "withdrawn",
            Self::LapsedUndecided => "lapsed_undecided",
            Self::LapsedUnclaimed => "lapsed_unclaimed",
            Self::Locked => "locked",
            Self::Reported => "reported",
            Self::Doubted { .. } => "doubted",
            Self::SetAside(_) => "set_aside",
        }
    }

    /// The reason, without the names that it may hold.
    pub(super) fn why(&self) -> Option<&'static str> {
        match self {
            Self::Refused(reason) => Some(reason.name()),
            Self::Used
            | Self::Expired
            | Self::Revoked(_)
            | Self::Denied(_)
            | Self::Mismatched(_)
            | Self::Cancelled
            | Self::Withdrawn(_)
            | Self::LapsedUndecided
            | Self::LapsedUnclaimed
            | Self::Locked
            | Self::Reported
            | Self::Doubted { .. }
            | Self::SetAside(_) => None,
        }
    }

    /// Who ended it, where somebody known by object id did.
    pub(crate) fn by(&self) -> Option<&Human> {
        match self {
            Self::Revoked(human)
            | Self::Denied(human)
            | Self::Mismatched(human)
            | Self::Withdrawn(human)
            | Self::Doubted { by: human, .. } => Some(human),
            Self::Used
            | Self::Expired
            | Self::Refused(_)
            | Self::Cancelled
            | Self::LapsedUndecided
            | Self::LapsedUnclaimed
            | Self::Locked
            | Self::Reported
            | Self::SetAside(_) => None,
        }
    }
}
