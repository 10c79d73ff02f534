//! What do people notice when a request is denied, lapses, or is decided by somebody else?

use std::time::Duration;

use anyhow::ensure;
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_ends_the_request_for_everybody() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    world.reads(&world.otto);

    world.presses(&world.mary, "Deny").await?;
    world.hears(&world.ada, "turned down by Mary Major")?;
    world.hears(&world.otto, "Pass for Jane Doe: denied by Mary Major")?;
    world.hears(&world.mary, "Pass for Jane Doe: denied by Mary Major")?;
    world.has_no_button(&world.mary)?;
    world.has_no_button(&world.otto)?;

    world.advance(Duration::from_hours(5)).await?;
    world.nobody_is_bothered()?;
    ensure!(world.passes_asked_for() == 0);
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_new_request_goes_on_after_a_denial() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_decides_lapses() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    for colleague in [&world.ada, &world.mary, &world.otto] {
        world.reads(colleague);
    }

    world.advance(Duration::from_mins(239)).await?;
    // Both approvers were reminded.
    world.nobody_is_bothered_but(&[&world.mary, &world.otto])?;
    world.card(&world.mary, "Approve")?;

    world.advance(Duration::from_mins(1)).await?;
    world.hears(&world.ada, "lapsed: nobody decided in time.")?;
    for approver in [&world.mary, &world.otto] {
        world.hears(approver, "Pass for Jane Doe: nobody decided in time")?;
        world.has_no_button(approver)?;
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_comes_in_the_last_second_counts_and_one_that_comes_later_does_not()
-> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    world.hands.turn(Duration::from_hours(4));
    // The timer did not run yet, and the card still has its buttons.
    world.chat.press(&world.mary.account, &card, "Approve").await?;
    world.settle().await?;
    world.hears(&world.mary, "Too late: its time is over.")?;
    world.hears(&world.ada, "lapsed: nobody decided in time.")?;
    ensure!(world.twilio.sent().is_empty());
    world.reads(&world.otto);

    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    world.hands.turn(Duration::from_hours(4) - Duration::from_secs(1));
    world.chat.press(&world.mary.account, &card, "Approve").await?;
    world.settle().await?;
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.advance(Duration::from_mins(30)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_nobody_claims_lapses() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;

    world.advance(Duration::from_mins(29)).await?;
    world.nobody_is_bothered()?;
    world.card(&world.mary, "Show PIN")?;

    world.advance(Duration::from_mins(1)).await?;
    world.hears(&world.ada, "lapsed: it was not claimed in time.")?;
    for approver in [&world.mary, &world.otto] {
        world.hears(approver, "Pass for Jane Doe: approved by Mary Major, then not claimed in time")?;
        world.has_no_button(approver)?;
    }
    let answer = world.browser().claim(&code, &pin).await?;
    ensure!(answer.state() == "closed" && answer.body["why"] == "expired", "{answer:?}");
    ensure!(world.passes_asked_for() == 0);
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_whose_pin_nobody_ever_asked_for_lapses_too() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let code = world.code_at(JANES_PHONE)?;
    let answer = world.browser().claim(&code, "00000000").await?;
    ensure!(answer.state() == "waiting", "{answer:?}");

    world.advance(Duration::from_mins(30)).await?;
    world.hears(&world.ada, "lapsed: it was not claimed in time.")?;
    world.has_no_button(&world.mary)?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_the_ticket_starts_when_code_and_pin_were_both_sent() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.advance(Duration::from_mins(20)).await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.advance(Duration::from_mins(29)).await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_one_approver_decides_changes_for_the_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let untouched = world.card(&world.mary, "Approve")?;
    world.reads(&world.mary);

    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.mary, "Pass for Jane Doe: approved by Otto Oncall")?;
    world.has_no_button(&world.mary)?;
    ensure!(world.chat.press(&world.mary.account, &untouched, "Approve").await.is_err());
    ensure!(world.card(&world.otto, "Approve").is_err());
    world.card(&world.otto, "Show PIN")?;
    world.hears(&world.ada, "is approved by Otto Oncall")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_on_a_card_that_was_decided_a_moment_ago_gets_a_kind_answer() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let (marys, ottos) = (world.card(&world.mary, "Approve")?, world.card(&world.otto, "Approve")?);
    // Nobody works in between, so Otto's card still has its buttons.
    world.chat.press(&world.mary.account, &marys, "Approve").await?;
    world.chat.press(&world.otto.account, &ottos, "Deny").await?;
    world.settle().await?;
    world.hears(&world.otto, "This was decided already; nothing changed.")?;
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_the_policys() -> anyhow::Result<()> {
    let head = "approval_expires = \"30m\"\nticket_expires = \"20m\"\nprofile = \"nist\"";
    let world = World::under(rulebook(head, &[""])).await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?.visible_text();
    ensure!(card.contains("Until 10:30 UTC."), "{card}");
    world.advance(Duration::from_mins(30)).await?;
    world.hears(&world.ada, "lapsed: nobody decided in time.")?;

    // A phone carries the code, so NIST's ten minutes hold.
    world.ticket_for_jane().await?;
    world.advance(Duration::from_mins(10)).await?;
    world.hears(&world.ada, "lapsed: it was not claimed in time.")?;
    world.everybody_reads();
    world.finish().await
}
