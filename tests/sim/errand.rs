//! What do people do for one request, from the first word to the sign-in, however often tapdesk dies on them?
//!
//! They look at what is there, press what they see, and do it again when nothing comes of it. Each has patience, but not
//! for ever: what was accepted has to come.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::StatusCode;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::browser::Browser;
use crate::chat::{Chat, Message};
use crate::graph::{Graph, SignIn};
use crate::replicas::Replicas;
use crate::slack::http;
use crate::twilio::Twilio;
use crate::world::{Colleague, code_in, pin_in};

/// After this long without any effect, people press a button again.
const PRESS_AGAIN: Duration = Duration::from_secs(4);
/// After this long something that was accepted counts as lost: long enough for a machine that has other things to do.
const LOST: Duration = Duration::from_mins(3);
/// How often somebody tries one thing.
const TRIES: usize = 40;

/// A manager: reads one PIN at a time.
#[derive(Clone)]
pub struct Manager {
    /// Who it is.
    pub colleague: Colleague,
    hands: Arc<Mutex<()>>,
}

/// One request and its people.
pub struct Errand {
    /// Asks.
    pub agent: Colleague,
    /// Approves, and tells the PIN.
    pub manager: Manager,
    /// Is locked out.
    pub subject: Colleague,
    /// The subject's phone.
    pub phone: String,
    /// What the subject is called; looked for in every message that comes.
    name: String,
    chat: Chat,
    twilio: Twilio,
    graph: Graph,
    browser: Browser,
}

impl Manager {
    /// That colleague, with both hands free.
    #[must_use]
    pub fn new(colleague: Colleague) -> Self {
        Self { colleague, hands: Arc::default() }
    }
}

impl Errand {
    /// An errand that goes through the balancer.
    pub fn new(
        replicas: &Replicas,
        agent: Colleague,
        manager: Manager,
        subject: Colleague,
        phone: String,
    ) -> anyhow::Result<Self> {
        let world = &replicas.world;
        subject.person.manager(&manager.colleague.person).mobile(&phone);
        Ok(Self {
            agent,
            manager,
            name: subject.person.name(),
            subject,
            phone,
            chat: world.chat.clone(),
            twilio: world.twilio.clone(),
            graph: world.graph.clone(),
            // Without idle connections, so that each click may reach another replica.
            browser: Browser::open(replicas.base()?, http()?),
        })
    }

    /// Goes all the way.
    pub async fn run(&self) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            self.ask().await.context("asking")?;
            self.approve().await.context("approving")?;
            if let Some(passcode) = self.claim().await.context("claiming")? {
                let signed_in = self.graph.use_pass(&self.subject.person, &passcode);
                ensure!(signed_in == SignIn::Ok, "Windows answered {signed_in:?}");
                return Ok(());
            }
            // Until then it could be taken for the card of the next request.
            let ended = self.chat.wire().brings(LOST, || self.card("Show PIN").is_none()).await;
            ensure!(ended, "the card of a locked ticket keeps its button");
        }
        bail!("every ticket was locked")
    }

    async fn ask(&self) -> anyhow::Result<()> {
        let text = format!("for {} lost the phone, INC0012345", self.subject.account.mention());
        for _ in 0..TRIES {
            let reply = self.chat.types(&self.agent.account, &text).await;
            if !reply.is_accepted() || reply.body.contains("could not confirm") {
                continue;
            }
            let is_taken = reply.body.contains("Checking…") || reply.body.contains("I have this one already");
            ensure!(is_taken, "{reply:?}");
            return Ok(());
        }
        bail!("nobody takes the command")
    }

    async fn approve(&self) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            if self.card("Show PIN").is_some() {
                return Ok(());
            }
            let Some(card) = self.card("Approve") else {
                let comes = self.chat.wire().brings(LOST, || self.card("Approve").is_some()).await;
                ensure!(comes, "no card comes");
                continue;
            };
            // What is not acknowledged, or was decided by an earlier click, shows on the card or is pressed again.
            let _ = self.chat.press(&self.manager.colleague.account, &card, "Approve").await;
            self.chat.wire().brings(PRESS_AGAIN, || self.card("Show PIN").is_some()).await;
        }
        bail!("approving has no effect")
    }

    /// The manager reads the PIN and tells it.
    async fn pin(&self) -> anyhow::Result<String> {
        let manager = &self.manager.colleague.account;
        let _both_hands = self.manager.hands.lock().await;
        for _ in 0..TRIES {
            // While a pass is under way that nobody will see, the card has no button for a moment.
            self.chat.wire().brings(LOST, || self.card("Show PIN").is_some()).await;
            let card = self.card("Show PIN").context("the button is gone")?;
            // A press that is lost brings no window.
            let _ = self.chat.press(manager, &card, "Show PIN").await;
            self.chat.wire().brings(PRESS_AGAIN, || self.shown_pin().is_some()).await;
            if let Some(pin) = self.shown_pin() {
                self.chat.close_view(manager).await?;
                return Ok(pin);
            }
        }
        bail!("no window with a PIN opens")
    }

    /// `None` if the ticket was locked: a try counts before its PIN is checked, and tapdesk died over five of them.
    async fn claim(&self) -> anyhow::Result<Option<String>> {
        let comes = self.twilio.wire.brings(LOST, || self.code().is_some()).await;
        ensure!(comes, "no code comes");
        let mut pin = self.pin().await?;
        let mut answers = Vec::new();
        for _ in 0..TRIES {
            let code = self.code().context("no code came")?;
            // A connection that breaks off is tried again by whoever stands before the page.
            let Ok(answer) = self.browser.claim(&code, &pin).await else { continue };
            answers.push(answer.state().to_owned());
            match answer.state() {
                "pass" => {
                    if self.says_shown(&code).await? {
                        return answer.passcode().map(Some);
                    }
                    answers.push("gone".to_owned());
                }
                "wrong_pin" | "waiting" => pin = self.pin().await?,
                // As the page does, which counts the seconds down.
                "busy" | "unavailable" => sleep(Duration::from_secs(answer.retry_after())).await,
                "locked" => return Ok(None),
                // An older code: a newer one is on its way.
                "unknown" => {
                    self.twilio.wire.brings(PRESS_AGAIN, || self.code().is_some_and(|new| new != code)).await;
                }
                _ => bail!("the claim was answered with {answer:?} after {answers:?}"),
            }
        }
        bail!("claiming brings no pass, but {answers:?}")
    }

    /// Whether the pass on the screen counts as seen; otherwise it was deleted meanwhile.
    async fn says_shown(&self, code: &str) -> anyhow::Result<bool> {
        for _ in 0..TRIES {
            let Ok(answer) = self.browser.shown(code).await else { continue };
            match answer.status {
                StatusCode::NO_CONTENT => return Ok(true),
                StatusCode::GONE => return Ok(false),
                _ => sleep(Duration::from_secs(answer.retry_after())).await,
            }
        }
        bail!("nobody hears that the pass was shown")
    }

    fn card(&self, button: &str) -> Option<Message> {
        let is_it = |message: &Message| {
            message.buttons().iter().any(|other| other.label == button)
                && message.visible_text().contains(&self.name)
        };
        self.chat.inbox(&self.manager.colleague.account).into_iter().rev().find(is_it)
    }

    fn shown_pin(&self) -> Option<String> {
        let text = self.chat.modal(&self.manager.colleague.account)?.visible_text();
        if text.contains(&self.name) { pin_in(&text) } else { None }
    }

    fn code(&self) -> Option<String> {
        code_in(&self.twilio.phone(&self.phone).messages().last()?.body)
    }
}
