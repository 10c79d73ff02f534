//! What does Graph tell about groups and roles?

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::door::{Answer, Caller, Problem};
use super::query::{Asked, Fields, context_of, fields};
use super::users::{find, hide, mixed_user};
use super::{AppRole, Tenant};
use crate::chance;
use crate::people::{Assignment, Circle, Register, role};

const READ_GROUPS: &[&str] = &[
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const READ_GROUPS_BASICALLY: &[&str] = &["GroupMember.ReadBasic.All", "Group.ReadBasic.All"];
const READ_ROLES: &[&str] = &[
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const READ_ELIGIBILITIES: &[&str] = &[
    "RoleEligibilitySchedule.Read.Directory",
    "RoleEligibilitySchedule.ReadWrite.Directory",
    "RoleManagement.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
];
const PAGING: &[&str] = &["$select", "$top", "$count", "$skiptoken"];

/// Properties of a group that come without `$select`.
pub(super) const GROUP_DEFAULT: &[&str] = &[
    "id",
    "displayName",
    "description",
    "groupTypes",
    "mail",
    "mailEnabled",
    "mailNickname",
    "securityEnabled",
];

pub(super) async fn of_user(State(tenant): State<Tenant>, Path(user): Path<String>, asked: Asked) -> Answer {
    list_memberships(&tenant, &user, None, &asked)
}

pub(super) async fn of_user_cast(
    State(tenant): State<Tenant>,
    Path((user, cast)): Path<(String, String)>,
    asked: Asked,
) -> Answer {
    list_memberships(&tenant, &user, Some(&cast), &asked)
}

pub(super) async fn group(State(tenant): State<Tenant>, Path(id): Path<String>, asked: Asked) -> Answer {
    asked.only(&["$select"])?;
    if !asked.caller.has(READ_GROUPS_BASICALLY) {
        asked.caller.must_have(READ_GROUPS)?;
    }
    let found = tenant.company.with(|register| register.group(&id).cloned());
    let group = found.ok_or_else(|| Problem::not_found(&id))?;
    let mut body = asked.pick("microsoft.graph.group", group_fields(&asked.caller, &group), GROUP_DEFAULT)?;
    body.insert("@odata.context".to_owned(), json!(context_of("groups/$entity")));
    Ok(Json(body).into_response())
}

pub(super) async fn in_group(State(tenant): State<Tenant>, Path(id): Path<String>, asked: Asked) -> Answer {
    list_members(&tenant, &id, None, &asked)
}

pub(super) async fn in_group_cast(
    State(tenant): State<Tenant>,
    Path((id, cast)): Path<(String, String)>,
    asked: Asked,
) -> Answer {
    list_members(&tenant, &id, Some(&cast), &asked)
}

pub(super) async fn check(
    State(tenant): State<Tenant>,
    Path(user): Path<String>,
    asked: Asked,
    body: Bytes,
) -> Answer {
    asked.caller.must_have(super::users::READ_USERS)?;
    asked.caller.must_have(READ_GROUPS)?;
    let body = asked.object(&body)?;
    let ids =
        body.get("groupIds").and_then(Value::as_array).ok_or_else(|| Problem::bad("groupIds is missing."))?;
    let ids: Option<Vec<&str>> = ids.iter().map(Value::as_str).collect();
    let ids = ids.filter(|ids| ids.iter().all(|id| uuid::Uuid::try_parse(id).is_ok()));
    let refuse = |message| Problem::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message);
    let ids = ids.ok_or_else(|| refuse("Invalid object identifier in groupIds."))?;
    if ids.len() > 20 {
        return Err(refuse("The number of group identifiers exceeds the maximum of 20."));
    }
    let profile = find(&tenant, &user)?;
    let hits: Vec<&str> = tenant.company.with(|register| {
        let groups = register.groups_of(&profile.id);
        ids.into_iter().filter(|id| groups.iter().any(|group| group.id.eq_ignore_ascii_case(id))).collect()
    });
    Ok(Json(json!({ "@odata.context": context_of("Collection(Edm.String)"), "value": hits })).into_response())
}

pub(super) async fn assignments(State(tenant): State<Tenant>, asked: Asked) -> Answer {
    asked.only(&["$filter", "$select", "$top", "$skiptoken"])?;
    asked.caller.must_have(READ_ROLES)?;
    let wanted = asked.filter(&["principalId"])?;
    let own = own_assignment(&tenant);
    let items = tenant.company.with(|register| {
        let hits = register.assignments.iter().chain(&own).filter(|a| is_wanted(&wanted, &a.principal));
        let shape = |a: &Assignment| {
            json!({
                "id": a.id, "principalId": a.principal, "roleDefinitionId": a.template,
                "directoryScopeId": a.scope, "resourceScope": a.scope,
            })
        };
        hits.map(shape).collect::<Vec<_>>()
    });
    asked.page("roleManagement/directory/roleAssignments", &items, tenant.with(|desk| desk.page_size))
}

/// The directory role of the application itself.
fn own_assignment(tenant: &Tenant) -> Option<Assignment> {
    let template = match tenant.with(|desk| desk.app_role) {
        AppRole::None => return None,
        AppRole::AuthenticationAdministrator => role::AUTHENTICATION_ADMINISTRATOR,
        AppRole::PrivilegedAuthenticationAdministrator => role::PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    };
    Some(Assignment {
        id: chance::id_of("assignment", "tapdesk"),
        principal: chance::id_of("principal", "tapdesk"),
        template: template.to_owned(),
        scope: "/".to_owned(),
    })
}

pub(super) async fn eligibilities(State(tenant): State<Tenant>, asked: Asked) -> Answer {
    asked.only(&["$filter", "$select", "$top", "$skiptoken"])?;
    asked.caller.must_have(READ_ELIGIBILITIES)?;
    let wanted = asked.filter(&["principalId"])?;
    let items = tenant.company.with(|register| {
        let hits = register.eligibilities.iter().filter(|e| is_wanted(&wanted, &e.principal));
        let shape = |e: &crate::people::Eligibility| {
            json!({
                "id": e.id, "principalId": e.principal, "roleDefinitionId": e.template, "directoryScopeId": "/",
                "appScopeId": null, "startDateTime": "2025-04-12T14:44:50.287Z", "endDateTime": null,
                "memberType": "Direct", "roleEligibilityScheduleId": e.id,
            })
        };
        hits.map(shape).collect::<Vec<_>>()
    });
    let context = "roleManagement/directory/roleEligibilityScheduleInstances";
    asked.page(context, &items, tenant.with(|desk| desk.page_size))
}

/// The properties of a group as far as this caller may read them.
pub(super) fn group_fields(caller: &Caller, group: &Circle) -> Fields {
    let mut fields = fields(json!({
        "id": group.id,
        "displayName": group.name,
        "description": null,
        "groupTypes": [],
        "mail": null,
        "mailEnabled": false,
        "mailNickname": group.name.replace(' ', ""),
        "securityEnabled": true,
        "visibility": null,
        // Null, not false, for a group that never was.
        "isAssignableToRole": group.assignable_to_role.then_some(true),
        "isManagementRestricted": null,
        "onPremisesSyncEnabled": null,
    }));
    if !caller.has(READ_GROUPS) {
        let is_basic = caller.has(READ_GROUPS_BASICALLY);
        hide(&mut fields, if is_basic { &["id", "displayName"] } else { &["id"] });
    }
    fields
}

fn list_memberships(tenant: &Tenant, user: &str, cast: Option<&str>, asked: &Asked) -> Answer {
    asked.only(PAGING)?;
    let may_read = [super::users::READ_USERS, READ_GROUPS, READ_GROUPS_BASICALLY].concat();
    asked.caller.must_have(&may_read)?;
    let profile = find(tenant, user)?;
    let items = tenant.company.with(|register| memberships(register, &profile.id, asked));
    answer_page(tenant, asked, items, cast)
}

fn list_members(tenant: &Tenant, id: &str, cast: Option<&str>, asked: &Asked) -> Answer {
    asked.only(PAGING)?;
    asked.caller.must_have(&[READ_GROUPS, READ_GROUPS_BASICALLY].concat())?;
    let items = tenant.company.with(|register| {
        let group = register.group(id)?;
        let members = register.inside(&group.id).into_iter().filter_map(|member| {
            let person = register.person(member).map(|person| mixed_user(asked, person));
            person.or_else(|| Some(mixed_group(asked, register.group(member)?)))
        });
        Some(members.collect::<Vec<_>>())
    });
    answer_page(tenant, asked, items.ok_or_else(|| Problem::not_found(id))?, cast)
}

/// A page of a mixed collection; a cast to one type is an advanced query.
fn answer_page(tenant: &Tenant, asked: &Asked, mut items: Vec<Value>, cast: Option<&str>) -> Answer {
    if let Some(cast) = cast {
        asked.must_be_advanced()?;
        items.retain(|item| item["@odata.type"] == json!(format!("#{cast}")));
    }
    asked.page("directoryObjects", &items, tenant.with(|desk| desk.page_size))
}

fn memberships(register: &Register, id: &str, asked: &Asked) -> Vec<Value> {
    let groups = register.groups_of(id).into_iter().map(|group| mixed_group(asked, group));
    let roles = register.directory_roles_of(id).into_iter().map(|template| mixed_role(asked, template));
    let is_restricted = register.person(id).is_some_and(|person| person.management_restricted);
    let unit = is_restricted.then(|| mixed_unit(asked));
    groups.chain(roles).chain(unit).collect()
}

fn mixed_group(asked: &Asked, group: &Circle) -> Value {
    asked.pick_mixed("microsoft.graph.group", group_fields(&asked.caller, group), GROUP_DEFAULT)
}

fn mixed_role(asked: &Asked, template: &str) -> Value {
    let mut fields = fields(json!({
        "id": chance::id_of("directoryRole", template),
        "displayName": role_name(template),
        "description": null,
        "roleTemplateId": template,
    }));
    if !asked.caller.has(READ_ROLES) {
        hide(&mut fields, &["id"]);
    }
    asked.pick_mixed(
        "microsoft.graph.directoryRole",
        fields,
        &["id", "displayName", "description", "roleTemplateId"],
    )
}

fn mixed_unit(asked: &Asked) -> Value {
    let fields = fields(json!({ "id": chance::id_of("unit", "restricted"), "displayName": null }));
    asked.pick_mixed("microsoft.graph.administrativeUnit", fields, &["id", "displayName"])
}

fn role_name(template: &str) -> &'static str {
    match template {
        role::GLOBAL_ADMINISTRATOR => "Global Administrator",
        role::PRIVILEGED_AUTHENTICATION_ADMINISTRATOR => "Privileged Authentication Administrator",
        role::AUTHENTICATION_ADMINISTRATOR => "Authentication Administrator",
        role::HELPDESK_ADMINISTRATOR => "Helpdesk Administrator",
        role::USER_ADMINISTRATOR => "User Administrator",
        role::DIRECTORY_READERS => "Directory Readers",
        role::REPORTS_READER => "Reports Reader",
        _ => "Another role",
    }
}

fn is_wanted(wanted: &[(String, String)], principal: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|(_, id)| id.eq_ignore_ascii_case(principal))
}
