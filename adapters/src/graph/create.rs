//! How is a pass made, and what is known when that fails?
//!
//! One POST, never repeated: a second one would replace the pass that the first one made, and nobody could read
//! that one again. (The HTTP client itself sends again only what HTTP/2 says was not processed, or what never left
//! this machine.) So every outcome is told apart by one question: may there be a pass now?

use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::json;
use tapdesk_core::ids::PersonId;
use tapdesk_core::pass::{NewPass, PassWish, Usability};
use tapdesk_core::ports::{Cause, CreateError, Decline};

use super::Graph;
use super::answer::{Reply, Said};
use super::call::{Call, Failed};
use super::passes::{Entry, WRITE};

pub(super) async fn create(graph: &Graph, of: PersonId, wish: PassWish) -> Result<NewPass, CreateError> {
    let url = graph.address(&["users", &of.to_string(), "authentication", "temporaryAccessPassMethods"], "");
    let call = Call::post(url, "/users/{id}/authentication/temporaryAccessPassMethods", body(wish), WRITE);
    match graph.signed_in(&call).await {
        Ok(reply) => outcome(reply, wish, graph.clock.now()),
        Err(Failed::NoToken(error) | Failed::NoConnection(error)) => {
            Err(CreateError::Declined { why: Decline::NotSent, source: Some(Box::new(error)) })
        }
        Err(Failed::Lost(error)) => Err(CreateError::Unknown { source: Some(Box::new(error)) }),
    }
}

/// Both fields are always sent: Graph's defaults are the tenant's, not ours.
fn body(wish: PassWish) -> serde_json::Value {
    json!({ "lifetimeInMinutes": wish.lifetime.as_secs() / 60, "isUsableOnce": wish.one_time })
}

fn outcome(reply: Reply, wish: PassWish, now: Timestamp) -> Result<NewPass, CreateError> {
    if reply.status.is_success() {
        return made(reply, wish, now);
    }
    let source: Option<Cause> = Some(Box::new(reply.told()));
    // A 408 comes from something between us and Graph, and proves nothing about Graph.
    if reply.status.is_client_error() && reply.status != StatusCode::REQUEST_TIMEOUT {
        Err(CreateError::Declined { why: decline(reply.status, &reply.said()), source })
    } else {
        Err(CreateError::Unknown { source })
    }
}

/// Reads the new pass. No error of the JSON parser leaves this function: it might quote the passcode.
fn made(mut reply: Reply, wish: PassWish, now: Timestamp) -> Result<NewPass, CreateError> {
    let told = reply.told();
    let entry: Option<Entry> = reply.body.as_mut().and_then(|body| {
        unescape(body);
        serde_json::from_slice(body).ok()
    });
    // The body, hence all that is left of the passcode outside of `entry`, is wiped here.
    drop(reply);
    let Some((entry, meta)) = entry.and_then(|e| e.meta(Some((now, wish.lifetime))).map(|meta| (e, meta)))
    else {
        return Err(CreateError::Unknown { source: Some(Box::new(told)) });
    };
    let is_disabled = meta.usability == Usability::DisabledByPolicy;
    // A pass that works more often than was approved is as useless to us as one that never works.
    let is_too_much = wish.one_time && entry.is_usable_once != Some(true);
    if is_disabled || is_too_much {
        return Err(CreateError::Unusable { pass: meta.id });
    }
    match entry.temporary_access_pass {
        Some(code) if !code.0.reveal().is_empty() => Ok(NewPass { meta, passcode: Some(code.0) }),
        Some(_) | None => Err(CreateError::Unknown { source: Some(Box::new(told)) }),
    }
}

/// Why Graph declined. Microsoft documents no codes for the refusals by policy, and has been seen to send them with
/// different statuses; so the known messages come first, then the status.
fn decline(status: StatusCode, said: &Said) -> Decline {
    let message = said.message.to_ascii_lowercase();
    if message.contains("usercredentialpolicy") {
        return Decline::PolicyOff;
    }
    if message.contains("external guest user") {
        return Decline::Guest;
    }
    if message.contains("invalid lifetimeinminutes") {
        return Decline::Lifetime;
    }
    match status.as_u16() {
        403 => Decline::NotPermitted,
        404 => Decline::NoSuchPerson,
        429 => Decline::Throttled,
        _ if said.code.to_ascii_lowercase().ends_with("resourcenotfound") => Decline::NoSuchPerson,
        _ => Decline::Other,
    }
}

/// Resolves, in place, the JSON escapes that stand for printable ASCII.
///
/// .NET writes the `+` of a passcode as `\u002B`. The parser would resolve that in a buffer of its own, which
/// nobody wipes; after this it finds plain text to read where it stands.
fn unescape(json: &mut Vec<u8>) {
    let (mut from, mut to) = (0, 0);
    while let Some(rest) = json.get(from..).filter(|rest| !rest.is_empty()) {
        let (byte, length) = match *rest {
            // Stepped over as a pair: the second backslash starts no escape.
            [b'\\', b'\\', ..] => {
                json[to] = b'\\';
                to += 1;
                (b'\\', 2)
            }
            [b'\\', b'/', ..] => (b'/', 2),
            [b'\\', b'u', b'0', b'0', high, low, ..] => match printable(high, low) {
                Some(byte) => (byte, 6),
                None => (b'\\', 1),
            },
            [byte, ..] => (byte, 1),
            [] => return,
        };
        json[to] = byte;
        (from, to) = (from + length, to + 1);
    }
    json.truncate(to);
}

/// The character that two hexadecimal digits stand for, if it may stand in a JSON string as it is.
fn printable(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = digit(high)? * 16 + digit(low)?;
    (matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\').then_some(byte)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;
    use zeroize::Zeroizing;

    use super::*;

    const ONCE: PassWish = PassWish { lifetime: Duration::from_hours(1), one_time: true };
    const ID: &str = "6f1967b7-15e8-4935-ac26-d50770ed07a7";

    fn created() -> Value {
        json!({"@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethod", "id": ID,
            "temporaryAccessPass": "+drkzqAD", "createdDateTime": "2022-06-02T16:21:09.765173Z",
            "startDateTime": "2022-06-02T16:21:09Z", "lifetimeInMinutes": 60, "isUsableOnce": true,
            "isUsable": true, "methodUsabilityReason": "EnabledByPolicy"})
    }

    fn answered(status: u16, body: &str, wish: PassWish) -> Result<NewPass, CreateError> {
        let now = "2022-06-02T16:21:09Z".parse().unwrap();
        outcome(Reply::fixture(status, Some(body)), wish, now)
    }

    fn with(field: &str, value: Value) -> Result<NewPass, CreateError> {
        let mut body = created();
        body[field] = value;
        answered(201, &body.to_string(), ONCE)
    }

    fn declined(status: u16, code: &str, message: &str) -> Decline {
        let body = json!({"error": {"code": code, "message": message, "innerError": {"message": message,
            "date": "2021-04-01T17:02:01", "request-id": "07ddd94e-55c9-4c36-b6a8-80676ae0830e"}}});
        match answered(status, &body.to_string(), ONCE) {
            Err(CreateError::Declined { why, source }) => {
                assert!(!source.unwrap().to_string().contains(message) || message.is_empty());
                why
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_pass_comes_with_its_passcode() {
        let pass = answered(201, &created().to_string(), ONCE).unwrap();
        assert_eq!(pass.passcode.unwrap().reveal(), b"+drkzqAD");
        assert_eq!(pass.meta.id.as_str(), ID);
        let escaped = created().to_string().replace('+', "\\u002B");
        assert_eq!(answered(201, &escaped, ONCE).unwrap().passcode.unwrap().reveal(), b"+drkzqAD");
    }

    #[test]
    fn a_passcode_is_in_no_error_and_no_debug_output() {
        let garbled = created().to_string().replace("60", "\"+drkzqAD\"");
        for result in [answered(201, &created().to_string(), ONCE), answered(201, &garbled, ONCE)] {
            assert!(!format!("{result:?}").contains("drkzqAD"));
        }
    }

    #[test]
    fn a_pass_that_is_not_the_one_we_want_is_unusable() {
        for (field, value) in [
            ("methodUsabilityReason", json!("DisabledByPolicy")),
            ("isUsableOnce", json!(false)),
            ("isUsableOnce", Value::Null),
        ] {
            let result = with(field, value);
            assert!(matches!(&result, Err(CreateError::Unusable { pass }) if pass.as_str() == ID), "{field}");
        }
        let many = PassWish { one_time: false, ..ONCE };
        assert!(answered(201, &created().to_string(), many).unwrap().meta.one_time);
    }

    #[test]
    fn an_answer_that_proves_nothing_is_unknown() {
        let unknown = |result| matches!(result, Err(CreateError::Unknown { .. }));
        for field in ["id", "temporaryAccessPass"] {
            assert!(unknown(with(field, Value::Null)), "{field}");
            assert!(unknown(with(field, json!(""))), "{field}");
        }
        assert!(unknown(answered(201, "<html>", ONCE)));
        assert!(unknown(outcome(Reply::fixture(201, None), ONCE, Timestamp::UNIX_EPOCH)));
        for status in [302, 408, 500, 502, 503, 504] {
            assert!(unknown(answered(status, "", ONCE)), "{status}");
        }
    }

    #[test]
    fn refusals_are_told_apart_by_message_then_by_status() {
        let range = "Invalid LifetimeInMinutes specified. The valid range between 60 and 480.";
        let policy = "Converged UserCredentialPolicy does not allow creating or updating this authentication \
            method. AuthMethodType [TemporaryAccessPass].";
        let guest = "Temporary Access Pass cannot be added to an external guest user.";
        for (status, code, message, why) in [
            (400, "badRequest", range, Decline::Lifetime),
            (403, "accessDenied", range, Decline::Lifetime),
            (400, "badRequest", policy, Decline::PolicyOff),
            (403, "accessDenied", policy, Decline::PolicyOff),
            (400, "badRequest", guest, Decline::Guest),
            (403, "accessDenied", "Request Authorization failed", Decline::NotPermitted),
            (404, "Request_ResourceNotFound", "Resource '1' does not exist", Decline::NoSuchPerson),
            (400, "resourceNotFound", "", Decline::NoSuchPerson),
            (429, "TooManyRequests", "", Decline::Throttled),
            (401, "InvalidAuthenticationToken", "", Decline::Other),
            (409, "conflict", "", Decline::Other),
        ] {
            assert_eq!(declined(status, code, message), why, "{status} {code}");
        }
        let cut = outcome(Reply::fixture(403, None), ONCE, Timestamp::UNIX_EPOCH);
        assert!(matches!(cut, Err(CreateError::Declined { why: Decline::NotPermitted, .. })));
    }

    #[test]
    fn unescaping_changes_how_json_is_written_and_not_what_it_says() {
        for text in [
            r#""a\u002Bb\/c""#,
            r#""\\u002B""#,
            r#""\\\u002B""#,
            r#""\"\u0022\u005C\u0041""#,
            r#""\u00e4\u20AC\n\u000a""#,
            r#""""#,
        ] {
            let mut json = Zeroizing::new(text.as_bytes().to_vec());
            unescape(&mut json);
            let (before, after): (String, String) =
                (serde_json::from_str(text).unwrap(), serde_json::from_slice(&json).unwrap());
            assert_eq!(before, after, "{text}");
        }
        for broken in [r"\", r"\u", r"\u00", r"\u00zz", ""] {
            unescape(&mut broken.as_bytes().to_vec());
        }
    }

    #[test]
    fn the_wish_is_sent_in_whole_minutes() {
        assert_eq!(body(ONCE), json!({"lifetimeInMinutes": 60, "isUsableOnce": true}));
    }
}
