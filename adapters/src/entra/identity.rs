//! Where does the machine say who it is?
//!
//! A virtual machine's metadata service (IMDS), or what App Service, Functions and Container Apps announce in two
//! environment variables. Both are reached without a proxy, and neither outside the machine's own network.
//! See <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token> and
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity>, read in November 2026.

use std::fmt;

use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder};
use url::{Host, Url};

use crate::secret::Secret;

/// The metadata service of every virtual machine in Azure.
pub const IMDS: &str = "http://169.254.169.254";

/// The identity of the machine that tapdesk runs on.
#[derive(Debug)]
pub struct ManagedIdentity {
    /// Where it is asked for.
    pub endpoint: Endpoint,
    /// Which one, where several are assigned: its client id. `None` is the machine's own.
    pub client_id: Option<String>,
}

/// Where tokens of the machine's identity come from.
pub enum Endpoint {
    /// The metadata service, usually at [`IMDS`].
    Imds(Url),
    /// What App Service and its relatives announce.
    AppService {
        /// `IDENTITY_ENDPOINT`.
        url: Url,
        /// `IDENTITY_HEADER`, which only the app itself knows.
        header: Secret,
    },
}

/// An environment from which no identity can be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// The announced address would not be this machine's.
    #[error("IDENTITY_ENDPOINT is no address of this machine or its network")]
    Elsewhere,
    /// Half an announcement.
    #[error(
        "IDENTITY_ENDPOINT is set and IDENTITY_HEADER is not: Azure Arc is not supported; use certificate_file and key_file"
    )]
    Arc,
    /// A certificate of the platform's own, which nobody signed.
    #[error("Service Fabric is not supported; use certificate_file and key_file")]
    ServiceFabric,
}

impl Endpoint {
    /// The endpoint of this machine, by what its platform announces in the environment.
    pub fn of_machine(imds: Url, environment: impl Fn(&str) -> Option<String>) -> Result<Self, NoEndpoint> {
        let announced = |name: &str| environment(name).filter(|value| !value.is_empty());
        let Some(address) = announced("IDENTITY_ENDPOINT") else { return Ok(Self::Imds(imds)) };
        if announced("IDENTITY_SERVER_THUMBPRINT").is_some() {
            return Err(NoEndpoint::ServiceFabric);
        }
        let header = Secret::new(announced("IDENTITY_HEADER").ok_or(NoEndpoint::Arc)?);
        let url = Url::parse(&address).ok().filter(is_near).ok_or(NoEndpoint::Elsewhere)?;
        Ok(Self::AppService { url, header })
    }

    /// What the log calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Imds(_) => "/metadata/identity/oauth2/token",
            Self::AppService { .. } => "IDENTITY_ENDPOINT",
        }
    }
}

impl ManagedIdentity {
    /// A request for a token for that resource.
    pub(super) fn request(&self, http: &Client, resource: &str) -> RequestBuilder {
        let (mut url, version, name, value) = match &self.endpoint {
            Endpoint::Imds(base) => {
                let mut url = base.clone();
                url.set_path("/metadata/identity/oauth2/token");
                (url, "2018-02-01", "metadata", HeaderValue::from_static("true"))
            }
            Endpoint::AppService { url, header } => {
                // A header that cannot be sent is refused by the endpoint, as a wrong one is.
                let mut value =
                    HeaderValue::from_str(header.expose()).unwrap_or_else(|_| HeaderValue::from_static(""));
                value.set_sensitive(true);
                (url.clone(), "2019-08-01", "x-identity-header", value)
            }
        };
        url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", resource);
        if let Some(client_id) = &self.client_id {
            url.query_pairs_mut().append_pair("client_id", client_id);
        }
        http.get(url).header(name, value)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an announced address belongs to the machine or the network that the platform puts it in.
fn is_near(url: &Url) -> bool {
    let is_near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local() || address.is_private(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local()
        }
        None => false,
    };
    is_near && matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Endpoint, NoEndpoint> {
        let environment = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Endpoint::of_machine(IMDS.parse().unwrap(), environment)
    }

    #[test]
    fn the_platform_announces_its_endpoint_or_there_is_the_metadata_service() {
        assert!(matches!(found(&[]), Ok(Endpoint::Imds(_))));
        assert!(matches!(found(&[("IDENTITY_ENDPOINT", "")]), Ok(Endpoint::Imds(_))));
        for near in [
            "http://127.0.0.1:41055/msi/token",
            "http://localhost:42356/msi/token",
            "http://169.254.130.2:8081/msi/token",
        ] {
            let announced = found(&[("IDENTITY_ENDPOINT", near), ("IDENTITY_HEADER", "853b9a84")]);
            assert!(matches!(announced, Ok(Endpoint::AppService { .. })), "{near}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_the_reason() {
        let here = ("IDENTITY_ENDPOINT", "http://127.0.0.1:40342/metadata/identity/oauth2/token");
        assert_eq!(found(&[here]).unwrap_err(), NoEndpoint::Arc);
        let header = ("IDENTITY_HEADER", "853b9a84");
        let fabric = [here, header, ("IDENTITY_SERVER_THUMBPRINT", "00")];
        assert_eq!(found(&fabric).unwrap_err(), NoEndpoint::ServiceFabric);
        for elsewhere in ["http://example.com/msi/token", "http://8.8.8.8/", "file:///etc/passwd", "msi"] {
            assert_eq!(
                found(&[("IDENTITY_ENDPOINT", elsewhere), header]).unwrap_err(),
                NoEndpoint::Elsewhere
            );
        }
    }
}
