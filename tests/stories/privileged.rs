//! Who is privileged, and what happens to a request for them?

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::people::{Person, role};
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::world::{Colleague, World};

const REFUSED: &str = "They hold an administrative role. Passes for administrators are not made here";
const CUSTOM_ROLE: &str = "9f0f8b6e-3c0d-4f5a-8f61-6f8f0a1b2c3d";
/// Every look-up that tells whether somebody is privileged.
const LOOK_UPS: [&str; 4] =
    ["/transitiveMemberOf", "/ownedObjects", "/roleAssignments", "/roleEligibilityScheduleInstances"];

/// A locked-out colleague of the table.
fn locked_out(world: &World, number: usize) -> Colleague {
    let colleague = world.colleague(&format!("Lo {number}"), &format!("lo.{number}@contoso.com"));
    colleague.person.manager(&world.mary.person).mobile(JANES_PHONE);
    colleague
}

/// A way to be privileged, or not quite.
type Way = fn(&World, &Person);
/// What somebody holds, and how they come to it.
type Holder<'a> = (&'static str, &'a (dyn Fn(&Person) + 'a));

const PRIVILEGED: [(&str, Way); 12] = [
    ("a directory role", |_, who| drop(who.has_role(role::GLOBAL_ADMINISTRATOR))),
    ("a role below the highest", |_, who| drop(who.has_role(role::HELPDESK_ADMINISTRATOR))),
    ("a manageable role and another", |_, who| {
        who.has_role(role::DIRECTORY_READERS).has_role(role::USER_ADMINISTRATOR);
    }),
    ("a role in one administrative unit", |_, who| {
        who.has_role_in(
            role::USER_ADMINISTRATOR,
            "/administrativeUnits/5d107bba-d8e2-4e13-b6ae-884be90e5d1a",
        );
    }),
    ("a custom role", |_, who| drop(who.has_role(CUSTOM_ROLE))),
    ("a role through a group", |world, who| {
        world.company.group("Admins").member(who).has_role(role::USER_ADMINISTRATOR);
    }),
    ("a role through a group in a group", |world, who| {
        let inner = world.company.group("Inner admins").member(who);
        world.company.group("Outer admins").subgroup(&inner).has_role(role::USER_ADMINISTRATOR);
    }),
    ("a role that can be activated", |_, who| drop(who.eligible_for(role::GLOBAL_ADMINISTRATOR))),
    ("a role that a group can activate", |world, who| {
        world.company.group("Eligible").member(who).eligible_for(role::GLOBAL_ADMINISTRATOR);
    }),
    ("membership of a role-assignable group", |world, who| {
        world.company.group("Assignable").member(who).role_assignable();
    }),
    ("ownership of a role-assignable group", |world, who| {
        who.owns_application("Expenses");
        world.company.group("Owned").owner(who).role_assignable();
    }),
    ("restricted management", |_, who| drop(who.management_restricted())),
];

const NOT_PRIVILEGED: [(&str, Way); 5] = [
    ("a role that leaves its holder manageable", |_, who| drop(who.has_role(role::REPORTS_READER))),
    ("a manageable role in a unit", |_, who| {
        who.has_role_in(role::DIRECTORY_READERS, "/administrativeUnits/5d107bba-d8e2-4e13-b6ae-884be90e5d1a");
    }),
    ("a manageable role that can be activated", |_, who| {
        drop(who.eligible_for(role::AUTHENTICATION_ADMINISTRATOR));
    }),
    ("an ordinary group", |world, who| drop(world.company.group("Football").member(who))),
    ("ownership of what gives no role", |world, who| {
        who.owns_application("Expenses");
        world.company.group("Chess").owner(who);
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn privileged_refused() -> anyhow::Result<()> {
    let world = World::under(rulebook("requests_per_hour = 100", &[""])).await?;
    for (number, (what, make)) in PRIVILEGED.into_iter().enumerate() {
        let admin = locked_out(&world, number);
        make(&world, &admin.person);
        world.is_refused(&world.ada, &admin, REFUSED).await.map_err(|error| error.context(what))?;
    }
    for (number, (what, make)) in NOT_PRIVILEGED.into_iter().enumerate() {
        let colleague = locked_out(&world, 100 + number);
        make(&world, &colleague.person);
        let read = world.asks_for(&world.ada, &colleague).await?;
        ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{what}: {read:#?}");
    }
    world.advance(Duration::from_hours(4)).await?;
    ensure!(world.passes_asked_for() == 0);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_fails_refuses() -> anyhow::Result<()> {
    let world = World::start().await?;
    for path in LOOK_UPS {
        world.graph.fail(path, 1, StatusCode::FORBIDDEN);
        world.is_refused(&world.ada, &world.jane, "did not answer as it should").await?;
        world.graph.wire.heal();
        world.graph.garble(path, 1);
        world.is_refused_at_last(path, "did not answer as it should").await?;
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_down_for_long_refuses_and_one_that_comes_back_does_not() -> anyhow::Result<()> {
    let world = World::start().await?;
    for path in LOOK_UPS {
        world.graph.fail(path, 100_000, StatusCode::SERVICE_UNAVAILABLE);
        world.is_refused_at_last(path, "did not answer as it should").await?;
    }
    world.graph.fail(LOOK_UPS[0], 12, StatusCode::SERVICE_UNAVAILABLE);
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(5)).await?;
    world.hears(&world.ada, "is with its approvers")?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_graph_shows_as_stubs_refuse() -> anyhow::Result<()> {
    // The rule itself asks about no group, so that only the check of privileges meets the stubs.
    let rule = "requester = \"user:{ada}\"\napprovals = [\"manager\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    world.entra.withhold("GroupMember.Read.All");
    world.entra.revoke_tokens();
    let football = world.company.group("Football").member(&world.jane.person);
    world.is_refused(&world.ada, &world.jane, "did not answer as it should").await?;
    football.without(&world.jane.person).owner(&world.jane.person);
    world.is_refused(&world.ada, &world.jane, "did not answer as it should").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_withheld_permission_refuses() -> anyhow::Result<()> {
    for permission in [
        "User.Read.All",
        "GroupMember.Read.All",
        "RoleManagement.Read.Directory",
        "Policy.Read.AuthenticationMethod",
        "UserAuthMethod-TAP.ReadWrite.All",
    ] {
        let world = World::start().await?;
        world.entra.withhold(permission);
        world.entra.revoke_tokens();
        let words = "did not answer as it should";
        world.is_refused(&world.ada, &world.jane, words).await.map_err(|error| error.context(permission))?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_name_the_roles_that_its_subjects_hold() -> anyhow::Result<()> {
    let rule = format!("allow_privileged = [\"{}\"]", role::USER_ADMINISTRATOR);
    let world = World::under(rulebook("requests_per_hour = 100", &[&rule])).await?;
    let admins = world.company.group("User admins").has_role(role::USER_ADMINISTRATOR);
    let allowed: [Holder<'_>; 3] = [
        ("the role", &|who| drop(who.has_role(role::USER_ADMINISTRATOR))),
        ("the role to activate", &|who| drop(who.eligible_for(role::USER_ADMINISTRATOR))),
        ("the role through its group", &|who| drop(admins.member(who))),
    ];
    for (number, (what, make)) in allowed.into_iter().enumerate() {
        let admin = locked_out(&world, number);
        make(&admin.person);
        let read = world.asks_for(&world.ada, &admin).await?;
        ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{what}: {read:#?}");
    }
    world.advance(Duration::from_hours(4)).await?;
    world.everybody_reads();

    let globals = world.company.group("Global admins").has_role(role::GLOBAL_ADMINISTRATOR);
    let refused: [Holder<'_>; 5] = [
        ("another role", &|who| drop(who.has_role(role::GLOBAL_ADMINISTRATOR))),
        ("the role and another", &|who| {
            who.has_role(role::USER_ADMINISTRATOR).eligible_for(role::GLOBAL_ADMINISTRATOR);
        }),
        ("the role and another through a group", &|who| {
            who.has_role(role::USER_ADMINISTRATOR);
            globals.member(who);
        }),
        ("the role and a group of which nobody knows what its owner may give themselves", &|who| {
            who.has_role(role::USER_ADMINISTRATOR);
            globals.owner(who);
        }),
        ("restricted management", &|who| drop(who.management_restricted())),
    ];
    for (number, (what, make)) in refused.into_iter().enumerate() {
        let admin = locked_out(&world, 100 + number);
        make(&admin.person);
        world.is_refused(&world.ada, &admin, REFUSED).await.map_err(|error| error.context(what))?;
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_privileged_after_the_approval_gets_no_pass() -> anyhow::Result<()> {
    for (what, make) in PRIVILEGED {
        let world = World::start().await?;
        let ticket = world.ticket_for_jane().await?;
        make(&world, &world.jane.person);
        world.claim_is_refused(&ticket, REFUSED).await.map_err(|error| error.context(what))?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_fails_at_the_claim_gives_no_pass_and_loses_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    for path in LOOK_UPS {
        for status in [StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE] {
            world.graph.fail(path, 100, status);
            let answer = browser.claim(&code, &pin).await?;
            ensure!(answer.state() == "unavailable", "{path} {status}: {answer:?}");
            world.graph.wire.heal();
        }
    }
    ensure!(world.passes_asked_for() == 0, "Graph was asked for a pass");
    browser.claims_and_sees(&code, &pin).await?;
    world.advance(Duration::from_hours(2)).await?;
    world.everybody_reads();
    world.finish().await
}
