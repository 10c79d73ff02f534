//! How does a form of the core look in Teams?
//!
//! The inputs' ids are the fields' names, so that what is filled in comes back beside what the form carries. A person is
//! picked from the directory: Teams asks for it as the person types and brings back an object id.
//! Source: learn.microsoft.com, "People Picker in Adaptive Cards", 2026.

use serde_json::{Value, json};
use tapdesk_core::form::{Entry, Field, FieldName, Filled, Form, Input};

use super::super::parse::back::{FORM, MARK, VALUE};
use super::text::{cut, plain};
use super::{PARAGRAPH, adaptive, heading, paragraph};

/// Characters of a label or a hint.
const LABEL: usize = 300;
/// What can be picked in one field.
const MOST_OPTIONS: usize = 100;

/// Where a form stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::teams) enum Frame {
    /// In a dialog, which has a title of its own.
    Dialog,
    /// In a message.
    Message,
}

/// The card with the form, marked as its own, with what was filled in and what has to be mended.
pub(in crate::teams) fn card(
    form: &Form,
    frame: Frame,
    mark: &str,
    filled: Option<&Filled>,
    wrong: &[(FieldName, String)],
) -> Value {
    let mut body = match frame {
        Frame::Dialog => Vec::new(),
        Frame::Message => vec![heading(&form.title)],
    };
    body.extend(form.text.iter().map(|text| paragraph(text)));
    for field in &form.fields {
        body.push(input(field, filled.and_then(|filled| entry(filled, field.name))));
        if let Some((_, complaint)) = wrong.iter().find(|(of, _)| *of == field.name) {
            body.push(warning(complaint));
        } else if !field.hint.trim().is_empty() {
            body.push(hint(&field.hint));
        }
    }
    let data = json!({ FORM: form.purpose.name(), VALUE: form.value, MARK: mark });
    let title = cut(&form.submit, LABEL);
    let submit = json!({ "type": "Action.Submit", "title": title, "style": "positive", "data": data });
    let action = match frame {
        Frame::Dialog => submit,
        Frame::Message => {
            let verb = form.purpose.name();
            json!({
                "type": "Action.Execute", "title": title, "style": "positive", "verb": verb, "data": data,
                "fallback": submit,
            })
        }
    };
    body.push(json!({ "type": "ActionSet", "actions": [action] }));
    adaptive(&body, &form.title)
}

fn input(field: &Field, entry: Option<&Entry>) -> Value {
    let mut input = match &field.input {
        Input::Person => json!({
            "type": "Input.ChoiceSet",
            "choices": [],
            "choices.data": { "type": "Data.Query", "dataset": "graph.microsoft.com/users" },
        }),
        Input::Line { longest } => json!({ "type": "Input.Text", "maxLength": longest }),
        // A text that is too short is complained about by us, where it can be said why.
        Input::Text { longest, .. } => {
            json!({ "type": "Input.Text", "isMultiline": true, "maxLength": longest })
        }
        Input::OneOf(picks) => {
            let choice = |pick: &tapdesk_core::form::Pick| json!({ "title": cut(&pick.label, LABEL), "value": pick.value });
            let choices: Vec<Value> = picks.iter().take(MOST_OPTIONS).map(choice).collect();
            json!({ "type": "Input.ChoiceSet", "choices": choices })
        }
    };
    input["id"] = json!(field.name.name());
    input["label"] = json!(cut(&field.label, LABEL));
    input["isRequired"] = json!(!field.optional);
    if !field.optional {
        input["errorMessage"] = json!(cut(&field.hint, LABEL));
    }
    match entry {
        Some(Entry::Text(text)) => input["value"] = json!(text),
        Some(Entry::Account(account)) => input["value"] = json!(account.id),
        None => {}
    }
    input
}

fn entry(filled: &Filled, name: FieldName) -> Option<&Entry> {
    filled.entries.iter().find(|(of, _)| *of == name).map(|(_, entry)| entry)
}

fn hint(text: &str) -> Value {
    json!({
        "type": "TextBlock", "text": plain(text, LABEL), "wrap": true, "size": "Small", "isSubtle": true, "spacing": "None",
    })
}

fn warning(text: &str) -> Value {
    json!({
        "type": "TextBlock", "text": plain(text, PARAGRAPH), "wrap": true, "color": "Attention", "spacing": "None",
    })
}
