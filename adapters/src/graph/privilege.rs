//! What makes a person privileged?
//!
//! Five reads, and every one of them has to succeed: active roles (also through groups), assignments (these know
//! scoped and custom roles), PIM eligibility, and membership and ownership of role-assignable groups. Whatever is
//! refused, missing or shaped otherwise than documented is an error, never "not privileged".

use serde::Deserialize;
use serde_json::Value;
use tapdesk_core::ids::{PersonId, RoleId};
use tapdesk_core::people::Privileges;
use tapdesk_core::ports::PortError;
use uuid::Uuid;

use super::Graph;
use super::answer::told_code;
use super::call::{Call, percent};

const MEMBERSHIPS: &str = "User.Read.All and GroupMember.Read.All";
const OWNED: &str = "User.Read.All and GroupMember.Read.All";
const ASSIGNMENTS: &str = "RoleManagement.Read.Directory";
const ELIGIBILITY: &str = "RoleEligibilitySchedule.Read.Directory";

/// Graph's words for "this tenant has no PIM"; the refusal comes as a 400.
const NO_PIM: &str = "AadPremiumLicenseRequired";

/// What the memberships say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Memberships {
    roles: Vec<RoleId>,
    role_assignable: Vec<Uuid>,
}

/// A role assignment or an eligibility.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    /// For a built-in role its template id; custom roles have ids of their own.
    role_definition_id: Uuid,
}

pub(super) async fn privileges(graph: &Graph, person: PersonId) -> Result<Privileges, PortError> {
    let (memberships, owns) = tokio::try_join!(memberships(graph, person), owns_group(graph, person))?;
    let Memberships { mut roles, role_assignable } = memberships;
    let in_role_assignable_group = !role_assignable.is_empty();
    let mut eligible = Vec::new();
    for principal in std::iter::once(person.0).chain(role_assignable) {
        let (held, possible) = tokio::try_join!(assigned(graph, principal), activatable(graph, principal))?;
        roles.extend(held);
        eligible.extend(possible);
    }
    for list in [&mut roles, &mut eligible] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(Privileges { roles, eligible, in_role_assignable_group, owns_role_assignable_group: owns })
}

async fn memberships(graph: &Graph, person: PersonId) -> Result<Memberships, PortError> {
    let url = graph.address(
        &["users", &person.to_string(), "transitiveMemberOf"],
        "$select=id,isAssignableToRole,securityEnabled,roleTemplateId&$top=999",
    );
    let call = Call::get(url, "/users/{id}/transitiveMemberOf", MEMBERSHIPS);
    let odd = unreadable(&call);
    read_memberships(&graph.all::<Value>(call).await?).ok_or(odd)
}

async fn owns_group(graph: &Graph, person: PersonId) -> Result<bool, PortError> {
    let url = graph.address(
        &["users", &person.to_string(), "ownedObjects"],
        "$select=id,isAssignableToRole,securityEnabled&$top=999",
    );
    let call = Call::get(url, "/users/{id}/ownedObjects", OWNED);
    let odd = unreadable(&call);
    read_owned(&graph.all::<Value>(call).await?).ok_or(odd)
}

async fn assigned(graph: &Graph, principal: Uuid) -> Result<Vec<RoleId>, PortError> {
    let url =
        graph.address(&["roleManagement", "directory", "roleAssignments"], &principal_filter(principal));
    let call = Call::get(url, "/roleManagement/directory/roleAssignments", ASSIGNMENTS);
    Ok(role_ids(graph.all(call).await?))
}

async fn activatable(graph: &Graph, principal: Uuid) -> Result<Vec<RoleId>, PortError> {
    let url = graph.address(
        &["roleManagement", "directory", "roleEligibilityScheduleInstances"],
        &principal_filter(principal),
    );
    let route = "/roleManagement/directory/roleEligibilityScheduleInstances";
    match graph.all(Call::get(url, route, ELIGIBILITY)).await {
        Ok(instances) => Ok(role_ids(instances)),
        Err(error) if told_code(&error) != Some(NO_PIM) => Err(error),
        Err(_) if !graph.config.tenant_has_pim => Ok(Vec::new()),
        Err(error) => Err(no_licence(error)),
    }
}

/// The refusal of a tenant without PIM, with words that help.
fn no_licence(error: PortError) -> PortError {
    PortError::fatal(
        "Graph tells eligible roles only to tenants with Entra ID P2 or Governance: \
         if this tenant has neither, say tenant_has_pim = false",
    )
    .because(error)
}

fn unreadable(call: &Call) -> PortError {
    PortError::fatal(format!(
        "{} does not tell which groups are role-assignable: give the Entra app {} and admin consent",
        call.route, call.needs
    ))
}

fn principal_filter(principal: Uuid) -> String {
    format!("$filter={}", percent(&format!("principalId eq '{principal}'")))
}

fn role_ids(assignments: Vec<Assignment>) -> Vec<RoleId> {
    assignments.into_iter().map(|assignment| RoleId(assignment.role_definition_id)).collect()
}

/// `None` when any entry cannot be judged.
fn read_memberships(entries: &[Value]) -> Option<Memberships> {
    let mut found = Memberships::default();
    for entry in entries {
        match kind(entry)? {
            "group" if is_role_assignable(entry)? => found.role_assignable.push(guid(entry, "id")?),
            "group" | "administrativeUnit" => {}
            "directoryRole" => found.roles.push(RoleId(guid(entry, "roleTemplateId")?)),
            _ => return None,
        }
    }
    Some(found)
}

/// `None` when any owned group cannot be judged. People also own applications and devices, which do not matter.
fn read_owned(entries: &[Value]) -> Option<bool> {
    let mut owns = false;
    for entry in entries {
        owns |= kind(entry)? == "group" && is_role_assignable(entry)?;
    }
    Some(owns)
}

/// Graph answers `null` for "no", and `null` for everything about a group that the app may not read ("limited
/// information returned for inaccessible member objects", January 2026). Every group is security-enabled or not, so
/// that one tells the two apart.
fn is_role_assignable(group: &Value) -> Option<bool> {
    group.get("securityEnabled")?.as_bool()?;
    match group.get("isAssignableToRole")? {
        Value::Null => Some(false),
        other => other.as_bool(),
    }
}

fn kind(entry: &Value) -> Option<&str> {
    entry.get("@odata.type")?.as_str()?.strip_prefix("#microsoft.graph.")
}

fn guid(entry: &Value, field: &str) -> Option<Uuid> {
    Uuid::try_parse(entry.get(field)?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GROUP: &str = "02bd9fd6-8f93-4758-87c3-1fb73740a315";
    const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

    fn group(assignable: &Value) -> Value {
        json!({"@odata.type": "#microsoft.graph.group", "id": GROUP, "securityEnabled": true,
            "isAssignableToRole": assignable})
    }

    #[test]
    fn roles_and_role_assignable_groups_are_found_among_memberships() {
        let entries = [
            group(&Value::Null),
            group(&json!(false)),
            group(&json!(true)),
            json!({"@odata.type": "#microsoft.graph.administrativeUnit", "id": GROUP}),
            json!({"@odata.type": "#microsoft.graph.directoryRole", "id": GROUP,
                "roleTemplateId": GLOBAL_ADMINISTRATOR}),
        ];
        let found = read_memberships(&entries).unwrap();
        assert_eq!(found.roles, [GLOBAL_ADMINISTRATOR.parse().unwrap()]);
        assert_eq!(found.role_assignable, [GROUP.parse::<Uuid>().unwrap()]);
    }

    #[test]
    fn an_entry_that_cannot_be_judged_is_an_error() {
        for entry in [
            json!({"@odata.type": "#microsoft.graph.group", "id": GROUP}),
            json!({"@odata.type": "#microsoft.graph.group", "id": GROUP, "securityEnabled": null,
                "isAssignableToRole": null}),
            group(&json!("yes")),
            json!({"@odata.type": "#microsoft.graph.directoryRole", "id": GROUP}),
            json!({"@odata.type": "#microsoft.graph.novelty", "id": GROUP}),
            json!({"id": GROUP, "isAssignableToRole": false}),
        ] {
            assert_eq!(read_memberships(std::slice::from_ref(&entry)), None, "{entry}");
        }
    }

    #[test]
    fn only_owned_groups_matter_and_each_has_to_be_readable() {
        let application = json!({"@odata.type": "#microsoft.graph.application", "id": GROUP});
        assert_eq!(read_owned(&[application.clone(), group(&Value::Null)]), Some(false));
        assert_eq!(read_owned(&[application, group(&json!(true))]), Some(true));
        assert_eq!(read_owned(&[json!({"@odata.type": "#microsoft.graph.group", "id": GROUP})]), None);
    }

    #[test]
    fn assignments_name_built_in_and_custom_roles() {
        let read = |json: &str| serde_json::from_str::<Assignment>(json);
        let built_in = format!(
            r#"{{"id":"x","directoryScopeId":"/administrativeUnits/1","roleDefinitionId":"{GLOBAL_ADMINISTRATOR}"}}"#
        );
        assert!(read(&built_in).is_ok());
        assert!(read(r#"{"id":"x"}"#).is_err());
    }
}
