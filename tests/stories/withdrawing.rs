//! What becomes of an approval that its giver takes back?

use std::time::Duration;

use anyhow::ensure;
use futures::future::{join, try_join_all};
use insta::assert_snapshot;
use tapdesk_tests::chat::Message;
use tapdesk_tests::scene::{rulebook, said};
use tapdesk_tests::world::World;

const BUTTON: &str = "Withdraw approval";

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_approval_ends_the_request_for_everybody() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    ensure!(world.card(&world.otto, BUTTON).is_err(), "Otto approved nothing");
    world.presses(&world.mary, BUTTON).await?;
    assert_snapshot!(said(&world.reads(&world.ada).join("\n")), @"
    Request …… for Jane Doe is with its approvers.
    Since then: withdrawn by Mary Major.
    Request …… for Jane Doe is approved by Mary Major.
    Since then: withdrawn by Mary Major.
    The code for Jane Doe went to +49…12 (sms).
    Since then: withdrawn by Mary Major.
    Request …… for Jane Doe is over: Mary Major took the approval back.
    Talk to them if it is still needed; only a new request goes on.
    ");
    for approver in [&world.mary, &world.otto] {
        world.hears(approver, "Pass for Jane Doe: approved by Mary Major, then withdrawn by Mary Major")?;
    }
    world.ticket_is_over(&world.browser(), &ticket, "revoked").await?;
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_takes_it_back_before_the_other_decides() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    world.ada_asks_for_jane().await?;
    let ottos = world.value_of(&world.otto, "Approve")?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, BUTTON).await?;
    world.hears(&world.ada, "is over: Mary Major took the approval back.")?;
    world.hears(&world.otto, "Pass for Jane Doe: withdrawn by Mary Major")?;
    let told = world.presses_with(&world.otto, "approve", &ottos).await?;
    ensure!(told.contains("This request is over"), "{told}");
    ensure!(world.texts() == 0);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_claim_began_the_button_is_gone_and_a_late_press_hears_what_to_do() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let marys = world.value_of(&world.mary, BUTTON)?;
    let (claiming, held) = world.claim_held_before_the_create(&world.browser(), &ticket).await;
    world.works_meanwhile().await?;
    world.has_no_button(&world.mary)?;
    world.chat.press_with(&world.mary.account, "withdraw", &marys).await;
    let late = || {
        let unread = world.chat.unread(&world.mary.account);
        unread.iter().map(Message::visible_text).find(|text| text.starts_with("Too late"))
    };
    let is_told = || late().is_some();
    ensure!(world.chat.wire().brings(Duration::from_secs(20), is_told).await, "nobody answers her");
    assert_snapshot!(late().unwrap_or_default(), @"Too late: the pass is being opened, or was. The command's revoke takes it back and ends their sessions.");
    held.open();
    claiming.answer().await?.passcode()?;
    world.settle().await?;
    world.has_no_button(&world.mary)?;
    // Nobody saw the pass; with the ticket, the button comes back.
    world.grace_time_passes().await?;
    world.card(&world.mary, "Show PIN")?;
    world.presses(&world.mary, BUTTON).await?;
    world.ticket_is_over(&world.browser(), &ticket, "revoked").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_races_a_claim_leaves_no_pass_or_hears_that_it_came_too_late() -> anyhow::Result<()>
{
    for _ in 0..4 {
        let world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        let (card, browser) = (world.card(&world.mary, BUTTON)?, world.browser());
        let (reply, answer) =
            join(world.chat.press(&world.mary.account, &card, BUTTON), browser.claim(&ticket.0, &ticket.1))
                .await;
        ensure!(reply?.is_accepted(), "the press was not acknowledged");
        let answer = answer?;
        world.settle().await?;
        if world.reads(&world.mary).iter().any(|text| text.starts_with("Too late")) {
            ensure!(answer.state() == "pass", "{answer:?}");
        } else {
            ensure!(world.janes_passes() == 0, "withdrawn, and a pass lives: {answer:?}");
            world.ticket_is_over(&world.browser(), &ticket, "revoked").await?;
        }
        world.everybody_reads();
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whoever_approved_withdraws_and_only_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let (marys, ottos) = (world.value_of(&world.mary, "Approve")?, world.value_of(&world.otto, "Approve")?);
    // Before there is an approval, there is none to withdraw.
    let early = world.presses_with(&world.mary, "withdraw", &marys).await?;
    ensure!(early.contains("not yours to decide"), "{early}");
    world.presses(&world.mary, "Approve").await?;
    for (who, value) in
        [(&world.otto, &ottos), (&world.otto, &marys), (&world.ada, &marys), (&world.jane, &marys)]
    {
        let told = world.presses_with(who, "withdraw", value).await?;
        ensure!(told.contains("not yours to decide"), "{}: {told}", who.account.name);
    }
    let card = world.card(&world.mary, BUTTON)?;
    try_join_all((0..4).map(|_| world.chat.press(&world.mary.account, &card, BUTTON))).await?;
    world.settle().await?;
    ensure!(world.events("request.withdrawn")? == 1, "it was withdrawn more than once");
    let kindly = world.chat.ephemerals(&world.mary.account);
    let kindly = kindly.iter().filter(|said| said.visible_text().contains("This request is over"));
    ensure!(kindly.count() == 3, "a late press was not answered");
    world.everybody_reads();
    world.finish().await
}
