//! The main path: asked for, approved, claimed, shown.

use std::time::Duration;

use anyhow::ensure;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_asks_the_manager_approves_and_the_subject_reads_a_pass() -> anyhow::Result<()> {
    let world = World::start().await?;

    let mention = world.jane.account.mention();
    let reply = world.types(&world.ada, &format!("for {mention} lost her phone, INC0012345")).await;
    ensure!(reply.is_accepted(), "{reply:?}");
    let answer =
        world.chat.ephemerals(&world.ada.account).pop().map(|m| m.visible_text()).unwrap_or_default();
    ensure!(answer.contains("Checking…"), "{answer}");
    world.settle().await?;
    world.hears(&world.ada, "is with its approvers")?;

    let card = world.card(&world.mary, "Approve")?.visible_text();
    for part in ["Jane Doe", "Ada Agent", "lost her phone, INC0012345", "+49…12", "helpdesk for staff"] {
        ensure!(card.contains(part), "{part} is missing: {card}");
    }
    ensure!(!card.contains("+491701234512"), "the whole number is on the card");
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.otto, "Pass for Jane Doe: approved by Mary Major")?;
    world.hears(&world.ada, "is approved by Mary Major")?;

    world.presses(&world.mary, "Show PIN").await?;
    let pin = world.pin_before(&world.mary)?;
    let code = world.code_at("+491701234512")?;
    world.reads(&world.mary);

    let browser = world.browser();
    let passcode = browser.claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    ensure!(world.graph.live_passes(&world.jane.person).len() == 1);
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.hears(&world.ada, "Jane Doe has the pass")?;
    world.hears(&world.mary, "A sign-in pass was made for Jane Doe")?;
    let notice = world.smtp.read("jane.doe@contoso.com");
    ensure!(notice.len() == 1 && notice[0].subject.contains("was made for your account"), "{notice:?}");

    world.advance(Duration::from_mins(10)).await?;
    world.hears(&world.ada, "used")?;
    let notice = world.smtp.read("jane.doe@contoso.com");
    ensure!(notice.len() == 1 && notice[0].subject.contains("was used to sign in"), "{notice:?}");
    world.finish().await
}
