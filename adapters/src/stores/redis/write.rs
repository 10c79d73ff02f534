//! How does a commit come about over several shards? (The reasoning is at the head of `keys.rs`.)

use jiff::{SignedDuration, Timestamp};
use redis::{Cmd, FromRedisValue, Value};
use serde::{Deserialize, Serialize};
use tapdesk_core::ids::{RequestId, Version};
use tapdesk_core::ports::{Commit, PortError, RequesterCap};
use tapdesk_core::request::Request;
use tapdesk_core::task::Task;

use super::clock::by_redis;
use super::keys::{self, Kind, Place, digits};
use super::pointers::{Cap, Litter, PATIENCE};
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

/// Row of a task: when it wakes, when it is due, how often it was leased, who holds it, and the task as JSON.
pub(super) type Row = (String, String, u32, String, String);

/// A commit on its way, in the words of the script.
pub(super) struct Write {
    pub(super) id: RequestId,
    places: Vec<Place>,
    cap: Option<Cap>,
    args: Args,
}

struct Args {
    expected: String,
    version: String,
    stamp: String,
    value: String,
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

/// What the script answered.
enum Put {
    Done(Option<Litter>),
    Seen,
    Conflict,
    Void,
    Planned(Plan),
}

/// Places to point from, planned under the stamp of the write.
pub(super) struct Plan {
    /// The second in which it was made.
    at: String,
    missing: Vec<String>,
}

/// How far the script is to go.
enum Step<'p> {
    /// To the end, if there is nothing to plan.
    First,
    /// As [`Step::First`] of a new request, whose pointers are sent along.
    Ahead,
    Planned(&'p Plan),
}

impl Redis {
    /// The write that opens the commit's request.
    pub(super) async fn opening(
        &self,
        commit: &Commit,
        cap: RequesterCap,
        now: Timestamp,
    ) -> Result<Write, PortError> {
        let mut places = keys::places(commit)?;
        places.push(Place::asked(&commit.request)?);
        let cap = Cap { most: cap.most, window: cap.window.as_micros(), shift: self.machine.shift(now) };
        let args = self.args(commit, 0, Version::FIRST, &places).await?;
        Ok(Write { id: commit.request.id.clone(), places, cap: Some(cap), args })
    }

    /// The write that changes the commit's request.
    pub(super) async fn change(&self, commit: &Commit, expected: Version) -> Result<Write, PortError> {
        let places = keys::places(commit)?;
        let args = self.args(commit, expected.0, expected.next(), &places).await?;
        Ok(Write { id: commit.request.id.clone(), places, cap: None, args })
    }

    async fn args(
        &self,
        commit: &Commit,
        expected: u64,
        version: Version,
        places: &[Place],
    ) -> Result<Args, PortError> {
        let json = |value: Result<String, serde_json::Error>| value.map_err(fault::unwritable);
        let mut rows = Vec::with_capacity(commit.tasks.len());
        let lead = if commit.tasks.is_empty() { SignedDuration::ZERO } else { self.lead().await? };
        for (place, new) in (0..).zip(&commit.tasks) {
            let due = digits(by_redis(new.due, lead));
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
    pub(super) async fn write(&self, write: &mut Write) -> Result<Outcome, PortError> {
        if write.cap.is_some() && self.link.keeps_order() {
            if let Some(outcome) = self.write_ahead(write).await? {
                return Ok(outcome);
            }
            write.args.stamp = self.stamp();
        }
        let plan = match self.put(write, Step::First).await? {
            Put::Planned(plan) => plan,
            other => return self.end(write, other).await,
        };
        let answers = self.ask_all(&self.knocks(write, &plan.missing)).await?;
        self.write_planned(write, &plan, answers).await
    }

    /// Plan and pointers in one message. `None` where that failed and nothing came of it, nor ever will.
    async fn write_ahead(&self, write: &Write) -> Result<Option<Outcome>, PortError> {
        let names: Vec<_> = write.places.iter().map(Place::name).collect();
        let mut message = redis::pipe();
        message.add_command(self.put_call(write, &Step::Ahead));
        for knock in self.knocks(write, &names).cmd_iter() {
            message.add_command(knock.clone());
        }
        let answers = match self.link.send_all(&message).await {
            // Whoever waits for an acknowledgement has no time for another try.
            Err(error) if error.is_timeout() => return Err(fault::port_error(&error)),
            Err(_) => Err(()),
            Ok(answers) => answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(drop),
        };
        let Ok(mut answers) = answers else {
            self.withdraw(write).await;
            return Ok(None);
        };
        match Put::read(answers.remove(0))? {
            Put::Planned(plan) => self.write_planned(write, &plan, answers).await.map(Some),
            other => {
                self.give_up(write).await;
                self.end(write, other).await.map(Some)
            }
        }
    }

    async fn write_planned(
        &self,
        write: &Write,
        plan: &Plan,
        answers: Vec<Value>,
    ) -> Result<Outcome, PortError> {
        let outcome = match self.point(write, &plan.missing, answers).await? {
            Some(refused) => refused,
            None => match self.put(write, Step::Planned(plan)).await? {
                done @ Put::Done(_) => return self.end(write, done).await,
                other => self.end(write, other).await?,
            },
        };
        self.give_up(write).await;
        Ok(outcome)
    }

    async fn end(&self, write: &Write, put: Put) -> Result<Outcome, PortError> {
        match put {
            Put::Done(litter) => Ok(self.finish(write, litter).await),
            Put::Seen => Ok(Outcome::Held(Kind::Delivery, write.id.clone())),
            Put::Conflict => Ok(Outcome::Conflict),
            Put::Void | Put::Planned(_) => {
                Err(PortError::retry("the commit took so long that another process gave it up"))
            }
        }
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

    /// Makes the plan void and removes its pointers; says whether that worked.
    pub(super) async fn give_up(&self, write: &Write) -> bool {
        let given_up = self.abandon(&write.id, &write.args.stamp).await;
        if let Err(error) = &given_up {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "what a refused commit planned stays for later"
            );
        }
        given_up.is_ok()
    }

    /// Gives up what was sent ahead, also where the plan failed and a pointer did not.
    async fn withdraw(&self, write: &Write) {
        if self.give_up(write).await {
            let stamp = &write.args.stamp;
            let entries = write.places.iter().map(|place| format!("{} {stamp}", place.name())).collect();
            self.finish(write, Some(Litter::new(stamp.clone(), entries))).await;
        }
    }

    fn put_call(&self, write: &Write, step: &Step<'_>) -> Cmd {
        let Args {
            expected,
            version,
            stamp,
            value,
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
        let (plan, planned_at, is_ahead) = match step {
            Step::First => ("", "", ""),
            Step::Ahead => ("", "", "1"),
            Step::Planned(plan) => (stamp.as_str(), plan.at.as_str(), ""),
        };
        let args = [
            write.id.as_str(),
            expected,
            version,
            plan,
            stamp,
            value,
            planned_at,
            closed,
            fresh,
            head_number,
            head,
            places,
            rows,
            channel,
            delivery,
            is_ahead,
            ledger,
        ];
        scripts::call(&scripts::PUT, &self.keys.request(write.id.as_str()), &args)
    }

    /// The script is asked once more when its answer did not come: the stamp tells it whether it ran.
    async fn put(&self, write: &Write, step: Step<'_>) -> Result<Put, PortError> {
        let call = self.put_call(write, &step);
        let answer = match self.call(&call).await {
            Err(error) if fault::is_unknown(&error) => self.call(&call).await,
            other => other,
        };
        Put::read(answer.map_err(|error| fault::port_error(&error))?)
    }
}

impl Put {
    fn read(answer: Value) -> Result<Self, PortError> {
        let answer = Vec::<String>::from_redis_value(answer).map_err(fault::unreadable)?;
        let mut answer = answer.into_iter();
        match (answer.next().as_deref(), answer) {
            (Some("done"), rest) => Ok(Self::Done(Litter::of(rest))),
            (Some("seen"), _) => Ok(Self::Seen),
            (Some("conflict"), _) => Ok(Self::Conflict),
            (Some("void"), _) => Ok(Self::Void),
            (Some("plan"), mut rest) => match rest.next() {
                Some(at) => Ok(Self::Planned(Plan { at, missing: rest.collect() })),
                None => Err(fault::unreadable("a plan without a time")),
            },
            (_, _) => Err(fault::unreadable("the answer to a commit")),
        }
    }
}

impl Write {
    /// Names its plan.
    pub(super) fn stamp(&self) -> &str {
        &self.args.stamp
    }

    /// The place under the cap, if it is among these.
    pub(super) fn counted<'w>(&'w self, names: &'w [String]) -> Option<(&'w Place, &'w Cap)> {
        self.named(names).find(|place| place.kind == Kind::Asked).zip(self.cap.as_ref())
    }

    /// The places of these names.
    pub(super) fn named<'w>(&'w self, names: &'w [String]) -> impl Iterator<Item = &'w Place> + Clone {
        self.places.iter().filter(|place| names.contains(&place.name()))
    }
}

#[cfg(test)]
impl Redis {
    /// Everything of a write but its commit.
    pub(super) async fn crash_before_commit(&self, write: &Write) -> Plan {
        let Ok(Put::Planned(plan)) = self.put(write, Step::First).await else { panic!("nothing to plan") };
        let answers = self.ask_all(&self.knocks(write, &plan.missing)).await.unwrap();
        assert_eq!(self.point(write, &plan.missing, answers).await.unwrap(), None);
        plan
    }

    /// Whether the commit of an earlier plan succeeds.
    pub(super) async fn commit_planned(&self, write: &Write, plan: &Plan) -> bool {
        matches!(self.put(write, Step::Planned(plan)).await, Ok(Put::Done(_)))
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
