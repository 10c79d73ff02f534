//! How do several tapdesks share their state? Through Redis, each verb a script that does all or nothing.
//!
//! `keys.rs` says where everything lies and why it holds together. Only hashes and non-secret state go in. A
//! command is never printed: its `Debug` shows its arguments.

mod address;
mod agenda;
mod ask;
mod clock;
mod fault;
mod keys;
mod link;
mod pointers;
mod scripts;
mod server;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use redis::RedisError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tapdesk_core::delegation::Delegation;
use tapdesk_core::ids::{ChatUser, LedgerName, PersonId, RequestId, Version, WorkerId};
use tapdesk_core::ledger::Head;
use tapdesk_core::ports::{
    Clock, Commit, CommitError, Conversation, Leased, Opened, PIN_TRIES, PortError, RequesterCap, Store,
    Stored, TRY_LEASE, Try,
};
use tapdesk_core::request::{Party, Whom};
use tapdesk_core::ticket::{CodeHash, TokenHash};

use crate::secret::Secret;

use address::Address;
use clock::MachineClock;
use keys::{Keys, Kind, Place, Shard, digits};
use link::{Limits, Link};
use pointers::{Litter, PATIENCE, Standing};
pub use server::{ConnectError, Durability};
use write::{Kept, Outcome};

/// How many closed requests one step of forgetting takes.
const FORGET_AT_ONCE: usize = 64;
/// Before a lost subscription is tried again.
const RESUBSCRIBE_AFTER: Duration = Duration::from_secs(1);
/// Until a subscription stands, sentinels asked.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(6);

/// How to reach the server or servers, and what to expect of them.
pub struct RedisConfig {
    /// One server, the primary that sentinels name, or a cluster: see `address.rs`.
    pub url: Secret,
    /// Begins every key, as `deploy/redis.acl` allows it.
    pub prefix: String,
    /// This process: another name than any other's that shares the store, ever.
    pub name: String,
    /// The clock of this machine: not one that somebody turns.
    pub machine_clock: Arc<dyn Clock>,
    /// The least that a crash of a server has to leave.
    pub required: Durability,
    /// Until a connection stands.
    pub connect: Duration,
    /// Until a command is answered.
    pub respond: Duration,
}

/// The store on Redis.
pub struct Redis {
    link: Link,
    keys: Keys,
    name: String,
    machine: MachineClock,
    required: Durability,
    /// After this long a plan counts as forgotten by its process.
    patience: Duration,
    writes: AtomicU64,
}

impl Redis {
    /// The store on servers that were found fit for it.
    pub async fn connect(config: RedisConfig) -> Result<Self, ConnectError> {
        let redis = Self::new(config)?;
        redis.check().await?;
        Ok(redis)
    }

    /// The store, not connected yet: whoever makes it calls [`Redis::check`] before it serves anybody. Needs a running
    /// tokio runtime.
    pub fn new(config: RedisConfig) -> Result<Self, ConnectError> {
        let limits = Limits { connect: config.connect, respond: config.respond };
        let link = Link::new(Address::parse(config.url.expose())?, limits);
        Ok(Self {
            link: link.map_err(|error| fault::port_error(&error))?,
            keys: Keys::new(&config.prefix),
            name: config.name,
            machine: MachineClock::new(config.machine_clock),
            required: config.required,
            patience: PATIENCE,
            writes: AtomicU64::new(0),
        })
    }

    /// Rings whenever any process stored new tasks; never ends. While it is cut off nothing rings: the worker still looks
    /// from time to time.
    pub async fn listen(&self, ring: impl Fn() + Send + Sync) {
        loop {
            match tokio::time::timeout(SUBSCRIBE_WITHIN, self.subscribed()).await {
                Ok(Ok(mut tasks)) => {
                    // What was stored before the subscription was not announced to it.
                    ring();
                    let mut announced = tasks.on_message();
                    let heard = async {
                        while announced.next().await.is_some() {
                            ring();
                        }
                    };
                    tokio::select! {
                        () = heard => {}
                        () = self.link.lost() => {}
                    }
                    tracing::warn!("Redis announces no new tasks any more; subscribing again");
                }
                Ok(Err(error)) => {
                    let error = fault::port_error(&error);
                    tracing::warn!(error = &error as &dyn std::error::Error, "Redis announces no new tasks");
                }
                Err(_) => tracing::warn!("Redis announces no new tasks: it did not answer in time"),
            }
            tokio::time::sleep(RESUBSCRIBE_AFTER).await;
        }
    }

    async fn subscribed(&self) -> Result<redis::aio::PubSub, RedisError> {
        let mut subscription = self.link.subscriber().await?;
        subscription.subscribe(self.keys.channel()).await?;
        Ok(subscription)
    }

    /// Unlike any other write's, so that a write whose answer was lost is recognised.
    fn stamp(&self) -> String {
        format!("{}.{}", self.name, self.writes.fetch_add(1, Ordering::Relaxed))
    }

    /// The pointers at a place, from the place's time on where it has one.
    async fn pointers(&self, place: &Place, from: Option<&str>) -> Result<Vec<String>, PortError> {
        let key = self.keys.pointer(place);
        if place.kind.is_claimed() {
            let pointer: Option<String> = self.ask_redis(redis::cmd("GET").arg(key)).await?;
            return Ok(pointer.into_iter().collect());
        }
        let from = from.map_or_else(|| "-".to_owned(), |from| format!("[{from}"));
        self.ask_redis(redis::cmd("ZRANGEBYLEX").arg(key).arg(from).arg("+")).await
    }

    /// The requests that hold the place.
    async fn holders(&self, place: &Place, from: Option<&str>) -> Result<Vec<RequestId>, PortError> {
        let pointers = self.pointers(place, from).await?;
        let checks = pointers
            .iter()
            .map(|pointer| async move { self.standing(&place.at_time_of(pointer), pointer).await });
        let standings = try_join_all(checks).await?;
        let held = standings.into_iter().filter_map(|standing| match standing {
            Standing::Held(id) => Some(id),
            Standing::Pending | Standing::Dead => None,
        });
        Ok(held.collect())
    }

    /// The request that claimed the commit's delivery before.
    async fn seen(&self, commit: &Commit) -> Result<Option<RequestId>, PortError> {
        match &commit.delivery {
            Some(delivery) => Ok(self.holders(&Place::delivery(delivery), None).await?.pop()),
            None => Ok(None),
        }
    }

    async fn try_at(&self, place: &Place, pointer: &str, now: Timestamp) -> Result<Try, PortError> {
        let (id, plan) = keys::read_pointer(pointer).ok_or_else(|| fault::unreadable("a pointer"))?;
        let (shift, lease) = (self.machine.shift(now), TRY_LEASE.as_micros().to_string());
        let args = [&place.name(), plan, &shift, &lease, &PIN_TRIES.to_string()];
        let answer: String = self.run(&scripts::TRY, &[self.keys.value(id.as_str())], &args).await?;
        Ok(match answer.as_str() {
            "counted" => Try::Counted(id),
            "busy" => Try::Busy(id),
            "exhausted" => Try::Exhausted(id),
            _ => Try::Unknown,
        })
    }

    /// Forgets one request, if it may be.
    async fn retire(&self, id: &RequestId, before: &str) -> Result<bool, PortError> {
        let keys = self.keys.request(id.as_str());
        let answer: Vec<String> = self.run(&scripts::RETIRE, &keys, &[id.as_str(), before]).await?;
        let mut answer = answer.into_iter();
        let is_forgotten = answer.next().as_deref() == Some("forgotten");
        if let Some(litter) = Litter::of(answer) {
            self.sweep(id, &litter).await?;
        }
        Ok(is_forgotten)
    }

    async fn forget_in(&self, shard: Shard, before: &str) -> Result<u64, PortError> {
        let (mut forgotten, mut from) = (0, "-".to_owned());
        loop {
            let mut page = redis::cmd("ZRANGEBYLEX");
            page.arg(self.keys.closed(shard)).arg(&from).arg(format!("({before}"));
            page.arg("LIMIT").arg(0).arg(FORGET_AT_ONCE);
            let page: Vec<String> = self.ask_redis(&page).await?;
            let ids = page.iter().map(|row| row.split_once(':').and_then(|(_, id)| id.parse().ok()));
            let ids: Option<Vec<RequestId>> = ids.collect();
            let ids = ids.ok_or_else(|| fault::unreadable("a closed request"))?;
            for retired in join_all(ids.iter().map(|id| self.retire(id, before))).await {
                forgotten += u64::from(retired?);
            }
            match page.last() {
                Some(last) if page.len() == FORGET_AT_ONCE => from = format!("({last}"),
                Some(_) | None => return Ok(forgotten),
            }
        }
    }
}

/// What is kept about somebody beside the requests, as JSON.
impl Redis {
    async fn kept<T: DeserializeOwned>(&self, key: String) -> Result<Option<T>, PortError> {
        let kept: Option<String> = self.ask_redis(redis::cmd("GET").arg(key)).await?;
        kept.map(|kept| serde_json::from_str(&kept).map_err(fault::unreadable)).transpose()
    }

    async fn keep<T: Serialize>(&self, key: String, value: Option<T>) -> Result<(), PortError> {
        match value {
            Some(value) => {
                let value = serde_json::to_string(&value).map_err(fault::unwritable)?;
                self.ask_redis(redis::cmd("SET").arg(key).arg(value)).await
            }
            None => self.ask_redis(redis::cmd("DEL").arg(key)).await,
        }
    }
}

#[async_trait]
impl Store for Redis {
    async fn open(&self, commit: Commit, cap: RequesterCap, now: Timestamp) -> Result<Opened, PortError> {
        match self.write(&mut self.opening(&commit, cap, now).await?).await? {
            Outcome::Done => Ok(Opened::New),
            Outcome::TooMany => Ok(Opened::TooMany),
            Outcome::Contended => Err(write::contended()),
            Outcome::Held(Kind::Delivery, first) => Ok(Opened::Seen(first)),
            Outcome::Held(_, _) => Err(PortError::fatal("a request without a case has no subject yet")),
            Outcome::Conflict => match self.seen(&commit).await? {
                Some(first) => Ok(Opened::Seen(first)),
                None => Err(PortError::fatal("a request with this id exists already")),
            },
        }
    }

    async fn load(&self, id: &RequestId) -> Result<Option<Stored>, PortError> {
        let key = self.keys.value(id.as_str());
        let fields: (Option<u64>, Option<String>) =
            self.ask_redis(redis::cmd("HMGET").arg(key).arg("version").arg("value")).await?;
        let (Some(version), Some(value)) = fields else { return Ok(None) };
        let kept: Kept = serde_json::from_str(&value).map_err(fault::unreadable)?;
        Ok(Some(Stored { request: kept.request, version: Version(version) }))
    }

    async fn commit(&self, expected: Version, commit: Commit) -> Result<Version, CommitError> {
        match self.write(&mut self.change(&commit, expected).await?).await? {
            Outcome::Done => Ok(expected.next()),
            Outcome::Contended => Err(write::contended().into()),
            Outcome::Held(Kind::Delivery, _) => Err(CommitError::Seen),
            // Another commit of this very request was faster.
            Outcome::Held(_, other) if other == commit.request.id => Err(CommitError::Conflict),
            Outcome::Held(_, other) => Err(CommitError::SubjectBusy(other)),
            Outcome::Conflict | Outcome::TooMany => match self.seen(&commit).await? {
                Some(_) => Err(CommitError::Seen),
                None => Err(CommitError::Conflict),
            },
        }
    }

    async fn due(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Leased>, PortError> {
        self.lease_due(now, worker, lease, most).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, PortError> {
        self.next_row().await
    }

    async fn done(&self, leased: &Leased) -> Result<(), PortError> {
        self.settle(leased, None).await
    }

    async fn again(&self, leased: &Leased, at: Timestamp) -> Result<(), PortError> {
        self.settle(leased, Some(at)).await
    }

    async fn try_pin(&self, code: &CodeHash, now: Timestamp) -> Result<Try, PortError> {
        let place = Place::code(code);
        for pointer in self.pointers(&place, None).await? {
            match self.try_at(&place, &pointer, now).await? {
                Try::Unknown => {}
                known => return Ok(known),
            }
        }
        Ok(Try::Unknown)
    }

    async fn find_code(&self, code: &CodeHash) -> Result<Option<RequestId>, PortError> {
        Ok(self.holders(&Place::code(code), None).await?.pop())
    }

    async fn find_report(&self, token: &TokenHash) -> Result<Option<RequestId>, PortError> {
        Ok(self.holders(&Place::report(token), None).await?.pop())
    }

    async fn open_requests(&self, whom: &Whom) -> Result<Vec<RequestId>, PortError> {
        self.holders(&Place::whom(whom)?, None).await
    }

    async fn requests_since(&self, party: &Party, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.holders(&Place::history(party, since)?, Some(&digits(since))).await
    }

    async fn tickets_since(&self, subject: PersonId, since: Timestamp) -> Result<Vec<RequestId>, PortError> {
        self.holders(&Place::ticket(subject, since), Some(&digits(since))).await
    }

    async fn anchor(&self, ledger: &LedgerName) -> Result<Head, PortError> {
        let mut pipe = redis::pipe();
        for shard in Shard::all() {
            pipe.cmd("HGET").arg(self.keys.meta(shard)).arg(format!("head:{ledger}"));
        }
        let heads: Vec<Option<String>> = self.ask_pipe(&pipe).await?;
        let heads: Result<Vec<Head>, _> =
            heads.iter().flatten().map(|head| serde_json::from_str(head)).collect();
        let newest = heads.map_err(fault::unreadable)?.into_iter().max_by_key(|head| head.seq);
        Ok(newest.unwrap_or_else(|| Head::empty(ledger.clone())))
    }

    async fn delegation(&self, of: PersonId) -> Result<Option<Delegation>, PortError> {
        self.kept(self.keys.delegation(of)).await
    }

    async fn set_delegation(&self, of: PersonId, delegation: Option<Delegation>) -> Result<(), PortError> {
        self.keep(self.keys.delegation(of), delegation).await
    }

    async fn conversation(&self, with: &ChatUser) -> Result<Option<Conversation>, PortError> {
        self.kept(self.keys.conversation(with)).await
    }

    async fn keep_conversation(
        &self,
        with: &ChatUser,
        conversation: Option<Conversation>,
    ) -> Result<(), PortError> {
        self.keep(self.keys.conversation(with), conversation).await
    }

    async fn lockdown(&self) -> Result<Option<Timestamp>, PortError> {
        let since: Option<String> =
            self.ask_redis(redis::cmd("GET").arg(self.keys.global("lockdown"))).await?;
        since.map(|since| since.parse().map_err(|error: jiff::Error| fault::unreadable(error))).transpose()
    }

    async fn set_lockdown(&self, since: Option<Timestamp>) -> Result<(), PortError> {
        let key = self.keys.global("lockdown");
        match since {
            Some(since) => self.ask_redis(redis::cmd("SET").arg(key).arg(since.to_string())).await,
            None => self.ask_redis(redis::cmd("DEL").arg(key)).await,
        }
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, PortError> {
        let before = digits(before);
        let mut forgotten = 0;
        for shard in Shard::all() {
            forgotten += self.forget_in(shard, &before).await?;
            self.tidy(shard).await?;
        }
        Ok(forgotten)
    }
}
