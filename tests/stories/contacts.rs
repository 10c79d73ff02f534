//! Where may a code go, and what happens when it cannot?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_tests::graph::AppRole;
use tapdesk_tests::people::PhoneType;
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::smtp::MailTrouble;
use tapdesk_tests::world::{SECURITY, World, code_in, pin_in};

const HOME: &str = "jane@home.example";
const OTHER_PHONE: &str = "+491709999999";
const NO_PHONE: &str = "Entra has no contact on file for them that sms could reach";
/// A rule whose code goes by text message, and by mail where that fails.
const SMS_THEN_MAIL: &str = "ticket = [\"sms\", \"email\"]\ncontacts = [\"phone-methods\", \"otherMails\"]";

#[tokio::test(flavor = "multi_thread")]
async fn without_a_phone_on_file_nobody_is_bothered() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.without_phones();
    world.is_refused(&world.ada, &world.jane, NO_PHONE).await?;

    // Profile attributes are not what Entra guards, and a number in the reason is nobody's contact.
    world.jane.person.mobile_phone(JANES_PHONE).other_mail(HOME);
    world.is_refused(&world.ada, &world.jane, NO_PHONE).await?;
    let text = format!("for jane.doe@contoso.com call her at {OTHER_PHONE}");
    world.is_turned_away(&world.ada, &text, NO_PHONE).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_nobody_can_dial_is_no_contact() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.without_phones().mobile("+49 (0)170 1234512");
    world.is_refused(&world.ada, &world.jane, "cannot go on").await?;

    // The mobile phone is used even where the office phone was registered first.
    world.jane.person.without_phones().phone(PhoneType::Office, "+493012345678").mobile(JANES_PHONE);
    world.ticket_for_jane().await?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_numbers_are_said_to_be_masked() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.withhold("UserAuthMethod-Phone.Read.All");
    world.graph.app_role(AppRole::AuthenticationAdministrator);
    let words = "Entra shows tapdesk only masked phone numbers. Your Entra administrator has to grant \
                 UserAuthMethod-Phone.Read.All.";
    world.is_refused(&world.ada, &world.jane, words).await?;

    // Without any right Graph says no, and a look-up that fails refuses.
    world.graph.app_role(AppRole::None);
    world.is_refused(&world.ada, &world.jane, "did not answer as it should").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_attributes_count_only_where_the_rule_names_them() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"contacts = ["phone-methods", "mobilePhone"]"#])).await?;
    world.jane.person.without_phones().mobile_phone("+49 170 9999999");
    world.ada_asks_for_jane().await?;
    ensure!(world.card(&world.mary, "Approve")?.visible_text().contains("Code goes to\n+49…99 (sms)"));
    world.presses(&world.mary, "Approve").await?;
    world.code_at(OTHER_PHONE)?;
    world.advance(Duration::from_hours(1)).await?;

    // What Entra guards goes first.
    world.jane.person.mobile(JANES_PHONE);
    world.ada_asks_for_jane().await?;
    ensure!(world.card(&world.mary, "Approve")?.visible_text().contains("Code goes to\n+49…12 (sms)"));
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_never_goes_to_the_mailbox_that_a_locked_out_person_cannot_open() -> anyhow::Result<()> {
    let rule = "ticket = [\"email\"]\ncontacts = [\"otherMails\"]\nnotice = [\"email\", \"manager\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    world.is_refused(&world.ada, &world.jane, "no contact on file for them that email could reach").await?;

    world.jane.person.other_mail(HOME);
    world.ada_asks_for_jane().await?;
    ensure!(
        world.card(&world.mary, "Approve")?.visible_text().contains("Code goes to\nj…@home.example (email)")
    );
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let mails = world.smtp.read(HOME);
    let code = mails.last().and_then(|mail| code_in(&mail.text)).context("no code came by mail")?;
    world.browser().claims_and_sees(&code, &world.pin_before(&world.mary)?).await?;
    world.settle().await?;
    // The code's route does not carry the notice, whatever the address: the manager does.
    ensure!(world.smtp.unread().is_empty(), "a mail was sent");
    world.hears(&world.mary, "A sign-in pass was made for Jane Doe")?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_changes_between_submit_and_sending_stops_everything() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    world.jane.person.mobile(OTHER_PHONE);
    world.presses(&world.mary, "Approve").await?;

    ensure!(world.twilio.sent().is_empty(), "a code went out");
    world.hears(&world.ada, "The contact on file changed after this was asked.")?;
    for approver in [&world.mary, &world.otto] {
        world.hears(approver, "Pass for Jane Doe: approved by Mary Major, then refused")?;
        world.has_no_button(approver)?;
    }
    let mails = world.smtp.read(SECURITY);
    ensure!(mails.len() == 1, "security got {} mails", mails.len());
    for part in ["The contact on file changed", "jane.doe@contoso.com", "ada.agent@contoso.com"] {
        ensure!(mails[0].text.contains(part), "{part} is missing: {}", mails[0].text);
    }
    ensure!(!mails[0].raw.contains(OTHER_PHONE) && !mails[0].raw.contains(JANES_PHONE));

    // A fresh request shows the new contact to the approvers.
    world.ada_asks_for_jane().await?;
    ensure!(world.card(&world.mary, "Approve")?.visible_text().contains("+49…99"));
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_taken_off_the_file_stops_everything_too() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.jane.person.without_phones();
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "The contact on file changed after this was asked.")?;
    ensure!(world.smtp.read(SECURITY).len() == 1);
    ensure!(world.twilio.sent().is_empty(), "a code went out");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_changes_between_sending_and_claiming_stops_everything() -> anyhow::Result<()> {
    for (shown, change) in [
        (false, (|world| drop(world.jane.person.mobile(OTHER_PHONE))) as fn(&World)),
        (false, |world| drop(world.jane.person.without_phones())),
        // The same browser comes again for a pass that it lost.
        (true, |world| drop(world.jane.person.mobile(OTHER_PHONE))),
    ] {
        let world = World::start().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        let browser = world.browser();
        if shown {
            browser.claim(&code, &pin).await?.passcode()?;
            world.settle().await?;
        }
        change(&world);
        let answer = browser.claim(&code, &pin).await?;
        ensure!(answer.state() == "refused", "{answer:?}");
        world.settle().await?;
        world.hears(&world.ada, "The contact on file changed after this was asked.")?;
        ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "a pass lives");
        ensure!(world.passes_asked_for() == usize::from(shown), "Graph was asked for a pass");
        let mails = world.smtp.read(SECURITY);
        ensure!(mails.len() == 1, "security got {} mails", mails.len());
        ensure!(mails[0].text.contains("The contact on file changed"), "{}", mails[0].text);
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_brought_nothing_may_change() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[SMS_THEN_MAIL])).await?;
    world.jane.person.other_mail(HOME);
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane.person.without_other_mails().phone(PhoneType::Office, "+493012345678");
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contact_that_brought_the_pin_is_looked_at_again_too() -> anyhow::Result<()> {
    let rule = "approvals = [\"manager\"]\npin = [\"email\"]\ncontacts = [\"phone-methods\", \"otherMails\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    world.jane.person.other_mail(HOME);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let mails = world.smtp.read(HOME);
    let pin = mails
        .last()
        .and_then(|mail| pin_in(&mail.text.replace("again: ", "\n")))
        .context("no PIN came by mail")?;
    let ticket = (world.code_at(JANES_PHONE)?, pin);
    world.jane.person.without_other_mails();
    let answer = world.browser().claim(&ticket.0, &ticket.1).await?;
    ensure!(answer.state() == "refused", "{answer:?}");
    world.settle().await?;
    world.hears(&world.ada, "The contact on file changed after this was asked.")?;
    ensure!(world.smtp.read(SECURITY).len() == 1);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_goes_by_mail_where_a_text_message_cannot() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[SMS_THEN_MAIL])).await?;
    world.jane.person.other_mail(HOME);
    world.twilio.is_landline(JANES_PHONE);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    ensure!(world.twilio.sent().is_empty(), "the landline got a text message");
    let mails = world.smtp.read(HOME);
    ensure!(mails.len() == 1, "{} mails", mails.len());
    let code = code_in(&mails[0].text).context("no code came by mail")?;
    world.browser().claims_and_sees(&code, &world.pin_before(&world.mary)?).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_phone_the_mail_is_the_first_way() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[SMS_THEN_MAIL])).await?;
    world.jane.person.without_phones().other_mail(HOME);
    world.ada_asks_for_jane().await?;
    ensure!(
        world.card(&world.mary, "Approve")?.visible_text().contains("Code goes to\nj…@home.example (email)")
    );
    world.presses(&world.mary, "Approve").await?;
    ensure!(world.smtp.read(HOME).len() == 1);
    world.hears(&world.ada, "The code for Jane Doe went to j…@home.example (email).")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_no_route_takes_ends_the_request() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[SMS_THEN_MAIL])).await?;
    world.jane.person.other_mail(HOME);
    world.twilio.has_opted_out(JANES_PHONE);
    world.smtp.trouble(MailTrouble::Refuse(550, "no such mailbox".to_owned()));
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "The code or PIN could not be delivered to the contact on file.")?;
    world.hears(&world.mary, "Pass for Jane Doe: approved by Mary Major, then refused")?;
    world.has_no_button(&world.mary)?;
    world.reads(&world.otto);
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_no_route_takes_ends_the_request() -> anyhow::Result<()> {
    let rule = "approvals = [\"manager\"]\npin = [\"email\"]\ncontacts = [\"phone-methods\", \"otherMails\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    world.jane.person.other_mail(HOME);
    world.smtp.refuse(HOME, 550, "no such mailbox");
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "The code or PIN could not be delivered to the contact on file.")?;
    world.has_no_button(&world.mary)?;
    // The code may have been on its way already; it is worth nothing.
    if let Ok(code) = world.code_at(JANES_PHONE) {
        let answer = world.browser().claim(&code, "00000000").await?;
        ensure!(answer.state() == "closed", "{answer:?}");
    }
    world.everybody_reads();
    world.finish().await
}
