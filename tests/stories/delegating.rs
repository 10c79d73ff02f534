//! What if an approver is away? They let somebody else decide, for a while, in their name and never beside them.

use std::time::Duration;

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::chat::Chat;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::faulty::Faults;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::world::{Colleague, Setting, World};

const DAY: Duration = Duration::from_hours(24);

/// Mary, Jane's manager, is the only one who can decide; nobody is reminded. Dora is a colleague of hers.
async fn mary_and_dora() -> anyhow::Result<(World, Colleague)> {
    with_rule("approvals = [\"manager\"]").await
}

async fn with_rule(rule: &str) -> anyhow::Result<(World, Colleague)> {
    let world = World::under(rulebook("remind_after = \"0s\"", &[rule])).await?;
    let dora = dora_of(&world);
    Ok((world, dora))
}

fn dora_of(world: &World) -> Colleague {
    world.colleague("Dora Deputy", "dora.deputy@contoso.com")
}

/// Today is Monday, 23 November.
async fn mary_delegates(world: &World, to: &Colleague) -> anyhow::Result<String> {
    delegates(world, &world.mary, to, "2026-11-23..2026-11-27").await
}

async fn delegates(world: &World, who: &Colleague, to: &Colleague, days: &str) -> anyhow::Result<String> {
    let text = format!("delegate {} {days}", to.account.mention());
    Ok(world.asks(who, &text).await?.join("\n"))
}

async fn ticket_by(world: &World, who: &Colleague) -> anyhow::Result<(String, String)> {
    world.presses(who, "Approve").await?;
    world.presses(who, "Show PIN").await?;
    Ok((world.code_at(JANES_PHONE)?, world.pin_before(who)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_decides_in_an_approvers_stead() -> anyhow::Result<()> {
    let (mut world, dora) = mary_and_dora().await?;
    assert_snapshot!(mary_delegates(&world, &dora).await?, @r"
    Dora Deputy decides for you, from 23 November 2026 to 27 November 2026.
    I ask both of you then, and remind only Dora Deputy. The first decision counts, as one of you: two approvals still need somebody else. The audit record names both of you.
    /tap delegate off ends it.
    ");
    assert_snapshot!(said(&world.reads(&dora).join("\n")), @r"
    Mary Major lets you decide for them, from 23 November 2026 to 27 November 2026.
    What Mary Major is asked to approve then, you are asked as well. You cannot hand it on. If you would rather not, tell Mary Major.
    ");
    world.restart().await?;
    world.ada_asks_for_jane().await?;
    assert_snapshot!(said(&world.card(&dora, "Approve")?.visible_text()), @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    You decide for
    Mary Major, who delegated to you until 27 November 2026
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    assert_snapshot!(said(&world.card(&world.mary, "Approve")?.visible_text()), @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Dora Deputy is asked in your stead, as you wished. Either of you can decide.
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");

    let (code, pin) = ticket_by(&world, &dora).await?;
    world.hears(&world.ada, "is approved by Dora Deputy for Mary Major")?;
    world.has_no_button(&world.mary)?;
    world.browser().claims_and_sees(&code, &pin).await?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let given = lines.iter().find(|line| line["what"] == "approval.given");
    let names = given.map(|line| (line["by"].as_str(), line["facts"]["stands_for"].as_str()));
    ensure!(names == Some((Some(dora.person.id()), Some(world.mary.person.id()))), "{given:?}");
    let made = lines.iter().find(|line| line["what"] == "delegation.made");
    let names = made.map(|line| (line["by"].as_str(), line["facts"]["delegate"].as_str()));
    ensure!(names == Some((Some(world.mary.person.id()), Some(dora.person.id()))), "{made:?}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_delegated_can_still_decide() -> anyhow::Result<()> {
    let (world, dora) = mary_and_dora().await?;
    mary_delegates(&world, &dora).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    world.hears(&world.ada, "turned down by Mary Major")?;
    world.has_no_button(&dora)?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_holds_on_its_days_by_the_delegators_clock() -> anyhow::Result<()> {
    let (world, dora) = mary_and_dora().await?;
    // In Auckland it is 23:00 now, and Tuesday in an hour.
    world.chat.lives_in(&world.mary.account, "Pacific/Auckland");
    delegates(&world, &world.mary, &dora, "2026-11-24").await?;
    for (advance, is_asked) in [(Duration::ZERO, false), (Duration::from_hours(1), true), (DAY, false)] {
        world.advance(advance).await?;
        world.everybody_reads();
        world.ada_asks_for_jane().await?;
        ensure!(world.card(&dora, "Approve").is_ok() == is_asked, "{advance:?}");
        world.presses(&world.mary, "Deny").await?;
    }
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_is_shown_and_ended() -> anyhow::Result<()> {
    let (world, dora) = mary_and_dora().await?;
    assert_snapshot!(world.asks(&world.mary, "delegate").await?.join("\n"), @r"
    Nobody decides for you.
    To let somebody: /tap delegate @colleague 2026-12-20..2027-01-03
    ");
    assert_snapshot!(delegates(&world, &world.mary, &dora, "2026-12-20..2027-01-03").await?, @r"
    Dora Deputy will decide for you, from 20 December 2026 to 3 January 2027.
    I ask both of you then, and remind only Dora Deputy. The first decision counts, as one of you: two approvals still need somebody else. The audit record names both of you.
    /tap delegate off ends it.
    ");
    world.reads(&dora);
    world.asks(&world.mary, "delegate off").await?;
    mary_delegates(&world, &dora).await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.mary);
    assert_snapshot!(world.asks(&world.mary, "delegate").await?.join("\n"), @r"
    Dora Deputy decides for you, from 23 November 2026 to 27 November 2026.
    I ask both of you then, and remind only Dora Deputy. The first decision counts, as one of you: two approvals still need somebody else. The audit record names both of you.
    /tap delegate off ends it.
    ");
    assert_snapshot!(world.asks(&world.mary, "delegate off").await?.join("\n"), @r"
    Dora Deputy does not decide for you any more.
    What they approved and nobody claimed yet does not count any more either.
    ");
    assert_snapshot!(world.newest(&dora)?, @"You do not decide for Mary Major any more.");

    // Dora's card is still there and decides nothing; Mary's does.
    for button in ["Approve", "Deny"] {
        world.presses(&dora, button).await?;
        world
            .is_whispered(&dora, "You decided for somebody whose delegation is over, so nothing happened.")?;
    }
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

/// What was delegated is looked at again when Jane claims.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegates_approval_counts_only_while_everything_holds() -> anyhow::Result<()> {
    for change in ["ended", "delegate disabled", "delegator disabled", "another manager"] {
        let (world, dora) = mary_and_dora().await?;
        mary_delegates(&world, &dora).await?;
        world.ada_asks_for_jane().await?;
        let ticket = ticket_by(&world, &dora).await?;
        match change {
            "ended" => drop(world.asks(&world.mary, "delegate off").await?),
            "delegate disabled" => drop(dora.person.disabled()),
            "delegator disabled" => drop(world.mary.person.disabled()),
            _ => drop(world.jane.person.manager(&world.otto.person)),
        }
        world.everybody_reads();
        world.claim_is_refused(&ticket, "Dora Deputy may not approve this any more").await?;
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_and_their_delegator_count_once() -> anyhow::Result<()> {
    let (world, dora) = with_rule("approvals = [\"manager\", \"group:{oncall}\"]").await?;
    world.oncall.member(&world.mary.person);
    mary_delegates(&world, &dora).await?;
    world.ada_asks_for_jane().await?;
    // Mary presses before her card is edited.
    for who in [&dora, &world.mary] {
        world.chat.press(&who.account, &world.card(who, "Approve")?, "Approve").await?;
    }
    world.settle().await?;
    let marys = world.newest(&world.mary)?;
    ensure!(marys.contains("Dora Deputy gave the approval that was yours to give."), "{marys}");
    world.is_whispered(&world.mary, "This approval was given already")?;
    ensure!(world.twilio.sent().is_empty(), "two people who count once were enough");
    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.ada, "is approved by Dora Deputy for Mary Major and Otto Oncall")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

/// Neither the delegate nor the delegator is who asks, or for whom.
#[tokio::test(flavor = "multi_thread")]
async fn separate_people_with_delegates() -> anyhow::Result<()> {
    let (world, dora) =
        with_rule("requester = \"anyone\"\napprovals = [\"manager | group:{oncall}\"]").await?;
    for (delegate, asks) in [(&world.ada, &world.ada), (&world.jane, &world.ada), (&dora, &world.mary)] {
        mary_delegates(&world, delegate).await?;
        world.everybody_reads();
        world.asks_for(asks, &world.jane).await?;
        for nobody in [&world.ada, &world.jane, &dora] {
            ensure!(world.card(nobody, "Approve").is_err(), "{} is asked", nobody.account.name);
        }
        world.presses(&world.otto, "Deny").await?;
        world.asks(&world.mary, "delegate off").await?;
        world.everybody_reads();
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_hands_nothing_on() -> anyhow::Result<()> {
    let (world, dora) = mary_and_dora().await?;
    let nora = world.colleague("Nora Night", "nora.night@contoso.com");
    mary_delegates(&world, &dora).await?;
    delegates(&world, &dora, &nora, "2026-11-23..2026-11-27").await?;
    world.ada_asks_for_jane().await?;
    world.card(&dora, "Approve")?;
    ensure!(world.card(&nora, "Approve").is_err(), "Nora decides for Mary through Dora");
    world.presses(&dora, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_delegate_is_reminded_and_the_delegator_is_not() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &["approvals = [\"manager\"]"])).await?;
    let dora = dora_of(&world);
    mary_delegates(&world, &dora).await?;
    world.everybody_reads();
    world.ada_asks_for_jane().await?;
    let cards = |who: &Colleague| world.chat.inbox(&who.account).len();
    let before = (cards(&world.mary), cards(&dora));
    world.advance(Duration::from_mins(15)).await?;
    ensure!((cards(&world.mary), cards(&dora)) == (before.0, before.1 + 1));
    world.presses(&dora, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_that_makes_no_sense_is_turned_away() -> anyhow::Result<()> {
    let (world, dora) = with_rule("approvals = [\"group:{oncall}\"]").await?;
    let (mary, otto) = (&world.mary, &world.otto);
    let says = async |who: &Colleague, to: &Colleague, days: &str, words: &str| {
        let answer = delegates(&world, who, to, days).await?;
        ensure!(answer.contains(words), "{days}: {answer}");
        world.nobody_is_bothered()
    };
    says(mary, &dora, "2026-11-23", "no rule asks you to approve anything").await?;
    says(otto, otto, "2026-11-23", "You decide for yourself anyway").await?;
    says(otto, &dora, "2026-11-20..2026-11-22", "Those days are over already").await?;
    says(otto, &dora, "2026-11-23..2027-02-21", "A delegation lasts 90 days at most").await?;
    says(otto, &dora, "2028-01-01", "begins within a year").await?;
    dora.person.disabled();
    says(otto, &dora, "2026-11-23", "They cannot decide for you.\nTheir account is disabled.").await?;
    dora.person.enabled().internal_guest();
    says(otto, &dora, "2026-11-23", "They are a guest.").await?;
    let guest = world.colleague("Gus Guest", "gus.guest@contoso.com");
    world.chat.set_guest(&guest.account, true);
    let words = match &world.chat {
        Chat::Slack(_) => {
            "They cannot decide for you.\nI cannot tell who that colleague is in the directory: the chat account is a guest"
        }
        // Whoever is named by address is somebody to the directory, and nobody whom Teams lets decide.
        Chat::Teams(_) => "Gus Guest cannot decide for you: I cannot reach them in chat.",
    };
    says(otto, &guest, "2026-11-23", words).await?;
    let text = format!("delegate {} 2026-11-23", mary.account.mention());
    ensure!(
        world
            .asks(otto, &text)
            .await?
            .join("\n")
            .contains("Mary Major decides for you, on 23 November 2026.")
    );
    world.reads(mary);
    // The same again is the same one, and another has to wait.
    ensure!(world.asks(otto, &text).await?.join("\n").contains("Mary Major decides for you"));
    says(otto, &world.ada, "2026-11-24", "One delegation at a time").await?;
    ensure!(world.events("delegation.made")? == 1, "one delegation");
    world.finish().await
}

/// No record, no delegation; and what cannot be looked up counts for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_fails_closed() -> anyhow::Result<()> {
    let faults = Faults::default();
    let policy = rulebook("remind_after = \"0s\"", &["approvals = [\"manager\"]"]);
    let world = World::with(Setting { policy, fit: faults.fit(), ..Setting::default() }).await?;
    let dora = dora_of(&world);
    for part in ["append", "set_delegation"] {
        faults.fail(part);
        ensure!(mary_delegates(&world, &dora).await?.contains("I could not look that up just now"));
        faults.heal();
        world.nobody_is_bothered()?;
        ensure!(
            world.asks(&world.mary, "delegate").await?.join("\n").contains("Nobody decides for you."),
            "{part}"
        );
    }
    ensure!(world.events("delegation.made")? == 0, "the ledger says that it came to nothing");
    mary_delegates(&world, &dora).await?;
    world.ada_asks_for_jane().await?;
    faults.fail("delegation");
    world.presses(&dora, "Approve").await?;
    ensure!(world.twilio.sent().is_empty(), "approved without a look");
    faults.heal();
    let (code, pin) = ticket_by(&world, &dora).await?;
    faults.fail("delegation");
    ensure!(world.browser().claim(&code, &pin).await?.state() == "unavailable");
    ensure!(world.passes_asked_for() == 0, "a pass without a look");
    faults.heal();
    world.browser().claims_and_sees(&code, &pin).await?;
    world.everybody_reads();
    world.finish().await
}
