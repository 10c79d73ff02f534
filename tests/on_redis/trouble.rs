//! Redis is killed, paused, full, read-only or forgetful, whatever people are about to do.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::http::StatusCode;
use tapdesk::config::{Durability, StoreKind};
use tapdesk_tests::browser::Browser;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::redis::{DURABLE, Redis};
use tapdesk_tests::world::{Setting, World, code_in};

const JANES_PHONE: &str = "+491701234512";
/// A task whose performer could not settle it comes again when its lease runs out.
const LEASE: Duration = Duration::from_secs(90);
/// More than anybody needs once the trouble is over.
const TRIES: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Killed,
    Paused,
    Full,
    ReadOnly,
    ForgotScripts,
}

impl Trouble {
    async fn begins(self, redis: &mut Redis) -> anyhow::Result<()> {
        match self {
            Self::Killed => redis.kill().await,
            Self::Paused => redis.pause(),
            Self::Full => redis.does("CONFIG SET maxmemory 1").await,
            // Of nobody: what is there stays.
            Self::ReadOnly => redis.does("REPLICAOF 127.0.0.1 1").await,
            Self::ForgotScripts => redis.does("SCRIPT FLUSH").await,
        }
    }

    async fn ends(self, redis: &mut Redis) -> anyhow::Result<()> {
        match self {
            Self::Killed => redis.start_again(&DURABLE).await,
            Self::Paused => redis.resume(),
            Self::Full => redis.does("CONFIG SET maxmemory 0").await,
            Self::ReadOnly => redis.does("REPLICAOF NO ONE").await,
            Self::ForgotScripts => Ok(()),
        }
    }
}

/// What somebody does next, and goes on doing until it has worked.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask,
    Approve,
    ShowPin,
    Claim,
    Shown,
}

const STEPS: [Step; 5] = [Step::Ask, Step::Approve, Step::ShowPin, Step::Claim, Step::Shown];

/// Ada, Mary and Jane.
struct People {
    world: World,
    browser: Browser,
    pin: Option<String>,
    passcode: Option<String>,
    is_shown: bool,
}

impl People {
    async fn meet() -> anyhow::Result<Self> {
        let world = World::with(Setting { store: StoreKind::Redis, ..Setting::default() }).await?;
        let browser = world.browser();
        Ok(Self { world, browser, pin: None, passcode: None, is_shown: false })
    }

    fn is_done(&self, step: Step) -> bool {
        match step {
            Step::Ask => self.world.card(&self.world.mary, "Approve").is_ok(),
            Step::Approve => self.world.card(&self.world.mary, "Show PIN").is_ok() && self.world.texts() > 0,
            Step::ShowPin => self.pin.is_some(),
            Step::Claim => self.passcode.is_some(),
            Step::Shown => self.is_shown,
        }
    }

    async fn tries(&mut self, step: Step) -> anyhow::Result<()> {
        let world = &self.world;
        match step {
            Step::Ask => drop(world.ada_types_for_jane().await?),
            Step::Approve => {
                let card = world.card(&world.mary, "Approve")?;
                ensure!(world.chat.press(&world.mary.account, &card, "Approve").await?.is_accepted());
            }
            Step::ShowPin => {
                let card = world.card(&world.mary, "Show PIN")?;
                ensure!(world.chat.press(&world.mary.account, &card, "Show PIN").await?.is_accepted());
                world.tapdesk()?.idle().await;
                self.pin = world.pin_before(&world.mary).ok();
            }
            Step::Claim => {
                let pin = self.pin.as_deref().context("Mary told Jane a PIN")?;
                let answer = self.browser.claim(&newest_code(world)?, pin).await?;
                ensure!(
                    matches!(answer.state(), "pass" | "unavailable" | "busy" | "waiting"),
                    "the page shows {answer:?}"
                );
                self.passcode = answer.passcode().ok();
            }
            Step::Shown => {
                let answer = self.browser.shown(&newest_code(world)?).await?;
                let known = [StatusCode::NO_CONTENT, StatusCode::SERVICE_UNAVAILABLE];
                ensure!(known.contains(&answer.status), "the page's word was answered with {answer:?}");
                self.is_shown = answer.status == StatusCode::NO_CONTENT;
            }
        }
        Ok(())
    }

    /// The step is tried in the middle of the trouble, and again once it is over.
    async fn go_through(&mut self, step: Step, trouble: Trouble) -> anyhow::Result<()> {
        trouble.begins(self.world.redis.as_mut().context("no Redis")?).await?;
        self.tries(step).await?;
        // The store may not even say what is due.
        let worked = self.world.settle().await;
        ensure!(trouble != Trouble::ForgotScripts || worked.is_ok(), "{worked:?}");
        if trouble != Trouble::ForgotScripts {
            ensure!(!self.is_done(step), "it was done without the store");
            ensure!(self.world.creates() == usize::from(self.passcode.is_some()), "a pass was asked for");
        }
        trouble.ends(self.world.redis.as_mut().context("no Redis")?).await?;
        for _ in 0..TRIES {
            if self.is_done(step) {
                return Ok(());
            }
            self.tries(step).await?;
            self.world.settle().await?;
            if !matches!(step, Step::Claim | Step::Shown) {
                self.world.advance(LEASE).await?;
            }
        }
        bail!("it did not work again")
    }
}

/// Every step of the main path is tried in the middle of the trouble: nothing is granted, and what was accepted is there
/// afterwards.
async fn walk_through(trouble: Trouble) -> anyhow::Result<()> {
    let mut people = People::meet().await?;
    for step in STEPS {
        people.go_through(step, trouble).await.with_context(|| format!("{trouble:?}, {step:?}"))?;
    }
    let passcode = people.passcode.take().context("Jane has no pass")?;
    let world = people.world;
    let signed_in = world.graph.use_pass(&world.jane.person, &passcode);
    ensure!(signed_in == SignIn::Ok, "the pass that was shown does not work: {signed_in:?}");
    ensure!(world.events("approval.given")? == 1, "one approval was counted more than once");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_is_killed_and_comes_back_has_lost_nothing() -> anyhow::Result<()> {
    walk_through(Trouble::Killed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_answers_nothing_for_a_while_grants_nothing() -> anyhow::Result<()> {
    walk_through(Trouble::Paused).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_is_out_of_memory_takes_nothing_and_forgets_nothing() -> anyhow::Result<()> {
    walk_through(Trouble::Full).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_became_read_only_grants_nothing() -> anyhow::Result<()> {
    walk_through(Trouble::ReadOnly).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_forgot_the_scripts_is_taught_them_again() -> anyhow::Result<()> {
    walk_through(Trouble::ForgotScripts).await
}

fn newest_code(world: &World) -> anyhow::Result<String> {
    let newest = world.twilio.phone(JANES_PHONE).messages().pop().context("no text message came")?;
    code_in(&newest.body).context("the text message holds no code")
}

/// A world on a Redis that keeps nothing on disk, by the administrator's own decision.
async fn without_a_net() -> anyhow::Result<World> {
    let setting = Setting { store: StoreKind::Redis, ..Setting::default() };
    let mut world = World::without_tapdesk(setting).await?;
    lose_everything(&mut world).await?;
    world.restart_configured(|config| config.store.required_durability = Durability::None).await?;
    Ok(world)
}

async fn lose_everything(world: &mut World) -> anyhow::Result<()> {
    let redis = world.redis.as_mut().context("no Redis")?;
    redis.kill().await?;
    redis.start_again(&["--appendonly", "no"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_lost_everything_grants_nothing_on_old_tickets() -> anyhow::Result<()> {
    let mut world = without_a_net().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    lose_everything(&mut world).await?;
    world.claim_gets(&world.browser(), &code, &pin, "unknown").await?;
    ensure!(world.creates() == 0, "a pass was asked for on a ticket that nobody remembers");
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_was_made_while_redis_lost_everything_is_shown_to_nobody_and_deleted()
-> anyhow::Result<()> {
    let mut world = without_a_net().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let gate = world.graph.wire.hold_answer(&world.create());
    let browser = world.browser();
    let claim = tokio::spawn(async move { browser.claim(&code, &pin).await });
    world.graph.wire.arrived(&world.create(), 1).await;
    lose_everything(&mut world).await?;
    gate.open();
    let answer = claim.await??;
    ensure!(answer.passcode().is_err(), "a pass was shown that nobody remembers");
    world.advance(Duration::from_mins(2)).await?;
    ensure!(world.janes_passes() == 0, "the pass that nobody saw lives on");
    world.finish_unread().await
}
