//! Stories of passes that somebody else makes, and of a tenant that would rather make none.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use serde_json::json;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_the_approvers_saw_is_replaced() -> anyhow::Result<()> {
    let world = World::start().await?;
    let theirs = world.graph.make_foreign_pass(&world.jane.person, 480);
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?.visible_text();
    ensure!(card.contains("Existing pass") && card.contains("approving replaces it"), "{card}");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    ensure!(world.graph.use_pass(&world.jane.person, &theirs.passcode) == SignIn::Wrong, "both passes work");
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    ensure!(world.creates() == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_appeared_since_the_approval_stops_the_claim_until_it_is_gone() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let theirs = world.graph.make_foreign_pass(&world.jane.person, 60);
    let browser = world.browser();
    for _ in 0..6 {
        let answer = world.claim_gets(&browser, &code, &pin, "stopped").await?;
        ensure!(answer.status == StatusCode::FORBIDDEN, "{answer:?}");
    }
    world.settle().await?;
    ensure!(world.creates() == 0 && world.graph.live_passes(&world.jane.person)[0].id == theirs.id);
    let told = world.reads(&world.ada).join("\n");
    for part in
        ["I stopped: somebody else made a pass for them", "have it deleted in Entra", "or ask again here"]
    {
        ensure!(told.contains(part), "the requester does not read {part:?}: {told}");
    }
    world.graph.delete_pass(&world.jane.person);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_is_spent_or_over_stops_nobody() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let _ = world.graph.make_foreign_pass(&world.jane.person, 20);
    world.hands.turn(Duration::from_mins(19));
    world.claim_gets(&world.browser(), &code, &pin, "stopped").await?;
    world.hands.turn(Duration::from_mins(1));
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_switched_off_right_before_the_create_makes_no_pass_and_keeps_the_ticket()
-> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_before_the_create(&world.browser(), &ticket).await;
    world.graph.policy(|policy| policy.enabled = false);
    held.open();
    let answer = claiming.answer().await?;
    ensure!(answer.state() == "refused" && answer.status == StatusCode::FORBIDDEN, "{answer:?}");
    world.settle().await?;
    ensure!(world.graph.passes().is_empty());
    world.hears(&world.ada, "Entra would not make the pass for Jane Doe")?;
    world.graph.policy(|policy| policy.enabled = true);
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_switched_off_before_the_claim_ends_the_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    world.graph.policy(|policy| policy.enabled = false);
    world.claim_is_refused(&ticket, "Temporary Access Pass policy is off").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_the_policy_disables_is_deleted_and_shown_to_nobody() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let (claiming, held) = world.claim_held_before_the_create(&world.browser(), &ticket).await;
    world.graph.policy(|policy| {
        policy.exclude = vec![tapdesk_tests::graph::Target::Everybody];
        policy.makes_unusable_passes = true;
    });
    held.open();
    let answer = claiming.answer().await?;
    ensure!(answer.state() == "refused" && answer.body.get("passcode").is_none(), "{answer:?}");
    world.settle().await?;
    let made = world.graph.passes();
    ensure!(made.len() == 1 && made[0].deleted_at.is_some(), "the useless pass is still there");
    world.hears(&world.ada, "Entra would not make the pass for Jane Doe")?;
    ensure!(world.janes_notice()?.subject.ends_with("was deleted"));
    world.graph.policy(|policy| policy.exclude.clear());
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_for_several_sign_ins_where_one_was_approved_is_deleted() -> anyhow::Result<()> {
    let world = World::start().await?;
    // It stands for what Graph makes at the create: nobody minds it before, since the approvers saw it.
    let made = world.graph.make_foreign_pass(&world.jane.person, 60);
    let (code, pin) = world.ticket_for_jane().await?;
    let body = json!({
        "id": made.id, "temporaryAccessPass": made.passcode, "createdDateTime": made.created.to_string(),
        "startDateTime": made.starts.to_string(), "lifetimeInMinutes": 60, "isUsableOnce": false,
        "isUsable": true, "methodUsabilityReason": "EnabledByPolicy",
    });
    let headers = vec![("content-type", "application/json".to_owned())];
    let answer = Trouble::Answer(StatusCode::CREATED, headers, body.to_string());
    world.graph.wire.trouble(&world.create(), 1, answer);
    world.claim_gets(&world.browser(), &code, &pin, "refused").await?;
    world.settle().await?;
    ensure!(world.janes_passes() == 0, "the pass that was not approved lives");
    world.hears(&world.ada, "Entra would not make the pass for Jane Doe")?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_graph_declines_leaves_no_older_pass_behind() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    let first = browser.claims_and_sees(&code, &pin).await?;
    world.graph.fail(&world.create(), 1, StatusCode::FORBIDDEN);
    world.claim_gets(&browser, &code, &pin, "refused").await?;
    world.settle().await?;
    ensure!(world.graph.use_pass(&world.jane.person, &first) == SignIn::Wrong, "a pass of no state lives");
    world
        .janes_notices()?
        .pop()
        .filter(|n| n.subject.ends_with("was deleted"))
        .context("the owner was not told")?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}
