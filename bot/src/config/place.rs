//! In which line and column of the file does a key stand?

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Line and column, from 1.
pub(super) type Place = (usize, usize);

/// The place of the key; where the file lacks it, that of its section or rule, or the beginning.
pub(super) fn place_of(text: &str, key: &str) -> Place {
    let parsed = DeTable::parse(text);
    place_at(text, parsed.ok().and_then(|table| offset(table.get_ref(), key)).unwrap_or(0))
}

/// The place of a byte.
pub(super) fn place_at(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

/// Where the key begins: `policy.rule "name".lifetime` is that of a rule, all others are paths.
fn offset(file: &DeTable<'_>, key: &str) -> Option<usize> {
    let Some(rule) = key.strip_prefix("policy.rule \"") else { return along(file, key.split('.')) };
    let (name, rest) = rule.rsplit_once('"')?;
    let rules = inner(find(file, "policy")?.1)?;
    let DeValue::Array(rules) = find(rules, "rule")?.1.get_ref() else { return None };
    // Of two rules with one name the later one is too many.
    let is_it = |rule: &&DeTable<'_>| {
        let given = find(rule, "name").and_then(|(_, value)| value.get_ref().as_str());
        given == Some(name)
    };
    let rule = rules.iter().filter_map(inner).rfind(is_it)?;
    let key = find(rule, rest.trim_start_matches('.')).or_else(|| find(rule, "name"))?;
    Some(key.0.span().start)
}

/// Where the last part of the path begins that is there.
fn along<'k>(mut table: &DeTable<'_>, path: impl Iterator<Item = &'k str>) -> Option<usize> {
    let mut begins = None;
    for part in path {
        let Some((key, value)) = find(table, part) else { return begins };
        begins = Some(key.span().start);
        let Some(deeper) = inner(value) else { return begins };
        table = deeper;
    }
    begins
}

type Entry<'t, 'i> = (&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

fn find<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<Entry<'t, 'i>> {
    table.iter().find(|(name, _)| name.get_ref() == key)
}

fn inner<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Option<&'t DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
listen = \"127.0.0.1:1\"
[courier.sms]
  kind = \"twilio\"
[policy]
approval_expires = \"4h\"
quiet_hours = { from = \"20:00\", to = \"07:00\" }
[[policy.rule]]
name = \"first\"
[[policy.rule]]
name = \"a \\\"second\\\" one\"
  lifetime = \"1h\"
";

    #[test]
    fn a_key_stands_where_it_is_written() {
        for (key, place) in [
            ("listen", (1, 1)),
            ("courier.sms.kind", (3, 3)),
            ("policy.approval_expires", (5, 1)),
            ("policy.quiet_hours.to", (6, 33)),
            ("policy.rule \"first\"", (8, 1)),
            ("policy.rule \"a \"second\" one\".lifetime", (11, 3)),
        ] {
            assert_eq!(place_of(FILE, key), place, "{key}");
        }
    }

    #[test]
    fn a_key_that_is_lacking_stands_where_it_belongs() {
        for (key, place) in [
            ("courier.sms.from", (2, 10)),
            ("courier.email", (2, 2)),
            ("policy.rule \"first\".lifetime", (8, 1)),
            ("slack", (1, 1)),
            ("policy.rule \"unknown\"", (1, 1)),
        ] {
            assert_eq!(place_of(FILE, key), place, "{key}");
        }
    }
}
