//! How does a card of the core look in Slack?
//!
//! Everything is shown as `plain_text`, escaped: no mention, link or formatting can come out of what people
//! typed. Texts that are too long for Slack are cut and end in `…`, never refused.
//! Limits: docs.slack.dev, Block Kit reference, January 2026.

pub(super) mod form;

use serde_json::{Value, json};
use tapdesk_core::card::{Button, Card, Look, PinCard};

/// Blocks of a message.
const MOST_BLOCKS: usize = 50;
/// Blocks of a view.
const MOST_VIEW_BLOCKS: usize = 100;
/// Fields of a section.
const MOST_FIELDS: usize = 10;
/// Rows of buttons: each holds every choice at most once, so its buttons stay far below the 25 that are allowed.
const MOST_ROWS: usize = 25;
/// Buttons of one choice that stand side by side.
const MOST_ALIKE: usize = 5;
/// Stands between a choice's name and the number of its button in an action id.
pub(super) const NUMBER_SIGN: char = '.';
/// Characters of a header.
const HEADER: usize = 150;
/// Characters of a section's text, and of the text that notifications show.
const SECTION: usize = 3000;
/// Characters of a section's field.
const FIELD: usize = 2000;
/// Characters on a button.
const LABEL: usize = 75;
/// Characters that a button brings back.
const VALUE: usize = 2000;
/// Characters of a view's title and of its close button.
pub(super) const VIEW_CAPTION: usize = 24;

/// What a text becomes that Slack would refuse for being empty.
const NOTHING: &str = "…";

/// A message: `text` for notifications and screen readers, `blocks` for everybody else.
pub(super) fn message(card: &Card) -> Value {
    let rows = rows(&card.buttons);
    let mut blocks = vec![title(card)];
    blocks.extend(facts(&card.facts));
    blocks.extend(paragraphs(&card.text));
    let room = MOST_BLOCKS - rows.len();
    if blocks.len() > room {
        blocks.truncate(room - 1);
        blocks.push(section(NOTHING));
    }
    blocks.extend(rows);
    json!({ "text": shorten(&card.title, SECTION), "blocks": blocks })
}

/// The home tab, which may hold more blocks than a message.
pub(super) fn home(card: &Card) -> Value {
    json!({ "type": "home", "private_metadata": "", "blocks": message(card)["blocks"] })
}

/// The modal that shows a PIN. It has no input and no metadata, so nothing of it ever comes back.
pub(super) fn modal(card: &PinCard) -> Value {
    let mut blocks: Vec<Value> = paragraphs(&card.before).take(MOST_VIEW_BLOCKS / 2 - 1).collect();
    blocks.push(header(card.pin.as_str()));
    blocks.extend(paragraphs(&card.after).take(MOST_VIEW_BLOCKS / 2));
    json!({
        "type": "modal",
        "title": plain(&card.title, VIEW_CAPTION),
        "close": plain(&card.close, VIEW_CAPTION),
        "private_metadata": "",
        "notify_on_close": false,
        "blocks": blocks,
    })
}

/// A header where something follows that it heads; a section where the title is all, or too long for a header.
fn title(card: &Card) -> Value {
    let alone = card.facts.is_empty() && card.text.is_empty() && card.buttons.is_empty();
    let fits = shorten(&card.title, SECTION) == shorten(&card.title, HEADER);
    if fits && !alone { header(&card.title) } else { section(&card.title) }
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": plain(text, HEADER) })
}

pub(super) fn section(text: &str) -> Value {
    json!({ "type": "section", "text": plain(text, SECTION) })
}

fn paragraphs(texts: &[String]) -> impl Iterator<Item = Value> {
    texts.iter().filter(|text| !text.trim().is_empty()).map(|text| section(text))
}

fn facts(facts: &[(String, String)]) -> impl Iterator<Item = Value> {
    facts.chunks(MOST_FIELDS).map(|chunk| {
        let fields: Vec<Value> =
            chunk.iter().map(|(label, value)| plain(&format!("{label}\n{value}"), FIELD)).collect();
        json!({ "type": "section", "fields": fields })
    })
}

/// Rows of buttons. Action ids have to be unique within a row: a choice that is offered several times in a row has a
/// row of its own, with numbered ids; one that comes again later begins a new row.
fn rows(buttons: &[Button]) -> Vec<Value> {
    let mut rows: Vec<Vec<&Button>> = Vec::new();
    let mut is_mixed = false;
    for same in buttons.chunk_by(|one, next| one.choice == next.choice) {
        match (rows.last_mut(), same) {
            (Some(row), [single]) if is_mixed && row.iter().all(|other| other.choice != single.choice) => {
                row.push(single);
            }
            (_, same) => rows.extend(same.chunks(MOST_ALIKE).map(|row| row.iter().collect())),
        }
        is_mixed = same.len() == 1;
    }
    let row = |row: Vec<&Button>| {
        let elements: Vec<Value> =
            (1..).zip(row.iter().copied()).map(|(nth, each)| button(each, nth, &row)).collect();
        json!({ "type": "actions", "elements": elements })
    };
    rows.into_iter().take(MOST_ROWS).map(row).collect()
}

/// The `nth` button of a row.
fn button(button: &Button, nth: usize, row: &[&Button]) -> Value {
    let is_repeated = row.iter().filter(|other| other.choice == button.choice).count() > 1;
    let number = if is_repeated { format!("{NUMBER_SIGN}{nth}") } else { String::new() };
    let mut element = json!({
        "type": "button",
        "action_id": format!("{}{number}", button.choice.name()),
        "text": plain(&button.label, LABEL),
        "value": button.value.chars().take(VALUE / 2).collect::<String>(),
    });
    match button.look {
        Look::Primary => element["style"] = json!("primary"),
        Look::Danger => element["style"] = json!("danger"),
        Look::Plain => {}
    }
    element
}

/// A text without any markup: `emoji: false` also keeps `:colons:` as they are.
pub(super) fn plain(text: &str, limit: usize) -> Value {
    json!({ "type": "plain_text", "text": shorten(text, limit), "emoji": false })
}

/// Escapes the three characters that Slack reads as markup, and cuts so that the escaped text fits: Slack does not
/// say whether it counts before or after escaping, nor whether in UTF-16, so the larger count is taken.
fn shorten(text: &str, limit: usize) -> String {
    let text = if text.trim().is_empty() { NOTHING } else { text };
    let mut short = String::with_capacity(text.len().min(4 * limit));
    let (mut length, mut cut) = (0, 0); // `cut` is the last place that leaves room for the `…`.
    for character in text.chars() {
        let mut utf8 = [0; 4];
        let piece = escaped(character, &mut utf8);
        let more = if piece.starts_with('&') { piece.len() } else { character.len_utf16() };
        if length + more > limit {
            short.truncate(cut);
            short.push('…');
            return short;
        }
        length += more;
        short.push_str(piece);
        if length < limit {
            cut = short.len();
        }
    }
    short
}

fn escaped(character: char, utf8: &mut [u8; 4]) -> &str {
    match character {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        other => other.encode_utf8(utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tapdesk_core::card::Choice;
    use tapdesk_core::ticket::Revealed;

    fn approval() -> Card {
        Card::line("Sam asks for a pass for Jane")
            .fact("For", "Jane <jane@contoso.com>")
            .fact("Reason", "*lost* <!here> <https://evil.example|phone> :tada: R&D")
            .text("Call Jane before you decide.")
            .button("Approve", Choice::Approve, "0123", Look::Primary)
            .button("Deny", Choice::Deny, "0123", Look::Danger)
    }

    #[test]
    fn an_approval_card_is_plain_text_through_and_through() {
        let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
        let button = |name: &str, label: &str, style: &str| {
            let text = plain(label);
            json!({"type": "button", "action_id": name, "text": text, "value": "0123", "style": style})
        };
        let reason = "Reason\n*lost* &lt;!here&gt; &lt;https://evil.example|phone&gt; :tada: R&amp;D";
        assert_eq!(
            message(&approval()),
            json!({
                "text": "Sam asks for a pass for Jane",
                "blocks": [
                    {"type": "header", "text": plain("Sam asks for a pass for Jane")},
                    {"type": "section", "fields": [plain("For\nJane &lt;jane@contoso.com&gt;"), plain(reason)]},
                    {"type": "section", "text": plain("Call Jane before you decide.")},
                    {"type": "actions", "elements": [
                        button("approve", "Approve", "primary"),
                        button("deny", "Deny", "danger"),
                    ]},
                ],
            })
        );
    }

    #[test]
    fn a_single_line_does_not_shout() {
        assert_eq!(message(&Card::line("Checking…"))["blocks"][0]["type"], "section");
    }

    #[test]
    fn a_title_too_long_for_a_header_is_shown_whole() {
        let card = Card::line("t".repeat(HEADER + 1)).text("x");
        assert_eq!(message(&card)["blocks"][0]["text"]["text"], "t".repeat(HEADER + 1));
    }

    #[test]
    fn numbers_to_choose_from_stand_side_by_side_and_apart_from_the_rest() {
        let numbers = ["12", "47", "83"].into_iter();
        let card = numbers.fold(Card::line("x"), |card, n| card.button(n, Choice::Pick, n, Look::Plain));
        let card = card.button("Deny", Choice::Deny, "x", Look::Danger);
        let message = message(&card.button("Show PIN", Choice::ShowPin, "x", Look::Plain));
        let row = |at: usize, key: &str| -> Vec<Value> {
            message["blocks"][at]["elements"].as_array().unwrap().iter().map(|e| e[key].clone()).collect()
        };
        assert_eq!(row(1, "value"), ["12", "47", "83"]);
        assert_eq!(row(1, "action_id"), ["pick.1", "pick.2", "pick.3"]);
        assert_eq!(row(2, "action_id"), ["deny", "show_pin"]);
        assert_eq!(message["blocks"][1]["elements"][0].get("style"), None);
    }

    #[test]
    fn the_pin_is_large_and_nothing_comes_back() {
        let card = PinCard {
            title: "The PIN of Jane Doe-Smithson".to_owned(),
            before: vec!["Tell it to Jane.".to_owned()],
            pin: Revealed::new("1234 5678".to_owned()),
            after: vec!["Write it nowhere.".to_owned()],
            close: "Done".to_owned(),
        };
        let view = modal(&card);
        assert_eq!(view["title"]["text"], "The PIN of Jane Doe-Smi…");
        assert_eq!(view["close"]["text"], "Done");
        assert_eq!(view["private_metadata"], "");
        let kinds: Vec<_> = view["blocks"].as_array().unwrap().iter().map(|b| &b["type"]).collect();
        assert_eq!(kinds, ["section", "header", "section"]);
        assert_eq!(view["blocks"][1]["text"]["text"], "1234 5678");
    }

    #[test]
    fn a_cut_never_falls_into_an_escape() {
        assert_eq!(shorten("abcd", 4), "abcd");
        assert_eq!(shorten("abcde", 4), "abc…");
        assert_eq!(shorten("ab&", 6), "ab…");
        assert_eq!(shorten("ab&", 7), "ab&amp;");
        assert_eq!(shorten("a😀b", 3), "a…");
        assert_eq!(shorten(" ", 3), "…");
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z<>&\n 😀*_@!|]{0,80}", (0usize..4000).prop_map(|n| "<&x".repeat(n))]
    }

    fn cards() -> impl Strategy<Value = Card> {
        let some = |most| prop::collection::vec(text(), 0..most);
        let looks = prop_oneof![Just(Look::Primary), Just(Look::Danger), Just(Look::Plain)];
        let buttons = prop::collection::vec((text(), 0..Choice::ALL.len(), text(), looks), 0..60);
        let facts = prop::collection::vec((text(), text()), 0..600);
        (text(), facts, some(80), buttons).prop_map(|(title, facts, text, buttons)| Card {
            title,
            facts,
            text,
            buttons: buttons
                .into_iter()
                .map(|(label, at, value, look)| Button { label, choice: Choice::ALL[at], value, look })
                .collect(),
        })
    }

    /// Slack's own checks, read from the documentation rather than from the constants above.
    fn assert_within_limits(blocks: &Value, most: usize) {
        let blocks = blocks.as_array().unwrap();
        assert!((1..=most).contains(&blocks.len()), "{} blocks", blocks.len());
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "header" => assert_text(&block["text"], 150),
                "section" if block.get("fields").is_some() => {
                    let fields = block["fields"].as_array().unwrap();
                    assert!((1..=10).contains(&fields.len()));
                    for field in fields {
                        assert_text(field, 2000);
                    }
                }
                "section" => assert_text(&block["text"], 3000),
                "actions" => assert_buttons(block["elements"].as_array().unwrap()),
                other => panic!("{other}"),
            }
        }
    }

    fn assert_text(text: &Value, limit: usize) {
        assert_eq!(text["type"], "plain_text");
        let text = text["text"].as_str().unwrap();
        assert!((1..=limit).contains(&text.encode_utf16().count()), "{} of {limit}", text.len());
        assert!(!text.contains(['<', '>']));
        let unescaped = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
        assert!(!unescaped.contains('&'), "half an escape");
    }

    fn assert_buttons(buttons: &[Value]) {
        assert!((1..=25).contains(&buttons.len()));
        let mut ids: Vec<_> = buttons.iter().map(|button| button["action_id"].as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), buttons.len(), "action ids are unique within a block");
        for button in buttons {
            assert_text(&button["text"], 75);
            assert!(button["value"].as_str().unwrap().encode_utf16().count() <= 2000);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_card_of_any_length_breaks_a_limit(card in cards()) {
            let message = message(&card);
            assert_within_limits(&message["blocks"], 50);
            assert_text(&json!({"type": "plain_text", "text": message["text"]}), 3000);
        }

        #[test]
        fn no_modal_of_any_length_breaks_a_limit(
            title in text(), close in text(), pin in text(),
            before in prop::collection::vec(text(), 0..120), after in prop::collection::vec(text(), 0..120),
        ) {
            let view = modal(&PinCard { title, before, pin: Revealed::new(pin), after, close });
            assert_within_limits(&view["blocks"], 100);
            assert_text(&view["title"], 24);
            assert_text(&view["close"], 24);
        }
    }
}
