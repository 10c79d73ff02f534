//! Stories of "this wasn't me": it only ever takes something away, and for good.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::claims::{Notice, Ticket};
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::world::{SECURITY, World};

/// Jane, or whoever holds her code and PIN, has claimed and seen a pass.
async fn shown() -> anyhow::Result<(World, Ticket, Notice, String)> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    let notice = world.janes_notice()?;
    world.everybody_reads();
    Ok((world, (code, pin), notice, passcode))
}

/// The pass is gone, sessions have ended, everybody knows what they should, and nothing goes on.
async fn is_frozen(world: &World, ticket: &Ticket, passcode: &str) -> anyhow::Result<()> {
    world.settle().await?;
    ensure!(world.graph.use_pass(&world.jane.person, passcode) == SignIn::Wrong, "the pass still works");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1, "the sessions go on");
    world.mail_says(SECURITY, "was stopped for safety")?;
    world.hears(&world.mary, "was stopped for safety")?;
    let told = world.reads(&world.ada).join("\n");
    ensure!(
        told.contains("was stopped for safety. ") || told.contains("was stopped for safety.\n"),
        "{told}"
    );
    for blame in ["not me", "wasn't me", "reported", "Jane said", "attack"] {
        ensure!(!told.contains(blame), "the requester reads {blame:?}: {told}");
    }
    world.ticket_is_over(&world.browser(), ticket, "reported").await?;
    ensure!(world.janes_notice()?.subject.ends_with("was deleted"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_the_code_already_opened_says_this_was_not_me() -> anyhow::Result<()> {
    let (world, ticket, _, passcode) = shown().await?;
    let jane = world.browser();
    world.claim_gets(&jane, &ticket.0, &ticket.1, "opened").await?;
    let answer = jane.report(&ticket.0).await?;
    ensure!(answer.status == StatusCode::OK && answer.state() == "reported", "{answer:?}");
    is_frozen(&world, &ticket, &passcode).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_notice_says_this_was_not_me() -> anyhow::Result<()> {
    let (world, ticket, notice, passcode) = shown().await?;
    let answer = world.browser().report_notice(&notice.token, &notice.number).await?;
    ensure!(answer.status == StatusCode::OK && answer.state() == "reported", "{answer:?}");
    is_frozen(&world, &ticket, &passcode).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_fresh_request_goes_on_after_a_report() -> anyhow::Result<()> {
    let (world, ticket, _, passcode) = shown().await?;
    world.browser().report(&ticket.0).await?;
    is_frozen(&world, &ticket, &passcode).await?;
    let (code, pin) = world.ticket_for_jane().await?;
    ensure!(code != ticket.0 && pin != ticket.1);
    world.claim_gets(&world.browser(), &ticket.0, &pin, "closed").await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_twice_is_told_once() -> anyhow::Result<()> {
    let (world, ticket, notice, passcode) = shown().await?;
    for _ in 0..2 {
        ensure!(world.browser().report(&ticket.0).await?.state() == "reported");
    }
    is_frozen(&world, &ticket, &passcode).await?;
    ensure!(world.browser().report(&ticket.0).await?.state() == "reported");
    ensure!(world.browser().report_notice(&notice.token, &notice.number).await?.state() == "reported");
    world.settle().await?;
    ensure!(world.smtp.read(SECURITY).is_empty(), "security was told again");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1, "the sessions were ended again");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_before_any_claim_voids_the_ticket_and_leaves_the_sessions_alone() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    ensure!(world.browser().report(&ticket.0).await?.state() == "reported");
    world.settle().await?;
    world.mail_says(SECURITY, "was stopped for safety")?;
    world.hears(&world.mary, "was stopped for safety")?;
    world.hears(&world.ada, "was stopped for safety")?;
    world.ticket_is_over(&world.browser(), &ticket, "reported").await?;
    ensure!(world.creates() == 0 && world.graph.sessions_revoked(&world.jane.person) == 0);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_a_used_pass_still_ends_the_sessions() -> anyhow::Result<()> {
    let (world, ticket, notice, passcode) = shown().await?;
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.advance(Duration::from_mins(10)).await?;
    world.hears(&world.ada, "then used")?;
    ensure!(world.browser().report_notice(&notice.token, &notice.number).await?.state() == "reported");
    world.settle().await?;
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1, "who used it is still signed in");
    world.mail_says(SECURITY, "was stopped for safety")?;
    world.ticket_is_over(&world.browser(), &ticket, "reported").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_alone_is_not_enough_and_five_wrong_numbers_void_it() -> anyhow::Result<()> {
    let (world, ticket, notice, passcode) = shown().await?;
    let browser = world.browser();
    for left in (0..5).rev() {
        let answer = browser.report_notice(&notice.token, &notice.other_number(left + 1)).await?;
        ensure!(answer.status == StatusCode::FORBIDDEN && answer.state() == "wrong_number", "{answer:?}");
        ensure!(answer.body["tries_left"] == left, "{answer:?}");
    }
    for number in [notice.number.clone(), notice.other_number(7)] {
        ensure!(browser.report_notice(&notice.token, &number).await?.state() == "unknown");
    }
    world.settle().await?;
    ensure!(world.janes_passes() == 1 && world.smtp.unread().is_empty(), "something happened");
    // The code is another way to say it.
    ensure!(world.browser().report(&ticket.0).await?.state() == "reported");
    is_frozen(&world, &ticket, &passcode).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_notice_does_not_void_the_link_of_an_earlier_one() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claim(&code, &pin).await?.passcode()?;
    world.settle().await?;
    let first = world.janes_notice()?;
    ensure!(browser.report_notice(&first.token, &first.other_number(1)).await?.body["tries_left"] == 4);
    world.grace_time_passes().await?;
    browser.claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    let later = world.janes_notices()?;
    ensure!(later.len() == 2, "{} notices", later.len());
    let tries = browser.report_notice(&later[1].token, &first.other_number(1)).await?;
    ensure!(tries.body["tries_left"] == 3, "a later notice gives new tries: {tries:?}");
    let answer = world.browser().report_notice(&first.token, &first.number).await?;
    ensure!(answer.state() == "reported", "the first notice's link is dead: {answer:?}");
    world.settle().await?;
    ensure!(world.janes_passes() == 0, "the reported pass lives");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_works_until_a_week_after_the_pass() -> anyhow::Result<()> {
    let week_and_hour = Duration::from_hours(7 * 24 + 1);
    for (early, state) in [(Duration::from_secs(1), "reported"), (Duration::ZERO, "unknown")] {
        let (world, _, notice, _) = shown().await?;
        world.advance(week_and_hour.saturating_sub(early)).await?;
        world.everybody_reads();
        let answer = world.browser().report_notice(&notice.token, &notice.number).await?;
        ensure!(answer.state() == state, "{early:?} before its end: {answer:?}");
        world.settle().await?;
        ensure!(world.smtp.unread().is_empty() == (state == "unknown"));
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_never_sent_is_unknown() -> anyhow::Result<()> {
    let (world, _, notice, _) = shown().await?;
    let mut other = notice.token.clone();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    let answer = world.browser().report_notice(&other, &notice.number).await?;
    ensure!(answer.status == StatusCode::NOT_FOUND && answer.state() == "unknown", "{answer:?}");
    world.settle().await?;
    ensure!(world.janes_passes() == 1);
    world.finish_unread().await
}
