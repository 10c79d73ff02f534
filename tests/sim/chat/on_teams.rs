//! How does Microsoft Teams do what people do in a chat?
//!
//! A message cannot open a window in Teams: what is a window elsewhere is a card to fill in, in the private chat, unless a
//! button opened a dialog. A bot has no home page either: what would stand there is the answer to `home`.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use axum::http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::{Account, Call, Chat, Delivery, Message, Platform, Refusal, Reply, View};
use crate::chance;
use crate::people::Person;
use crate::teams::{self, ISSUER, Role, SCOPE, Teams};
use crate::wire::{Trouble, Wire};

/// What people write before a command, although they need not.
const COMMAND: &str = "tap";
/// What is answered with a dialog.
const IN_DIALOG: [&str; 3] = ["show_pin", "looks_wrong", "ask"];

#[async_trait]
impl Platform for Teams {
    fn name(&self) -> &'static str {
        "Teams"
    }

    fn command(&self) -> &'static str {
        COMMAND
    }

    fn config(&self) -> String {
        let app = self.app();
        format!(
            r#"
[teams]
app_id = "{}"
app_secret = '{}'
openid_url = "{}"
issuer = "{ISSUER}"
authority = "{}"
token_scope = "{SCOPE}"
service_hosts = ["{}"]
outgoing_secrets = ["{}"]
"#,
            app.app_id,
            app.secret,
            self.openid_url(),
            self.url,
            self.url.authority(),
            app.webhook_token,
        )
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn named(&self, call: Call) -> &'static str {
        match call {
            // What answers somebody names the message that they wrote.
            Call::Say => "/activities$",
            Call::Whisper => "POST /emea/*/activities/",
            Call::Edit => "PUT /emea/",
            // Where somebody is reached is known from what they wrote; who they are is asked of the conversation.
            Call::LookUp | Call::Find => "/members/",
        }
    }

    fn refusal(&self, refusal: Refusal) -> Trouble {
        let body = |code: &str| json!({"error": {"code": code, "message": "…"}}).to_string();
        match refusal {
            Refusal::Fault => Trouble::Answer(StatusCode::BAD_GATEWAY, Vec::new(), "{}".to_owned()),
            Refusal::ClosedDoor => {
                Trouble::Answer(StatusCode::FORBIDDEN, Vec::new(), body("BotNotInConversationRoster"))
            }
            Refusal::Busy(seconds) => {
                let headers = vec![("retry-after", seconds.to_string())];
                Trouble::Answer(StatusCode::TOO_MANY_REQUESTS, headers, body("TooManyRequests"))
            }
        }
    }

    fn attach(&self, base: Url) {
        self.attach(base);
    }

    fn by_way_of(&self, replica: Url) -> Chat {
        Chat::Teams(self.by_way_of(replica))
    }

    async fn everybody_arrives(&self) {
        self.everybody_arrives().await;
    }

    fn set_deadline(&self, deadline: Duration) {
        self.set_deadline(deadline);
    }

    fn repeats_deliveries(&self, times: u32) {
        self.repeats_deliveries(times);
    }

    fn join(&self, _handle: &str, person: &Person, _address: &str) -> Account {
        self.user(&person.name(), person.id(), &person.upn()).into()
    }

    fn lives_in(&self, who: &Account, zone: &str) {
        let moved = self.change(who.in_teams(), |person| zone.clone_into(&mut person.zone));
        self.comes_again(&moved);
    }

    fn has_address(&self, who: &Account, address: &str) {
        // Nobody is known by it here.
        self.change(who.in_teams(), |person| address.clone_into(&mut person.email));
    }

    fn belongs_to(&self, who: &Account, _address: &str, object_id: &str) {
        self.change(who.in_teams(), |person| person.object_id = Some(object_id.to_owned()));
    }

    fn set_guest(&self, who: &Account, is_guest: bool) {
        self.change(who.in_teams(), |person| person.role = if is_guest { Role::Guest } else { Role::User });
    }

    fn set_gone(&self, who: &Account, is_gone: bool) {
        self.set_gone(who.in_teams(), is_gone);
    }

    async fn types(&self, who: &Account, text: &str) -> Reply {
        self.types_and_waits(who.in_teams(), format!("{COMMAND} {text}").trim()).await
    }

    async fn shortcut(&self, who: &Account) -> Reply {
        said(self.fetch(who.in_teams(), json!({"choice": "ask", "value": "home"})).await)
    }

    async fn opens_home(&self, who: &Account) -> Reply {
        Platform::types(self, who, "home").await
    }

    async fn press(&self, who: &Account, message: &Message, button: &str) -> anyhow::Result<Reply> {
        Ok(said(self.press(who.in_teams(), message.in_teams(), button, &[]).await?))
    }

    async fn press_as(
        &self,
        thief: &Account,
        owner: &Account,
        message: &Message,
        button: &str,
    ) -> anyhow::Result<Reply> {
        Ok(said(self.press_as(thief.in_teams(), owner.in_teams(), message.in_teams(), button).await?))
    }

    async fn press_with(&self, who: &Account, choice: &str, value: &str) -> Reply {
        // Buttons of one kind have numbers in Slack alone.
        let choice = choice.split('.').next().unwrap_or_default();
        let data = json!({"choice": choice, "value": value});
        said(if IN_DIALOG.contains(&choice) {
            self.fetch(who.in_teams(), data).await
        } else {
            self.execute(who.in_teams(), choice, &data).await
        })
    }

    async fn press_in_view(&self, who: &Account, button: &str) -> anyhow::Result<Reply> {
        Ok(said(self.press_in_dialog(who.in_teams(), button, &[]).await?))
    }

    async fn press_in_home(&self, who: &Account, button: &str) -> anyhow::Result<Reply> {
        let label = format!("[{button}]");
        let inbox = self.inbox(who.in_teams());
        let home = inbox.iter().rev().find(|message| message.visible_text().contains(&label));
        let home = home.context("nothing here has that button")?;
        Ok(said(self.press(who.in_teams(), home, button, &[]).await?))
    }

    async fn submit_view(&self, who: &Account, values: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let user = who.in_teams();
        let submit = |buttons: Vec<Value>| {
            let first = buttons.first().and_then(|button| button["title"].as_str()).map(str::to_owned);
            first.context("there is nothing to submit")
        };
        if let Some(dialog) = self.dialog(user) {
            return Ok(said(self.press_in_dialog(user, &submit(dialog.buttons())?, values).await?));
        }
        let form = self.form(user).context("nothing is to be filled in")?;
        Ok(said(self.press(user, &form, &submit(form.buttons())?, values).await?))
    }

    async fn submit_with(&self, who: &Account, form: &str, value: &str, values: &[(&str, &str)]) -> Reply {
        let mut data = json!({"form": form, "value": value, "mark": chance::id("mark")});
        for (name, value) in values {
            data[name] = json!(value);
        }
        said(self.submit(who.in_teams(), data).await)
    }

    async fn close_view(&self, who: &Account) -> anyhow::Result<Option<Reply>> {
        let user = who.in_teams();
        if self.dialog(user).is_some() {
            self.close_dialog(user)?;
        } else {
            self.leaves(user, &self.form(user).context("no window is open")?);
        }
        Ok(None)
    }

    fn delete(&self, message: &Message) {
        self.delete(message.in_teams());
    }

    fn inbox(&self, who: &Account) -> Vec<Message> {
        all(self.inbox(who.in_teams()))
    }

    fn ephemerals(&self, who: &Account) -> Vec<Message> {
        all(self.answers(who.in_teams()))
    }

    fn unread(&self, who: &Account) -> Vec<Message> {
        all(self.unread(who.in_teams()))
    }

    fn read(&self, who: &Account) -> Vec<Message> {
        all(self.read(who.in_teams()))
    }

    fn all_unread(&self) -> Vec<(Account, Message)> {
        // A form in front of somebody is a window elsewhere, and bothers nobody.
        let is_window = |(person, message): &(_, teams::Message)| {
            self.form(person).is_some_and(|form| form.id == message.id)
        };
        let unread = self.all_unread().into_iter().filter(|one| !is_window(one));
        unread.map(|(person, message)| (person.into(), Message::Teams(message))).collect()
    }

    fn modal(&self, who: &Account) -> Option<View> {
        let user = who.in_teams();
        let form = || self.form(user).map(|form| form.as_view(user));
        self.dialog(user).or_else(form).map(View::Teams)
    }

    fn home(&self, who: &Account) -> Option<View> {
        let user = who.in_teams();
        let newest = self.inbox(user).pop()?;
        self.leaves(user, &newest);
        Some(View::Teams(newest.as_view(user)))
    }

    fn everything_ever_seen(&self) -> Vec<Value> {
        self.everything_ever_seen()
    }

    fn modals_ever_opened(&self) -> Vec<Value> {
        self.dialogs_ever_opened()
    }

    fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries()
    }

    async fn replay(&self, delivery: &Delivery) -> Reply {
        said(self.again_and_waits(delivery, self.replay(delivery)).await)
    }

    async fn retry(&self, delivery: &Delivery) -> Reply {
        said(self.again_and_waits(delivery, self.retry(delivery)).await)
    }

    fn credentials(&self) -> Vec<String> {
        self.credentials()
    }

    fn has_handles(&self) -> bool {
        false
    }

    fn answers_at_once(&self) -> usize {
        // Within a second, by Microsoft's table of limits.
        7
    }

    fn handles(&self) -> Vec<String> {
        // Whoever is answered is answered in the response, or where they are always reached.
        Vec::new()
    }

    fn reasons(&self) -> Vec<String> {
        // `tap for somebody reason …`
        let reason = |text: String| text.splitn(4, ' ').nth(3).map(|reason| reason.trim().to_owned());
        self.typed().into_iter().filter_map(reason).collect()
    }
}

/// The answer with what it says in words; a card or a dialog says nothing by itself.
fn said(reply: Reply) -> Reply {
    let Some(answer) = reply.json() else { return reply };
    let text = [&answer["value"], &answer["task"]["value"]].into_iter().find_map(Value::as_str);
    Reply { body: text.unwrap_or_default().to_owned(), ..reply }
}

fn all(messages: Vec<teams::Message>) -> Vec<Message> {
    messages.into_iter().map(Message::Teams).collect()
}
