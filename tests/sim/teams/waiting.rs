//! How does somebody who typed something wait for the answer, which is a message of its own?

use std::time::Duration;

use serde_json::Value;

use super::Teams;
use super::state::Message;
use crate::chat::{Delivery, Reply};

/// After this long nobody watches the chat any more.
const PATIENCE: Duration = Duration::from_secs(3);

impl Teams {
    /// Brings a message as `bring` does, and waits until the chat says something to it; what that is, is the reply's body.
    pub async fn and_waits(&self, activity: &Value, bring: impl Future<Output = Reply>) -> Reply {
        let before = (self.answers_to(activity).len(), self.said_of_itself(activity));
        let reply = bring.await;
        if !reply.is_accepted() {
            return reply;
        }
        let is_answered =
            || self.answers_to(activity).len() > before.0 || self.said_of_itself(activity) > before.1;
        self.wire.brings(PATIENCE, is_answered).await;
        let answer = self.answers_to(activity).into_iter().nth(before.0);
        let body = answer.map(|message| message.visible_text()).unwrap_or_default();
        Reply { body, ..reply }
    }

    /// The same for a request that is brought once more. Whoever pressed sees the answer if they had none yet.
    pub async fn again_and_waits(&self, delivery: &Delivery, bring: impl Future<Output = Reply>) -> Reply {
        let activity: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
        if activity["type"] == "message" {
            return self.and_waits(&activity, bring).await;
        }
        let reply = bring.await;
        if !reply.is_accepted() {
            return reply;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let waiting = {
            let mut state = self.state();
            let waits = state.lost.remove(&text(&activity["id"]));
            state.people.get(&text(&activity["from"]["id"])).filter(|_| waits).cloned()
        };
        let is_dialog = activity["name"] == "task/fetch";
        match waiting {
            Some(user) if is_dialog => {
                let from = (text(&activity["conversation"]["id"]), Some(text(&activity["replyToId"])));
                self.take_task(&user, &from, None, reply)
            }
            Some(user) => self.take_answer(&user, &activity, reply),
            None => {
                // A window that nobody waits for is one all the same.
                let answer = reply.json().filter(|answer| is_dialog && answer["task"]["type"] == "continue");
                self.state().dialogs.extend(answer);
                reply
            }
        }
    }

    fn answers_to(&self, activity: &Value) -> Vec<Message> {
        let is_it = |message: &&Message| message.reply_to.as_deref() == activity["id"].as_str();
        self.state().messages.iter().filter(is_it).cloned().collect()
    }

    /// How many messages of the conversation answer nothing.
    fn said_of_itself(&self, activity: &Value) -> usize {
        let here = activity["conversation"]["id"].as_str();
        let is_it = |message: &&Message| message.reply_to.is_none() && here == Some(&message.conversation);
        self.state().messages.iter().filter(is_it).count()
    }
}
