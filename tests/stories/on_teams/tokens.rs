//! Which tokens does tapdesk take for the Bot Connector's?

use anyhow::ensure;
use serde_json::{Value, json};
use tapdesk_tests::chance;
use tapdesk_tests::teams::{Key, Signing, Token};
use tapdesk_tests::world::World;

use super::in_teams;

/// Ada asks for help, in an activity that was never seen before.
fn asks_for_help(world: &World) -> Value {
    let mut activity = world.teams().message_activity(world.ada.account.in_teams(), "tap help");
    activity["id"] = json!(chance::id("activity"));
    activity
}

/// What becomes of an activity with that token: the status, and whether anything was said.
async fn outcome(world: &World, token: &Token) -> anyhow::Result<(u16, bool)> {
    let reply = world.teams().bring(&asks_for_help(world), token).await;
    ensure!(reply.body.is_empty(), "a reason is given: {}", reply.body);
    world.settle().await?;
    let heard = !world.reads(&world.ada).is_empty();
    Ok((reply.status.map_or(0, |status| status.as_u16()), heard))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_that_one_rule_refuses_is_refused() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let genuine = world.teams().token();
    let now = world.hands.now().as_second();
    let service = world.teams().service_url().to_string();
    let app = world.teams().app().app_id;
    let claim = |name: &str, value: Value| genuine.clone().claiming(name, value);
    for (case, token) in [
        ("expired six minutes ago", claim("exp", json!(now - 360))),
        ("good in six minutes", claim("nbf", json!(now + 360))),
        ("without an end", claim("exp", Value::Null)),
        ("for nobody", claim("aud", Value::Null)),
        ("for another bot", claim("aud", json!("11111111-2222-3333-4444-555555555555"))),
        ("for several", claim("aud", json!([app, "another"]))),
        ("for the bot as an address", claim("aud", json!(format!("api://{app}")))),
        ("by nobody", claim("iss", Value::Null)),
        ("by the cloud of a government", claim("iss", json!("https://api.botframework.us"))),
        ("by an issuer with a slash", claim("iss", json!("https://api.botframework.com/"))),
        ("by the directory", claim("iss", json!("https://sts.windows.net/contoso/"))),
        ("for another service", claim("serviceurl", json!("https://evil.example/"))),
        ("for no service", claim("serviceurl", Value::Null)),
        ("for a service that begins alike", claim("serviceurl", json!(format!("{service}x")))),
        ("by a key that nobody published", genuine.clone().by(Key::Stranger)),
        (
            "by a stranger in the Connector's name",
            genuine.clone().by(Key::Stranger).headed("kid", Key::Teams.id()),
        ),
        ("by the key of the web chat", genuine.clone().by(Key::WebChat)),
        ("by a key that vouches for nothing", genuine.clone().by(Key::Unendorsed)),
        ("that names no key", genuine.clone().headed("kid", Value::Null)),
        ("that names an empty key", genuine.clone().headed("kid", "")),
        ("signed with the public key as a secret", genuine.clone().signing(Signing::HmacOfPublicKey)),
        ("signed with another hash", genuine.clone().signing(Signing::Rs512)),
        ("that says another hash than it is signed with", genuine.clone().headed("alg", "RS512")),
        ("not signed", genuine.clone().signing(Signing::Nothing)),
        (
            "that brings its own key",
            genuine.clone().by(Key::Stranger).headed("jwk", Key::Stranger.published()),
        ),
        (
            "that says where its key is",
            genuine.clone().by(Key::Stranger).headed("jku", "https://evil.example/keys"),
        ),
    ] {
        ensure!(outcome(&world, &token).await? == (401, false), "a token {case} is taken");
    }
    for (case, token) in [
        ("as the Connector makes it", genuine.clone()),
        ("expired four minutes ago", claim("exp", json!(now - 240)).claiming("nbf", now - 7200)),
        ("good in four minutes", claim("nbf", json!(now + 240))),
        ("without the slash of the service", claim("serviceurl", json!(service.trim_end_matches('/')))),
        ("without a beginning", claim("nbf", Value::Null)),
    ] {
        ensure!(outcome(&world, &token).await? == (200, true), "a token {case} is refused");
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genuine_token_in_another_dress_is_refused() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let token = world.teams().token().signed();
    let bearer = format!("Bearer {token}");
    let kind = ("content-type", "application/json");
    for headers in [
        vec![],
        vec![("authorization", "")],
        vec![("authorization", "Bearer abc")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", token.as_str())],
        vec![("authorization", &format!("Basic {token}"))],
        vec![("authorization", &format!("Bearer {token} {token}"))],
        vec![("authorization", &format!("Bearer {token}x"))],
        vec![("authorization", &format!("Bearer {}", &token[..token.len() - 4]))],
        vec![("authorization", bearer.as_str()), ("authorization", bearer.as_str())],
    ] {
        let headers: Vec<_> = headers.into_iter().chain([kind]).collect();
        let body = asks_for_help(&world).to_string();
        let reply = world.teams().raw("/teams/messages", body, &headers).await;
        ensure!(reply.status.is_some_and(|status| status == 401), "{headers:?}: {reply:?}");
        ensure!(reply.body.is_empty(), "a reason is given: {}", reply.body);
    }
    let lower = format!("bearer {token}");
    let headers = [kind, ("authorization", &lower)];
    let reply = world.teams().raw("/teams/messages", asks_for_help(&world).to_string(), &headers).await;
    ensure!(reply.is_accepted(), "the scheme is no matter of case: {reply:?}");
    world.settle().await?;
    ensure!(world.reads(&world.ada).len() == 1);
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_token_is_held_against_every_activity_and_ends_with_its_time() -> anyhow::Result<()> {
    let world = in_teams().await?;
    let token = world.teams().token();
    ensure!(outcome(&world, &token).await? == (200, true));
    let mut elsewhere = asks_for_help(&world);
    elsewhere["serviceUrl"] = json!("https://evil.example/");
    let mut other_channel = asks_for_help(&world);
    other_channel["channelId"] = json!("webchat");
    let mut no_service = asks_for_help(&world);
    no_service["serviceUrl"] = Value::Null;
    for activity in [elsewhere, other_channel, no_service] {
        let reply = world.teams().bring(&activity, &token).await;
        ensure!(reply.status.is_some_and(|status| status == 401), "{activity}: {reply:?}");
    }
    let end = token.claims["exp"].as_i64().unwrap_or_default() - world.hands.now().as_second();
    world.hands.turn(std::time::Duration::from_secs(end.unsigned_abs() + 301));
    ensure!(outcome(&world, &token).await? == (401, false), "it outlives its time");
    ensure!(outcome(&world, &world.teams().token()).await? == (200, true));
    ensure!(!world.logged().contains(&token.signed()), "the token is in the log");
    world.finish().await
}
