//! What would become of a request that somebody made now? (Asked, not made: nothing is sent, stored or written down.)

use std::time::Duration;

use jiff::Timestamp;

use crate::desk::caution::Reliance;
use crate::desk::contacts::usable_of;
use crate::desk::{Desk, Looked};
use crate::explanation::{
    Approver, Bound, Can, Carries, Explanation, ForRule, ForSubject, Leads, Tried, Way,
};
use crate::ids::{ChatName, ChatUser};
use crate::people::{Contact, Human, Naming, Person};
use crate::policy::{self, Circumstances, Route, Rule};
use crate::ports::{Account, Chat, NotVouched, PortError};
use crate::request::{Asker, Candidate, Party, Reason, Standing, Whom};

/// So many approvers are named per approval.
const MOST_NAMED: usize = 50;

/// An explanation in the making.
#[derive(Default)]
struct Draft {
    told: Explanation,
}

/// Who has to do with it.
struct People {
    asker: Asker,
    requester: Person,
    subject: Person,
    manager: Option<Person>,
}

impl Desk {
    /// Explains what a request of `requester` for `subject` would come to, with every reason to refuse it.
    pub async fn explain(&self, requester: &Naming, subject: &Naming) -> Explanation {
        let mut draft = Draft::default();
        let asks = draft
            .looked("the requester", self.named(requester).await.map(|found| found.map_err(as_requester)));
        if asks.as_ref().is_some_and(|person| !person.enabled || !person.member) {
            draft.refuse(Reason::RequesterUnknown);
        }
        let gets = draft.looked("the subject", self.named(subject).await);
        draft.told.requester = asks.as_ref().map(Human::from);
        draft.told.subject = gets.as_ref().map(Human::from);
        if let Some(subject) = &gets {
            draft.looked("the subject", Ok(super::facts::able(subject)));
            self.about_subject(subject, &mut draft).await;
        }
        if let (Some(requester), Some(subject)) = (asks, gets) {
            let asker = self.asker(&requester, &subject, &mut draft).await;
            let manager = draft.read("the manager", self.ports.directory.manager(subject.id).await).flatten();
            draft.told.manager = manager.as_ref().map(Human::from);
            let people = People { asker, requester, subject, manager };
            self.about_rule(&people, &mut draft).await;
        }
        draft.told
    }

    /// Who could approve a pass for that person, and how it would reach them, whoever asked.
    pub async fn who_could_approve(&self, subject: &Naming) -> ForSubject {
        let mut draft = Draft::default();
        let mut rules = Vec::new();
        let found = draft.looked("the subject", self.named(subject).await);
        if let Some(subject) = &found {
            draft.looked("the subject", Ok(super::facts::able(subject)));
            self.about_subject(subject, &mut draft).await;
            let manager = draft.read("the manager", self.ports.directory.manager(subject.id).await).flatten();
            let who = self.circumstances(&somebody(), subject, subject, manager.as_ref()).await;
            let who = draft.read("the groups that rules name", who);
            let people =
                People { asker: somebody(), requester: subject.clone(), subject: subject.clone(), manager };
            for rule in
                self.policy.rules.iter().filter(|rule| who.as_ref().is_some_and(|who| rule.is_subject(who)))
            {
                rules.push(self.for_rule(rule, &people, &mut draft).await);
            }
        }
        let Explanation { refusals, unknown, .. } = draft.told;
        ForSubject { subject: found.as_ref().map(Human::from), rules, refusals, unknown }
    }

    async fn for_rule(&self, rule: &Rule, people: &People, draft: &mut Draft) -> ForRule {
        let manager = people.manager.as_ref();
        let mut approvals = Vec::new();
        for named in &rule.approvals {
            approvals.push(self.approvers_named(rule, &named.0, people, manager, &[], draft).await);
        }
        let contacts = self.contacts(&people.subject, &rule.contacts).await;
        let contacts = draft.read("the subject's contacts", contacts);
        let mut ways = Vec::new();
        for (carries, routes) in [(Carries::Code, &rule.ticket), (Carries::Pin, &rule.pin)] {
            ways.extend(routes.iter().map(|route| Way {
                carries,
                route: *route,
                to: leads(*route, contacts.as_deref()),
            }));
        }
        let roles = self.not_privileged(&people.subject, rule).await;
        let is_privileged = draft.read("the subject's roles", roles).is_some_and(|looked| looked.is_err());
        ForRule { rule: rule.name.clone(), approvals, ways, is_privileged }
    }

    /// What is so whoever asks.
    async fn about_subject(&self, subject: &Person, draft: &mut Draft) {
        let open = self.ports.store.open_requests(&Whom::Subject(subject.id)).await;
        let open = draft.read("the open requests", open).unwrap_or_default();
        draft.told.refusals.extend(open.into_iter().next().map(Reason::AlreadyOpen));
        draft.looked("the tickets of the day", self.below_daily_cap(subject.id).await);
        if let Some(policy) = draft.read("the tenant's pass policy", self.ports.directory.pass_policy().await)
        {
            draft.looked("the groups of the pass policy", self.policy_includes(&policy, subject).await);
        }
    }

    /// As whom the requester would ask: in a chat that knows them, or at the page where that is for them.
    async fn asker(&self, requester: &Person, subject: &Person, draft: &mut Draft) -> Asker {
        let account =
            draft.read("the requester's chat account", self.account_of(requester, |_| true).await).flatten();
        let Some(Account { user, .. }) = account else {
            draft.told.at_the_page = requester.id == subject.id && self.settings.visits.is_some();
            if draft.told.at_the_page {
                return Asker::Visitor(self.number_to_show());
            }
            draft.refuse(Reason::RequesterNotVouched(NotVouched::Gone));
            return somebody();
        };
        draft.told.asks_in = Some(user.chat.clone());
        let most = self.policy.requests_per_hour;
        let hour_ago = self.now().saturating_sub(Duration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let asked = self.ports.store.requests_since(&Party::Requester(user.clone()), hour_ago).await;
        let asked = draft.read("the requester's requests", asked).unwrap_or_default();
        draft.told.asked_too_often = (asked.len() >= most as usize).then_some(most);
        Asker::Account(user)
    }

    async fn about_rule(&self, people: &People, draft: &mut Draft) {
        let People { asker, requester, subject, manager } = people;
        let circumstances = self.circumstances(asker, requester, subject, manager.as_ref()).await;
        let Some(who) = draft.read("the groups that rules name", circumstances) else { return };
        for rule in &self.policy.rules {
            let tried = Tried {
                rule: rule.name.clone(),
                requester: rule.is_requester(&who),
                subject: rule.is_subject(&who),
            };
            let matches = tried.requester && tried.subject;
            draft.told.rules.push(tried);
            if matches {
                return self.about_bound(rule, who, people, draft).await;
            }
        }
        draft.refuse(Reason::NoRule);
    }

    async fn about_bound(&self, rule: &Rule, who: Circumstances, people: &People, draft: &mut Draft) {
        let People { asker, requester, subject, manager } = people;
        draft.looked("the subject's roles", self.not_privileged(subject, rule).await);
        let now = self.now();
        let reliance = draft.looked("the audit log", self.reliance(rule, subject.id, now).await);
        let mut reliance = reliance.unwrap_or_else(|| Reliance::without_log(now));
        let contacts = self.contacts(subject, &rule.contacts).await;
        let contacts =
            draft.read("the subject's contacts", contacts).map(|contacts| reliance.usable(contacts));
        let mut ways = Vec::new();
        for (carries, routes) in [(Carries::Code, &rule.ticket), (Carries::Pin, &rule.pin)] {
            ways.extend(routes.iter().map(|route| Way {
                carries,
                route: *route,
                to: leads(*route, contacts.as_deref()),
            }));
            if let Some(Err(reason)) = contacts.as_ref().map(|contacts| usable_of(routes, contacts)) {
                draft.refuse(reliance.explain(reason));
            }
        }
        ways.extend(self.notice_ways(rule, people, draft).await);
        let relied_on = reliance.manager(rule, manager.as_ref());
        let who = Circumstances { manager: relied_on.map(|manager| manager.id), ..who };
        if !rule.matches(&who) {
            draft.refuse(reliance.explain(Reason::NoRule));
        }
        let found = self.approvers(rule, asker, requester, subject, relied_on, &reliance).await;
        let found = found.map(|found| found.map_err(|reason| reliance.explain(reason)));
        let candidates =
            draft.looked("the approvers", found).map(|(_, candidates)| candidates).unwrap_or_default();
        let mut approvals = Vec::new();
        let mut fallback = Vec::new();
        for (number, named) in rule.approvals.iter().enumerate() {
            approvals.push(self.approvers_named(rule, &named.0, people, relied_on, &candidates, draft).await);
            if let Some(later) = rule.fallback(number) {
                fallback.push(self.approvers_named(rule, &later.0, people, relied_on, &[], draft).await);
            }
        }
        let policy = self.ports.directory.pass_policy().await.ok();
        draft.told.bound = Some(Bound {
            rule: rule.name.clone(),
            approvals,
            escalate_after: rule.escalate_after,
            fallback,
            number_match: rule.number_match || asker.is_visitor(),
            ticket_number: rule.ticket_number.as_ref().map(|pattern| pattern.as_str().to_owned()),
            lifetime: rule.lifetime,
            pass: policy.map(|policy| policy.clamp(rule.lifetime, rule.one_time).0),
            ways,
            cautions: reliance.cautions,
        });
    }

    /// A notice has ways of its own: it may go to the primary mailbox.
    async fn notice_ways(&self, rule: &Rule, people: &People, draft: &mut Draft) -> Vec<Way> {
        let mut ways = Vec::new();
        for route in &rule.notice {
            let to = match route {
                Route::Manager if people.manager.is_some() => Leads::ToTheManager,
                Route::Manager | Route::Approver => Leads::Nowhere,
                Route::Sms | Route::Email => {
                    let contact = self.notice_contact(people.subject.id, *route).await;
                    match draft.read("the contacts for the notice", contact) {
                        Some(Some(contact)) => Leads::To(contact.masked()),
                        Some(None) => Leads::Nowhere,
                        None => Leads::Unknown,
                    }
                }
            };
            ways.push(Way { carries: Carries::Notice, route: *route, to });
        }
        ways
    }

    /// Whom a list of the rule means, and whether each of them can decide.
    async fn approvers_named(
        &self,
        rule: &Rule,
        named: &[policy::Approver],
        people: &People,
        manager: Option<&Person>,
        candidates: &[Candidate],
        draft: &mut Draft,
    ) -> Vec<Approver> {
        let meant = draft.read("the approvers", self.meant(named, manager).await).unwrap_or_default();
        let mut approvers: Vec<Approver> = Vec::new();
        for person in meant {
            let human = Human::from(&person);
            if approvers.len() >= MOST_NAMED || approvers.iter().any(|one| one.human.id == human.id) {
                continue;
            }
            if let Some(can) =
                draft.read("an approver", self.can_decide(rule, &person, people, candidates).await)
            {
                approvers.push(Approver { human, can });
            }
        }
        approvers
    }

    async fn can_decide(
        &self,
        rule: &Rule,
        person: &Person,
        people: &People,
        candidates: &[Candidate],
    ) -> Result<Can, PortError> {
        if let Some(chosen) =
            candidates.iter().find(|one| one.human.id == person.id && one.standing == Standing::Named)
        {
            return Ok(Can::InChat(chosen.account.chat.clone()));
        }
        let delegate = candidates.iter().find(|one| one.human.id != person.id && one.gives() == person.id);
        if let Some(delegate) = delegate {
            return Ok(Can::ByDelegate(delegate.human.clone()));
        }
        if [people.requester.id, people.subject.id].contains(&person.id) {
            return Ok(Can::NotAboutThemselves);
        }
        if !person.enabled || !person.member {
            return Ok(Can::NotEnabled);
        }
        let needs_modal = rule.pin.contains(&Route::Approver);
        let usable = |chat: &dyn Chat| !needs_modal || chat.abilities().private_modal;
        let Some(account) = self.account_of(person, usable).await? else { return Ok(Can::NotInAnyChat) };
        if self.has_enough_prompts(person.id, &people.asker).await? {
            return Ok(Can::HasEnough);
        }
        Ok(Can::InChat(account.user.chat))
    }
}

impl Draft {
    fn refuse(&mut self, reason: Reason) {
        if !self.told.refusals.contains(&reason) {
            self.told.refusals.push(reason);
        }
    }

    /// What a look-up brought, with whatever it says against the request kept.
    fn looked<T>(&mut self, what: &str, looked: Looked<T>) -> Option<T> {
        match self.read(what, looked)? {
            Ok(found) => Some(found),
            Err(reason) => {
                self.refuse(reason);
                None
            }
        }
    }

    fn read<T>(&mut self, what: &str, read: Result<T, PortError>) -> Option<T> {
        read.map_err(|error| {
            let unknown = format!("{what}: {error}");
            if !self.told.unknown.contains(&unknown) {
                self.told.unknown.push(unknown);
            }
        })
        .ok()
    }
}

/// An account that made no request, for questions whose answer is the same for all accounts.
fn somebody() -> Asker {
    Asker::Account(ChatUser { chat: ChatName::from(""), workspace: String::new(), id: String::new() })
}

/// The same lack, of the requester.
fn as_requester(reason: Reason) -> Reason {
    match reason {
        Reason::SubjectUnknown => Reason::RequesterUnknown,
        Reason::SubjectAmbiguous => Reason::RequesterAmbiguous,
        Reason::SubjectNotVouched(why) => Reason::RequesterNotVouched(why),
        other => other,
    }
}

fn leads(route: Route, contacts: Option<&[Contact]>) -> Leads {
    let Some(kind) = route.kind() else {
        return if route == Route::Manager { Leads::ToTheManager } else { Leads::ToTheApprover };
    };
    let Some(contacts) = contacts else { return Leads::Unknown };
    let mut of_kind = contacts.iter().filter(|contact| contact.kind == kind);
    match (of_kind.clone().find(|contact| contact.is_readable()), of_kind.next()) {
        (Some(contact), _) => Leads::To(contact.masked()),
        (None, Some(_)) => Leads::Masked,
        (None, None) => Leads::Nowhere,
    }
}
