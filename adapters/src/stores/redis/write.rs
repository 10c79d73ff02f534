//! How does a commit come about over several shards? (The reasoning is at the head of `keys.rs`.)

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tapdesk_core::ids::{RequestId, Version};
use tapdesk_core::ports::{Commit, PortError, RequesterCap};
use tapdesk_core::request::Request;
use tapdesk_core::task::Task;

use super::keys::{self, Kind, Place, digits};
use super::pointers::{Cap, Litter, PATIENCE, Standing};
use super::{Redis, fault, scripts};

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
    ledger: String,
    places: String,
    rows: String,
    channel: String,
    delivery: String,
}

/// What became of it.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Done,
    /// The request has another version, or is not there, or is there already.
    Conflict,
    /// A place that belongs to one request only is held by this one.
    Held(Kind, RequestId),
    /// Another commit was about to take such a place all the time.
    Contended,
    TooMany,
}

enum Put {
    Done(Option<Litter>),
    Seen,
    Conflict,
    Void,
    Planned { plan: String, missing: Vec<String> },
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
            ledger: commit.head.ledger.to_string(),
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
            ledger,
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
            ledger,
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
                    Kind::Asked => self.ask_within_cap(write, place, plan).await?,
                    _ => match self.claim(&write.id, place, plan).await? {
                        Standing::Dead => None,
                        Standing::Held(other) => Some(Outcome::Held(kind, other)),
                        Standing::Pending => Some(Outcome::Contended),
                    },
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

    async fn ask_within_cap(
        &self,
        write: &Write,
        place: &Place,
        plan: &str,
    ) -> Result<Option<Outcome>, PortError> {
        let Some(cap) = write.cap else { return Ok(None) };
        let has_room = self.ask(&write.id, cap, place, plan).await?;
        Ok(if has_room { None } else { Some(Outcome::TooMany) })
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

/// The name of a task's row: sorts as version and place do.
pub(super) fn row_name(version: Version, place: u16) -> String {
    format!("{:020}:{place:05}", version.0)
}

/// What a caller is told who met others at one place for too long.
pub(super) fn contended() -> PortError {
    PortError::retry("another commit is about to take the same place").after(Some(PATIENCE))
}

fn void() -> PortError {
    PortError::retry("the commit took so long that another process gave it up")
}
