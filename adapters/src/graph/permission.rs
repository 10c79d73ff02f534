//! Which permissions does tapdesk need, which does its app have, and what does each mean?
//!
//! Names and alternatives: Microsoft's permissions reference of August 2026. Tier 0, what takes over the tenant:
//! emiliensocchi/azure-tiering, "Microsoft Graph application permissions".

use std::collections::BTreeSet;

use super::examine::{AUTHENTICATION_ADMINISTRATOR, AppRoles, Uses};
use crate::finding::Finding;

/// The permission that makes passes, and the older one that does so too.
const PASSES: &str = "UserAuthMethod-TAP.ReadWrite.All";
const ALL_METHODS: &str = "UserAuthenticationMethod.ReadWrite.All";
const PHONES: &str = "UserAuthMethod-Phone.Read.All";
/// What federated domains are read with.
pub(super) const DOMAINS: &str = "Domain.Read.All";
/// How a federated domain is set up is read with this one alone.
pub(super) const FEDERATION: &str = "Domain-InternalFederation.Read.All";

/// A permission of the flow.
struct Need {
    least: &'static str,
    /// Others that do as well, and more than that.
    also: &'static [&'static str],
    what_for: &'static str,
}

/// What every tapdesk needs beside passes and phones.
const ALWAYS: [Need; 6] = [
    Need {
        least: "User.Read.All",
        also: &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        what_for: "people and their managers",
    },
    Need {
        least: "GroupMember.Read.All",
        also: &[
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        what_for: "who is in the groups that rules name",
    },
    Need {
        least: "RoleManagement.Read.Directory",
        also: &["RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"],
        what_for: "refusing administrators",
    },
    Need {
        least: "RoleEligibilitySchedule.Read.Directory",
        also: &[
            "RoleEligibilitySchedule.ReadWrite.Directory",
            "RoleManagement.Read.All",
            "RoleManagement.Read.Directory",
            "RoleManagement.ReadWrite.Directory",
        ],
        what_for: "refusing eligible administrators",
    },
    Need {
        least: "Policy.Read.AuthenticationMethod",
        also: &["Policy.ReadWrite.AuthenticationMethod"],
        what_for: "the tenant's own limits on passes",
    },
    Need {
        least: "User.RevokeSessions.All",
        also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        what_for: "ending sessions after \"this wasn't me\"",
    },
];

const AUDIT_LOG: Need = Need {
    least: "AuditLog.Read.All",
    also: &["Directory.Read.All"],
    what_for: "which contacts and managers changed lately (cool_down)",
};

const METHODS: Need = Need {
    least: "UserAuthenticationMethod.Read.All",
    also: &[ALL_METHODS],
    what_for: "telling what was registered with a pass",
};

/// Permissions with which whoever has the app's credential can take over the tenant.
const TIER_0: [&str; 13] = [
    ALL_METHODS,
    "AppRoleAssignment.ReadWrite.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.ReadWrite.All",
    "Policy.ReadWrite.AuthenticationMethod",
    "Policy.ReadWrite.PermissionGrant",
    "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
    "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup",
    "RoleAssignmentSchedule.ReadWrite.Directory",
    "RoleEligibilitySchedule.ReadWrite.Directory",
    "RoleManagement.ReadWrite.Directory",
];

/// The app and what its token carries.
pub(super) struct Granted<'a> {
    pub(super) permissions: &'a BTreeSet<String>,
    /// Its service principal; a placeholder to fill in where the token names none.
    pub(super) principal: String,
}

impl Granted<'_> {
    pub(super) fn has(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// What is to be said about each permission of the flow, and about each that is none of it.
    pub(super) fn judged(&self, roles: Option<&AppRoles>, uses: Uses) -> Vec<Finding> {
        let mut findings = vec![self.passes(roles)];
        findings.push(self.phones(roles, uses));
        findings.extend(ALWAYS.iter().map(|need| self.needed(need)));
        findings.push(match (uses.audit_log, self.has(AUDIT_LOG.least)) {
            (false, false) => Finding::ok(named(AUDIT_LOG.least), "not granted, and no rule has cool_down"),
            (false, true) => {
                let said = "granted, and no rule has cool_down";
                Finding::note(named(AUDIT_LOG.least), said, self.take(AUDIT_LOG.least))
            }
            (true, _) => self.needed(&AUDIT_LOG),
        });
        findings.push(if self.has(METHODS.least) || self.has(ALL_METHODS) {
            Finding::ok(named(METHODS.least), format!("granted: {}", METHODS.what_for))
        } else {
            let said = format!("not granted; it is optional: {}", METHODS.what_for);
            Finding::note(named(METHODS.least), said, self.give(METHODS.least))
        });
        findings.extend(self.excess());
        findings
    }

    /// What the app makes passes with: a permission reaches everybody, a role only whom Entra lets it.
    fn passes(&self, roles: Option<&AppRoles>) -> Finding {
        const WHAT: &str = "making passes";
        let role = |roles: &AppRoles| roles.authentication_administrator;
        let has_role = roles.is_some_and(role);
        if self.has(PASSES) || self.has(ALL_METHODS) {
            let permission = if self.has(PASSES) { PASSES } else { ALL_METHODS };
            let said = format!(
                "by {permission}, which reaches every account, Global Administrators included (tier 0): only tapdesk \
                 itself refuses them{}",
                if has_role { "; the app's role does not narrow that" } else { "" }
            );
            let remedy = if has_role {
                format!("to let Entra refuse administrators too: {}", self.take(permission))
            } else {
                format!(
                    "to let Entra refuse administrators too: {}; then {}",
                    self.give_role(),
                    self.take(permission)
                )
            };
            return Finding::note(WHAT, said, remedy);
        }
        match roles {
            Some(roles) if roles.unlimited => {
                Finding::ok(WHAT, "by a directory role that reaches administrators")
            }
            Some(roles) if role(roles) => {
                let scope = if roles.scoped { " of an administrative unit" } else { "" };
                let said = format!(
                    "by the role Authentication Administrator{scope}: Entra itself refuses administrators"
                );
                Finding::ok(WHAT, said)
            }
            Some(_) | None => Finding::fault(
                WHAT,
                format!("the app has neither the role Authentication Administrator nor {PASSES}"),
                format!(
                    "{} (Entra then refuses administrators itself), or {}",
                    self.give_role(),
                    self.give(PASSES)
                ),
            ),
        }
    }

    fn phones(&self, roles: Option<&AppRoles>, uses: Uses) -> Finding {
        const WHAT: &str = "phone numbers";
        let also = [METHODS.least, ALL_METHODS, "UserAuthMethod-Phone.ReadWrite.All"];
        if self.has(PHONES) {
            return Finding::ok(WHAT, format!("{PHONES} shows them whole"));
        }
        if let Some(other) = also.iter().find(|other| self.has(other)) {
            return Finding::ok(WHAT, format!("{other} shows them whole"));
        }
        let has_role = roles.is_some_and(|roles| roles.authentication_administrator || roles.unlimited);
        let said = if has_role {
            "Entra shows a role without the permission masked numbers"
        } else {
            "the app may not read them"
        };
        if uses.phones {
            Finding::fault(WHAT, format!("{said}: no code can be sent by text message"), self.give(PHONES))
        } else {
            Finding::ok(WHAT, format!("{said}, and no rule sends to them"))
        }
    }

    fn needed(&self, need: &Need) -> Finding {
        let what = named(need.least);
        if self.has(need.least) {
            return Finding::ok(what, format!("granted: {}", need.what_for));
        }
        match need.also.iter().find(|other| self.has(other)) {
            Some(other) => Finding::ok(what, format!("covered by {other}: {}", need.what_for)),
            None => Finding::fault(what, format!("missing: {}", need.what_for), self.give(need.least)),
        }
    }

    fn excess(&self) -> Vec<Finding> {
        let known: BTreeSet<&str> =
            ALWAYS.iter().chain([&AUDIT_LOG, &METHODS]).map(|need| need.least).collect();
        let ours = [PASSES, "UserAuthMethod-TAP.Read.All", PHONES, DOMAINS, FEDERATION];
        let is_ours = |name: &str| known.contains(name) || ours.contains(&name);
        let excess = self.permissions.iter().filter(|name| !is_ours(name));
        excess
            .map(|name| {
                let said = if TIER_0.contains(&name.as_str()) {
                    "granted, and tapdesk never uses it; whoever has the app's credential takes over the tenant with it \
                     (tier 0)"
                } else {
                    "granted, and it is more than tapdesk needs"
                };
                Finding::warning(named(name), said, self.take(name))
            })
            .collect()
    }

    /// For Graph PowerShell. Works for app registrations and for managed identities, and is the consent as well.
    fn give(&self, permission: &str) -> String {
        let app = &self.principal;
        format!(
            "{GRAPH}; New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId {app} -PrincipalId {app} \
             -ResourceId $g.Id -AppRoleId ($g.AppRoles | Where-Object Value -eq '{permission}').Id"
        )
    }

    fn take(&self, permission: &str) -> String {
        let app = &self.principal;
        format!(
            "{GRAPH}; $r = ($g.AppRoles | Where-Object Value -eq '{permission}').Id; \
             Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId {app} -All | Where-Object AppRoleId -eq $r | \
             ForEach-Object {{ Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId {app} \
             -AppRoleAssignmentId $_.Id }}"
        )
    }

    fn give_role(&self) -> String {
        format!(
            "New-MgRoleManagementDirectoryRoleAssignment -PrincipalId {} -RoleDefinitionId {AUTHENTICATION_ADMINISTRATOR} \
             -DirectoryScopeId /",
            self.principal
        )
    }
}

/// Microsoft Graph itself, among the tenant's service principals.
const GRAPH: &str = "$g = Get-MgServicePrincipal -Filter \"appId eq '00000003-0000-0000-c000-000000000000'\"";

fn named(permission: &str) -> String {
    format!("permission {permission}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn judged(permissions: &[&str], roles: &AppRoles, uses: Uses) -> Vec<(String, Severity)> {
        let permissions = permissions.iter().map(ToString::to_string).collect();
        let granted = Granted { permissions: &permissions, principal: "app".to_owned() };
        let findings = granted.judged(Some(roles), uses);
        let bad = findings.into_iter().filter(|finding| finding.severity > Severity::Note);
        bad.map(|finding| (finding.what, finding.severity)).collect()
    }

    const USES: Uses = Uses { phones: true, audit_log: false };
    const READING: [&str; 6] = [
        "User.Read.All",
        "GroupMember.Read.All",
        "RoleManagement.Read.Directory",
        "RoleEligibilitySchedule.Read.Directory",
        "Policy.Read.AuthenticationMethod",
        "User.RevokeSessions.All",
    ];

    #[test]
    fn a_role_or_the_permission_makes_passes_and_neither_does_not() {
        let role = AppRoles { authentication_administrator: true, ..AppRoles::default() };
        let with = |more: &[&str], roles| judged(&[&READING[..], &[PHONES], more].concat(), &roles, USES);
        assert_eq!(with(&[], role), []);
        assert_eq!(with(&[PASSES], AppRoles::default()), []);
        let neither = [("making passes".to_owned(), Severity::Fault)];
        assert_eq!(with(&[], AppRoles::default()), neither);
    }

    #[test]
    fn a_role_alone_sees_masked_numbers_and_that_matters_where_a_rule_sends_to_them() {
        let role = AppRoles { authentication_administrator: true, ..AppRoles::default() };
        let masked = [("phone numbers".to_owned(), Severity::Fault)];
        assert_eq!(judged(&READING, &role, USES), masked);
        assert_eq!(judged(&READING, &role, Uses { phones: false, ..USES }), []);
    }

    #[test]
    fn the_audit_log_is_needed_for_a_cool_down_only() {
        let all = [&READING[..], &[PASSES, PHONES]].concat();
        assert_eq!(judged(&all, &AppRoles::default(), USES), []);
        let missing = [("permission AuditLog.Read.All".to_owned(), Severity::Fault)];
        assert_eq!(judged(&all, &AppRoles::default(), Uses { audit_log: true, ..USES }), missing);
    }

    #[test]
    fn what_does_for_another_permission_covers_it_and_is_excessive_itself() {
        let wide = [
            "Directory.Read.All",
            "Policy.Read.AuthenticationMethod",
            "User.RevokeSessions.All",
            PASSES,
            PHONES,
        ];
        let found = judged(&wide, &AppRoles::default(), USES);
        let expected = [
            ("permission RoleEligibilitySchedule.Read.Directory".to_owned(), Severity::Fault),
            ("permission Directory.Read.All".to_owned(), Severity::Warning),
        ];
        assert_eq!(found, expected);
    }
}
