//! Does a request cost more when many are stored already?
//!
//! On either store through the port: open, load, and the commit that closes. Next to it the bare handler with as many
//! keys in its Redis, since memory is slower where there is more of it, for everybody. No append-only file: its part of the
//! cost does not grow and would only hide growth.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tapdesk_adapters::stores::embedded::Embedded;
use tapdesk_adapters::stores::redis::Redis;
use tempfile::TempDir;

use crate::disk::Counted;
use crate::figures::{median, millis, verdict};
use crate::servers::{Keeps, RedisServer, Server, cpu_of, folder};
use crate::{load, opening, requests};

const ROUNDS: u32 = 5;
const REQUESTS: u32 = 2_000;
/// The bare handler costs so little that fewer could not be told apart.
const BARE_REQUESTS: u32 = 5_000;
const WRITERS: usize = 64;
const SEEDERS: usize = 256;
/// How much dearer a request may become in comparison with the bare handler's.
const MOST: f64 = 1.2;

/// Both stores and the bare handler's Redis, each with so many requests.
struct Filled {
    size: u32,
    /// The number of the next request.
    next: u32,
    file: PathBuf,
    embedded: Embedded,
    redis: (RedisServer, Redis),
    bare: (RedisServer, Server),
    /// Milliseconds of processor time per thousand requests, by contender.
    costs: [Vec<f64>; 3],
    folders: [TempDir; 3],
}

/// Plays the rounds; returns the table of the costs, and that of a start with as many.
pub(crate) async fn measure(http: &reqwest::Client, sizes: &[u32]) -> anyhow::Result<String> {
    let mut filled = Vec::new();
    for size in sizes {
        filled.push(Filled::with(http, *size).await?);
    }
    for round in 1..=ROUNDS {
        for filled in &mut filled {
            eprintln!("growth, round {round} of {ROUNDS}: {} stored requests", filled.size);
            if filled.size < REQUESTS {
                let costs = std::mem::take(&mut filled.costs);
                *filled = Filled { costs, ..Filled::with(http, filled.size).await? };
            }
            filled.play(http).await?;
        }
    }
    let table = table(&filled)?;
    let (mut files, mut kept) = (Vec::new(), Vec::new());
    for Filled { size, file, embedded, folders, .. } in filled {
        drop(embedded);
        files.push((size, file));
        kept.push(folders);
    }
    let opened = opening::measure(&files).await?;
    Ok(format!("{table}\n{opened}"))
}

impl Filled {
    async fn with(http: &reqwest::Client, size: u32) -> anyhow::Result<Self> {
        let folders = [folder()?, folder()?, folder()?];
        let file = folders[0].path().join("tapdesk.db");
        let redis = RedisServer::start(folders[1].path(), Keeps::Nothing).await?;
        let bare_redis = RedisServer::start(folders[2].path(), Keeps::Nothing).await?;
        let begun = Instant::now();
        let (path, syncs) = (file.clone(), Arc::default());
        let unsynced = Embedded::with_backend(move || Counted::open(&path, &syncs, false))?;
        requests::live(&unsynced, 0..size, SEEDERS).await?;
        drop(unsynced);
        let on_file = begun.elapsed();
        let store = redis.store("bench").await?;
        let begun = Instant::now();
        requests::live(&store, 0..size, SEEDERS).await?;
        let on_redis = begun.elapsed();
        fill_bare(&bare_redis, size).await?;
        eprintln!(
            "{size} requests stored: {on_file:.0?} in a file of {} MiB, {on_redis:.0?} in Redis, {} MiB",
            std::fs::metadata(&file)?.len() >> 20,
            redis.bytes().await? >> 20
        );
        let bare = Server::bare(&bare_redis, 0).await?;
        load::send(http, &bare, size..size + 500).await?;
        Ok(Self {
            size,
            next: size,
            embedded: Embedded::open(&file)?,
            file,
            redis: (redis, store),
            bare: (bare_redis, bare),
            costs: Default::default(),
            folders,
        })
    }

    async fn play(&mut self, http: &reqwest::Client) -> anyhow::Result<()> {
        let numbers = self.next..self.next + REQUESTS;
        let own = || cpu_of(std::process::id());
        let (server, store) = &self.redis;
        let before = own()?;
        requests::live(&self.embedded, numbers.clone(), WRITERS).await?;
        let embedded = own()?.saturating_sub(before);
        let before = own()? + server.cpu()?;
        requests::live(store, numbers, WRITERS).await?;
        let redis = (own()? + server.cpu()?).saturating_sub(before);
        let (server, handler) = &self.bare;
        let before = handler.cpu()? + server.cpu()?;
        // Numbers that neither filling nor warming up has used.
        let first = self.size + 500 + (self.next - self.size) / REQUESTS * BARE_REQUESTS;
        load::send(http, handler, first..first + BARE_REQUESTS).await?;
        let bare = (handler.cpu()? + server.cpu()?).saturating_sub(before);
        for (costs, (cpu, requests)) in
            self.costs.iter_mut().zip([(bare, BARE_REQUESTS), (embedded, REQUESTS), (redis, REQUESTS)])
        {
            costs.push(per_thousand(cpu, requests));
        }
        self.next += REQUESTS;
        Ok(())
    }
}

/// What the bare handler's script would have written.
async fn fill_bare(server: &RedisServer, size: u32) -> anyhow::Result<()> {
    let mut connection = server.connection(0).await?;
    for first in (0..size).step_by(1_000) {
        let mut pipe = redis::pipe();
        for n in first..size.min(first + 1_000) {
            pipe.cmd("HSET").arg(format!("request:{n:067}")).arg("version").arg(1);
            pipe.arg("value").arg(load::body(n)).ignore();
        }
        pipe.query_async::<()>(&mut connection).await?;
    }
    Ok(())
}

fn per_thousand(cpu: Duration, requests: u32) -> f64 {
    millis(cpu) * 1000.0 / f64::from(requests)
}

fn table(filled: &[Filled]) -> anyhow::Result<String> {
    let mut text = "| CPU ms / 1000, Redis included, with |".to_owned();
    for filled in filled {
        write!(text, " {} stored |", filled.size)?;
    }
    text.push_str(" growth | ÷ the bare handler's | at most 1.20 |\n|---|");
    text.push_str(&"--:|".repeat(filled.len() + 2));
    text.push_str("---|\n");
    let names = ["bare axum handler", "tapdesk, embedded store", "tapdesk, Redis"];
    let mut bare_growth = 1.0;
    for (contender, name) in names.into_iter().enumerate() {
        let costs: Vec<f64> =
            filled.iter().map(|filled| median(filled.costs[contender].iter().copied())).collect();
        let growth = costs[costs.len() - 1] / costs[0];
        write!(text, "| {name} |")?;
        for cost in &costs {
            write!(text, " {cost:.0} |")?;
        }
        if contender == 0 {
            bare_growth = growth;
            writeln!(text, " {growth:.2} | | |")?;
        } else {
            let beyond = growth / bare_growth;
            writeln!(text, " {growth:.2} | {beyond:.2} | {} |", verdict(beyond <= MOST))?;
        }
    }
    Ok(text)
}
