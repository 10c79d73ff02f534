//! What does a person see when Teams draws an Adaptive Card?

use serde_json::Value;

/// A card as lines of plain text.
pub(super) fn card(card: &Value) -> String {
    let mut lines = elements(&card["body"]);
    lines.push(row(&card["actions"]));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// Every action of a card that a current client offers.
pub(super) fn actions(card: &Value) -> Vec<Value> {
    let own = card["actions"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    walk(&card["body"], &mut |element| {
        found.extend(element["actions"].as_array().into_iter().flatten().cloned());
    });
    found.extend(own.cloned());
    found
}

/// Every input of a card.
pub(super) fn inputs(card: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    walk(&card["body"], &mut |element| {
        if is_input(element) {
            found.push(element.clone());
        }
    });
    found
}

/// Markdown as Teams draws it in a card: escapes, emphasis, links and entities; nothing else is of use here.
pub(super) fn markdown(raw: &str) -> String {
    let mut drawn = String::new();
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let (text, length) = piece(rest, first);
        drawn.push_str(&text);
        rest = &rest[length..];
    }
    // Paragraphs are set apart by an empty line; people see lines.
    drawn.replace("\n\n", "\n")
}

/// The next piece of Markdown: what is seen of it, and how long it is.
fn piece(rest: &str, first: char) -> (String, usize) {
    match first {
        '\\' => match rest[1..].chars().next() {
            Some(next) if next.is_ascii_punctuation() => (next.to_string(), 2),
            Some(_) | None => ("\\".to_owned(), 1),
        },
        '&' => entity(rest).unwrap_or_else(|| ("&".to_owned(), 1)),
        '[' => link(rest).unwrap_or_else(|| ("[".to_owned(), 1)),
        '*' | '_' => emphasis(rest, first).unwrap_or_else(|| (first.to_string(), 1)),
        '{' if rest.starts_with("{{DATE(") || rest.starts_with("{{TIME(") => {
            let end = rest.find("}}").map_or(1, |end| end + 2);
            (if end > 1 { "(a date that Teams wrote)".to_owned() } else { "{".to_owned() }, end)
        }
        other => (other.to_string(), other.len_utf8()),
    }
}

fn entity(rest: &str) -> Option<(String, usize)> {
    let end = rest.find(';').filter(|end| *end <= 8)?;
    let name = &rest[1..end];
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((character.to_string(), end + 1))
}

fn link(rest: &str) -> Option<(String, usize)> {
    let middle = rest.find("](")?;
    let label = &rest[1..middle];
    if label.contains(['[', '\n']) || label.ends_with('\\') {
        return None;
    }
    let end = middle + 2 + rest[middle + 2..].find(')')?;
    Some((format!("{} ({})", markdown(label), &rest[middle + 2..end]), end + 1))
}

/// Emphasis needs a letter on its inside; an underscore inside a word is none.
fn emphasis(rest: &str, mark: char) -> Option<(String, usize)> {
    let marks = rest.chars().take_while(|c| *c == mark).count().min(2);
    let inside = &rest[marks..];
    let close: String = std::iter::repeat_n(mark, marks).collect();
    let end = inside.find(&close)?;
    let text = &inside[..end];
    let is_tight = !text.is_empty() && text.trim() == text && !text.contains('\n') && !text.ends_with('\\');
    let after = inside[end + marks..].chars().next();
    let is_inside_word = mark == '_' && after.is_some_and(char::is_alphanumeric);
    (is_tight && !is_inside_word).then(|| (markdown(text), 2 * marks + text.len()))
}

fn walk(elements: &Value, visit: &mut impl FnMut(&Value)) {
    for element in elements.as_array().into_iter().flatten() {
        if element["isVisible"] == false {
            continue;
        }
        visit(element);
        walk(&element["items"], visit);
        walk(&element["columns"], visit);
    }
}

fn elements(list: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    // What stands below an input, small or red, belongs to it.
    let mut below_input = false;
    for each in list.as_array().into_iter().flatten().filter(|each| each["isVisible"] != false) {
        if each["type"] == "TextBlock" && below_input {
            let text = markdown(each["text"].as_str().unwrap_or_default());
            match (each["color"].as_str().unwrap_or_default(), each["isSubtle"] == true) {
                (color, _) if color.eq_ignore_ascii_case("attention") => lines.push(format!("! {text}")),
                (_, true) => lines.push(format!("  {text}")),
                (_, false) => {
                    below_input = false;
                    lines.push(text);
                }
            }
            continue;
        }
        below_input = is_input(each);
        lines.push(element(each));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn is_input(element: &Value) -> bool {
    element["type"].as_str().is_some_and(|kind| kind.starts_with("Input."))
}

fn element(element: &Value) -> String {
    let text = |value: &Value| markdown(value.as_str().unwrap_or_default());
    match element["type"].as_str().unwrap_or_default() {
        "TextBlock" => text(&element["text"]),
        "RichTextBlock" => {
            let runs = element["inlines"].as_array().into_iter().flatten();
            // A run is not Markdown: its text is drawn as it is.
            runs.filter_map(|run| run.as_str().or(run["text"].as_str())).collect()
        }
        "FactSet" => {
            let facts = element["facts"].as_array().into_iter().flatten();
            let facts = facts.map(|fact| format!("{}\n{}", text(&fact["title"]), text(&fact["value"])));
            facts.collect::<Vec<_>>().join("\n")
        }
        "ActionSet" => row(&element["actions"]),
        "Container" | "Column" => elements(&element["items"]).join("\n"),
        "ColumnSet" => {
            let columns = element["columns"].as_array().into_iter().flatten();
            columns.map(self::element).filter(|column| !column.is_empty()).collect::<Vec<_>>().join(" ")
        }
        kind if kind.starts_with("Input.") => input(element, kind),
        other => format!("({other})"),
    }
}

fn input(element: &Value, kind: &str) -> String {
    let value = element["value"].as_str().unwrap_or_default();
    let shown = if kind == "Input.ChoiceSet" && element["choices.data"].is_null() {
        let choices = element["choices"].as_array().into_iter().flatten();
        let titles: Vec<_> = choices.filter_map(|choice| choice["title"].as_str()).collect();
        format!("({})", titles.join(" | "))
    } else {
        format!("____{value}")
    };
    let Some(label) = element["label"].as_str() else { return shown };
    // What has to be filled in has a star; people read the rest as optional.
    let optional = if element["isRequired"] == true { "" } else { " (optional)" };
    let asked = format!("{label}{optional}: {shown}");
    match element["placeholder"].as_str() {
        Some(placeholder) => format!("{asked}\n  {placeholder}"),
        None => asked,
    }
}

fn row(actions: &Value) -> String {
    let titles = actions.as_array().into_iter().flatten().filter_map(|action| action["title"].as_str());
    titles.map(|title| format!("[{title}]")).collect::<Vec<_>>().join(" ")
}
