//! What happens when a person looks at the app's home tab?

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Slack;
use super::gesture::{envelope, find_button};
use super::state::Person;
use crate::chat::Reply;

impl Slack {
    /// Opens a tab of the app's home, `home` or `messages`, of which the program is told.
    pub async fn opens_tab(&self, user: &Person, tab: &str) -> Reply {
        let event = self.home_event(user, tab);
        self.event(&event).await
    }

    /// The event that says so.
    #[must_use]
    pub fn home_event(&self, user: &Person, tab: &str) -> Value {
        let now = (self.inner.now)();
        let mut state = self.state();
        let workspace = state.workspace.clone();
        let channel = state.open_direct(&user.id);
        let mut event = json!({
            "type": "app_home_opened", "user": user.id, "channel": channel, "tab": tab,
            "event_ts": format!("{}.000001", now.as_second()),
        });
        if let Some(home) = state.homes.get(&user.id).filter(|_| tab == "home") {
            event["view"] = state.view_json(home, &json!({}));
        }
        let enterprise = workspace.enterprise.as_ref().map(|(id, _)| id.clone());
        let mut envelope = json!({
            "token": "deprecated-verification-token",
            "team_id": workspace.team_id,
            "api_app_id": workspace.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": format!("Ev{}", state.opaque().to_uppercase()),
            "event_time": now.as_second(),
            "authorizations": [{
                "enterprise_id": enterprise, "team_id": workspace.team_id, "user_id": workspace.bot_user_id,
                "is_bot": true, "is_enterprise_install": workspace.is_org_install,
            }],
            "is_ext_shared_channel": false,
        });
        if let Some(enterprise) = enterprise {
            envelope["enterprise_id"] = json!(enterprise);
        }
        envelope
    }

    /// Presses a button on the home tab. There is no `response_url`.
    pub async fn press_in_home(&self, user: &Person, button: &str) -> anyhow::Result<Reply> {
        let now = (self.inner.now)();
        let payload = {
            let mut state = self.state();
            let home = state.homes.get(&user.id).cloned().context("the home tab is empty")?;
            let blocks = home.content["blocks"].as_array().cloned().unwrap_or_default();
            let found = find_button(&blocks, button).with_context(|| home.visible_text())?;
            let mut payload = envelope(&state, user, "block_actions");
            payload["container"] = json!({"type": "view", "view_id": home.id});
            payload["view"] = state.view_json(&home, &json!({}));
            payload["actions"] = json!([found.action(&format!("{}.000001", now.as_second()))]);
            payload["trigger_id"] = json!(state.trigger(&user.id, now));
            payload
        };
        Ok(self.send_payload(&payload).await)
    }
}
