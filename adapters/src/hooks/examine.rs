//! Could each source be told what becomes of its requests?
//!
//! Nothing is sent: a workflow's trigger would begin its work at whatever it gets. So only the connection is tried, without
//! a word; and since the address may be a secret, nothing of it is said.

use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Hook, Hooks};
use crate::finding::{Finding, in_full};

/// How long a connection may take.
const WITHIN: Duration = Duration::from_secs(5);

impl Hooks {
    /// Looks at each source.
    pub async fn examine(&self) -> Vec<Finding> {
        join_all(self.0.iter().map(|hook| hook.examine())).await
    }
}

impl Hook {
    async fn examine(&self) -> Finding {
        let name = &self.config.name;
        let what = format!("source {name}");
        let failed = match self.connect().await {
            None => {
                return Finding::ok(what, "its secret can be read; it is told nothing, having no status_url");
            }
            Some(Ok(())) => return Finding::ok(what, "its secret can be read, and its status_url reached"),
            Some(Err(failed)) => failed,
        };
        let said =
            format!("its status_url cannot be reached, so that it may ask and is told nothing: {failed}");
        let remedy =
            format!("let this machine reach the host that status_url in [hook.{name}] names, or mend it");
        Finding::warning(what, said, remedy)
    }

    async fn connect(&self) -> Option<Result<(), String>> {
        let url = self.config.status_url.as_ref()?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or_default();
        Some(match timeout(WITHIN, TcpStream::connect((host, port))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(in_full(&error)),
            Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
        })
    }
}
