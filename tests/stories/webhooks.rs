//! What comes in from outside and is not what it claims to be?

use std::time::Duration;

use anyhow::ensure;
use reqwest::{Method, StatusCode};
use tapdesk::server::routes;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::slack::{Reply, sign};
use tapdesk_tests::world::World;

/// A request, as a forger sends it.
struct Forgery {
    name: &'static str,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
    status: StatusCode,
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const TIMESTAMP: &str = "x-slack-request-timestamp";
const SIGNATURE: &str = "x-slack-signature";

/// A command that would be accepted, were it signed.
fn command_body(world: &World) -> String {
    let workspace = world.slack.workspace();
    format!(
        "team_id={}&api_app_id={}&user_id={}&command=%2Ftap&text=for+jane.doe%40contoso.com+lost+her+phone&trigger_id=1.2.3",
        workspace.team_id, workspace.app_id, world.ada.account.id
    )
}

fn slack_forgeries(world: &World) -> Vec<Forgery> {
    let secret = world.slack.workspace().signing_secret;
    let now = world.hands.now().as_second();
    let body = command_body(world);
    let unauthorized = StatusCode::UNAUTHORIZED;
    let forged = |name, timestamp: String, signature: String| Forgery {
        name,
        body: body.clone().into_bytes(),
        headers: vec![(TIMESTAMP, timestamp), (SIGNATURE, signature)],
        status: unauthorized,
    };
    let signed = |timestamp: &str| sign(&secret, timestamp, body.as_bytes());
    let at = |seconds: i64| (now + seconds).to_string();
    let good = signed(&at(0));
    let mut forgeries = vec![
        Forgery {
            name: "no headers",
            body: body.clone().into_bytes(),
            headers: Vec::new(),
            status: unauthorized,
        },
        forged("another secret", at(0), sign("another", &at(0), body.as_bytes())),
        forged("stale", at(-301), signed(&at(-301))),
        forged("from the future", at(301), signed(&at(301))),
        forged("a fraction of a second", format!("{now}.5"), signed(&format!("{now}.5"))),
        forged("letters for a time", "soon".into(), signed("soon")),
        forged("a sign before the time", format!("+{now}"), signed(&format!("+{now}"))),
        forged("upper-case hex", at(0), good.to_uppercase().replace("V0=", "v0=")),
        forged("junk after the hash", at(0), format!("{good}=junk")),
        forged("another version", at(0), good.replace("v0=", "v1=")),
        forged("no signature", at(0), String::new()),
        forged("another time than was signed", at(-1), good.clone()),
    ];
    let mut twice = forged("two signatures", at(0), good.clone());
    twice.headers.push((SIGNATURE, good.clone()));
    let changed =
        Forgery { body: body.replace("jane", "otto").into_bytes(), ..forged("a changed body", at(0), good) };
    // The MAC's input is a plain concatenation: the boundary between time and body may be moved.
    let shifted = format!("{now}:team_id=T1");
    let moved = Forgery {
        body: b"rest".to_vec(),
        ..forged(
            "a boundary that moved",
            shifted.clone(),
            sign(&secret, &now.to_string(), b"team_id=T1:rest"),
        )
    };
    forgeries.extend([twice, changed, moved]);
    forgeries
}

/// Requests whose signature is right and whose body is not.
fn slack_nonsense(world: &World, largest: usize) -> Vec<Forgery> {
    let secret = world.slack.workspace().signing_secret;
    let timestamp = world.hands.now().as_second().to_string();
    let body = command_body(world);
    let workspace = world.slack.workspace();
    let signed = |name, body: Vec<u8>, status| Forgery {
        name,
        headers: vec![(TIMESTAMP, timestamp.clone()), (SIGNATURE, sign(&secret, &timestamp, &body))],
        body,
        status,
    };
    let deep = format!("payload={}", "%5B".repeat(5_000));
    vec![
        signed("empty", Vec::new(), StatusCode::BAD_REQUEST),
        signed("no text", vec![0xFF, 0xFE, 0xFD], StatusCode::BAD_REQUEST),
        signed("deeply nested", deep.into_bytes(), StatusCode::BAD_REQUEST),
        signed("cut off", b"payload=%7B%22type%22".to_vec(), StatusCode::BAD_REQUEST),
        signed("too large", vec![b'a'; largest + 1], StatusCode::PAYLOAD_TOO_LARGE),
        signed("another app", body.replace(&workspace.app_id, "A0OTHER").into_bytes(), StatusCode::FORBIDDEN),
        signed(
            "another workspace",
            body.replace(&workspace.team_id, "T0OTHER").into_bytes(),
            StatusCode::FORBIDDEN,
        ),
    ]
}

fn claim_forgeries(largest: usize) -> Vec<Forgery> {
    let body =
        br#"{"code":"0123456789ABC","pin":"12345678","client":"00000000000000000000000000000000"}"#.to_vec();
    let json = ("content-type", "application/json".to_owned());
    let ours = ("x-tapdesk", "1".to_owned());
    let forged = |name, headers, body, status| Forgery { name, body, headers, status };
    let bad = StatusCode::BAD_REQUEST;
    vec![
        forged("no custom header", vec![json.clone()], body.clone(), bad),
        forged("a form", vec![("content-type", FORM.1.to_owned()), ours.clone()], body.clone(), bad),
        forged("text", vec![("content-type", "text/plain".to_owned()), ours.clone()], body.clone(), bad),
        forged(
            "another site",
            vec![json.clone(), ours.clone(), ("sec-fetch-site", "cross-site".into())],
            body.clone(),
            bad,
        ),
        forged(
            "a sibling site",
            vec![json.clone(), ours.clone(), ("sec-fetch-site", "same-site".into())],
            body,
            bad,
        ),
        forged("no JSON", vec![json.clone(), ours.clone()], b"{".to_vec(), bad),
        forged("deeply nested", vec![json.clone(), ours.clone()], vec![b'['; 3_000], bad),
        forged("no text", vec![json.clone(), ours.clone()], vec![0xFF, 0xFE], bad),
        forged("too large", vec![json, ours], vec![b' '; largest + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ]
}

async fn send(world: &World, path: &str, forgery: &Forgery) -> Reply {
    let mut headers: Vec<(&str, &str)> =
        forgery.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(FORM);
    }
    world.slack.raw(path, forgery.body.clone(), &headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_every_forgery() -> anyhow::Result<()> {
    let world = World::start().await?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?.len();
    for route in routes().iter().filter(|route| route.method == Method::POST) {
        let forgeries = match route.path {
            "/slack/commands" | "/slack/interactions" => {
                let nonsense = slack_nonsense(&world, route.largest_body);
                slack_forgeries(&world).into_iter().chain(nonsense).collect()
            }
            "/c/status" | "/c/claim" | "/c/shown" | "/c/report" => claim_forgeries(route.largest_body),
            other => anyhow::bail!("{other} has no forgeries yet: a new route needs them"),
        };
        for forgery in forgeries {
            let reply = send(&world, route.path, &forgery).await;
            // What another surface understands is not for this one; everything else is refused as the table says.
            let ignored = route.path == "/slack/interactions" && forgery.status == StatusCode::FORBIDDEN;
            let refused = reply.status == Some(forgery.status)
                || (ignored && reply.status == Some(StatusCode::BAD_REQUEST));
            ensure!(
                refused,
                "{} with {}: {:?} instead of {}",
                route.path,
                forgery.name,
                reply.status,
                forgery.status
            );
            if route.path.starts_with("/slack/") {
                ensure!(
                    reply.body.is_empty(),
                    "{} with {} says why: {}",
                    route.path,
                    forgery.name,
                    reply.body
                );
            }
            ensure!(
                reply.headers.contains_key("content-security-policy"),
                "no security headers on {}",
                route.path
            );
        }
    }
    world.settle().await?;
    ensure!(
        ledger_lines(&world.files.path().join("ledger"))?.len() == lines,
        "a forgery left a trace in the ledger"
    );
    ensure!(world.graph.wire.seen().is_empty(), "a forgery reached Graph");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_delivered_twice_is_one_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    let delivery = world.slack.deliveries().pop().ok_or_else(|| anyhow::anyhow!("nothing was delivered"))?;
    let again = world.slack.replay(&delivery).await;
    ensure!(again.body.contains("I have this one already"), "{}", again.body);
    let retried = world.slack.retry(&delivery, 1, "http_timeout").await;
    ensure!(retried.body.contains("I have this one already"), "{}", retried.body);
    world.settle().await?;
    let asked = world.reads(&world.mary);
    ensure!(asked.len() == 1, "Mary is asked {} times", asked.len());
    world.hears(&world.ada, "is with its approvers")?;
    world.presses(&world.mary, "Deny").await?;
    world.hears(&world.ada, "turned down by Mary Major")?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn slacks_own_checks_are_answered_once_they_are_verified() -> anyhow::Result<()> {
    let world = World::start().await?;
    ensure!(world.slack.ssl_check().await.status == Some(StatusCode::OK));
    let unsigned = world.slack.raw("/slack/commands", "ssl_check=1&token=t", &[FORM]).await;
    ensure!(unsigned.status == Some(StatusCode::UNAUTHORIZED), "{unsigned:?}");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_for_the_whole_organisation_works_like_any_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.slack.configure(|workspace| workspace.is_org_install = true);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.hears(&world.ada, "approved by Mary Major")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_twenty_requests_within_an_hour_the_agent_is_told_to_wait() -> anyhow::Result<()> {
    let world = World::start().await?;
    for n in 0..20 {
        let reply = world.types(&world.ada, &format!("for nobody{n}@contoso.com lost her phone")).await;
        ensure!(reply.body.contains("Checking"), "request {n}: {}", reply.body);
    }
    let reply = world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.body.contains("You have asked 20 times within the hour"), "{}", reply.body);
    world.advance(Duration::from_mins(61)).await?;
    let reply = world.types(&world.ada, "for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.body.contains("Checking"), "{}", reply.body);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_shown_and_never_obeyed() -> anyhow::Result<()> {
    let world = World::start().await?;
    let reason = "<!channel> *bold* <https://evil.example|click> `code` &lt;b&gt; \u{202e}evil";
    world.types(&world.ada, &format!("for jane.doe@contoso.com {reason}")).await;
    world.settle().await?;
    let card = world.card(&world.mary, "Approve")?;
    let blocks = serde_json::to_string(&card.blocks)?;
    ensure!(
        !blocks.contains("\"mrkdwn\"") || !blocks.contains("<!channel>"),
        "the reason could ping a channel: {blocks}"
    );
    ensure!(!card.text.contains("<!channel>"), "the notification could ping a channel");
    let ledger = serde_json::to_string(&ledger_lines(&world.files.path().join("ledger"))?)?;
    for name in ["evil.example", "jane.doe@contoso.com", "Jane Doe", "Ada Agent"] {
        ensure!(!ledger.contains(name), "{name} is in the ledger");
    }
    world.finish_unread().await
}
