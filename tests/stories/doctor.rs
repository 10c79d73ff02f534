//! What does `tapdesk doctor` say of what is the same in every chat: what proves tapdesk to Entra, and ticket systems?

use anyhow::{Context as _, ensure};
use jiff::tz::TimeZone;
use tapdesk::system::SystemClock;
use tapdesk_core::ports::Clock as _;
use tapdesk_tests::doctor::{a_world_now, everything_can_be_mended, examined, says, wrong};
use tapdesk_tests::entra::{EVERY_PROOF, Pair, Proof};
use tapdesk_tests::tickets::ticket_setting;
use tapdesk_tests::world::Setting;

#[tokio::test(flavor = "multi_thread")]
async fn what_proves_tapdesk_to_entra_is_named_and_tried() -> anyhow::Result<()> {
    for proof in EVERY_PROOF {
        let world = a_world_now(Setting { proof, ..Setting::default() }).await?;
        world.proofs.renew_token(world.hands.now())?;
        let (said, report) = examined(&world.write_config(|text| text)?, &[]).await?;
        let by = match proof {
            Proof::Secret | Proof::SecretFile => "by a client secret",
            Proof::Certificate => "by a certificate",
            Proof::Federated => "by a federated token",
            Proof::Machine | Proof::Assigned => "by a managed identity",
        };
        ensure!(says(&report, "ok", "token", by), "{proof:?}: {report:#}");
        ensure!(said.code == Some(0) && wrong(&report).is_empty(), "{proof:?}: {report:#}");
        let has_certificate = says(&report, "ok", "certificate of the app", "is good until 20");
        ensure!(has_certificate == (proof == Proof::Certificate), "{proof:?}: {report:#}");
        world.hands.stop();
        world.finish().await.with_context(|| format!("{proof:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_app_that_ends_or_is_over_is_told() -> anyhow::Result<()> {
    let world = a_world_now(Setting { proof: Proof::Certificate, ..Setting::default() }).await?;
    let config = world.write_config(|text| text)?;
    let now = SystemClock.now();
    let day = |days: i64| (now + jiff::SignedDuration::from_hours(24 * days)).to_zoned(TimeZone::UTC).date();
    let short = Pair::new(1, day(-300), day(10))?;
    world.entra.upload(short.clone());
    world.proofs.keep_pair(&short)?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(1) && wrong(&report).len() == 1, "{report:#}");
    let until = format!("is good until {} only", day(10));
    ensure!(says(&report, "warning", "certificate of the app", &until), "{report:#}");
    everything_can_be_mended(&report)?;

    world.proofs.keep_pair(&Pair::new(1, day(-300), day(-2))?)?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(2), "{report:#}");
    ensure!(says(&report, "fault", "[graph]", "the certificate expired on"), "{report:#}");
    everything_can_be_mended(&report)?;
    world.proofs.keep_pair(&short)?;
    world.hands.stop();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_system_is_reached_without_a_word() -> anyhow::Result<()> {
    let world = a_world_now(ticket_setting("", "")).await?;
    let (said, report) = examined(&world.write_config(|text| text)?, &[]).await?;
    ensure!(said.code == Some(0) && wrong(&report).is_empty(), "{report:#}");
    ensure!(says(&report, "ok", "source ServiceNow", "and its status_url reached"), "{report:#}");
    ensure!(world.tickets.wire.seen().is_empty() && world.tickets.news().is_empty(), "something was sent");

    let status_url = world.tickets.url.to_string();
    let config = world.write_config(|text| text.replace(&status_url, "http://127.0.0.1:9/canary-81"))?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(1) && wrong(&report).len() == 1, "{report:#}");
    ensure!(says(&report, "warning", "source ServiceNow", "cannot be reached"), "{report:#}");
    ensure!(!said.out.contains("canary-81"), "the address is told");
    everything_can_be_mended(&report)?;

    let config = world.write_config(|text| {
        let line = format!("status_url = \"{status_url}\"");
        text.replace(&line, "previous_secret_file = \"/nowhere/old-secret\"")
    })?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(2) && says(&report, "fault", "[hook]", "/nowhere/old-secret"), "{report:#}");
    everything_can_be_mended(&report)?;
    world.hands.stop();
    world.finish().await
}
