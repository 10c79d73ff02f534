//! What does the directory hold about people, groups and roles, and what follows from it?

use std::collections::HashSet;

use super::audit::{Entry, entries};
use crate::Now;
use crate::chance;

/// Roles whose holders an Authentication Administrator may still act on (permissions page of Entra, 2026-01).
const MANAGEABLE_ROLES: [&str; 8] = [
    "c4e39bd9-1100-46d3-8c65-fb160da0071f",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
    "95e79109-95c0-4d8e-aee3-d01accf2d47b",
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b",
    "966707d0-3269-4727-9be2-8c3a10f19b9d",
    "4a5d8f65-41da-4de4-8968-e035b65339cf",
    "27460883-1df1-4691-b032-3b79643e5e63",
    "75934031-6c7e-415a-99d7-48dbd49e875e",
];

/// Country codes of two digits; `1` and `7` have one digit and all others three.
const TWO_DIGIT_COUNTRIES: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
    "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
    "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// The three phones that somebody can sign in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneType {
    /// The first mobile phone.
    Mobile,
    /// The second mobile phone.
    AlternateMobile,
    /// The desk phone.
    Office,
}

impl PhoneType {
    /// The id that Graph gives to this type, the same for everybody.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Mobile => "3179e48a-750b-4051-897c-87b9720928f7",
            Self::AlternateMobile => "b6332ec1-7057-4abe-9331-3d72feddfe41",
            Self::Office => "e37fc753-ff3b-4958-9484-eaa9425c82bc",
        }
    }

    /// The name that Graph gives to this type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::AlternateMobile => "alternateMobile",
            Self::Office => "office",
        }
    }
}

/// One account as it is on file.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// Object id.
    pub id: String,
    /// Display name.
    pub display_name: String,
    /// `userPrincipalName`.
    pub upn: String,
    /// Primary mail address.
    pub mail: Option<String>,
    /// `accountEnabled`.
    pub enabled: bool,
    /// `Member` or `Guest`.
    pub user_type: String,
    /// Whether the credentials live in another organisation.
    pub external: bool,
    /// Profile attribute `mobilePhone`.
    pub mobile_phone: Option<String>,
    /// Profile attribute `otherMails`.
    pub other_mails: Vec<String>,
    /// `isManagementRestricted`.
    pub management_restricted: bool,
    /// Object id of the manager.
    pub manager: Option<String>,
    /// Phones as sign-in methods, written like `+491701234512`.
    pub phones: Vec<(PhoneType, String)>,
    /// Names of applications that the person owns.
    pub applications: Vec<String>,
}

impl Profile {
    pub(super) fn member(name: &str, upn: &str) -> Self {
        Self {
            id: super::person_id(upn),
            display_name: name.to_owned(),
            upn: upn.to_owned(),
            mail: Some(upn.to_owned()),
            enabled: true,
            user_type: "Member".to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn external_guest(name: &str, mail: &str) -> Self {
        let upn = format!("{}#EXT#@contoso.onmicrosoft.com", mail.replace('@', "_"));
        let mail = Some(mail.to_owned());
        Self { mail, user_type: "Guest".to_owned(), external: true, ..Self::member(name, &upn) }
    }

    /// First name: the first word of the display name.
    #[must_use]
    pub fn given_name(&self) -> &str {
        self.display_name.split(' ').next().unwrap_or_default()
    }

    /// Last name: the last word of the display name.
    #[must_use]
    pub fn surname(&self) -> &str {
        self.display_name.rsplit(' ').next().unwrap_or_default()
    }
}

/// One group as it is on file.
#[derive(Debug, Clone, Default)]
pub struct Circle {
    /// Object id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Object ids of people and groups.
    pub members: Vec<String>,
    /// Object ids of people.
    pub owners: Vec<String>,
    /// `isAssignableToRole`.
    pub assignable_to_role: bool,
}

impl Circle {
    pub(super) fn new(name: &str) -> Self {
        Self { id: chance::id_of("group", name), name: name.to_owned(), ..Self::default() }
    }
}

/// An active role.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Id of the assignment.
    pub id: String,
    /// Object id of the person or group.
    pub principal: String,
    /// Template id of the role.
    pub template: String,
    /// `/` or `/administrativeUnits/…`.
    pub scope: String,
}

/// A role that somebody may activate.
#[derive(Debug, Clone)]
pub struct Eligibility {
    /// Id of the instance.
    pub id: String,
    /// Object id of the person or group.
    pub principal: String,
    /// Template id of the role.
    pub template: String,
}

/// All accounts, groups and roles.
#[derive(Default)]
pub struct Register {
    /// The clock of the audit log, once one is kept.
    pub(super) now: Option<Now>,
    /// What changed since.
    pub audit: Vec<Entry>,
    /// Accounts.
    pub people: Vec<Profile>,
    /// Groups.
    pub groups: Vec<Circle>,
    /// Active roles.
    pub assignments: Vec<Assignment>,
    /// Roles that may be activated.
    pub eligibilities: Vec<Eligibility>,
}

impl Register {
    /// The account with this object id or sign-in name.
    #[must_use]
    pub fn person(&self, key: &str) -> Option<&Profile> {
        self.people.iter().find(|p| p.id.eq_ignore_ascii_case(key) || p.upn.eq_ignore_ascii_case(key))
    }

    /// The group with this object id.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&Circle> {
        self.groups.iter().find(|g| g.id.eq_ignore_ascii_case(id))
    }

    /// Every group that holds this object, directly or through other groups.
    #[must_use]
    pub fn groups_of(&self, id: &str) -> Vec<&Circle> {
        let mut found: Vec<&Circle> = Vec::new();
        let mut waiting = vec![id];
        while let Some(member) = waiting.pop() {
            for group in self.groups.iter().filter(|g| g.members.iter().any(|m| m == member)) {
                if !found.iter().any(|known| known.id == group.id) {
                    found.push(group);
                    waiting.push(&group.id);
                }
            }
        }
        found
    }

    /// Object ids of everybody and every group inside this group, at any depth.
    #[must_use]
    pub fn inside(&self, group: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let mut seen = HashSet::from([group]);
        let mut waiting = vec![group];
        while let Some(next) = waiting.pop() {
            let Some(group) = self.group(next) else { continue };
            for member in &group.members {
                if seen.insert(member) {
                    found.push(member);
                    waiting.push(member);
                }
            }
        }
        found
    }

    /// Template ids of tenant-wide roles that somebody has, directly or through a group.
    #[must_use]
    pub fn directory_roles_of<'a>(&'a self, id: &'a str) -> Vec<&'a str> {
        let mut roles: Vec<&str> = Vec::new();
        for assignment in self.assignments_reaching(id).filter(|a| a.scope == "/") {
            if !roles.contains(&assignment.template.as_str()) {
                roles.push(&assignment.template);
            }
        }
        roles
    }

    /// Whether Entra keeps an Authentication Administrator away from this account.
    #[must_use]
    pub fn is_beyond_authentication_administrators(&self, id: &str) -> bool {
        let holds = self.assignments_reaching(id).any(|a| !MANAGEABLE_ROLES.contains(&a.template.as_str()));
        let belongs = self.groups_of(id).iter().any(|g| g.assignable_to_role);
        let owns = self.groups.iter().any(|g| g.assignable_to_role && g.owners.iter().any(|o| o == id));
        holds || belongs || owns
    }

    pub(super) fn assign(&mut self, principal: &str, template: &str, scope: &str) {
        self.assignments.push(Assignment {
            id: chance::id("assignment"),
            principal: principal.to_owned(),
            template: template.to_owned(),
            scope: scope.to_owned(),
        });
    }

    pub(super) fn make_eligible(&mut self, principal: &str, template: &str) {
        self.eligibilities.push(Eligibility {
            id: chance::id("eligibility"),
            principal: principal.to_owned(),
            template: template.to_owned(),
        });
    }

    /// Changes an account, and notes it in the audit log.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Profile)) {
        let Some(person) = self.people.iter_mut().find(|person| person.id == id) else { return };
        let before = person.clone();
        change(person);
        if let Some(now) = &self.now {
            self.audit.extend(entries(&before, person, now()));
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.people.retain(|p| p.id != id);
        for group in &mut self.groups {
            group.members.retain(|m| m != id);
            group.owners.retain(|o| o != id);
        }
        for person in &mut self.people {
            person.manager.take_if(|manager| manager == id);
        }
    }

    fn assignments_reaching<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Assignment> {
        let groups: Vec<&str> = self.groups_of(id).iter().map(|g| g.id.as_str()).collect();
        self.assignments.iter().filter(move |a| a.principal == id || groups.contains(&a.principal.as_str()))
    }
}

/// A number as Graph writes it: `+49 1701234512`.
#[must_use]
pub fn graph_number(number: &str) -> String {
    let Some(digits) = number.strip_prefix('+').filter(|rest| !rest.contains(' ')) else {
        return number.to_owned();
    };
    let code = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if TWO_DIGIT_COUNTRIES.iter().any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    };
    let (country, rest) = digits.split_at_checked(code).unwrap_or((digits, ""));
    format!("+{country} {rest}")
}

/// A number as Graph shows it to a caller who may not see it: all digits but the last two are gone.
#[must_use]
pub fn masked_number(number: &str) -> String {
    let written = graph_number(number);
    let digits = written.chars().filter(char::is_ascii_digit).count();
    let mut seen = 0;
    let mask = |character: char| {
        seen += usize::from(character.is_ascii_digit());
        if character.is_ascii_digit() && seen + 2 <= digits { 'X' } else { character }
    };
    written.chars().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use crate::people::{Company, role};

    #[test]
    fn numbers_are_written_and_masked_as_graph_does() {
        assert_eq!(super::graph_number("+491701234512"), "+49 1701234512");
        assert_eq!(super::graph_number("+12065555555"), "+1 2065555555");
        assert_eq!(super::graph_number("+358401234567"), "+358 401234567");
        assert_eq!(super::masked_number("+491701234512"), "+XX XXXXXXXX12");
    }

    #[test]
    fn membership_reaches_through_groups_even_in_a_circle() {
        let company = Company::new();
        let jane = company.person("Jane Doe", "jane@contoso.com");
        let inner = company.group("inner").member(&jane);
        let outer = company.group("outer").subgroup(&inner).has_role(role::GLOBAL_ADMINISTRATOR);
        inner.subgroup(&outer);
        company.with(|register| {
            assert_eq!(register.groups_of(jane.id()).len(), 2);
            assert!(register.inside(outer.id()).contains(&jane.id()));
            assert_eq!(register.directory_roles_of(jane.id()), [role::GLOBAL_ADMINISTRATOR]);
            assert!(register.is_beyond_authentication_administrators(jane.id()));
        });
    }
}
