//! Stories of ticket systems that ask: signed, once, and told what became of it.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};
use tapdesk_adapters::secret::Secret;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::claims::JANES_MAIL;
use tapdesk_tests::scene::{JANES_PHONE, said};
use tapdesk_tests::tickets::{NAME, SECRET, signed, ticket, ticket_setting};
use tapdesk_tests::world::World;

/// The ticket with one field changed.
fn but(field: &str, value: Value) -> Value {
    let mut ticket = ticket();
    ticket[field] = value;
    ticket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_system_asks_the_manager_approves_and_the_subject_reads_a_pass() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    let heard = world.order(&ticket()).await?;
    ensure!(heard.status == StatusCode::ACCEPTED, "{heard:?}");
    let id = heard.json()?["request"].as_str().context("no id")?.to_owned();
    ensure!(heard.json()? == json!({"request": id, "status": "accepted"}), "{}", heard.body);
    world.settle().await?;
    insta::assert_snapshot!(said(&world.newest(&world.mary)?), @"
    ServiceNow (ticket INC0012345) for Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    ServiceNow (ticket INC0012345) for Ada Agent (ada.agent@contoso.com); stated by ServiceNow, not verified here
    Reason
    lost her phone
    Ticket
    INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    tickets
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.reads(&world.mary);
    let status = world.asks(&world.mary, "status jane.doe@contoso.com").await?.join("\n");
    insta::assert_snapshot!(status, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by ServiceNow (ticket INC0012345) for Ada Agent): SMS sent 10:00 UTC to +49…12, to be opened until 10:30 UTC
    ");
    world.jane_signs_in(&code, &pin).await?;
    let notices = world.smtp.read(JANES_MAIL);
    let notice = notices.first().context("the owner got no notice")?;
    ensure!(
        notice.text.contains("ServiceNow (ticket INC0012345) for Ada Agent asked for it."),
        "{}",
        notice.text
    );
    ensure!(
        world.reads(&world.ada).is_empty(),
        "Ada is told in chat what the ticket system says that she asked"
    );
    let told = world.tickets.reads();
    let events: Vec<&str> = told.iter().filter_map(|news| news["event"].as_str()).collect();
    insta::assert_snapshot!(events.join(", "), @"checked, approved, code_sent, handed_over, over, registered");
    for news in &told {
        ensure!(news["request"] == id.as_str() && news["key"] == "INC0012345", "{news}");
        ensure!(news["ticket_number"] == "INC0012345" && news["mode"] == "enforce", "{news}");
        let text = news.to_string();
        ensure!(!text.contains("+49") && !text.contains(&code) && !text.contains(&pin), "{text}");
    }
    let last = told.last().context("nothing was told")?;
    ensure!(last["state"] == "closed" && last["outcome"] == "used", "{last}");
    ensure!(last["approved_by"] == json!(["Mary Major"]), "{last}");
    let sequences: Vec<u64> = told.iter().filter_map(|news| news["sequence"].as_u64()).collect();
    ensure!(sequences.is_sorted() && sequences.len() == told.len(), "out of order: {sequences:?}");
    ensure!(world.tickets.refused() == 0);
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let line = |what: &str| lines.iter().find(|line| line["what"] == what).with_context(|| what.to_owned());
    ensure!(line("request.received")?["facts"]["source"] == NAME);
    ensure!(line("request.checked")?["by"].is_null(), "the ledger says that somebody was seen to ask");
    ensure!(line("request.checked")?["facts"]["stated_requester"] == world.ada.person.id());
    let ledger = serde_json::to_string(&lines)?;
    ensure!(
        !ledger.contains("contoso.com") && !ledger.contains("lost her"),
        "what was said is in the ledger"
    );
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_names_nobody_asks_for_itself() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    world.orders(&but("requested_by", Value::Null)).await?;
    let card = said(&world.newest(&world.mary)?);
    ensure!(
        card.starts_with("ServiceNow (ticket INC0012345) asks for a pass for Jane Doe: approve?"),
        "{card}"
    );
    ensure!(card.contains("ServiceNow (ticket INC0012345); it names nobody who asks"), "{card}");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    world.jane_gets_her_pass(&world.code_at(JANES_PHONE)?, &world.pin_before(&world.mary)?).await?;
    ensure!(world.tickets.events().contains(&"handed_over".to_owned()));
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_one_request_however_often_and_whenever_it_comes() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    let ticket = ticket();
    let answers = join_all((0..100).map(|_| world.order(&ticket))).await;
    let answers: Vec<String> =
        answers.into_iter().map(|heard| Ok(heard?.body)).collect::<anyhow::Result<_>>()?;
    ensure!(answers.iter().all(|answer| *answer == answers[0] && answer.contains("req_")), "{answers:#?}");
    world.settle().await?;
    ensure!(world.reads(&world.mary).len() == 1, "Mary is asked more than once");
    world.advance(Duration::from_mins(30)).await?;
    let later = world.order(&ticket).await?;
    ensure!(later.status == StatusCode::ACCEPTED && later.body == answers[0], "{later:?}");
    let other = world.order(&but("reason", json!("lost her keys"))).await?;
    ensure!(other.status == StatusCode::CONFLICT, "{other:?}");
    ensure!(other.json()?["error"] == "key_used" && other.json()?["field"] == "idempotency_key", "{other:?}");
    ensure!(world.events("request.received")? == 1);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    let events = world.tickets.events();
    ensure!(events == ["checked", "denied"], "{events:?}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_caught_and_sent_again_brings_nothing_new() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    let caught = world.tickets.signs(ticket().to_string());
    let first = world.knock(&caught).await?;
    world.settle().await?;
    let again = world.knock(&caught).await?;
    ensure!(again.status == StatusCode::ACCEPTED && again.body == first.body, "{again:?}");
    world.advance(Duration::from_mins(6)).await?;
    let late = world.knock(&caught).await?;
    ensure!(late.status == StatusCode::UNAUTHORIZED, "{late:?}");
    ensure!(late.json()?["message"].as_str().is_some_and(|text| text.contains("five minutes")), "{late:?}");
    ensure!(world.events("request.received")? == 1);
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn either_secret_is_good_while_they_rotate() -> anyhow::Result<()> {
    let new = "0f5e8c31b7d2496a8e15d3c07b94f26a51c8e7d03f6b9a24";
    let mut world = World::with_tickets("", "").await?;
    let file = world.files.path().join("old-secret.toml");
    std::fs::write(&file, format!("{SECRET}\n"))?;
    world
        .restart_configured(|config| {
            for hook in config.hook.values_mut() {
                hook.secret = Some(Secret::new(new.to_owned()));
                hook.previous_secret_file = Some(file.clone());
            }
        })
        .await?;
    // The ticket system has the old one still: what it says counts, and it can check what it is told.
    world.orders(&ticket()).await?;
    ensure!(world.tickets.events() == ["checked"] && world.tickets.refused() == 0);
    world.tickets.set_secret(new);
    world.presses(&world.mary, "Deny").await?;
    ensure!(world.tickets.events() == ["denied"] && world.tickets.refused() == 0);
    world.orders(&but("idempotency_key", json!("with-the-new-one"))).await?;
    world.presses(&world.mary, "Deny").await?;
    world
        .restart_configured(|config| {
            for hook in config.hook.values_mut() {
                hook.previous_secret_file = None;
            }
        })
        .await?;
    let now = world.hands.now().as_second().to_string();
    let old = world.knock(&signed(&world.tickets.signs(ticket().to_string()), SECRET, &now)).await?;
    ensure!(old.status == StatusCode::UNAUTHORIZED, "{old:?}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_answered_with_the_field_to_mend() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    for (field, value) in [
        ("action", json!("issue")),
        ("idempotency_key", json!("")),
        ("subject", json!("Jane Doe")),
        ("reason", json!("why")),
        ("ticket_number", json!("none")),
        ("lifetime_minutes", json!("an hour")),
        ("requested_by", json!("Ada")),
        ("Subject", json!("jane.doe@contoso.com")),
    ] {
        let heard = world.order(&but(field, value)).await?;
        ensure!(heard.status == StatusCode::UNPROCESSABLE_ENTITY, "{field}: {heard:?}");
        ensure!(heard.json()?["field"] == field, "{field}: {heard:?}");
    }
    // Whether anybody has that address is looked up later, and told where the signature is checked.
    let exists = world.order(&but("idempotency_key", json!("1"))).await?;
    let mut stranger = but("subject", json!("nobody@contoso.com"));
    stranger["idempotency_key"] = json!("2");
    let stranger = world.order(&stranger).await?;
    ensure!(exists.status == stranger.status && exists.body.len() == stranger.body.len(), "{stranger:?}");
    world.settle().await?;
    let refused =
        world.tickets.reads().into_iter().find(|news| news["event"] == "refused").context("not told")?;
    ensure!(refused["reason"] == "subject_unknown" && refused["outcome"] == "refused", "{refused}");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_ask_is_told_why_where_the_ticket_is() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    for (who, expected) in [
        ("nobody@contoso.com", "requester_unknown"),
        ("jane.doe@contoso.com", "no_rule"),
        // Nobody approves what they asked for, and Jane has no other manager.
        ("mary.major@contoso.com", "nobody_can_approve"),
    ] {
        let mut ticket = but("requested_by", json!(who));
        ticket["idempotency_key"] = json!(who);
        world.orders(&ticket).await?;
        let told = world.tickets.reads();
        ensure!(
            told.len() == 1 && told[0]["event"] == "refused" && told[0]["reason"] == expected,
            "{told:#?}"
        );
        world.nobody_is_bothered()?;
    }
    // Rules for people are not for systems, and the other way round.
    let words = "No rule lets you ask for this colleague";
    world.is_refused(&world.otto, &world.jane, words).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_asks_no_more_often_than_it_may() -> anyhow::Result<()> {
    let world = World::with_tickets("requests_per_hour = 2", "").await?;
    let numbered = |number: u32| but("idempotency_key", json!(number.to_string()));
    for number in 0..2 {
        world.orders(&numbered(number)).await?;
    }
    let heard = world.order(&numbered(2)).await?;
    ensure!(
        heard.status == StatusCode::TOO_MANY_REQUESTS && heard.headers.contains_key("retry-after"),
        "{heard:?}"
    );
    ensure!(
        heard.json()?["message"].as_str().is_some_and(|text| text.contains("requests_per_hour")),
        "{heard:?}"
    );
    // What was taken in is answered as before.
    ensure!(world.order(&numbered(0)).await?.status == StatusCode::ACCEPTED);
    world.advance(Duration::from_mins(61)).await?;
    ensure!(world.order(&numbered(2)).await?.status == StatusCode::ACCEPTED);
    world.settle().await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_takes_back_what_it_asked_for_and_nothing_else() -> anyhow::Result<()> {
    let world = World::with_tickets("", "").await?;
    let id = world.orders(&ticket()).await?;
    let cancel = |id: &str| json!({"action": "cancel", "request": id});
    world.orders(&cancel(&id)).await?;
    world.hears(&world.mary, "cancelled by the requester")?;
    world.has_no_button(&world.mary)?;
    ensure!(world.tickets.events() == ["checked"], "what it did itself is told to it");
    // It may not have heard the answer.
    ensure!(world.order(&cancel(&id)).await?.status == StatusCode::ACCEPTED);
    // Ada's own request is none of its business, even if it knew the id.
    world.ada_asks_for_jane().await?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let adas = lines.iter().rfind(|line| line["what"] == "request.received").context("no request")?;
    let heard = world.order(&cancel(adas["request"].as_str().context("no id")?)).await?;
    let nothing = world.order(&cancel("req_0123456789ABCDEFGHJKMNPQRS")).await?;
    ensure!(heard.status == StatusCode::NOT_FOUND && heard.body == nothing.body, "{heard:?}");
    world.presses(&world.mary, "Approve").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_section_there_is_no_such_route() -> anyhow::Result<()> {
    let world = World::start().await?;
    let heard = world.order(&ticket()).await?;
    ensure!(heard.status == StatusCode::NOT_FOUND && heard.body.is_empty(), "{heard:?}");
    world.finish().await
}

/// The example in the README, as somebody would paste it, with the host, the secret's file and the world's time.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_the_readme_works_as_it_stands() -> anyhow::Result<()> {
    let world = World::with(ticket_setting("", "")).await?;
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```sh\nbody=").context("the README has lost its example")?;
    let (example, _) = rest.split_once("```").context("the example has no end")?;
    let secret = world.files.path().join("secret.toml");
    std::fs::write(&secret, SECRET)?;
    let script = format!("body={example}")
        .replace("https://tap.example.com/", world.base().as_str())
        .replace("/run/secrets/servicenow", &secret.display().to_string())
        .replace("$(date +%s)", &world.hands.now().as_second().to_string());
    let output = tokio::process::Command::new("bash")
        .args(["-euc", &script])
        .stdin(Stdio::null())
        .output()
        .await
        .context("the example needs bash, openssl and curl")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains(r#""status":"accepted""#), "{said}{}", String::from_utf8_lossy(&output.stderr));
    world.settle().await?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}
