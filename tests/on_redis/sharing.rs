//! What do two replicas know of each other's requests? Everything: one decision, one pass, one count of tries.

use std::time::Duration;

use anyhow::ensure;
use futures::future::join_all;
use tapdesk_tests::chat::{Call, Message};
use tapdesk_tests::claims::{JANES_MAIL, Ticket, wrong_pin};
use tapdesk_tests::replicas::Replicas;
use tapdesk_tests::scene::JANES_PHONE;
use tapdesk_tests::world::Colleague;

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_is_clicked_at_both_replicas_at_once_is_one_decision() -> anyhow::Result<()> {
    let replicas = Replicas::start().await?;
    let world = &replicas.world;
    jane_is_asked_for(&replicas).await?;
    let (marys, ottos) = (world.card(&world.mary, "Approve")?, world.card(&world.otto, "Approve")?);
    let ways = [replicas.chat(0)?, replicas.chat(1)?];
    let clicks = (0..16).map(|n| {
        let (who, card) = if n % 4 < 2 { (&world.mary, &marys) } else { (&world.otto, &ottos) };
        ways[n % 2].press(&who.account, card, "Approve")
    });
    for reply in join_all(clicks).await {
        ensure!(reply?.is_accepted(), "a click was not acknowledged");
    }
    // Every click but the one that counted gets its kind answer.
    world.chat.arrived(Call::Whisper, 15).await;
    world.twilio.wire.arrived("Messages.json", 1).await;
    for wire in [world.chat.wire(), &world.twilio.wire] {
        wire.landed().await;
    }
    let answers = [whispers(&replicas, &world.mary), whispers(&replicas, &world.otto)].concat();
    ensure!(
        answers.len() == 15 && answers.iter().all(|text| text.contains("decided already")),
        "{answers:#?}"
    );
    ensure!(world.events("request.approved")? == 1 && world.events("approval.given")? == 1, "decided twice");
    ensure!(world.twilio.sent().len() == 1, "{} text messages", world.twilio.sent().len());
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_repeated_to_the_other_replica_counts_once() -> anyhow::Result<()> {
    let replicas = Replicas::start().await?;
    let world = &replicas.world;
    jane_is_asked_for(&replicas).await?;
    let asked = world.chat.deliveries();
    let again = replicas.chat(1)?.retry(&asked[0]).await;
    ensure!(again.is_accepted() && again.body.contains("already"), "{again:?}");
    let card = world.card(&world.mary, "Approve")?;
    ensure!(replicas.chat(0)?.press(&world.mary.account, &card, "Approve").await?.is_accepted());
    let pressed = world.chat.deliveries();
    let again = replicas.chat(1)?.retry(&pressed[1]).await;
    ensure!(again.is_accepted(), "{again:?}");
    world.twilio.wire.arrived("Messages.json", 1).await;
    ensure!(world.events("request.received")? == 1 && world.events("approval.given")? == 1);
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_claimed_at_both_replicas_at_once_brings_one_pass() -> anyhow::Result<()> {
    let replicas = Replicas::start().await?;
    let world = &replicas.world;
    let (code, pin) = ticket_for_jane(&replicas).await?;
    let browsers = [replicas.browser(0)?, replicas.browser(1)?];
    let answers = join_all(browsers.iter().map(|browser| browser.claim(&code, &pin))).await;
    let answers: Vec<_> = answers.into_iter().collect::<anyhow::Result<_>>()?;
    let winners: Vec<usize> = (0..2).filter(|n| answers[*n].passcode().is_ok()).collect();
    ensure!(winners.len() == 1, "{answers:?}");
    let (winner, loser) = (winners[0], 1 - winners[0]);
    ensure!(matches!(answers[loser].state(), "busy" | "opened"), "{answers:?}");
    ensure!(world.creates() == 1 && world.janes_passes() == 1, "{} creates", world.creates());

    // The page is the same one wherever the balancer sends it; another page stays another one.
    let elsewhere = browsers[winner].at(replicas.replica(loser)?.base.clone());
    elsewhere.shown(&code).await?;
    let stranger = browsers[loser].at(replicas.replica(winner)?.base.clone());
    ensure!(stranger.claim(&code, &pin).await?.state() == "opened");
    elsewhere.claims_and_sees(&code, &pin).await?;
    ensure!(world.janes_passes() == 1, "Jane has {} passes", world.janes_passes());
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pins_are_counted_together_over_both_replicas() -> anyhow::Result<()> {
    let replicas = Replicas::start().await?;
    let (code, pin) = ticket_for_jane(&replicas).await?;
    let mut left = Vec::new();
    for by in 1..=4 {
        let answer = replicas.browser(by as usize % 2)?.claim(&code, &wrong_pin(&pin, by)).await?;
        ensure!(answer.state() == "wrong_pin", "{answer:?}");
        left.push(answer.body["tries_left"].as_u64().unwrap_or_default());
    }
    ensure!(left == [4, 3, 2, 1], "{left:?}");
    ensure!(replicas.browser(1)?.claim(&code, &wrong_pin(&pin, 5)).await?.state() == "locked");
    let right = replicas.browser(0)?.claim(&code, &pin).await?;
    ensure!(right.state() == "closed" && right.body["why"] == "locked", "{right:?}");
    ensure!(replicas.world.creates() == 0, "Graph was asked for a pass");
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_something_is_told_once() -> anyhow::Result<()> {
    let mut replicas = Replicas::start().await?;
    let (code, pin) = ticket_for_jane(&replicas).await?;
    replicas.browser(1)?.claims_and_sees(&code, &pin).await?;
    replicas.stop().await?;
    replicas.world.advance(Duration::from_mins(1)).await?;
    let world = &replicas.world;
    let mails = world.smtp.mailbox(JANES_MAIL);
    ensure!(mails.len() == 1, "the owner got {} notices", mails.len());
    ensure!(world.texts() == 1, "{} text messages", world.texts());
    for who in [&world.ada, &world.mary, &world.otto] {
        let mut read: Vec<String> =
            world.chat.inbox(&who.account).iter().map(Message::visible_text).collect();
        let messages = read.len();
        read.sort();
        read.dedup();
        ensure!(read.len() == messages, "{} got a message twice: {read:#?}", who.account.name);
    }
    ensure!(replicas.said("a task is repeated").is_empty(), "a task was done twice without any death");
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_at_one_replica_holds_at_the_other() -> anyhow::Result<()> {
    let replicas = Replicas::start().await?;
    let world = &replicas.world;
    let (code, pin) = ticket_for_jane(&replicas).await?;
    let http = tapdesk_adapters::http::client(tapdesk_adapters::http::Limits::default())?;
    let at = |n: usize| anyhow::Ok(replicas.replica(n)?.admin_base.join("lockdown")?);
    ensure!(http.put(at(0)?).send().await?.status().is_success());
    ensure!(http.get(at(1)?).send().await?.text().await?.starts_with("on since"));
    ensure!(replicas.browser(1)?.claim(&code, &pin).await?.state() == "lockdown");
    ensure!(world.creates() == 0, "Graph was asked for a pass during the lockdown");
    ensure!(http.delete(at(1)?).send().await?.status().is_success());
    replicas.browser(0)?.claims_and_sees(&code, &pin).await?;
    replicas.finish().await
}

/// Ada asks at the first replica; Mary and Otto have their cards and Ada has heard of it when this returns.
pub(crate) async fn jane_is_asked_for(replicas: &Replicas) -> anyhow::Result<()> {
    let world = &replicas.world;
    let text = format!("for {} lost her phone, INC0012345", world.jane.account.mention());
    let reply = replicas.chat(0)?.types(&world.ada.account, &text).await;
    ensure!(reply.is_accepted(), "the command was not accepted: {reply:?}");
    world.chat.arrived(Call::Say, 3).await;
    world.chat.wire().landed().await;
    Ok(())
}

/// Mary approves at one replica and shows herself the PIN by way of the other; returns what Jane then knows.
pub(crate) async fn ticket_for_jane(replicas: &Replicas) -> anyhow::Result<Ticket> {
    let world = &replicas.world;
    jane_is_asked_for(replicas).await?;
    let card = world.card(&world.mary, "Approve")?;
    ensure!(replicas.chat(1)?.press(&world.mary.account, &card, "Approve").await?.is_accepted());
    world.twilio.wire.arrived("Messages.json", 1).await;
    world.twilio.wire.landed().await;
    world.chat.arrived(Call::Edit, 2).await;
    world.chat.wire().landed().await;
    let card = world.card(&world.mary, "Show PIN")?;
    replicas.chat(0)?.press(&world.mary.account, &card, "Show PIN").await?;
    replicas.say("to=\"ClaimOpen\"").await?;
    Ok((world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?))
}

fn whispers(replicas: &Replicas, who: &Colleague) -> Vec<String> {
    let whispers = replicas.world.chat.ephemerals(&who.account);
    whispers.iter().map(Message::visible_text).filter(|text| !text.contains("Checking")).collect()
}
