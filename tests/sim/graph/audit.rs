//! What does Graph show of the directory's audit log?
//!
//! Entries come from the company's own log and from what was done to passes and methods here.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::door::{Answer, Problem};
use super::query::Asked;
use super::{Graph, Tenant};
use crate::chance;
use crate::people::AuditEntry;

const READ: &[&str] = &["AuditLog.Read.All", "Directory.Read.All"];

impl Graph {
    /// Lets entries show up so long after what they tell of.
    pub fn audit_lag(&self, lag: SignedDuration) {
        self.tenant.with(|desk| desk.audit_lag = lag);
    }

    /// Takes the licence away that the audit log needs.
    pub fn without_premium(&self) {
        self.tenant.with(|desk| desk.has_premium = false);
    }
}

pub(super) async fn list(State(tenant): State<Tenant>, asked: Asked) -> Answer {
    asked.only(&["$filter", "$top", "$orderby", "$skiptoken"])?;
    if !asked.caller.has(READ) {
        let message = "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to \
                       call this API.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Authentication_MSGraphPermissionMissing", message));
    }
    let (has_premium, lag) = tenant.with(|desk| (desk.has_premium, desk.audit_lag));
    if !has_premium {
        let message = "Neither tenant is B2C or tenant doesn't have premium license";
        let code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant";
        return Err(Problem::new(StatusCode::FORBIDDEN, code, message));
    }
    let clauses = clauses(asked.option("$filter").unwrap_or_default())?;
    let arrived = (tenant.clock)().saturating_sub(lag).unwrap_or(Timestamp::MIN);
    let mut entries = tenant.company.with(|register| register.audit.clone());
    entries.extend(tenant.with(|desk| desk.audit()));
    entries.retain(|entry| entry.at <= arrived && clauses.iter().all(|clause| clause.holds(entry)));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    let items: Vec<Value> = entries.iter().map(|entry| json_of(&tenant, entry)).collect();
    asked.page("auditLogs/directoryAudits", &items, tenant.with(|desk| desk.page_size))
}

impl super::Desk {
    /// What the service for sign-in methods logged.
    fn audit(&self) -> Vec<AuditEntry> {
        let made = "Admin registered temporary access pass method for user";
        let gone = "Admin deleted temporary access pass method for user";
        let passes = self.passes.iter().flat_map(|pass| {
            let of = |at, activity, reason| AuditEntry::of_methods(at, &pass.user, activity, reason);
            let made = of(pass.created, "Admin registered security info", made);
            let gone = pass.deleted_at.map(|at| of(at, "Admin deleted security info", gone));
            std::iter::once(made).chain(gone)
        });
        passes.chain(self.methods.iter().map(super::methods::Registration::audit)).collect()
    }
}

/// A part of a filter.
enum Clause {
    Since(Timestamp),
    Until(Timestamp),
    Activity(String),
    Target(String),
}

impl Clause {
    fn holds(&self, entry: &AuditEntry) -> bool {
        match self {
            Self::Since(at) => entry.at >= *at,
            Self::Until(at) => entry.at <= *at,
            Self::Activity(name) => entry.activity == name,
            Self::Target(id) => entry.targets.iter().any(|target| target.eq_ignore_ascii_case(id)),
        }
    }
}

/// The documented forms, joined by `and`.
fn clauses(filter: &str) -> Result<Vec<Clause>, Problem> {
    let clause = |text: &str| {
        let quoted = |text: &str| text.strip_suffix('\'').map(ToOwned::to_owned);
        if let Some(at) = text.strip_prefix("activityDateTime ge ") {
            return at.parse().ok().map(Clause::Since);
        }
        if let Some(at) = text.strip_prefix("activityDateTime le ") {
            return at.parse().ok().map(Clause::Until);
        }
        if let Some(name) = text.strip_prefix("activityDisplayName eq '") {
            return quoted(name).map(Clause::Activity);
        }
        let target = text.strip_prefix("targetResources/any(t: t/id eq '")?;
        quoted(target.strip_suffix(')')?).map(Clause::Target)
    };
    let parts = filter.split(" and ").filter(|part| !part.is_empty());
    let clauses: Option<Vec<Clause>> = parts.map(|part| clause(part.trim())).collect();
    clauses.ok_or_else(|| Problem::bad("Invalid filter clause"))
}

fn json_of(tenant: &Tenant, entry: &AuditEntry) -> Value {
    let correlation = chance::id_of("correlation", &format!("{} {}", entry.at, entry.activity));
    let targets = entry.targets.iter().enumerate().map(|(place, id)| {
        let properties = entry
            .properties
            .iter()
            .filter(|_| place == 0)
            .map(|(name, old, new)| json!({ "displayName": name, "oldValue": old, "newValue": new }));
        let upn = tenant.company.with(|register| register.person(id).map(|person| person.upn.clone()));
        json!({
            "id": id, "displayName": null, "type": "User", "userPrincipalName": upn, "groupType": null,
            "modifiedProperties": properties.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": format!("{}_{correlation}_1", entry.service), "category": "UserManagement",
        "correlationId": correlation, "result": "success", "resultReason": entry.reason,
        "activityDisplayName": entry.activity,
        "activityDateTime": entry.at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string(),
        "loggedByService": entry.service, "operationType": "Update",
        "initiatedBy": { "app": null, "user": {
            "id": chance::id_of("person", "admin"), "displayName": "Admin", "ipAddress": "203.0.113.7",
            "userPrincipalName": "admin@contoso.onmicrosoft.com", "homeTenantId": null, "homeTenantName": null,
        } },
        "targetResources": targets.collect::<Vec<_>>(), "additionalDetails": [],
    })
}
