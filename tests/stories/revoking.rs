//! Who revokes what, and what is everybody told?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::scene::said;
use tapdesk_tests::world::{Colleague, Setting, World};

const NOTHING: &str = "There is nothing for that colleague that you could revoke.";

/// The usual world, with Sofia of security in it.
async fn with_security() -> anyhow::Result<(World, Colleague)> {
    let mut world = World::without_tapdesk(Setting::default()).await?;
    let sofia = world.colleague("Sofia Security", "sofia.security@contoso.com");
    let group = world.company.group("Security").member(&sofia.person);
    let id = group.id().parse()?;
    world.configured(|config| config.security.group = Some(id));
    world.start_tapdesk().await?;
    Ok((world, sofia))
}

/// Jane has her pass in front of her, and everybody has read everything.
async fn pass_shown(world: &World) -> anyhow::Result<(String, String)> {
    let ticket = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&ticket.0, &ticket.1).await?;
    world.settle().await?;
    world.everybody_reads();
    Ok(ticket)
}

/// What somebody is told who types that, with everything that comes of it.
async fn told(world: &World, who: &Colleague, text: &str) -> anyhow::Result<String> {
    Ok(world.asks(who, text).await?.join("\n=====\n"))
}

fn read(world: &World, who: &Colleague) -> String {
    let without_facts = |text: &String| {
        let lines: Vec<&str> = text.lines().collect();
        let is_card = lines.contains(&"Asked by");
        said(if is_card { lines[0] } else { text })
    };
    world.reads(who).iter().map(without_facts).collect::<Vec<_>>().join("\n=====\n")
}

async fn is_revoked(world: &World, ticket: &(String, String)) -> anyhow::Result<()> {
    ensure!(world.janes_passes() == 0, "the pass lives");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1, "her sessions live");
    world.mail_says("jane.doe@contoso.com", "A Temporary Access Pass for your account was deleted")?;
    ensure!(world.ledger_says("intent", "sessions.revoke")? == 1);
    ensure!(world.ledger_says("outcome", "sessions.revoke")? == 1);
    world.ticket_is_over(&world.browser(), ticket, "revoked").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requester_revokes_and_everybody_hears() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = pass_shown(&world).await?;
    assert_snapshot!(told(&world, &world.ada, &format!("revoke {}", world.jane.account.mention())).await?, @"
    Request …… for Jane Doe is with its approvers.
    Since then: revoked by Ada Agent.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: revoked by Ada Agent.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: revoked by Ada Agent.
    =====
    Jane Doe has the pass.
    Since then: revoked by Ada Agent.
    =====
    Request …… for Jane Doe: revoked by Ada Agent.
    Whatever pass still lives is deleted, and their sessions are ended. If Entra does not answer, I keep trying.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then revoked by Ada Agent.
    ");
    assert_snapshot!(read(&world, &world.mary), @"
    Pass for Jane Doe: approved by Mary Major, then revoked by Ada Agent
    =====
    A sign-in pass for Jane Doe was deleted. Ada Agent asked for it.
    If Jane Doe did not need one, tell your security team now.
    =====
    Request …… for Jane Doe: approved by Mary Major, then revoked by Ada Agent.
    Whatever pass still lives is deleted, and their sessions are ended. If Entra does not answer, I keep trying.
    ");
    assert_snapshot!(read(&world, &world.otto), @"Pass for Jane Doe: approved by Mary Major, then revoked by Ada Agent");
    is_revoked(&world, &ticket).await?;
    let again = told(&world, &world.ada, &format!("revoke {}", world.jane.account.mention())).await?;
    ensure!(again.contains(NOTHING), "{again}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_asked_to_approve_revokes_too() -> anyhow::Result<()> {
    for approves in [true, false] {
        let world = World::start().await?;
        let ticket = pass_shown(&world).await?;
        let (who, name) = if approves { (&world.mary, "Mary Major") } else { (&world.otto, "Otto Oncall") };
        let words = told(&world, who, "revoke jane.doe@contoso.com").await?;
        ensure!(words.contains(&format!("revoked by {name}")), "{words}");
        world.hears(&world.ada, "The pass for Jane Doe is over: approved by Mary Major, then revoked by")?;
        is_revoked(&world, &ticket).await?;
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn security_revokes_what_it_had_no_part_in() -> anyhow::Result<()> {
    for is_picked in [true, false] {
        let (world, sofia) = with_security().await?;
        let naming = if is_picked { world.jane.account.mention() } else { "jane.doe@contoso.com".to_owned() };
        let ticket = pass_shown(&world).await?;
        let words = told(&world, &sofia, &format!("revoke {naming}")).await?;
        if is_picked {
            assert_snapshot!(words, @"
            Request …… for Jane Doe: revoked by Sofia Security.
            Whatever pass still lives is deleted, and their sessions are ended. If Entra does not answer, I keep trying.
            ");
            assert_snapshot!(read(&world, &world.ada), @"
            Request …… for Jane Doe is with its approvers.
            Since then: revoked by Sofia Security.
            =====
            Request …… for Jane Doe is approved by Mary Major.
            Since then: revoked by Sofia Security.
            =====
            The code for Jane Doe went to +49…12 (sms).
            Since then: revoked by Sofia Security.
            =====
            Jane Doe has the pass.
            Since then: revoked by Sofia Security.
            =====
            The pass for Jane Doe is over: approved by Mary Major, then revoked by Sofia Security.
            ");
            assert_snapshot!(read(&world, &world.mary), @"
            Pass for Jane Doe: approved by Mary Major, then revoked by Sofia Security
            =====
            A sign-in pass for Jane Doe was deleted. Ada Agent asked for it.
            If Jane Doe did not need one, tell your security team now.
            =====
            Request …… for Jane Doe: approved by Mary Major, then revoked by Sofia Security.
            Whatever pass still lives is deleted, and their sessions are ended. If Entra does not answer, I keep trying.
            ");
        }
        is_revoked(&world, &ticket).await?;
        let again = told(&world, &sofia, &format!("revoke {naming}")).await?;
        ensure!(again.contains(NOTHING), "{again}");
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

/// Whether there is a request is none of a stranger's business.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_hears_the_same_whether_there_is_a_request_or_not() -> anyhow::Result<()> {
    let (world, _sofia) = with_security().await?;
    let eve = world.colleague("Eve Else", "eve@contoso.com");
    let without = told(&world, &eve, "revoke jane.doe@contoso.com").await?;
    assert_snapshot!(without, @"
    There is nothing for that colleague that you could revoke.
    Whoever asked for the pass, who was asked to approve it, and security may. If you think that something is wrong, tell your security team now.
    ");
    pass_shown(&world).await?;
    for who in [&eve, &world.jane] {
        let with = told(&world, who, "revoke jane.doe@contoso.com").await?;
        ensure!(with == without, "{}: {with}", who.account.name);
    }
    ensure!(world.janes_passes() == 1 && world.graph.sessions_revoked(&world.jane.person) == 0);
    let nobody = told(&world, &eve, "revoke nobody@contoso.com").await?;
    ensure!(nobody.contains("Nothing was revoked.\nNobody in the directory has that address."), "{nobody}");
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_group_is_configured_nobody_is_of_security() -> anyhow::Result<()> {
    let world = World::start().await?;
    let sofia = world.colleague("Sofia Security", "sofia.security@contoso.com");
    world.company.group("Security").member(&sofia.person);
    pass_shown(&world).await?;
    let words = told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    ensure!(words.contains(NOTHING) && world.janes_passes() == 1, "{words}");
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_yet_become_a_pass_is_revoked_and_her_sessions_are_left_alone() -> anyhow::Result<()> {
    let (world, sofia) = with_security().await?;
    world.ada_asks_for_jane().await?;
    let words = told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    ensure!(words.contains("No pass was made."), "{words}");
    world.hears(&world.mary, "Pass for Jane Doe: revoked by Sofia Security")?;
    world.has_no_button(&world.mary)?;
    world.everybody_reads();

    let ticket = world.ticket_for_jane().await?;
    told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    world.ticket_is_over(&world.browser(), &ticket, "revoked").await?;
    world.hears(&world.ada, "then revoked by Sofia Security")?;
    ensure!(world.creates() == 0 && world.graph.sessions_revoked(&world.jane.person) == 0);
    world.everybody_reads();
    world.finish().await
}

/// Nobody knows whether there is a pass; whatever there is goes, and her sessions with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_may_have_been_made_is_looked_for_and_deleted() -> anyhow::Result<()> {
    let (world, sofia) = with_security().await?;
    let ticket = world.ticket_for_jane().await?;
    world.graph.fail_after_handling(&world.create(), 1, axum::http::StatusCode::BAD_GATEWAY);
    let answer = world.browser().claim(&ticket.0, &ticket.1).await?;
    ensure!(answer.state() == "unavailable", "{answer:?}");
    let reply = world.types(&sofia, "revoke jane.doe@contoso.com").await;
    ensure!(reply.is_accepted(), "{reply:?}");
    world.advance(Duration::from_mins(6)).await?;
    world.hears(&sofia, "revoked by Sofia Security")?;
    world.hears(&world.ada, "then revoked by Sofia Security")?;
    ensure!(world.janes_passes() == 0 && world.graph.sessions_revoked(&world.jane.person) == 1);
    world.mail_says("jane.doe@contoso.com", "A Temporary Access Pass for your account was deleted")?;
    world.ticket_is_over(&world.browser(), &ticket, "revoked").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_used_pass_are_ended_for_a_week() -> anyhow::Result<()> {
    for (days, ends) in [(6, true), (8, false)] {
        let (world, sofia) = with_security().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        let passcode = world.browser().claims_and_sees(&code, &pin).await?;
        ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
        world.advance(Duration::from_hours(days * 24)).await?;
        world.everybody_reads();
        let words = told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
        ensure!(words.contains(NOTHING) != ends, "after {days} days: {words}");
        let revoked = world.graph.sessions_revoked(&world.jane.person);
        ensure!(revoked == usize::from(ends), "after {days} days: {revoked}");
        if ends {
            world.hears(
                &world.ada,
                "The pass for Jane Doe is over: approved by Mary Major, then revoked by Sofia",
            )?;
            world.hears(&world.mary, "revoked by Sofia Security")?;
        }
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_keeps_nobody_from_taking_back() -> anyhow::Result<()> {
    let (world, sofia) = with_security().await?;
    let ticket = pass_shown(&world).await?;
    world.lockdown(true).await?;
    told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    is_revoked(&world, &ticket).await?;
    world.ada_asks_for_jane().await?;
    let words = told(&world, &world.ada, "cancel").await?;
    ensure!(words.contains("is cancelled"), "{words}");
    world.lockdown(false).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_directory_does_not_answer_that_is_said_and_nothing_is_promised() -> anyhow::Result<()> {
    let (world, sofia) = with_security().await?;
    let ticket = pass_shown(&world).await?;
    world.graph.fail("/v1.0/users", 20, axum::http::StatusCode::SERVICE_UNAVAILABLE);
    let words = told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    assert_snapshot!(words, @"I could not look that up just now. Ask again in a minute; nothing was changed.");
    ensure!(world.janes_passes() == 1);
    // The requester needs no look-up: what was promised happens as soon as Graph is back.
    let words = told(&world, &world.ada, &format!("revoke {}", world.jane.account.mention())).await?;
    ensure!(words.contains("revoked by Ada Agent"), "{words}");
    world.graph.wire.heal();
    world.advance(Duration::from_mins(2)).await?;
    is_revoked(&world, &ticket).await?;
    world.everybody_reads();
    world.finish().await
}

/// A replayed `revoke` must not end what was asked for since.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_is_delivered_again_does_nothing_to_a_newer_request() -> anyhow::Result<()> {
    let (world, sofia) = with_security().await?;
    world.ada_asks_for_jane().await?;
    told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    let delivery = world.chat.deliveries().pop().context("nothing was delivered")?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    world.chat.replay(&delivery).await;
    world.settle().await?;
    world.presses(&world.mary, "Approve").await?;
    ensure!(world.events("request.revoked")? == 1, "the newer request was revoked");
    told(&world, &sofia, "revoke jane.doe@contoso.com").await?;
    ensure!(world.events("request.revoked")? == 2);
    world.everybody_reads();
    world.finish().await
}
