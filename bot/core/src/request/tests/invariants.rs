//! The invariants of the design, as far as the state machine can show them: random people, orders, clocks,
//! repeats and failures, one test per rule.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::samples::{FINN, later};
use super::world::{Step, World, acts, facts, mistaken_facts};
use crate::alarm::AlarmKind;
use crate::ids::PersonId;
use crate::ledger::{Phase, Record};
use crate::policy::assign;
use crate::ports::PIN_TRIES;
use crate::request::{Approval, Change, Ending, Event, MOST_REMINDERS, Past, RESENDS, State, UNSEEN_AFTER};
use crate::task::{Audience, NewTask, News, Task};

fn people(approvals: &[Approval]) -> Vec<PersonId> {
    approvals.iter().map(|approval| approval.by.id).collect()
}

/// Whose approvals they are: a delegate's is the delegator's.
fn given(approvals: &[Approval]) -> Vec<PersonId> {
    approvals.iter().map(Approval::counts_for).collect()
}

/// The changes of a run, each with the step that made it.
fn changes(world: &World) -> impl Iterator<Item = (&Step, &Change)> {
    world.steps.iter().filter_map(|step| step.result.as_ref().ok().map(|change| (step, change)))
}

fn is_issuing(state: &State) -> bool {
    matches!(state, State::Issuing { .. })
}

fn is_revoking(state: &State) -> bool {
    matches!(state, State::Revoking { .. })
}

fn enters(step: &Step, change: &Change, is: fn(&State) -> bool) -> bool {
    !is(&step.before.state) && is(&change.next.state)
}

fn has(records: &[Record], phase: Phase, what: &str, version: crate::ids::Version) -> bool {
    records.iter().any(|r| r.phase == phase && r.what == what && r.version == Some(version))
}

fn brings(tasks: &[NewTask], task: &Task) -> bool {
    tasks.iter().any(|new| new.task == *task)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_pass_without_approvals(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        for (_, change) in changes(&world) {
            if let State::Issuing { grant, .. } = &change.next.state {
                prop_assert!(assign(&grant.case.slots, &given(&grant.approvals)).is_some());
            }
        }
    }

    #[test]
    fn whoever_approves_by_number_chose_the_right_one(facts in facts(), acts in acts()) {
        let world = World::after(facts, &acts);
        let given = |change: &Change| change.records.iter().any(|record| record.what == "approval.given");
        for (step, change) in changes(&world).filter(|(_, change)| given(change)) {
            let wanted = step.before.case().and_then(|case| case.matching);
            match step.event {
                Event::Approve(_) | Event::Weighed(..) => prop_assert!(wanted.is_none()),
                Event::Pick(_, number) => prop_assert_eq!(wanted.map(|matching| matching.number()), Some(number)),
                _ => prop_assert!(false, "{:?} approves", step.event),
            }
            let _ = change;
        }
        // One try: whoever chose another number finds nothing to try again.
        let missed = world.steps.iter().position(|step| {
            matches!(step.result.as_ref().map(|change| &change.next.state),
                Ok(State::Closed { ending: Ending::Mismatched(_), .. }))
        });
        let after = missed.map_or(&[][..], |missed| &world.steps[missed + 1..]);
        prop_assert!(!after.iter().any(|step| step.result.as_ref().is_ok_and(given)));
    }

    #[test]
    fn a_visitor_gets_nothing_without_a_number_that_was_matched_and_is_told_nothing(facts in facts(), acts in acts()) {
        let world = World::after(facts, &acts);
        for (step, change) in changes(&world).filter(|(step, _)| step.before.requester.is_visitor()) {
            if let Some(grant) = change.next.grant() {
                prop_assert!(grant.case.matching.is_some() && !grant.approvals.is_empty());
            }
            let to_requester = |new: &NewTask| matches!(&new.task, Task::Tell { to: Audience::Requester(_), .. });
            prop_assert!(!change.tasks.iter().any(to_requester), "{:?} tells the visitor", step.event);
        }
    }

    #[test]
    fn only_an_undecided_visit_gives_way(facts in facts(), acts in acts()) {
        let world = World::after(facts, &acts);
        for step in world.steps.iter().filter(|step| matches!(step.event, Event::SetAside(_))) {
            let waits = matches!(step.before.state, State::AwaitingApproval { .. });
            prop_assert_eq!(step.result.is_ok(), waits && step.before.requester.is_visitor());
        }
    }

    #[test]
    fn what_a_source_states_is_one_approval_at_most_and_told_at_once(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        let stated = |approvals: &[Approval]| approvals.iter().filter(|one| one.stated_by.is_some()).count();
        for (step, change) in changes(&world) {
            let (before, after) = (stated(step.before.approvals()), stated(change.next.approvals()));
            prop_assert!(after <= 1);
            if after > before {
                let is_weighed = matches!(step.event, Event::Weighed(_, Ok(_)));
                prop_assert!(is_weighed && step.before.source().is_some(), "{:?}", step.event);
                let by = change.next.approvals().iter().find(|one| one.stated_by.is_some()).unwrap().by.id;
                let asked = Task::Prompt { approver: by };
                let will_be = step.pending.iter().any(|(due, task)| *task == asked && *due <= step.now);
                prop_assert!(brings(&change.tasks, &asked) || will_be, "nobody tells {by}");
            }
        }
    }

    #[test]
    fn what_somebody_did_not_approve_is_over_for_good(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        let disowned = |step: &Step| step.result.is_ok() && matches!(step.event, Event::Disown(_));
        let Some(at) = world.steps.iter().position(disowned) else { return Ok(()) };
        world.settle();
        let is_frozen = matches!(world.sample.request.ending(), Some(Ending::Doubted { .. } | Ending::Reported));
        prop_assert!(is_frozen && world.alive().is_empty());
        let change = world.steps[at].result.as_ref().unwrap();
        let told = Task::Tell { to: Audience::Security, news: News::Doubted };
        prop_assert!(brings(&change.tasks, &told));
        if change.next.grant().is_some_and(|grant| grant.attempts > 0) {
            prop_assert!(brings(&change.tasks, &Task::RevokeSessions));
        }
        for step in &world.steps[at..] {
            prop_assert!(!step.result.as_ref().is_ok_and(|change| is_issuing(&change.next.state)));
        }
    }

    #[test]
    fn an_alarm_rings_once_and_holds_nothing_up(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        let rings = |change: &&Change| brings(&change.tasks, &Task::Tell {
            to: Audience::Security,
            news: News::Alarm(AlarmKind::NewApprover),
        });
        prop_assert!(changes(&world).map(|(_, change)| change).filter(rings).count() <= 1);
        for (step, change) in changes(&world).filter(|(step, _)| matches!(step.event, Event::Alarmed(_))) {
            prop_assert_eq!(&step.before.state, &change.next.state);
        }
    }

    #[test]
    fn what_looks_wrong_is_frozen_for_good(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        let doubts = |step: &Step| step.result.is_ok() && matches!(step.event, Event::LooksWrong { .. });
        let Some(frozen) = world.steps.iter().position(doubts) else { return Ok(()) };
        world.settle();
        let is_frozen = matches!(world.sample.request.ending(), Some(Ending::Doubted { .. } | Ending::Reported));
        prop_assert!(is_frozen, "thawed");
        for step in &world.steps[frozen..] {
            let Ok(change) = &step.result else { continue };
            prop_assert!(!is_issuing(&change.next.state), "it goes on after {:?}", step.event);
            // Only the owner, or security, may hear more than of an ordinary end.
            let hears = |news| change.tasks.iter().any(|new| {
                matches!(&new.task, Task::Tell { to: Audience::Requester(_), news: told } if *told == news)
            });
            prop_assert!(!hears(News::Doubted));
            let is_reported = matches!(change.next.ending(), Some(Ending::Reported));
            prop_assert!(!hears(News::Reported) || is_reported);
        }
    }

    #[test]
    fn separate_people(facts in mistaken_facts(), acts in acts()) {
        let slots = facts.slots.len();
        let (requester, subject) = (facts.requester.id, facts.subject.id);
        let world = World::after(facts, &acts);
        for (_, change) in changes(&world) {
            if let Some(grant) = change.next.grant() {
                let people = people(&grant.approvals);
                let distinct: BTreeSet<PersonId> = people.iter().copied().collect();
                prop_assert_eq!(distinct.len(), people.len());
                prop_assert!(people.len() >= slots);
                let given = given(&grant.approvals);
                let involved: BTreeSet<PersonId> = given.iter().chain(&people).copied().collect();
                prop_assert!(!involved.contains(&requester) && !involved.contains(&subject));
                let distinct: BTreeSet<PersonId> = given.iter().copied().collect();
                prop_assert_eq!(distinct.len(), given.len(), "a delegate and their delegator count once");
                prop_assert!(assign(&grant.case.slots, &given).is_some());
            }
        }
    }

    #[test]
    fn reminders_are_few_and_far_between(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        let mut last: BTreeMap<PersonId, (jiff::Timestamp, Duration)> = BTreeMap::new();
        for (step, change) in changes(&world) {
            let Event::RemindTime(approver, after) = step.event else { continue };
            let State::AwaitingApproval { case, approvals, expires_at } = &change.next.state else {
                prop_assert!(false, "reminded when nothing is to be decided");
                continue;
            };
            let reminders = case.candidate(approver).unwrap().reminders;
            if reminders.count == after {
                // It came too early and is planned again.
                continue;
            }
            prop_assert!(step.now < *expires_at && reminders.count <= MOST_REMINDERS);
            prop_assert!(!people(approvals).contains(&approver), "whoever decided is not reminded");
            if let Some(quiet) = &case.terms.quiet_hours {
                prop_assert_eq!(quiet.over(step.now, None), step.now, "a reminder at night");
            }
            if let Some((before, pause)) = last.get(&approver) {
                let waited = Duration::try_from(step.now.duration_since(*before)).unwrap_or_default();
                prop_assert!(waited >= *pause, "{:?} after the one before", waited);
            }
            let pause = case.terms.remind_after.unwrap() * 2_u32.pow(u32::from(reminders.count));
            last.insert(approver, (step.now, pause));
        }
    }

    #[test]
    fn fallback_approvers_join_once_and_late(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        let mut joined = 0;
        for (step, change) in changes(&world) {
            let (before, after) = (step.before.case(), change.next.case());
            if let (Some(before), Some(after)) = (before, after) {
                // Whoever was asked first stays.
                prop_assert!(before.approvers.iter().all(|old| after.candidate(old.human.id).is_some()));
                if before.escalated_at != after.escalated_at {
                    joined += 1;
                    prop_assert!(step.before.escalates_at().is_some_and(|due| due <= step.now));
                    let people = [after.requester.id, after.subject.id];
                    prop_assert!(people.iter().all(|person| after.candidate(*person).is_none()));
                    prop_assert!(people.iter().all(|person| !after.slots.concat().contains(person)));
                }
            }
            if let (Some(grant), true) = (change.next.grant(), after.is_some_and(|case| case.escalated_at.is_none())) {
                prop_assert!(!people(&grant.approvals).contains(&FINN));
            }
        }
        prop_assert!(joined <= 1);
    }

    #[test]
    fn decide_once(facts in facts(), acts in acts()) {
        let world = World::after(facts, &acts);
        let mut decided: Option<Vec<PersonId>> = None;
        for step in &world.steps {
            let is_decision = matches!(step.event, Event::Approve(_) | Event::Deny(_));
            let was_open = matches!(step.before.state, State::AwaitingApproval { .. });
            prop_assert!(!is_decision || was_open || step.result.is_err());
            if let (Some(decided), Ok(change)) = (&decided, &step.result) {
                let now = change.next.grant().map(|grant| people(&grant.approvals)).unwrap_or_default();
                prop_assert_eq!(decided, &now);
            } else if let Ok(change) = &step.result {
                let denied = matches!(&change.next.state, State::Closed { ending: Ending::Denied(_), .. });
                decided = change.next.grant().map(|g| people(&g.approvals)).or(denied.then(Vec::new));
            }
        }
    }

    #[test]
    fn terminal_means_gone(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        for (step, change) in changes(&world) {
            if let State::Closed { ending, past, .. } = &change.next.state {
                prop_assert!(step.alive.is_empty(), "{ending:?} and {:?} lives", step.alive);
                if let Past::Granted(grant) = past {
                    prop_assert!(grant.loose.is_empty(), "{ending:?} and a create may still land");
                }
            }
        }
    }

    #[test]
    fn no_unseen_pass_lives(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        for step in &world.steps {
            if let Ok(Change { next, .. }) = &step.result
                && let State::Issued { pass, .. } = &next.state
            {
                let by = later(pass.issued_at, UNSEEN_AFTER).max(later(step.now, std::time::Duration::from_secs(1)));
                let timer = step.pending.iter().any(|(due, task)| *task == Task::Unseen && *due <= by);
                prop_assert!(timer, "no timer for {:?}", pass.id);
            }
        }
        world.settle();
        prop_assert!(world.alive().is_empty());
    }

    #[test]
    fn owner_always_told(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        for (step, change) in changes(&world) {
            if enters(step, change, is_issuing) || enters(step, change, is_revoking) {
                prop_assert!(brings(&change.tasks, &Task::NotifyOwner), "after {:?}", step.event);
            }
        }
    }

    #[test]
    fn record_before_action(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        for (step, change) in changes(&world) {
            let after = &change.next.state;
            if enters(step, change, is_issuing) {
                prop_assert!(has(&change.records, Phase::Intent, "pass.create", step.version));
            }
            if enters(step, change, is_revoking) {
                prop_assert!(has(&change.records, Phase::Intent, "pass.delete", step.version));
            }
            if brings(&change.tasks, &Task::RevokeSessions) {
                prop_assert!(has(&change.records, Phase::Intent, "sessions.revoke", step.version));
            }
            match &step.before.state {
                State::Issuing { attempt, .. } if !is_issuing(after) => {
                    prop_assert!(has(&change.records, Phase::Outcome, "pass.create", attempt.intent));
                }
                State::Revoking { intent, .. } if !is_revoking(after) => {
                    prop_assert!(has(&change.records, Phase::Outcome, "pass.delete", *intent));
                }
                _ => {}
            }
            prop_assert!(change.records.iter().all(|r| r.request.as_ref() == Some(&change.next.id)));
        }
    }

    #[test]
    fn no_request_gets_stuck(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        prop_assert!(!world.sample.request.is_open(), "stuck in {}", world.state().name());
    }

    /// However often it is sent again: five wrong PINs without a right one, two more codes, and an end.
    #[test]
    fn sending_again_is_bounded(facts in facts(), acts in acts()) {
        let mut world = World::after(facts, &acts);
        world.settle();
        let (mut wrong, mut resent) = (0, 0);
        for (step, change) in changes(&world) {
            match step.event {
                Event::WrongPin => wrong += 1,
                Event::Claim(_) | Event::PinProved => wrong = 0,
                Event::Resend(_) => resent += 1,
                _ => {}
            }
            prop_assert!(wrong <= PIN_TRIES && resent <= RESENDS);
            if let Some(grant) = change.next.grant() {
                prop_assert!(grant.ticket.expires_at <= grant.ticket.ends_at);
            }
        }
    }

    #[test]
    fn a_change_survives_being_stored(facts in facts(), acts in acts()) {
        let world = World::after(facts, &acts);
        let text = serde_json::to_string(&world.sample.request).unwrap();
        let read: crate::request::Request = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, world.sample.request);
    }
}

/// A test that reaches nothing proves nothing.
#[test]
fn random_runs_reach_every_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..1_000 {
        let (facts, acts) = (facts(), acts()).new_tree(&mut runner).unwrap().current();
        let mut world = World::after(facts, &acts);
        world.settle();
        reached.extend(changes(&world).map(|(_, change)| change.next.state.name()));
    }
    let missing: Vec<String> = super::table::columns()
        .into_iter()
        .map(|(_, sample)| sample.request.state.name().to_owned())
        .filter(|name| name != "Received" && !reached.contains(name.as_str()))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}
