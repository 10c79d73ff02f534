//! The real process at trace level: where do passcode, code and PIN end up, its memory included?

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tapdesk_tests::chat::Call;
use tapdesk_tests::leaks::{Kind, Place, Secret, forms, places, search, secrets};
use tapdesk_tests::memory;
use tapdesk_tests::process::Process;
use tapdesk_tests::world::{Setting, World};

const JANES_PHONE: &str = "+491701234512";
/// How long a claim may echo in memory.
const ECHO: Duration = Duration::from_secs(2);

/// Ada asks, Mary approves and tells the PIN, Jane mistypes it once, claims, and sees her pass; a stranger is too late.
async fn a_claim(world: &World, process: &Process) -> anyhow::Result<()> {
    let text = format!("for {} lost her phone, INC0012345", world.jane.account.mention());
    ensure!(world.types(&world.ada, &text).await.is_accepted());
    world.chat.arrived(Call::Say, 3).await;
    world.chat.wire().landed().await;
    let card = world.card(&world.mary, "Approve")?;
    ensure!(world.chat.press(&world.mary.account, &card, "Approve").await?.is_accepted());
    world.twilio.wire.arrived("Messages.json", 1).await;
    world.twilio.wire.landed().await;
    world.chat.arrived(Call::Edit, 2).await;
    world.chat.wire().landed().await;
    let card = world.card(&world.mary, "Show PIN")?;
    ensure!(world.chat.press(&world.mary.account, &card, "Show PIN").await?.is_accepted());
    process.says("to=\"ClaimOpen\"").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.chat.close_view(&world.mary.account).await?;
    let browser = world.browser().at(process.base.clone());
    ensure!(browser.claim(&code, "00000000").await?.state() == "wrong_pin");
    browser.claims_and_sees(&code, &pin).await?;
    ensure!(world.browser().at(process.base.clone()).claim(&code, &pin).await?.state() == "opened");
    Ok(())
}

/// What Redis itself remembers: a snapshot on its disk, and every command since the story began.
async fn what_redis_remembers(world: &World) -> anyhow::Result<Vec<Place>> {
    let Some(redis) = &world.redis else { return Ok(Vec::new()) };
    let () = redis.does("SAVE").await?;
    let log: redis::Value = redis.does("SLOWLOG GET -1").await?;
    // Bytes are printed as numbers there: as text they can be searched.
    let mut commands = Vec::new();
    texts(&log, &mut commands);
    ensure!(commands.len() > 1_000, "Redis logged no commands");
    Ok(vec![Place::new("the slow log of Redis", commands, &[Kind::Personal])])
}

fn texts(value: &redis::Value, found: &mut Vec<u8>) {
    match value {
        redis::Value::BulkString(text) => found.extend([text.as_slice(), b"\n"].concat()),
        redis::Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// The memory of the process: of the secrets of this claim nothing is there. Its own credentials are: it needs them.
fn in_memory(process: &Process) -> anyhow::Result<Vec<Place>> {
    let may_hold = [Kind::Credential, Kind::Handle, Kind::Personal, Kind::ReportToken];
    let regions = memory::of_process(process.id()?)?;
    Ok(regions
        .into_iter()
        .map(|region| Place::new(&format!("memory, {}", region.name), region.bytes, &may_hold))
        .collect())
}

/// Would the search have found it? At the end of each place every secret is planted in every form.
fn every_search_can_find(secrets: &BTreeSet<Secret>, places: &[Place]) -> anyhow::Result<()> {
    for place in places {
        let sought = || secrets.iter().filter(|secret| !place.may_hold.contains(&secret.kind));
        let mut content = place.content[place.content.len().saturating_sub(64)..].to_vec();
        for (_, planted) in sought().flat_map(|secret| forms(&secret.text)) {
            content.extend([b" ".as_slice(), &planted, b" "].concat());
        }
        let found = search(secrets, &[Place::new(&place.name, content, &place.may_hold)]);
        for secret in sought() {
            for (form, _) in forms(&secret.text) {
                let leak = format!("{:?} in {} ({form})", secret.kind, place.name);
                ensure!(
                    found.iter().any(|found| found.starts_with(&leak)),
                    "not found where it was planted: {leak}"
                );
            }
        }
    }
    Ok(())
}

/// Is it the right memory, the right log? What has to be there is found there.
fn every_place_is_the_real_one(places: &[Place], reason: &str, request: &str) -> anyhow::Result<()> {
    let holds = |name: &str, text: &str| {
        let known = BTreeSet::from([Secret { kind: Kind::Personal, text: text.to_owned() }]);
        let named: Vec<Place> = places
            .iter()
            .filter(|place| place.name.contains(name))
            .map(|place| Place::new(&place.name, place.content.as_slice(), &[]))
            .collect();
        ensure!(!search(&known, &named).is_empty(), "{text:?} is not in {name}");
        Ok(())
    };
    holds("the log of the process", request)?;
    holds(".ndjson", request)?;
    for name in ["memory", "chat messages"] {
        holds(name, reason)?;
    }
    if places.iter().any(|place| place.name.contains("Redis")) {
        // The slow log cuts long values.
        holds("the slow log of Redis", request)?;
        holds("dump.rdb", reason)?;
        return holds("appendonly.aof.1.incr.aof", reason);
    }
    holds("tapdesk.db", reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_seconds_after_a_claim_no_secret_is_in_the_process_or_in_what_it_wrote() -> anyhow::Result<()> {
    let mut world = World::without_tapdesk(Setting::default()).await?;
    if let Some(redis) = &world.redis {
        let () = redis.does("CONFIG SET slowlog-log-slower-than 0").await?;
        let () = redis.does("CONFIG SET slowlog-max-len 100000").await?;
    }
    let process = world.start_process_logging("trace").await?;
    a_claim(&world, &process).await?;
    tokio::time::sleep(ECHO).await;

    let mut everywhere = in_memory(&process)?;
    let size: usize = everywhere.iter().map(|place| place.content.len()).sum();
    everywhere.extend(what_redis_remembers(&world).await?);
    everywhere.extend(places(&world)?);
    everywhere.push(Place::new("the log of the process", process.logged(), &[]));
    let asked: Vec<String> = world
        .graph
        .wire
        .seen()
        .iter()
        .map(|asked| format!("{} {}", asked.line(), String::from_utf8_lossy(&asked.body)))
        .collect();
    everywhere.push(Place::new("questions to Graph", asked.join("\n"), &[Kind::Personal]));
    ensure!(process.logged().contains(" DEBUG "), "the log was not at TRACE");

    let secrets = secrets(&world);
    for kind in [Kind::Passcode, Kind::Code, Kind::Pin, Kind::Credential] {
        ensure!(secrets.iter().any(|secret| secret.kind == kind), "the story had no {kind:?} to lose");
    }
    let found = search(&secrets, &everywhere);
    ensure!(found.is_empty(), "{found:#?}");
    every_search_can_find(&secrets, &everywhere)?;
    let request = world.request_ids()?.pop().context("the ledger names no request")?;
    every_place_is_the_real_one(&everywhere, "lost her phone, INC0012345", &request)?;
    eprintln!("leak hunt: {} places, {} MiB of memory", everywhere.len(), size >> 20);

    process.kill().await?;
    world.take_over().await?;
    world.everybody_reads();
    world.advance(Duration::from_hours(2)).await?;
    world.finish_unread().await
}
