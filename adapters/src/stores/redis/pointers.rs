//! Who may write which pointer, what stands behind one, and who removes it? (The reasoning is at the head of `keys.rs`.)

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use redis::{Cmd, FromRedisValue, Pipeline, Value};
use tapdesk_core::ids::RequestId;
use tapdesk_core::ports::PortError;

use super::keys::{self, Kind, Place};
use super::write::{Outcome, Write};
use super::{Redis, fault, scripts};

/// After this long a plan counts as forgotten by its process: longer than a commit may take with every time limit.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often, and how far apart, a place is asked for that another commit is about to take.
const WAITS: (u32, Duration) = (50, Duration::from_millis(10));

/// At most so many requests of one requester within the window.
pub(super) struct Cap {
    pub(super) most: u32,
    /// In microseconds.
    pub(super) window: u128,
    pub(super) shift: String,
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

/// Places that a request holds no longer: a name, and per place the plan that its pointer was written by.
pub(super) struct Litter {
    name: String,
    entries: Vec<String>,
}

impl Litter {
    pub(super) fn new(name: String, entries: Vec<String>) -> Self {
        Self { name, entries }
    }

    /// From the rest of a script's answer.
    pub(super) fn of(mut answer: impl Iterator<Item = String>) -> Option<Self> {
        answer.next().map(|name| Self { name, entries: answer.collect() })
    }
}

impl Redis {
    /// A first try at every place that needs no other to be taken before, all in one message: the first claim, the place
    /// under the cap, and those that many may hold.
    pub(super) fn knocks(&self, write: &Write, missing: &[String]) -> Pipeline {
        let stamp = write.stamp();
        let wanted = write.named(missing);
        let mut knocks = redis::pipe();
        if let Some(place) = wanted.clone().find(|place| place.kind.is_claimed()) {
            knocks.add_command(self.claim_call(&write.id, place, stamp, ""));
        }
        if let Some((place, cap)) = write.counted(missing) {
            knocks.add_command(self.ask_call(&write.id, cap, place, stamp));
        }
        for place in wanted.filter(|place| !place.kind.is_claimed() && place.kind != Kind::Asked) {
            knocks.add_command(self.enter_call(&write.id, place, stamp));
        }
        knocks
    }

    /// Goes on from the answers to the knocks until all places are pointed from; says so where one is not to be had.
    pub(super) async fn point(
        &self,
        write: &Write,
        missing: &[String],
        answers: Vec<Value>,
    ) -> Result<Option<Outcome>, PortError> {
        let (id, stamp) = (&write.id, write.stamp());
        let mut answers = answers.into_iter();
        let mut claims = write.named(missing).filter(|place| place.kind.is_claimed());
        let mut asked = write.counted(missing).map(|(place, cap)| (place, cap, None));
        if let Some(place) = claims.next() {
            let other: String = next(&mut answers)?;
            if let Some((_, _, others)) = &mut asked {
                *others = Some(next::<Vec<String>>(&mut answers)?);
            }
            if !other.is_empty() {
                // Nobody waits for a delivery while counting towards a cap.
                if let Some((place, _, others)) = &mut asked {
                    self.release(place, &place.pointer(id.as_str(), stamp)).await?;
                    *others = None;
                }
                if let Some(refused) = self.claim(id, place, stamp, Some(other)).await? {
                    return Ok(Some(refused));
                }
            }
        }
        if let Some((place, cap, others)) = asked
            && let Some(refused) = self.ask(id, cap, place, stamp, others).await?
        {
            return Ok(Some(refused));
        }
        for place in claims {
            if let Some(refused) = self.claim(id, place, stamp, None).await? {
                return Ok(Some(refused));
            }
        }
        Ok(None)
    }

    /// Writes the plan's pointer at a place that several requests may hold.
    fn enter_call(&self, id: &RequestId, place: &Place, plan: &str) -> Cmd {
        let mut command = redis::cmd("ZADD");
        command.arg(self.keys.pointer(place)).arg(0).arg(place.pointer(id.as_str(), plan));
        command
    }

    fn claim_call(&self, id: &RequestId, place: &Place, plan: &str, dead: &str) -> Cmd {
        let mine = place.pointer(id.as_str(), plan);
        scripts::call(&scripts::CLAIM, &[self.keys.pointer(place)], &[&mine, dead])
    }

    fn ask_call(&self, id: &RequestId, cap: &Cap, place: &Place, plan: &str) -> Cmd {
        let mine = place.pointer(id.as_str(), plan);
        let (window, most) = (cap.window.to_string(), cap.most.to_string());
        scripts::call(&scripts::ASK, &[self.keys.pointer(place)], &[&mine, &cap.shift, &window, &most])
    }

    /// Takes a place that belongs to one request only, going on from what the first try met; says so where it is not to
    /// be had.
    async fn claim(
        &self,
        id: &RequestId,
        place: &Place,
        plan: &str,
        mut other: Option<String>,
    ) -> Result<Option<Outcome>, PortError> {
        let mut dead = String::new();
        for _ in 0..WAITS.0 {
            let other = match other.take() {
                Some(other) => other,
                None => self.answer(&self.claim_call(id, place, plan, &dead)).await?,
            };
            if other.is_empty() {
                return Ok(None);
            }
            match self.standing(place, &other).await? {
                Standing::Held(holder) => return Ok(Some(Outcome::Held(place.kind, holder))),
                Standing::Dead => dead = other,
                Standing::Pending => tokio::time::sleep(WAITS.1).await,
            }
        }
        Ok(Some(Outcome::Contended))
    }

    /// Takes a place under the requester's cap, going on from whom the first try met; or says that there is none left.
    async fn ask(
        &self,
        id: &RequestId,
        cap: &Cap,
        place: &Place,
        plan: &str,
        mut others: Option<Vec<String>>,
    ) -> Result<Option<Outcome>, PortError> {
        for _ in 0..WAITS.0 {
            let others = match others.take() {
                Some(others) => others,
                None => self.answer(&self.ask_call(id, cap, place, plan)).await?,
            };
            if others.is_empty() {
                return Ok(None);
            }
            // Only what a crash left, or is about to fail, is no reason to refuse.
            let checks = others.iter().filter(|other| !other.is_empty());
            let standings = try_join_all(checks.map(|other| self.standing(place, other))).await?;
            if standings.contains(&Standing::Dead) {
                continue;
            }
            if !standings.contains(&Standing::Pending) {
                return Ok(Some(Outcome::TooMany));
            }
            tokio::time::sleep(WAITS.1).await;
        }
        Ok(Some(Outcome::Contended))
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

fn next<T: FromRedisValue>(answers: &mut impl Iterator<Item = Value>) -> Result<T, PortError> {
    let answer = answers.next().ok_or_else(|| fault::unreadable("too few answers"))?;
    T::from_redis_value(answer).map_err(fault::unreadable)
}
