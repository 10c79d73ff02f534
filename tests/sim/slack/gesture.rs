//! What can a person do in Slack: type a command, press a button, submit or close a modal?

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::api::{checked_content, message_json};
use super::state::{Message, Person, State, View};
use super::{Slack, limits};
use crate::chance;
use crate::chat::Reply;
use crate::wire::lock;

/// A button as it stands in a block.
pub(super) struct Button {
    block_id: String,
    content: Value,
}

impl Slack {
    /// Types a slash command in the direct conversation with the app.
    pub async fn command(&self, user: &Person, command: &str, text: &str) -> Reply {
        let channel = self.state().open_direct(&user.id);
        self.command_in(user, &channel, command, text).await
    }

    /// Types a slash command in a channel.
    pub async fn command_in(&self, user: &Person, channel: &str, command: &str, text: &str) -> Reply {
        let now = (self.inner.now)();
        let (fields, hook) = {
            let mut state = self.state();
            let hook = state.hook("commands", &user.id, channel, None, now);
            let trigger = state.trigger(&user.id, now);
            let response_url = self.absolute(&hook);
            let fields = command_fields(&state, user, channel, command, text, &response_url, &trigger);
            (fields, hook)
        };
        let path = lock(&self.line).endpoints.commands.clone();
        let reply = self.send_form(&path, &fields).await;
        self.show_answer(user, channel, command, &hook, reply)
    }

    /// Presses a button of a message, by `action_id` or by its label. Refuses what this person could not press.
    pub async fn press(&self, user: &Person, message: &Message, button: &str) -> anyhow::Result<Reply> {
        let payload = self.press_payload(user, message, button)?;
        Ok(self.send_payload(&payload).await)
    }

    /// Presses a button that `owner` sees as somebody else would who learnt what it carries.
    pub async fn press_as(
        &self,
        thief: &Person,
        owner: &Person,
        message: &Message,
        button: &str,
    ) -> anyhow::Result<Reply> {
        let mut payload = self.press_payload(owner, message, button)?;
        let now = (self.inner.now)();
        {
            let mut state = self.state();
            let hook = state.hook("actions", &thief.id, &message.channel, Some(message.ts.clone()), now);
            payload["user"] = envelope(&state, thief, "block_actions")["user"].clone();
            payload["response_url"] = json!(self.absolute(&hook));
            payload["trigger_id"] = json!(state.trigger(&thief.id, now));
        }
        Ok(self.send_payload(&payload).await)
    }

    /// What Slack would say if somebody pressed a button with that value: one that they saw, kept or guessed.
    #[must_use]
    pub fn pressed_with(&self, user: &Person, choice: &str, value: &str) -> Value {
        let workspace = self.workspace();
        json!({
            "type": "block_actions",
            "user": {"id": user.id, "team_id": user.team_id},
            "api_app_id": workspace.app_id,
            "team": {"id": workspace.team_id},
            "trigger_id": chance::id("trigger"),
            "actions": [{"type": "button", "action_id": choice, "value": value}],
        })
    }

    /// Says so.
    pub async fn press_with(&self, user: &Person, choice: &str, value: &str) -> Reply {
        self.send_payload(&self.pressed_with(user, choice, value)).await
    }

    /// Submits a modal that nobody was shown, with the inputs that it would have had.
    pub async fn submit_with(
        &self,
        user: &Person,
        callback: &str,
        metadata: &str,
        values: &[(&str, &str)],
    ) -> Reply {
        let filled: Map<String, Value> =
            values.iter().map(|(id, text)| ((*id).to_owned(), json!({*id: {"value": text}}))).collect();
        let mut payload = self.pressed_with(user, "", "");
        payload["type"] = json!("view_submission");
        payload["view"] = json!({
            "callback_id": callback, "private_metadata": metadata, "state": {"values": filled},
        });
        self.send_payload(&payload).await
    }

    /// Presses a button inside the modal in front of this person.
    pub async fn press_in_view(&self, user: &Person, button: &str) -> anyhow::Result<Reply> {
        let now = (self.inner.now)();
        let payload = {
            let mut state = self.state();
            let view = state.top_view(&user.id).context("no modal is open")?;
            let blocks = view.content["blocks"].as_array().cloned().unwrap_or_default();
            let found = find_button(&blocks, button).with_context(|| view.visible_text())?;
            let mut payload = envelope(&state, user, "block_actions");
            payload["container"] = json!({"type": "view", "view_id": view.id});
            payload["view"] = state.view_json(&view, &json!({}));
            payload["actions"] = json!([found.action(&format!("{}.000001", now.as_second()))]);
            payload["trigger_id"] = json!(state.trigger(&user.id, now));
            payload
        };
        Ok(self.send_payload(&payload).await)
    }

    /// Submits the modal in front of this person. `values` names inputs by `block_id` or `action_id`; inputs that are not
    /// named stay untouched. Refuses what Slack's own client would not submit.
    pub async fn submit_view(&self, user: &Person, values: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let (payload, view) = {
            let mut state = self.state();
            let view = state.top_view(&user.id).context("no modal is open")?;
            if view.content["submit"].is_null() {
                bail!("this modal has no submit button:\n{}", view.visible_text());
            }
            let filled = fill(&view, values)?;
            let mut payload = envelope(&state, user, "view_submission");
            payload["view"] = state.view_json(&view, &filled);
            payload["trigger_id"] = json!(state.trigger(&user.id, (self.inner.now)()));
            payload["response_urls"] = json!([]);
            (payload, view)
        };
        let reply = self.send_payload(&payload).await;
        Ok(self.take_submission(&view, reply))
    }

    /// Closes the modal in front of this person; `None` if the program did not ask to be told.
    pub async fn close_view(&self, user: &Person) -> anyhow::Result<Option<Reply>> {
        let payload = {
            let mut state = self.state();
            let view = state.top_view(&user.id).context("no modal is open")?;
            close(&mut state, &view.id);
            if view.content["notify_on_close"] != true {
                return Ok(None);
            }
            let mut payload = envelope(&state, user, "view_closed");
            payload["view"] = state.view_json(&view, &json!({}));
            payload["is_cleared"] = json!(false);
            payload
        };
        Ok(Some(self.send_payload(&payload).await))
    }

    /// Starts a global shortcut.
    pub async fn shortcut(&self, user: &Person, callback_id: &str) -> Reply {
        let now = (self.inner.now)();
        let payload = {
            let mut state = self.state();
            let mut payload = envelope(&state, user, "shortcut");
            payload["callback_id"] = json!(callback_id);
            payload["action_ts"] = json!(format!("{}.000001", now.as_second()));
            payload["trigger_id"] = json!(state.trigger(&user.id, now));
            payload
        };
        self.send_payload(&payload).await
    }

    fn press_payload(&self, user: &Person, message: &Message, button: &str) -> anyhow::Result<Value> {
        let now = (self.inner.now)();
        let mut state = self.state();
        let shown = state.message(&message.channel, &message.ts).cloned().context("the message is gone")?;
        if !state.can_see(&user.id, &shown) {
            bail!("{} does not see this message", user.name);
        }
        let found = find_button(&shown.blocks, button).with_context(|| shown.visible_text())?;
        let is_ephemeral = shown.only_for.is_some();
        let name = state.channels.get(&shown.channel).map(|c| c.name.clone());
        let hook = state.hook("actions", &user.id, &shown.channel, Some(shown.ts.clone()), now);
        let mut payload = envelope(&state, user, "block_actions");
        payload["container"] = json!({
            "type": "message", "message_ts": shown.ts, "channel_id": shown.channel, "is_ephemeral": is_ephemeral,
        });
        payload["channel"] = json!({"id": shown.channel, "name": name});
        // Slack does not keep ephemeral messages, so it cannot repeat them either.
        if !is_ephemeral {
            payload["message"] = message_json(&state, &shown.ts, &shown.text, &shown.blocks);
        }
        payload["state"] = json!({"values": {}});
        payload["response_url"] = json!(self.absolute(&hook));
        payload["actions"] = json!([found.action(&format!("{}.000001", now.as_second()))]);
        payload["trigger_id"] = json!(state.trigger(&user.id, now));
        Ok(payload)
    }

    fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.url.as_str().trim_end_matches('/'))
    }

    fn show_answer(
        &self,
        user: &Person,
        channel: &str,
        command: &str,
        hook: &str,
        mut reply: Reply,
    ) -> Reply {
        let now = (self.inner.now)();
        let answer = reply.json();
        let mut state = self.state();
        if reply.failure.is_none() && !reply.body.trim().is_empty() {
            let (text, blocks) = match &answer {
                Some(json) => (json["text"].as_str(), json.get("blocks").cloned()),
                None => (Some(reply.body.as_str()), None),
            };
            let is_public = answer.as_ref().is_some_and(|a| a["response_type"] == "in_channel");
            match checked_content(text, blocks) {
                Err(_) => reply.failure = Some("invalid_command_response"),
                Ok((text, blocks)) => {
                    let only_for = (!is_public).then_some(user.id.as_str());
                    let ts = state.post(channel, &text, blocks, only_for, now);
                    if let Some(hook) = state.hooks.get_mut(hook) {
                        hook.original = Some(ts);
                    }
                }
            }
        }
        if let Some(failure) = reply.failure {
            let text = format!("{command} failed with the error \"{failure}\"");
            let ts = state.post(channel, &text, Vec::new(), Some(&user.id), now);
            if let Some(message) = state.message(channel, &ts) {
                message.is_from_app = false;
            }
        }
        reply
    }

    fn take_submission(&self, view: &View, mut reply: Reply) -> Reply {
        if reply.failure.is_some() {
            return reply;
        }
        let mut state = self.state();
        if reply.body.trim().is_empty() {
            close(&mut state, &view.id);
            return reply;
        }
        let answer = reply.json().unwrap_or(Value::Null);
        if respond(&mut state, view, &answer).is_none() {
            reply.failure = Some("invalid_view_response");
        }
        reply
    }
}

impl Button {
    pub(super) fn action(&self, at: &str) -> Value {
        let mut action = self.content.clone();
        if let Some(action) = action.as_object_mut() {
            action.remove("confirm");
            action.insert("block_id".to_owned(), json!(self.block_id));
            action.insert("action_ts".to_owned(), json!(at));
            action.entry("action_id").or_insert_with(|| json!("made-by-slack"));
        }
        action
    }
}

fn command_fields(
    state: &State,
    user: &Person,
    channel: &str,
    command: &str,
    text: &str,
    response_url: &str,
    trigger: &str,
) -> Vec<(&'static str, String)> {
    let workspace = &state.workspace;
    let name = state.channels.get(channel).map_or("privategroup", |c| c.name.as_str());
    let mut fields = vec![
        ("token", "gIkuvaNzQIHg97ATvDxqgjtO".to_owned()),
        ("team_id", user.team_id.clone()),
        ("team_domain", workspace.team_domain.clone()),
    ];
    if let Some((id, name)) = &workspace.enterprise {
        fields.extend([("enterprise_id", id.clone()), ("enterprise_name", name.clone())]);
    }
    fields.extend([
        ("channel_id", channel.to_owned()),
        ("channel_name", name.to_owned()),
        ("user_id", user.id.clone()),
        ("user_name", user.name.clone()),
        ("command", command.to_owned()),
        ("text", text.to_owned()),
        ("api_app_id", workspace.app_id.clone()),
        ("is_enterprise_install", workspace.is_org_install.to_string()),
        ("response_url", response_url.to_owned()),
        ("trigger_id", trigger.to_owned()),
    ]);
    fields
}

/// What every interactive payload carries.
pub(super) fn envelope(state: &State, user: &Person, kind: &str) -> Value {
    let workspace = &state.workspace;
    let enterprise = workspace.enterprise.as_ref().map(|(id, name)| json!({"id": id, "name": name}));
    let team = (!workspace.is_org_install).then(|| {
        let mut team = json!({"id": workspace.team_id, "domain": workspace.team_domain});
        if let Some((id, name)) = &workspace.enterprise {
            team["enterprise_id"] = json!(id);
            team["enterprise_name"] = json!(name);
        }
        team
    });
    json!({
        "type": kind,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": workspace.app_id,
        "token": "deprecated-verification-token",
        "team": team,
        "enterprise": enterprise,
        "is_enterprise_install": workspace.is_org_install,
    })
}

pub(super) fn find_button(blocks: &[Value], wanted: &str) -> anyhow::Result<Button> {
    let mut found = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let elements = block["elements"].as_array().into_iter().flatten();
        for element in elements.chain([&block["accessory"]]).filter(|e| e["type"] == "button") {
            if element["action_id"] == wanted || element["text"]["text"] == wanted {
                let block_id = block["block_id"].as_str().map_or_else(|| format!("b{index}"), str::to_owned);
                found.push(Button { block_id, content: element.clone() });
            }
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(button), true) => Ok(button),
        (Some(_), false) => bail!("several buttons are called {wanted:?}"),
        (None, _) => bail!("there is no button {wanted:?}"),
    }
}

/// The `state.values` of a submission.
fn fill(view: &View, values: &[(&str, &str)]) -> anyhow::Result<Value> {
    let mut filled = Map::new();
    let mut taken = 0;
    for (index, block) in view.content["blocks"].as_array().into_iter().flatten().enumerate() {
        if block["type"] != "input" {
            continue;
        }
        let element = &block["element"];
        let block_id = block["block_id"].as_str().map_or_else(|| format!("b{index}"), str::to_owned);
        let action_id = element["action_id"].as_str().unwrap_or("made-by-slack");
        let given = values.iter().find(|(name, _)| *name == block_id || *name == action_id).map(|(_, v)| *v);
        taken += usize::from(given.is_some());
        let given = given.or(element["initial_value"].as_str()).filter(|text| !text.is_empty());
        if given.is_none() && block["optional"] != true {
            bail!("Slack's client insists on {block_id:?}");
        }
        filled.insert(block_id, json!({action_id: filled_element(element, given)?}));
    }
    if taken != values.len() {
        bail!("not all of {values:?} are inputs of:\n{}", view.visible_text());
    }
    Ok(Value::Object(filled))
}

fn filled_element(element: &Value, given: Option<&str>) -> anyhow::Result<Value> {
    let kind = element["type"].as_str().unwrap_or_default();
    let option = || {
        let text = given?;
        let mut options = element["options"].as_array()?.iter();
        options.find(|o| o["value"] == text || o["text"]["text"] == text).cloned()
    };
    Ok(match kind {
        "users_select" => json!({"type": kind, "selected_user": given}),
        "static_select" | "radio_buttons" | "checkboxes" => {
            let chosen = option();
            if given.is_some() && chosen.is_none() {
                bail!("there is no option {given:?}");
            }
            if kind == "checkboxes" {
                json!({"type": kind, "selected_options": chosen.into_iter().collect::<Vec<_>>()})
            } else {
                json!({"type": kind, "selected_option": chosen})
            }
        }
        _ => {
            let length = given.map_or(0, |text| text.chars().count() as u64);
            let least = element["min_length"].as_u64().unwrap_or(0);
            if given.is_some() && !(least..=element["max_length"].as_u64().unwrap_or(3000)).contains(&length)
            {
                bail!("Slack's client refuses {length} characters");
            }
            json!({"type": kind, "value": given})
        }
    })
}

/// Does what the answer to a submission asks for; `None` if Slack does not understand it.
fn respond(state: &mut State, view: &View, answer: &Value) -> Option<()> {
    match answer["response_action"].as_str()? {
        "clear" => {
            let root = view.root.clone();
            state.views.iter_mut().filter(|v| v.root == root).for_each(|v| v.is_open = false);
        }
        "errors" => {
            let errors = answer["errors"].as_object().filter(|errors| !errors.is_empty())?;
            let blocks = view.content["blocks"].as_array()?;
            let is_input = |id: &str| blocks.iter().any(|b| b["type"] == "input" && b["block_id"] == id);
            let errors: Option<Vec<_>> = errors
                .iter()
                .map(|(id, text)| is_input(id).then_some((id.clone(), text.as_str()?.to_owned())))
                .collect();
            state.views.iter_mut().find(|v| v.id == view.id)?.errors = errors?;
        }
        "update" => {
            let content = valid_view(answer)?;
            state.change_view(&view.id, content)?;
        }
        "push" => {
            let content = valid_view(answer)?;
            let depth = state.views.iter().filter(|v| v.is_open && v.root == view.root).count();
            if depth >= 3 {
                return None;
            }
            state.open_view(&view.user, content, Some(&view.id));
        }
        _ => return None,
    }
    Some(())
}

fn valid_view(answer: &Value) -> Option<Value> {
    let view = answer.get("view")?;
    limits::view(view).is_empty().then(|| view.clone())
}

fn close(state: &mut State, id: &str) {
    state.views.iter_mut().filter(|v| v.id == id).for_each(|v| v.is_open = false);
}
