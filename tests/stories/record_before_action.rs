//! Every create, delete and revoke is written down before Graph hears of it, and what became of it afterwards.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::Method;
use tapdesk_tests::browser::Browser;
use tapdesk_tests::faulty::Faults;
use tapdesk_tests::trouble::DELETE;
use tapdesk_tests::wire::{Exchange, Trouble};
use tapdesk_tests::world::World;

const REVOKE: &str = "/revokeSignInSessions";

/// What the ledger calls a call to Graph that changes something.
fn deed(call: &Exchange) -> Option<&'static str> {
    let path = call.target.split('?').next().unwrap_or_default();
    match call.method {
        Method::POST if path.ends_with("/temporaryAccessPassMethods") => Some("pass.create"),
        Method::DELETE => Some("pass.delete"),
        Method::POST if path.ends_with(REVOKE) => Some("sessions.revoke"),
        _ => None,
    }
}

/// Each call that changed something stands between an intent and an outcome of its kind, each used once.
fn in_order(world: &World, faults: &Faults) -> anyhow::Result<usize> {
    let (calls, appended) = (world.graph.wire.seen(), faults.appended());
    let mut taken = Vec::new();
    let mut deeds = 0;
    for (place, call) in calls.iter().enumerate() {
        let Some(deed) = deed(call) else { continue };
        deeds += 1;
        let intent = format!("intent {deed}");
        let before = appended.iter().enumerate().position(|(line, appended)| {
            appended.after <= place && appended.lines.contains(&intent) && !taken.contains(&(line, deed))
        });
        let before = before.with_context(|| format!("no intent before {}: {appended:#?}", call.line()))?;
        taken.push((before, deed));
        let outcome = format!("outcome {deed}");
        let after = appended.iter().any(|line| line.before > place && line.lines.contains(&outcome));
        ensure!(after, "no outcome after {}: {appended:#?}", call.line());
    }
    Ok(deeds)
}

async fn world_with_ticket(faults: &Faults) -> anyhow::Result<(World, Browser, String, String)> {
    let world = World::with_faults(faults).await?;
    let wire = world.graph.wire.clone();
    faults.count_with(move || wire.seen().len());
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    Ok((world, browser, code, pin))
}

#[tokio::test(flavor = "multi_thread")]
async fn record_before_action() -> anyhow::Result<()> {
    let faults = Faults::default();
    let (world, browser, code, pin) = world_with_ticket(&faults).await?;

    // The create waits for its intent, and the passcode for the outcome.
    let intent = faults.hold("intent pass.create");
    let outcome = faults.hold("outcome pass.create");
    let claiming = browser.claim(&code, &pin);
    let meanwhile = async {
        faults.arrived("intent pass.create").await;
        ensure!(world.creates() == 0, "Graph heard of a create that is not written down");
        intent.open();
        faults.arrived("outcome pass.create").await;
        ensure!((world.creates(), world.janes_passes()) == (1, 1));
        Ok(())
    };
    tokio::pin!(claiming);
    tokio::select! {
        answer = &mut claiming => anyhow::bail!("an answer before the outcome was written down: {answer:?}"),
        checked = meanwhile => checked?,
    }
    outcome.open();
    claiming.await?.passcode()?;

    // Nobody says that it was seen: the deletion waits for its intent.
    let intent = faults.hold("intent pass.delete");
    let meanwhile = async {
        faults.arrived("intent pass.delete").await;
        ensure!(world.graph.wire.count(&Method::DELETE, "") == 0, "a delete that is not written down");
        ensure!(world.janes_passes() == 1);
        intent.open();
        Ok(())
    };
    let (advanced, checked) = tokio::join!(world.advance(Duration::from_mins(2)), meanwhile);
    advanced.and(checked)?;
    ensure!(world.janes_passes() == 0 && world.graph.wire.count(&Method::DELETE, "") == 1);

    // The owner reports a pass that was shown: deletion and revocation wait for their intents.
    browser.claims_and_sees(&code, &pin).await?;
    let intent = faults.hold("intent sessions.revoke");
    let reporting = browser.report(&code);
    let meanwhile = async {
        faults.arrived("intent sessions.revoke").await;
        ensure!(world.graph.wire.count(&Method::POST, REVOKE) == 0, "a revocation that is not written down");
        ensure!(world.janes_passes() == 1);
        intent.open();
        Ok(())
    };
    let (reported, checked) = tokio::join!(reporting, meanwhile);
    checked?;
    ensure!(reported?.state() == "reported");
    world.settle().await?;
    ensure!(world.janes_passes() == 0 && world.graph.sessions_revoked(&world.jane.person) == 1);

    ensure!(in_order(&world, &faults)? == 5, "two creates, two deletes and a revocation were expected");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_repeated_and_what_is_swept_up_is_written_down_too() -> anyhow::Result<()> {
    let faults = Faults::default();
    let (world, browser, code, pin) = world_with_ticket(&faults).await?;
    world.graph.wire.trouble(&world.create(), 1, Trouble::DropAnswer);
    world.claim_gets(&browser, &code, &pin, "unavailable").await?;
    world.graph.wire.trouble(
        DELETE,
        1,
        Trouble::Answer(axum::http::StatusCode::FORBIDDEN, Vec::new(), String::new()),
    );
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.janes_passes() == 0, "the stray pass lives on");
    browser.claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    ensure!(in_order(&world, &faults)? == 4, "two creates and two deletes were expected");
    world.finish_unread().await
}
