//! What does Microsoft Graph v1.0 answer, and what did it do meanwhile?
//!
//! [`Graph`] is a view of the [`Company`] that speaks the documented bodies, and refuses what the token's permissions or
//! the tenant's policy do not allow. It keeps its own record of passes and revoked sessions for the stories: what really
//! exists in Entra, whatever the program believes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use url::Url;

use crate::chance::{self, Clock};
use crate::entra::Entra;
use crate::people::{Company, Person};
use crate::wire::{Trouble, Wire, lock};

mod audit;
mod domains;
mod door;
mod memberships;
mod methods;
mod passes;
mod query;
mod record;
mod users;

pub use methods::MethodType;
pub use record::{Pass, PassPolicy, SignIn, Target};

/// The directory role that the application itself holds, besides its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppRole {
    /// None: only permissions count.
    None,
    /// Passes for everybody who is not privileged; phone numbers are masked.
    AuthenticationAdministrator,
    /// Passes for everybody.
    PrivilegedAuthenticationAdministrator,
}

/// Microsoft Graph for one tenant.
#[derive(Clone)]
pub struct Graph {
    /// What was asked, and the troubles.
    pub wire: Wire,
    /// The root: what stands in for `https://graph.microsoft.com/`, without `v1.0`.
    pub url: Url,
    tenant: Tenant,
}

impl Graph {
    /// Starts Graph on a free loopback port.
    pub async fn start(company: Company, entra: Entra, clock: Clock) -> anyhow::Result<Self> {
        let wire = Wire::default();
        let desk = Arc::new(Mutex::new(Desk::new()));
        let tenant = Tenant { company, entra, clock, desk };
        let url = Url::parse(&format!("http://{}/", wire.serve(router(&tenant)).await?))?;
        Ok(Self { wire, url, tenant })
    }

    /// Changes the tenant's policy for passes.
    pub fn policy(&self, change: impl FnOnce(&mut PassPolicy)) {
        self.tenant.with(|desk| change(&mut desk.policy));
    }

    /// Gives the application a directory role.
    pub fn app_role(&self, role: AppRole) {
        self.tenant.with(|desk| desk.app_role = role);
    }

    /// Gives the tenant a federated domain; `behaviour` is its `federatedIdpMfaBehavior`.
    pub fn federates(&self, domain: &str, behaviour: &str) {
        let domain = domains::Domain { name: domain.to_owned(), federation: Some(behaviour.to_owned()) };
        self.tenant.with(|desk| desk.domains.push(domain));
    }

    /// Dates answers by a clock that goes ahead of the world's, or behind it.
    pub fn dates_answers(&self, ahead: SignedDuration) {
        self.tenant.with(|desk| desk.clock_ahead = ahead);
    }

    /// Sets how many elements a page of a collection has at most.
    pub fn page_size(&self, size: usize) {
        self.tenant.with(|desk| desk.page_size = size.max(1));
    }

    /// Makes passcodes with `mint`, which is told the length that the policy asks for.
    pub fn mint_with(&self, mint: impl Fn(usize) -> String + Send + Sync + 'static) {
        self.tenant.with(|desk| desk.mint = Arc::new(mint));
    }

    /// Every pass that was ever made, in order.
    #[must_use]
    pub fn passes(&self) -> Vec<Pass> {
        self.tenant.with(|desk| desk.passes.clone())
    }

    /// The passes of somebody that would open a session now: none or one.
    #[must_use]
    pub fn live_passes(&self, person: &Person) -> Vec<Pass> {
        let now = (self.tenant.clock)();
        self.passes().into_iter().filter(|pass| pass.user == person.id() && pass.is_live(now)).collect()
    }

    /// Every passcode that was ever made, for the search for leaks.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.passes().into_iter().map(|pass| pass.passcode).collect()
    }

    /// Signs in to Windows with a passcode.
    #[must_use]
    pub fn use_pass(&self, person: &Person, passcode: &str) -> SignIn {
        let now = (self.tenant.clock)();
        if !person.profile().enabled {
            return SignIn::AccountDisabled;
        }
        let allowed = self.tenant.allows(person.id());
        self.tenant.with(|desk| match desk.current(person.id()) {
            Some(pass) => pass.sign_in(passcode, allowed, now),
            None => SignIn::Wrong,
        })
    }

    /// Makes a pass behind the program's back, as an administrator in the portal does, and returns it.
    #[must_use]
    pub fn make_foreign_pass(&self, person: &Person, lifetime_minutes: u32) -> Pass {
        let now = (self.tenant.clock)();
        self.tenant.with(|desk| {
            let pass =
                Pass { is_foreign: true, ..Pass::new(person.id(), desk.passcode(), now, lifetime_minutes) };
            desk.keep(pass, now)
        })
    }

    /// Deletes a pass behind the program's back, as its owner does on the security-info page.
    pub fn delete_pass(&self, person: &Person) {
        let now = (self.tenant.clock)();
        self.tenant.with(|desk| {
            if let Some(pass) = desk.current(person.id()) {
                pass.deleted_at = Some(now);
            }
        });
    }

    /// How often somebody's sessions were revoked.
    #[must_use]
    pub fn sessions_revoked(&self, person: &Person) -> usize {
        self.tenant.with(|desk| desk.revoked.get(person.id()).copied().unwrap_or_default())
    }

    /// Answers 429 to the next `times` requests for which `"METHOD path?query"` contains `part`. Graph's own example of
    /// `retry_after` is a fraction (`2.128`); some services send none.
    pub fn throttle(&self, part: &str, times: usize, retry_after: Option<&str>) {
        let headers = retry_after.map(|value| ("retry-after", value.to_owned())).into_iter().collect();
        let body = self.outside_error("TooManyRequests", "Please retry again later.");
        self.wire.trouble(part, times, Trouble::Answer(StatusCode::TOO_MANY_REQUESTS, headers, body));
    }

    /// Answers a server error to the next `times` requests that match, without handling them.
    pub fn fail(&self, part: &str, times: usize, status: StatusCode) {
        let body = self.outside_error("serviceNotAvailable", "The service is temporarily unavailable.");
        self.wire.trouble(part, times, Trouble::Answer(status, json_type(), body));
    }

    /// Handles the next `times` requests that match, and answers a server error all the same.
    pub fn fail_after_handling(&self, part: &str, times: usize, status: StatusCode) {
        let body = self.outside_error("UnknownError", "");
        self.wire.trouble(part, times, Trouble::HandleThenAnswer(status, body));
    }

    /// Answers 200 with something that is not JSON to the next `times` requests that match.
    pub fn garble(&self, part: &str, times: usize) {
        let body = "<html><body>Welcome to the guest network".to_owned();
        self.wire.trouble(part, times, Trouble::Answer(StatusCode::OK, json_type(), body));
    }

    fn outside_error(&self, code: &str, message: &str) -> String {
        let date = (self.tenant.clock)().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let inner = json!({ "date": date, "request-id": chance::id("request"), "client-request-id": chance::id("request") });
        json!({ "error": { "code": code, "message": message, "innerError": inner } }).to_string()
    }
}

/// What every handler knows.
#[derive(Clone)]
struct Tenant {
    company: Company,
    entra: Entra,
    clock: Clock,
    desk: Arc<Mutex<Desk>>,
}

impl Tenant {
    fn with<T>(&self, work: impl FnOnce(&mut Desk) -> T) -> T {
        work(&mut lock(&self.desk))
    }

    /// Whether the policy lets this person have a pass.
    fn allows(&self, user: &str) -> bool {
        let policy = self.with(|desk| desk.policy.clone());
        let groups: Vec<String> =
            self.company.with(|register| register.groups_of(user).iter().map(|g| g.id.clone()).collect());
        policy.allows(user, &groups)
    }
}

type Mint = Arc<dyn Fn(usize) -> String + Send + Sync>;

struct Desk {
    policy: PassPolicy,
    app_role: AppRole,
    domains: Vec<domains::Domain>,
    clock_ahead: SignedDuration,
    page_size: usize,
    mint: Mint,
    passes: Vec<Pass>,
    methods: Vec<methods::Registration>,
    has_premium: bool,
    audit_lag: SignedDuration,
    revoked: HashMap<String, usize>,
}

impl Desk {
    fn new() -> Self {
        Self {
            policy: PassPolicy::default(),
            app_role: AppRole::None,
            domains: vec![domains::Domain { name: "contoso.com".to_owned(), federation: None }],
            clock_ahead: SignedDuration::ZERO,
            page_size: 100,
            mint: Arc::new(mint),
            passes: Vec::new(),
            methods: Vec::new(),
            has_premium: true,
            audit_lag: SignedDuration::ZERO,
            revoked: HashMap::new(),
        }
    }

    fn passcode(&self) -> String {
        (self.mint)(self.policy.default_length)
    }

    /// The pass that Entra lists for somebody, usable or not.
    fn current(&mut self, user: &str) -> Option<&mut Pass> {
        self.passes.iter_mut().find(|pass| pass.user == user && pass.is_listed())
    }

    /// Keeps a new pass; one that exists is replaced.
    fn keep(&mut self, pass: Pass, now: Timestamp) -> Pass {
        if let Some(old) = self.current(&pass.user) {
            old.replaced_at = Some(now);
        }
        self.passes.push(pass.clone());
        pass
    }
}

/// A passcode like `+drkzqAD`: letters, digits, and symbols that break whoever forgets to encode them.
fn mint(length: usize) -> String {
    const PLAIN: &str = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let symbols = chance::text("symbol", "&%#@!*=/?^", 1) + "+";
    chance::text("passcode", PLAIN, length.saturating_sub(symbols.len() + 1))
        + &symbols
        + &chance::text("end", PLAIN, 1)
}

fn json_type() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

fn router(tenant: &Tenant) -> Router {
    let v1 = Router::new()
        .route("/auditLogs/directoryAudits", get(audit::list))
        .route("/domains", get(domains::list))
        .route("/domains/{domain}/federationConfiguration", get(domains::federation))
        .route("/users", get(users::list))
        .route("/users/{user}", get(users::one))
        .route("/users/{user}/manager", get(users::manager))
        .route("/users/{user}/ownedObjects", get(users::owned_objects))
        .route("/users/{user}/revokeSignInSessions", post(users::revoke_sessions))
        .route("/users/{user}/authentication/phoneMethods", get(users::phones))
        .route("/users/{user}/authentication/methods", get(methods::list))
        .route("/users/{user}/transitiveMemberOf", get(memberships::of_user))
        .route("/users/{user}/transitiveMemberOf/{cast}", get(memberships::of_user_cast))
        .route("/users/{user}/checkMemberGroups", post(memberships::check))
        .route("/groups/{group}", get(memberships::group))
        .route("/groups/{group}/transitiveMembers", get(memberships::in_group))
        .route("/groups/{group}/transitiveMembers/{cast}", get(memberships::in_group_cast))
        .route("/roleManagement/directory/roleAssignments", get(memberships::assignments))
        .route("/roleManagement/directory/roleEligibilityScheduleInstances", get(memberships::eligibilities))
        .route(
            "/users/{user}/authentication/temporaryAccessPassMethods",
            get(passes::list).post(passes::create),
        )
        .route(
            "/users/{user}/authentication/temporaryAccessPassMethods/{pass}",
            get(passes::one).delete(passes::delete),
        )
        .route(
            "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/{method}",
            get(passes::policy),
        )
        .fallback(door::no_such_segment)
        .method_not_allowed_fallback(door::no_such_method)
        .with_state(tenant.clone());
    let tenant = tenant.clone();
    let guard = move |request: Request, next: Next| door::guard(tenant.clone(), request, next);
    Router::new().nest("/v1.0", v1).fallback(door::no_such_segment).layer(middleware::from_fn(guard))
}

#[cfg(test)]
pub(crate) mod tests;
