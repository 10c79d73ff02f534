//! Stories of alarms: what is out of the ordinary reaches security once, and never holds anybody up.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_tests::scene::said;
use tapdesk_tests::smtp::{Mail, MailTrouble};
use tapdesk_tests::world::{Colleague, NO_ALARMS, SECURITY, Setting, World};

/// A world in which only this alarm is on.
async fn watching(key: &str, what: &str) -> anyhow::Result<World> {
    let others = NO_ALARMS.lines().filter(|line| !line.starts_with(key));
    let alarms = format!("{}\n{key} = {what}\n", others.collect::<Vec<_>>().join("\n"));
    let world = World::with(Setting { alarms, ..Setting::default() }).await?;
    let faults = world.config().faults();
    ensure!(faults.is_empty(), "the alarms of the story cannot be used: {faults:#?}");
    Ok(world)
}

/// The mails of alarms that security has not read; reads them.
fn rung(world: &World) -> Vec<Mail> {
    world.smtp.read(SECURITY).into_iter().filter(|mail| mail.subject.contains("Alarm")).collect()
}

fn text(mail: &Mail) -> String {
    said(mail.text.split("Request: ").next().unwrap_or_default().trim_end())
}

/// Somebody asks for somebody, and Mary says no after a while.
async fn asks_in_vain(world: &World, who: &Colleague, subject: &Colleague) -> anyhow::Result<()> {
    world.asks_for(who, subject).await?;
    world.advance(Duration::from_mins(1)).await?;
    world.presses(&world.mary, "Deny").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_request_for_somebody_within_a_week_rings() -> anyhow::Result<()> {
    let world = watching("repeated_requests", r#"{ requests = 3, within = "7d" }"#).await?;
    asks_in_vain(&world, &world.ada, &world.jane).await?;
    world.advance(Duration::from_hours(6 * 24)).await?;
    asks_in_vain(&world, &world.ada, &world.jane).await?;
    ensure!(rung(&world).is_empty(), "the second request rings");
    world.advance(Duration::from_hours(2 * 24)).await?;
    asks_in_vain(&world, &world.ada, &world.jane).await?;
    ensure!(rung(&world).is_empty(), "the first request is a week ago and still counts");
    world.ada_asks_for_jane().await?;
    let mails = rung(&world);
    ensure!(mails.len() == 1, "{mails:#?}");
    insta::assert_snapshot!(text(&mails[0]), @"
    Alarm: 3 requests for Jane Doe within 7 days.
    Call Jane Doe on a number that you know: did they need each of them?
    Request …… for Jane Doe is waiting for approval: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.
    ");
    world.presses(&world.mary, "Approve").await?;
    ensure!(rung(&world).is_empty(), "one request rings twice");
    ensure!(world.events("alarm.raised")? == 1, "the ledger does not say so");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_far_above_their_own_average_rings() -> anyhow::Result<()> {
    let world = watching("busy_agent", r#"{ at_least = 3, times = 3, over = "2d" }"#).await?;
    let people = ["Kim", "Lou", "Max"].map(|name| {
        let colleague = world.colleague(name, &format!("{}@contoso.com", name.to_lowercase()));
        colleague.person.manager(&world.mary.person).mobile("+491709876543");
        colleague
    });
    asks_in_vain(&world, &world.ada, &people[0]).await?;
    asks_in_vain(&world, &world.ada, &people[1]).await?;
    ensure!(rung(&world).is_empty(), "two requests ring");
    asks_in_vain(&world, &world.ada, &people[2]).await?;
    let mails = rung(&world);
    ensure!(mails.len() == 1, "{mails:#?}");
    insta::assert_snapshot!(text(&mails[0]), @"
    Alarm: 3 requests of Ada Agent within 24 hours.
    In 2 days before there were 0. Call Ada Agent: did they make all of them?
    Request …… for Max is waiting for approval: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.
    ");
    // The day after, three are what Ada does: her mean is one and a half.
    world.advance(Duration::from_hours(25)).await?;
    for subject in &people {
        asks_in_vain(&world, &world.ada, subject).await?;
    }
    ensure!(rung(&world).is_empty(), "an ordinary day rings");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_within_seconds_of_its_card_rings() -> anyhow::Result<()> {
    let world = watching("quick_approval", r#"{ within = "10s" }"#).await?;
    world.ada_asks_for_jane().await?;
    world.hands.turn(Duration::from_secs(4));
    world.presses(&world.mary, "Approve").await?;
    let mails = rung(&world);
    ensure!(mails.len() == 1, "{mails:#?}");
    insta::assert_snapshot!(text(&mails[0]), @"
    Alarm: Mary Major approved after 4 seconds.
    Ask Mary Major, in a call that you make, whether they called Jane Doe before.
    Request …… for Jane Doe is approved by Mary Major: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.
    ");
    world.everybody_reads();
    world.advance(Duration::from_hours(1)).await?;
    world.ada_asks_for_jane().await?;
    world.hands.turn(Duration::from_secs(10));
    world.presses(&world.mary, "Approve").await?;
    ensure!(rung(&world).is_empty(), "whoever took ten seconds rings");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_approves_for_the_first_time_rings_unless_they_are_the_manager() -> anyhow::Result<()> {
    let world = watching("new_approver", "{ managers = false }").await?;
    for (who, rings) in [(&world.mary, false), (&world.otto, true), (&world.otto, false)] {
        world.ada_asks_for_jane().await?;
        world.presses(who, "Approve").await?;
        let mails = rung(&world);
        ensure!(mails.len() == usize::from(rings), "{}: {mails:#?}", who.account.name);
        if let Some(mail) = mails.first() {
            insta::assert_snapshot!(text(mail), @"
    Alarm: Otto Oncall approved for the first time that I remember.
    Is Otto Oncall meant to approve? Look at how they came into the group that the rule names.
    Request …… for Jane Doe is approved by Otto Oncall: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.
    ");
        }
        world.everybody_reads();
        world.advance(Duration::from_hours(1)).await?;
    }
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_when_nobody_works_rings() -> anyhow::Result<()> {
    let week = r#"days = ["monday", "tuesday", "wednesday", "thursday", "friday"]"#;
    let hours = format!(r#"{{ {week}, from = "07:00", to = "19:00", zone = "Europe/Berlin" }}"#);
    let world = watching("off_hours", &hours).await?;
    asks_in_vain(&world, &world.ada, &world.jane).await?;
    ensure!(rung(&world).is_empty(), "Monday at eleven rings");
    world.advance(Duration::from_hours(16)).await?;
    world.ada_asks_for_jane().await?;
    let mails = rung(&world);
    ensure!(mails.len() == 1, "{mails:#?}");
    insta::assert_snapshot!(text(&mails[0]), @"
    Alarm: asked for or approved at 03:01 on 2026-11-24 (Europe/Berlin).
    Call whoever was at work then: Ada Agent asked.
    Request …… for Jane Doe is waiting for approval: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.
    ");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_day_rings_nothing_by_default() -> anyhow::Result<()> {
    let world = World::with(Setting { alarms: String::new(), ..Setting::default() }).await?;
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(1)).await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let ticket = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    ensure!(rung(&world).is_empty() && world.events("alarm.raised")? == 0, "an alarm rang");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_cannot_be_told_yet_holds_nobody_up() -> anyhow::Result<()> {
    let world = watching("quick_approval", r#"{ within = "10s" }"#).await?;
    world.smtp.trouble(MailTrouble::Refuse(451, "try later".to_owned()));
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    world.code_at("+491701234512").context("the code waits for the alarm")?;
    world.smtp.heal();
    world.advance(Duration::from_hours(1)).await?;
    ensure!(rung(&world).len() == 1, "security never heard of it, or twice");
    world.everybody_reads();
    world.finish_unread().await
}
