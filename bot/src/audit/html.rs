//! How is a report read on paper? One page, without a script and without anything from elsewhere.

use std::fmt::Write as _;

use super::Report;
use super::shown::{Entry, NONE, Who};
use super::text::heading;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tapdesk report</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #111; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #bbb; padding: .35em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #eee; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
#summary { width: auto; margin: 1em 0; }
small { color: #444; display: block; }
p { margin: .2em 0; overflow-wrap: anywhere; }
@page { size: A4 landscape; margin: 12mm; }
@media print { body { font-size: 9px; margin: 0; } }
</style>
</head>
<body>
<h1>tapdesk report</h1>
"#;

pub(super) fn written(report: &Report) -> String {
    let mut page = HEAD.to_owned();
    for line in heading(report) {
        put(&mut page, &format!("<p>{}</p>", escaped(&line)));
    }
    page.push_str("<table id=\"summary\">\n");
    for (what, count) in report.summary.counts() {
        put(&mut page, &format!("<tr><th>{}</th><td>{}</td></tr>", escaped(what), escaped(&count)));
    }
    page.push_str("</table>\n<table>\n<thead><tr>");
    for heading in
        ["Request", "For", "Asked by", "Why", "Rule", "Decisions", "Sent", "Pass", "Outcome", "Ledger"]
    {
        page.push_str("<th>");
        page.push_str(heading);
        page.push_str("</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for entry in &report.requests {
        let cells = cells(entry).map(|cell| format!("<td>{cell}</td>"));
        put(&mut page, &format!("<tr>{}</tr>", cells.concat()));
    }
    page.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    page
}

/// The cells of a row, as HTML.
fn cells(entry: &Entry) -> [String; 10] {
    let or_none = |value: Option<&String>| escaped(value.map_or(NONE, String::as_str));
    let ended = entry.ended_at.map(|at| at.to_string()).unwrap_or_default();
    let asked_by = entry.requester.as_ref().map_or_else(|| escaped(&entry.asked_by()), person);
    let mode = if entry.mode == "enforce" { "" } else { entry.mode.as_str() };
    [
        format!("{}{}{}", small(entry.request.as_str()), small(&entry.received_at.to_string()), small(mode)),
        entry.subject.as_ref().map_or_else(|| NONE.to_owned(), person),
        format!("{asked_by}{}", small(&format!("in {}", entry.asked_in))),
        format!("{}{}", escaped(entry.reason()), small(entry.ticket_number.as_deref().unwrap_or_default())),
        format!(
            "{}{}",
            or_none(entry.rule.as_ref()),
            small(
                &entry
                    .approvals_wanted
                    .map(|wanted| format!("approvals wanted: {wanted}"))
                    .unwrap_or_default()
            )
        ),
        lines(&entry.decided()),
        lines(&entry.routes()),
        lines(&entry.passes().into_iter().collect::<Vec<_>>()),
        format!("{}{}{}", escaped(&entry.ending()), small(&ended), small(&entry.others().join(", "))),
        lines(&entry.references()),
    ]
}

fn person(who: &Who) -> String {
    match &who.name {
        Some(name) => format!("{}{}", escaped(name), small(&who.id.to_string())),
        None => small(&who.id.to_string()),
    }
}

fn small(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<small>{}</small>", escaped(text)) }
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<p>{}</p>", escaped(line))).collect::<Vec<_>>().concat()
}

fn put(page: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{line}");
}

/// Text as text, inside elements and quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
