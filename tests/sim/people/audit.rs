//! What does the directory's audit log remember of changes to people?
//!
//! Entries follow from what a story does to somebody: the account before and after it. The names are Microsoft's own.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{PhoneType, Profile};

/// A change in the audit log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// `activityDisplayName`.
    pub activity: &'static str,
    /// `loggedByService`.
    pub service: &'static str,
    /// `resultReason`.
    pub reason: &'static str,
    /// Object ids of the targets, the changed account first.
    pub targets: Vec<String>,
    /// `modifiedProperties` of the first target: name, old and new value, each JSON in a string.
    pub properties: Vec<(String, Value, Value)>,
}

impl Entry {
    /// An entry of the service that keeps sign-in methods.
    #[must_use]
    pub fn of_methods(at: Timestamp, of: &str, activity: &'static str, reason: &'static str) -> Self {
        let targets = vec![of.to_owned()];
        Self { at, activity, service: "Authentication Methods", reason, targets, properties: Vec::new() }
    }
}

/// What the change from one to the other leaves in the log.
pub(super) fn entries(before: &Profile, after: &Profile, at: Timestamp) -> Vec<Entry> {
    let mut entries = Vec::new();
    let properties = attributes(before, after);
    if !properties.is_empty() {
        entries.push(Entry {
            at,
            activity: "Update user",
            service: "Core Directory",
            reason: "",
            targets: vec![after.id.clone()],
            properties,
        });
    }
    for kind in [PhoneType::Mobile, PhoneType::AlternateMobile, PhoneType::Office] {
        let (activity, reason) = match (number(before, kind), number(after, kind)) {
            (old, new) if old == new => continue,
            (None, _) => ("Admin registered security info", "Admin registered phone method for user"),
            (Some(_), Some(_)) => ("Admin updated security info", "Admin changed phone method for user"),
            (Some(_), None) => ("Admin deleted security info", "Admin deleted phone method for user"),
        };
        let value = |profile| json!(json!(number(profile, kind).unwrap_or_default()).to_string());
        let id = (json!("\"\""), json!(json!(kind.id()).to_string()));
        entries.push(Entry {
            properties: vec![
                ("AuthenticationMethod.Id".to_owned(), id.0, id.1),
                ("AuthenticationMethod.PhoneNumber".to_owned(), value(before), value(after)),
            ],
            ..Entry::of_methods(at, &after.id, activity, reason)
        });
    }
    if let Some(manager) = after.manager.as_ref().filter(|_| before.manager != after.manager) {
        entries.push(Entry {
            at,
            activity: "Set user manager",
            service: "Core Directory",
            reason: "",
            targets: vec![after.id.clone(), manager.clone()],
            properties: Vec::new(),
        });
    }
    entries
}

/// The attributes that differ, and the list of their names.
fn attributes(before: &Profile, after: &Profile) -> Vec<(String, Value, Value)> {
    let list = |values: Vec<&str>| json!(json!(values).to_string());
    let one = |value: &Option<String>| list(value.iter().map(String::as_str).collect());
    let mails = |profile: &Profile| list(profile.other_mails.iter().map(String::as_str).collect());
    let details = |profile: &Profile| {
        let text = json!([{
            "PhoneNumber": number(profile, PhoneType::Mobile),
            "AlternativePhoneNumber": number(profile, PhoneType::AlternateMobile),
            "Email": null,
            "VoiceOnlyPhoneNumber": number(profile, PhoneType::Office),
        }]);
        json!(text.to_string())
    };
    let mut changed = vec![
        ("Mobile".to_owned(), one(&before.mobile_phone), one(&after.mobile_phone)),
        ("OtherMail".to_owned(), mails(before), mails(after)),
        ("Mail".to_owned(), one(&before.mail), one(&after.mail)),
        ("StrongAuthenticationUserDetails".to_owned(), details(before), details(after)),
    ];
    changed.retain(|(_, old, new)| old != new);
    if !changed.is_empty() {
        let names: Vec<&str> = changed.iter().map(|(name, _, _)| name.as_str()).collect();
        let names = json!(json!(names.join(", ")).to_string());
        changed.push(("Included Updated Properties".to_owned(), Value::Null, names));
    }
    changed
}

fn number(profile: &Profile, kind: PhoneType) -> Option<String> {
    let phone = profile.phones.iter().find(|(other, _)| *other == kind);
    phone.map(|(_, number)| super::graph_number(number))
}
