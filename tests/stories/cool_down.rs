//! What does a careful rule do with a contact or a manager that changed lately?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::{Method, StatusCode};
use insta::assert_snapshot;
use jiff::SignedDuration;
use tapdesk_tests::graph::MethodType;
use tapdesk_tests::people::PhoneType;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::world::{SECURITY, World, code_in};

const LOG: &str = "auditLogs/directoryAudits";
const PERMISSION: &str = "AuditLog.Read.All";
const DAY: Duration = Duration::from_hours(24);
const OTHER_PHONE: &str = "+491709999999";
const HOME: &str = "jane@home.example";
const A_WEEK: &str = "cool_down = \"7d\"";
const SECOND_APPROVAL: &str = "cool_down = \"7d\"\naudit_unreadable = \"second-approval\"";

/// The usual people under the usual rule with these keys, where tapdesk may read the audit log.
async fn careful(keys: &str) -> anyhow::Result<World> {
    let world = World::under(rulebook("", &[keys])).await?;
    world.entra.grant_also(PERMISSION);
    Ok(world)
}

/// Ada asks for Jane and reads why it cannot be; nobody else hears anything.
async fn refusal(world: &World) -> anyhow::Result<String> {
    let read = world.asks(&world.ada, "for jane.doe@contoso.com lost the phone, INC0012345").await?;
    world.nobody_is_bothered()?;
    read.last().cloned().context("Ada reads nothing")
}

/// The facts of the approval card after the rule's name, until the buttons.
fn cautions(world: &World) -> anyhow::Result<String> {
    let card = world.card(&world.otto, "Approve")?.visible_text();
    let facts = card.split_once("helpdesk for staff\n").context("no rule on the card")?.1;
    Ok(facts.split("Approve only").next().unwrap_or_default().trim_end().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_changed_lately_is_not_used() -> anyhow::Result<()> {
    let world = careful(A_WEEK).await?;
    world.jane.person.mobile(OTHER_PHONE);
    world.hands.turn(2 * DAY);
    assert_snapshot!(refusal(&world).await?, @r"
    Request …… for jane.doe@contoso.com cannot go on.
    The phone on file was changed 2 days ago, and the rule waits 7 days before it uses a new one: a new number is how accounts are taken over. Ask again in 5 days. Until then they need another contact that is older and that the rule may use, or help in person. If they know nothing of the change, tell your security team now.
    ");

    // Another one that was there before is used; the approvers read why.
    world.jane.person.mobile(JANES_PHONE).phone(PhoneType::Office, "+493012345678");
    world.hands.turn(6 * DAY);
    world.jane.person.mobile(OTHER_PHONE);
    world.hands.turn(2 * DAY);
    world.ada_asks_for_jane().await?;
    assert_snapshot!(cautions(&world)?, @r"
    Not used
    the phone on file (+49…99) was changed 2 days ago; the rule waits 7 days before it uses a new one. Ask them about the change
    ");
    world.presses(&world.mary, "Approve").await?;
    world.code_at("+493012345678")?;
    ensure!(world.twilio.phone(OTHER_PHONE).read().is_empty(), "the new number got a message");
    world.advance(Duration::from_hours(1)).await?;

    // A week later nothing is said against it.
    world.hands.turn(6 * DAY);
    world.ada_asks_for_jane().await?;
    assert_snapshot!(cautions(&world)?, @"");
    world.presses(&world.mary, "Approve").await?;
    world.code_at(OTHER_PHONE)?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_addresses_and_profile_numbers_wait_too() -> anyhow::Result<()> {
    let keys =
        "cool_down = \"7d\"\nticket = [\"sms\", \"email\"]\ncontacts = [\"mobilePhone\", \"otherMails\"]";
    let world = careful(keys).await?;
    world.jane.person.without_phones().mobile_phone(OTHER_PHONE).other_mail(HOME);
    world.hands.turn(Duration::from_hours(5));
    assert!(refusal(&world).await?.contains("The mobile phone in the profile was changed 5 hours ago"));

    // The mail address is older than the second number.
    world.hands.turn(7 * DAY);
    world.jane.person.mobile_phone(JANES_PHONE);
    world.hands.turn(DAY);
    world.ada_asks_for_jane().await?;
    assert_snapshot!(cautions(&world)?, @"
    Not used
    the mobile phone in the profile (+49…12) was changed 1 day ago; the rule waits 7 days before it uses a new one. Ask them about the change
    ");
    world.presses(&world.mary, "Approve").await?;
    let mails = world.smtp.read(HOME);
    ensure!(mails.last().and_then(|mail| code_in(&mail.text)).is_some(), "no code came by mail");
    ensure!(world.twilio.sent().is_empty(), "a text message was sent");
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_became_one_lately_is_not_asked() -> anyhow::Result<()> {
    let world = careful(A_WEEK).await?;
    let max = world.colleague("Max New", "max.new@contoso.com");
    world.jane.person.manager(&max.person);
    world.hands.turn(2 * DAY);
    world.ada_asks_for_jane().await?;
    assert_snapshot!(cautions(&world)?, @r"
    Not asked
    their manager was changed 2 days ago; the rule waits 7 days before it asks a new one
    ");
    ensure!(world.card(&max, "Approve").is_err() && world.card(&world.mary, "Approve").is_err());
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.otto, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_but_the_new_manager_could_approve_the_request_is_refused() -> anyhow::Result<()> {
    let world = careful("cool_down = \"7d\"\napprovals = [\"manager\"]").await?;
    world.jane.person.manager(&world.otto.person);
    world.hands.turn(2 * DAY);
    assert_snapshot!(refusal(&world).await?, @r"
    Request …… for jane.doe@contoso.com cannot go on.
    Their manager was changed 2 days ago, and the rule waits 7 days before it relies on a new one; it names nobody else. Ask again in 5 days, or have your administrator name others who may approve. If they know nothing of the change, tell your security team now.
    ");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_manager_cannot_ask_as_the_manager_either() -> anyhow::Result<()> {
    let keys = "cool_down = \"7d\"\nrequester = \"manager-of-subject\"\napprovals = [\"group:{oncall}\"]";
    let world = careful(keys).await?;
    world.jane.person.manager(&world.ada.person);
    world.hands.turn(DAY);
    assert!(refusal(&world).await?.contains("Their manager was changed 1 day ago"));
    world.hands.turn(7 * DAY);
    world.ada_asks_for_jane().await?;
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_change_of_a_contact_does_not_matter() -> anyhow::Result<()> {
    let world = careful(A_WEEK).await?;
    // Entries come one by one, so that every page is read.
    world.graph.page_size(1);
    world.jane.person.other_mail(HOME).mobile_phone(OTHER_PHONE);
    world.otto.person.manager(&world.jane.person);
    world.graph.registers(&world.jane.person, MethodType::Passkey);
    world.graph.registers(&world.jane.person, MethodType::Authenticator);
    let _ = world.graph.make_foreign_pass(&world.jane.person, 60);
    world.mary.person.mobile(OTHER_PHONE);
    world.hands.turn(2 * DAY);
    world.ada_asks_for_jane().await?;
    ensure!(world.graph.wire.count(&Method::GET, LOG) > 5, "the log has more pages than were read");
    assert_snapshot!(cautions(&world)?, @"");
    world.presses(&world.mary, "Approve").await?;
    world.code_at(JANES_PHONE)?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_caution_never_reads_the_log() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.mobile(OTHER_PHONE);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    ensure!(world.graph.wire.count(&Method::GET, LOG) == 0, "the log was read");
    world.everybody_reads();
    world.finish().await
}

/// What the log does not know yet is what the pin is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_log_learns_of_late_is_caught_once_it_happens_after_the_request()
-> anyhow::Result<()> {
    let world = careful(A_WEEK).await?;
    world.graph.audit_lag(SignedDuration::from_mins(5));
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane.person.mobile(OTHER_PHONE);
    let answer = world.browser().claim(&code, &pin).await?;
    ensure!(answer.state() == "refused", "{answer:?}");
    world.settle().await?;
    world.hears(&world.ada, "The contact on file changed after this was asked.")?;
    ensure!(world.smtp.read(SECURITY).len() == 1, "security was not told");

    // A request within those minutes uses the new number: a known limit. After them it does not.
    world.hands.turn(Duration::from_mins(6));
    world.everybody_reads();
    assert!(refusal(&world).await?.contains("The phone on file was changed 6 minutes ago"));
    world.finish().await
}

/// How the log can fail to be read.
type Trouble = fn(&World);

const TROUBLES: [(&str, Trouble); 5] = [
    ("the permission is missing", |world| world.entra.withhold(PERMISSION)),
    ("the licence is missing", |world| world.graph.without_premium()),
    ("Graph throttles for too long", |world| world.graph.throttle(LOG, 10_000, None)),
    ("Graph fails for too long", |world| world.graph.fail(LOG, 10_000, StatusCode::SERVICE_UNAVAILABLE)),
    ("Graph answers nonsense", |world| world.graph.garble(LOG, 10_000)),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_refuses() -> anyhow::Result<()> {
    for (what, trouble) in TROUBLES {
        let world = careful(A_WEEK).await?;
        trouble(&world);
        let mut read = world.asks_for(&world.ada, &world.jane).await?;
        world.advance(Duration::from_mins(4)).await?;
        read.extend(world.reads(&world.ada).iter().map(|text| said(text)));
        world.nobody_is_bothered()?;
        let last = read.last().with_context(|| format!("{what}: Ada reads nothing"))?;
        ensure!(last.contains("cannot be read") && last.contains("AuditLog.Read.All"), "{what}: {last}");
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_in_trouble_for_a_moment_is_waited_for() -> anyhow::Result<()> {
    let world = careful(A_WEEK).await?;
    world.graph.fail(LOG, 5, StatusCode::SERVICE_UNAVAILABLE);
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(1)).await?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn or_it_takes_one_more_approval_and_the_card_says_why() -> anyhow::Result<()> {
    for (what, trouble) in TROUBLES {
        let world = careful(SECOND_APPROVAL).await?;
        trouble(&world);
        world.ada_asks_for_jane().await?;
        world.advance(Duration::from_mins(4)).await?;
        let card = cautions(&world)?;
        ensure!(card.starts_with("Audit log\nit cannot be read, so nobody knows whether"), "{what}: {card}");
        ensure!(card.ends_with("Therefore one more person has to approve"), "{what}: {card}");
        world.presses(&world.mary, "Approve").await?;
        ensure!(world.twilio.sent().is_empty(), "{what}: one approval was enough");
        world.hears(&world.mary, "You approved. It waits for somebody else now.")?;
        world.presses(&world.otto, "Approve").await?;
        world.presses(&world.otto, "Show PIN").await?;
        let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
        world.browser().claims_and_sees(&code, &pin).await?;
        world.advance(Duration::from_hours(2)).await?;
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_who_had_to_approve_are_looked_at_again() -> anyhow::Result<()> {
    let world = careful(SECOND_APPROVAL).await?;
    world.entra.withhold(PERMISSION);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.otto, "Show PIN").await?;
    let ticket = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
    world.everybody_reads();
    world.oncall.without(&world.otto.person);
    world.claim_is_refused(&ticket, "Otto Oncall may not approve this any more.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_give_one_more_approval_the_request_is_refused() -> anyhow::Result<()> {
    let world = careful(SECOND_APPROVAL).await?;
    world.entra.withhold(PERMISSION);
    world.oncall.without(&world.otto.person);
    let words = refusal(&world).await?;
    ensure!(
        words.contains("and one more of them, since the directory's audit log cannot be read"),
        "{words}"
    );
    world.finish().await
}
