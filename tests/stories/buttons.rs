//! Who may press which button, when, and what is everybody else told? (`threats.md` §2.4, bugs others paid for.)

use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use tapdesk_tests::world::{Setting, USUAL_POLICY, World};

fn with_approvals(approvals: &str) -> Setting {
    let policy = USUAL_POLICY.replace("[\"manager | group:{oncall}\"]", approvals);
    Setting { policy, ..Setting::default() }
}

/// Bug 29: authorised by the conversation instead of by the sender.
#[tokio::test(flavor = "multi_thread")]
async fn seeing_a_button_gives_nobody_the_right_to_press_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let marys = world.value_of(&world.mary, "Approve")?;
    let eve = world.colleague("Eve Else", "eve@contoso.com");
    for (who, choice) in
        [(&world.ada, "approve"), (&world.jane, "approve"), (&eve, "deny"), (&world.otto, "deny")]
    {
        let told = world.presses_with(who, choice, &marys).await?;
        ensure!(told.contains("not yours to decide"), "{}: {told}", who.account.name);
    }
    ensure!(world.events("approval.given")? + world.events("request.denied")? == 0, "somebody else decided");
    ensure!(world.card(&world.mary, "Approve").is_ok(), "the card was taken from Mary");
    world.everybody_reads();
    world.finish().await
}

/// Bug 30: an empty allow-list meant that everybody may approve.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_group_of_approvers_means_nobody() -> anyhow::Result<()> {
    let world = World::with(with_approvals("[\"group:{oncall}\"]")).await?;
    world.oncall.without(&world.otto.person);
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "Nobody can approve this")?;
    ensure!(world.events("approver.asked")? == 0, "somebody was asked");
    world.everybody_reads();
    world.finish().await
}

/// Bug 31: buttons carried something that other requests and people could use.
#[tokio::test(flavor = "multi_thread")]
async fn a_button_is_good_for_one_request_and_one_person() -> anyhow::Result<()> {
    let world = World::start().await?;
    let kim = world.colleague("Kim Kunde", "kim.kunde@contoso.com");
    kim.person.manager(&world.mary.person).mobile("+491709876543");
    world.ada_asks_for_jane().await?;
    let (for_jane, ottos) =
        (world.value_of(&world.mary, "Approve")?, world.value_of(&world.otto, "Approve")?);
    world.types(&world.ada, "for kim.kunde@contoso.com left the phone in a taxi").await;
    world.settle().await?;
    let for_kim = world.value_of(&world.mary, "Approve")?;
    let part = |value: &str, at: usize| value.split('.').nth(at).unwrap_or_default().to_owned();
    ensure!(
        part(&for_jane, 1) != part(&for_kim, 1) && part(&for_jane, 1) != part(&ottos, 1),
        "a prompt repeats"
    );
    for shown in ["jane", "mary", "U0", "contoso"] {
        ensure!(!for_jane.contains(shown), "the button says {shown}: {for_jane}");
    }
    let (id, prompt) = (part(&for_jane, 0), part(&for_jane, 1));
    let other = if id.ends_with('0') { '1' } else { '0' };
    let guessed = format!("{}{other}.{prompt}", &id[..id.len() - 1]);
    let twisted = [
        (format!("{}.{}", part(&for_kim, 0), part(&for_jane, 1)), "not yours to decide"),
        (format!("{}.{}", part(&for_jane, 0), part(&ottos, 1)), "not yours to decide"),
        (part(&for_jane, 0), "not yours to decide"),
        (format!("{}.", part(&for_jane, 0)), "not yours to decide"),
        (String::new(), "not yours to decide"),
        ("a".repeat(2_000), "not yours to decide"),
        (format!("{for_jane}.x"), "not yours to decide"),
        (guessed, "nothing changed"),
    ];
    for (value, answer) in &twisted {
        let told = world.presses_with(&world.mary, "approve", value).await?;
        ensure!(told.contains(answer), "{value:?}: {told}");
    }
    ensure!(world.events("approval.given")? == 0, "a twisted button decided");
    world.presses_with(&world.mary, "approve", &for_kim).await?;
    ensure!(world.events("approval.given")? == 1, "the untouched button does not work");
    world.everybody_reads();
    world.finish_unread().await
}

/// Bug 32: after a restart the first click was swallowed, and who may not click heard nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_press_after_a_restart_counts() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.restart().await?;
    let stolen = world.presses_with(&world.jane, "approve", &world.value_of(&world.mary, "Approve")?).await?;
    ensure!(stolen.contains("not yours to decide"), "{stolen}");
    world.presses(&world.mary, "Approve").await?;
    ensure!(world.events("request.approved")? == 1, "the press was swallowed");
    world.everybody_reads();
    world.finish_unread().await
}

/// Bug 33: two updates raced, and who decided was lost.
#[tokio::test(flavor = "multi_thread")]
async fn every_copy_of_the_card_names_the_one_who_decided() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let cards = [
        (&world.mary, world.card(&world.mary, "Approve")?),
        (&world.otto, world.card(&world.otto, "Approve")?),
    ];
    try_join_all(cards.iter().map(|(who, card)| world.chat.press(&who.account, card, "Approve"))).await?;
    world.settle().await?;
    let standing: Vec<String> = [&world.mary, &world.otto]
        .map(|who| {
            world.chat.inbox(&who.account)[0].visible_text().lines().next().unwrap_or_default().to_owned()
        })
        .to_vec();
    ensure!(standing[0].contains("approved by ") && standing[0] == standing[1], "{standing:?}");
    let winner = if standing[0].contains("Mary Major") { &world.mary } else { &world.otto };
    ensure!(world.card(winner, "Show PIN").is_ok(), "who decided cannot go on");
    world.everybody_reads();
    world.finish_unread().await
}

/// Bug 34, second half: the buttons vanished when only a group approves.
#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_see_buttons_that_work() -> anyhow::Result<()> {
    let world = World::with(with_approvals("[\"group:{oncall}\"]")).await?;
    world.ada_asks_for_jane().await?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary is in no group and was asked");
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.otto, "Show PIN").await?;
    world.pin_before(&world.otto)?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presses_too_late_is_told_so_kindly_and_privately() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let (marys, ottos) = (world.value_of(&world.mary, "Approve")?, world.value_of(&world.otto, "Approve")?);
    let early = world.presses_with(&world.mary, "show_pin", &marys).await?;
    ensure!(early.contains("Nothing to do here right now"), "{early}");
    world.presses(&world.mary, "Approve").await?;
    for (who, choice, value, answer) in [
        (&world.mary, "approve", &marys, "decided already"),
        (&world.otto, "approve", &ottos, "decided already"),
        (&world.otto, "deny", &ottos, "decided already"),
        (&world.otto, "show_pin", &ottos, "not yours to decide"),
    ] {
        let told = world.presses_with(who, choice, value).await?;
        ensure!(told.contains(answer), "{choice} by {}: {told}", who.account.name);
        ensure!(world.chat.modal(&who.account).is_none(), "{} sees a modal", who.account.name);
    }
    world.advance(Duration::from_hours(5)).await?;
    for (choice, answer) in [("approve", "is over"), ("deny", "is over"), ("show_pin", "is over")] {
        let told = world.presses_with(&world.mary, choice, &marys).await?;
        ensure!(told.contains(answer), "{choice} after the lapse: {told}");
    }
    world.everybody_reads();
    // A denied request, and one that nobody decided in time.
    for ends in ["deny", "lapse"] {
        world.ada_asks_for_jane().await?;
        let marys = world.value_of(&world.mary, "Approve")?;
        if ends == "deny" {
            world.presses(&world.otto, "Deny").await?;
        } else {
            world.hands.turn(Duration::from_hours(5));
            let late = world.chat.press_with(&world.mary.account, "approve", &marys).await;
            ensure!(late.is_accepted(), "{late:?}");
            world.settle().await?;
        }
        let told = world.presses_with(&world.mary, "approve", &marys).await?;
        ensure!(told.contains("is over"), "after {ends}: {told}");
        world.everybody_reads();
    }
    ensure!(world.events("request.approved")? == 1, "a press that came too late decided");
    world.finish_unread().await
}
