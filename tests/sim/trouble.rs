//! What do stories of trouble ask the world again and again?

use anyhow::{Context as _, ensure};
use axum::http::Method;
use serde_json::json;

use crate::browser::{Answer, Browser};
use crate::check;
use crate::wire::{Exchange, Trouble};
use crate::world::{Colleague, Setting, World};

/// Somebody's passes, as the wire of Graph names them.
pub const PASSES: &str = "/authentication/temporaryAccessPassMethods";
/// Deleting a pass.
pub const DELETE: &str = "DELETE /v1.0/users/";
/// What a person is told when nothing is certain.
pub const NOT_CONFIRMED: &str = "I could not confirm that this was stored";

impl World {
    /// A world in which tapdesk waits one second for an answer from outside.
    pub async fn impatient() -> anyhow::Result<Self> {
        Self::with(Setting { patience: 1, ..Setting::default() }).await
    }

    /// Ada asks for Jane; what tapdesk does about it comes later.
    pub async fn ada_types_for_jane(&self) -> anyhow::Result<String> {
        let text = format!("for {} lost her phone, INC0012345", self.jane.account.mention());
        let reply = self.types(&self.ada, &text).await;
        ensure!(reply.is_accepted(), "the command was not acknowledged in time: {reply:?}");
        Ok(self.whispered(&self.ada))
    }

    /// What was shown to somebody alone last; reads it.
    #[must_use]
    pub fn whispered(&self, who: &Colleague) -> String {
        let last = self.chat.ephemerals(&who.account).pop();
        last.map(|message| message.visible_text()).unwrap_or_default()
    }

    /// Whether what was shown to somebody alone last says that.
    pub fn is_whispered(&self, who: &Colleague, part: &str) -> anyhow::Result<()> {
        let text = self.whispered(who);
        ensure!(text.contains(part), "{} is shown {text:?}, not {part:?}", who.account.name);
        Ok(())
    }

    /// Nothing that somebody reads says that; reads everything.
    pub fn does_not_hear(&self, who: &Colleague, part: &str) -> anyhow::Result<()> {
        let read = self.reads(who);
        ensure!(!read.iter().any(|text| text.contains(part)), "{} reads {read:#?}", who.account.name);
        Ok(())
    }

    /// A mail to `address` says that in its subject; reads the mailbox.
    pub fn mail_says(&self, address: &str, part: &str) -> anyhow::Result<()> {
        let subjects: Vec<String> = self.smtp.read(address).into_iter().map(|mail| mail.subject).collect();
        ensure!(subjects.iter().any(|s| s.contains(part)), "{address} has {subjects:?}, not {part:?}");
        Ok(())
    }

    /// The create of a pass for Jane, as the wire of Graph names it.
    #[must_use]
    pub fn create(&self) -> String {
        format!("POST /v1.0/users/{}{PASSES}", self.jane.person.id())
    }

    /// The list of Jane's passes, as the wire of Graph names it.
    #[must_use]
    pub fn list(&self) -> String {
        format!("GET /v1.0/users/{}{PASSES}", self.jane.person.id())
    }

    /// How many creates reached Graph, whatever became of them.
    #[must_use]
    pub fn creates(&self) -> usize {
        self.graph.wire.count(&Method::POST, PASSES)
    }

    /// How often Jane's passes were listed.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.graph.wire.count(&Method::GET, PASSES)
    }

    /// How many passes of Jane's would open a session now.
    #[must_use]
    pub fn janes_passes(&self) -> usize {
        self.graph.live_passes(&self.jane.person).len()
    }

    /// How many text messages Jane got, read or not.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.twilio.phone("+491701234512").messages().len()
    }

    /// The ids of this world's requests, by the ledger.
    pub fn request_ids(&self) -> anyhow::Result<Vec<String>> {
        let lines = check::ledger_lines(&self.files.path().join("ledger"))?;
        let mut ids: Vec<String> =
            lines.iter().filter_map(|line| line["request"].as_str()).map(str::to_owned).collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// How often the ledger says that.
    pub fn ledger_says(&self, phase: &str, what: &str) -> anyhow::Result<usize> {
        let lines = check::ledger_lines(&self.files.path().join("ledger"))?;
        Ok(lines.iter().filter(|line| line["phase"] == phase && line["what"] == what).count())
    }

    /// Whether a log line about one of this world's requests contains `part`.
    pub fn log_tells(&self, part: &str) -> anyhow::Result<()> {
        let (log, ids) = (self.logged(), self.request_ids()?);
        let tells = |line: &str| line.contains(part) && ids.iter().any(|id| line.contains(id.as_str()));
        ensure!(log.lines().any(tells), "no log line about {ids:?} tells {part:?}");
        Ok(())
    }

    /// Whether the log line about this very call to Graph or Entra contains `part`.
    pub fn log_of_call_tells(&self, call: &Exchange, part: &str) -> anyhow::Result<()> {
        let id = call.header("client-request-id").to_owned();
        ensure!(!id.is_empty(), "the call carries no client-request-id: {}", call.line());
        let log = self.logged();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
        ensure!(lines.iter().any(|line| line.contains(part)), "the log of {}: {lines:#?}", call.line());
        Ok(())
    }

    /// The latest call to Graph for which `"METHOD path?query"` contains `part`.
    pub fn last_call(&self, part: &str) -> anyhow::Result<Exchange> {
        self.graph.wire.last(part).with_context(|| format!("{part:?} was never called"))
    }

    /// The next `times` calls of a Slack method that match are answered `ok: false` with that error.
    pub fn slack_says(&self, method: &str, times: usize, error: &str) {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = json!({"ok": false, "error": error}).to_string();
        self.slack().wire.trouble(method, times, Trouble::Answer(axum::http::StatusCode::OK, headers, body));
    }

    /// A claim that gets no pass; `state` is what the page shows instead.
    pub async fn claim_gets(
        &self,
        browser: &Browser,
        code: &str,
        pin: &str,
        state: &str,
    ) -> anyhow::Result<Answer> {
        let answer = browser.claim(code, pin).await?;
        ensure!(answer.state() == state, "the page shows {} {}, not {state}", answer.status, answer.body);
        ensure!(answer.body.get("passcode").is_none(), "an answer {state} carries a passcode");
        Ok(answer)
    }

    /// Everything works again: Jane claims in a new browser and sees a pass.
    pub async fn jane_gets_her_pass(&self, code: &str, pin: &str) -> anyhow::Result<()> {
        self.browser().claims_and_sees(code, pin).await?;
        self.settle().await?;
        ensure!(self.janes_passes() == 1, "Jane has {} passes", self.janes_passes());
        Ok(())
    }
}
