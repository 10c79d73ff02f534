//! What is wrong with a policy, before anybody asks for anything?

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Approver, AuditUnreadable, Policy, Requester, Route, RouteClass, Rule, Subject};
use crate::people::{ContactKind, ContactSource};

/// Something in the configuration that cannot be used, for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key or section it is about.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Fault {
    /// A fault of a key.
    #[must_use]
    pub fn new(key: &str, what: &str) -> Self {
        Self { key: key.to_owned(), what: what.to_owned() }
    }
}

impl Policy {
    /// Everything that is wrong with the policy, each with the key it is about. Empty means that it can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.rules.is_empty() {
            faults.push(Fault::new("policy.rule", "no rule: every request would be refused"));
        }
        if self.approval_expires < Duration::from_mins(1) || self.ticket_expires < Duration::from_mins(1) {
            faults.push(Fault::new("policy", "approval_expires and ticket_expires are at least 1m"));
        }
        faults.extend(self.reminder_faults());
        let mut names = BTreeSet::new();
        let mut earlier: Vec<&Rule> = Vec::new();
        for rule in &self.rules {
            let key = format!("policy.rule \"{}\"", rule.name);
            if !names.insert(&rule.name) {
                faults.push(Fault::new(&key, "another rule has this name, and requests are bound by name"));
            }
            if let Some(first) = earlier.iter().find(|first| first.covers(rule)) {
                let what = format!(
                    "never matches: rule \"{}\" stands above it and matches everything it does",
                    first.name
                );
                faults.push(Fault::new(&key, &what));
            }
            let of = |(of, what): (&str, String)| Fault::new(&format!("{key}.{of}"), &what);
            faults.extend(rule.faults().into_iter().map(of));
            let late = rule.escalation_faults(self.approval_expires);
            faults.extend(late.into_iter().map(|(key, what)| of((key, what.to_owned()))));
            earlier.push(rule);
        }
        faults
    }

    fn reminder_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // The default is no nonsense where approvers have less time than that: they are just not reminded.
        if self.remind_after.is_some_and(|after| after >= self.approval_expires) {
            let what = "no reminder would come before approval_expires; write 0s for none";
            faults.push(Fault::new("policy.remind_after", what));
        }
        if self.quiet_hours.as_ref().is_some_and(|quiet| quiet.from == quiet.to) {
            let what = "from and to are the same time; for no reminders at all write remind_after = \"0s\"";
            faults.push(Fault::new("policy.quiet_hours", what));
        }
        faults
    }
}

impl Rule {
    fn escalation_faults(&self, approval_expires: Duration) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        match self.escalate_after {
            None if self.escalate_to.is_empty() => return faults,
            None => faults.push(("escalate_to", "without escalate_after: say when they are asked")),
            Some(_) if self.escalate_to.is_empty() => {
                faults.push(("escalate_after", "without escalate_to: say who is asked then"));
            }
            Some(after) if after.is_zero() => {
                faults.push(("escalate_after", "who is asked at once belongs into approvals"));
            }
            Some(after) if after >= approval_expires => {
                faults.push((
                    "escalate_after",
                    "has to be shorter than approval_expires, or nobody is ever asked",
                ));
            }
            Some(_) => {}
        }
        if self.approvals.is_empty() {
            faults.push(("escalate_to", "with approvals = []: nothing waits for anybody"));
        } else if !self.escalate_to.is_empty() && ![1, self.approvals.len()].contains(&self.escalate_to.len())
        {
            faults.push(("escalate_to", "one entry for all approvals, or one entry per approval"));
        }
        if self.escalate_to.iter().any(|alternatives| alternatives.0.is_empty()) {
            faults.push(("escalate_to", "an entry is empty"));
        }
        let asks_nobody_new = (0..self.approvals.len()).all(|approval| {
            let asked = &self.approvals[approval].0;
            self.fallback(approval).is_none_or(|more| more.0.iter().all(|one| asked.contains(one)))
        });
        if asks_nobody_new && !self.escalate_to.is_empty() && !self.approvals.is_empty() {
            faults.push(("escalate_to", "names nobody whom approvals does not name already"));
        }
        faults
    }

    /// Whether every request that `other` matches is matched by this rule too (as far as the text shows).
    fn covers(&self, other: &Self) -> bool {
        let requester = other.requester.0.iter().all(|selector| {
            self.requester.0.contains(selector)
                || (!matches!(selector, Requester::Subject | Requester::Source(_))
                    && self.requester.0.contains(&Requester::Anyone))
        });
        let subject =
            other.subject.0.iter().all(|selector| {
                self.subject.0.contains(selector) || self.subject.0.contains(&Subject::Anyone)
            });
        requester && subject
    }

    /// What is wrong with the rule, by key.
    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |key, what: &str| faults.push((key, what.to_owned()));
        let classes =
            |routes: &[Route]| -> BTreeSet<RouteClass> { routes.iter().filter_map(|r| r.class()).collect() };
        if self.requester.0.is_empty() || self.subject.0.is_empty() {
            fault("requester", "requester and subject each name at least one person or group");
        }
        let only_themselves = self.requester.0.iter().all(|asks| {
            self.subject.0.iter().all(|of| match (asks, of) {
                (Requester::User(asks), Subject::User(of)) => asks == of,
                _ => false,
            })
        });
        if only_themselves && !self.requester.0.is_empty() && !self.subject.0.is_empty() {
            fault(
                "requester",
                "never matches: who asks for themselves is matched by requester = \"self\" only",
            );
        }
        if self.ticket.is_empty() || self.pin.is_empty() || self.notice.is_empty() {
            fault("ticket", "ticket, pin and notice each need at least one route");
        }
        if self.ticket.iter().any(|route| matches!(route, Route::Approver | Route::Manager)) {
            fault("ticket", "the code travels by sms or email; people carry only the PIN");
        }
        if self.pin.contains(&Route::Manager) || self.notice.contains(&Route::Approver) {
            let key = if self.pin.contains(&Route::Manager) { "pin" } else { "notice" };
            fault(key, "pin takes sms, email or approver; notice takes sms, email or manager");
        }
        if !classes(&self.ticket).is_disjoint(&classes(&self.pin)) {
            fault(
                "pin",
                "ticket and pin share a route class (fallbacks count): who holds that phone or mailbox would have both halves",
            );
        }
        if self.pin.contains(&Route::Approver) && self.approvals.is_empty() {
            fault("pin", "pin = [\"approver\"] with approvals = []: there is no approver to show the PIN to");
        }
        if self.requester.0.contains(&Requester::Anyone) && self.approvals.is_empty() {
            fault(
                "requester",
                "requester = \"anyone\" with approvals = []: everybody could get a pass for everybody",
            );
        }
        if self.requester.0.contains(&Requester::Subject) && self.approvals.is_empty() {
            fault(
                "requester",
                "requester = \"self\" with approvals = []: whoever holds the chat account could get a pass alone",
            );
        }
        if self.number_match && self.approvals.is_empty() {
            fault("match", "match = true with approvals = []: there is no approver to choose the number");
        }
        if self.approvals.iter().any(|alternatives| alternatives.0.is_empty()) {
            fault("approvals", "an entry is empty");
        }
        if self.ticket.iter().any(|code| self.notice.iter().all(|notice| notice == code)) {
            fault("notice", "needs a route that is not the code's, so that the owner hears of it elsewhere");
        }
        for (route, kind) in [(Route::Sms, ContactKind::Phone), (Route::Email, ContactKind::Mail)] {
            let carries_half = self.ticket.contains(&route) || self.pin.contains(&route);
            if carries_half && !self.contacts.iter().any(|source| source.kind() == kind) {
                let missing =
                    format!("route {route} has no contact source: add {} to contacts", kind.sources());
                fault("contacts", &missing);
            }
        }
        if self.contacts.contains(&ContactSource::Mail) {
            fault("contacts", "\"mail\" is the mailbox that a locked-out person cannot open; use otherMails");
        }
        if !(Duration::from_mins(10)..=Duration::from_hours(30 * 24)).contains(&self.lifetime) {
            fault("lifetime", "Graph accepts 10m to 30d");
        }
        for (key, what) in self.careless().into_iter().chain(self.gullible()) {
            fault(key, what);
        }
        let only_manager = self.approvals.iter().any(|a| matches!(a.0[..], [Approver::Manager]));
        if only_manager && self.requester.0 == [Requester::ManagerOfSubject] {
            fault(
                "approvals",
                "the manager asks and would approve alone, and nobody approves what they asked for",
            );
        }
        let persons = self.approvals.iter().filter(|a| matches!(a.0[..], [Approver::Manager])).count();
        if persons > 1 {
            fault("approvals", "\"manager\" stands alone twice, and one person approves once");
        }
        faults
    }
}

impl Rule {
    /// What is wrong with what the rule lets sources do.
    fn gullible(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let asks = self.sources().next().is_some();
        if self.stated_approval && !asks {
            faults.push(("stated_approval", "only a source can state one; add requester = \"hook:…\""));
        }
        if self.stated_approval && self.approvals.is_empty() {
            faults.push(("stated_approval", "with approvals = []: there is no approval to state"));
        }
        if self.number_match && asks {
            let what = "match = true with requester = \"hook:…\": a source sees no number; give it a rule of its own";
            faults.push(("match", what));
        }
        if asks && self.approvals.is_empty() && !self.allow_privileged.is_empty() {
            let what = "with requester = \"hook:…\" and approvals = []: whoever holds the source's secret could get a pass for \
                        an administrator";
            faults.push(("allow_privileged", what));
        }
        faults
    }
}

impl Rule {
    /// What is wrong with the rule's caution.
    fn careless(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let kept = Duration::from_hours(1)..=Duration::from_hours(30 * 24);
        if self.cool_down.is_some_and(|wait| !kept.contains(&wait)) {
            faults.push(("cool_down", "1h to 30d, which is how long Entra keeps its audit log"));
        }
        let AuditUnreadable::SecondApproval = self.audit_unreadable else { return faults };
        if self.cool_down.is_none() {
            faults.push(("audit_unreadable", "nothing reads the audit log without cool_down"));
        }
        let alternatives = || self.approvals.iter().flat_map(|alternatives| &alternatives.0);
        let mut named: Vec<&Approver> = Vec::new();
        for approver in alternatives() {
            if !named.contains(&approver) {
                named.push(approver);
            }
        }
        let has_group = named.iter().any(|approver| matches!(approver, Approver::Group(_)));
        if !has_group && named.len() <= self.approvals.len() {
            let what =
                "\"second-approval\", and the approvals name nobody who could give one more; add a group";
            faults.push(("audit_unreadable", what));
        }
        faults
    }
}

impl ContactKind {
    fn sources(self) -> &'static str {
        match self {
            Self::Phone => "\"phone-methods\"",
            Self::Mail => "\"otherMails\"",
        }
    }
}
