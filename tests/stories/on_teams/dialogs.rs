//! What opens as a dialog in Teams, and what never becomes a message?

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tapdesk_tests::scene::said;
use tapdesk_tests::world::pin_in;

use super::in_teams;

#[tokio::test(flavor = "multi_thread")]
async fn the_pin_is_in_a_dialog_and_never_in_a_message() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let card = world.card(&world.mary, "Show PIN")?;
    let mary = world.mary.account.in_teams();
    let reply = world.teams().press(mary, card.in_teams(), "Show PIN", &[]).await?;
    ensure!(
        reply.headers.get("cache-control").is_some_and(|value| value == "no-store"),
        "{:?}",
        reply.headers
    );
    let dialog = world.teams().dialog(mary).context("no dialog opened")?;
    let pin = pin_in(&dialog.visible_text()).context("no PIN in the dialog")?;
    assert_snapshot!(dialog.visible_text().replace(&format!("{} {}", &pin[..4], &pin[4..]), "1234 5678"), @r"
    PIN to tell
    Tell this PIN to Jane Doe, and to nobody else:
    1234 5678
    You call them. If somebody calls you and asks for it, hang up: that is how help desks are broken into.
    Do not write it into any chat or mail. Showing it again makes a new one.
    [Done]
    ");
    world.teams().press_in_dialog(mary, "Done", &[]).await?;
    world.settle().await?;
    ensure!(world.teams().dialog(mary).is_none(), "the dialog stays open");
    let told = world.teams().everything_ever_seen().iter().map(Value::to_string).collect::<String>();
    for form in [pin.clone(), format!("{} {}", &pin[..4], &pin[4..])] {
        ensure!(!told.contains(&form), "the PIN is in a message");
    }
    let code = world.code_at("+491701234512")?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_see_the_pin_reads_so_and_no_dialog_opens() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let value = world.value_of(&world.mary, "Show PIN")?;
    for thief in [&world.otto, &world.ada, &world.jane] {
        let user = thief.account.in_teams();
        world.teams().fetch(user, json!({"choice": "show_pin", "value": value})).await;
        ensure!(world.teams().dialog(user).is_none(), "{} sees a dialog", thief.account.name);
        let told = world.teams().answers(user).pop().context("nothing was answered")?.visible_text();
        ensure!(!told.is_empty() && pin_in(&told).is_none(), "{} sees a PIN", thief.account.name);
    }
    ensure!(world.events("pin.minted")? == 0, "a PIN was minted for somebody else");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_a_card_to_fill_in_and_becomes_its_own_answer() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.teams().types(world.ada.account.in_teams(), "tap").await;
    world.settle().await?;
    let form = world.teams().form(world.ada.account.in_teams()).context("no form came")?;
    let ada = world.ada.account.in_teams();
    let submit = form.buttons()[0]["title"].as_str().unwrap_or_default().to_owned();
    let jane = world.jane.account.id.clone();
    world.teams().press(ada, &form, &submit, &[("person", &jane), ("reason", "lost her phone")]).await?;
    let answered = world.teams().inbox(ada).into_iter().find(|message| message.id == form.id);
    assert_snapshot!(said(&answered.context("the form is gone")?.visible_text()), @r"
    Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    ");
    world.settle().await?;
    let kept = world.teams().inbox(ada).into_iter().find(|message| message.id == form.id);
    ensure!(!kept.is_some_and(|message| message.is_form()), "whoever reloads sees the form again");
    // Pressing the form that was there before is the same request.
    world.hears(&world.ada, "for Jane Doe is with its approvers")?;
    ensure!(world.events("request.received")? == 1);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialog_that_is_asked_for_three_times_is_one_question() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "This looks wrong").await?;
    let mary = world.mary.account.in_teams();
    let dialog = world.teams().dialog(mary).context("no dialog opened")?;
    ensure!(dialog.visible_text().contains("What looks wrong?"), "{}", dialog.visible_text());
    let submit = dialog.buttons()[0]["title"].as_str().unwrap_or_default().to_owned();
    world.teams().press_in_dialog(mary, &submit, &[("doubt", "I know nothing of it")]).await?;
    let submitted = world.teams().deliveries().pop().context("nothing was submitted")?;
    for _ in 0..2 {
        ensure!(world.teams().retry(&submitted).await.is_accepted());
    }
    world.settle().await?;
    ensure!(world.events("request.doubted")? + world.events("request.reported")? == 1, "it was said twice");
    world.everybody_reads();
    world.finish_unread().await
}
