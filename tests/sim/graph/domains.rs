//! Which domains does the tenant have, and who signs their people in?

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Tenant;
use super::door::{Answer, Problem};
use super::query::Asked;
use crate::chance;

const READ: &[&str] = &["Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All"];
const READ_FEDERATION: &[&str] =
    &["Domain-InternalFederation.Read.All", "Domain-InternalFederation.ReadWrite.All"];

/// A verified domain.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    pub(super) name: String,
    /// `federatedIdpMfaBehavior`, where the domain is federated.
    pub(super) federation: Option<String>,
}

pub(super) async fn list(State(tenant): State<Tenant>, asked: Asked) -> Answer {
    asked.only(&["$select", "$top"])?;
    asked.caller.must_have(READ)?;
    let items: Vec<Value> = tenant.with(|desk| desk.domains.iter().map(shape).collect());
    asked.page("domains", &items, tenant.with(|desk| desk.page_size))
}

pub(super) async fn federation(
    State(tenant): State<Tenant>,
    Path(name): Path<String>,
    asked: Asked,
) -> Answer {
    asked.only(&[])?;
    asked.caller.must_have(READ_FEDERATION)?;
    let found = tenant.with(|desk| desk.domains.iter().find(|domain| domain.name == name).cloned());
    let behaviour = found.and_then(|domain| domain.federation).ok_or_else(|| Problem::not_found(&name))?;
    let item = json!({
        "@odata.type": "#microsoft.graph.internalDomainFederation",
        "id": chance::id_of("federation", &name),
        "displayName": name,
        "issuerUri": format!("http://{name}/adfs/services/trust"),
        "metadataExchangeUri": format!("https://sts.{name}/adfs/services/trust/mex"),
        "signingCertificate": "MIIE3jCCAsagAwIBAgIQ",
        "passiveSignInUri": format!("https://sts.{name}/adfs/ls"),
        "preferredAuthenticationProtocol": "wsFed",
        "activeSignInUri": format!("https://sts.{name}/adfs/services/trust/2005/usernamemixed"),
        "signOutUri": format!("https://sts.{name}/adfs/ls"),
        "promptLoginBehavior": "nativeSupport",
        "isSignedAuthenticationRequestRequired": true,
        "nextSigningCertificate": null,
        "federatedIdpMfaBehavior": behaviour,
    });
    asked.page(&format!("domains('{name}')/federationConfiguration"), &[item], 10)
}

fn shape(domain: &Domain) -> Value {
    json!({
        "authenticationType": if domain.federation.is_some() { "Federated" } else { "Managed" },
        "availabilityStatus": null, "isAdminManaged": true, "isDefault": domain.federation.is_none(),
        "isInitial": false, "isRoot": true, "isVerified": true, "id": domain.name,
        "supportedServices": ["Email", "OfficeCommunicationsOnline"],
    })
}
