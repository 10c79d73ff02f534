//! How is an invoke answered? The response is the answer.
//!
//! Source: learn.microsoft.com, "Universal Actions for Adaptive Cards" and "Use dialogs in bots", 2026.

use serde_json::{Value, json};
use tapdesk_core::card::Card;

use super::text::cut;
use super::{CARD, PARAGRAPH};

/// Characters of a dialog's title.
const TITLE: usize = 80;

/// The card takes the place of the one that was pressed, for whoever pressed.
pub(in crate::teams) fn shown(card: &Value) -> Value {
    json!({ "statusCode": 200, "type": CARD, "value": card })
}

/// A line that Teams shows by itself.
pub(in crate::teams) fn said(card: &Card) -> Value {
    json!({ "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": as_text(card) })
}

/// The press means nothing to us.
pub(in crate::teams) fn no_button() -> Value {
    let error = json!({ "code": "BadRequest", "message": "no button of this app does that" });
    json!({ "statusCode": 400, "type": "application/vnd.microsoft.error", "value": error })
}

/// The card opens as a dialog, or takes the place of the one that is open.
pub(in crate::teams) fn dialog(title: &str, card: &Value) -> Value {
    let content = json!({ "contentType": CARD, "content": card });
    let value = json!({ "title": cut(title, TITLE), "height": "medium", "width": "medium", "card": content });
    json!({ "task": { "type": "continue", "value": value } })
}

/// The dialog ends with a line.
pub(in crate::teams) fn dialog_said(card: &Card) -> Value {
    json!({ "task": { "type": "message", "value": as_text(card) } })
}

/// A card where only text can be: its buttons are left out.
pub(in crate::teams) fn as_text(card: &Card) -> String {
    let facts = card.facts.iter().map(|(label, value)| format!("{label}: {value}"));
    let lines: Vec<String> =
        std::iter::once(card.title.clone()).chain(facts).chain(card.text.iter().cloned()).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    cut(&lines.join("\n"), PARAGRAPH)
}
