//! Entra's token endpoint is down, says no, or answers for somebody else.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use serde_json::json;
use tapdesk_tests::chat::Call;
use tapdesk_tests::wire::{Exchange, Trouble};
use tapdesk_tests::world::World;

const DID_NOT_ANSWER: &str = "did not answer as it should";

fn denied(code: u32) -> Trouble {
    let body = json!({
        "error": "invalid_client", "error_description": format!("AADSTS{code}: no."), "error_codes": [code],
        "trace_id": "trace-1", "correlation_id": "correlation-1",
    });
    let headers = vec![("content-type", "application/json".to_owned())];
    Trouble::Answer(StatusCode::UNAUTHORIZED, headers, body.to_string())
}

fn last_token_request(world: &World) -> anyhow::Result<Exchange> {
    world.entra.wire.last("/token").ok_or_else(|| anyhow::anyhow!("no token was asked for"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_is_down_delays_a_request_and_a_claim() -> anyhow::Result<()> {
    for trouble in [
        Trouble::DropRequest,
        Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, Vec::new(), String::new()),
        Trouble::Answer(StatusCode::OK, Vec::new(), "Welcome to the guest network".to_owned()),
    ] {
        // Garbage with status 200 stays until somebody mends it; the request is over then, and Ada is told.
        let is_garbage = matches!(trouble, Trouble::Answer(StatusCode::OK, ..));
        let world = World::start().await?;
        world.entra.wire.trouble("/token", usize::MAX, trouble.clone());
        world.ada_asks_for_jane().await?;
        world.advance(Duration::from_mins(1)).await?;
        ensure!(world.graph.wire.seen().is_empty(), "Graph was asked without a token");
        world.entra.wire.heal();
        if is_garbage {
            world.hears(&world.ada, DID_NOT_ANSWER)?;
            world.ada_asks_for_jane().await?;
        }
        world.advance(Duration::from_secs(10)).await?;
        world.hears(&world.ada, "is with its approvers")?;

        world.presses(&world.mary, "Approve").await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
        world.entra.revoke_tokens();
        world.entra.wire.trouble("/token", usize::MAX, trouble);
        world.claim_gets(&world.browser(), &code, &pin, "unavailable").await?;
        ensure!(world.creates() == 0);
        world.entra.wire.heal();
        world.jane_gets_her_pass(&code, &pin).await?;
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_for_which_no_token_is_granted_was_not_sent_and_is_no_unknown_outcome() -> anyhow::Result<()>
{
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let gate = world.graph.wire.hold_answer(&world.list());
    let looks = world.looks();
    let browser = world.browser();
    let meanwhile = async {
        world.graph.wire.arrived(&world.list(), looks + 1).await;
        world.entra.revoke_tokens();
        world.entra.wire.trouble("/token", usize::MAX, denied(7_000_222));
        gate.open();
    };
    let (answer, ()) = tokio::join!(world.claim_gets(&browser, &code, &pin, "unavailable"), meanwhile);
    answer?;
    ensure!(world.graph.passes().is_empty());
    ensure!(browser.status(&code).await?.state() == "open", "the ticket does not go on at once");
    world.entra.wire.heal();
    browser.claims_and_sees(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_expired_secret_is_told_to_ada_and_explained_in_the_log() -> anyhow::Result<()> {
    for (code, told) in [
        (7_000_215, "client_secret_file has to hold the secret's value, not its id"),
        (7_000_222, "make a new one and update client_secret_file"),
    ] {
        let world = World::start().await?;
        if code == 7_000_215 {
            let _ = world.entra.rotate_secret();
        } else {
            world.entra.wire.trouble("/token", usize::MAX, denied(code));
        }
        world.ada_asks_for_jane().await?;
        world.hears(&world.ada, DID_NOT_ANSWER)?;
        world.log_tells(told)?;
        world.log_of_call_tells(&last_token_request(&world)?, &format!("AADSTS{code}"))?;
        ensure!(world.graph.wire.seen().is_empty(), "Graph was asked without a token");
        ensure!(world.entra.token_requests() == 1, "a refusal was repeated");
        ensure!(world.chat.inbox(&world.mary.account).is_empty());
        for secret in world.entra.secrets() {
            ensure!(!world.logged().contains(&secret), "a client secret is in the log");
        }
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_tenant_never_reaches_graph() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.answer_for_tenant("8d2a6b5c-3f0e-4a55-9d2b-000000000000");
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, DID_NOT_ANSWER)?;
    world.log_tells("the token is for another tenant than tenant_id")?;
    ensure!(world.graph.wire.seen().is_empty(), "another tenant's token was shown to Graph");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_need_a_token_one_is_asked_for() -> anyhow::Result<()> {
    let world = World::start().await?;
    let gate = world.entra.wire.hold_answer("/token");
    for colleague in [&world.jane, &world.mary, &world.otto] {
        let text = format!("for {} lost the phone", colleague.account.mention());
        ensure!(world.types(&world.ada, &text).await.is_accepted());
    }
    let meanwhile = async {
        world.entra.wire.arrived("/token", 1).await;
        // Each has asked Slack who Ada is, and needs the token next.
        world.chat.arrived(Call::LookUp, 3).await;
        world.chat.wire().landed().await;
        gate.open();
    };
    let (settled, ()) = tokio::join!(world.settle(), meanwhile);
    settled?;
    ensure!(world.entra.token_requests() == 1, "{} token requests", world.entra.token_requests());

    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.entra.revoke_tokens();
    let browsers = [world.browser(), world.browser(), world.browser()];
    let claims = browsers.iter().map(|browser| browser.claim(&code, &pin));
    let answers = futures::future::try_join_all(claims).await?;
    let passes = answers.iter().filter(|answer| answer.passcode().is_ok()).count();
    ensure!(passes == 1, "{passes} browsers got a pass");
    ensure!(world.entra.token_requests() == 2, "{} token requests", world.entra.token_requests());
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_used_until_five_minutes_before_its_end() -> anyhow::Result<()> {
    let world = World::start().await?;
    let asks_and_drops = async || -> anyhow::Result<usize> {
        world.ada_asks_for_jane().await?;
        world.presses(&world.mary, "Deny").await?;
        Ok(world.entra.token_requests())
    };
    ensure!(asks_and_drops().await? == 1);
    // It lives for 3599 seconds.
    world.advance(Duration::from_secs(3599 - 300 - 1)).await?;
    ensure!(asks_and_drops().await? == 1, "a token was replaced too early");
    world.advance(Duration::from_secs(1)).await?;
    ensure!(asks_and_drops().await? == 2, "a token was kept too long");
    world.finish_unread().await
}
