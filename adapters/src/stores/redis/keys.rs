//! Under which keys does Redis hold what, and why is nothing lost between two of them?
//!
//! **Shards.** Everything that a request owns lies in the shard of its id: one of 64 hash tags, `{00}` to `{63}`, so
//! that one script can change all of it at once and Cluster can spread the shards. A shard holds
//!
//! - `request:<id>`, a hash: `version`, `value` (JSON), `closed`, `stamp` (of the last write), `tries` and `tried` (the
//!   last of them), and one field `p:<place>` per place that the request holds;
//! - `tasks:<id>`, a hash: one row per task; and `agenda`, a sorted set of all rows of the shard by the time at which
//!   they wake;
//! - `closed`, a sorted set of closed requests; `meta`, a hash with the shard's newest ledger head and a counter;
//! - `litter:<id>`, a hash: what was planned, or left, and is not cleaned up yet; and `litters`, its agenda.
//!
//! Times are written with a fixed number of digits: the double of a sorted set's score is too coarse for them.
//!
//! **Places.** A request has to be found by its code, its people and so on, and the shards of those are other ones. A
//! *place* is one way to find a request; its *pointer* lies in the place's own shard and says `<id> <plan>`. A pointer
//! alone means nothing: the request holds the place only if its `p:<place>` names the same plan. So a pointer that
//! was written before a commit is harmless if the commit never comes, and no reader ever sees half a commit.
//!
//! **Plans.** Before pointers are written, the places that the request does not hold yet are planned in its shard, under
//! the stamp of the write, which is never used again. The commit succeeds only while its plan lives, makes the request
//! hold the places, and turns those that it leaves into litter. Whoever finds a plan that is too old makes it *void*: its
//! commit can never succeed after that, whatever the clocks say, so its pointers may be removed. (A network that delivers
//! the planning a second time makes a younger plan of that name; the commit knows by its second that it is another.)
//! Every pointer is written by one plan and removed only with that plan, hence no clean-up can take away what another
//! commit relies on. Each pointer has an owner at all times: a plan, then the request, then litter. `forget` cleans what
//! a crash left.
//!
//! **All at once.** A new request holds nothing, so what has to be planned is known beforehand. A single server carries
//! out what is sent together in its order: plan and pointers go to it in one message. Where there turns out to be nothing
//! to commit, the same script makes the plan void at once. Where it failed altogether although a pointer behind it did
//! not (memory ran out in between), its name is given up and the pointers are removed; one that is left all the same is
//! dead, and whoever meets it removes it. A cluster keeps no order between its nodes: there the plan is awaited.
//!
//! **Claims.** Two places belong to one request only: a delivery and an open request's subject. Their pointer is one
//! value, taken by a script that replaces it only if it is still the one that was found dead: its plan is void or gone
//! and its request does not hold the place under it. A pointer of a living plan is waited for, since nobody knows yet
//! whether that commit will win. Deliveries are claimed before subjects by everybody, so nobody waits in a circle. The
//! requester's cap is counted and taken in one script in the requester's shard, for the same reason; nobody waits for a
//! delivery while counting towards a cap, and what is only planned is waited for there, too.

use std::fmt;

use jiff::Timestamp;
use tapdesk_core::ids::{ChatUser, DeliveryId, PersonId, RequestId};
use tapdesk_core::ports::{Commit, PortError};
use tapdesk_core::request::{Party, Request, Whom};
use tapdesk_core::ticket::{CodeHash, TokenHash, sha256_hex};

/// How many hash tags there are. Never change it: a request would be looked for in another shard.
pub(super) const SHARDS: u8 = 64;
/// Digits of a time.
const DIGITS: usize = 21;

/// One of the hash tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard(u8);

impl Shard {
    /// The shard of whatever this text names.
    pub(super) fn of(text: &str) -> Self {
        let digest = sha256_hex(text.as_bytes());
        Self(u8::from_str_radix(&digest[..2], 16).unwrap_or_default() % SHARDS)
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }
}

/// Writes keys; all of them begin with the same prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

/// What a script about one request works on, in the order in which the scripts expect it.
pub(super) type RequestKeys = [String; 7];

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn request(&self, id: &str) -> RequestKeys {
        let shard = Shard::of(id);
        let own = |kind: &str| self.of_shard(shard, &format!("{kind}:{id}"));
        [
            own("request"),
            own("litter"),
            self.litters(shard),
            self.agenda(shard),
            own("tasks"),
            self.closed(shard),
            self.meta(shard),
        ]
    }

    pub(super) fn value(&self, id: &str) -> String {
        self.of_shard(Shard::of(id), &format!("request:{id}"))
    }

    pub(super) fn tasks(&self, id: &str) -> String {
        self.of_shard(Shard::of(id), &format!("tasks:{id}"))
    }

    pub(super) fn agenda(&self, shard: Shard) -> String {
        self.of_shard(shard, "agenda")
    }

    pub(super) fn closed(&self, shard: Shard) -> String {
        self.of_shard(shard, "closed")
    }

    pub(super) fn litters(&self, shard: Shard) -> String {
        self.of_shard(shard, "litters")
    }

    pub(super) fn meta(&self, shard: Shard) -> String {
        self.of_shard(shard, "meta")
    }

    pub(super) fn pointer(&self, place: &Place) -> String {
        self.of_shard(Shard::of(&place.what), &format!("{}:{}", place.kind, place.what))
    }

    /// Whom a person lets decide for them.
    pub(super) fn delegation(&self, of: PersonId) -> String {
        self.keepsake("delegation", &of.to_string())
    }

    /// Where a chat reaches an account.
    pub(super) fn conversation(&self, with: &ChatUser) -> String {
        self.keepsake("conversation", &format!("{}\0{}\0{}", with.chat, with.workspace, with.id))
    }

    /// What is kept about somebody beside the requests.
    fn keepsake(&self, kind: &str, of: &str) -> String {
        let name = sha256_hex(format!("{kind}\0{of}").as_bytes());
        self.of_shard(Shard::of(&name), &format!("{kind}:{}", &name[..32]))
    }

    /// What belongs to no shard: the layout's version and the lockdown.
    pub(super) fn global(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// Where new tasks are announced.
    pub(super) fn channel(&self) -> String {
        format!("{}:tasks", self.prefix)
    }

    fn of_shard(&self, Shard(shard): Shard, rest: &str) -> String {
        format!("{}:{{{shard:02}}}:{rest}", self.prefix)
    }
}

/// In which way a request is found at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Delivery,
    Asked,
    Subject,
    Requester,
    Asker,
    Approver,
    Code,
    Report,
    Ticket,
    Colleagues,
    History,
}

const KINDS: [Kind; 11] = [
    Kind::Delivery,
    Kind::Asked,
    Kind::Subject,
    Kind::Requester,
    Kind::Asker,
    Kind::Approver,
    Kind::Code,
    Kind::Report,
    Kind::Ticket,
    Kind::Colleagues,
    Kind::History,
];

impl Kind {
    /// Whether the place belongs to one request only.
    pub(super) fn is_claimed(self) -> bool {
        match self {
            Self::Delivery | Self::Subject => true,
            Self::Asked
            | Self::Requester
            | Self::Asker
            | Self::Approver
            | Self::Code
            | Self::Report
            | Self::Ticket
            | Self::Colleagues
            | Self::History => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivery => "delivery",
            Self::Asked => "asked",
            Self::Subject => "subject",
            Self::Requester => "requester",
            Self::Asker => "asker",
            Self::Approver => "approver",
            Self::Code => "code",
            Self::Report => "report",
            Self::Ticket => "ticket",
            Self::Colleagues => "colleagues",
            Self::History => "history",
        })
    }
}

/// One way to find a request. Names of people, accounts and deliveries are digests: they come from outside and may be
/// of any length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) kind: Kind,
    what: String,
    /// Where the pointers of the place begin with a time: the time.
    at: Option<String>,
}

impl Place {
    fn new(kind: Kind, name: &str) -> Self {
        let digest = sha256_hex(format!("{kind}\0{name}").as_bytes());
        Self { kind, what: digest[..32].to_owned(), at: None }
    }

    pub(super) fn delivery(delivery: &DeliveryId) -> Self {
        Self::new(Kind::Delivery, delivery.as_str())
    }

    pub(super) fn code(code: &CodeHash) -> Self {
        Self::new(Kind::Code, &code.0)
    }

    pub(super) fn report(token: &TokenHash) -> Self {
        Self::new(Kind::Report, &token.0)
    }

    pub(super) fn whom(whom: &Whom) -> Result<Self, PortError> {
        Ok(match whom {
            Whom::Subject(person) => Self::new(Kind::Subject, &person.to_string()),
            Whom::Asker(person) => Self::new(Kind::Asker, &person.to_string()),
            Whom::Approver(person) => Self::new(Kind::Approver, &person.to_string()),
            Whom::Colleagues(group) => Self::new(Kind::Colleagues, &group.to_string()),
            Whom::Requester(_) => {
                let account = serde_json::to_string(whom).map_err(super::fault::unwritable)?;
                Self::new(Kind::Requester, &account)
            }
        })
    }

    /// Every ticket of the subject, if `at` is left out.
    pub(super) fn ticket(subject: PersonId, at: Timestamp) -> Self {
        Self { at: Some(digits(at)), ..Self::new(Kind::Ticket, &subject.to_string()) }
    }

    /// Every request of the party, if `at` is left out.
    pub(super) fn history(party: &Party, at: Timestamp) -> Result<Self, PortError> {
        let name = serde_json::to_string(party).map_err(super::fault::unwritable)?;
        Ok(Self { at: Some(digits(at)), ..Self::new(Kind::History, &name) })
    }

    /// What counts towards the same cap.
    pub(super) fn asked(request: &Request) -> Result<Self, PortError> {
        let counted = serde_json::to_string(&request.counted()).map_err(super::fault::unwritable)?;
        Ok(Self::new(Kind::Asked, &counted))
    }

    /// The pointer of the request's plan at this place.
    pub(super) fn pointer(&self, id: &str, plan: &str) -> String {
        let time = self.at.as_ref().map(|at| format!("{at}:")).unwrap_or_default();
        format!("{time}{id} {plan}")
    }

    /// The place as `p:<place>` names it.
    pub(super) fn name(&self) -> String {
        let time = self.at.as_ref().map(|at| format!(":{at}")).unwrap_or_default();
        format!("{}:{}{time}", self.kind, self.what)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split(':');
        let kind = parts.next()?;
        let kind = KINDS.into_iter().find(|known| known.to_string() == kind)?;
        Some(Self { kind, what: parts.next()?.to_owned(), at: parts.next().map(str::to_owned) })
    }

    /// The same place at the time of one of its pointers.
    pub(super) fn at_time_of(&self, pointer: &str) -> Self {
        let at = pointer.split_once(':').map(|(at, _)| at.to_owned());
        Self { at: at.filter(|_| self.at.is_some()), ..self.clone() }
    }
}

/// Every place where the commit's request is found, apart from the one it asked from.
pub(super) fn places(commit: &Commit) -> Result<Vec<Place>, PortError> {
    let request = &commit.request;
    let mut places = Vec::new();
    for whom in request.whom() {
        places.push(Place::whom(&whom)?);
    }
    places.extend(commit.delivery.as_ref().map(Place::delivery));
    places.extend(request.code_hash().map(Place::code));
    places.extend(request.report_token().map(Place::report));
    places.extend(request.ticket_opened().map(|(subject, at)| Place::ticket(subject, at)));
    for party in request.parties() {
        places.push(Place::history(&party, request.received_at)?);
    }
    places.sort();
    places.dedup();
    Ok(places)
}

/// Request and plan of a pointer.
pub(super) fn read_pointer(pointer: &str) -> Option<(RequestId, &str)> {
    let (left, plan) = pointer.rsplit_once(' ')?;
    let id = left.rsplit_once(':').map_or(left, |(_, id)| id);
    Some((id.parse().ok()?, plan))
}

/// The time in digits that sort as time does.
pub(super) fn digits(at: Timestamp) -> String {
    format!("{:0DIGITS$}", at.as_nanosecond() - Timestamp::MIN.as_nanosecond())
}

/// The time that these digits write.
pub(super) fn time(digits: &str) -> Option<Timestamp> {
    let nanos: i128 = digits.parse().ok()?;
    Timestamp::from_nanosecond(nanos.checked_add(Timestamp::MIN.as_nanosecond())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_sort_as_time_does_and_lose_nothing() {
        let times = [
            Timestamp::MIN,
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH + std::time::Duration::from_nanos(1),
            Timestamp::MAX,
        ];
        let written = times.map(digits);
        assert!(written.is_sorted() && written.iter().all(|text| text.len() == DIGITS), "{written:?}");
        assert_eq!(written.map(|text| time(&text).unwrap()), times);
    }

    #[test]
    fn a_place_survives_being_written_and_read() {
        for place in [
            Place::delivery(&DeliveryId("any text: at all".to_owned())),
            Place::ticket(PersonId(uuid::Uuid::nil()), Timestamp::UNIX_EPOCH),
        ] {
            assert_eq!(Place::parse(&place.name()), Some(place.clone()));
            let id = "req_00000000000000000000000001";
            let pointer = place.pointer(id, "7");
            assert_eq!(read_pointer(&pointer), Some((id.parse().unwrap(), "7")));
            assert_eq!(place.at_time_of(&pointer), place);
        }
    }
}
