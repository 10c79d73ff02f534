//! Who is asked, whose approval is whose, and what does a request wait for?

use jiff::Timestamp;

use super::{Approval, Candidate, Case, MessageRef, Request, Standing, State};
use crate::ids::PersonId;
use crate::people::Human;
use crate::policy::{assign, assign_most};

impl Candidate {
    /// Whose approval they can give: their own, or that of whom they stand for.
    #[must_use]
    pub fn gives(&self) -> PersonId {
        self.stands_for().map_or(self.human.id, |delegator| delegator.id)
    }

    /// In whose stead they decide, if they are a delegate.
    #[must_use]
    pub fn stands_for(&self) -> Option<&Human> {
        match &self.standing {
            Standing::Named | Standing::Fallback => None,
            Standing::Delegate(mandate) => Some(&mandate.delegator),
        }
    }
}

impl Approval {
    /// Whose approval it is: the delegator's where a delegate gave it.
    #[must_use]
    pub fn counts_for(&self) -> PersonId {
        self.stands_for.as_ref().unwrap_or(&self.by).id
    }
}

impl Case {
    /// Somebody who is asked.
    #[must_use]
    pub fn candidate(&self, id: PersonId) -> Option<&Candidate> {
        self.approvers.iter().find(|candidate| candidate.human.id == id)
    }

    /// How many reminders that person got.
    #[must_use]
    pub fn reminders_of(&self, approver: PersonId) -> usize {
        self.candidate(approver).map_or(0, |candidate| candidate.reminders.count.into())
    }

    /// Who is asked in that person's stead.
    #[must_use]
    pub fn delegate_of(&self, delegator: PersonId) -> Option<&Candidate> {
        self.approvers
            .iter()
            .find(|candidate| candidate.stands_for().is_some_and(|stood_for| stood_for.id == delegator))
    }

    /// Whether those whom their chats still reach, and those who approved, can give every approval.
    #[must_use]
    pub fn can_be_decided(&self, approvals: &[Approval]) -> bool {
        let reached = self.approvers.iter().filter(|candidate| !candidate.unreachable).map(Candidate::gives);
        let people: Vec<PersonId> = approvals.iter().map(Approval::counts_for).chain(reached).collect();
        assign(&self.slots, &people).is_some()
    }

    /// Whether an approval of the candidate would bring the request further than `approvals` did.
    #[must_use]
    pub fn would_gain_by(&self, candidate: &Candidate, approvals: &[Approval]) -> bool {
        let mut people: Vec<PersonId> = approvals.iter().map(Approval::counts_for).collect();
        let given = assign_most(&self.slots, &people).len();
        people.push(candidate.gives());
        assign_most(&self.slots, &people).len() > given
    }
}

impl Request {
    /// The card that the approver was sent last.
    #[must_use]
    pub fn newest_card(&self, approver: PersonId) -> Option<&MessageRef> {
        let posted = self.posted.iter().rev().find(|posted| posted.approver == approver);
        posted.map(|posted| &posted.message)
    }

    /// When fallback approvers are to be asked, if nobody decides before and they were not asked yet.
    #[must_use]
    pub fn escalates_at(&self) -> Option<Timestamp> {
        let State::AwaitingApproval { case, expires_at, .. } = &self.state else { return None };
        let after = case.terms.escalate_after.filter(|_| case.escalated_at.is_none())?;
        let asked_at = expires_at.saturating_sub(case.terms.approval_expires).ok()?;
        asked_at.saturating_add(after).ok()
    }
}
