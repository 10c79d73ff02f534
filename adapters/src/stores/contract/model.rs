//! Does a store answer as a few maps in memory would, whatever is asked in whatever order?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tapdesk_core::delegation::Delegation;
use tapdesk_core::ids::{LedgerName, Version, WorkerId};
use tapdesk_core::ledger::Head;
use tapdesk_core::ports::{
    Commit, CommitError, Leased, Opened, PIN_TRIES, RequesterCap, Store, Stored, TRY_LEASE, TaskKey, Try,
};
use tapdesk_core::request::{Party, Request, Whom};
use tapdesk_core::task::Task;

use super::samples::{
    account, at, awaiting, claimable, closed, code, delegation, delivery, group, head, id, person, received,
    worker,
};

/// Seconds that time moves on by, or several times that: no step falls on the end of a lease, of a window or of the
/// minute of a try, which a store may count by a clock of its own.
const PACE: i64 = 7;
const CAP: RequesterCap = RequesterCap { most: 6, window: Duration::from_secs(39) };
const LEASE: Duration = Duration::from_secs(31);
/// So few that steps meet.
const REQUESTS: u32 = 8;

/// One thing to ask of a store; any four bytes are one. Time moves on with every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step(pub [u8; 4]);

/// Asks the store and the model the same and panics where they differ.
pub async fn agree(store: Arc<dyn Store>, steps: &[Step]) {
    let mut model = Model::default();
    let mut now = 0;
    for step in steps {
        now += PACE * i64::from(1 + step.0[3] % 5);
        perform(&*store, &mut model, *step, at(now)).await;
        compare(&*store, &model).await;
    }
}

async fn perform(store: &dyn Store, model: &mut Model, Step([verb, a, b, _]): Step, now: Timestamp) {
    let (n, m) = (u32::from(a) % REQUESTS, u32::from(b));
    match verb % 9 {
        0 => {
            let opening = change(received(n), m, now);
            let expected = model.open(&opening, now);
            let answer = match store.load(&id(n)).await.unwrap() {
                // The store may refuse an id that is taken as it likes.
                Some(_) if expected.is_none() => return,
                _ => store.open(opening, CAP, now).await.unwrap(),
            };
            assert_eq!(Some(answer), expected);
        }
        1..=3 => {
            let next = change(next_request(n, m, now), m, now);
            let version = model.version(n, m);
            let answer = store.commit(version, next.clone()).await;
            assert_eq!(words(&answer), words(&model.commit(version, &next)));
        }
        4 => {
            let (most, by) = (usize::from(b % 4), worker(["a", "b"][usize::from(b / 4 % 2)]));
            model.take(store.due(now, &by, LEASE, most).await.unwrap(), &by, now, most);
        }
        5 => {
            let Some(leased) = model.leased.iter().rev().nth(usize::from(a % 8)).cloned() else { return };
            if b % 2 == 0 {
                store.done(&leased).await.unwrap();
                model.done(&leased);
            } else {
                let later = now + Duration::from_secs(u64::from(b));
                store.again(&leased, later).await.unwrap();
                model.again(&leased, later);
            }
        }
        8 => {
            let delegation = (m % 3 != 0).then(|| delegation(n, m % 3));
            store.set_delegation(person(n), delegation.clone()).await.unwrap();
            model.delegations.insert(n, delegation);
        }
        6 => assert_eq!(store.try_pin(&code(n), now).await.unwrap(), model.try_pin(n, now)),
        _ => {
            let before = now - Duration::from_secs(u64::from(b % 64));
            assert_eq!(store.forget(before).await.unwrap(), model.forget(before));
        }
    }
}

async fn compare(store: &dyn Store, model: &Model) {
    for n in 0..REQUESTS {
        let kept = model.delegations.get(&n).cloned().flatten();
        assert_eq!(store.delegation(person(n)).await.unwrap(), kept);
        assert_eq!(store.load(&id(n)).await.unwrap(), model.requests.get(&n).map(|kept| kept.stored.clone()));
        assert_eq!(store.find_code(&code(n)).await.unwrap().map(|_| n), model.holder(n).map(|_| n));
        for whom in [
            Whom::Subject(person(n)),
            Whom::Approver(person(n)),
            Whom::Requester(account(n)),
            Whom::Asker(person(n)),
            Whom::Colleagues(group(n)),
        ] {
            let mut found = store.open_requests(&whom).await.unwrap();
            found.sort();
            assert_eq!(found, model.open_requests(&whom), "{whom:?}");
        }
        for party in [
            Party::Subject(person(n)),
            Party::Requester(account(n)),
            Party::Asker(person(n)),
            Party::Approved(person(n)),
        ] {
            for since in [at(0), at(1)] {
                let mut found = store.requests_since(&party, since).await.unwrap();
                found.sort();
                assert_eq!(found, model.requests_since(&party, since), "{party:?}");
            }
        }
        let is_since = |request: &&Request| {
            request.ticket_opened().is_some_and(|(subject, opened)| subject == person(n) && opened >= at(50))
        };
        let requests = model.requests.values().map(|kept| &kept.stored.request);
        let mut expected: Vec<_> = requests.filter(is_since).map(|request| request.id.clone()).collect();
        let mut tickets = store.tickets_since(person(n), at(50)).await.unwrap();
        expected.sort();
        tickets.sort();
        assert_eq!(tickets, expected);
    }
    let (next, expected) = (store.next_due().await.unwrap(), model.next_due());
    let is_close = next
        .zip(expected)
        .is_some_and(|(next, expected)| (expected..expected + Duration::from_secs(1)).contains(&next));
    assert!(next == expected || is_close, "{next:?} {expected:?}");
    let anchor = store.anchor(&LedgerName::default()).await.unwrap();
    assert_eq!(anchor, model.anchor.clone().unwrap_or_else(|| head(0)));
}

/// A commit with whatever `m` says it brings.
fn change(request: Request, m: u32, now: Timestamp) -> Commit {
    let tasks = (0..m % 3).map(|n| tapdesk_core::task::NewTask {
        due: now + Duration::from_secs(u64::from(n * 20 + m % 7)),
        task: Task::FetchFacts,
    });
    Commit {
        request,
        tasks: tasks.collect(),
        head: head(u64::from(m % 16)),
        delivery: m.is_multiple_of(4).then(|| delivery(m % 24)),
        fresh_tries: m.is_multiple_of(5),
    }
}

/// A later state of request `n`; the codes are as few as the requests, so each belongs to one of them at a time.
fn next_request(n: u32, m: u32, now: Timestamp) -> Request {
    let subject = m % 5;
    match m % 4 {
        0 => awaiting(n, subject, m % 3),
        1 => claimable(n, subject, n, now),
        2 => closed(&claimable(n, subject, n, now), now),
        _ => closed(&received(n), now),
    }
}

fn words(answer: &Result<Version, CommitError>) -> String {
    format!("{answer:?}")
}

struct Kept {
    stored: Stored,
    opened_at: Timestamp,
    deliveries: Vec<u32>,
    tries: Option<(u8, Timestamp)>,
}

struct Todo {
    due: Timestamp,
    wakes: Timestamp,
    leases: u32,
    holder: Option<WorkerId>,
    task: Task,
}

/// What a store has to know, without any care for speed or disks.
#[derive(Default)]
struct Model {
    requests: BTreeMap<u32, Kept>,
    tasks: BTreeMap<TaskKey, Todo>,
    /// Every lease there ever was.
    leased: Vec<Leased>,
    anchor: Option<Head>,
    delegations: BTreeMap<u32, Option<Delegation>>,
}

impl Model {
    fn seen(&self, commit: &Commit) -> Option<u32> {
        let wanted = commit.delivery.clone()?;
        let claimed = |kept: &Kept| kept.deliveries.iter().any(|n| delivery(*n) == wanted);
        self.requests.iter().find(|(_, kept)| claimed(kept)).map(|(n, _)| *n)
    }

    /// `None` where the id is taken.
    fn open(&mut self, commit: &Commit, now: Timestamp) -> Option<Opened> {
        if let Some(first) = self.seen(commit) {
            return Some(Opened::Seen(id(first)));
        }
        let same_cap = |kept: &&Kept| kept.stored.request.counted() == commit.request.counted();
        let recent = |kept: &&Kept| kept.opened_at > now - CAP.window;
        if self.requests.values().filter(same_cap).filter(recent).count() >= CAP.most as usize {
            return Some(Opened::TooMany);
        }
        let n = number(&commit.request);
        if self.requests.contains_key(&n) {
            return None;
        }
        let stored = Stored { request: commit.request.clone(), version: Version::FIRST };
        self.requests.insert(n, Kept { stored, opened_at: now, deliveries: Vec::new(), tries: None });
        self.bring(n, commit);
        Some(Opened::New)
    }

    fn commit(&mut self, expected: Version, commit: &Commit) -> Result<Version, CommitError> {
        let n = number(&commit.request);
        if self.seen(commit).is_some() {
            return Err(CommitError::Seen);
        }
        if self.requests.get(&n).is_none_or(|kept| kept.stored.version != expected) {
            return Err(CommitError::Conflict);
        }
        let subject = commit.request.subject_id().filter(|_| commit.request.is_open());
        let rival = subject.and_then(|subject| {
            self.open_requests(&Whom::Subject(subject)).into_iter().find(|other| *other != commit.request.id)
        });
        if let Some(other) = rival {
            return Err(CommitError::SubjectBusy(other));
        }
        if let Some(kept) = self.requests.get_mut(&n) {
            kept.stored = Stored { request: commit.request.clone(), version: expected.next() };
        }
        self.bring(n, commit);
        Ok(expected.next())
    }

    fn bring(&mut self, n: u32, commit: &Commit) {
        let Some(kept) = self.requests.get_mut(&n) else { return };
        kept.deliveries.extend((0..24).filter(|n| commit.delivery == Some(delivery(*n))));
        if commit.fresh_tries {
            kept.tries = None;
        }
        for (place, new) in (0..).zip(&commit.tasks) {
            let key = TaskKey { request: id(n), version: kept.stored.version, place };
            let (due, task) = (new.due, new.task.clone());
            self.tasks.insert(key, Todo { due, wakes: due, leases: 0, holder: None, task });
        }
        if self.anchor.as_ref().is_none_or(|anchor| anchor.seq < commit.head.seq) {
            self.anchor = Some(commit.head.clone());
        }
    }

    fn version(&self, n: u32, m: u32) -> Version {
        let current = self.requests.get(&n).map_or(Version::FIRST, |kept| kept.stored.version);
        if m.is_multiple_of(11) { current.next() } else { current }
    }

    /// Leases what the store leased, if it might: the oldest, and any of those that woke together.
    fn take(&mut self, leased: Vec<Leased>, by: &WorkerId, now: Timestamp, most: usize) {
        let mut ready: Vec<_> =
            self.tasks.values().map(|todo| todo.wakes).filter(|wakes| *wakes <= now).collect();
        ready.sort();
        ready.truncate(most);
        let wakes: Vec<_> = leased.iter().map(|leased| self.tasks[&leased.key].wakes).collect();
        assert_eq!(wakes, ready);
        for one in &leased {
            let Some(todo) = self.tasks.get_mut(&one.key) else { continue };
            todo.leases += 1;
            let left_by = todo.holder.replace(by.clone());
            let (key, task) = (one.key.clone(), todo.task.clone());
            let expected =
                Leased { key, task, due: todo.due, worker: by.clone(), lease: todo.leases, left_by };
            assert_eq!(*one, expected);
            todo.wakes = now + LEASE;
        }
        self.leased.extend(leased);
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.tasks.values().map(|todo| todo.wakes).min()
    }

    fn held(&mut self, leased: &Leased) -> Option<&mut Todo> {
        let todo = self.tasks.get_mut(&leased.key)?;
        (todo.leases == leased.lease && todo.holder.as_ref() == Some(&leased.worker)).then_some(todo)
    }

    fn done(&mut self, leased: &Leased) {
        if self.held(leased).is_some() {
            self.tasks.remove(&leased.key);
        }
    }

    fn again(&mut self, leased: &Leased, later: Timestamp) {
        if let Some(todo) = self.held(leased) {
            (todo.due, todo.wakes, todo.holder) = (later, later, None);
        }
    }

    fn holder(&self, of_code: u32) -> Option<u32> {
        let holds = |kept: &Kept| kept.stored.request.code_hash() == Some(&code(of_code));
        self.requests.iter().find(|(_, kept)| holds(kept)).map(|(n, _)| *n)
    }

    fn try_pin(&mut self, of_code: u32, now: Timestamp) -> Try {
        let Some(n) = self.holder(of_code) else { return Try::Unknown };
        let Some(kept) = self.requests.get_mut(&n) else { return Try::Unknown };
        match kept.tries {
            Some((PIN_TRIES.., last)) if last + TRY_LEASE <= now => Try::Exhausted(id(n)),
            Some((PIN_TRIES.., _)) => Try::Busy(id(n)),
            tries => {
                kept.tries = Some((tries.map_or(0, |(taken, _)| taken) + 1, now));
                Try::Counted(id(n))
            }
        }
    }

    fn open_requests(&self, whom: &Whom) -> Vec<tapdesk_core::ids::RequestId> {
        let requests = self.requests.values().map(|kept| &kept.stored.request);
        requests.filter(|request| request.whom().contains(whom)).map(|request| request.id.clone()).collect()
    }

    fn requests_since(&self, party: &Party, since: Timestamp) -> Vec<tapdesk_core::ids::RequestId> {
        let requests = self.requests.values().map(|kept| &kept.stored.request);
        let theirs =
            requests.filter(|request| request.parties().contains(party) && request.received_at >= since);
        theirs.map(|request| request.id.clone()).collect()
    }

    fn forget(&mut self, before: Timestamp) -> u64 {
        let busy: Vec<_> = self.tasks.keys().map(|key| key.request.clone()).collect();
        let kept_before = self.requests.len();
        self.requests.retain(|n, kept| {
            kept.stored.request.closed_at().is_none_or(|closed| closed >= before) || busy.contains(&id(*n))
        });
        (kept_before - self.requests.len()) as u64
    }
}

fn number(request: &Request) -> u32 {
    (0..REQUESTS).find(|n| id(*n) == request.id).unwrap()
}
