//! How can a person sign in?
//!
//! Only the type and the date of a method are read: numbers, names and keys stay in Graph.

use jiff::Timestamp;
use serde::Deserialize;
use tapdesk_core::ids::PersonId;
use tapdesk_core::method::{Method, MethodKind};
use tapdesk_core::ports::PortError;

use super::Graph;
use super::call::Call;
use crate::http::word;

const METHODS: &str = "UserAuthenticationMethod.Read.All";

/// Graph's `authenticationMethod`. The v1.0 documentation of 2026 dates some types and leaves out others, and its own
/// example writes `creationDateTime` for a passkey.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "@odata.type")]
    kind: String,
    created_date_time: Option<Timestamp>,
    creation_date_time: Option<Timestamp>,
}

pub(super) async fn methods(graph: &Graph, person: PersonId) -> Result<Vec<Method>, PortError> {
    let url = graph.address(&["users", &person.to_string(), "authentication", "methods"], "");
    let entries: Vec<Entry> =
        graph.all(Call::get(url, "/users/{id}/authentication/methods", METHODS)).await?;
    Ok(entries.into_iter().map(Method::from).collect())
}

impl From<Entry> for Method {
    fn from(entry: Entry) -> Self {
        Self { kind: kind(&entry.kind), created_at: entry.created_date_time.or(entry.creation_date_time) }
    }
}

fn kind(odata_type: &str) -> MethodKind {
    let name = odata_type.trim_start_matches("#microsoft.graph.");
    match name.strip_suffix("AuthenticationMethod").unwrap_or(name) {
        "fido2" => MethodKind::Passkey,
        "windowsHelloForBusiness" => MethodKind::WindowsHello,
        "platformCredential" => MethodKind::PlatformCredential,
        "microsoftAuthenticator" | "passwordlessMicrosoftAuthenticator" => MethodKind::Authenticator,
        "softwareOath" => MethodKind::SoftwareToken,
        "hardwareOath" => MethodKind::HardwareToken,
        "phone" => MethodKind::Phone,
        "email" => MethodKind::Mail,
        "password" => MethodKind::Password,
        "temporaryAccessPass" => MethodKind::Pass,
        other => MethodKind::Other(word(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Method {
        serde_json::from_str::<Entry>(json).unwrap().into()
    }

    #[test]
    fn methods_are_read_as_documented() {
        let passkey = read(
            r##"{"@odata.type":"#microsoft.graph.fido2AuthenticationMethod","id":"-2_GRUg2-HYz6_1YG4YRAQ2",
                "displayName":"Red key","creationDateTime":"2020-08-10T06:44:09Z","model":"NFC key",
                "aaGuid":"2fc0579f-8113-47ea-b116-555a8db9202a","attestationLevel":"attested",
                "attestationCertificates":["dbe793efdf1945e2df25d93653a1e8a3268a9075"]}"##,
        );
        assert_eq!(passkey.kind, MethodKind::Passkey);
        assert_eq!(passkey.created_at, Some("2020-08-10T06:44:09Z".parse().unwrap()));
        let hello = read(
            r##"{"@odata.type":"#microsoft.graph.windowsHelloForBusinessAuthenticationMethod",
                "id":"b5e01f81-1f81-b5e0-811f-e0b5811fe0b5","displayName":"Jordan's Surface Book",
                "createdDateTime":"2020-11-27T23:12:49Z","keyStrength":"normal"}"##,
        );
        assert_eq!(hello.created_at, Some("2020-11-27T23:12:49Z".parse().unwrap()));
        let phone = read(
            r##"{"@odata.type":"#microsoft.graph.phoneAuthenticationMethod","phoneNumber":"+1 2065555555",
                "phoneType":"mobile","smsSignInState":"ready","id":"3179e48a-750b-4051-897c-87b9720928f7"}"##,
        );
        assert_eq!(phone, Method { kind: MethodKind::Phone, created_at: None });
    }

    #[test]
    fn a_kind_that_is_unknown_keeps_its_name_and_nothing_else() {
        assert_eq!(
            kind("#microsoft.graph.qrCodePinAuthenticationMethod"),
            MethodKind::Other("qrCodePin".to_owned())
        );
        assert_eq!(kind("#x:<b>odd</b>"), MethodKind::Other("xboddb".to_owned()));
    }
}
