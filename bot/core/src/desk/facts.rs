//! What do directory and chat say about a request: at submit, and again at the claim?

use std::collections::BTreeSet;
use std::time::Duration;

use crate::desk::Desk;
use crate::desk::contacts::pin_contacts;
use crate::desk::source::stand_in;
use crate::desk::visit::called;
use crate::ids::{ChatUser, GroupId, PersonId};
use crate::pass::{PassMeta, PassPolicy, PassWish};
use crate::people::{Human, Naming, Person};
use crate::policy::{Circumstances, Rule};
use crate::ports::{PortError, Vouched};
use crate::request::{Asker, Case, Grant, Reason, Request, Terms};

/// What a look-up brings: facts, a reason to refuse, or a failed look-up.
pub type Looked<T> = Result<Result<T, Reason>, PortError>;

/// A check at the claim that passed.
pub(super) struct Rechecked {
    /// The pass to ask for.
    pub(super) wish: PassWish,
    /// The passes that exist.
    pub(super) passes: Vec<PassMeta>,
}

macro_rules! known {
    ($looked:expr) => {
        match $looked {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        }
    };
}

impl Desk {
    /// Who stands behind a chat account: the one enabled member of the tenant whom the chat vouches for.
    pub async fn who_is(&self, account: &ChatUser) -> Looked<Person> {
        let mut found = match self.chat(&account.chat)?.vouch(account).await? {
            Vouched::Address(address) => self.ports.directory.find(&address).await?,
            Vouched::Object(id) => self.ports.directory.person(id).await?.into_iter().collect(),
            Vouched::Nobody(why) => return Ok(Err(Reason::RequesterNotVouched(why))),
        };
        match (found.pop(), found.is_empty()) {
            (Some(_), false) => Ok(Err(Reason::RequesterAmbiguous)),
            (Some(person), true) if person.enabled && person.member => Ok(Ok(person)),
            _ => Ok(Err(Reason::RequesterUnknown)),
        }
    }

    /// Whether the person is one of security's in chat; nobody is where no group is configured.
    pub async fn is_security(&self, person: PersonId) -> Result<bool, PortError> {
        let Some(group) = self.settings.security_group else { return Ok(false) };
        Ok(!self.ports.directory.groups_among(person, &[group]).await?.is_empty())
    }

    /// Asks everybody who knows something and binds the first rule that matches.
    pub(super) async fn facts(&self, request: &Request) -> Looked<Case> {
        let (requester, subject) = match &request.requester {
            Asker::Account(account) => {
                let requester = known!(self.who_is(account).await?);
                (requester, known!(self.subject(&request.subject).await?))
            }
            // Only a rule for those who ask for themselves matches.
            Asker::Visitor(_) => {
                let subject = known!(self.visited_subject(&request.subject).await?);
                (subject.clone(), subject)
            }
            Asker::Source(sourced) => {
                let requester = known!(self.behind(sourced).await?);
                (requester, known!(self.subject(&request.subject).await?))
            }
        };
        let manager = self.ports.directory.manager(subject.id).await?;
        let asker = &request.requester;
        let circumstances = self.circumstances(asker, &requester, &subject, manager.as_ref()).await?;
        let Some(rule) = self.policy.bind(&circumstances) else { return Ok(Err(Reason::NoRule)) };
        let ticket_number = match rule.ticket_number(request.ticket_number.as_ref(), &request.reason) {
            Ok(number) => number,
            Err(pattern) => return Ok(Err(Reason::NoTicketNumber(pattern.as_str().to_owned()))),
        };
        known!(self.not_privileged(&subject, rule).await?);
        let policy = self.ports.directory.pass_policy().await?;
        known!(self.policy_includes(&policy, &subject).await?);
        known!(self.below_daily_cap(subject.id).await?);
        let mut reliance = known!(self.reliance(rule, subject.id, request.received_at).await?);
        let contacts = reliance.usable(self.contacts(&subject, &rule.contacts).await?);
        let pinned = known!(pin_contacts(rule, &contacts).map_err(|reason| reliance.explain(reason)));
        let relied_on = reliance.manager(rule, manager.as_ref());
        let circumstances = Circumstances { manager: relied_on.map(|manager| manager.id), ..circumstances };
        if !rule.matches(&circumstances) {
            return Ok(Err(reliance.explain(Reason::NoRule)));
        }
        let found = self.approvers(rule, asker, &requester, &subject, relied_on, &reliance).await?;
        let (slots, approvers) = known!(found.map_err(|reason| reliance.explain(reason)));
        let now = self.now();
        let passes = self.ports.directory.passes(subject.id).await?;
        let undated = self.undated_methods(subject.id).await;
        let lifetime = rule.lifetime(request.lifetime);
        let (wish, changed) = policy.clamp(lifetime, rule.one_time);
        Ok(Ok(Case {
            requester: called(request, &requester),
            subject: Human::from(&subject),
            manager: manager.as_ref().map(Human::from),
            rule: rule.name.clone(),
            ticket_number,
            colleagues: rule.requester_groups(&circumstances),
            slots,
            approvers,
            terms: Terms {
                approval_expires: self.approval_time(request),
                ticket_expires: self.policy.ticket_time(rule),
                wish,
                asked: request.lifetime,
                wished: changed.then_some(lifetime),
                code_routes: rule.ticket.clone(),
                pin_routes: rule.pin.clone(),
                notice_routes: rule.notice.clone(),
                sources: rule.contacts.clone(),
                remind_after: self.policy.reminds_after(),
                quiet_hours: self.policy.quiet_hours.clone(),
                escalate_after: rule.escalate_after,
            },
            contacts: pinned,
            foreign: passes.into_iter().filter(|pass| pass.is_alive(now)).collect(),
            matching: self.matching(request, rule),
            escalated_at: None,
            cautions: reliance.cautions,
            undated,
        }))
    }

    /// Asks again, at the claim, everything that a pass depends on; every read starts after the claim arrived.
    pub(super) async fn recheck(&self, asker: &Asker, grant: &Grant) -> Looked<Rechecked> {
        let case = &grant.case;
        let directory = &self.ports.directory;
        let Some(subject) = directory.person(case.subject.id).await? else {
            return Ok(Err(Reason::SubjectUnknown));
        };
        known!(able(&subject));
        let for_itself = asker.sourced().filter(|sourced| sourced.requested_by.is_none());
        let requester = match for_itself {
            Some(sourced) => Some(stand_in(&sourced.source)),
            None => directory.person(case.requester.id).await?,
        };
        let Some(requester) = requester else { return Ok(Err(Reason::RequesterUnknown)) };
        if !requester.enabled || !requester.member {
            return Ok(Err(Reason::RequesterUnknown));
        }
        let manager = directory.manager(subject.id).await?;
        let circumstances = self.circumstances(asker, &requester, &subject, manager.as_ref()).await?;
        let Some(rule) = self.policy.rule(&case.rule).filter(|rule| rule.matches(&circumstances)) else {
            return Ok(Err(Reason::RuleChanged));
        };
        if rule.number_match && case.matching.is_none() {
            return Ok(Err(Reason::RuleChanged));
        }
        known!(self.approvals_stand(grant, rule, &requester, &subject, manager.as_ref()).await?);
        known!(self.statements_stand(grant, rule, &subject).await?);
        known!(self.contacts_stand(grant, &subject).await?);
        known!(self.not_privileged(&subject, rule).await?);
        let policy = directory.pass_policy().await?;
        known!(self.policy_includes(&policy, &subject).await?);
        let (wish, _) = policy.clamp(rule.lifetime(case.terms.asked), rule.one_time);
        let passes = directory.passes(subject.id).await?;
        Ok(Ok(Rechecked { wish, passes }))
    }

    pub(super) async fn subject(&self, naming: &Naming) -> Looked<Person> {
        let person = known!(self.named(naming).await?);
        Ok(able(&person).map(|()| person))
    }

    /// The one person of that name, enabled or not.
    pub(super) async fn named(&self, naming: &Naming) -> Looked<Person> {
        let address = match naming {
            Naming::Address(address) => address.clone(),
            Naming::Account(account) => match self.chat(&account.chat)?.vouch(account).await? {
                Vouched::Address(address) => address,
                Vouched::Object(id) => {
                    let person = self.ports.directory.person(id).await?;
                    return Ok(person.ok_or(Reason::SubjectUnknown));
                }
                Vouched::Nobody(why) => return Ok(Err(Reason::SubjectNotVouched(why))),
            },
        };
        let mut found = self.ports.directory.find(&address).await?;
        // Where accounts share a mail address, the sign-in name that somebody types still means one of them.
        let is_typed = matches!(naming, Naming::Address(_));
        if let Some(at) = found.iter().position(|person| is_typed && person.upn.to_lowercase() == address) {
            found = vec![found.swap_remove(at)];
        }
        match (found.pop(), found.is_empty()) {
            (None, _) => Ok(Err(Reason::SubjectUnknown)),
            (Some(_), false) => Ok(Err(Reason::SubjectAmbiguous)),
            (Some(person), true) => Ok(Ok(person)),
        }
    }

    pub(super) async fn circumstances(
        &self,
        asker: &Asker,
        requester: &Person,
        subject: &Person,
        manager: Option<&Person>,
    ) -> Result<Circumstances, PortError> {
        let groups = self.policy.groups();
        let for_itself = asker.sourced().is_some_and(|sourced| sourced.requested_by.is_none());
        let asked_of = if for_itself { &[][..] } else { &groups[..] };
        Ok(Circumstances {
            requester: requester.id,
            source: asker.sourced().map(|sourced| sourced.source.clone()),
            subject: subject.id,
            manager: manager.map(|manager| manager.id),
            requester_groups: self.ports.directory.groups_among(requester.id, asked_of).await?,
            subject_groups: self.ports.directory.groups_among(subject.id, &groups).await?,
        })
    }

    pub(super) async fn not_privileged(&self, subject: &Person, rule: &Rule) -> Looked<()> {
        let privileges = self.ports.directory.privileges(subject.id).await?;
        let tolerated = rule.tolerates(&privileges, subject.management_restricted);
        Ok(if tolerated { Ok(()) } else { Err(Reason::SubjectPrivileged) })
    }

    pub(super) async fn policy_includes(&self, policy: &PassPolicy, subject: &Person) -> Looked<()> {
        let targets = [&policy.includes, &policy.excludes];
        let groups: BTreeSet<GroupId> = targets.iter().flat_map(|t| t.groups.iter().copied()).collect();
        let groups: Vec<GroupId> = groups.into_iter().collect();
        let member_of = self.ports.directory.groups_among(subject.id, &groups).await?;
        let [included, excluded] = targets.map(|targets| {
            targets.everybody
                || targets.people.contains(&subject.id)
                || targets.groups.iter().any(|group| member_of.contains(group))
        });
        Ok(if policy.enabled && included && !excluded { Ok(()) } else { Err(Reason::PassPolicyOff) })
    }

    pub(super) async fn below_daily_cap(&self, subject: PersonId) -> Looked<()> {
        let day_ago = self.now().saturating_sub(Duration::from_hours(24)).unwrap_or(jiff::Timestamp::MIN);
        let tickets = self.ports.store.tickets_since(subject, day_ago).await?.len();
        let most = self.policy.tickets_per_day;
        Ok(if tickets < most as usize { Ok(()) } else { Err(Reason::TooManyTickets(most)) })
    }
}

pub(super) fn able(subject: &Person) -> Result<(), Reason> {
    if !subject.enabled {
        Err(Reason::SubjectDisabled)
    } else if !subject.member {
        Err(Reason::SubjectGuest)
    } else {
        Ok(())
    }
}
