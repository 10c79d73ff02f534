//! In which line of the file does a key stand?

/// The line of the key, from 1; where the file lacks it, the line of its section, or the first.
pub(super) fn line_of(text: &str, key: &str) -> usize {
    if let Some(name) = key.strip_prefix("policy.rule ") {
        return line(text, |_, row| value_of(row, "name").is_some_and(|value| value.starts_with(name)))
            .unwrap_or(1);
    }
    let (section, last) = key.rsplit_once('.').unwrap_or(("", key));
    line(text, |inside, row| inside == section && value_of(row, last).is_some())
        .or_else(|| line(text, |_, row| header_of(row) == Some(key)))
        .or_else(|| line(text, |_, row| header_of(row) == Some(section)))
        .unwrap_or(1)
}

/// The first line of which `is_it` says so, given its section and its text.
fn line(text: &str, is_it: impl Fn(&str, &str) -> bool) -> Option<usize> {
    let mut section = "";
    for (number, row) in (1..).zip(text.lines()) {
        section = header_of(row).unwrap_or(section);
        if is_it(section, row) {
            return Some(number);
        }
    }
    None
}

fn header_of(row: &str) -> Option<&str> {
    let inside = row.trim_start().strip_prefix('[')?.split_once(']')?.0;
    Some(inside.trim_start_matches('[').trim())
}

fn value_of<'r>(row: &'r str, key: &str) -> Option<&'r str> {
    row.trim_start().strip_prefix(key)?.trim_start().strip_prefix('=').map(str::trim)
}
