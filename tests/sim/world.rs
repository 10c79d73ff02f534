//! What does a story happen in?
//!
//! One company, its chat, phones and mailboxes, one directory, and tapdesk itself with either store and the file
//! ledger, all over real HTTP on loopback. Time stands still until the story moves it. When a story ends,
//! [`World::finish`] checks what must hold after every story.

mod config;
mod doing;
mod ending;
mod running;
mod time;

use std::sync::Arc;

use tapdesk::app::Parts;
use tapdesk::config::{Config, StoreKind};
use tapdesk_adapters::http;
use tempfile::TempDir;

pub use config::{NO_ALARMS, USUAL_POLICY};
pub use doing::{code_in, pin_in};
pub use running::settle;
pub use time::Hands;

use crate::apart::Apart;
use crate::chat::{Account, Chat, ChatKind};
use crate::entra::{Entra, Proof, Proofs};
use crate::graph::Graph;
use crate::logs::Logs;
use crate::people::{Company, Group, Person};
use crate::redis::{self, Redis};
use crate::slack::Slack;
use crate::smtp::Smtp;
use crate::teams::Teams;
use crate::tickets::TicketSystem;
use crate::twilio::Twilio;
use running::Tapdesk;

pub(crate) const TWILIO_ACCOUNT: &str = "AC00000000000000000000000000000001";
/// What Twilio signs its reports with.
pub const TWILIO_TOKEN: &str = "twilio-auth-token";
/// Where security reads its mail.
pub const SECURITY: &str = "soc@contoso.com";

/// A person of the story: in the directory and in the chat.
#[derive(Clone)]
pub struct Colleague {
    /// In the directory.
    pub person: Person,
    /// In the chat.
    pub account: Account,
}

/// What a story may change before tapdesk starts.
pub struct Setting {
    /// The chat: Slack unless the run is told another.
    pub chat: ChatKind,
    /// The store: the embedded one unless the run is told another.
    pub store: StoreKind,
    /// The `[policy]` section with its rules, as TOML; `{helpdesk}` and `{oncall}` stand for group ids.
    pub policy: String,
    /// The `[security.alarms]` section; most stories ring none.
    pub alarms: String,
    /// Further top-level or sectioned TOML; `{files}` stands for the directory of tapdesk's own files.
    pub extra: String,
    /// What proves tapdesk to Entra.
    pub proof: Proof,
    /// How many seconds tapdesk waits for an answer from outside.
    pub patience: u32,
    /// tapdesk as a process of its own that the story drives; parts cannot be replaced in it.
    pub apart: Option<Apart>,
    /// Replaces parts before the start and after every restart.
    pub fit: Fit,
}

/// Replaces parts of the program.
pub type Fit = Arc<dyn Fn(&mut Parts) + Send + Sync>;

/// The world of one story.
pub struct World {
    /// Time.
    pub hands: Hands,
    /// Everybody in the directory.
    pub company: Company,
    /// The token endpoint.
    pub entra: Entra,
    /// Graph.
    pub graph: Graph,
    /// Where people ask, approve and are told.
    pub chat: Chat,
    /// Text messages.
    pub twilio: Twilio,
    /// A ticket system, where it is configured.
    pub tickets: TicketSystem,
    /// Mail.
    pub smtp: Smtp,
    /// The store's server, where it has one.
    pub redis: Option<Redis>,
    /// The helpdesk agent.
    pub ada: Colleague,
    /// The subject's manager.
    pub mary: Colleague,
    /// The subject, locked out.
    pub jane: Colleague,
    /// On call; may approve instead of a manager.
    pub otto: Colleague,
    /// Agents.
    pub helpdesk: Group,
    /// The people on call.
    pub oncall: Group,
    /// tapdesk's own files.
    pub files: TempDir,
    /// What proves it to Entra.
    pub proofs: Proofs,
    setting: Setting,
    pub(crate) config: Box<Config>,
    config_text: String,
    running: Option<Tapdesk>,
    pub(crate) http: reqwest::Client,
    logs: Logs,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            chat: ChatKind::of_this_run(),
            store: config::store_of_this_run(),
            policy: USUAL_POLICY.to_owned(),
            alarms: NO_ALARMS.to_owned(),
            extra: String::new(),
            proof: Proof::default(),
            patience: 5,
            apart: None,
            fit: Arc::new(|_| {}),
        }
    }
}

impl World {
    /// The usual world: Ada of the help desk, Mary the manager, Jane who is locked out, Otto on call.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(Setting::default()).await
    }

    /// A world with another setting.
    pub async fn with(setting: Setting) -> anyhow::Result<Self> {
        let mut world = Self::without_tapdesk(setting).await?;
        world.start_tapdesk().await?;
        Ok(world)
    }

    /// A world in which tapdesk does not run yet.
    pub async fn without_tapdesk(setting: Setting) -> anyhow::Result<Self> {
        tapdesk::system::install_crypto_provider();
        let logs = Logs::capture();
        let hands = Hands::at("2026-11-23T10:00:00Z".parse()?);
        let now = hands.shown();
        let company = Company::new();
        let entra = Entra::start(now.clone()).await?;
        let graph = Graph::start(company.clone(), entra.clone(), now.clone()).await?;
        let chat = Chat::start(setting.chat, now.clone()).await?;
        let twilio = Twilio::start(now.clone(), TWILIO_ACCOUNT, TWILIO_TOKEN).await?;
        let tickets = TicketSystem::start(now.clone()).await?;
        let smtp = Smtp::start(None).await?;
        let colleague = |handle: &str, name: &str, upn: &str| {
            let person = company.person(name, upn).with_mail(upn);
            Colleague { account: chat.join(handle, &person, upn), person }
        };
        let mary = colleague("MARY", "Mary Major", "mary.major@contoso.com");
        let ada = colleague("ADA", "Ada Agent", "ada.agent@contoso.com");
        let jane = colleague("JANE", "Jane Doe", "jane.doe@contoso.com");
        let otto = colleague("OTTO", "Otto Oncall", "otto.oncall@contoso.com");
        jane.person.manager(&mary.person).mobile("+491701234512");
        let helpdesk = company.group("Help desk").member(&ada.person);
        let oncall = company.group("On call").member(&otto.person);
        // What was set up before has been so for ever.
        company.keep_audit(now);
        let files = tempfile::tempdir()?;
        std::fs::write(files.path().join("pepper"), [7; 32])?;
        let redis = match setting.store {
            StoreKind::Embedded => None,
            StoreKind::Redis => Some(Redis::start(&files.path().join("redis"), &redis::DURABLE).await?),
        };
        let store = config::store_text(files.path(), redis.as_ref());
        let (proofs, proof) = Proofs::lay_out(setting.proof, &entra, hands.now())?;
        let text = config::text(&setting, files.path(), &entra, &graph, &chat, &twilio, smtp.address)
            .replace("{store}", &store)
            .replace("{proof}", &proof)
            .replace("{helpdesk}", helpdesk.id())
            .replace("{oncall}", oncall.id())
            .replace("{tickets}", tickets.url.as_str())
            .replace("{files}", &files.path().display().to_string());
        let config = Box::new(Config::parse("world.toml", &text)?);
        Ok(Self {
            hands,
            company,
            entra,
            graph,
            chat,
            twilio,
            tickets,
            smtp,
            redis,
            ada,
            mary,
            jane,
            otto,
            helpdesk,
            oncall,
            files,
            proofs,
            setting,
            config,
            config_text: text,
            running: None,
            http: http::client(http::Limits::default())?,
            logs,
        })
    }

    /// Another colleague, known to directory and chat.
    #[must_use]
    pub fn colleague(&self, name: &str, upn: &str) -> Colleague {
        let person = self.company.person(name, upn).with_mail(upn);
        let handle = name.to_uppercase().replace(' ', "");
        Colleague { account: self.chat.join(&handle, &person, upn), person }
    }

    /// The workspace, for stories that are about Slack's own protocol.
    ///
    /// # Panics
    /// When the story is told in another chat.
    #[must_use]
    pub fn slack(&self) -> &Slack {
        match &self.chat {
            Chat::Slack(slack) => slack,
            Chat::Teams(_) => panic!("this story is told in Slack alone"),
        }
    }

    /// Teams, for stories that are about its own protocol.
    ///
    /// # Panics
    /// When the story is told in another chat.
    #[must_use]
    pub fn teams(&self) -> &Teams {
        match &self.chat {
            Chat::Teams(teams) => teams,
            Chat::Slack(_) => panic!("this story is told in Teams alone"),
        }
    }

    /// What tapdesk was configured with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same as the file that an administrator would have written.
    #[must_use]
    pub fn config_text(&self) -> &str {
        &self.config_text
    }
}
