//! What becomes of code and PIN when they are sent again?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::{SECURITY, World, pin_in};

async fn resend(world: &World) -> anyhow::Result<String> {
    Ok(world.asks(&world.ada, "resend").await?.join("\n=====\n"))
}

/// The code is sent again and Mary tells the new PIN.
async fn new_ticket(world: &World) -> anyhow::Result<(String, String)> {
    let told = resend(world).await?;
    ensure!(told.contains("A new code for Jane Doe is on its way"), "{told}");
    world.presses(&world.mary, "Show PIN").await?;
    Ok((world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_code_and_a_new_pin_work_and_the_older_ones_do_not() -> anyhow::Result<()> {
    let world = World::start().await?;
    let old = world.ticket_for_jane().await?;
    assert_snapshot!(resend(&world).await?, @"
    A new code for Jane Doe is on its way. The code and the PIN before it are void.
    Mary Major has to press Show PIN again and tell them the new PIN.
    After this one you can have it sent 1 more time.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Mary Major now calls them and tells them the PIN.
    ");
    let read: Vec<String> = world.reads(&world.mary).iter().map(|text| said(text)).collect();
    let card = read[0].split_once("helpdesk for staff\n").context("the card says no rule")?.1;
    assert_snapshot!([card, &read[1]].join("\n=====\n"), @"
    You tell Jane Doe the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and read it out. Each press makes a new PIN and voids the one before.
    A new code is sent, so the PIN before is void: they need a new one from you.
    [Show PIN] [Withdraw approval] [This looks wrong]
    =====
    Jane Doe gets a new code, and the PIN that you may have told them is void.
    Call Jane Doe again, press Show PIN on the card above, and tell them the new PIN.
    ");
    let code = world.code_at(JANES_PHONE)?;
    let browser = world.browser();
    // Until Mary shows the new PIN, there is none; the old code is nobody's.
    ensure!(browser.claim(&code, &old.1).await?.state() == "waiting");
    ensure!(browser.claim(&old.0, &old.1).await?.state() == "unknown");
    world.presses(&world.mary, "Show PIN").await?;
    let pin = world.pin_before(&world.mary)?;
    ensure!(pin != old.1 && code != old.0);
    ensure!(browser.claim(&old.0, &pin).await?.state() == "unknown");
    ensure!(browser.claim(&code, &old.1).await?.state() == "wrong_pin");
    browser.claims_and_sees(&code, &pin).await?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let resent = lines.iter().find(|line| line["what"] == "ticket.resent");
    ensure!(resent.is_some_and(|line| line["by"] == world.ada.person.id()), "{resent:?}");
    let told = resend(&world).await?;
    ensure!(told.contains("Jane Doe has opened the pass already: there is nothing to send again."), "{told}");
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sent_again_twice_and_no_more() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ticket_for_jane().await?;
    resend(&world).await?;
    // The same message, brought again, is no second wish.
    let delivery = world.chat.deliveries().pop().context("nothing was delivered")?;
    let again = world.chat.replay(&delivery).await;
    ensure!(again.body.contains("I have this one already"), "{}", again.body);
    world.settle().await?;
    ensure!(world.texts() == 2, "{} text messages", world.texts());
    let ticket = new_ticket(&world).await?;
    assert_snapshot!(resend(&world).await?, @"
    Code and PIN for Jane Doe were sent 3 times, which is all that one approval allows.
    Find out why they do not arrive. Then write /tap cancel jane.doe@contoso.com, and ask again.
    ");
    ensure!(world.texts() == 3);
    // What was sent last still works.
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

/// Five per approval: sending again gives an attacker no new tries.
#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_pins_lock_it_however_often_it_was_sent_again() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut ticket = world.ticket_for_jane().await?;
    for _ in 0..2 {
        world.guesses(&world.browser(), &ticket, 2).await?;
        ticket = new_ticket(&world).await?;
    }
    let last = world.guesses(&world.browser(), &ticket, 1).await?;
    ensure!(last[0].state() == "locked", "{last:?}");
    world.settle().await?;
    world.hears(&world.ada, "is locked: five wrong PINs")?;
    world.mail_says(SECURITY, "is locked: five wrong PINs")?;
    ensure!(resend(&world).await? == "You have no open request, so nothing happened.");
    world.ticket_is_over(&world.browser(), &ticket, "locked").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_changed_meanwhile_gets_nothing_and_security_hears() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ticket_for_jane().await?;
    world.jane.person.mobile("+491700000099");
    let told = resend(&world).await?;
    ensure!(told.contains("The contact on file changed after this was asked."), "{told}");
    ensure!(world.texts() == 1, "the other number got a code");
    world.mail_says(SECURITY, "cannot go on")?;
    world.has_no_button(&world.mary)?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_a_courier_brings_is_brought_anew() -> anyhow::Result<()> {
    let rule = "approvals = [\"manager\"]\npin = [\"email\"]\ncontacts = [\"phone-methods\", \"otherMails\"]\n\
                notice = [\"manager\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    let home = "jane@home.example";
    world.jane.person.other_mail(home);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.everybody_reads();
    assert_snapshot!(resend(&world).await?, @"
    A new code for Jane Doe is on its way. The code and the PIN before it are void.
    A new PIN goes its own way, too.
    After this one you can have it sent 1 more time.
    =====
    The code for Jane Doe went to +49…12 (sms).
    The PIN goes another way.
    ");
    let mails = world.smtp.read(home);
    ensure!(mails.len() == 1, "{} new mails", mails.len());
    let pin = pin_in(&mails[0].text.replace("Your PIN to sign in again: ", "")).unwrap_or_default();
    world.jane_gets_her_pass(&world.code_at(JANES_PHONE)?, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_yet_is_not_sent_again() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    ensure!(
        resend(&world).await?
            == "There is nothing to send again: the request for Jane Doe is waiting for approval."
    );
    world.twilio.wire.trouble("Messages.json", 3, Trouble::DropRequest);
    world.presses(&world.mary, "Approve").await?;
    world.everybody_reads();
    let told = resend(&world).await?;
    ensure!(told.contains("The code for Jane Doe is not sent yet. I am still trying"), "{told}");
    world.twilio.wire.heal();
    world.advance(Duration::from_mins(1)).await?;
    world.hears(&world.ada, "The code for Jane Doe went to")?;
    // It is sent, but lost: that is what sending again is for, though nobody has pressed Show PIN yet.
    let ticket = new_ticket(&world).await?;
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    for other in [&world.mary, &world.otto, &world.jane] {
        let told = world.asks(other, "resend").await?.pop().unwrap_or_default();
        ensure!(told.contains("You have no open request"), "{told}");
    }
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_begins_anew_and_ends_all_the_same() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ticket_for_jane().await?;
    for _ in 0..2 {
        world.advance(Duration::from_mins(29)).await?;
        let ticket = new_ticket(&world).await?;
        ensure!(world.browser().status(&ticket.0).await?.state() == "open");
    }
    world.advance(Duration::from_mins(29)).await?;
    world.does_not_hear(&world.ada, "lapsed")?;
    world.advance(Duration::from_mins(1)).await?;
    world.hears(&world.ada, "lapsed: it was not claimed in time.")?;
    world.everybody_reads();
    world.finish().await
}

/// A claim whose check takes long is worth nothing once a newer code and PIN are out.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_an_older_code_that_is_still_checked_gets_no_pass() -> anyhow::Result<()> {
    let world = World::start().await?;
    let old = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_before_the_last_look(&world.browser(), &old).await;
    // tapdesk goes on with everything else while the check takes its time.
    world.types(&world.ada, "resend").await;
    world.works_meanwhile().await?;
    let code = world.code_at(JANES_PHONE)?;
    world.chat.press(&world.mary.account, &world.card(&world.mary, "Show PIN")?, "Show PIN").await?;
    let mut looks = 0;
    while world.browser().status(&code).await?.state() != "open" {
        looks += 1;
        ensure!(looks < 5_000, "the new ticket does not open");
    }
    let ticket = (code, world.pin_before(&world.mary)?);
    held.open();
    let answer = claiming.answer().await?;
    ensure!(answer.state() == "busy", "{answer:?}");
    ensure!(world.creates() == 0, "a void ticket made a pass");
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}
