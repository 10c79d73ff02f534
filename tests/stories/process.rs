//! The real program as a process: killed, told to stop, started twice.

use anyhow::ensure;
use reqwest::Method;
use tapdesk::config::StoreKind;
use tapdesk_tests::chat::Call;
use tapdesk_tests::process::run;
use tapdesk_tests::world::{Setting, World};

const JANES_PHONE: &str = "+491701234512";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_every_turn_still_brings_jane_her_pass() -> anyhow::Result<()> {
    let mut world = World::without_tapdesk(Setting::default()).await?;
    let process = world.start_process().await?;

    // Killed right after it said "Checking…", while Entra still thinks.
    let held = world.graph.wire.hold_answer("GET /v1.0/users");
    let text = format!("for {} lost her phone, INC0012345", world.jane.account.mention());
    let reply = world.types(&world.ada, &text).await;
    ensure!(reply.body.contains("Checking…"), "{reply:?}");
    world.graph.wire.arrived("GET /v1.0/users", 1).await;
    process.kill().await?;
    held.open();

    let process = world.start_process().await?;
    world.chat.arrived(Call::Say, 3).await;
    world.chat.wire().landed().await;
    let card = world.card(&world.mary, "Approve")?;

    // Killed after the approval, while the text message is on its way: a newer code makes up for it.
    let held = world.twilio.wire.hold_answer("Messages.json");
    ensure!(world.chat.press(&world.mary.account, &card, "Approve").await?.is_accepted());
    world.twilio.wire.arrived("Messages.json", 1).await;
    process.kill().await?;
    held.open();
    let process = world.start_process().await?;
    world.twilio.wire.arrived("Messages.json", 2).await;
    world.twilio.wire.landed().await;
    let codes = world.twilio.phone(JANES_PHONE).messages();
    ensure!(codes.len() == 2 && codes[0].body != codes[1].body, "{codes:?}");
    let code = world.code_at(JANES_PHONE)?;

    // Killed while Graph makes the pass: nobody sees it, so it is deleted, and Jane claims again.
    let held = world.graph.wire.hold_answer(&create(&world));
    world.chat.arrived(Call::Edit, 3).await;
    world.chat.wire().landed().await;
    let card = world.card(&world.mary, "Show PIN")?;
    world.chat.press(&world.mary.account, &card, "Show PIN").await?;
    process.says("to=\"ClaimOpen\"").await?;
    let pin = world.pin_before(&world.mary)?;
    let browser = world.browser().at(process.base.clone());
    let (claim, claimed) = {
        let (browser, code, pin) = (browser.clone(), code.clone(), pin.clone());
        (tokio::spawn(async move { browser.claim(&code, &pin).await }), create(&world))
    };
    world.graph.wire.arrived(&claimed, 1).await;
    process.kill().await?;
    held.open();
    ensure!(claim.await?.is_err(), "a dead process answered");
    world.graph.wire.landed().await;
    ensure!(world.graph.live_passes(&world.jane.person).len() == 1, "Graph made the pass all the same");

    world.take_over().await?;
    world.advance(std::time::Duration::from_mins(2)).await?;
    ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "a pass that nobody saw lives");
    browser.at(world.base()).claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    world.advance(std::time::Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_stop_finishes_the_claim_in_hand() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    // The ticket has to be good on the machine's time, on which the process is.
    world.hands.run();
    world.hands.stop();
    let (code, pin) = world.ticket_for_jane().await?;
    world.stop_tapdesk().await;
    let process = world.start_process().await?;

    let held = world.graph.wire.hold_answer(&create(&world));
    let browser = world.browser().at(process.base.clone());
    let claim = tokio::spawn(async move { browser.claim(&code, &pin).await });
    world.graph.wire.arrived(&create(&world), 1).await;
    process.terminate()?;
    process.says("stopping").await?;
    held.open();
    let passcode = claim.await??.passcode()?;
    ensure!(!passcode.is_empty());
    let ended = process.ends().await?;
    ensure!(ended.code() == Some(0), "{ended}");

    world.take_over().await?;
    ensure!(world.graph.wire.count(&Method::POST, "temporaryAccessPass") == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_files_is_refused() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting::default()).await?;
    let process = world.start_process().await?;
    let second = run(&world.files.path().join("tapdesk.toml"), &["serve"]).await?;
    ensure!(second.code == Some(1), "{second:?}");
    let reason = match world.config().store.kind {
        StoreKind::Embedded => "another tapdesk is running on",
        StoreKind::Redis => "another tapdesk writes the ledger in",
    };
    ensure!(second.err.contains(reason), "{second:?}");
    process.kill().await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_leaves_no_core_dump() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting::default()).await?;
    let process = world.start_process().await?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id()?))?;
    let core: Vec<&str> = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .map(|line| line.split_whitespace().skip(4).take(2).collect())
        .unwrap_or_default();
    ensure!(core == ["0", "0"], "{limits}");
    let unit = include_str!("../../deploy/tapdesk.service");
    ensure!(unit.lines().any(|line| line == "LimitCORE=0"), "the systemd unit allows a core dump");
    process.kill().await?;
    world.finish().await
}

fn create(world: &World) -> String {
    format!("POST /v1.0/users/{}/authentication/temporaryAccessPass", world.jane.person.id())
}
