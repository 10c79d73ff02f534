//! Could each rule ever lead to a pass, as the tenant is now?

use std::collections::{BTreeMap, BTreeSet};

use tapdesk_adapters::finding::{Finding, in_full};
use tapdesk_core::ids::{GroupId, PersonId};
use tapdesk_core::pass::{PassPolicy, PolicyTargets};
use tapdesk_core::people::Person;
use tapdesk_core::policy::{Approver, Requester, Rule, Subject};
use tapdesk_core::ports::Directory;

use crate::app::look::Look;
use crate::config::Config;
use crate::explain::length;

/// What changes the tenant's own policy, in the Microsoft Graph PowerShell.
const UPDATE: &str = "Update-MgPolicyAuthenticationMethodPolicyAuthenticationMethodConfiguration \
    -AuthenticationMethodConfigurationId TemporaryAccessPass -BodyParameter @{ '@odata.type' = \
    '#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration'";
/// Where the same is done by hand.
const PORTAL: &str = "Entra admin center, Authentication methods, Policies, Temporary Access Pass";

/// Enabled members, as far as they were asked for: every group is read once.
struct Members<'d> {
    directory: &'d dyn Directory,
    groups: BTreeMap<GroupId, Result<BTreeSet<PersonId>, String>>,
}

/// Those whom a list of selectors means.
enum Meant {
    Everybody,
    These(BTreeSet<PersonId>),
}

pub(super) async fn examine(config: &Config, look: &Look<'_>) -> Vec<Finding> {
    const WHAT: &str = "pass policy";
    let Some(directory) = look.directory() else {
        return vec![Finding::note(WHAT, "not looked at: [graph] cannot be used", "mend [graph] first")];
    };
    let policy = match directory.pass_policy().await {
        Ok(policy) => policy,
        Err(error) => {
            let remedy =
                "see what is said about Entra above; rules were not held against the tenant's policy";
            return vec![Finding::unchecked(WHAT, &error, remedy)];
        }
    };
    let mut findings = vec![tenant(&policy)];
    let mut members = Members { directory: &*directory, groups: BTreeMap::new() };
    for rule in &config.policy.rules {
        let wrong = members.examine(rule, &policy).await;
        if wrong.is_empty() {
            let pass = policy.clamp(rule.lifetime, rule.one_time).0;
            let uses = if pass.one_time { "one sign-in" } else { "any number of sign-ins" };
            let said = format!("can lead to a pass for {} and {uses}", length(pass.lifetime));
            findings.push(Finding::ok(named(rule), said));
        }
        findings.extend(wrong);
    }
    findings
}

fn tenant(policy: &PassPolicy) -> Finding {
    const WHAT: &str = "pass policy";
    let range = format!("{} to {}", length(policy.shortest), length(policy.longest));
    if !policy.enabled {
        return Finding::fault(
            WHAT,
            "is off: no pass can be made",
            format!("{UPDATE}; state = 'enabled' }}"),
        );
    }
    let includes = &policy.includes;
    if !includes.everybody && includes.groups.is_empty() && includes.people.is_empty() {
        return Finding::fault(
            WHAT,
            "includes nobody: no pass can be made",
            format!("{PORTAL}: include those whom rules are for"),
        );
    }
    Finding::ok(WHAT, format!("is on, for passes of {range}"))
}

impl Members<'_> {
    async fn examine(&mut self, rule: &Rule, policy: &PassPolicy) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(times(rule, policy));
        findings.extend(self.subjects(rule, policy).await);
        findings.extend(self.requesters(rule).await);
        for (number, named) in (1..).zip(&rule.approvals) {
            findings.extend(self.approvers(rule, number, &named.0).await);
        }
        findings
    }

    /// Whether anybody is left whom the rule is for and whom the tenant lets have a pass.
    async fn subjects(&mut self, rule: &Rule, policy: &PassPolicy) -> Option<Finding> {
        let mut meant = Meant::These(BTreeSet::new());
        for subject in &rule.subject.0 {
            let more = match *subject {
                Subject::Anyone => Meant::Everybody,
                Subject::User(person) => Meant::These(BTreeSet::from([person])),
                Subject::Group(group) => match self.of(group).await {
                    Ok(people) => Meant::These(people),
                    Err(error) => return Some(unread(rule, group, &error)),
                },
            };
            meant = meant.and(more);
        }
        if matches!(&meant, Meant::These(people) if people.is_empty()) {
            let remedy = "put people into the group, or name another as subject";
            return Some(Finding::fault(
                named(rule),
                "never matches: no enabled member is in the groups of subject",
                remedy,
            ));
        }
        let targets = [self.targets(&policy.includes).await, self.targets(&policy.excludes).await];
        let [included, excluded] = match targets {
            [Ok(included), Ok(excluded)] => [included, excluded],
            [Err((group, error)), _] | [_, Err((group, error))] => {
                return Some(unread(rule, group, &error));
            }
        };
        let never = |said: &str| {
            let said =
                format!("can never lead to a pass: the tenant's pass policy {said} everybody whom it is for");
            Some(Finding::fault(
                named(rule),
                said,
                format!("{PORTAL}: include them and exclude them nowhere"),
            ))
        };
        let left = match (&meant, &included) {
            (_, Meant::These(included)) if included.is_empty() => return None,
            (Meant::Everybody, Meant::Everybody) => None,
            (Meant::Everybody, Meant::These(some)) | (Meant::These(some), Meant::Everybody) => {
                Some(some.clone())
            }
            (Meant::These(some), Meant::These(included)) => Some(some & included),
        };
        match (left, excluded) {
            (Some(left), _) if left.is_empty() => never("leaves out"),
            (_, Meant::Everybody) => never("excludes"),
            (Some(left), Meant::These(excluded)) if left.is_subset(&excluded) => never("excludes"),
            (Some(_) | None, Meant::These(_)) => None,
        }
    }

    async fn requesters(&mut self, rule: &Rule) -> Option<Finding> {
        for requester in &rule.requester.0 {
            let somebody = match requester {
                Requester::Subject
                | Requester::ManagerOfSubject
                | Requester::Anyone
                | Requester::Source(_) => Ok(true),
                Requester::Group(group) => self.has_people(rule, *group).await,
                Requester::User(person) => self.is_enabled(rule, *person).await,
            };
            match somebody {
                Ok(true) => return None,
                Ok(false) => {}
                Err(unread) => return Some(unread),
            }
        }
        let said = "never matches: no enabled member may ask";
        Some(Finding::fault(named(rule), said, "put people into the group of requester, or name another"))
    }

    /// Whether enabled members are in a group that the rule names; what to say where nobody can tell.
    async fn has_people(&mut self, rule: &Rule, group: GroupId) -> Result<bool, Finding> {
        let people = self.of(group).await;
        people.map(|people| !people.is_empty()).map_err(|error| unread(rule, group, &error))
    }

    /// The same of one person.
    async fn is_enabled(&self, rule: &Rule, person: PersonId) -> Result<bool, Finding> {
        let found =
            self.directory.person(person).await.map_err(|error| {
                Finding::unchecked(named(rule), &error, "see what is said about Entra above")
            })?;
        Ok(found.is_some_and(|person| person.enabled && person.member))
    }

    async fn approvers(&mut self, rule: &Rule, number: usize, named_ones: &[Approver]) -> Option<Finding> {
        for approver in named_ones {
            let somebody = match *approver {
                Approver::Manager => Ok(true),
                Approver::Group(group) => self.has_people(rule, group).await,
                Approver::User(person) => self.is_enabled(rule, person).await,
            };
            match somebody {
                Ok(true) => return None,
                Ok(false) => {}
                Err(unread) => return Some(unread),
            }
        }
        let said = format!("nobody could give approval {number}: no enabled member is among those it names");
        Some(Finding::fault(named(rule), said, "put people into the group, or name others in approvals"))
    }

    async fn targets(&mut self, targets: &PolicyTargets) -> Result<Meant, (GroupId, String)> {
        if targets.everybody {
            return Ok(Meant::Everybody);
        }
        let mut people: BTreeSet<PersonId> = targets.people.iter().copied().collect();
        for group in &targets.groups {
            people.extend(self.of(*group).await.map_err(|error| (*group, error))?);
        }
        Ok(Meant::These(people))
    }

    async fn of(&mut self, group: GroupId) -> Result<BTreeSet<PersonId>, String> {
        if let Some(known) = self.groups.get(&group) {
            return known.clone();
        }
        let is_able = |person: &Person| person.enabled && person.member;
        let read = self.directory.members(group).await;
        let people = read.map(|people| people.into_iter().filter(is_able).map(|person| person.id).collect());
        let people = people.map_err(|error| in_full(&error));
        self.groups.insert(group, people.clone());
        people
    }
}

impl Meant {
    fn and(self, more: Self) -> Self {
        match (self, more) {
            (Self::These(some), Self::These(others)) => Self::These(&some | &others),
            (Self::Everybody, _) | (_, Self::Everybody) => Self::Everybody,
        }
    }
}

/// What the tenant's range makes of the rule's wish.
fn times(rule: &Rule, policy: &PassPolicy) -> Option<Finding> {
    let (pass, changed) = policy.clamp(rule.lifetime, rule.one_time);
    if !changed {
        return None;
    }
    let (wished, made) = (length(rule.lifetime), length(pass.lifetime));
    let key =
        if rule.lifetime < policy.shortest { "minimumLifetimeInMinutes" } else { "maximumLifetimeInMinutes" };
    let minutes = rule.lifetime.as_secs() / 60;
    Some(Finding::warning(
        named(rule),
        format!("lifetime = \"{wished}\" is outside what the tenant allows: its passes live {made}"),
        format!("lifetime = \"{made}\" in the rule, or: {UPDATE}; {key} = {minutes} }}"),
    ))
}

fn unread(rule: &Rule, group: GroupId, error: &str) -> Finding {
    let remedy = format!("see whether there is such a group: Get-MgGroup -GroupId {group}");
    Finding::fault(named(rule), format!("group {group} cannot be read: {error}"), remedy)
}

fn named(rule: &Rule) -> String {
    format!("rule \"{}\"", rule.name)
}
