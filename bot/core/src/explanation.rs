//! What would become of a request that somebody made now, and why?
//!
//! An explanation is made from the same reads as a request's facts, and nothing else: nothing is asked of anybody, sent,
//! stored or written down. Where a request stops at the first reason to refuse it, an explanation names them all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::caution::Caution;
use crate::ids::{ChatName, RuleName};
use crate::pass::PassWish;
use crate::people::Human;
use crate::policy::Route;
use crate::request::Reason;

/// What would become of a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Who would ask, if there is one such person.
    pub requester: Option<Human>,
    /// The chat in which they could, if one knows them.
    pub asks_in: Option<ChatName>,
    /// Whether they could only ask for themselves at the page for people without chat.
    pub at_the_page: bool,
    /// For whom, if there is one such person.
    pub subject: Option<Human>,
    /// The subject's manager, if one is set.
    pub manager: Option<Human>,
    /// Every rule in order, up to the one that would be bound.
    pub rules: Vec<Tried>,
    /// What the bound rule says; nothing where none matches.
    pub bound: Option<Bound>,
    /// Every reason to refuse it.
    pub refusals: Vec<Reason>,
    /// So many requests of the requester within an hour are all that the policy allows, and they were made.
    pub asked_too_often: Option<u32>,
    /// What could not be looked up, so that nobody knows what would become of it.
    pub unknown: Vec<String>,
}

/// A rule that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub rule: RuleName,
    /// Whether the requester is whom it means.
    pub requester: bool,
    /// Whether the subject is whom it means.
    pub subject: bool,
}

/// What the bound rule says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Which rule.
    pub rule: RuleName,
    /// Per approval, whom the rule means; empty means approved at the source.
    pub approvals: Vec<Vec<Approver>>,
    /// After how long without a decision others are asked as well.
    pub escalate_after: Option<Duration>,
    /// Per approval, whom the rule means then.
    pub fallback: Vec<Vec<Approver>>,
    /// Whether approvers have to choose the number that the requester sees.
    pub number_match: bool,
    /// The pattern of the ticket number that a request has to have.
    pub ticket_number: Option<String>,
    /// The lifetime that the rule wishes.
    pub lifetime: Duration,
    /// The pass that would be made, as far as the tenant's policy could be read.
    pub pass: Option<PassWish>,
    /// The ways of code, PIN and owner's notice, in order.
    pub ways: Vec<Way>,
    /// What the rule's caution keeps out.
    pub cautions: Vec<Caution>,
}

/// Somebody whom the rule means as an approver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// Who.
    pub human: Human,
    /// Whether they can decide.
    pub can: Can,
}

/// Whether somebody can decide, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Can {
    /// They would be asked in this chat.
    InChat(ChatName),
    /// Their delegate would be asked too, or in their stead.
    ByDelegate(Human),
    /// Nobody decides about what they ask for or what is for them.
    NotAboutThemselves,
    /// Their account is disabled, or a guest's.
    NotEnabled,
    /// No chat knows them in which they could decide.
    NotInAnyChat,
    /// They are asked about as many requests as the policy allows at a time.
    HasEnough,
}

/// What a way carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Carries {
    /// The code.
    Code,
    /// The PIN.
    Pin,
    /// The owner's notice.
    Notice,
}

/// A way to the subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// What it carries.
    pub carries: Carries,
    /// Its route.
    pub route: Route,
    /// Where it leads.
    pub to: Leads,
}

/// Where a way leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leads {
    /// To this contact, masked.
    To(String),
    /// To the last approver, who tells it.
    ToTheApprover,
    /// To the manager in chat.
    ToTheManager,
    /// Nowhere: there is no such contact.
    Nowhere,
    /// Nowhere: Entra masks the contact.
    Masked,
    /// It could not be looked up.
    Unknown,
}

/// Who could approve a pass for somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForSubject {
    /// For whom, if there is one such person.
    pub subject: Option<Human>,
    /// The rules that are for them, in order.
    pub rules: Vec<ForRule>,
    /// Why nobody could get them a pass now.
    pub refusals: Vec<Reason>,
    /// What could not be looked up.
    pub unknown: Vec<String>,
}

/// What a rule means for somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForRule {
    /// Which rule.
    pub rule: RuleName,
    /// Per approval, whom it means; empty means approved at the source.
    pub approvals: Vec<Vec<Approver>>,
    /// The ways of code and PIN, in order.
    pub ways: Vec<Way>,
    /// Whether it refuses them for what they may do in the directory.
    pub is_privileged: bool,
}

impl Approver {
    /// Whether they, or their delegate, would be asked.
    #[must_use]
    pub fn can_decide(&self) -> bool {
        match self.can {
            Can::InChat(_) | Can::ByDelegate(_) => true,
            Can::NotAboutThemselves | Can::NotEnabled | Can::NotInAnyChat | Can::HasEnough => false,
        }
    }
}

impl Explanation {
    /// Whether the request would come before its approvers; unknown where something could not be looked up.
    #[must_use]
    pub fn goes_through(&self) -> Option<bool> {
        if !self.refusals.is_empty() || self.asked_too_often.is_some() {
            Some(false)
        } else if self.unknown.is_empty() {
            Some(true)
        } else {
            None
        }
    }
}
