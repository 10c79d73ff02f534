//! Stories of browsers that go away, and of passes that nobody saw.

use std::time::Duration;

use anyhow::ensure;
use axum::http::{Method, StatusCode};
use tapdesk_tests::claims::Ticket;
use tapdesk_tests::trouble::{DELETE, PASSES};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

/// After the grace time nothing of it is left, and code and PIN bring another pass to another browser.
async fn goes_on_after_the_grace_time(world: &World, ticket: &Ticket, step: &str) -> anyhow::Result<()> {
    world.grace_time_passes().await?;
    ensure!(world.janes_passes() == 0, "{step}: a pass that nobody saw lives");
    let browser = world.browser();
    ensure!(browser.status(&ticket.0).await?.state() == "open", "{step}: the ticket does not work any more");
    browser.claims_and_sees(&ticket.0, &ticket.1).await?;
    world.settle().await?;
    ensure!(world.janes_passes() == 1, "{step}: {} passes live", world.janes_passes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_goes_away_before_the_create_does_not_cancel_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_before_the_create(&world.browser(), &ticket).await;
    world.gives_up(claiming, &ticket.0).await?;
    ensure!(world.browser().status(&ticket.0).await?.state() == "busy");
    held.open();
    world.settle().await?;
    ensure!(world.janes_passes() == 1, "the create was cancelled with the connection");
    ensure!(world.ledger_says("outcome", "pass.create")? == 1, "the outcome was not written down");
    goes_on_after_the_grace_time(&world, &ticket, "before the create").await?;
    world.hears(&world.ada, "was made and not seen, so I deleted it")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_goes_away_after_the_create_does_not_cancel_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_after_the_create(&world.browser(), &ticket).await;
    world.gives_up(claiming, &ticket.0).await?;
    held.open();
    world.settle().await?;
    ensure!(world.ledger_says("outcome", "pass.create")? == 1, "the outcome was not written down");
    goes_on_after_the_grace_time(&world, &ticket, "after the create").await?;
    world.hears(&world.ada, "was made and not seen, so I deleted it")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_goes_away_during_the_check_gets_nothing_made_twice() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_before_the_last_look(&world.browser(), &ticket).await;
    world.gives_up(claiming, &ticket.0).await?;
    held.open();
    world.settle().await?;
    ensure!(world.creates() == 1);
    goes_on_after_the_grace_time(&world, &ticket, "during the check").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_that_comes_back_in_time_gets_its_pass() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    let (claiming, held) = world.claim_held_after_the_create(&browser, &ticket).await;
    world.gives_up(claiming, &ticket.0).await?;
    held.open();
    world.settle().await?;
    world.advance(Duration::from_secs(110)).await?;
    world.claim_gets(&world.browser(), &ticket.0, &ticket.1, "opened").await?;
    browser.claims_and_sees(&ticket.0, &ticket.1).await?;
    // The time of the second pass counts, not that of the first.
    world.grace_time_passes().await?;
    ensure!(world.janes_passes() == 1, "the pass that Jane saw was deleted");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_the_page_that_comes_too_late_says_that_the_pass_is_gone() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claim(&code, &pin).await?.passcode()?;
    world.grace_time_passes().await?;
    let late = browser.shown(&code).await?;
    ensure!(late.status == StatusCode::GONE && late.state() == "gone", "{late:?}");
    ensure!(world.janes_passes() == 0);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_the_page_may_come_twice_and_only_from_its_browser() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    ensure!(browser.shown(&code).await?.status == StatusCode::GONE, "nothing is shown yet");
    browser.claim(&code, &pin).await?.passcode()?;
    ensure!(world.browser().shown(&code).await?.status == StatusCode::GONE, "another browser says so");
    for _ in 0..2 {
        ensure!(browser.shown(&code).await?.status == StatusCode::NO_CONTENT);
    }
    world.settle().await?;
    ensure!(world.ledger_says("event", "pass.shown")? == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_tapdesk_waits_for_the_claim_in_hand() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let browser = world.browser();
    let (claiming, held) = world.claim_held_after_the_create(&browser, &ticket).await;
    world.gives_up(claiming, &ticket.0).await?;
    let stopping = async {
        world.stop_tapdesk().await;
        world.ledger_says("outcome", "pass.create")
    };
    let releasing = async {
        // Stopping has begun when this runs: both are polled in turn, stopping first.
        tokio::task::yield_now().await;
        held.open();
    };
    let (written, ()) = tokio::join!(stopping, releasing);
    ensure!(written? == 1, "tapdesk stopped before the outcome was written down");
    world.start_tapdesk().await?;
    goes_on_after_the_grace_time(&world, &ticket, "stopped").await?;
    world.finish_unread().await
}

/// How a pass comes to be that nobody sees.
#[derive(Debug, Clone, Copy)]
enum Loss {
    ThePageSaysNothing,
    TheBrowserLeavesBeforeTheCreate,
    TheBrowserLeavesAfterTheCreate,
    GraphsAnswerIsLost,
    GraphAnswersNonsense,
    TapdeskStops,
    DeletingFailsAtFirst,
    TheSecondPassIsLostToo,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unseen_pass_lives() -> anyhow::Result<()> {
    for loss in [
        Loss::ThePageSaysNothing,
        Loss::TheBrowserLeavesBeforeTheCreate,
        Loss::TheBrowserLeavesAfterTheCreate,
        Loss::GraphsAnswerIsLost,
        Loss::GraphAnswersNonsense,
        Loss::TapdeskStops,
        Loss::DeletingFailsAtFirst,
        Loss::TheSecondPassIsLostToo,
    ] {
        let mut world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        loses_a_pass(&mut world, &ticket, loss).await?;
        ensure!(world.graph.passes().len() <= 2, "{loss:?}");
        goes_on_after_the_grace_time(&world, &ticket, &format!("{loss:?}")).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

async fn loses_a_pass(world: &mut World, ticket: &Ticket, loss: Loss) -> anyhow::Result<()> {
    let browser = world.browser();
    let (code, pin) = ticket;
    match loss {
        Loss::ThePageSaysNothing => {
            browser.claim(code, pin).await?.passcode()?;
            ensure!(world.janes_passes() == 1);
            world.advance(Duration::from_secs(119)).await?;
            ensure!(world.janes_passes() == 1, "the pass was deleted before its time");
        }
        Loss::TheBrowserLeavesBeforeTheCreate => {
            let (claiming, held) = world.claim_held_before_the_create(&browser, ticket).await;
            world.gives_up(claiming, code).await?;
            held.open();
        }
        Loss::TheBrowserLeavesAfterTheCreate => {
            let (claiming, held) = world.claim_held_after_the_create(&browser, ticket).await;
            world.gives_up(claiming, code).await?;
            held.open();
        }
        Loss::GraphsAnswerIsLost => {
            world.graph.wire.trouble(&world.create(), 1, Trouble::DropAnswer);
            world.claim_gets(&browser, code, pin, "unavailable").await?;
        }
        Loss::GraphAnswersNonsense => {
            let nonsense = Trouble::HandleThenAnswer(StatusCode::CREATED, "<html>".to_owned());
            world.graph.wire.trouble(&world.create(), 1, nonsense);
            world.claim_gets(&browser, code, pin, "unavailable").await?;
        }
        Loss::TapdeskStops => {
            browser.claim(code, pin).await?.passcode()?;
            world.stop_tapdesk().await;
            world.hands.turn(Duration::from_mins(3));
            world.start_tapdesk().await?;
        }
        Loss::DeletingFailsAtFirst => {
            browser.claim(code, pin).await?.passcode()?;
            world.graph.fail(DELETE, 2, StatusCode::SERVICE_UNAVAILABLE);
            world.grace_time_passes().await?;
        }
        Loss::TheSecondPassIsLostToo => {
            browser.claims_and_sees(code, pin).await?;
            browser.claim(code, pin).await?.passcode()?;
            ensure!(world.janes_passes() == 1, "two passes live");
        }
    }
    ensure!(world.graph.wire.count(&Method::POST, PASSES) >= 1);
    Ok(())
}
