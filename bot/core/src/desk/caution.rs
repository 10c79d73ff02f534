//! What does the audit log say against a contact or a manager, and what if it says nothing?

use std::time::Duration;

use jiff::Timestamp;

use crate::caution::{Caution, FileChange};
use crate::desk::Desk;
use crate::desk::facts::Looked;
use crate::ids::PersonId;
use crate::people::{Contact, Person};
use crate::policy::{Approver, AuditUnreadable, Requester, Rule};
use crate::ports::PortError;
use crate::request::Reason;

/// How long a log that fails is asked for before it counts as unreadable: the requester waits meanwhile.
const LOG_WITHIN: Duration = Duration::from_mins(3);

/// What a rule may rely on.
pub(super) struct Reliance {
    changes: Vec<FileChange>,
    wait: Duration,
    now: Timestamp,
    /// What is kept out of the request.
    pub(super) cautions: Vec<Caution>,
}

impl Desk {
    /// Reads what changed about the subject lately, where the rule wants to know.
    pub(super) async fn reliance(
        &self,
        rule: &Rule,
        subject: PersonId,
        received_at: Timestamp,
    ) -> Looked<Reliance> {
        let now = self.now();
        let wait = rule.cool_down.unwrap_or_default();
        let mut reliance = Reliance { changes: Vec::new(), wait, now, cautions: Vec::new() };
        if rule.cool_down.is_none() {
            return Ok(Ok(reliance));
        }
        let since = now.saturating_sub(wait).unwrap_or(Timestamp::MIN);
        let waited = Duration::try_from(now.duration_since(received_at)).unwrap_or_default();
        let error = match self.ports.directory.changes(subject, since).await {
            Ok(changes) => {
                reliance.changes = changes;
                return Ok(Ok(reliance));
            }
            Err(retry @ PortError::Retry { .. }) if waited < LOG_WITHIN => return Err(retry),
            Err(error) => error,
        };
        tracing::error!(error = &error as &dyn std::error::Error, "the directory's audit log cannot be read");
        Ok(match rule.audit_unreadable {
            AuditUnreadable::Refuse => Err(Reason::LogUnreadable),
            AuditUnreadable::SecondApproval => {
                reliance.cautions.push(Caution::LogUnreadable);
                Ok(reliance)
            }
        })
    }
}

impl Reliance {
    /// What is relied on where the log tells nothing.
    pub(super) fn without_log(now: Timestamp) -> Self {
        Self { changes: Vec::new(), wait: Duration::ZERO, now, cautions: Vec::new() }
    }

    /// The contacts that the rule may use.
    pub(super) fn usable(&mut self, contacts: Vec<Contact>) -> Vec<Contact> {
        let mut usable = Vec::with_capacity(contacts.len());
        for contact in contacts {
            match self.last(|change| change.concerns(&contact)) {
                None => usable.push(contact),
                Some(changed_at) => {
                    let source = contact.source;
                    let masked = contact.masked();
                    let caution = Caution::Contact { source, masked, changed_at, wait: self.wait };
                    if !self.cautions.contains(&caution) {
                        self.cautions.push(caution);
                    }
                }
            }
        }
        usable
    }

    /// The manager, if the rule may ask them or be asked by them.
    pub(super) fn manager<'a>(&mut self, rule: &Rule, manager: Option<&'a Person>) -> Option<&'a Person> {
        let manager = manager?;
        let Some(changed_at) = self.last(|change| change.concerns_manager(manager.id)) else {
            return Some(manager);
        };
        let approves = rule.approvals.iter().any(|alternatives| alternatives.0.contains(&Approver::Manager));
        if approves || rule.requester.0.contains(&Requester::ManagerOfSubject) {
            self.cautions.push(Caution::Manager { changed_at, wait: self.wait });
        }
        None
    }

    /// The reason for a refusal that a caution brought about.
    pub(super) fn explain(&self, reason: Reason) -> Reason {
        let age = |at: Timestamp| Duration::try_from(self.now.duration_since(at)).unwrap_or_default();
        let why = self.cautions.iter().find_map(|caution| match (caution, &reason) {
            (Caution::Contact { source, changed_at, wait, .. }, Reason::NoContact(route))
                if Some(source.kind()) == route.kind() =>
            {
                Some(Reason::ContactTooNew { source: *source, age: age(*changed_at), wait: *wait })
            }
            (Caution::Manager { changed_at, wait }, Reason::NobodyCanApprove(_) | Reason::NoRule) => {
                Some(Reason::ManagerTooNew { age: age(*changed_at), wait: *wait })
            }
            (Caution::LogUnreadable, Reason::NobodyCanApprove(who)) => Some(Reason::NobodyCanApprove(
                format!("{who}, and one more of them, since the directory's audit log cannot be read"),
            )),
            (Caution::Contact { .. } | Caution::Manager { .. } | Caution::LogUnreadable, _) => None,
        });
        why.unwrap_or(reason)
    }

    /// Adds the approval of one more person, out of all whom the rule asks, where the log cannot be read.
    pub(super) fn add_approval(&self, slots: &mut Vec<Vec<PersonId>>) {
        if self.cautions.contains(&Caution::LogUnreadable) {
            let mut anybody: Vec<PersonId> = slots.iter().flatten().copied().collect();
            anybody.sort_unstable();
            anybody.dedup();
            slots.push(anybody);
        }
    }

    fn last(&self, concerns: impl Fn(&FileChange) -> bool) -> Option<Timestamp> {
        self.changes.iter().filter(|change| concerns(change)).map(|change| change.at).max()
    }
}
