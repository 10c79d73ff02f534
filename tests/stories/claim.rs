//! Stories of the claim: who proves what, how often, and who of many wins.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_core::ports::{PIN_TRIES, TRY_LEASE};
use tapdesk_tests::browser::{Answer, Browser};
use tapdesk_tests::claims::wrong_pin;
use tapdesk_tests::faulty::Faults;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::world::{SECURITY, Setting, World};

/// How many answers of each state came.
fn states(answers: &[(Browser, Answer)]) -> BTreeMap<&str, usize> {
    answers.iter().fold(BTreeMap::new(), |mut states, (_, answer)| {
        *states.entry(answer.state()).or_default() += 1;
        states
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_pins_lock_the_ticket_and_tell_everybody_who_should_know() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    let answers = world.guesses(&browser, &ticket, 5).await?;
    let left: Vec<_> = answers[..4].iter().map(|a| (a.state(), a.body["tries_left"].as_u64())).collect();
    ensure!(left == [4, 3, 2, 1].map(|left| ("wrong_pin", Some(left))), "{left:?}");
    ensure!(answers[4].state() == "locked", "{:?}", answers[4]);
    world.settle().await?;
    world.hears(&world.ada, "is locked: five wrong PINs")?;
    world.hears(&world.mary, "is locked: five wrong PINs")?;
    world.mail_says(SECURITY, "is locked: five wrong PINs")?;
    // Otto only sees the card change: he has approved nothing.
    ensure!(!world.reads(&world.otto).iter().any(|text| text.contains("five wrong PINs. Somebody")));
    world.ticket_is_over(&browser, &ticket, "locked").await?;
    ensure!(world.creates() == 0, "Graph was asked for a pass");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_pin_on_the_fifth_try_opens_the_ticket() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    world.guesses(&browser, &ticket, 4).await?;
    browser.claims_and_sees(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_pin_whose_claim_meets_a_hitch_uses_up_no_tries() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    world.guesses(&browser, &ticket, 4).await?;
    for _ in 0..7 {
        world.graph.throttle(&world.create(), 1, None);
        let answer = world.claim_gets(&browser, &ticket.0, &ticket.1, "unavailable").await?;
        ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        world.settle().await?;
    }
    let wrong = world.guesses(&browser, &ticket, 1).await?;
    ensure!(wrong[0].body["tries_left"] == 4, "a hitch used up tries: {wrong:?}");
    browser.claims_and_sees(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_before_they_are_checked() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let guesses = (1..=64).map(|by| wrong_pin(&pin, by)).collect();
    let answers = world.all_claim(&code, guesses).await?;
    let states = states(&answers);
    let count = |state: &str| states.get(state).copied().unwrap_or_default();
    ensure!(count("wrong_pin") == 4 && count("locked") == 1, "{states:?}");
    ensure!(count("busy") + count("closed") == 59, "{states:?}");
    ensure!(world.times_it_happened("ticket.pin.wrong")? == usize::from(PIN_TRIES));
    world.settle().await?;
    world.hears(&world.ada, "is locked")?;
    world.ticket_is_over(&world.browser(), &(code, pin), "locked").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_pin_among_many_wrong_ones_gets_one_try_or_none() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let pins = (0..64).map(|by| wrong_pin(&pin, by)).collect();
    let answers = world.all_claim(&code, pins).await?;
    let states = states(&answers);
    let passes = states.get("pass").copied().unwrap_or_default();
    ensure!(passes <= 1 && world.creates() == passes, "{states:?}");
    ensure!(world.times_it_happened("ticket.pin.wrong")? <= usize::from(PIN_TRIES));
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_whose_check_was_never_written_down_lock_the_ticket_after_a_minute() -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with(Setting { fit: faults.fit(), ..Setting::default() }).await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    faults.fail("append event ticket.pin.wrong");
    for answer in world.guesses(&browser, &ticket, 5).await? {
        ensure!(answer.state() == "unavailable", "{answer:?}");
    }
    // All five are taken, though nobody knows how they ended: even the right PIN has to wait.
    let busy = world.claim_gets(&browser, &ticket.0, &ticket.1, "busy").await?;
    ensure!(busy.status == StatusCode::TOO_MANY_REQUESTS && busy.body["retry_after"] == 5, "{busy:?}");
    world.hands.turn(TRY_LEASE.saturating_sub(Duration::from_secs(1)));
    world.claim_gets(&browser, &ticket.0, &ticket.1, "busy").await?;
    world.hands.turn(Duration::from_secs(2));
    world.claim_gets(&browser, &ticket.0, &ticket.1, "locked").await?;
    faults.heal();
    world.settle().await?;
    world.hears(&world.ada, "is locked")?;
    world.hears(&world.mary, "is locked")?;
    world.mail_says(SECURITY, "is locked")?;
    world.ticket_is_over(&browser, &ticket, "locked").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_browsers_one_gets_the_pass() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let answers = world.all_claim(&code, vec![pin.clone(); 64]).await?;
    let (winners, others): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(_, answer)| answer.state() == "pass");
    ensure!(winners.len() == 1, "{} browsers got a pass", winners.len());
    for (_, answer) in &others {
        ensure!(matches!(answer.state(), "opened" | "busy"), "{answer:?}");
        ensure!(answer.body.get("passcode").is_none(), "a loser got a passcode");
    }
    ensure!(
        world.creates() == 1 && world.graph.passes().len() == 1,
        "Graph was asked {} times",
        world.creates()
    );
    ensure!(winners[0].0.shown(&code).await?.status == StatusCode::NO_CONTENT);
    world.settle().await?;
    for (browser, _) in &others[..8] {
        world.claim_gets(browser, &code, &pin, "opened").await?;
        ensure!(browser.shown(&code).await?.status == StatusCode::GONE, "a loser says that it was shown");
    }
    ensure!(world.creates() == 1 && world.janes_passes() == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_gets_one_pass() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    let (first, held) = world.claim_held_after_the_create(&browser, &ticket).await;
    world.claim_gets(&browser, &ticket.0, &ticket.1, "busy").await?;
    held.open();
    first.answer().await?.passcode()?;
    ensure!(world.creates() == 1);
    ensure!(browser.shown(&ticket.0).await?.status == StatusCode::NO_CONTENT);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_costs_the_same_browser_one_more_click() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    let lost = browser.claim(&code, &pin).await?.passcode()?;
    world.settle().await?;
    world.claim_gets(&world.browser(), &code, &pin, "opened").await?;
    let second = browser.claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    ensure!(world.janes_passes() == 1);
    ensure!(world.graph.use_pass(&world.jane.person, &lost) == SignIn::Wrong, "the lost pass is usable");

    // Shown, and lost again: for a minute the same browser may ask anew, another one never.
    world.advance(Duration::from_secs(59)).await?;
    world.claim_gets(&world.browser(), &code, &pin, "opened").await?;
    let third = browser.claims_and_sees(&code, &pin).await?;
    ensure!(world.janes_passes() == 1);
    ensure!(world.graph.use_pass(&world.jane.person, &second) == SignIn::Wrong, "the second pass is usable");
    world.advance(Duration::from_secs(61)).await?;
    world.claim_gets(&browser, &code, &pin, "opened").await?;
    ensure!(world.graph.use_pass(&world.jane.person, &third) == SignIn::Ok);
    ensure!(world.creates() == 3);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_costs_one_more_click_across_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    let lost = browser.claim(&code, &pin).await?.passcode()?;
    world.restart().await?;
    let browser = browser.at(world.base());
    world.claim_gets(&world.browser(), &code, &pin, "opened").await?;
    let passcode = browser.claims_and_sees(&code, &pin).await?;
    ensure!(world.graph.use_pass(&world.jane.person, &lost) == SignIn::Wrong, "the lost pass is usable");
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_pass_is_never_made_anew() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    let passcode = browser.claims_and_sees(&code, &pin).await?;
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.claim_gets(&browser, &code, &pin, "opened").await?;
    world.settle().await?;
    ensure!(world.creates() == 1 && world.janes_passes() == 0);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pins_in_the_browser_that_shows_the_pass_change_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&ticket.0, &ticket.1).await?;
    let answers = world.guesses(&browser, &ticket, 5).await?;
    ensure!(answers.iter().all(|answer| answer.state() == "opened"), "{answers:?}");
    world.guesses(&browser, &ticket, 3).await?;
    ensure!(world.janes_passes() == 1, "Jane lost the pass that she has in front of her");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_pins_over_a_pass_that_is_not_shown_yet_delete_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claim(&ticket.0, &ticket.1).await?.passcode()?;
    let last = world.guesses(&browser, &ticket, 5).await?.pop();
    ensure!(last.is_some_and(|answer| answer.state() == "locked"));
    world.settle().await?;
    world.hears(&world.ada, "is locked")?;
    world.mail_says(SECURITY, "is locked")?;
    world.ticket_is_over(&browser, &ticket, "locked").await?;
    ensure!(world.janes_notice()?.subject.ends_with("was deleted"));
    world.finish_unread().await
}
