//! What does an error of Redis mean to whoever asked?
//!
//! Only the error's code is passed on: the text of some errors quotes the arguments of the command.

use redis::{ErrorKind, RedisError};
use tapdesk_core::ports::PortError;

/// Codes of errors that pass, and what to say about them. `MISCONF` and `OOM` need a hand, yet the same call works
/// once it was lent: nothing that was accepted may be dropped meanwhile.
const PASSING: [(&str, &str); 13] = [
    ("LOADING", "Redis is still loading its data"),
    ("READONLY", "Redis is a read-only replica: the store's url has to name the primary, or its sentinels"),
    ("OOM", "Redis is out of memory: raise maxmemory"),
    ("BUSY", "Redis is busy with a script"),
    ("MASTERDOWN", "Redis has lost its primary"),
    ("MISCONF", "Redis cannot write its data to disk: see its log"),
    ("NOREPLICAS", "Redis has too few replicas to accept a write"),
    ("TRYAGAIN", "Redis is moving data"),
    ("ASK", "Redis is moving data"),
    ("MOVED", "Redis has moved data: the url of a cluster begins with redis+cluster:// or rediss+cluster://"),
    ("CLUSTERDOWN", "the Redis cluster is down"),
    ("UNBLOCKED", "Redis is failing over"),
    ("NOSCRIPT", "Redis lost a script while it was called"),
];

const NO_PERMISSION: &str = "the Redis user lacks a permission: load the rules of deploy/redis.acl";

const MENDABLE: [(&str, &str); 3] = [
    ("NOPERM", NO_PERMISSION),
    ("WRONGPASS", "Redis refuses the user or password of the store's url"),
    ("NOAUTH", "Redis wants a user and a password: add them to the store's url"),
];

/// The answer to the port's one question.
pub(super) fn port_error(error: &RedisError) -> PortError {
    let code = error.code().unwrap_or_default();
    let known = |list: &[(&str, &'static str)]| list.iter().find(|(c, _)| *c == code).map(|(_, what)| *what);
    if let Some(what) = known(&PASSING) {
        return PortError::retry(what).because(code.to_owned());
    }
    if let Some(what) = known(&MENDABLE) {
        return PortError::fatal(what).because(code.to_owned());
    }
    // So says Redis 7 where a script may not do what its caller may not.
    if error.detail().is_some_and(|detail| detail.contains("The user executing the script can't run")) {
        return PortError::fatal(NO_PERMISSION);
    }
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => PortError::retry("Redis did not answer in time"),
        ErrorKind::Io => PortError::retry("Redis cannot be reached").because(error.category().to_owned()),
        ErrorKind::AuthenticationFailed => {
            PortError::fatal("Redis refuses the user or password of the store's url")
        }
        ErrorKind::MasterNameNotFoundBySentinel => {
            PortError::retry("no sentinel of the store's url knows a primary of that name")
        }
        ErrorKind::ClusterConnectionNotFound => {
            PortError::retry("no node of the Redis cluster can be reached")
        }
        ErrorKind::InvalidClientConfig => PortError::fatal("the store's url is not usable"),
        _ if error.is_connection_dropped() => PortError::retry("Redis closed the connection"),
        _ => PortError::fatal("Redis refused a command or answered something unknown")
            .because(if code.is_empty() { error.category().to_owned() } else { code.to_owned() }),
    }
}

/// Whether the server may be the primary no longer.
pub(super) fn has_lost_primary(error: &RedisError) -> bool {
    is_unknown(error) || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "UNBLOCKED"))
}

/// Whether the connection broke, or there was none.
pub(super) fn is_cut(error: &RedisError) -> bool {
    !error.is_timeout() && (error.is_connection_dropped() || error.is_io_error())
}

/// Whether the command may have been carried out although no answer came.
pub(super) fn is_unknown(error: &RedisError) -> bool {
    error.is_timeout() || is_cut(error)
}

pub(super) fn unwritable(cause: serde_json::Error) -> PortError {
    PortError::fatal("a value cannot be written to the store").because(cause)
}

pub(super) fn unreadable(cause: impl Into<tapdesk_core::ports::Cause>) -> PortError {
    PortError::fatal("the store holds a value that this tapdesk cannot read").because(cause)
}
