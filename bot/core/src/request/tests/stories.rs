//! Single lines of the state machine that once went wrong.

use std::time::Duration;

use super::samples::{
    DORA, FINN, MAX, OLGA, SAM, Sample, account, browser, case, claim, delegate, made, posted,
};
use crate::hours::QuietHours;
use crate::request::{Event, Goal, Refusal, SWEEPS, State};
use crate::task::Task;

/// When `task` is due next, among those that came after the first `skipped` ones.
fn due(sample: &Sample, skipped: usize, task: &Task) -> Option<Duration> {
    let found = sample.tasks.iter().skip(skipped).find(|new| new.task == *task)?;
    Some(Duration::try_from(found.due.duration_since(sample.now)).unwrap_or_default())
}

#[test]
fn a_look_that_ends_during_the_next_create_is_looked_again() {
    // The look began while the claim was open; the subject claimed before it was over.
    let mut sample = Sample::unsettled().after([Event::Swept(0), Event::Claim(claim(1))]);
    let tasks = sample.tasks.len();
    sample.apply(Event::Swept(0)).expect("a look that is thrown away here would be the last one");
    assert_eq!(due(&sample, tasks, &Task::Sweep), Some(SWEEPS[1]));
    let State::Issuing { grant, .. } = &sample.request.state else { panic!("the create goes on") };
    assert_eq!(grant.loose[0].looks, 1, "a look during a create proves nothing");
}

#[test]
fn a_look_before_its_time_does_not_count() {
    let sample = Sample::unsettled().after([Event::Revoke(account(SAM).into())]);
    let sample = sample.after([Event::Swept(0), Event::Swept(0), Event::Swept(0), Event::Swept(0)]);
    assert!(sample.request.is_open(), "four looks at once are one look");
    let sample = sample.wait(SWEEPS[1]).after([Event::Swept(0)]);
    assert!(sample.request.is_open());
    let sample = sample.wait(SWEEPS[2]).after([Event::Swept(0)]);
    assert!(!sample.request.is_open());
}

#[test]
fn a_timer_that_comes_early_comes_again() {
    for (mut sample, event, task) in [
        (Sample::awaiting(), Event::ApprovalTimeOver, Task::LapseApproval),
        (Sample::approved(), Event::TicketTimeOver, Task::LapseTicket),
        (Sample::claim_open(), Event::TicketTimeOver, Task::LapseTicket),
        (Sample::issued(), Event::UnseenTimeOver, Task::Unseen),
    ] {
        let (state, tasks) = (sample.request.clone(), sample.tasks.len());
        sample.apply(event).expect("a clock that went back must not lose the timer");
        assert_eq!(sample.request, state);
        assert!(due(&sample, tasks, &task).is_some_and(|wait| wait > Duration::ZERO));
    }
}

#[test]
fn two_approvals_are_two_people() {
    let mut sample =
        Sample::received().after([Event::FactsArrived(Box::new(case(&[&[MAX, OLGA], &[MAX, OLGA]])))]);
    sample.apply(Event::Approve(MAX)).unwrap();
    assert_eq!(sample.apply(Event::Approve(MAX)), Err(Refusal::AlreadyApproved));
    assert_eq!(sample.request.state.name(), "AwaitingApproval");
    sample.apply(Event::Approve(OLGA)).unwrap();
    assert_eq!(sample.request.state.name(), "Approved");
}

#[test]
fn a_pass_that_comes_after_a_report_is_deleted_unseen() {
    let sample = Sample::issuing().after([Event::Report]);
    let late = made("pass-2", 1, sample.now);
    let mut sample = sample.after([Event::Created(late)]);
    assert_eq!(sample.apply(Event::PageShowed(browser(1))), Err(Refusal::TooLate));
    let sample = sample.after([Event::Deleted]);
    assert_eq!(sample.request.state.name(), "Reported");
}

#[test]
fn a_pass_that_was_not_seen_is_deleted_and_the_ticket_still_works() {
    let sample = Sample::revoking();
    assert!(matches!(sample.request.state, State::Revoking { goal: Goal::Reopen, .. }));
    let sample = sample.after([Event::Deleted, Event::Claim(claim(2))]);
    assert_eq!(sample.request.state.name(), "Issuing");
}

#[test]
fn a_reminder_that_falls_into_the_night_comes_in_the_morning_if_there_is_time_left() {
    let night = QuietHours {
        from: "09:10".parse().unwrap(),
        to: "11:00".parse().unwrap(),
        zone: "UTC".parse().unwrap(),
    };
    for (own, expected) in [
        (None, Some(Duration::from_hours(2))),
        // It is an hour later in Berlin: the morning is over.
        (Some("Europe/Berlin"), Some(Duration::from_hours(1))),
        // And four hours earlier in New York: the night has not begun.
        (Some("America/New_York"), Some(Duration::from_mins(15))),
    ] {
        let mut facts = case(&[&[MAX]]);
        facts.terms.quiet_hours = Some(night.clone());
        facts.approvers[0].zone = own.map(|zone| zone.parse().unwrap());
        let asked = Event::Prompted(posted(MAX, "1"));
        let sample = Sample::received().after([Event::FactsArrived(Box::new(facts)), asked]);
        assert_eq!(due(&sample, 0, &Task::Remind { approver: MAX, after: 0 }), expected, "{own:?}");
    }
    let mut facts = case(&[&[MAX]]);
    facts.terms.quiet_hours = Some(QuietHours { to: "13:00".parse().unwrap(), ..night });
    let asked = Event::Prompted(posted(MAX, "1"));
    let sample = Sample::received().after([Event::FactsArrived(Box::new(facts)), asked]);
    assert_eq!(due(&sample, 0, &Task::Remind { approver: MAX, after: 0 }), None, "13:00 is when it lapses");
}

#[test]
fn a_reminder_whose_task_comes_twice_is_one() {
    let mut sample = Sample::awaiting().wait(Duration::from_mins(15));
    sample.apply(Event::RemindTime(MAX, 0)).unwrap();
    assert_eq!(sample.apply(Event::RemindTime(MAX, 0)), Err(Refusal::Moot));
    let prompts = sample.tasks.iter().filter(|new| new.task == Task::Prompt { approver: MAX }).count();
    assert_eq!(prompts, 2, "the first card and one more");
}

#[test]
fn a_delegate_and_their_delegator_never_count_as_two() {
    let mut facts = case(&[&[MAX, OLGA], &[MAX, OLGA]]);
    facts.approvers.push(delegate(DORA, MAX));
    let mut sample = Sample::received().after([Event::FactsArrived(Box::new(facts)), Event::Approve(DORA)]);
    assert_eq!(sample.apply(Event::Approve(MAX)), Err(Refusal::GivenAlready));
    let waits = [MAX, OLGA, DORA].map(|person| sample.request.waits_for(person));
    assert_eq!(waits, [false, true, false], "what Dora gave Max need not give");
    let sample = sample.after([Event::Approve(OLGA)]);
    let approvals = &sample.request.grant().unwrap().approvals;
    assert_eq!(approvals[0].stands_for.as_ref().map(|human| human.id), Some(MAX));
    let line = sample.records.iter().find(|record| record.what == "approval.given").unwrap();
    assert_eq!((line.by, line.facts["stands_for"].as_str()), (Some(DORA), MAX.to_string().as_str()));
}

#[test]
fn whoever_cannot_bring_it_further_is_not_reminded() {
    let facts = Event::FactsArrived(Box::new(case(&[&[MAX], &[OLGA, FINN]])));
    let asked = [MAX, OLGA, FINN].map(|approver| Event::Prompted(posted(approver, &approver.to_string())));
    let sample = Sample::received().after([facts]).after(asked).after([Event::Approve(OLGA)]);
    let mut sample = sample.wait(Duration::from_mins(15));
    assert_eq!(sample.apply(Event::RemindTime(OLGA, 0)), Err(Refusal::Moot), "Olga decided");
    assert_eq!(sample.apply(Event::RemindTime(FINN, 0)), Err(Refusal::Moot), "and so Finn need not");
    sample.apply(Event::RemindTime(MAX, 0)).unwrap();
}

#[test]
fn an_approver_who_cannot_be_reached_is_not_waited_for() {
    let two = Event::FactsArrived(Box::new(case(&[&[MAX, OLGA]])));
    let mut sample = Sample::received().after([two, Event::NotReached(MAX)]);
    assert_eq!(sample.request.state.name(), "AwaitingApproval");
    assert_eq!(sample.apply(Event::NotReached(MAX)), Err(Refusal::Moot), "that is known");
    // Others may join after a while: until then it is not over.
    let sample = sample.after([Event::NotReached(OLGA)]).wait(Duration::from_mins(30));
    assert_eq!(sample.request.state.name(), "AwaitingApproval");
    let joined = sample.clone().after([Event::Escalated(super::samples::escalation(&[FINN]))]);
    assert_eq!(joined.request.state.name(), "AwaitingApproval");
    let nobody = sample.after([Event::Escalated(super::samples::escalation(&[]))]);
    assert_eq!(nobody.request.state.name(), "Refused");
}
