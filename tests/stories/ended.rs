//! Stories of requests that are over: nothing of them is usable any more.

use std::time::Duration;

use anyhow::ensure;
use tapdesk_tests::browser::Browser;
use tapdesk_tests::claims::Ticket;
use tapdesk_tests::world::World;

/// How a request ends, most of them while a pass of it exists or is being made.
#[derive(Debug, Clone, Copy)]
enum End {
    Denied,
    LapsedUndecided,
    LapsedUnclaimed,
    LapsedWithAPassUnseen,
    LapsedDuringTheCreate,
    Locked,
    LockedWithAPassUnseen,
    Reported,
    ReportedWithAPassUnseen,
    ReportedWithAPassShown,
    ReportedDuringTheCreate,
    ReportedDuringTheCheck,
    RefusedAtTheCheck,
    RefusedWithAPassUnseen,
    RefusedWithAPassShown,
    Used,
    Expired,
}

#[tokio::test(flavor = "multi_thread")]
async fn terminal_means_gone() -> anyhow::Result<()> {
    for end in [End::Denied, End::LapsedUndecided] {
        let world = World::start().await?;
        world.ada_asks_for_jane().await?;
        let card = world.card(&world.mary, "Approve")?;
        match end {
            End::Denied => drop(world.presses(&world.otto, "Deny").await?),
            _ => world.advance(Duration::from_hours(4)).await?,
        }
        // Her old card still has the button in front of her for a moment.
        drop(world.chat.press(&world.mary.account, &card, "Approve").await);
        world.settle().await?;
        world.has_no_button(&world.mary)?;
        ensure!(world.texts() == 0 && world.creates() == 0, "{end:?}: something came of it");
        world.everybody_reads();
        world.finish().await?;
    }
    for (end, why) in [
        (End::LapsedUnclaimed, "expired"),
        (End::LapsedWithAPassUnseen, "expired"),
        (End::LapsedDuringTheCreate, "expired"),
        (End::Locked, "locked"),
        (End::LockedWithAPassUnseen, "locked"),
        (End::Reported, "reported"),
        (End::ReportedWithAPassUnseen, "reported"),
        (End::ReportedWithAPassShown, "reported"),
        (End::ReportedDuringTheCreate, "reported"),
        (End::ReportedDuringTheCheck, "reported"),
        (End::RefusedAtTheCheck, "denied"),
        (End::RefusedWithAPassUnseen, "denied"),
        (End::RefusedWithAPassShown, "denied"),
        (End::Used, "used"),
        (End::Expired, "expired"),
    ] {
        let world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        let browser = world.browser();
        comes_to(&world, &browser, &ticket, end).await?;
        world.settle().await?;
        world
            .ticket_is_over(&browser, &ticket, why)
            .await
            .map_err(|error| error.context(format!("{end:?}")))?;
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

async fn comes_to(world: &World, browser: &Browser, ticket: &Ticket, end: End) -> anyhow::Result<()> {
    let (code, pin) = ticket;
    match end {
        End::LapsedUnclaimed | End::LapsedWithAPassUnseen => {
            world.advance(Duration::from_mins(29)).await?;
            if let End::LapsedWithAPassUnseen = end {
                browser.claim(code, pin).await?.passcode()?;
            }
            world.advance(Duration::from_mins(3)).await?;
        }
        End::LapsedDuringTheCreate => {
            world.advance(Duration::from_secs(1790)).await?;
            let (claiming, held) = world.claim_held_after_the_create(browser, ticket).await;
            world.hands.turn(Duration::from_secs(20));
            held.open();
            claiming.answer().await?.passcode()?;
            world.grace_time_passes().await?;
        }
        End::Locked => drop(world.guesses(browser, ticket, 5).await?),
        End::LockedWithAPassUnseen => {
            browser.claim(code, pin).await?.passcode()?;
            world.guesses(browser, ticket, 5).await?;
        }
        End::Reported => drop(world.browser().report(code).await?),
        End::ReportedWithAPassUnseen => {
            browser.claim(code, pin).await?.passcode()?;
            world.browser().report(code).await?;
        }
        End::ReportedWithAPassShown => {
            browser.claims_and_sees(code, pin).await?;
            world.browser().report(code).await?;
        }
        End::ReportedDuringTheCreate => {
            let (claiming, held) = world.claim_held_after_the_create(browser, ticket).await;
            world.browser().report(code).await?;
            held.open();
            let answer = claiming.answer().await?;
            ensure!(answer.state() == "closed" && answer.body["why"] == "reported", "{answer:?}");
        }
        End::ReportedDuringTheCheck => {
            let (claiming, held) = world.claim_held_before_the_last_look(browser, ticket).await;
            world.browser().report(code).await?;
            held.open();
            let answer = claiming.answer().await?;
            ensure!(answer.state() == "closed" && answer.body["why"] == "reported", "{answer:?}");
            ensure!(world.creates() == 0, "Graph was asked for a pass of a reported request");
        }
        End::RefusedAtTheCheck => {
            world.jane.person.disabled();
            world.claim_gets(browser, code, pin, "refused").await?;
        }
        End::RefusedWithAPassUnseen | End::RefusedWithAPassShown => {
            browser.claim(code, pin).await?.passcode()?;
            if let End::RefusedWithAPassShown = end {
                browser.shown(code).await?;
            }
            world.helpdesk.without(&world.ada.person);
            world.claim_gets(browser, code, pin, "refused").await?;
        }
        End::Used => {
            let passcode = browser.claims_and_sees(code, pin).await?;
            ensure!(world.graph.use_pass(&world.jane.person, &passcode) == tapdesk_tests::graph::SignIn::Ok);
            world.advance(Duration::from_mins(6)).await?;
        }
        End::Expired => {
            browser.claims_and_sees(code, pin).await?;
            world.advance(Duration::from_mins(61)).await?;
        }
        End::Denied | End::LapsedUndecided => anyhow::bail!("{end:?} comes before there is a ticket"),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_pass_is_told_to_be_used() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    let passcode = browser.claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_mins(12)).await?;
    world.does_not_hear(&world.ada, "is over")?;
    let _ = world.graph.use_pass(&world.jane.person, &passcode);
    world.advance(Duration::from_mins(5)).await?;
    world.hears(&world.ada, "The pass for Jane Doe is over: approved by Mary Major, then used")?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_nobody_used_is_told_to_be_over_when_its_hour_is() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_mins(59)).await?;
    world.does_not_hear(&world.ada, "is over")?;
    world.advance(Duration::from_mins(1)).await?;
    world.hears(&world.ada, "The pass for Jane Doe is over: approved by Mary Major, then expired")?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_its_owner_deletes_counts_as_over() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &pin).await?;
    world.graph.delete_pass(&world.jane.person);
    // Even within her minute: she saw it, and she deleted it.
    world.claim_gets(&browser, &code, &pin, "opened").await?;
    world.advance(Duration::from_mins(6)).await?;
    world.hears(&world.ada, "The pass for Jane Doe is over")?;
    ensure!(world.creates() == 1);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_an_administrator_replaces_counts_as_over() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &pin).await?;
    let theirs = world.graph.make_foreign_pass(&world.jane.person, 60);
    world.claim_gets(&browser, &code, &pin, "opened").await?;
    world.advance(Duration::from_mins(6)).await?;
    world.hears(&world.ada, "The pass for Jane Doe is over")?;
    ensure!(
        world.graph.live_passes(&world.jane.person)[0].id == theirs.id,
        "tapdesk took somebody else's pass"
    );
    world.everybody_reads();
    world.finish().await
}
