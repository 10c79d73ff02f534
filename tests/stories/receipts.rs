//! What follows from what Twilio reports of a message?

use std::time::Duration;

use anyhow::ensure;
use reqwest::StatusCode;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::world::World;

/// By text message, and if that fails by mail to a private address.
const TWO_ROUTES: &str = r#"ticket = ["sms", "email"]
contacts = ["phone-methods", "otherMails"]"#;
const PRIVATE: &str = "jane@home.example";

/// Progress and generation of every report in the ledger.
fn reports(world: &World) -> anyhow::Result<Vec<(String, String)>> {
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let fact =
        |line: &serde_json::Value, key: &str| line["facts"][key].as_str().unwrap_or_default().to_owned();
    let of_code = lines.iter().filter(|line| line["what"] == "ticket.code.delivery");
    Ok(of_code.map(|line| (fact(line, "progress"), fact(line, "generation"))).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_count_forward_whatever_order_they_come_in_and_however_often() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.everybody_reads();
    let sms = world.newest_sms(JANES_PHONE)?;
    world
        .twilio_reports(
            &sms,
            &["sent", "queued", "sent", "delivered", "sent", "queued", "undelivered", "delivered"],
        )
        .await?;
    let known = reports(&world)?;
    ensure!(known == [("sent".into(), "1".into()), ("delivered".into(), "1".into())], "{known:?}");
    world.nobody_is_bothered()?;
    // The number is in what Twilio sends, and nowhere in what is kept or logged of it.
    ensure!(!world.logged().contains("701234512"), "the number was logged");
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_did_not_arrive_is_followed_by_one_on_the_next_route() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[TWO_ROUTES])).await?;
    world.jane.person.other_mail(PRIVATE);
    let (old_code, pin) = world.ticket_for_jane().await?;
    let sms = world.newest_sms(JANES_PHONE)?;
    world.twilio_reports(&sms, &["sent", "undelivered"]).await?;
    let heard: Vec<String> = world.reads(&world.ada).iter().map(|text| said(text)).collect();
    insta::assert_snapshot!(heard.join("\n\n"), @"
    The code for Jane Doe did not reach +49…12 (sms).
    I send a new one by the next way that the rule allows; the old one is void. You will hear where to.

    The code for Jane Doe went to j…@home.example (email).
    Mary Major now calls them and tells them the PIN.
    ");

    // The PIN that Mary told stays; the old code is void.
    let mail = world.smtp.read(PRIVATE);
    ensure!(mail.len() == 1, "{mail:?}");
    let code = tapdesk_tests::world::code_in(&mail[0].text).expect("the mail holds a code");
    ensure!(world.browser().status(&old_code).await?.state() == "unknown");
    // A late report on the old message changes nothing.
    world.twilio_reports(&sms, &["delivered", "undelivered"]).await?;
    world.nobody_is_bothered()?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_did_not_arrive_and_has_no_other_way_is_told_with_what_to_do() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let sms = world.newest_sms(JANES_PHONE)?;
    world.twilio_reports(&sms, &["undelivered", "undelivered"]).await?;
    let heard: Vec<String> = world.reads(&world.ada).iter().map(|text| said(text)).collect();
    insta::assert_snapshot!(heard.join("\n\n"), @"
    The code for Jane Doe did not reach +49…12 (sms).
    Ask them whether that phone is theirs, switched on and reachable. If it is, send a new code with resend; if not, have the contact on file mended and ask again.
    ");
    ensure!(world.twilio.sent().len() == 1, "a second message went out");
    // It arrives after all, once the phone is on again.
    world.twilio_reports(&sms, &["delivered"]).await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_a_code_that_was_proved_changes_nothing() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[TWO_ROUTES])).await?;
    world.jane.person.other_mail(PRIVATE);
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    world.twilio_reports(&world.newest_sms(JANES_PHONE)?, &["failed"]).await?;
    world.nobody_is_bothered()?;
    ensure!(world.smtp.read(PRIVATE).is_empty());
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_accounts_token_no_reports_are_asked_for_or_taken() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let report = world.report_on(&world.newest_sms(JANES_PHONE)?, "delivered")?;
    world
        .restart_configured(|config| {
            if let Some(sms) = &mut config.courier.sms {
                sms.auth_token = None;
            }
        })
        .await?;
    let heard = world.knock(&report).await?;
    ensure!(heard.status == StatusCode::NOT_FOUND, "{heard:?}");
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let sms = world.newest_sms(JANES_PHONE)?;
    ensure!(!sms.parameters.contains_key("StatusCallback"), "{sms:?}");
    ensure!(reports(&world)?.is_empty());
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}
