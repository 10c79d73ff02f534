//! Who performs due tasks, and when?
//!
//! `tick` is one round; `run` repeats it, woken by the desk or by time. Tasks of one request are performed one
//! after the other, so that people read messages in the order in which things happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use metrics::counter;
use tapdesk_core::desk::Desk;
use tapdesk_core::ids::{RequestId, WorkerId};
use tapdesk_core::ports::{Clock, Leased, PortError};
use tokio::sync::{Notify, watch};

use crate::scrub::Scrubbed;

/// Tasks of one round.
const ROUND: usize = 64;
/// Longest sleep: another process on the same store may have added a task.
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
        let due = self.desk.store().due(self.clock.now(), &self.name, self.lease, ROUND).await?;
        let count = due.len();
        let mut by_request: BTreeMap<RequestId, Vec<Leased>> = BTreeMap::new();
        for leased in due {
            by_request.entry(leased.key.request.clone()).or_default().push(leased);
        }
        let mut working: FuturesUnordered<_> =
            by_request.into_values().map(|tasks| self.perform_all(tasks)).collect();
        while working.next().await.is_some() {}
        Ok(count)
    }

    /// Performs tasks until told to stop; finishes the round in hand.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut tidied_at = None;
        while !*stop.borrow() {
            let now = self.clock.now();
            if tidied_at.is_none_or(|at| now.duration_since(at).unsigned_abs() >= HOUSEKEEPING) {
                self.tidy().await;
                tidied_at = Some(now);
            }
            let pause = match self.tick().await {
                Ok(0) => self.until_next().await,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "due tasks could not be read");
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.bell.notified() => {}
                _ = stop.changed() => {}
            }
        }
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

    async fn perform_all(&self, tasks: Vec<Leased>) {
        for leased in tasks {
            let (task, request) = (leased.task.name(), leased.key.request.clone());
            counter!("tapdesk_tasks_total", "task" => task).increment(1);
            if leased.leased_before > 0 {
                counter!("tapdesk_tasks_repeated_total", "task" => task).increment(1);
                tracing::warn!(request.id = %request, task, "a task is repeated: its last performer did not settle it");
            }
            match tokio::time::timeout(self.task_limit(), Scrubbed::new(self.desk.perform(leased))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(request.id = %request, task, error = &error as &dyn std::error::Error, "a task could not be settled");
                }
                Err(_) => {
                    tracing::error!(request.id = %request, task, "a task took too long and will come again");
                }
            }
        }
    }

    /// A task that takes longer is given up and comes again. Shorter than the lease, so that no task is performed
    /// twice at once.
    fn task_limit(&self) -> Duration {
        self.lease * 8 / 9
    }

    async fn until_next(&self) -> Duration {
        let next = self.desk.store().next_due().await.ok().flatten();
        let wait = next.map(|at| Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default());
        wait.unwrap_or(LONGEST_SLEEP).clamp(Duration::from_millis(10), LONGEST_SLEEP)
    }
}
