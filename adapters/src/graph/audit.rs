//! Which contacts and managers of a person does the audit log show as changed?
//!
//! The names are those of Microsoft's "audit log activity reference" and of entries seen in the field. Values are JSON in
//! strings. Where an entry leaves open what changed, it may have been anything of that kind: a refusal too many can be
//! mended, a code on a stranger's phone cannot.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tapdesk_core::caution::{Changed, FileChange};
use tapdesk_core::ids::PersonId;
use tapdesk_core::people::ContactSource;
use tapdesk_core::ports::PortError;
use uuid::Uuid;

use super::Graph;
use super::call::{Call, percent};
use super::people::number;

const AUDIT: &str = "AuditLog.Read.All (the tenant needs Entra ID P1)";

/// Attributes of a user that are contacts, as "Update user" names them.
const ATTRIBUTES: [(&str, ContactSource); 6] = [
    ("StrongAuthenticationUserDetails", ContactSource::PhoneMethods),
    ("Mobile", ContactSource::MobilePhone),
    ("MobilePhone", ContactSource::MobilePhone),
    ("OtherMail", ContactSource::OtherMails),
    ("OtherMails", ContactSource::OtherMails),
    ("Mail", ContactSource::Mail),
];
/// The property that lists what else was changed, without values.
const INCLUDED: &str = "Included Updated Properties";
/// Activities of the service "Authentication Methods" that put a method on file.
const REGISTERED: [&str; 4] = [
    "Admin registered security info",
    "Admin updated security info",
    "User registered security info",
    "User updated security info",
];
/// What the reason of such an activity says when the method is no phone.
const NO_PHONES: [&str; 12] = [
    "authenticator",
    "phone sign-in",
    "fido",
    "passkey",
    "temporary access pass",
    "windows hello",
    "email",
    "security question",
    "app password",
    "oath",
    "certificate",
    "qr code",
];

/// Graph's `directoryAudit`, as far as it tells of changes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    activity_date_time: Timestamp,
    activity_display_name: String,
    result: Option<String>,
    result_reason: Option<String>,
    #[serde(default)]
    target_resources: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    id: Option<String>,
    modified_properties: Option<Vec<Property>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    display_name: Option<String>,
    old_value: Option<String>,
    new_value: Option<String>,
}

pub(super) async fn changes(
    graph: &Graph,
    of: PersonId,
    since: Timestamp,
) -> Result<Vec<FileChange>, PortError> {
    let filter = format!(
        "targetResources/any(t: t/id eq '{of}') and activityDateTime ge {}",
        since.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    let url =
        graph.address(&["auditLogs", "directoryAudits"], &format!("$filter={}&$top=500", percent(&filter)));
    let entries: Vec<Entry> = graph.all(Call::get(url, "/auditLogs/directoryAudits", AUDIT)).await?;
    let changes = entries.iter().flat_map(|entry| {
        entry.changed(of).into_iter().map(|of| FileChange { at: entry.activity_date_time, of })
    });
    Ok(changes.collect())
}

impl Entry {
    fn changed(&self, person: PersonId) -> Vec<Changed> {
        // Whatever is not said to have failed may have happened.
        if self.result.as_deref() == Some("failure") {
            return Vec::new();
        }
        match self.activity_display_name.trim() {
            "Add user" | "Update user" => self.attributes(person),
            "Set user manager" => vec![Changed::Manager(self.named_beside(person))],
            activity if REGISTERED.contains(&activity) => self.registered().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn attributes(&self, person: PersonId) -> Vec<Changed> {
        let own = self.target_resources.iter().filter(|target| target.is(person));
        let properties: Vec<&Property> = own.flat_map(Target::properties).collect();
        let mut changed = Vec::new();
        for (name, source) in ATTRIBUTES {
            let told = properties.iter().find(|property| property.name() == name);
            let is_included =
                || properties.iter().any(|property| property.name() == INCLUDED && property.lists(name));
            let new = match told {
                Some(property) => property.new_addresses(),
                None if is_included() => None,
                None => continue,
            };
            // Something was taken away, and nothing is new.
            if new.as_ref().is_none_or(|new| !new.is_empty()) {
                changed.push(Changed::Contact(source, new));
            }
        }
        changed
    }

    /// A method was put on file: which one, the reason tells, and perhaps the number.
    fn registered(&self) -> Option<Changed> {
        let reason = self.result_reason.as_deref().unwrap_or_default().to_lowercase();
        if NO_PHONES.iter().any(|other| reason.contains(other)) {
            return None;
        }
        let properties = self.target_resources.iter().flat_map(Target::properties);
        let told: Vec<Vec<String>> = properties
            .filter_map(Property::new_addresses)
            .map(|new| new.into_iter().filter(|address| address.starts_with('+')).collect())
            .collect();
        let new: Vec<String> = told.into_iter().flatten().collect();
        Some(Changed::Contact(ContactSource::PhoneMethods, (!new.is_empty()).then_some(new)))
    }

    /// Everybody whom the entry names beside the person: targets, and ids among the values.
    fn named_beside(&self, person: PersonId) -> Vec<PersonId> {
        let targets = self.target_resources.iter().filter_map(|target| target.id.clone());
        let properties = self.target_resources.iter().flat_map(Target::properties);
        let values = properties.filter_map(|property| strings(property.new_value.as_deref())).flatten();
        let ids = targets.chain(values).filter_map(|text| Uuid::try_parse(text.trim()).ok());
        ids.map(PersonId).filter(|id| *id != person).collect()
    }
}

impl Target {
    fn is(&self, person: PersonId) -> bool {
        self.id.as_deref().and_then(|id| Uuid::try_parse(id).ok()) == Some(person.0)
    }

    fn properties(&self) -> impl Iterator<Item = &Property> {
        self.modified_properties.iter().flatten()
    }
}

impl Property {
    fn name(&self) -> &str {
        self.display_name.as_deref().unwrap_or_default().trim()
    }

    /// Whether the value is a list with that name in it.
    fn lists(&self, name: &str) -> bool {
        let listed = strings(self.new_value.as_deref()).unwrap_or_default();
        listed.iter().flat_map(|text| text.split(',')).any(|one| one.trim() == name)
    }

    /// The addresses of the new value that the old one lacks; nothing if the log does not show them whole.
    fn new_addresses(&self) -> Option<Vec<String>> {
        let old: Vec<String> =
            strings(self.old_value.as_deref()).unwrap_or_default().iter().map(|text| number(text)).collect();
        let new = strings(self.new_value.as_deref())?.into_iter().map(|text| number(&text));
        let new: Vec<String> = new.filter(|address| !old.contains(address)).collect();
        let is_masked = |address: &String| address.contains("XX") || address.contains('*');
        (!new.iter().any(is_masked)).then_some(new)
    }
}

/// Every string within a value that is JSON in a string. An empty value holds none.
fn strings(value: Option<&str>) -> Option<Vec<String>> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) if !text.is_empty() => into.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(fields) => fields.values().for_each(|item| collect(item, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    match value? {
        "" => {}
        text => collect(&serde_json::from_str(text).ok()?, &mut found),
    }
    Some(found)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "literals read better")]
mod tests {
    use serde_json::json;

    use super::*;

    const JANE: PersonId = PersonId(Uuid::from_u128(1));
    const MARY: PersonId = PersonId(Uuid::from_u128(2));

    fn entry(activity: &str, reason: &str, properties: Value) -> Entry {
        let target = json!({ "id": JANE.to_string(), "displayName": null, "type": "User",
            "userPrincipalName": "jane@contoso.com", "groupType": null, "modifiedProperties": properties });
        serde_json::from_value(json!({
            "id": "Directory_1", "category": "UserManagement", "correlationId": "1", "result": "success",
            "resultReason": reason, "activityDisplayName": activity, "loggedByService": "Core Directory",
            "activityDateTime": "2022-06-27T10:03:43.009984+00:00", "initiatedBy": { "user": null, "app": null },
            "targetResources": [target], "additionalDetails": [],
        }))
        .unwrap()
    }

    fn property(name: &str, old: Value, new: Value) -> Value {
        json!({ "displayName": name, "oldValue": old, "newValue": new })
    }

    fn phones(numbers: &[&str]) -> Changed {
        let numbers = numbers.iter().map(ToString::to_string).collect();
        Changed::Contact(ContactSource::PhoneMethods, Some(numbers))
    }

    #[test]
    fn a_number_that_is_new_is_told_from_one_that_stays() {
        let old = r#"[{"PhoneNumber":"+1 3525550100","AlternativePhoneNumber":null,"Email":null,"VoiceOnlyPhoneNumber":null}]"#;
        let new = r#"[{"PhoneNumber":"+1 3525550100","AlternativePhoneNumber":"+49 170 1234512","Email":null,"VoiceOnlyPhoneNumber":null}]"#;
        let both = |old: &str, new: &str| {
            let details = property("StrongAuthenticationUserDetails", json!(old), json!(new));
            let included = property(INCLUDED, Value::Null, json!("\"StrongAuthenticationUserDetails\""));
            entry("Update user", "", json!([details, included])).changed(JANE)
        };
        assert_eq!(both(old, new), [phones(&["+491701234512"])]);
        assert_eq!(both(new, old), [], "what was taken away is no new number");
    }

    #[test]
    fn attributes_that_are_listed_without_values_may_be_anything() {
        let included = property(INCLUDED, Value::Null, json!("\"Mobile, OtherMail, UsageLocation\""));
        let changed = entry("Update user", "", json!([included])).changed(JANE);
        let expected = [ContactSource::MobilePhone, ContactSource::OtherMails];
        assert_eq!(changed, expected.map(|source| Changed::Contact(source, None)));
    }

    #[test]
    fn values_are_json_in_strings() {
        let mail = property("OtherMail", json!("[]"), json!(r#"["jane@home.example"]"#));
        let new = Some(vec!["jane@home.example".to_owned()]);
        let expected = [Changed::Contact(ContactSource::OtherMails, new)];
        assert_eq!(entry("Update user", "", json!([mail])).changed(JANE), expected);
        let garbled = property("OtherMail", json!("[]"), json!("jane@home.example"));
        let expected = [Changed::Contact(ContactSource::OtherMails, None)];
        assert_eq!(entry("Update user", "", json!([garbled])).changed(JANE), expected);
    }

    #[test]
    fn a_registered_phone_is_told_by_its_reason() {
        let unknown = [Changed::Contact(ContactSource::PhoneMethods, None)];
        for reason in
            ["Admin registered phone method for user", "User registered Mobile Phone SMS", "", "Novelty"]
        {
            assert_eq!(
                entry("User registered security info", reason, json!([])).changed(JANE),
                unknown,
                "{reason}"
            );
        }
        for reason in [
            "Admin registered temporary access pass method for user",
            "User registered Authenticator App with Notification and Code",
            "User registered Fido",
            "User registered Email",
        ] {
            assert_eq!(
                entry("User registered security info", reason, json!([])).changed(JANE),
                [],
                "{reason}"
            );
        }
        let number = |new: &str| {
            let told = property("PhoneNumber", json!("\"\""), json!(format!("\"{new}\"")));
            let id = property(
                "AuthenticationMethodId",
                json!("\"\""),
                json!("\"3179e48a-750b-4051-897c-87b9720928f7\""),
            );
            entry("Admin updated security info", "Admin changed phone method for user", json!([id, told]))
                .changed(JANE)
        };
        assert_eq!(number("+49 1701234512"), [phones(&["+491701234512"])]);
        assert_eq!(number("+XX XXXXXXXX12"), unknown);
    }

    #[test]
    fn a_manager_is_whom_the_entry_names() {
        let mut entry = entry("Set user manager", "", json!([]));
        assert_eq!(entry.changed(JANE), [Changed::Manager(Vec::new())]);
        entry.target_resources.push(Target { id: Some(MARY.to_string()), modified_properties: None });
        assert_eq!(entry.changed(JANE), [Changed::Manager(vec![MARY])]);
    }

    #[test]
    fn what_failed_and_what_is_something_else_changes_nothing() {
        let mut failed = entry("User registered security info", "Mobile Phone", json!([]));
        failed.result = Some("failure".to_owned());
        assert_eq!(failed.changed(JANE), []);
        for other in ["Reset password", "User reviewed security info", "User deleted security info"] {
            assert_eq!(entry(other, "User deleted Mobile Phone", json!([])).changed(JANE), [], "{other}");
        }
    }
}
