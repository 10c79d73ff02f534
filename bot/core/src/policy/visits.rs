//! What may people ask for at the page, where nobody vouches for them?

use std::time::Duration;

use serde::Deserialize;

use super::{Fault, Policy, Requester, Rule, duration};

/// The `[ask]` section: where it is, there is a page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Visits {
    /// How long approvers have: as long as a caller waits, since an open request keeps others for the subject away.
    #[serde(deserialize_with = "duration")]
    pub approval_expires: Duration,
    /// Requests for one user name within 24 hours.
    pub per_subject: u32,
    /// Undecided requests of visitors that one approver is asked about at a time.
    pub prompts_per_approver: u32,
    /// Requests from one address prefix (/24, /56) within an hour.
    pub per_address: u32,
    /// Requests within an hour in all, on each replica.
    pub per_hour: u32,
}

impl Default for Visits {
    fn default() -> Self {
        Self {
            approval_expires: Duration::from_mins(30),
            per_subject: 3,
            prompts_per_approver: 2,
            per_address: 10,
            per_hour: 60,
        }
    }
}

impl Visits {
    /// Everything that is wrong with the section under that policy.
    #[must_use]
    pub fn faults(&self, policy: &Policy) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !policy.rules.iter().any(Rule::serves_visitors) {
            let what = "needs a rule with requester = \"self\", approvals, and no ticket_number: without one nobody who \
                        asks there could be helped";
            faults.push(Fault::new("ask", what));
        }
        if !(Duration::from_mins(5)..=policy.approval_expires).contains(&self.approval_expires) {
            faults
                .push(Fault::new("ask.approval_expires", "at least 5m, and at most policy.approval_expires"));
        }
        let caps = [
            ("ask.per_subject", self.per_subject),
            ("ask.prompts_per_approver", self.prompts_per_approver),
            ("ask.per_address", self.per_address),
            ("ask.per_hour", self.per_hour),
        ];
        for (key, _) in caps.into_iter().filter(|(_, cap)| *cap == 0) {
            faults.push(Fault::new(key, "0 lets nobody ask: leave the whole section out instead"));
        }
        faults
    }
}

impl Rule {
    /// Whether somebody at the page can ask under it: they say who they are, and have no ticket number.
    fn serves_visitors(&self) -> bool {
        self.requester.0.contains(&Requester::Subject)
            && !self.approvals.is_empty()
            && self.ticket_number.is_none()
    }
}
