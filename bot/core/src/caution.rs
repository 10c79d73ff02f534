//! What about a person changed so lately that a careful rule does not rely on it?

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::PersonId;
use crate::people::{Contact, ContactSource};

/// A change that the directory's audit log shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// When.
    pub at: Timestamp,
    /// Of what.
    pub of: Changed,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A contact: the addresses that are new with it, where the log tells them.
    Contact(ContactSource, Option<Vec<String>>),
    /// The manager: those whom the log names, where it names anybody.
    Manager(Vec<PersonId>),
}

/// What a careful rule keeps out of a request; approvers read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caution {
    /// A contact that was changed then is not used.
    Contact {
        /// Where it is on file.
        source: ContactSource,
        /// Which one, in the form that people see.
        masked: String,
        /// When it was changed.
        changed_at: Timestamp,
        /// How long the rule waits.
        wait: Duration,
    },
    /// The manager, who was changed then, is not asked.
    Manager {
        /// When they were changed.
        changed_at: Timestamp,
        /// How long the rule waits.
        wait: Duration,
    },
    /// The audit log cannot be read, so that one more person has to approve.
    LogUnreadable,
}

impl FileChange {
    /// Whether the contact may be what was changed.
    #[must_use]
    pub fn concerns(&self, contact: &Contact) -> bool {
        match &self.of {
            Changed::Contact(source, new) if *source == contact.source => {
                let is_it = |address: &String| address.eq_ignore_ascii_case(&contact.address);
                new.as_ref().is_none_or(|new| new.iter().any(is_it))
            }
            Changed::Contact(..) | Changed::Manager(_) => false,
        }
    }

    /// Whether that person may have become the manager by it.
    #[must_use]
    pub fn concerns_manager(&self, manager: PersonId) -> bool {
        match &self.of {
            Changed::Manager(named) => named.is_empty() || named.contains(&manager),
            Changed::Contact(..) => false,
        }
    }
}

impl Caution {
    /// Whether it keeps the manager out.
    #[must_use]
    pub fn is_of_the_manager(&self) -> bool {
        match self {
            Self::Manager { .. } => true,
            Self::Contact { .. } | Self::LogUnreadable => false,
        }
    }

    /// How the ledger names it.
    #[must_use]
    pub fn ledger_words(&self) -> String {
        match self {
            Self::Contact { source, changed_at, .. } => format!("{source:?} changed {changed_at}"),
            Self::Manager { changed_at, .. } => format!("Manager changed {changed_at}"),
            Self::LogUnreadable => "audit log unreadable".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::people::ContactKind;

    const MARY: PersonId = PersonId(Uuid::from_u128(1));
    const MAX: PersonId = PersonId(Uuid::from_u128(2));

    fn change(of: Changed) -> FileChange {
        FileChange { at: "2026-11-21T10:00:00Z".parse().unwrap(), of }
    }

    fn phone(source: ContactSource) -> Contact {
        Contact { source, kind: ContactKind::Phone, address: "+491701234512".to_owned() }
    }

    #[test]
    fn a_change_concerns_the_address_that_is_new_with_it() {
        let concerns = |new: Option<&[&str]>| {
            let new = new.map(|new| new.iter().map(ToString::to_string).collect());
            let change = change(Changed::Contact(ContactSource::PhoneMethods, new));
            change.concerns(&phone(ContactSource::PhoneMethods))
        };
        assert!(concerns(Some(&["+491701234512"])));
        assert!(concerns(None), "what the log does not tell may be anything");
        assert!(!concerns(Some(&["+493012345678"])) && !concerns(Some(&[])));
    }

    #[test]
    fn a_change_concerns_its_own_source_only() {
        let change = change(Changed::Contact(ContactSource::PhoneMethods, None));
        assert!(!change.concerns(&phone(ContactSource::MobilePhone)));
        assert!(!change.concerns_manager(MARY));
    }

    #[test]
    fn a_manager_is_new_whom_the_log_names_or_may_mean() {
        assert!(change(Changed::Manager(vec![MARY])).concerns_manager(MARY));
        assert!(change(Changed::Manager(Vec::new())).concerns_manager(MARY));
        assert!(!change(Changed::Manager(vec![MAX])).concerns_manager(MARY));
    }
}
