//! What proves tapdesk to Entra: each way of it, renewed while tapdesk runs, and refused with what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tapdesk::system::SystemClock;
use tapdesk_core::ports::Clock as _;
use tapdesk_tests::entra::{EVERY_PROOF, Pair, Proof, SUBJECT};
use tapdesk_tests::process::{Process, run};
use tapdesk_tests::wire::{Exchange, Trouble};
use tapdesk_tests::world::{Setting, World};

const DID_NOT_ANSWER: &str = "did not answer as it should";
const WITH_APPROVERS: &str = "is with its approvers";
const METADATA: &str = "/metadata/identity/oauth2/token";

/// A refusal: status, AADSTS code, and what the log says to do.
type Refused = (u16, u32, &'static str);

async fn world_with(proof: Proof) -> anyhow::Result<World> {
    World::with(Setting { proof, ..Setting::default() }).await
}

/// Ada asks for Jane, for which a new token is needed; Mary denies it.
async fn asks_with_a_new_token(world: &World) -> anyhow::Result<()> {
    world.entra.revoke_tokens();
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    Ok(())
}

/// Ada asks in vain, and the log says what to do.
async fn asks_in_vain(world: &World, told: &str) -> anyhow::Result<()> {
    world.entra.revoke_tokens();
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, DID_NOT_ANSWER).with_context(|| told.to_owned())?;
    world.log_tells(told)
}

/// Whether the log says that about one of the files of this world.
fn warns(world: &World, told: &str) -> anyhow::Result<()> {
    let (log, place) = (world.logged(), world.proofs.path("").display().to_string());
    ensure!(log.lines().any(|line| line.contains(told) && line.contains(&place)), "no warning: {told}");
    Ok(())
}

/// The fields of a form.
fn form(exchange: &Exchange) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&exchange.body).into_owned().collect()
}

fn last_request(world: &World) -> anyhow::Result<BTreeMap<String, String>> {
    world.entra.wire.last("/token").map(|exchange| form(&exchange)).context("no token was asked for")
}

/// Which certificate the latest assertion names.
fn named(world: &World) -> anyhow::Result<String> {
    let form = last_request(world)?;
    let header =
        form.get("client_assertion").and_then(|text| text.split('.').next()).context("no assertion")?;
    let header: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header)?)?;
    Ok(header["x5t#S256"].as_str().context("no thumbprint")?.to_owned())
}

fn denied(status: u16, code: u32) -> anyhow::Result<Trouble> {
    let body = json!({
        "error": "invalid_client", "error_description": format!("AADSTS{code}: no."), "error_codes": [code],
        "timestamp": "2026-11-23 10:00:00Z", "trace_id": "trace-1", "correlation_id": "correlation-1",
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("date", "Mon, 23 Nov 2026 09:40:00 GMT".to_owned()),
    ];
    Ok(Trouble::Answer(StatusCode::from_u16(status)?, headers, body.to_string()))
}

fn stumbles(status: StatusCode, retry_after: Option<&str>) -> Trouble {
    let headers = retry_after.map(|seconds| ("retry-after", seconds.to_owned())).into_iter().collect();
    Trouble::Answer(status, headers, String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn jane_gets_her_pass_whatever_proves_tapdesk() -> anyhow::Result<()> {
    for proof in EVERY_PROOF {
        let world = world_with(proof).await?;
        let (code, pin) = world.ticket_for_jane().await?;
        // The claim asks again, and what was used before is worth nothing.
        world.entra.revoke_tokens();
        world.jane_gets_her_pass(&code, &pin).await.with_context(|| format!("{proof:?}"))?;
        let (asked, machine) = (world.entra.wire.seen(), world.entra.machine.wire.seen());
        let fields: &[&str] = match proof {
            Proof::Secret | Proof::SecretFile => &["client_id", "client_secret", "grant_type", "scope"],
            Proof::Certificate | Proof::Federated => {
                &["client_assertion", "client_assertion_type", "client_id", "grant_type", "scope"]
            }
            Proof::Machine | Proof::Assigned => &[],
        };
        if fields.is_empty() {
            ensure!(asked.is_empty() && machine.len() == 2, "{proof:?}: {machine:#?}");
            let assigned = format!("&client_id={}", world.entra.client_id);
            for exchange in &machine {
                ensure!(exchange.header("metadata") == "true", "{exchange:?}");
                let is_as_wanted = exchange.target.contains(&assigned) == (proof == Proof::Assigned);
                ensure!(is_as_wanted, "{proof:?}: {}", exchange.target);
            }
        } else {
            ensure!(machine.is_empty() && asked.len() == 2, "{proof:?}: {asked:#?}");
            for exchange in &asked {
                let sent = form(exchange);
                ensure!(sent.keys().eq(fields.iter().copied()), "{proof:?}: {:?}", sent.keys());
            }
        }
        world.finish_unread().await.with_context(|| format!("{proof:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_while_tapdesk_runs_and_a_bad_one_is_left_alone() -> anyhow::Result<()> {
    let world = world_with(Proof::Certificate).await?;
    let (old, new) = (Pair::lasting(0)?, Pair::lasting(1)?);
    asks_with_a_new_token(&world).await?;
    let first = named(&world)?;
    world.entra.upload(new.clone());

    // Somebody writes the two files one after the other.
    world.proofs.write("certificate.pem", &new.certificate)?;
    asks_with_a_new_token(&world).await?;
    ensure!(named(&world)? == first, "a certificate without its key was used");
    warns(&world, "is not the key of the certificate in certificate_file")?;
    world.proofs.write("key.pem", &new.key)?;
    asks_with_a_new_token(&world).await?;
    ensure!(named(&world)? == new.thumbprint(), "the new certificate is not used");
    warns(&world, "graph.certificate_file was renewed")?;

    let over = Pair::new(0, "2024-01-01".parse()?, "2025-06-30".parse()?)?;
    for (certificate, key, told) in [
        (over.certificate.as_str(), old.key.as_str(), "the certificate expired on 2025-06-30"),
        ("", &new.key, "holds no certificate in PEM"),
        (&new.certificate, "-----BEGIN ENCRYPTED PRIVATE KEY-----", "is protected by a password"),
    ] {
        world.proofs.write("certificate.pem", certificate)?;
        world.proofs.write("key.pem", key)?;
        asks_with_a_new_token(&world).await?;
        ensure!(named(&world)? == new.thumbprint(), "{told}");
        warns(&world, told)?;
    }
    std::fs::remove_file(world.proofs.path("key.pem"))?;
    asks_with_a_new_token(&world).await?;
    warns(&world, "graph.key_file")?;
    warns(&world, "cannot be read")?;
    world.proofs.keep_pair(&new)?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_is_warned_of_and_then_not_even_shown_to_entra() -> anyhow::Result<()> {
    let world = world_with(Proof::Certificate).await?;
    let short = Pair::new(1, "2026-11-01".parse()?, "2026-12-01".parse()?)?;
    world.entra.upload(short.clone());
    world.proofs.keep_pair(&short)?;
    asks_with_a_new_token(&world).await?;
    let warning = "expires on 2026-12-01, in 7 days: upload a new one and replace the files";
    ensure!(world.logged().contains(warning), "the end of the certificate is not warned of");
    world.advance(Duration::from_hours(24 * 8)).await?;
    let asked = world.entra.token_requests();
    asks_in_vain(&world, "certificate_file: the certificate expired on 2026-12-01: make a new one").await?;
    ensure!(world.entra.token_requests() == asked, "Entra was shown a certificate that is over");
    // Whoever replaces the files need do nothing else.
    world.proofs.keep_pair(&Pair::lasting(0)?)?;
    asks_with_a_new_token(&world).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_file_is_renewed_while_tapdesk_runs() -> anyhow::Result<()> {
    let world = world_with(Proof::SecretFile).await?;
    asks_with_a_new_token(&world).await?;
    world.proofs.write("secret", "\n")?;
    asks_with_a_new_token(&world).await?;
    warns(&world, "graph.client_secret_file")?;
    warns(&world, "is empty")?;
    let new = world.entra.rotate_secret();
    asks_in_vain(&world, "the client secret is wrong").await?;
    world.proofs.write("secret", &format!("{new}\r\n"))?;
    asks_with_a_new_token(&world).await?;
    ensure!(last_request(&world)?.get("client_secret") == Some(&new));
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_token_is_read_anew_before_each_use() -> anyhow::Result<()> {
    let world = world_with(Proof::Federated).await?;
    asks_with_a_new_token(&world).await?;
    let first = last_request(&world)?;
    world.advance(Duration::from_mins(50)).await?;
    world.proofs.renew_token(world.hands.now())?;
    world.advance(Duration::from_mins(50)).await?;
    asks_with_a_new_token(&world).await?;
    ensure!(last_request(&world)?["client_assertion"] != first["client_assertion"], "the old token was sent");

    world.proofs.write("token", "<html>not today</html>")?;
    asks_with_a_new_token(&world).await?;
    warns(&world, "holds no token")?;
    // Whoever renews the file has stopped.
    world.advance(Duration::from_hours(1)).await?;
    asks_in_vain(&world, "whoever renews the file has to be running").await?;
    world.proofs.renew_token(world.hands.now())?;
    asks_with_a_new_token(&world).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_trust_in_an_issuer_may_take_minutes_and_a_missing_one_is_named() -> anyhow::Result<()> {
    let world = world_with(Proof::Federated).await?;
    world.entra.forget_issuers();
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(3)).await?;
    world.entra.trust(&world.proofs.issuer, SUBJECT);
    world.advance(Duration::from_mins(2)).await?;
    world.hears(&world.ada, WITH_APPROVERS)?;
    world.presses(&world.mary, "Deny").await?;

    // Another subject than the cluster gives.
    world.entra.forget_issuers();
    world.entra.trust(&world.proofs.issuer, "system:serviceaccount:tapdesk:Tapdesk");
    world.entra.revoke_tokens();
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(15)).await?;
    world.hears(&world.ada, DID_NOT_ANSWER)?;
    world.proofs.renew_token(world.hands.now())?;
    asks_in_vain(&world, "compare issuer, subject and audience, letter by letter").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_refusal_says_what_to_do() -> anyhow::Result<()> {
    let of_the_app = [
        (400, 700_016, "the tenant has no app with this client_id: check client_id and tenant_id"),
        (400, 90_002, "there is no such tenant in this cloud: check tenant_id and cloud"),
        (400, 90_038, "the tenant lives in another national cloud: check cloud"),
        (400, 900_382, "the tenant lives in another national cloud: check cloud"),
        (401, 7_000_112, "the Entra app is disabled: enable it under enterprise applications"),
        (400, 530_032, "Conditional Access for workload identities blocks the app"),
        (400, 70_011, "Entra refuses the scope: check cloud and base_url"),
        (400, 4_711, "https://login.microsoftonline.com/error?code=4711"),
    ];
    let of_the_proof: [(Proof, &[Refused]); 3] = [
        (
            Proof::SecretFile,
            &[
                (401, 7_000_215, "client_secret_file has to hold the secret's value, not its id"),
                (401, 7_000_222, "expired: make a new one and update client_secret_file"),
            ],
        ),
        (
            Proof::Certificate,
            &[
                (401, 700_027, "upload certificate_file to the Entra app, under Certificates & secrets"),
                (401, 50_012, "upload certificate_file to the Entra app, under Certificates & secrets"),
                (401, 1_000_502, "upload a new one and replace certificate_file and key_file"),
                (
                    401,
                    500_133,
                    "set this machine's clock right (it is 2026-11-23T10:00:00Z here, and 2026-11-23T09:40:00Z at Entra)",
                ),
            ],
        ),
        (
            Proof::Federated,
            &[
                (401, 700_027, "its issuer has to publish the key that it signs with"),
                (401, 500_133, "whoever renews the file has to be running"),
                (401, 700_229, "its issuer has to give one for the workload alone"),
            ],
        ),
    ];
    for (proof, refusals) in of_the_proof {
        let world = world_with(proof).await?;
        for (status, code, told) in of_the_app.iter().chain(refusals) {
            world.entra.wire.trouble("/token", usize::MAX, denied(*status, *code)?);
            let before = world.entra.token_requests();
            asks_in_vain(&world, told).await?;
            // An assertion out of time is made anew once; nothing else would change by being asked again.
            let asked = world.entra.token_requests() - before;
            ensure!(asked == if *code == 500_133 { 2 } else { 1 }, "{code}: asked {asked} times");
            let call = world.entra.wire.last("/token").context("no token was asked for")?;
            world.log_of_call_tells(&call, &format!("AADSTS{code}"))?;
            world.entra.wire.heal();
        }
        ensure!(world.graph.wire.seen().is_empty(), "Graph was asked without a token");
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_uploaded_and_an_identity_that_is_gone_are_named() -> anyhow::Result<()> {
    let world = world_with(Proof::Certificate).await?;
    world.entra.forget_certificates();
    asks_in_vain(&world, "upload certificate_file to the Entra app").await?;
    world.entra.upload(Pair::lasting(0)?);
    asks_with_a_new_token(&world).await?;
    world.finish_unread().await?;

    let world = world_with(Proof::Assigned).await?;
    world.entra.machine.unassign();
    asks_in_vain(&world, "this machine has no such managed identity: assign one to it").await?;
    ensure!(world.entra.token_requests() == 1, "a refusal was repeated");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_identity_service_stumbles_is_asked_again() -> anyhow::Result<()> {
    let world = world_with(Proof::Machine).await?;
    for status in [404, 408, 429, 500, 502, 503, 504] {
        let before = world.entra.token_requests();
        world.entra.machine.wire.trouble(METADATA, 3, stumbles(StatusCode::from_u16(status)?, None));
        asks_with_a_new_token(&world).await.with_context(|| status.to_string())?;
        ensure!(world.entra.token_requests() == before + 4, "{status}");
    }
    // Longer than one call wants to wait: the request waits, and nobody is told anything wrong.
    world.entra.machine.wire.trouble(METADATA, 6, stumbles(StatusCode::INTERNAL_SERVER_ERROR, None));
    world.entra.revoke_tokens();
    let before = world.entra.token_requests();
    world.ada_asks_for_jane().await?;
    ensure!(world.entra.token_requests() == before + 4, "more than three repeats in one call");
    world.advance(Duration::from_mins(1)).await?;
    world.presses(&world.mary, "Deny").await?;
    world.does_not_hear(&world.ada, DID_NOT_ANSWER)?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_wants_to_be_left_alone_is_asked_by_nobody() -> anyhow::Result<()> {
    for (trouble, seconds) in [
        (stumbles(StatusCode::GONE, None), 70),
        (stumbles(StatusCode::GONE, Some("5")), 70),
        (stumbles(StatusCode::TOO_MANY_REQUESTS, Some("40")), 40),
    ] {
        let world = world_with(Proof::Machine).await?;
        world.entra.machine.wire.trouble(METADATA, 1, trouble);
        world.ada_asks_for_jane().await?;
        world.advance(Duration::from_secs(seconds - 30)).await?;
        let text = format!("for {} lost the phone", world.otto.account.mention());
        world.types(&world.ada, &text).await;
        world.settle().await?;
        world.advance(Duration::from_secs(29)).await?;
        ensure!(world.entra.token_requests() == 1, "asked again before {seconds} s were over");
        world.advance(Duration::from_mins(1)).await?;
        ensure!(world.entra.token_requests() == 2, "{} token requests", world.entra.token_requests());
        world.hears(&world.ada, WITH_APPROVERS)?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_tenant_is_refused_whoever_gives_it() -> anyhow::Result<()> {
    for proof in [Proof::Certificate, Proof::Federated, Proof::Machine] {
        let world = world_with(proof).await?;
        world.entra.answer_for_tenant("8d2a6b5c-3f0e-4a55-9d2b-000000000000");
        asks_in_vain(&world, "the token is for another tenant than tenant_id").await?;
        ensure!(world.graph.wire.seen().is_empty(), "another tenant's token was shown to Graph");
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_announces_in_the_environment_is_used_where_it_was_asked_for() -> anyhow::Result<()>
{
    // App Service, Functions and Container Apps.
    let world = World::without_tapdesk(Setting { proof: Proof::Machine, ..Setting::default() }).await?;
    let (endpoint, header) = (world.entra.machine.app_service()?, world.entra.machine.header.clone());
    let announced = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", &header)];
    let process = world.start_process_in("trace", &announced).await?;
    let text = format!("for {} lost her phone, INC0012345", world.jane.account.mention());
    world.types(&world.ada, &text).await;
    world.graph.wire.arrived("GET /v1.0/users", 1).await;
    let asked = world.entra.machine.wire.seen();
    ensure!(
        asked.len() == 1 && asked[0].target.starts_with("/msi/token?api-version=2019-08-01"),
        "{asked:#?}"
    );
    ensure!(!process.logged().contains(&header), "the identity header is in the log");
    process.kill().await?;
    world.finish_unread().await?;

    // A cluster that mounts a token.
    let world = World::without_tapdesk(Setting { proof: Proof::Federated, ..Setting::default() }).await?;
    let (token, named) = (world.proofs.path("token"), world.proofs.path("token").display().to_string());
    let asks = |text: String| text.replace(&format!("\"{named}\""), "true");
    let config = world.write_config(asks)?;
    let ended = run(&config, &["serve"]).await?;
    let missing = "federated_token_file = true, and AZURE_FEDERATED_TOKEN_FILE is not set";
    ensure!(ended.code == Some(1) && ended.err.contains(missing), "{ended:?}");
    let process = Process::start_in(&config, "info", &[("AZURE_FEDERATED_TOKEN_FILE", &named)]).await?;
    ensure!(
        process.logged().contains("proves itself to Entra with a federated token"),
        "{}",
        process.logged()
    );
    ensure!(token.exists(), "the token is still the administrator's");
    process.kill().await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_is_said_by_check_config_and_at_the_start() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting { proof: Proof::Certificate, ..Setting::default() }).await?;
    let config = world.write_config(|text| text)?;
    let checked = run(&config, &["check-config"]).await?;
    ensure!(checked.code == Some(0) && !checked.out.contains("warning"), "{checked:?}");

    let now = SystemClock.now();
    let day = |days: i64| (now + jiff::SignedDuration::from_hours(24 * days)).to_zoned(TimeZone::UTC).date();
    world.proofs.keep_pair(&Pair::new(0, day(-300), day(10))?)?;
    let soon = run(&config, &["check-config"]).await?;
    let warning = "warning: the certificate of the Entra app expires on ";
    ensure!(soon.code == Some(0) && soon.out.contains(warning), "{soon:?}");

    world.proofs.keep_pair(&Pair::new(0, day(-300), day(-2))?)?;
    for command in ["check-config", "serve"] {
        let over = run(&config, &[command]).await?;
        ensure!(over.code == Some(1), "{command}: {over:?}");
        for part in [
            "graph.certificate_file",
            "certificate.pem",
            "the certificate expired on",
            "upload it to the Entra app",
        ] {
            ensure!(over.err.contains(part), "{command}: {over:?}");
        }
    }
    // On another machine the files need not be there.
    std::fs::remove_file(world.proofs.path("key.pem"))?;
    let elsewhere = run(&config, &["check-config"]).await?;
    ensure!(elsewhere.code == Some(0) && elsewhere.out.contains("warning: graph.key_file"), "{elsewhere:?}");
    world.proofs.keep_pair(&Pair::lasting(0)?)?;
    world.finish_unread().await
}
