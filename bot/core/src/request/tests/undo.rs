//! Changes of mind, at the points where they meet a claim, a second try or somebody who may not.

use std::time::Duration;

use super::samples::{
    JANE, MAX, OLGA, SAM, SECURITY, STRANGER, Sample, account, browser, case, claim, code, human, made,
    pin_hash,
};
use crate::policy::Route;
use crate::ports::PIN_TRIES;
use crate::request::{Claim, Ending, Event, Goal, REPORT_OUTLIVES, RESENDS, Refusal, State, TICKET_TIMES};
use crate::task::{Audience, News, Task};

/// Sent again, with the code numbered `number` and its PIN.
fn again(sample: Sample, number: u32) -> Sample {
    sample.after([
        Event::Resend(account(SAM).into()),
        Event::CodeMinted(code(number), Route::Sms),
        Event::CodeSent(code(number), "SM2".to_owned()),
        Event::PinMinted(pin_hash(number), Some(MAX)),
        Event::PinSent(pin_hash(number), Route::Approver),
    ])
}

fn wrong_pins(sample: Sample, times: u8) -> Sample {
    sample.after((0..times).map(|_| Event::WrongPin))
}

fn is_told(sample: &Sample, to: &Audience, what: News) -> bool {
    sample.tasks.iter().any(|new| new.task == Task::Tell { to: to.clone(), news: what })
}

#[test]
fn the_requester_cancels_before_anybody_looked_at_the_request() {
    let sample = Sample::received().after([Event::Cancel(account(SAM).into())]);
    assert_eq!(sample.request.state.name(), "Cancelled");
    assert_eq!(
        Sample::received().apply(Event::Cancel(account(STRANGER).into())),
        Err(Refusal::NotTheRequester)
    );
}

#[test]
fn a_pass_that_comes_after_a_cancel_is_deleted_unseen_and_the_requester_hears_when_it_is_gone() {
    let mut sample = Sample::issuing().after([Event::Cancel(account(SAM).into())]);
    let requester = Audience::Requester(account(SAM));
    assert!(!is_told(&sample, &requester, News::Over));
    sample.apply(Event::Created(made("pass-2", 1, sample.now))).unwrap();
    assert_eq!(sample.apply(Event::PageShowed(browser(1))), Err(Refusal::TooLate));
    let sample = sample.after([Event::Deleted]);
    assert_eq!(sample.request.state.name(), "Cancelled");
    assert!(is_told(&sample, &requester, News::Over));
}

#[test]
fn whoever_has_the_pass_keeps_it_when_the_requester_cancels() {
    for mut sample in [Sample::issued(), Sample::shown()] {
        assert_eq!(sample.apply(Event::Cancel(account(SAM).into())), Err(Refusal::Claimed));
        assert_eq!(sample.apply(Event::Withdraw(MAX)), Err(Refusal::Claimed));
    }
}

#[test]
fn code_and_pin_are_sent_again_twice_and_the_older_ones_are_void() {
    let mut sample = Sample::claim_open();
    for number in 2..=u32::from(RESENDS) + 1 {
        let half = sample.clone().after([Event::Resend(account(SAM).into())]);
        assert_eq!(half.request.code_hash(), None);
        assert_eq!(half.clone().apply(Event::Claim(claim(1))), Err(Refusal::Waiting));
        assert!(is_told(&half, &Audience::Approver(MAX), News::Resent));
        sample = again(sample, number);
        assert_eq!(sample.request.code_hash(), Some(&code(number)));
        assert_eq!(sample.request.grant().unwrap().ticket.generation, number);
    }
    assert_eq!(sample.apply(Event::Resend(account(SAM).into())), Err(Refusal::SentEnough));
}

#[test]
fn a_claim_that_proved_an_older_code_gets_nothing_when_a_newer_one_came_meanwhile() {
    let mut sample = again(Sample::claim_open(), 2);
    assert_eq!(sample.apply(Event::Claim(claim(1))), Err(Refusal::Moot));
    sample.apply(Event::Claim(Claim { generation: 2, ..claim(1) })).unwrap();
}

/// Five per approval, not five per code: an attacker who makes the requester send again gains nothing.
#[test]
fn five_wrong_pins_lock_the_request_however_often_it_was_sent_again() {
    let sample = again(wrong_pins(Sample::claim_open(), 2), 2);
    let mut sample = again(wrong_pins(sample, 2), 3);
    assert_eq!(sample.request.grant().unwrap().ticket.wrong, PIN_TRIES - 1);
    sample.apply(Event::WrongPin).unwrap();
    assert_eq!(sample.request.state.name(), "Locked");
    assert_eq!(sample.apply(Event::Resend(account(SAM).into())), Err(Refusal::Over));
}

#[test]
fn sending_again_begins_the_time_anew_and_never_beyond_a_limit() {
    let time = case(&[&[MAX]]).terms.ticket_expires;
    let nearly = time.saturating_sub(Duration::from_secs(1));
    let begun = Sample::approved().now;
    let mut sample = Sample::claim_open();
    for number in 2..=3 {
        let old = sample.request.grant().unwrap().ticket.expires_at;
        sample = again(sample.wait(nearly), number);
        let ticket = &sample.request.grant().unwrap().ticket;
        assert!(ticket.expires_at > old && ticket.expires_at <= ticket.ends_at);
        assert_eq!(ticket.ends_at.duration_since(begun).unsigned_abs(), time * TICKET_TIMES);
    }
    // The code comes, and the approver lets it lie until the last moment, each time.
    let mut slow = Sample::approved()
        .after([Event::CodeMinted(code(1), Route::Sms), Event::CodeSent(code(1), "SM1".to_owned())]);
    for number in 2..=3 {
        slow = slow.wait(nearly).after([
            Event::Resend(account(SAM).into()),
            Event::CodeMinted(code(number), Route::Sms),
            Event::CodeSent(code(number), "SM2".to_owned()),
        ]);
        slow = slow.wait(nearly).after([
            Event::PinMinted(pin_hash(number), Some(MAX)),
            Event::PinSent(pin_hash(number), Route::Approver),
        ]);
    }
    let ticket = &slow.request.grant().unwrap().ticket;
    assert_eq!(ticket.expires_at, ticket.ends_at, "four times its time are over");
    let mut over = slow.wait(Duration::from_hours(1));
    assert_eq!(over.apply(Event::Claim(Claim { generation: 3, ..claim(1) })), Err(Refusal::TooLate));
    assert_eq!(over.apply(Event::Resend(account(SAM).into())), Err(Refusal::TooLate));
}

#[test]
fn nothing_is_sent_again_that_is_still_being_sent() {
    let mut minted = Sample::approved().after([Event::CodeMinted(code(1), Route::Sms)]);
    assert_eq!(minted.apply(Event::Resend(account(SAM).into())), Err(Refusal::Waiting));
    // The approver has not shown the PIN yet, and the code did not arrive: that is what sending again is for.
    let mut sent = minted.after([Event::CodeSent(code(1), "SM1".to_owned())]);
    sent.apply(Event::Resend(account(SAM).into())).unwrap();
}

#[test]
fn sending_again_begins_with_the_first_route() {
    let sample = Sample::approved().after([
        Event::CodeUndeliverable(Route::Sms),
        Event::CodeMinted(code(1), Route::Email),
        Event::CodeSent(code(1), "M1".to_owned()),
        Event::Resend(account(SAM).into()),
    ]);
    assert_eq!(sample.request.grant().unwrap().next_code_route(), Some(Route::Sms));
}

#[test]
fn one_of_two_approvers_takes_the_approval_back_before_the_other_gave_theirs() {
    let mut sample = Sample::received()
        .after([Event::FactsArrived(Box::new(case(&[&[MAX], &[OLGA]]))), Event::Approve(MAX)]);
    assert_eq!(sample.apply(Event::Withdraw(OLGA)), Err(Refusal::NotAnApprover), "she gave none");
    sample.apply(Event::Withdraw(MAX)).unwrap();
    assert_eq!(sample.request.state.name(), "Withdrawn");
    assert_eq!(sample.apply(Event::Approve(OLGA)), Err(Refusal::Over));
}

#[test]
fn requester_approvers_and_security_revoke_and_nobody_else() {
    for (event, who, right) in [
        (Event::Revoke(account(SAM).into()), SAM, "requester"),
        (Event::Revoke(account(MAX).into()), MAX, "approver"),
        (Event::Revoke(account(OLGA).into()), OLGA, "approver"),
        (Event::RevokeBySecurity(human(SECURITY)), SECURITY, "security"),
    ] {
        let sample = Sample::shown().after([event, Event::Deleted]);
        let line = sample.records.iter().find(|record| record.what == "request.stopped").unwrap();
        assert_eq!((line.by, line.facts["as"].as_str()), (Some(who), right));
        assert!(matches!(&sample.request.state, State::Closed { ending: Ending::Revoked(_), .. }));
        assert!(sample.tasks.iter().any(|new| new.task == Task::RevokeSessions));
    }
    for stranger in [JANE, SECURITY, STRANGER] {
        assert_eq!(
            Sample::shown().apply(Event::Revoke(account(stranger).into())),
            Err(Refusal::NotAnApprover)
        );
    }
}

#[test]
fn what_may_become_a_pass_is_revoked_as_well_and_leaves_the_sessions_alone() {
    for sample in [Sample::awaiting(), Sample::approved(), Sample::claim_open()] {
        let sample = sample.after([Event::Revoke(account(MAX).into())]);
        assert_eq!(sample.request.state.name(), "Revoked");
        assert!(sample.tasks.iter().all(|new| new.task != Task::RevokeSessions), "nobody could sign in");
    }
}

#[test]
fn a_revocation_overtakes_a_cancel_whose_pass_is_still_looked_for() {
    let sample =
        Sample::issuing().after([Event::Cancel(account(SAM).into()), Event::Revoke(account(MAX).into())]);
    let State::Unsettled { goal: Goal::End(ending), .. } = &sample.request.state else { panic!() };
    assert_eq!(*ending, Ending::Revoked(human(MAX)));
    assert!(sample.tasks.iter().any(|new| new.task == Task::RevokeSessions));
    let mut reported = Sample::shown().after([Event::Report]);
    assert_eq!(
        reported.apply(Event::Revoke(account(MAX).into())),
        Err(Refusal::Over),
        "a report is for good"
    );
}

#[test]
fn the_sessions_of_a_used_pass_are_ended_for_a_week() {
    for over in [Event::PassUsed, Event::PassOver] {
        let used = Sample::shown().after([over, Event::Deleted]);
        let mut revoked = used.clone().wait(REPORT_OUTLIVES.saturating_sub(Duration::from_secs(1)));
        let change = revoked.apply(Event::RevokeBySecurity(human(SECURITY))).unwrap();
        assert!(change.tasks.iter().any(|new| new.task == Task::RevokeSessions));
        assert_eq!(revoked.request.state.name(), "Revoked");
        let mut old = used.wait(REPORT_OUTLIVES);
        assert_eq!(old.apply(Event::RevokeBySecurity(human(SECURITY))), Err(Refusal::Over));
    }
}
