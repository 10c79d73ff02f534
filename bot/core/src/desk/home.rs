//! What does somebody see on their own page in a chat?
//!
//! The page is drawn anew whenever it is looked at. It is read by whoever has the account, so it tells nothing to those
//! for whom the chat does not vouch.

use crate::card::Card;
use crate::desk::Desk;
use crate::ids::ChatUser;
use crate::ports::{Home, PortError};
use crate::words;

impl Desk {
    /// Shows what is open for the owner of a page, who sees its version `seen` now, and whether that worked.
    pub async fn show_home(&self, owner: &ChatUser, seen: Option<String>) -> bool {
        let drawn = self.draw_home(owner, seen.as_deref()).await;
        if let Err(error) = &drawn {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "somebody's page in the chat could not be drawn"
            );
        }
        drawn.is_ok()
    }

    async fn draw_home(&self, owner: &ChatUser, seen: Option<&str>) -> Result<(), PortError> {
        let chat = self.chat(&owner.chat)?;
        match chat.show_home(owner, seen, &self.home(owner).await).await? {
            Home::Shown => Ok(()),
            // Looking things up took so long that another look has overtaken this one. What is read from now on is newer
            // than that, whatever its version is called.
            Home::Newer => chat.show_home(owner, None, &self.home(owner).await).await.map(drop),
        }
    }

    async fn home(&self, owner: &ChatUser) -> Card {
        let card = match self.who_is(owner).await {
            Ok(Ok(person)) => self.open_for(&person, owner).await.map(words::home),
            Ok(Err(reason)) => Ok(words::not_for_you(&reason)),
            Err(error) => Err(error),
        };
        card.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a page could not be filled");
            words::not_looked_up()
        })
    }
}
