//! Stories of the lockdown switch and of the pepper: what an operator changes while tickets are out.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::world::{Setting, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_stops_every_claim_and_spends_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    ensure!(world.asks_admin("lockdown").await? == (200, "off\n".to_owned()));
    ensure!(world.lockdown(true).await?.starts_with("on since 2026-11-23T"));
    ensure!(world.asks_admin("lockdown").await?.1.starts_with("on since 2026-11-23T"));
    for _ in 0..6 {
        let answer = world.claim_gets(&browser, &code, &pin, "lockdown").await?;
        ensure!(answer.status == StatusCode::FORBIDDEN, "{answer:?}");
    }
    ensure!(browser.status(&code).await?.state() == "open");
    ensure!(world.creates() == 0, "Graph was asked for a pass during the lockdown");
    ensure!(world.lockdown(false).await? == "off\n");
    world.jane_gets_her_pass(&code, &pin).await?;
    ensure!(
        world.ledger_says("event", "lockdown.on")? == 1 && world.ledger_says("event", "lockdown.off")? == 1
    );
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_that_begins_while_a_claim_is_checked_still_stops_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_before_the_last_look(&world.browser(), &ticket).await;
    world.lockdown(true).await?;
    held.open();
    let answer = claiming.answer().await?;
    ensure!(answer.state() == "lockdown", "{answer:?}");
    world.settle().await?;
    ensure!(world.creates() == 0, "Graph was asked for a pass during the lockdown");
    ensure!(world.ledger_says("intent", "pass.create")? == world.ledger_says("outcome", "pass.create")?);
    ensure!(world.browser().status(&ticket.0).await?.state() == "open");
    world.lockdown(false).await?;
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_keeps_the_lost_pass_from_being_made_anew_and_lets_reports_through() -> anyhow::Result<()>
{
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &pin).await?;
    world.lockdown(true).await?;
    world.claim_gets(&browser, &code, &pin, "lockdown").await?;
    ensure!(world.creates() == 1);
    ensure!(browser.report(&code).await?.state() == "reported");
    world.settle().await?;
    ensure!(world.janes_passes() == 0, "a lockdown kept the pass alive");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_outlives_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.lockdown(true).await?;
    world.restart().await?;
    world.claim_gets(&world.browser(), &code, &pin, "lockdown").await?;
    ensure!(world.asks_admin("lockdown").await?.1.starts_with("on since"));
    world.lockdown(false).await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_the_older_pepper_is_good_while_the_pepper_rotates() -> anyhow::Result<()> {
    let mut world = World::with(Setting::default()).await?;
    let ticket = world.ticket_for_jane().await?;
    let (new, old) = (world.files.path().join("pepper-new"), world.files.path().join("pepper"));
    std::fs::write(&new, [9; 32])?;

    // Without the older one nobody knows the code any more.
    let only_new = new.clone();
    world.restart_configured(|config| config.pepper_file = only_new).await?;
    ensure!(world.browser().status(&ticket.0).await?.state() == "unknown");
    world.claim_gets(&world.browser(), &ticket.0, &ticket.1, "unknown").await?;

    world.restart_configured(|config| config.previous_pepper_file = Some(old)).await?;
    ensure!(world.browser().status(&ticket.0).await?.state() == "open");
    let wrong = world.guesses(&world.browser(), &ticket, 1).await?;
    ensure!(wrong[0].state() == "wrong_pin", "{wrong:?}");
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;

    // What is minted now is minted under the newer one alone.
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    let (code, pin) = world.ticket_for_jane().await?;
    world.restart_configured(|config| config.previous_pepper_file = None).await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}
