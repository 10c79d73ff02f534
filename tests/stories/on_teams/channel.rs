//! What does tapdesk say where others read along?

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use serde_json::json;
use tapdesk_tests::scene::said;
use tapdesk_tests::world::World;

use super::in_teams;

/// Everything that a channel was told, as it looks now.
fn told(world: &World, channel: &str) -> Vec<String> {
    world.teams().channel_messages(channel).iter().map(|m| said(&m.visible_text())).collect()
}

async fn mentions(world: &World, channel: &str, text: &str) -> anyhow::Result<()> {
    let ada = world.ada.account.in_teams();
    let reply = world.teams().types_in(ada, channel, &format!("<at>tapdesk</at> {text}")).await;
    ensure!(reply.is_accepted() && reply.body.is_empty(), "{reply:?}");
    world.settle().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_in_a_channel_is_answered_alone_and_the_channel_gets_a_neutral_line() -> anyhow::Result<()>
{
    let world = in_teams().await?;
    let people = [&world.ada, &world.mary, &world.jane, &world.otto].map(|who| who.account.in_teams());
    let channel = world.teams().channel("ops", &people, true);
    mentions(&world, &channel, "for <at>Jane Doe</at> lost her phone, INC0012345").await?;
    world.hears(&world.ada, "for Jane Doe is with its approvers")?;
    assert_snapshot!(told(&world, &channel).join("\n=====\n"), @"I answered in our private chat.");
    let thread = world.teams().channel_messages(&channel).pop().context("no line")?.conversation;
    ensure!(thread.contains(";messageid="), "the line stands alone, not in the thread: {thread}");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&code, &pin).await?;
    for line in told(&world, &channel) {
        ensure!(line == "I answered in our private chat.", "the channel reads {line:?}");
    }
    mentions(&world, &channel, "status").await?;
    mentions(&world, &channel, "what now?").await?;
    for line in told(&world, &channel) {
        ensure!(line == "I answered in our private chat.", "the channel reads {line:?}");
    }
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_a_mention_names_nobody() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let channel = world.teams().channel("ops", &[world.ada.account.in_teams()], true);
    mentions(&world, &channel, "for <at>Jane Nobody</at> lost her phone").await?;
    ensure!(world.events("request.received")? == 0, "a text named somebody");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_private_chat_is_told_how_to_begin_one() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let object = tapdesk_tests::chance::id_of("person", "eve.else@contoso.com");
    let eve = world.teams().stranger("Eve Else", &object, "eve.else@contoso.com");
    let channel = world.teams().channel("ops", &[&eve], true);
    let reply = world.teams().types_in(&eve, &channel, "<at>tapdesk</at> help").await;
    ensure!(reply.is_accepted(), "{reply:?}");
    world.settle().await?;
    assert_snapshot!(told(&world, &channel).join("\n=====\n"), @"I cannot write to you alone: add me for yourself first, then write to me there.");
    world.finish().await
}

/// Bug 29: in a channel that both are in, the card's channel vouched for whoever clicked.
#[tokio::test(flavor = "multi_thread")]
async fn bug_29_somebody_else_in_a_shared_channel_clicks_in_vain() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let eve = world.colleague("Eve Else", "eve.else@contoso.com");
    let channel =
        world.teams().channel("ops", &[world.mary.account.in_teams(), eve.account.in_teams()], true);
    let value = world.value_of(&world.mary, "Approve")?;
    let data = json!({"choice": "approve", "value": value});
    let mut press = world.teams().execute_activity(eve.account.in_teams(), "approve", &data);
    press["conversation"] = json!({
        "id": channel, "isGroup": true, "conversationType": "channel", "tenantId": world.teams().app().tenant_id,
    });
    // What a client could write beside the verified sender is no sender.
    press["value"]["from"] = json!({"aadObjectId": world.mary.account.id});
    let reply = world.teams().bring(&press, &world.teams().token()).await;
    ensure!(reply.is_accepted(), "{reply:?}");
    world.settle().await?;
    ensure!(world.events("approval.given")? == 0, "the channel vouched for Eve");
    ensure!(told(&world, &channel).is_empty(), "the channel was told something");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}
