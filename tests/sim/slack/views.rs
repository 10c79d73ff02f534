//! How do modals open and change through the Web API?

use serde_json::{Value, json};

use super::api::{Answer, Call, Refusal};
use super::limits;
use super::state::State;

/// `views.open`. Needs no scope, but a trigger that is fresh and unused.
pub(super) fn open(state: &mut State, call: &Call) -> Answer {
    let trigger = call.need("trigger_id")?.to_owned();
    let view = checked(call)?;
    let external = view["external_id"].as_str().filter(|id| !id.is_empty());
    if external.is_some_and(|id| state.views.iter().any(|v| v.is_open && v.content["external_id"] == id)) {
        return Err("duplicate_external_id".into());
    }
    let user = state.exchange(&trigger, call.now)?;
    let view = state.open_view(&user, view, None);
    Ok(json!({"view": state.view_json(&view, &json!({}))}))
}

/// `views.update`. A view that its owner has closed is `not_found`.
pub(super) fn update(state: &mut State, call: &Call) -> Answer {
    let content = checked(call)?;
    let known = match (call.text("view_id"), call.text("external_id")) {
        (Some(id), _) => state.views.iter().find(|v| v.is_open && v.id == id),
        (None, Some(id)) => state.views.iter().find(|v| v.is_open && v.content["external_id"] == id),
        (None, None) => return call.need("view_id").map(|_| Value::Null),
    };
    let known = known.ok_or("not_found")?;
    if call.text("hash").is_some_and(|hash| hash != known.hash) {
        return Err("hash_conflict".into());
    }
    let id = known.id.clone();
    let view = state.change_view(&id, content).ok_or("not_found")?;
    Ok(json!({"view": state.view_json(&view, &json!({}))}))
}

/// `views.publish`. Needs no scope, but the home tab to be switched on.
pub(super) fn publish(state: &mut State, call: &Call) -> Answer {
    let user = call.need("user_id")?.to_owned();
    let content = checked_by(call, limits::home)?;
    if !state.workspace.has_home_tab {
        return Err("not_enabled".into());
    }
    if !state.people.contains_key(&user) {
        return Err("invalid_arguments".into());
    }
    let known = state.homes.get(&user).map(|home| home.hash.as_str());
    if call.text("hash").is_some_and(|hash| Some(hash) != known) {
        return Err("hash_conflict".into());
    }
    let home = state.publish_home(&user, content);
    Ok(json!({"view": state.view_json(&home, &json!({}))}))
}

fn checked(call: &Call) -> Result<Value, Refusal> {
    checked_by(call, limits::view)
}

fn checked_by(call: &Call, limits: fn(&Value) -> Vec<String>) -> Result<Value, Refusal> {
    let Some(view) = call.object("view") else {
        return call.need("view").map(|_| Value::Null);
    };
    if view.to_string().len() > 250_000 {
        return Err("view_too_large".into());
    }
    let complaints = limits(&view);
    if complaints.is_empty() { Ok(view) } else { Err(Refusal::because("invalid_arguments", &complaints)) }
}
