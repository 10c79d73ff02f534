//! How does a commit come about over several shards? (The reasoning is at the head of `keys.rs`.)

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tapdesk_core::ids::{RequestId, Version};
use tapdesk_core::ports::{Commit, PortError, RequesterCap};
use tapdesk_core::request::Request;
use tapdesk_core::task::Task;

use super::keys::{self, Kind, Place, digits};
use super::{Redis, fault, scripts};

/// After this long a plan counts as forgotten by its process: longer than a commit may take with every time limit.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often, and how far apart, a place is asked for that another commit is about to take.
const WAITS: (u32, Duration) = (50, Duration::from_millis(10));

/// A request in its envelope.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// Layout of this value.
    v: u32,
    pub(super) request: Request,
}

/// A task in its envelope.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptTask {
    /// Layout of this value.
    v: u32,
    pub(super) task: Task,
}

/// Row of a task: when it wakes, when it is due, how often it was leased, by whom last, and the task as JSON.
pub(super) type Row = (String, String, u32, String, String);

/// A commit on its way, in the words of the script.
pub(super) struct Write {
    id: RequestId,
    places: Vec<Place>,
    cap: Option<Cap>,
    args: Args,
}

struct Args {
    expected: String,
    version: String,
    stamp: String,
    value: String,
    opened: String,
    closed: String,
    fresh: &'static str,
    head_number: String,
    head: String,
    places: String,
    rows: String,
    channel: String,
    delivery: String,
}

#[derive(Clone, Copy)]
struct Cap {
    most: u32,
    after: i128,
}

/// What became of it.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Done,
    /// The request has another version, or is not there, or is there already.
    Conflict,
    /// A place that belongs to one request only is held by this one.
    Held(Kind, RequestId),
    TooMany,
}

enum Put {
    Done(Option<Litter>),
    Seen,
    Conflict,
    Void,
    Planned { plan: String, missing: Vec<String> },
}

/// Places that a request holds no longer: a name, and per place the plan that its pointer was written by.
pub(super) struct Litter {
    name: String,
    entries: Vec<String>,
}

impl Litter {
    /// From the rest of a script's answer.
    pub(super) fn of(mut answer: impl Iterator<Item = String>) -> Option<Self> {
        answer.next().map(|name| Self { name, entries: answer.collect() })
    }
}

impl Redis {
    /// The write that opens the commit's request.
    pub(super) fn opening(
        &self,
        commit: &Commit,
        cap: RequesterCap,
        now: Timestamp,
    ) -> Result<Write, PortError> {
        let mut places = keys::places(commit)?;
        places.push(keys::asked(commit, now)?);
        let window = i128::try_from(cap.window.as_nanos()).unwrap_or(i128::MAX);
        let after = now.as_nanosecond().saturating_sub(window);
        let mut args = self.args(commit, 0, Version::FIRST, &places)?;
        args.opened = digits(now);
        Ok(Write { id: commit.request.id.clone(), places, cap: Some(Cap { most: cap.most, after }), args })
    }

    /// The write that changes the commit's request.
    pub(super) fn change(&self, commit: &Commit, expected: Version) -> Result<Write, PortError> {
        let places = keys::places(commit)?;
        let args = self.args(commit, expected.0, expected.next(), &places)?;
        Ok(Write { id: commit.request.id.clone(), places, cap: None, args })
    }

    fn args(
        &self,
        commit: &Commit,
        expected: u64,
        version: Version,
        places: &[Place],
    ) -> Result<Args, PortError> {
        let json = |value: Result<String, serde_json::Error>| value.map_err(fault::unwritable);
        let mut rows = Vec::with_capacity(commit.tasks.len());
        for (place, new) in (0..).zip(&commit.tasks) {
            let due = digits(new.due);
            let task = json(serde_json::to_string(&KeptTask { v: 1, task: new.task.clone() }))?;
            let row: Row = (due.clone(), due.clone(), 0, String::new(), task);
            rows.push((row_name(version, place), due, json(serde_json::to_string(&row))?));
        }
        let names: Vec<_> = places.iter().map(Place::name).collect();
        Ok(Args {
            expected: expected.to_string(),
            version: version.0.to_string(),
            stamp: self.stamp(),
            value: json(serde_json::to_string(&Kept { v: 1, request: commit.request.clone() }))?,
            opened: String::new(),
            closed: commit.request.closed_at().map(digits).unwrap_or_default(),
            fresh: if commit.fresh_tries { "1" } else { "0" },
            head_number: format!("{:020}", commit.head.seq),
            head: json(serde_json::to_string(&commit.head))?,
            places: json(serde_json::to_string(&names))?,
            rows: json(serde_json::to_string(&rows))?,
            channel: self.keys.channel(),
            delivery: commit
                .delivery
                .as_ref()
                .map(|delivery| Place::delivery(delivery).name())
                .unwrap_or_default(),
        })
    }

    /// Carries the write out, or leaves nothing of it.
    pub(super) async fn write(&self, write: &Write) -> Result<Outcome, PortError> {
        let (plan, missing) = match self.put(write, "").await? {
            Put::Planned { plan, missing } => (plan, missing),
            Put::Done(litter) => return Ok(self.finish(write, litter).await),
            Put::Seen => return Ok(Outcome::Held(Kind::Delivery, write.id.clone())),
            Put::Conflict => return Ok(Outcome::Conflict),
            Put::Void => return Err(void()),
        };
        let outcome = match self.point(write, &plan, &missing).await? {
            Some(refused) => refused,
            None => match self.put(write, &plan).await? {
                Put::Done(litter) => return Ok(self.finish(write, litter).await),
                Put::Seen => Outcome::Held(Kind::Delivery, write.id.clone()),
                Put::Conflict => Outcome::Conflict,
                Put::Void | Put::Planned { .. } => return Err(void()),
            },
        };
        if let Err(error) = self.abandon(&write.id, &plan).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what a refused commit planned stays for later"
            );
        }
        Ok(outcome)
    }

    async fn finish(&self, write: &Write, litter: Option<Litter>) -> Outcome {
        // The commit stands; pointers that nobody cleans up now are found by `forget`.
        if let Some(litter) = litter
            && let Err(error) = self.sweep(&write.id, &litter).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "pointers of a request stay for later");
        }
        Outcome::Done
    }

    /// The script is asked once more when its answer did not come: the stamp tells it whether it ran.
    async fn put(&self, write: &Write, plan: &str) -> Result<Put, PortError> {
        let Args {
            expected,
            version,
            stamp,
            value,
            opened,
            closed,
            fresh,
            head_number,
            head,
            places,
            rows,
            channel,
            delivery,
        } = &write.args;
        let args = [
            write.id.as_str(),
            expected,
            version,
            plan,
            stamp,
            value,
            opened,
            closed,
            fresh,
            head_number,
            head,
            places,
            rows,
            channel,
            delivery,
        ];
        let keys = self.keys.request(write.id.as_str());
        let answer: Vec<String> = match self.try_run(&scripts::PUT, &keys, &args).await {
            Err(error) if fault::is_unknown(&error) => self.run(&scripts::PUT, &keys, &args).await?,
            other => other.map_err(|error| fault::port_error(&error))?,
        };
        let mut answer = answer.into_iter();
        match (answer.next().as_deref(), answer) {
            (Some("done"), rest) => Ok(Put::Done(Litter::of(rest))),
            (Some("seen"), _) => Ok(Put::Seen),
            (Some("conflict"), _) => Ok(Put::Conflict),
            (Some("void"), _) => Ok(Put::Void),
            (Some("plan"), mut rest) => match rest.next() {
                Some(plan) => Ok(Put::Planned { plan, missing: rest.collect() }),
                None => Err(fault::unreadable("a plan without a name")),
            },
            (_, _) => Err(fault::unreadable("the answer to a commit")),
        }
    }

    /// Writes the pointers of a plan; says so where one of its places is not to be had.
    async fn point(
        &self,
        write: &Write,
        plan: &str,
        missing: &[String],
    ) -> Result<Option<Outcome>, PortError> {
        let wanted: Vec<_> = write.places.iter().filter(|place| missing.contains(&place.name())).collect();
        for kind in [Kind::Delivery, Kind::Asked, Kind::Subject] {
            for place in wanted.iter().filter(|place| place.kind == kind) {
                let refused = match kind {
                    Kind::Asked => self.ask(write, place, plan).await?,
                    _ => self.claim(&write.id, place, plan).await?.map(|other| Outcome::Held(kind, other)),
                };
                if refused.is_some() {
                    return Ok(refused);
                }
            }
        }
        let rest = wanted.into_iter().filter(|place| !place.kind.is_claimed() && place.kind != Kind::Asked);
        try_join_all(rest.map(|place| self.enter(&write.id, place, plan))).await?;
        Ok(None)
    }

    async fn enter(&self, id: &RequestId, place: &Place, plan: &str) -> Result<(), PortError> {
        let mut command = redis::cmd("ZADD");
        command.arg(self.keys.pointer(place)).arg(0).arg(place.pointer(id.as_str(), plan));
        self.ask_redis(&command).await
    }

    /// Takes a place that belongs to one request only; or says which one holds it.
    async fn claim(&self, id: &RequestId, place: &Place, plan: &str) -> Result<Option<RequestId>, PortError> {
        let (pointer, mine) = ([self.keys.pointer(place)], place.pointer(id.as_str(), plan));
        let mut dead = String::new();
        for _ in 0..WAITS.0 {
            let other: String = self.run(&scripts::CLAIM, &pointer, &[&mine, &dead]).await?;
            if other.is_empty() {
                return Ok(None);
            }
            match self.standing(place, &other).await? {
                Standing::Held(holder) => return Ok(Some(holder)),
                Standing::Dead => dead = other,
                Standing::Pending => tokio::time::sleep(WAITS.1).await,
            }
        }
        Err(PortError::retry("another commit is about to take the same place").after(Some(PATIENCE)))
    }

    /// Takes a place under the requester's cap.
    async fn ask(&self, write: &Write, place: &Place, plan: &str) -> Result<Option<Outcome>, PortError> {
        let Some(cap) = write.cap else { return Ok(None) };
        let earliest = Timestamp::from_nanosecond(cap.after.saturating_add(1)).unwrap_or(Timestamp::MIN);
        let (from, most) = (format!("[{}", digits(earliest)), cap.most.to_string());
        let mine = place.pointer(write.id.as_str(), plan);
        let pointers = [self.keys.pointer(place)];
        loop {
            let others: Vec<String> = self.run(&scripts::ASK, &pointers, &[&mine, &from, &most]).await?;
            if others.is_empty() {
                return Ok(None);
            }
            // Only what a crash left is no reason to refuse.
            let checks =
                others.iter().filter(|other| !other.is_empty()).map(|other| self.is_dead(place, other));
            if !try_join_all(checks).await?.contains(&true) {
                return Ok(Some(Outcome::TooMany));
            }
        }
    }

    async fn is_dead(&self, place: &Place, pointer: &str) -> Result<bool, PortError> {
        Ok(self.standing(&place.at_time_of(pointer), pointer).await? == Standing::Dead)
    }

    /// What stands behind a pointer. One that is dead is removed, unless it is a claim, which is replaced.
    pub(super) async fn standing(&self, place: &Place, pointer: &str) -> Result<Standing, PortError> {
        let (id, plan) = keys::read_pointer(pointer).ok_or_else(|| fault::unreadable("a pointer"))?;
        let keys = self.keys.request(id.as_str());
        let patience = self.patience.as_secs().to_string();
        let args = [id.as_str(), &place.name(), plan, &patience];
        let answer: String = self.run(&scripts::ALIVE, &keys[..3], &args).await?;
        Ok(match answer.as_str() {
            "held" => Standing::Held(id),
            "pending" => Standing::Pending,
            _ => {
                if !place.kind.is_claimed() {
                    self.release(place, pointer).await?;
                }
                Standing::Dead
            }
        })
    }

    async fn release(&self, place: &Place, pointer: &str) -> Result<(), PortError> {
        let kind = if place.kind.is_claimed() { "claim" } else { "entry" };
        self.run::<u32>(&scripts::RELEASE, &[self.keys.pointer(place)], &[pointer, kind]).await?;
        Ok(())
    }

    /// Makes a plan void and removes its pointers.
    pub(super) async fn abandon(&self, id: &RequestId, plan: &str) -> Result<(), PortError> {
        let keys = self.keys.request(id.as_str());
        let entries: Vec<String> = self.run(&scripts::ABANDON, &keys[1..2], &[plan]).await?;
        self.sweep(id, &Litter { name: plan.to_owned(), entries }).await
    }

    /// Removes the pointers of litter, then the litter.
    pub(super) async fn sweep(&self, id: &RequestId, litter: &Litter) -> Result<(), PortError> {
        let removals = litter.entries.iter().filter_map(|entry| {
            let (name, plan) = entry.split_once(' ')?;
            let place = Place::parse(name)?;
            Some(async move { self.release(&place, &place.pointer(id.as_str(), plan)).await })
        });
        for removal in join_all(removals).await {
            removal?;
        }
        let keys = self.keys.request(id.as_str());
        self.run::<u32>(&scripts::SWEPT, &keys[1..3], &[id.as_str(), &litter.name]).await?;
        Ok(())
    }

    /// Cleans up after processes that died; returns how many pieces of litter that were.
    pub(super) async fn tidy(&self, shard: keys::Shard) -> Result<usize, PortError> {
        let patience = self.patience.as_secs().to_string();
        let stale: Vec<String> = self.run(&scripts::STALE, &[self.keys.litters(shard)], &[&patience]).await?;
        for litter in &stale {
            let (id, name) = keys::read_pointer(litter).ok_or_else(|| fault::unreadable("litter"))?;
            self.abandon(&id, name).await?;
        }
        Ok(stale.len())
    }
}

#[cfg(test)]
impl Redis {
    /// Everything of a write but its commit; returns the plan.
    pub(super) async fn crash_before_commit(&self, write: &Write) -> String {
        let Ok(Put::Planned { plan, missing }) = self.put(write, "").await else { panic!("nothing to plan") };
        assert_eq!(self.point(write, &plan, &missing).await.unwrap(), None);
        plan
    }

    /// Whether the commit of an earlier plan succeeds.
    pub(super) async fn commit_planned(&self, write: &Write, plan: &str) -> bool {
        matches!(self.put(write, plan).await, Ok(Put::Done(_)))
    }
}

/// What stands behind a pointer.
#[derive(Debug, PartialEq)]
pub(super) enum Standing {
    /// The request holds the place.
    Held(RequestId),
    /// A commit is under way that may make it hold the place.
    Pending,
    /// Nothing, for ever.
    Dead,
}

/// The name of a task's row: sorts as version and place do.
pub(super) fn row_name(version: Version, place: u16) -> String {
    format!("{:020}:{place:05}", version.0)
}

fn void() -> PortError {
    PortError::retry("the commit took so long that another process gave it up")
}
