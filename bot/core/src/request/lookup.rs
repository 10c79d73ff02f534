//! What can be read off a request, wherever it stands?

use jiff::Timestamp;

use super::{
    Approval, Asker, Caller, Candidate, Case, Counted, Ending, Goal, Grant, Made, Notice, Outcome, Party,
    Past, Progress, REPORT_OUTLIVES, Reason, Request, Seeming, State, ToldRequester, Whom,
};
use crate::ids::{ChatUser, PersonId};
use crate::people::{Human, Naming, PinnedContact};
use crate::policy::Route;
use crate::ticket::{CodeHash, TokenHash};

impl State {
    /// Its name, for logs and the table of states.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::AwaitingApproval { .. } => "AwaitingApproval",
            Self::Approved(_) => "Approved",
            Self::ClaimOpen(_) => "ClaimOpen",
            Self::Issuing { .. } => "Issuing",
            Self::Unsettled { goal: Goal::Reopen, .. } => "Unsettled",
            Self::Unsettled { goal: Goal::End(_), .. } => "Unsettled, then closed",
            Self::Issued { .. } => "Issued",
            Self::Shown { .. } => "Shown",
            Self::Revoking { goal: Goal::Reopen, .. } => "Revoking",
            Self::Revoking { goal: Goal::End(_), .. } => "Revoking, then closed",
            Self::Closed { ending, .. } => match ending {
                Ending::Used => "Used",
                Ending::Expired => "Expired",
                Ending::Revoked(_) => "Revoked",
                Ending::Refused(_) => "Refused",
                Ending::Denied(_) => "Denied",
                Ending::Mismatched(_) => "Mismatched",
                Ending::SetAside(_) => "SetAside",
                Ending::Cancelled => "Cancelled",
                Ending::Withdrawn(_) => "Withdrawn",
                Ending::LapsedUndecided | Ending::LapsedUnclaimed => "Lapsed",
                Ending::Locked => "Locked",
                Ending::Reported | Ending::Doubted { .. } => "Reported",
            },
        }
    }
}

/// What a store has to be able to look a request up by.
impl State {
    /// The pass that the subject may have, while it counts as theirs.
    #[must_use]
    pub fn made(&self) -> Option<&Made> {
        match self {
            Self::Issued { pass, .. } | Self::Shown { pass, .. } => Some(pass),
            Self::Received
            | Self::AwaitingApproval { .. }
            | Self::Approved(_)
            | Self::ClaimOpen(_)
            | Self::Issuing { .. }
            | Self::Unsettled { .. }
            | Self::Revoking { .. }
            | Self::Closed { .. } => None,
        }
    }
}

impl Request {
    /// Whether it still goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed_at().is_none()
    }

    /// When it was closed.
    #[must_use]
    pub fn closed_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Closed { at, .. } => Some(*at),
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => None,
        }
    }

    /// The facts, once they are in.
    #[must_use]
    pub fn case(&self) -> Option<&Case> {
        match &self.state {
            State::Received => None,
            State::AwaitingApproval { case, .. } => Some(case),
            State::Closed { past, .. } => match past {
                Past::Nothing => None,
                Past::Asked(case) => Some(case),
                Past::Granted(grant) => Some(&grant.case),
            },
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => self.grant().map(|grant| &grant.case),
        }
    }

    /// What was granted, once it was.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match &self.state {
            State::Received | State::AwaitingApproval { .. } => None,
            State::Approved(grant)
            | State::ClaimOpen(grant)
            | State::Issuing { grant, .. }
            | State::Unsettled { grant, .. }
            | State::Issued { grant, .. }
            | State::Shown { grant, .. }
            | State::Revoking { grant, .. } => Some(grant),
            State::Closed { past, .. } => match past {
                Past::Nothing | Past::Asked(_) => None,
                Past::Granted(grant) => Some(grant),
            },
        }
    }

    /// Under whom the request is found while it is open.
    #[must_use]
    pub fn whom(&self) -> Vec<Whom> {
        if !self.is_open() {
            return Vec::new();
        }
        let mut whom: Vec<Whom> =
            self.requester.account().cloned().map(Whom::Requester).into_iter().collect();
        whom.extend(self.asker_id().map(Whom::Asker));
        whom.extend(self.subject_id().map(Whom::Subject));
        whom.extend(
            self.case().iter().flat_map(|case| case.colleagues.iter().copied().map(Whom::Colleagues)),
        );
        if let State::AwaitingApproval { case, .. } = &self.state {
            whom.extend(case.approvers.iter().map(|candidate| Whom::Approver(candidate.human.id)));
        }
        whom
    }

    /// Under whom the request is found from when it was received until it is forgotten.
    #[must_use]
    pub fn parties(&self) -> Vec<Party> {
        let requester = self.requester.account().cloned().map(Party::Requester);
        let approved = self.approvals().iter().map(|approval| Party::Approved(approval.by.id));
        let known =
            self.asker_id().map(Party::Asker).into_iter().chain(self.subject_id().map(Party::Subject));
        requester.into_iter().chain(known).chain(approved).collect()
    }

    /// Whether it waits for this person's decision.
    #[must_use]
    pub fn waits_for(&self, person: PersonId) -> bool {
        let State::AwaitingApproval { case, approvals, .. } = &self.state else { return false };
        let given = |candidate: &Candidate| approvals.iter().any(|one| one.counts_for() == candidate.gives());
        case.candidate(person).is_some_and(|candidate| !given(candidate))
    }

    /// Towards whose cap it counts.
    #[must_use]
    pub fn counted(&self) -> Counted {
        match &self.requester {
            Asker::Account(account) => Counted::Of(account.clone()),
            Asker::Visitor(_) => Counted::For(self.subject.clone()),
            Asker::Source(sourced) => Counted::By(sourced.source.clone()),
        }
    }

    /// Who asked, once the facts are in; nobody where nobody vouches for it.
    #[must_use]
    pub fn asker_id(&self) -> Option<PersonId> {
        self.case().filter(|_| self.requester.account().is_some()).map(|case| case.requester.id)
    }

    /// The subject, once the facts are in. At most one open request per subject.
    #[must_use]
    pub fn subject_id(&self) -> Option<PersonId> {
        self.case().map(|case| case.subject.id)
    }

    /// The code under which the ticket is found. Closed requests keep theirs: its holder may ask why it is over.
    #[must_use]
    pub fn code_hash(&self) -> Option<&CodeHash> {
        self.grant()?.ticket.code.as_ref().map(|code| &code.hash)
    }

    /// The token under which the owner's notice is found.
    #[must_use]
    pub fn report_token(&self) -> Option<&TokenHash> {
        self.grant()?.notice.as_ref().map(|notice| &notice.token)
    }

    /// For whom and when a ticket was opened, once it was: what the daily cap counts.
    #[must_use]
    pub fn ticket_opened(&self) -> Option<(PersonId, Timestamp)> {
        let grant = self.grant()?;
        let at = grant.approvals.last().map_or(self.received_at, |approval| approval.at);
        Some((grant.case.subject.id, at))
    }
}

impl Asker {
    /// The account, if it was one.
    #[must_use]
    pub fn account(&self) -> Option<&ChatUser> {
        match self {
            Self::Account(account) => Some(account),
            Self::Visitor(_) | Self::Source(_) => None,
        }
    }

    /// Whether somebody at the page asked.
    #[must_use]
    pub fn is_visitor(&self) -> bool {
        matches!(self, Self::Visitor(_))
    }

    /// Its name, for ledger and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Visitor(_) => "visitor",
            Self::Source(_) => "source",
        }
    }
}

impl Case {
    /// The pinned contact of a route.
    #[must_use]
    pub fn contact(&self, route: Route) -> Option<&PinnedContact> {
        self.contacts.iter().find(|(of, _)| *of == route).map(|(_, contact)| contact)
    }
}

impl Request {
    /// How it ended, or will once its pass is gone.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        match &self.state {
            State::Closed { ending, .. }
            | State::Unsettled { goal: Goal::End(ending), .. }
            | State::Revoking { goal: Goal::End(ending), .. } => Some(ending),
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => None,
        }
    }

    /// Why it was refused, if it was or is about to be.
    #[must_use]
    pub fn refused_for(&self) -> Option<&Reason> {
        match self.ending()? {
            Ending::Refused(reason) => Some(reason),
            Ending::Used
            | Ending::Expired
            | Ending::Revoked(_)
            | Ending::Denied(_)
            | Ending::Mismatched(_)
            | Ending::SetAside(_)
            | Ending::Cancelled
            | Ending::Withdrawn(_)
            | Ending::LapsedUndecided
            | Ending::LapsedUnclaimed
            | Ending::Locked
            | Ending::Reported
            | Ending::Doubted { .. } => None,
        }
    }

    /// Whether it was them who made the request.
    #[must_use]
    pub fn is_asked_by(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Account(account) => self.requester.account() == Some(account),
            Caller::Person(person) => self.asker_id() == Some(*person),
        }
    }

    /// Whether the request is for the person of that name, as far as the request itself knows their names.
    #[must_use]
    pub fn is_for(&self, naming: &Naming) -> bool {
        let is_upn =
            |upn: &str| matches!(naming, Naming::Address(address) if upn.eq_ignore_ascii_case(address));
        self.subject == *naming || self.case().is_some_and(|case| is_upn(&case.subject.upn))
    }

    /// Who calls, if they may revoke the request for what they are in it: its requester or an approver.
    #[must_use]
    pub fn may_revoke(&self, caller: &Caller) -> Option<Human> {
        let case = self.case()?;
        if self.is_asked_by(caller) {
            return Some(case.requester.clone());
        }
        let is_theirs = |candidate: &&Candidate| match caller {
            Caller::Account(account) => candidate.account == *account,
            Caller::Person(person) => candidate.human.id == *person,
        };
        case.approvers.iter().find(is_theirs).map(|candidate| candidate.human.clone())
    }
}

impl Request {
    /// What came of it so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.state {
            State::Received | State::AwaitingApproval { .. } => Outcome::Undecided,
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Issued { .. }
            | State::Unsettled { goal: Goal::Reopen, .. }
            | State::Revoking { goal: Goal::Reopen, .. } => Outcome::Approved,
            State::Shown { .. } => Outcome::Shown,
            State::Unsettled { goal: Goal::End(ending), .. }
            | State::Revoking { goal: Goal::End(ending), .. }
            | State::Closed { ending, .. } => Outcome::Ended(ending.clone()),
        }
    }

    /// The requester's messages that something has come of since.
    pub fn outdated(&self) -> impl Iterator<Item = &ToldRequester> {
        let outcome = self.outcome();
        self.told.iter().filter(move |told| told.outcome != outcome)
    }
}

impl Ending {
    /// The ending as everybody but approvers and security is told of it.
    #[must_use]
    pub fn as_told(&self) -> Self {
        let Self::Doubted { by, seems } = self else { return self.clone() };
        match seems {
            Seeming::Denied => Self::Denied(by.clone()),
            Seeming::Withdrawn => Self::Withdrawn(by.clone()),
            Seeming::Revoked => Self::Revoked(by.clone()),
        }
    }
}

impl Request {
    /// The approvals that were given, until it ended undecided.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        match &self.state {
            State::AwaitingApproval { approvals, .. } => approvals,
            State::Received
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => self.grant().map_or(&[], |grant| &grant.approvals),
        }
    }

    /// Whether this person approved it.
    #[must_use]
    pub fn has_approved(&self, person: PersonId) -> bool {
        self.approvals().iter().any(|approval| approval.by.id == person)
    }
}

impl Grant {
    /// The approver who shows nobody the PIN and tells it: the last one.
    #[must_use]
    pub fn pin_keeper(&self) -> Option<&Human> {
        self.approvals.last().map(|approval| &approval.by)
    }

    /// The first route of the code that has not failed yet.
    #[must_use]
    pub fn next_code_route(&self) -> Option<Route> {
        let failed = &self.ticket.failed_routes;
        self.case.terms.code_routes.iter().copied().find(|route| !failed.contains(route))
    }
}

impl Grant {
    /// Whether the code could still go by another route: one that has a contact and has not failed.
    #[must_use]
    pub fn has_code_route_beside(&self, route: Route) -> bool {
        let is_left = |other: &Route| {
            *other != route
                && !self.ticket.failed_routes.contains(other)
                && self.case.contact(*other).is_some()
        };
        self.case.terms.code_routes.iter().any(is_left)
    }
}

impl Progress {
    /// Its name, for logs and the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
        }
    }
}

impl Notice {
    /// When the link of a notice stops working, if the pass ends at `ends_at`.
    #[must_use]
    pub fn link_ends(ends_at: Timestamp) -> Timestamp {
        ends_at.saturating_add(REPORT_OUTLIVES).unwrap_or(Timestamp::MAX)
    }
}

impl Reason {
    /// Its name, for logs: the words of [`crate::words`] may hold somebody's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RequesterNotVouched(_) => "requester_not_vouched",
            Self::RequesterUnknown => "requester_unknown",
            Self::RequesterAmbiguous => "requester_ambiguous",
            Self::SubjectNotVouched(_) => "subject_not_vouched",
            Self::SubjectUnknown => "subject_unknown",
            Self::SubjectAmbiguous => "subject_ambiguous",
            Self::SubjectDisabled => "subject_disabled",
            Self::SubjectGuest => "subject_guest",
            Self::SubjectPrivileged => "subject_privileged",
            Self::NoRule => "no_rule",
            Self::RuleChanged => "rule_changed",
            Self::NoTicketNumber(_) => "no_ticket_number",
            Self::NobodyCanApprove(_) => "nobody_can_approve",
            Self::NotReached(_) => "not_reached",
            Self::ApproverNotEntitled(_) => "approver_not_entitled",
            Self::NoContact(_) => "no_contact",
            Self::ContactMasked => "contact_masked",
            Self::ContactChanged => "contact_changed",
            Self::ContactTooNew { .. } => "contact_too_new",
            Self::ManagerTooNew { .. } => "manager_too_new",
            Self::LogUnreadable => "log_unreadable",
            Self::PassPolicyOff => "pass_policy_off",
            Self::TooManyTickets(_) => "too_many_tickets",
            Self::AlreadyOpen(_) => "already_open",
            Self::Undeliverable => "undeliverable",
            Self::LookupFailed => "lookup_failed",
        }
    }
}
