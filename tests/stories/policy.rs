//! What do rules and limits change, and what is the requester told about it?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_tests::chat::Chat;
use tapdesk_tests::graph::Target;
use tapdesk_tests::scene::{JANES_PHONE, policy_of, rulebook, said};
use tapdesk_tests::world::{Colleague, World, pin_in};

const POLICY_OFF: &str = "The tenant's Temporary Access Pass policy is off or does not include them.";

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_pass_policy_leaves_the_subject_out_gets_a_refusal() -> anyhow::Result<()> {
    let world = World::start().await?;
    let group = world.company.group("Pilot");
    let nested = world.company.group("Pilot of pilots").subgroup(&group);
    let (jane, pilot) = (world.jane.person.id().to_owned(), nested.id().to_owned());

    world.graph.policy(|policy| policy.enabled = false);
    world.is_refused(&world.ada, &world.jane, POLICY_OFF).await?;
    world.graph.policy(|policy| policy.enabled = true);

    world.graph.policy(|policy| policy.exclude = vec![Target::User(jane.clone())]);
    world.is_refused(&world.ada, &world.jane, POLICY_OFF).await?;
    world.graph.policy(|policy| policy.exclude = vec![Target::Group(pilot.clone())]);
    group.member(&world.jane.person);
    world.is_refused(&world.ada, &world.jane, POLICY_OFF).await?;
    group.without(&world.jane.person);
    world.graph.policy(|policy| policy.exclude.clear());

    world.graph.policy(|policy| policy.include = vec![Target::Group(pilot)]);
    world.is_refused(&world.ada, &world.jane, POLICY_OFF).await?;
    world.graph.policy(|policy| policy.include.clear());
    world.is_refused(&world.ada, &world.jane, POLICY_OFF).await?;

    world.graph.policy(|policy| policy.include = vec![Target::User(jane)]);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_outside_the_tenants_range_is_moved_into_it_and_everybody_is_told() -> anyhow::Result<()> {
    for (wished, told, given, minutes) in [
        (
            "30m",
            "The rule asks for 30 minutes; the tenant's policy makes it 1 hour.",
            "good for 1 hour and",
            60,
        ),
        (
            "3d",
            "The rule asks for 3 days; the tenant's policy makes it 8 hours.",
            "good for 8 hours and",
            480,
        ),
        ("90m", "", "good for 1 h 30 min and", 90),
    ] {
        let world = World::under(rulebook("", &[&format!("lifetime = \"{wished}\"")])).await?;
        let read = world.asks_for(&world.ada, &world.jane).await?.join("\n");
        ensure!(read.contains(told), "{wished}: {read}");
        ensure!(!told.is_empty() || !read.contains("The rule asks for"), "{wished}: {read}");
        let card = world.card(&world.mary, "Approve")?.visible_text();
        ensure!(card.contains(given), "{wished}: {card}");

        world.presses(&world.mary, "Approve").await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
        let browser = world.browser();
        let answer = browser.claim(&code, &pin).await?;
        ensure!(answer.body["lifetime_minutes"] == minutes, "{wished}: {}", answer.state());
        browser.shown(&code).await?;
        let made = world.graph.passes();
        ensure!(made.len() == 1 && made[0].lifetime_minutes == minutes, "{wished}: another lifetime");
        world.advance(Duration::from_hours(9)).await?;
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_changes_before_the_claim_counts() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.graph.policy(|policy| policy.minimum_minutes = 120);
    world.browser().claims_and_sees(&code, &pin).await?;
    ensure!(world.graph.passes()[0].lifetime_minutes == 120);
    world.advance(Duration::from_hours(3)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_are_for_one_sign_in_unless_rule_and_tenant_both_say_otherwise() -> anyhow::Result<()> {
    for (rule, tenant, one_time) in [(false, false, false), (false, true, true), (true, false, true)] {
        let world = World::under(rulebook("", &[&format!("one_time = {rule}")])).await?;
        world.graph.policy(|policy| {
            policy.one_time = tenant;
            policy.refuses_multi_use = tenant;
        });
        world.ada_asks_for_jane().await?;
        let card = world.card(&world.mary, "Approve")?.visible_text();
        let words = if one_time { "and one sign-in" } else { "and several sign-ins" };
        ensure!(card.contains(words), "rule {rule}, tenant {tenant}: {card}");
        world.presses(&world.mary, "Approve").await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
        world.browser().claims_and_sees(&code, &pin).await?;
        let asked = world.graph.wire.last("POST /v1.0/users").context("no pass was asked for")?;
        ensure!(asked.json()["isUsableOnce"] == one_time, "rule {rule}, tenant {tenant}: {}", asked.json());
        world.advance(Duration::from_hours(2)).await?;
        world.everybody_reads();
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_want_a_ticket_number() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"ticket_number = "INC[0-9]{7}""#])).await?;
    for reason in ["lost her phone", "lost it, INC001", "lost it, INC00123456", "lost it, XINC0012345"] {
        let text = format!("for jane.doe@contoso.com {reason}");
        world
            .is_turned_away(&world.ada, &text, "The rule wants a ticket number that looks like INC[0-9]{7}.")
            .await?;
    }
    for reason in ["INC0012345", "lost her phone (INC0012345)", "INC0012345: lost her phone"] {
        let read = world.asks(&world.ada, &format!("for jane.doe@contoso.com {reason}")).await?;
        ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{reason}: {read:#?}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_gets_three_tickets_a_day() -> anyhow::Result<()> {
    let world = World::start().await?;
    // What was denied is no ticket.
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    for _ in 0..3 {
        world.ticket_for_jane().await?;
        world.advance(Duration::from_hours(1)).await?;
    }
    world.everybody_reads();
    let words = "They had 3";
    world.is_refused(&world.ada, &world.jane, words).await?;
    // Who asks makes no difference, and somebody else is still helped.
    world.helpdesk.member(&world.otto.person);
    world.is_refused(&world.otto, &world.jane, words).await?;
    world.mary.person.manager(&world.jane.person).mobile("+491701234513");
    let read = world.asks_for(&world.ada, &world.mary).await?;
    ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{read:#?}");

    world.advance(Duration::from_hours(22)).await?;
    world.ticket_for_jane().await?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_asks_so_often_within_an_hour() -> anyhow::Result<()> {
    let world = World::under(rulebook("requests_per_hour = 3", &[""])).await?;
    let text = "for nobody@contoso.com lost the phone";
    for _ in 0..3 {
        world.is_turned_away(&world.ada, text, "Nobody in the directory has that address.").await?;
    }
    let words = "You have asked 3 times within the hour, which is all that the policy allows.";
    world.is_turned_away(&world.ada, text, words).await?;
    world.helpdesk.member(&world.otto.person);
    world.is_turned_away(&world.otto, text, "Nobody in the directory has that address.").await?;

    world.advance(Duration::from_mins(61)).await?;
    world.is_turned_away(&world.ada, text, "Nobody in the directory has that address.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_has_one_open_request_however_they_are_named() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.with_mail("jane@contoso.com");
    world.chat.has_address(&world.jane.account, "jane@contoso.com");
    world.helpdesk.member(&world.otto.person);
    world.ada_asks_for_jane().await?;
    let told: Vec<String> = world.reads(&world.ada);
    let id = told.iter().find_map(|text| text.strip_prefix("Request ")?.split(' ').next());
    let id = id.context("Ada was told no id")?.to_owned();
    world.everybody_reads();

    let first = format!("There is an open request for them already ({id}). Wait for that one.");
    let mention = world.jane.account.mention();
    let mut namings = vec![mention.as_str(), "jane.doe@contoso.com", "JANE@CONTOSO.COM"];
    if let Chat::Slack(_) = &world.chat {
        namings.push("<mailto:jane@contoso.com|Jane>");
    }
    for naming in namings {
        for who in [&world.ada, &world.otto] {
            let reply = world.types(who, &format!("for {naming} lost her phone")).await;
            ensure!(reply.is_accepted());
            world.settle().await?;
            world.hears(who, &first)?;
            world.nobody_is_bothered()?;
        }
    }
    // The first one goes on as if nothing had happened, and the second is refused while the pass lives.
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    world.types(&world.otto, &format!("for {mention} lost her phone")).await;
    world.settle().await?;
    world.hears(&world.otto, &first)?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_at_the_same_moment_one_is_refused() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.helpdesk.member(&world.otto.person);
    for who in [&world.ada, &world.otto] {
        ensure!(world.types(who, "for jane.doe@contoso.com lost her phone").await.is_accepted());
    }
    world.settle().await?;
    let read: Vec<String> =
        [&world.ada, &world.otto].iter().flat_map(|who| world.reads(who)).map(|text| said(&text)).collect();
    let count = |part: &str| read.iter().filter(|text| text.contains(part)).count();
    ensure!(
        count("is with its approvers") == 1 && count("an open request for them already") == 1,
        "{read:#?}"
    );
    ensure!(world.chat.inbox(&world.mary.account).len() == 1, "Mary was asked twice");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_matches_is_bound() -> anyhow::Result<()> {
    let policy = rulebook(
        "",
        &[
            "name = \"for the board\"\nsubject = \"group:{oncall}\"\napprovals = [\"user:{mary}\"]",
            "name = \"for Otto\"\nsubject = \"user:{otto}\"\napprovals = [\"manager\"]",
            "name = \"for staff\"\napprovals = [\"manager\"]",
            "name = \"by Otto\"\nrequester = \"user:{otto}\"\napprovals = [\"manager\"]",
        ],
    );
    let world = World::under(policy).await?;
    for colleague in [&world.otto, &world.ada, &world.jane] {
        colleague.person.manager(&world.mary.person).mobile(JANES_PHONE);
    }
    let cases: [(&Colleague, &Colleague, Option<&str>); 4] = [
        (&world.ada, &world.otto, Some("for the board")),
        (&world.ada, &world.jane, Some("for staff")),
        (&world.otto, &world.jane, Some("by Otto")),
        (&world.jane, &world.ada, None),
    ];
    for (who, subject, rule) in cases {
        let Some(rule) = rule else {
            world.is_refused(who, subject, "No rule lets you ask for this colleague.").await?;
            continue;
        };
        world.asks_for(who, subject).await?;
        let card = world.card(&world.mary, "Approve")?.visible_text();
        ensure!(card.contains(&format!("Rule\n{rule}")), "not {rule}: {card}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    // Out of the group, the next rule counts.
    world.oncall.without(&world.otto.person);
    world.asks_for(&world.ada, &world.otto).await?;
    ensure!(world.card(&world.mary, "Approve")?.visible_text().contains("Rule\nfor Otto"));
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_self_rule_people_ask_for_themselves_and_somebody_else_approves() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"requester = "self""#])).await?;
    let read = world.asks_for(&world.jane, &world.jane).await?;
    ensure!(read.iter().any(|text| text.contains("I asked Mary Major, Otto Oncall.")), "{read:#?}");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.is_refused(&world.ada, &world.jane, "No rule lets you ask for this colleague.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_at_the_source_means_that_both_halves_travel_by_courier() -> anyhow::Result<()> {
    let rule = "approvals = []\npin = [\"email\"]\ncontacts = [\"phone-methods\", \"otherMails\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    world.is_refused(&world.ada, &world.jane, "no contact on file for them that email could reach").await?;

    world.jane.person.other_mail("jane@home.example");
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "The PIN goes another way.")?;
    let code = world.code_at(JANES_PHONE)?;
    let mails = world.smtp.read("jane@home.example");
    ensure!(mails.len() == 1 && !mails[0].text.contains(&code), "{} mails", mails.len());
    let pin = mails[0].text.lines().find_map(|line| pin_in(line.rsplit(':').next()?));
    world.browser().claims_and_sees(&code, &pin.context("no PIN came")?).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[test]
fn a_policy_that_would_give_both_halves_to_one_holder_is_a_fault() -> anyhow::Result<()> {
    for (rule, fault) in [
        ("pin = [\"sms\"]", "ticket and pin share a route class"),
        (
            "ticket = [\"sms\", \"email\"]\npin = [\"approver\", \"email\"]",
            "ticket and pin share a route class",
        ),
        ("approvals = []", "there is no approver to show the PIN to"),
        ("requester = \"anyone\"\napprovals = []", "everybody could get a pass for everybody"),
        ("requester = \"self\"\napprovals = []", "could get a pass alone"),
        ("notice = [\"sms\"]", "needs a route that is not the code's"),
        ("ticket = [\"email\"]", "route email has no contact source"),
    ] {
        let faults = policy_of(&rulebook("", &[rule]))?.faults();
        ensure!(faults.iter().any(|found| found.what.contains(fault)), "{rule}: {faults:?}");
    }
    Ok(())
}
