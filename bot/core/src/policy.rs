//! Who may ask for whom, who has to agree, and how does it reach the subject?
//!
//! The first rule that matches is bound to the request by name and matched again at the claim.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{GroupId, PersonId, RoleId, RuleName};
use crate::people::{ContactKind, ContactSource};

/// The `[policy]` section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How long approvers have.
    #[serde(default = "four_hours", deserialize_with = "duration")]
    pub approval_expires: Duration,
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
    /// Directory roles that a subject under this rule may hold.
    #[serde(default)]
    pub allow_privileged: Vec<RoleId>,
    /// A pattern that the reason's first word has to match: the ticket number.
    #[serde(default)]
    pub ticket_number: Option<Pattern>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            faults.extend(rule.faults().into_iter().map(|what| Fault::new(&key, &what)));
            earlier.push(rule);
        }
        faults
    }
}

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

impl Rule {
    /// Whether requester and subject are who the rule is for.
    #[must_use]
    pub fn matches(&self, who: &Circumstances) -> bool {
        let themselves = who.requester == who.subject;
        let requester = self.requester.0.iter().any(|selector| match *selector {
            Requester::Subject => themselves,
            Requester::ManagerOfSubject => !themselves && who.manager == Some(who.requester),
            Requester::Group(group) => !themselves && who.requester_groups.contains(&group),
            Requester::User(person) => !themselves && who.requester == person,
            Requester::Anyone => !themselves,
        });
        let subject = self.subject.0.iter().any(|selector| match *selector {
            Subject::Anyone => true,
            Subject::Group(group) => who.subject_groups.contains(&group),
            Subject::User(person) => who.subject == person,
        });
        requester && subject
    }

    /// Groups that members are needed of to match requester and subject.
    fn matched_groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        let requester = self.requester.0.iter().filter_map(|selector| match *selector {
            Requester::Group(group) => Some(group),
            Requester::Subject | Requester::ManagerOfSubject | Requester::User(_) | Requester::Anyone => None,
        });
        let subject = self.subject.0.iter().filter_map(|selector| match *selector {
            Subject::Group(group) => Some(group),
            Subject::Anyone | Subject::User(_) => None,
        });
        requester.chain(subject)
    }

    /// Whether every request that `other` matches is matched by this rule too (as far as the text shows).
    fn covers(&self, other: &Self) -> bool {
        let requester = other.requester.0.iter().all(|selector| {
            self.requester.0.contains(selector)
                || (*selector != Requester::Subject && self.requester.0.contains(&Requester::Anyone))
        });
        let subject =
            other.subject.0.iter().all(|selector| {
                self.subject.0.contains(selector) || self.subject.0.contains(&Subject::Anyone)
            });
        requester && subject
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |what: &str| faults.push(what.to_owned());
        let classes =
            |routes: &[Route]| -> BTreeSet<RouteClass> { routes.iter().filter_map(|r| r.class()).collect() };
        if self.requester.0.is_empty() || self.subject.0.is_empty() {
            fault("requester and subject each name at least one person or group");
        }
        if self.ticket.is_empty() || self.pin.is_empty() || self.notice.is_empty() {
            fault("ticket, pin and notice each need at least one route");
        }
        if self.ticket.iter().any(|route| matches!(route, Route::Approver | Route::Manager)) {
            fault("ticket: the code travels by sms or email; people carry only the PIN");
        }
        if self.pin.contains(&Route::Manager) || self.notice.contains(&Route::Approver) {
            fault("pin takes sms, email or approver; notice takes sms, email or manager");
        }
        if !classes(&self.ticket).is_disjoint(&classes(&self.pin)) {
            fault(
                "ticket and pin share a route class (fallbacks count): who holds that phone or mailbox would have both halves",
            );
        }
        if self.pin.contains(&Route::Approver) && self.approvals.is_empty() {
            fault("pin = [\"approver\"] with approvals = []: there is no approver to show the PIN to");
        }
        if self.requester.0.contains(&Requester::Anyone) && self.approvals.is_empty() {
            fault("requester = \"anyone\" with approvals = []: everybody could get a pass for everybody");
        }
        if self.requester.0.contains(&Requester::Subject) && self.approvals.is_empty() {
            fault(
                "requester = \"self\" with approvals = []: whoever holds the chat account could get a pass alone",
            );
        }
        if self.approvals.iter().any(|alternatives| alternatives.0.is_empty()) {
            fault("approvals: an entry is empty");
        }
        if self.ticket.iter().any(|code| self.notice.iter().all(|notice| notice == code)) {
            fault("notice: needs a route that is not the code's, so that the owner hears of it elsewhere");
        }
        for (route, kind) in [(Route::Sms, ContactKind::Phone), (Route::Email, ContactKind::Mail)] {
            let carries_half = self.ticket.contains(&route) || self.pin.contains(&route);
            if carries_half && !self.contacts.iter().any(|source| source.kind() == kind) {
                let missing =
                    format!("route {route} has no contact source: add {} to contacts", kind.sources());
                fault(&missing);
            }
        }
        if self.contacts.contains(&ContactSource::Mail) {
            fault("contacts: \"mail\" is the mailbox that a locked-out person cannot open; use otherMails");
        }
        if !(Duration::from_mins(10)..=Duration::from_hours(30 * 24)).contains(&self.lifetime) {
            fault("lifetime: Graph accepts 10m to 30d");
        }
        let persons = self.approvals.iter().filter(|a| matches!(a.0[..], [Approver::Manager])).count();
        if persons > 1 {
            fault("approvals: \"manager\" stands alone twice, and one person approves once");
        }
        faults
    }

    /// What the reason lacks, if the rule wants a ticket number in it.
    #[must_use]
    pub fn missing_ticket_number(&self, reason: &str) -> Option<&Pattern> {
        let pattern = self.ticket_number.as_ref()?;
        let found = reason
            .split(|c: char| c.is_whitespace() || ",;:()".contains(c))
            .any(|word| pattern.matches(word));
        (!found).then_some(pattern)
    }

    /// Whether the person's privileges are no obstacle under this rule.
    #[must_use]
    pub fn tolerates(&self, privileges: &crate::people::Privileges, management_restricted: bool) -> bool {
        let tolerated = |role: &RoleId| self.allow_privileged.contains(role) || is_manageable(*role);
        let listed = |roles: &[RoleId]| roles.iter().all(tolerated);
        // A role-assignable group exists to give roles; without naming a role, a rule cannot mean its members. Its
        // owners can make themselves members, and which roles that would give them was not looked up.
        let group_tolerated = !privileges.owns_role_assignable_group
            && (!privileges.in_role_assignable_group
                || privileges
                    .roles
                    .iter()
                    .chain(&privileges.eligible)
                    .any(|role| self.allow_privileged.contains(role)));
        !management_restricted && group_tolerated && listed(&privileges.roles) && listed(&privileges.eligible)
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

impl ContactKind {
    fn sources(self) -> &'static str {
        match self {
            Self::Phone => "\"phone-methods\"",
            Self::Mail => "\"otherMails\"",
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
        if !place(slot, slots, people, &mut taken, &mut BTreeSet::new()) {
            return None;
        }
    }
    let by_slot: BTreeMap<usize, PersonId> = taken.into_iter().map(|(person, slot)| (slot, person)).collect();
    Some(by_slot.into_values().collect())
}

impl Pattern {
    /// Compiles the pattern.
    pub fn new(source: &str) -> Result<Self, regex_lite::Error> {
        Ok(Self { source: source.to_owned(), whole: regex_lite::Regex::new(&format!("^(?:{source})$"))? })
    }

    /// Whether the whole word matches.
    #[must_use]
    pub fn matches(&self, word: &str) -> bool {
        self.whole.is_match(word)
    }

    /// The pattern as it was configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let parts = text.split('|').map(|part| part.trim().parse()).collect::<Result<_, _>>();
        parts.map(Self).map_err(serde::de::Error::custom)
    }
}

impl FromStr for Requester {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "self" => Ok(Self::Subject),
            "manager-of-subject" => Ok(Self::ManagerOfSubject),
            "anyone" => Ok(Self::Anyone),
            _ => group_or_user(text, Self::Group, Self::User).ok_or_else(|| {
                unknown(text, "self, manager-of-subject, anyone, group:<object id> or user:<object id>")
            }),
        }
    }
}

impl FromStr for Subject {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "anyone" => Ok(Self::Anyone),
            _ => group_or_user(text, Self::Group, Self::User)
                .ok_or_else(|| unknown(text, "anyone, group:<object id> or user:<object id>")),
        }
    }
}

impl FromStr for Approver {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "manager" => Ok(Self::Manager),
            _ => group_or_user(text, Self::Group, Self::User)
                .ok_or_else(|| unknown(text, "manager, group:<object id> or user:<object id>")),
        }
    }
}

fn group_or_user<T>(text: &str, group: fn(GroupId) -> T, user: fn(PersonId) -> T) -> Option<T> {
    match text.split_once(':')? {
        ("group", id) => id.parse().ok().map(group),
        ("user", id) => id.parse().ok().map(user),
        _ => None,
    }
}

fn unknown(text: &str, expected: &str) -> String {
    format!("\"{text}\" is not a selector: write {expected}")
}

/// Reads `"90s"`, `"15m"`, `"4h"`, `"30d"`.
pub fn duration<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse_duration(&text).ok_or_else(|| {
        serde::de::Error::custom(format!("\"{text}\" is not a duration: write 90s, 15m, 4h or 30d"))
    })
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|number| Duration::from_secs(u64::from(number) * seconds))
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
