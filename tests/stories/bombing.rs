//! Stories of approval bombing: cards that come until somebody presses Approve to be rid of them (`threats.md`, R16).
//!
//! What makes an approval worth something in spite of it is in `matching`, what one weary approver can do in
//! `looks_wrong`, and what security hears in `alarms`.

use anyhow::ensure;
use tapdesk_tests::scene::rulebook;
use tapdesk_tests::world::{Colleague, World};

fn undecided(world: &World, who: &Colleague) -> usize {
    let inbox = world.chat.inbox(&who.account);
    inbox.iter().filter(|message| message.visible_text().contains("[Deny]")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_is_asked_about_no_more_at_a_time_than_the_policy_allows() -> anyhow::Result<()> {
    let policy = rulebook("prompts_per_approver = 2", &["approvals = [\"manager\"]"]);
    let world = World::under(policy).await?;
    let people = ["Kim", "Lou", "Nia"].map(|name| {
        let colleague = world.colleague(name, &format!("{}@contoso.com", name.to_lowercase()));
        colleague.person.manager(&world.mary.person).mobile("+491709876543");
        colleague
    });
    for subject in &people {
        world.asks_for(&world.ada, subject).await?;
    }
    ensure!(undecided(&world, &world.mary) == 2, "Mary is asked {} times", undecided(&world, &world.mary));
    ensure!(world.events("approver.asked")? == 2, "somebody else was asked");
    world.presses(&world.mary, "Deny").await?;
    world.asks_for(&world.ada, &people[2]).await?;
    ensure!(undecided(&world, &world.mary) == 2, "what is decided still counts");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_for_the_same_person_brings_no_second_card() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    for _ in 0..3 {
        let read = world.asks_for(&world.ada, &world.jane).await?;
        ensure!(
            read.iter().any(|text| text.contains("There is an open request for them already")),
            "{read:#?}"
        );
    }
    ensure!(undecided(&world, &world.mary) == 1 && undecided(&world, &world.otto) == 1, "cards pile up");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_denies_is_not_asked_without_end() -> anyhow::Result<()> {
    let world = World::under(rulebook("requests_per_hour = 4", &["approvals = [\"manager\"]"])).await?;
    for _ in 0..10 {
        world.asks_for(&world.ada, &world.jane).await?;
        if undecided(&world, &world.mary) > 0 {
            world.presses(&world.mary, "Deny").await?;
        }
    }
    ensure!(world.events("approver.asked")? == 4, "Mary is asked {} times", world.events("approver.asked")?);
    world.everybody_reads();
    world.finish_unread().await
}
