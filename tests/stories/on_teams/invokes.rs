//! What is pressed in Teams again, by others, too late, or in words that no client says?

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tapdesk_tests::chat::Reply;
use tapdesk_tests::scene::said;
use tapdesk_tests::world::{Setting, World};

use super::in_teams;

fn answer(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_answered_in_the_invoke_and_shown_to_everybody() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let mary = world.mary.account.in_teams();
    let reply = world.teams().press(mary, card.in_teams(), "Approve", &[]).await?;
    let body = answer(&reply);
    ensure!(body["statusCode"] == 200, "{body}");
    ensure!(body["type"] == "application/vnd.microsoft.card.adaptive", "{body}");
    ensure!(!body["value"].to_string().contains("\"Approve\""), "the answer still offers to approve");
    world.settle().await?;
    world.hears(&world.otto, "approved by Mary Major")?;
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.card(&world.mary, "Show PIN")?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoke_that_is_repeated_decides_once_and_is_answered_kindly_each_time() -> anyhow::Result<()> {
    let mut world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let press = world.lost_press(&world.mary, "Approve").await?;
    for _ in 0..3 {
        let reply = world.teams().replay(&press).await;
        ensure!(reply.is_accepted() && answer(&reply)["statusCode"] == 200, "{reply:?}");
    }
    // Nobody documents that a repeated invoke keeps its id.
    let mut again = press.clone();
    let mut activity: Value = serde_json::from_slice(&press.body)?;
    activity["id"] = json!("f:another-id");
    again.body = activity.to_string().into_bytes();
    let reply = world.teams().retry(&again).await;
    ensure!(reply.is_accepted() && answer(&reply)["statusCode"] == 200, "{reply:?}");
    world.settle().await?;
    world.restart().await?;
    ensure!(world.teams().retry(&press).await.is_accepted());
    world.settle().await?;
    ensure!(world.events("request.approved")? == 1 && world.twilio.sent().len() == 1);
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoke_with_a_wrong_token_or_for_others_changes_nothing() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let press = world.lost_press(&world.mary, "Approve").await?;
    let genuine: Value = serde_json::from_slice(&press.body)?;
    let token = world.teams().token();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut activity = genuine.clone();
        change(&mut activity);
        activity
    };
    let elsewhere = "99999999-0000-0000-0000-000000000009";
    for (name, activity, status) in [
        (
            "the conversation of another tenant",
            with(&|a| a["conversation"]["tenantId"] = json!(elsewhere)),
            403,
        ),
        (
            "the channel data of another tenant",
            with(&|a| a["channelData"]["tenant"]["id"] = json!(elsewhere)),
            403,
        ),
        (
            "no tenant at all",
            with(&|a| {
                a["conversation"]["tenantId"] = Value::Null;
                a["channelData"] = json!({});
            }),
            403,
        ),
        ("another bot", with(&|a| a["recipient"]["id"] = json!("28:another")), 403),
        ("nobody that it is for", with(&|a| a["recipient"] = Value::Null), 403),
        ("a sender without an object id", with(&|a| a["from"]["aadObjectId"] = Value::Null), 403),
        (
            "a sender whose object id is a name",
            with(&|a| a["from"]["aadObjectId"] = json!("Mary Major")),
            403,
        ),
    ] {
        let reply = world.teams().bring(&activity, &token).await;
        ensure!(reply.status.is_some_and(|s| s.as_u16() == status), "{name}: {reply:?}");
        ensure!(reply.body.is_empty(), "{name}: a reason is given: {}", reply.body);
    }
    for forged in [token.clone().claiming("iss", "https://evil.example"), token.clone().claiming("exp", 1)] {
        let reply = world.teams().bring(&genuine, &forged).await;
        ensure!(reply.status.is_some_and(|s| s.as_u16() == 401), "{reply:?}");
    }
    world.settle().await?;
    ensure!(world.events("approval.given")? == 0, "a forgery approved");
    ensure!(world.teams().bring(&genuine, &token).await.is_accepted());
    world.settle().await?;
    ensure!(world.events("request.approved")? == 1, "the genuine one is not taken");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoke_that_no_button_makes_is_an_error_and_no_accident() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let before = world.footprint()?;
    let mary = world.mary.account.in_teams();
    for data in [
        json!("text"),
        json!(7),
        json!(null),
        json!([]),
        json!({}),
        json!({"choice": "approve_all", "value": "x"}),
        json!({"choice": ["approve"], "value": "x"}),
        json!({"form": "other"}),
    ] {
        let activity = world.teams().execute_activity(mary, "approve", &data);
        let reply = world.teams().bring(&activity, &world.teams().token()).await;
        ensure!(reply.is_accepted() && answer(&reply)["statusCode"] == 400, "{data}: {reply:?}");
    }
    let mut without_value = world.teams().execute_activity(mary, "approve", &json!({}));
    without_value["value"] = Value::Null;
    let reply = world.teams().bring(&without_value, &world.teams().token()).await;
    ensure!(reply.is_accepted() && answer(&reply)["statusCode"] == 400, "{reply:?}");
    let mut unknown = without_value.clone();
    unknown["name"] = json!("composeExtension/query");
    ensure!(world.teams().bring(&unknown, &world.teams().token()).await.is_accepted());
    ensure!(world.footprint()? == before, "nonsense left something behind");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_meanwhile_is_said_to_whoever_presses_an_old_card() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let press = world.lost_press(&world.mary, "Approve").await?;
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    let reply = world.teams().replay(&press).await;
    let body = answer(&reply);
    ensure!(body["type"] == "application/vnd.microsoft.activity.message", "{body}");
    let words = said(body["value"].as_str().context("no words")?);
    ensure!(words == "This request is over; nothing changed.", "{words}");
    ensure!(world.events("approval.given")? == 0);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_no_invokes_decides_by_a_message() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let mary = world.mary.account.in_teams();
    let reply = world.teams().press_in_old_client(mary, card.in_teams(), "Approve").await?;
    ensure!(reply.is_accepted() && reply.body.is_empty(), "{reply:?}");
    world.settle().await?;
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.card(&world.mary, "Show PIN")?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_within_the_time_of_a_client_even_if_the_store_does_not() -> anyhow::Result<()> {
    let faults = tapdesk_tests::faulty::Faults::default();
    let world = World::with(Setting { fit: faults.fit(), ..super::setting() }).await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let gate = faults.hold("commit");
    let mary = world.mary.account.in_teams();
    let reply = world.teams().press(mary, card.in_teams(), "Approve", &[]).await?;
    let words = answer(&reply)["value"].as_str().unwrap_or_default().to_owned();
    ensure!(words.contains("could not confirm"), "{reply:?}");
    gate.open();
    world.settle().await?;
    ensure!(world.events("request.approved")? == 1, "what was not confirmed was lost");
    world.everybody_reads();
    world.finish_unread().await
}
