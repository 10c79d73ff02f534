//! What can a team's outgoing webhook do? It may ask, and never decide.

use anyhow::ensure;
use insta::assert_snapshot;
use serde_json::json;
use tapdesk_tests::chance;
use tapdesk_tests::teams::webhook_signature;
use tapdesk_tests::world::World;

use super::in_teams;

const PATH: &str = "/teams/outgoing";

/// Ada mentions the webhook; what the channel reads then.
async fn calls(world: &World, channel: &str, text: &str) -> anyhow::Result<String> {
    let reply = world.teams().calls_webhook(world.ada.account.in_teams(), channel, text).await;
    ensure!(reply.is_accepted(), "{reply:?}");
    world.settle().await?;
    let newest = world.teams().channel_messages(channel).pop();
    Ok(newest.map(|message| message.visible_text()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_opened_by_the_webhook_and_decided_in_private_chats() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let channel = world.teams().channel("ops", &[world.ada.account.in_teams()], false);
    let read = calls(&world, &channel, "for jane.doe@contoso.com lost her phone, INC0012345").await?;
    ensure!(read.contains("Checking…") && !read.contains("Jane Doe"), "the channel reads {read:?}");
    world.hears(&world.ada, "for Jane Doe is with its approvers")?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&code, &pin).await?;
    ensure!(world.teams().channel_messages(&channel).len() == 1, "the channel was told more");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_asking_is_not_done_by_the_webhook() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let channel = world.teams().channel("ops", &[world.ada.account.in_teams()], false);
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    let before = world.footprint()?;
    for text in [
        "cancel",
        "resend",
        "revoke jane.doe@contoso.com",
        "status",
        "pending",
        "help",
        "",
        "delegate otto.oncall@contoso.com 2026-12-20..2027-01-03",
    ] {
        let read = calls(&world, &channel, text).await?;
        ensure!(read.starts_with("Here you can ask for a pass, and nothing else."), "{text}: {read}");
    }
    assert_snapshot!(calls(&world, &channel, "status").await?, @r"
    Here you can ask for a pass, and nothing else.
    Write: for jane.doe@contoso.com REASON. Everything else goes in our private chat: tap help
    ");
    // Nor what a button would bring back.
    let value = world.value_of(&world.mary, "Approve")?;
    let mut activity = world.teams().webhook_activity(world.mary.account.in_teams(), &channel, "");
    activity["value"] = json!({"choice": "approve", "value": value});
    activity["type"] = json!("invoke");
    let delivery = world.teams().webhook_delivery(&activity.to_string());
    world.teams().replay(&delivery).await;
    world.settle().await?;
    ensure!(world.footprint()? == before, "the webhook did something");
    ensure!(world.events("approval.given")? == 0);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_webhook_did_not_sign_just_so_is_refused() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let channel = world.teams().channel("ops", &[world.ada.account.in_teams()], false);
    let text = "for jane.doe@contoso.com lost her phone";
    let activity = world.teams().webhook_activity(world.ada.account.in_teams(), &channel, text);
    let body = activity.to_string();
    let token = world.teams().app().webhook_token;
    let good = webhook_signature(&token, body.as_bytes());
    let mac = good.trim_start_matches("HMAC ").to_owned();
    let other = webhook_signature("bm90IHRoZSBzYW1lIHRva2VuIGF0IGFsbCwgc29ycnk=", body.as_bytes());
    let before = world.footprint()?;
    for authorization in [
        String::new(),
        mac.clone(),
        format!("Bearer {mac}"),
        format!("HMAC {}", &mac[..20]),
        format!("HMAC {mac}{mac}"),
        other,
        webhook_signature(&token, format!("{body} ").as_bytes()),
    ] {
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        let reply = world.teams().raw(PATH, body.clone(), &headers).await;
        ensure!(
            reply.status.is_some_and(|s| s == 401) && reply.body.is_empty(),
            "{authorization}: {reply:?}"
        );
    }
    let reply = world.teams().raw(PATH, "", &[("authorization", &webhook_signature(&token, b""))]).await;
    ensure!(reply.status.is_some_and(|s| s == 401), "an empty body: {reply:?}");
    for (change, status) in [
        (json!({"conversation": {"tenantId": chance::id_of("tenant", "fabrikam"), "id": channel}}), 403),
        (json!({"from": {"id": "29:1", "name": "Ada Agent"}}), 403),
        (json!({"timestamp": "2026-11-23T09:54:00Z"}), 401),
        (json!({"timestamp": "2026-11-23T10:06:00Z"}), 401),
        (json!({"timestamp": null}), 400),
    ] {
        let mut changed = activity.clone();
        for (key, value) in change.as_object().into_iter().flatten() {
            changed[key] = value.clone();
        }
        let reply = world.teams().replay(&world.teams().webhook_delivery(&changed.to_string())).await;
        ensure!(reply.status.is_some_and(|s| s.as_u16() == status), "{change}: {reply:?}");
        ensure!(reply.body.is_empty(), "{change}: a reason is given");
    }
    ensure!(world.footprint()? == before, "a forgery left something behind");
    // The same message twice is one request, whoever repeats it.
    let delivery = world.teams().webhook_delivery(&body);
    for _ in 0..3 {
        ensure!(world.teams().replay(&delivery).await.is_accepted());
    }
    world.settle().await?;
    ensure!(world.events("request.received")? == 1);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}
