//! How does the outgoing webhook of a team reach the program, and what becomes of the answer?

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Teams;
use super::state::{Content, Person};
use crate::chat::{Delivery, Reply};
use crate::wire::lock;

/// `Authorization` of a body: `HMAC` and the base64 of its HMAC-SHA256 under the decoded security token.
#[must_use]
pub fn webhook_signature(token: &str, body: &[u8]) -> String {
    let key = BASE64_STANDARD.decode(token).unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    format!("HMAC {}", BASE64_STANDARD.encode(hmac::sign(&key, body)))
}

impl Teams {
    /// Mentions the outgoing webhook in a channel, with what follows the mention; everybody there sees the answer.
    pub async fn calls_webhook(&self, user: &Person, channel: &str, text: &str) -> Reply {
        let activity = self.webhook_activity(user, channel, text);
        let delivery = self.webhook_delivery(&activity.to_string());
        let reply = self.deliver_webhook(delivery).await;
        self.show_webhook_answer(channel, reply)
    }

    /// What the webhook sends when somebody mentions it.
    #[must_use]
    pub fn webhook_activity(&self, user: &Person, channel: &str, text: &str) -> Value {
        let name = self.app().webhook;
        let mut activity = self.channel_activity(user, channel, "message");
        activity["text"] = json!(format!("<at>{name}</at> {text}"));
        activity["textFormat"] = json!("plain");
        // A webhook is nobody in the conversation.
        activity["recipient"] = Value::Null;
        let thread = self.state().message_id((self.inner.now)());
        activity["conversation"]["id"] = json!(format!("{channel};messageid={thread}"));
        self.state().typed.push(text.to_owned());
        activity
    }

    /// A body as the webhook sends it: signed with the token that Teams showed once.
    #[must_use]
    pub fn webhook_delivery(&self, body: &str) -> Delivery {
        let path = lock(&self.line).endpoints.outgoing.clone();
        let signature = webhook_signature(&self.app().webhook_token, body.as_bytes());
        let headers = [("content-type", "application/json; charset=utf-8"), ("authorization", &signature)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Delivery { path, headers, body: body.as_bytes().to_vec() }
    }

    fn show_webhook_answer(&self, channel: &str, mut reply: Reply) -> Reply {
        if reply.failure.is_some() {
            return reply;
        }
        let answer = reply.json().unwrap_or(Value::Null);
        let now = (self.inner.now)();
        let mut state = self.state();
        state.seen.push(json!({ "webhook": answer }));
        let known = ["type", "text"];
        let is_known = answer.as_object().is_some_and(|a| a.keys().all(|key| known.contains(&key.as_str())));
        match answer["text"]
            .as_str()
            .filter(|text| is_known && answer["type"] == "message" && !text.is_empty())
        {
            Some(text) => {
                let content = Content { text: text.to_owned(), ..Content::default() };
                state.post(channel, content, now);
            }
            None => reply.failure = Some("invalid_webhook_response"),
        }
        reply
    }
}
