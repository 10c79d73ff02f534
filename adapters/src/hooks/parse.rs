//! What does a source want, and if that cannot be read, which field is wrong?
//!
//! Whoever reads the complaint builds the other side: it names the field and says what belongs there. Nothing here knows
//! whether anybody of that name exists.

use std::time::Duration;

use serde_json::{Map, Value};
use tapdesk_core::inbound::Ask;
use tapdesk_core::people::{Naming, one_line};
use tapdesk_core::source::{Opening, Order};
use tapdesk_core::words::{LONGEST_REASON, SHORTEST_REASON};

/// Characters of an idempotency key at most.
const LONGEST_KEY: usize = 128;
/// The lifetimes that Graph accepts, in minutes.
const LIFETIMES: std::ops::RangeInclusive<u64> = 10..=30 * 24 * 60;

/// The fields of each action.
const OPEN: [&str; 8] = [
    "action",
    "idempotency_key",
    "subject",
    "reason",
    "ticket_number",
    "lifetime_minutes",
    "requested_by",
    "approved_by",
];
const APPROVE: [&str; 3] = ["action", "request", "approved_by"];
const CANCEL: [&str; 2] = ["action", "request"];

/// What is wrong with a message, for the integrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The field; nothing where the body itself is wrong.
    pub field: Option<String>,
    /// What belongs there.
    pub message: String,
}

/// Reads a body whose signature holds.
pub(super) fn parse(body: &[u8]) -> Result<Order, Wrong> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        let message = "the body is one JSON object in UTF-8".to_owned();
        return Err(Wrong { field: None, message });
    };
    let fields = Fields(fields);
    match fields.text("action")? {
        Some("open") => fields.opening().map(Box::new).map(Order::Open),
        Some("approve") => {
            fields.only(&APPROVE)?;
            let approver = fields.address("approved_by")?;
            let approver = approver.ok_or_else(|| wrong("approved_by", "the address of who approved"))?;
            Ok(Order::Approve { request: fields.request()?, approver })
        }
        Some("cancel") => {
            fields.only(&CANCEL)?;
            Ok(Order::Cancel { request: fields.request()? })
        }
        Some(_) | None => Err(wrong("action", "\"open\", \"approve\" or \"cancel\"")),
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn opening(&self) -> Result<Opening, Wrong> {
        self.only(&OPEN)?;
        let key = self.text("idempotency_key")?.filter(|key| {
            let is_plain = |c: char| c.is_ascii_graphic();
            !key.is_empty() && key.len() <= LONGEST_KEY && key.chars().all(is_plain)
        });
        let key = key.ok_or_else(|| {
            wrong(
                "idempotency_key",
                "1 to 128 visible ASCII characters, the same when the same is asked again",
            )
        })?;
        let subject = self.address("subject")?;
        let subject = subject.ok_or_else(|| wrong("subject", "the address of who is locked out"))?;
        let reason = one_line(self.text("reason")?.unwrap_or_default());
        if !(SHORTEST_REASON..=LONGEST_REASON).contains(&reason.chars().count()) {
            let fits = format!(
                "{SHORTEST_REASON} to {LONGEST_REASON} characters, which approvers and auditors read"
            );
            return Err(wrong("reason", &fits));
        }
        let ticket_number = match self.text("ticket_number")? {
            None => None,
            Some(number) => Some(number.parse().map_err(|_| {
                wrong("ticket_number", "one word of at most 64 characters with a digit in it, as INC0012345")
            })?),
        };
        Ok(Opening {
            key: key.to_owned(),
            ask: Ask { subject, reason, ticket_number, lifetime: self.lifetime()? },
            requested_by: self.address("requested_by")?,
            approved_by: self.address("approved_by")?,
        })
    }

    fn lifetime(&self) -> Result<Option<Duration>, Wrong> {
        let Some(value) = self.value("lifetime_minutes") else { return Ok(None) };
        let minutes = value.as_u64().filter(|minutes| LIFETIMES.contains(minutes));
        let minutes = minutes.ok_or_else(|| wrong("lifetime_minutes", "a whole number from 10 to 43200"))?;
        Ok(Some(Duration::from_secs(minutes * 60)))
    }

    fn request<T: std::str::FromStr>(&self) -> Result<T, Wrong> {
        let id = self.text("request")?.and_then(|text| text.parse().ok());
        id.ok_or_else(|| wrong("request", "the id that opening the request was answered with (req_…)"))
    }

    fn address(&self, name: &str) -> Result<Option<Naming>, Wrong> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let address = Naming::address(text.trim());
        address.map(Some).ok_or_else(|| wrong(name, "one address: a user principal name or a mail address"))
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Wrong> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "a text in quotes")),
        }
    }

    /// What is null is left out: many tools cannot leave a field out.
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A field that is not known may be one whose name is misspelt, and would be missed.
    fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let short: String = one_line(name).chars().take(40).collect();
                Err(wrong(&short, &format!("no such field here; there are {}", known.join(", "))))
            }
        }
    }
}

fn wrong(field: &str, belongs: &str) -> Wrong {
    Wrong { field: Some(field.to_owned()), message: format!("{field}: {belongs}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn opening() -> Value {
        json!({
            "action": "open",
            "idempotency_key": "INC0012345-1",
            "subject": "Jane.Doe@contoso.com",
            "reason": " lost her\nphone ",
            "ticket_number": "INC0012345",
            "lifetime_minutes": 60,
            "requested_by": "ada.agent@contoso.com",
            "approved_by": null,
        })
    }

    fn read(value: &Value) -> Result<Order, Wrong> {
        parse(value.to_string().as_bytes())
    }

    /// The complaint about an opening with one field changed.
    fn complaint(field: &str, value: Value) -> String {
        let mut opening = opening();
        opening[field] = value;
        let wrong = read(&opening).expect_err(field);
        assert_eq!(wrong.field.as_deref(), Some(field));
        wrong.message
    }

    #[test]
    fn an_opening_is_read_as_it_is_meant() {
        let Ok(Order::Open(read)) = read(&opening()) else { panic!() };
        let address = |text: &str| Naming::Address(text.to_owned());
        let expected = Opening {
            key: "INC0012345-1".to_owned(),
            ask: Ask {
                subject: address("jane.doe@contoso.com"),
                reason: "lost her phone".to_owned(),
                ticket_number: Some("INC0012345".parse().unwrap()),
                lifetime: Some(Duration::from_hours(1)),
            },
            requested_by: Some(address("ada.agent@contoso.com")),
            approved_by: None,
        };
        assert_eq!(*read, expected);
    }

    #[test]
    fn the_other_actions_name_a_request() {
        let id = "req_0123456789ABCDEFGHJKMNPQRS";
        let request = id.parse().unwrap();
        assert_eq!(read(&json!({"action": "cancel", "request": id})), Ok(Order::Cancel { request }));
        let approval = json!({"action": "approve", "request": id, "approved_by": "mary@contoso.com"});
        assert!(matches!(read(&approval), Ok(Order::Approve { .. })));
        let nobody = json!({"action": "approve", "request": id});
        assert_eq!(read(&nobody).unwrap_err().message, "approved_by: the address of who approved");
        let nothing = json!({"action": "cancel", "request": "INC0012345"});
        assert_eq!(read(&nothing).unwrap_err().field.as_deref(), Some("request"));
        // A key there would promise what it does not do: both can be repeated as they are.
        let key = json!({"action": "cancel", "request": id, "idempotency_key": "1"});
        assert_eq!(read(&key).unwrap_err().field.as_deref(), Some("idempotency_key"));
    }

    #[test]
    fn every_complaint_names_the_field_and_what_belongs_there() {
        let long = "x".repeat(301);
        for (field, values) in [
            ("action", vec![json!("Open"), Value::Null, json!(1)]),
            ("idempotency_key", vec![json!(""), json!("a b"), json!(long), Value::Null, json!(7)]),
            ("subject", vec![json!("Jane Doe"), json!(""), Value::Null, json!(["jane@contoso.com"])]),
            ("reason", vec![json!("why"), json!(long), Value::Null]),
            ("ticket_number", vec![json!("a ticket"), json!("INC"), json!(12345)]),
            ("lifetime_minutes", vec![json!(9), json!(43_201), json!(-1), json!(60.5), json!("60")]),
            ("requested_by", vec![json!("Ada"), json!({})]),
            ("approved_by", vec![json!("manager"), json!(true)]),
            ("approvedBy", vec![json!("mary@contoso.com")]),
        ] {
            for value in values {
                let message = complaint(field, value);
                assert!(message.starts_with(&format!("{field}: ")), "{message}");
            }
        }
    }

    #[test]
    fn what_is_no_object_is_said_to_be_none() {
        for body in [&b""[..], b"[]", b"\"open\"", b"{", b"\xff{}"] {
            assert_eq!(parse(body).unwrap_err().field, None);
        }
    }
}
