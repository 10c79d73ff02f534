//! Who could approve a pass for somebody, and how would it reach them?

use tapdesk_adapters::finding::Finding;
use tapdesk_core::explanation::{Carries, ForRule, ForSubject, Leads, Way};
use tapdesk_core::people::Naming;
use tapdesk_core::words;

use crate::app::look::{Kept, Look};
use crate::explain::{approvers, way};

pub(super) async fn examine(look: &Look<'_>, subject: &Naming) -> Vec<Finding> {
    let desk = match look.desk() {
        Ok(desk) => desk,
        Err(error) => {
            let said = format!("not looked at: {error:#}");
            return vec![Finding::note("subject", said, "mend what is said above first")];
        }
    };
    let ForSubject { subject, rules, refusals, unknown } = desk.who_could_approve(subject).await;
    let mut findings = Vec::new();
    if let Some(subject) = &subject {
        findings.push(Finding::ok("subject", format!("{} ({})", subject.name, subject.upn)));
    }
    findings.extend(refusals.iter().map(|reason| {
        let remedy =
            "tapdesk policy explain --requester WHO --subject WHOM names every reason for one request";
        Finding::note("refused", words::reason(reason), remedy)
    }));
    findings.extend(unknown.into_iter().map(|unknown| {
        Finding::warning(
            "unknown",
            format!("could not be looked up: {unknown}"),
            "see what is said about Entra and Slack above",
        )
    }));
    if subject.is_some() && rules.is_empty() {
        let remedy = "a [[policy.rule]] whose subject they are";
        findings.push(Finding::warning("rules", "no rule is for them: nobody can ask", remedy));
    }
    findings.extend(rules.iter().flat_map(for_rule));
    if let Kept::Held = look.store() {
        let said = "open requests and delegations are not in this: a running service holds the store";
        findings.push(Finding::note("store", said, "tapdesk policy explain asks the service"));
    }
    findings
}

fn for_rule(told: &ForRule) -> Vec<Finding> {
    let ForRule { rule, approvals, ways, is_privileged } = told;
    let what = format!("rule \"{rule}\"");
    if *is_privileged {
        let said = "refuses them: they hold a role in the directory, or may";
        return vec![Finding::note(
            what,
            said,
            "help administrators in person, or allow_privileged = [\"role id\"] in the rule",
        )];
    }
    let mut findings = Vec::new();
    for (number, people) in (1..).zip(approvals) {
        let named = approvers(people);
        findings.push(if people.iter().any(tapdesk_core::explanation::Approver::can_decide) {
            Finding::ok(what.clone(), format!("approval {number} of {}: {named}", approvals.len()))
        } else {
            let remedy = "set a manager in Entra, name others in approvals, or see that the chat knows them by their address";
            Finding::warning(what.clone(), format!("nobody could give approval {number}: {named}"), remedy)
        });
    }
    for (carries, half) in [(Carries::Code, "code"), (Carries::Pin, "PIN")] {
        let ways: Vec<&Way> = ways.iter().filter(|way| way.carries == carries).collect();
        let said = ways.iter().map(|one| way(one)).collect::<Vec<_>>().join(", else ");
        let leads = |one: &&Way| matches!(one.to, Leads::To(_) | Leads::ToTheApprover);
        findings.push(if ways.iter().any(leads) {
            Finding::ok(what.clone(), format!("{half} {said}"))
        } else {
            let remedy = "have a phone registered in person: https://aka.ms/mysecurityinfo";
            Finding::warning(what.clone(), format!("no way for the {half}: {said}"), remedy)
        });
    }
    findings
}
