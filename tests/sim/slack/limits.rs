//! Which messages and modals does Slack refuse, and in which words?
//!
//! Limits of docs.slack.dev as of January 2026. Whatever is not in this file counts as invalid: a block type that
//! the program starts to use is to be added here first, from the documentation.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Slack truncates beyond 40 000 and advises at most 4000: the simulator insists on the advice.
pub(super) const MESSAGE_TEXT: usize = 4000;
const BUTTON_KEYS: [&str; 8] =
    ["type", "text", "action_id", "value", "url", "style", "confirm", "accessibility_label"];

/// Complaints about the blocks of a message; empty when Slack would take them.
pub(super) fn message_blocks(blocks: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.blocks(blocks, 50, "/blocks");
    check.complaints
}

/// Complaints about a modal; empty when Slack would take it.
pub(super) fn view(view: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.view(view);
    check.complaints
}

/// Complaints about a home tab; empty when Slack would take it.
pub(super) fn home(view: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.home(view);
    check.complaints
}

#[derive(Default)]
struct Check {
    complaints: Vec<String>,
    block_ids: BTreeSet<String>,
}

impl Check {
    fn complain(&mut self, what: impl AsRef<str>, at: &str) {
        self.complaints.push(format!("[ERROR] {} [json-pointer:{at}]", what.as_ref()));
    }

    /// A home tab has neither title nor buttons of its own.
    fn home(&mut self, view: &Value) {
        let keys = ["type", "blocks", "private_metadata", "callback_id", "external_id"];
        let Some(view) = self.object(view, &keys, "/view") else { return };
        if view.get("type").and_then(Value::as_str) != Some("home") {
            self.complain("unsupported type", "/view/type");
        }
        self.names(view);
        self.blocks(view.get("blocks").unwrap_or(&Value::Null), 100, "/view/blocks");
    }

    fn names(&mut self, view: &Map<String, Value>) {
        for (key, most) in [("callback_id", 255), ("private_metadata", 3000), ("external_id", 255)] {
            self.string(view, key, most, "/view");
        }
    }

    fn view(&mut self, view: &Value) {
        let keys = [
            "type",
            "title",
            "blocks",
            "close",
            "submit",
            "private_metadata",
            "callback_id",
            "clear_on_close",
            "notify_on_close",
            "external_id",
            "submit_disabled",
        ];
        let Some(view) = self.object(view, &keys, "/view") else { return };
        if view.get("type").and_then(Value::as_str) != Some("modal") {
            self.complain("unsupported type", "/view/type");
        }
        self.plain(view.get("title"), 24, "/view/title");
        for key in ["submit", "close"] {
            if view.contains_key(key) {
                self.plain(view.get(key), 24, &format!("/view/{key}"));
            }
        }
        self.names(view);
        let blocks = view.get("blocks").unwrap_or(&Value::Null);
        self.blocks(blocks, 100, "/view/blocks");
        let has_inputs = blocks.as_array().into_iter().flatten().any(|b| b["type"] == "input");
        if has_inputs && !view.contains_key("submit") {
            self.complain("missing required field: submit (the view has input blocks)", "/view");
        }
    }

    fn blocks(&mut self, blocks: &Value, most: usize, at: &str) {
        let Some(blocks) = blocks.as_array() else { return self.complain("must provide an array", at) };
        if blocks.len() > most {
            self.complain(format!("no more than {most} items allowed"), at);
        }
        for (index, block) in blocks.iter().enumerate() {
            self.block(block, &format!("{at}/{index}"));
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        let Some(kind) = block["type"].as_str() else {
            return self.complain("missing required field: type", at);
        };
        let keys: &[&str] = match kind {
            "header" => &["type", "block_id", "text"],
            "section" => &["type", "block_id", "text", "fields", "accessory", "expand"],
            "context" | "actions" => &["type", "block_id", "elements"],
            "divider" => &["type", "block_id"],
            "input" => &["type", "block_id", "label", "element", "hint", "optional", "dispatch_action"],
            other => return self.complain(format!("unsupported type: {other}"), &format!("{at}/type")),
        };
        let Some(block) = self.object(block, keys, at) else { return };
        self.string(block, "block_id", 255, at);
        if let Some(id) = block.get("block_id").and_then(Value::as_str)
            && !self.block_ids.insert(id.to_owned())
        {
            self.complain("block_id already exists", &format!("{at}/block_id"));
        }
        match kind {
            "header" => self.plain(block.get("text"), 150, &format!("{at}/text")),
            "section" => self.section(block, at),
            "context" => self.context(block, at),
            "actions" => self.actions(block, at),
            "input" => self.input(block, at),
            // A divider has nothing else, and every other type was refused above.
            _ => {}
        }
    }

    fn section(&mut self, block: &Map<String, Value>, at: &str) {
        if !block.contains_key("text") && !block.contains_key("fields") {
            self.complain("missing required field: text", at);
        }
        if block.contains_key("text") {
            self.text(block.get("text"), 3000, &format!("{at}/text"));
        }
        if block.contains_key("fields") {
            for (index, field) in self.list(block, "fields", 10, at).iter().enumerate() {
                self.text(Some(field), 2000, &format!("{at}/fields/{index}"));
            }
        }
        if let Some(accessory) = block.get("accessory") {
            self.interactive(accessory, &format!("{at}/accessory"));
        }
    }

    fn context(&mut self, block: &Map<String, Value>, at: &str) {
        for (index, element) in self.list(block, "elements", 10, at).iter().enumerate() {
            // The documentation names no limit for context text; the section's is a safe one.
            self.text(Some(element), 3000, &format!("{at}/elements/{index}"));
        }
    }

    fn actions(&mut self, block: &Map<String, Value>, at: &str) {
        let mut ids = BTreeSet::new();
        for (index, element) in self.list(block, "elements", 25, at).iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            self.interactive(element, &at);
            if let Some(id) = element["action_id"].as_str()
                && !ids.insert(id.to_owned())
            {
                self.complain("action_id already exists", &at);
            }
        }
    }

    fn input(&mut self, block: &Map<String, Value>, at: &str) {
        self.plain(block.get("label"), 2000, &format!("{at}/label"));
        if block.contains_key("hint") {
            self.plain(block.get("hint"), 2000, &format!("{at}/hint"));
        }
        let element = block.get("element").unwrap_or(&Value::Null);
        let at = format!("{at}/element");
        if element["type"] == "button" {
            self.complain("unsupported type: button", &at);
        }
        self.interactive(element, &at);
    }

    fn interactive(&mut self, element: &Value, at: &str) {
        let kind = element["type"].as_str().unwrap_or_default();
        let keys: &[&str] = match kind {
            "button" => &BUTTON_KEYS,
            "plain_text_input" | "email_text_input" => &[
                "type",
                "action_id",
                "placeholder",
                "initial_value",
                "multiline",
                "min_length",
                "max_length",
                "focus_on_load",
                "dispatch_action_config",
            ],
            "users_select" => {
                &["type", "action_id", "placeholder", "initial_user", "confirm", "focus_on_load"]
            }
            "static_select" => {
                &["type", "action_id", "placeholder", "options", "initial_option", "confirm", "focus_on_load"]
            }
            "radio_buttons" | "checkboxes" => &[
                "type",
                "action_id",
                "options",
                "initial_option",
                "initial_options",
                "confirm",
                "focus_on_load",
            ],
            other => return self.complain(format!("unsupported type: {other:?}"), at),
        };
        let Some(element) = self.object(element, keys, at) else { return };
        self.string(element, "action_id", 255, at);
        if let Some(confirm) = element.get("confirm") {
            self.confirm(confirm, &format!("{at}/confirm"));
        }
        if element.contains_key("placeholder") {
            self.plain(element.get("placeholder"), 150, &format!("{at}/placeholder"));
        }
        match kind {
            "button" => self.button(element, at),
            "static_select" => self.options(element, 100, at),
            "radio_buttons" | "checkboxes" => self.options(element, 10, at),
            _ => self.lengths(element, at),
        }
    }

    fn button(&mut self, button: &Map<String, Value>, at: &str) {
        self.plain(button.get("text"), 75, &format!("{at}/text"));
        self.string(button, "value", 2000, at);
        self.string(button, "url", 3000, at);
        self.string(button, "accessibility_label", 75, at);
        let style = button.get("style").map(|s| s.as_str().unwrap_or_default());
        if !matches!(style, None | Some("primary" | "danger")) {
            self.complain(
                "failed to match one of the allowed values: primary, danger",
                &format!("{at}/style"),
            );
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        let Some(confirm) = self.object(confirm, &["title", "text", "confirm", "deny", "style"], at) else {
            return;
        };
        self.plain(confirm.get("title"), 100, &format!("{at}/title"));
        self.text(confirm.get("text"), 300, &format!("{at}/text"));
        self.plain(confirm.get("confirm"), 30, &format!("{at}/confirm"));
        self.plain(confirm.get("deny"), 30, &format!("{at}/deny"));
    }

    fn options(&mut self, element: &Map<String, Value>, most: usize, at: &str) {
        for (index, option) in self.list(element, "options", most, at).iter().enumerate() {
            let at = format!("{at}/options/{index}");
            let Some(option) = self.object(option, &["text", "value", "description"], &at) else { continue };
            self.text(option.get("text"), 75, &format!("{at}/text"));
            if !option.contains_key("value") {
                self.complain("missing required field: value", &at);
            }
            self.string(option, "value", 150, &at);
        }
    }

    fn lengths(&mut self, element: &Map<String, Value>, at: &str) {
        for key in ["min_length", "max_length"] {
            if element.get(key).is_some_and(|n| n.as_u64().is_none_or(|n| n > 3000)) {
                self.complain("must be between 0 and 3000", &format!("{at}/{key}"));
            }
        }
    }

    fn text(&mut self, text: Option<&Value>, most: usize, at: &str) {
        let kind = text.and_then(|t| t["type"].as_str()).unwrap_or_default();
        let keys: &[&str] = match kind {
            "mrkdwn" => &["type", "text", "verbatim"],
            "plain_text" => &["type", "text", "emoji"],
            _ => return self.complain("must be a mrkdwn or plain_text object", at),
        };
        let Some(text) = self.object(text.unwrap_or(&Value::Null), keys, at) else { return };
        match text.get("text").and_then(Value::as_str) {
            None => self.complain("missing required field: text", at),
            Some("") => self.complain("must be more than 0 characters", &format!("{at}/text")),
            Some(_) => self.string(text, "text", most, at),
        }
    }

    fn plain(&mut self, text: Option<&Value>, most: usize, at: &str) {
        if text.is_none_or(|t| t["type"] != "plain_text") {
            return self.complain("must be a plain_text object", at);
        }
        self.text(text, most, at);
    }

    fn string(&mut self, object: &Map<String, Value>, key: &str, most: usize, at: &str) {
        let at = format!("{at}/{key}");
        match object.get(key) {
            None => {}
            Some(Value::String(text)) if text.chars().count() <= most => {}
            Some(Value::String(_)) => {
                self.complain(format!("must be less than {} characters", most + 1), &at);
            }
            Some(_) => self.complain("must provide a string", &at),
        }
    }

    fn list<'v>(&mut self, object: &'v Map<String, Value>, key: &str, most: usize, at: &str) -> &'v [Value] {
        let at = format!("{at}/{key}");
        let Some(list) = object.get(key).and_then(Value::as_array) else {
            self.complain("must provide an array", &at);
            return &[];
        };
        if list.is_empty() || list.len() > most {
            self.complain(format!("must have 1 to {most} items"), &at);
        }
        list
    }

    fn object<'v>(&mut self, value: &'v Value, keys: &[&str], at: &str) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.as_object() else {
            self.complain("must provide an object", at);
            return None;
        };
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            self.complain(format!("invalid additional property: {key}"), at);
        }
        Some(object)
    }
}
