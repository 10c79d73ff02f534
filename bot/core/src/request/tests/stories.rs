//! Single lines of the state machine that once went wrong.

use std::time::Duration;

use super::samples::{MAX, OLGA, SAM, STRANGER, Sample, browser, case, claim, made};
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
    let sample = Sample::unsettled().after([Event::Revoke(SAM)]);
    let sample = sample.after([Event::Swept(0), Event::Swept(0), Event::Swept(0), Event::Swept(0)]);
    assert!(sample.request.is_open(), "four looks at once are one look");
    let sample = sample.wait(SWEEPS[1]).after([Event::Swept(0)]);
    assert!(sample.request.is_open());
    let sample = sample.wait(SWEEPS[2]).after([Event::Swept(0)]);
    assert!(!sample.request.is_open());
}

#[test]
fn nobody_cancels_before_it_is_known_who_asked() {
    assert_eq!(Sample::received().apply(Event::Cancel(STRANGER)), Err(Refusal::Moot));
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
