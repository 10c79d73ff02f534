//! Who may ask for whom, who has to agree, and how does it reach the subject?
//!
//! The first rule that matches is bound to the request by name and matched again at the claim.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hours::QuietHours;
use crate::ids::{GroupId, PersonId, RoleId, RuleName, SourceName, TicketNumber};
use crate::people::{ContactKind, ContactSource, Privileges};

mod check;
mod parse;
#[cfg(test)]
mod tests;
mod visits;

pub use self::check::Fault;
pub use self::parse::duration;
use self::parse::some_duration;
pub use self::visits::Visits;

/// The `[policy]` section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How long approvers have.
    #[serde(default = "four_hours", deserialize_with = "duration")]
    pub approval_expires: Duration,
    /// How long approvers have until they are reminded; later pauses are twice the one before. 0 for never.
    #[serde(default, deserialize_with = "some_duration")]
    pub remind_after: Option<Duration>,
    /// When nobody is reminded.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    /// How long code and PIN are good, from the moment both were sent.
    #[serde(default = "half_an_hour", deserialize_with = "duration")]
    pub ticket_expires: Duration,
    /// `"nist"`: ten minutes at most where a phone route is used (SP 800-63B-4 §4.2.1.2).
    #[serde(default)]
    pub profile: Profile,
    /// Tickets per subject within 24 hours.
    #[serde(default = "three")]
    pub tickets_per_day: u32,
    /// Undecided requests that one approver is asked about at a time.
    #[serde(default = "ten")]
    pub prompts_per_approver: u32,
    /// Requests of one requester within an hour.
    #[serde(default = "twenty")]
    pub requests_per_hour: u32,
    /// The rules, in order.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// A named set of limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The limits of the configuration.
    #[default]
    Standard,
    /// The limits of NIST SP 800-63B-4 on top.
    Nist,
}

/// One `[[policy.rule]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; approvers and auditors read it.
    pub name: RuleName,
    /// Who may ask.
    pub requester: AnyOf<Requester>,
    /// For whom.
    pub subject: AnyOf<Subject>,
    /// One entry per approval; `[]` means approved at the source.
    pub approvals: Vec<AnyOf<Approver>>,
    /// After how long without a decision others are asked as well.
    #[serde(default, deserialize_with = "some_duration")]
    pub escalate_after: Option<Duration>,
    /// Who else then: one entry for all approvals, or one entry per approval.
    #[serde(default)]
    pub escalate_to: Vec<AnyOf<Approver>>,
    /// Wished lifetime; moved into the tenant's range.
    #[serde(deserialize_with = "duration")]
    pub lifetime: Duration,
    /// Whether one sign-in spends the pass.
    #[serde(default = "yes")]
    pub one_time: bool,
    /// Route of the code, then fallbacks.
    pub ticket: Vec<Route>,
    /// Route of the PIN, then fallbacks.
    pub pin: Vec<Route>,
    /// Routes of the owner's notice: every one that is possible is used.
    pub notice: Vec<Route>,
    /// Where contacts may come from.
    #[serde(default = "phone_methods")]
    pub contacts: Vec<ContactSource>,
    /// Whether the source that asks may state that somebody approved; never more than one approval.
    #[serde(default)]
    pub stated_approval: bool,
    /// Whether approvers have to choose the number that the requester was shown.
    #[serde(default, rename = "match")]
    pub number_match: bool,
    /// Directory roles that a subject under this rule may hold.
    #[serde(default)]
    pub allow_privileged: Vec<RoleId>,
    /// A phone, a mail address or a manager that changed within this time is not used.
    #[serde(default, deserialize_with = "some_duration")]
    pub cool_down: Option<Duration>,
    /// What happens where the audit log, which knows of changes, cannot be read.
    #[serde(default)]
    pub audit_unreadable: AuditUnreadable,
    /// The pattern of the ticket number that a request has to have, in its own field or as a word of the reason.
    #[serde(default)]
    pub ticket_number: Option<Pattern>,
}

/// What happens where the directory's audit log cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditUnreadable {
    /// The request is refused.
    #[default]
    Refuse,
    /// One more person has to approve, out of all whom the rule's approvals name.
    SecondApproval,
}

/// How something reaches a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// A text message to a phone on file.
    Sms,
    /// A mail to an address on file.
    Email,
    /// The last approver, by word of mouth.
    Approver,
    /// The subject's manager, in chat: for notices.
    Manager,
}

/// What a route has in common with another: two halves of a ticket never share a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteClass {
    /// Whoever holds the phone number.
    Phone,
    /// Whoever reads the mailbox.
    Mail,
    /// A person who speaks to the subject.
    Person,
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requester {
    /// The subject, for themselves.
    Subject,
    /// The subject's manager.
    ManagerOfSubject,
    /// Members of a group.
    Group(GroupId),
    /// One person.
    User(PersonId),
    /// Every enabled member of the tenant.
    Anyone,
    /// A system that signs its messages, whoever stands behind it.
    Source(SourceName),
}

/// For whom may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Every enabled member of the tenant.
    Anyone,
    /// Members of a group.
    Group(GroupId),
    /// One person.
    User(PersonId),
}

/// Who may approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approver {
    /// The subject's manager.
    Manager,
    /// Members of a group.
    Group(GroupId),
    /// One person.
    User(PersonId),
}

/// Alternatives: `manager | group:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyOf<T>(pub Vec<T>);

/// A regular expression that has to match a whole word.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    whole: regex_lite::Regex,
}

/// What the directory says about the people of a request, as far as rules ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// Who asks.
    pub requester: PersonId,
    /// The source that says so, where nobody is seen to ask.
    pub source: Option<SourceName>,
    /// For whom.
    pub subject: PersonId,
    /// The subject's manager.
    pub manager: Option<PersonId>,
    /// The groups of [`Policy::groups`] that the requester is in.
    pub requester_groups: BTreeSet<GroupId>,
    /// The groups of [`Policy::groups`] that the subject is in.
    pub subject_groups: BTreeSet<GroupId>,
}

/// The built-in roles that an Authentication Administrator may manage, by template id; every other role makes
/// its holder privileged. Source: Microsoft's "who can perform sensitive actions" table of January 2026.
const MANAGEABLE_ROLES: [&str; 8] = [
    "c4e39bd9-1100-46d3-8c65-fb160da0071f", // Authentication Administrator
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b", // Directory Readers
    "95e79109-95c0-4d8e-aee3-d01accf2d47b", // Guest Inviter
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", // Message Center Reader
    "966707d0-3269-4727-9be2-8c3a10f19b9d", // Password Administrator
    "4a5d8f65-41da-4de4-8968-e035b65339cf", // Reports Reader
    "27460883-1df1-4691-b032-3b79643e5e63", // User Experience Success Manager
    "75934031-6c7e-415a-99d7-48dbd49e875e", // Usage Summary Reports Reader
];

/// How long approvers have until they are reminded, where nothing else is configured.
const REMIND_AFTER: Duration = Duration::from_mins(15);

impl Policy {
    /// The first rule that matches, or nothing.
    #[must_use]
    pub fn bind(&self, circumstances: &Circumstances) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(circumstances))
    }

    /// The rule of that name.
    #[must_use]
    pub fn rule(&self, name: &RuleName) -> Option<&Rule> {
        self.rules.iter().find(|rule| &rule.name == name)
    }

    /// Every group that a rule asks about when it is matched.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupId> {
        let groups: BTreeSet<GroupId> = self.rules.iter().flat_map(Rule::matched_groups).collect();
        groups.into_iter().collect()
    }

    /// Every group whose members may ask under some rule.
    #[must_use]
    pub fn groups_that_ask(&self) -> Vec<GroupId> {
        let groups: BTreeSet<GroupId> = self.rules.iter().flat_map(Rule::groups_that_ask).collect();
        groups.into_iter().collect()
    }

    /// How long approvers have until they are reminded, if they are.
    #[must_use]
    pub fn reminds_after(&self) -> Option<Duration> {
        Some(self.remind_after.unwrap_or(REMIND_AFTER)).filter(|after| !after.is_zero())
    }

    /// A mark that is the same for two policies that say the same, within one version of tapdesk.
    #[must_use]
    pub fn mark(&self) -> String {
        crate::ticket::sha256_hex(format!("{self:?}").as_bytes())
    }

    /// The longest lifetime that a pass can have under any rule.
    #[must_use]
    pub fn longest_lifetime(&self) -> Duration {
        self.rules.iter().map(|rule| rule.lifetime).max().unwrap_or_default()
    }

    /// How long a ticket under this rule is good once code and PIN were sent.
    #[must_use]
    pub fn ticket_time(&self, rule: &Rule) -> Duration {
        let by_phone =
            rule.ticket.iter().chain(&rule.pin).any(|route| route.class() == Some(RouteClass::Phone));
        match self.profile {
            Profile::Nist if by_phone => self.ticket_expires.min(Duration::from_mins(10)),
            Profile::Nist => self.ticket_expires.min(Duration::from_hours(24)),
            Profile::Standard => self.ticket_expires,
        }
    }
}

impl Rule {
    /// Who else may give the approval of that number once nobody decided for a while.
    #[must_use]
    pub fn fallback(&self, approval: usize) -> Option<&AnyOf<Approver>> {
        match &self.escalate_to[..] {
            [for_all] => Some(for_all),
            each => each.get(approval),
        }
    }

    /// Whether requester and subject are who the rule is for.
    #[must_use]
    pub fn matches(&self, who: &Circumstances) -> bool {
        self.is_requester(who) && self.is_subject(who)
    }

    /// Whether the requester is who the rule lets ask.
    #[must_use]
    pub fn is_requester(&self, who: &Circumstances) -> bool {
        let themselves = who.requester == who.subject;
        // Whoever a source names was not seen to ask: a rule has to name the source itself.
        let in_person = who.source.is_none();
        self.requester.0.iter().any(|selector| match selector {
            Requester::Subject => in_person && themselves,
            Requester::ManagerOfSubject => in_person && !themselves && who.manager == Some(who.requester),
            Requester::Group(group) => in_person && !themselves && who.requester_groups.contains(group),
            Requester::User(person) => in_person && !themselves && who.requester == *person,
            Requester::Anyone => in_person && !themselves,
            Requester::Source(source) => !themselves && who.source.as_ref() == Some(source),
        })
    }

    /// Whether the subject is who the rule is for.
    #[must_use]
    pub fn is_subject(&self, who: &Circumstances) -> bool {
        self.subject.0.iter().any(|selector| match *selector {
            Subject::Anyone => true,
            Subject::Group(group) => who.subject_groups.contains(&group),
            Subject::User(person) => who.subject == person,
        })
    }

    /// The groups of the rule that the requester is in.
    #[must_use]
    pub fn requester_groups(&self, who: &Circumstances) -> Vec<GroupId> {
        let is_theirs = |group: &GroupId| who.requester_groups.contains(group);
        self.groups_that_ask().filter(is_theirs).collect()
    }

    /// Groups whose members may ask.
    fn groups_that_ask(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.requester.0.iter().filter_map(|selector| match *selector {
            Requester::Group(group) => Some(group),
            Requester::Subject
            | Requester::ManagerOfSubject
            | Requester::User(_)
            | Requester::Anyone
            | Requester::Source(_) => None,
        })
    }

    /// Groups that members are needed of to match requester and subject.
    fn matched_groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        let subject = self.subject.0.iter().filter_map(|selector| match *selector {
            Subject::Group(group) => Some(group),
            Subject::Anyone | Subject::User(_) => None,
        });
        self.groups_that_ask().chain(subject)
    }

    /// The ticket number of a request: the one that was given by itself, or the first word of the reason that is one.
    /// The pattern that nothing matches, where the rule wants a number.
    pub fn ticket_number(
        &self,
        given: Option<&TicketNumber>,
        reason: &str,
    ) -> Result<Option<TicketNumber>, &Pattern> {
        let Some(pattern) = &self.ticket_number else { return Ok(given.cloned()) };
        let words = reason.split(|c: char| c.is_whitespace() || ",;:()".contains(c));
        let mut candidates = given.map(TicketNumber::as_str).into_iter().chain(words);
        let found = candidates.find(|word| pattern.matches(word)).ok_or(pattern)?;
        Ok(Some(TicketNumber::by_pattern(found)))
    }

    /// How long a pass may live that somebody asks for: what they wish, and never longer than the rule says.
    #[must_use]
    pub fn lifetime(&self, asked: Option<Duration>) -> Duration {
        asked.map_or(self.lifetime, |asked| asked.min(self.lifetime))
    }

    /// Whether the person's privileges are no obstacle under this rule.
    #[must_use]
    pub fn tolerates(&self, privileges: &Privileges, management_restricted: bool) -> bool {
        privileges.are_tolerated(&self.allow_privileged, management_restricted)
    }

    /// The sources that may ask.
    pub fn sources(&self) -> impl Iterator<Item = &SourceName> {
        self.requester.0.iter().filter_map(|selector| match selector {
            Requester::Source(source) => Some(source),
            Requester::Subject
            | Requester::ManagerOfSubject
            | Requester::Group(_)
            | Requester::User(_)
            | Requester::Anyone => None,
        })
    }
}

impl Privileges {
    /// Whether they are no obstacle where those roles are allowed. With none allowed: whether the person is not
    /// privileged.
    #[must_use]
    pub fn are_tolerated(&self, allowed: &[RoleId], management_restricted: bool) -> bool {
        let tolerated = |role: &RoleId| allowed.contains(role) || is_manageable(*role);
        let listed = |roles: &[RoleId]| roles.iter().all(tolerated);
        // A role-assignable group exists to give roles; without naming a role, a rule cannot mean its members. Its
        // owners can make themselves members, and which roles that would give them was not looked up.
        let group_tolerated = !self.owns_role_assignable_group
            && (!self.in_role_assignable_group
                || self.roles.iter().chain(&self.eligible).any(|role| allowed.contains(role)));
        !management_restricted && group_tolerated && listed(&self.roles) && listed(&self.eligible)
    }
}

/// Whether holders of only this role can be managed by an Authentication Administrator.
fn is_manageable(role: RoleId) -> bool {
    MANAGEABLE_ROLES.iter().any(|id| *id == role.to_string())
}

impl ContactSource {
    /// What kind of address it holds.
    #[must_use]
    pub fn kind(self) -> ContactKind {
        match self {
            Self::PhoneMethods | Self::MobilePhone => ContactKind::Phone,
            Self::OtherMails | Self::Mail => ContactKind::Mail,
        }
    }
}

impl Route {
    /// The class of the route; a route that carries no half of a ticket has none.
    #[must_use]
    pub fn class(self) -> Option<RouteClass> {
        match self {
            Self::Sms => Some(RouteClass::Phone),
            Self::Email => Some(RouteClass::Mail),
            Self::Approver => Some(RouteClass::Person),
            Self::Manager => None,
        }
    }

    /// What kind of address it needs, if any.
    #[must_use]
    pub fn kind(self) -> Option<ContactKind> {
        match self {
            Self::Sms => Some(ContactKind::Phone),
            Self::Email => Some(ContactKind::Mail),
            Self::Approver | Self::Manager => None,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Approver => "approver",
            Self::Manager => "manager",
        })
    }
}

/// Assigns every approval of `slots` to another person of `people`; `None` if there are not enough of them.
///
/// `slots[i]` lists who may give approval `i`. "N approvals are N object ids" is this being possible.
#[must_use]
pub fn assign(slots: &[Vec<PersonId>], people: &[PersonId]) -> Option<Vec<PersonId>> {
    let given = assign_most(slots, people);
    (given.len() == slots.len()).then(|| given.into_values().collect())
}

/// Assigns as many approvals of `slots` as can be to another person of `people` each.
#[must_use]
pub fn assign_most(slots: &[Vec<PersonId>], people: &[PersonId]) -> BTreeMap<usize, PersonId> {
    fn place(
        slot: usize,
        slots: &[Vec<PersonId>],
        people: &[PersonId],
        taken: &mut BTreeMap<PersonId, usize>,
        tried: &mut BTreeSet<PersonId>,
    ) -> bool {
        for person in people.iter().filter(|person| slots[slot].contains(person)) {
            if !tried.insert(*person) {
                continue;
            }
            let free = match taken.get(person) {
                None => true,
                Some(&holder) => place(holder, slots, people, taken, tried),
            };
            if free {
                taken.insert(*person, slot);
                return true;
            }
        }
        false
    }
    let mut taken = BTreeMap::new();
    for slot in 0..slots.len() {
        place(slot, slots, people, &mut taken, &mut BTreeSet::new());
    }
    taken.into_iter().map(|(person, slot)| (slot, person)).collect()
}

fn four_hours() -> Duration {
    Duration::from_hours(4)
}

fn half_an_hour() -> Duration {
    Duration::from_mins(30)
}

fn three() -> u32 {
    3
}

fn ten() -> u32 {
    10
}

fn twenty() -> u32 {
    20
}

fn yes() -> bool {
    true
}

fn phone_methods() -> Vec<ContactSource> {
    vec![ContactSource::PhoneMethods]
}
