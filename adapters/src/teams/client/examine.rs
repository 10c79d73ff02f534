//! May tapdesk speak through the Bot Connector?
//!
//! Only the bot's own token is asked for: the Connector has no call that would change nothing and tell more.

use super::super::Teams;
use crate::finding::{Finding, in_full};

impl Teams {
    /// Looks at the bot's token.
    pub async fn examine(&self) -> Vec<Finding> {
        const WHAT: &str = "bot token";
        let (app, tenant) = (&self.ours.app_id, &self.ours.tenant);
        vec![match self.bearer().await {
            Ok(_) => Finding::ok(WHAT, format!("Entra grants one for bot {app} in tenant {tenant}")),
            Err(error) => Finding::fault(
                WHAT,
                format!("Entra grants none: {}", in_full(&error)),
                format!(
                    "az ad app credential reset --id {app} --append makes a new secret for app_secret_file; the bot has to be \
                     a single-tenant app of {tenant}"
                ),
            ),
        }]
    }
}
