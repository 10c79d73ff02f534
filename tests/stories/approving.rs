//! Who may approve what, and what happens when nobody can?

use std::time::Duration;

use anyhow::ensure;
use tapdesk_tests::people::Company;
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::world::{Colleague, World};

/// No cap stands in the way of a table.
const NO_CAPS: &str = "tickets_per_day = 1000\nprompts_per_approver = 1000\nrequests_per_hour = 1000";

/// Three people in every part: who asks, for whom, and who is the manager. Whatever the rule says, only somebody who is
/// neither requester nor subject is asked, and whoever asks for themselves needs a `self` rule.
#[tokio::test(flavor = "multi_thread")]
async fn separate_people() -> anyhow::Result<()> {
    for (requester, approvals, has_oncall) in [
        ("anyone", "manager", false),
        ("anyone | self", "manager", false),
        ("anyone | self", "manager | group:{oncall}", true),
        ("self", "group:{oncall}", true),
    ] {
        let rule = format!("requester = \"{requester}\"\napprovals = [\"{approvals}\"]");
        // A chat takes so many messages to one person and no more: each row of the table has a world of its own.
        for row in 0..3 {
            let world = World::under(rulebook(NO_CAPS, &[&rule])).await?;
            // Everybody of the table is on call as well, so that each could approve if only the group counted.
            let people = [&world.ada, &world.mary, &world.jane];
            for colleague in people {
                world.oncall.member(&colleague.person);
                colleague.person.mobile(JANES_PHONE);
            }
            let asks = people[row];
            for subject in people {
                for manager in people {
                    subject.person.manager(&manager.person);
                    let themselves = asks.person.id() == subject.person.id();
                    let may_ask = requester.split(" | ").any(|who| (who == "self") == themselves);
                    let is_meant = |who: &Colleague| {
                        let is_manager =
                            approvals.starts_with("manager") && who.person.id() == manager.person.id();
                        let is_separate =
                            [asks, subject].iter().all(|other| other.person.id() != who.person.id());
                        is_separate && (is_manager || has_oncall)
                    };
                    let everybody = [&world.ada, &world.mary, &world.jane, &world.otto];
                    let expected: Vec<&str> = everybody
                        .iter()
                        .filter(|who| may_ask && is_meant(who))
                        .map(|who| who.account.name.as_str())
                        .collect();

                    let read = world.asks_for(asks, subject).await?;
                    let asked: Vec<&str> = everybody
                        .iter()
                        .filter(|who| world.card(who, "Approve").is_ok())
                        .map(|who| who.account.name.as_str())
                        .collect();
                    let case = format!(
                        "{} asks for {} under {requester}/{approvals}, manager is {}",
                        asks.account.name, subject.account.name, manager.account.name
                    );
                    ensure!(asked == expected, "{case}: {asked:?} were asked, not {expected:?}");
                    let words = match (may_ask, expected.is_empty()) {
                        (false, _) => "No rule lets you ask for this colleague.",
                        (true, true) => "Nobody can approve this",
                        (true, false) => "is with its approvers",
                    };
                    ensure!(read.iter().any(|text| text.contains(words)), "{case}: {read:#?}");
                    if let Some(who) = everybody.iter().find(|who| world.card(who, "Deny").is_ok()) {
                        world.presses(who, "Deny").await?;
                    }
                    world.everybody_reads();
                }
            }
            world.finish().await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_are_two_people() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    world.oncall.member(&world.mary.person);
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);

    // Mary could give either approval, and presses twice before her card is edited: she gives one of them.
    let card = world.card(&world.mary, "Approve")?;
    let press = || world.chat.press(&world.mary.account, &card, "Approve");
    let (first, second) = tokio::join!(press(), press());
    ensure!(first?.is_accepted() && second?.is_accepted());
    world.settle().await?;
    world.hears(&world.mary, "You approved this already; it waits for somebody else now.")?;
    ensure!(world.card(&world.mary, "Approve").is_err());
    world.nobody_is_bothered_but(&[&world.otto])?;
    ensure!(world.twilio.sent().is_empty(), "one person was enough");

    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.ada, "is approved by Mary Major and Otto Oncall")?;
    // The last one tells the PIN.
    ensure!(world.card(&world.mary, "Show PIN").is_err());
    world.presses(&world.otto, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_by_the_same_group_are_two_of_its_members() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["group:{oncall}", "group:{oncall}"]"#])).await?;
    let words = "it would take a member of group";
    world.is_refused(&world.ada, &world.jane, words).await?;

    world.oncall.member(&world.mary.person);
    world.ada_asks_for_jane().await?;
    world.presses(&world.otto, "Approve").await?;
    ensure!(world.twilio.sent().is_empty(), "one person was enough");
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "is approved by Otto Oncall and Mary Major")?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_counts_even_after_somebody_else_approved() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.otto, "Deny").await?;
    world.hears(&world.ada, "turned down by Otto Oncall")?;
    world.hears(&world.mary, "denied by Otto Oncall")?;
    ensure!(world.twilio.sent().is_empty());
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_can_approve_the_request_ends_and_says_who_would_have_to() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.without_manager();
    world.oncall.without(&world.otto.person);
    let nobody =
        "Nobody can approve this: it would take their manager (none is set in the directory) or a member";
    world.is_refused(&world.ada, &world.jane, nobody).await?;

    world.jane.person.manager(&world.ada.person);
    let herself = "it would take their manager Ada Agent or a member of group";
    world.is_refused(&world.ada, &world.jane, herself).await?;

    // One reason after the other why a manager who is there cannot be asked.
    world.jane.person.manager(&world.mary.person);
    let words = "it would take their manager Mary Major or a member of group";
    world.mary.person.disabled();
    world.is_refused(&world.ada, &world.jane, words).await?;
    world.mary.person.enabled();
    world.chat.set_gone(&world.mary.account, true);
    world.is_refused(&world.ada, &world.jane, words).await?;
    world.chat.set_gone(&world.mary.account, false);
    world.chat.set_guest(&world.mary.account, true);
    world.is_refused(&world.ada, &world.jane, words).await?;
    world.chat.set_guest(&world.mary.account, false);
    let somebody_else = world.company.person("M. Major", "m.major@contoso.com");
    somebody_else.removed();
    world.chat.belongs_to(&world.mary.account, "m.major@contoso.com", somebody_else.id());
    world.is_refused(&world.ada, &world.jane, words).await?;
    world.chat.belongs_to(&world.mary.account, "mary.major@contoso.com", world.mary.person.id());
    world.mary.person.internal_guest();
    world.is_refused(&world.ada, &world.jane, words).await?;

    // A guest on call is no approver either.
    let guest = world.colleague("Gus Guest", "gus.guest@contoso.com");
    world.oncall.member(&guest.person.internal_guest());
    world.is_refused(&world.ada, &world.jane, words).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_cannot_approve_what_they_asked_for() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"requester = "manager-of-subject""#])).await?;
    // Otto is on call and can.
    world.asks_for(&world.mary, &world.jane).await?;
    ensure!(world.card(&world.mary, "Approve").is_err());
    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.mary, "is approved by Otto Oncall")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();

    world.oncall.without(&world.otto.person);
    world.is_refused(&world.mary, &world.jane, "it would take their manager Mary Major").await?;
    world.is_refused(&world.ada, &world.jane, "No rule lets you ask for this colleague.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_with_ten_open_prompts_is_not_asked_again() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager"]"#])).await?;
    let locked_out = |number: usize| {
        let colleague = world.colleague(&format!("Lo {number}"), &format!("lo.{number}@contoso.com"));
        colleague.person.manager(&world.mary.person).mobile(JANES_PHONE);
        colleague
    };
    for number in 0..10 {
        let read = world.asks_for(&world.ada, &locked_out(number)).await?;
        ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{number}: {read:#?}");
    }
    world.reads(&world.mary);
    let words = "it would take their manager Mary Major";
    world.is_refused(&world.ada, &world.jane, words).await?;

    // One decision makes room for one more.
    world.presses(&world.mary, "Deny").await?;
    world.ada_asks_for_jane().await?;
    world.card(&world.mary, "Approve")?;
    world.advance(Duration::from_hours(4)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_by_name_may_approve() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["user:{otto}"]"#])).await?;
    world.oncall.without(&world.otto.person);
    world.ada_asks_for_jane().await?;
    ensure!(world.card(&world.mary, "Approve").is_err());
    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.ada, "is approved by Otto Oncall")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();

    world.otto.person.removed();
    world.is_refused(&world.ada, &world.jane, "it would take the person").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_nested_groups_are_asked_and_each_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    let night = world.colleague("Nora Night", "nora.night@contoso.com");
    let shift = world.company.group("Night shift").member(&night.person).member(&world.mary.person);
    world.oncall.subgroup(&shift).member(&world.otto.person);
    world.ada_asks_for_jane().await?;
    for approver in [&world.mary, &world.otto, &night] {
        ensure!(world.chat.inbox(&approver.account).len() == 1, "{}", approver.account.name);
        world.card(approver, "Approve")?;
    }
    world.hears(&world.ada, "I asked Mary Major, Otto Oncall, Nora Night.")?;
    world.presses(&night, "Approve").await?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_group_is_asked_in_part_and_keeps_nobody_elses_approval_away() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["group:{oncall}", "manager"]"#])).await?;
    for number in 0..30 {
        let one = world.colleague(&format!("Op {number}"), &format!("op.{number}@contoso.com"));
        world.oncall.member(&one.person);
    }
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "is with its approvers")?;
    world.card(&world.mary, "Approve")?;
    let cards = world.chat.all_unread().len();
    ensure!((20..=30).contains(&cards), "{cards} people were asked");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn object_ids_tell_people_apart_and_names_do_not() -> anyhow::Result<()> {
    let world = World::start().await?;
    let other = world.colleague("Mary Major", "mary.major2@contoso.com");
    ensure!(other.person.id() != Company::new().person("Mary Major", "mary.major@contoso.com").id());
    world.ada_asks_for_jane().await?;
    world.card(&world.mary, "Approve")?;
    ensure!(world.card(&other, "Approve").is_err());
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}
