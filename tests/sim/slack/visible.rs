//! What does a person see when Slack draws a message or a modal?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// What people are called, by id; every message and every window has it, so it is shared.
pub(super) type Names = Arc<BTreeMap<String, String>>;

/// Blocks as lines of plain text.
pub(super) fn blocks(blocks: &[Value], names: &Names) -> String {
    blocks.iter().map(|b| block(b, names)).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A modal as plain text.
pub(super) fn view(view: &Value, errors: &[(String, String)], names: &Names) -> String {
    let mut lines = vec![text(&view["title"], names)];
    for part in view["blocks"].as_array().into_iter().flatten() {
        lines.push(block(part, names));
        let shown = errors.iter().filter(|(id, _)| part["block_id"] == id.as_str());
        lines.extend(shown.map(|(_, error)| format!("! {error}")));
    }
    let buttons: Vec<_> = [&view["submit"], &view["close"]]
        .into_iter()
        .filter(|b| b.is_object())
        .map(|b| format!("[{}]", text(b, names)))
        .collect();
    lines.push(buttons.join(" "));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// A text object as a person reads it. Slack keeps plain text with its entities too (slackapi/bolt-python#513).
pub(super) fn text(object: &Value, names: &Names) -> String {
    let raw = object["text"].as_str().unwrap_or_default();
    if object["type"] == "mrkdwn" { mrkdwn(raw, names) } else { entities(raw) }
}

/// Slack's markup as a person reads it: `<@U1>`, `<!channel>` and `<url|label>` are drawn, entities are decoded.
pub(super) fn mrkdwn(raw: &str, names: &Names) -> String {
    let mut drawn = String::new();
    let mut rest = raw;
    while let Some(start) = rest.find('<') {
        let Some(length) = rest[start..].find('>') else { break };
        drawn.push_str(&entities(&rest[..start]));
        drawn.push_str(&angle(&rest[start + 1..start + length], names));
        rest = &rest[start + length + 1..];
    }
    drawn.push_str(&entities(rest));
    drawn
}

fn block(block: &Value, names: &Names) -> String {
    let each = |key: &str, separator: &str| {
        let parts = block[key].as_array().into_iter().flatten().map(|e| element(e, names));
        parts.collect::<Vec<_>>().join(separator)
    };
    match block["type"].as_str().unwrap_or_default() {
        "header" => text(&block["text"], names),
        "divider" => "---".to_owned(),
        "context" | "actions" => each("elements", " "),
        "section" => {
            let mut lines = vec![text(&block["text"], names), each("fields", "\n")];
            if block["accessory"].is_object() {
                lines.push(element(&block["accessory"], names));
            }
            lines.retain(|line| !line.is_empty());
            lines.join("\n")
        }
        "input" => input(block, names),
        other => format!("({other})"),
    }
}

fn input(block: &Value, names: &Names) -> String {
    let optional = if block["optional"] == true { " (optional)" } else { "" };
    let asked = format!("{}{optional}: {}", text(&block["label"], names), element(&block["element"], names));
    let hint = text(&block["hint"], names);
    if hint.is_empty() { asked } else { format!("{asked}\n  {hint}") }
}

fn element(element: &Value, names: &Names) -> String {
    match element["type"].as_str().unwrap_or_default() {
        "mrkdwn" | "plain_text" => text(element, names),
        "button" => format!("[{}]", text(&element["text"], names)),
        "static_select" | "radio_buttons" | "checkboxes" => {
            let options = element["options"].as_array().into_iter().flatten();
            let labels: Vec<_> = options.map(|o| text(&o["text"], names)).collect();
            format!("({})", labels.join(" | "))
        }
        _ => format!("____{}", element["initial_value"].as_str().unwrap_or_default()),
    }
}

fn angle(inside: &str, names: &Names) -> String {
    let (target, label) = inside.split_once('|').map_or((inside, None), |(t, l)| (t, Some(l)));
    if let Some(user) = target.strip_prefix('@') {
        return format!("@{}", names.get(user).map_or(user, String::as_str));
    }
    if let Some(special) = target.strip_prefix('!') {
        // Dates carry their own fallback, groups their handle; @here, @channel and @everyone are their own names.
        return label.map_or_else(|| format!("@{special}"), entities);
    }
    if let Some(channel) = target.strip_prefix('#') {
        return format!("#{}", label.unwrap_or(channel));
    }
    label.map_or_else(|| entities(target), |label| format!("{} ({})", entities(label), entities(target)))
}

fn entities(raw: &str) -> String {
    raw.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
