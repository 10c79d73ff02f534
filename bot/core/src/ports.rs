//! What does the core need from the outside world, and what may it expect of it?
//!
//! Adapters implement these traits; `Arc<dyn Port>` joins them. A port error answers the only question
//! that its caller has: is another try worth it?

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::card::{Card, PinCard};
use crate::caution::FileChange;
use crate::delegation::Delegation;
use crate::form::Form;
use crate::hours::Zone;
use crate::ids::{
    ChatName, ChatUser, DeliveryId, GroupId, LedgerName, NotAnId, PassId, PersonId, RequestId, SourceName,
    Version, WorkerId,
};
use crate::ledger::{Head, Record};
use crate::method::Method;
use crate::pass::{NewPass, PassMeta, PassPolicy, PassWish};
use crate::people::{Contact, Person, Privileges};
use crate::policy::Route;
use crate::request::{MessageRef, Party, Request, Whom};
use crate::source::{SourceTerms, Status};
use crate::task::{NewTask, Task};
use crate::ticket::{CodeHash, Malformed, Pin, PinHash, Revealed};

/// The cause of a port error, for the log only.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a port could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The same call may succeed later.
    #[error("{what}")]
    Retry {
        /// What failed, for the log; no secret, no address.
        what: Cow<'static, str>,
        /// When the other side wants to be asked again.
        after: Option<Duration>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The same call fails until somebody mends something.
    #[error("{what}")]
    Fatal {
        /// What failed and what to mend, for the log; no secret, no address.
        what: Cow<'static, str>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
}

impl PortError {
    /// A failure worth another try.
    pub fn retry(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Retry { what: what.into(), after: None, source: None }
    }

    /// A failure that somebody has to mend.
    pub fn fatal(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Fatal { what: what.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(self, cause: impl Into<Cause>) -> Self {
        match self {
            Self::Retry { what, after, .. } => Self::Retry { what, after, source: Some(cause.into()) },
            Self::Fatal { what, .. } => Self::Fatal { what, source: Some(cause.into()) },
        }
    }

    /// The same error, not to be tried again before `after` has passed; makes it a `Retry`.
    #[must_use]
    pub fn after(self, after: Option<Duration>) -> Self {
        match self {
            Self::Retry { what, source, .. } | Self::Fatal { what, source } => {
                Self::Retry { what, after, source }
            }
        }
    }
}

/// Wall-clock time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Cryptographic randomness.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` from the system's generator.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// Argon2 away from the async threads, a bounded number at a time.
#[async_trait]
pub trait Pins: Send + Sync {
    /// Hashes a new PIN.
    async fn hash(&self, pin: Pin) -> Result<PinHash, Malformed>;
    /// Whether `pin` is the one behind `hash`.
    async fn matches(&self, pin: Pin, hash: PinHash) -> bool;
}

/// Entra, read and written through Graph. Every answer is from a read made for this call: nothing is cached.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Everybody whose user principal name or primary mail is `address`, ignoring case.
    async fn find(&self, address: &str) -> Result<Vec<Person>, PortError>;
    /// The person with this object id, if there is one.
    async fn person(&self, id: PersonId) -> Result<Option<Person>, PortError>;
    /// The person's manager, if one is set.
    async fn manager(&self, of: PersonId) -> Result<Option<Person>, PortError>;
    /// Which of `groups` the person is in, nested groups included.
    async fn groups_among(
        &self,
        person: PersonId,
        groups: &[GroupId],
    ) -> Result<BTreeSet<GroupId>, PortError>;
    /// Every person in the group, nested groups included.
    async fn members(&self, group: GroupId) -> Result<Vec<Person>, PortError>;
    /// Everything that makes the person privileged. A part that cannot be read is an error, never "none".
    async fn privileges(&self, person: PersonId) -> Result<Privileges, PortError>;
    /// The person's authentication phone methods, as Entra shows them (perhaps masked).
    async fn phones(&self, person: PersonId) -> Result<Vec<Contact>, PortError>;
    /// Which contacts and managers of the person the audit log shows as changed since `since`, in any order. Entries reach
    /// the log minutes after the change.
    async fn changes(&self, of: PersonId, since: Timestamp) -> Result<Vec<FileChange>, PortError>;
    /// Every way to sign in that the person has, passes and the password included.
    async fn methods(&self, person: PersonId) -> Result<Vec<Method>, PortError>;
    /// The tenant's pass policy.
    async fn pass_policy(&self) -> Result<PassPolicy, PortError>;
    /// The person's passes, spent ones included.
    async fn passes(&self, of: PersonId) -> Result<Vec<PassMeta>, PortError>;
    /// Makes a pass, replacing any other. Never repeated by the adapter, whatever happens.
    async fn create_pass(&self, of: PersonId, wish: PassWish) -> Result<NewPass, CreateError>;
    /// Deletes a pass; one that is gone already counts as deleted.
    async fn delete_pass(&self, of: PersonId, pass: &PassId) -> Result<(), PortError>;
    /// Ends the person's sessions.
    async fn revoke_sessions(&self, of: PersonId) -> Result<(), PortError>;
}

/// What became of a create that brought no pass.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Graph said no: there is no new pass.
    #[error("Graph declined to make a pass ({why:?})")]
    Declined {
        /// The reason, as far as Graph's answer tells.
        why: Decline,
        /// Graph's error code and request id, for the log.
        #[source]
        source: Option<Cause>,
    },
    /// A pass was made that Entra will refuse at sign-in (`DisabledByPolicy`); it has to be deleted.
    #[error("Graph made a pass that the tenant's policy disables")]
    Unusable {
        /// The useless pass.
        pass: PassId,
    },
    /// No answer, or one that proves nothing: a pass may have been made, or may still be.
    #[error("the outcome of the create is unknown")]
    Unknown {
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
}

/// Why Graph declined to make a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Decline {
    /// The pass policy is off or does not include the subject.
    PolicyOff,
    /// The subject is an external guest.
    Guest,
    /// 403: a missing permission, or a subject that the app's role may not touch.
    NotPermitted,
    /// The lifetime is outside the tenant's range.
    Lifetime,
    /// The subject does not exist, or does not yet everywhere.
    NoSuchPerson,
    /// Too many calls.
    Throttled,
    /// The connection was never made, or the token not granted: nothing was sent.
    NotSent,
    /// Another 4xx.
    Other,
}

/// What a chat can do, as plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A private modal can be opened from a button: needed for `pin = ["approver"]`.
    pub private_modal: bool,
    /// A posted card can be edited later.
    pub edit: bool,
}

/// How an inbound message can be answered privately, for a short while. Bearer secrets: never logged, never stored.
pub struct Reply {
    /// The platform's handle for opening a modal.
    pub modal: Option<String>,
    /// The platform's address for an ephemeral answer.
    pub whisper: Option<String>,
    /// Who gets it.
    pub to: ChatUser,
}

/// What became of somebody's own page in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// It shows the card.
    Shown,
    /// It shows something newer than what was meant to be replaced.
    Newer,
}

/// Whom a chat account belongs to, as far as the chat can vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// The address that the configuration lets us trust.
    Address(String),
    /// The object id that the chat verified in our tenant.
    Object(PersonId),
    /// The chat knows the account and cannot or must not vouch for it.
    Nobody(NotVouched),
}

/// Why a chat account stands for nobody in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum NotVouched {
    /// Unknown or deactivated.
    Gone,
    /// A bot.
    Bot,
    /// A guest of the workspace.
    Guest,
    /// From another organisation.
    Stranger,
    /// Without a mail address.
    NoAddress,
    /// The configuration does not trust the chat's addresses.
    NotTrusted,
}

/// A person's account in a chat, and what the chat knows of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub user: ChatUser,
    /// The time zone that they live by, where the chat says.
    pub zone: Option<Zone>,
}

/// Where a chat reaches an account, in the chat's own words: it learnt it from a message and cannot look it up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Conversation(pub String);

/// Why a card could not be posted.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// The account takes no messages of ours: its owner blocked or removed the app, or never had it.
    #[error("the account takes no messages of ours")]
    Closed,
    /// The chat failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<SayError> for PortError {
    fn from(error: SayError) -> Self {
        match error {
            SayError::Closed => Self::fatal("the account takes no messages of ours"),
            SayError::Port(error) => error,
        }
    }
}

/// A place where people talk and type commands.
#[async_trait]
pub trait Chat: Send + Sync {
    /// The name that the configuration gives it.
    fn name(&self) -> ChatName;
    /// What it can do.
    fn abilities(&self) -> Abilities;
    /// What people type there before a command, as the words tell them.
    fn command(&self) -> &str;
    /// Posts a card to the account's private chat.
    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, SayError>;
    /// Replaces a card that was posted. One that is gone counts as replaced.
    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), PortError>;
    /// Answers one person where they pressed or typed; nobody else sees it.
    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), PortError>;
    /// Opens the private modal that shows a PIN.
    async fn reveal(&self, reply: &Reply, card: &PinCard) -> Result<(), PortError>;
    /// Opens a form in front of the person who pressed or typed; nobody else sees it.
    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<(), PortError>;
    /// Shows a card on the account's own page in the chat, unless another version than `seen` is there by now.
    async fn show_home(&self, to: &ChatUser, seen: Option<&str>, card: &Card) -> Result<Home, PortError>;
    /// Whom the account stands for.
    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError>;
    /// The person's account in this chat, if there is one that may act.
    async fn account_of(&self, person: &Person) -> Result<Option<Account>, PortError>;
}

/// A system that asks by signed messages, and hears what became of it.
#[async_trait]
pub trait Source: Send + Sync {
    /// The name that the configuration gives it.
    fn name(&self) -> &SourceName;
    /// What it may do.
    fn terms(&self) -> SourceTerms;
    /// Tells it; one that has no address to be told at counts as told.
    async fn tell(&self, status: &Status) -> Result<(), PortError>;
}

/// A message on its way along a route; the text may hold a code or a PIN and is wiped on drop.
#[derive(Debug)]
pub struct Message {
    /// Subject line, where the route has one; never secret.
    pub subject: String,
    /// The text.
    pub text: Revealed,
    /// What the provider may say of it later, where its courier can ask for that.
    pub mark: Option<Mark>,
}

/// Names a message with a code to whoever reports how far it came; tells a provider nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The request.
    pub request: RequestId,
    /// Which of its codes.
    pub generation: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.request, self.generation)
    }
}

impl FromStr for Mark {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (request, generation) = text.split_once('.').unwrap_or_default();
        let generation = generation.parse().unwrap_or_default();
        Ok(Self { request: request.parse()?, generation })
    }
}

/// What a courier got for a message: its provider's id, for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

/// Code that sends along a route.
#[async_trait]
pub trait Courier: Send + Sync {
    /// The route it serves.
    fn route(&self) -> Route;
    /// Hands the message to the provider. `Ok` means accepted, not delivered.
    async fn send(&self, to: &Contact, message: &Message) -> Result<Receipt, PortError>;
}

/// The append-only audit record.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Appends the records in order; durable when it returns.
    async fn append(&self, records: Vec<Record>) -> Result<Head, PortError>;
    /// The last durable line.
    fn head(&self) -> Head;
}

/// A request as the store holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The request.
    pub request: Request,
    /// Its version.
    pub version: Version,
}

/// What `open` did.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// The request is stored at [`Version::FIRST`].
    New,
    /// This delivery was accepted before, as this request.
    Seen(RequestId),
    /// The requester has asked too often within the window.
    TooMany,
}

/// At most `most` requests that count together ([`Request::counted`]) within `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequesterCap {
    /// How many.
    pub most: u32,
    /// Within how long.
    pub window: Duration,
}

/// One change on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The request as it is after the change.
    pub request: Request,
    /// Tasks that the change brings.
    pub tasks: Vec<NewTask>,
    /// The ledger's head after the records of the change.
    pub head: Head,
    /// The delivery that caused it, claimed with it.
    pub delivery: Option<DeliveryId>,
    /// The tries of the ticket start anew: the PIN was proved, or the ticket is new.
    pub fresh_tries: bool,
}

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the request first.
    #[error("the request was changed by somebody else first")]
    Conflict,
    /// The delivery was claimed before.
    #[error("the delivery was seen before")]
    Seen,
    /// The commit binds a subject who has another open request.
    #[error("the subject already has an open request")]
    SubjectBusy(RequestId),
    /// The store failed. Over a network the commit may be there all the same: only a look at the request tells.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A task that this worker holds until its lease runs out and another one gets the task.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// Which task.
    pub key: TaskKey,
    /// What to do.
    pub task: Task,
    /// When it was due.
    pub due: Timestamp,
    /// Who holds it.
    pub worker: WorkerId,
    /// The how-manieth lease of the task this is: with the worker it proves to `done` and `again` that it still counts.
    pub lease: u32,
    /// Who held it before and did not settle it: a worker that died or ran out of time.
    pub left_by: Option<WorkerId>,
}

/// Identifies a task: its request, the version whose commit brought it, and its place in that commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct TaskKey {
    /// The request.
    pub request: RequestId,
    /// The version whose commit brought the task.
    pub version: Version,
    /// Its place in that commit.
    pub place: u16,
}

/// A try at a PIN, counted before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Try {
    /// No ticket has this code.
    Unknown,
    /// The try is counted; the check may go on.
    Counted(RequestId),
    /// All tries are taken and some are still being checked: ask again in a moment.
    Busy(RequestId),
    /// All tries are taken, the last of them at least a minute ago.
    Exhausted(RequestId),
}

/// Tries at the PIN of one ticket.
pub const PIN_TRIES: u8 = 5;

/// How long a counted try may go without an outcome before it counts as a wrong one.
pub const TRY_LEASE: Duration = Duration::from_mins(1);

/// Durable state, in verbs of the domain. Everything a verb wrote is durable when it returns.
#[async_trait]
pub trait Store: Send + Sync {
    /// Stores a new request, its first tasks and its delivery; once per delivery.
    async fn open(&self, commit: Commit, cap: RequesterCap, now: Timestamp) -> Result<Opened, PortError>;
    /// The request and its version.
    async fn load(&self, id: &RequestId) -> Result<Option<Stored>, PortError>;
    /// All or nothing; returns the new version. A change whose answer was lost may be told `Conflict` or `Seen` by itself:
    /// the request's footing tells.
    async fn commit(&self, expected: Version, commit: Commit) -> Result<Version, CommitError>;
    /// Leases up to `most` due tasks, oldest first, for `lease`.
    async fn due(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Leased>, PortError>;
    /// When the next task is due or the next lease runs out, if any task is left.
    async fn next_due(&self) -> Result<Option<Timestamp>, PortError>;
    /// Forgets a task that was performed. Without effect once somebody else has leased it: what a late performer takes
    /// for done may be what its successor has begun anew, a code that was minted again for one.
    async fn done(&self, leased: &Leased) -> Result<(), PortError>;
    /// Gives a task back, due again at `at`. Without effect once somebody else has leased it.
    async fn again(&self, leased: &Leased, at: Timestamp) -> Result<(), PortError>;
    /// Finds the ticket by its code and counts the try before it is checked.
    async fn try_pin(&self, code: &CodeHash, now: Timestamp) -> Result<Try, PortError>;
    /// The request whose ticket has this code, counting nothing.
    async fn find_code(&self, code: &CodeHash) -> Result<Option<RequestId>, PortError>;
    /// The request whose "this wasn't me" link has this hash.
    async fn find_report(&self, token: &crate::ticket::TokenHash) -> Result<Option<RequestId>, PortError>;
    /// The open requests of somebody.
    async fn open_requests(&self, whom: &Whom) -> Result<Vec<RequestId>, PortError>;
    /// The requests of somebody that were received since `since`, closed ones included; the oldest first.
    async fn requests_since(&self, party: &Party, since: Timestamp) -> Result<Vec<RequestId>, PortError>;
    /// The requests whose tickets were opened for the subject since `since`, closed ones too, the oldest first.
    async fn tickets_since(&self, subject: PersonId, since: Timestamp) -> Result<Vec<RequestId>, PortError>;
    /// The newest head of that ledger that a commit named.
    async fn anchor(&self, ledger: &LedgerName) -> Result<Head, PortError>;
    /// Whom that person lets decide for them: the delegation that was set last, over or not.
    async fn delegation(&self, of: PersonId) -> Result<Option<Delegation>, PortError>;
    /// Sets the person's delegation in place of any other, or takes it away.
    async fn set_delegation(&self, of: PersonId, delegation: Option<Delegation>) -> Result<(), PortError>;
    /// Where a chat reaches the account, if the chat has told.
    async fn conversation(&self, with: &ChatUser) -> Result<Option<Conversation>, PortError>;
    /// Keeps where a chat reaches the account in place of what it told before, or forgets it.
    async fn keep_conversation(
        &self,
        with: &ChatUser,
        conversation: Option<Conversation>,
    ) -> Result<(), PortError>;
    /// Whether issuing is locked down, and since when.
    async fn lockdown(&self) -> Result<Option<Timestamp>, PortError>;
    /// Locks issuing down since the given time, or lifts the lockdown.
    async fn set_lockdown(&self, since: Option<Timestamp>) -> Result<(), PortError>;
    /// Forgets requests that closed before `before`, and delivery ids as old; returns how many requests.
    async fn forget(&self, before: Timestamp) -> Result<u64, PortError>;
}

#[cfg(test)]
pub(crate) mod testing {
    //! Doubles for the core's own tests.

    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Entropy;

    /// Bytes that count upwards: different each time, the same in each run.
    pub(crate) struct CountUp(AtomicU8);

    impl CountUp {
        pub(crate) fn new() -> Self {
            Self(AtomicU8::new(0))
        }
    }

    impl Entropy for CountUp {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(7, Ordering::Relaxed) % 250;
            }
        }
    }
}
