//! Stories of the account's owner, who is told of every pass on another way than the code's.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use tapdesk_tests::claims::{JANES_MAIL, Ticket, notice_in};
use tapdesk_tests::scene::rulebook;
use tapdesk_tests::smtp::MailTrouble;
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::{SECURITY, World, code_in};

const MADE: &str = "A Temporary Access Pass was made for your account";
const DELETED: &str = "A Temporary Access Pass for your account was deleted";
const PERHAPS: &str = "A Temporary Access Pass may have been made for your account";

/// What became of Jane's claim.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Shown,
    NeverShown,
    MadeAnew,
    ItsAnswerWasLostAndItWasFound,
    NobodyKnowsForTwoMinutes,
    NobodyKnowsAndTheNextIsDeclined,
    NotMade,
    StoppedByLockdown,
    TapdeskStoppedAtOnce,
    TheMailServerIsDown,
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_always_told() -> anyhow::Result<()> {
    for (outcome, told) in [
        (Outcome::Shown, vec![MADE]),
        (Outcome::NeverShown, vec![MADE, DELETED]),
        (Outcome::MadeAnew, vec![MADE, MADE]),
        (Outcome::ItsAnswerWasLostAndItWasFound, vec![DELETED]),
        (Outcome::NobodyKnowsForTwoMinutes, vec![PERHAPS]),
        (Outcome::NobodyKnowsAndTheNextIsDeclined, vec![PERHAPS]),
        (Outcome::NotMade, vec![]),
        (Outcome::StoppedByLockdown, vec![]),
        (Outcome::TapdeskStoppedAtOnce, vec![MADE]),
        (Outcome::TheMailServerIsDown, vec![MADE]),
    ] {
        let mut world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        comes_to(&mut world, &ticket, outcome).await.with_context(|| format!("{outcome:?}"))?;
        world.settle().await?;
        let notices = world.janes_notices()?;
        let subjects: Vec<&str> = notices.iter().map(|notice| notice.subject.as_str()).collect();
        ensure!(subjects == told, "{outcome:?}: the owner reads {subjects:?}");
        let texts = world.twilio.sent().len();
        ensure!(texts == 1, "{outcome:?}: the notice came on the code's way");
        let manager = world.reads(&world.mary).iter().filter(|t| t.contains("A sign-in pass")).count();
        ensure!(manager == told.len(), "{outcome:?}: the manager was told {manager} times");
        world.finish_unread().await?;
    }
    Ok(())
}

async fn comes_to(world: &mut World, (code, pin): &Ticket, outcome: Outcome) -> anyhow::Result<()> {
    let browser = world.browser();
    match outcome {
        Outcome::Shown => drop(browser.claims_and_sees(code, pin).await?),
        Outcome::NeverShown => {
            browser.claim(code, pin).await?.passcode()?;
            world.grace_time_passes().await?;
        }
        Outcome::MadeAnew => {
            browser.claim(code, pin).await?.passcode()?;
            world.settle().await?;
            browser.claims_and_sees(code, pin).await?;
        }
        Outcome::ItsAnswerWasLostAndItWasFound => {
            world.graph.wire.trouble(&world.create(), 1, Trouble::DropAnswer);
            world.claim_gets(&browser, code, pin, "unavailable").await?;
            world.advance(Duration::from_mins(10)).await?;
        }
        Outcome::NobodyKnowsForTwoMinutes => {
            world.graph.wire.trouble(&world.create(), 1, Trouble::DropRequest);
            world.claim_gets(&browser, code, pin, "unavailable").await?;
            world.advance(Duration::from_secs(110)).await?;
            ensure!(
                world.smtp.mailbox(JANES_MAIL).is_empty(),
                "the owner was told before two minutes had passed"
            );
            world.advance(Duration::from_secs(20)).await?;
            ensure!(world.smtp.mailbox(JANES_MAIL).len() == 1, "the owner was not told after two minutes");
            world.advance(Duration::from_mins(10)).await?;
        }
        Outcome::NobodyKnowsAndTheNextIsDeclined => {
            world.graph.wire.trouble(&world.create(), 1, Trouble::DropRequest);
            world.claim_gets(&browser, code, pin, "unavailable").await?;
            world.advance(Duration::from_secs(40)).await?;
            world.graph.fail(&world.create(), 1, StatusCode::BAD_REQUEST);
            world.claim_gets(&browser, code, pin, "refused").await?;
            world.advance(Duration::from_mins(10)).await?;
        }
        Outcome::NotMade => {
            world.graph.throttle(&world.create(), 1, None);
            world.claim_gets(&browser, code, pin, "unavailable").await?;
            world.advance(Duration::from_mins(10)).await?;
        }
        Outcome::StoppedByLockdown => {
            let (claiming, held) =
                world.claim_held_before_the_last_look(&browser, &(code.clone(), pin.clone())).await;
            world.lockdown(true).await?;
            held.open();
            ensure!(claiming.answer().await?.state() == "lockdown");
            world.advance(Duration::from_mins(10)).await?;
        }
        Outcome::TapdeskStoppedAtOnce => {
            browser.claims_and_sees(code, pin).await?;
            world.restart().await?;
        }
        Outcome::TheMailServerIsDown => {
            world.smtp.trouble(MailTrouble::DropAtOnce);
            browser.claims_and_sees(code, pin).await?;
            world.advance(Duration::from_mins(1)).await?;
            world.smtp.heal();
            world.advance(Duration::from_secs(10)).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_code_goes_by_mail_the_notice_does_not() -> anyhow::Result<()> {
    let rule =
        "ticket = [\"email\"]\ncontacts = [\"otherMails\"]\nnotice = [\"email\", \"sms\", \"manager\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    world.jane.person.other_mail("jane@home.example");
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let mail = world.smtp.read("jane@home.example").pop().context("the code did not come by mail")?;
    let code = code_in(&mail.text).context("the mail holds no code")?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &world.pin_before(&world.mary)?).await?;
    world.settle().await?;
    ensure!(world.smtp.unread().is_empty(), "the notice went by mail as the code did");
    let text = world.twilio.phone("+491701234512").read().pop().context("no text message came")?;
    ensure!(text.body.contains("was made for your account"), "the text message says something else");
    world.hears(&world.mary, "A sign-in pass was made for Jane Doe")?;
    // The link of a text message works as that of a mail does.
    let notice = notice_in("", &text.body)?;
    let answer = world.browser().report_notice(&notice.token, &notice.number).await?;
    ensure!(answer.state() == "reported", "{answer:?}");
    world.settle().await?;
    ensure!(world.janes_passes() == 0);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whom_no_way_reaches_is_named_to_security() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &["notice = [\"email\"]"])).await?;
    world.jane.person.without_mail();
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    let mail = world.smtp.read(SECURITY).pop().context("security was not told")?;
    ensure!(mail.subject == "tapdesk: an account's owner could not be told", "{}", mail.subject);
    ensure!(mail.text.contains("Jane Doe"), "{}", mail.text);
    ensure!(!mail.text.contains("#report="), "security got the owner's own link");
    world.advance(Duration::from_hours(1)).await?;
    ensure!(world.smtp.read(SECURITY).is_empty(), "security was told again");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notice_names_who_asked_and_shows_no_code_pin_or_passcode() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    let mail = world.smtp.read(JANES_MAIL).pop().context("the owner got no notice")?;
    ensure!(mail.text.contains("Ada Agent asked for it") && mail.text.contains("jane.doe@contoso.com"));
    ensure!(mail.text.contains("https://tap.contoso.com/c#report="), "the link leads elsewhere");
    for secret in [&code, &pin, &passcode] {
        ensure!(!mail.raw.contains(secret) && !mail.text.contains(secret), "a secret is in the notice");
    }
    let chat = world.reads(&world.mary).join("\n");
    ensure!(!chat.contains("report="), "the link is in the chat, where it stays");
    world.finish_unread().await
}
