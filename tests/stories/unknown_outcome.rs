//! Nobody knows what became of a create: never two passes, none that nobody saw, and nothing lost.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use tapdesk_tests::browser::Browser;
use tapdesk_tests::graph::Pass;
use tapdesk_tests::trouble::DELETE;
use tapdesk_tests::wire::{Gate, Trouble};
use tapdesk_tests::world::World;

/// A claim whose create meets that trouble; the page says that it is unavailable for now.
async fn claim_meets(trouble: Trouble) -> anyhow::Result<(World, Browser, String, String)> {
    let world = World::impatient().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.graph.wire.trouble(&world.create(), 1, trouble);
    let browser = world.browser();
    let answer = world.claim_gets(&browser, &code, &pin, "unavailable").await?;
    ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    ensure!(world.creates() == 1, "the create was repeated: {}", world.creates());
    Ok((world, browser, code, pin))
}

fn listed(world: &World) -> Vec<Pass> {
    world.graph.passes().into_iter().filter(Pass::is_listed).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_whose_answer_was_lost_is_deleted_and_another_browser_wins() -> anyhow::Result<()> {
    let unreadable = |body: &str| Trouble::HandleThenAnswer(StatusCode::CREATED, body.to_owned());
    let gate = Gate::closed();
    for trouble in [
        Trouble::DropAnswer,
        Trouble::HoldAnswer(gate.clone()),
        Trouble::HandleThenAnswer(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        Trouble::HandleThenAnswer(StatusCode::GATEWAY_TIMEOUT, "<html>".to_owned()),
        unreadable("<html>"),
        unreadable(
            r#"{"id":"6f1967b7-15e8-4935-ac26-d50770ed07a7","lifetimeInMinutes":60,"isUsableOnce":true}"#,
        ),
    ] {
        let (world, _, code, pin) = claim_meets(trouble).await?;
        ensure!(world.janes_passes() == 1, "there is no stray pass to delete");
        world.settle().await?;
        ensure!(world.janes_passes() == 0, "the stray pass lives on");
        ensure!(world.browser().status(&code).await?.state() == "open");
        world.jane_gets_her_pass(&code, &pin).await?;
        ensure!(world.creates() == 2);
        world.advance(Duration::from_mins(6)).await?;
        ensure!(world.janes_passes() == 1, "a later look took the pass that Jane has on her screen");
        world.finish_unread().await?;
    }
    gate.open();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_never_reached_graph_costs_jane_one_more_click() -> anyhow::Result<()> {
    for trouble in [
        Trouble::DropRequest,
        Trouble::Answer(StatusCode::BAD_GATEWAY, Vec::new(), "<html>".to_owned()),
        Trouble::Answer(StatusCode::CREATED, Vec::new(), "Welcome to the guest network".to_owned()),
    ] {
        let (world, browser, code, pin) = claim_meets(trouble).await?;
        ensure!(listed(&world).is_empty());
        world.settle().await?;
        browser.claims_and_sees(&code, &pin).await?;
        world.settle().await?;
        ensure!((world.creates(), listed(&world).len()) == (2, 1));
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_are_listed_at_once_and_after_thirty_seconds_and_after_five_minutes() -> anyhow::Result<()> {
    let (world, _, _, _) = claim_meets(Trouble::DropRequest).await?;
    let before = world.looks();
    let looked = || world.looks() - before;
    world.settle().await?;
    ensure!(looked() == 1, "{} looks at once", looked());
    for (wait, looks) in [(29, 1), (1, 2), (269, 2), (1, 3), (600, 3)] {
        world.advance(Duration::from_secs(wait)).await?;
        ensure!(looked() == looks, "{} looks instead of {looks}", looked());
    }
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_created_before_the_first_clean_look() -> anyhow::Result<()> {
    let (world, browser, code, pin) = claim_meets(Trouble::DropAnswer).await?;
    world.graph.fail(&world.list(), usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..3 {
        world.advance(Duration::from_mins(2)).await?;
        world.claim_gets(&browser, &code, &pin, "busy").await?;
        ensure!(browser.status(&code).await?.state() == "busy");
    }
    ensure!(world.creates() == 1 && world.janes_passes() == 1, "nobody could look, so nothing is settled");

    world.graph.wire.heal();
    world.advance(Duration::from_secs(10)).await?;
    ensure!(world.janes_passes() == 0, "the stray pass lives on");
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_lands_after_the_first_clean_look_is_deleted_by_the_second() -> anyhow::Result<()> {
    let gate = Gate::closed();
    let (world, _, code, pin) = claim_meets(Trouble::HoldRequest(gate.clone())).await?;
    world.settle().await?;
    ensure!(world.browser().status(&code).await?.state() == "open", "the first look was clean");
    gate.open();
    world.graph.wire.landed().await;
    ensure!(world.janes_passes() == 1, "the late create did not land");
    world.advance(Duration::from_secs(30)).await?;
    ensure!(world.janes_passes() == 0, "the late pass lives on");
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_pass_of_ours_is_not_taken_for_somebody_elses() -> anyhow::Result<()> {
    let gate = Gate::closed();
    let (world, browser, code, pin) = claim_meets(Trouble::HoldRequest(gate.clone())).await?;
    world.settle().await?;
    gate.open();
    world.graph.wire.landed().await;

    browser.claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.does_not_hear(&world.ada, "somebody else made a pass")?;
    ensure!(listed(&world).len() == 1 && world.janes_passes() == 1);
    let deleted = world.ledger_says("intent", "pass.delete")?;
    ensure!(deleted == 1, "the late pass was to be deleted, on the record: {deleted}");
    world.advance(Duration::from_mins(6)).await?;
    ensure!(world.janes_passes() == 1, "a later look took the pass that Jane has on her screen");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_lands_when_jane_already_has_a_newer_pass_is_deleted() -> anyhow::Result<()> {
    let gate = Gate::closed();
    let (world, _, code, pin) = claim_meets(Trouble::HoldRequest(gate.clone())).await?;
    world.settle().await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    gate.open();
    world.graph.wire.landed().await;
    ensure!(world.janes_passes() == 1, "Entra keeps one pass per person");
    let late = listed(&world);
    world.advance(Duration::from_secs(30)).await?;
    ensure!(listed(&world).is_empty(), "the late pass lives on");
    ensure!(late[0].id != world.graph.passes()[0].id, "the late pass did not replace the newer one");
    world.advance(Duration::from_mins(6)).await?;
    world.hears(&world.ada, "is over")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_a_minute_is_shown_to_nobody() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let gate = world.graph.wire.hold_answer(&world.create());
    let browser = world.browser();
    let meanwhile = async {
        world.graph.wire.arrived(&world.create(), 1).await;
        world.hands.turn(Duration::from_secs(61));
        let mut rounds = 0;
        while world.tapdesk()?.worker.tick().await? > 0 {
            rounds += 1;
            ensure!(rounds < 50, "there was always another task due");
        }
        ensure!(world.janes_passes() == 0, "the pass that nobody waits for lives on");
        gate.open();
        Ok(())
    };
    let (answer, checked) = tokio::join!(world.claim_gets(&browser, &code, &pin, "busy"), meanwhile);
    checked?;
    answer?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_somebody_else_made_before_is_left_alone() -> anyhow::Result<()> {
    let world = World::impatient().await?;
    let theirs = world.graph.make_foreign_pass(&world.jane.person, 60);
    let (code, pin) = world.ticket_for_jane().await?;
    world.graph.wire.trouble(&world.create(), 1, Trouble::DropRequest);
    world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
    world.advance(Duration::from_mins(6)).await?;
    let left: Vec<String> = listed(&world).into_iter().map(|pass| pass.id).collect();
    ensure!(left == [theirs.id], "{left:?}");
    ensure!(world.graph.wire.seen().iter().all(|call| !call.line().starts_with(DELETE)));
    world.graph.delete_pass(&world.jane.person);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_somebody_else_made_in_the_same_seconds_is_left_alone() -> anyhow::Result<()> {
    let (world, browser, code, pin) = claim_meets(Trouble::DropRequest).await?;
    let theirs = world.graph.make_foreign_pass(&world.jane.person, 480);
    world.advance(Duration::from_secs(40)).await?;
    world.reads(&world.ada);
    world.claim_gets(&browser, &code, &pin, "stopped").await?;
    world.advance(Duration::from_mins(6)).await?;
    world.hears(&world.ada, "somebody else made a pass for them meanwhile")?;
    let left: Vec<String> = listed(&world).into_iter().map(|pass| pass.id).collect();
    ensure!(left == [theirs.id], "{left:?}");
    world.graph.delete_pass(&world.jane.person);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn this_wasnt_me_while_nothing_is_known_ends_it_and_still_deletes_the_pass() -> anyhow::Result<()> {
    let (world, browser, code, pin) = claim_meets(Trouble::DropAnswer).await?;
    ensure!(browser.report(&code).await?.state() == "reported");
    world.settle().await?;
    ensure!(world.janes_passes() == 0, "the stray pass lives on");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 1);
    let answer = world.claim_gets(&browser, &code, &pin, "closed").await?;
    ensure!(answer.body["why"] == "reported", "{answer:?}");
    world.advance(Duration::from_mins(6)).await?;
    world.hears(&world.ada, "was stopped for safety")?;
    ensure!(world.creates() == 1);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_runs_out_while_nothing_is_known_still_gets_its_pass_deleted() -> anyhow::Result<()> {
    let (world, _, code, pin) = claim_meets(Trouble::DropAnswer).await?;
    world.graph.fail("/v1.0", usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
    world.advance(Duration::from_mins(31)).await?;
    ensure!(world.janes_passes() == 1, "nobody could delete it");
    world.graph.wire.heal();
    world.advance(Duration::from_secs(10)).await?;
    ensure!(world.janes_passes() == 0, "the stray pass lives on");
    world.advance(Duration::from_mins(6)).await?;
    world.claim_gets(&world.browser(), &code, &pin, "closed").await?;
    world.hears(&world.ada, "in time")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_that_an_outage_delayed_still_lie_minutes_apart() -> anyhow::Result<()> {
    let gate = Gate::closed();
    let (world, _, code, _) = claim_meets(Trouble::HoldRequest(gate.clone())).await?;
    world.graph.fail(&world.list(), usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
    world.advance(Duration::from_mins(6)).await?;
    world.graph.wire.heal();
    world.advance(Duration::from_secs(10)).await?;
    ensure!(world.browser().status(&code).await?.state() == "open", "the first look was clean");
    gate.open();
    world.graph.wire.landed().await;
    ensure!(world.janes_passes() == 1, "the late create did not land");
    world.advance(Duration::from_mins(1)).await?;
    ensure!(world.janes_passes() == 0, "the late pass lives on");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_is_under_way_spares_the_pass_that_jane_gets_meanwhile() -> anyhow::Result<()> {
    let (world, _, code, pin) = claim_meets(Trouble::DropRequest).await?;
    world.settle().await?;
    let gate = world.graph.wire.hold_request(&world.list());
    let looks = world.looks();
    world.hands.turn(Duration::from_secs(30));
    let meanwhile = async {
        world.graph.wire.arrived(&world.list(), looks + 1).await;
        let seen = world.browser().claims_and_sees(&code, &pin).await;
        gate.open();
        seen
    };
    let (settled, seen) = tokio::join!(world.settle(), meanwhile);
    settled?;
    seen?;
    ensure!(world.janes_passes() == 1, "the look took the pass that Jane has on her screen");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stray_pass_that_cannot_be_deleted_is_tried_again_until_it_can() -> anyhow::Result<()> {
    let forbidden = r#"{"error":{"code":"accessDenied","message":"Request Authorization failed"}}"#;
    for (status, body, told) in [
        (StatusCode::FORBIDDEN, forbidden, "UserAuthMethod-TAP.ReadWrite.All"),
        (StatusCode::SERVICE_UNAVAILABLE, "", "Graph fails at"),
    ] {
        let (world, browser, code, pin) = claim_meets(Trouble::DropAnswer).await?;
        world.graph.wire.trouble(DELETE, usize::MAX, Trouble::Answer(status, Vec::new(), body.to_owned()));
        world.advance(Duration::from_mins(3)).await?;
        ensure!(world.janes_passes() == 1);
        world.log_tells(told)?;
        world.claim_gets(&browser, &code, &pin, "busy").await?;
        world.graph.wire.heal();
        world.advance(Duration::from_mins(1)).await?;
        ensure!(world.janes_passes() == 0, "the stray pass lives on");
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stray_pass_that_its_owner_deletes_first_counts_as_deleted() -> anyhow::Result<()> {
    let (world, _, code, pin) = claim_meets(Trouble::DropAnswer).await?;
    let gate = world.graph.wire.hold_request(DELETE);
    let meanwhile = async {
        world.graph.wire.arrived(DELETE, 1).await;
        world.graph.delete_pass(&world.jane.person);
        gate.open();
    };
    let (settled, ()) = tokio::join!(world.settle(), meanwhile);
    settled?;
    let delete = world.last_call(DELETE)?;
    ensure!(delete.status == Some(StatusCode::NOT_FOUND), "{:?}", delete.status);
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unseen_pass_that_cannot_be_deleted_is_tried_again_until_it_can() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claim(&code, &pin).await?.passcode()?;
    world.graph.fail(DELETE, usize::MAX, StatusCode::SERVICE_UNAVAILABLE);
    world.advance(Duration::from_mins(5)).await?;
    ensure!(world.janes_passes() == 1);
    world.log_tells("Graph fails at")?;
    world.claim_gets(&browser, &code, &pin, "busy").await?;
    world.graph.wire.heal();
    world.advance(Duration::from_secs(10)).await?;
    ensure!(world.janes_passes() == 0, "the unseen pass lives on");
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}
