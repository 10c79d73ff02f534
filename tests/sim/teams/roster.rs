//! How does the bot find conversations and who is in them?

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::api::{Answer, Call, Refusal, content};
use super::state::{Person, Role, Standing, State};

/// Members on one page, as the documentation allows.
const PAGE: std::ops::RangeInclusive<usize> = 50..=500;

/// A private conversation; the same person again gives the same one. Or a new thread in a channel.
pub(super) fn create(state: &mut State, call: &Call<'_>) -> Answer {
    let wish = call.json()?;
    if wish["bot"]["id"].as_str().is_some_and(|bot| bot != state.app.bot_id()) {
        return Err(Refusal::bad("The bot is not the one of the token."));
    }
    let tenants = [&wish["tenantId"], &wish["channelData"]["tenant"]["id"]];
    let mut named = tenants.into_iter().filter_map(Value::as_str).peekable();
    if named.peek().is_none() || named.any(|tenant| tenant != state.app.tenant_id) {
        return Err(Refusal::bad("The tenant is missing, or not the bot's."));
    }
    if wish["isGroup"] == true {
        return create_thread(state, &wish, call);
    }
    let members = wish["members"].as_array().map_or(&[][..], Vec::as_slice);
    let [member] = members else { return Err(Refusal::bad("A private conversation has one member.")) };
    let id = member["id"].as_str().unwrap_or_default();
    // Nobody can be written to by address: the id of a person is what the bot learnt from their messages.
    let person = state.people.get(id).ok_or_else(|| Refusal::bad("Nobody has that id."))?.id.clone();
    if matches!(state.standings.get(&person), None | Some(Standing::Removed)) {
        return Err(Refusal::not_in_roster());
    }
    state.writes("new conversations", call.now).map_err(Refusal::too_many)?;
    Ok((StatusCode::CREATED, json!({ "id": state.open_personal(&person) })))
}

fn create_thread(state: &mut State, wish: &Value, call: &Call<'_>) -> Answer {
    let channel = wish["channelData"]["channel"]["id"].as_str().unwrap_or_default().to_owned();
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "ConversationNotFound", "Channel not found.");
    if !state.conversation(&channel).ok_or_else(unknown)?.has_bot {
        return Err(Refusal::not_in_roster());
    }
    let activity = wish["activity"].to_string();
    let content = content(state, &Call { body: activity.as_bytes(), now: call.now })?;
    state.writes(&channel, call.now).map_err(Refusal::too_many)?;
    let message = state.post(&channel, content, call.now);
    message.conversation = format!("{channel};messageid={}", message.id);
    Ok((StatusCode::CREATED, json!({ "id": message.conversation, "activityId": message.id })))
}

/// Somebody in a conversation, by `29:` id, object id or sign-in name.
pub(super) fn member(state: &State, conversation: &str, key: &str) -> Answer {
    let members = members(state, conversation)?;
    let person = state.person_named(key).filter(|person| members.iter().any(|m| m.id == person.id));
    let unknown = || {
        let text = "The member was not found in the conversation.";
        Refusal::new(StatusCode::NOT_FOUND, "MemberNotFoundInConversation", text)
    };
    Ok((StatusCode::OK, member_json(person.ok_or_else(unknown)?)))
}

/// Everybody in a conversation, page by page.
pub(super) fn paged(state: &State, conversation: &str, query: &str) -> Answer {
    let members = members(state, conversation)?;
    let mut size = *PAGE.end();
    let mut start = 0;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "pageSize" => size = value.parse().unwrap_or(size),
            "continuationToken" => start = value.parse().map_err(|_| Refusal::bad("An unknown page."))?,
            other => return Err(Refusal::bad(&format!("The parameter {other:?} is not known."))),
        }
    }
    let size = size.clamp(*PAGE.start(), *PAGE.end());
    let page: Vec<Value> = members.iter().skip(start).take(size).map(|person| member_json(person)).collect();
    let mut body = json!({ "members": page });
    if start + size < members.len() {
        body["continuationToken"] = json!((start + size).to_string());
    }
    Ok((StatusCode::OK, body))
}

fn members<'s>(state: &'s State, id: &str) -> Result<Vec<&'s Person>, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "ConversationNotFound", "Conversation not found.");
    let conversation = state.conversation(id).ok_or_else(unknown)?;
    let is_gone = |person: &String| matches!(state.standings.get(person), None | Some(Standing::Removed));
    if !conversation.has_bot || conversation.of.as_ref().is_some_and(is_gone) {
        return Err(Refusal::not_in_roster());
    }
    Ok(conversation.members.iter().filter_map(|member| state.people.get(member)).collect())
}

fn member_json(person: &Person) -> Value {
    let (given, surname) = person.name.split_once(' ').unwrap_or((&person.name, ""));
    let role = match person.role {
        Role::User => "user",
        Role::Guest => "guest",
        Role::Anonymous => "anonymous",
    };
    let mut member = json!({
        "id": person.id, "name": person.name, "tenantId": person.tenant_id, "userRole": role,
    });
    // Anonymous people have nothing else.
    if let Some(object) = &person.object_id {
        member["objectId"] = json!(object);
        member["aadObjectId"] = json!(object);
        member["givenName"] = json!(given);
        member["surname"] = json!(surname);
        member["userPrincipalName"] = json!(person.upn);
        member["email"] = json!(person.email);
    }
    member
}
