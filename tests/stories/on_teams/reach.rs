//! What if somebody cannot be written to in Teams?

use std::time::Duration;

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::chat::{Call, Refusal};
use tapdesk_tests::scene::said;

use super::in_teams;

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_blocked_the_app_is_named_and_the_others_are_asked() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.teams().blocks(world.mary.account.in_teams());
    let read = world.asks_for(&world.ada, &world.jane).await?;
    assert_snapshot!(read.join("\n=====\n"), @r"
    Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    =====
    Request …… for Jane Doe is with its approvers.
    I asked Mary Major, Otto Oncall. You will hear from me when they decide.
    =====
    Request …… for Jane Doe: I cannot reach Mary Major in the chat.
    The app is blocked or was removed there. They can add it again and then decide on a new request.
    I asked Otto Oncall; it goes on with them.
    ");
    ensure!(world.chat.inbox(&world.mary.account).is_empty());
    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.ada, "is approved by Otto Oncall")?;
    let tried = world.chat.calls(Call::Say);
    world.advance(Duration::from_mins(30)).await?;
    let inbox = world.chat.inbox(&world.mary.account);
    ensure!(inbox.is_empty(), "{inbox:#?}");
    ensure!(world.chat.calls(Call::Say) >= tried);
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_be_asked_the_request_ends_and_says_why() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.teams().blocks(world.mary.account.in_teams());
    world.teams().uninstalls(world.otto.account.in_teams()).await;
    let read = world.asks_for(&world.ada, &world.jane).await?;
    assert_snapshot!(read.join("\n=====\n"), @r"
    Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    =====
    Request …… for Jane Doe is with its approvers.
    I asked Mary Major. You will hear from me when they decide.
    =====
    Request …… for Jane Doe cannot go on.
    I cannot reach Mary Major in the chat: the app is blocked or was removed there, and nobody else can approve. Once it is back, ask again.
    ");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_is_asked_again() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let mary = world.mary.account.in_teams();
    ensure!(world.teams().uninstalls(mary).await.is_accepted());
    world.asks_for(&world.ada, &world.jane).await?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty());
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();

    ensure!(world.teams().installs(mary).await.is_accepted());
    world.settle().await?;
    // Whoever installs the app sees what there is to see.
    assert_snapshot!(said(&world.reads(&world.mary).join("\n=====\n")), @r"
    Nothing waits for you, and you wait for nothing.
    This page is drawn anew whenever you open it.
    [Ask for a pass]
    ");
    world.asks_for(&world.ada, &world.jane).await?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_itself_is_tried_again() -> anyhow::Result<()> {
    for refusal in [Refusal::Fault, Refusal::Busy(20)] {
        let world = in_teams().await?;
        world.chat.refuses(Call::Say, 3, refusal);
        world.ada_asks_for_jane().await?;
        world.advance(Duration::from_mins(1)).await?;
        world.hears(&world.ada, "is with its approvers")?;
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_conversation_are_kept() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.teams().configure(|app| app.has_limits = true);
    for _ in 0..6 {
        world.asks_for(&world.ada, &world.jane).await?;
        world.presses(&world.mary, "Deny").await?;
        world.advance(Duration::from_secs(40)).await?;
    }
    let refused = world.teams().wire.seen();
    let refused = refused.iter().filter(|e| e.status.is_some_and(|status| status == 429)).count();
    ensure!(refused == 0, "{refused} calls were too many");
    world.everybody_reads();
    world.finish_unread().await
}
