//! What does `tapdesk doctor` say of the bot in Teams?

use anyhow::ensure;
use axum::http::{Method, StatusCode};
use tapdesk_tests::doctor::{a_world_now, everything_can_be_mended, examined, says, wrong};
use tapdesk_tests::wire::Trouble;

use super::setting;

const METADATA: &str = "/v1/.well-known/openidconfiguration";

#[tokio::test(flavor = "multi_thread")]
async fn the_bots_token_and_the_connectors_keys_are_looked_at_and_nothing_is_sent() -> anyhow::Result<()> {
    let world = a_world_now(setting()).await?;
    let config = world.write_config(|text| text)?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(0) && wrong(&report).is_empty(), "{report:#}");
    ensure!(says(&report, "ok", "bot token", &world.teams().app().app_id), "{report:#}");
    ensure!(says(&report, "ok", "Connector keys", "can be fetched"), "{report:#}");
    for exchange in world.teams().wire.seen() {
        let asks_only = exchange.method == Method::GET || exchange.target.ends_with("/oauth2/v2.0/token");
        ensure!(asks_only, "{} {}", exchange.method, exchange.target);
    }

    let secret = world.teams().app().secret;
    let _ = world.teams().rotate_secret();
    let unavailable = Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, Vec::new(), String::new());
    world.teams().wire.trouble(METADATA, 9, unavailable);
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(2) && wrong(&report).len() == 2, "{report:#}");
    ensure!(says(&report, "fault", "bot token", "AADSTS7000215"), "{report:#}");
    ensure!(says(&report, "fault", "Connector keys", "cannot be fetched"), "{report:#}");
    ensure!(!said.out.contains(&secret), "a secret is told");
    everything_can_be_mended(&report)?;
    world.teams().wire.heal();
    world.hands.stop();
    world.finish().await
}
