//! Which tasks are due, and who has them?
//!
//! The port promises the oldest first, of all shards. So `due` looks at the head of every shard's agenda in one round
//! trip, picks the oldest, and then leases those in their shards, where Redis decides whether they are due; where another
//! worker was faster, it gets fewer. Agendas tell the time by Redis' clock, see `clock.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use redis::{FromRedisValue, Pipeline, Value};
use tapdesk_core::ids::{RequestId, Version, WorkerId};
use tapdesk_core::ports::{Leased, PortError, TaskKey};

use super::clock::{by_caller, by_redis};
use super::keys::{Shard, digits, time};
use super::write::{KeptTask, Row, row_name};
use super::{Redis, fault, scripts};

/// A row of an agenda.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    wakes: String,
    id: String,
    row: String,
}

impl Entry {
    fn parse(member: &str) -> Option<Self> {
        let (wakes, rest) = member.split_once(':')?;
        let (id, row) = rest.split_once(':')?;
        Some(Self { wakes: wakes.to_owned(), id: id.to_owned(), row: row.to_owned() })
    }

    fn key(&self) -> Option<TaskKey> {
        let (version, place) = self.row.split_once(':')?;
        Some(TaskKey {
            request: self.id.parse::<RequestId>().ok()?,
            version: Version(version.parse().ok()?),
            place: place.parse().ok()?,
        })
    }
}

impl Redis {
    pub(super) async fn lease_due(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Leased>, PortError> {
        let mut by_shard: BTreeMap<Shard, Vec<Entry>> = BTreeMap::new();
        let (oldest, lead) = self.oldest(now, most).await?;
        for entry in oldest {
            by_shard.entry(Shard::of(&entry.id)).or_default().push(entry);
        }
        let terms = [&self.machine.shift(now), &lease.as_micros().to_string(), worker.as_str()];
        let leases = by_shard.iter().map(|(shard, entries)| self.lease(*shard, entries, terms, lead));
        let mut held: Vec<_> = try_join_all(leases).await?.into_iter().flatten().collect();
        held.sort_by_key(|(entry, _)| *entry);
        Ok(held.into_iter().map(|(_, leased)| leased).collect())
    }

    /// When the next row wakes, as the caller tells the time.
    pub(super) async fn next_row(&self) -> Result<Option<Timestamp>, PortError> {
        let mut pipe = redis::pipe();
        for shard in Shard::all() {
            pipe.cmd("ZRANGE").arg(self.keys.agenda(shard)).arg(0).arg(0);
        }
        let (heads, lead) = self.look(pipe).await?;
        let Some(first) = heads.into_iter().min() else { return Ok(None) };
        let wakes = Entry::parse(&first).and_then(|entry| time(&entry.wakes));
        let wakes = wakes.ok_or_else(|| fault::unreadable("a row of the agenda"))?;
        Ok(Some(by_caller(wakes, lead)))
    }

    /// Forgets a task, or gives it back until `at`, unless somebody else has leased it.
    pub(super) async fn settle(&self, leased: &Leased, at: Option<Timestamp>) -> Result<(), PortError> {
        let Leased { key, worker, lease, .. } = leased;
        let id = key.request.as_str();
        let keys = [self.keys.agenda(Shard::of(id)), self.keys.tasks(id)];
        let row = row_name(key.version, key.place);
        let at = match at {
            Some(at) => digits(by_redis(at, self.lead().await?)),
            None => String::new(),
        };
        self.run::<u32>(&scripts::SETTLE, &keys, &[id, &row, worker.as_str(), &lease.to_string(), &at])
            .await?;
        Ok(())
    }

    /// The `most` rows of all shards that woke first, up to now as far as this machine knows; and the lead.
    async fn oldest(&self, now: Timestamp, most: usize) -> Result<(Vec<Entry>, SignedDuration), PortError> {
        let most = most.min(10_000);
        // A semicolon sorts right after the colon that ends the time.
        let until = format!("({};", digits(by_redis(now, self.lead().await?)));
        let mut pipe = redis::pipe();
        for shard in Shard::all() {
            let page = pipe.cmd("ZRANGEBYLEX").arg(self.keys.agenda(shard)).arg("-").arg(&until);
            page.arg("LIMIT").arg(0).arg(most);
        }
        let (mut rows, lead) = self.look(pipe).await?;
        rows.sort();
        rows.truncate(most);
        let entries: Option<Vec<_>> = rows.iter().map(|row| Entry::parse(row)).collect();
        Ok((entries.ok_or_else(|| fault::unreadable("a row of the agenda"))?, lead))
    }

    /// The rows that these commands find, and a fresh measure of the lead.
    async fn look(&self, mut pipe: Pipeline) -> Result<(Vec<String>, SignedDuration), PortError> {
        pipe.cmd("TIME");
        let asked = self.machine.now();
        let mut answers = self.ask_all(&pipe).await?;
        let time = answers.pop().unwrap_or(Value::Nil);
        let lead = self.machine.learn(asked, time)?;
        let pages = Vec::<Vec<String>>::from_redis_value(Value::Array(answers)).map_err(fault::unreadable)?;
        Ok((pages.into_iter().flatten().collect(), lead))
    }

    /// Leases rows of one shard on these terms: shift, lease, worker. Each comes with the time at which it woke, for
    /// sorting.
    async fn lease<'e>(
        &self,
        shard: Shard,
        entries: &'e [Entry],
        terms: [&str; 3],
        lead: SignedDuration,
    ) -> Result<Vec<(&'e Entry, Leased)>, PortError> {
        let mut keys = vec![self.keys.agenda(shard)];
        let [_, _, worker] = terms;
        let mut args = terms.to_vec();
        for entry in entries {
            keys.push(self.keys.tasks(&entry.id));
            args.extend([entry.wakes.as_str(), entry.id.as_str(), entry.row.as_str()]);
        }
        let answer: Vec<String> = self.run(&scripts::LEASE, &keys, &args).await?;
        let mut leased = Vec::with_capacity(answer.len() / 2);
        for pair in answer.chunks_exact(2) {
            let entry = pair[0].parse().ok().and_then(|n: usize| entries.get(n));
            let entry = entry.ok_or_else(|| fault::unreadable("a lease"))?;
            leased.push((entry, read(entry, &pair[1], worker, lead)?));
        }
        Ok(leased)
    }
}

/// The row as it was, leased by that worker now.
fn read(entry: &Entry, value: &str, worker: &str, lead: SignedDuration) -> Result<Leased, PortError> {
    let (_, due, leases, holder, task): Row = serde_json::from_str(value).map_err(fault::unreadable)?;
    let task: KeptTask = serde_json::from_str(&task).map_err(fault::unreadable)?;
    let key = entry.key().ok_or_else(|| fault::unreadable("a row of the agenda"))?;
    let due = time(&due).ok_or_else(|| fault::unreadable("a time"))?;
    Ok(Leased {
        key,
        task: task.task,
        due: by_caller(due, lead),
        worker: WorkerId::from(worker),
        lease: leases + 1,
        left_by: (!holder.is_empty()).then_some(WorkerId(holder)),
    })
}
