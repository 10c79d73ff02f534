//! Twilio and the mail server are down, slow, busy or say no.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use serde_json::json;
use tapdesk_tests::chat::{Call, Refusal};
use tapdesk_tests::smtp::MailTrouble;
use tapdesk_tests::wire::{Gate, Trouble};
use tapdesk_tests::world::{SECURITY, Setting, World, code_in};

const JANES_PHONE: &str = "+491701234512";
const MESSAGES: &str = "Messages.json";

/// The code may also go by mail; the owner's notice then goes to the manager.
const WITH_FALLBACK: &str = r#"
[policy]
[[policy.rule]]
name = "helpdesk for staff"
requester = "group:{helpdesk}"
subject = "anyone"
approvals = ["manager | group:{oncall}"]
lifetime = "1h"
ticket = ["sms", "email"]
pin = ["approver"]
notice = ["email", "manager"]
contacts = ["phone-methods", "otherMails"]
"#;

fn twilio_says(status: StatusCode, code: u32) -> Trouble {
    let body = json!({"code": code, "message": "no", "more_info": "", "status": status.as_u16()});
    Trouble::Answer(status, vec![("content-type", "application/json".to_owned())], body.to_string())
}

async fn approved() -> anyhow::Result<World> {
    let world = World::impatient().await?;
    world.ada_asks_for_jane().await?;
    Ok(world)
}

async fn claims_with_the_code_that_came(world: &World) -> anyhow::Result<()> {
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&code, &pin).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_that_twilio_did_not_take_is_sent_again_with_another_code() -> anyhow::Result<()> {
    for trouble in [
        twilio_says(StatusCode::SERVICE_UNAVAILABLE, 20503),
        twilio_says(StatusCode::INTERNAL_SERVER_ERROR, 20500),
        Trouble::DropRequest,
    ] {
        let world = approved().await?;
        world.twilio.wire.trouble(MESSAGES, 3, trouble);
        world.presses(&world.mary, "Approve").await?;
        ensure!(world.texts() == 0);
        world.advance(Duration::from_secs(30)).await?;
        ensure!(world.texts() == 1, "{} text messages", world.texts());
        ensure!(world.ledger_says("event", "ticket.code.minted")? == 4, "each try needs a code of its own");
        let bodies: Vec<String> =
            world.twilio.wire.seen().into_iter().map(|call| text_of(&call.body)).collect();
        let mut codes: Vec<String> = bodies.iter().filter_map(|body| code_in(body)).collect();
        codes.sort();
        codes.dedup();
        ensure!(codes.len() == 4, "{} different codes in four tries", codes.len());
        claims_with_the_code_that_came(&world).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_whose_answer_was_lost_is_sent_again_and_only_the_newer_code_works()
-> anyhow::Result<()> {
    let gate = Gate::closed();
    for trouble in [Trouble::DropAnswer, Trouble::HoldAnswer(gate.clone())] {
        let world = approved().await?;
        world.twilio.wire.trouble(MESSAGES, 1, trouble);
        world.presses(&world.mary, "Approve").await?;
        let first = world.code_at(JANES_PHONE)?;
        world.advance(Duration::from_secs(10)).await?;
        let second = world.code_at(JANES_PHONE)?;
        ensure!(first != second, "the same code was sent twice");
        world.presses(&world.mary, "Show PIN").await?;
        let pin = world.pin_before(&world.mary)?;
        world.claim_gets(&world.browser(), &first, &pin, "unknown").await?;
        world.jane_gets_her_pass(&second, &pin).await?;
        world.finish_unread().await?;
    }
    gate.open();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_asks_for_patience_and_gets_exactly_that() -> anyhow::Result<()> {
    let world = approved().await?;
    world.twilio.limit(1, 40);
    world.presses(&world.mary, "Approve").await?;
    world.advance(Duration::from_secs(39)).await?;
    ensure!(world.twilio.wire.seen().len() == 1, "Twilio was asked again too early");
    world.advance(Duration::from_secs(1)).await?;
    ensure!(world.texts() == 1);
    claims_with_the_code_that_came(&world).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_end_the_request_and_are_explained_in_the_log() -> anyhow::Result<()> {
    let world = approved().await?;
    world.twilio.wire.trouble(MESSAGES, 1, twilio_says(StatusCode::UNAUTHORIZED, 20003));
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "could not be delivered")?;
    world.log_tells("Twilio refused the credentials (20003)")?;
    ensure!(world.twilio.wire.seen().len() == 1, "refused credentials were tried again");
    ensure!(world.card(&world.mary, "Show PIN").is_err(), "Mary is still asked to show a PIN");

    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    claims_with_the_code_that_came(&world).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_takes_no_messages_is_followed_by_the_next_route_of_the_rule() -> anyhow::Result<()> {
    let world = World::with(Setting { policy: WITH_FALLBACK.to_owned(), ..Setting::default() }).await?;
    world.jane.person.other_mail("jane@home.example");
    world.twilio.is_landline(JANES_PHONE);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let mails = world.smtp.read("jane@home.example");
    let code = mails.iter().find_map(|mail| code_in(&mail.text));
    let code = code.ok_or_else(|| anyhow::anyhow!("no mail brought a code: {mails:?}"))?;
    world.jane_gets_her_pass(&code, &world.pin_before(&world.mary)?).await?;
    world.hears(&world.mary, "A sign-in pass was made for Jane Doe")?;
    ensure!(world.smtp.unread().is_empty(), "the owner's notice went by the code's route");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_that_stays_down_until_the_ticket_runs_out_grants_nothing() -> anyhow::Result<()> {
    let world = approved().await?;
    world.twilio.wire.trouble(MESSAGES, usize::MAX, twilio_says(StatusCode::SERVICE_UNAVAILABLE, 20503));
    world.presses(&world.mary, "Approve").await?;
    world.advance(Duration::from_mins(31)).await?;
    world.hears(&world.ada, "in time")?;
    let tries = world.twilio.wire.seen().len();
    world.twilio.wire.heal();
    world.advance(Duration::from_mins(5)).await?;
    ensure!(world.twilio.wire.seen().len() == tries, "a code was sent for a request that is over");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_does_not_get_through_comes_later() -> anyhow::Result<()> {
    for trouble in [MailTrouble::DropAtOnce, MailTrouble::Refuse(451, "try again later".to_owned())] {
        let world = World::start().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        world.smtp.trouble(trouble.clone());
        world.jane_gets_her_pass(&code, &pin).await?;
        world.advance(Duration::from_secs(50)).await?;
        ensure!(world.smtp.sent().is_empty());
        world.smtp.heal();
        world.advance(Duration::from_secs(10)).await?;
        world.mail_says("jane.doe@contoso.com", "was made for your account")?;
        world.finish_unread().await?;

        let world = World::start().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        let wrong = if pin == "00000000" { "00000001" } else { "00000000" };
        world.smtp.trouble(trouble);
        for _ in 0..5 {
            world.browser().claim(&code, wrong).await?;
        }
        world.advance(Duration::from_secs(50)).await?;
        world.hears(&world.ada, "is locked")?;
        world.smtp.heal();
        world.advance(Duration::from_secs(10)).await?;
        world.mail_says(SECURITY, "is locked")?;
        ensure!(world.creates() == 0);
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_gets_the_mail_even_where_the_manager_was_told_first() -> anyhow::Result<()> {
    let policy = tapdesk_tests::world::USUAL_POLICY
        .replace(r#"notice = ["email", "manager"]"#, r#"notice = ["manager", "email"]"#);
    let world = World::with(Setting { policy, ..Setting::default() }).await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.smtp.trouble(MailTrouble::DropAtOnce);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.smtp.heal();
    world.advance(Duration::from_secs(10)).await?;
    world.mail_says("jane.doe@contoso.com", "was made for your account")?;
    let told = world.reads(&world.mary);
    let told = told.iter().filter(|text| text.contains("A sign-in pass was made")).count();
    ensure!(told == 1, "Mary was told {told} times");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_any_mailbox_is_reported_to_security_once_mail_works() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane.person.without_mail();
    world.chat.refuses(Call::Say, usize::MAX, Refusal::ClosedDoor);
    world.smtp.trouble(MailTrouble::DropAtOnce);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.advance(Duration::from_secs(30)).await?;
    world.smtp.heal();
    world.advance(Duration::from_secs(10)).await?;
    world.mail_says(SECURITY, "an account's owner could not be told")?;
    world.finish_unread().await
}

fn text_of(form: &[u8]) -> String {
    let fields = url::form_urlencoded::parse(form);
    fields.into_owned().find(|(name, _)| name == "Body").map(|(_, text)| text).unwrap_or_default()
}
