//! What an administrator does at the command line and at the admin listener.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tapdesk_adapters::ledgers::file::{FileLedger, Options};
use tapdesk_core::ids::{RequestId, Version};
use tapdesk_core::ledger::{Phase, Record};
use tapdesk_core::ports::Ledger as _;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::process::run;
use tapdesk_tests::world::{Setting, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_configuration_passes_its_check() -> anyhow::Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/tapdesk.example.toml");
    let checked = run(&example, &["check-config"]).await?;
    ensure!(checked.code == Some(0) && checked.out.trim_end().ends_with("can be used"), "{checked:?}");

    // Who tries it out is reminded of it.
    let files = tempfile::tempdir()?;
    let config = files.path().join("trial.toml");
    let text = std::fs::read_to_string(&example)?;
    std::fs::write(&config, text.replacen("listen = ", "mode = \"evaluate\"\nlisten = ", 1))?;
    let checked = run(&config, &["check-config"]).await?;
    let words = "can be used; mode = \"evaluate\": nothing changes in Entra";
    ensure!(checked.code == Some(0) && checked.out.contains(words), "{checked:?}");
    std::fs::write(&config, text.replacen("listen = ", "mode = \"dry-run\"\nlisten = ", 1))?;
    let checked = run(&config, &["check-config"]).await?;
    ensure!(checked.code == Some(1) && checked.err.contains("mode"), "{checked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_refused_by_file_line_and_key() -> anyhow::Result<()> {
    let files = tempfile::tempdir()?;
    let config = files.path().join("wrong.toml");
    std::fs::write(&config, "public_url = \"https://tap.example.com\"\nlisten = 8443\n")?;
    let checked = run(&config, &["check-config"]).await?;
    ensure!(checked.code == Some(1) && checked.out.is_empty(), "{checked:?}");
    ensure!(checked.err.contains("wrong.toml:2:") && checked.err.contains("listen"), "{checked:?}");
    // What is well-formed and must not be is found as exactly, every fault of it.
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/tapdesk.example.toml");
    let text = std::fs::read_to_string(example)?.replacen("pin = [\"approver\"]", "  pin = [\"sms\"]", 1);
    std::fs::write(&config, text.replacen("https://tap.example.com", "http://tap.example.com", 1))?;
    let checked = run(&config, &["check-config"]).await?;
    let place = |part: &str, column: usize| {
        let line = text.lines().position(|line| line.trim_start().starts_with(part)).unwrap_or_default() + 1;
        format!("wrong.toml:{line}:{column}: ")
    };
    let pin =
        place("pin = ", 3) + "policy.rule \"helpdesk for staff\".pin: ticket and pin share a route class";
    let url = place("public_url = ", 1) + "public_url: people type a PIN there";
    ensure!(
        checked.code == Some(1) && checked.err.contains(&pin) && checked.err.contains(&url),
        "{checked:?}"
    );
    let gone = run(&files.path().join("gone.toml"), &["check-config"]).await?;
    ensure!(gone.code == Some(1) && gone.err.contains("gone.toml"), "{gone:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_verify_finds_what_was_changed_and_what_was_cut() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ticket_for_jane().await?;
    world.stop_tapdesk().await;
    let ledger = world.files.path().join("ledger");
    let segment = ledger.join("00000001.ndjson");
    let whole = std::fs::read_to_string(&segment)?;
    let path = ledger.display().to_string();
    let verify = ["ledger", "verify", "--path", &path];
    let nowhere = world.files.path().join("none.toml");

    let good = run(&nowhere, &verify).await?;
    ensure!(good.code == Some(0) && !good.out.contains("open intent"), "{good:?}");
    let head = good.out.trim().rsplit(' ').next().context("no head")?.to_owned();
    let kept = [&verify[..], &["--head", &head]].concat();
    ensure!(run(&nowhere, &kept).await?.code == Some(0));

    std::fs::write(&segment, whole.replacen("request.checked", "request.chequed", 1))?;
    let changed = run(&nowhere, &verify).await?;
    ensure!(changed.code == Some(1), "{changed:?}");
    ensure!(
        changed.err.contains("00000001.ndjson:2: its hash is not the hash of its content"),
        "{changed:?}"
    );

    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&segment, lines[..lines.len() - 1].join("\n") + "\n")?;
    ensure!(run(&nowhere, &verify).await?.code == Some(0), "without a head a cut cannot be seen");
    let cut = run(&nowhere, &kept).await?;
    ensure!(cut.code == Some(1) && cut.err.contains("cut or rewritten"), "{cut:?}");

    std::fs::write(&segment, whole)?;
    world.finish_unread().await
}

/// Two replicas write a ledger each; what one of them lost to the other must not count in both.
#[tokio::test(flavor = "multi_thread")]
async fn ledgers_of_several_replicas_are_verified_together() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.stop_tapdesk().await;
    let config = world.write_config(|text| text)?;
    let [one, other] = ["ledger", "other"].map(|name| world.files.path().join(name));
    let paths = [one.display().to_string(), other.display().to_string()];
    let verify = ["ledger", "verify", "--path", &paths[0], "--path", &paths[1]];

    let lines = ledger_lines(&one)?;
    let received =
        lines.iter().find(|line| line["what"] == "request.received").context("nothing was received")?;
    let id: RequestId = received["request"].as_str().context("no request")?.parse()?;
    let now = world.hands.now();
    let record = Record::new(now, &id, Version::FIRST, Phase::Event, "request.received");
    let options = Options { name: "replica-2".parse()?, ..Options::default() };
    let ledger = FileLedger::open(&other, options, now)?;
    let head = ledger.append(vec![record.clone()]).await?;
    let said = run(&config, &verify).await?;
    let contradiction =
        format!("version 1 of {id} is recorded in \"tapdesk\" (line 1) and in \"replica-2\" (line 1)");
    ensure!(said.code == Some(1) && said.err.contains(&contradiction), "{said:?}");

    let create = Record::new(now, &id, Version(9), Phase::Intent, "pass.create");
    let head = ledger.append(vec![record.superseded(now, head.seq), create.clone()]).await?;
    drop(ledger);
    let said = run(&config, &verify).await?;
    ensure!(said.code == Some(0) && said.err.is_empty(), "{said:?}");
    for part in
        [": ledger tapdesk, ", ": ledger replica-2, 3 lines", "open intent: ledger replica-2, line 3 "]
    {
        ensure!(said.out.contains(part), "{said:?}");
    }
    let said = run(&config, &[&verify[..], &["--head", &head.hash]].concat()).await?;
    ensure!(said.code == Some(1) && said.err.contains("1 for 2 ledgers"), "{said:?}");

    // What one replica began, another one ends.
    let third = world.files.path().join("third");
    let options = Options { name: "replica-3".parse()?, ..Options::default() };
    let ledger = FileLedger::open(&third, options, now)?;
    ledger.append(vec![create.outcome(now, "unknown")]).await?;
    drop(ledger);
    let said = run(&config, &[&verify[..], &["--path", &third.display().to_string()]].concat()).await?;
    ensure!(said.code == Some(0) && !said.out.contains("open intent"), "{said:?}");
    for directory in [other, third] {
        std::fs::remove_dir_all(directory)?;
    }
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn lockdown_is_switched_on_a_running_service_and_without_one() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting::default()).await?;
    let process = world.start_process().await?;
    let admin = format!("admin_listen = \"{}\"", process.admin_base.authority());
    let config = world.write_config(|text| text.replace("admin_listen = \"127.0.0.1:0\"", &admin))?;
    for (switch, answer) in [
        ("status", "off\n"),
        ("on", "on since "),
        ("status", "on since "),
        ("off", "off\n"),
        ("on", "on since "),
    ] {
        let said = run(&config, &["lockdown", switch]).await?;
        ensure!(said.code == Some(0), "{said:?}");
        ensure!(said.out.starts_with(&format!("lockdown: {answer}")), "{switch}: {said:?}");
    }
    process.kill().await?;
    let said = run(&config, &["lockdown", "status"]).await?;
    ensure!(said.out.contains("on since") && said.out.contains("(no service is running)"), "{said:?}");
    let said = run(&config, &["lockdown", "off"]).await?;
    ensure!(said.out.starts_with("lockdown: off (no service is running)"), "{said:?}");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_tells_health_readiness_and_the_ledgers_head() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    ensure!(world.asks_admin("healthz").await? == (200, "ok\n".to_owned()));
    ensure!(world.asks_admin("readyz").await? == (200, "ready\n".to_owned()));
    let (status, metrics) = world.asks_admin("metrics").await?;
    ensure!(status == 200, "{metrics}");
    let head = metrics.split_once("tapdesk_ledger_head{hash=\"").context("no head")?.1;
    let head = head.split_once('"').context("no hash")?.0.to_owned();
    ensure!(metrics.contains("tapdesk_lockdown 0") && metrics.contains("tapdesk_ledger_lines"), "{metrics}");
    ensure!(metrics.contains("tapdesk_webhooks_total{"), "{metrics}");
    tapdesk_adapters::ledgers::file::verify(&world.files.path().join("ledger"), Some(&head))?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_page_comes_over_tls_and_not_without() -> anyhow::Result<()> {
    let extra = "[tls]\ncert_file = \"{files}/tls.crt\"\nkey_file = \"{files}/tls.key\"\n".to_owned();
    let mut world = World::without_tapdesk(Setting { extra, ..Setting::default() }).await?;
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    std::fs::write(world.files.path().join("tls.crt"), own.cert.pem())?;
    std::fs::write(world.files.path().join("tls.key"), own.signing_key.serialize_pem())?;
    world.start_tapdesk().await?;

    let http = a_browser_that_trusts(own.cert.pem().as_bytes())?;
    let page = format!("127.0.0.1:{}/c", world.base().port().context("no port")?);
    let answer = http.get(format!("https://{page}")).send().await?;
    ensure!(answer.status() == 200, "{answer:?}");
    ensure!(answer.headers().contains_key("strict-transport-security"), "{answer:?}");
    ensure!(http.get(format!("http://{page}")).send().await.is_err(), "the page came without TLS");
    ensure!(
        a_browser_that_trusts(b"")?.get(format!("https://{page}")).send().await.is_err(),
        "a stranger's certificate was believed"
    );
    world.finish().await
}

#[expect(clippy::disallowed_methods, reason = "a browser's client, not the program's")]
fn a_browser_that_trusts(certificate: &[u8]) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder().no_proxy();
    if !certificate.is_empty() {
        builder = builder.add_root_certificate(reqwest::Certificate::from_pem(certificate)?);
    }
    Ok(builder.build()?)
}
