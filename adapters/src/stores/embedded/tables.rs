//! How does the store lay out requests, tasks and the ways to find them in one file?
//!
//! Keys are typed tuples, values are JSON in a versioned envelope: a later tapdesk can read what this one wrote,
//! and this one refuses what a later one wrote. Everything but `meta`, `requests`, `tasks` and `tries` is an
//! index that follows from the request itself, see [`places`].

use std::collections::BTreeSet;
use std::ops::Deref;

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use tapdesk_core::ids::{RequestId, Version, WorkerId};
use tapdesk_core::ports::{PortError, Stored};
use tapdesk_core::request::Request;
use tapdesk_core::task::Task;

/// The layout that this program reads and writes.
pub(super) const SCHEMA: u32 = 1;

/// Nanoseconds since the epoch: sorts as time does.
pub(super) type Nanos = i128;
/// Request, version and place of a task.
pub(super) type TaskRow<'a> = (&'a str, u64, u16);

pub(super) const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
pub(super) const REQUESTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("requests");
pub(super) const TASKS: TableDefinition<'_, TaskRow<'_>, &[u8]> = TableDefinition::new("tasks");
/// When a task is due or its lease runs out.
pub(super) const AGENDA: TableDefinition<'_, (Nanos, &str, u64, u16), ()> = TableDefinition::new("agenda");
/// Claimed deliveries and the request that they belong to.
pub(super) const DELIVERIES: TableDefinition<'_, &str, &str> = TableDefinition::new("deliveries");
pub(super) const DELIVERIES_OF: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("deliveries_of");
/// Open requests by subject, requester and approver.
pub(super) const OPEN_BY: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("open_by");
pub(super) const CODES: TableDefinition<'_, &str, &str> = TableDefinition::new("codes");
pub(super) const REPORTS: TableDefinition<'_, &str, &str> = TableDefinition::new("reports");
/// Tickets by subject and the time they were opened.
pub(super) const TICKETS: TableDefinition<'_, (&str, Nanos, &str), ()> = TableDefinition::new("tickets");
/// Requests by requester or subject and the time they were received, closed ones included.
pub(super) const HISTORY: TableDefinition<'_, (&str, Nanos, &str), ()> = TableDefinition::new("history");
/// Requests by whom they count for and the time they were opened: what a cap counts.
pub(super) const ASKED: TableDefinition<'_, (&str, Nanos, &str), ()> = TableDefinition::new("asked");
/// Closed requests by the time they closed.
pub(super) const CLOSED: TableDefinition<'_, (Nanos, &str), ()> = TableDefinition::new("closed");
/// Tries that were counted since the last fresh start, and when the last of them was.
pub(super) const TRIES: TableDefinition<'_, &str, (u8, Nanos)> = TableDefinition::new("tries");

/// Why an operation could not be carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// The disk or the engine failed: nothing of the whole batch counts.
    Engine(Box<redb::Error>),
    /// This operation alone fails; it has changed nothing.
    Alone(PortError),
}

macro_rules! engine_faults {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Engine(Box::new(error.into()))
            }
        }
    )*};
}
engine_faults!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError
);

/// A request in its envelope.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Layout of this value.
    pub(super) v: u32,
    pub(super) version: Version,
    /// When `open` stored it: its row in `asked`.
    pub(super) opened_at: Timestamp,
    pub(super) request: Request,
}

/// A task in its envelope.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Todo {
    /// Layout of this value.
    pub(super) v: u32,
    pub(super) due: Timestamp,
    /// When it is due or its lease runs out: its row in `agenda`.
    pub(super) wakes: Timestamp,
    /// How often it was leased.
    pub(super) leases: u32,
    /// Who holds it.
    pub(super) worker: Option<WorkerId>,
    pub(super) task: Task,
}

/// Every table, open for writing.
pub(super) struct Open<'t> {
    pub(super) meta: Table<'t, &'static str, &'static str>,
    pub(super) requests: Table<'t, &'static str, &'static [u8]>,
    pub(super) tasks: Table<'t, TaskRow<'static>, &'static [u8]>,
    pub(super) agenda: Table<'t, (Nanos, &'static str, u64, u16), ()>,
    pub(super) deliveries: Table<'t, &'static str, &'static str>,
    pub(super) deliveries_of: Table<'t, (&'static str, &'static str), ()>,
    /// Rows of [`OPEN_BY`].
    pub(super) people: Table<'t, (&'static str, &'static str), ()>,
    pub(super) codes: Table<'t, &'static str, &'static str>,
    pub(super) reports: Table<'t, &'static str, &'static str>,
    pub(super) tickets: Table<'t, (&'static str, Nanos, &'static str), ()>,
    pub(super) history: Table<'t, (&'static str, Nanos, &'static str), ()>,
    pub(super) asked: Table<'t, (&'static str, Nanos, &'static str), ()>,
    pub(super) closed: Table<'t, (Nanos, &'static str), ()>,
    pub(super) tries: Table<'t, &'static str, (u8, Nanos)>,
}

/// The tables of one write transaction. Reading goes through `Deref`; writing only through [`Tables::write`], so
/// that a batch that changed nothing is known and costs no sync.
pub(super) struct Tables<'t> {
    open: Open<'t>,
    changed: bool,
}

impl<'t> Tables<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let open = Open {
            meta: transaction.open_table(META)?,
            requests: transaction.open_table(REQUESTS)?,
            tasks: transaction.open_table(TASKS)?,
            agenda: transaction.open_table(AGENDA)?,
            deliveries: transaction.open_table(DELIVERIES)?,
            deliveries_of: transaction.open_table(DELIVERIES_OF)?,
            people: transaction.open_table(OPEN_BY)?,
            codes: transaction.open_table(CODES)?,
            reports: transaction.open_table(REPORTS)?,
            tickets: transaction.open_table(TICKETS)?,
            history: transaction.open_table(HISTORY)?,
            asked: transaction.open_table(ASKED)?,
            closed: transaction.open_table(CLOSED)?,
            tries: transaction.open_table(TRIES)?,
        };
        Ok(Self { open, changed: false })
    }

    /// The tables for writing.
    pub(super) fn write(&mut self) -> &mut Open<'t> {
        self.changed = true;
        &mut self.open
    }

    /// Whether anything may have been written.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }
}

impl<'t> Deref for Tables<'t> {
    type Target = Open<'t>;

    fn deref(&self) -> &Open<'t> {
        &self.open
    }
}

/// One way to find a request; follows from the request alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    OpenBy(String),
    Code(String),
    Report(String),
    Ticket(String, Nanos),
    History(String, Nanos),
    Closed(Nanos),
}

/// Every way to find the request.
pub(super) fn places(request: &Request) -> Result<BTreeSet<Place>, Fault> {
    let mut places = BTreeSet::new();
    for whom in request.whom() {
        places.insert(Place::OpenBy(whose_key(&whom)?));
    }
    places.extend(request.code_hash().map(|hash| Place::Code(hash.0.clone())));
    places.extend(request.report_token().map(|token| Place::Report(token.0.clone())));
    places.extend(
        request.ticket_opened().map(|(subject, at)| Place::Ticket(subject.to_string(), at.as_nanosecond())),
    );
    for party in request.parties() {
        places.insert(Place::History(whose_key(&party)?, request.received_at.as_nanosecond()));
    }
    places.extend(request.closed_at().map(|at| Place::Closed(at.as_nanosecond())));
    Ok(places)
}

impl Open<'_> {
    /// Makes the request findable at the place.
    pub(super) fn enter(&mut self, place: &Place, id: &RequestId) -> Result<(), Fault> {
        let id = id.as_str();
        match place {
            Place::OpenBy(whom) => drop(self.people.insert((whom.as_str(), id), ())?),
            Place::Code(hash) => drop(self.codes.insert(hash.as_str(), id)?),
            Place::Report(token) => drop(self.reports.insert(token.as_str(), id)?),
            Place::Ticket(subject, at) => drop(self.tickets.insert((subject.as_str(), *at, id), ())?),
            Place::History(party, at) => drop(self.history.insert((party.as_str(), *at, id), ())?),
            Place::Closed(at) => drop(self.closed.insert((*at, id), ())?),
        }
        Ok(())
    }

    /// Makes the request findable at the place no longer.
    pub(super) fn leave(&mut self, place: &Place, id: &RequestId) -> Result<(), Fault> {
        let id = id.as_str();
        match place {
            Place::OpenBy(whom) => drop(self.people.remove((whom.as_str(), id))?),
            Place::Code(hash) => drop(self.codes.remove(hash.as_str())?),
            Place::Report(token) => drop(self.reports.remove(token.as_str())?),
            Place::Ticket(subject, at) => drop(self.tickets.remove((subject.as_str(), *at, id))?),
            Place::History(party, at) => drop(self.history.remove((party.as_str(), *at, id))?),
            Place::Closed(at) => drop(self.closed.remove((*at, id))?),
        }
        Ok(())
    }
}

/// Begins the key of a row that belongs to somebody.
pub(super) fn whose_key(whose: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(whose).map_err(unwritable)
}

/// The key of an [`ASKED`] row.
pub(super) fn counted_key(request: &Request) -> Result<String, Fault> {
    serde_json::to_string(&request.counted()).map_err(unwritable)
}

/// The request as it is kept, from any table of requests.
pub(super) fn kept(
    requests: &impl ReadableTable<&'static str, &'static [u8]>,
    id: &str,
) -> Result<Option<Kept>, Fault> {
    requests.get(id)?.map(|value| decode(value.value())).transpose()
}

/// The request in a read transaction.
pub(super) fn stored(transaction: &ReadTransaction, id: &RequestId) -> Result<Option<Stored>, Fault> {
    let kept = kept(&transaction.open_table(REQUESTS)?, id.as_str())?;
    Ok(kept.map(|kept| Stored { request: kept.request, version: kept.version }))
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(unwritable)
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// An id that the store itself wrote.
pub(super) fn request_id(text: &str) -> Result<RequestId, Fault> {
    text.parse().map_err(unreadable)
}

pub(super) fn unwritable(cause: serde_json::Error) -> Fault {
    Fault::Alone(PortError::fatal("a value cannot be written to the store").because(cause))
}

pub(super) fn unreadable(cause: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::Alone(PortError::fatal("the store holds a value that this tapdesk cannot read").because(cause))
}
