//! Stories of approvals that a ticket system states: they count once, are told at once, and can be disowned.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tapdesk_tests::chat::{Call, Refusal};
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::claims::JANES_MAIL;
use tapdesk_tests::people::role::GLOBAL_ADMINISTRATOR;
use tapdesk_tests::scene::{JANES_PHONE, said};
use tapdesk_tests::tickets::{approved_ticket, ticket, ticket_setting};
use tapdesk_tests::world::{SECURITY, World};

/// The button of who did not approve.
const NOT_ME: &str = "I did not approve this";

/// The ticket, approved by that person.
fn approved_by(address: &str) -> Value {
    let mut ticket = approved_ticket();
    ticket["approved_by"] = json!(address);
    ticket
}

/// The news about the one statement: whether it counts, and why not.
fn verdict(world: &World) -> anyhow::Result<Value> {
    let told = world.tickets.reads();
    let last = told.last().context("the ticket system was told nothing")?;
    Ok(last["stated_approvals"][0].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_in_the_ticket_counts_and_its_giver_is_told_at_once() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    world.orders(&approved_ticket()).await?;
    let read: Vec<String> = world.reads(&world.mary).iter().map(|text| said(text)).collect();
    ensure!(read.len() == 1, "Mary reads {read:#?}");
    insta::assert_snapshot!(read[0], @"
    ServiceNow says that you approved a pass for Jane Doe
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
    You tell Jane Doe the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and read it out. Each press makes a new PIN and voids the one before.
    ServiceNow stated your approval, so you did not press anything here. If you did not approve it there either, say so: the request is stopped for good, and security is told.
    [Show PIN] [Withdraw approval] [I did not approve this] [This looks wrong]
    ");
    ensure!(world.card(&world.mary, "Approve").is_err(), "Mary is asked what she is said to have approved");
    world.presses(&world.mary, "Show PIN").await?;
    world.jane_gets_her_pass(&world.code_at(JANES_PHONE)?, &world.pin_before(&world.mary)?).await?;
    let told = world.tickets.reads();
    let approved = told.iter().find(|news| news["event"] == "approved").context("not told")?;
    ensure!(approved["approved_by"] == json!(["Mary Major"]), "{approved}");
    ensure!(approved["stated_approvals"][0]["counts"] == true, "{approved}");
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let given = lines.iter().find(|line| line["what"] == "approval.given").context("no approval")?;
    ensure!(
        given["facts"]["proof"] == "stated by ServiceNow" && given["by"] == world.mary.person.id(),
        "{given}"
    );
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_comes_later_counts_as_well_and_once() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    let id = world.orders(&ticket()).await?;
    ensure!(world.card(&world.mary, "Approve").is_ok());
    world.reads(&world.mary);
    let approve = json!({"action": "approve", "request": id, "approved_by": "Mary.Major@contoso.com"});
    let first = world.order(&approve).await?;
    ensure!(first.status == StatusCode::ACCEPTED, "{first:?}");
    ensure!(world.order(&approve).await?.body == first.body, "said twice, it is another thing");
    world.settle().await?;
    world.hears(&world.mary, "ServiceNow says that you approved a pass for Jane Doe")?;
    ensure!(world.card(&world.mary, NOT_ME).is_ok() && world.card(&world.mary, "Approve").is_err());
    ensure!(world.events("approval.given")? == 1);
    ensure!(world.order(&approve).await?.status == StatusCode::CONFLICT, "it is approved already");
    world.presses(&world.mary, "Withdraw approval").await?;
    let events = world.tickets.events();
    ensure!(events == ["checked", "approved", "code_sent", "denied"], "{events:?}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_did_not_approve_stops_it_for_good() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    world.orders(&approved_ticket()).await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.chat.close_view(&world.mary.account).await?;
    world.reads(&world.mary);
    world.presses(&world.mary, NOT_ME).await?;
    let told = said(&world.reads(&world.mary).pop().context("Mary hears nothing")?);
    insta::assert_snapshot!(told, @"
    Thank you. The request for Jane Doe is stopped for good.
    Your approval is taken back, and security is told that you never gave it. If somebody calls you about it, hang up.
    ");
    world.has_no_button(&world.mary)?;
    ensure!(world.card(&world.mary, NOT_ME).is_err(), "a button is left that does nothing");
    let mail = world.smtp.read(SECURITY).pop().context("security was not told")?;
    insta::assert_snapshot!(said(mail.text.split("Request: ").next().unwrap_or_default().trim_end()), @"
    Request …… for Jane Doe looks wrong to Mary Major.
    They wrote: I did not approve this. (ServiceNow had stated that they did: find out who can speak for it.)
    The request is stopped for good. No pass was made, and none will be.
    Whoever asked was told no more than had the approver changed their mind. Talk to both, and to the owner of the account, on numbers that you know.
    ");
    ensure!(mail.text.contains("ada.agent@contoso.com"), "{}", mail.text);
    // Whoever speaks for the ticket system may be the attacker, and reads of an ordinary end.
    let last = world.tickets.reads().pop().context("not told")?;
    ensure!(last["event"] == "denied" && last["outcome"] == "withdrawn", "{last}");
    ensure!(!last.to_string().contains("doubt") && !last.to_string().contains("safety"), "{last}");
    let answer = world.browser().claim(&code, &pin).await?;
    ensure!(answer.state() == "closed", "{answer:?}");
    ensure!(world.passes_asked_for() == 0 && world.events("approval.disowned")? == 1);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_too_late_when_the_pass_was_used() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    world.orders(&approved_ticket()).await?;
    world.presses(&world.mary, "Show PIN").await?;
    world.jane_signs_in(&world.code_at(JANES_PHONE)?, &world.pin_before(&world.mary)?).await?;
    world.smtp.read(JANES_MAIL);
    world.everybody_reads();
    ensure!(world.tickets.reads().last().is_some_and(|news| news["outcome"] == "used"));
    world.presses(&world.mary, NOT_ME).await?;
    ensure!(world.graph.wire.seen().iter().any(|call| call.target.contains("revokeSignInSessions")));
    let mails = world.smtp.read(SECURITY);
    ensure!(mails.iter().any(|mail| mail.subject.contains("looks wrong to Mary Major")), "{mails:#?}");
    ensure!(mails.iter().any(|mail| mail.subject.contains("what was registered")), "{mails:#?}");
    let last = world.tickets.reads().pop().context("not told")?;
    ensure!(last["event"] == "over" && last["outcome"] == "revoked", "{last}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_could_not_approve_in_chat_does_not_by_a_ticket_either() -> anyhow::Result<()> {
    for (who, why) in [
        ("otto.oncall@contoso.com", "not_an_approver"),
        ("ada.agent@contoso.com", "involved"),
        ("jane.doe@contoso.com", "involved"),
        ("nobody@contoso.com", "unknown"),
    ] {
        let world = World::with_trusted_tickets().await?;
        world.orders(&approved_by(who)).await?;
        let verdict = verdict(&world)?;
        ensure!(verdict == json!({"approved_by": who, "counts": false, "why": why}), "{who}: {verdict}");
        ensure!(world.events("approval.given")? == 0 && world.events("approval.not_counted")? == 1);
        // The approvers decide, as if nothing had been said.
        world.presses(&world.mary, "Approve").await?;
        ensure!(world.card(&world.mary, NOT_ME).is_err(), "she approved it herself");
        world.everybody_reads();
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_states_one_approval_whoever_else_it_names() -> anyhow::Result<()> {
    let rule = "stated_approval = true\napprovals = [\"manager\", \"group:{oncall}\"]";
    let world = World::with_tickets("may_state_approvals = true", rule).await?;
    let id = world.orders(&approved_ticket()).await?;
    world.reads(&world.mary);
    ensure!(world.tickets.reads().iter().all(|news| news["event"] != "approved"));
    let approve = json!({"action": "approve", "request": id, "approved_by": "otto.oncall@contoso.com"});
    world.orders(&approve).await?;
    let last = world.tickets.reads().pop().context("not told")?;
    ensure!(last["event"] == "approval_not_counted", "{last}");
    ensure!(last["stated_approvals"][1]["why"] == "one_is_enough", "{last}");
    insta::assert_snapshot!(last["message"].as_str().unwrap_or_default(), @"The stated approval for Jane Doe does not count: a source can state one approval of a request. Its approvers decide in chat.");
    // The second one is given in chat.
    world.presses(&world.otto, "Approve").await?;
    ensure!(world.tickets.events().contains(&"approved".to_owned()));
    let mary = said(&world.newest(&world.mary)?);
    ensure!(mary.contains(NOT_ME), "{mary}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_state_an_approval_for_the_privileged() -> anyhow::Result<()> {
    let rule = format!("stated_approval = true\nallow_privileged = [\"{GLOBAL_ADMINISTRATOR}\"]");
    let world = World::with_tickets("may_state_approvals = true", &rule).await?;
    world.jane.person.has_role(GLOBAL_ADMINISTRATOR);
    world.orders(&approved_ticket()).await?;
    ensure!(verdict(&world)?["why"] == "privileged");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stated_counts_at_the_claim_only_if_it_would_count_now() -> anyhow::Result<()> {
    for (change, reason) in
        [("privileged", "subject_privileged"), ("rule", "rule_changed"), ("source", "rule_changed")]
    {
        let rule = format!("stated_approval = true\nallow_privileged = [\"{GLOBAL_ADMINISTRATOR}\"]");
        let mut world = World::with_tickets("may_state_approvals = true", &rule).await?;
        world.orders(&approved_ticket()).await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
        match change {
            "privileged" => drop(world.jane.person.has_role(GLOBAL_ADMINISTRATOR)),
            "rule" => {
                world.restart_configured(|config| config.policy.rules[1].stated_approval = false).await?;
            }
            _ => {
                let forbid = |config: &mut tapdesk::config::Config| {
                    config.hook.values_mut().for_each(|hook| hook.may_state_approvals = false);
                };
                world.restart_configured(forbid).await?;
            }
        }
        let answer = world.browser().claim(&code, &pin).await?;
        ensure!(answer.state() == "refused", "{change}: {answer:?}");
        world.settle().await?;
        let last = world.tickets.reads().pop().context("not told")?;
        ensure!(last["reason"] == reason && world.passes_asked_for() == 0, "{change}: {last}");
        world.everybody_reads();
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_rule_both_have_to_allow_it() -> anyhow::Result<()> {
    let by_source = World::with(ticket_setting("", "stated_approval = true")).await?;
    let heard = by_source.order(&approved_ticket()).await?;
    ensure!(heard.status == StatusCode::UNPROCESSABLE_ENTITY, "{heard:?}");
    ensure!(
        heard.json()?["error"] == "may_not_state" && heard.json()?["field"] == "approved_by",
        "{heard:?}"
    );
    ensure!(by_source.events("request.received")? == 0, "half of it was taken in");
    by_source.finish().await?;
    let by_rule = World::with(ticket_setting("may_state_approvals = true", "")).await?;
    by_rule.orders(&approved_ticket()).await?;
    ensure!(verdict(&by_rule)?["why"] == "rule_may_not");
    by_rule.presses(&by_rule.mary, "Deny").await?;
    by_rule.everybody_reads();
    by_rule.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_no_chat_reaches_cannot_have_approved() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    let manager = world.company.person("Nora Nochat", "nora@contoso.com");
    world.jane.person.manager(&manager);
    world.orders(&approved_by("nora@contoso.com")).await?;
    let told = world.tickets.reads();
    ensure!(told.len() == 1 && told[0]["reason"] == "nobody_can_approve", "{told:#?}");
    ensure!(told[0]["message"].as_str().is_some_and(|text| text.contains("Nora Nochat")), "{told:#?}");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_while_the_chat_is_down_is_told_when_it_is_back() -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    world.chat.refuses(Call::Say, 2, Refusal::Fault);
    world.orders(&approved_ticket()).await?;
    world.advance(Duration::from_mins(2)).await?;
    world.hears(&world.mary, "ServiceNow says that you approved a pass for Jane Doe")?;
    world.presses(&world.mary, NOT_ME).await?;
    ensure!(world.smtp.read(SECURITY).len() == 1);
    world.everybody_reads();
    world.finish_unread().await
}
