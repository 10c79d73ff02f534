//! Can tapdesk do with this tenant what it has to?
//!
//! Reads only. What the app's token and roles allow is judged in `permission`; here is what Graph itself says.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use serde::Deserialize;
use tapdesk_core::ports::PortError;
use uuid::Uuid;

use super::Graph;
use super::call::{Call, percent};
use super::permission::{DOMAINS, FEDERATION, Granted};
use crate::entra::App;
use crate::finding::Finding;
use crate::http;

/// The role that makes passes for everybody but administrators.
pub(super) const AUTHENTICATION_ADMINISTRATOR: &str = "c4e39bd9-1100-46d3-8c65-fb160da0071f";
/// Roles that make passes for administrators too.
const UNLIMITED: [(&str, &str); 2] = [
    ("7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator"),
    ("62e90394-69f5-4237-9190-012177145e10", "Global Administrator"),
];
/// A role that only reads what tapdesk's permissions let it read anyway.
const DIRECTORY_READERS: &str = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b";

/// Clocks may differ by this without anything to notice.
const LITTLE: Duration = Duration::from_secs(30);
/// Signatures of chats and assertions for tokens are refused beyond this.
const LARGE: Duration = Duration::from_mins(5);
/// So many federated domains are looked into.
const MOST_DOMAINS: usize = 20;

/// What the configuration makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// Some rule sends text messages to authentication phones.
    pub phones: bool,
    /// Some rule has `cool_down`.
    pub audit_log: bool,
}

/// The directory roles of the app itself, as far as they matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AppRoles {
    pub(super) authentication_administrator: bool,
    /// It has that role in an administrative unit only.
    pub(super) scoped: bool,
    /// It has one that reaches administrators.
    pub(super) unlimited: bool,
    /// Names or ids of roles that tapdesk has no use for.
    pub(super) excess: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    role_definition_id: Uuid,
    directory_scope_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domain {
    id: String,
    authentication_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Federation {
    id: Option<String>,
    federated_idp_mfa_behavior: Option<String>,
}

impl Graph {
    /// Looks at token, permissions, roles, domains and clock.
    pub async fn examine(&self, uses: Uses) -> Vec<Finding> {
        let (mut findings, clock) = tokio::join!(self.examine_app(uses), self.examine_clock());
        findings.push(clock);
        findings
    }

    async fn examine_app(&self, uses: Uses) -> Vec<Finding> {
        const WHAT: &str = "token";
        let (permissions, principal) = match self.tokens.identity().await {
            Ok(identity) => identity,
            Err(error) => {
                let said = format!("Entra grants none: {}", crate::finding::in_full(&error));
                let remedy = "check tenant_id, client_id and the credential in [graph]; what the token would allow could \
                              not be looked at";
                return vec![Finding::fault(WHAT, said, remedy)];
            }
        };
        let app = self.tokens.app();
        let mut findings = vec![Finding::ok(WHAT, granted_to(app))];
        findings.extend(certificate(app, self.clock.now()));
        let roles = match principal {
            Some(principal) => self.app_roles(principal).await.map_err(Some),
            None => Err(None),
        };
        let named = principal
            .map_or_else(|| "<object id of the enterprise application>".to_owned(), |id| id.to_string());
        let granted = Granted { permissions: &permissions, principal: named };
        findings.extend(granted.judged(roles.as_ref().ok(), uses));
        findings.extend(match &roles {
            Ok(roles) => role_findings(roles, &granted.principal),
            // Without the permission the read is refused, and its lack is said above.
            Err(Some(error)) if granted.has("RoleManagement.Read.Directory") => {
                vec![Finding::unchecked(
                    "roles of the app",
                    error,
                    "try again; Graph refused or did not answer",
                )]
            }
            Err(_) => Vec::new(),
        });
        findings.extend(self.examine_domains(&granted).await);
        findings
    }

    async fn app_roles(&self, principal: Uuid) -> Result<AppRoles, PortError> {
        let filter = format!("$filter={}", percent(&format!("principalId eq '{principal}'")));
        let url = self.address(&["roleManagement", "directory", "roleAssignments"], &filter);
        let needs = "RoleManagement.Read.Directory";
        let assignments =
            self.all(Call::get(url, "/roleManagement/directory/roleAssignments", needs)).await?;
        Ok(read_roles(assignments))
    }

    async fn examine_domains(&self, granted: &Granted<'_>) -> Vec<Finding> {
        const WHAT: &str = "federated domains";
        if !granted.has(DOMAINS) && !granted.has("Directory.Read.All") {
            let said =
                format!("not looked at: the app has no {DOMAINS}, and tapdesk needs it for nothing else");
            return vec![Finding::note(
                WHAT,
                said,
                "in the Microsoft Graph PowerShell: Get-MgDomain | Select-Object Id, AuthenticationType",
            )];
        }
        let url = self.address(&["domains"], "$select=id,authenticationType");
        let domains: Vec<Domain> = match self.all(Call::get(url, "/domains", DOMAINS)).await {
            Ok(domains) => domains,
            Err(error) => {
                return vec![Finding::unchecked(WHAT, &error, "try again; Graph refused or did not answer")];
            }
        };
        let is_federated = |domain: &&Domain| domain.authentication_type.as_deref() == Some("Federated");
        let federated: Vec<&Domain> = domains.iter().filter(is_federated).collect();
        if federated.is_empty() {
            return vec![Finding::ok(WHAT, format!("none of {}", count(domains.len(), "domain")))];
        }
        let mut findings = Vec::new();
        for domain in federated.into_iter().take(MOST_DOMAINS) {
            findings.push(self.examine_federation(&domain.id, granted).await);
        }
        findings
    }

    async fn examine_federation(&self, domain: &str, granted: &Granted<'_>) -> Finding {
        let what = format!("federated domain {domain}");
        // Web sign-in at the lock screen leaves Entra's own pages only for what device management allows.
        let urls = "list the identity provider's addresses in the device policy ConfigureWebSignInAllowedUrls, or nobody of \
                    this domain gets past Web sign-in";
        if !granted.has(FEDERATION) {
            let said = format!("federated; how is not looked at: the app has no {FEDERATION}");
            let remedy = format!("{urls}; Get-MgDomainFederationConfiguration -DomainId {domain}");
            return Finding::note(what, said, remedy);
        }
        let url = self.address(&["domains", domain, "federationConfiguration"], "");
        let found =
            self.all::<Federation>(Call::get(url, "/domains/{id}/federationConfiguration", FEDERATION)).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return Finding::unchecked(what, &error, "try again; Graph refused or did not answer");
            }
        };
        let enforces =
            |one: &&Federation| one.federated_idp_mfa_behavior.as_deref() == Some("enforceMfaByFederatedIdp");
        match found.iter().find(enforces) {
            Some(one) => Finding::warning(
                what,
                "enforceMfaByFederatedIdp sends people who set up Windows Hello to the identity provider, which knows no \
                 pass: with a pass they get in, and cannot register anything",
                format!(
                    "Update-MgDomainFederationConfiguration -DomainId {domain} -InternalDomainFederationId {} \
                     -FederatedIdpMfaBehavior acceptIfMfaDoneByFederatedIdp",
                    one.id.as_deref().unwrap_or("<id>")
                ),
            ),
            None => {
                Finding::note(what, "federated; passes are accepted where people set up Windows Hello", urls)
            }
        }
    }

    /// Asks without a token: what is refused has a date too.
    async fn examine_clock(&self) -> Finding {
        const WHAT: &str = "clock";
        let before = self.clock.now();
        let answer = match self.http.get(self.address(&[], "")).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let remedy = format!("let this machine reach {}", self.config.base_url);
                return Finding::fault("connection to Graph", http::failed(&error).to_string(), remedy);
            }
        };
        let after = self.clock.now();
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        match date
            .and_then(|text| httpdate::parse_http_date(text).ok())
            .and_then(|at| Timestamp::try_from(at).ok())
        {
            Some(theirs) => clock_finding(skew(before, after, theirs)),
            None => Finding::note(
                WHAT,
                "Graph's answer has no date to compare with",
                "timedatectl timesync-status",
            ),
        }
    }
}

fn granted_to(app: &App) -> String {
    let App { tenant_id, client_id, credential, .. } = app;
    let proof = credential.proof();
    // A managed identity has its id from the machine.
    if client_id.is_empty() {
        format!("Entra grants one in tenant {tenant_id} by {proof}")
    } else {
        format!("Entra grants one for app {client_id} in tenant {tenant_id} by {proof}")
    }
}

/// Until when the app's certificate is good, where that is what proves it. One that is over is not even shown to Entra.
fn certificate(app: &App, now: Timestamp) -> Option<Finding> {
    const WHAT: &str = "certificate of the app";
    let until = app.credential.validity()?.until.strftime("%Y-%m-%d");
    Some(if app.credential.warning(now).is_some() {
        let remedy = "openssl req -x509 -newkey rsa:3072 -sha256 -days 365 -nodes -subj /CN=tapdesk -keyout graph.key -out \
                      graph.crt; upload graph.crt to the Entra app, then put both where certificate_file and key_file say";
        Finding::warning(WHAT, format!("is good until {until} only"), remedy)
    } else {
        Finding::ok(WHAT, format!("is good until {until}"))
    })
}

/// How far this machine's clock is ahead, if the other was read between the two; its seconds are whole.
fn skew(before: Timestamp, after: Timestamp, theirs: Timestamp) -> SignedDuration {
    let next = theirs + SignedDuration::from_secs(1);
    if before > next {
        before.duration_since(next)
    } else if after < theirs {
        after.duration_since(theirs)
    } else {
        SignedDuration::ZERO
    }
}

fn clock_finding(ahead: SignedDuration) -> Finding {
    const WHAT: &str = "clock";
    const REMEDY: &str = "sudo timedatectl set-ntp true; then: timedatectl timesync-status";
    let (off, direction) = (ahead.unsigned_abs(), if ahead.is_negative() { "behind" } else { "ahead of" });
    let said = format!("{} s {direction} Microsoft's", off.as_secs());
    if off <= LITTLE {
        Finding::ok(WHAT, format!("agrees with Microsoft's within {} s", off.as_secs() + 1))
    } else if off < LARGE {
        Finding::warning(WHAT, format!("{said}: beyond 5 minutes nothing works any more"), REMEDY)
    } else {
        Finding::fault(
            WHAT,
            format!("{said}: signatures of chats count as replayed, and tokens as not valid"),
            REMEDY,
        )
    }
}

fn read_roles(assignments: Vec<Assignment>) -> AppRoles {
    let mut roles = AppRoles::default();
    let mut whole = false;
    for Assignment { role_definition_id, directory_scope_id } in assignments {
        let id = role_definition_id.to_string();
        if id == AUTHENTICATION_ADMINISTRATOR {
            roles.authentication_administrator = true;
            whole |= directory_scope_id.is_none_or(|scope| scope == "/");
        } else if let Some((_, name)) = UNLIMITED.iter().find(|(unlimited, _)| *unlimited == id) {
            roles.unlimited = true;
            roles.excess.push((*name).to_owned());
        } else if id != DIRECTORY_READERS {
            roles.excess.push(id);
        }
    }
    roles.scoped = roles.authentication_administrator && !whole;
    roles
}

fn role_findings(roles: &AppRoles, principal: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = roles
        .excess
        .iter()
        .map(|role| {
            let is_tier_0 = UNLIMITED.iter().any(|(_, name)| name == role);
            let said = if is_tier_0 {
                "the app has it, and with it reaches administrators (tier 0)"
            } else {
                "the app has it, and tapdesk has no use for it"
            };
            let remedy = format!(
                "Get-MgRoleManagementDirectoryRoleAssignment -Filter \"principalId eq '{principal}'\" | Select-Object Id, \
                 RoleDefinitionId; then for that one: Remove-MgRoleManagementDirectoryRoleAssignment \
                 -UnifiedRoleAssignmentId <id>"
            );
            Finding::warning(format!("role {role}"), said, remedy)
        })
        .collect();
    if roles.scoped {
        let said = "the app is Authentication Administrator of an administrative unit: it makes passes for nobody else";
        let remedy = "name only people of that unit as subject in [[policy.rule]]";
        findings.push(Finding::note("scope of the role", said, remedy));
    }
    findings
}

fn count(number: usize, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn a_clock_is_judged_by_what_it_makes_impossible() {
        for (seconds, severity) in [
            (0, Severity::Ok),
            (30, Severity::Ok),
            (-30, Severity::Ok),
            (31, Severity::Warning),
            (-299, Severity::Warning),
            (300, Severity::Fault),
            (-4_000, Severity::Fault),
        ] {
            assert_eq!(clock_finding(SignedDuration::from_secs(seconds)).severity, severity, "{seconds}");
        }
    }

    #[test]
    fn the_time_that_the_answer_took_is_no_skew() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        assert_eq!(skew(at(0), at(40), at(20)), SignedDuration::ZERO);
        assert_eq!(skew(at(50), at(60), at(20)), SignedDuration::from_secs(29));
        assert_eq!(skew(at(0), at(10), at(70)), SignedDuration::from_secs(-60));
    }

    #[test]
    fn a_role_in_a_unit_reaches_the_unit_only() {
        let assignment = |role: &str, scope: &str| Assignment {
            role_definition_id: role.parse().unwrap(),
            directory_scope_id: Some(scope.to_owned()),
        };
        let in_unit = assignment(AUTHENTICATION_ADMINISTRATOR, "/administrativeUnits/1");
        let roles = read_roles(vec![in_unit, assignment(DIRECTORY_READERS, "/")]);
        assert!(roles.authentication_administrator && roles.scoped && roles.excess.is_empty());
        let everywhere = read_roles(vec![assignment(AUTHENTICATION_ADMINISTRATOR, "/")]);
        assert!(!everywhere.scoped);
        let global = read_roles(vec![assignment(UNLIMITED[1].0, "/")]);
        assert_eq!(role_findings(&global, "app")[0].what, "role Global Administrator");
    }
}
