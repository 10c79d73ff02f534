//! What is wrong with the file, in words for the administrator?

use tapdesk_core::policy::Fault;

/// What is wrong with a configuration, for the administrator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not what it should be; the source line is not quoted, since it may hold a secret.
    #[error("{path}:{line}:{column}: {key}: {what}")]
    Malformed {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The key.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// The file is well-formed and asks for something that must not be.
    #[error("{}", .faults.iter().map(|((line, column), fault)| format!("{path}:{line}:{column}: {}: {}", fault.key, fault.what)).collect::<Vec<_>>().join("\n"))]
    Refused {
        /// The file.
        path: String,
        /// Each fault with line and column of its key, or of the section that lacks it.
        faults: Vec<((usize, usize), Fault)>,
    },
}
