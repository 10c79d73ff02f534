//! What comes in again and again, or all at once?

use std::time::Duration;

use anyhow::ensure;
use futures::future::join_all;
use tapdesk_tests::chat::Message;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_delivered_twice_is_one_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    let delivery = world.chat.deliveries().pop().ok_or_else(|| anyhow::anyhow!("nothing was delivered"))?;
    let again = world.chat.replay(&delivery).await;
    ensure!(again.body.contains("I have this one already"), "{}", again.body);
    let retried = world.chat.retry(&delivery).await;
    ensure!(retried.body.contains("I have this one already"), "{}", retried.body);
    world.settle().await?;
    let asked = world.reads(&world.mary);
    ensure!(asked.len() == 1, "Mary is asked {} times", asked.len());
    world.hears(&world.ada, "is with its approvers")?;
    world.presses(&world.mary, "Deny").await?;
    world.hears(&world.ada, "turned down by Mary Major")?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_that_is_delivered_again_and_again_is_one_press() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let before = world.chat.ephemerals(&world.mary.account).len();
    let press = world.lost_press(&world.mary, "Approve").await?;
    for _ in 0..3 {
        ensure!(world.chat.replay(&press).await.is_accepted());
    }
    ensure!(world.chat.retry(&press).await.is_accepted());
    world.settle().await?;
    world.restart().await?;
    ensure!(world.chat.retry(&press).await.is_accepted());
    world.settle().await?;
    ensure!(world.events("request.approved")? == 1 && world.twilio.sent().len() == 1);
    let told: Vec<String> =
        world.chat.ephemerals(&world.mary.account).iter().skip(before).map(Message::visible_text).collect();
    ensure!(told.iter().all(|text| text.contains("decided already")), "{told:#?}");
    // A PIN that was shown stays good, however often its press is repeated.
    let show = world.lost_press(&world.mary, "Show PIN").await?;
    ensure!(world.chat.replay(&show).await.is_accepted());
    world.settle().await?;
    let pin = world.pin_before(&world.mary)?;
    let windows = world.chat.modals_ever_opened().len();
    for _ in 0..3 {
        ensure!(world.chat.replay(&show).await.is_accepted());
        world.settle().await?;
    }
    ensure!(world.chat.modals_ever_opened().len() == windows, "a replay opened another window");
    let code = world.code_at("+491701234512")?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_commands_at_once_twenty_are_taken_and_all_are_answered() -> anyhow::Result<()> {
    let world = World::start().await?;
    // Two hundred wait for one disk here, and it is shared.
    world.chat.set_deadline(Duration::from_mins(1));
    let texts: Vec<String> = (0..200).map(|n| format!("for nobody{n}@contoso.com lost the phone")).collect();
    let answers = join_all(texts.iter().map(|text| world.types(&world.ada, text))).await;
    let with = |part: &str| answers.iter().filter(|reply| reply.body.contains(part)).count();
    let (taken, told, open) = (with("Checking…"), with("You have asked 20 times"), with("could not confirm"));
    // A chat that refuses so many answers to one person at once brings some of them, and takes all commands.
    let unsaid = answers.iter().filter(|reply| reply.is_silent()).count();
    let refused = 200_usize.saturating_sub(world.chat.answers_at_once());
    ensure!(unsaid <= refused, "{unsaid} answers were not brought");
    let all = taken + told + open + unsaid;
    ensure!(all == 200, "{taken} taken, {told} told to wait, {open} not confirmed, {unsaid} not answered");
    world.settle().await?;
    let received = world.events("request.received")?;
    // One that could not be confirmed in time may have been stored; none beyond the twenty is.
    let might_be = taken + open + unsaid;
    ensure!(received == 20 && taken <= 20 && might_be >= 20, "{received} received, {taken} taken");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_twenty_requests_within_an_hour_the_agent_is_told_to_wait() -> anyhow::Result<()> {
    let world = World::start().await?;
    for n in 0..20 {
        let reply = world.types(&world.ada, &format!("for nobody{n}@contoso.com lost her phone")).await;
        ensure!(reply.body.contains("Checking"), "request {n}: {}", reply.body);
    }
    let reply = world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.body.contains("You have asked 20 times within the hour"), "{}", reply.body);
    world.advance(Duration::from_mins(61)).await?;
    let reply = world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.body.contains("Checking"), "{}", reply.body);
    world.finish_unread().await
}
