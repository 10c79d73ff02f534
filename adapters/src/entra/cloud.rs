//! In which of Microsoft's clouds is the tenant? Tokens of one are worth nothing in another.
//!
//! See <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud> and
//! <https://learn.microsoft.com/graph/deployments>, read in November 2026.

use std::str::FromStr;

use serde::Deserialize;
use url::Url;

/// A cloud in which Graph makes Temporary Access Passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Cloud {
    /// The public cloud, also GCC: `"global"`.
    #[default]
    Global,
    /// US Government L4, GCC High: `"us-gov"`.
    UsGov,
    /// US Government L5, DoD: `"us-dod"`.
    UsDod,
}

/// A name that stands for no cloud that tapdesk can work in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCloud {
    /// A cloud without the one thing that tapdesk is for.
    #[error(
        "{what} has no Temporary Access Passes (Microsoft Graph v1.0 does not offer them there): tapdesk cannot help in it"
    )]
    WithoutPasses {
        /// The cloud.
        what: &'static str,
    },
    /// Not a cloud's name.
    #[error("{name:?} is no cloud; there are \"global\" (also GCC), \"us-gov\" (GCC High) and \"us-dod\"")]
    Unknown {
        /// What was written.
        name: String,
    },
}

const CHINA: &str = "the China cloud of 21Vianet";

impl Cloud {
    /// Where tokens come from.
    #[must_use]
    pub const fn authority(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsDod => "https://login.microsoftonline.us",
        }
    }

    /// Where Graph is.
    #[must_use]
    pub const fn graph(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsDod => "https://dod-graph.microsoft.us",
        }
    }
}

impl FromStr for Cloud {
    type Err = NoCloud;

    fn from_str(name: &str) -> Result<Self, NoCloud> {
        match name {
            "global" => Ok(Self::Global),
            "us-gov" => Ok(Self::UsGov),
            "us-dod" => Ok(Self::UsDod),
            "china" => Err(NoCloud::WithoutPasses { what: CHINA }),
            "bleu" => Err(NoCloud::WithoutPasses { what: "the French cloud Bleu" }),
            "delos" => Err(NoCloud::WithoutPasses { what: "the German cloud Delos" }),
            other => Err(NoCloud::Unknown { name: other.to_owned() }),
        }
    }
}

impl TryFrom<String> for Cloud {
    type Error = NoCloud;

    fn try_from(name: String) -> Result<Self, NoCloud> {
        name.parse()
    }
}

/// Why nothing can be done at an address of Entra or Graph that somebody wrote out: a cloud without passes by another name.
#[must_use]
pub fn has_no_passes(address: &Url) -> Option<NoCloud> {
    let host = address.host_str()?.trim_end_matches('.');
    let is_there = ["chinacloudapi.cn", "microsoftonline.cn"]
        .into_iter()
        .any(|domain| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')));
    is_there.then_some(NoCloud::WithoutPasses { what: CHINA })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_for_the_addresses_of_its_cloud() {
        let addresses = |name: &str| {
            let cloud: Cloud = name.parse().unwrap();
            [cloud.authority(), cloud.graph()]
        };
        assert_eq!(addresses("global"), ["https://login.microsoftonline.com", "https://graph.microsoft.com"]);
        assert_eq!(addresses("us-gov"), ["https://login.microsoftonline.us", "https://graph.microsoft.us"]);
        assert_eq!(
            addresses("us-dod"),
            ["https://login.microsoftonline.us", "https://dod-graph.microsoft.us"]
        );
    }

    #[test]
    fn a_cloud_without_passes_is_refused_with_the_reason_by_name_and_by_address() {
        for name in ["china", "bleu", "delos"] {
            let error = name.parse::<Cloud>().unwrap_err().to_string();
            assert!(error.contains("no Temporary Access Passes"), "{error}");
        }
        assert!("public".parse::<Cloud>().unwrap_err().to_string().contains("\"us-dod\""));
        let refused = |text: &str| has_no_passes(&text.parse().unwrap()).is_some();
        for there in [
            "https://login.partner.microsoftonline.cn",
            "https://login.chinacloudapi.cn",
            "https://microsoftgraph.chinacloudapi.cn",
        ] {
            assert!(refused(there), "{there}");
        }
        assert!(!refused("https://graph.microsoft.com") && !refused("https://notchinacloudapi.cn"));
    }
}
