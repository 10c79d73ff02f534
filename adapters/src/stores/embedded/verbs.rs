//! What does each writing verb do to the tables?
//!
//! Every verb decides first and writes after: whatever it refuses, it refuses before its first write, so that the
//! other operations of the batch can go on.

use std::time::Duration;

use jiff::Timestamp;
use redb::ReadableTable;
use serde::Serialize;
use tapdesk_core::ids::{ChatUser, LedgerName, PersonId, RequestId, Version, WorkerId};
use tapdesk_core::ledger::Head;
use tapdesk_core::ports::{
    Commit, CommitError, Leased, Opened, PIN_TRIES, PortError, RequesterCap, TRY_LEASE, TaskKey, Try,
};
use tapdesk_core::request::Whom;
use tapdesk_core::ticket::CodeHash;

use super::tables::{Fault, Kept, Nanos, Tables, TaskRow, Todo};
use super::tables::{counted_key, decode, encode, kept, places, request_id, whose_key};

/// How many closed requests one transaction looks at, so that forgetting never holds up the others for long.
const FORGET_AT_ONCE: usize = 128;

/// What one step of forgetting did, and where the next one starts.
pub(super) struct Forgot {
    pub(super) requests: u64,
    pub(super) next: Option<(Nanos, String)>,
}

pub(super) fn open(
    tables: &mut Tables<'_>,
    commit: &Commit,
    cap: RequesterCap,
    now: Timestamp,
) -> Result<Opened, Fault> {
    if let Some(request) = seen(tables, commit)? {
        return Ok(Opened::Seen(request));
    }
    let counted = counted_key(&commit.request)?;
    if is_capped(tables, &counted, cap, now)? {
        return Ok(Opened::TooMany);
    }
    let id = &commit.request.id;
    if kept(&tables.requests, id.as_str())?.is_some() {
        return Err(Fault::Alone(PortError::fatal("a request with this id exists already")));
    }
    put(tables, None, Version::FIRST, now, commit)?;
    tables.write().asked.insert((counted.as_str(), now.as_nanosecond(), id.as_str()), ())?;
    Ok(Opened::New)
}

pub(super) fn commit(
    tables: &mut Tables<'_>,
    expected: Version,
    commit: &Commit,
) -> Result<Result<Version, CommitError>, Fault> {
    if seen(tables, commit)?.is_some() {
        return Ok(Err(CommitError::Seen));
    }
    let Some(before) = kept(&tables.requests, commit.request.id.as_str())? else {
        return Ok(Err(CommitError::Conflict));
    };
    if before.version != expected {
        return Ok(Err(CommitError::Conflict));
    }
    if let Some(other) = rival(tables, commit)? {
        return Ok(Err(CommitError::SubjectBusy(other)));
    }
    let version = expected.next();
    put(tables, Some(&before), version, before.opened_at, commit)?;
    Ok(Ok(version))
}

pub(super) fn due(
    tables: &mut Tables<'_>,
    now: Timestamp,
    worker: &WorkerId,
    lease: Duration,
    most: usize,
) -> Result<Vec<Leased>, Fault> {
    let until = plus(now, lease);
    let mut leased = Vec::new();
    let mut renewed = Vec::new();
    for row in tables.agenda.range(..=(now.as_nanosecond(), MAX_ID, u64::MAX, u16::MAX))?.take(most) {
        let (key, ()) = {
            let (key, value) = row?;
            (key, value.value())
        };
        let (_, id, version, place) = key.value();
        let Some(todo) = todo(tables, (id, version, place))? else { continue };
        leased.push(Leased {
            key: TaskKey { request: request_id(id)?, version: Version(version), place },
            task: todo.task.clone(),
            due: todo.due,
            worker: worker.clone(),
            lease: todo.leases + 1,
            left_by: todo.worker.clone(),
        });
        let next =
            Todo { wakes: until, leases: todo.leases + 1, worker: Some(worker.clone()), ..todo.clone() };
        renewed.push((todo, encode(&next)?));
    }
    for (lease, (before, bytes)) in leased.iter().zip(renewed) {
        move_task(tables, row(&lease.key), before.wakes, until, &bytes)?;
    }
    Ok(leased)
}

pub(super) fn done(tables: &mut Tables<'_>, leased: &Leased) -> Result<(), Fault> {
    let Some(todo) = held(tables, leased)? else { return Ok(()) };
    let (id, version, place) = row(&leased.key);
    let open = tables.write();
    open.tasks.remove((id, version, place))?;
    open.agenda.remove((todo.wakes.as_nanosecond(), id, version, place))?;
    Ok(())
}

pub(super) fn again(tables: &mut Tables<'_>, leased: &Leased, at: Timestamp) -> Result<(), Fault> {
    let Some(todo) = held(tables, leased)? else { return Ok(()) };
    let next = Todo { due: at, wakes: at, worker: None, ..todo.clone() };
    move_task(tables, row(&leased.key), todo.wakes, at, &encode(&next)?)
}

pub(super) fn try_pin(tables: &mut Tables<'_>, code: &CodeHash, now: Timestamp) -> Result<Try, Fault> {
    let Some(id) = tables.codes.get(code.0.as_str())?.map(|id| request_id(id.value())).transpose()? else {
        return Ok(Try::Unknown);
    };
    let (taken, last) = tables.tries.get(id.as_str())?.map_or((0, 0), |tries| tries.value());
    if taken < PIN_TRIES {
        tables.write().tries.insert(id.as_str(), (taken + 1, now.as_nanosecond()))?;
        return Ok(Try::Counted(id));
    }
    let is_settled = last <= minus(now, TRY_LEASE);
    Ok(if is_settled { Try::Exhausted(id) } else { Try::Busy(id) })
}

pub(super) fn set_lockdown(tables: &mut Tables<'_>, since: Option<Timestamp>) -> Result<(), Fault> {
    let meta = &mut tables.write().meta;
    match since {
        Some(since) => drop(meta.insert("lockdown", since.to_string().as_str())?),
        None => drop(meta.remove("lockdown")?),
    }
    Ok(())
}

/// Where a person's delegation is kept.
pub(super) fn delegation_key(of: PersonId) -> String {
    format!("delegation:{of}")
}

/// Where it is kept how a chat reaches an account.
pub(super) fn conversation_key(with: &ChatUser) -> String {
    format!("conversation:{}\0{}\0{}", with.chat, with.workspace, with.id)
}

/// Keeps a value beside the requests, or forgets it.
pub(super) fn keep<T: Serialize>(tables: &mut Tables<'_>, key: &str, value: Option<&T>) -> Result<(), Fault> {
    let value = value.map(serde_json::to_string).transpose().map_err(super::tables::unwritable)?;
    let meta = &mut tables.write().meta;
    match value {
        Some(value) => drop(meta.insert(key, value.as_str())?),
        None => drop(meta.remove(key)?),
    }
    Ok(())
}

/// Forgets a few of the requests that closed before `before`, from `start` on.
pub(super) fn forget(
    tables: &mut Tables<'_>,
    before: Timestamp,
    start: &(Nanos, String),
) -> Result<Forgot, Fault> {
    let mut old = Vec::new();
    for row in
        tables.closed.range((start.0, start.1.as_str())..(before.as_nanosecond(), ""))?.take(FORGET_AT_ONCE)
    {
        let (at, id) = {
            let (key, _) = row?;
            let (at, id) = key.value();
            (at, id.to_owned())
        };
        old.push((at, id));
    }
    let next = match old.last() {
        Some((at, id)) if old.len() == FORGET_AT_ONCE => Some((*at, format!("{id}\0"))),
        Some(_) | None => None,
    };
    let mut requests = 0;
    for (_, id) in &old {
        if !has_tasks(tables, id)? {
            remove(tables, &request_id(id)?)?;
            requests += 1;
        }
    }
    Ok(Forgot { requests, next })
}

/// Sorts after every request id.
const MAX_ID: &str = "~";

/// The request that claimed the commit's delivery before.
fn seen(tables: &Tables<'_>, commit: &Commit) -> Result<Option<RequestId>, Fault> {
    let Some(delivery) = &commit.delivery else { return Ok(None) };
    tables.deliveries.get(delivery.as_str())?.map(|id| request_id(id.value())).transpose()
}

/// Another open request of the subject. A request that the commit closes has no rivals: it has to be able to end.
fn rival(tables: &Tables<'_>, commit: &Commit) -> Result<Option<RequestId>, Fault> {
    let Some(subject) = commit.request.subject_id().filter(|_| commit.request.is_open()) else {
        return Ok(None);
    };
    let whom = whose_key(&Whom::Subject(subject))?;
    for row in tables.people.range((whom.as_str(), "")..(whom.as_str(), MAX_ID))? {
        let (key, _) = row?;
        let (_, id) = key.value();
        if id != commit.request.id.as_str() {
            return Ok(Some(request_id(id)?));
        }
    }
    Ok(None)
}

/// Whether the cap is reached; looks at no more rows than the cap allows.
fn is_capped(tables: &Tables<'_>, counted: &str, cap: RequesterCap, now: Timestamp) -> Result<bool, Fault> {
    let most = usize::try_from(cap.most).unwrap_or(usize::MAX);
    let after = minus(now, cap.window).saturating_add(1);
    let mut count = 0;
    for row in tables.asked.range((counted, after, "")..(counted, Nanos::MAX, ""))?.take(most) {
        row?;
        count += 1;
    }
    Ok(count >= most)
}

fn todo(tables: &Tables<'_>, row: TaskRow<'_>) -> Result<Option<Todo>, Fault> {
    tables.tasks.get(row)?.map(|value| decode(value.value())).transpose()
}

/// The task, as long as nobody else has leased it since.
fn held(tables: &Tables<'_>, leased: &Leased) -> Result<Option<Todo>, Fault> {
    let is_newest = |todo: &Todo| todo.leases == leased.lease && todo.worker.as_ref() == Some(&leased.worker);
    Ok(todo(tables, row(&leased.key))?.filter(is_newest))
}

fn has_tasks(tables: &Tables<'_>, id: &str) -> Result<bool, Fault> {
    Ok(tables.tasks.range((id, 0, 0)..=(id, u64::MAX, u16::MAX))?.next().transpose()?.is_some())
}

/// Writes everything that a commit brings.
fn put(
    tables: &mut Tables<'_>,
    before: Option<&Kept>,
    version: Version,
    opened_at: Timestamp,
    commit: &Commit,
) -> Result<(), Fault> {
    let id = &commit.request.id;
    let old = before.map_or_else(|| Ok(std::collections::BTreeSet::new()), |kept| places(&kept.request))?;
    let new = places(&commit.request)?;
    let kept = encode(&Kept { v: 1, version, opened_at, request: commit.request.clone() })?;
    let tasks = tasks_of(commit)?;
    let head = newer_head(tables, &commit.head)?;

    let open = tables.write();
    for place in old.difference(&new) {
        open.leave(place, id)?;
    }
    for place in new.difference(&old) {
        open.enter(place, id)?;
    }
    open.requests.insert(id.as_str(), kept.as_slice())?;
    for (place, due, bytes) in tasks {
        open.tasks.insert((id.as_str(), version.0, place), bytes.as_slice())?;
        open.agenda.insert((due, id.as_str(), version.0, place), ())?;
    }
    if let Some(delivery) = &commit.delivery {
        open.deliveries.insert(delivery.as_str(), id.as_str())?;
        open.deliveries_of.insert((id.as_str(), delivery.as_str()), ())?;
    }
    if let Some(head) = head {
        open.meta.insert(anchor_key(&commit.head.ledger).as_str(), head.as_str())?;
    }
    if commit.fresh_tries {
        open.tries.remove(id.as_str())?;
    }
    Ok(())
}

fn tasks_of(commit: &Commit) -> Result<Vec<(u16, Nanos, Vec<u8>)>, Fault> {
    let mut tasks = Vec::with_capacity(commit.tasks.len());
    for (place, new) in (0..).zip(&commit.tasks) {
        let todo =
            Todo { v: 1, due: new.due, wakes: new.due, leases: 0, worker: None, task: new.task.clone() };
        tasks.push((place, new.due.as_nanosecond(), encode(&todo)?));
    }
    Ok(tasks)
}

/// Where the newest head of a ledger is kept.
pub(super) fn anchor_key(ledger: &LedgerName) -> String {
    format!("anchor:{ledger}")
}

/// The head to keep, unless the one that is kept is as new: commits may arrive in another order than their records.
fn newer_head(tables: &Tables<'_>, head: &Head) -> Result<Option<String>, Fault> {
    let kept = tables.meta.get(anchor_key(&head.ledger).as_str())?;
    let kept: Option<Head> = kept.map(|value| decode(value.value().as_bytes())).transpose()?;
    if kept.is_some_and(|kept| kept.seq >= head.seq) {
        return Ok(None);
    }
    serde_json::to_string(head).map(Some).map_err(super::tables::unreadable)
}

fn move_task(
    tables: &mut Tables<'_>,
    (id, version, place): TaskRow<'_>,
    from: Timestamp,
    to: Timestamp,
    bytes: &[u8],
) -> Result<(), Fault> {
    let open = tables.write();
    open.agenda.remove((from.as_nanosecond(), id, version, place))?;
    open.agenda.insert((to.as_nanosecond(), id, version, place), ())?;
    open.tasks.insert((id, version, place), bytes)?;
    Ok(())
}

/// Removes a request and every way to find it, with the deliveries that belong to it.
fn remove(tables: &mut Tables<'_>, id: &RequestId) -> Result<(), Fault> {
    let Some(kept) = kept(&tables.requests, id.as_str())? else { return Ok(()) };
    let counted = counted_key(&kept.request)?;
    let places = places(&kept.request)?;
    let mut deliveries = Vec::new();
    for row in tables.deliveries_of.range((id.as_str(), "")..)? {
        let (key, _) = row?;
        let (owner, delivery) = key.value();
        if owner != id.as_str() {
            break;
        }
        deliveries.push(delivery.to_owned());
    }

    let open = tables.write();
    for place in &places {
        open.leave(place, id)?;
    }
    for delivery in &deliveries {
        open.deliveries.remove(delivery.as_str())?;
        open.deliveries_of.remove((id.as_str(), delivery.as_str()))?;
    }
    open.asked.remove((counted.as_str(), kept.opened_at.as_nanosecond(), id.as_str()))?;
    open.tries.remove(id.as_str())?;
    open.requests.remove(id.as_str())?;
    Ok(())
}

fn row(key: &TaskKey) -> TaskRow<'_> {
    (key.request.as_str(), key.version.0, key.place)
}

fn plus(at: Timestamp, span: Duration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

fn minus(at: Timestamp, span: Duration) -> Nanos {
    at.as_nanosecond().saturating_sub(Nanos::try_from(span.as_nanos()).unwrap_or(Nanos::MAX))
}
