//! Stories of the public listener: what strangers, scanners and other sites get from the claim page's routes.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest;
use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tapdesk_tests::claims::Ticket;
use tapdesk_tests::visitor::Seen;
use tapdesk_tests::world::{Setting, World};

/// A code that nobody was ever sent.
const NOBODYS_CODE: &str = "7777777777777";
const CLIENT: &str = "00112233445566778899aabbccddeeff";

/// Headers of facts/delivery.md §2.5 that are the same on every answer.
const EVERYWHERE: [(&str, &str); 8] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow, noarchive"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("cache-control", "no-store"),
];

/// Directives of the content policy that are the same whatever the page is.
const POLICY: [&str; 9] = [
    "default-src 'none'",
    "connect-src 'self'",
    "img-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "script-src 'sha256-",
];

/// Whether an answer carries every header, sets no cookie, and allows exactly the page's own script and style.
pub(crate) fn is_guarded(what: &str, seen: &Seen, page: &str) -> anyhow::Result<()> {
    for (name, value) in EVERYWHERE {
        ensure!(seen.header(name) == value, "{what}: {name} is {:?}", seen.header(name));
    }
    ensure!(seen.headers.get("set-cookie").is_none(), "{what} sets a cookie");
    let policy = seen.header("content-security-policy");
    for directive in POLICY {
        ensure!(
            policy.split("; ").any(|part| part.starts_with(directive)),
            "{what}: no {directive} in {policy}"
        );
    }
    for unsafe_word in ["unsafe", "*", "http:", "https:", "data:", "blob:"] {
        ensure!(!policy.contains(unsafe_word), "{what} allows {unsafe_word}: {policy}");
    }
    for (directive, element) in [("script-src", "script"), ("style-src", "style")] {
        let allowed = policy.split("; ").find_map(|part| part.strip_prefix(directive)).unwrap_or_default();
        ensure!(allowed.trim() == format!("'{}'", hash_of(page, element)?), "{what}: {directive}{allowed}");
    }
    let features = seen.header("permissions-policy");
    ensure!(features.contains("clipboard-write=(self)"), "{what}: {features}");
    let on = features.split(", ").filter(|part| !part.ends_with("=()")).count();
    ensure!(on == 1, "{what} allows more than writing to the clipboard: {features}");
    Ok(())
}

/// The hash of the page's one script or style, as a content policy writes it.
fn hash_of(page: &str, element: &str) -> anyhow::Result<String> {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    ensure!(page.matches(&open).count() == 1, "the page has not exactly one {element}");
    let rest = page.split_once(&open).context("no element")?.1;
    let content =
        rest.split_once('>').context("no end of the tag")?.1.split_once(&close).context("no end")?.0;
    Ok(format!("sha256-{}", BASE64_STANDARD.encode(digest::digest(&digest::SHA256, content.as_bytes()))))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_and_allows_only_the_pages_own_script_and_style()
-> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let visitor = world.visitor();
    let page = String::from_utf8(visitor.gets("c").await?.body)?;
    let claim = json!({"code": ticket.0, "pin": ticket.1, "client": CLIENT});
    let shown = json!({"code": ticket.0, "client": CLIENT});
    let answers = [
        ("the page", visitor.gets("c").await?),
        ("a page behind a gateway", visitor.gets(&format!("c%23{}", ticket.0)).await?),
        ("nothing there", visitor.gets("favicon.ico").await?),
        ("nothing there, deeper", visitor.gets("a/b/c").await?),
        ("a wrong method", visitor.sends(&Method::DELETE, "c/claim", &[], Vec::new()).await?),
        ("a preflight", visitor.sends(&Method::OPTIONS, "c/claim", &[], Vec::new()).await?),
        ("an open status", visitor.asks_about(&ticket.0).await?),
        ("an unknown status", visitor.asks_about(NOBODYS_CODE).await?),
        ("a malformed status", visitor.asks_about("1").await?),
        ("a forged claim", visitor.posts_with("c/claim", "x-tapdesk", None, &claim).await?),
        ("a large body", visitor.sends(&Method::POST, "c/claim", &[], vec![b' '; 5000]).await?),
        ("a slack command", visitor.sends(&Method::POST, "slack/commands", &[], b"x=y".to_vec()).await?),
        ("the pass", visitor.posts("c/claim", &claim).await?),
        ("shown", visitor.posts("c/shown", &shown).await?),
        ("reported", visitor.posts("c/report", &json!({"code": ticket.0})).await?),
    ];
    for (what, seen) in &answers {
        is_guarded(what, seen, &page)?;
        ensure!(
            seen.headers.get("access-control-allow-origin").is_none(),
            "{what} is shared with other sites"
        );
    }
    let state = |name: &str| answers.iter().find(|(what, _)| *what == name).map(|(_, seen)| seen.state());
    ensure!(state("the pass").as_deref() == Some("pass") && state("reported").as_deref() == Some("reported"));
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_the_same_bytes_for_everybody_and_reads_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let visitor = world.visitor();
    let page = visitor.gets("c").await?;
    ensure!(page.status == StatusCode::OK && page.header("content-type") == "text/html; charset=utf-8");
    ensure!(!page.body.is_empty());
    let languages = [("accept-language", "de"), ("cookie", "a=b"), ("user-agent", "SafeLinks"), ("dnt", "1")];
    let others = [
        visitor.sends(&Method::GET, "c", &languages, Vec::new()).await?,
        visitor.gets("c?report=1&code=2").await?,
        visitor.gets(&format!("c%23{code}")).await?,
        visitor.gets(&format!("c%2523{code}")).await?,
        visitor.gets(&format!("c%23{NOBODYS_CODE}")).await?,
    ];
    for other in &others {
        ensure!(other.looks() == page.looks(), "another page: {} {:?}", other.status, other.headers);
    }
    let head = visitor.sends(&Method::HEAD, "c", &[], Vec::new()).await?;
    ensure!(head.status == StatusCode::OK && head.body.is_empty(), "{head:?}");
    ensure!(head.header("content-type") == page.header("content-type"));
    ensure!(head.header("content-security-policy") == page.header("content-security-policy"));
    for elsewhere in ["", "d", "cc", "c%24x", &format!("C%23{code}")] {
        ensure!(visitor.gets(elsewhere).await?.status == StatusCode::NOT_FOUND, "{elsewhere:?} is something");
    }
    ensure!(world.browser().status(&code).await?.state() == "open");
    world.browser().claims_and_sees(&code, &pin).await?;
    // That the code of those paths is in no log is what every story checks in the end.
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_tells_the_holder_of_a_code_what_to_do_and_no_more() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    let code = world.code_at("+491701234512")?;
    let visitor = world.visitor();
    let tells = async |expected: Value| -> anyhow::Result<()> {
        let seen = visitor.asks_about(&code).await?;
        ensure!(seen.status == StatusCode::OK && seen.json() == expected, "{} {}", seen.status, seen.json());
        Ok(())
    };
    tells(json!({"state": "waiting"})).await?;
    let early = world.browser().claim(&code, "12345678").await?;
    ensure!(early.state() == "waiting" && early.status == StatusCode::CONFLICT, "{early:?}");
    world.presses(&world.mary, "Show PIN").await?;
    tells(json!({"state": "open", "until": "2026-11-23T10:30:00Z"})).await?;

    let ticket = (code.clone(), world.pin_before(&world.mary)?);
    let browser = world.browser();
    let (claiming, held) = world.claim_held_after_the_create(&browser, &ticket).await;
    tells(json!({"state": "busy"})).await?;
    held.open();
    claiming.answer().await?.passcode()?;
    tells(json!({"state": "opened", "at": "2026-11-23T10:00:00Z"})).await?;
    world.hands.turn(Duration::from_secs(30));
    browser.shown(&code).await?;
    tells(json!({"state": "opened", "at": "2026-11-23T10:00:30Z"})).await?;
    browser.report(&code).await?;
    tells(json!({"state": "closed", "why": "reported"})).await?;
    world.settle().await?;
    tells(json!({"state": "closed", "why": "reported"})).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_code_and_a_code_that_never_was_look_the_same() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let visitor = world.visitor();
    let mut near = ticket.0.clone();
    let last = if near.pop() == Some('0') { '1' } else { '0' };
    near.push(last);
    let mut looks = BTreeSet::new();
    for code in [NOBODYS_CODE, &near, "0000000000000", "ZZZZ-ZZZZ-ZZZZZ"] {
        let claim = json!({"code": code, "pin": ticket.1, "client": CLIENT});
        looks.insert(visitor.asks_about(code).await?.looks());
        looks.insert(visitor.posts("c/claim", &claim).await?.looks());
        looks.insert(visitor.posts("c/report", &json!({"code": code})).await?.looks());
    }
    ensure!(looks.len() == 1, "unknown codes are told apart: {looks:?}");
    let only = looks.pop_first().context("nothing was asked")?;
    ensure!(only.0 == 404 && only.2 == br#"{"state":"unknown"}"#, "{only:?}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_as_people_type_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, _) = world.ticket_for_jane().await?;
    let spoken = code.replace('0', "o").replace('1', "l").to_lowercase();
    let grouped = format!(" {}-{} {} ", &spoken[..4], &spoken[4..8], &spoken[8..]);
    for spelling in [&code.to_lowercase(), &spoken, &grouped] {
        ensure!(
            world.visitor().asks_about(spelling).await?.state() == "open",
            "{spelling:?} is not understood"
        );
    }
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_twenty_unknown_codes_an_address_waits_out_its_minute() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    let visitor = world.visitor();
    let claim = json!({"code": NOBODYS_CODE, "pin": "12345678", "client": CLIENT});
    let report = json!({"token": "0".repeat(26), "number": "42"});
    for _ in 0..6 {
        ensure!(visitor.asks_about(NOBODYS_CODE).await?.status == StatusCode::NOT_FOUND);
        ensure!(visitor.posts("c/claim", &claim).await?.status == StatusCode::NOT_FOUND);
        ensure!(visitor.posts("c/report", &report).await?.status == StatusCode::NOT_FOUND);
    }
    // What cannot be a code is not counted: a typing error costs nothing.
    for _ in 0..30 {
        ensure!(visitor.asks_about("123").await?.status == StatusCode::BAD_REQUEST);
    }
    world.hands.turn(Duration::from_secs(20));
    for _ in 0..2 {
        ensure!(visitor.asks_about(NOBODYS_CODE).await?.status == StatusCode::NOT_FOUND);
    }
    let routes = [
        visitor.asks_about(&ticket.0).await?,
        visitor.posts("c/claim", &json!({"code": ticket.0, "pin": ticket.1, "client": CLIENT})).await?,
        visitor.posts("c/report", &json!({"code": ticket.0})).await?,
    ];
    for seen in routes {
        ensure!(seen.status == StatusCode::TOO_MANY_REQUESTS && seen.state() == "too_many", "{seen:?}");
        ensure!(seen.header("retry-after") == "40" && seen.json()["retry_after"] == 40, "{seen:?}");
    }
    world.hands.turn(Duration::from_secs(40));
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_trusted_proxy_names_is_counted_and_nobody_else_is_believed() -> anyhow::Result<()> {
    let trusting = "behind_tls_proxy = true\ntrusted_proxies = [\"127.0.0.1\", \"192.0.2.1\"]".to_owned();
    for (extra, believed) in [(trusting, true), (String::new(), false)] {
        let world = World::with(Setting { extra, ..Setting::default() }).await?;
        let code = world.ticket_for_jane().await?.0;
        let visitor = world.visitor();
        let asks = async |addresses: &str, code: &str| -> anyhow::Result<u16> {
            Ok(visitor.forwarded_for(addresses).asks_about(code).await?.status.as_u16())
        };
        // The same network behind another proxy, with whatever the client itself wrote in front.
        for host in 0..20 {
            let addresses = format!("203.0.113.{host}, 198.51.100.{host}, 192.0.2.1");
            ensure!(asks(&addresses, NOBODYS_CODE).await? == 404);
        }
        ensure!(asks("198.51.100.200", &code).await? == 429, "the network goes on");
        let elsewhere = if believed { 200 } else { 429 };
        for other in ["203.0.113.1", "198.51.101.1", "2001:db8::1", "198.51.100.200, 203.0.113.9"] {
            ensure!(asks(other, &code).await? == elsewhere, "{other} (proxies trusted: {believed})");
        }
        // An IPv6 customer has a whole /56.
        for host in 0..20 {
            asks(&format!("2001:db8:0:{host:x}::{host:x}"), NOBODYS_CODE).await?;
        }
        ensure!(asks("2001:db8:0:ff::1", &code).await? == 429);
        ensure!(asks("2001:db8:0:100::1", &code).await? == elsewhere);
        world.finish_unread().await?;
    }
    Ok(())
}

/// Everything that a claim, a word or a report could be sent as by somebody else's page.
async fn forgeries(world: &World, path: &str, body: &Value) -> anyhow::Result<Vec<(&'static str, Seen)>> {
    let visitor = world.visitor();
    let text = body.to_string();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let with = async |header: &str, value: Option<&str>| visitor.posts_with(path, header, value, body).await;
    Ok(vec![
        ("no header of ours", with("x-tapdesk", None).await?),
        ("another value of our header", with("x-tapdesk", Some("true")).await?),
        ("no content type", with("content-type", None).await?),
        ("text", with("content-type", Some("text/plain")).await?),
        ("text that pretends", with("content-type", Some("text/plain; application/json")).await?),
        ("from another site", with("sec-fetch-site", Some("cross-site")).await?),
        ("from a sister site", with("sec-fetch-site", Some("same-site")).await?),
        ("typed into the address bar", with("sec-fetch-site", Some("none")).await?),
        ("a form", visitor.sends(&Method::POST, path, &form, text.into_bytes()).await?),
        ("no JSON", visitor.posts(path, &Value::String("x".to_owned())).await?),
        ("an empty object", visitor.posts(path, &json!({})).await?),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_own_page_would_not_send_spends_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let claim = json!({"code": code, "pin": pin, "client": CLIENT});
    for (path, body) in [
        ("c/status", json!({"code": code})),
        ("c/claim", claim.clone()),
        ("c/shown", json!({"code": code, "client": CLIENT})),
        ("c/report", json!({"code": code})),
    ] {
        for (what, seen) in forgeries(&world, path, &body).await? {
            let refused = seen.status == StatusCode::BAD_REQUEST && seen.state() == "malformed";
            ensure!(refused, "{path}, {what}: {} {}", seen.status, seen.json());
        }
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let seen = world.visitor().sends(&method, path, &[], Vec::new()).await?;
            ensure!(seen.status == StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {}", seen.status);
        }
    }
    ensure!(world.creates() == 0 && world.browser().status(&code).await?.state() == "open");
    // An old browser sends no Sec-Fetch-Site.
    let seen = world.visitor().posts_with("c/claim", "sec-fetch-site", None, &claim).await?;
    ensure!(seen.state() == "pass", "{}", seen.status);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_more_than_four_kibibytes_is_not_read() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, _) = world.ticket_for_jane().await?;
    for path in ["c/status", "c/claim", "c/shown", "c/report"] {
        let body = |length: usize| json!({"code": code, "padding": "x".repeat(length)});
        let frame = body(0).to_string().len();
        let large = world.visitor().posts(path, &body(4097 - frame)).await?;
        ensure!(large.status == StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", large.status);
        ensure!(world.browser().status(&code).await?.state() == "open", "{path}: something happened");
    }
    let fits = json!({"code": code, "padding": "x".repeat(4096 - json!({"code": code, "padding": ""}).to_string().len())});
    ensure!(world.visitor().posts("c/status", &fits).await?.state() == "open", "4 KiB are too many");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_follows_every_link_and_presses_every_button_spends_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let text = world.twilio.phone("+491701234512").read().pop().context("no text message came")?.body;
    let code = tapdesk_tests::world::code_in(&text).context("no code")?;
    let ticket: Ticket = (code, world.pin_before(&world.mary)?);
    scans(&world, &text, &ticket.0).await?;
    ensure!(world.browser().status(&ticket.0).await?.state() == "open", "the scanner closed the ticket");
    ensure!(world.creates() == 0);
    let left = world.guesses(&world.browser(), &ticket, 1).await?[0].body["tries_left"].clone();
    ensure!(left == 4, "the scanner used up tries");

    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    let notice = world.smtp.read(tapdesk_tests::claims::JANES_MAIL).pop().context("no notice came")?.text;
    world.everybody_reads();
    scans(&world, &notice, &ticket.0).await?;
    world.settle().await?;
    ensure!(world.janes_passes() == 1, "the scanner took Jane's pass away");
    ensure!(world.graph.sessions_revoked(&world.jane.person) == 0);
    world.nobody_is_bothered()?;
    world.finish_unread().await
}

/// What a mail gateway does with a message: it fetches the links in every mangled form, and presses what is there.
async fn scans(world: &World, message: &str, code: &str) -> anyhow::Result<()> {
    let visitor = world.visitor();
    let links: Vec<&str> = message.split_whitespace().filter(|word| word.starts_with("https://")).collect();
    ensure!(links.len() == 1, "the message has {} links", links.len());
    let path = links[0].strip_prefix("https://tap.contoso.com/").context("a link leads elsewhere")?;
    let fragment = path.strip_prefix("c#").context("the secret is not in the fragment")?;
    for fetched in
        ["c".to_owned(), format!("c%23{fragment}"), format!("c%2523{fragment}"), format!("c?url={fragment}")]
    {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            visitor.sends(&method, &fetched, &[], Vec::new()).await?;
        }
    }
    visitor.asks_about(code).await?;
    for pin in ["", "1234567", "123456789", "abcdefgh", "1234 567x"] {
        let seen = visitor.posts("c/claim", &json!({"code": code, "pin": pin, "client": CLIENT})).await?;
        ensure!(seen.json() == json!({"state": "malformed", "field": "pin"}), "{pin:?}: {}", seen.json());
    }
    for body in
        [json!({"code": code}), json!({"code": code, "client": CLIENT}), json!({"code": code, "pin": null})]
    {
        ensure!(visitor.posts("c/claim", &body).await?.state() == "malformed");
    }
    let Some(token) = fragment.strip_prefix("report=") else { return Ok(()) };
    for number in [None, Some(""), Some("x"), Some("100"), Some("-1")] {
        let seen = visitor.posts("c/report", &json!({"token": token, "number": number})).await?;
        ensure!(seen.state() == "malformed", "{number:?}: {}", seen.json());
    }
    ensure!(visitor.posts("c/report", &json!({"token": token})).await?.state() == "malformed");
    ensure!(visitor.posts("c/report", &json!({"number": "42"})).await?.state() == "malformed");
    Ok(())
}
