//! Who is in this world, and what does Entra have on file about them?
//!
//! A [`Company`] is the truth from which the simulators derive what they answer. Its people and groups are handles: every
//! setting works when the world is built (`company.person(…).manager(&mary)`) and again in the middle of a story
//! (`mary.disabled()`).

use std::sync::{Arc, Mutex};

use crate::Now;
use crate::chance;
use crate::wire::lock;

mod audit;
mod register;

pub use audit::Entry as AuditEntry;
pub use register::{
    Assignment, Circle, Eligibility, PhoneType, Profile, Register, graph_number, masked_number,
};

/// Template ids of the directory roles that stories talk about.
pub mod role {
    /// May do everything.
    pub const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
    /// May change the sign-in methods of everybody.
    pub const PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: &str = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13";
    /// May change the sign-in methods of everybody who is not privileged.
    pub const AUTHENTICATION_ADMINISTRATOR: &str = "c4e39bd9-1100-46d3-8c65-fb160da0071f";
    /// Resets passwords; has no right over sign-in methods.
    pub const HELPDESK_ADMINISTRATOR: &str = "729827e3-9c14-49f7-bb1b-9608f156bbb8";
    /// Creates and changes users.
    pub const USER_ADMINISTRATOR: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";
    /// A role that leaves its holder in an Authentication Administrator's reach.
    pub const DIRECTORY_READERS: &str = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b";
    /// Another role that leaves its holder in reach.
    pub const REPORTS_READER: &str = "4a5d8f65-41da-4de4-8968-e035b65339cf";
}

/// Everybody and everything that the directory knows.
#[derive(Clone, Default)]
pub struct Company {
    register: Arc<Mutex<Register>>,
}

impl Company {
    /// An empty company.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hires somebody: an enabled member whose mail address is the sign-in name and whose object id follows from it.
    #[must_use]
    pub fn person(&self, name: &str, upn: &str) -> Person {
        self.add(Profile::member(name, upn))
    }

    /// Invites somebody from another organisation (an external guest).
    #[must_use]
    pub fn guest(&self, name: &str, mail: &str) -> Person {
        self.add(Profile::external_guest(name, mail))
    }

    /// Founds a group; its object id follows from its name.
    #[must_use]
    pub fn group(&self, name: &str) -> Group {
        let circle = Circle::new(name);
        let id = circle.id.clone();
        self.with(|register| register.groups.push(circle));
        Group { company: self.clone(), id }
    }

    /// Everybody, in the order of hiring.
    #[must_use]
    pub fn people(&self) -> Vec<Person> {
        self.with(|register| register.people.iter().map(|p| self.handle(&p.id)).collect())
    }

    /// The person with this object id, sign-in name or mail address.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<Person> {
        self.with(|register| {
            let is = |text: &str| text.eq_ignore_ascii_case(key);
            let found = |p: &&Profile| is(&p.id) || is(&p.upn) || p.mail.as_deref().is_some_and(is);
            register.people.iter().find(found).map(|p| self.handle(&p.id))
        })
    }

    /// From now on changes to people leave entries in the audit log, at the time that `now` tells.
    pub fn keep_audit(&self, now: Now) {
        self.with(|register| register.now = Some(now));
    }

    /// Looks something up, or changes it, while nobody else does.
    pub fn with<T>(&self, work: impl FnOnce(&mut Register) -> T) -> T {
        work(&mut lock(&self.register))
    }

    fn add(&self, profile: Profile) -> Person {
        let person = self.handle(&profile.id);
        self.with(|register| register.people.push(profile));
        person
    }

    fn handle(&self, id: &str) -> Person {
        Person { company: self.clone(), id: id.to_owned() }
    }
}

/// One person of the company. Clones mean the same person.
#[derive(Clone)]
pub struct Person {
    company: Company,
    id: String,
}

#[expect(
    clippy::return_self_not_must_use,
    clippy::must_use_candidate,
    reason = "settings chain while the world is built, and stand alone in a story"
)]
impl Person {
    /// Entra object id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Display name.
    #[must_use]
    pub fn name(&self) -> String {
        self.profile().display_name
    }

    /// Sign-in name.
    #[must_use]
    pub fn upn(&self) -> String {
        self.profile().upn
    }

    /// Mail address; empty when there is none.
    #[must_use]
    pub fn mail(&self) -> String {
        self.profile().mail.unwrap_or_default()
    }

    /// Everything on file; empty once the person was removed.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.company.with(|register| register.person(&self.id).cloned().unwrap_or_default())
    }

    /// Sets the manager.
    pub fn manager(&self, manager: &Person) -> Self {
        self.set(|p| p.manager = Some(manager.id.clone()))
    }

    /// Takes the manager away.
    pub fn without_manager(&self) -> Self {
        self.set(|p| p.manager = None)
    }

    /// Registers the *sign-in method* of type mobile, written like `+491701234512`. See also [`Person::mobile_phone`].
    pub fn mobile(&self, number: &str) -> Self {
        self.phone(PhoneType::Mobile, number)
    }

    /// Registers a phone as sign-in method; a second one of a type takes the place of the first.
    pub fn phone(&self, kind: PhoneType, number: &str) -> Self {
        self.set(|p| {
            p.phones.retain(|(other, _)| *other != kind);
            p.phones.push((kind, number.to_owned()));
        })
    }

    /// Takes all phone sign-in methods away.
    pub fn without_phones(&self) -> Self {
        self.set(|p| p.phones.clear())
    }

    /// Sets the *profile attribute* `mobilePhone`, which proves less than a sign-in method does.
    pub fn mobile_phone(&self, number: &str) -> Self {
        self.set(|p| p.mobile_phone = Some(number.to_owned()))
    }

    /// Adds an address to the profile attribute `otherMails`.
    pub fn other_mail(&self, address: &str) -> Self {
        self.set(|p| p.other_mails.push(address.to_owned()))
    }

    /// Empties the profile attribute `otherMails`.
    pub fn without_other_mails(&self) -> Self {
        self.set(|p| p.other_mails.clear())
    }

    /// Sets the mail address to another than the sign-in name.
    pub fn with_mail(&self, address: &str) -> Self {
        self.set(|p| p.mail = Some(address.to_owned()))
    }

    /// Takes the mailbox away.
    pub fn without_mail(&self) -> Self {
        self.set(|p| p.mail = None)
    }

    /// Blocks sign-in.
    pub fn disabled(&self) -> Self {
        self.set(|p| p.enabled = false)
    }

    /// Allows sign-in again.
    pub fn enabled(&self) -> Self {
        self.set(|p| p.enabled = true)
    }

    /// Makes the person `userType` Guest with an account of this tenant (an internal guest).
    pub fn internal_guest(&self) -> Self {
        self.set(|p| "Guest".clone_into(&mut p.user_type))
    }

    /// Puts the person into a restricted management administrative unit.
    pub fn management_restricted(&self) -> Self {
        self.set(|p| p.management_restricted = true)
    }

    /// Makes the person owner of an application, so that what they own is of mixed types.
    pub fn owns_application(&self, name: &str) -> Self {
        self.set(|p| p.applications.push(name.to_owned()))
    }

    /// Assigns a directory role for the whole tenant.
    pub fn has_role(&self, template: &str) -> Self {
        self.has_role_in(template, "/")
    }

    /// Assigns a directory role in a scope such as `/administrativeUnits/…`.
    pub fn has_role_in(&self, template: &str, scope: &str) -> Self {
        self.company.with(|register| register.assign(&self.id, template, scope));
        self.clone()
    }

    /// Makes the person eligible for a role: it can be activated, and shows in no membership.
    pub fn eligible_for(&self, template: &str) -> Self {
        self.company.with(|register| register.make_eligible(&self.id, template));
        self.clone()
    }

    /// Takes back all roles and eligibilities that the person has directly.
    pub fn without_roles(&self) -> Self {
        self.company.with(|register| {
            register.assignments.retain(|a| a.principal != self.id);
            register.eligibilities.retain(|e| e.principal != self.id);
        });
        self.clone()
    }

    /// Deletes the account: the directory knows nobody of this id any more.
    pub fn removed(&self) {
        self.company.with(|register| register.remove(&self.id));
    }

    fn set(&self, change: impl FnOnce(&mut Profile)) -> Self {
        self.company.with(|register| register.change(&self.id, change));
        self.clone()
    }
}

/// One group of the company. Clones mean the same group.
#[derive(Clone)]
pub struct Group {
    company: Company,
    id: String,
}

#[expect(
    clippy::return_self_not_must_use,
    clippy::must_use_candidate,
    reason = "settings chain while the world is built, and stand alone in a story"
)]
impl Group {
    /// Entra object id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds a person.
    pub fn member(&self, person: &Person) -> Self {
        self.set(|g| g.members.push(person.id.clone()))
    }

    /// Adds a group with everybody in it.
    pub fn subgroup(&self, group: &Group) -> Self {
        self.set(|g| g.members.push(group.id.clone()))
    }

    /// Takes a person out.
    pub fn without(&self, person: &Person) -> Self {
        self.set(|g| g.members.retain(|m| *m != person.id))
    }

    /// Adds an owner.
    pub fn owner(&self, person: &Person) -> Self {
        self.set(|g| g.owners.push(person.id.clone()))
    }

    /// Lets the group carry directory roles: its members and owners are out of an Authentication Administrator's reach.
    pub fn role_assignable(&self) -> Self {
        self.set(|g| g.assignable_to_role = true)
    }

    /// Assigns a directory role to the group, which makes it role-assignable.
    pub fn has_role(&self, template: &str) -> Self {
        self.company.with(|register| register.assign(&self.id, template, "/"));
        self.role_assignable()
    }

    /// Makes the members of the group eligible for a role.
    pub fn eligible_for(&self, template: &str) -> Self {
        self.company.with(|register| register.make_eligible(&self.id, template));
        self.role_assignable()
    }

    fn set(&self, change: impl FnOnce(&mut Circle)) -> Self {
        self.company.with(|register| register.groups.iter_mut().find(|g| g.id == self.id).map(change));
        self.clone()
    }
}

fn person_id(upn: &str) -> String {
    chance::id_of("person", &upn.to_lowercase())
}
