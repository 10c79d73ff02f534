//! When does Slack tell of a look at the home tab, and how is it drawn?

use anyhow::{Context as _, ensure};
use tapdesk_tests::chat::Call;
use tapdesk_tests::world::World;

use crate::home::{looks, sees};

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
