//! What does a look at something outside find, and what is to be done about it?
//!
//! Whatever an adapter can find out about itself without changing or sending anything, it says in this one type. The
//! words are for an administrator; none of them holds a secret.

use std::error::Error;
use std::fmt;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: the same words whatever is found.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub said: String,
    /// How to mend it, by copy and paste where that is possible. Only what is fine has none.
    pub remedy: Option<String>,
}

/// How bad something is, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// As it may be, and worth knowing.
    Note,
    /// tapdesk works, with less safety or for fewer people than it could.
    Warning,
    /// tapdesk does not work, wholly or for somebody.
    Fault,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), severity: Severity::Ok, said: said.into(), remedy: None }
    }

    /// Something is worth knowing.
    pub fn note(what: impl Into<String>, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::bad(Severity::Note, what.into(), said.into(), remedy.into())
    }

    /// Something could be better.
    pub fn warning(what: impl Into<String>, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::bad(Severity::Warning, what.into(), said.into(), remedy.into())
    }

    /// Something does not work.
    pub fn fault(what: impl Into<String>, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::bad(Severity::Fault, what.into(), said.into(), remedy.into())
    }

    /// Something could not be looked at: nobody knows whether it works.
    pub fn unchecked(what: impl Into<String>, error: &dyn Error, remedy: impl Into<String>) -> Self {
        let said = format!("could not be looked at: {}", in_full(error));
        Self::bad(Severity::Warning, what.into(), said, remedy.into())
    }

    fn bad(severity: Severity, what: String, said: String, remedy: String) -> Self {
        Self { what, severity, said, remedy: Some(remedy) }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        })
    }
}

/// An error with its causes.
#[must_use]
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
