//! How does Graph make, show and delete a pass?

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::door::{Answer, Caller, Problem};
use super::query::{Asked, Fields, context_of};
use super::record::{Pass, PassPolicy};
use super::{AppRole, Tenant};
use crate::people::Profile;

const WRITE: &[&str] = &["UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"];
const READ: &[&str] = &[
    "UserAuthMethod-TAP.Read.All",
    "UserAuthMethod-TAP.ReadWrite.All",
    "UserAuthenticationMethod.Read.All",
    "UserAuthenticationMethod.ReadWrite.All",
];
const READ_POLICY: &[&str] = &["Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod"];

const RESTRICTED: &str = "This user is a member of a restricted management administrative unit. \
     Management rights are limited to administrators scoped on that administrative unit.";
const POLICY_REFUSES: &str = "Converged UserCredentialPolicy does not allow creating or updating this authentication method. \
     AuthMethodType [TemporaryAccessPass].";
const GUEST: &str = "Temporary Access Pass cannot be added to an external guest user.";

pub(super) async fn policy(State(tenant): State<Tenant>, Path(method): Path<String>, asked: Asked) -> Answer {
    if !asked.caller.has(READ_POLICY) {
        let message = "You cannot perform the requested operation, required scopes are missing in the token.";
        return Err(Problem::of_methods(StatusCode::FORBIDDEN, "accessDenied", message));
    }
    if !method.eq_ignore_ascii_case("temporaryAccessPass") {
        return Err(Problem::of_methods(StatusCode::NOT_FOUND, "resourceNotFound", "Resource not found."));
    }
    Ok(Json(tenant.with(|desk| desk.policy.json())).into_response())
}

pub(super) async fn list(State(tenant): State<Tenant>, Path(user): Path<String>, asked: Asked) -> Answer {
    asked.only(&[])?;
    let owner = owner(&tenant, &asked.caller, READ, &user)?;
    let passes: Vec<Value> = shown(&tenant, &owner.id).into_iter().collect();
    let context = context_of(&format!("users('{user}')/authentication/temporaryAccessPassMethods"));
    Ok(Json(json!({ "@odata.context": context, "value": passes })).into_response())
}

pub(super) async fn one(
    State(tenant): State<Tenant>,
    Path((user, id)): Path<(String, String)>,
    asked: Asked,
) -> Answer {
    let owner = owner(&tenant, &asked.caller, READ, &user)?;
    let pass = shown(&tenant, &owner.id).filter(|pass| pass["id"] == json!(id));
    Ok(Json(pass.ok_or_else(missing)?).into_response())
}

pub(super) async fn delete(
    State(tenant): State<Tenant>,
    Path((user, id)): Path<(String, String)>,
    asked: Asked,
) -> Answer {
    let owner = changeable_owner(&tenant, &asked.caller, &user)?;
    let now = (tenant.clock)();
    tenant.with(|desk| {
        let pass = desk.current(&owner.id).filter(|pass| pass.id == id).ok_or_else(missing)?;
        pass.deleted_at = Some(now);
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

pub(super) async fn create(
    State(tenant): State<Tenant>,
    Path(user): Path<String>,
    asked: Asked,
    body: Bytes,
) -> Answer {
    let owner = changeable_owner(&tenant, &asked.caller, &user)?;
    let now = (tenant.clock)();
    let policy = tenant.with(|desk| desk.policy.clone());
    let wish = Wish::read(&asked.object(&body)?, &policy, now)?;
    let refuse = |message| Err(Problem::of_methods(policy.refuses_with, "badRequest", message));
    if owner.external {
        return refuse(GUEST);
    }
    let is_allowed = tenant.allows(&owner.id);
    if !is_allowed && !policy.makes_unusable_passes {
        return refuse(POLICY_REFUSES);
    }
    if policy.one_time && policy.refuses_multi_use && !wish.one_time {
        return refuse("Multi-use Temporary Access Pass is not allowed by policy.");
    }
    wish.check_lifetime(&policy)?;
    let pass = tenant.with(|desk| {
        let pass = Pass {
            starts: wish.starts,
            one_time: wish.one_time || policy.one_time,
            ..Pass::new(&owner.id, desk.passcode(), now, wish.lifetime_minutes)
        };
        desk.keep(pass, now)
    });
    let mut answer = pass.json(is_allowed, now, Some(&pass.passcode));
    let context = format!("users('{user}')/authentication/temporaryAccessPassMethods/$entity");
    answer["@odata.context"] = json!(context_of(&context));
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// What the body of a creation asks for, with the policy's defaults.
struct Wish {
    lifetime_minutes: u32,
    one_time: bool,
    starts: Timestamp,
}

impl Wish {
    fn read(body: &Fields, policy: &PassPolicy, now: Timestamp) -> Result<Self, Problem> {
        let mut wish =
            Self { lifetime_minutes: policy.default_minutes, one_time: policy.one_time, starts: now };
        for (name, value) in body {
            let understood = match name.as_str() {
                "lifetimeInMinutes" => {
                    let minutes = value.as_i64().and_then(|minutes| u32::try_from(minutes).ok());
                    minutes.map(|minutes| wish.lifetime_minutes = minutes)
                }
                "isUsableOnce" => value.as_bool().map(|once| wish.one_time = once),
                "startDateTime" => {
                    value.as_str().and_then(|text| text.parse().ok()).map(|at| wish.starts = at)
                }
                "@odata.type" => Some(()),
                _ => None,
            };
            understood.ok_or_else(|| {
                let message =
                    format!("The property '{name}' does not exist or its value is not of the declared type.");
                Problem::bad(&message)
            })?;
        }
        Ok(wish)
    }

    fn check_lifetime(&self, policy: &PassPolicy) -> Result<(), Problem> {
        let (minimum, maximum) = (policy.minimum_minutes, policy.maximum_minutes);
        if (minimum..=maximum).contains(&self.lifetime_minutes) {
            return Ok(());
        }
        let message =
            format!("Invalid LifetimeInMinutes specified. The valid range between {minimum} and {maximum}.");
        Err(Problem::of_methods(StatusCode::BAD_REQUEST, "badRequest", &message))
    }
}

/// The pass that Entra lists for somebody, without its passcode.
fn shown(tenant: &Tenant, user: &str) -> Option<Value> {
    let (now, is_allowed) = ((tenant.clock)(), tenant.allows(user));
    tenant.with(|desk| desk.current(user).map(|pass| pass.json(is_allowed, now, None)))
}

/// The account, if the caller may see its sign-in methods.
pub(super) fn owner(
    tenant: &Tenant,
    caller: &Caller,
    permissions: &[&str],
    user: &str,
) -> Result<Profile, Problem> {
    if !caller.has(permissions) && caller.role == AppRole::None {
        return Err(Problem::access_denied());
    }
    let missing = || Problem::of_methods(StatusCode::NOT_FOUND, "resourceNotFound", "User not found.");
    tenant.company.with(|register| register.person(user).cloned()).ok_or_else(missing)
}

/// The account, if the caller may change its sign-in methods. In restricted management units permissions do not count.
fn changeable_owner(tenant: &Tenant, caller: &Caller, user: &str) -> Result<Profile, Problem> {
    let owner = owner(tenant, caller, WRITE, user)?;
    if owner.management_restricted {
        return Err(Problem::of_methods(StatusCode::FORBIDDEN, "accessDenied", RESTRICTED));
    }
    let is_limited = !caller.has(WRITE) && caller.role == AppRole::AuthenticationAdministrator;
    if is_limited
        && tenant.company.with(|register| register.is_beyond_authentication_administrators(&owner.id))
    {
        return Err(Problem::access_denied());
    }
    Ok(owner)
}

fn missing() -> Problem {
    Problem::of_methods(StatusCode::NOT_FOUND, "resourceNotFound", "Resource not found.")
}
