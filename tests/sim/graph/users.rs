//! What does Graph tell about one person?

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::door::{Answer, Caller, Problem};
use super::memberships::{GROUP_DEFAULT, group_fields};
use super::query::{Asked, Fields, context_of, fields};
use super::{AppRole, Tenant};
use crate::chance;
use crate::people::{Profile, graph_number, masked_number};

/// Permissions that show every property of a user.
pub(super) const READ_USERS: &[&str] =
    &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_PHONES: &[&str] = &[
    "UserAuthMethod-Phone.Read.All",
    "UserAuthMethod-Phone.ReadWrite.All",
    "UserAuthenticationMethod.Read.All",
    "UserAuthenticationMethod.ReadWrite.All",
];
const REVOKE: &[&str] = &["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];

/// Properties that come without `$select`.
pub(super) const USER_DEFAULT: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];
/// Properties that `User.ReadBasic.All` shows.
const BASIC: [&str; 6] = ["id", "displayName", "givenName", "surname", "mail", "userPrincipalName"];

pub(super) async fn one(State(tenant): State<Tenant>, Path(user): Path<String>, asked: Asked) -> Answer {
    asked.only(&["$select"])?;
    let may_read_all = check_reading(&asked)?;
    let profile = find(&tenant, &user)?;
    let mut body = user_object(&asked, &profile, may_read_all)?;
    body.insert("@odata.context".to_owned(), json!(context_of("users/$entity")));
    Ok(Json(body).into_response())
}

pub(super) async fn list(State(tenant): State<Tenant>, asked: Asked) -> Answer {
    asked.only(&["$select", "$filter", "$top", "$count", "$skiptoken"])?;
    let may_read_all = check_reading(&asked)?;
    let wanted = asked.filter(&["id", "userPrincipalName", "mail", "displayName"])?;
    let is_wanted = |profile: &&Profile| {
        let same = |(name, value): &(String, String)| has(profile, name, value);
        wanted.is_empty() || wanted.iter().any(same)
    };
    let hits: Vec<Profile> =
        tenant.company.with(|register| register.people.iter().filter(is_wanted).cloned().collect());
    let items = hits.iter().map(|profile| user_object(&asked, profile, may_read_all).map(Value::Object));
    let items: Vec<Value> = items.collect::<Result<_, _>>()?;
    asked.page("users", &items, tenant.with(|desk| desk.page_size))
}

pub(super) async fn manager(State(tenant): State<Tenant>, Path(user): Path<String>, asked: Asked) -> Answer {
    asked.only(&["$select"])?;
    asked.caller.must_have(READ_USERS)?;
    let manager = find(&tenant, &user)?.manager.ok_or_else(|| Problem::not_found("manager"))?;
    let manager = find(&tenant, &manager)?;
    let mut body = asked.pick("microsoft.graph.user", user_fields(&manager), USER_DEFAULT)?;
    body.insert("@odata.context".to_owned(), json!(context_of("directoryObjects/$entity")));
    body.insert("@odata.type".to_owned(), json!("#microsoft.graph.user"));
    Ok(Json(body).into_response())
}

pub(super) async fn owned_objects(
    State(tenant): State<Tenant>,
    Path(user): Path<String>,
    asked: Asked,
) -> Answer {
    asked.only(&["$select", "$top", "$skiptoken"])?;
    asked.caller.must_have(READ_USERS)?;
    let profile = find(&tenant, &user)?;
    let applications = profile.applications.iter().map(|name| {
        let id = chance::id_of("application", name);
        let fields = fields(json!({ "id": id, "appId": id, "displayName": name }));
        asked.pick_mixed("microsoft.graph.application", fields, &["id", "appId", "displayName"])
    });
    let groups = tenant.company.with(|register| {
        let owned = register.groups.iter().filter(|group| group.owners.contains(&profile.id));
        owned.cloned().collect::<Vec<_>>()
    });
    let groups = groups.iter().map(|group| {
        asked.pick_mixed("microsoft.graph.group", group_fields(&asked.caller, group), GROUP_DEFAULT)
    });
    let items: Vec<Value> = applications.chain(groups).collect();
    asked.page("directoryObjects", &items, tenant.with(|desk| desk.page_size))
}

pub(super) async fn phones(State(tenant): State<Tenant>, Path(user): Path<String>, asked: Asked) -> Answer {
    let is_masked = match asked.caller.role {
        _ if asked.caller.has(READ_PHONES) => false,
        AppRole::AuthenticationAdministrator => true,
        AppRole::PrivilegedAuthenticationAdministrator => false,
        AppRole::None => return Err(Problem::access_denied()),
    };
    let profile = find(&tenant, &user)?;
    let write = if is_masked { masked_number } else { graph_number };
    let phones = profile.phones.iter().map(|(kind, number)| {
        let sms = if kind.name() == "mobile" { "ready" } else { "notSupported" };
        json!({ "id": kind.id(), "phoneType": kind.name(), "phoneNumber": write(number), "smsSignInState": sms })
    });
    let value: Vec<Value> = phones.collect();
    let context = context_of(&format!("users('{user}')/authentication/phoneMethods"));
    Ok(Json(json!({ "@odata.context": context, "value": value })).into_response())
}

pub(super) async fn revoke_sessions(
    State(tenant): State<Tenant>,
    Path(user): Path<String>,
    asked: Asked,
) -> Answer {
    asked.caller.must_have(REVOKE)?;
    let profile = find(&tenant, &user)?;
    // Sessions of an external guest belong to another tenant: the call succeeds without effect.
    if !profile.external {
        tenant.with(|desk| *desk.revoked.entry(profile.id).or_default() += 1);
    }
    Ok(Json(json!({ "@odata.context": context_of("Edm.Boolean"), "value": true })).into_response())
}

/// Whether a property that can be filtered by has that value.
fn has(profile: &Profile, property: &str, value: &str) -> bool {
    let is = match property {
        "id" => Some(&profile.id),
        "userPrincipalName" => Some(&profile.upn),
        "displayName" => Some(&profile.display_name),
        _ => profile.mail.as_ref(),
    };
    is.is_some_and(|is| is.eq_ignore_ascii_case(value))
}

/// The account with this object id or sign-in name.
pub(super) fn find(tenant: &Tenant, user: &str) -> Result<Profile, Problem> {
    tenant.company.with(|register| register.person(user).cloned()).ok_or_else(|| Problem::not_found(user))
}

/// A user as an element of a mixed collection; a caller who may not read users sees a stub.
pub(super) fn mixed_user(asked: &Asked, profile: &Profile) -> Value {
    let mut fields = user_fields(profile);
    if !asked.caller.has(READ_USERS) {
        hide(&mut fields, &["id"]);
    }
    asked.pick_mixed("microsoft.graph.user", fields, USER_DEFAULT)
}

/// Empties every property but `shown`: an object whose type the caller may not read.
pub(super) fn hide(fields: &mut Fields, shown: &[&str]) {
    for (_, value) in fields.iter_mut().filter(|(name, _)| !shown.contains(&name.as_str())) {
        *value = Value::Null;
    }
}

/// Whether all properties may be read, or only the basic ones; refuses when neither, or when more was selected.
fn check_reading(asked: &Asked) -> Result<bool, Problem> {
    let caller: &Caller = &asked.caller;
    if caller.has(READ_USERS) {
        return Ok(true);
    }
    caller.must_have(&["User.ReadBasic.All"])?;
    let is_basic = asked.selected().iter().flatten().all(|name| BASIC.contains(name));
    if is_basic { Ok(false) } else { Err(Problem::request_denied()) }
}

fn user_object(asked: &Asked, profile: &Profile, may_read_all: bool) -> Result<Fields, Problem> {
    let mut fields = user_fields(profile);
    if !may_read_all {
        hide(&mut fields, &BASIC);
    }
    asked.pick("microsoft.graph.user", fields, USER_DEFAULT)
}

fn user_fields(profile: &Profile) -> Fields {
    let external = |value: &str| profile.external.then(|| value.to_owned());
    fields(json!({
        "id": profile.id,
        "displayName": profile.display_name,
        "givenName": profile.given_name(),
        "surname": profile.surname(),
        "userPrincipalName": profile.upn,
        "mail": profile.mail,
        "businessPhones": [],
        "jobTitle": null,
        "mobilePhone": profile.mobile_phone,
        "officeLocation": null,
        "preferredLanguage": null,
        "accountEnabled": profile.enabled,
        "userType": profile.user_type,
        "otherMails": profile.other_mails,
        "onPremisesSyncEnabled": null,
        // Null, not false, for whom no unit restricts.
        "isManagementRestricted": profile.management_restricted.then_some(true),
        "isResourceAccount": null,
        "creationType": external("Invitation"),
        "externalUserState": external("Accepted"),
        "identities": [],
        "employeeId": null,
        "employeeType": null,
        "employeeHireDate": null,
        "department": null,
        "companyName": null,
        "usageLocation": null,
        "createdDateTime": "2024-05-06T07:08:09Z",
        "lastPasswordChangeDateTime": "2025-05-06T07:08:09Z",
        "signInSessionsValidFromDateTime": "2025-05-06T07:08:09Z",
    }))
}
