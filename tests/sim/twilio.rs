//! What is Twilio, as far as tapdesk can tell, and what do people read on their phones?
//!
//! `POST /2010-04-01/Accounts/{sid}/Messages.json` after twilio-oai (OpenAPI, 2026). Parameters that Twilio does not
//! document are refused here, so that a typo shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::Now;
use crate::wire::{Trouble, Wire, lock};

mod lists;

const KNOWN: [&str; 24] = [
    "To",
    "StatusCallback",
    "ApplicationSid",
    "MaxPrice",
    "ProvideFeedback",
    "Attempt",
    "ValidityPeriod",
    "ForceDelivery",
    "ContentRetention",
    "AddressRetention",
    "SmartEncoded",
    "PersistentAction",
    "TrafficType",
    "ShortenUrls",
    "ScheduleType",
    "SendAt",
    "SendAsMms",
    "ContentVariables",
    "RiskCheck",
    "From",
    "FallbackFrom",
    "MessagingServiceSid",
    "Body",
    "MediaUrl",
];

/// A text message.
#[derive(Debug, Clone)]
pub struct Sms {
    /// `SM…`
    pub sid: String,
    /// Number it went to, E.164.
    pub to: String,
    /// Sending number or messaging service.
    pub from: String,
    /// The text.
    pub body: String,
    /// All parameters of the request.
    pub parameters: BTreeMap<String, String>,
    /// Not yet read on the phone.
    pub is_unread: bool,
}

/// An account with its numbers.
#[derive(Clone)]
pub struct Twilio {
    /// Recorder and trouble-maker in front of the API.
    pub wire: Wire,
    /// Base of the API (really `https://api.twilio.com/`).
    pub url: Url,
    inner: Inner,
}

/// The phone with one number.
#[derive(Clone)]
pub struct Phone {
    number: String,
    inner: Inner,
}

#[derive(Clone)]
struct Inner {
    state: Arc<Mutex<State>>,
    now: Now,
}

struct State {
    account: String,
    /// User and password of HTTP Basic: the account with its token, or an API key with its secret.
    logins: BTreeSet<(String, String)>,
    landlines: BTreeSet<String>,
    opted_out: BTreeSet<String>,
    sent: Vec<Sms>,
    /// Numbers that the account owns.
    numbers: Vec<String>,
    /// Codes of messages that failed at once.
    refused: Vec<u32>,
}

struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

type Form = BTreeMap<String, String>;

impl Twilio {
    /// Opens the account on a free loopback port.
    pub async fn start(now: Now, account: &str, token: &str) -> anyhow::Result<Self> {
        let state = State {
            account: account.to_owned(),
            logins: [(account.to_owned(), token.to_owned())].into(),
            landlines: BTreeSet::new(),
            opted_out: BTreeSet::new(),
            sent: Vec::new(),
            numbers: vec!["+15005550006".to_owned()],
            refused: Vec::new(),
        };
        let inner = Inner { state: Arc::new(Mutex::new(state)), now };
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(create).get(lists::messages))
            .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", get(lists::numbers))
            .with_state(inner.clone());
        let wire = Wire::default();
        let address = wire.serve(router).await?;
        Ok(Self { wire, url: Url::parse(&format!("http://{address}/"))?, inner })
    }

    /// Accepts an API key besides the account's own token.
    pub fn add_key(&self, key: &str, secret: &str) {
        lock(&self.inner.state).logins.insert((key.to_owned(), secret.to_owned()));
    }

    /// This number is a landline: 21614.
    pub fn is_landline(&self, number: &str) {
        lock(&self.inner.state).landlines.insert(number.to_owned());
    }

    /// The owner of this number answered STOP: 21610.
    pub fn has_opted_out(&self, number: &str) {
        lock(&self.inner.state).opted_out.insert(number.to_owned());
    }

    /// Somebody sent a message whose text was to be discarded, and the account has no Message Redaction: 30029.
    pub fn has_no_redaction(&self) {
        lock(&self.inner.state).refused.push(30029);
    }

    /// The account owns none of its numbers any more.
    pub fn releases_its_numbers(&self) {
        lock(&self.inner.state).numbers.clear();
    }

    /// Answers the next `times` messages with 429 and code 20429; they are not sent.
    pub fn limit(&self, times: usize, retry_after: u32) {
        let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests");
        let headers = vec![("retry-after", retry_after.to_string())];
        let trouble = Trouble::Answer(refusal.status, headers, refusal.body().to_string());
        self.wire.trouble("Messages.json", times, trouble);
    }

    /// The phone with this number, E.164.
    #[must_use]
    pub fn phone(&self, number: &str) -> Phone {
        Phone { number: number.to_owned(), inner: self.inner.clone() }
    }

    /// Every message that was accepted, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sms> {
        lock(&self.inner.state).sent.clone()
    }

    /// Messages that nobody has read, on any phone.
    #[must_use]
    pub fn unread(&self) -> Vec<Sms> {
        self.sent().into_iter().filter(|sms| sms.is_unread).collect()
    }
}

impl Phone {
    /// All messages on this phone, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Sms> {
        lock(&self.inner.state).sent.iter().filter(|sms| sms.to == self.number).cloned().collect()
    }

    /// Reads everything: returns what was unread, and marks it.
    #[expect(clippy::must_use_candidate, reason = "called to mark as read")]
    pub fn read(&self) -> Vec<Sms> {
        let mut state = lock(&self.inner.state);
        let unread = state.sent.iter_mut().filter(|sms| sms.to == self.number && sms.is_unread);
        unread
            .map(|sms| {
                let before = sms.clone();
                sms.is_unread = false;
                before
            })
            .collect()
    }
}

async fn create(
    Shared(inner): Shared<Inner>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let form: Form = form_urlencoded::parse(&body).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    let mut state = lock(&inner.state);
    let accepted = login(&state, &account, &headers)
        .and_then(|()| parameters(&headers, &form))
        .and_then(|()| deliverable(&state, &form));
    match accepted {
        Ok(()) => answered(StatusCode::CREATED, &accept(&mut state, form, &inner.now)),
        Err(refusal) => answered(refusal.status, &refusal.body()),
    }
}

fn answered(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

fn login(state: &State, account: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let pair = headers
        .get(header::AUTHORIZATION)
        .and_then(|h| h.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok())
        .and_then(|pair| pair.split_once(':').map(|(user, secret)| (user.to_owned(), secret.to_owned())));
    if account == state.account && pair.is_some_and(|pair| state.logins.contains(&pair)) {
        return Ok(());
    }
    Err(refuse(StatusCode::UNAUTHORIZED, 20003, "Authenticate"))
}

fn parameters(headers: &HeaderMap, form: &Form) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|k| k.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(bad(21604, "A 'To' phone number is required."));
    }
    if let Some(unknown) = form.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(bad(20001, &format!("the simulator does not know the parameter '{unknown}'")));
    }
    let get = |key: &str| form.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let to = get("To").ok_or_else(|| bad(21604, "A 'To' phone number is required."))?;
    if !is_e164(to) {
        return Err(bad(21211, &format!("Invalid 'To' Phone Number: {to}")));
    }
    if get("From").is_none() && get("MessagingServiceSid").is_none() {
        return Err(bad(21603, "A 'From' phone number is required."));
    }
    let body = get("Body").ok_or_else(|| bad(21602, "Message body is required."))?;
    if body.chars().count() > 1600 {
        return Err(bad(21617, "The concatenated message body exceeds the 1600 character limit."));
    }
    let is_period = |text: &str| text.parse().is_ok_and(|seconds: u32| (1..=36_000).contains(&seconds));
    if get("ValidityPeriod").is_some_and(|text| !is_period(text)) {
        return Err(bad(20001, "ValidityPeriod must be between 1 and 36000"));
    }
    if get("StatusCallback").is_some_and(|url| !Url::parse(url).is_ok_and(|url| url.scheme() == "https")) {
        return Err(bad(21609, "Invalid 'StatusCallback'"));
    }
    one_of(form, "ContentRetention", &["retain", "discard"])?;
    one_of(form, "AddressRetention", &["retain", "obfuscate"])?;
    one_of(form, "RiskCheck", &["enable", "disable"])?;
    ["ShortenUrls", "ProvideFeedback", "ForceDelivery", "SmartEncoded", "SendAsMms"]
        .iter()
        .try_for_each(|key| one_of(form, key, &["true", "false"]))
}

fn one_of(form: &Form, key: &str, allowed: &[&str]) -> Result<(), Refusal> {
    match form.get(key) {
        Some(value) if !allowed.contains(&value.as_str()) => {
            Err(bad(20001, &format!("{key} must be one of {allowed:?}")))
        }
        _ => Ok(()),
    }
}

fn deliverable(state: &State, form: &Form) -> Result<(), Refusal> {
    let to = form.get("To").map_or("", String::as_str);
    if state.landlines.contains(to) {
        return Err(bad(21614, &format!("'To' number is not a valid mobile number: {to}")));
    }
    if state.opted_out.contains(to) {
        return Err(bad(21610, "Attempt to send to unsubscribed recipient"));
    }
    Ok(())
}

fn accept(state: &mut State, parameters: Form, now: &Now) -> Value {
    let get = |key: &str| parameters.get(key).cloned();
    let account = &state.account;
    let sid = format!("SM{:032x}", state.sent.len() + 1);
    let (to, body) = (get("To").unwrap_or_default(), get("Body").unwrap_or_default());
    let date = now().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}");
    let answer = json!({
        "account_sid": account, "api_version": "2010-04-01", "body": body, "date_created": date, "date_sent": null,
        "date_updated": date, "direction": "outbound-api", "error_code": null, "error_message": null,
        "from": get("From"), "messaging_service_sid": get("MessagingServiceSid"), "num_media": "0",
        "num_segments": body.chars().count().div_ceil(153).to_string(), "price": null, "price_unit": null, "sid": sid,
        "status": if get("MessagingServiceSid").is_some() { "accepted" } else { "queued" },
        "subresource_uris": {"media": format!("{uri}/Media.json")}, "to": to, "uri": format!("{uri}.json"),
    });
    let from = get("From").or_else(|| get("MessagingServiceSid")).unwrap_or_default();
    state.sent.push(Sms { sid, to, from, body, parameters, is_unread: true });
    answer
}

impl Refusal {
    fn body(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status.as_u16(),
        })
    }
}

fn refuse(status: StatusCode, code: u32, message: &str) -> Refusal {
    Refusal { status, code, message: message.to_owned() }
}

fn bad(code: u32, message: &str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, code, message)
}

fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a stranger's client, not the program's")]
    async fn send(twilio: &Twilio, token: &str, fields: &[(&str, &str)]) -> (u16, u64) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = twilio.url.join("/2010-04-01/Accounts/AC1/Messages.json").unwrap();
        let answer = http.post(url).basic_auth("AC1", Some(token)).form(fields).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["code"].as_u64().unwrap_or_default())
    }

    #[tokio::test]
    async fn refuses_what_twilio_refuses() {
        let twilio = Twilio::start(Arc::new(|| jiff::Timestamp::UNIX_EPOCH), "AC1", "secret").await.unwrap();
        twilio.is_landline("+493012345678");
        twilio.has_opted_out("+4915112345678");
        let to = |to| [("To", to), ("From", "+15551234567"), ("Body", "Hello")];
        let good = to("+4915187654321");
        assert_eq!(send(&twilio, "wrong", &good).await, (401, 20003));
        assert_eq!(send(&twilio, "secret", &to("0151 1234")).await, (400, 21211));
        assert_eq!(send(&twilio, "secret", &to("+493012345678")).await, (400, 21614));
        assert_eq!(send(&twilio, "secret", &to("+4915112345678")).await, (400, 21610));
        let typo = [&good[..], &[("ContentRetension", "discard")]].concat();
        assert_eq!(send(&twilio, "secret", &typo).await, (400, 20001));
        let period = [&good[..], &[("ValidityPeriod", "36001")]].concat();
        assert_eq!(send(&twilio, "secret", &period).await, (400, 20001));
        twilio.limit(1, 7);
        assert_eq!(send(&twilio, "secret", &good).await, (429, 20429));
        assert!(twilio.sent().is_empty());

        assert_eq!(send(&twilio, "secret", &good).await, (201, 0));
        let phone = twilio.phone("+4915187654321");
        assert_eq!(phone.read()[0].body, "Hello");
        assert!(twilio.unread().is_empty());
        assert_eq!(phone.messages().len(), 1);
    }
}
