//! Whatever fails, nothing is granted, nothing that was accepted is lost, and the person is told.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use tapdesk_tests::faulty::Faults;
use tapdesk_tests::trouble::NOT_CONFIRMED;
use tapdesk_tests::world::World;

const JANES_PHONE: &str = "+491701234512";
/// A task that could not even be given back comes again when its lease has run out.
const LEASE: Duration = Duration::from_secs(91);
/// What writes to the store.
const WRITES: [&str; 5] = ["open", "commit", "try_pin", "done", "again"];

/// The flow, step by step; each is tried while a port fails, and again after it was mended.
async fn walk(parts: &[&str]) -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    let breaks = || parts.iter().for_each(|part| faults.fail(part));
    let heals = || faults.heal();

    breaks();
    ensure!(world.ada_types_for_jane().await?.contains(NOT_CONFIRMED), "Ada was promised something");
    world.settle().await?;
    world.does_not_hear(&world.ada, "is with its approvers")?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked about what is not stored");
    heals();
    ensure!(world.ada_types_for_jane().await?.contains("Checking…"));

    breaks();
    world.settle().await?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked about what is not stored");
    heals();
    world.advance(LEASE).await?;
    world.hears(&world.ada, "is with its approvers")?;

    breaks();
    world.presses(&world.mary, "Approve").await?;
    world.is_whispered(&world.mary, NOT_CONFIRMED)?;
    ensure!(world.texts() == 0, "a code was sent without an approval");
    heals();
    world.settle().await?;
    ensure!(world.texts() == 0, "an approval that was not confirmed counted");
    let card = world.card(&world.mary, "Approve")?;
    ensure!(world.chat.press(&world.mary.account, &card, "Approve").await?.is_accepted());

    breaks();
    world.settle().await?;
    ensure!(world.texts() == 0, "a code was sent before it was stored");
    heals();
    world.advance(LEASE).await?;
    ensure!(world.texts() == 1, "{} text messages", world.texts());

    breaks();
    world.presses(&world.mary, "Show PIN").await?;
    world.is_whispered(&world.mary, NOT_CONFIRMED)?;
    ensure!(world.chat.modal(&world.mary.account).is_none(), "a PIN was shown before it was stored");
    heals();
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);

    breaks();
    for _ in 0..6 {
        world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
    }
    ensure!(world.creates() == 0, "a pass was asked for that nobody wrote down");
    heals();
    let browser = world.browser();
    browser.claim(&code, &pin).await?.passcode()?;

    breaks();
    let shown = browser.shown(&code).await?;
    ensure!(shown.status == StatusCode::SERVICE_UNAVAILABLE, "the page's word was taken: {shown:?}");
    heals();
    let shown = browser.shown(&code).await?;
    ensure!(shown.status == StatusCode::NO_CONTENT, "the page's word was not taken: {shown:?}");

    breaks();
    let reported = browser.report(&code).await?;
    ensure!(reported.status == StatusCode::SERVICE_UNAVAILABLE, "{reported:?}");
    world.settle().await?;
    ensure!(world.janes_passes() == 1, "a pass was deleted that nobody wrote down");
    heals();
    ensure!(browser.report(&code).await?.state() == "reported");
    world.advance(Duration::from_mins(1)).await?;
    ensure!(world.janes_passes() == 0 && world.graph.sessions_revoked(&world.jane.person) == 1);
    let answered = world.browser().status(&code).await?;
    ensure!(answered.body["why"] == "reported", "{answered:?}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn fail_closed() -> anyhow::Result<()> {
    walk(&["append"]).await.context("the ledger takes no line")?;
    walk(&WRITES).await.context("the store takes no write")
}

/// What a rule is judged by, and a part of the look-up.
const LOOK_UPS: [(&str, &str); 6] = [
    ("roles", "/roleAssignments"),
    ("eligible roles", "/roleEligibilityScheduleInstances"),
    ("groups", "/checkMemberGroups"),
    ("the manager", "/manager"),
    ("the pass policy", "/authenticationMethodConfigurations"),
    ("passes", "GET /v1.0/users/{jane}/authentication/temporaryAccessPassMethods"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_look_up_that_fails_is_taken_for_a_yes() -> anyhow::Result<()> {
    for (what, part) in LOOK_UPS {
        let world = World::start().await?;
        let part = part.replace("{jane}", world.jane.person.id());
        world.graph.fail(&part, usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
        world.ada_asks_for_jane().await?;
        world.advance(Duration::from_mins(1)).await?;
        ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked without {what}");
        world.graph.wire.heal();
        world.advance(Duration::from_secs(10)).await?;
        world.hears(&world.ada, "is with its approvers").with_context(|| what.to_owned())?;

        world.presses(&world.mary, "Approve").await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
        world.graph.fail(&part, usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
        let answer = world.claim_gets(&world.browser(), &code, &pin, "unavailable").await;
        answer.with_context(|| what.to_owned())?;
        ensure!(world.creates() == 0, "a pass was asked for without {what}");
        world.graph.wire.heal();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_whose_making_cannot_be_written_down_is_shown_to_nobody() -> anyhow::Result<()> {
    for part in ["append outcome pass.create", "commit Issued"] {
        let faults = Faults::default();
        let world = World::with_faults(&faults).await?;
        let (code, pin) = world.ticket_for_jane().await?;
        faults.fail(part);
        world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
        ensure!((world.creates(), world.janes_passes()) == (1, 1), "Graph made no pass");
        world.advance(Duration::from_mins(3)).await?;
        if part.starts_with("append") {
            ensure!(world.janes_passes() == 1, "the outcome could not be written down, so nothing goes on");
            faults.heal();
            world.advance(Duration::from_mins(1)).await?;
        }
        ensure!(world.janes_passes() == 0, "the pass that nobody saw lives on");
        faults.heal();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_store_did_not_take_is_written_off_in_the_ledger() -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    faults.fail_times("open", 1);
    ensure!(world.ada_types_for_jane().await?.contains(NOT_CONFIRMED));
    ensure!(world.ledger_says("event", "request.received")? == 1);
    ensure!(
        world.ledger_says("outcome", "request.received")? == 1,
        "an auditor reads a request that never was"
    );
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_sending_was_not_written_down_is_replaced_by_another() -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    faults.fail_times("ticket.code.sent", 1);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let first = world.code_at(JANES_PHONE)?;
    world.advance(Duration::from_secs(10)).await?;
    let second = world.code_at(JANES_PHONE)?;
    ensure!(first != second, "the same code was sent twice");
    world.presses(&world.mary, "Show PIN").await?;
    let pin = world.pin_before(&world.mary)?;
    world.claim_gets(&world.browser(), &first, &pin, "unknown").await?;
    world.jane_gets_her_pass(&second, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_whose_showing_was_not_written_down_is_shown_again_and_the_older_one_is_void()
-> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let code = world.code_at(JANES_PHONE)?;
    faults.fail_times("ticket.pin.sent", 1);
    world.presses(&world.mary, "Show PIN").await?;
    world.hears(&world.mary, NOT_CONFIRMED)?;
    let first = world.pin_before(&world.mary)?;
    world.claim_gets(&world.browser(), &code, &first, "waiting").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let second = world.pin_before(&world.mary)?;
    if first != second {
        world.claim_gets(&world.browser(), &code, &first, "wrong_pin").await?;
    }
    world.jane_gets_her_pass(&code, &second).await?;
    world.finish_unread().await
}
