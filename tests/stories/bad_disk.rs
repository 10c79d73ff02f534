//! The disk of the ledger fills up or breaks; the store holds a promise back for too long.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::chat::Call;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::faulty::{BadDisk, DiskFault, Faults};
use tapdesk_tests::trouble::NOT_CONFIRMED;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_makes_no_pass_and_loses_no_request() -> anyhow::Result<()> {
    for fault in [DiskFault::Full, DiskFault::HalfFull, DiskFault::NoSync] {
        let disk = BadDisk::default();
        let world = World::with_ledger_on(&disk).await?;
        let (code, pin) = world.ticket_for_jane().await?;
        disk.breaks(fault);
        let answer = world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
        ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        ensure!(world.creates() == 0, "a pass was asked for that nobody wrote down");
        ensure!(world.ada_types_for_jane().await?.contains(NOT_CONFIRMED), "Ada was promised something");
        disk.heal();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_during_the_create_shows_nobody_the_pass() -> anyhow::Result<()> {
    let disk = BadDisk::default();
    let world = World::with_ledger_on(&disk).await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let gate = world.graph.wire.hold_answer(&world.create());
    let browser = world.browser();
    let meanwhile = async {
        world.graph.wire.arrived(&world.create(), 1).await;
        disk.breaks(DiskFault::Full);
        gate.open();
    };
    let (answer, ()) = tokio::join!(world.claim_gets(&browser, &code, &pin, "unavailable"), meanwhile);
    answer?;
    ensure!(world.janes_passes() == 1, "Graph made no pass");
    world.advance(Duration::from_mins(2)).await?;
    disk.heal();
    world.advance(Duration::from_mins(1)).await?;
    ensure!(world.janes_passes() == 0, "the pass that nobody saw lives on");
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_lost_its_end_takes_nothing_until_the_disk_is_mended_and_tapdesk_restarted()
-> anyhow::Result<()> {
    let disk = BadDisk::default();
    let mut world = World::with_ledger_on(&disk).await?;
    let (code, pin) = world.ticket_for_jane().await?;
    disk.breaks(DiskFault::HalfFull);
    disk.cannot_truncate();
    world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
    disk.heal();
    world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
    ensure!(world.creates() == 0, "a pass was asked for that nobody wrote down");

    world.restart().await?;
    ensure!(world.ledger_says("event", "ledger.repaired")? == 1, "the repair is not on the record");
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_longer_than_two_seconds_to_store_is_neither_lost_nor_doubled()
-> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    let gate = faults.hold("open");
    ensure!(world.ada_types_for_jane().await?.contains(NOT_CONFIRMED), "Ada was promised something");
    world.does_not_hear(&world.ada, "approvers")?;
    gate.open();
    world.settle().await?;
    world.hears(&world.ada, "is with its approvers")?;

    // Ada does as she was told, though it was stored after all: doing it twice does no harm.
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "There is an open request for them already")?;
    let cards = world.chat.inbox(&world.mary.account);
    ensure!(cards.len() == 1, "Mary was asked {} times", cards.len());
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_takes_longer_than_two_seconds_to_store_counts_once() -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let gate = faults.hold("commit Approved");
    let press = world.chat.press(&world.mary.account, &card, "Approve").await?;
    ensure!(press.is_accepted(), "{press:?}");
    faults.arrived("commit Approved").await;
    world.chat.arrived(Call::Whisper, 1).await;
    world.chat.wire().landed().await;
    world.is_whispered(&world.mary, NOT_CONFIRMED)?;
    ensure!(world.texts() == 0, "a code was sent without an approval");

    gate.open();
    world.settle().await?;
    ensure!(world.texts() == 1, "{} text messages", world.texts());
    ensure!(world.ledger_says("event", "approval.given")? == 1);
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_was_lost_counts_and_is_not_taken_back() -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    faults.lose_answer("open");
    faults.lose_answer("commit");
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    for what in ["request.received", "approval.given", "pass.shown"] {
        ensure!(world.ledger_says("event", what)? == 1, "{what} is written more than once");
    }
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let taken_back = lines.iter().filter(|line| line["facts"]["result"] == "superseded").count();
    ensure!(taken_back == 0, "{taken_back} lines were taken back that count");
    world.finish_unread().await
}
