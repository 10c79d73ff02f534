//! Can tapdesk send text messages with this account?
//!
//! Nothing is sent. Log-in and sender are told by the account's numbers, which API keys may read too (the account itself
//! they may not). Twilio's API does not tell whether Message Redaction is on, but messages that were refused for its lack
//! say so (codes 30029 and 30030), so the newest ones are asked for their codes and nothing else of them is kept.

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tapdesk_core::ports::PortError;
use zeroize::Zeroizing;

use super::{Answer, Fields, Sender, Twilio};
use crate::finding::{Finding, in_full};
use crate::http;

/// So many of the newest messages are looked at.
const NEWEST: &str = "50";
/// Where Message Redaction is switched on.
const SETTINGS: &str = "https://console.twilio.com/us1/develop/sms/settings/general";

#[derive(Default, Deserialize)]
struct Numbers {
    #[serde(default)]
    incoming_phone_numbers: Vec<Number>,
}

#[derive(Deserialize)]
struct Number {
    capabilities: Option<Capabilities>,
}

#[derive(Deserialize)]
struct Capabilities {
    sms: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Messages {
    #[serde(default)]
    messages: Vec<Sent>,
}

#[derive(Deserialize)]
struct Sent {
    error_code: Option<u32>,
}

impl Twilio {
    /// Looks at log-in, sender and Message Redaction.
    pub async fn examine(&self) -> Vec<Finding> {
        const WHAT: &str = "Twilio log-in";
        let from = match &self.config.from {
            // Short codes and alphanumeric senders are no numbers of the account.
            Sender::Number(number) if is_long_number(number) => Some(number),
            Sender::Number(_) | Sender::MessagingService(_) => None,
        };
        let mut query = vec![("PageSize", "1")];
        query.extend(from.map(|number| ("PhoneNumber", number.as_str())));
        let numbers: Numbers = match self.list("IncomingPhoneNumbers.json", &query).await {
            Ok(numbers) => numbers,
            Err(error) => {
                let remedy = "check account_sid, username and password_file in [courier.sms] against \
                              https://console.twilio.com/us1/account/keys-credentials/api-keys";
                return vec![Finding::fault(WHAT, in_full(&error), remedy)];
            }
        };
        let mut findings = vec![Finding::ok(WHAT, format!("account {} takes it", self.config.account_sid))];
        findings.extend(from.map(|number| sender(number, &numbers)));
        findings.push(self.redaction().await);
        findings
    }

    async fn redaction(&self) -> Finding {
        const WHAT: &str = "Message Redaction";
        if !self.config.discard_content {
            let remedy = format!(
                "switch Message Redaction on at {SETTINGS}, and take discard_content = false out of [courier.sms]"
            );
            return Finding::warning(
                WHAT,
                "discard_content = false: Twilio keeps numbers and texts, and with them codes",
                remedy,
            );
        }
        let sent: Messages = match self.list("Messages.json", &[("PageSize", NEWEST)]).await {
            Ok(sent) => sent,
            Err(error) => {
                return Finding::unchecked(
                    WHAT,
                    &error,
                    "try again; an API key has to be allowed to read messages",
                );
            }
        };
        let lacks = |sent: &&Sent| matches!(sent.error_code, Some(30029 | 30030));
        if let Some(code) = sent.messages.iter().find(lacks).and_then(|sent| sent.error_code) {
            let said = format!("messages were refused for its lack (code {code}): no code arrives");
            return Finding::fault(
                WHAT,
                said,
                format!("switch it on at {SETTINGS}, or set discard_content = false in [courier.sms]"),
            );
        }
        let number = sent.messages.len();
        if number == 0 {
            let said = "Twilio tells only by messages that were refused, and none was sent yet";
            return Finding::note(WHAT, said, format!("see that it is on at {SETTINGS}"));
        }
        Finding::ok(WHAT, format!("none of the newest messages ({number}) was refused for its lack"))
    }

    async fn list<T: DeserializeOwned + Default>(
        &self,
        name: &str,
        query: &[(&str, &str)],
    ) -> Result<T, PortError> {
        let url =
            self.endpoint.join(name).map_err(|_| PortError::fatal("the base_url cannot be extended"))?;
        let request =
            self.http.get(url).basic_auth(&self.config.username, Some(self.config.password.expose()));
        let response = request.query(query).send().await.map_err(|error| http::failed(&error))?;
        let status = response.status();
        // It may quote numbers and texts.
        let body = Zeroizing::new(http::body(response).await?);
        if status != StatusCode::OK {
            let fields: Fields = serde_json::from_slice(&body).unwrap_or_default();
            let code = fields.code.unwrap_or_default();
            return Err(Answer { status, after: None, fields }.refused(code));
        }
        serde_json::from_slice(&body)
            .map_err(|_| PortError::fatal("Twilio's answer has another shape than documented"))
    }
}

fn is_long_number(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn sender(number: &str, found: &Numbers) -> Finding {
    const WHAT: &str = "Twilio sender";
    let remedy = "put a number with SMS from https://console.twilio.com/us1/develop/phone-numbers/manage/incoming into from, \
                  or a messaging service into messaging_service";
    match found.incoming_phone_numbers.first() {
        None => Finding::fault(
            WHAT,
            format!("{number} is no number of this account: nothing can be sent from it"),
            remedy,
        ),
        Some(Number { capabilities: Some(Capabilities { sms: Some(false) }) }) => {
            Finding::fault(WHAT, format!("{number} cannot send text messages"), remedy)
        }
        Some(Number { .. }) => Finding::ok(WHAT, format!("{number} belongs to the account")),
    }
}
