//! How does the app come to people and teams, and how does it go?

use serde_json::{Value, json};

use super::state::{Person, Standing};
use super::{Teams, gesture};
use crate::chat::Reply;

impl Teams {
    /// Somebody installs the app for themselves; the program is told twice.
    pub async fn installs(&self, user: &Person) -> Reply {
        {
            let mut state = self.state();
            state.standings.insert(user.id.clone(), Standing::Installed);
            state.open_personal(&user.id);
        }
        self.tells_of_arrival(user).await;
        let mut activity = self.personal_activity(user, "installationUpdate");
        activity["action"] = json!("add");
        self.send_now(&activity).await
    }

    /// The next thing that happens tells the program of them anew.
    pub fn comes_again(&self, user: &Person) {
        self.state().standings.insert(user.id.clone(), Standing::Arriving);
    }

    /// Somebody removes the app. What was written stays in the chat.
    pub async fn uninstalls(&self, user: &Person) -> Reply {
        self.state().standings.insert(user.id.clone(), Standing::Removed);
        let mut activity = self.personal_activity(user, "installationUpdate");
        activity["action"] = json!("remove");
        self.send(&activity).await
    }

    /// Somebody blocks the app, of which the program is not told.
    pub fn blocks(&self, user: &Person) {
        self.state().standings.insert(user.id.clone(), Standing::Blocked);
    }

    /// Somebody who blocked the app changes their mind.
    pub fn unblocks(&self, user: &Person) {
        self.state().standings.insert(user.id.clone(), Standing::Installed);
    }

    /// An account is deactivated and leaves every conversation, of which the program is not told; or it is there again, and
    /// gets the app like somebody new.
    pub fn set_gone(&self, user: &Person, is_gone: bool) {
        let standing = if is_gone { Standing::Removed } else { Standing::Arriving };
        self.state().standings.insert(user.id.clone(), standing);
    }

    /// Somebody adds the app to the team that the channel is of.
    pub async fn adds_to_team(&self, user: &Person, channel: &str) -> Reply {
        if let Some(conversation) = self.state().conversations.get_mut(channel) {
            conversation.has_bot = true;
        }
        let mut activity = self.channel_activity(user, channel, "installationUpdate");
        activity["action"] = json!("add");
        self.send(&activity).await;
        let mut activity = self.channel_activity(user, channel, "conversationUpdate");
        activity["membersAdded"] = json!([{ "id": self.app().bot_id() }]);
        activity["channelData"]["eventType"] = json!("teamMemberAdded");
        self.send(&activity).await
    }

    /// Tells the program of everybody who got the app since it was last told. Whoever could not be told of is told of with the
    /// next thing that happens.
    pub async fn everybody_arrives(&self) {
        let arriving: Vec<Person> = {
            let state = self.state();
            let is_new = |person: &&Person| state.standings.get(&person.id) == Some(&Standing::Arriving);
            state.people.values().filter(is_new).cloned().collect()
        };
        for person in arriving {
            // Others may act meanwhile: nobody arrives twice.
            let before = self.state().standings.insert(person.id.clone(), Standing::Installed);
            if before == Some(Standing::Arriving) && !self.tells_of_arrival(&person).await.is_accepted() {
                self.state().standings.insert(person.id, Standing::Arriving);
            }
        }
    }

    async fn tells_of_arrival(&self, user: &Person) -> Reply {
        let mut activity = self.personal_activity(user, "conversationUpdate");
        activity["membersAdded"] = json!([{ "id": self.app().bot_id() }]);
        self.send_now(&activity).await
    }

    /// What every activity in somebody's private chat carries.
    pub(super) fn personal_activity(&self, user: &Person, kind: &str) -> Value {
        let mut state = self.state();
        let id = state.open_personal(&user.id);
        let mut activity = gesture::envelope(&mut state, user, kind, (self.inner.now)(), &self.service(user));
        activity["conversation"] =
            json!({"conversationType": "personal", "tenantId": user.tenant_id, "id": id});
        activity
    }

    /// What every activity in a channel or one of its threads carries.
    pub(super) fn channel_activity(&self, user: &Person, channel: &str, kind: &str) -> Value {
        let mut state = self.state();
        let mut activity = gesture::envelope(&mut state, user, kind, (self.inner.now)(), &self.service(user));
        let base = channel.split(';').next().unwrap_or_default();
        let team = state.conversation(channel).map(|found| found.team.clone()).unwrap_or_default();
        activity["conversation"] = json!({
            "isGroup": true, "conversationType": "channel", "tenantId": user.tenant_id, "id": channel,
        });
        let data = &mut activity["channelData"];
        data["teamsChannelId"] = json!(base);
        data["teamsTeamId"] = json!(team);
        data["channel"] = json!({ "id": base });
        data["team"] = json!({ "id": team });
        activity
    }

    fn service(&self, user: &Person) -> String {
        // The address of the conversation is of the tenant that it is in, which for strangers is another.
        self.at(&format!("/emea/{}/", user.tenant_id)).to_string()
    }
}
