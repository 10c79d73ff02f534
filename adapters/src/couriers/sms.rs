//! How does a text message leave through Twilio?
//!
//! Facts: <https://www.twilio.com/docs/messaging/api/message-resource>, Twilio's OpenAPI of 2010-04-01 as of
//! 2026. Twilio has no idempotency key for messages, so after a time-out or a 5xx nobody knows whether one
//! went out. It is tried again all the same: every try carries a new code, so a second message harms nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tapdesk_core::people::{Contact, ContactKind};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{Clock, Courier, Message, PortError, Receipt};
use url::form_urlencoded::Serializer;
use url::{Host, Url};
use zeroize::Zeroizing;

use self::status::status_url;
use super::{Misconfigured, is_loopback, millis};
use crate::http;
use crate::secret::Secret;

/// Seconds that a message may wait at Twilio. Its default is ten hours, long after the ticket expired.
const VALIDITY_SECONDS: &str = "600";

/// Everything about Twilio that an organisation decides.
#[derive(Debug)]
pub struct TwilioConfig {
    /// Where the API is, usually [`TwilioConfig::BASE_URL`]; plain HTTP only on loopback.
    pub base_url: Url,
    /// The account, `AC…`.
    pub account_sid: String,
    /// The account SID again, or better an API key SID, `SK…`.
    pub username: String,
    /// The auth token, or the API key's secret.
    pub password: Secret,
    /// What messages come from.
    pub from: Sender,
    /// Twilio keeps neither text nor number. Needs Message Redaction to be switched on in the account.
    pub discard_content: bool,
    /// Where Twilio reports how far a message came, if it is to.
    pub status_url: Option<Url>,
}

/// What messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number in E.164, a short code or an alphanumeric sender.
    Number(String),
    /// A messaging service, `MG…`.
    MessagingService(String),
}

/// The courier of route `sms`.
pub struct Twilio {
    endpoint: Url,
    config: TwilioConfig,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl TwilioConfig {
    /// Where the API is, unless the configuration says otherwise.
    pub const BASE_URL: &'static str = "https://api.twilio.com";

    fn check(&self) -> Result<(), Misconfigured> {
        let (Sender::Number(from) | Sender::MessagingService(from)) = &self.from;
        let digits = self.account_sid.strip_prefix("AC").unwrap_or_default();
        if !travels_safely(&self.base_url) {
            Err(Misconfigured::SmsBaseUrl)
        } else if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Err(Misconfigured::SmsAccount)
        } else if self.username.is_empty() || self.password.expose().is_empty() {
            Err(Misconfigured::SmsCredentials)
        } else if from.is_empty() {
            Err(Misconfigured::SmsSender)
        } else {
            Ok(())
        }
    }
}

impl Twilio {
    /// Joins the configuration with the one HTTP client; does no I/O.
    pub fn new(
        config: TwilioConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Misconfigured> {
        config.check()?;
        let mut endpoint = config.base_url.clone();
        endpoint.path_segments_mut().map_err(|()| Misconfigured::SmsBaseUrl)?.pop_if_empty().extend([
            "2010-04-01",
            "Accounts",
            &config.account_sid,
            "Messages.json",
        ]);
        Ok(Self { endpoint, config, http, clock })
    }

    /// The form, in one buffer that is large enough from the start, so that growing leaves no copies.
    fn form(&self, to: &str, message: &Message) -> String {
        let text = message.text.as_str();
        let buffer = String::with_capacity(1024 + 3 * (to.len() + text.len()));
        let mut form = Serializer::new(buffer);
        form.append_pair("To", to);
        match &self.config.from {
            Sender::Number(number) => form.append_pair("From", number),
            Sender::MessagingService(sid) => form.append_pair("MessagingServiceSid", sid),
        };
        form.append_pair("Body", text).append_pair("ValidityPeriod", VALIDITY_SECONDS);
        if self.config.discard_content {
            form.append_pair("ContentRetention", "discard").append_pair("AddressRetention", "obfuscate");
        }
        if let (Some(url), Some(mark)) = (&self.config.status_url, &message.mark) {
            form.append_pair("StatusCallback", status_url(url, mark).as_str());
        }
        form.finish()
    }

    async fn post(&self, form: String) -> Result<Response, PortError> {
        // The buffer moves into the request without a copy, but out of our hands: hyper and TLS copy it and
        // free all of it unwiped. That is what the program's zero-on-free allocator is for.
        self.http
            .post(self.endpoint.clone())
            .basic_auth(&self.config.username, Some(self.config.password.expose()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .map_err(|error| http::failed(&error))
    }

    async fn read(&self, response: Response) -> Result<Answer, PortError> {
        let status = response.status();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = http::retry_after(header, self.clock.now());
        // The answer echoes text and number, so its buffer is wiped and only harmless fields are read.
        let body = Zeroizing::new(match http::body(response).await {
            Ok(body) => body,
            // What the status said already is enough to act on.
            Err(_) if !status.is_success() => Vec::new(),
            Err(error) => return Err(error),
        });
        let fields = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Answer { status, after, fields })
    }
}

#[async_trait]
impl Courier for Twilio {
    fn route(&self) -> Route {
        Route::Sms
    }

    async fn send(&self, to: &Contact, message: &Message) -> Result<Receipt, PortError> {
        if to.kind != ContactKind::Phone || !to.is_readable() {
            return Err(PortError::fatal(
                "a text message needs a whole telephone number; this contact is of another kind, \
                 or Entra masks it from tapdesk",
            ));
        }
        let start = Instant::now();
        let response = self.post(self.form(&to.address, message)).await?;
        let answer = self.read(response).await?;
        tracing::info!(
            http.status = answer.status.as_u16(),
            twilio.code = answer.fields.code.or(answer.fields.error_code),
            twilio.sid = answer.sid(),
            ms = millis(start),
            "Twilio answered to a text message"
        );
        answer.outcome()
    }
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What is read of Twilio's answer. Everything else in it may quote the text or the number.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    /// Of a message.
    sid: Option<String>,
    /// `queued` of a message; an error has its HTTP status here, as a number.
    status: Option<Status>,
    /// Of a message that failed.
    error_code: Option<u32>,
    /// Of an error.
    code: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Failed,
    Going,
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(match value.as_str() {
            Some("failed" | "undelivered" | "canceled") => Self::Failed,
            _ => Self::Going,
        })
    }
}

struct Answer {
    status: StatusCode,
    after: Option<std::time::Duration>,
    fields: Fields,
}

impl Answer {
    /// The message's SID, if it looks like one.
    fn sid(&self) -> Option<&str> {
        let sid = self.fields.sid.as_deref()?;
        (sid.len() == 34 && sid.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(sid)
    }

    fn outcome(&self) -> Result<Receipt, PortError> {
        if !self.status.is_success() {
            return Err(self.refused(self.fields.code.unwrap_or_default()));
        }
        match self.fields.status {
            Some(Status::Failed) => Err(failed_later(self.fields.error_code.unwrap_or_default())),
            // Twilio took it, even where its words are unreadable: another try would only send it twice.
            Some(Status::Going) | None => {
                Ok(Receipt(self.sid().unwrap_or("accepted without a SID").to_owned()))
            }
        }
    }

    fn refused(&self, code: u32) -> PortError {
        if let Some(error) = known(code) {
            return error;
        }
        let status = self.status.as_u16();
        match status {
            401 => credentials(),
            _ if status == 429 || code == 20429 => {
                PortError::retry("Twilio asks to slow down").after(self.after)
            }
            // 5xx: nobody knows whether it was sent; see the top of this file.
            408 | 500..=599 => {
                PortError::retry(format!("Twilio answered HTTP {status} (code {code})")).after(self.after)
            }
            _ => PortError::fatal(format!(
                "Twilio refused the text message (HTTP {status}, code {code}): see https://www.twilio.com/docs/api/errors"
            )),
        }
    }
}

/// A message that was taken and failed at once: carriers and queues recover, numbers do not.
fn failed_later(code: u32) -> PortError {
    known(code)
        .unwrap_or_else(|| PortError::retry(format!("the text message failed at Twilio (code {code})")))
}

/// Codes that mean the same wherever they appear.
fn known(code: u32) -> Option<PortError> {
    match code {
        // In turn: invalid, not a mobile number (twice), opted out, unroutable, region not permitted, landline.
        21211 | 21614 | 21635 | 21610 | 21612 | 21408 | 30006 => {
            Some(PortError::fatal(format!("this number cannot receive text messages (Twilio {code})")))
        }
        20003 => Some(credentials()),
        30029 | 30030 => Some(PortError::fatal(format!(
            "Twilio cannot discard text and number ({code}): switch on Message Redaction in the Twilio \
             account's messaging settings, or set discard_content = false"
        ))),
        _ => None,
    }
}

fn credentials() -> PortError {
    PortError::fatal(
        "Twilio refused the credentials (20003): check account_sid, username and password; an API key needs \
         its own SID as username and has to belong to this account",
    )
}

fn travels_safely(base: &Url) -> bool {
    match (base.scheme(), base.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => is_loopback(name),
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

mod examine;
pub(super) mod status;
#[cfg(test)]
mod tests;
