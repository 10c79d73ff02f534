//! tapdesk is stopped and started again while something waits: no timer is lost.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::StatusCode;
use tapdesk_adapters::ledgers::file::{FileLedger, Options};
use tapdesk_core::ids::{LedgerName, Version};
use tapdesk_core::ledger::{Phase, Record};
use tapdesk_core::ports::Ledger as _;
use tapdesk_tests::check;
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_decides_lapses_across_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    world.advance(Duration::from_hours(2)).await?;
    world.restart().await?;
    world.advance(Duration::from_mins(119)).await?;
    world.card(&world.mary, "Approve")?;
    world.reads(&world.ada);
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.card(&world.mary, "Approve").is_err(), "a lapsed request still has a button");
    ensure!(!world.reads(&world.ada).is_empty(), "Ada was not told");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_runs_out_across_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.advance(Duration::from_mins(20)).await?;
    world.restart().await?;
    ensure!(world.browser().status(&code).await?.state() == "open");
    world.advance(Duration::from_mins(11)).await?;
    let answer = world.browser().claim(&code, &pin).await?;
    ensure!(answer.passcode().is_err() && answer.state() != "wrong_pin", "{answer:?}");
    ensure!(world.graph.passes().is_empty(), "a pass was made for a ticket that had run out");
    ensure!(!world.reads(&world.ada).is_empty(), "Ada was not told");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_nobody_saw_is_deleted_across_a_restart_and_the_ticket_still_works() -> anyhow::Result<()>
{
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claim(&code, &pin).await?.passcode()?;
    world.advance(Duration::from_secs(30)).await?;
    world.restart().await?;
    ensure!(world.graph.live_passes(&world.jane.person).len() == 1);
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "an unseen pass lives");
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_with_unknown_outcome_is_looked_for_across_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let create = format!("POST /v1.0/users/{}/authentication/temporaryAccessPass", world.jane.person.id());
    world.graph.wire.trouble(&create, 1, Trouble::DropAnswer);
    ensure!(world.browser().claim(&code, &pin).await?.state() == "unavailable");
    ensure!(world.graph.live_passes(&world.jane.person).len() == 1, "Graph made it all the same");
    world.restart().await?;
    world.settle().await?;
    ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "a stray pass lives");
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_while_a_pass_is_looked_for_locks_nobody_out() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let passes = format!("/v1.0/users/{}/authentication/temporaryAccessPass", world.jane.person.id());
    world.graph.wire.trouble(&format!("POST {passes}"), 1, Trouble::DropAnswer);
    ensure!(world.browser().claim(&code, &pin).await?.state() == "unavailable");
    world.graph.fail(&format!("GET {passes}"), usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..8 {
        world.advance(Duration::from_secs(20)).await?;
        ensure!(world.browser().claim(&code, &pin).await?.state() == "busy");
    }
    world.graph.wire.heal();
    world.advance(Duration::from_mins(2)).await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stray_pass_that_cannot_be_deleted_at_once_leaves_no_open_intent() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let passes = format!("/v1.0/users/{}/authentication/temporaryAccessPass", world.jane.person.id());
    world.graph.wire.trouble(&format!("POST {passes}"), 1, Trouble::DropAnswer);
    // Graph deletes it and does not get round to saying so; at the next look it is gone.
    world.graph.fail_after_handling(&format!("DELETE {passes}"), 1, StatusCode::SERVICE_UNAVAILABLE);
    world.graph.fail(&format!("DELETE {passes}"), 9, StatusCode::SERVICE_UNAVAILABLE);
    ensure!(world.browser().claim(&code, &pin).await?.state() == "unavailable");
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "a stray pass lives");
    world.graph.wire.heal();
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shown_pass_is_watched_to_its_end_across_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_mins(50)).await?;
    world.everybody_reads();
    world.restart().await?;
    world.advance(Duration::from_mins(9)).await?;
    ensure!(world.reads(&world.ada).is_empty(), "Ada was told too early");
    world.advance(Duration::from_mins(6)).await?;
    ensure!(!world.reads(&world.ada).is_empty(), "Ada was not told that the pass is over");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_browser_has_its_minute_counted_anew_after_a_restart() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_mins(5)).await?;
    ensure!(browser.claim(&code, &pin).await?.state() == "opened");
    world.restart().await?;
    world.advance(Duration::from_secs(50)).await?;
    let browser = browser.at(world.base());
    browser.claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_secs(61)).await?;
    ensure!(browser.claim(&code, &pin).await?.state() == "opened");
    ensure!(world.graph.live_passes(&world.jane.person).len() == 1);
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_behind_the_store_refuses_to_issue() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ticket_for_jane().await?;
    world.stop_tapdesk().await;
    let segment = world.files.path().join("ledger").join("00000001.ndjson");
    let whole = std::fs::read_to_string(&segment)?;

    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&segment, lines[..lines.len() - 1].join("\n") + "\n")?;
    let refused = world.start_tapdesk().await.err().context("tapdesk started on a ledger that was cut")?;
    ensure!(refused.to_string().contains("the ledger tapdesk is behind the store"), "{refused:#}");

    // Another history, as long as the real one and a proper chain in itself.
    std::fs::write(&segment, lines[..lines.len() - 3].join("\n") + "\n")?;
    let now = world.hands.now();
    let forged = FileLedger::open(world.files.path().join("ledger"), Options::default(), now)?;
    forged.append((0..9).map(|_| Record::service(now, "nothing.happened")).collect()).await?;
    drop(forged);
    let refused = world.start_tapdesk().await.err().context("tapdesk started on a rewritten ledger")?;
    ensure!(refused.to_string().contains("the ledger tapdesk was rewritten"), "{refused:#}");

    std::fs::write(&segment, whole)?;
    world.start_tapdesk().await?;
    world.everybody_reads();
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

/// Both wrote their line and one change won; the loser died before it could say that its line does not count.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_race_that_was_lost_and_never_taken_back_is_taken_back_at_the_start() -> anyhow::Result<()>
{
    let mut world = World::start().await?;
    world.ticket_for_jane().await?;
    world.stop_tapdesk().await;
    let ledger = world.files.path().join("ledger");
    let lines = check::ledger_lines(&ledger)?;
    let won = lines.iter().find(|line| line["what"] == "approval.given").context("no approval")?;
    let (id, version) = (won["request"].as_str().context("no request")?.parse()?, won["version"].as_u64());
    let version = Version(version.context("no version")?);
    let now = world.hands.now();
    let lost =
        Record::new(now, &id, version, Phase::Event, "approval.given").by(world.otto.person.id().parse()?);
    let open = FileLedger::open(&ledger, Options::default(), now)?;
    let head = open.append(vec![lost]).await?;
    drop(open);

    world.start_tapdesk().await?;
    let lines = check::ledger_lines(&ledger)?;
    let taken_back: Vec<_> = lines
        .iter()
        .filter(|line| line["facts"]["result"] == "superseded")
        .map(|line| &line["facts"]["line"])
        .collect();
    ensure!(taken_back == [&head.seq.to_string()], "{taken_back:?}");
    world.everybody_reads();
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_begun_under_another_name_is_not_gone_on_with() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let renamed =
        world.restart_configured(|config| config.ledger.name = "replica-2".parse().unwrap_or_default());
    let refused = format!("{:#}", renamed.await.err().context("tapdesk went on under another name")?);
    ensure!(refused.contains("is named tapdesk, not replica-2: set ledger.name to tapdesk"), "{refused}");
    world.restart_configured(|config| config.ledger.name = LedgerName::default()).await?;
    world.finish_unread().await
}
