//! What must hold when a story is over?

use std::time::Duration;

use anyhow::ensure;

use super::World;
use crate::chat::Chat;

impl World {
    /// What must hold after every story: let time run out, then look everywhere.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        ensure!(self.chat.all_unread().is_empty(), "unread in the chat: {:#?}", unread_texts(&self.chat));
        ensure!(self.twilio.unread().is_empty(), "unread text messages");
        let news = self.tickets.reads();
        ensure!(news.is_empty(), "unread in the ticket system: {news:#?}");
        let mails: Vec<String> =
            self.smtp.unread().into_iter().map(|mail| format!("{:?}: {}", mail.to, mail.subject)).collect();
        ensure!(mails.is_empty(), "unread mail: {mails:#?}");
        self.wind_down().await
    }

    /// The same for stories that do not care who has read what.
    pub async fn finish_unread(mut self) -> anyhow::Result<()> {
        self.wind_down().await
    }

    async fn wind_down(&mut self) -> anyhow::Result<()> {
        if self.running.is_none() {
            self.start_tapdesk().await?;
        }
        self.graph.wire.heal();
        self.chat.wire().heal();
        self.twilio.wire.heal();
        self.tickets.wire.heal();
        self.entra.wire.heal();
        self.entra.machine.wire.heal();
        self.smtp.heal();
        let shown = crate::check::shown_passes(self).await?;
        self.advance(Duration::from_hours(12)).await?;
        let left = self.next_due().await?;
        ensure!(left.is_none(), "a task is still pending at {left:?}");
        crate::check::no_pass_lives_unseen(self, &shown)?;
        self.stop_tapdesk().await;
        crate::check::ledger_verifies(self)?;
        crate::check::nothing_was_done_unrecorded(self)?;
        crate::check::no_pass_without_its_approvals(self)?;
        crate::check::nothing_leaked(self)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for wire in [
            &self.entra.wire,
            &self.entra.machine.wire,
            &self.graph.wire,
            self.chat.wire(),
            &self.twilio.wire,
            &self.tickets.wire,
        ] {
            wire.stop();
        }
        self.smtp.stop();
    }
}

fn unread_texts(chat: &Chat) -> Vec<(String, String)> {
    chat.all_unread().into_iter().map(|(person, message)| (person.name, message.visible_text())).collect()
}
