//! What if approvers let people wait? They are reminded, by day; and when the time is over everybody knows.

use std::time::Duration;

use anyhow::ensure;
use insta::assert_snapshot;
use jiff::Timestamp;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::world::{Colleague, World};

const MINUTE: Duration = Duration::from_mins(1);

/// What somebody has in their private chat now, message by message, without the facts of the request.
fn seen_by(world: &World, who: &Colleague) -> String {
    let inbox = world.chat.inbox(&who.account);
    let is_fact = |line: &str| {
        let facts = [
            "For",
            "Asked by",
            "Reason",
            "Code goes to",
            "Pass",
            "Rule",
            "Jane Doe (",
            "Ada Agent (",
            "lost her",
        ];
        facts.iter().any(|fact| line == *fact || (fact.len() > 6 && line.starts_with(fact)))
            || ["+49…12 (sms)", "helpdesk for staff"].contains(&line)
            || line.starts_with("good for 1 hour")
    };
    let texts = inbox.iter().map(|message| {
        let text = said(&message.visible_text());
        text.lines().filter(|line| !is_fact(line)).collect::<Vec<_>>().join("\n")
    });
    texts.collect::<Vec<_>>().join("\n=====\n")
}

/// When the cards of somebody arrived, in minutes after the request.
async fn minutes_of_cards(world: &World, who: &Colleague, within: Duration) -> anyhow::Result<Vec<u64>> {
    let (mut minutes, mut cards) = (Vec::new(), 0);
    for minute in 0..within.as_secs() / 60 {
        world.settle().await?;
        let now = world.chat.inbox(&who.account).len();
        minutes.extend(std::iter::repeat_n(minute, now - cards));
        cards = now;
        world.advance(MINUTE).await?;
    }
    Ok(minutes)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_does_not_decide_gets_the_card_again() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.mary);
    world.advance(Duration::from_mins(14)).await?;
    ensure!(world.reads(&world.mary).is_empty(), "Mary was reminded too early");
    world.advance(MINUTE).await?;
    assert_snapshot!(seen_by(&world, &world.mary), @r"
    Still waiting for you: Ada Agent asks for a pass for Jane Doe: approve?
    I asked you again below: go on there.
    =====
    Still waiting for you: Ada Agent asks for a pass for Jane Doe: approve?
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");

    // The newest copy is the one that decides, and no other keeps a button.
    world.advance(Duration::from_mins(30)).await?;
    let inbox = world.chat.inbox(&world.mary.account);
    let with_buttons = inbox.iter().filter(|card| card.visible_text().contains("[Approve]")).count();
    ensure!(inbox.len() == 3 && with_buttons == 1, "{inbox:#?}");
    world.presses(&world.mary, "Approve").await?;
    assert_snapshot!(seen_by(&world, &world.mary), @r"
    Pass for Jane Doe: approved by Mary Major
    I asked you again below: go on there.
    =====
    Pass for Jane Doe: approved by Mary Major
    I asked you again below: go on there.
    =====
    Pass for Jane Doe: approved by Mary Major
    You tell Jane Doe the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and read it out. Each press makes a new PIN and voids the one before.
    [Show PIN] [Withdraw approval] [This looks wrong]
    ");
    assert_snapshot!(seen_by(&world, &world.otto), @r"
    Pass for Jane Doe: approved by Mary Major
    =====
    Pass for Jane Doe: approved by Mary Major
    =====
    Pass for Jane Doe: approved by Mary Major
    ");
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    ensure!(world.events("approver.reminded")? == 4, "the ledger knows of each reminder");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pause_is_twice_the_one_before_until_the_time_is_over() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let minutes = minutes_of_cards(&world, &world.otto, Duration::from_hours(5)).await?;
    ensure!(minutes == [0, 15, 45, 105, 225], "{minutes:?}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_reminded_more_than_six_times() -> anyhow::Result<()> {
    let world = World::under(rulebook("remind_after = \"1m\"", &[""])).await?;
    world.ada_asks_for_jane().await?;
    let minutes = minutes_of_cards(&world, &world.otto, Duration::from_hours(4)).await?;
    ensure!(minutes == [0, 1, 3, 7, 15, 31, 63], "{minutes:?}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_can_be_turned_off() -> anyhow::Result<()> {
    let world = World::under(rulebook("remind_after = \"0s\"", &[""])).await?;
    world.ada_asks_for_jane().await?;
    let minutes = minutes_of_cards(&world, &world.otto, Duration::from_hours(5)).await?;
    ensure!(minutes == [0], "{minutes:?}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_decided_or_need_not_decide_is_not_reminded() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    let nora = world.colleague("Nora Night", "nora.night@contoso.com");
    world.oncall.member(&nora.person);
    world.ada_asks_for_jane().await?;
    world.presses(&nora, "Approve").await?;
    world.advance(Duration::from_hours(1)).await?;
    let copies = |who: &Colleague| world.chat.inbox(&who.account).len();
    ensure!(copies(&nora) == 1, "Nora decided");
    ensure!(copies(&world.otto) == 1, "with Nora's approval Otto's brings it no further");
    ensure!(copies(&world.mary) == 3, "it waits for Mary");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

/// Mary lives in Berlin, Otto in New York, and Nora's profile says something that is no time zone.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_reminded_in_their_night() -> anyhow::Result<()> {
    let head = "approval_expires = \"20h\"\n\
                quiet_hours = { from = \"20:00\", to = \"07:00\", zone = \"Asia/Tokyo\" }";
    let world = World::under(rulebook(head, &[""])).await?;
    world.hands.set("2026-11-23T18:30:00Z".parse::<Timestamp>()?);
    let nora = world.colleague("Nora Night", "nora.night@contoso.com");
    world.oncall.member(&nora.person);
    world.chat.lives_in(&world.otto.account, "America/New_York");
    world.chat.lives_in(&nora.account, "Somewhere/Else");
    world.ada_asks_for_jane().await?;
    let mut times: Vec<(String, String)> = Vec::new();
    for _ in 0..20 * 60 {
        for who in [&world.mary, &world.otto, &nora] {
            if !world.reads(who).is_empty() {
                let name = who.account.name.clone();
                times.push((name, world.hands.now().strftime("%H:%M").to_string()));
            }
        }
        world.advance(MINUTE).await?;
    }
    let of = |who: &Colleague| {
        let own = times.iter().filter(|(name, _)| *name == who.account.name);
        own.map(|(_, time)| time.as_str()).collect::<Vec<_>>().join(" ")
    };
    // 20:00 in Berlin is 19:00 UTC, and 07:00 is 06:00.
    ensure!(of(&world.mary) == "18:30 18:45 06:00 07:00 09:00 13:00", "{}", of(&world.mary));
    // 20:00 in New York is 01:00 UTC, and 07:00 is 12:00.
    ensure!(of(&world.otto) == "18:30 18:45 19:15 20:15 22:15 12:00", "{}", of(&world.otto));
    // 07:00 in Tokyo is 22:00 UTC, and 20:00 is 11:00.
    ensure!(of(&nora) == "18:30 22:00 22:30 23:30 01:30 05:30", "{}", of(&nora));
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_that_would_come_after_the_time_is_over_does_not_come() -> anyhow::Result<()> {
    let head = "quiet_hours = { from = \"11:00\", to = \"15:00\", zone = \"Europe/Berlin\" }";
    let world = World::under(rulebook(head, &[""])).await?;
    world.ada_asks_for_jane().await?;
    let minutes = minutes_of_cards(&world, &world.mary, Duration::from_hours(5)).await?;
    ensure!(minutes == [0], "{minutes:?}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_time_is_over_everybody_learns_it_and_what_to_do() -> anyhow::Result<()> {
    let world = World::under(rulebook("remind_after = \"3h\"", &[""])).await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    world.advance(Duration::from_hours(4)).await?;
    assert_snapshot!(seen_by(&world, &world.mary), @r"
    Pass for Jane Doe: nobody decided in time
    Nothing was made, and this card decides nothing any more. If Jane Doe still needs it, Ada Agent has to ask again.
    =====
    Pass for Jane Doe: nobody decided in time
    Nothing was made, and this card decides nothing any more. If Jane Doe still needs it, Ada Agent has to ask again.
    ");
    assert_snapshot!(seen_by(&world, &world.otto), @r"
    Pass for Jane Doe: nobody decided in time
    Nothing was made, and this card decides nothing any more. If Jane Doe still needs it, Ada Agent has to ask again.
    =====
    Pass for Jane Doe: nobody decided in time
    Nothing was made, and this card decides nothing any more. If Jane Doe still needs it, Ada Agent has to ask again.
    ");
    assert_snapshot!(world.newest(&world.ada)?, @r"
    Request …… for Jane Doe lapsed: nobody decided in time.
    I had asked Mary Major, Otto Oncall. Call them, then ask again.
    ");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_survives_a_restart_and_stays_one() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.restart().await?;
    world.hands.turn(Duration::from_mins(20));
    world.settle().await?;
    world.restart().await?;
    world.settle().await?;
    ensure!(world.chat.inbox(&world.mary.account).len() == 2, "one card and one reminder");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}
