//! What does Twilio tell about messages that it took, how does it sign that, and what may come twice or out of order?

use anyhow::{Context as _, ensure};
use aws_lc_rs::hmac;
use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Url, form_urlencoded};

use crate::forge::Knock;
use crate::twilio::Sms;
use crate::world::{TWILIO_ACCOUNT, TWILIO_TOKEN, World};

/// Header with Twilio's signature.
pub const TWILIO_SIGNATURE: &str = "x-twilio-signature";

/// The fields of a report, as Twilio sends them: from and to are in it, whoever reads it.
#[must_use]
pub fn report_fields(sms: &Sms, status: &str) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("SmsSid", sms.sid.clone()),
        ("SmsStatus", status.to_owned()),
        ("MessageStatus", status.to_owned()),
        ("To", sms.to.clone()),
        ("MessageSid", sms.sid.clone()),
        ("AccountSid", TWILIO_ACCOUNT.to_owned()),
        ("From", sms.from.clone()),
        ("ApiVersion", "2010-04-01".to_owned()),
    ];
    if matches!(status, "undelivered" | "failed") {
        fields.push(("ErrorCode", "30003".to_owned()));
    }
    fields
}

/// A POST of those fields to `callback`, signed with `token` as Twilio signs: HMAC-SHA1 over the URL and every name and
/// value in the order of the names. It is sent to the path of that URL wherever tapdesk really listens.
pub fn signed_report(callback: &str, token: &str, fields: &[(&str, String)]) -> anyhow::Result<Knock> {
    let mut sorted = fields.to_vec();
    sorted.sort();
    let pairs: String = sorted.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
    let text = format!("{callback}{pairs}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let url = Url::parse(callback)?;
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    Ok(Knock::new(Method::POST, &path)
        .body(body)
        .and("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
        .and("i-twilio-idempotency-token", format!("{}-{}", sorted.len(), sorted[0].1))
        .and(TWILIO_SIGNATURE, signature))
}

impl World {
    /// The newest text message to that number.
    pub fn newest_sms(&self, number: &str) -> anyhow::Result<Sms> {
        self.twilio.phone(number).messages().pop().context("no text message went to that number")
    }

    /// Twilio's report that this message came so far, if it was asked to report.
    pub fn report_on(&self, sms: &Sms, status: &str) -> anyhow::Result<Knock> {
        let callback = sms.parameters.get("StatusCallback").context("Twilio was not asked to report")?;
        signed_report(callback, TWILIO_TOKEN, &report_fields(sms, status))
    }

    /// Twilio reports on a message, one after the other, and everybody works.
    pub async fn twilio_reports(&self, sms: &Sms, statuses: &[&str]) -> anyhow::Result<()> {
        for status in statuses {
            let heard = self.knock(&self.report_on(sms, status)?).await?;
            ensure!(heard.status == StatusCode::OK && heard.body.is_empty(), "{status}: {heard:?}");
            self.settle().await?;
        }
        Ok(())
    }
}
