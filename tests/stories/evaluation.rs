//! What happens while an organisation tries tapdesk out? Everything, and nothing in Entra.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::{Method, StatusCode};
use insta::assert_snapshot;
use tapdesk_tests::browser::Browser;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::scene::said;
use tapdesk_tests::world::{SECURITY, Setting, World};

const MARK: &str = "[Evaluation: nothing changes in Entra]";

async fn a_trial() -> anyhow::Result<World> {
    World::with(Setting { extra: "mode = \"evaluate\"".to_owned(), ..Setting::default() }).await
}

/// Jane proves code and PIN, reads that there is no pass, and the page says that she did.
async fn jane_claims(world: &World) -> anyhow::Result<(Browser, String)> {
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    let answer = browser.claim(&code, &pin).await?;
    ensure!(answer.status == StatusCode::OK && answer.state() == "evaluated", "{answer:?}");
    // Not even something that looks like a passcode.
    ensure!(answer.body.as_object().is_some_and(|body| body.len() == 1), "{answer:?}");
    let again = browser.claim(&code, &pin).await?;
    ensure!(again.state() == "evaluated", "the same browser may come again: {again:?}");
    let stranger = world.browser().claim(&code, &pin).await?;
    ensure!(stranger.state() == "opened", "{stranger:?}");
    let shown = browser.shown(&code).await?;
    ensure!(shown.status == StatusCode::NO_CONTENT, "{shown:?}");
    world.settle().await?;
    Ok((browser, code))
}

/// Graph's own record: nothing was asked of it that changes anything.
fn entra_is_as_it_was(world: &World) -> anyhow::Result<()> {
    ensure!(world.graph.passes().is_empty(), "a pass was made");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 0, "sessions were revoked");
    for exchange in world.graph.wire.seen() {
        let is_read = exchange.method == Method::GET || exchange.target.ends_with("/checkMemberGroups");
        ensure!(is_read, "Graph was asked to {} {}", exchange.method, exchange.target);
    }
    Ok(())
}

/// Every message that anybody ever got begins with the mark.
fn everything_is_marked(world: &World) -> anyhow::Result<()> {
    let people = [&world.ada, &world.mary, &world.jane, &world.otto];
    for person in people {
        let inbox = world.chat.inbox(&person.account);
        for message in inbox.into_iter().chain(world.chat.ephemerals(&person.account)) {
            let text = message.visible_text();
            ensure!(text.starts_with(MARK), "{} got {text}", person.account.name);
        }
    }
    ensure!(!world.twilio.sent().is_empty(), "no text message was sent");
    for sms in world.twilio.sent() {
        ensure!(sms.body.starts_with(MARK), "a text message says {}", sms.body);
    }
    for address in ["jane.doe@contoso.com", SECURITY] {
        for mail in world.smtp.mailbox(address) {
            ensure!(mail.subject.starts_with(MARK) && mail.text.starts_with(MARK), "{mail:?}");
        }
    }
    Ok(())
}

fn every_line_says_so(world: &World) -> anyhow::Result<()> {
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    ensure!(!lines.is_empty(), "the ledger is empty");
    for line in lines {
        ensure!(
            line["facts"]["mode"] == "evaluate",
            "a line does not say that it is of an evaluation: {line}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_goes_all_the_way_and_changes_nothing() -> anyhow::Result<()> {
    let world = a_trial().await?;
    world.ada_asks_for_jane().await?;
    let words: Vec<String> = world.reads(&world.ada).iter().map(|text| said(text)).collect();
    assert_snapshot!(words.join("\n=====\n"), @r"
    [Evaluation: nothing changes in Entra] Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    =====
    [Evaluation: nothing changes in Entra] Request …… for Jane Doe is with its approvers.
    I asked Mary Major, Otto Oncall. You will hear from me when they decide.
    ");
    world.presses(&world.mary, "Deny").await?;

    jane_claims(&world).await?;
    world.hears(&world.ada, "[Evaluation: nothing changes in Entra] Jane Doe has the pass.")?;
    let notice = world.smtp.read("jane.doe@contoso.com").pop().context("the owner was not told")?;
    assert_snapshot!(notice.subject, @"[Evaluation: nothing changes in Entra] A Temporary Access Pass was made for your account");

    // It is watched to its end like any other.
    world.advance(Duration::from_mins(61)).await?;
    world.hears(&world.ada, "The pass for Jane Doe is over: approved by Mary Major, then expired.")?;
    everything_is_marked(&world)?;
    entra_is_as_it_was(&world)?;
    every_line_says_so(&world)?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_pass_early_ends_nothing_in_entra() -> anyhow::Result<()> {
    let world = a_trial().await?;
    let (_, code) = jane_claims(&world).await?;
    let answer = world.browser().report(&code).await?;
    ensure!(answer.state() == "reported", "{answer:?}");
    world.settle().await?;
    ensure!(world.smtp.mailbox(SECURITY).len() == 2, "security hears of the report, and what was registered");

    // Nobody's page said that it was seen.
    let (code, pin) = world.ticket_for_jane().await?;
    let answer = world.browser().claim(&code, &pin).await?;
    ensure!(answer.state() == "evaluated", "{answer:?}");
    world.grace_time_passes().await?;
    world.hears(&world.ada, "A pass for Jane Doe was made and not seen, so I deleted it.")?;
    everything_is_marked(&world)?;
    entra_is_as_it_was(&world)?;
    every_line_says_so(&world)?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_goes_on_after_a_restart() -> anyhow::Result<()> {
    let mut world = a_trial().await?;
    jane_claims(&world).await?;
    world.restart().await?;
    world.advance(Duration::from_mins(10)).await?;
    world.hears(&world.ada, "The pass for Jane Doe is over")?;
    entra_is_as_it_was(&world)?;
    every_line_says_so(&world)?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_metrics_say_which_mode_it_is() -> anyhow::Result<()> {
    for (world, is_trial) in [(a_trial().await?, true), (World::start().await?, false)] {
        let metrics = world.metrics().await?;
        let value = i32::from(is_trial);
        ensure!(metrics.contains(&format!("tapdesk_evaluating {value}")), "{metrics}");
        let logged = world.logged().contains("tapdesk is being tried out: nothing changes in Entra");
        ensure!(logged == is_trial, "the log says otherwise");
        world.finish().await?;
    }
    Ok(())
}
