//! Stories of "this looks wrong": one approver who doubts is enough to freeze a request, and the attacker learns nothing.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use serde_json::json;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::graph::{MethodType, SignIn};
use tapdesk_tests::scene::{LOOKS_WRONG, rulebook, said};
use tapdesk_tests::smtp::{Mail, MailTrouble};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::{Colleague, SECURITY, World};

const LINE: &str = "Jane sits next to me, she can sign in";

fn has_button(world: &World, who: &Colleague) -> bool {
    world.card(who, LOOKS_WRONG).is_ok()
}

fn mails(world: &World) -> Vec<Mail> {
    world.smtp.read(SECURITY)
}

/// What a mail says before it names the request.
fn message(mail: &Mail) -> &str {
    mail.text.split("Request: ").next().unwrap_or_default().trim_end()
}

/// What Ada reads when Mary ends the request like this.
async fn ada_reads_when(mary: &str, is_approved: bool) -> anyhow::Result<String> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    if is_approved {
        world.presses(&world.mary, "Approve").await?;
    }
    world.everybody_reads();
    if mary == LOOKS_WRONG {
        world.says_it_looks_wrong(&world.mary, LINE).await?;
    } else {
        world.presses(&world.mary, mary).await?;
    }
    let read = said(&world.reads(&world.ada).join("\n"));
    world.everybody_reads();
    world.finish().await?;
    Ok(read)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_asked_can_freeze_a_request_with_one_line() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let approve = world.value_of(&world.otto, "Approve")?;
    world.everybody_reads();
    world.presses(&world.mary, LOOKS_WRONG).await?;
    insta::assert_snapshot!(world.form(&world.mary)?, @"
    This looks wrong
    Sending this stops the request for good: only a new one goes on. Security reads your line; whoever asked hears only that the request is over.
    What looks wrong?: ____
      One line, for security.
    [Stop it]
    ");
    ensure!(
        world.events("request.doubted")? == 0 && world.card(&world.mary, "Approve").is_ok(),
        "frozen too soon"
    );
    world.chat.close_view(&world.mary.account).await?;
    world.says_it_looks_wrong(&world.mary, LINE).await?;
    insta::assert_snapshot!(said(&world.reads(&world.mary).join("\n")), @"
    Pass for Jane Doe: stopped for safety, it looks wrong to Mary Major
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Thank you. The request for Jane Doe is stopped for good.
    Security has your line and will talk to you. Whoever asked hears only that it is over: do not tell them more. If somebody calls you about it, hang up.
    ");
    insta::assert_snapshot!(said(&world.newest(&world.otto)?), @"
    Pass for Jane Doe: stopped for safety, it looks wrong to Mary Major
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    ");
    insta::assert_snapshot!(said(&world.reads(&world.ada).join("\n")), @"
    Request …… for Jane Doe is with its approvers.
    Since then: denied by Mary Major.
    Request …… for Jane Doe was turned down by Mary Major.
    Talk to them if it is still needed; only a new request goes on.
    ");
    let mail = mails(&world).pop().context("security was not told")?;
    ensure!(mail.text.contains(LINE), "security does not read the line: {}", mail.text);
    insta::assert_snapshot!(said(&mail.subject), @"tapdesk: Request …… for Jane Doe looks wrong to Mary Major.");
    for who in [&world.mary, &world.otto] {
        world.has_no_button(who)?;
        ensure!(!has_button(&world, who), "{} still has the button", who.account.name);
    }
    let told = world.presses_with(&world.otto, "approve", &approve).await?;
    ensure!(told.contains("is over"), "{told}");
    // Only a fresh request goes on.
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_cannot_tell_it_from_an_ordinary_denial() -> anyhow::Result<()> {
    let denied = ada_reads_when("Deny", false).await?;
    ensure!(ada_reads_when(LOOKS_WRONG, false).await? == denied, "Ada can tell it from: {denied}");
    insta::assert_snapshot!(ada_reads_when(LOOKS_WRONG, true).await?, @"
    Request …… for Jane Doe is with its approvers.
    Since then: withdrawn by Mary Major.
    Request …… for Jane Doe is approved by Mary Major.
    Since then: withdrawn by Mary Major.
    The code for Jane Doe went to +49…12 (sms).
    Since then: withdrawn by Mary Major.
    Request …… for Jane Doe is over: Mary Major took the approval back.
    Talk to them if it is still needed; only a new request goes on.
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_is_for_security_alone() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.says_it_looks_wrong(&world.mary, LINE).await?;
    let ledger = std::fs::read_dir(world.files.path().join("ledger"))?;
    for segment in ledger {
        ensure!(
            !std::fs::read_to_string(segment?.path())?.contains("sits next to me"),
            "the ledger has the line"
        );
    }
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let doubted = lines.iter().find(|line| line["what"] == "request.doubted").context("not in the ledger")?;
    ensure!(doubted["by"] == world.mary.person.id() && doubted["facts"]["line"].is_string(), "{doubted}");
    ensure!(
        !json!(world.chat.everything_ever_seen()).to_string().contains("sits next"),
        "the chat has the line"
    );
    ensure!(!world.logged().contains("sits next to me"), "the log has the line");
    ensure!(mails(&world).iter().any(|mail| mail.text.contains(LINE)));
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_ticket_is_open_those_who_approved_can_still_freeze_it() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &["approvals = [\"manager\", \"group:{oncall}\"]"])).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    ensure!(has_button(&world, &world.mary), "who approved first cannot raise the alarm");
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.otto, "Show PIN").await?;
    let ticket = (world.code_at("+491701234512")?, world.pin_before(&world.otto)?);
    world.everybody_reads();
    world.says_it_looks_wrong(&world.mary, LINE).await?;
    insta::assert_snapshot!(said(&world.reads(&world.otto).join("\n")), @"
    Pass for Jane Doe: stopped for safety, it looks wrong to Mary Major
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Request …… for Jane Doe looks wrong to Mary Major: it is stopped for good.
    You had approved it. Security looks into it and may talk to you; if somebody calls you about it, hang up.
    ");
    world.does_not_hear(&world.ada, "wrong")?;
    let answer = world.browser().claim(&ticket.0, &ticket.1).await?;
    ensure!(answer.state() == "closed" && answer.body["why"] == "revoked", "{answer:?}");
    ensure!(world.passes_asked_for() == 0, "Graph was asked for a pass");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 0, "sessions were ended for nothing");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_pass_is_out_it_is_deleted_and_security_sees_what_was_registered() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.grant_also("UserAuthenticationMethod.Read.All");
    world.graph.registers(&world.jane.person, MethodType::WindowsHello);
    world.advance(Duration::from_hours(2)).await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.advance(Duration::from_mins(1)).await?;
    world.graph.registers(&world.jane.person, MethodType::Passkey);
    world.graph.registers(&world.jane.person, MethodType::SoftwareToken);
    world.everybody_reads();
    world.says_it_looks_wrong(&world.mary, LINE).await?;
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Wrong, "the pass still works");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1, "the sessions go on");
    let mails = mails(&world);
    let listed =
        mails.iter().find(|mail| mail.subject.contains("registered")).context("nothing is listed")?;
    insta::assert_snapshot!(message(listed), @"
    Ways to sign in of Jane Doe that were registered since 2026-11-23 12:00 UTC, or whose time Entra does not tell:
    - phone: unknown time
    - passkey: 2026-11-23 12:01 UTC
    - codes from an app: unknown time
    Remove in Entra what Jane Doe does not know. Talk to them on a number that you know.
    ");
    insta::assert_snapshot!(said(&world.reads(&world.ada).join("\n")), @"
    Request …… for Jane Doe is with its approvers.
    Since then: revoked by Mary Major.
    Request …… for Jane Doe is approved by Mary Major.
    Since then: revoked by Mary Major.
    The code for Jane Doe went to +49…12 (sms).
    Since then: revoked by Mary Major.
    Jane Doe has the pass.
    Since then: revoked by Mary Major.
    The pass for Jane Doe is over: approved by Mary Major, then revoked by Mary Major.
    ");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_approvers_of_the_request_may() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let (marys, ottos) =
        (world.value_of(&world.mary, LOOKS_WRONG)?, world.value_of(&world.otto, LOOKS_WRONG)?);
    let eve = world.colleague("Eve Else", "eve@contoso.com");
    for (who, value) in [(&world.ada, &marys), (&world.jane, &marys), (&eve, &ottos), (&world.otto, &marys)] {
        let told = world.presses_with(who, "looks_wrong", value).await?;
        ensure!(told.contains("not yours to decide"), "{}: {told}", who.account.name);
        ensure!(world.chat.modal(&who.account).is_none(), "{} is asked", who.account.name);
        let reply = world.chat.submit_with(&who.account, "doubt", value, &[("doubt", "x")]).await;
        ensure!(reply.is_accepted(), "{reply:?}");
        world.settle().await?;
        world.hears(who, "not yours to decide")?;
    }
    world.presses(&world.mary, "Approve").await?;
    ensure!(!has_button(&world, &world.otto), "Otto, who decided nothing, still has the button");
    let told = world.presses_with(&world.otto, "looks_wrong", &ottos).await?;
    ensure!(told.contains("decided already"), "{told}");
    ensure!(world.events("request.doubted")? == 0 && mails(&world).is_empty(), "somebody else froze it");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_comes_twice_or_too_late_freezes_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.otto, LOOKS_WRONG).await?;
    world.says_it_looks_wrong(&world.mary, &format!("  odd\u{202e} {}", "x".repeat(280))).await?;
    let delivery = world.chat.deliveries().pop().context("nothing was delivered")?;
    ensure!(world.chat.replay(&delivery).await.is_accepted());
    world.settle().await?;
    world.everybody_reads();
    ensure!(world.chat.submit_view(&world.otto.account, &[("doubt", "me too")]).await?.is_accepted());
    world.settle().await?;
    world.hears(&world.otto, "is over")?;
    ensure!(world.events("request.doubted")? == 1, "frozen twice");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_registered_is_listed_however_long_it_takes() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.grant_also("UserAuthenticationMethod.Read.All");
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    let busy = Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, vec![], String::new());
    world.graph.wire.trouble("authentication/methods", 20, busy);
    world.smtp.trouble(MailTrouble::Refuse(451, "try later".to_owned()));
    world.browser().report(&code).await?;
    world.advance(Duration::from_mins(20)).await?;
    world.smtp.heal();
    world.advance(Duration::from_mins(20)).await?;
    let mails = mails(&world);
    ensure!(mails.iter().filter(|mail| mail.subject.contains("registered")).count() == 1, "{mails:#?}");
    ensure!(world.events("methods.listed")? == 1, "the ledger does not say so");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn security_looks_itself_where_the_directory_does_not_tell() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.browser().report(&code).await?;
    world.settle().await?;
    let mails = mails(&world);
    let told = mails.iter().find(|mail| mail.subject.contains("registered")).context("nobody is told")?;
    insta::assert_snapshot!(message(told), @"
    I cannot read what was registered for Jane Doe since 2026-11-23 10:00 UTC: Entra does not let me (the permission is UserAuthenticationMethod.Read.All). Look there yourself, now.
    ");
    world.everybody_reads();
    world.finish().await
}
