//! Who performs due tasks, and when?
//!
//! `run` looks for due tasks, woken by the desk, by another replica or by time, and does not wait for one task before it
//! takes the next; `tick` is one round that does. Tasks of one request are performed one after the other, so that people
//! read messages in the order in which things happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use metrics::counter;
use tapdesk_core::desk::Desk;
use tapdesk_core::ids::{RequestId, WorkerId};
use tapdesk_core::ports::{Clock, Leased, PortError};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::scrub::Scrubbed;

/// Most tasks in hand at a time.
const HANDS: usize = 64;
/// Fewest: more than a few slow tasks, which would hold up all others.
const FEWEST_HANDS: usize = 4;
/// Longest sleep: another replica may have added a task and died before it could say so.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How often closed requests are forgotten.
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// The performer of due tasks.
pub struct Worker {
    /// The desk that knows how.
    pub desk: Arc<Desk>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// This process.
    pub name: WorkerId,
    /// Rung when there may be a new task.
    pub bell: Arc<Notify>,
    /// How long a task is this worker's; a dead worker's tasks come again then.
    pub lease: Duration,
    /// How long closed requests are kept.
    pub keep_closed: Duration,
}

impl Worker {
    /// Performs what is due now; returns how many tasks that were.
    pub async fn tick(&self) -> Result<usize, PortError> {
        let until = self.limit();
        let round = self.take(HANDS).await?;
        let count = round.values().map(Vec::len).sum();
        let mut working: FuturesUnordered<_> =
            round.into_values().map(|tasks| self.perform_all(tasks, until)).collect();
        while working.next().await.is_some() {}
        Ok(count)
    }

    /// Performs tasks until told to stop; finishes those in hand.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let worker = Arc::new(self);
        let (mut working, mut queue, mut hands) = (JoinSet::new(), Queue::default(), Hands::default());
        let mut tidied_at = None;
        while !*stop.borrow() {
            let now = worker.clock.now();
            if tidied_at.is_none_or(|at| now.duration_since(at).unsigned_abs() >= HOUSEKEEPING) {
                worker.tidy().await;
                tidied_at = Some(now);
            }
            while let Some(ended) = working.try_join_next() {
                hands.learn(ended.ok());
            }
            if working.len() >= hands.count {
                let ended = working.join_next().await;
                hands.learn(ended.and_then(Result::ok));
                continue;
            }
            // Taken before the lease begins, so that it ends before the lease does.
            let until = worker.limit();
            let pause = match worker.take(hands.count - working.len()).await {
                Ok(round) if round.is_empty() => worker.until_next().await,
                Ok(round) => {
                    for (request, tasks) in round {
                        let turn = queue.turn(&request);
                        let worker = Arc::clone(&worker);
                        working.spawn(turn.then(async move { worker.perform_all(tasks, until).await }));
                    }
                    continue;
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "due tasks could not be read");
                    LONGEST_SLEEP
                }
            };
            let woken = tokio::select! {
                () = tokio::time::sleep(pause) => "time",
                () = worker.bell.notified() => "bell",
                _ = stop.changed() => "stop",
            };
            counter!("tapdesk_worker_woken_total", "by" => woken).increment(1);
        }
        while working.join_next().await.is_some() {}
    }

    /// Says where the ledger stands, and forgets requests that closed long ago.
    pub async fn tidy(&self) {
        let head = self.desk.ledger_head();
        tracing::info!(ledger.lines = head.seq, ledger.head = head.hash, "the ledger stands here");
        let before = self.clock.now().saturating_sub(self.keep_closed).unwrap_or(jiff::Timestamp::MIN);
        match self.desk.store().forget(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "closed requests were forgotten"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "closed requests could not be forgotten"
            ),
        }
    }

    /// Leases due tasks.
    async fn take(&self, most: usize) -> Result<BTreeMap<RequestId, Vec<Leased>>, PortError> {
        let due = self.desk.store().due(self.clock.now(), &self.name, self.lease, most).await?;
        let mut by_request: BTreeMap<RequestId, Vec<Leased>> = BTreeMap::new();
        for leased in due {
            by_request.entry(leased.key.request.clone()).or_default().push(leased);
        }
        Ok(by_request)
    }

    /// Performs tasks of one request that were leased together. What their time does not suffice for is given up or not
    /// begun, and comes again; says whether it sufficed.
    async fn perform_all(&self, tasks: Vec<Leased>, until: Instant) -> InTime {
        let mut in_time = InTime(true);
        for leased in tasks {
            if Instant::now() >= until {
                self.give_back(&leased).await;
            } else {
                in_time = self.perform(leased, until).await;
            }
        }
        in_time
    }

    async fn perform(&self, leased: Leased, until: Instant) -> InTime {
        let (task, request) = (leased.task.name(), leased.key.request.clone());
        counter!("tapdesk_tasks_total", "task" => task).increment(1);
        if let Some(holder) = &leased.left_by {
            counter!("tapdesk_tasks_repeated_total", "task" => task).increment(1);
            tracing::warn!(request.id = %request, task, left_by = %holder, "a task is repeated: its last performer did not settle it");
        }
        let settled = timeout_at(until, Scrubbed::new(self.desk.perform(leased))).await;
        let in_time = InTime(settled.is_ok());
        match settled {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(request.id = %request, task, error = &error as &dyn std::error::Error, "a task could not be settled");
            }
            Err(_) => {
                tracing::error!(request.id = %request, task, "a task took too long and will come again");
            }
        }
        in_time
    }

    async fn give_back(&self, leased: &Leased) {
        if let Err(error) = self.desk.store().again(leased, self.clock.now()).await {
            tracing::warn!(
                request.id = %leased.key.request,
                task = leased.task.name(),
                error = &error as &dyn std::error::Error,
                "a task waits until its lease is over"
            );
        }
    }

    /// When tasks that are leased now have to be settled: before their lease ends, so that no task is performed twice at
    /// once.
    fn limit(&self) -> Instant {
        Instant::now() + self.lease * 8 / 9
    }

    async fn until_next(&self) -> Duration {
        let next = self.desk.store().next_due().await.ok().flatten();
        let wait = next.map(|at| Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default());
        wait.unwrap_or(LONGEST_SLEEP).clamp(Duration::from_millis(10), LONGEST_SLEEP)
    }
}

/// Whether a lease sufficed.
#[derive(Clone, Copy)]
struct InTime(bool);

/// How many tasks to have in hand. Where leases do not suffice, everything in hand is begun again later and slows down
/// the rest once more: with fewer, some of it gets done. So it is halved at once and grows again by one each time that so
/// many turns in a row went well: short tasks, of which there are many, prove nothing for the long ones.
struct Hands {
    count: usize,
    well: usize,
}

impl Default for Hands {
    fn default() -> Self {
        Self { count: HANDS, well: 0 }
    }
}

impl Hands {
    /// Learns how a turn went; nothing from one that panicked.
    fn learn(&mut self, turn: Option<InTime>) {
        match turn {
            Some(InTime(true)) => self.well += 1,
            Some(InTime(false)) => *self = Self { count: (self.count / 2).max(FEWEST_HANDS), well: 0 },
            None => {}
        }
        if self.well >= self.count {
            *self = Self { count: (self.count + 1).min(HANDS), well: 0 };
        }
    }
}

/// Who works on a request last: whoever takes more of its tasks comes after them.
#[derive(Default)]
struct Queue(BTreeMap<RequestId, oneshot::Receiver<()>>);

/// A place in the queue of one request.
struct Turn {
    before: Option<oneshot::Receiver<()>>,
    after: oneshot::Sender<()>,
}

impl Queue {
    fn turn(&mut self, request: &RequestId) -> Turn {
        self.0.retain(|_, last| last.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        let (after, last) = oneshot::channel();
        Turn { before: self.0.insert(request.clone(), last), after }
    }
}

impl Turn {
    /// Does that when everybody before has finished; nothing is sent, a turn is over when its sender is gone.
    async fn then<T>(self, work: impl Future<Output = T>) -> T {
        let Self { before, after } = self;
        if let Some(before) = before {
            let _ = before.await;
        }
        let done = work.await;
        drop(after);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_leases_do_not_suffice_less_is_begun_until_they_do() {
        let mut hands = Hands::default();
        let mut count = |turns: usize, in_time: bool| {
            (0..turns).for_each(|_| hands.learn(Some(InTime(in_time))));
            hands.count
        };
        assert_eq!(count(HANDS, true), HANDS);
        assert_eq!(count(1, false), HANDS / 2);
        assert_eq!(count(HANDS, false), FEWEST_HANDS);
        assert_eq!(count(FEWEST_HANDS - 1, true), FEWEST_HANDS);
        assert_eq!(count(1, true), FEWEST_HANDS + 1);
        assert_eq!(count(FEWEST_HANDS + 1, true), FEWEST_HANDS + 2);
        assert_eq!(count(HANDS * HANDS, true), HANDS);
    }
}
