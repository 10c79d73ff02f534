//! When does tapdesk look for the Bot Connector's keys, and what if it cannot?

use std::time::Duration;

use anyhow::ensure;
use axum::http::Method;
use futures::future::join_all;
use serde_json::{Value, json};
use tapdesk_tests::chance;
use tapdesk_tests::chat::Reply;
use tapdesk_tests::teams::{Key, Token};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::World;

use super::{in_teams, setting};

const KEYS: &str = "/v1/.well-known/keys";
const METADATA: &str = "/v1/.well-known/openidconfiguration";

fn fetches(world: &World) -> usize {
    world.teams().wire.count(&Method::GET, KEYS)
}

async fn says_hello(world: &World, token: &Token) -> Reply {
    let mut activity = world.teams().message_activity(world.ada.account.in_teams(), "tap help");
    activity["id"] = json!(chance::id("activity"));
    world.teams().bring(&activity, token).await
}

fn status(reply: &Reply) -> u16 {
    reply.status.map_or(0, |status| status.as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_unknown_keys_at_once_are_looked_for_once() -> anyhow::Result<()> {
    let world = in_teams().await?;
    // The keys were fetched when people got the app.
    ensure!(fetches(&world) == 1);
    world.hands.turn(Duration::from_mins(6));
    let gate = world.teams().wire.hold_answer(KEYS);
    let unknown: Vec<Token> = (0..100)
        .map(|n| world.teams().token().by(Key::Stranger).headed("kid", format!("unknown-{n}")))
        .collect();
    let asked = async { join_all(unknown.iter().map(|token| says_hello(&world, token))).await };
    let opened = async {
        world.teams().wire.arrived(KEYS, 2).await;
        gate.open();
    };
    let (replies, ()) = tokio::join!(asked, opened);
    ensure!(replies.iter().all(|reply| status(reply) == 401), "{replies:#?}");
    ensure!(fetches(&world) == 2, "{} fetches", fetches(&world));
    // For five minutes nothing that is unknown is looked for, and what is known is good all the time.
    ensure!(status(&says_hello(&world, &unknown[0]).await) == 401);
    ensure!(status(&says_hello(&world, &world.teams().token()).await) == 200);
    ensure!(fetches(&world) == 2);
    world.hands.turn(Duration::from_mins(5));
    ensure!(status(&says_hello(&world, &unknown[0]).await) == 401);
    ensure!(fetches(&world) == 3);
    world.settle().await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_found_when_it_is_first_used() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.hands.turn(Duration::from_mins(6));
    world.teams().rotate_keys();
    ensure!(status(&says_hello(&world, &world.teams().token()).await) == 200);
    ensure!(status(&says_hello(&world, &world.teams().token().by(Key::Teams)).await) == 200);
    ensure!(fetches(&world) == 2);
    world.settle().await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tapdesk_starts_without_a_network_and_takes_nothing_before_it_has_keys() -> anyhow::Result<()> {
    let mut world = World::without_tapdesk(setting()).await?;
    world.teams().wire.trouble(METADATA, usize::MAX, Trouble::DropRequest);
    world.start_tapdesk().await?;
    let token = world.teams().token();
    ensure!(status(&says_hello(&world, &token).await) == 503, "without keys nothing can be verified");
    ensure!(status(&says_hello(&world, &token.clone().by(Key::Stranger)).await) == 503);
    world.settle().await?;
    ensure!(world.chat.everything_ever_seen().is_empty(), "somebody was answered");
    world.teams().wire.heal();
    ensure!(status(&says_hello(&world, &token).await) == 200, "the network is there and the keys are not");
    world.settle().await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_looked_for_anew_every_day_and_stay_good_while_that_fails() -> anyhow::Result<()> {
    let world = in_teams().await?;
    for (trouble, fetched) in [
        (Trouble::DropRequest, false),
        (Trouble::Answer(axum::http::StatusCode::BAD_GATEWAY, Vec::new(), String::new()), false),
        (Trouble::Answer(axum::http::StatusCode::OK, Vec::new(), "{\"keys\":[]}".to_owned()), false),
        (Trouble::Answer(axum::http::StatusCode::OK, Vec::new(), "nonsense".to_owned()), false),
        (Trouble::HoldAnswer(open_gate()), true),
    ] {
        world.hands.turn(Duration::from_hours(25));
        let before = fetches(&world);
        world.teams().wire.trouble(KEYS, 1, trouble.clone());
        let reply = says_hello(&world, &world.teams().token()).await;
        ensure!(status(&reply) == 200, "{trouble:?}: {reply:?}");
        ensure!(fetches(&world) == before + 1, "{trouble:?}: the keys were not looked for");
        world.hands.turn(Duration::from_mins(6));
        says_hello(&world, &world.teams().token()).await;
        let again = fetches(&world) - before - 1;
        ensure!(again == usize::from(!fetched), "{trouble:?}: looked for {again} times more");
    }
    let unknown = world.teams().token().by(Key::Stranger);
    ensure!(status(&says_hello(&world, &unknown).await) == 401);
    world.settle().await?;
    world.everybody_reads();
    world.finish_unread().await
}

fn open_gate() -> tapdesk_tests::wire::Gate {
    let gate = tapdesk_tests::wire::Gate::closed();
    gate.open();
    gate
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bots_token_goes_to_listed_services_alone_and_is_renewed_once() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let tokens = || world.teams().wire.count(&Method::POST, "/oauth2/v2.0/token");
    // A genuine token of the Connector for a service that is not listed: the Connector itself was told a wrong address.
    let mut activity = world.teams().message_activity(world.ada.account.in_teams(), "tap help");
    let elsewhere = world.teams().service_url().to_string().replace("127.0.0.1", "localhost");
    activity["serviceUrl"] = json!(elsewhere);
    let token = world.teams().token().claiming("serviceurl", elsewhere);
    let reply = world.teams().bring(&activity, &token).await;
    ensure!(status(&reply) == 403 && reply.body.is_empty(), "{reply:?}");
    world.settle().await?;
    ensure!(tokens() == 0, "a token was fetched for a service that is not listed");

    world.asks(&world.ada, "help").await?;
    ensure!(tokens() == 1);
    world.asks(&world.ada, "help").await?;
    ensure!(tokens() == 1, "each call fetches a token");
    world.teams().revoke_tokens();
    ensure!(!world.asks(&world.ada, "help").await?.is_empty(), "a revoked token was not renewed");
    ensure!(tokens() == 2);
    world.hands.turn(Duration::from_mins(56));
    ensure!(!world.asks(&world.ada, "help").await?.is_empty());
    ensure!(tokens() == 3, "the token was used until its last moment");
    let told = world.teams().everything_ever_seen().iter().map(Value::to_string).collect::<String>();
    ensure!(!told.contains(&world.teams().app().secret));
    world.finish().await
}
