//! How often can one thing be decided?

use anyhow::ensure;
use futures::future::join_all;
use tapdesk_tests::chat::Message;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::world::{Colleague, World};

/// How many lines of that kind count: those whose commit lost its race do not.
fn counted(world: &World, what: &str) -> anyhow::Result<usize> {
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let of_kind =
        |phase: &str| lines.iter().filter(|line| line["what"] == what && line["phase"] == phase).count();
    Ok(of_kind("event") - of_kind("outcome"))
}

fn whispers(world: &World, who: &Colleague) -> Vec<String> {
    world.chat.ephemerals(&who.account).iter().map(Message::visible_text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn decide_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let (marys, ottos) = (world.card(&world.mary, "Approve")?, world.card(&world.otto, "Approve")?);
    let clicks = (0..32).map(|n| {
        let (who, card) = if n % 2 == 0 { (&world.mary, &marys) } else { (&world.otto, &ottos) };
        let button = if n % 8 == 7 { "Deny" } else { "Approve" };
        world.chat.press(&who.account, card, button)
    });
    for reply in join_all(clicks).await {
        ensure!(reply?.is_accepted(), "a click was not acknowledged");
    }
    world.settle().await?;
    let (approved, denied) = (counted(&world, "request.approved")?, counted(&world, "request.denied")?);
    ensure!(approved + denied == 1, "{approved} approvals and {denied} denials count");
    ensure!(world.twilio.sent().len() == approved, "{} text messages", world.twilio.sent().len());
    let kind = [whispers(&world, &world.mary), whispers(&world, &world.otto)].concat();
    ensure!(kind.len() == 31, "31 clicks came too late, {} got an answer", kind.len());
    let kindly = |text: &String| {
        text.contains("decided already")
            || text.contains("This request is over")
            || text.contains("approved this already")
    };
    ensure!(kind.iter().all(kindly), "{kind:#?}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_is_pressed_only_by_whom_it_was_made_for() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let marys = world.card(&world.mary, "Approve")?;
    // Whoever learns what Mary's button carries still is not Mary.
    for thief in [&world.ada, &world.jane, &world.otto, &world.colleague("Eve Else", "eve@contoso.com")] {
        let stolen = world.chat.press_as(&thief.account, &world.mary.account, &marys, "Approve").await?;
        ensure!(stolen.is_accepted(), "{stolen:?}");
        world.settle().await?;
        let answer = whispers(&world, thief).pop().unwrap_or_default();
        ensure!(answer.contains("not yours to decide"), "{}: {answer}", thief.account.name);
    }
    ensure!(counted(&world, "approval.given")? == 0, "a stolen button decided");
    world.presses(&world.mary, "Approve").await?;
    ensure!(counted(&world, "approval.given")? == 1, "the right one does not");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pin_is_shown_to_who_approved_and_to_nobody_else() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let marys = world.card(&world.mary, "Show PIN")?;
    for other in [&world.otto, &world.ada, &world.jane] {
        world.chat.press_as(&other.account, &world.mary.account, &marys, "Show PIN").await?;
        world.settle().await?;
        ensure!(world.chat.modal(&other.account).is_none(), "{} sees a PIN", other.account.name);
    }
    world.presses(&world.mary, "Show PIN").await?;
    let first = world.pin_before(&world.mary)?;
    world.presses(&world.mary, "Show PIN").await?;
    let second = world.pin_before(&world.mary)?;
    let code = world.code_at("+491701234512")?;
    let stale = world.browser().claim(&code, &first).await?;
    ensure!(stale.state() == "wrong_pin", "the older PIN still works: {stale:?}");
    world.browser().claims_and_sees(&code, &second).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_clicks_of_one_hand_are_one_approval() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let clicks = join_all((0..32).map(|_| world.chat.press(&world.mary.account, &card, "Approve"))).await;
    for reply in clicks {
        ensure!(reply?.is_accepted(), "a click was not acknowledged");
    }
    world.settle().await?;
    ensure!(world.events("approval.given")? == 1 && world.events("request.approved")? == 1);
    ensure!(world.events("ticket.code.minted")? == 1 && world.twilio.sent().len() == 1, "not one ticket");
    let kind = whispers(&world, &world.mary);
    ensure!(kind.len() == 31 && kind.iter().all(|text| text.contains("decided already")), "{kind:#?}");
    world.everybody_reads();
    world.finish_unread().await
}

/// A worker that dies after its message was sent and before it could say so: the one way to a second message.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_twice_only_after_a_death_and_that_is_counted() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    let sent = world.twilio.wire.seen().len();
    let held = world.twilio.wire.hold_answer("Messages.json");
    let press =
        world.chat.press(&world.mary.account, &world.card(&world.mary, "Approve")?, "Approve").await?;
    ensure!(press.is_accepted());
    tokio::select! {
        settled = world.settle() => anyhow::bail!("the worker outlived its message: {settled:?}"),
        () = world.twilio.wire.arrived("Messages.json", sent + 1) => {}
    }
    held.open();
    world.twilio.wire.landed().await;
    ensure!(world.twilio.phone("+491701234512").messages().len() == 1, "the message had not been sent");
    let first = world.code_at("+491701234512")?;
    let before = repeated();
    world.advance(std::time::Duration::from_secs(91)).await?;
    ensure!(repeated() > before, "the repetition was not counted");
    ensure!(world.twilio.phone("+491701234512").messages().len() == 2, "the code was not sent again");
    let second = world.code_at("+491701234512")?;
    world.presses(&world.mary, "Show PIN").await?;
    let pin = world.pin_before(&world.mary)?;
    // One decision, one ticket: of the two codes only the newer is good.
    ensure!(world.events("request.approved")? == 1);
    ensure!(world.browser().claim(&first, &pin).await?.state() == "unknown", "the older code still works");
    world.browser().claims_and_sees(&second, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_a_dead_worker_held_is_repeated_and_counted() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    let store = world.tapdesk()?.worker.desk.store().clone();
    let lease = std::time::Duration::from_secs(90);
    let held = store.due(world.hands.now(), &"dead".into(), lease, 10).await?;
    ensure!(held.len() == 1, "the look-up is due: {held:?}");
    world.settle().await?;
    ensure!(world.reads(&world.mary).is_empty(), "a leased task was performed by somebody else");
    let before = repeated();
    world.advance(lease + std::time::Duration::from_secs(1)).await?;
    ensure!(world.reads(&world.mary).len() == 1, "the task of the dead worker was not taken over");
    ensure!(repeated() > before, "the repetition was not counted");
    world.finish_unread().await
}

fn repeated() -> u64 {
    let metrics = tapdesk::telemetry::metrics().render();
    let lines = metrics.lines().filter(|line| line.starts_with("tapdesk_tasks_repeated_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
