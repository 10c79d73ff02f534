//! Who are the people, who manages them, which groups are they in, and where can they be reached?
//!
//! Plain reads only: queries with `ConsistencyLevel: eventual` answer from an index that lags, and what is read
//! here decides about security.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use tapdesk_core::ids::{GroupId, PersonId};
use tapdesk_core::people::{Contact, ContactKind, ContactSource, Person};
use tapdesk_core::ports::PortError;
use uuid::Uuid;

use super::Graph;
use super::call::{Call, percent};

const USERS: &str = "User.Read.All";
const GROUPS: &str = "User.Read.All and GroupMember.Read.All";
const MEMBERS: &str = "GroupMember.Read.All (and Member.Read.Hidden for groups with hidden membership)";
const PHONES: &str = "UserAuthMethod-Phone.Read.All";
const SESSIONS: &str = "User.RevokeSessions.All";

/// What a [`Person`] is made of; without `$select` Graph leaves half of it out.
const SELECT: &str = "$select=id,displayName,userPrincipalName,mail,accountEnabled,userType,\
    isManagementRestricted,mobilePhone,otherMails";
/// The most groups that `checkMemberGroups` takes.
const GROUPS_AT_ONCE: usize = 20;
/// The longest mail address, RFC 5321; a user principal name is shorter.
const LONGEST_ADDRESS: usize = 254;
/// The type of entries that are people.
const USER: &str = "#microsoft.graph.user";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "Graph's own names")]
struct User {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    id: Uuid,
    display_name: Option<String>,
    user_principal_name: Option<String>,
    mail: Option<String>,
    account_enabled: Option<bool>,
    user_type: Option<String>,
    is_management_restricted: Option<bool>,
    mobile_phone: Option<String>,
    other_mails: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Ids {
    value: Vec<Uuid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Phone {
    phone_number: Option<String>,
    phone_type: Option<String>,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self {
            id: PersonId(user.id),
            name: user.display_name.unwrap_or_default(),
            upn: user.user_principal_name.unwrap_or_default(),
            mail: user.mail.filter(|mail| !mail.is_empty()),
            enabled: user.account_enabled.unwrap_or(false),
            member: user.user_type.is_some_and(|kind| kind.eq_ignore_ascii_case("Member")),
            management_restricted: user.is_management_restricted.unwrap_or(false),
            mobile_phone: user.mobile_phone.map(|text| number(&text)).filter(|text| !text.is_empty()),
            other_mails: mails(user.other_mails.unwrap_or_default()),
        }
    }
}

pub(super) async fn find(graph: &Graph, address: &str) -> Result<Vec<Person>, PortError> {
    let address = address.trim();
    if address.is_empty() || address.len() > LONGEST_ADDRESS || address.contains(char::is_control) {
        return Ok(Vec::new());
    }
    let url = graph.address(&["users"], &format!("{}&{SELECT}&$top=3", address_filter(address)));
    let users: Vec<User> = graph.all(Call::get(url, "/users?$filter", USERS)).await?;
    // Graph's `eq` decides by the directory's collation; a look-alike must not pass for the person asked for.
    let wanted = address.to_lowercase();
    let is_wanted = |text: &str| text.to_lowercase() == wanted;
    Ok(users
        .into_iter()
        .map(Person::from)
        .filter(|person| is_wanted(&person.upn) || person.mail.as_deref().is_some_and(is_wanted))
        .collect())
}

pub(super) async fn person(graph: &Graph, id: PersonId) -> Result<Option<Person>, PortError> {
    let url = graph.address(&["users", &id.to_string()], SELECT);
    let user: Option<User> = graph.one(&Call::get(url, "/users/{id}", USERS)).await?;
    Ok(user.map(Person::from))
}

pub(super) async fn manager(graph: &Graph, of: PersonId) -> Result<Option<Person>, PortError> {
    let url = graph.address(&["users", &of.to_string(), "manager"], SELECT);
    let user: Option<User> = graph.one(&Call::get(url, "/users/{id}/manager", USERS)).await?;
    // A manager may also be a contact of the organisation, who cannot sign in and so cannot approve.
    Ok(user.filter(|user| user.kind.as_deref().is_none_or(|kind| kind == USER)).map(Person::from))
}

pub(super) async fn groups_among(
    graph: &Graph,
    person: PersonId,
    groups: &[GroupId],
) -> Result<BTreeSet<GroupId>, PortError> {
    let asked: BTreeSet<GroupId> = groups.iter().copied().collect();
    let ids: Vec<String> = asked.iter().map(GroupId::to_string).collect();
    let mut found = BTreeSet::new();
    for some in ids.chunks(GROUPS_AT_ONCE) {
        let url = graph.address(&["users", &person.to_string(), "checkMemberGroups"], "");
        let call = Call::post(url, "/users/{id}/checkMemberGroups", json!({ "groupIds": some }), GROUPS);
        let ids: Ids = graph.one(&call).await?.ok_or_else(|| call.missing())?;
        found.extend(ids.value.into_iter().map(GroupId).filter(|group| asked.contains(group)));
    }
    Ok(found)
}

pub(super) async fn members(graph: &Graph, group: GroupId) -> Result<Vec<Person>, PortError> {
    let url =
        graph.address(&["groups", &group.to_string(), "transitiveMembers"], &format!("{SELECT}&$top=999"));
    let call = Call::get(url, "/groups/{id}/transitiveMembers", MEMBERS);
    let odd = call.odd();
    people_of(graph.all(call).await?).ok_or(odd)
}

pub(super) async fn phones(graph: &Graph, person: PersonId) -> Result<Vec<Contact>, PortError> {
    let url = graph.address(&["users", &person.to_string(), "authentication", "phoneMethods"], "");
    let phones = graph.all(Call::get(url, "/users/{id}/authentication/phoneMethods", PHONES)).await?;
    Ok(contacts(phones))
}

/// Any 2xx is success: Microsoft lists a status other than the documented 200 as a known issue.
pub(super) async fn revoke_sessions(graph: &Graph, of: PersonId) -> Result<(), PortError> {
    let url = graph.address(&["users", &of.to_string(), "revokeSignInSessions"], "");
    let call = Call::post(url, "/users/{id}/revokeSignInSessions", json!({}), SESSIONS);
    graph.ask(&call).await?.map(drop).ok_or_else(|| call.missing())
}

/// OData: a quote within a string is doubled.
fn address_filter(address: &str) -> String {
    let quoted = address.replace('\'', "''");
    format!("$filter={}", percent(&format!("userPrincipalName eq '{quoted}' or mail eq '{quoted}'")))
}

/// The users among the entries of a mixed list. A cast in the URL would do the same, but from the lagging index.
fn people_of(entries: Vec<Value>) -> Option<Vec<Person>> {
    entries
        .into_iter()
        .filter(|entry| entry["@odata.type"] == USER)
        .map(|entry| serde_json::from_value::<User>(entry).map(Person::from).ok())
        .collect()
}

/// Phone methods as contacts, mobile phones first; an office number is often a landline.
fn contacts(mut phones: Vec<Phone>) -> Vec<Contact> {
    phones.sort_by_key(|phone| match phone.phone_type.as_deref() {
        Some("mobile") => 0,
        Some("alternateMobile") => 1,
        Some(_) | None => 2,
    });
    phones
        .into_iter()
        .filter_map(|phone| phone.phone_number)
        .map(|text| number(&text))
        .filter(|address| !address.is_empty())
        .map(|address| Contact { source: ContactSource::PhoneMethods, kind: ContactKind::Phone, address })
        .collect()
}

/// A number in E.164 if it is an international one; anything else (masked, national, with an extension) as it is,
/// so that nobody calls a number that was guessed.
pub(super) fn number(text: &str) -> String {
    let text = text.trim();
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !"-.()/".contains(*c)).collect();
    let digits = bare.strip_prefix('+').unwrap_or("");
    let is_international = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    // "+49 (0)170 …": the bracketed zero is dialled at home only.
    if is_international && !text.contains("(0)") { bare } else { text.to_owned() }
}

fn mails(texts: Vec<String>) -> Vec<String> {
    let mut mails: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        let mail = text.trim();
        if !mail.is_empty() && !mails.iter().any(|known| known.eq_ignore_ascii_case(mail)) {
            mails.push(mail.to_owned());
        }
    }
    mails
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADELE: &str = r##"{"@odata.type":"#microsoft.graph.user","id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd",
        "displayName":"Adele Vance","userPrincipalName":"AdeleV@contoso.onmicrosoft.com",
        "mail":"AdeleV@contoso.onmicrosoft.com","accountEnabled":true,"userType":"Member",
        "isManagementRestricted":null,"mobilePhone":"+1 425 555 0109",
        "otherMails":[" adele@home.example","ADELE@home.example",""]}"##;

    #[test]
    fn a_user_is_read_as_documented() {
        let adele = Person::from(serde_json::from_str::<User>(ADELE).unwrap());
        assert_eq!(adele.name, "Adele Vance");
        assert!(adele.enabled && adele.member && !adele.management_restricted);
        assert_eq!(adele.mobile_phone.as_deref(), Some("+14255550109"));
        assert_eq!(adele.other_mails, ["adele@home.example"]);
    }

    #[test]
    fn what_entra_leaves_out_never_helps_anybody() {
        let stub = r#"{"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"}"#;
        let person = Person::from(serde_json::from_str::<User>(stub).unwrap());
        assert!(!person.enabled && !person.member);
        assert!(serde_json::from_str::<User>(r#"{"displayName":"x"}"#).is_err());
    }

    #[test]
    fn a_filter_cannot_be_broken_out_of() {
        assert_eq!(
            address_filter("o'hara@contoso.com"),
            "$filter=userPrincipalName%20eq%20%27o%27%27hara%40contoso.com%27%20or%20\
             mail%20eq%20%27o%27%27hara%40contoso.com%27"
        );
    }

    #[test]
    fn only_people_are_members() {
        let entries = vec![
            serde_json::from_str(ADELE).unwrap(),
            json!({"@odata.type": "#microsoft.graph.group", "id": "0d9b9a4e-0d6c-4f8e-9b5b-1a2b3c4d5e6f"}),
            json!({"@odata.type": "#microsoft.graph.device", "id": "not even a GUID"}),
        ];
        assert_eq!(people_of(entries).unwrap().len(), 1);
        assert!(people_of(vec![json!({"@odata.type": USER, "id": "x"})]).is_none());
    }

    #[test]
    fn numbers_become_e164_or_stay_as_they_are() {
        for (text, expected) in [
            ("+49 1701234512", "+491701234512"),
            ("+1 425 555-0109", "+14255550109"),
            ("+1 (425) 555.0109", "+14255550109"),
            ("+1 XXXXXXXX89", "+1 XXXXXXXX89"),
            ("+49 (0)170 1234512", "+49 (0)170 1234512"),
            ("+1 4255550109x1234", "+1 4255550109x1234"),
            (" 0170 1234512 ", "0170 1234512"),
        ] {
            assert_eq!(number(text), expected);
        }
    }

    #[test]
    fn mobile_phones_come_before_the_landline() {
        let phones = |json: &str| contacts(serde_json::from_str(json).unwrap());
        let contacts = phones(
            r#"[{"phoneNumber":"+1 2065555557","phoneType":"office"},
                {"phoneNumber":"+1 2065555556","phoneType":"alternateMobile"},
                {"phoneNumber":null,"phoneType":"mobile"},
                {"phoneNumber":"+1 2065555555","phoneType":"mobile","smsSignInState":"ready"}]"#,
        );
        let numbers: Vec<&str> = contacts.iter().map(|contact| contact.address.as_str()).collect();
        assert_eq!(numbers, ["+12065555555", "+12065555556", "+12065555557"]);
    }
}
