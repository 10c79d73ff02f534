//! How does a card of the core look in Teams?
//!
//! As an Adaptive Card 1.5, all of it plain text. Whoever presses is answered in the response (`Action.Execute`); clients
//! that do not know that send a message instead (`Action.Submit`). What needs a window of its own opens a dialog.
//! Source: adaptivecards.io, schema 1.5; learn.microsoft.com, "Cards and dialogs", 2026.

pub(super) mod answer;
pub(super) mod form;
#[cfg(test)]
mod tests;
mod text;

use serde_json::{Value, json};
use tapdesk_core::card::{Button, Card, Choice, Look, PinCard};

use self::text::{cut, plain};
use super::parse::back::{CHOICE, CLOSE, REFRESH, VALUE};

/// The content type of an Adaptive Card.
const CARD: &str = "application/vnd.microsoft.card.adaptive";
/// Bytes of an activity: what every way of Teams takes, the narrowest included.
const LARGEST: usize = 28_000;
/// Bytes of what is around the body: two captions, and how it is drawn anew.
const FRAME: usize = 5_000;
/// Characters of a paragraph.
const PARAGRAPH: usize = 3000;
/// Characters of a fact's value.
const FACT: usize = 2000;
/// Characters of a heading and of a fact's label.
const LABEL: usize = 300;
/// Characters on a button.
const BUTTON: usize = 75;
/// Buttons side by side: Teams shows no more.
const MOST_BUTTONS: usize = 6;
/// Rows of buttons.
const MOST_ROWS: usize = 3;

/// A message with the card, drawn anew by the clients of those who `view` it.
pub(super) fn message(card: &Card, viewer: Option<&str>) -> Value {
    activity(&self::card(card, viewer), &card.title)
}

/// A message with a card that is drawn already.
pub(super) fn activity(card: &Value, summary: &str) -> Value {
    let attachment = json!({ "contentType": CARD, "content": card });
    json!({ "type": "message", "summary": cut(summary, LABEL), "attachments": [attachment] })
}

/// A message of one line, for everybody in a conversation.
pub(super) fn line(card: &Card) -> Value {
    json!({ "type": "message", "text": plain(&answer::as_text(card), PARAGRAPH) })
}

/// The card, with the way to draw it anew if it is one that an approver decides with.
pub(super) fn card(card: &Card, viewer: Option<&str>) -> Value {
    let mut body = vec![title(card)];
    if !card.facts.is_empty() {
        body.push(facts(&card.facts));
    }
    body.extend(card.text.iter().filter(|text| !text.trim().is_empty()).map(|text| paragraph(text)));
    let rows: Vec<Value> = card.buttons.chunks(MOST_BUTTONS).take(MOST_ROWS).map(row).collect();
    let mut drawn = adaptive(&fitting(body, rows), &card.title);
    if let (Some(viewer), Some(value)) = (viewer, card.buttons.iter().find_map(decides)) {
        let action = json!({ "type": "Action.Execute", "verb": REFRESH, "data": { VALUE: value } });
        drawn["refresh"] = json!({ "action": action, "userIds": [viewer] });
    }
    drawn
}

/// The card of the dialog that shows a PIN. What closes it brings nothing back.
pub(super) fn pin(card: &PinCard) -> Value {
    let mut body: Vec<Value> = card.before.iter().map(|text| paragraph(text)).collect();
    body.push(json!({
        "type": "TextBlock", "text": plain(card.pin.as_str(), LABEL), "size": "ExtraLarge", "weight": "Bolder",
        "fontType": "Monospace", "wrap": true,
    }));
    body.extend(card.after.iter().map(|text| paragraph(text)));
    let close = json!({ "type": "Action.Submit", "title": cut(&card.close, LABEL), "data": { CLOSE: true } });
    body.push(json!({ "type": "ActionSet", "actions": [close] }));
    adaptive(&body, &card.title)
}

fn adaptive(body: &[Value], title: &str) -> Value {
    json!({
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.5",
        "fallbackText": cut(title, LABEL),
        "body": body,
    })
}

/// As much of the body as fits beside the buttons, which are never left out.
fn fitting(body: Vec<Value>, rows: Vec<Value>) -> Vec<Value> {
    let size = |element: &Value| element.to_string().len() + 1;
    let mut room = LARGEST.saturating_sub(rows.iter().map(size).sum::<usize>() + FRAME);
    let whole = body.len();
    let mut fits = |element: &Value| {
        let left = room.checked_sub(size(element));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut body: Vec<Value> = body.into_iter().take_while(|element| fits(element)).collect();
    if body.len() < whole {
        body.push(paragraph(""));
    }
    body.extend(rows);
    body
}

/// A heading where something follows that it heads; a paragraph where the title is all.
fn title(card: &Card) -> Value {
    let is_alone = card.facts.is_empty() && card.text.is_empty() && card.buttons.is_empty();
    if is_alone || card.title.chars().count() > LABEL { paragraph(&card.title) } else { heading(&card.title) }
}

fn heading(text: &str) -> Value {
    json!({
        "type": "TextBlock", "text": plain(text, LABEL), "style": "heading", "size": "Medium", "weight": "Bolder",
        "wrap": true,
    })
}

fn paragraph(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": plain(text, PARAGRAPH), "wrap": true })
}

fn facts(facts: &[(String, String)]) -> Value {
    let fact = |(label, value): &(String, String)| json!({ "title": plain(label, LABEL), "value": plain(value, FACT) });
    json!({ "type": "FactSet", "facts": facts.iter().map(fact).collect::<Vec<Value>>() })
}

fn row(buttons: &[Button]) -> Value {
    json!({ "type": "ActionSet", "actions": buttons.iter().map(button).collect::<Vec<Value>>() })
}

fn button(button: &Button) -> Value {
    let (title, name) = (cut(&button.label, BUTTON), button.choice.name());
    let style = match button.look {
        Look::Primary => "positive",
        Look::Danger => "destructive",
        Look::Plain => "default",
    };
    let data = json!({ CHOICE: name, VALUE: button.value });
    if opens_dialog(button.choice) {
        let mut data = data;
        data["msteams"] = json!({ "type": "task/fetch" });
        return json!({ "type": "Action.Submit", "title": title, "style": style, "data": data });
    }
    let fallback = json!({ "type": "Action.Submit", "title": title, "style": style, "data": data });
    json!({
        "type": "Action.Execute", "title": title, "style": style, "verb": name, "data": data, "fallback": fallback,
    })
}

/// Whether the choice is answered with a window of its own.
fn opens_dialog(choice: Choice) -> bool {
    match choice {
        Choice::ShowPin | Choice::LooksWrong | Choice::Ask => true,
        Choice::Approve | Choice::Pick | Choice::Deny | Choice::Withdraw | Choice::Disown => false,
    }
}

/// What names the card to its approver, if the button is one of theirs. The value of a number to pick names the number
/// too.
fn decides(button: &Button) -> Option<&str> {
    match button.choice {
        Choice::Approve | Choice::Deny | Choice::ShowPin | Choice::Withdraw | Choice::LooksWrong => {
            Some(&button.value)
        }
        Choice::Pick | Choice::Ask | Choice::Disown => None,
    }
}
