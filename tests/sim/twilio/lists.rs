//! What does Twilio list about an account?
//!
//! Numbers, and messages that were sent, the newest first, after twilio-oai (OpenAPI, 2026).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::{Inner, answered, login};
use crate::wire::lock;

pub(super) async fn numbers(
    Shared(inner): Shared<Inner>,
    Path(account): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response<Body> {
    let state = lock(&inner.state);
    if let Err(refusal) = login(&state, &account, &headers) {
        return answered(refusal.status, &refusal.body());
    }
    let wanted = asked.get("PhoneNumber");
    let found = state.numbers.iter().filter(|number| wanted.is_none_or(|wanted| wanted == *number));
    let shape = |number: &String| {
        json!({
            "account_sid": account, "phone_number": number, "friendly_name": number, "status": "in-use",
            "capabilities": {"voice": true, "sms": true, "mms": false, "fax": false},
        })
    };
    let found: Vec<Value> = found.map(shape).collect();
    answered(StatusCode::OK, &page("IncomingPhoneNumbers", "incoming_phone_numbers", &account, &found))
}

pub(super) async fn messages(
    Shared(inner): Shared<Inner>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let state = lock(&inner.state);
    if let Err(refusal) = login(&state, &account, &headers) {
        return answered(refusal.status, &refusal.body());
    }
    let sent = state.sent.iter().rev().map(|sms| {
        // Redaction leaves neither the text nor the last digits of the number.
        let kept = sms.to.len().saturating_sub(4);
        json!({
            "account_sid": account, "sid": sms.sid, "status": "delivered", "error_code": null, "error_message": null,
            "body": "", "to": format!("{}XXXX", &sms.to[..kept]), "from": sms.from, "direction": "outbound-api",
        })
    });
    let refused = state.refused.iter().map(|code| {
        json!({
            "account_sid": account, "sid": "SM00000000000000000000000000000000", "status": "failed", "error_code": code,
            "error_message": "Message privacy is not enabled", "body": "", "to": "+49170123XXXX", "from": null,
            "direction": "outbound-api",
        })
    });
    let all: Vec<Value> = refused.chain(sent).take(50).collect();
    answered(StatusCode::OK, &page("Messages", "messages", &account, &all))
}

fn page(resource: &str, name: &str, account: &str, items: &[Value]) -> Value {
    let uri = format!("/2010-04-01/Accounts/{account}/{resource}.json?PageSize=50&Page=0");
    json!({
        name: items, "page": 0, "page_size": 50, "start": 0, "end": items.len(), "uri": uri, "first_page_uri": uri,
        "next_page_uri": null, "previous_page_uri": null,
    })
}
