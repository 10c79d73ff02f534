//! How does what people typed stay plain text in a card?
//!
//! Cards read Markdown: what somebody typed must not become a link, a heading or emphasis. A backslash before each
//! character that could begin one keeps it as it is. Source: learn.microsoft.com, "Format cards in Teams", 2026.

/// What begins something wherever it stands; braces begin the dates that cards write out themselves.
const MARKUP: [char; 11] = ['\\', '`', '*', '_', '[', ']', '<', '>', '~', '&', '{'];
/// What begins a heading or a list at the start of a line.
const LINE_MARKUP: [char; 3] = ['#', '-', '+'];
/// What a text becomes that would show nothing.
const NOTHING: &str = "…";

/// The text as a card has to be given it, cut after `limit` of its characters.
pub(super) fn plain(text: &str, limit: usize) -> String {
    let text = cut(text, limit);
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut is_number = true; // Digits alone since the line began: a dot after them would begin a list.
    let mut is_start = true;
    for c in text.chars() {
        let ends_number = is_number && !is_start && (c == '.' || c == ')');
        if MARKUP.contains(&c) || is_start && LINE_MARKUP.contains(&c) || ends_number {
            escaped.push('\\');
        }
        escaped.push(c);
        let is_indent = is_start && c == ' ';
        (is_start, is_number) = match c {
            '\n' => (true, true),
            _ => (is_indent, is_indent || is_number && c.is_ascii_digit()),
        };
    }
    escaped
}

/// The text where nothing is read as markup: labels, titles, what a screen reader says.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.trim().is_empty() {
        return NOTHING.to_owned();
    }
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_as_it_was_typed() {
        for (typed, given) in [
            ("lost her phone, R 12.5 (twice)", "lost her phone, R 12.5 (twice)"),
            ("[the portal](https://evil.example)", r"\[the portal\](https://evil.example)"),
            ("<https://evil.example>", r"\<https://evil.example\>"),
            ("**now** _please_ ~x~ `y`", r"\*\*now\*\* \_please\_ \~x\~ \`y\`"),
            ("# Approved", r"\# Approved"),
            ("x\n- one\n  + two\n3. three\n14) four", "x\n\\- one\n  \\+ two\n3\\. three\n14\\) four"),
            ("{{DATE(2026-11-23T10:00:00Z)}}", r"\{\{DATE(2026-11-23T10:00:00Z)}}"),
            ("&#91;x](y)", r"\&#91;x\](y)"),
            (r"\[x](y)", r"\\\[x\](y)"),
            ("a-b a#b 1.2 C++", "a-b a#b 1.2 C++"),
            (" \n", "…"),
        ] {
            assert_eq!(plain(typed, 100), given, "{typed}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(plain("abcd", 4), "abcd");
        assert_eq!(plain("abcde", 4), "abc…");
        assert_eq!(plain("[[[[[", 4), r"\[\[\[…");
        assert_eq!(cut("a😀bcd", 3), "a😀…");
    }
}
