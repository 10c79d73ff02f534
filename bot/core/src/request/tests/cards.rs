//! Does every copy of a card show the request as it is, with no button that does nothing?

use super::samples::{
    MAX, OLGA, SAM, Sample, browser, case, claim, code, looks_wrong, made, pin_hash, service_now, told,
};
use super::table::{columns, rows};
use crate::card::{Button, Card, Choice};
use crate::ids::PersonId;
use crate::policy::Route;
use crate::request::{Event, State};
use crate::task::Task;
use crate::words;

/// Every state, and that in which one of two approvals is given; each with a card posted.
fn states() -> Vec<(String, Sample)> {
    let two = Sample::received().after([Event::FactsArrived(Box::new(case(&[&[MAX], &[OLGA]])))]);
    let one_given = two.clone().after([Event::Approve(MAX)]);
    let more = [("two approvals", two), ("one of two approvals", one_given)];
    let more = more.map(|(name, sample)| (name.to_owned(), sample));
    let all = columns().into_iter().chain(more).chain(after_a_statement());
    all.map(|(name, sample)| (name, sample.with_card())).collect()
}

/// Everything that comes after an approval that a source stated.
fn after_a_statement() -> Vec<(String, Sample)> {
    let claim_open = Sample::stated().after([
        Event::CodeMinted(code(1), Route::Sms),
        Event::CodeSent(code(1), "SM1".to_owned()),
        Event::PinMinted(pin_hash(1), Some(MAX)),
        Event::PinSent(pin_hash(1), Route::Approver),
    ]);
    let issuing = claim_open.clone().after([Event::Claim(claim(1))]);
    let unsettled = issuing.clone().after([Event::OutcomeUnknown]);
    let issued = issuing.clone().after([Event::Created(made("pass-1", 1, issuing.now))]);
    let shown = issued.clone().after([Event::PageShowed(browser(1))]);
    let ending = shown.clone().after([Event::PassUsed]);
    let used = ending.clone().after([Event::Deleted]);
    let locked = claim_open.clone().after([Event::TriesExhausted]);
    let cancelled = claim_open.clone().after([Event::CancelBySource(service_now())]);
    let samples = [claim_open, issuing, unsettled, issued, shown, ending, used, locked, cancelled];
    samples.map(|sample| (format!("{} after a statement", sample.request.state.name()), sample)).into()
}

/// What each approver sees.
fn cards(sample: &Sample) -> Vec<(PersonId, Card)> {
    let Some(case) = sample.request.case() else { return Vec::new() };
    let approvers = case.approvers.iter().map(|candidate| candidate.human.id);
    approvers.zip(words::approvals(&sample.request, sample.now)).collect()
}

/// What the desk makes of a press.
fn pressed(button: &Button, by: PersonId) -> Event {
    match button.choice {
        Choice::Approve => Event::Approve(by),
        Choice::Deny => Event::Deny(by),
        Choice::Withdraw => Event::Withdraw(by),
        Choice::LooksWrong => looks_wrong(by),
        Choice::Disown => Event::Disown(by),
        Choice::Ask => panic!("no card about a request asks for another one"),
        Choice::ShowPin => Event::PinMinted(pin_hash(9), Some(by)),
        Choice::Pick => {
            let number = button.value.rsplit('.').next().and_then(|number| number.parse().ok());
            Event::Pick(by, number.unwrap())
        }
    }
}

#[test]
fn no_state_of_a_request_leaves_a_button_that_does_nothing() {
    let mut buttons = 0;
    for (name, sample) in states() {
        for (approver, card) in cards(&sample) {
            for button in &card.buttons {
                let answer = sample.clone().apply(pressed(button, approver));
                assert!(answer.is_ok(), "{} in {name}: {answer:?}", button.label);
                buttons += 1;
            }
        }
    }
    assert!(buttons > 8, "only {buttons} buttons were found");
}

#[test]
fn a_card_that_changes_is_edited() {
    let mut changed = 0;
    for (name, sample) in states() {
        for (event_name, event, wait) in rows() {
            let mut sample = sample.clone().wait(wait);
            let before = cards(&sample);
            let Ok(change) = sample.apply(event) else { continue };
            let is_edited = change.tasks.iter().any(|new| new.task == Task::Refresh && new.due <= sample.now);
            let differs = !before.is_empty() && before != cards(&sample);
            // Whoever is reminded gets a new copy, which retires the older ones.
            let is_sent = change.tasks.iter().any(|new| matches!(new.task, Task::Prompt { .. }));
            assert!(is_edited || is_sent || !differs, "{event_name} in {name} leaves cards as they were");
            changed += u32::from(differs);
        }
    }
    assert!(changed > 20, "only {changed} events change a card");
}

/// It was worded before the decision, and shows buttons.
#[test]
fn a_card_that_is_posted_after_the_decision_is_edited() {
    for (name, sample) in columns() {
        let is_decided = !matches!(sample.request.state, State::AwaitingApproval { .. });
        let before = sample.tasks.len();
        let edited = sample.with_card().tasks[before..].iter().any(|new| new.task == Task::Refresh);
        assert_eq!(edited, is_decided, "{name}");
    }
}

/// What told the requester of an earlier outcome says what came of it, and nothing that was of use before then.
#[test]
fn a_message_of_the_requester_is_edited_on_every_outcome() {
    let mut outcomes = 0;
    for (name, sample) in columns() {
        let mut sample = sample;
        if sample.apply(Event::RequesterTold(told("first"))).is_err() {
            continue;
        }
        for (event_name, event, wait) in rows() {
            let mut sample = sample.clone().wait(wait);
            let before = sample.request.outcome();
            let Ok(change) = sample.apply(event) else { continue };
            let is_edited =
                change.tasks.iter().any(|new| new.task == Task::RetireNews && new.due <= sample.now);
            let differs = change.next.outcome() != before;
            assert!(is_edited || !differs, "{event_name} in {name} leaves the message as it was");
            outcomes += u32::from(differs);
        }
    }
    assert!(outcomes > 20, "only {outcomes} events change the outcome");
}

/// It was worded before the decision.
#[test]
fn a_message_that_reaches_the_requester_after_an_outcome_is_edited() {
    for (name, mut sample) in columns() {
        let is_late = sample.request.outcome() != told("first").outcome;
        let change = sample.apply(Event::RequesterTold(told("first"))).unwrap();
        assert_eq!(change.tasks.iter().any(|new| new.task == Task::RetireNews), is_late, "{name}");
        assert_eq!(change.next.outdated().count(), usize::from(is_late), "{name}");
    }
}

#[test]
fn an_outdated_message_says_what_came_of_the_request() {
    let matching = Sample::matching().after([Event::RequesterTold(told("first"))]);
    let number = "47";
    let as_told = |sample: &Sample| words::since_then(&sample.request, &sample.request.told[0]);
    assert!(as_told(&matching).text.iter().any(|text| text.contains(number)));
    let over = [
        matching.clone().after([Event::Pick(MAX, 47)]),
        matching.clone().after([Event::Deny(MAX)]),
        matching.after([Event::Cancel(super::samples::account(SAM).into())]),
        Sample::shown().after([Event::RequesterTold(told("first"))]),
    ];
    let cards: Vec<String> = over.iter().map(|sample| as_told(sample).text.join(" ")).collect();
    assert_eq!(
        cards,
        [
            "Since then: approved by Max Manager.",
            "Since then: denied by Max Manager.",
            "Since then: cancelled by the requester.",
            "Since then: they have the pass."
        ]
    );
}
