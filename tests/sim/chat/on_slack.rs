//! How does Slack do what people do in a chat?

use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{Account, Call, Chat, Delivery, Message, Platform, Refusal, Reply, View};
use crate::people::Person;
use crate::slack::{Email, Slack};
use crate::wire::{Trouble, Wire};

/// The slash command of the simulated workspace.
const COMMAND: &str = "/tap";
/// The global shortcut of the manifest.
const SHORTCUT: &str = "ask";

#[async_trait]
impl Platform for Slack {
    fn name(&self) -> &'static str {
        "Slack"
    }

    fn command(&self) -> &'static str {
        COMMAND
    }

    fn config(&self) -> String {
        let workspace = self.workspace();
        format!(
            r#"
[slack]
signing_secret = "{}"
bot_token = "{}"
app_id = "{}"
teams = ["{}"]
trust_email = true
base_url = "{}"
response_hosts = ["{}"]
"#,
            workspace.signing_secret,
            workspace.bot_token,
            workspace.app_id,
            workspace.team_id,
            self.api_url(),
            self.url.authority(),
        )
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn named(&self, call: Call) -> &'static str {
        match call {
            Call::Say => "chat.postMessage",
            Call::Edit => "chat.update",
            // A response URL: what it answers was typed or pressed.
            Call::Whisper => "/actions/",
            Call::LookUp => "users.info",
            Call::Find => "users.lookupByEmail",
        }
    }

    fn refusal(&self, refusal: Refusal) -> Trouble {
        let kind = ("content-type", "application/json".to_owned());
        let body = |error: &str| json!({"ok": false, "error": error}).to_string();
        match refusal {
            Refusal::Fault => Trouble::Answer(StatusCode::OK, vec![kind], body("internal_error")),
            Refusal::ClosedDoor => Trouble::Answer(StatusCode::OK, vec![kind], body("channel_not_found")),
            Refusal::Busy(seconds) => {
                let headers = vec![kind, ("retry-after", seconds.to_string())];
                Trouble::Answer(StatusCode::TOO_MANY_REQUESTS, headers, body("ratelimited"))
            }
        }
    }

    fn attach(&self, base: Url) {
        self.attach(base);
    }

    fn by_way_of(&self, replica: Url) -> Chat {
        Chat::Slack(self.by_way_of(replica))
    }

    fn set_deadline(&self, deadline: Duration) {
        self.set_deadline(deadline);
    }

    fn repeats_deliveries(&self, times: u32) {
        self.repeats_deliveries(times);
    }

    fn join(&self, handle: &str, person: &Person, address: &str) -> Account {
        let name = person.name().to_lowercase().replace(' ', ".");
        self.user(&format!("U0{handle}"), &name, address).into()
    }

    fn lives_in(&self, who: &Account, zone: &str) {
        self.change(who.in_slack(), |person| zone.clone_into(&mut person.zone));
    }

    fn has_address(&self, who: &Account, address: &str) {
        self.change(who.in_slack(), |person| person.email = Email::Given(address.to_owned()));
    }

    fn belongs_to(&self, who: &Account, address: &str, _object_id: &str) {
        Platform::has_address(self, who, address);
    }

    fn set_guest(&self, who: &Account, is_guest: bool) {
        self.change(who.in_slack(), |person| person.is_restricted = is_guest);
    }

    fn set_gone(&self, who: &Account, is_gone: bool) {
        self.change(who.in_slack(), |person| person.is_deleted = is_gone);
    }

    async fn types(&self, who: &Account, text: &str) -> Reply {
        self.command(who.in_slack(), COMMAND, text).await
    }

    async fn shortcut(&self, who: &Account) -> Reply {
        self.shortcut(who.in_slack(), SHORTCUT).await
    }

    async fn opens_home(&self, who: &Account) -> Reply {
        self.opens_tab(who.in_slack(), "home").await
    }

    async fn press(&self, who: &Account, message: &Message, button: &str) -> anyhow::Result<Reply> {
        self.press(who.in_slack(), message.in_slack(), button).await
    }

    async fn press_as(
        &self,
        thief: &Account,
        owner: &Account,
        message: &Message,
        button: &str,
    ) -> anyhow::Result<Reply> {
        self.press_as(thief.in_slack(), owner.in_slack(), message.in_slack(), button).await
    }

    async fn press_with(&self, who: &Account, choice: &str, value: &str) -> Reply {
        self.press_with(who.in_slack(), choice, value).await
    }

    async fn press_in_view(&self, who: &Account, button: &str) -> anyhow::Result<Reply> {
        self.press_in_view(who.in_slack(), button).await
    }

    async fn press_in_home(&self, who: &Account, button: &str) -> anyhow::Result<Reply> {
        self.press_in_home(who.in_slack(), button).await
    }

    async fn submit_view(&self, who: &Account, values: &[(&str, &str)]) -> anyhow::Result<Reply> {
        self.submit_view(who.in_slack(), values).await
    }

    async fn submit_with(&self, who: &Account, form: &str, value: &str, values: &[(&str, &str)]) -> Reply {
        self.submit_with(who.in_slack(), form, value, values).await
    }

    async fn close_view(&self, who: &Account) -> anyhow::Result<Option<Reply>> {
        self.close_view(who.in_slack()).await
    }

    fn delete(&self, message: &Message) {
        self.delete(message.in_slack());
    }

    fn inbox(&self, who: &Account) -> Vec<Message> {
        all(self.inbox(who.in_slack()))
    }

    fn ephemerals(&self, who: &Account) -> Vec<Message> {
        all(self.ephemerals(who.in_slack()))
    }

    fn unread(&self, who: &Account) -> Vec<Message> {
        all(self.unread(who.in_slack()))
    }

    fn read(&self, who: &Account) -> Vec<Message> {
        all(self.read(who.in_slack()))
    }

    fn all_unread(&self) -> Vec<(Account, Message)> {
        let unread = self.all_unread().into_iter();
        unread.map(|(person, message)| (person.into(), Message::Slack(message))).collect()
    }

    fn modal(&self, who: &Account) -> Option<View> {
        self.modal(who.in_slack()).map(View::Slack)
    }

    fn home(&self, who: &Account) -> Option<View> {
        self.home(who.in_slack()).map(View::Slack)
    }

    fn everything_ever_seen(&self) -> Vec<Value> {
        self.everything_ever_seen()
    }

    fn modals_ever_opened(&self) -> Vec<Value> {
        self.modals_ever_opened()
    }

    fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries()
    }

    async fn replay(&self, delivery: &Delivery) -> Reply {
        self.replay(delivery).await
    }

    async fn retry(&self, delivery: &Delivery) -> Reply {
        self.retry(delivery, 1, "http_timeout").await
    }

    fn credentials(&self) -> Vec<String> {
        let workspace = self.workspace();
        vec![workspace.bot_token, workspace.signing_secret]
    }

    /// Triggers, and of response addresses the last part, which is what makes them one.
    fn has_handles(&self) -> bool {
        true
    }

    fn answers_at_once(&self) -> usize {
        usize::MAX
    }

    fn handles(&self) -> Vec<String> {
        let address = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        let mut handles = Vec::new();
        for (name, value) in self.fields() {
            match name.as_str() {
                "response_url" => handles.push(address(&value)),
                "trigger_id" => handles.push(value),
                "payload" => {
                    let payload: Value = serde_json::from_str(&value).unwrap_or_default();
                    handles.push(address(payload["response_url"].as_str().unwrap_or_default()));
                    handles.push(payload["trigger_id"].as_str().unwrap_or_default().to_owned());
                }
                _ => {}
            }
        }
        handles.retain(|handle| !handle.is_empty());
        handles
    }

    fn reasons(&self) -> Vec<String> {
        let typed = self.fields().into_iter().filter(|(name, _)| name == "text");
        // `for somebody reason …`
        typed
            .filter_map(|(_, text)| text.splitn(3, ' ').nth(2).map(|reason| reason.trim().to_owned()))
            .collect()
    }
}

impl Slack {
    /// The fields of every form that Slack sent.
    fn fields(&self) -> Vec<(String, String)> {
        let deliveries = self.deliveries();
        deliveries.iter().flat_map(|one| form_urlencoded::parse(&one.body).into_owned()).collect()
    }
}

fn all(messages: Vec<crate::slack::Message>) -> Vec<Message> {
    messages.into_iter().map(Message::Slack).collect()
}
