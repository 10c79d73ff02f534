//! What does it change when a client shows a card anew by itself?

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tapdesk_tests::scene::said;

use super::in_teams;

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_card_changes_nothing_however_often() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let before = said(&card.visible_text());
    let lines = world.events("request.checked")?;
    let footprint = world.footprint()?;
    let mary = world.mary.account.in_teams();
    let reply =
        world.teams().looks_at(mary, card.in_teams()).await.context("the card asks for no refresh")?;
    ensure!(reply.is_accepted(), "{reply:?}");
    for _ in 0..5 {
        let look = world.teams().deliveries().pop().context("nothing was asked")?;
        ensure!(world.teams().replay(&look).await.is_accepted());
    }
    ensure!(world.footprint()? == footprint, "a look left something behind");
    ensure!(said(&world.card(&world.mary, "Approve")?.visible_text()) == before, "it looks otherwise");
    // A trigger that says so makes no press of it, and a press is none of a refresh.
    let value = world.value_of(&world.mary, "Approve")?;
    for (verb, trigger) in [("approve", "automatic"), ("refresh", "manual"), ("deny", "automatic")] {
        let data = json!({"choice": "approve", "value": value});
        let mut activity = world.teams().execute_activity(mary, verb, &data);
        activity["value"]["trigger"] = json!(trigger);
        ensure!(world.teams().bring(&activity, &world.teams().token()).await.is_accepted());
    }
    world.settle().await?;
    ensure!(world.events("approval.given")? == 0 && world.events("request.checked")? == lines);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_asked_sees_no_button_and_learns_nothing_by_looking() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let eve = world.colleague("Eve Else", "eve.else@contoso.com");
    world.ada_asks_for_jane().await?;
    let value = world.value_of(&world.mary, "Approve")?;
    for thief in [&eve, &world.otto, &world.ada, &world.jane] {
        let mut look =
            world.teams().execute_activity(thief.account.in_teams(), "refresh", &json!({"value": value}));
        look["value"]["trigger"] = json!("automatic");
        let reply = world.teams().bring(&look, &world.teams().token()).await;
        let body: Value = serde_json::from_str(&reply.body)?;
        let shown = body["value"].to_string();
        ensure!(
            !shown.contains("Action.Execute") && !shown.contains("Jane"),
            "{}: {shown}",
            thief.account.name
        );
    }
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_an_old_copy_shows_how_it_ended() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let value = world.value_of(&world.mary, "Approve")?;
    world.presses(&world.otto, "Deny").await?;
    let mary = world.mary.account.in_teams();
    let mut look = world.teams().execute_activity(mary, "refresh", &json!({"value": value}));
    look["value"]["trigger"] = json!("automatic");
    let reply = world.teams().bring(&look, &world.teams().token()).await;
    ensure!(
        reply.body.contains("turned down by Otto Oncall") || reply.body.contains("denied by Otto Oncall"),
        "{}",
        reply.body
    );
    ensure!(!reply.body.contains("\"Approve\""), "{}", reply.body);
    world.everybody_reads();
    world.finish_unread().await
}
