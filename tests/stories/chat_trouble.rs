//! The chat throttles, refuses, forgets, or has a fault of its own.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::chat::{Call, Refusal};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_asks_for_patience_and_prompts_and_news_come_exactly_then() -> anyhow::Result<()> {
    let world = World::start().await?;
    // Two cards and one piece of news.
    world.chat.refuses(Call::Say, 3, Refusal::Busy(30));
    world.ada_asks_for_jane().await?;
    ensure!(world.chat.calls(Call::Say) == 3, "{} messages were tried", world.chat.calls(Call::Say));
    world.advance(Duration::from_secs(29)).await?;
    ensure!(world.chat.calls(Call::Say) == 3, "the chat was asked again too early");
    ensure!(world.chat.inbox(&world.mary.account).is_empty());
    world.advance(Duration::from_secs(1)).await?;
    world.card(&world.mary, "Approve")?;
    world.card(&world.otto, "Approve")?;
    world.hears(&world.ada, "is with its approvers")?;
    ensure!(world.chat.calls(Call::Say) == 6, "{} messages were tried", world.chat.calls(Call::Say));
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_does_not_reach_one_approver_reaches_the_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    // The manager is asked first.
    world.chat.refuses(Call::Say, 1, Refusal::ClosedDoor);
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
    for (refusal, is_mended_later) in [(Refusal::ClosedDoor, false), (Refusal::Fault, true)] {
        let world = World::start().await?;
        world.ada_asks_for_jane().await?;
        let before = world.card(&world.mary, "Approve")?;
        world.chat.refuses(Call::Edit, 1, refusal);
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
async fn a_chat_that_cannot_say_who_asks_delays_the_request() -> anyhow::Result<()> {
    let down = Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, Vec::new(), String::new());
    for call in [Call::LookUp, Call::Find] {
        for trouble in [down.clone(), Trouble::DropRequest] {
            let world = World::start().await?;
            world.chat.trouble(call, usize::MAX, trouble);
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
