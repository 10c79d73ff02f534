//! What do people do when the machine dies on them?
//!
//! They read what is there, press what they see, ask again when nothing comes, and in the end somebody starts tapdesk
//! again. [`Patience`] is Ada, Mary and Jane after such a moment: they go on until Jane has seen a pass and used it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::StatusCode;
use tapdesk_core::ids::RequestId;
use tapdesk_core::request::State;

use crate::apart::{self, Apart};
use crate::browser::Browser;
use crate::graph::SignIn;
use crate::wire::Trouble;
use crate::world::{Setting, World, code_in};

const JANES_PHONE: &str = "+491701234512";
/// How long people take for whatever they do next, once something went wrong.
const A_WHILE: Duration = Duration::from_secs(20);
/// More than any death costs.
const ROUNDS: usize = 60;

/// How the day goes, apart from the death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Asked, approved, claimed, shown, used.
    Good,
    /// The answer to the first create is lost, the second pass is on no screen, the third is reported.
    Bad,
}

/// How far Jane is.
enum Jane {
    /// She has no pass.
    Waits,
    /// Her page got this passcode and has not said yet that it is on the screen.
    Gets(String),
    /// She has seen it.
    HasSeen,
    /// She has said that it was not her.
    HasReported,
}

/// The people of one story in which tapdesk dies.
pub struct Patience {
    world: World,
    day: Day,
    browser: Browser,
    pin: Option<String>,
    jane: Jane,
    is_closed_once: bool,
    has_restarted: bool,
    /// The short ids that Ada was told.
    accepted: BTreeSet<String>,
}

impl Patience {
    /// Tells the story with a tapdesk that may die on the way; returns the names of all its effects, and whether it died.
    pub async fn tell(apart: Apart, day: Day) -> anyhow::Result<(Vec<String>, bool)> {
        let world = World::with(Setting { apart: Some(apart), ..Setting::default() }).await?;
        let config = world.files.path().join("tapdesk.toml");
        if day == Day::Bad {
            let create =
                format!("POST /v1.0/users/{}/authentication/temporaryAccessPass", world.jane.person.id());
            world.graph.wire.trouble(&create, 1, Trouble::DropAnswer);
        }
        let browser = world.browser();
        let mut people = Self {
            world,
            day,
            browser,
            pin: None,
            jane: Jane::Waits,
            is_closed_once: false,
            has_restarted: false,
            accepted: BTreeSet::new(),
        };
        people.go_on_to_the_end().await?;
        // Death may come as late as this; then the time has to pass once more.
        for _ in 0..2 {
            people.wait(Duration::from_hours(12)).await?;
        }
        people.nothing_accepted_was_lost().await?;
        let told = (apart::effects(&config)?, people.has_restarted);
        people.world.finish_unread().await?;
        Ok(told)
    }

    async fn go_on_to_the_end(&mut self) -> anyhow::Result<()> {
        for _ in 0..ROUNDS {
            self.work().await?;
            if self.has_seen() && self.is_over().await? {
                return Ok(());
            }
            let acted = self.act().await;
            // Whoever was on the line with a dying tapdesk tries again.
            if self.revive(acted.is_err()).await? || !acted? || self.has_restarted {
                self.wait(A_WHILE).await?;
            }
        }
        bail!("they never got to the end")
    }

    /// The next thing that somebody can do; `false` if everybody waits.
    async fn act(&mut self) -> anyhow::Result<bool> {
        match &self.jane {
            Jane::Waits => {}
            Jane::Gets(passcode) => return self.page_says_shown(&passcode.clone()).await,
            Jane::HasSeen if self.day == Day::Bad => return self.report().await,
            Jane::HasSeen | Jane::HasReported => return Ok(false),
        }
        if let (Ok(code), Some(pin)) = (self.code(), self.pin.clone()) {
            return self.claim(&code, &pin).await;
        }
        if let Ok(card) = self.world.card(&self.world.mary, "Show PIN") {
            self.world.chat.press(&self.world.mary.account, &card, "Show PIN").await?;
            self.work().await?;
            self.pin = self.world.pin_before(&self.world.mary).ok();
            if self.pin.is_some() {
                self.world.chat.close_view(&self.world.mary.account).await?;
            }
            return Ok(self.pin.is_some());
        }
        if let Ok(card) = self.world.card(&self.world.mary, "Approve") {
            self.world.chat.press(&self.world.mary.account, &card, "Approve").await?;
            return Ok(true);
        }
        self.ask().await
    }

    /// Ada asks, unless something of hers is under way. What was not confirmed she asks again after two minutes.
    async fn ask(&mut self) -> anyhow::Result<bool> {
        if !self.world.reads(&self.world.ada).is_empty() || self.is_in_hand().await? {
            return Ok(false);
        }
        let text = format!("for {} lost her phone, INC0012345", self.world.jane.account.mention());
        let reply = self.world.types(&self.world.ada, &text).await;
        match reply.body.split_once("Checking… (request ") {
            Some((_, rest)) => drop(self.accepted.insert(rest.chars().take(6).collect())),
            None => self.wait(Duration::from_mins(2)).await?,
        }
        Ok(true)
    }

    async fn claim(&mut self, code: &str, pin: &str) -> anyhow::Result<bool> {
        let answer = self.browser.at(self.world.base()).claim(code, pin).await?;
        match answer.state() {
            "pass" if self.day == Day::Bad && !self.is_closed_once => {
                // Jane's phone rings and she closes the page before she looks.
                self.is_closed_once = true;
                self.browser = self.world.browser();
            }
            "pass" => self.jane = Jane::Gets(answer.passcode()?),
            "wrong_pin" | "waiting" => self.pin = None,
            "busy" | "unavailable" | "unknown" | "opened" => return Ok(false),
            other => bail!("the claim was answered with {other}: {answer:?}"),
        }
        Ok(true)
    }

    async fn page_says_shown(&mut self, passcode: &str) -> anyhow::Result<bool> {
        match self.browser.at(self.world.base()).shown(&self.code()?).await?.status {
            StatusCode::NO_CONTENT => {
                self.jane = Jane::HasSeen;
                if self.day == Day::Good {
                    let signed_in = self.world.graph.use_pass(&self.world.jane.person, passcode);
                    ensure!(signed_in == SignIn::Ok, "the pass that was shown does not work: {signed_in:?}");
                }
            }
            StatusCode::GONE => self.jane = Jane::Waits,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// On a bad day Jane says that this was not her, until it is noted.
    async fn report(&mut self) -> anyhow::Result<bool> {
        let answer = self.browser.at(self.world.base()).report(&self.code()?).await?;
        if answer.state() != "reported" {
            return Ok(false);
        }
        self.jane = Jane::HasReported;
        Ok(true)
    }

    fn has_seen(&self) -> bool {
        matches!(self.jane, Jane::HasSeen | Jane::HasReported)
    }

    /// The code in the newest text message.
    fn code(&self) -> anyhow::Result<String> {
        let newest = self.world.twilio.phone(JANES_PHONE).messages().pop().context("no text message came")?;
        code_in(&newest.body).context("the text message holds no code")
    }

    /// Everybody works until nothing is due; a dead tapdesk is started again, on whole parts.
    async fn work(&mut self) -> anyhow::Result<()> {
        let worked = self.world.settle().await;
        if self.revive(worked.is_err()).await? { Ok(()) } else { worked }
    }

    async fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        let waited = self.world.advance(time).await;
        if self.revive(waited.is_err()).await? { Ok(()) } else { waited }
    }

    /// Starts tapdesk again if it has died; whether it had.
    async fn revive(&mut self, did_not_answer: bool) -> anyhow::Result<bool> {
        if !self.world.has_died(did_not_answer).await? {
            return Ok(false);
        }
        ensure!(!self.has_restarted, "it died a second time");
        self.has_restarted = true;
        self.world.revive().await.context("tapdesk does not start again")?;
        Ok(true)
    }

    async fn is_in_hand(&self) -> anyhow::Result<bool> {
        for id in self.received()? {
            match self.world.state(&id).await? {
                Some(State::Closed { .. }) => {}
                Some(_) => return Ok(true),
                None => bail!("{id} is in the ledger and not in the store"),
            }
        }
        Ok(false)
    }

    async fn is_over(&self) -> anyhow::Result<bool> {
        Ok(!self.is_in_hand().await?)
    }

    /// Every request that was promised exists, and ended.
    async fn nothing_accepted_was_lost(&self) -> anyhow::Result<()> {
        let received = self.received()?;
        for short in &self.accepted {
            let id = received.iter().find(|id| id.short() == short);
            let id = id.with_context(|| format!("request {short} was promised and is nowhere"))?;
            let state = self.world.state(id).await?.with_context(|| format!("{id} is not in the store"))?;
            ensure!(matches!(state, State::Closed { .. }), "{id} never ended: {}", state.name());
        }
        Ok(())
    }

    /// Requests that the ledger says were received, and that were not written off.
    fn received(&self) -> anyhow::Result<BTreeSet<RequestId>> {
        let mut received = BTreeSet::new();
        for line in crate::check::ledger_lines(&self.world.files.path().join("ledger"))? {
            if line["what"] == "request.received" {
                let id = line["request"].as_str().unwrap_or_default().parse()?;
                if line["phase"] == "event" {
                    received.insert(id);
                } else {
                    received.remove(&id);
                }
            }
        }
        Ok(received)
    }
}
