//! Graph is down, slow, busy, forbidding or mad: at submit and at the claim.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use tapdesk_tests::trouble::PASSES;
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

const DID_NOT_ANSWER: &str = "did not answer as it should";

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_acknowledged_within_a_second_while_graph_is_held() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.chat.set_deadline(Duration::from_secs(1));
    let gate = world.graph.wire.hold_request("GET /v1.0/users");
    ensure!(world.ada_types_for_jane().await?.contains("Checking…"));

    let meanwhile = async {
        world.graph.wire.arrived("GET /v1.0/users", 1).await;
        let mention = world.otto.account.mention();
        let reply = world.types(&world.ada, &format!("for {mention} lost his phone")).await;
        ensure!(reply.is_accepted(), "{reply:?}");
        world.is_whispered(&world.ada, "Checking…")?;
        ensure!(world.graph.wire.seen().iter().any(|call| !call.is_done), "Graph is not held any more");
        world.does_not_hear(&world.ada, "is with its approvers")?;
        gate.open();
        Ok(())
    };
    let (settled, checked) = tokio::join!(world.settle(), meanwhile);
    settled.and(checked)?;
    world.settle().await?;
    world.hears(&world.ada, "Request")?;
    world.card(&world.mary, "Approve")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_asked_for_again() -> anyhow::Result<()> {
    let world = World::impatient().await?;
    let gate = world.graph.wire.hold_answer("GET /v1.0/users");
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "is with its approvers")?;
    gate.open();

    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    let gate = world.graph.wire.hold_answer("/manager");
    world.jane_gets_her_pass(&code, &pin).await?;
    gate.open();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_is_down_when_ada_asks_and_her_request_waits_for_it() -> anyhow::Result<()> {
    for trouble in [Trouble::DropRequest, Trouble::DropAnswer, unavailable()] {
        let world = World::start().await?;
        world.graph.wire.trouble("/v1.0", usize::MAX, trouble);
        world.ada_asks_for_jane().await?;
        world.advance(Duration::from_mins(5)).await?;
        ensure!(world.chat.inbox(&world.ada.account).is_empty(), "Ada was told something already");
        world.graph.wire.heal();
        world.advance(Duration::from_secs(10)).await?;
        world.hears(&world.ada, "is with its approvers")?;
        world.card(&world.mary, "Approve")?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_is_down_for_longer_than_ten_minutes_and_ada_is_told() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.graph.wire.trouble("/v1.0", usize::MAX, unavailable());
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(9)).await?;
    world.does_not_hear(&world.ada, DID_NOT_ANSWER)?;
    world.advance(Duration::from_mins(2)).await?;
    world.hears(&world.ada, DID_NOT_ANSWER)?;
    ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked though nothing is known");

    world.graph.wire.heal();
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "is with its approvers")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_is_down_at_the_claim_and_code_and_pin_still_work_afterwards() -> anyhow::Result<()> {
    for trouble in [Trouble::DropRequest, Trouble::DropAnswer, unavailable()] {
        let world = World::start().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        let browser = world.browser();
        world.graph.wire.trouble("/v1.0", usize::MAX, trouble);
        // More tries than the ticket has: a right PIN is not counted against it.
        for _ in 0..6 {
            let answer = world.claim_gets(&browser, &code, &pin, "unavailable").await?;
            ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        }
        ensure!(world.creates() == 0, "a create without a check");
        world.graph.wire.heal();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_graph_refuses_is_replaced_once_and_nobody_notices() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    ensure!(world.entra.token_requests() == 1, "one token is enough for all of it");
    world.entra.revoke_tokens();
    let refused = world.graph.wire.seen().len();
    world.jane_gets_her_pass(&code, &pin).await?;
    ensure!(world.entra.token_requests() == 2, "{} token requests", world.entra.token_requests());
    let seen = world.graph.wire.seen();
    ensure!(seen[refused].status == Some(StatusCode::UNAUTHORIZED), "the old token was not tried");
    let unauthorized = seen.iter().filter(|call| call.status == Some(StatusCode::UNAUTHORIZED)).count();
    ensure!(unauthorized == 1, "{unauthorized} calls with a refused token");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_refused_at_the_create_itself_makes_one_pass() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.graph.wire.trouble(&world.create(), 1, invalid_token());
    world.browser().claims_and_sees(&code, &pin).await?;
    let create = world.create();
    let seen = world.graph.wire.seen();
    let statuses: Vec<_> = seen.iter().filter(|c| c.line() == create).filter_map(|c| c.status).collect();
    ensure!(statuses == [StatusCode::UNAUTHORIZED, StatusCode::CREATED], "{statuses:?}");
    ensure!(world.graph.passes().len() == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_again_and_again_ends_the_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.graph.wire.trouble("/v1.0", usize::MAX, invalid_token());
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, DID_NOT_ANSWER)?;
    ensure!(world.entra.token_requests() <= 3, "{} token requests", world.entra.token_requests());
    world.log_tells("Graph refuses the app's token")?;
    world.finish_unread().await
}

/// Permission, and a part of the call that needs it.
/// Reading eligible roles needs a permission of its own only where RoleManagement.Read.Directory is not granted.
const NEEDED: [(&str, &str); 6] = [
    ("User.Read.All", "GET /v1.0/users"),
    ("GroupMember.Read.All", "/transitiveMembers"),
    ("RoleManagement.Read.Directory", "/roleAssignments"),
    ("UserAuthMethod-TAP.ReadWrite.All", PASSES),
    ("UserAuthMethod-Phone.Read.All", "/phoneMethods"),
    ("Policy.Read.AuthenticationMethod", "/authenticationMethodConfigurations"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_at_submit_is_told_to_ada_and_named_in_the_log() -> anyhow::Result<()> {
    for (permission, _) in NEEDED {
        let world = World::start().await?;
        world.entra.withhold(permission);
        world.ada_asks_for_jane().await?;
        world.hears(&world.ada, DID_NOT_ANSWER).with_context(|| permission.to_owned())?;
        ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked without {permission}");
        world.log_tells(permission.trim_end_matches("Write.All"))?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_lost_before_the_claim_stops_it_and_is_named_in_the_log() -> anyhow::Result<()> {
    // Phones are not read at the claim, and members only at submit.
    let lost = NEEDED.into_iter().filter(|(_, call)| !["/phoneMethods", "/transitiveMembers"].contains(call));
    for (permission, call) in lost {
        let world = World::start().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        let granted = tapdesk_tests::entra::LEAST_PERMISSIONS;
        world.entra.withhold(permission);
        world.entra.revoke_tokens();
        let answer = world.claim_gets(&world.browser(), &code, &pin, "unavailable").await;
        answer.with_context(|| permission.to_owned())?;
        ensure!(world.creates() == 0, "a create without {permission}");
        world.log_of_call_tells(&world.last_call(call)?, permission.trim_end_matches("Write.All"))?;

        world.entra.grant(&granted);
        world.entra.revoke_tokens();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_forbidden_is_told_to_ada_and_the_permission_is_named() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let mut granted = tapdesk_tests::entra::LEAST_PERMISSIONS.to_vec();
    granted.retain(|permission| *permission != "UserAuthMethod-TAP.ReadWrite.All");
    granted.push("UserAuthMethod-TAP.Read.All");
    world.entra.grant(&granted);
    world.entra.revoke_tokens();

    let browser = world.browser();
    world.claim_gets(&browser, &code, &pin, "refused").await?;
    world.settle().await?;
    ensure!((world.creates(), world.graph.passes().len()) == (1, 0));
    world.hears(&world.ada, "Entra would not make the pass for Jane Doe")?;
    let create = world.last_call(&world.create())?;
    ensure!(create.status == Some(StatusCode::FORBIDDEN), "{:?}", create.status);
    world.log_of_call_tells(&create, "UserAuthMethod-TAP.ReadWrite.All")?;
    world.log_tells("NotPermitted")?;

    world.entra.grant(&tapdesk_tests::entra::LEAST_PERMISSIONS);
    world.entra.revoke_tokens();
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_may_not_be_ended_are_ended_once_the_permission_is_there() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.withhold("User.RevokeSessions.All");
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claims_and_sees(&code, &pin).await?;
    ensure!(browser.report(&code).await?.state() == "reported");
    world.advance(Duration::from_mins(3)).await?;
    ensure!(world.janes_passes() == 0, "the reported pass lives on");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 0);
    world.log_tells("User.RevokeSessions.All")?;

    world.entra.grant(&tapdesk_tests::entra::LEAST_PERMISSIONS);
    world.entra.revoke_tokens();
    world.advance(Duration::from_mins(1)).await?;
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_left_the_directory_meanwhile_get_nothing_and_decide_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane.person.without_manager();
    world.claim_gets(&world.browser(), &code, &pin, "refused").await?;
    world.settle().await?;
    world.hears(&world.ada, "Mary Major may not approve this any more")?;
    ensure!(world.creates() == 0);
    world.finish_unread().await?;

    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane.person.removed();
    world.claim_gets(&world.browser(), &code, &pin, "refused").await?;
    world.settle().await?;
    world.hears(&world.ada, "cannot go on")?;
    ensure!(world.creates() == 0);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_at_the_create_or_at_the_list_is_no_pass_and_no_end() -> anyhow::Result<()> {
    for list_is_missing in [false, true] {
        let world = World::start().await?;
        let (code, pin) = world.ticket_for_jane().await?;
        let call = if list_is_missing { world.list() } else { world.create() };
        world.graph.wire.trouble(&call, 1, Trouble::Answer(StatusCode::NOT_FOUND, json(), not_found()));
        world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
        world.settle().await?;
        ensure!(world.graph.passes().is_empty());
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_asks_for_patience_at_submit_and_gets_exactly_that() -> anyhow::Result<()> {
    // 10:01:30 is ninety seconds after the world begins.
    for (retry_after, wait) in [("7", 7), ("6.5", 7), ("Mon, 23 Nov 2026 10:01:30 GMT", 90)] {
        let world = World::start().await?;
        world.graph.throttle("GET /v1.0/users", 1, Some(retry_after));
        world.ada_asks_for_jane().await?;
        let asked = world.graph.wire.seen().len();
        world.advance(Duration::from_secs(wait - 1)).await?;
        ensure!(world.graph.wire.seen().len() == asked, "Graph was asked again too early ({retry_after})");
        world.advance(Duration::from_secs(1)).await?;
        world.hears(&world.ada, "is with its approvers")?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_asks_for_patience_at_the_claim_and_the_page_passes_it_on() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    world.graph.throttle("/manager", 1, Some("120"));
    let answer = world.claim_gets(&browser, &code, &pin, "unavailable").await?;
    ensure!(answer.body["retry_after"] == 120, "the page may come again too early: {}", answer.body);
    ensure!(world.creates() == 0);

    // At the create itself Graph says that it did nothing: the ticket goes on at once.
    world.graph.throttle(&world.create(), 1, Some("2.128"));
    world.claim_gets(&browser, &code, &pin, "unavailable").await?;
    ensure!((world.creates(), world.graph.passes().len()) == (1, 0));
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_facts_grants_nothing() -> anyhow::Result<()> {
    for part in ["GET /v1.0/users", "/roleAssignments", "/authenticationMethodConfigurations", PASSES] {
        let world = World::start().await?;
        world.graph.garble(part, usize::MAX);
        world.ada_asks_for_jane().await?;
        world.hears(&world.ada, DID_NOT_ANSWER)?;
        ensure!(world.chat.inbox(&world.mary.account).is_empty(), "Mary was asked after garbage at {part}");
        world.graph.wire.heal();

        let (code, pin) = world.ticket_for_jane().await?;
        world.graph.garble(part, usize::MAX);
        world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
        ensure!(world.creates() == 0, "a create after garbage at {part}");
        world.graph.wire.heal();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

fn unavailable() -> Trouble {
    let body =
        r#"{"error":{"code":"serviceNotAvailable","message":"The service is temporarily unavailable."}}"#;
    Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, json(), body.to_owned())
}

fn invalid_token() -> Trouble {
    let body = r#"{"error":{"code":"InvalidAuthenticationToken","message":"Access token has expired."}}"#;
    Trouble::Answer(StatusCode::UNAUTHORIZED, json(), body.to_owned())
}

fn not_found() -> String {
    r#"{"error":{"code":"resourceNotFound","message":"Resource not found."}}"#.to_owned()
}

fn json() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}
