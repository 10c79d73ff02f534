//! What does Twilio say became of a text message, and was it Twilio that said so?
//!
//! Twilio signs with the account's auth token, whatever key sent the message, over the URL and the sorted fields
//! (<https://www.twilio.com/docs/usage/security>, 2026). Nothing in it tells the time, so a report can be sent again by
//! whoever saw it: who takes it in lets only a report count that says more than the last one.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tapdesk_core::ports::Mark;
use tapdesk_core::request::Progress;
use url::{Url, form_urlencoded};

use crate::secret::Secret;

/// Header with the signature, in base64.
const SIGNATURE: &str = "x-twilio-signature";
/// What the URL carries the mark as; the signature covers it.
const MARK: &str = "message";

/// Reads Twilio's reports.
#[derive(Debug)]
pub struct StatusReports {
    /// As Twilio was told it: from the configuration, never from a `Host` header.
    url: Url,
    account_sid: String,
    auth_token: Secret,
}

/// A genuine report.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// About which message.
    pub mark: Mark,
    /// How far it came.
    pub progress: Progress,
    /// Twilio's code for why it did not come further.
    pub error_code: Option<u32>,
}

/// Why a report is not taken in. For metrics; the answer carries no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Not signed as Twilio signs.
    NotVerified,
    /// Signed, and about another account.
    NotOurs,
    /// Signed, and no report.
    Malformed,
}

type Fields = BTreeMap<String, BTreeSet<String>>;

/// Where Twilio reports on that message.
pub(super) fn status_url(base: &Url, mark: &Mark) -> Url {
    let mut url = base.clone();
    url.query_pairs_mut().append_pair(MARK, &mark.to_string());
    url
}

impl StatusReports {
    /// Reports to `url` about messages of the account.
    #[must_use]
    pub fn new(url: Url, account_sid: String, auth_token: Secret) -> Self {
        Self { url, account_sid, auth_token }
    }

    /// Checks a request to that URL and reads it.
    pub fn read(&self, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Report, NotTaken> {
        let query = query.unwrap_or_default();
        let fields = fields(headers, body).ok_or(NotTaken::NotVerified)?;
        if !self.is_genuine(query, headers, &fields) {
            return Err(NotTaken::NotVerified);
        }
        if only(&fields, "AccountSid").ok_or(NotTaken::Malformed)? != self.account_sid {
            return Err(NotTaken::NotOurs);
        }
        let status = only(&fields, "MessageStatus").ok_or(NotTaken::Malformed)?;
        let mark = query.strip_prefix(MARK).and_then(|rest| rest.strip_prefix('='));
        Ok(Report {
            mark: mark.and_then(|mark| mark.parse().ok()).ok_or(NotTaken::Malformed)?,
            progress: progress(status).ok_or(NotTaken::Malformed)?,
            error_code: only(&fields, "ErrorCode").and_then(|code| code.parse().ok()),
        })
    }

    /// Twilio signs the URL with or without its port, and its own helpers try both.
    fn is_genuine(&self, query: &str, headers: &HeaderMap, fields: &Fields) -> bool {
        let mut signatures = headers.get_all(SIGNATURE).iter();
        let (Some(signature), None) = (signatures.next(), signatures.next()) else { return false };
        let Ok(given) = BASE64_STANDARD.decode(signature) else { return false };
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.auth_token.expose().as_bytes());
        with_and_without_port(&self.url).iter().any(|url| {
            let signed = signed_text(&format!("{url}?{query}"), fields);
            hmac::verify(&key, signed.as_bytes(), &given).is_ok()
        })
    }
}

fn fields(headers: &HeaderMap, body: &[u8]) -> Option<Fields> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !kind.starts_with("application/x-www-form-urlencoded") || std::str::from_utf8(body).is_err() {
        return None;
    }
    let mut fields = Fields::new();
    for (name, value) in form_urlencoded::parse(body) {
        fields.entry(name.into_owned()).or_default().insert(value.into_owned());
    }
    Some(fields)
}

/// The URL, then each field's name and value; a repeated name with each of its values once.
fn signed_text(url: &str, fields: &Fields) -> String {
    let mut text = url.to_owned();
    for (name, values) in fields {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

fn with_and_without_port(url: &Url) -> [String; 2] {
    let written = url.as_str();
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    let port = url.port_or_known_default().unwrap_or_default();
    let other = match url.port() {
        Some(_) => format!("{scheme}://{host}{}", url.path()),
        None => format!("{scheme}://{host}:{port}{}", url.path()),
    };
    [written.to_owned(), other]
}

/// The one value of a field.
fn only<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let mut values = fields.get(name)?.iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        (None | Some(_), _) => None,
    }
}

fn progress(status: &str) -> Option<Progress> {
    match status {
        "accepted" | "scheduled" | "queued" | "sending" => Some(Progress::Accepted),
        "sent" => Some(Progress::Sent),
        "delivered" | "read" => Some(Progress::Delivered),
        "undelivered" | "failed" | "canceled" => Some(Progress::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "req_0123456789ABCDEFGHJKMNPQRS";
    const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

    fn sign(token: &str, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
        BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
    }

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8".parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers
    }

    fn reports(url: &str, token: &str) -> StatusReports {
        StatusReports::new(url.parse().unwrap(), ACCOUNT.to_owned(), Secret::new(token.to_owned()))
    }

    /// The vectors of twilio-python's own tests, recomputed: a wrong one differs in its signature only.
    #[test]
    fn twilios_own_vectors_hold() {
        let call = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212\
                    &Caller=%2B14158675309";
        let repeated = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
        for (url, body, signature) in [
            ("https://mycompany.com/myapp.php", call, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://mycompany.com/myapp.php", call, "kvajT1Ptam85bY51eRf/AJRuM3w="),
            ("http://mycompany.com:1234/myapp.php", call, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
            ("http://mycompany.com/myapp.php", call, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
            ("https://mycompany.com/myapp.php", repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        ] {
            let read =
                |token| reports(url, token).read(Some("foo=1&bar=2"), &headers(signature), body.as_bytes());
            // Genuine, and about calls.
            assert_eq!(read("12345"), Err(NotTaken::Malformed), "{url} {signature}");
            assert_eq!(read("12346"), Err(NotTaken::NotVerified), "{url} {signature}");
        }
    }

    fn status(status: &str) -> Result<Report, NotTaken> {
        let query = format!("message={REQUEST}.3");
        let body = format!("AccountSid={ACCOUNT}&ErrorCode=30003&MessageStatus={status}&To=%2B49");
        let text = format!(
            "https://tap.example.com/twilio/status?{query}AccountSid{ACCOUNT}ErrorCode30003MessageStatus{status}To+49"
        );
        let reports = reports("https://tap.example.com/twilio/status", "token");
        reports.read(Some(&query), &headers(&sign("token", &text)), body.as_bytes())
    }

    #[test]
    fn a_report_says_of_which_message_and_how_far_it_came() {
        let mark = Mark { request: REQUEST.parse().unwrap(), generation: 3 };
        for (word, progress) in [
            ("queued", Progress::Accepted),
            ("sent", Progress::Sent),
            ("delivered", Progress::Delivered),
            ("undelivered", Progress::Failed),
            ("failed", Progress::Failed),
        ] {
            let expected = Report { mark: mark.clone(), progress, error_code: Some(30003) };
            assert_eq!(status(word), Ok(expected), "{word}");
        }
        assert_eq!(status("receiving"), Err(NotTaken::Malformed));
    }

    #[test]
    fn the_mark_survives_the_url() {
        let mark = Mark { request: REQUEST.parse().unwrap(), generation: 3 };
        let url = status_url(&"https://tap.example.com/twilio/status".parse().unwrap(), &mark);
        assert_eq!(url.query(), Some(&*format!("message={REQUEST}.3")));
        assert_eq!(mark.to_string().parse(), Ok(mark));
    }
}
