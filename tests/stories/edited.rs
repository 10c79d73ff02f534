//! Does every message say what came of its request, however long ago it was written?

use std::time::Duration;

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::scene::{rulebook, said};
use tapdesk_tests::world::{Colleague, World};

/// What somebody sees when they scroll through their private chat, without the acknowledgements that stay in some chats.
fn chat_of(world: &World, who: &Colleague) -> String {
    let inbox = world.chat.inbox(&who.account);
    let mut texts: Vec<String> = inbox.iter().map(|message| said(&message.visible_text())).collect();
    texts.retain(|text| !text.starts_with("Checking…"));
    texts.join("\n=====\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_requester_was_told_follows_the_request_to_its_end() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    assert_snapshot!(chat_of(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    I asked Mary Major, Otto Oncall. You will hear from me when they decide.
    ");
    world.presses(&world.mary, "Approve").await?;
    assert_snapshot!(chat_of(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: approved by Mary Major.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    The code is on its way to the contact on file.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Mary Major now calls them and tells them the PIN.
    ");
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.settle().await?;
    assert_snapshot!(chat_of(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: they have the pass.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: they have the pass.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: they have the pass.
    =====
    Jane Doe has the pass.
    It may take two minutes until Windows accepts it. Do not ask for another one: that voids this one.
    ");
    world.advance(Duration::from_hours(2)).await?;
    assert_snapshot!(chat_of(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: expired.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: expired.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: expired.
    =====
    Jane Doe has the pass.
    Since then: expired.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then expired.
    Nobody signed in with it. If it is still needed, ask again.
    ");
    // Nothing is left in anybody's chat that says otherwise.
    for approver in [&world.mary, &world.otto] {
        world.has_no_button(approver)?;
    }
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_to_match_is_gone_once_it_was_chosen_or_is_of_no_use() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &["match = true"])).await?;
    world.ada_asks_for_jane().await?;
    let before = chat_of(&world, &world.ada);
    ensure!(before.contains("number"), "{before}");
    world.presses(&world.mary, "Deny").await?;
    assert_snapshot!(chat_of(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: denied by Mary Major.
    =====
    Request …… for Jane Doe was turned down by Mary Major.
    Talk to them if it is still needed; only a new request goes on.
    ");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looked_wrong_shows_in_no_message_of_the_requester() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.says_it_looks_wrong(&world.mary, "she is on holiday").await?;
    assert_snapshot!(chat_of(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: denied by Mary Major.
    =====
    Request …… for Jane Doe was turned down by Mary Major.
    Talk to them if it is still needed; only a new request goes on.
    ");
    world.everybody_reads();
    world.finish().await
}
