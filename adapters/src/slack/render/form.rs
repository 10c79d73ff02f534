//! How does a form of the core look in Slack, and what comes back of it?
//!
//! Each field is one input block; its name is the id of the block and of the element in it.
//! Limits: docs.slack.dev, Block Kit reference, January 2026.

use serde_json::{Value, json};
use tapdesk_core::form::{Entry, Field, FieldName, Filled, Form, Input, Pick, Purpose};

use super::super::parse::account;
use super::super::parse::spelling::is_account;
use super::{VIEW_CAPTION, plain, section};

/// Characters of a label and of a hint.
const LABEL: usize = 2000;
/// Characters of what can be picked.
const OPTION: usize = 75;
/// What can be picked in one field.
const MOST_OPTIONS: usize = 100;
/// The longest text that an element may ask for.
const LONGEST_TEXT: usize = 3000;

/// The modal that shows the form.
pub(in super::super) fn view(form: &Form) -> Value {
    let mut blocks: Vec<Value> = form.text.iter().map(|text| section(text)).collect();
    blocks.extend(form.fields.iter().map(block));
    json!({
        "type": "modal",
        "callback_id": form.purpose.name(),
        "private_metadata": form.value,
        "title": plain(&form.title, VIEW_CAPTION),
        "submit": plain(&form.submit, VIEW_CAPTION),
        "close": plain(&form.close, VIEW_CAPTION),
        "notify_on_close": false,
        "blocks": blocks,
    })
}

/// The answer to a submission which keeps the form open and says at each field what to mend.
#[must_use]
pub fn mend(errors: &[(FieldName, String)]) -> Value {
    let errors: serde_json::Map<String, Value> =
        errors.iter().map(|(field, error)| (field.name().to_owned(), json!(error))).collect();
    json!({ "response_action": "errors", "errors": errors })
}

/// What a submitted view holds, if it is a form of ours. Fields that nobody touched are `null` and left out.
pub(in super::super) fn filled(
    callback: &str,
    metadata: &str,
    values: &Value,
    workspace: &str,
) -> Option<Filled> {
    let purpose = Purpose::named(callback)?;
    let entry = |name: FieldName| {
        let element = &values[name.name()][name.name()];
        let picked = element["selected_user"].as_str().filter(|id| is_account(id));
        let picked = picked.map(|id| Entry::Account(account(workspace, id)));
        let text = element["selected_option"]["value"].as_str().or(element["value"].as_str());
        Some((name, picked.or_else(|| text.map(|text| Entry::Text(text.to_owned())))?))
    };
    let entries = FieldName::ALL.into_iter().filter_map(entry).collect();
    Some(Filled { purpose, value: metadata.to_owned(), entries })
}

fn block(field: &Field) -> Value {
    json!({
        "type": "input",
        "block_id": field.name.name(),
        "label": plain(&field.label, LABEL),
        "hint": plain(&field.hint, LABEL),
        "optional": field.optional,
        "element": element(field),
    })
}

fn element(field: &Field) -> Value {
    let mut element = match &field.input {
        Input::Person => json!({ "type": "users_select" }),
        Input::Line { longest } => {
            json!({ "type": "plain_text_input", "max_length": longest.min(&LONGEST_TEXT) })
        }
        Input::Text { shortest, longest } => json!({
            "type": "plain_text_input",
            "multiline": true,
            "min_length": shortest,
            "max_length": longest.min(&LONGEST_TEXT),
        }),
        Input::OneOf(picks) => {
            let options: Vec<Value> = picks.iter().take(MOST_OPTIONS).map(option).collect();
            json!({ "type": "static_select", "options": options })
        }
    };
    element["action_id"] = json!(field.name.name());
    element
}

fn option(pick: &Pick) -> Value {
    json!({ "text": plain(&pick.label, OPTION), "value": pick.value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapdesk_core::words;

    #[test]
    fn every_field_is_an_input_that_carries_its_name() {
        let view = view(&words::ask_form(std::time::Duration::from_hours(1)));
        assert_eq!((&view["type"], &view["callback_id"]), (&json!("modal"), &json!("ask")));
        let inputs = view["blocks"].as_array().unwrap().iter().filter(|block| block["type"] == "input");
        let inputs: Vec<_> = inputs
            .map(|block| {
                assert_eq!(block["block_id"], block["element"]["action_id"]);
                let kind = block["element"]["type"].as_str().unwrap();
                (block["block_id"].as_str().unwrap(), kind, block["optional"] == true)
            })
            .collect();
        assert_eq!(
            inputs,
            [
                ("person", "users_select", true),
                ("address", "plain_text_input", true),
                ("reason", "plain_text_input", false),
                ("ticket_number", "plain_text_input", true),
                ("lifetime", "static_select", true),
            ]
        );
    }

    #[test]
    fn what_comes_back_is_read_by_the_names_of_the_fields() {
        let values = json!({
            "person": {"person": {"type": "users_select", "selected_user": "W7"}},
            "address": {"address": {"type": "plain_text_input", "value": null}},
            "reason": {"reason": {"type": "plain_text_input", "value": "lost & <@U1>"}},
            "lifetime": {"lifetime": {"type": "static_select", "selected_option": {"value": "60"}}},
            "other": {"other": {"type": "plain_text_input", "value": "x"}},
        });
        let filled = filled("ask", "opaque", &values, "T1").unwrap();
        assert_eq!(filled.value, "opaque");
        assert_eq!(
            filled.entries,
            [
                (FieldName::Person, Entry::Account(account("T1", "W7"))),
                (FieldName::Reason, Entry::Text("lost & <@U1>".to_owned())),
                (FieldName::Lifetime, Entry::Text("60".to_owned())),
            ]
        );
    }

    #[test]
    fn what_is_no_account_is_nobody_and_what_is_no_form_of_ours_is_nothing() {
        for picked in [json!("C7"), json!(null), json!(7), json!("U7|x"), json!("")] {
            let values = json!({"person": {"person": {"selected_user": picked}}});
            assert_eq!(filled("ask", "", &values, "T1").unwrap().entries, [], "{picked}");
        }
        for values in [json!(null), json!([]), json!({"reason": []}), json!({"reason": {"reason": 7}})] {
            assert_eq!(filled("ask", "", &values, "T1").unwrap().entries, [], "{values}");
        }
        assert_eq!(filled("other", "", &json!({}), "T1"), None);
    }

    #[test]
    fn what_has_to_be_mended_is_named_by_its_field() {
        let errors = [(FieldName::Reason, "Longer.".to_owned()), (FieldName::Address, "Whose?".to_owned())];
        let expected = json!({"reason": "Longer.", "address": "Whose?"});
        assert_eq!(mend(&errors), json!({"response_action": "errors", "errors": expected}));
    }
}
