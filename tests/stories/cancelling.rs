//! What becomes of a request that its requester takes back, at every point of its way?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk_tests::scene::{JANES_PHONE, said};
use tapdesk_tests::world::{Colleague, World};

async fn tells(world: &World, who: &Colleague, text: &str) -> anyhow::Result<String> {
    Ok(world.asks(who, text).await?.join("\n=====\n"))
}

/// Another colleague who is locked out.
fn kim(world: &World) -> Colleague {
    let kim = world.colleague("Kim Kunde", "kim.kunde@contoso.com");
    kim.person.manager(&world.mary.person).mobile("+491709876543");
    kim
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_open_request_needs_no_name() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    let marys = world.value_of(&world.mary, "Approve")?;
    assert_snapshot!(tells(&world, &world.ada, "cancel").await?, @"
    Request …… for Jane Doe is with its approvers.
    Since then: cancelled by the requester.
    =====
    Request …… for Jane Doe is cancelled.
    Nobody is asked any more, and whatever was sent is void.
    ");
    for approver in [&world.mary, &world.otto] {
        world.hears(approver, "Pass for Jane Doe: cancelled by the requester")?;
        world.has_no_button(approver)?;
    }
    let told = world.presses_with(&world.mary, "approve", &marys).await?;
    ensure!(told.contains("This request is over"), "{told}");
    ensure!(world.texts() == 0 && world.events("request.cancelled")? == 1);
    assert_snapshot!(tells(&world, &world.ada, "cancel").await?, @"You have no open request, so nothing happened.");
    // Jane may be asked for anew at once.
    world.ada_asks_for_jane().await?;
    world.card(&world.mary, "Approve")?;
    tells(&world, &world.ada, &format!("cancel {}", world.jane.account.mention())).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_open_requests_one_is_named_by_the_colleague() -> anyhow::Result<()> {
    let world = World::start().await?;
    let kim = kim(&world);
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_secs(1)).await?;
    world.types(&world.ada, "for kim.kunde@contoso.com left the phone in a taxi").await;
    world.settle().await?;
    world.everybody_reads();
    assert_snapshot!(tells(&world, &world.ada, "cancel").await?, @"
    You have several open requests: for whom? Nothing happened yet; these are open:
    Jane Doe (jane.doe@contoso.com): waiting for approval
    Kim Kunde (kim.kunde@contoso.com): waiting for approval
    Write, for example: /tap cancel jane.doe@contoso.com
    ");
    assert_snapshot!(tells(&world, &world.ada, &format!("cancel {}", world.otto.account.mention())).await?, @"
    None of your open requests is for that colleague by that name. Nothing happened; these are open:
    Jane Doe (jane.doe@contoso.com): waiting for approval
    Kim Kunde (kim.kunde@contoso.com): waiting for approval
    Write, for example: /tap cancel jane.doe@contoso.com
    ");
    ensure!(world.events("request.cancelled")? == 0, "one was cancelled that nobody named");
    // By the address, however it is spelt, though Ada picked Jane from the list.
    let told = tells(&world, &world.ada, "cancel Jane.Doe@contoso.com thanks").await?;
    ensure!(told.contains("for Jane Doe is cancelled"), "{told}");
    // Kim's goes on, and is the only one now.
    world.presses(&world.mary, "Approve").await?;
    ensure!(world.twilio.phone("+491709876543").read().len() == 1, "Kim gets no code");
    let told = tells(&world, &world.ada, "cancel").await?;
    ensure!(told.contains("for Kim Kunde is cancelled"), "{told}");
    drop(kim);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_cancels_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    for other in [&world.mary, &world.jane, &world.otto] {
        let told = tells(&world, other, &format!("cancel {}", world.jane.account.mention())).await?;
        ensure!(told.ends_with("You have no open request, so nothing happened."), "{told}");
    }
    world.card(&world.mary, "Approve")?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_cancelled_before_anybody_looked_at_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let held = world.graph.wire.hold_request("/v1.0/users");
    world.ada_types_for_jane().await?;
    let reply = world.types(&world.ada, "cancel").await;
    held.open();
    ensure!(reply.body.contains("is cancelled"), "{reply:?}");
    world.advance(Duration::from_mins(1)).await?;
    world.nobody_is_bothered_but(&[&world.ada])?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked all the same");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn code_and_pin_are_void_and_the_approvers_have_no_button() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    tells(&world, &world.ada, "cancel").await?;
    for approver in [&world.mary, &world.otto] {
        world.hears(approver, "approved by Mary Major, then cancelled by the requester")?;
    }
    world.ticket_is_over(&world.browser(), &ticket, "cancelled").await?;
    ensure!(world.creates() == 0);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_is_being_made_is_deleted_and_the_requester_hears_when_it_is_gone() -> anyhow::Result<()>
{
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_after_the_create(&world.browser(), &ticket).await;
    let reply = world.types(&world.ada, "cancel").await;
    ensure!(reply.is_accepted(), "{reply:?}");
    assert_snapshot!(said(&world.whispered(&world.ada)), @"
    Request …… for Jane Doe is being cancelled: somebody was opening the pass just now.
    Whatever comes of that I delete; I write to you when it is gone.
    ");
    held.open();
    let answer = claiming.answer().await?;
    ensure!(answer.state() == "closed" && answer.body["why"] == "cancelled", "{answer:?}");
    world.advance(Duration::from_mins(6)).await?;
    world.hears(
        &world.ada,
        "The pass for Jane Doe is over: approved by Mary Major, then cancelled by the requester.",
    )?;
    world.mail_says("jane.doe@contoso.com", "was deleted")?;
    world.ticket_is_over(&world.browser(), &ticket, "cancelled").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_pass_keeps_it_and_the_requester_hears_what_to_do() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    assert_snapshot!(tells(&world, &world.ada, "cancel").await?, @"
    Too late to cancel: Jane Doe has opened the pass.
    To take it back, write: /tap revoke jane.doe@contoso.com
    That deletes the pass and ends their sessions.
    ");
    ensure!(world.janes_passes() == 1);
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_races_a_claim_leaves_no_pass_or_says_that_it_came_too_late() -> anyhow::Result<()> {
    for _ in 0..4 {
        let world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        let browser = world.browser();
        let (reply, answer) =
            futures::future::join(world.types(&world.ada, "cancel"), browser.claim(&ticket.0, &ticket.1))
                .await;
        let answer = answer?;
        world.settle().await?;
        if reply.body.contains("Too late to cancel") {
            ensure!(answer.state() == "pass", "{answer:?}");
        } else {
            world.advance(Duration::from_mins(6)).await?;
            ensure!(world.janes_passes() == 0, "{reply:?}, and a pass lives: {answer:?}");
            world.ticket_is_over(&world.browser(), &ticket, "cancelled").await?;
        }
        ensure!(world.events("request.cancelled")? <= 1);
        world.everybody_reads();
        world.finish_unread().await?;
    }
    Ok(())
}

/// A replayed `cancel` must not take back what was asked for since.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_is_delivered_again_does_nothing_to_a_newer_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.types(&world.ada, "cancel").await;
    let delivery = world.chat.deliveries().pop().context("nothing was delivered")?;
    world.ada_asks_for_jane().await?;
    let again = world.chat.replay(&delivery).await;
    ensure!(again.body.contains("I have this one already"), "{}", again.body);
    world.settle().await?;
    world.presses(&world.mary, "Approve").await?;
    world.code_at(JANES_PHONE)?;
    world.types(&world.ada, "cancel").await;
    world.settle().await?;
    world.everybody_reads();
    world.finish().await
}
