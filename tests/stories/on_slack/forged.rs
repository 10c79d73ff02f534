//! What comes in from outside and is not what it claims to be, on every route that there is?

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use tapdesk::server::{Route, routes};
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::forge::{Heard, Knock, SIGNATURE, TIMESTAMP};
use tapdesk_tests::receipts::{TWILIO_SIGNATURE, report_fields, signed_report};
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::tickets::{self, ORDERS, SENT_AT, SIGNED, SOURCE, ticket, ticket_setting};
use tapdesk_tests::visit::SELF_RULE;
use tapdesk_tests::world::{Setting, TWILIO_TOKEN, World};

/// A forgery and how it is answered.
struct Forgery {
    name: String,
    knock: Knock,
    status: u16,
}

/// What a route takes for genuine; every forgery is that but for one thing.
struct Genuine {
    knock: Knock,
    /// Slack's, for another route.
    other: Option<Knock>,
}

fn forgery(name: &str, knock: Knock, status: u16) -> Forgery {
    Forgery { name: name.to_owned(), knock, status }
}

/// Not signed, or not like this.
fn unsigned(world: &World, genuine: &Genuine) -> Vec<Forgery> {
    let knock = &genuine.knock;
    let secret = world.slack().workspace().signing_secret;
    let now = world.hands.now().as_second();
    let good = knock.header(SIGNATURE);
    let hex = good.trim_start_matches("v0=");
    let mut forgeries = vec![
        forgery("no headers", Knock { headers: Vec::new(), ..knock.clone() }, 401),
        forgery("no timestamp", knock.without(TIMESTAMP), 401),
        forgery("no signature", knock.without(SIGNATURE), 401),
        forgery("another secret", knock.signed("another", &now.to_string()), 401),
        forgery("an empty secret", knock.signed("", &now.to_string()), 401),
        forgery("two timestamps", knock.and(TIMESTAMP, now.to_string()), 401),
        forgery("two signatures", knock.and(SIGNATURE, &good), 401),
        forgery(
            "a wrong signature and the right one",
            knock.with(SIGNATURE, "v0=00").and(SIGNATURE, &good),
            401,
        ),
        forgery("a right signature and a wrong one", knock.and(SIGNATURE, "v0=00"), 401),
        forgery("a header that is no text", knock.with(SIGNATURE, b"v0=\xff\xfe"), 401),
        forgery("another time than was signed", knock.with(TIMESTAMP, (now - 1).to_string()), 401),
        forgery("an emptied body", knock.body(""), 401),
        forgery("a longer body", knock.body([&knock.body[..], b"&x=1"].concat()), 401),
        forgery("a blank at the end of the body", knock.body([&knock.body[..], b" "].concat()), 401),
    ];
    for (name, signature) in [
        ("upper-case hex", format!("v0={}", hex.to_uppercase())),
        ("junk after the hash", format!("{good}=junk")),
        ("more hash than there is", format!("{good}00")),
        ("half a hash", good[..35].to_owned()),
        ("no version", hex.to_owned()),
        ("another version", format!("v1={hex}")),
        ("two signatures in one", format!("{good},{good}")),
        ("an empty signature", String::new()),
    ] {
        forgeries.push(forgery(name, knock.with(SIGNATURE, signature), 401));
    }
    // Signed with the right secret: only the time is wrong.
    for timestamp in [
        (now - 301).to_string(),
        (now + 301).to_string(),
        "0".to_owned(),
        format!("{now}.5"),
        format!("{now}000"),
        format!("+{now}"),
        format!("-{now}"),
        format!("{} {}", &now.to_string()[..5], &now.to_string()[5..]),
        format!("0x{now:x}"),
        "soon".to_owned(),
        String::new(),
        "9".repeat(40),
    ] {
        forgeries.push(forgery(&format!("sent at {timestamp:?}"), knock.signed(&secret, &timestamp), 401));
    }
    let mut changed = knock.body.clone();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    forgeries.push(forgery("a changed byte", knock.body(changed), 401));
    if let Some(other) = &genuine.other {
        let borrowed =
            knock.with(SIGNATURE, other.header(SIGNATURE)).with(TIMESTAMP, other.header(TIMESTAMP));
        forgeries.push(forgery("the signature of another route's body", borrowed, 401));
    }
    // The MAC's input is a plain concatenation: the boundary between time and body could be moved.
    let colon = knock.body([&knock.body[..], b"&x=a:b"].concat()).signed(&secret, &now.to_string());
    let text = String::from_utf8_lossy(&colon.body).into_owned();
    if let Some((before, after)) = text.split_once(':') {
        let moved = colon.with(TIMESTAMP, format!("{now}:{before}")).body(after);
        forgeries.push(forgery("a boundary that moved", moved, 401));
    }
    forgeries
}

/// Signed as it should be, and nonsense or not ours.
fn signed(world: &World, genuine: &Genuine) -> Vec<Forgery> {
    let workspace = world.slack().workspace();
    let now = world.hands.now().as_second().to_string();
    let with = |body: Vec<u8>| genuine.knock.body(body).signed(&workspace.signing_secret, &now);
    let text = String::from_utf8_lossy(&genuine.knock.body).into_owned();
    let instead = |from: &str, to: &str| with(text.replace(from, to).into_bytes());
    let nested = format!("payload={}", "[".repeat(5_000));
    let deep = format!(r#"payload={{"type":"block_actions","x":{}{}}}"#, "[".repeat(900), "]".repeat(900));
    let mut forgeries = vec![
        forgery("an empty body", with(Vec::new()), 400),
        forgery("no UTF-8", with(vec![b'p', b'=', 0xFF, 0xFE]), 400),
        forgery("nested without end", with(nested.into_bytes()), 400),
        forgery("nested too deeply", with(deep.into_bytes()), 400),
        forgery("JSON without a form", with(vec![b'{'; 4_000]), 400),
        forgery("a cut-off payload", with(b"payload=%7B%22type%22".to_vec()), 400),
        forgery("every field twice", with(format!("{text}&{text}").into_bytes()), 400),
        forgery("another app", instead(&workspace.app_id, "A0OTHER"), 403),
        forgery("another workspace", instead(&workspace.team_id, "T0OTHER"), 403),
    ];
    if let Some(other) = &genuine.other {
        forgeries.push(forgery(
            "another route's request",
            Knock { path: genuine.knock.path.clone(), ..other.clone() },
            400,
        ));
    }
    forgeries
}

/// Sent by another site's page or by a script, with the code and PIN of a ticket that is open.
fn from_elsewhere(genuine: &Genuine) -> Vec<Forgery> {
    let knock = &genuine.knock;
    let mut forgeries = vec![
        forgery("no custom header", knock.without("x-tapdesk"), 400),
        forgery("an empty custom header", knock.with("x-tapdesk", ""), 400),
        forgery("another custom header", knock.with("x-tapdesk", "2"), 400),
        forgery("two custom headers", knock.and("x-tapdesk", "2"), 400),
        forgery("no content type", knock.without("content-type"), 400),
        forgery("two content types", knock.and("content-type", "text/plain"), 400),
        forgery("two origins, ours first", knock.and("sec-fetch-site", "cross-site"), 400),
        forgery("an empty body", knock.body(""), 400),
        forgery("half a body", knock.body(&knock.body[..knock.body.len() / 2]), 400),
        forgery("no UTF-8", knock.body(vec![b'{', b'"', 0xFF, b'"', b':', b'1', b'}']), 400),
        forgery("nested without end", knock.body(vec![b'['; 3_000]), 400),
        forgery("a list", knock.body([b"[", &knock.body[..], b"]"].concat()), 400),
        forgery("numbers for texts", knock.body(br#"{"code":1,"pin":2,"client":3}"#), 400),
    ];
    for site in ["cross-site", "same-site", "none", "", "SAME-ORIGIN"] {
        forgeries.push(forgery(&format!("from {site:?}"), knock.with("sec-fetch-site", site), 400));
    }
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "json"]
    {
        forgeries.push(forgery(&format!("as {kind}"), knock.with("content-type", kind), 400));
    }
    forgeries
}

/// Reports on a text message that are not Twilio's, or not on one of ours.
fn misreported(world: &World, genuine: &Genuine) -> anyhow::Result<Vec<Forgery>> {
    let knock = &genuine.knock;
    let sms = world.newest_sms(JANES_PHONE)?;
    let callback = sms.parameters["StatusCallback"].clone();
    let fields = |status: &str| report_fields(&sms, status);
    let good = knock.header(TWILIO_SIGNATURE);
    let signed = |callback: &str, fields: &[(&str, String)]| signed_report(callback, TWILIO_TOKEN, fields);
    let but = |name: &str, value: &str| {
        let changed = fields("delivered").into_iter();
        let changed = changed.map(|(key, old)| (key, if key == name { value.to_owned() } else { old }));
        signed(&callback, &changed.collect::<Vec<_>>())
    };
    let without = |name: &str| {
        let left: Vec<_> = fields("delivered").into_iter().filter(|(key, _)| *key != name).collect();
        signed(&callback, &left)
    };
    let elsewhere = Knock { path: format!("{}0", knock.path), ..knock.clone() };
    let bare = Knock { path: "/twilio/status".to_owned(), ..knock.clone() };
    let mut forgeries = vec![
        forgery("no headers", Knock { headers: Vec::new(), ..knock.clone() }, 401),
        forgery("no signature", knock.without(TWILIO_SIGNATURE), 401),
        forgery("an empty signature", knock.with(TWILIO_SIGNATURE, ""), 401),
        forgery("two signatures", knock.and(TWILIO_SIGNATURE, &good), 401),
        forgery("half a signature", knock.with(TWILIO_SIGNATURE, &good[..14]), 401),
        forgery("a header that is no text", knock.with(TWILIO_SIGNATURE, b"\xff\xfe"), 401),
        forgery("another token", signed_report(&callback, "another", &fields("delivered"))?, 401),
        forgery("an empty token", signed_report(&callback, "", &fields("delivered"))?, 401),
        forgery("another message's URL", elsewhere, 401),
        forgery("no message in the URL", bare, 401),
        forgery("an emptied body", knock.body(""), 401),
        forgery("one more field", knock.body([&knock.body[..], b"&x=1"].concat()), 401),
        forgery(
            "another status than was signed",
            Knock { headers: knock.headers.clone(), ..signed(&callback, &fields("failed"))? },
            401,
        ),
        forgery("no UTF-8", knock.body(vec![b'T', b'o', b'=', 0xFF, 0xFE]), 401),
        forgery("JSON", knock.with("content-type", "application/json"), 401),
        forgery("no content type", knock.without("content-type"), 401),
        forgery(
            "another host's",
            signed(&callback.replace("tap.contoso.com", "tap.example.com"), &fields("delivered"))?,
            401,
        ),
        forgery("not over TLS", signed(&callback.replace("https:", "http:"), &fields("delivered"))?, 401),
        forgery("another account", but("AccountSid", "AC00000000000000000000000000000002")?, 403),
        forgery("no account", without("AccountSid")?, 400),
        forgery("no status", without("MessageStatus")?, 400),
        forgery("a status that there is not", but("MessageStatus", "eaten")?, 400),
        forgery("a status in other letters", but("MessageStatus", "Delivered")?, 400),
    ];
    for url in [
        "https://tap.contoso.com/twilio/status?message=req_1.1",
        "https://tap.contoso.com/twilio/status?other=1",
    ] {
        forgeries.push(forgery(&format!("signed for {url}"), signed(url, &fields("delivered"))?, 400));
    }
    Ok(forgeries)
}

/// Orders that are not the ticket system's, or not from now, or that cannot be read.
fn disordered(world: &World, genuine: &Genuine) -> Vec<Forgery> {
    let knock = &genuine.knock;
    let now = world.hands.now().as_second();
    let at = |now: i64| now.to_string();
    let good = knock.header(SIGNED);
    let hex = good.trim_start_matches("v1=");
    let mut forgeries = vec![
        forgery("no headers", Knock { headers: Vec::new(), ..knock.clone() }, 401),
        forgery("no source", knock.without(SOURCE), 401),
        forgery("another source", knock.with(SOURCE, "Workflow"), 401),
        forgery("two sources", knock.and(SOURCE, "Workflow"), 401),
        forgery("a source that is no name", knock.with(SOURCE, "../ServiceNow"), 401),
        forgery("no timestamp", knock.without(SENT_AT), 401),
        forgery("no signature", knock.without(SIGNED), 401),
        forgery("two timestamps", knock.and(SENT_AT, at(now)), 401),
        forgery("two signatures", knock.and(SIGNED, &good), 401),
        forgery("a header that is no text", knock.with(SIGNED, b"v1=\xff\xfe"), 401),
        forgery("another secret", tickets::signed(knock, "another", &at(now)), 401),
        forgery("an empty secret", tickets::signed(knock, "", &at(now)), 401),
        forgery("another time than was signed", knock.with(SENT_AT, at(now - 1)), 401),
        forgery("an emptied body", knock.body(""), 401),
        forgery("a blank at the end of the body", knock.body([&knock.body[..], b" "].concat()), 401),
        forgery(
            "a boundary that moved",
            knock.with(SENT_AT, format!("{now}.{{")).body(&knock.body[1..]),
            401,
        ),
    ];
    for (name, signature) in [
        ("upper-case hex", format!("v1={}", hex.to_uppercase())),
        ("more hash than there is", format!("{good}00")),
        ("half a hash", good[..35].to_owned()),
        ("no version", hex.to_owned()),
        ("Slack's version", format!("v0={hex}")),
        ("two signatures with a comma", format!("{good},{good}")),
        ("five signatures", [&good[..]; 5].join(" ")),
        ("an empty signature", String::new()),
    ] {
        forgeries.push(forgery(name, knock.with(SIGNED, signature), 401));
    }
    for timestamp in
        [at(now - 301), at(now + 301), "0".to_owned(), format!("{now}.5"), format!("+{now}"), String::new()]
    {
        let signed = tickets::signed(knock, tickets::SECRET, &timestamp);
        forgeries.push(forgery(&format!("sent at {timestamp:?}"), signed, 401));
    }
    let text = String::from_utf8_lossy(&knock.body).into_owned();
    for (name, body) in [
        ("an empty body", Vec::new()),
        ("no UTF-8", vec![b'{', b'"', 0xFF, b'"', b':', b'1', b'}']),
        ("nested without end", vec![b'['; 3_000]),
        ("a list", format!("[{text}]").into_bytes()),
        ("a field that there is not", text.replace("\"reason\"", "\"raison\"").into_bytes()),
        ("another action", text.replace("\"open\"", "\"issue\"").into_bytes()),
    ] {
        forgeries.push(forgery(name, world.tickets.signs(body), 422));
    }
    forgeries
}

/// Wherever only one method is meant.
fn other_methods(route: &Route, genuine: &Genuine) -> Vec<Forgery> {
    let others = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::HEAD];
    let is_route = |method: &Method| {
        let asked = if *method == Method::HEAD { Method::GET } else { method.clone() };
        routes().iter().any(|other| other.path == route.path && other.method == asked)
    };
    let forged = |method: Method| {
        forgery(method.as_str(), Knock { method: method.clone(), ..genuine.knock.clone() }, 405)
    };
    others.into_iter().filter(|method| !is_route(method)).map(forged).collect()
}

/// Every forgery of a route. A new route needs an entry here.
fn forgeries(world: &World, route: &Route, genuine: &Genuine) -> anyhow::Result<Vec<Forgery>> {
    let get = |path: &str| Knock::new(Method::GET, path);
    Ok(match (route.method.as_str(), route.path) {
        ("POST", "/slack/commands" | "/slack/interactions" | "/slack/events") => {
            let mut all = unsigned(world, genuine);
            all.extend(signed(world, genuine));
            all.extend(other_methods(route, genuine));
            all
        }
        ("POST", "/twilio/status") => {
            let mut all = misreported(world, genuine)?;
            all.extend(other_methods(route, genuine));
            all
        }
        // A chat that is not configured is not there. What Teams is refused where it is, the stories on_teams tell.
        ("POST", "/teams/messages" | "/teams/outgoing") => {
            let bare = Knock::new(Method::POST, route.path).body(r#"{"type":"message"}"#);
            let mut all = vec![
                forgery("no authorization", bare.clone(), 404),
                forgery("any token", bare.and("authorization", "Bearer abc"), 404),
                forgery("any code", bare.and("authorization", "HMAC YWJj"), 404),
            ];
            all.extend(other_methods(route, genuine));
            all
        }
        ("POST", "/hooks/requests") => {
            let mut all = disordered(world, genuine);
            all.extend(other_methods(route, genuine));
            all
        }
        ("POST", "/c/status" | "/c/claim" | "/c/shown" | "/c/report" | "/ask") => {
            let mut all = from_elsewhere(genuine);
            all.extend(other_methods(route, genuine));
            all
        }
        // Its other method is a route of its own.
        ("GET", "/ask") => vec![
            forgery("PUT", Knock::new(Method::PUT, "/ask"), 405),
            forgery("DELETE", Knock::new(Method::DELETE, "/ask"), 405),
        ],
        ("GET", "/c") => vec![
            forgery("POST", Knock::new(Method::POST, "/c"), 405),
            forgery("DELETE", Knock::new(Method::DELETE, "/c"), 405),
        ],
        ("GET", "/{code}") => vec![
            forgery("an unknown page", get("/d"), 404),
            forgery("a page below", get("/c/other"), 404),
            forgery("no UTF-8", get("/%ff%fe"), 404),
            forgery("a file", get("/.env"), 404),
            forgery("a way up", get("/c/../../etc/passwd"), 404),
            forgery("a webhook that is not there", Knock::new(Method::POST, "/slack/other"), 404),
            forgery("a POST to nothing", Knock::new(Method::POST, "/d"), 404),
        ],
        (method, path) => bail!("{method} {path} has no forgeries yet: a new route needs them"),
    })
}

fn is_refused_silently(name: &str, heard: &Heard, forgery: &Forgery) -> anyhow::Result<()> {
    let what = format!("{name} with {}", forgery.name);
    ensure!(
        heard.status.as_u16() == forgery.status,
        "{what}: {} instead of {}",
        heard.status,
        forgery.status
    );
    for header in ["content-security-policy", "x-content-type-options", "strict-transport-security"] {
        ensure!(heard.headers.contains_key(header), "{what}: no {header}");
    }
    ensure!(heard.headers.get("cache-control").is_some_and(|value| value == "no-store"), "{what}: cacheable");
    let is_told = (name.starts_with("/c/") || name == "/ask") && heard.status == StatusCode::BAD_REQUEST;
    // Whoever builds a ticket system's side reads what to mend, in words that are the same for everybody.
    let explains = |heard: &Heard| heard.body.starts_with(r#"{"error":"#) && !heard.body.contains("contoso");
    let is_explained = name == ORDERS && matches!(heard.status.as_u16(), 401 | 422) && explains(heard);
    // The page's own script is told which field to mend; nobody else is told anything.
    ensure!(
        heard.body.is_empty() || is_told && heard.body.starts_with(r#"{"field":"#) || is_explained,
        "{what}: {}",
        heard.body
    );
    Ok(())
}

/// Genuine requests for each route, none of which tapdesk has seen.
struct GenuineOnes {
    command: Knock,
    press: Knock,
    visit: Knock,
    report: Knock,
    order: Knock,
    code: String,
    pin: String,
}

impl GenuineOnes {
    async fn gather(world: &World) -> anyhow::Result<Self> {
        let (code, pin) = world.ticket_for_jane().await?;
        let kim = world.colleague("Kim Kunde", "kim.kunde@contoso.com");
        kim.person.manager(&world.mary.person).mobile("+491709876543");
        world.types(&world.ada, "for kim.kunde@contoso.com left the phone in a taxi").await;
        world.settle().await?;
        let press = world.lost_press(&world.mary, "Approve").await?;
        let command = world.lost_command(&world.ada, "for otto.oncall@contoso.com broke the phone").await?;
        let visit = world.lost_visit(&world.ada).await?;
        let report = world.report_on(&world.newest_sms(JANES_PHONE)?, "delivered")?;
        let [command, press, visit] = [&command, &press, &visit].map(Knock::from);
        let order = world.tickets.signs(ticket().to_string());
        Ok(Self { command, press, visit, report, order, code, pin })
    }

    fn of(&self, route: &Route) -> Genuine {
        let client = "00112233445566778899aabbccddeeff";
        let (code, pin) = (&self.code, &self.pin);
        let page = |body: String| {
            let knock = Knock::new(Method::POST, route.path).body(body);
            let knock = knock.and("content-type", "application/json").and("x-tapdesk", "1");
            Genuine { knock: knock.and("sec-fetch-site", "same-origin"), other: None }
        };
        match route.path {
            "/slack/commands" => Genuine { knock: self.command.clone(), other: Some(self.press.clone()) },
            "/slack/interactions" => Genuine { knock: self.press.clone(), other: Some(self.command.clone()) },
            "/slack/events" => Genuine { knock: self.visit.clone(), other: Some(self.press.clone()) },
            "/twilio/status" => Genuine { knock: self.report.clone(), other: None },
            ORDERS => Genuine { knock: self.order.clone(), other: None },
            "/c/claim" => page(format!(r#"{{"code":"{code}","pin":"{pin}","client":"{client}"}}"#)),
            "/ask" => {
                page(r#"{"user":"otto.oncall@contoso.com","reason":"left the phone in a taxi"}"#.to_owned())
            }
            "/c/shown" => page(format!(r#"{{"code":"{code}","client":"{client}"}}"#)),
            _ => page(format!(r#"{{"code":"{code}"}}"#)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_every_forgery() -> anyhow::Result<()> {
    let mut setting = ticket_setting("", "");
    setting.policy = rulebook("", &["", SELF_RULE, "name = \"tickets\"\nrequester = \"hook:ServiceNow\""]);
    setting.extra.push_str("\n[ask]\n");
    let world = World::with(setting).await?;
    let genuine = GenuineOnes::gather(&world).await?;
    let before = world.footprint()?;
    let mut refused = std::collections::BTreeMap::<(&str, u16), u64>::new();
    let count = |route: &str, result: &str| {
        world.counted(&format!("tapdesk_webhooks_total{{route=\"{route}\",result=\"{result}\"}}"))
    };
    let hooks = ["/slack/commands", "/slack/interactions", "/slack/events", "/twilio/status"];
    let results = [(401, "not_verified"), (403, "not_ours"), (400, "malformed")];
    let counted_before = hooks.map(|hook| results.map(|(_, result)| count(hook, result)));
    for route in &routes() {
        for forgery in forgeries(&world, route, &genuine.of(route))? {
            let heard = world
                .knock(&forgery.knock)
                .await
                .with_context(|| format!("{}: {}", route.path, forgery.name))?;
            is_refused_silently(route.path, &heard, &forgery)?;
            *refused.entry((route.path, forgery.status)).or_default() += 1;
        }
    }
    ensure!(
        world.footprint()? == before,
        "a forgery changed something: {before:?}, {:?}",
        world.footprint()?
    );
    for (hook, counted_before) in hooks.into_iter().zip(counted_before) {
        for ((status, result), before) in results.into_iter().zip(counted_before) {
            let (sent, counted) = (refused[&(hook, status)], count(hook, result) - before);
            ensure!(counted >= sent, "{sent} times {result} on {hook}, and {counted} were counted");
        }
    }
    // What was forged was genuine but for one thing: as it is, it is taken.
    for knock in [&genuine.press, &genuine.command, &genuine.visit, &genuine.report] {
        let heard = world.knock(knock).await?;
        ensure!(heard.status == StatusCode::OK, "{}: {heard:?}", knock.path);
    }
    let heard = world.knock(&genuine.order).await?;
    ensure!(heard.status == StatusCode::ACCEPTED, "{heard:?}");
    world.settle().await?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    ensure!(
        lines.iter().filter(|line| line["what"] == "approval.given").count() == 2,
        "Kim was not approved"
    );
    let browser = world.browser();
    ensure!(browser.status(&genuine.code).await?.state() == "open", "a forgery touched the ticket");
    browser.claims_and_sees(&genuine.code, &genuine.pin).await?;
    world.settle().await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() -> anyhow::Result<()> {
    let fit = |parts: &mut tapdesk::app::Parts| parts.body_within = Duration::from_millis(200);
    let world = World::with(Setting { fit: std::sync::Arc::new(fit), ..Setting::default() }).await?;
    let before = world.footprint()?;
    let posts: Vec<Route> = routes().into_iter().filter(|route| route.method == Method::POST).collect();
    let stalled = posts
        .iter()
        .map(|route| world.knock_and_stall(&Method::POST, route.path, "content-length: 1000", b"half a bo"));
    for (answer, route) in join_all(stalled).await.into_iter().zip(&posts) {
        let answer = answer.with_context(|| route.path)?;
        ensure!(answer.starts_with("HTTP/1.1 408 "), "{}: {answer}", route.path);
        ensure!(answer.contains("content-security-policy"), "{}: {answer}", route.path);
    }
    ensure!(world.footprint()? == before, "a stalled request changed something");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_anybody_looks_at_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let before = world.footprint()?;
    for route in routes() {
        let (method, path) = (&route.method, route.path.replace("{code}", "c%230123456789ABC"));
        let more = route.largest_body + 1;
        let counted =
            || world.counted(&format!("tapdesk_refused_total{{route=\"{}\",why=\"too_large\"}}", route.path));
        let before = counted();
        // No signature at all, and still 413: the size is looked at first.
        let chunk = [format!("{more:x}\r\n").into_bytes(), vec![b'a'; more]].concat();
        for (framing, beginning) in [
            (format!("content-length: {more}"), &b""[..]),
            (format!("content-length: {}", 1_u64 << 40), b""),
            ("transfer-encoding: chunked".to_owned(), &chunk),
        ] {
            let answer = world.knock_and_stall(method, &path, &framing, beginning).await?;
            ensure!(answer.starts_with("HTTP/1.1 413 "), "{path} with {framing}: {answer}");
            ensure!(answer.contains("content-security-policy"), "{path} with {framing}: {answer}");
        }
        ensure!(counted() >= before + 3, "{path}: not counted");
    }
    ensure!(world.footprint()? == before, "a large body changed something");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_survived() -> anyhow::Result<()> {
    let world = World::start().await?;
    let genuine: Knock = (&world.lost_command(&world.ada, "help").await?).into();
    let flooded = (0..300).fold(genuine.clone(), |knock, _| knock.and("x-flood", "water"));
    let heard = world.knock(&flooded).await?;
    ensure!(heard.status.is_client_error() && heard.body.is_empty(), "{heard:?}");
    ensure!(world.knock(&genuine.and("x-a-lot", vec![b'a'; 8_000])).await?.status == StatusCode::OK);
    world.finish().await
}
