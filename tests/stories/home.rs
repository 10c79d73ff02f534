//! What does somebody see on the app's home page?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk_tests::chat::{Call, Refusal};
use tapdesk_tests::scene::said;
use tapdesk_tests::world::{Colleague, World};

/// Somebody opens the tab, and everybody works; what it says then.
pub(crate) async fn looks(world: &World, who: &Colleague) -> anyhow::Result<String> {
    let reply = world.chat.opens_home(&who.account).await;
    ensure!(reply.is_accepted() && reply.body.is_empty(), "{reply:?}");
    world.settle().await?;
    sees(world, who)
}

/// What the page says.
pub(crate) fn sees(world: &World, who: &Colleague) -> anyhow::Result<String> {
    let home = world.chat.home(&who.account).with_context(|| format!("{} sees nothing", who.account.name))?;
    Ok(said(&home.visible_text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_tab_shows_what_is_ones_own_what_waits_for_one_and_what_ones_group_asked_for()
-> anyhow::Result<()> {
    let world = World::start().await?;
    assert_snapshot!(looks(&world, &world.ada).await?, @r"
    Nothing waits for you, and you wait for nothing.
    This page is drawn anew whenever you open it.
    [Ask for a pass]
    ");
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    world.advance(Duration::from_mins(12)).await?;
    let lines = world.events("request.received")?;
    assert_snapshot!(looks(&world, &world.ada).await?, @r"
    What is open:
    You asked for:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 12 min
    This page is drawn anew whenever you open it.
    [Ask for a pass]
    ");
    assert_snapshot!(looks(&world, &world.mary).await?, @r"
    What is open:
    Waits for your decision:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 12 min
    This page is drawn anew whenever you open it.
    [Ask for a pass]
    ");
    // Another agent takes over the shift; somebody who is none has nothing to do with it.
    let abe = world.colleague("Abe Agent", "abe.agent@contoso.com");
    world.helpdesk.member(&abe.person);
    assert_snapshot!(looks(&world, &abe).await?, @r"
    What is open:
    Your colleagues asked for:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 12 min
    This page is drawn anew whenever you open it.
    [Ask for a pass]
    ");
    let pia = world.colleague("Pia Passerby", "pia@contoso.com");
    ensure!(looks(&world, &pia).await?.starts_with("Nothing waits for you"), "{}", sees(&world, &pia)?);
    ensure!(world.events("request.received")? == lines, "looking committed something");
    // The page is as old as the look at it: it is drawn anew at the next one.
    world.presses(&world.mary, "Approve").await?;
    ensure!(sees(&world, &world.mary)?.contains("Waits for your decision"), "nobody looked, and it changed");
    ensure!(
        !looks(&world, &world.mary).await?.contains("Waits for your decision"),
        "{}",
        sees(&world, &world.mary)?
    );
    ensure!(
        looks(&world, &world.ada).await?.contains("approved by Mary Major"),
        "{}",
        sees(&world, &world.ada)?
    );
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_tab_opens_the_form() -> anyhow::Result<()> {
    let world = World::start().await?;
    looks(&world, &world.ada).await?;
    let reply = world.chat.press_in_home(&world.ada.account, "Ask for a pass").await?;
    ensure!(reply.is_accepted() && reply.body.is_empty(), "{reply:?}");
    world.settle().await?;
    ensure!(world.form(&world.ada)?.starts_with("Help a colleague in\n"), "{}", world.form(&world.ada)?);
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_nobody_to_the_chat_is_told_nothing_by_the_home_tab() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    ensure!(looks(&world, &world.ada).await?.contains("Jane Doe"), "{}", sees(&world, &world.ada)?);
    let ada = world.ada.account.clone();
    world.chat.set_guest(&ada, true);
    let calls = world.graph.wire.seen().len();
    assert_snapshot!(looks(&world, &world.ada).await?, @r"
    I have nothing to show you.
    I cannot tell who you are in the directory: the chat account is a guest.
    ");
    ensure!(world.graph.wire.seen().len() == calls, "the directory was asked for nobody");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_tab_that_cannot_be_filled_says_so_and_the_next_look_mends_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.chat.refuses(Call::LookUp, usize::MAX, Refusal::Fault);
    assert_snapshot!(looks(&world, &world.ada).await?, @"I could not look that up just now. Ask again in a minute; nothing was changed.");
    world.chat.wire().heal();
    ensure!(looks(&world, &world.ada).await?.contains("[Ask for a pass]"), "{}", sees(&world, &world.ada)?);
    world.finish().await
}
