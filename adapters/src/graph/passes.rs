//! Which passes does the tenant allow, which does a person have, and how is one deleted?

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use tapdesk_core::ids::{GroupId, PassId, PersonId};
use tapdesk_core::pass::{PassMeta, PassPolicy, Passcode, PolicyTargets, Usability};
use tapdesk_core::ports::PortError;

use super::Graph;
use super::call::Call;
use crate::http::word;

/// The permission that creates and deletes passes.
pub(super) const WRITE: &str =
    "UserAuthMethod-TAP.ReadWrite.All (or, safer, the directory role Authentication Administrator)";
const READ: &str = "UserAuthMethod-TAP.Read.All (or UserAuthMethod-TAP.ReadWrite.All)";
const POLICY: &str = "Policy.Read.AuthenticationMethod";
/// Graph's name of everybody among the policy's targets.
const ALL_USERS: &str = "all_users";

/// Graph's `temporaryAccessPassAuthenticationMethod`; Microsoft's schema lets every field be null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    id: Option<String>,
    /// Present in the answer to a create and nowhere else.
    pub(super) temporary_access_pass: Option<Code>,
    created_date_time: Option<Timestamp>,
    start_date_time: Option<Timestamp>,
    lifetime_in_minutes: Option<u32>,
    pub(super) is_usable_once: Option<bool>,
    is_usable: Option<bool>,
    method_usability_reason: Option<String>,
}

/// A passcode on its way out of JSON: it goes from the parser's hands into the type that wipes it, with no
/// `String` between.
pub(super) struct Code(pub(super) Passcode);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    state: String,
    minimum_lifetime_in_minutes: u32,
    maximum_lifetime_in_minutes: u32,
    is_usable_once: Option<bool>,
    include_targets: Vec<Target>,
    #[serde(default)]
    exclude_targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    target_type: String,
    id: String,
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copied;

        impl Visitor<'_> for Copied {
            type Value = Code;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a passcode")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Code, E> {
                Ok(Code(Passcode::new(text.as_bytes().to_vec())))
            }
        }

        deserializer.deserialize_str(Copied)
    }
}

impl Entry {
    /// The pass's id, if Graph told one.
    pub(super) fn id(&self) -> Option<PassId> {
        self.id.as_deref().filter(|id| !id.is_empty()).map(PassId::from)
    }

    /// Whether Entra says that it can be used.
    pub(super) fn usability(&self) -> Usability {
        match (self.method_usability_reason.as_deref(), self.is_usable) {
            (Some("EnabledByPolicy"), Some(true) | None) | (None, Some(true)) => Usability::Usable,
            (Some("NotYetValid"), _) => Usability::NotYetValid,
            (Some("Expired"), _) => Usability::Expired,
            (Some("OneTimeUsed"), _) => Usability::OneTimeUsed,
            (Some("DisabledByPolicy"), _) => Usability::DisabledByPolicy,
            (reason, _) => Usability::Other(word(reason.unwrap_or_default())),
        }
    }

    /// The pass, if Graph told what matters. `made` fills in what a create knows without being told: when the pass
    /// was made and how long it lives.
    pub(super) fn meta(&self, made: Option<(Timestamp, Duration)>) -> Option<PassMeta> {
        let (made_at, wished) = made.unzip();
        let created_at = self.created_date_time.or(self.start_date_time).or(made_at)?;
        Some(PassMeta {
            id: self.id()?,
            created_at,
            starts_at: self.start_date_time.unwrap_or(created_at),
            lifetime: self.lifetime_in_minutes.map(minutes).or(wished)?,
            one_time: self.is_usable_once.unwrap_or(false),
            usability: self.usability(),
        })
    }
}

pub(super) async fn policy(graph: &Graph) -> Result<PassPolicy, PortError> {
    let segments = [
        "policies",
        "authenticationMethodsPolicy",
        "authenticationMethodConfigurations",
        "temporaryAccessPass",
    ];
    let route =
        "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/temporaryAccessPass";
    let call = Call::get(graph.address(&segments, ""), route, POLICY);
    match graph.one(&call).await? {
        Some(configuration) => read_policy(&configuration).ok_or_else(|| call.odd()),
        None => Err(PortError::fatal("this tenant's cloud has no Temporary Access Pass")),
    }
}

pub(super) async fn list(graph: &Graph, of: PersonId) -> Result<Vec<PassMeta>, PortError> {
    let url = graph.address(&["users", &of.to_string(), "authentication", "temporaryAccessPassMethods"], "");
    let call = Call::get(url, "/users/{id}/authentication/temporaryAccessPassMethods", READ);
    let odd = call.odd();
    let entries: Vec<Entry> = graph.all(call).await?;
    entries.iter().map(|entry| entry.meta(None)).collect::<Option<_>>().ok_or(odd)
}

pub(super) async fn delete(graph: &Graph, of: PersonId, pass: &PassId) -> Result<(), PortError> {
    let id = pass.as_str();
    // An id of dots alone would be resolved away, and the call would go to the collection above.
    if id.bytes().all(|byte| byte == b'.') {
        return Err(PortError::fatal("not the id of a pass"));
    }
    let segments = ["users", &of.to_string(), "authentication", "temporaryAccessPassMethods", id];
    let call = Call {
        method: Method::DELETE,
        url: graph.address(&segments, ""),
        route: "/users/{id}/authentication/temporaryAccessPassMethods/{id}",
        body: None,
        needs: WRITE,
    };
    // A 404 is what we want: the owner may delete the pass too, and so may an earlier try.
    graph.ask(&call).await.map(drop)
}

/// `None` when a target cannot be judged.
fn read_policy(configuration: &Configuration) -> Option<PassPolicy> {
    Some(PassPolicy {
        enabled: configuration.state == "enabled",
        shortest: minutes(configuration.minimum_lifetime_in_minutes),
        longest: minutes(configuration.maximum_lifetime_in_minutes),
        always_one_time: configuration.is_usable_once.unwrap_or(false),
        includes: targets(&configuration.include_targets)?,
        excludes: targets(&configuration.exclude_targets)?,
    })
}

fn targets(targets: &[Target]) -> Option<PolicyTargets> {
    let mut read = PolicyTargets::default();
    for Target { target_type, id } in targets {
        match target_type.as_str() {
            "group" | "user" if id == ALL_USERS => read.everybody = true,
            "group" => read.groups.push(id.parse::<GroupId>().ok()?),
            "user" => read.people.push(id.parse::<PersonId>().ok()?),
            _ => return None,
        }
    }
    Some(read)
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_mins(u64::from(minutes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "6f1967b7-15e8-4935-ac26-d50770ed07a7";

    fn listed() -> Value {
        json!({"@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethod", "id": ID,
            "temporaryAccessPass": null, "createdDateTime": "2022-06-02T16:21:09.765173Z",
            "startDateTime": "2022-06-05T00:00:00Z", "lifetimeInMinutes": 60, "isUsableOnce": false,
            "isUsable": false, "methodUsabilityReason": "NotYetValid"})
    }

    fn with(field: &str, value: Value) -> Option<PassMeta> {
        let mut pass = listed();
        pass[field] = value;
        serde_json::from_value::<Entry>(pass).ok()?.meta(None)
    }

    fn policy(includes: Value, excludes: Value) -> Option<PassPolicy> {
        let mut json = json!({"id": "TemporaryAccessPass", "state": "enabled", "defaultLifetimeInMinutes": 60,
            "defaultLength": 8, "minimumLifetimeInMinutes": 60, "maximumLifetimeInMinutes": 480,
            "isUsableOnce": false});
        json["includeTargets"] = includes;
        json["excludeTargets"] = excludes;
        read_policy(&serde_json::from_value(json).ok()?)
    }

    #[test]
    fn a_listed_pass_is_read_as_documented() {
        let pass = with("isUsableOnce", json!(true)).unwrap();
        assert_eq!(pass.id.as_str(), ID);
        assert_eq!(pass.created_at.to_string(), "2022-06-02T16:21:09.765173Z");
        assert_eq!(pass.ends_at().to_string(), "2022-06-05T01:00:00Z");
        assert!(pass.one_time);
        assert_eq!(pass.usability, Usability::NotYetValid);
    }

    #[test]
    fn dates_have_up_to_seven_fractional_digits() {
        for fraction in ["", ".7", ".76", ".765", ".7651", ".76517", ".765173", ".7651731"] {
            let date = format!("2022-06-02T16:21:09{fraction}Z");
            let pass = with("createdDateTime", json!(date)).unwrap();
            assert_eq!(pass.created_at.to_string(), date);
        }
    }

    #[test]
    fn a_pass_without_what_identifies_it_is_an_error() {
        for field in ["id", "lifetimeInMinutes"] {
            assert_eq!(with(field, Value::Null), None, "{field}");
        }
        assert_eq!(with("createdDateTime", json!("yesterday")), None);
        assert!(with("startDateTime", Value::Null).is_some());
    }

    #[test]
    fn every_reason_is_known_or_kept() {
        let reason = |text: &str| with("methodUsabilityReason", json!(text)).unwrap().usability;
        assert_eq!(reason("Expired"), Usability::Expired);
        assert_eq!(reason("OneTimeUsed"), Usability::OneTimeUsed);
        assert_eq!(reason("DisabledByPolicy"), Usability::DisabledByPolicy);
        assert_eq!(reason("Novelty"), Usability::Other("Novelty".to_owned()));
        // The fixture says `isUsable: false`, which the reason alone would hide.
        assert_eq!(reason("EnabledByPolicy"), Usability::Other("EnabledByPolicy".to_owned()));
    }

    #[test]
    fn the_policy_is_read_as_documented() {
        let everybody = json!([{"targetType": "group", "id": "all_users", "isRegistrationRequired": false}]);
        let policy = policy(everybody, json!([{"targetType": "group", "id": ID}])).unwrap();
        assert!(policy.enabled && policy.includes.everybody && !policy.always_one_time);
        assert_eq!((policy.shortest, policy.longest), (Duration::from_hours(1), Duration::from_hours(8)));
        assert_eq!(policy.excludes.groups, [ID.parse().unwrap()]);
    }

    #[test]
    fn a_policy_that_cannot_be_judged_is_an_error() {
        assert_eq!(policy(Value::Null, json!([])), None);
        assert_eq!(policy(json!([]), json!([{"targetType": "unknownFutureValue", "id": ID}])), None);
        assert_eq!(policy(json!([{"targetType": "group", "id": "some"}]), json!([])), None);
    }
}
