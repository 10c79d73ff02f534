//! Stories of what a ticket system is told: signed, again while it is down, and not for ever.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::{Method, StatusCode};
use tapdesk_tests::audit::report_in;
use tapdesk_tests::tickets::{SECRET, answered, approved_ticket, ticket};
use tapdesk_tests::world::World;

const INBOX: &str = "/tapdesk/status";

fn tries(world: &World) -> usize {
    world.tickets.wire.count(&Method::POST, INBOX)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_system_that_is_down_does_not_take_comes_again_ever_more_seldom() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    world.tickets.wire.trouble(INBOX, 6, answered(StatusCode::SERVICE_UNAVAILABLE));
    world.orders(&ticket()).await?;
    let mut at = Vec::new();
    let start = world.hands.now();
    for _ in 0..400 {
        while at.len() < tries(&world) {
            at.push(world.hands.now().duration_since(start).as_secs());
        }
        if !world.tickets.news().is_empty() {
            break;
        }
        world.advance(Duration::from_secs(5)).await?;
    }
    ensure!(at == [0, 10, 30, 70, 150, 310, 630], "tried after {at:?} seconds");
    let news = world.tickets.news();
    ensure!(news.len() == 1 && news[0].times == 1 && world.tickets.refused() == 0, "{news:#?}");
    let sent = world.tickets.wire.seen();
    let deliveries: std::collections::BTreeSet<String> =
        sent.iter().map(|call| call.header("tapdesk-delivery").to_owned()).collect();
    ensure!(deliveries.len() == 1, "the delivery id changes: {deliveries:?}");
    let signatures: std::collections::BTreeSet<String> =
        sent.iter().map(|call| call.header("tapdesk-signature").to_owned()).collect();
    ensure!(signatures.len() == sent.len(), "a try is not signed anew");
    // Meanwhile people went on.
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_stays_down_is_given_up_after_about_a_day() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    world.tickets.wire.trouble(INBOX, usize::MAX, answered(StatusCode::BAD_GATEWAY));
    world.orders(&ticket()).await?;
    world.presses(&world.mary, "Deny").await?;
    world.advance(Duration::from_hours(20)).await?;
    ensure!(world.next_due().await?.is_some(), "given up within a day");
    world.advance(Duration::from_hours(10)).await?;
    ensure!(world.next_due().await?.is_none(), "still tried");
    ensure!(tries(&world) == 2 * 32, "{} tries", tries(&world));
    ensure!(world.logged().contains("a source was not told and will not be"));
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_wants_no_more_news_gets_none() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    world.tickets.wire.trouble(INBOX, 1, answered(StatusCode::GONE));
    world.orders(&ticket()).await?;
    world.advance(Duration::from_mins(30)).await?;
    ensure!(tries(&world) == 1, "{} tries", tries(&world));
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_without_an_address_is_told_nothing() -> anyhow::Result<()> {
    let mut world = World::with_tickets("", "").await?;
    world
        .restart_configured(|config| config.hook.values_mut().for_each(|hook| hook.status_url = None))
        .await?;
    world.orders(&ticket()).await?;
    world.presses(&world.mary, "Approve").await?;
    ensure!(tries(&world) == 0);
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_told_or_logged_holds_a_secret_or_the_address_of_the_inbox() -> anyhow::Result<()> {
    let mut world = World::with_tickets("", "").await?;
    let key = "canary-workflow-key-5c1d";
    let url = format!("{}?sig={key}", world.tickets.url);
    world
        .restart_configured(|config| {
            config.hook.values_mut().for_each(|hook| {
                hook.status_url = Some(tapdesk_adapters::secret::Secret::new(url.clone()));
            });
        })
        .await?;
    world.tickets.wire.trouble(INBOX, 2, answered(StatusCode::INTERNAL_SERVER_ERROR));
    world.orders(&ticket()).await?;
    world.advance(Duration::from_mins(2)).await?;
    let told = world.tickets.reads().pop().context("not told")?;
    let (logged, metrics) = (world.logged(), world.metrics().await?);
    for secret in [key, SECRET] {
        ensure!(!logged.contains(secret) && !metrics.contains(secret), "{secret} got out");
        ensure!(!told.to_string().contains(secret));
    }
    ensure!(
        !logged.contains("jane.doe@contoso.com") && !logged.contains("lost her phone"),
        "people are in the log"
    );
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_read_whose_word_it_was() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    world.orders(&approved_ticket()).await?;
    let mut unnamed = approved_ticket();
    unnamed["idempotency_key"] = "INC0012346".into();
    unnamed["requested_by"] = serde_json::Value::Null;
    unnamed["subject"] = "otto.oncall@contoso.com".into();
    unnamed["approved_by"] = serde_json::Value::Null;
    world.otto.person.manager(&world.mary.person).mobile("+491701234599");
    // The rows of a report are in the order of time.
    world.hands.turn(Duration::from_secs(1));
    world.orders(&unnamed).await?;
    world.presses(&world.mary, "Deny").await?;
    let report = report_in(&world.reported(&["--json"]).await?)?;
    let [first, second] = [&report["requests"][0], &report["requests"][1]];
    ensure!(first["asked_in"] == "hook:ServiceNow" && first["ticket_number"] == "INC0012345", "{first}");
    ensure!(first["requester"]["name"] == "ServiceNow (ticket INC0012345) for Ada Agent", "{first}");
    ensure!(first["decisions"][0]["proof"] == "stated by ServiceNow", "{first}");
    ensure!(second["requester"].is_null() && second["asked_in"] == "hook:ServiceNow", "{second}");
    world.everybody_reads();
    world.finish_unread().await
}
