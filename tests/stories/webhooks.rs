//! What comes in from outside and is not what it claims to be?

use std::time::Duration;

use anyhow::ensure;
use reqwest::StatusCode;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::world::World;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_delivered_twice_is_one_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    let delivery = world.slack.deliveries().pop().ok_or_else(|| anyhow::anyhow!("nothing was delivered"))?;
    let again = world.slack.replay(&delivery).await;
    ensure!(again.body.contains("I have this one already"), "{}", again.body);
    let retried = world.slack.retry(&delivery, 1, "http_timeout").await;
    ensure!(retried.body.contains("I have this one already"), "{}", retried.body);
    world.settle().await?;
    let asked = world.reads(&world.mary);
    ensure!(asked.len() == 1, "Mary is asked {} times", asked.len());
    world.hears(&world.ada, "is with its approvers")?;
    world.presses(&world.mary, "Deny").await?;
    world.hears(&world.ada, "turned down by Mary Major")?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn slacks_own_checks_are_answered_once_they_are_verified() -> anyhow::Result<()> {
    let world = World::start().await?;
    ensure!(world.slack.ssl_check().await.status == Some(StatusCode::OK));
    let unsigned = world.slack.raw("/slack/commands", "ssl_check=1&token=t", &[FORM]).await;
    ensure!(unsigned.status == Some(StatusCode::UNAUTHORIZED), "{unsigned:?}");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_for_the_whole_organisation_works_like_any_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.slack.configure(|workspace| workspace.is_org_install = true);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "approved by Mary Major")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_twenty_requests_within_an_hour_the_agent_is_told_to_wait() -> anyhow::Result<()> {
    let world = World::start().await?;
    for n in 0..20 {
        let reply = world.types(&world.ada, &format!("for nobody{n}@contoso.com lost her phone")).await;
        ensure!(reply.body.contains("Checking"), "request {n}: {}", reply.body);
    }
    let reply = world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.body.contains("You have asked 20 times within the hour"), "{}", reply.body);
    world.advance(Duration::from_mins(61)).await?;
    let reply = world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.body.contains("Checking"), "{}", reply.body);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_shown_and_never_obeyed() -> anyhow::Result<()> {
    let world = World::start().await?;
    let reason = "<!channel> *bold* <https://evil.example|click> `code` &lt;b&gt; \u{202e}evil";
    world.types(&world.ada, &format!("for jane.doe@contoso.com {reason}")).await;
    world.settle().await?;
    let card = world.card(&world.mary, "Approve")?;
    let blocks = serde_json::to_string(&card.blocks)?;
    ensure!(
        !blocks.contains("\"mrkdwn\"") || !blocks.contains("<!channel>"),
        "the reason could ping a channel: {blocks}"
    );
    ensure!(!card.text.contains("<!channel>"), "the notification could ping a channel");
    let ledger = serde_json::to_string(&ledger_lines(&world.files.path().join("ledger"))?)?;
    for name in ["evil.example", "jane.doe@contoso.com", "Jane Doe", "Ada Agent"] {
        ensure!(!ledger.contains(name), "{name} is in the ledger");
    }
    world.finish_unread().await
}
