//! What comes in from Slack and is not what it claims to be, and what is?

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::json;
use tapdesk_adapters::secret::Secret;
use tapdesk_tests::forge::{Knock, SIGNATURE};
use tapdesk_tests::slack::Endpoints;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn slacks_own_checks_are_answered_once_they_are_verified() -> anyhow::Result<()> {
    let world = World::start().await?;
    let before = world.footprint()?;
    world
        .slack()
        .set_endpoints(Endpoints { events: "/slack/interactions".to_owned(), ..Endpoints::default() });
    ensure!(world.slack().ssl_check().await.status == Some(StatusCode::OK));
    let verified =
        world.slack().url_verification("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P").await;
    ensure!(verified.status == Some(StatusCode::OK), "{verified:?}");
    ensure!(verified.body == "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "{verified:?}");
    let kind = verified.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    ensure!(kind.starts_with("text/plain"), "a challenge could be a page: {kind}");
    for asked in world.chat.deliveries() {
        let unsigned = Knock::from(&asked).without(SIGNATURE);
        let heard = world.knock(&unsigned).await?;
        ensure!(heard.status == StatusCode::UNAUTHORIZED && heard.body.is_empty(), "{heard:?}");
    }
    ensure!(world.footprint()? == before, "a check changed something");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_asked_for_is_acknowledged_and_does_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let value = world.value_of(&world.mary, "Approve")?;
    let before = world.footprint()?;
    let press = world.press_of(&world.mary, "approve", &value);
    let mut payloads = vec![world.press_of(&world.mary, "approve_all", &value)];
    for kind in [
        "view_closed",
        "view_submission",
        "shortcut",
        "message_action",
        "block_suggestion",
        "interactive_message",
        "later",
    ] {
        let mut payload = press.clone();
        payload["type"] = json!(kind);
        payloads.push(payload);
    }
    for actions in [json!([]), json!(null), json!([{"type": "button"}])] {
        let mut payload = press.clone();
        payload["actions"] = actions;
        payloads.push(payload);
    }
    for payload in &payloads {
        let heard = world.brings(payload).await?;
        ensure!(heard.status == StatusCode::OK && heard.body.is_empty(), "{payload}: {heard:?}");
    }
    ensure!(world.footprint()? == before, "something was done");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_apps_workspaces_organisations_and_companies_are_not_served() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let press = world.press_of(&world.mary, "approve", &world.value_of(&world.mary, "Approve")?);
    let (mary, elsewhere) = (&world.mary.account.id, json!({"id": "T0OTHER"}));
    let before = world.footprint()?;
    for (name, changes) in [
        ("another app", json!({"api_app_id": "A0OTHER"})),
        ("no app", json!({"api_app_id": null})),
        ("another workspace", json!({"team": elsewhere})),
        ("another organisation", json!({"team": elsewhere, "enterprise": {"id": "E0OTHER"}})),
        (
            "another organisation's install",
            json!({"team": null, "enterprise": {"id": "E0OTHER"}, "user": {"id": mary, "team_id": "T0OTHER"}}),
        ),
        ("a guest from another company", json!({"user": {"id": mary, "team_id": "T0OTHER"}})),
    ] {
        let mut payload = press.clone();
        for (key, value) in changes.as_object().into_iter().flatten() {
            payload[key] = value.clone();
        }
        let heard = world.brings(&payload).await?;
        ensure!(heard.status == StatusCode::FORBIDDEN && heard.body.is_empty(), "{name}: {heard:?}");
    }
    ensure!(world.footprint()? == before, "somebody else was served");
    ensure!(world.brings(&press).await?.status == StatusCode::OK, "the genuine press is refused too");
    world.settle().await?;
    ensure!(world.events("request.approved")? == 1);
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_signing_secret_is_replaced_both_are_good_and_afterwards_one() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let old = world.slack().workspace().signing_secret;
    let previous = world.files.path().join("previous.toml");
    std::fs::write(&previous, &old)?;
    let new = "b1a5ed5ec2e7b1a5ed5ec2e7b1a5ed5e";
    world.configured(|config| {
        if let Some(slack) = &mut config.slack {
            slack.signing_secret = Some(Secret::new(new.to_owned()));
            slack.previous_signing_secret_file = Some(previous);
        }
    });
    world.restart().await?;
    ensure!(world.types(&world.ada, "help").await.is_accepted(), "the old secret is refused too early");
    world.slack().configure(|workspace| workspace.signing_secret = new.to_owned());
    ensure!(world.types(&world.ada, "help").await.is_accepted(), "the new secret is refused");
    world.configured(|config| {
        if let Some(slack) = &mut config.slack {
            slack.previous_signing_secret_file = None;
        }
    });
    world.restart().await?;
    ensure!(world.types(&world.ada, "help").await.is_accepted(), "the new secret is refused alone");
    world.slack().configure(|workspace| workspace.signing_secret = old);
    let refused = world.types(&world.ada, "help").await;
    ensure!(refused.status == Some(StatusCode::UNAUTHORIZED), "{refused:?}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_for_the_whole_organisation_works_like_any_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.slack().configure(|workspace| workspace.is_org_install = true);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "approved by Mary Major")?;
    world.finish_unread().await
}
