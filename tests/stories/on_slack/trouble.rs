//! Slack lacks a scope, or opens a window with a trigger that is too old.

use std::time::Duration;

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::scene::LOOKS_WRONG;
use tapdesk_tests::world::World;

const OPEN: &str = "views.open";

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_could_not_be_posted_is_posted_once_somebody_mended_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.slack_says("chat.postMessage", usize::MAX, "missing_scope");
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
async fn a_window_that_opened_too_late_is_opened_by_the_next_press_and_the_older_pin_is_void()
-> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let code = world.code_at("+491701234512")?;

    let gate = world.slack().wire.hold_request(OPEN);
    let card = world.card(&world.mary, "Show PIN")?;
    ensure!(world.chat.press(&world.mary.account, &card, "Show PIN").await?.is_accepted());
    world.slack().wire.arrived(OPEN, 1).await;
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
async fn a_window_that_does_not_open_says_how_else_to_report() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    let gate = world.slack().wire.hold_request(OPEN);
    let card = world.card(&world.mary, LOOKS_WRONG)?;
    let reply = world.chat.press(&world.mary.account, &card, LOOKS_WRONG).await?;
    ensure!(reply.is_accepted(), "the acknowledgement waited for the window");
    world.slack().wire.arrived(OPEN, 1).await;
    world.hands.turn(Duration::from_secs(4));
    gate.open();
    world.settle().await?;
    assert_snapshot!(world.whispered(&world.mary), @"
    The window did not open, so nothing was stopped. Press This looks wrong again.
    If it does not open then either: do not approve, press Deny if you see it, and write to your security team yourself: soc@contoso.com.
    ");
    ensure!(world.events("request.doubted")? == 0, "frozen without a line");
    world.says_it_looks_wrong(&world.mary, "Jane sits next to me").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_opens_too_late_says_so_and_what_to_type() -> anyhow::Result<()> {
    let world = World::start().await?;
    let gate = world.slack().wire.hold_request(OPEN);
    world.types(&world.ada, "").await;
    world.slack().wire.arrived(OPEN, 1).await;
    // Slack counts three seconds from the command to the call.
    world.hands.turn(Duration::from_secs(4));
    gate.open();
    world.settle().await?;
    ensure!(world.chat.modal(&world.ada.account).is_none(), "an old trigger opened a form");
    assert_snapshot!(world.whispered(&world.ada), @r"
    The form did not open, and nothing was asked.
    Try once more, or write: /tap for @colleague REASON
    ");
    world.everybody_reads();
    world.opens_form(&world.ada).await?;
    world.finish().await
}

fn pin_of_the_refused_window(world: &World) -> anyhow::Result<String> {
    let pins = tapdesk_tests::check::secrets(world).into_iter();
    let mut pins =
        pins.filter(|secret| secret.kind == tapdesk_tests::check::Kind::Pin && secret.text.len() == 8);
    pins.next().map(|pin| pin.text).ok_or_else(|| anyhow::anyhow!("no window was refused"))
}
