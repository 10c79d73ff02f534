//! What is a pass in Entra, who may have one, and what happens when somebody signs in with it?

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::chance;

/// One pass that Entra made: the truth, with its passcode.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Object id of the pass.
    pub id: String,
    /// Object id of its owner.
    pub user: String,
    /// The secret.
    pub passcode: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it begins to work.
    pub starts: Timestamp,
    /// How long it works from then on.
    pub lifetime_minutes: u32,
    /// Whether it works once only.
    pub one_time: bool,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// When a later pass took its place.
    pub replaced_at: Option<Timestamp>,
    /// When somebody signed in with it.
    pub used: Vec<Timestamp>,
    /// Whether somebody else than the program made it.
    pub is_foreign: bool,
}

impl Pass {
    pub(super) fn new(user: &str, passcode: String, now: Timestamp, lifetime_minutes: u32) -> Self {
        Self {
            id: chance::id("pass"),
            user: user.to_owned(),
            passcode,
            created: now,
            starts: now,
            lifetime_minutes,
            one_time: false,
            deleted_at: None,
            replaced_at: None,
            used: Vec::new(),
            is_foreign: false,
        }
    }

    /// When it stops working by itself.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        let lifetime = SignedDuration::from_mins(i64::from(self.lifetime_minutes));
        self.starts.checked_add(lifetime).unwrap_or(Timestamp::MAX)
    }

    /// Whether it is there, usable or not.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.deleted_at.is_none() && self.replaced_at.is_none()
    }

    /// Whether it works, now or from its start on (as far as the policy lets it).
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.is_listed() && now < self.expires() && !self.is_spent()
    }

    fn is_spent(&self) -> bool {
        self.one_time && !self.used.is_empty()
    }

    pub(super) fn sign_in(&mut self, passcode: &str, is_allowed: bool, now: Timestamp) -> SignIn {
        let outcome = match self.reason(is_allowed, now) {
            _ if self.passcode != passcode => SignIn::Wrong,
            "DisabledByPolicy" => SignIn::BlockedByPolicy,
            "NotYetValid" => SignIn::NotYetValid,
            "Expired" => SignIn::Expired,
            "OneTimeUsed" => SignIn::AlreadyUsed,
            _ => SignIn::Ok,
        };
        if outcome == SignIn::Ok {
            self.used.push(now);
        }
        outcome
    }

    /// The object as Graph shows it; only the answer to its creation has the passcode.
    pub(super) fn json(&self, is_allowed: bool, now: Timestamp, passcode: Option<&str>) -> Value {
        let reason = self.reason(is_allowed, now);
        json!({
            "@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethod",
            "id": self.id,
            "temporaryAccessPass": passcode,
            "createdDateTime": self.created.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string(),
            "startDateTime": self.starts.strftime("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
            "lifetimeInMinutes": self.lifetime_minutes,
            "isUsableOnce": self.one_time,
            "isUsable": reason == "EnabledByPolicy",
            "methodUsabilityReason": reason,
        })
    }

    fn reason(&self, is_allowed: bool, now: Timestamp) -> &'static str {
        match () {
            () if self.is_spent() => "OneTimeUsed",
            () if now >= self.expires() => "Expired",
            () if !is_allowed => "DisabledByPolicy",
            () if now < self.starts => "NotYetValid",
            () => "EnabledByPolicy",
        }
    }
}

/// How a sign-in with a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// A session was opened.
    Ok,
    /// There is no such passcode (any more).
    Wrong,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It was for one time.
    AlreadyUsed,
    /// The policy does not let its owner use passes.
    BlockedByPolicy,
    /// The account is blocked.
    AccountDisabled,
}

/// Whom the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `all_users`.
    Everybody,
    /// A group, by object id.
    Group(String),
    /// A person, by object id.
    User(String),
}

impl Target {
    fn hits(&self, user: &str, groups: &[String]) -> bool {
        match self {
            Self::Everybody => true,
            Self::Group(id) => groups.contains(id),
            Self::User(id) => id == user,
        }
    }

    fn json(&self, is_included: bool) -> Value {
        let (kind, id) = match self {
            Self::Everybody => ("group", "all_users"),
            Self::Group(id) => ("group", id.as_str()),
            Self::User(id) => ("user", id.as_str()),
        };
        let mut target = json!({ "targetType": kind, "id": id });
        if is_included {
            target["isRegistrationRequired"] = json!(false);
        }
        target
    }
}

/// The tenant's policy for passes. It starts as Entra's defaults, switched on for everybody.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of Entra and of this simulator, not states"
)]
pub struct PassPolicy {
    /// `state`.
    pub enabled: bool,
    /// Shortest lifetime.
    pub minimum_minutes: u32,
    /// Longest lifetime.
    pub maximum_minutes: u32,
    /// Lifetime of a pass that names none.
    pub default_minutes: u32,
    /// Characters of a passcode.
    pub default_length: usize,
    /// Whether every pass is for one time, whatever was asked.
    pub one_time: bool,
    /// Whether asking for a multi-use pass under `one_time` is refused. Undocumented; otherwise it becomes one-time.
    pub refuses_multi_use: bool,
    /// Who may have a pass.
    pub include: Vec<Target>,
    /// Who may not, whatever `include` says.
    pub exclude: Vec<Target>,
    /// The older behaviour: whom the policy excludes gets a pass that does not work (`DisabledByPolicy`).
    pub makes_unusable_passes: bool,
    /// Status of the refusals whose status no document names.
    pub refuses_with: StatusCode,
}

impl Default for PassPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            minimum_minutes: 60,
            maximum_minutes: 480,
            default_minutes: 60,
            default_length: 8,
            one_time: false,
            refuses_multi_use: false,
            include: vec![Target::Everybody],
            exclude: Vec::new(),
            makes_unusable_passes: false,
            refuses_with: StatusCode::BAD_REQUEST,
        }
    }
}

impl PassPolicy {
    pub(super) fn allows(&self, user: &str, groups: &[String]) -> bool {
        let names = |targets: &[Target]| targets.iter().any(|target| target.hits(user, groups));
        self.enabled && names(&self.include) && !names(&self.exclude)
    }

    pub(super) fn json(&self) -> Value {
        let list = |targets: &[Target], is_included| -> Vec<Value> {
            targets.iter().map(|target| target.json(is_included)).collect()
        };
        json!({
            "@odata.context": super::query::context_of("authenticationMethodConfigurations/$entity"),
            "@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration",
            "id": "TemporaryAccessPass",
            "state": if self.enabled { "enabled" } else { "disabled" },
            "defaultLifetimeInMinutes": self.default_minutes,
            "defaultLength": self.default_length,
            "minimumLifetimeInMinutes": self.minimum_minutes,
            "maximumLifetimeInMinutes": self.maximum_minutes,
            "isUsableOnce": self.one_time,
            "includeTargets": list(&self.include, true),
            "excludeTargets": list(&self.exclude, false),
        })
    }
}
