//! Can tapdesk do with this workspace what it has to?
//!
//! Two harmless calls: `auth.test`, whose answer carries the token's scopes as a header, and `bots.info`, which tells the
//! app that the token belongs to. docs.slack.dev, January 2026.

use std::collections::BTreeSet;

use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use tapdesk_core::ports::PortError;

use super::{Arguments, Slack, read, word};
use crate::finding::{Finding, in_full};
use crate::http;

/// What the app has to be allowed, and what for.
const SCOPES: [(&str, &str); 5] = [
    ("chat:write", "posting and editing cards"),
    ("commands", "the command and the shortcut"),
    ("im:write", "opening private conversations"),
    ("users:read", "telling guests and bots from colleagues"),
    (ADDRESSES, "the address that stands for a person (trust_email)"),
];
const ADDRESSES: &str = "users:read.email";

/// What `auth.test` says about the token.
#[derive(Deserialize)]
struct Tested {
    team_id: Option<String>,
    enterprise_id: Option<String>,
    bot_id: Option<String>,
    #[serde(skip)]
    scopes: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct BotInfo {
    bot: Bot,
}

#[derive(Deserialize)]
struct Bot {
    app_id: Option<String>,
}

impl Slack {
    /// Looks at token, workspace, app and scopes.
    pub async fn examine(&self) -> Vec<Finding> {
        const WHAT: &str = "bot token";
        let tested = match self.auth_test().await {
            Ok(tested) => tested,
            Err(error) => {
                let said = format!("auth.test refuses it: {}", in_full(&error));
                return vec![Finding::fault(
                    WHAT,
                    said,
                    self.installation("copy the Bot User OAuth Token into slack.bot_token_file"),
                )];
            }
        };
        let mut findings = vec![Finding::ok(WHAT, "auth.test takes it")];
        findings.push(self.workspace(&tested));
        findings.push(self.app(&tested).await);
        findings.extend(match &tested.scopes {
            Some(scopes) => self.scopes(scopes),
            None => vec![Finding::note(
                "scopes",
                "Slack's answer does not name them",
                self.installation("compare them with deploy/slack/manifest.yaml"),
            )],
        });
        findings.push(if self.trust_email {
            Finding::ok("identity", "people are who Slack's mail address says (trust_email = true)")
        } else {
            let remedy = "if the workspace enforces single sign-on with your Entra tenant, and only then: trust_email = true \
                          in [slack]";
            Finding::warning("identity", "trust_email = false: nobody in Slack is identified, and every request is refused", remedy)
        });
        findings
    }

    async fn auth_test(&self) -> Result<Tested, PortError> {
        const METHOD: &str = "auth.test";
        let url =
            self.base.join(METHOD).map_err(|_| PortError::fatal("Slack's base_url cannot be extended"))?;
        let request = self.http.post(url).header(AUTHORIZATION, self.authorization.clone());
        let response = request.send().await.map_err(|error| http::failed(&error))?;
        let status = response.status();
        let scopes = response.headers().get("x-oauth-scopes").and_then(|value| value.to_str().ok());
        let scopes = scopes.map(|text| text.split(',').map(|scope| word(scope.trim())).collect());
        let tested: Tested = read(METHOD, status, None, &http::body(response).await?)?;
        Ok(Tested { scopes, ..tested })
    }

    fn workspace(&self, tested: &Tested) -> Finding {
        const WHAT: &str = "workspace";
        let theirs: Vec<&str> =
            tested.team_id.iter().chain(&tested.enterprise_id).map(String::as_str).collect();
        if let Some(id) = theirs.iter().find(|id| self.ours.allows(id)) {
            return Finding::ok(WHAT, format!("{} is among teams", word(id)));
        }
        let named = theirs.iter().map(|id| word(id)).collect::<Vec<_>>().join(" and ");
        let said = format!(
            "the token belongs to {named}, which teams does not name: what comes from there is refused"
        );
        let remedy = format!(
            "if it is yours, write {named} into teams of [slack]; if not, take the right workspace's token"
        );
        Finding::fault(WHAT, said, remedy)
    }

    async fn app(&self, tested: &Tested) -> Finding {
        const WHAT: &str = "app id";
        let Some(bot) = &tested.bot_id else {
            let remedy = self.installation("copy the Bot User OAuth Token (xoxb-…), not a user's");
            return Finding::fault(WHAT, "the token is no bot's", remedy);
        };
        let scopes = tested.scopes.as_ref();
        if scopes.is_some_and(|scopes| !scopes.contains("users:read")) {
            return Finding::note(
                WHAT,
                "not looked at: that takes the scope users:read, which is missing",
                "give the app its scopes first",
            );
        }
        match self.call::<BotInfo>("bots.info", &Arguments::Form(&[("bot", bot)])).await {
            Ok(BotInfo { bot: Bot { app_id: Some(app) } }) if app == self.ours.app_id => {
                Finding::ok(WHAT, format!("{app} as configured"))
            }
            Ok(BotInfo { bot: Bot { app_id: Some(app) } }) => Finding::fault(
                WHAT,
                format!(
                    "the token is of app {}, and app_id says {}: what people press is refused",
                    word(&app),
                    self.ours.app_id
                ),
                format!(
                    "app_id = \"{}\" in [slack], with the signing secret of that app; or the token of the other one",
                    word(&app)
                ),
            ),
            Ok(BotInfo { bot: Bot { app_id: None } }) => Finding::note(
                WHAT,
                "bots.info does not name it",
                self.installation("compare the App ID with app_id"),
            ),
            Err(failure) => Finding::unchecked(WHAT, &PortError::from(failure), "try again"),
        }
    }

    fn scopes(&self, granted: &BTreeSet<String>) -> Vec<Finding> {
        let wanted = SCOPES.iter().filter(|(scope, _)| self.trust_email || *scope != ADDRESSES);
        let mut findings: Vec<Finding> = wanted
            .map(|(scope, what_for)| {
                let what = format!("scope {scope}");
                if granted.contains(*scope) {
                    return Finding::ok(what, format!("granted: {what_for}"));
                }
                let remedy = self.installation(&format!(
                    "add {scope} under Bot Token Scopes, then Reinstall to Workspace"
                ));
                Finding::fault(what, format!("missing: {what_for}"), remedy)
            })
            .collect();
        let is_known = |scope: &str| SCOPES.iter().any(|(known, _)| *known == scope);
        findings.extend(granted.iter().filter(|scope| !is_known(scope) && !scope.is_empty()).map(|scope| {
            let remedy = self.installation(&format!(
                "remove {scope} under Bot Token Scopes; to lose it, revoke the tokens and install again"
            ));
            Finding::warning(format!("scope {scope}"), "granted, and it is more than tapdesk needs", remedy)
        }));
        findings
    }

    /// What to do where the app is administered.
    fn installation(&self, what: &str) -> String {
        format!("at https://api.slack.com/apps/{}/oauth: {what}", self.ours.app_id)
    }
}
