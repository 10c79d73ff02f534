//! Does a store keep its promises when several workers ask it at once, in whatever order their calls meet?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tapdesk_core::ids::{LedgerName, Version};
use tapdesk_core::ports::{Commit, CommitError, Opened, PortError, Store, TaskKey, Try};
use tapdesk_core::request::{Request, Whom};
use tapdesk_core::task::{NewTask, Task};

use super::model::Step;
use super::samples::{
    NO_CAP, at, awaiting, claimable, closed, code, delivery, head, id, person, received, worker,
};

/// So few that the workers meet.
const REQUESTS: u32 = 6;
const SUBJECTS: u32 = 3;
const DELIVERIES: u32 = 8;
/// Longer than the test: whoever leases a task keeps it.
const LEASE: Duration = Duration::from_hours(1);

/// What one worker was promised.
#[derive(Default)]
struct Promised {
    /// Changes per request.
    changes: BTreeMap<u32, u64>,
    deliveries: Vec<u32>,
    tasks: Vec<TaskKey>,
    leased: Vec<TaskKey>,
    tries: BTreeMap<u32, u32>,
    newest: u64,
}

/// Lets every worker take its steps, all at once, and panics if what they were promised does not add up.
pub async fn adds_up(store: Arc<dyn Store>, workers: Vec<Vec<Step>>) {
    let working: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(name, steps)| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { work(&*store, &name.to_string(), &steps).await })
        })
        .collect();
    let mut promised = Vec::new();
    for one in working {
        promised.push(one.await.unwrap());
    }
    check(&*store, &promised).await;
}

async fn work(store: &dyn Store, name: &str, steps: &[Step]) -> Promised {
    let mut promised = Promised::default();
    for Step([verb, a, b, c]) in steps {
        let (n, m) = (u32::from(*a) % REQUESTS, u32::from(*b));
        match verb % 8 {
            0 | 1 => open(store, change(received(n), m, *c), &mut promised).await,
            2..=5 => commit(store, n, m, *c, &mut promised).await,
            6 => {
                let leased = store.due(at(50), &worker(name), LEASE, usize::from(b % 4)).await.unwrap();
                promised.leased.extend(leased.into_iter().map(|leased| leased.key));
            }
            _ => {
                if let Try::Counted(_) = store.try_pin(&code(n), at(0)).await.unwrap() {
                    *promised.tries.entry(n).or_default() += 1;
                }
            }
        }
    }
    promised
}

async fn open(store: &dyn Store, opening: Commit, promised: &mut Promised) {
    match store.open(opening.clone(), NO_CAP, at(0)).await {
        Ok(Opened::New) => keep(promised, &opening, Version::FIRST),
        // The id was taken, or a delivery is being claimed right now.
        Ok(Opened::Seen(_)) | Err(PortError::Fatal { .. } | PortError::Retry { .. }) => {}
        Ok(Opened::TooMany) => panic!("there is no cap"),
    }
}

async fn commit(store: &dyn Store, n: u32, m: u32, c: u8, promised: &mut Promised) {
    let Some(stored) = store.load(&id(n)).await.unwrap() else { return };
    let subject = 10 + m % SUBJECTS;
    let next = match m % 4 {
        0 | 1 => awaiting(n, subject, 2),
        2 => claimable(n, subject, n, at(0)),
        _ => closed(&awaiting(n, subject, 2), at(1)),
    };
    let change = change(next, m, c);
    match store.commit(stored.version, change.clone()).await {
        Ok(version) => keep(promised, &change, version),
        Err(
            CommitError::Conflict
            | CommitError::Seen
            | CommitError::SubjectBusy(_)
            | CommitError::Port(PortError::Retry { .. }),
        ) => {}
        Err(CommitError::Port(error)) => panic!("{error:?}"),
    }
}

fn change(request: Request, m: u32, c: u8) -> Commit {
    Commit {
        request,
        tasks: (0..u32::from(c) % 3).map(|_| NewTask { due: at(0), task: Task::FetchFacts }).collect(),
        head: head(u64::from(c)),
        delivery: m.is_multiple_of(3).then(|| delivery(m / 3 % DELIVERIES)),
        fresh_tries: false,
    }
}

fn keep(promised: &mut Promised, change: &Commit, version: Version) {
    let n = number(&change.request);
    *promised.changes.entry(n).or_default() += 1;
    promised.deliveries.extend((0..DELIVERIES).filter(|n| change.delivery == Some(delivery(*n))));
    let places = 0..u16::try_from(change.tasks.len()).unwrap();
    promised.tasks.extend(places.map(|place| TaskKey { request: id(n), version, place }));
    promised.newest = promised.newest.max(change.head.seq);
}

async fn check(store: &dyn Store, promised: &[Promised]) {
    let mut open: BTreeMap<Whom, BTreeSet<_>> = BTreeMap::new();
    for n in 0..REQUESTS {
        let stored = store.load(&id(n)).await.unwrap();
        let changes: u64 = promised.iter().filter_map(|one| one.changes.get(&n)).sum();
        assert_eq!(stored.as_ref().map_or(0, |stored| stored.version.0), changes, "lost or doubled: {n}");
        let Some(request) = stored.map(|stored| stored.request) else { continue };
        for whom in request.whom() {
            open.entry(whom).or_default().insert(request.id.clone());
        }
        let found = store.find_code(&code(n)).await.unwrap();
        assert_eq!(found.is_some(), request.code_hash().is_some(), "the code of {n}");
        let tries: u32 = promised.iter().filter_map(|one| one.tries.get(&n)).sum();
        assert!(tries <= u32::from(tapdesk_core::ports::PIN_TRIES), "{tries} tries");
    }
    for subject in 10..10 + SUBJECTS {
        let whom = Whom::Subject(person(subject));
        let expected = open.remove(&whom).unwrap_or_default();
        assert!(expected.len() <= 1, "two open requests for one subject {subject}: {expected:?}");
        assert_eq!(BTreeSet::from_iter(store.open_requests(&whom).await.unwrap()), expected);
    }
    for (whom, expected) in open {
        assert_eq!(BTreeSet::from_iter(store.open_requests(&whom).await.unwrap()), expected, "{whom:?}");
    }
    let claimed: Vec<_> = promised.iter().flat_map(|one| &one.deliveries).collect();
    assert_eq!(claimed.len(), BTreeSet::from_iter(&claimed).len(), "a delivery was claimed twice");

    let rest = store.due(at(50), &worker("last"), LEASE, 9999).await.unwrap();
    let mut leased: Vec<_> = promised.iter().flat_map(|one| one.leased.clone()).collect();
    leased.extend(rest.into_iter().map(|leased| leased.key));
    let mut tasks: Vec<_> = promised.iter().flat_map(|one| one.tasks.clone()).collect();
    leased.sort();
    tasks.sort();
    assert_eq!(leased, tasks, "each task is leased to one worker, and none is lost");
    let newest = promised.iter().map(|one| one.newest).max().unwrap_or_default();
    assert_eq!(store.anchor(&LedgerName::default()).await.unwrap().seq, newest);
}

fn number(request: &Request) -> u32 {
    (0..REQUESTS).find(|n| id(*n) == request.id).unwrap()
}
