//! What becomes of a replica's work when it dies, freezes, or has too much of it?

use std::time::{Duration, Instant};

use anyhow::ensure;
use tapdesk_tests::chat::{Call, Chat, Message};
use tapdesk_tests::replicas::{LEASE, Replicas};
use tapdesk_tests::scene::JANES_PHONE;

use tapdesk_tests::world::{Colleague, Setting};

use crate::sharing::jane_is_asked_for;

/// The first question that Graph is asked about a request.
const LOOKUP: &str = "GET /v1.0/users";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_replica_had_in_hand_is_taken_over_within_the_lease() -> anyhow::Result<()> {
    let mut replicas = Replicas::start().await?;
    let held = the_first_has_janes_lookup(&replicas).await?;
    replicas.kill(0).await?;
    let died = Instant::now();
    held.open();
    let said = replicas.replica(1)?.says("a task is repeated").await?;
    ensure!(said.contains("task=\"fetch_facts\""), "{said}");
    // Half a lease more is for a machine that has much else to do.
    ensure!(died.elapsed() < LEASE * 3 / 2, "taken over after {:?}", died.elapsed());
    ensure!(
        replicas.counted(1, "tapdesk_tasks_repeated_total").await? == 1,
        "the repetition was not counted"
    );
    everybody_hears_once(&replicas).await?;
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_frozen_replica_had_in_hand_is_taken_over_and_not_undone_when_it_thaws() -> anyhow::Result<()>
{
    let replicas = Replicas::start().await?;
    let held = the_first_has_janes_lookup(&replicas).await?;
    replicas.replica(0)?.pause()?;
    held.open();
    replicas.replica(1)?.says("a task is repeated").await?;
    everybody_hears_once(&replicas).await?;
    replicas.replica(0)?.resume()?;
    // It has seen and settled what it had in hand when it serves again.
    let kim = another_subject(&replicas, "Kim Kay");
    asks(&replicas, &replicas.chat(0)?, &kim).await?;
    replicas.world.chat.arrived(Call::Say, 6).await;
    replicas.world.chat.wire().landed().await;
    let cards = cards_for(&replicas, &replicas.world.mary, "Jane Doe");
    ensure!(cards == 1, "Mary has {cards} cards");
    replicas.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_task_waits_neither_for_a_slow_one_nor_for_the_next_look() -> anyhow::Result<()> {
    let replicas = Replicas::with(1, Setting::default(), patient).await?;
    let lookup = replicas.world.graph.wire.hold_answer(LOOKUP);
    asks(&replicas, &replicas.chat(0)?, &replicas.world.jane).await?;
    replicas.world.graph.wire.arrived(LOOKUP, 1).await;
    let kim = another_subject(&replicas, "Kim Kay");
    asks(&replicas, &replicas.chat(0)?, &kim).await?;
    replicas.world.chat.arrived(Call::Say, 3).await;
    replicas.world.chat.wire().landed().await;
    ensure!(cards_for(&replicas, &replicas.world.mary, "Kim Kay") == 1, "Kim waits for Jane");
    ensure!(cards_for(&replicas, &replicas.world.mary, "Jane Doe") == 0, "nothing held Jane's look-up");
    lookup.open();
    replicas.world.chat.arrived(Call::Say, 6).await;
    replicas.finish().await
}

/// The replica that takes the requests in has no worker at all; the other one hears of each by its bell.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_task_of_one_replica_wakes_the_other() -> anyhow::Result<()> {
    const ASKED: usize = 10;
    let mut replicas = Replicas::with(1, Setting::default(), str::to_owned).await?;
    replicas.world.start_tapdesk().await?;
    let world = &replicas.world;
    for n in 0..ASKED {
        let subject = another_subject(&replicas, &format!("Kim Kay{n}"));
        let before = world.graph.wire.seen().len();
        asks(&replicas, &world.chat, &subject).await?;
        world.graph.wire.arrived("", before + 1).await;
        world.chat.arrived(Call::Say, 3 * (n + 1)).await;
    }
    let by = |by: &str| format!("tapdesk_worker_woken_total{{by=\"{by}\"}}");
    let (bell, time) = (replicas.counted(0, &by("bell")).await?, replicas.counted(0, &by("time")).await?);
    ensure!(
        bell >= ASKED as u64,
        "{ASKED} tasks were announced, and the bell rang {bell} times ({time} looks)"
    );
    replicas.finish().await
}

/// Tasks that are leased together are performed one after the other, and the lease of the last is no longer than that of
/// the first.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_wait_behind_slow_ones_are_not_performed_twice() -> anyhow::Result<()> {
    let mut replicas = Replicas::start().await?;
    replicas.replica(1)?.pause()?;
    let world = &replicas.world;
    let slow = [world.chat.hold_answer(Call::Say), world.chat.hold_answer(Call::Say)];
    asks(&replicas, &replicas.chat(0)?, &world.jane).await?;
    world.chat.arrived(Call::Say, 1).await;
    replicas.replica(1)?.resume()?;
    world.chat.arrived(Call::Say, 4).await;
    for slow in slow {
        slow.open();
    }
    // They finish what they have in hand.
    replicas.stop().await?;
    let heard = replicas.world.chat.inbox(&replicas.world.ada.account).len();
    ensure!(heard == 1, "Ada was told {heard} times");
    replicas.finish().await
}

/// An edit that is overtaken by a newer one of the other replica must not be what people see in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_shows_the_newest_state_whichever_replica_is_slower() -> anyhow::Result<()> {
    let mut replicas = Replicas::with(2, Setting::default(), patient).await?;
    let world = &replicas.world;
    jane_is_asked_for(&replicas).await?;
    replicas.replica(1)?.pause()?;
    let overtaken = world.chat.hold_request(Call::Edit);
    let card = world.card(&world.mary, "Approve")?;
    ensure!(replicas.chat(0)?.press(&world.mary.account, &card, "Approve").await?.is_accepted());
    world.chat.arrived(Call::Edit, 1).await;
    world.twilio.wire.arrived("Messages.json", 1).await;
    world.twilio.wire.landed().await;
    replicas.replica(1)?.resume()?;
    let code = world.code_at(JANES_PHONE)?;
    ensure!(replicas.browser(1)?.report(&code).await?.state() == "reported");
    world.chat.arrived(Call::Edit, 3).await;
    overtaken.open();
    // They finish what they have in hand.
    replicas.stop().await?;
    // On a busy machine an edit may have been given up and comes again.
    replicas.world.advance(Duration::from_mins(2)).await?;
    replicas.world.has_no_button(&replicas.world.mary)?;
    replicas.world.has_no_button(&replicas.world.otto)?;
    replicas.finish().await
}

/// Waits of outside services are no failures, as long as the story wants.
fn patient(text: &str) -> String {
    let text = text.replace("total = \"1s\"", "total = \"15s\"");
    text.replace(&format!("lease = \"{}s\"", LEASE.as_secs()), "lease = \"60s\"")
}

/// Ada asks for Jane, and the first replica asks Graph, which keeps its answer; the second one is awake.
async fn the_first_has_janes_lookup(replicas: &Replicas) -> anyhow::Result<tapdesk_tests::wire::Gate> {
    replicas.replica(1)?.pause()?;
    let held = replicas.world.graph.wire.hold_answer(LOOKUP);
    asks(replicas, &replicas.chat(0)?, &replicas.world.jane).await?;
    replicas.world.graph.wire.arrived(LOOKUP, 1).await;
    replicas.replica(1)?.resume()?;
    Ok(held)
}

async fn asks(replicas: &Replicas, way: &Chat, subject: &Colleague) -> anyhow::Result<()> {
    let text = format!("for {} lost the phone, INC0012345", subject.account.mention());
    let reply = way.types(&replicas.world.ada.account, &text).await;
    ensure!(reply.is_accepted(), "the command was not accepted: {reply:?}");
    Ok(())
}

/// Mary and Otto have one card each, and Ada one message.
async fn everybody_hears_once(replicas: &Replicas) -> anyhow::Result<()> {
    let world = &replicas.world;
    world.chat.arrived(Call::Say, 3).await;
    world.chat.wire().landed().await;
    for who in [&world.ada, &world.mary, &world.otto] {
        let messages = world.chat.inbox(&who.account).len();
        ensure!(messages == 1, "{} got {messages} messages", who.account.name);
    }
    Ok(())
}

fn another_subject(replicas: &Replicas, name: &str) -> Colleague {
    let world = &replicas.world;
    let upn = format!("{}@contoso.com", name.to_lowercase().replace(' ', "."));
    let subject = world.colleague(name, &upn);
    subject.person.manager(&world.mary.person).mobile(JANES_PHONE);
    subject
}

fn cards_for(replicas: &Replicas, who: &Colleague, subject: &str) -> usize {
    let inbox = replicas.world.chat.inbox(&who.account);
    inbox.iter().map(Message::visible_text).filter(|text| text.contains(subject)).count()
}
