//! In which words are the findings given?

use std::fmt::Write as _;

use tapdesk_adapters::finding::{Finding, Severity};

use super::Report;

/// A name longer than this has the rest of its line moved.
const WIDEST: usize = 34;

/// One line per finding, its remedy below it, and a line that sums it all up.
pub(super) fn written(report: &Report) -> String {
    let mut text = String::new();
    for group in &report.groups {
        let width =
            group.findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0).min(WIDEST);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", group.group);
        for Finding { what, severity, said, remedy } in &group.findings {
            let _ = writeln!(text, "  {severity:<7}  {what:<width$}  {said}");
            if let Some(remedy) = remedy {
                let _ = writeln!(text, "           {:<width$}  -> {remedy}", "");
            }
        }
        text.push('\n');
    }
    text.push_str(&summary(report));
    text
}

fn summary(report: &Report) -> String {
    let number = |severity| {
        report
            .groups
            .iter()
            .flat_map(|group| &group.findings)
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let counted = |severity, one: &str, many: &str| match number(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    };
    let bad: Vec<String> = [
        counted(Severity::Fault, "fault", "faults"),
        counted(Severity::Warning, "warning", "warnings"),
        counted(Severity::Note, "note", "notes"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let all = number(Severity::Ok);
    match report.severity {
        Severity::Ok => format!("Nothing to mend: {all} checks.\n"),
        Severity::Note => format!("Nothing to mend: {all} checks, {}.\n", bad.join(", ")),
        Severity::Warning | Severity::Fault => {
            format!("To mend: {}; {all} checks are fine.\n", bad.join(", "))
        }
    }
}
