//! May tapdesk speak through the Bot Connector, and would it know the Connector's messages from anybody's?
//!
//! The bot's own token is asked for, and the Connector's keys: it has no call that would change nothing and tell more.

use super::super::Teams;
use crate::finding::{Finding, in_full};

impl Teams {
    /// Looks at the bot's token and at the Connector's keys.
    pub async fn examine(&self) -> Vec<Finding> {
        let (token, keys) = tokio::join!(self.examine_token(), self.examine_keys());
        vec![token, keys]
    }

    async fn examine_token(&self) -> Finding {
        const WHAT: &str = "bot token";
        let (app, tenant) = (&self.ours.app_id, &self.ours.tenant);
        match self.bearer().await {
            Ok(_) => Finding::ok(WHAT, format!("Entra grants one for bot {app} in tenant {tenant}")),
            Err(error) => Finding::fault(
                WHAT,
                format!("Entra grants none: {}", in_full(&error)),
                format!(
                    "az ad app credential reset --id {app} --append makes a new secret for app_secret_file; the bot has to be \
                     a single-tenant app of {tenant}"
                ),
            ),
        }
    }

    async fn examine_keys(&self) -> Finding {
        const WHAT: &str = "Connector keys";
        let at = self.verifier.announced_at();
        match self.verifier.published().await {
            Ok(0) => Finding::fault(
                WHAT,
                "none of those that are published may speak for Teams: nothing that people write is taken",
                "compare openid_url in [teams] with the addresses of your cloud",
            ),
            Ok(_) => Finding::ok(WHAT, "can be fetched: what people write can be verified"),
            Err(error) => Finding::fault(
                WHAT,
                format!("cannot be fetched, and nothing that people write is taken: {}", in_full(&error)),
                format!("let this machine reach it: curl -sS -o /dev/null -w '%{{http_code}}\\n' {at}"),
            ),
        }
    }
}
