//! What can people do and see in a chat, and what does a world need of it?

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::{Account, Call, Chat, Delivery, Message, Refusal, Reply, View};
use crate::people::Person;
use crate::wire::{Trouble, Wire};

/// A chat as the people in it know it.
#[async_trait]
pub trait Platform: Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// What people type before a command, as tapdesk's words tell them.
    fn command(&self) -> &'static str;

    /// Its sections of the configuration.
    fn config(&self) -> String;

    /// Recorder and trouble-maker in front of what tapdesk calls.
    fn wire(&self) -> &Wire;

    /// What is in `"METHOD path?query"` of every such call and of no other.
    fn named(&self, call: Call) -> &'static str;

    /// The answer with which it turns tapdesk away.
    fn refusal(&self, refusal: Refusal) -> Trouble;

    /// Tells the chat where the program is.
    fn attach(&self, base: Url);

    /// The same chat, whose requests reach one replica of several.
    fn by_way_of(&self, replica: Url) -> Chat;

    /// Tells the program of everybody who has got the app since it was last told, in a chat that tells.
    async fn everybody_arrives(&self) {}

    /// How long the chat waits for an acknowledgement; stories shorten it.
    fn set_deadline(&self, deadline: Duration);

    /// How often the chat, or a balancer, repeats at once what was not acknowledged in time: never unless a story says so.
    fn repeats_deliveries(&self, times: u32);

    /// Somebody of the directory joins, under an id that `handle` is part of.
    fn join(&self, handle: &str, person: &Person, address: &str) -> Account;

    /// What somebody's profile says of where they live, as a name of the time zone database.
    fn lives_in(&self, who: &Account, zone: &str);

    /// What somebody's profile says of their mail address, in a chat that knows people by it.
    fn has_address(&self, who: &Account, address: &str);

    /// Whose the account is to the chat: of who has that address, or that object id, whichever the chat tells people by.
    fn belongs_to(&self, who: &Account, address: &str, object_id: &str);

    /// Whether somebody is a guest in the chat, who is nobody to tapdesk.
    fn set_guest(&self, who: &Account, is_guest: bool);

    /// Whether somebody's account is deactivated, so that the chat brings them nothing.
    fn set_gone(&self, who: &Account, is_gone: bool);

    /// Types a command: what follows [`Platform::command`].
    async fn types(&self, who: &Account, text: &str) -> Reply;

    /// Starts what opens the form without typing anything.
    async fn shortcut(&self, who: &Account) -> Reply;

    /// Looks at the app's home page, of which the program is told.
    async fn opens_home(&self, who: &Account) -> Reply;

    /// Presses a button of a message by its label. Refuses what this person could not press.
    async fn press(&self, who: &Account, message: &Message, button: &str) -> anyhow::Result<Reply>;

    /// Presses a button that `owner` sees as somebody else would who learnt what it carries.
    async fn press_as(
        &self,
        thief: &Account,
        owner: &Account,
        message: &Message,
        button: &str,
    ) -> anyhow::Result<Reply>;

    /// Presses a button that nobody was shown: `choice` is what it does, `value` what it carries, as [`Button`] has it.
    ///
    /// [`Button`]: super::Button
    async fn press_with(&self, who: &Account, choice: &str, value: &str) -> Reply;

    /// Presses a button inside the window in front of this person.
    async fn press_in_view(&self, who: &Account, button: &str) -> anyhow::Result<Reply>;

    /// Presses a button on the home page.
    async fn press_in_home(&self, who: &Account, button: &str) -> anyhow::Result<Reply>;

    /// Submits the form in front of this person. `values` names inputs by their ids; those that are not named stay
    /// untouched. Refuses what the chat's own client would not submit.
    async fn submit_view(&self, who: &Account, values: &[(&str, &str)]) -> anyhow::Result<Reply>;

    /// Submits a form that nobody was shown: `form` is its name, `value` the request that it carries.
    async fn submit_with(&self, who: &Account, form: &str, value: &str, values: &[(&str, &str)]) -> Reply;

    /// Closes the window in front of this person; `None` if the program did not ask to be told.
    async fn close_view(&self, who: &Account) -> anyhow::Result<Option<Reply>>;

    /// Deletes a message behind tapdesk's back.
    fn delete(&self, message: &Message);

    /// The messages in this person's private chat with the app, in order, as they look now.
    fn inbox(&self, who: &Account) -> Vec<Message>;

    /// What only this person was shown as an answer, in order, as it looks now.
    fn ephemerals(&self, who: &Account) -> Vec<Message>;

    /// What this person has not read.
    fn unread(&self, who: &Account) -> Vec<Message>;

    /// Reads everything: returns what was unread or edited since, and marks it.
    fn read(&self, who: &Account) -> Vec<Message>;

    /// What anybody has not read, for the check at the end of a story.
    fn all_unread(&self) -> Vec<(Account, Message)>;

    /// The window in front of this person.
    fn modal(&self, who: &Account) -> Option<View>;

    /// The app's home page as this person sees it.
    fn home(&self, who: &Account) -> Option<View>;

    /// Everything that the program ever sent to the chat except windows, refused calls too.
    fn everything_ever_seen(&self) -> Vec<Value>;

    /// Every window that the program ever opened or changed, and refused attempts.
    fn modals_ever_opened(&self) -> Vec<Value>;

    /// Every request to the program so far.
    fn deliveries(&self) -> Vec<Delivery>;

    /// Brings the very same bytes once more.
    async fn replay(&self, delivery: &Delivery) -> Reply;

    /// Repeats a request as this chat does when it was not acknowledged in time.
    async fn retry(&self, delivery: &Delivery) -> Reply;

    /// What tapdesk and the chat prove themselves with to each other.
    fn credentials(&self) -> Vec<String>;

    /// What the chat gave out so far to answer one person with.
    fn handles(&self) -> Vec<String>;

    /// Whether it gives out such handles at all.
    fn has_handles(&self) -> bool;

    /// How many answers at once one person can be given, before the chat refuses more.
    fn answers_at_once(&self) -> usize;

    /// What people typed so far after the person whom it was for.
    fn reasons(&self) -> Vec<String>;
}
