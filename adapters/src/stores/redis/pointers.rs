//! Who may write which pointer, what stands behind one, and who removes it? (The reasoning is at the head of `keys.rs`.)

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use tapdesk_core::ids::RequestId;
use tapdesk_core::ports::PortError;

use super::keys::{self, Place, digits};
use super::{Redis, fault, scripts};

/// After this long a plan counts as forgotten by its process: longer than a commit may take with every time limit.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often, and how far apart, a place is asked for that another commit is about to take.
const WAITS: (u32, Duration) = (50, Duration::from_millis(10));

/// At most so many requests of one requester that were opened after that many nanoseconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Cap {
    pub(super) most: u32,
    pub(super) after: i128,
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
    /// From the rest of a script's answer.
    pub(super) fn of(mut answer: impl Iterator<Item = String>) -> Option<Self> {
        answer.next().map(|name| Self { name, entries: answer.collect() })
    }
}

impl Redis {
    /// Writes the plan's pointer at a place that several requests may hold.
    pub(super) async fn enter(&self, id: &RequestId, place: &Place, plan: &str) -> Result<(), PortError> {
        let mut command = redis::cmd("ZADD");
        command.arg(self.keys.pointer(place)).arg(0).arg(place.pointer(id.as_str(), plan));
        self.ask_redis(&command).await
    }

    /// Takes a place that belongs to one request only; says what stood in the way last: nothing that lives, if it was
    /// taken.
    pub(super) async fn claim(
        &self,
        id: &RequestId,
        place: &Place,
        plan: &str,
    ) -> Result<Standing, PortError> {
        let (pointer, mine) = ([self.keys.pointer(place)], place.pointer(id.as_str(), plan));
        let mut dead = String::new();
        for _ in 0..WAITS.0 {
            let other: String = self.run(&scripts::CLAIM, &pointer, &[&mine, &dead]).await?;
            if other.is_empty() {
                return Ok(Standing::Dead);
            }
            match self.standing(place, &other).await? {
                Standing::Held(holder) => return Ok(Standing::Held(holder)),
                Standing::Dead => dead = other,
                Standing::Pending => tokio::time::sleep(WAITS.1).await,
            }
        }
        Ok(Standing::Pending)
    }

    /// Takes a place under the requester's cap; or says that there is none left.
    pub(super) async fn ask(
        &self,
        id: &RequestId,
        cap: Cap,
        place: &Place,
        plan: &str,
    ) -> Result<bool, PortError> {
        let earliest = Timestamp::from_nanosecond(cap.after.saturating_add(1)).unwrap_or(Timestamp::MIN);
        let (from, most) = (format!("[{}", digits(earliest)), cap.most.to_string());
        let mine = place.pointer(id.as_str(), plan);
        let pointers = [self.keys.pointer(place)];
        loop {
            let others: Vec<String> = self.run(&scripts::ASK, &pointers, &[&mine, &from, &most]).await?;
            if others.is_empty() {
                return Ok(true);
            }
            // Only what a crash left is no reason to refuse.
            let checks =
                others.iter().filter(|other| !other.is_empty()).map(|other| self.is_dead(place, other));
            if !try_join_all(checks).await?.contains(&true) {
                return Ok(false);
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
