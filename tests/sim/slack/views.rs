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

fn checked(call: &Call) -> Result<Value, Refusal> {
    let Some(view) = call.object("view") else {
        return call.need("view").map(|_| Value::Null);
    };
    if view.to_string().len() > 250_000 {
        return Err("view_too_large".into());
    }
    let complaints = limits::view(&view);
    if complaints.is_empty() { Ok(view) } else { Err(Refusal::because("invalid_arguments", &complaints)) }
}
