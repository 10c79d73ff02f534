//! How does Graph list the ways in which somebody can sign in?

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::door::Answer;
use super::passes::owner;
use super::query::{Asked, context_of};
use super::{AppRole, Graph, Tenant};
use crate::chance;
use crate::people::{AuditEntry, Person, Profile, graph_number, masked_number};

const READ: &[&str] = &["UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"];

/// Something that people register to sign in with; phones are the company's, passes Graph's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodType {
    /// A passkey.
    Passkey,
    /// Windows Hello for Business on one computer.
    WindowsHello,
    /// Microsoft Authenticator for second factors, which Graph does not date.
    Authenticator,
    /// One-time codes from an app, which Graph does not date.
    SoftwareToken,
}

/// A method that somebody registered.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    id: String,
    user: String,
    kind: MethodType,
    at: Timestamp,
}

impl Graph {
    /// Somebody registers a method on the security-info page, now.
    pub fn registers(&self, person: &Person, kind: MethodType) {
        let (id, at) = (chance::id("method"), (self.tenant.clock)());
        let registration = Registration { id, user: person.id().to_owned(), kind, at };
        self.tenant.with(|desk| desk.methods.push(registration));
    }
}

pub(super) async fn list(State(tenant): State<Tenant>, Path(user): Path<String>, asked: Asked) -> Answer {
    asked.only(&[])?;
    let owner = owner(&tenant, &asked.caller, READ, &user)?;
    let is_masked = !asked.caller.has(READ) && asked.caller.role == AppRole::AuthenticationAdministrator;
    let now = (tenant.clock)();
    let mut methods = vec![json!({
        "@odata.type": "#microsoft.graph.passwordAuthenticationMethod",
        "id": "28c10230-6103-485e-b985-444c60001490",
        "password": null, "createdDateTime": "2025-05-06T07:08:09Z",
    })];
    methods.extend(phones(&owner, is_masked));
    methods.extend(tenant.with(|desk| {
        let own = desk.methods.iter().filter(|method| method.user == owner.id);
        own.map(Registration::json).collect::<Vec<_>>()
    }));
    let is_allowed = tenant.allows(&owner.id);
    methods.extend(tenant.with(|desk| desk.current(&owner.id).map(|pass| pass.json(is_allowed, now, None))));
    let context = context_of(&format!("users('{user}')/authentication/methods"));
    Ok(Json(json!({ "@odata.context": context, "value": methods })).into_response())
}

fn phones(owner: &Profile, is_masked: bool) -> Vec<Value> {
    let write = if is_masked { masked_number } else { graph_number };
    let phones = owner.phones.iter().map(|(kind, number)| {
        json!({
            "@odata.type": "#microsoft.graph.phoneAuthenticationMethod",
            "id": kind.id(), "phoneType": kind.name(), "phoneNumber": write(number), "smsSignInState": "ready",
        })
    });
    phones.collect()
}

impl Registration {
    pub(super) fn audit(&self) -> AuditEntry {
        let reason = match self.kind {
            MethodType::Passkey => "User registered Fido",
            MethodType::WindowsHello => "User registered Windows Hello for Business",
            MethodType::Authenticator => "User registered Authenticator App with Notification and Code",
            MethodType::SoftwareToken => "User registered Authenticator App with Code",
        };
        AuditEntry::of_methods(self.at, &self.user, "User registered security info", reason)
    }

    fn json(&self) -> Value {
        let (id, at) = (&self.id, self.at);
        match self.kind {
            MethodType::Passkey => json!({
                "@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "id": id,
                "displayName": "Blue key", "createdDateTime": at, "model": "NFC key",
                "aaGuid": "2fc0579f-8113-47ea-b116-555a8db9202a", "attestationCertificates": [],
                "attestationLevel": "attested",
            }),
            MethodType::WindowsHello => json!({
                "@odata.type": "#microsoft.graph.windowsHelloForBusinessAuthenticationMethod", "id": id,
                "displayName": "CONTOSO-4711", "createdDateTime": at, "keyStrength": "normal",
            }),
            MethodType::Authenticator => json!({
                "@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod", "id": id,
                "displayName": "Pixel 9", "createdDateTime": null, "deviceTag": "SoftwareTokenActivated",
                "phoneAppVersion": "6.2511.7533",
            }),
            MethodType::SoftwareToken => json!({
                "@odata.type": "#microsoft.graph.softwareOathAuthenticationMethod", "id": id, "secretKey": null,
            }),
        }
    }
}
