//! What does an administrator learn from `tapdesk doctor`, and does it leave everything as it was?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use tapdesk::config::StoreKind;
use tapdesk_tests::doctor::{a_world_now, everything_can_be_mended, examined, found, wrong};
use tapdesk_tests::graph::{AppRole, Target};
use tapdesk_tests::process::run;
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::{Setting, World};

/// Nothing was sent, made or changed anywhere.
fn nothing_happened(world: &World) -> anyhow::Result<()> {
    let asks_only =
        |method: &Method, target: &str| *method == Method::GET || target.ends_with("/checkMemberGroups");
    for exchange in world.graph.wire.seen() {
        ensure!(asks_only(&exchange.method, &exchange.target), "{} {}", exchange.method, exchange.target);
    }
    for exchange in world.twilio.wire.seen() {
        ensure!(exchange.method == Method::GET, "{} {}", exchange.method, exchange.target);
    }
    ensure!(world.twilio.sent().is_empty() && world.smtp.sent().is_empty(), "something was sent");
    ensure!(!world.smtp.commands().iter().any(|command| command.starts_with("RCPT") || command == "DATA"));
    let harmless = ["auth.test", "bots.info", "users.info", "users.lookupByEmail"];
    for seen in world.slack().everything_ever_seen() {
        ensure!(harmless.iter().any(|method| seen["method"] == *method), "{seen}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_tenant_gives_no_warning_and_nothing_is_touched() -> anyhow::Result<()> {
    let world = a_world_now(Setting::default()).await?;
    let config = world.write_config(|text| text)?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(wrong(&report).is_empty() && said.code == Some(0), "{report:#}");
    ensure!(report["severity"] == "note" && said.err.is_empty(), "{said:?}");
    everything_can_be_mended(&report)?;
    nothing_happened(&world)?;
    for made in ["ledger", "tapdesk.db"] {
        ensure!(!world.files.path().join(made).exists(), "{made} was made");
    }

    // For people the same, one line each, and the line that matters last.
    let said = run(&config, &["doctor"]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    let lines: Vec<String> =
        said.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "Entra",
        "ok clock agrees with Microsoft's",
        "ok phone numbers UserAuthMethod-Phone.Read.All shows them whole",
        "note federated domains not looked at: the app has no Domain.Read.All",
        "ok rule \"helpdesk for staff\" can lead to a pass for 1h and one sign-in",
        "ok app id A0TAPDESK as configured",
        "ok Twilio sender +15005550006 belongs to the account",
    ] {
        ensure!(lines.iter().any(|one| one.starts_with(line)), "no {line:?} in:\n{}", said.out);
    }
    let last = said.out.lines().last().unwrap_or_default();
    ensure!(last.starts_with("Nothing to mend: "), "{last}");
    world.hands.stop();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_is_asked_and_its_store_left_to_it() -> anyhow::Result<()> {
    let world = a_world_now(Setting::default()).await?;
    let process = world.start_process().await?;
    let admin = format!("admin_listen = \"{}\"", process.admin_base.authority());
    let config = world.write_config(|text| text.replace("admin_listen = \"127.0.0.1:0\"", &admin))?;
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(0), "{report:#}");
    let fine = found(&report, &["ok"]);
    let says = |what: &str, part: &str| fine.iter().any(|(one, said)| one == what && said.contains(part));
    ensure!(says("service", "runs and is ready"), "{report:#}");
    ensure!(says("ledger", "every line verifies"), "{report:#}");
    match world.config().store.kind {
        StoreKind::Embedded => ensure!(says("store", "in the hands of a running tapdesk"), "{report:#}"),
        StoreKind::Redis => ensure!(says("Redis", "nothing that was answered"), "{report:#}"),
    }
    process.kill().await?;
    world.hands.stop();
    world.finish().await
}

/// A tenant, a workspace, couriers and a machine with one fault after another, and none besides.
async fn twelve_faults() -> anyhow::Result<(World, PathBuf)> {
    let contractors =
        "name = \"contractors\"\nrequester = \"group:{oncall}\"\nsubject = \"group:{helpdesk}\"";
    let policy = rulebook("", &[contractors, ""]);
    let mut world = World::with(Setting { policy, ..Setting::default() }).await?;
    world.ada_asks_for_jane().await?;
    world.stop_tapdesk().await;
    world.hands.run();

    world.entra.withhold("User.RevokeSessions.All");
    world.entra.grant_also("RoleManagement.ReadWrite.Directory");
    world.entra.withhold("UserAuthMethod-TAP.ReadWrite.All");
    world.entra.withhold("UserAuthMethod-Phone.Read.All");
    world.graph.app_role(AppRole::AuthenticationAdministrator);
    world.graph.dates_answers(SignedDuration::from_mins(4));
    world.entra.grant_also("Domain.Read.All");
    world.entra.grant_also("Domain-InternalFederation.Read.All");
    world.graph.federates("fabrikam.com", "enforceMfaByFederatedIdp");
    world.graph.policy(|policy| policy.exclude.push(Target::Group(world.helpdesk.id().to_owned())));
    world.slack().configure(|workspace| {
        workspace.scopes.remove("users:read.email");
        "A0OTHER".clone_into(&mut workspace.app_id);
    });
    world.twilio.has_no_redaction();
    world.smtp.wants_login("tapdesk", "another password");
    let tls = expired_certificate(world.files.path())?;
    let segment = world.files.path().join("ledger/00000001.ndjson");
    let whole = std::fs::read_to_string(&segment)?;
    std::fs::write(&segment, whole.replacen("request.checked", "request.chequed", 1))?;
    let config = world.write_config(|text| {
        let login = "username = \"tapdesk\"\npassword = \"mail-canary-5b1e\"\nfrom = \"tapdesk <";
        text.replacen("from = \"tapdesk <", login, 1).replacen("[store]", &format!("{tls}[store]"), 1)
    })?;
    Ok((world, config))
}

fn expired_certificate(files: &Path) -> anyhow::Result<String> {
    let mut wanted = rcgen::CertificateParams::new(vec!["tap.contoso.com".to_owned()])?;
    wanted.not_before = rcgen::date_time_ymd(2025, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let key = rcgen::KeyPair::generate()?;
    std::fs::write(files.join("tls.crt"), wanted.self_signed(&key)?.pem())?;
    std::fs::write(files.join("tls.key"), key.serialize_pem())?;
    let files = files.display();
    Ok(format!("[tls]\ncert_file = \"{files}/tls.crt\"\nkey_file = \"{files}/tls.key\"\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_planted_faults_are_all_named_and_nothing_else() -> anyhow::Result<()> {
    let (world, config) = twelve_faults().await?;
    let (said, report) = examined(&config, &[]).await?;
    let expected = [
        "Message Redaction",
        "TLS certificate",
        "app id",
        "clock",
        "federated domain fabrikam.com",
        "ledger",
        "mail server",
        "permission RoleManagement.ReadWrite.Directory",
        "permission User.RevokeSessions.All",
        "phone numbers",
        "rule \"contractors\"",
        "scope users:read.email",
    ];
    ensure!(wrong(&report).iter().map(String::as_str).eq(expected), "{:#?}\n{report:#}", wrong(&report));
    ensure!(said.code == Some(2) && report["severity"] == "fault", "{said:?}");
    everything_can_be_mended(&report)?;
    for (what, part) in [
        ("clock", "beyond 5 minutes nothing works any more"),
        ("permission RoleManagement.ReadWrite.Directory", "(tier 0)"),
        ("phone numbers", "masked"),
        ("rule \"contractors\"", "can never lead to a pass"),
        ("TLS certificate", "was good until 2026-01-01"),
        ("ledger", "00000001.ndjson:2: its hash is not the hash of its content"),
        ("app id", "the token is of app A0OTHER"),
        ("mail server", "refused the credentials"),
    ] {
        let told = found(&report, &["warning", "fault"]);
        ensure!(told.iter().any(|(one, said)| one == what && said.contains(part)), "{what}: {told:#?}");
    }
    let fine = found(&report, &["ok"]);
    ensure!(
        fine.iter().any(|(what, said)| what == "making passes" && said.contains("Entra itself refuses")),
        "{fine:#?}"
    );

    // What is said holds no secret, however it went.
    let as_text = run(&config, &["doctor"]).await?;
    for secret in
        [&world.entra.client_secret(), &world.slack().workspace().bot_token, "mail-canary-5b1e", JANES_PHONE]
    {
        ensure!(!said.out.contains(secret) && !as_text.out.contains(secret), "a secret is told");
    }
    ensure!(as_text.out.lines().last().is_some_and(|last| last.starts_with("To mend: ")), "{}", as_text.out);

    let segment = world.files.path().join("ledger/00000001.ndjson");
    let changed = std::fs::read_to_string(&segment)?;
    std::fs::write(&segment, changed.replacen("request.chequed", "request.checked", 1))?;
    heal(&world);
    world.hands.stop();
    world.finish_unread().await
}

fn heal(world: &World) {
    world.entra.grant(&tapdesk_tests::entra::LEAST_PERMISSIONS);
    world.graph.dates_answers(SignedDuration::ZERO);
    world.slack().configure(|workspace| {
        workspace.scopes.insert("users:read.email".to_owned());
        "A0TAPDESK".clone_into(&mut workspace.app_id);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_said_and_keeps_nothing_else_from_being_looked_at() -> anyhow::Result<()>
{
    let world = a_world_now(Setting::default()).await?;
    let config = world.write_config(|text| text)?;
    let _ = world.entra.rotate_secret();
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(2), "{report:#}");
    let told = found(&report, &["warning", "fault"]);
    let about = |what: &str| {
        told.iter().find(|(one, _)| one == what).map(|(_, said)| said.clone()).unwrap_or_default()
    };
    ensure!(about("token").contains("client secret"), "{told:#?}");
    ensure!(about("pass policy").contains("could not be looked at"), "{told:#?}");
    ensure!(found(&report, &["ok"]).iter().any(|(what, _)| what == "bot token"), "{report:#}");
    everything_can_be_mended(&report)?;

    let unread = world.files.path().join("no-such-token");
    let config = world.write_config(|text| {
        let secret = format!("client_secret = '{}'", world.entra.client_secret());
        let text = text.replacen(
            &format!("bot_token = \"{}\"", world.slack().workspace().bot_token),
            &format!("bot_token_file = \"{}\"", unread.display()),
            1,
        );
        let at = text.find("client_secret = '").unwrap_or_default();
        let end = at + text[at..].find('\n').unwrap_or_default();
        format!("{}{secret}{}", &text[..at], &text[end..])
    })?;
    let (_, report) = examined(&config, &[]).await?;
    ensure!(wrong(&report) == BTreeSet::from(["[slack]".to_owned()]), "{report:#}");

    let config =
        world.write_config(|text| text.replacen("trust_email = true", "trust_email = \"yes\"", 1))?;
    let (said, report) = examined(&config, &[]).await?;
    let told = found(&report, &["fault"]);
    ensure!(said.code == Some(2) && told.len() == 1 && told[0].1.contains("slack.trust_email"), "{report:#}");
    nothing_happened(&world)?;
    world.hands.stop();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_is_held_against_the_tenants_own_policy() -> anyhow::Result<()> {
    let short = "name = \"short\"\nlifetime = \"15m\"\nrequester = \"group:{oncall}\"";
    let policy = rulebook("", &[short, ""]);
    let world = a_world_now(Setting { policy, ..Setting::default() }).await?;
    let config = world.write_config(|text| text)?;
    let (said, report) = examined(&config, &[]).await?;
    let told = found(&report, &["warning", "fault"]);
    ensure!(said.code == Some(1) && told.len() == 1 && told[0].0 == "rule \"short\"", "{told:#?}");
    ensure!(
        told[0].1 == "lifetime = \"15m\" is outside what the tenant allows: its passes live 1h",
        "{told:#?}"
    );

    world.oncall.without(&world.otto.person);
    let (_, report) = examined(&config, &[]).await?;
    ensure!(
        found(&report, &["fault"]).iter().any(|(_, said)| said.contains("no enabled member may ask")),
        "{report:#}"
    );

    world.graph.policy(|policy| policy.enabled = false);
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(2) && wrong(&report).contains("pass policy"), "{report:#}");
    world.oncall.member(&world.otto.person);
    world.hands.stop();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_could_approve_for_somebody_is_told_by_name() -> anyhow::Result<()> {
    let world = a_world_now(Setting::default()).await?;
    let config = world.write_config(|text| text)?;
    let subject = world.jane.person.upn();
    let (said, report) = examined(&config, &["--subject", &subject]).await?;
    ensure!(said.code == Some(0), "{report:#}");
    let fine = found(&report, &["ok"]);
    let rule = "rule \"helpdesk for staff\"";
    let told: Vec<&str> =
        fine.iter().filter(|(what, _)| what == rule).map(|(_, said)| said.as_str()).collect();
    ensure!(
        told.iter()
            .any(|said| said.contains("approval 1 of 1: Mary Major (in ") && said.contains("Otto Oncall")),
        "{told:#?}"
    );
    ensure!(told.contains(&"code by text message to +49…12"), "{told:#?}");
    ensure!(!said.out.contains(JANES_PHONE), "the number is told whole");

    world.mary.person.disabled();
    world.oncall.without(&world.otto.person);
    world.graph.app_role(AppRole::AuthenticationAdministrator);
    world.entra.withhold("UserAuthMethod-Phone.Read.All");
    let (said, report) = examined(&config, &["--subject", &subject]).await?;
    let told = found(&report, &["warning"]);
    ensure!(said.code == Some(2), "{report:#}");
    for part in [
        "nobody could give approval 1: Mary Major (not: disabled",
        "Entra shows tapdesk only a masked number",
    ] {
        ensure!(told.iter().any(|(_, said)| said.contains(part)), "{part}: {told:#?}");
    }
    nothing_happened(&world)?;
    world.mary.person.enabled();
    world.oncall.member(&world.otto.person);
    world.entra.grant_also("UserAuthMethod-Phone.Read.All");
    world.hands.stop();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_hangs_costs_its_own_time_and_no_more() -> anyhow::Result<()> {
    let world = a_world_now(Setting { patience: 1, ..Setting::default() }).await?;
    let config = world.write_config(|text| text)?;
    let body = "{\"ok\":false,\"error\":\"fatal_error\"}".to_owned();
    let json = vec![("content-type", "application/json".to_owned())];
    world.slack().wire.trouble("auth.test", 9, Trouble::Answer(StatusCode::OK, json, body));
    let gate = world.twilio.wire.hold_answer("IncomingPhoneNumbers");
    let (said, report) = examined(&config, &[]).await?;
    ensure!(said.code == Some(2), "{report:#}");
    let told = found(&report, &["fault"]);
    ensure!(told.iter().any(|(what, said)| what == "bot token" && said.contains("fatal_error")), "{told:#?}");
    let twilio = told.iter().find(|(what, _)| what == "Twilio log-in").context("Twilio is not told")?;
    ensure!(twilio.1.contains("no answer within the time limit"), "{twilio:?}");
    gate.open();
    world.hands.stop();
    world.finish().await
}
