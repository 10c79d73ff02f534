//! What can a person do in Teams: type, press a button of a card, look at one?

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::api::known_people;
use super::state::{Content, Message, Person, State};
use super::{Teams, limits, visible};
use crate::chance;
use crate::chat::Reply;

/// What a client knows of a card that somebody sees.
struct Seen {
    message: Message,
    action: Value,
    values: Map<String, Value>,
}

impl Teams {
    /// Types something in the private chat with the app. People cannot be mentioned there.
    pub async fn types(&self, user: &Person, text: &str) -> Reply {
        let activity = self.message_activity(user, text);
        self.state().typed.push(text.to_owned());
        self.send(&activity).await
    }

    /// The same, watching the chat until something is said to it.
    pub async fn types_and_waits(&self, user: &Person, text: &str) -> Reply {
        let activity = self.message_activity(user, text);
        self.state().typed.push(text.to_owned());
        self.and_waits(&activity, self.send(&activity)).await
    }

    /// What the Connector says of that.
    #[must_use]
    pub fn message_activity(&self, user: &Person, text: &str) -> Value {
        let mut activity = self.personal_activity(user, "message");
        activity["text"] = json!(text);
        activity["textFormat"] = json!("plain");
        activity
    }

    /// Types something in a channel, where `<at>Name</at>` mentions the app or a member; it begins a thread.
    pub async fn types_in(&self, user: &Person, channel: &str, text: &str) -> Reply {
        let mut activity = self.channel_activity(user, channel, "message");
        {
            let mut state = self.state();
            let thread = state.message_id((self.inner.now)());
            if !channel.contains(';') {
                activity["conversation"]["id"] = json!(format!("{channel};messageid={thread}"));
            }
            let mentions = mentions(&state, text);
            if let Some(entities) = activity["entities"].as_array_mut() {
                entities.extend(mentions);
            }
            state.typed.push(text.to_owned());
        }
        activity["text"] = json!(text);
        activity["textFormat"] = json!("plain");
        self.send(&activity).await
    }

    /// Presses a button of a message by its title. `values` fills the card's inputs by their ids; those that are not named
    /// stay untouched. Refuses what this person could not press.
    pub async fn press(
        &self,
        user: &Person,
        message: &Message,
        button: &str,
        values: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let seen = self.sees(user, message, button, values)?;
        self.act(user, seen, false).await
    }

    /// The same in a client that does not know Action.Execute, and takes the fallback.
    pub async fn press_in_old_client(
        &self,
        user: &Person,
        message: &Message,
        button: &str,
    ) -> anyhow::Result<Reply> {
        let seen = self.sees(user, message, button, &[])?;
        self.act(user, seen, true).await
    }

    /// Presses a button that `owner` sees as somebody else would who learnt what it carries.
    pub async fn press_as(
        &self,
        thief: &Person,
        owner: &Person,
        message: &Message,
        button: &str,
    ) -> anyhow::Result<Reply> {
        let seen = self.sees(owner, message, button, &[])?;
        self.act(thief, seen, false).await
    }

    /// Presses an Action.Execute that nobody was shown, in the person's own private chat.
    pub async fn execute(&self, user: &Person, verb: &str, data: &Value) -> Reply {
        let activity = self.execute_activity(user, verb, data);
        let reply = self.send(&activity).await;
        self.take_answer(user, &activity, reply)
    }

    /// What the Connector would say of that.
    #[must_use]
    pub fn execute_activity(&self, user: &Person, verb: &str, data: &Value) -> Value {
        let mut activity = self.personal_activity(user, "invoke");
        activity["name"] = json!("adaptiveCard/action");
        activity["value"] = json!({
            "action": {"type": "Action.Execute", "verb": verb, "data": data}, "trigger": "manual",
        });
        activity
    }

    /// Looks at a message whose card names this person for a refresh: the client asks for their own view of it. `None` if it
    /// names them not, or was asked already since the last change.
    pub async fn looks_at(&self, user: &Person, message: &Message) -> Option<Reply> {
        let mut activity = self.activity_on(user, message, "invoke");
        {
            let mut state = self.state();
            let shown = state.message(&message.conversation, &message.id)?;
            let refresh = shown.cards.first()?["refresh"].clone();
            let is_named = refresh["userIds"].as_array()?.iter().any(|id| *id == user.id.as_str());
            if !is_named || !shown.refreshed.insert(user.id.clone()) {
                return None;
            }
            activity["name"] = json!("adaptiveCard/action");
            activity["value"] = json!({ "action": refresh["action"], "trigger": "automatic" });
        }
        let reply = self.send(&activity).await;
        Some(self.take_answer(user, &activity, reply))
    }

    /// Everybody looks at their private chat.
    pub async fn everybody_looks(&self) {
        let people: Vec<Person> = self.state().people.values().cloned().collect();
        for person in people {
            for message in self.inbox(&person) {
                self.looks_at(&person, &message).await;
            }
        }
    }

    fn sees(
        &self,
        user: &Person,
        message: &Message,
        button: &str,
        values: &[(&str, &str)],
    ) -> anyhow::Result<Seen> {
        let mut state = self.state();
        let shown =
            state.message(&message.conversation, &message.id).cloned().context("the message is gone")?;
        if !state.can_see(&user.id, &shown) {
            bail!("{} does not see this message", user.name);
        }
        let shown = shown.seen_by(&user.id);
        let card = shown.cards.iter().find(|card| find_action(card, button).is_ok());
        let card = card.with_context(|| format!("no button {button:?} in:\n{}", shown.visible_text()))?;
        let action = find_action(card, button)?;
        let values = if action["associatedInputs"].as_str().is_some_and(|a| a.eq_ignore_ascii_case("none")) {
            Map::new()
        } else {
            fill(card, values)?
        };
        Ok(Seen { message: shown, action, values })
    }

    async fn act(&self, user: &Person, seen: Seen, is_old_client: bool) -> anyhow::Result<Reply> {
        let mut action = seen.action;
        if is_old_client && action["type"] == "Action.Execute" {
            action = action["fallback"].clone();
        }
        let message = &seen.message;
        match action["type"].as_str().unwrap_or_default() {
            "Action.Execute" => {
                let mut activity = self.activity_on(user, message, "invoke");
                activity["name"] = json!("adaptiveCard/action");
                let mut sent = json!({ "type": "Action.Execute", "verb": action["verb"] });
                for key in ["id", "title"] {
                    if action[key].is_string() {
                        sent[key] = action[key].clone();
                    }
                }
                sent["data"] = merged(&action["data"], seen.values);
                activity["value"] = json!({ "action": sent, "trigger": "manual" });
                let reply = self.send(&activity).await;
                Ok(self.take_answer(user, &activity, reply))
            }
            "Action.Submit" if action["data"]["msteams"]["type"] == "task/fetch" => {
                let data = merged(&action["data"], seen.values);
                Ok(self.fetch_dialog(user, message, data).await)
            }
            "Action.Submit" => {
                if !action["data"]["msteams"].is_null() {
                    bail!("the simulator does not know {}", action["data"]["msteams"]);
                }
                let mut activity = self.activity_on(user, message, "message");
                activity["value"] = merged(&action["data"], seen.values);
                Ok(self.send(&activity).await)
            }
            "Action.OpenUrl" => bail!("that opens {}", action["url"]),
            _ => bail!("this client has nothing to show for that button: {action}"),
        }
    }

    /// An activity about a message.
    pub(super) fn activity_on(&self, user: &Person, message: &Message, kind: &str) -> Value {
        let mut activity = if message.conversation.starts_with("a:") {
            // Whoever learnt what a button carries sends it from a chat of their own.
            self.personal_activity(user, kind)
        } else {
            self.channel_activity(user, &message.conversation, kind)
        };
        activity["replyToId"] = json!(message.id);
        activity["channelData"]["source"] = json!({ "name": "message" });
        activity
    }

    /// Shows what answers a button: a card in place of the message for this person alone, or a line of text.
    pub(super) fn take_answer(&self, user: &Person, activity: &Value, mut reply: Reply) -> Reply {
        if reply.failure.is_some() {
            return reply;
        }
        let answer = reply.json().unwrap_or(Value::Null);
        let now = (self.inner.now)();
        let mut state = self.state();
        state.seen.push(json!({ "answer": answer }));
        let conversation = activity["conversation"]["id"].as_str().unwrap_or_default().to_owned();
        let asked = activity["replyToId"].as_str().unwrap_or_default();
        let people = known_people(&state);
        let value = &answer["value"];
        match (answer["statusCode"].as_u64(), answer["type"].as_str()) {
            (Some(200), Some(limits::CARD)) if limits::card(value, &people).is_empty() => {
                if let Some(message) = state.message(&conversation, asked) {
                    message.own.insert(user.id.clone(), value.clone());
                    message.is_changed = true;
                }
            }
            (Some(200), Some("application/vnd.microsoft.activity.message")) if value.is_string() => {
                let text = value.as_str().unwrap_or_default().to_owned();
                if !text.is_empty() {
                    let message = state.post(&conversation, Content { text, ..Content::default() }, now);
                    message.only_for = Some(user.id.clone());
                }
            }
            (Some(400..=599), Some("application/vnd.microsoft.error")) if value["message"].is_string() => {
                reply.failure = Some("something_went_wrong");
            }
            _ => reply.failure = Some("invalid_invoke_response"),
        }
        reply
    }
}

/// What every activity carries.
pub(super) fn envelope(state: &mut State, user: &Person, kind: &str, now: Timestamp, service: &str) -> Value {
    let is_invoke = kind == "invoke";
    let id = if is_invoke { format!("f:{}", chance::id("invoke")) } else { state.message_id(now) };
    let user = state.people.get(&user.id).cloned().unwrap_or_else(|| user.clone());
    let mut from = json!({ "id": user.id, "name": user.name });
    if let Some(object) = &user.object_id {
        from["aadObjectId"] = json!(object);
    }
    json!({
        "type": kind, "id": id, "timestamp": now.to_string(), "localTimestamp": now.to_string(),
        "localTimezone": user.zone, "serviceUrl": service, "channelId": "msteams", "from": from,
        "recipient": {"id": state.app.bot_id(), "name": state.app.name},
        "entities": [{
            "type": "clientInfo", "locale": "en-US", "country": "US", "platform": "Web", "timezone": user.zone,
        }],
        "channelData": {"tenant": {"id": user.tenant_id}}, "locale": "en-US",
    })
}

/// The entities of what is mentioned in a text.
fn mentions(state: &State, text: &str) -> Vec<Value> {
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for person in state.people.values() {
        known.insert(&person.name, person.id.clone());
    }
    known.insert(&state.app.name, state.app.bot_id());
    let names = text.split("<at>").skip(1).filter_map(|rest| rest.split_once("</at>")).map(|(name, _)| name);
    let entity = |name: &str| {
        let mentioned = json!({ "id": known.get(name)?, "name": name });
        Some(json!({ "type": "mention", "mentioned": mentioned, "text": format!("<at>{name}</at>") }))
    };
    names.filter_map(entity).collect()
}

pub(super) fn find_action(card: &Value, wanted: &str) -> anyhow::Result<Value> {
    let mut found = visible::actions(card).into_iter().filter(|action| action["title"] == wanted);
    match (found.next(), found.next()) {
        (Some(action), None) => Ok(action),
        (Some(_), Some(_)) => bail!("several buttons are called {wanted:?}"),
        (None, _) => bail!("there is no button {wanted:?}"),
    }
}

/// What the inputs of a card hold when a button is pressed.
pub(super) fn fill(card: &Value, values: &[(&str, &str)]) -> anyhow::Result<Map<String, Value>> {
    let mut filled = Map::new();
    let mut taken = 0;
    for input in visible::inputs(card) {
        let id = input["id"].as_str().unwrap_or_default();
        let given = values.iter().find(|(name, _)| *name == id).map(|(_, value)| *value);
        taken += usize::from(given.is_some());
        let given = given.or(input["value"].as_str()).unwrap_or_default();
        let most = input["maxLength"].as_u64().unwrap_or(u64::MAX);
        if given.chars().count() as u64 > most {
            bail!("the client takes no more than {most} characters for {id:?}");
        }
        let is_choice = input["type"] == "Input.ChoiceSet";
        let value = if is_choice { chosen(&input, given)? } else { given.to_owned() };
        if value.is_empty() && input["isRequired"] == true {
            bail!("the client insists on {id:?}");
        }
        filled.insert(id.to_owned(), json!(value));
    }
    if taken != values.len() {
        bail!("not all of {values:?} are inputs of:\n{}", visible::card(card));
    }
    Ok(filled)
}

fn chosen(input: &Value, given: &str) -> anyhow::Result<String> {
    if given.is_empty() {
        return Ok(String::new());
    }
    // Whoever is picked from the tenant's people brings back their object id.
    if !input["choices.data"].is_null() {
        return Ok(given.to_owned());
    }
    let mut choices = input["choices"].as_array().into_iter().flatten();
    let choice = choices.find(|choice| choice["value"] == given || choice["title"] == given);
    let choice = choice.with_context(|| format!("there is no choice {given:?}"))?;
    Ok(choice["value"].as_str().unwrap_or_default().to_owned())
}

/// What the button carries, with what was filled in.
pub(super) fn merged(data: &Value, values: Map<String, Value>) -> Value {
    let mut all = data.as_object().cloned().unwrap_or_default();
    all.extend(values);
    Value::Object(all)
}
