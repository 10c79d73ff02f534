//! Which activities, cards and dialogs does Teams refuse?
//!
//! The Adaptive Cards schema 1.5, and what Teams adds to it and leaves out. Whatever is not in this file counts as
//! invalid: an element that the program starts to use is to be added here first, from the schema.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The limit was 40 KB once and is said to be 100 KB; webhooks take 28 KB, and below that one is safe everywhere.
pub(super) const MESSAGE_BYTES: usize = 28 * 1024;
/// Media type of a card.
pub(super) const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// What each element may carry besides what all may: its own keys, and whether they have to be there.
const ELEMENT: [&str; 8] =
    ["type", "id", "isVisible", "requires", "fallback", "height", "separator", "spacing"];
const INPUT: [&str; 3] = ["label", "isRequired", "errorMessage"];
const ACTION: [&str; 10] =
    ["type", "id", "title", "iconUrl", "style", "fallback", "tooltip", "isEnabled", "mode", "requires"];
const ACTIVITY: [&str; 18] = [
    "type",
    "id",
    "text",
    "textFormat",
    "summary",
    "attachments",
    "attachmentLayout",
    "entities",
    "channelData",
    "channelId",
    "serviceUrl",
    "from",
    "recipient",
    "conversation",
    "replyToId",
    "locale",
    "importance",
    "inputHint",
];

/// Complaints about an activity that is sent; empty when Teams would take it. `people` are the ids that the bot may name.
pub(super) fn activity(activity: &Value, people: &BTreeSet<String>) -> Vec<String> {
    let mut check = Check::new(people);
    check.activity(activity);
    check.complaints
}

/// Complaints about a card that answers somebody.
pub(super) fn card(card: &Value, people: &BTreeSet<String>) -> Vec<String> {
    let mut check = Check::new(people);
    check.card(card, "card");
    check.complaints
}

/// Complaints about the `task` that answers a dialog's question.
pub(super) fn task(task: &Value, people: &BTreeSet<String>) -> Vec<String> {
    let mut check = Check::new(people);
    check.task(task);
    check.complaints
}

struct Check<'p> {
    complaints: Vec<String>,
    ids: BTreeSet<String>,
    people: &'p BTreeSet<String>,
    has_execute: bool,
}

impl<'p> Check<'p> {
    fn new(people: &'p BTreeSet<String>) -> Self {
        Self { complaints: Vec::new(), ids: BTreeSet::new(), people, has_execute: false }
    }

    fn complain(&mut self, what: impl AsRef<str>, at: &str) {
        self.complaints.push(format!("{at}: {}", what.as_ref()));
    }

    fn activity(&mut self, activity: &Value) {
        let Some(activity) = self.object(activity, &[&ACTIVITY], "activity") else { return };
        match activity.get("type").and_then(Value::as_str) {
            Some("typing") => return,
            Some("message") => {}
            _ => self.complain("the type has to be message or typing", "activity"),
        }
        self.one_of(activity, "textFormat", &["plain", "markdown"], "activity");
        self.one_of(activity, "attachmentLayout", &["list", "carousel"], "activity");
        for key in ["text", "summary"] {
            if activity.get(key).is_some_and(|text| !text.is_string()) {
                self.complain("must be a text", key);
            }
        }
        let attachments =
            activity.get("attachments").map_or(&[][..], |list| self.list(list, 10, "attachments"));
        let has_text = activity.get("text").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if attachments.is_empty() && !has_text {
            self.complain("neither text nor attachments", "activity");
        }
        for attachment in attachments {
            self.attachment(attachment, "attachment");
        }
    }

    fn attachment(&mut self, attachment: &Value, at: &str) {
        let keys = ["contentType", "content", "name"];
        let Some(attachment) = self.object(attachment, &[&keys], at) else { return };
        if attachment.get("contentType").and_then(Value::as_str) != Some(CARD) {
            return self.complain("only Adaptive Cards are known here", at);
        }
        self.card(attachment.get("content").unwrap_or(&Value::Null), at);
    }

    fn task(&mut self, task: &Value) {
        let Some(task) = self.object(task, &[&["type", "value"]], "task") else { return };
        let value = task.get("value").unwrap_or(&Value::Null);
        match task.get("type").and_then(Value::as_str) {
            Some("message") if value.as_str().is_some_and(|text| !text.is_empty()) => {}
            Some("continue") => self.dialog(value),
            _ => self.complain("neither a message nor a dialog to continue with", "task"),
        }
    }

    fn dialog(&mut self, value: &Value) {
        let keys = ["title", "height", "width", "card"];
        let Some(value) = self.object(value, &[&keys], "task.value") else { return };
        if value.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
            self.complain("a dialog has a title", "task.value");
        }
        for side in ["height", "width"] {
            let is_size = |size: &Value| {
                size.is_u64() || size.as_str().is_some_and(|s| ["small", "medium", "large"].contains(&s))
            };
            if value.get(side).is_some_and(|size| !is_size(size)) {
                self.complain("neither pixels nor small, medium or large", side);
            }
        }
        self.attachment(value.get("card").unwrap_or(&Value::Null), "task.value.card");
    }

    fn card(&mut self, card: &Value, at: &str) {
        let keys = [
            "type",
            "$schema",
            "version",
            "refresh",
            "body",
            "actions",
            "fallbackText",
            "speak",
            "lang",
            "minHeight",
            "rtl",
            "verticalContentAlignment",
            "msteams",
        ];
        let Some(card) = self.object(card, &[&keys], at) else { return };
        if card.get("type").and_then(Value::as_str) != Some("AdaptiveCard") {
            self.complain("the type has to be AdaptiveCard", at);
        }
        let body = card.get("body").unwrap_or(&Value::Null);
        let actions = card.get("actions");
        if body.is_null() && actions.is_none() {
            self.complain("an empty card", at);
        }
        if !body.is_null() {
            self.elements(body, at);
        }
        if let Some(actions) = actions {
            self.actions(actions, &format!("{at}.actions"));
        }
        if let Some(refresh) = card.get("refresh") {
            self.refresh(refresh, &format!("{at}.refresh"));
        }
        if let Some(teams) = card.get("msteams") {
            self.msteams(teams, &format!("{at}.msteams"));
        }
        let least = if self.has_execute { "1.4" } else { "1.0" };
        let version = card.get("version").and_then(Value::as_str).unwrap_or_default();
        if !["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"].contains(&version) || version < least {
            self.complain(format!("version {version:?} is not from {least} to 1.5"), at);
        }
    }

    fn refresh(&mut self, refresh: &Value, at: &str) {
        let Some(refresh) = self.object(refresh, &[&["type", "action", "userIds"]], at) else { return };
        let action = refresh.get("action").unwrap_or(&Value::Null);
        if action["type"] != "Action.Execute" {
            self.complain("only Action.Execute refreshes", at);
        }
        self.action(action, at);
        let Some(users) = refresh.get("userIds") else { return };
        for user in self.list(users, 60, &format!("{at}.userIds")) {
            if !user.as_str().is_some_and(|id| self.people.contains(id)) {
                self.complain(format!("nobody has the id {user}"), at);
            }
        }
    }

    fn msteams(&mut self, teams: &Value, at: &str) {
        let Some(teams) = self.object(teams, &[&["width", "entities"]], at) else { return };
        self.one_of(teams, "width", &["full", "Full"], at);
        for entity in teams.get("entities").map_or(&[][..], |list| self.list(list, 100, at)) {
            let Some(entity) = self.object(entity, &[&["type", "text", "mentioned"]], at) else { continue };
            let mentioned = entity.get("mentioned").unwrap_or(&Value::Null);
            if entity.get("type").and_then(Value::as_str) != Some("mention")
                || mentioned["id"].as_str().is_none_or(|id| !self.people.contains(id))
            {
                self.complain("an entity that mentions nobody", at);
            }
        }
    }

    fn elements(&mut self, elements: &Value, at: &str) {
        let Some(elements) = elements.as_array() else { return self.complain("must be a list", at) };
        for (index, element) in elements.iter().enumerate() {
            self.element(element, &format!("{at}[{index}]"));
        }
    }

    fn element(&mut self, element: &Value, at: &str) {
        let kind = element["type"].as_str().unwrap_or_default();
        let own: &[&str] = match kind {
            "TextBlock" => &[
                "text",
                "color",
                "fontType",
                "horizontalAlignment",
                "isSubtle",
                "maxLines",
                "size",
                "weight",
                "wrap",
                "style",
            ],
            "RichTextBlock" => &["inlines", "horizontalAlignment"],
            "FactSet" => &["facts"],
            "ActionSet" => &["actions"],
            "Container" => &["items", "style", "bleed", "minHeight", "verticalContentAlignment"],
            "ColumnSet" => &["columns", "style", "bleed", "minHeight", "horizontalAlignment"],
            "Column" => &["items", "style", "bleed", "minHeight", "verticalContentAlignment", "width"],
            "Input.Text" => &["isMultiline", "maxLength", "placeholder", "regex", "style", "value"],
            "Input.ChoiceSet" => {
                &["choices", "choices.data", "isMultiSelect", "style", "value", "placeholder", "wrap"]
            }
            "Input.Date" => &["min", "max", "placeholder", "value"],
            "Input.Toggle" => &["title", "value", "valueOn", "valueOff", "wrap"],
            other => return self.complain(format!("an element of the type {other:?}"), at),
        };
        let input: &[&str] = if kind.starts_with("Input.") { &INPUT } else { &[] };
        let Some(element) = self.object(element, &[&ELEMENT, own, input], at) else { return };
        self.id(element, kind.starts_with("Input."), at);
        self.looks(element, at);
        match kind {
            "TextBlock" => self.words(element, "text", at),
            "RichTextBlock" => self.runs(element, at),
            "FactSet" => self.facts(element, at),
            "ActionSet" => self.actions(element.get("actions").unwrap_or(&Value::Null), at),
            "Container" | "Column" => self.elements(element.get("items").unwrap_or(&Value::Null), at),
            "ColumnSet" => {
                let columns = self.list(element.get("columns").unwrap_or(&Value::Null), 20, at);
                for column in columns {
                    self.element(column, at);
                }
            }
            "Input.ChoiceSet" => self.choices(element, at),
            // The other inputs have nothing inside, and every other type was refused above.
            _ => {}
        }
    }

    fn looks(&mut self, element: &Map<String, Value>, at: &str) {
        self.one_of(element, "size", &["Small", "Default", "Medium", "Large", "ExtraLarge"], at);
        self.one_of(element, "weight", &["Lighter", "Default", "Bolder"], at);
        self.one_of(
            element,
            "color",
            &["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"],
            at,
        );
        self.one_of(
            element,
            "spacing",
            &["Default", "None", "Small", "Medium", "Large", "ExtraLarge", "Padding"],
            at,
        );
        self.one_of(element, "fontType", &["Default", "Monospace"], at);
    }

    fn runs(&mut self, element: &Map<String, Value>, at: &str) {
        let keys = ["type", "text", "color", "fontType", "highlight", "isSubtle", "italic", "size"];
        let more = ["strikethrough", "underline", "weight"];
        for run in self.list(element.get("inlines").unwrap_or(&Value::Null), 200, at) {
            if run.is_string() {
                continue;
            }
            let Some(run) = self.object(run, &[&keys, &more], at) else { continue };
            self.words(run, "text", at);
            self.looks(run, at);
        }
    }

    fn facts(&mut self, element: &Map<String, Value>, at: &str) {
        for fact in self.list(element.get("facts").unwrap_or(&Value::Null), 100, at) {
            let Some(fact) = self.object(fact, &[&["type", "title", "value"]], at) else { continue };
            self.words(fact, "title", at);
            self.words(fact, "value", at);
        }
    }

    fn choices(&mut self, element: &Map<String, Value>, at: &str) {
        self.one_of(element, "style", &["compact", "expanded", "filtered"], at);
        // Not of the schema: Teams fills the list with the people of the tenant.
        if let Some(data) = element.get("choices.data")
            && (data["type"] != "Data.Query" || data["dataset"] != "graph.microsoft.com/users")
        {
            self.complain("a list of unknown origin", at);
        }
        for choice in self.list(element.get("choices").unwrap_or(&Value::Null), 200, at) {
            let Some(choice) = self.object(choice, &[&["type", "title", "value"]], at) else { continue };
            self.words(choice, "title", at);
            if !choice.get("value").is_some_and(Value::is_string) {
                self.complain("a choice without a value", at);
            }
        }
    }

    fn actions(&mut self, actions: &Value, at: &str) {
        for action in self.list(actions, 6, at) {
            self.action(action, at);
            if action["title"].as_str().is_none_or(str::is_empty) {
                self.complain("an action without a title", at);
            }
        }
    }

    fn action(&mut self, action: &Value, at: &str) {
        let kind = action["type"].as_str().unwrap_or_default();
        let own: &[&str] = match kind {
            "Action.Execute" => &["verb", "data", "associatedInputs"],
            "Action.Submit" => &["data", "associatedInputs"],
            "Action.OpenUrl" => &["url"],
            other => return self.complain(format!("an action of the type {other:?}"), at),
        };
        let Some(action) = self.object(action, &[&ACTION, own], at) else { return };
        self.id(action, false, at);
        self.one_of(action, "style", &["default", "positive", "destructive"], at);
        self.one_of(action, "mode", &["primary", "secondary"], at);
        self.one_of(action, "associatedInputs", &["Auto", "auto", "None", "none"], at);
        if let Some(fallback) = action.get("fallback")
            && fallback != "drop"
        {
            self.action(fallback, at);
        }
        match kind {
            "Action.Execute" => {
                self.has_execute = true;
                self.words(action, "verb", at);
            }
            "Action.OpenUrl" if !action.get("url").is_some_and(is_https) => {
                self.complain("an address that is not https", at);
            }
            // A submit may be without data, and every other type was refused above.
            _ => {}
        }
        if action.get("data").is_some_and(|data| !data.is_object() && !data.is_string()) {
            self.complain("data is an object", at);
        }
    }

    fn id(&mut self, element: &Map<String, Value>, is_needed: bool, at: &str) {
        match element.get("id").map(Value::as_str) {
            None if is_needed => self.complain("an input without an id", at),
            None => {}
            Some(Some(id)) if !id.is_empty() && self.ids.insert(id.to_owned()) => {}
            Some(id) => self.complain(format!("the id {id:?} is empty or there already"), at),
        }
    }

    fn words(&mut self, object: &Map<String, Value>, key: &str, at: &str) {
        if object.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
            self.complain(format!("{key} has to be a text that is not empty"), at);
        }
    }

    fn one_of(&mut self, object: &Map<String, Value>, key: &str, names: &[&str], at: &str) {
        // The schema's enums are read without regard to case.
        let is_known = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if object.get(key).is_some_and(|value| !value.as_str().is_some_and(is_known)) {
            self.complain(format!("{key} is none of {names:?}"), at);
        }
    }

    fn list<'v>(&mut self, list: &'v Value, most: usize, at: &str) -> &'v [Value] {
        let Some(items) = list.as_array() else {
            self.complain("must be a list", at);
            return &[];
        };
        if items.len() > most {
            self.complain(format!("more than {most} items"), at);
        }
        items
    }

    fn object<'v>(&mut self, value: &'v Value, keys: &[&[&str]], at: &str) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.as_object() else {
            self.complain("must be an object", at);
            return None;
        };
        for key in object.keys().filter(|key| !keys.iter().any(|known| known.contains(&key.as_str()))) {
            self.complain(format!("the key {key:?} is not known"), at);
        }
        Some(object)
    }
}

fn is_https(url: &Value) -> bool {
    url.as_str().is_some_and(|url| url.starts_with("https://"))
}
