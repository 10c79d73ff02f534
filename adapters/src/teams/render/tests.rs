use proptest::prelude::*;
use serde_json::{Value, json};
use tapdesk_core::form::{Entry, FieldName, Filled, Purpose};
use tapdesk_core::ids::{ChatName, ChatUser};
use tapdesk_core::ticket::Revealed;
use tapdesk_core::words;

use super::form::Frame;
use super::*;

fn approval() -> Card {
    Card::line("Sam asks for a pass for Jane: approve?")
        .fact("For", "Jane (jane_d@contoso.com)")
        .fact("Reason", "lost [her phone](https://evil.example)")
        .text("Call Jane before you decide.")
        .button("Approve", Choice::Approve, "req.prompt", Look::Primary)
        .button("Deny", Choice::Deny, "req.prompt", Look::Danger)
        .button("This looks wrong", Choice::LooksWrong, "req.prompt", Look::Plain)
}

/// What schema 1.5 says of what we use, read from it rather than from the code above.
fn assert_valid(card: &Value) {
    let keys = ["type", "$schema", "version", "fallbackText", "body", "refresh"];
    assert_element(card, &keys, &["body"]);
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.5")));
    for element in card["body"].as_array().unwrap() {
        match element["type"].as_str().unwrap() {
            "TextBlock" => {
                let keys = [
                    "type", "text", "wrap", "style", "size", "weight", "color", "isSubtle", "spacing",
                    "fontType",
                ];
                assert_element(element, &keys, &["text"]);
            }
            "FactSet" => {
                assert_element(element, &["type", "facts"], &["facts"]);
                for fact in element["facts"].as_array().unwrap() {
                    assert_element(fact, &["title", "value"], &["title", "value"]);
                }
            }
            "ActionSet" => element["actions"].as_array().unwrap().iter().for_each(assert_action),
            "Input.Text" => {
                let keys = [
                    "type",
                    "id",
                    "label",
                    "isRequired",
                    "errorMessage",
                    "value",
                    "isMultiline",
                    "maxLength",
                ];
                assert_element(element, &keys, &["id"]);
            }
            // `choices.data` is Teams' own.
            "Input.ChoiceSet" => {
                let keys =
                    ["type", "id", "label", "isRequired", "errorMessage", "value", "choices", "choices.data"];
                assert_element(element, &keys, &["id"]);
            }
            other => panic!("{other}"),
        }
    }
    if let Some(refresh) = card.get("refresh") {
        assert_element(refresh, &["action", "userIds"], &["action", "userIds"]);
        assert_action(&refresh["action"]);
    }
}

fn assert_action(action: &Value) {
    let keys = match action["type"].as_str().unwrap() {
        "Action.Execute" => ["type", "title", "style", "verb", "data", "fallback"].as_slice(),
        "Action.Submit" => &["type", "title", "style", "data"],
        other => panic!("{other}"),
    };
    assert_element(action, keys, &["data"]);
    if let Some(style) = action["style"].as_str() {
        assert!(["default", "positive", "destructive"].contains(&style), "{style}");
    }
    if let Some(fallback) = action.get("fallback") {
        assert_eq!(fallback["type"], "Action.Submit");
        assert_eq!(fallback["data"], action["data"], "both bring the same back");
        assert_action(fallback);
    }
}

fn assert_element(element: &Value, allowed: &[&str], required: &[&str]) {
    let element = element.as_object().unwrap();
    for key in element.keys() {
        assert!(allowed.contains(&key.as_str()), "{key}");
    }
    for key in required {
        assert!(element.contains_key(*key), "{key} is missing");
    }
}

#[test]
fn an_approval_card_is_plain_text_and_is_drawn_anew_for_its_approver() {
    let drawn = card(&approval(), Some("29:1manager"));
    assert_valid(&drawn);
    let data = |choice: &str| json!({"choice": choice, "value": "req.prompt"});
    let execute = |choice: &str, title: &str, style: &str| {
        let submit = json!({"type": "Action.Submit", "title": title, "style": style, "data": data(choice)});
        json!({
            "type": "Action.Execute", "title": title, "style": style, "verb": choice, "data": data(choice),
            "fallback": submit,
        })
    };
    let mut doubt = data("looks_wrong");
    doubt["msteams"] = json!({"type": "task/fetch"});
    assert_eq!(
        drawn,
        json!({
            "type": "AdaptiveCard",
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "version": "1.5",
            "fallbackText": "Sam asks for a pass for Jane: approve?",
            "refresh": {
                "action": {"type": "Action.Execute", "verb": "refresh", "data": {"value": "req.prompt"}},
                "userIds": ["29:1manager"],
            },
            "body": [
                {
                    "type": "TextBlock", "text": "Sam asks for a pass for Jane: approve?", "style": "heading",
                    "size": "Medium", "weight": "Bolder", "wrap": true,
                },
                {"type": "FactSet", "facts": [
                    {"title": "For", "value": r"Jane (jane\_d@contoso.com)"},
                    {"title": "Reason", "value": r"lost \[her phone\](https://evil.example)"},
                ]},
                {"type": "TextBlock", "text": "Call Jane before you decide.", "wrap": true},
                {"type": "ActionSet", "actions": [
                    execute("approve", "Approve", "positive"),
                    execute("deny", "Deny", "destructive"),
                    {"type": "Action.Submit", "title": "This looks wrong", "style": "default", "data": doubt},
                ]},
            ],
        })
    );
}

#[test]
fn a_card_that_nobody_decides_with_is_not_drawn_anew() {
    let home = Card::line("Nothing is open.").button("Ask", Choice::Ask, "home", Look::Primary);
    let drawn = card(&home, Some("29:1"));
    assert_valid(&drawn);
    assert_eq!(drawn.get("refresh"), None);
    let over = Card::line("Pass for Jane: approved").text("You approved.");
    assert_eq!(card(&over, Some("29:1")).get("refresh"), None);
}

#[test]
fn a_single_line_does_not_shout() {
    assert_eq!(card(&Card::line("Checking…"), None)["body"][0].get("style"), None);
}

#[test]
fn what_shows_a_pin_or_asks_opens_a_dialog() {
    for choice in Choice::ALL {
        let drawn = card(&Card::line("x").button("Go", choice, "v", Look::Plain), None);
        let action = &drawn["body"][1]["actions"][0];
        let opens = action["data"]["msteams"]["type"] == "task/fetch";
        let expected = [Choice::ShowPin, Choice::LooksWrong, Choice::Ask].contains(&choice);
        assert_eq!((opens, action["type"] == "Action.Submit"), (expected, expected), "{choice:?}");
    }
}

#[test]
fn the_pin_is_large_and_nothing_comes_back() {
    let shown = pin(&PinCard {
        title: "PIN to tell".to_owned(),
        before: vec!["Tell it to Jane.".to_owned()],
        pin: Revealed::new("1234 5678".to_owned()),
        after: vec!["Write it nowhere.".to_owned()],
        close: "Done".to_owned(),
    });
    assert_valid(&shown);
    assert_eq!(
        (&shown["body"][1]["text"], &shown["body"][1]["size"]),
        (&json!("1234 5678"), &json!("ExtraLarge"))
    );
    assert_eq!(shown["body"][3]["actions"][0]["data"], json!({"close": true}));
    assert!(!shown["fallbackText"].to_string().contains("1234"));
}

#[test]
fn every_field_is_an_input_that_carries_its_name() {
    let form = words::ask_form(std::time::Duration::from_hours(1));
    for (frame, kind) in [(Frame::Dialog, "Action.Submit"), (Frame::Message, "Action.Execute")] {
        let drawn = form::card(&form, frame, "m1", None, &[]);
        assert_valid(&drawn);
        let body = drawn["body"].as_array().unwrap();
        let inputs = body.iter().filter_map(|element| {
            let kind = element["type"].as_str()?.strip_prefix("Input.")?;
            Some((element["id"].as_str()?, kind, element["isRequired"] == true))
        });
        assert_eq!(
            inputs.collect::<Vec<_>>(),
            [
                ("person", "ChoiceSet", false),
                ("address", "Text", false),
                ("reason", "Text", true),
                ("ticket_number", "Text", false),
                ("lifetime", "ChoiceSet", false),
            ]
        );
        let submit = &body.last().unwrap()["actions"][0];
        assert_eq!(submit["type"], kind);
        assert_eq!((&submit["data"]["form"], &submit["data"]["mark"]), (&json!("ask"), &json!("m1")));
    }
    let drawn = form::card(&form, Frame::Message, "m1", None, &[]);
    let person = drawn["body"].as_array().unwrap().iter().find(|element| element["id"] == "person").unwrap();
    assert_eq!(person["choices.data"], json!({"type": "Data.Query", "dataset": "graph.microsoft.com/users"}));
}

#[test]
fn what_was_filled_in_stays_and_what_has_to_be_mended_is_said_below_it() {
    let form = words::ask_form(std::time::Duration::from_hours(1));
    let account =
        ChatUser { chat: ChatName::from("teams"), workspace: "t".to_owned(), id: "jane-id".to_owned() };
    let entries = vec![
        (FieldName::Person, Entry::Account(account)),
        (FieldName::Reason, Entry::Text("*x*".to_owned())),
    ];
    let filled = Filled { purpose: Purpose::Ask, value: String::new(), entries };
    let wrong = [(FieldName::Reason, "Longer.".to_owned())];
    let drawn = form::card(&form, Frame::Dialog, "m2", Some(&filled), &wrong);
    assert_valid(&drawn);
    let body = drawn["body"].as_array().unwrap();
    let at = |id: &str| body.iter().position(|element| element["id"] == id).unwrap();
    assert_eq!(body[at("person")]["value"], "jane-id");
    assert_eq!(body[at("reason")]["value"], "*x*", "an input's value is no markup");
    let below = &body[at("reason") + 1];
    assert_eq!((&below["text"], &below["color"]), (&json!("Longer."), &json!("Attention")));
}

#[test]
fn an_invoke_is_answered_as_microsoft_documents() {
    let card =
        Card::line("Not yours.").fact("For", "Jane").text(" ").button("x", Choice::Deny, "v", Look::Plain);
    let kind = "application/vnd.microsoft.activity.message";
    assert_eq!(
        answer::said(&card),
        json!({"statusCode": 200, "type": kind, "value": "Not yours.\nFor: Jane"})
    );
    let message = json!({"task": {"type": "message", "value": "Not yours.\nFor: Jane"}});
    assert_eq!(answer::dialog_said(&card), message);
    assert_eq!(answer::shown(&json!({}))["type"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(answer::no_button()["statusCode"], 400);
    let dialog = answer::dialog("Title", &json!({"body": []}));
    assert_eq!(dialog["task"]["value"]["card"]["content"], json!({"body": []}));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z<>&\n 😀*_@!|\\[]{0,80}", (0usize..4000).prop_map(|n| "<😀*".repeat(n))]
}

fn cards() -> impl Strategy<Value = Card> {
    let looks = prop_oneof![Just(Look::Primary), Just(Look::Danger), Just(Look::Plain)];
    let buttons = prop::collection::vec(("[a-z😀]{0,200}", 0..Choice::ALL.len(), looks), 0..40);
    let facts = prop::collection::vec((text(), text()), 0..8);
    (text(), facts, prop::collection::vec(text(), 0..12), buttons).prop_map(
        |(title, facts, text, buttons)| Card {
            title,
            facts,
            text,
            buttons: buttons
                .into_iter()
                .map(|(label, at, look)| Button {
                    label,
                    choice: Choice::ALL[at],
                    value: "v".repeat(60),
                    look,
                })
                .collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_card_of_any_length_is_larger_than_teams_takes(card in cards()) {
        let message = message(&card, Some("29:1manager"));
        assert!(message.to_string().len() < 28 * 1024, "{}", message.to_string().len());
        assert_valid(&message["attachments"][0]["content"]);
    }
}
