//! Who may approve: whom is it asked of, who joins them later, and do approvals still stand at the claim?

use std::collections::BTreeSet;

use crate::caution::Caution;
use crate::desk::Desk;
use crate::desk::caution::Reliance;
use crate::desk::facts::Looked;
use crate::ids::{GroupId, PersonId, PromptId};
use crate::people::{Human, Person};
use crate::policy::{AnyOf, Approver, Route, Rule, assign, assign_most};
use crate::ports::{Chat, PortError};
use crate::request::{
    Approval, Asker, Candidate, Case, Escalation, Grant, Mandate, NotCounted, Reason, Reminders, Request,
    Standing, State,
};

/// At most so many people are asked for one approval; a larger group is asked in part. Counted per approval, so that a
/// large group does not keep away those whom another approval needs.
const MOST_ASKED: usize = 25;

/// Under which circumstances people are looked for.
struct Search<'a> {
    rule: &'a Rule,
    /// Who asked: prompts of visitors count apart.
    asker: &'a Asker,
    /// Requester and subject: they neither decide nor delegate.
    involved: [PersonId; 2],
    manager: Option<&'a Person>,
    /// What makes somebody an approver who is found.
    standing: Standing,
    /// Who was asked before.
    asked: &'a [Candidate],
}

/// Who was found: per approval, and everybody who is to be asked.
type Found = (Vec<Vec<PersonId>>, Vec<Candidate>);

impl Desk {
    /// Whom each approval may come from, and everybody who is asked.
    pub(super) async fn approvers(
        &self,
        rule: &Rule,
        asker: &Asker,
        requester: &Person,
        subject: &Person,
        manager: Option<&Person>,
        reliance: &Reliance,
    ) -> Looked<Found> {
        let involved = [requester.id, subject.id];
        let search = Search { rule, asker, involved, manager, standing: Standing::Named, asked: &[] };
        let lists: Vec<Option<&AnyOf<Approver>>> = rule.approvals.iter().map(Some).collect();
        let (mut slots, candidates) = self.find(&search, &lists).await?;
        reliance.add_approval(&mut slots);
        let people: Vec<PersonId> = candidates.iter().map(Candidate::gives).collect();
        if assign(&slots, &people).is_none() {
            return Ok(Err(Reason::NobodyCanApprove(who_would_have_to(rule, manager))));
        }
        Ok(Ok((slots, candidates)))
    }

    /// Who can be asked as well, now that nobody decided for a while: for the approvals that are still missing.
    pub(super) async fn escalation(&self, request: &Request) -> Result<Option<Escalation>, PortError> {
        let State::AwaitingApproval { case, approvals, .. } = &request.state else { return Ok(None) };
        let nobody = Escalation { slots: Vec::new(), approvers: Vec::new() };
        let Some(rule) = self.policy.rule(&case.rule) else { return Ok(Some(nobody)) };
        let manager = self.ports.directory.manager(case.subject.id).await?;
        let manager = manager.filter(|_| !case.cautions.iter().any(Caution::is_of_the_manager));
        let given: Vec<PersonId> = approvals.iter().map(Approval::counts_for).collect();
        let given = assign_most(&case.slots, &given);
        let missing = |approval: usize| rule.fallback(approval).filter(|_| !given.contains_key(&approval));
        let lists: Vec<Option<&AnyOf<Approver>>> = (0..case.slots.len()).map(missing).collect();
        let search = Search {
            rule,
            asker: &request.requester,
            involved: [case.requester.id, case.subject.id],
            manager: manager.as_ref(),
            standing: Standing::Fallback,
            asked: &case.approvers,
        };
        let (slots, approvers) = self.find(&search, &lists).await?;
        Ok(Some(Escalation { slots, approvers }))
    }

    /// Whether the approvals that were given are still enough, by people who still may give them.
    pub(super) async fn approvals_stand(
        &self,
        grant: &Grant,
        rule: &Rule,
        requester: &Person,
        subject: &Person,
        manager: Option<&Person>,
    ) -> Looked<()> {
        let involved = [requester.id, subject.id];
        let mut slots: Vec<Vec<PersonId>> = vec![Vec::new(); rule.approvals.len()];
        let mut people = Vec::new();
        for approval in &grant.approvals {
            let not_entitled = Ok(Err(Reason::ApproverNotEntitled(approval.by.name.clone())));
            let Some(person) = self.still_gives(approval, involved).await? else { return not_entitled };
            let mut entitled = false;
            for (number, slot) in slots.iter_mut().enumerate() {
                if self.is_entitled(&person, number, approval, &grant.case, rule, manager).await? {
                    slot.push(person.id);
                    entitled = true;
                }
            }
            if !entitled {
                return not_entitled;
            }
            people.push(person.id);
        }
        if grant.case.cautions.contains(&Caution::LogUnreadable) {
            slots.push(people.clone());
        }
        Ok(assign(&slots, &people).map(drop).ok_or(Reason::RuleChanged))
    }

    /// Whether the approvals that its source stated may count now.
    pub(super) async fn statements_stand(&self, grant: &Grant, rule: &Rule, subject: &Person) -> Looked<()> {
        for source in grant.approvals.iter().filter_map(|approval| approval.stated_by.as_ref()) {
            match self.may_state(source, rule, subject).await? {
                Ok(()) => {}
                Err(NotCounted::Privileged) => return Ok(Err(Reason::SubjectPrivileged)),
                Err(_) => return Ok(Err(Reason::RuleChanged)),
            }
        }
        Ok(Ok(()))
    }

    /// Whose approval it is, if they and whoever gave it in their stead can still decide.
    async fn still_gives(
        &self,
        approval: &Approval,
        involved: [PersonId; 2],
    ) -> Result<Option<Person>, PortError> {
        let Some(person) = self.still_able(approval.by.id, involved).await? else { return Ok(None) };
        match &approval.stands_for {
            None => Ok(Some(person)),
            Some(delegator) if self.may_stand_for(delegator.id, person.id).await? => {
                self.still_able(delegator.id, involved).await
            }
            Some(_) => Ok(None),
        }
    }

    /// Whether the delegator's delegation to that person is in force.
    pub(super) async fn may_stand_for(
        &self,
        delegator: PersonId,
        delegate: PersonId,
    ) -> Result<bool, PortError> {
        let kept = self.ports.store.delegation(delegator).await?;
        Ok(kept.is_some_and(|kept| kept.lets(delegate, self.now())))
    }

    /// Whether the rule as it is now lets the person give the approval of that number: as one of the first, or as one of
    /// those who join them, if they had joined by then.
    async fn is_entitled(
        &self,
        person: &Person,
        number: usize,
        approval: &Approval,
        case: &Case,
        rule: &Rule,
        manager: Option<&Person>,
    ) -> Result<bool, PortError> {
        let first = rule.approvals.get(number);
        let had_escalated = case.escalated_at.is_some_and(|at| at <= approval.at);
        let fallback = rule.fallback(number).filter(|_| had_escalated);
        for alternatives in first.into_iter().chain(fallback) {
            if self.is_meant(person, &alternatives.0, manager).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The person, if they are enabled and have nothing to do with the request.
    async fn still_able(&self, id: PersonId, involved: [PersonId; 2]) -> Result<Option<Person>, PortError> {
        let person = self.ports.directory.person(id).await?;
        Ok(person.filter(|person| can_decide(person, involved)))
    }

    /// Whom `lists` mean, one per approval, as far as they or their delegates can be asked.
    async fn find(
        &self,
        search: &Search<'_>,
        lists: &[Option<&AnyOf<Approver>>],
    ) -> Result<Found, PortError> {
        let mut meant: Vec<Vec<Person>> = Vec::new();
        for list in lists {
            let people = self.meant(list.map_or(&[][..], |list| &list.0), search.manager).await?;
            meant.push(people.into_iter().filter(|person| can_decide(person, search.involved)).collect());
        }
        // Whoever decides in their own right stands for nobody: one person would be counted as two.
        let named: BTreeSet<PersonId> = meant.iter().flatten().map(|person| person.id).collect();
        let mut asked: Vec<Candidate> = search.asked.to_vec();
        let mut slots = Vec::new();
        for people in meant {
            let mut slot: Vec<PersonId> = Vec::new();
            for person in people {
                if slot.len() >= MOST_ASKED {
                    break;
                }
                let is_asked = |asked: &[Candidate]| asked.iter().any(|one| one.gives() == person.id);
                if !is_asked(&asked) {
                    if asked.iter().all(|one| one.human.id != person.id) {
                        asked.extend(self.candidate(&person, search, search.standing.clone()).await?);
                    }
                    asked.extend(self.delegate_for(&person, search, &named, &asked).await?);
                }
                if is_asked(&asked) && !slot.contains(&person.id) {
                    slot.push(person.id);
                }
            }
            slots.push(slot);
        }
        Ok((slots, asked.split_off(search.asked.len())))
    }

    /// Who is asked in the person's stead, if they delegated and their delegate is nobody who is asked anyway.
    async fn delegate_for(
        &self,
        person: &Person,
        search: &Search<'_>,
        named: &BTreeSet<PersonId>,
        asked: &[Candidate],
    ) -> Result<Option<Candidate>, PortError> {
        let kept = self.ports.store.delegation(person.id).await?;
        let Some(delegation) = kept.filter(|kept| kept.is_in_force(self.now())) else { return Ok(None) };
        let id = delegation.delegate.id;
        if named.contains(&id) || asked.iter().any(|one| one.human.id == id) {
            return Ok(None);
        }
        let Some(delegate) = self.still_able(id, search.involved).await? else { return Ok(None) };
        let mandate = Mandate { delegator: Human::from(person), last_day: delegation.last_day };
        self.candidate(&delegate, search, Standing::Delegate(mandate)).await
    }

    /// The person as somebody to ask, unless no chat reaches them or they are asked enough as it is.
    async fn candidate(
        &self,
        person: &Person,
        search: &Search<'_>,
        standing: Standing,
    ) -> Result<Option<Candidate>, PortError> {
        let needs_modal = search.rule.pin.contains(&Route::Approver);
        let usable = |chat: &dyn Chat| !needs_modal || chat.abilities().private_modal;
        if self.has_enough_prompts(person.id, search.asker).await? {
            return Ok(None);
        }
        let Some(account) = self.account_of(person, usable).await? else { return Ok(None) };
        Ok(Some(Candidate {
            human: Human::from(person),
            account: account.user,
            zone: account.zone,
            prompt: PromptId::fresh(&*self.ports.entropy),
            standing,
            reminders: Reminders::default(),
            unreachable: false,
        }))
    }

    /// Everybody whom the alternatives mean, whether they can decide or not.
    pub(super) async fn meant(
        &self,
        alternatives: &[Approver],
        manager: Option<&Person>,
    ) -> Result<Vec<Person>, PortError> {
        let mut people = Vec::new();
        for alternative in alternatives {
            match *alternative {
                Approver::Manager => people.extend(manager.cloned()),
                Approver::User(id) => people.extend(self.ports.directory.person(id).await?),
                Approver::Group(group) => people.extend(self.ports.directory.members(group).await?),
            }
        }
        Ok(people)
    }

    async fn is_meant(
        &self,
        person: &Person,
        alternatives: &[Approver],
        manager: Option<&Person>,
    ) -> Result<bool, PortError> {
        let by_name = alternatives.iter().any(|alternative| match *alternative {
            Approver::Manager => manager.is_some_and(|manager| manager.id == person.id),
            Approver::User(id) => id == person.id,
            Approver::Group(_) => false,
        });
        Ok(by_name || self.is_in_a_group_of(person.id, alternatives).await?)
    }

    pub(super) async fn is_in_a_group_of(
        &self,
        person: PersonId,
        alternatives: &[Approver],
    ) -> Result<bool, PortError> {
        let groups: Vec<GroupId> = alternatives
            .iter()
            .filter_map(|alternative| match *alternative {
                Approver::Group(group) => Some(group),
                Approver::Manager | Approver::User(_) => None,
            })
            .collect();
        Ok(!self.ports.directory.groups_among(person, &groups).await?.is_empty())
    }
}

fn can_decide(person: &Person, involved: [PersonId; 2]) -> bool {
    person.enabled && person.member && !involved.contains(&person.id)
}

fn who_would_have_to(rule: &Rule, manager: Option<&Person>) -> String {
    let one = |approver: &Approver| match approver {
        Approver::Manager => match manager {
            Some(manager) => format!("their manager {}", manager.name),
            None => "their manager (none is set in the directory)".to_owned(),
        },
        Approver::Group(group) => format!("a member of group {group}"),
        Approver::User(person) => format!("the person {person}"),
    };
    let approvals: Vec<String> = rule
        .approvals
        .iter()
        .map(|alternatives| alternatives.0.iter().map(one).collect::<Vec<_>>().join(" or "))
        .collect();
    approvals.join(", and ")
}
