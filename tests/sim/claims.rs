//! What do people do around a claim, and what do they see of it?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::join_all;
use tokio::task::JoinHandle;

use crate::browser::{Answer, Browser};
use crate::check::{ledger_lines, report_token_in};
use crate::wire::Gate;
use crate::world::World;

/// Jane's mailbox.
pub const JANES_MAIL: &str = "jane.doe@contoso.com";

/// Code and PIN, as Jane knows them.
pub type Ticket = (String, String);

/// The owner's notice.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its subject line.
    pub subject: String,
    /// The token of its link.
    pub token: String,
    /// The two digits printed in it.
    pub number: String,
}

impl Notice {
    /// Another number than the printed one; each `by` from 1 to 99 gives another.
    #[must_use]
    pub fn other_number(&self, by: u32) -> String {
        let number: u32 = self.number.parse().unwrap_or_default();
        format!("{:02}", (number + by) % 100)
    }
}

/// A claim that is on its way.
pub struct Claiming(JoinHandle<anyhow::Result<Answer>>);

impl Claiming {
    /// What comes back.
    pub async fn answer(self) -> anyhow::Result<Answer> {
        self.0.await?
    }

    /// The browser goes away: its connection closes, nobody reads the answer.
    pub async fn is_given_up(self) {
        self.0.abort();
        // An abort ends with an error that says so.
        let _ = self.0.await;
    }
}

/// A PIN that is not `pin`; each `by` from 1 to 99 gives another.
#[must_use]
pub fn wrong_pin(pin: &str, by: u32) -> String {
    let number: u32 = pin.parse().unwrap_or_default();
    format!("{:08}", (number + by) % 100_000_000)
}

impl World {
    /// Somebody types a wrong PIN, `times` times; returns the answers.
    pub async fn guesses(
        &self,
        browser: &Browser,
        ticket: &Ticket,
        times: u32,
    ) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::new();
        for by in 1..=times {
            answers.push(browser.claim(&ticket.0, &wrong_pin(&ticket.1, by)).await?);
        }
        Ok(answers)
    }

    /// Browsers claim at the same moment, each with one of the PINs.
    pub async fn all_claim(&self, code: &str, pins: Vec<String>) -> anyhow::Result<Vec<(Browser, Answer)>> {
        let claims = pins.into_iter().map(|pin| {
            let (browser, code) = (self.browser(), code.to_owned());
            tokio::spawn(async move { browser.claim(&code, &pin).await.map(|answer| (browser, answer)) })
        });
        join_all(claims).await.into_iter().map(|joined| joined?).collect()
    }

    /// Begins a claim that goes on by itself.
    #[must_use]
    pub fn begins_claim(&self, browser: &Browser, ticket: &Ticket) -> Claiming {
        let (browser, (code, pin)) = (browser.clone(), ticket.clone());
        Claiming(tokio::spawn(async move { browser.claim(&code, &pin).await }))
    }

    /// Begins a claim and waits until Graph holds the create before handling it.
    pub async fn claim_held_before_the_create(&self, browser: &Browser, ticket: &Ticket) -> (Claiming, Gate) {
        let (create, creates) = (self.create(), self.creates());
        let gate = self.graph.wire.hold_request(&create);
        let claiming = self.begins_claim(browser, ticket);
        self.graph.wire.arrived(&create, creates + 1).await;
        (claiming, gate)
    }

    /// Begins a claim and waits until Graph has made the pass and keeps its answer.
    pub async fn claim_held_after_the_create(&self, browser: &Browser, ticket: &Ticket) -> (Claiming, Gate) {
        let (create, creates) = (self.create(), self.creates());
        let gate = self.graph.wire.hold_answer(&create);
        let claiming = self.begins_claim(browser, ticket);
        self.graph.wire.handled(&create, creates + 1).await;
        (claiming, gate)
    }

    /// Begins a claim and waits until Graph keeps its answer to the last question before the create.
    pub async fn claim_held_before_the_last_look(
        &self,
        browser: &Browser,
        ticket: &Ticket,
    ) -> (Claiming, Gate) {
        let (list, looks) = (self.list(), self.looks());
        let gate = self.graph.wire.hold_answer(&list);
        let claiming = self.begins_claim(browser, ticket);
        self.graph.wire.handled(&list, looks + 1).await;
        (claiming, gate)
    }

    /// The browser goes away while Graph is held; tapdesk has noticed when this returns.
    pub async fn gives_up(&self, claiming: Claiming, code: &str) -> anyhow::Result<()> {
        claiming.is_given_up().await;
        // Further exchanges on the same listener: by then the closed connection has been seen.
        for _ in 0..5 {
            self.browser().status(code).await?;
        }
        Ok(())
    }

    /// The newest notice in Jane's mailbox; reads all of them.
    pub fn janes_notice(&self) -> anyhow::Result<Notice> {
        self.janes_notices()?.pop().context("the owner got no notice")
    }

    /// The unread notices in Jane's mailbox, oldest first; reads them.
    pub fn janes_notices(&self) -> anyhow::Result<Vec<Notice>> {
        self.smtp.read(JANES_MAIL).iter().map(|mail| notice_in(&mail.subject, &mail.text)).collect()
    }

    /// Code and PIN get nobody anything any more: neither this browser nor another, neither as a claim nor as a status.
    pub async fn ticket_is_over(&self, browser: &Browser, ticket: &Ticket, why: &str) -> anyhow::Result<()> {
        let creates = self.creates();
        for browser in [browser.clone(), self.browser()] {
            let claim = browser.claim(&ticket.0, &ticket.1).await?;
            ensure!(claim.state() == "closed" && claim.body["why"] == why, "{why}: claim {claim:?}");
            let status = browser.status(&ticket.0).await?;
            ensure!(status.state() == "closed" && status.body["why"] == why, "{why}: status {status:?}");
        }
        self.settle().await?;
        ensure!(self.creates() == creates, "{why}: Graph was asked for another pass");
        ensure!(self.janes_passes() == 0, "{why}: a pass is usable");
        self.has_no_button(&self.mary)?;
        self.has_no_button(&self.otto)
    }

    /// How often the ledger says that something happened, without what lost its race and did not count.
    pub fn times_it_happened(&self, what: &str) -> anyhow::Result<usize> {
        let lines = ledger_lines(&self.files.path().join("ledger"))?;
        let lost =
            lines.iter().filter(|line| line["what"] == what && line["facts"]["result"] == "superseded");
        Ok(self.ledger_says("event", what)?.saturating_sub(lost.count()))
    }

    /// Lets the time go by in which a pass must have been seen.
    pub async fn grace_time_passes(&self) -> anyhow::Result<()> {
        self.advance(Duration::from_secs(121)).await
    }
}

/// The notice in a mail or text message.
pub fn notice_in(subject: &str, text: &str) -> anyhow::Result<Notice> {
    let token = report_token_in(text).context("the notice holds no link")?;
    let number = text.split_once("enter the number ").and_then(|(_, rest)| rest.get(..2));
    let number = number.context("the notice holds no number")?.to_owned();
    Ok(Notice { subject: subject.to_owned(), token, number })
}
