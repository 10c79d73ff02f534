//! Do the pages work where people have them: in a real browser?
//!
//! The scripts of `tests/browser` drive Chromium against the running program; each story tells one what to do and checks
//! what the world saw.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tapdesk_tests::check::report_token_in;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::scene::JANES_PHONE;
use tapdesk_tests::visit::{JANES_NAME, JANES_REASON};
use tapdesk_tests::world::{Setting, World};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Chromium is large, and the machine small: one at a time.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn drive(world: &World, scenario: &str, input: Value) -> anyhow::Result<Value> {
    drive_on(world, "claim.mjs", scenario, input).await
}

async fn drive_on(world: &World, script: &str, scenario: &str, mut input: Value) -> anyhow::Result<Value> {
    let _turn = ONE_AT_A_TIME.lock().await;
    input["base"] = json!(world.base().as_str().trim_end_matches('/'));
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    ensure!(folder.join("node_modules").is_dir(), "run tests/run, or: npm ci --prefix tests/browser");
    let mut child = Command::new("node")
        .arg(script)
        .arg(scenario)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node cannot be started; tests/run installs it")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    stdin.write_all(input.to_string().as_bytes()).await?;
    drop(stdin);
    let output = tokio::time::timeout(std::time::Duration::from_mins(2), child.wait_with_output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "scenario {scenario}: {said}");
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("scenario {scenario} printed no JSON: {said}"))
}

async fn claims_in_a_browser(scenario: &str) -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let seen =
        drive(&world, scenario, json!({"code": code, "pin": pin, "wrong_pin": other_pin(&pin)})).await?;
    world.settle().await?;
    let passes = world.graph.passes();
    ensure!(passes.len() == 1, "one claim makes one pass, not {}", passes.len());
    if let Some(passcode) = seen["passcode"].as_str() {
        ensure!(
            world.graph.use_pass(&world.jane.person, passcode) == SignIn::Ok,
            "{scenario}: the screen shows another"
        );
    }
    // Only this scenario waits until the page has said so; the others may close the browser first.
    if scenario == "claim" {
        world.hears(&world.ada, "Jane Doe has the pass")?;
    }
    world.finish_unread().await
}

fn other_pin(pin: &str) -> &'static str {
    if pin == "11111111" { "22222222" } else { "11111111" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_claims_with_the_keyboard_and_copies_exactly_the_passcode() -> anyhow::Result<()> {
    claims_in_a_browser("claim").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_types_the_code_as_they_read_it() -> anyhow::Result<()> {
    claims_in_a_browser("typed").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_a_mail_gateway_encoded_works() -> anyhow::Result<()> {
    claims_in_a_browser("percent23").await
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_shows_no_passcode() -> anyhow::Result<()> {
    claims_in_a_browser("back").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reads_at_400_percent_zoom() -> anyhow::Result<()> {
    claims_in_a_browser("zoom").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_says_how_many_tries_are_left() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let seen = drive(&world, "wrong", json!({"code": code, "wrong_pin": other_pin(&pin)})).await?;
    ensure!(seen["tries_left"] == 4, "{seen}");
    world.browser().claims_and_sees(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_fetches_renders_and_clicks_spends_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    drive(&world, "scanner", json!({"code": code})).await?;
    ensure!(world.graph.passes().is_empty(), "a scanner got a pass");
    ensure!(world.browser().status(&code).await?.state() == "open", "a scanner closed the ticket");
    world.browser().claims_and_sees(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_says_that_there_is_no_pass() -> anyhow::Result<()> {
    let setting = Setting { extra: "mode = \"evaluate\"".to_owned(), ..Setting::default() };
    let world = World::with(setting).await?;
    let (code, pin) = world.ticket_for_jane().await?;
    drive(&world, "evaluation", json!({"code": code, "pin": pin})).await?;
    world.settle().await?;
    world.hears(&world.ada, "[Evaluation: nothing changes in Entra] Jane Doe has the pass")?;
    ensure!(world.graph.passes().is_empty(), "a pass was made");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_reports_from_the_notice() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    let notice = world.smtp.read("jane.doe@contoso.com").pop().context("the owner got no notice")?;
    let token = report_token_in(&notice.text).context("the notice holds no link")?;
    let number =
        notice.text.split("enter the number ").nth(1).and_then(|rest| rest.get(..2)).context("no number")?;
    drive(&world, "report", json!({"report": {"token": token, "number": number}})).await?;
    world.settle().await?;
    ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "the reported pass lives");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1, "sessions go on");
    world.finish_unread().await
}

/// Plays a scenario of the page for people without chat; returns the world and what was seen.
async fn asks_in_a_browser(scenario: &str) -> anyhow::Result<(World, Value)> {
    let world = World::with_page("").await?;
    let typed = json!({"user": JANES_NAME, "reason": JANES_REASON});
    let seen = drive_on(&world, "ask.mjs", scenario, typed).await?;
    world.settle().await?;
    Ok((world, seen))
}

/// The number on the screen is the one that approves.
async fn approves_what_the_page_showed(world: World, seen: &Value) -> anyhow::Result<()> {
    world.presses(&world.mary, seen["number"].as_str().context("no number")?).await?;
    world.code_at(JANES_PHONE)?;
    ensure!(world.events("request.received")? == 1, "it was asked more than once");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_chat_asks_with_the_keyboard_and_reads_a_number() -> anyhow::Result<()> {
    let (world, seen) = asks_in_a_browser("ask").await?;
    approves_what_the_page_showed(world, &seen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_people_without_chat_reads_at_400_percent_zoom() -> anyhow::Result<()> {
    let (world, seen) = asks_in_a_browser("zoom").await?;
    approves_what_the_page_showed(world, &seen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_has_no_connection_reads_that_nothing_was_asked() -> anyhow::Result<()> {
    let (world, seen) = asks_in_a_browser("offline").await?;
    approves_what_the_page_showed(world, &seen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_renders_and_clicks_asks_nothing() -> anyhow::Result<()> {
    let (world, _) = asks_in_a_browser("scanner").await?;
    ensure!(world.events("request.received")? == 0, "a scanner asked");
    world.nobody_is_bothered()?;
    world.finish().await
}
