//! What does somebody read who was not there? `tapdesk report`, from the ledger, with names only while they are kept.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use jiff::Timestamp;
use tapdesk_tests::audit::report_in;
use tapdesk_tests::process::{Ended, run};
use tapdesk_tests::world::World;

/// The ledgers of the two replicas of a story.
fn two_paths(world: &World) -> [String; 2] {
    ["ledger", "ledger/replica-2"].map(|name| world.files.path().join(name).display().to_string())
}

/// Two endings that need a page and a line of text.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_and_what_looked_wrong_is_told_apart() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    world.asks_as_jane().await?;
    world.advance(Duration::from_mins(1)).await?;
    world.ada_asks_for_jane().await?;
    world.says_it_looks_wrong(&world.mary, "Jane sits next to me").await?;
    let report = report_in(&world.reported(&["--json"]).await?)?;
    let told = |row: usize, field: &str| report["requests"][row][field].clone();
    ensure!(told(0, "asked_in") == "page" && told(0, "outcome") == "set_aside", "{report:#}");
    // Nobody vouched for whoever sat at the page.
    ensure!(told(0, "requester").is_null() && told(0, "account").is_null(), "{report:#}");
    ensure!(
        told(1, "asked_in") == world.ada.account.user().chat.as_str() && told(1, "outcome") == "doubted",
        "{report:#}"
    );
    ensure!(told(1, "outcome_by")["name"] == "Mary Major", "{report:#}");
    ensure!(told(1, "decisions")[0]["decision"] == "doubted", "{report:#}");
    world.everybody_reads();
    world.finish_unread().await
}

/// One replica took the request in, the other one did the rest.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledgers_of_two_replicas_tell_one_story() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let [one, two] = two_paths(&world);
    let (name, path) = ("replica-2".parse()?, Path::new(&two).to_path_buf());
    world.restart_configured(|config| (config.ledger.name, config.ledger.path) = (name, path)).await?;
    world.presses(&world.mary, "Deny").await?;
    let both = ["--path", &one, "--path", &two];
    let said = world.reported(&both).await?;
    ensure!(said.code == Some(0), "{said:?}");
    assert_snapshot!(world.told_to_auditors(&said.out)?, @r"
    Requests received from 2026-11-23 to 2026-11-23 (UTC); made…; times are UTC.
    Ledger tapdesk: every one of its…lines was verified; head ….
    Ledger replica-2: every one of its…lines was verified; head ….
    Names and reasons are the running service's, for the requests that it still keeps; the ledger has none.

    requests                             1
    by outcome                           denied 1
    by requester                         Ada Agent 1
    by rule                              helpdesk for staff 1
    approved without approvals           0
    passes made                          0
    in evaluate mode (nothing was made)  0

    RECEIVED              FOR       ASKED BY   APPROVED BY  OUTCOME               TICKET NUMBER
    2026-11-23T10:00:00Z  Jane Doe  Ada Agent  –            denied by Mary Major  –
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T10:00:00Z denied by Mary Major
        ended    2026-11-23T10:00:00Z
        also     approver.asked × 2
        ledger   replica-2 …; tapdesk …
    ");

    let half = report_in(&world.reported(&["--path", &one, "--json"]).await?)?;
    ensure!(half["requests"][0]["outcome"] == "open", "{half:#}");
    let copied = world.reported(&["--path", &one, "--path", &one]).await?;
    ensure!(copied.code == Some(1) && copied.out.is_empty(), "{copied:?}");
    ensure!(copied.err.contains("two of the ledgers are named \"tapdesk\""), "{copied:?}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_changed_or_cut_gives_no_report() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    let copy = tempfile::tempdir()?;
    let segment = copy.path().join("00000001.ndjson");
    let whole = std::fs::read_to_string(world.files.path().join("ledger/00000001.ndjson"))?;
    let path = copy.path().display().to_string();
    std::fs::write(&segment, &whole)?;
    let report = report_in(&world.reported(&["--path", &path, "--json"]).await?)?;
    let head = report["ledgers"][0]["head"].as_str().context("no head")?.to_owned();

    std::fs::write(&segment, whole.replacen("denial.given", "approval.given", 1))?;
    for form in ["--csv", "--json", "--html", "--offline"] {
        let said = world.reported(&["--path", &path, form]).await?;
        ensure!(said.code == Some(1) && said.out.is_empty(), "{form}: {said:?}");
        ensure!(said.err.contains("the ledger does not verify, so it gives no report"), "{said:?}");
        ensure!(said.err.contains("its hash is not the hash of its content"), "{said:?}");
    }
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&segment, lines[..lines.len() - 1].join("\n") + "\n")?;
    let said = world.reported(&["--path", &path, "--head", &head]).await?;
    ensure!(said.code == Some(1) && said.out.is_empty() && said.err.contains("cut or rewritten"), "{said:?}");
    world.everybody_reads();
    world.finish().await
}

/// The ledger has none, so there are none once nobody keeps them.
#[tokio::test(flavor = "multi_thread")]
async fn names_and_reasons_are_there_as_long_as_the_service_keeps_them() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    let id = world.request_ids()?.remove(0);
    let (status, known) = world.asks_admin(&format!("requests/{id}")).await?;
    ensure!(status == 200 && known.contains("Jane Doe") && known.contains("INC0012345"), "{status}: {known}");
    for other in ["req_0123456789ABCDEFGHJKMNPQRS", "jane.doe@contoso.com"] {
        ensure!(world.asks_admin(&format!("requests/{other}")).await?.0 == 404, "{other} is known");
    }
    let config = world.config_with_admin()?;
    let is_bare = |said: &Ended| {
        let personal = ["Jane", "Ada", "Mary", "lost her phone"];
        said.code == Some(0) && personal.iter().all(|part| !said.out.contains(part))
    };
    let offline = world.reported_by(&config, &["--offline"]).await?;
    ensure!(is_bare(&offline), "{offline:?}");
    assert_snapshot!(world.told_to_auditors(&offline.out)?, @r"
    Requests received from 2026-11-23 to 2026-11-23 (UTC); made…; times are UTC.
    Ledger tapdesk: every one of its…lines was verified; head ….
    The service was not asked: object ids instead of names, and no reasons.

    requests                             1
    by outcome                           denied 1
    by requester                         c6797c35-e06e-4305-9a5e-083dccb0801e 1
    by rule                              helpdesk for staff 1
    approved without approvals           0
    passes made                          0
    in evaluate mode (nothing was made)  0

    RECEIVED              FOR                                   ASKED BY                              APPROVED BY  OUTCOME                                         TICKET NUMBER
    2026-11-23T10:00:00Z  7988138f-f23d-43bb-a1b9-a76902dae02b  c6797c35-e06e-4305-9a5e-083dccb0801e  –            denied by 06bfc7ce-1dc5-422e-9795-cd7bc9766598  –
        request  req_…, asked in slack
        why      not kept any more
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T10:00:00Z denied by 06bfc7ce-1dc5-422e-9795-cd7bc9766598
        ended    2026-11-23T10:00:00Z
        also     approver.asked × 2
        ledger   tapdesk …
    ");

    // A request with a timer left is not forgotten.
    world.advance(Duration::from_hours(5)).await?;
    world.tapdesk()?.worker.desk.store().forget(Timestamp::MAX).await?;
    let forgotten = world.reported_by(&config, &[]).await?;
    ensure!(is_bare(&forgotten) && forgotten.out.contains("not kept any more"), "{forgotten:?}");
    world.stop_tapdesk().await;
    let alone = world.reported_by(&config, &[]).await?;
    ensure!(is_bare(&alone) && alone.out.contains("No service answers on admin_listen"), "{alone:?}");
    // Nothing of the configuration is needed for what is not asked of it.
    let path = world.files.path().join("ledger").display().to_string();
    let nowhere = world.reported_by(Path::new("none.toml"), &["--offline", "--path", &path]).await?;
    ensure!(is_bare(&nowhere), "{nowhere:?}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_a_day_where_the_auditor_lives() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.hands.set("2026-11-23T23:30:00Z".parse()?);
    world.ada_asks_for_jane().await?;
    let config = world.config_with_admin()?;
    for (day, zone, rows) in [
        ("2026-11-23", "UTC", 1),
        ("2026-11-24", "UTC", 0),
        ("2026-11-23", "Europe/Berlin", 0),
        ("2026-11-24", "Europe/Berlin", 1),
    ] {
        let asked = ["report", "--from", day, "--to", day, "--zone", zone, "--json"];
        let report = report_in(&run(&config, &asked).await?)?;
        ensure!(report["summary"]["requests"] == rows, "{day} in {zone}: {report:#}");
    }
    for (asked, answer) in [
        (["2026-13-01", "2026-11-30", "UTC"], "a day is written like 2026-11-30"),
        (["1.11.2026", "2026-11-30", "UTC"], "a day is written like 2026-11-30"),
        (["2026-11-30", "2026-11-01", "UTC"], "--from 2026-11-30 is after --to 2026-11-01"),
        (["2026-11-01", "2026-11-30", "Berlin"], "\"Berlin\" is not a time zone"),
    ] {
        let [from, to, zone] = asked;
        let said = run(&config, &["report", "--from", from, "--to", to, "--zone", zone]).await?;
        ensure!(said.code != Some(0) && said.out.is_empty() && said.err.contains(answer), "{said:?}");
    }
    let said = world.reported_by(&config, &["--csv", "--html"]).await?;
    ensure!(said.code != Some(0) && said.err.contains("cannot be used with"), "{said:?}");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}
