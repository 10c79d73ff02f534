//! What is asked again at the claim, and what does a changed answer mean?

use std::time::Duration;

use anyhow::ensure;
use axum::http::Method;
use tapdesk_tests::graph::Target;
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::world::World;

const RULES_CHANGED: &str = "The rules changed since this was asked. Ask again.";
const NOT_MARY: &str = "Mary Major may not approve this any more. Ask again, so that somebody else decides.";
const NO_REQUESTER: &str = "belongs to no single enabled member of the directory";
const POLICY_OFF: &str = "The tenant's Temporary Access Pass policy is off or does not include them.";

/// What changes between approval and claim, how, and what Ada is told.
type Case = (&'static str, fn(&World), &'static str);

const CHANGES: [Case; 15] = [
    ("the approver is disabled", |world| drop(world.mary.person.disabled()), NOT_MARY),
    ("the approver has left", |world| world.mary.person.removed(), NOT_MARY),
    ("the approver is a guest now", |world| drop(world.mary.person.internal_guest()), NOT_MARY),
    (
        "the subject has another manager",
        |world| drop(world.jane.person.manager(&world.otto.person)),
        NOT_MARY,
    ),
    ("the subject has no manager", |world| drop(world.jane.person.without_manager()), NOT_MARY),
    (
        "the requester left the help desk",
        |world| drop(world.helpdesk.without(&world.ada.person)),
        RULES_CHANGED,
    ),
    ("the requester is disabled", |world| drop(world.ada.person.disabled()), NO_REQUESTER),
    ("the requester is a guest now", |world| drop(world.ada.person.internal_guest()), NO_REQUESTER),
    ("the requester has left", |world| world.ada.person.removed(), NO_REQUESTER),
    ("the subject is disabled", |world| drop(world.jane.person.disabled()), "Their account is disabled"),
    ("the subject is a guest now", |world| drop(world.jane.person.internal_guest()), "They are a guest"),
    (
        "the subject has left",
        |world| world.jane.person.removed(),
        "Nobody in the directory has that address.",
    ),
    ("passes are switched off", |world| world.graph.policy(|policy| policy.enabled = false), POLICY_OFF),
    (
        "passes are for others only",
        |world| {
            world.graph.policy(|policy| policy.include = vec![Target::Group(world.oncall.id().to_owned())]);
        },
        POLICY_OFF,
    ),
    (
        "passes are not for the subject",
        |world| {
            let jane = Target::User(world.jane.person.id().to_owned());
            world.graph.policy(|policy| policy.exclude = vec![jane]);
        },
        POLICY_OFF,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_pass_without_approvals() -> anyhow::Result<()> {
    for (what, change, words) in CHANGES {
        let world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        change(&world);
        world.claim_is_refused(&ticket, words).await.map_err(|error| error.context(what))?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pass_without_the_rule_that_was_bound() -> anyhow::Result<()> {
    for (rules, words) in [
        (&["name = \"another rule\""][..], RULES_CHANGED),
        (&["subject = \"group:{oncall}\""], RULES_CHANGED),
        (&["requester = \"manager-of-subject\""], RULES_CHANGED),
        (&["requester = \"self\""], RULES_CHANGED),
        (&["approvals = [\"manager\", \"group:{oncall}\"]"], RULES_CHANGED),
        (&["approvals = [\"group:{oncall}\"]"], NOT_MARY),
        (&["approvals = [\"user:{otto}\"]"], NOT_MARY),
    ] {
        let mut world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        world.restart_under(&rulebook("", rules)).await?;
        world.claim_is_refused(&ticket, words).await.map_err(|error| error.context(rules.join(", ")))?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pass_once_the_approver_has_left_the_group() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.otto, "Show PIN").await?;
    let ticket = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
    world.oncall.without(&world.otto.person);
    world.claim_is_refused(&ticket, "Otto Oncall may not approve this any more.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pass_when_one_of_two_approvers_is_gone() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.otto, "Approve").await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let ticket = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.otto.person.disabled();
    world.claim_is_refused(&ticket, "Otto Oncall may not approve this any more.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_back_before_the_claim_does_not_matter() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.mary.person.disabled();
    world.helpdesk.without(&world.ada.person);
    world.mary.person.enabled();
    world.helpdesk.member(&world.ada.person);
    // The rule of that name still matches, whatever else it says now and wherever it stands.
    let others = "name = \"above\"\nrequester = \"user:{ada}\"\napprovals = [\"user:{otto}\"]";
    world.restart_under(&rulebook("", &[others, "lifetime = \"2h\"\napprovals = [\"manager\"]"])).await?;
    world.browser().claims_and_sees(&code, &pin).await?;
    ensure!(world.graph.passes()[0].lifetime_minutes == 120);
    world.advance(Duration::from_hours(3)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_that_counts_was_asked_for_after_the_claim_arrived() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let before = world.graph.wire.seen().len();
    let browser = world.browser();
    let answer = browser.claim(&code, &pin).await?;
    answer.passcode()?;
    let mut asked = world.asked_of_graph(before);
    let made = asked.iter().position(|line| line.starts_with("POST") && line.ends_with("PassMethods"));
    // What comes after the create is the owner's notice, which another task sends.
    asked.truncate(made.map_or(0, |at| at + 1));
    let last = asked.pop();
    asked.sort();
    asked.dedup();
    insta::assert_snapshot!(asked.join("\n"), @r"
    GET /v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/temporaryAccessPass
    GET /v1.0/roleManagement/directory/roleAssignments $filter=principalId eq Jane Doe
    GET /v1.0/roleManagement/directory/roleEligibilityScheduleInstances $filter=principalId eq Jane Doe
    GET /v1.0/users/Ada Agent
    GET /v1.0/users/Jane Doe
    GET /v1.0/users/Jane Doe/authentication/phoneMethods
    GET /v1.0/users/Jane Doe/authentication/temporaryAccessPassMethods
    GET /v1.0/users/Jane Doe/manager
    GET /v1.0/users/Jane Doe/ownedObjects
    GET /v1.0/users/Jane Doe/transitiveMemberOf
    GET /v1.0/users/Mary Major
    POST /v1.0/users/Ada Agent/checkMemberGroups
    POST /v1.0/users/Jane Doe/checkMemberGroups
    ");
    insta::assert_snapshot!(last.unwrap_or_default(), @"POST /v1.0/users/Jane Doe/authentication/temporaryAccessPassMethods");
    browser.shown(&code).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_comes_while_the_check_is_under_way_still_counts() -> anyhow::Result<()> {
    for held in ["{jane}?", "{ada}?", "{jane}/manager", "{ada}/checkMemberGroups", "{jane}/checkMemberGroups"]
    {
        let world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        let path = held.replace("{jane}", world.jane.person.id()).replace("{ada}", world.ada.person.id());
        let before = world.graph.wire.seen().iter().filter(|e| e.line().contains(&path)).count();
        let gate = world.graph.wire.hold_request(&path);
        let browser = world.browser();
        let (answer, ()) = tokio::join!(browser.claim(&ticket.0, &ticket.1), async {
            world.graph.wire.arrived(&path, before + 1).await;
            world.mary.person.disabled();
            gate.open();
        });
        let answer = answer?;
        ensure!(answer.state() == "refused", "{held}: {answer:?}");
        world.is_over_without_a_pass(&ticket, NOT_MARY).await?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_asks_the_directory_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let before = world.graph.wire.seen().len();
    let wrong = if pin == "00000000" { "00000001" } else { "00000000" };
    let answer = world.browser().claim(&code, wrong).await?;
    ensure!(answer.state() == "wrong_pin", "{answer:?}");
    ensure!(world.asked_of_graph(before).is_empty(), "{:#?}", world.asked_of_graph(before));
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_whose_approval_does_not_stand_any_more_is_not_made_anew_but_deleted() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    // The answer is lost on its way; the same browser asks again, and by then Mary has left.
    browser.claim(&code, &pin).await?.passcode()?;
    world.settle().await?;
    world.mary.person.disabled();
    let answer = browser.claim(&code, &pin).await?;
    ensure!(answer.state() == "refused", "{answer:?}");
    world.settle().await?;
    ensure!(world.passes_asked_for() == 1, "Graph was asked for another pass");
    ensure!(world.graph.wire.count(&Method::DELETE, "temporaryAccessPassMethods") == 1);
    ensure!(world.graph.live_passes(&world.jane.person).is_empty(), "the pass still lives");
    world.hears(&world.ada, NOT_MARY)?;
    let notices = world.smtp.read("jane.doe@contoso.com");
    ensure!(notices.len() == 2, "{} notices", notices.len());
    ensure!(notices[1].subject == "A Temporary Access Pass for your account was deleted", "{notices:?}");
    world.everybody_reads();
    world.finish().await
}
