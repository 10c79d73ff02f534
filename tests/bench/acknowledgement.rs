//! What does a signed Slack command cost until it is acknowledged, and what would the least possible bot pay?
//!
//! The work after the acknowledgement is left out on every side: nobody performs the tasks.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::ensure;
use tapdesk_adapters::stores::embedded::Embedded;
use tapdesk_core::ids::{ChatName, ChatUser};
use tapdesk_core::ports::Store;
use tapdesk_core::request::Whom;
use tempfile::TempDir;

use crate::figures::{Cost, verdict};
use crate::load;
use crate::servers::{Keeps, RedisServer, Server, State, TEAM, configure, folder};

const ROUNDS: u32 = 5;
const PER_ROUND: u32 = 3_000;
/// Before anything counts: compilers at run time, connections, allocators.
const WARM_UP: u32 = 2_000;
/// Redis databases: tapdesk keeps to the first.
const BARE: u8 = 1;
const BOLT: u8 = 2;

struct Contender<'r> {
    name: &'static str,
    server: Server,
    redis: Option<&'r RedisServer>,
    costs: Vec<Cost>,
}

/// Plays the rounds and returns the table.
pub(crate) async fn measure(http: &reqwest::Client) -> anyhow::Result<String> {
    let folders = [folder()?, folder()?, folder()?, folder()?, folder()?];
    let [embedded, everysec, always, redis_everysec, redis_always] = folders.each_ref().map(TempDir::path);
    let lazy = RedisServer::start(redis_everysec, Keeps::EverySecond).await?;
    let strict = RedisServer::start(redis_always, Keeps::Always).await?;
    let nowhere = "http://127.0.0.1:9/";
    let contender = |name, server, redis| Contender { name, server, redis, costs: Vec::new() };
    let on_file = configure(embedded, &State::Embedded, nowhere)?;
    let on_lazy = configure(everysec, &State::Redis(&lazy), nowhere)?;
    let on_strict = configure(always, &State::Redis(&strict), nowhere)?;
    let mut contenders = [
        contender("bare axum handler, Redis everysec", Server::bare(&lazy, BARE).await?, Some(&lazy)),
        contender("tapdesk, embedded store", Server::without_worker(&on_file).await?, None),
        contender("tapdesk, Redis everysec", Server::without_worker(&on_lazy).await?, Some(&lazy)),
        contender("@slack/bolt, Redis everysec", Server::bolt(&lazy, BOLT).await?, Some(&lazy)),
        contender("bare axum handler, Redis always", Server::bare(&strict, BARE).await?, Some(&strict)),
        contender("tapdesk, Redis always", Server::without_worker(&on_strict).await?, Some(&strict)),
    ];
    for contender in &contenders {
        load::send(http, &contender.server, 0..WARM_UP).await?;
    }
    for round in 0..ROUNDS {
        let first = WARM_UP + round * PER_ROUND;
        for contender in &mut contenders {
            eprintln!("acknowledgement, round {} of {ROUNDS}: {}", round + 1, contender.name);
            contender.play(http, first).await?;
        }
    }
    let sent = WARM_UP + ROUNDS * PER_ROUND;
    let costs = contenders.each_ref().map(|contender| (contender.name, Cost::median(&contender.costs)));
    for contender in contenders {
        contender.server.stop().await?;
    }
    ensure!(lazy.keys(BARE).await? == u64::from(sent), "the bare handler lost requests");
    ensure!(strict.keys(BARE).await? == u64::from(sent), "the bare handler lost requests");
    ensure!(lazy.keys(BOLT).await? == u64::from(sent), "bolt lost requests");
    check_stored(&Embedded::open(embedded.join("tapdesk.db"))?, sent).await?;
    check_stored(&lazy.store("check").await?, sent).await?;
    check_stored(&strict.store("check").await?, sent).await?;
    table(&costs)
}

impl Contender<'_> {
    async fn play(&mut self, http: &reqwest::Client, first: u32) -> anyhow::Result<()> {
        let redis = || self.redis.map_or(Ok(Duration::ZERO), RedisServer::cpu);
        let (before, redis_before) = (self.server.cpu()?, redis()?);
        let round = load::send(http, &self.server, first..first + PER_ROUND).await?;
        let cpu = self.server.cpu()?.saturating_sub(before);
        let redis = redis()?.saturating_sub(redis_before);
        self.costs.push(Cost::of(&round, cpu, redis));
        Ok(())
    }
}

/// Every acknowledged request is in the store, as its requester's.
async fn check_stored(store: &dyn Store, sent: u32) -> anyhow::Result<()> {
    let mut requesters: Vec<String> = (0..sent).map(load::requester).collect();
    requesters.dedup();
    let mut stored = 0;
    for id in requesters {
        let requester = ChatUser { chat: ChatName::from("slack"), workspace: TEAM.to_owned(), id };
        stored += store.open_requests(&Whom::Requester(requester)).await?.len();
    }
    ensure!(stored == usize::try_from(sent)?, "{sent} requests were acknowledged, {stored} are stored");
    Ok(())
}

fn table(costs: &[(&str, Cost)]) -> anyhow::Result<String> {
    let cost = |wanted: &str| costs.iter().find(|(name, _)| *name == wanted).map(|(_, cost)| cost);
    let (Some((_, bare)), Some(bolt)) = (costs.first(), cost("@slack/bolt, Redis everysec")) else {
        anyhow::bail!("a contender is missing")
    };
    let mut text =
        "| to the acknowledgement | CPU ms / 1000 | × bare | Redis CPU ms / 1000 | both × bare | requests/s | p50 ms | p99 ms |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
.to_owned();
    for (name, cost) in costs {
        let Cost { cpu, redis, rate, half, most } = cost;
        let (times, both) = (cpu / bare.cpu, cost.total() / bare.total());
        writeln!(
            text,
            "| {name} | {cpu:.0} | {times:.2} | {redis:.0} | {both:.2} | {rate:.0} | {half:.1} | {most:.1} |"
        )?;
    }
    text.push_str("\n| goal | embedded | Redis |\n|---|---|---|\n");
    let (Some(file), Some(redis)) = (cost("tapdesk, embedded store"), cost("tapdesk, Redis everysec")) else {
        anyhow::bail!("a contender is missing")
    };
    let within = |cost: &Cost| {
        let times = cost.cpu / bare.cpu;
        format!("{times:.2} × — {}", verdict(times <= 1.5))
    };
    let less = |cost: &Cost| {
        let times = bolt.cpu / cost.cpu;
        format!("{times:.1} × less — {}", verdict(times >= 4.0))
    };
    writeln!(text, "| CPU at most 1.5 × the bare handler's | {} | {} |", within(file), within(redis))?;
    writeln!(text, "| CPU at least 4 × less than bolt's | {} | {} |", less(file), less(redis))?;
    Ok(text)
}
