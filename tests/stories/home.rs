//! What does somebody see on the app's home tab?

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk::server::routes;
use tapdesk_tests::chat::Call;
use tapdesk_tests::scene::said;
use tapdesk_tests::slack::{Endpoints, Workspace};
use tapdesk_tests::world::{Colleague, World};

/// Somebody opens the tab, and everybody works; what it says then.
async fn looks(world: &World, who: &Colleague) -> anyhow::Result<String> {
    let reply = world.chat.opens_home(&who.account).await;
    ensure!(reply.is_accepted() && reply.body.is_empty(), "{reply:?}");
    world.settle().await?;
    sees(world, who)
}

fn sees(world: &World, who: &Colleague) -> anyhow::Result<String> {
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
    world.slack_says("users.info", usize::MAX, "internal_error");
    assert_snapshot!(looks(&world, &world.ada).await?, @"I could not look that up just now. Ask again in a minute; nothing was changed.");
    world.chat.wire().heal();
    ensure!(looks(&world, &world.ada).await?.contains("[Ask for a pass]"), "{}", sees(&world, &world.ada)?);
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_was_slow_does_not_hide_what_a_later_one_showed() -> anyhow::Result<()> {
    let world = World::start().await?;
    looks(&world, &world.ada).await?;
    // The first look is on its way with what was true then, and Slack holds it.
    let gate = world.slack().wire.hold_request("views.publish");
    world.chat.opens_home(&world.ada.account).await;
    world.slack().wire.arrived("views.publish", 2).await;
    world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    world.chat.opens_home(&world.ada.account).await;
    world.slack().wire.handled("views.publish", 2).await;
    gate.open();
    world.settle().await?;
    ensure!(sees(&world, &world.ada)?.contains("jane.doe@contoso.com"), "{}", sees(&world, &world.ada)?);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_acknowledged_before_anything_is_looked_up_and_may_be_told_again() -> anyhow::Result<()> {
    let world = World::start().await?;
    let gate = world.chat.hold_request(Call::LookUp);
    let reply = world.chat.opens_home(&world.ada.account).await;
    ensure!(reply.is_accepted() && reply.body.is_empty(), "{reply:?}");
    ensure!(world.chat.home(&world.ada.account).is_none(), "the acknowledgement waited");
    gate.open();
    let delivery = world.chat.deliveries().pop().context("nothing was delivered")?;
    for (number, reason) in [(1, "http_timeout"), (2, "http_error"), (3, "unknown_error")] {
        ensure!(world.slack().retry(&delivery, number, reason).await.is_accepted(), "retry {number}");
    }
    world.settle().await?;
    ensure!(sees(&world, &world.ada)?.contains("[Ask for a pass]"), "{}", sees(&world, &world.ada)?);
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tabs_and_other_events_do_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let verified =
        world.slack().url_verification("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P").await;
    ensure!(verified.body == "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "{verified:?}");
    let before = world.footprint()?;
    ensure!(world.slack().opens_tab(world.ada.account.in_slack(), "messages").await.is_accepted());
    let mut event = world.slack().home_event(world.ada.account.in_slack(), "home");
    event["event"]["type"] = "app_uninstalled".into();
    ensure!(world.slack().event(&event).await.is_accepted());
    world.settle().await?;
    ensure!(world.footprint()? == before, "something was done");
    ensure!(world.chat.home(&world.ada.account).is_none(), "a page was drawn");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_tab_that_is_switched_off_is_nobodys_trouble() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.slack().configure(|workspace| workspace.has_home_tab = false);
    ensure!(world.chat.opens_home(&world.ada.account).await.is_accepted());
    world.settle().await?;
    ensure!(world.logged().contains("not_enabled"), "the log does not say what to switch on");
    world.nobody_is_bothered()?;
    world.finish().await
}

#[test]
fn the_manifest_names_what_the_program_serves_and_the_simulator_grants() -> anyhow::Result<()> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/slack/manifest.yaml");
    let manifest = std::fs::read_to_string(path)?;
    let endpoints = Endpoints::default();
    for path in [&endpoints.commands, &endpoints.interactive, &endpoints.events] {
        ensure!(
            manifest.contains(&format!("https://tap.example.com{path}\n")),
            "{path} is not in the manifest"
        );
        ensure!(routes().iter().any(|route| route.path == path), "{path} is not served");
    }
    for line in ["home_tab_enabled: true", "- app_home_opened", "callback_id: ask", "type: global"] {
        ensure!(
            manifest.lines().any(|there| there.trim().starts_with(line)),
            "{line} is not in the manifest"
        );
    }
    let scopes =
        manifest.split_once("bot:\n").context("no scopes")?.1.split_once("settings:").context("no end")?.0;
    let scopes: BTreeSet<String> = scopes
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .collect();
    ensure!(scopes == Workspace::default().scopes, "{scopes:?}");
    Ok(())
}
