//! How do dialogs open, change and close?

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::api::known_people;
use super::gesture::{fill, find_action, merged};
use super::state::{Content, Message, Person, State, View};
use super::{Teams, limits};
use crate::chat::Reply;

impl Teams {
    /// Presses a button of the dialog in front of this person by its title, with what they fill in. Refuses what the client
    /// would not send.
    pub async fn press_in_dialog(
        &self,
        user: &Person,
        button: &str,
        values: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let view = self.state().top_view(&user.id).context("no dialog is open")?;
        let action = find_action(&view.card, button).with_context(|| view.visible_text())?;
        if action["type"] != "Action.Submit" {
            bail!("a dialog sends nothing but Action.Submit: {action}");
        }
        let data = merged(&action["data"], fill(&view.card, values)?);
        let mut activity = self.dialog_activity(user, &view.from, "task/submit");
        activity["value"] = json!({ "data": data, "context": {"theme": "default"} });
        let reply = self.send(&activity).await;
        Ok(self.take_task(user, &view.from, Some(view.id), reply))
    }

    /// Closes the dialog in front of this person with the cross, of which nobody is told.
    pub fn close_dialog(&self, user: &Person) -> anyhow::Result<()> {
        let mut state = self.state();
        let id = state.top_view(&user.id).context("no dialog is open")?.id;
        close(&mut state, id);
        Ok(())
    }

    /// Asks for a dialog that nobody offered, in the person's own private chat.
    pub async fn fetch(&self, user: &Person, data: Value) -> Reply {
        let from = (super::personal_id(&user.id), None);
        self.ask_for(user, from, data).await
    }

    /// Submits what no dialog offered, from the person's own private chat.
    pub async fn submit(&self, user: &Person, data: Value) -> Reply {
        let from = (super::personal_id(&user.id), None);
        let mut activity = self.dialog_activity(user, &from, "task/submit");
        activity["value"] = json!({ "data": data, "context": {"theme": "default"} });
        let reply = self.send(&activity).await;
        let open = self.state().top_view(&user.id).map_or(0, |view| view.id);
        self.take_task(user, &from, Some(open), reply)
    }

    pub(super) async fn fetch_dialog(&self, user: &Person, message: &Message, data: Value) -> Reply {
        let is_own = message.conversation == super::personal_id(&user.id);
        let conversation = if is_own || message.conversation.starts_with("19:") {
            message.conversation.clone()
        } else {
            super::personal_id(&user.id)
        };
        self.ask_for(user, (conversation, Some(message.id.clone())), data).await
    }

    async fn ask_for(&self, user: &Person, from: (String, Option<String>), data: Value) -> Reply {
        let mut activity = self.dialog_activity(user, &from, "task/fetch");
        activity["value"] = json!({ "data": data, "context": {"theme": "default"} });
        let reply = self.send(&activity).await;
        self.take_task(user, &from, None, reply)
    }

    fn dialog_activity(&self, user: &Person, from: &(String, Option<String>), name: &str) -> Value {
        let mut activity = if from.0.starts_with("a:") {
            self.personal_activity(user, "invoke")
        } else {
            self.channel_activity(user, &from.0, "invoke")
        };
        activity["name"] = json!(name);
        if let Some(message) = &from.1 {
            activity["replyToId"] = json!(message);
        }
        activity
    }

    /// Does what the answer says: another dialog, a line of text, or nothing more.
    pub(super) fn take_task(
        &self,
        user: &Person,
        from: &(String, Option<String>),
        before: Option<u64>,
        mut reply: Reply,
    ) -> Reply {
        if reply.failure.is_some() {
            return reply;
        }
        let answer = reply.json().unwrap_or(Value::Null);
        let mut state = self.state();
        state.dialogs.push(answer.clone());
        let task = &answer["task"];
        if task.is_null() {
            // A question is answered with a dialog; what was submitted may be answered with nothing.
            let is_empty = answer.is_null() && reply.body.trim().is_empty() || answer == json!({});
            match before {
                Some(id) if is_empty => close(&mut state, id),
                Some(_) | None => reply.failure = Some("invalid_task_response"),
            }
            return reply;
        }
        if !limits::task(task, &known_people(&state)).is_empty() {
            reply.failure = Some("invalid_task_response");
            return reply;
        }
        if let Some(id) = before {
            close(&mut state, id);
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // A line of text is a notice in front of them that goes away by itself.
        if task["type"] == "message" {
            let content = Content { text: text(&task["value"]), ..Content::default() };
            let message = state.post(&from.0, content, (self.inner.now)());
            message.only_for = Some(user.id.clone());
            return reply;
        }
        let id = state.next();
        state.views.push(View {
            id,
            user: user.id.clone(),
            title: text(&task["value"]["title"]),
            card: task["value"]["card"]["content"].clone(),
            is_open: true,
            from: from.clone(),
        });
        reply
    }
}

fn close(state: &mut State, id: u64) {
    state.views.iter_mut().filter(|view| view.id == id).for_each(|view| view.is_open = false);
}
