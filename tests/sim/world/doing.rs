//! What do the people of the world do and read?

use anyhow::{Context as _, ensure};

use super::{Colleague, World};
use crate::browser::Browser;
use crate::chat::{Message, Reply};

impl World {
    /// Somebody types a command.
    pub async fn types(&self, who: &Colleague, text: &str) -> Reply {
        self.chat.types(&who.account, text).await
    }

    /// Ada asks for Jane, and everybody works.
    pub async fn ada_asks_for_jane(&self) -> anyhow::Result<()> {
        let text = format!("for {} lost her phone, INC0012345", self.jane.account.mention());
        let reply = self.types(&self.ada, &text).await;
        ensure!(reply.is_accepted(), "the command was not accepted: {reply:?}");
        self.settle().await
    }

    /// The newest message in somebody's private chat with a button of that label, as they see it now.
    pub fn card(&self, who: &Colleague, button: &str) -> anyhow::Result<Message> {
        let label = format!("[{button}]");
        let inbox = self.chat.inbox(&who.account);
        let found = inbox.into_iter().rev().find(|message| message.visible_text().contains(&label));
        found.with_context(|| format!("{} sees no button {label}", who.account.name))
    }

    /// Somebody presses a button in their private chat, and everybody works.
    pub async fn presses(&self, who: &Colleague, button: &str) -> anyhow::Result<Reply> {
        let reply = self.chat.press(&who.account, &self.card(who, button)?, button).await?;
        ensure!(reply.is_accepted(), "pressing {button} was not accepted: {reply:?}");
        self.settle().await?;
        Ok(reply)
    }

    /// What somebody has not read yet in their private chat, oldest first; reads it.
    pub fn reads(&self, who: &Colleague) -> Vec<String> {
        self.chat.read(&who.account).iter().map(Message::visible_text).collect()
    }

    /// Whether something unread says that; reads everything.
    pub fn hears(&self, who: &Colleague, part: &str) -> anyhow::Result<()> {
        let read = self.reads(who);
        ensure!(
            read.iter().any(|text| text.contains(part)),
            "{} reads {read:#?}, not {part:?}",
            who.account.name
        );
        Ok(())
    }

    /// The code in the newest text message to the number.
    pub fn code_at(&self, number: &str) -> anyhow::Result<String> {
        let messages = self.twilio.phone(number).read();
        let newest = messages.last().context("no text message came")?;
        code_in(&newest.body).context("the text message holds no code")
    }

    /// The PIN in the modal that somebody has open.
    pub fn pin_before(&self, who: &Colleague) -> anyhow::Result<String> {
        let modal = self.chat.modal(&who.account).context("no modal is open")?;
        pin_in(&modal.visible_text()).context("the modal shows no PIN")
    }

    /// A browser on the claim page.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser::open(self.base(), self.http.clone())
    }

    /// Ada asks, Mary approves and shows herself the PIN; returns the code and PIN that Jane then knows.
    pub async fn ticket_for_jane(&self) -> anyhow::Result<(String, String)> {
        self.ada_asks_for_jane().await?;
        self.presses(&self.mary, "Approve").await?;
        self.presses(&self.mary, "Show PIN").await?;
        let ticket = (self.code_at("+491701234512")?, self.pin_before(&self.mary)?);
        for colleague in [&self.ada, &self.mary, &self.otto] {
            self.reads(colleague);
        }
        Ok(ticket)
    }

    /// Everybody reads everything that lies around.
    pub fn everybody_reads(&self) {
        for colleague in [&self.ada, &self.mary, &self.jane, &self.otto] {
            self.chat.read(&colleague.account);
        }
        for (person, _) in self.chat.all_unread() {
            self.chat.read(&person);
        }
        for sms in self.twilio.unread() {
            self.twilio.phone(&sms.to).read();
        }
        for mail in self.smtp.unread() {
            for address in &mail.to {
                self.smtp.read(address);
            }
        }
    }
}

/// The 13 characters after `#` in a link, or the 4-4-5 form.
#[must_use]
pub fn code_in(text: &str) -> Option<String> {
    let link = text.split_once("/c#").map(|(_, rest)| rest);
    let code: String = link?.chars().take_while(char::is_ascii_alphanumeric).collect();
    (code.len() == 13).then_some(code)
}

/// Eight digits, perhaps 4 4.
#[must_use]
pub fn pin_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        let only_digits = line.chars().all(|c| c.is_ascii_digit() || !c.is_ascii_alphanumeric());
        (digits.len() == 8 && only_digits).then_some(digits)
    })
}
