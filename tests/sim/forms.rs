//! How do people fill in forms, and what do they read in them?

use anyhow::{Context as _, ensure};

use crate::chat::Reply;
use crate::scene::said;
use crate::world::{Colleague, World};

impl World {
    /// Somebody types the bare command, and the form opens.
    pub async fn opens_form(&self, who: &Colleague) -> anyhow::Result<String> {
        let reply = self.types(who, "").await;
        ensure!(reply.is_silent(), "the bare command is answered: {reply:?}");
        self.settle().await?;
        self.form(who)
    }

    /// What the form in front of somebody says now, without the way out of it, which is each chat's own.
    pub fn form(&self, who: &Colleague) -> anyhow::Result<String> {
        let view = self.chat.modal(&who.account);
        let text = view.with_context(|| format!("{} has no form open", who.account.name))?.visible_text();
        let (fields, buttons) = text.rsplit_once('\n').context("a form has fields and a button")?;
        let submit = buttons.split_inclusive(']').next().unwrap_or_default();
        Ok(format!("{fields}\n{submit}"))
    }

    /// Somebody fills in the form that is open, and submits it; nobody has worked since.
    pub async fn submits(&self, who: &Colleague, fields: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let reply = self.chat.submit_view(&who.account, fields).await?;
        ensure!(reply.is_accepted(), "the form was not accepted: {reply:?}");
        Ok(reply)
    }

    /// Somebody opens the form, fills it in and submits it, everybody works; returns what they read then.
    pub async fn fills(&self, who: &Colleague, fields: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
        self.opens_form(who).await?;
        self.submits(who, fields).await?;
        self.settle().await?;
        ensure!(self.chat.modal(&who.account).is_none(), "the form stayed open:\n{}", self.form(who)?);
        Ok(self.reads(who).iter().map(|text| said(text)).collect())
    }

    /// The facts of the newest ledger line of that kind.
    pub fn facts_of(&self, what: &str) -> anyhow::Result<serde_json::Value> {
        let lines = crate::check::ledger_lines(&self.files.path().join("ledger"))?;
        let newest = lines.iter().rev().find(|line| line["what"] == what);
        Ok(newest.with_context(|| format!("no {what} in the ledger"))?["facts"].clone())
    }
}
