//! Slack throttles, refuses, forgets, or comes too late.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

const POST: &str = "chat.postMessage";

fn posts(world: &World) -> usize {
    world.chat.wire().seen().iter().filter(|call| call.target.contains(POST)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_asks_for_patience_and_prompts_and_news_come_exactly_then() -> anyhow::Result<()> {
    let world = World::start().await?;
    // Two cards and one piece of news.
    world.slack_throttles(POST, 3, 30);
    world.ada_asks_for_jane().await?;
    ensure!(posts(&world) == 3, "{} messages were tried", posts(&world));
    world.advance(Duration::from_secs(29)).await?;
    ensure!(posts(&world) == 3, "Slack was asked again too early");
    ensure!(world.chat.inbox(&world.mary.account).is_empty());
    world.advance(Duration::from_secs(1)).await?;
    world.card(&world.mary, "Approve")?;
    world.card(&world.otto, "Approve")?;
    world.hears(&world.ada, "is with its approvers")?;
    ensure!(posts(&world) == 6, "{} messages were tried", posts(&world));
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_does_not_reach_one_approver_reaches_the_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    // The manager is asked first.
    world.slack_says(POST, 1, "channel_not_found");
    world.ada_asks_for_jane().await?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty());
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.otto, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.otto)?);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.card(&world.mary, "Approve").is_err(), "Mary is asked about what is decided");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_could_not_be_posted_is_posted_once_somebody_mended_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.slack_says(POST, usize::MAX, "missing_scope");
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty());
    world.log_tells("missing_scope")?;
    world.chat.wire().heal();
    world.advance(Duration::from_mins(1)).await?;
    world.card(&world.mary, "Approve")?;
    world.card(&world.otto, "Approve")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_deleted_meanwhile_keeps_nobody_waiting() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    world.chat.delete(&card);
    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.otto, "approved by Otto Oncall")?;
    world.presses(&world.otto, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.otto)?);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_cannot_be_edited_does_not_keep_the_others_from_it() -> anyhow::Result<()> {
    for (error, is_mended_later) in [("channel_not_found", false), ("internal_error", true)] {
        let world = World::start().await?;
        world.ada_asks_for_jane().await?;
        let before = world.card(&world.mary, "Approve")?;
        world.slack_says("chat.update", 1, error);
        world.presses(&world.otto, "Approve").await?;
        world.hears(&world.otto, "approved by Otto Oncall")?;
        ensure!(world.card(&world.otto, "Approve").is_err(), "Otto's card still has its buttons");

        // The old button on the card that was not edited decides nothing any more.
        let reply = world.chat.press(&world.mary.account, &before, "Deny").await?;
        ensure!(reply.is_accepted(), "{reply:?}");
        world.settle().await?;
        world.is_whispered(&world.mary, "This was decided already")?;
        if is_mended_later {
            world.advance(Duration::from_secs(10)).await?;
            ensure!(world.card(&world.mary, "Approve").is_err(), "Mary's card still has its buttons");
        }
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_opened_too_late_is_opened_by_the_next_press_and_the_older_pin_is_void()
-> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let code = world.code_at("+491701234512")?;

    let gate = world.slack().wire.hold_request("views.open");
    let card = world.card(&world.mary, "Show PIN")?;
    ensure!(world.chat.press(&world.mary.account, &card, "Show PIN").await?.is_accepted());
    world.slack().wire.arrived("views.open", 1).await;
    world.hands.turn(Duration::from_secs(4));
    gate.open();
    world.settle().await?;
    ensure!(world.chat.modal(&world.mary.account).is_none(), "Slack opened a window with an old trigger");
    world.is_whispered(&world.mary, "Press Show PIN again")?;
    let first = pin_of_the_refused_window(&world)?;

    world.presses(&world.mary, "Show PIN").await?;
    let second = world.pin_before(&world.mary)?;
    ensure!(first != second, "the same PIN was shown twice");
    world.claim_gets(&world.browser(), &code, &first, "wrong_pin").await?;
    world.jane_gets_her_pass(&code, &second).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_cannot_say_who_asks_delays_the_request() -> anyhow::Result<()> {
    let down = Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, Vec::new(), String::new());
    for method in ["users.info", "users.lookupByEmail"] {
        for trouble in [down.clone(), Trouble::DropRequest] {
            let world = World::start().await?;
            world.chat.wire().trouble(method, usize::MAX, trouble);
            world.ada_asks_for_jane().await?;
            world.advance(Duration::from_mins(1)).await?;
            ensure!(world.chat.inbox(&world.mary.account).is_empty());
            world.chat.wire().heal();
            world.advance(Duration::from_secs(10)).await?;
            world.hears(&world.ada, "is with its approvers")?;
            world.finish_unread().await?;
        }
    }
    Ok(())
}

fn pin_of_the_refused_window(world: &World) -> anyhow::Result<String> {
    let pins = tapdesk_tests::check::secrets(world).into_iter();
    let mut pins =
        pins.filter(|secret| secret.kind == tapdesk_tests::check::Kind::Pin && secret.text.len() == 8);
    pins.next().map(|pin| pin.text).ok_or_else(|| anyhow::anyhow!("no window was refused"))
}
