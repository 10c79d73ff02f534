//! What does a story happen in?
//!
//! One company, its chats, phones and mailboxes, one directory, and tapdesk itself with either store and the file
//! ledger, all over real HTTP on loopback. Time stands still until the story moves it. When a story ends,
//! [`World::finish`] checks what must hold after every story.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use tapdesk::app::{self, Parts, Running};
use tapdesk::config::{Config, StoreKind};
use tapdesk::system::{SystemClock, SystemEntropy};
use tapdesk_adapters::http;
use tapdesk_core::ids::RequestId;
use tapdesk_core::ports::Clock;
use tapdesk_core::request::State;
use tempfile::TempDir;
use url::Url;

use crate::apart::{Apart, Mortal};
use crate::browser::Browser;
use crate::entra::Entra;
use crate::graph::Graph;
use crate::logs::Logs;
use crate::people::{Company, Group, Person};
use crate::redis::{self, Redis};
use crate::slack::{self, Message, Reply, Slack};
use crate::smtp::Smtp;
use crate::twilio::Twilio;
use crate::wire::lock;

/// The slash command of the simulated workspace.
pub const COMMAND: &str = "/tap";
pub(crate) const TWILIO_ACCOUNT: &str = "AC00000000000000000000000000000001";
/// What Twilio signs its reports with.
pub const TWILIO_TOKEN: &str = "twilio-auth-token";
/// Where security reads its mail.
pub const SECURITY: &str = "soc@contoso.com";

/// The clock of the world.
#[derive(Clone)]
pub struct Hands(Arc<Mutex<Option<Timestamp>>>);

/// A person of the story: in the directory and in the chat.
#[derive(Clone)]
pub struct Colleague {
    /// In the directory.
    pub person: Person,
    /// In Slack.
    pub account: slack::Person,
}

/// What a story may change before tapdesk starts.
pub struct Setting {
    /// The store: the embedded one unless the run is told another.
    pub store: StoreKind,
    /// The `[policy]` section with its rules, as TOML; `{helpdesk}` and `{oncall}` stand for group ids.
    pub policy: String,
    /// The `[security.alarms]` section; most stories ring none.
    pub alarms: String,
    /// Further top-level or sectioned TOML; `{files}` stands for the directory of tapdesk's own files.
    pub extra: String,
    /// How many seconds tapdesk waits for an answer from outside.
    pub patience: u32,
    /// tapdesk as a process of its own that the story drives; parts cannot be replaced in it.
    pub apart: Option<Apart>,
    /// Replaces parts before the start and after every restart.
    pub fit: Fit,
}

/// Replaces parts of the program.
pub type Fit = Arc<dyn Fn(&mut Parts) + Send + Sync>;

/// The program that runs.
enum Tapdesk {
    Here(Box<Running>),
    Apart(Box<Mortal>),
}

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
    /// Slack.
    pub slack: Slack,
    /// Text messages.
    pub twilio: Twilio,
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
    setting: Setting,
    pub(crate) config: Box<Config>,
    config_text: String,
    running: Option<Tapdesk>,
    pub(crate) http: reqwest::Client,
    logs: Logs,
}

/// The rule of most stories.
pub const USUAL_POLICY: &str = r#"
[policy]
[[policy.rule]]
name = "helpdesk for staff"
requester = "group:{helpdesk}"
subject = "anyone"
approvals = ["manager | group:{oncall}"]
lifetime = "1h"
ticket = ["sms"]
pin = ["approver"]
notice = ["email", "manager"]
"#;

/// Every alarm is off.
pub const NO_ALARMS: &str = r#"
[security.alarms]
repeated_requests = "off"
busy_agent = "off"
quick_approval = "off"
new_approver = "off"
"#;

impl Default for Setting {
    fn default() -> Self {
        Self {
            store: store_of_this_run(),
            policy: USUAL_POLICY.to_owned(),
            alarms: NO_ALARMS.to_owned(),
            extra: String::new(),
            patience: 5,
            apart: None,
            fit: Arc::new(|_| {}),
        }
    }
}

impl Hands {
    /// A clock that stands at that time.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Some(time))))
    }

    /// The time that the world shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        lock(&self.0).unwrap_or_else(|| SystemClock.now())
    }

    /// Moves the time on, without letting anybody act.
    pub fn turn(&self, by: Duration) {
        let now = self.now();
        self.set(now.saturating_add(by).unwrap_or(now));
    }

    /// Lets the time go as fast as the machine's, for a tapdesk in a process of its own.
    pub fn run(&self) {
        *lock(&self.0) = None;
    }

    /// Stops the time where it is.
    pub fn stop(&self) {
        self.set(self.now());
    }

    /// Moves the hands to that time, without letting anybody act.
    pub fn set(&self, at: Timestamp) {
        *lock(&self.0) = Some(at);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Self::now(self)
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
        let now = now_of(&hands);
        let company = Company::new();
        let entra = Entra::start(now.clone()).await?;
        let graph = Graph::start(company.clone(), entra.clone(), now.clone()).await?;
        let slack = Slack::start(now.clone(), slack::Workspace::default()).await?;
        let twilio = Twilio::start(now, TWILIO_ACCOUNT, TWILIO_TOKEN).await?;
        let audit_clock = now_of(&hands);
        let smtp = Smtp::start(None).await?;
        let colleague = |id: &str, name: &str, upn: &str| Colleague {
            person: company.person(name, upn).with_mail(upn),
            account: slack.user(id, &name.to_lowercase().replace(' ', "."), upn),
        };
        let mary = colleague("U0MARY", "Mary Major", "mary.major@contoso.com");
        let ada = colleague("U0ADA", "Ada Agent", "ada.agent@contoso.com");
        let jane = colleague("U0JANE", "Jane Doe", "jane.doe@contoso.com");
        let otto = colleague("U0OTTO", "Otto Oncall", "otto.oncall@contoso.com");
        jane.person.manager(&mary.person).mobile("+491701234512");
        let helpdesk = company.group("Help desk").member(&ada.person);
        let oncall = company.group("On call").member(&otto.person);
        // What was set up before has been so for ever.
        company.keep_audit(audit_clock);
        let files = tempfile::tempdir()?;
        std::fs::write(files.path().join("pepper"), [7; 32])?;
        let redis = match setting.store {
            StoreKind::Embedded => None,
            StoreKind::Redis => Some(Redis::start(&files.path().join("redis"), &redis::DURABLE).await?),
        };
        let store = store_text(files.path(), redis.as_ref());
        let text = config_text(&setting, files.path(), &entra, &graph, &slack, &twilio, smtp.address)
            .replace("{store}", &store)
            .replace("{helpdesk}", helpdesk.id())
            .replace("{oncall}", oncall.id())
            .replace("{files}", &files.path().display().to_string());
        let config = Box::new(Config::parse("world.toml", &text)?);
        Ok(Self {
            hands,
            company,
            entra,
            graph,
            slack,
            twilio,
            smtp,
            redis,
            ada,
            mary,
            jane,
            otto,
            helpdesk,
            oncall,
            files,
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
        let id = format!("U0{}", name.to_uppercase().replace(' ', ""));
        Colleague {
            person: self.company.person(name, upn).with_mail(upn),
            account: self.slack.user(&id, &name.to_lowercase().replace(' ', "."), upn),
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

    /// Where people and webhooks reach tapdesk.
    #[must_use]
    pub fn base(&self) -> Url {
        match &self.running {
            None => nowhere(),
            Some(Tapdesk::Here(running)) => base_url(running.address),
            Some(Tapdesk::Apart(mortal)) => mortal.base.clone(),
        }
    }

    /// Where the admin listener is.
    #[must_use]
    pub fn admin_base(&self) -> Url {
        match &self.running {
            None => nowhere(),
            Some(Tapdesk::Here(running)) => base_url(running.admin_address),
            Some(Tapdesk::Apart(mortal)) => mortal.admin_base.clone(),
        }
    }

    /// The program that runs inside the story.
    pub fn tapdesk(&self) -> anyhow::Result<&Running> {
        match &self.running {
            Some(Tapdesk::Here(running)) => Ok(running),
            Some(Tapdesk::Apart(_)) | None => anyhow::bail!("tapdesk is not running here"),
        }
    }

    /// Starts tapdesk on the files that are there.
    pub async fn start_tapdesk(&mut self) -> anyhow::Result<()> {
        let running = if let Some(apart) = &self.setting.apart {
            let config = self.write_config(|text| text)?;
            Tapdesk::Apart(Box::new(
                Mortal::start(apart, &config, self.hands.now(), self.http.clone()).await?,
            ))
        } else {
            let mut parts =
                Parts::build(&self.config, Arc::new(self.hands.clone()), Arc::new(SystemEntropy))?;
            parts.answer_after = Duration::from_millis(20);
            (self.setting.fit)(&mut parts);
            Tapdesk::Here(Box::new(app::start(&self.config, parts).await?))
        };
        self.running = Some(running);
        self.slack.attach(self.base());
        Ok(())
    }

    /// Stops tapdesk as an operator does; kills one that is a process of its own.
    pub async fn stop_tapdesk(&mut self) {
        match self.running.take() {
            Some(Tapdesk::Here(running)) => running.stop().await,
            // It is gone in either case.
            Some(Tapdesk::Apart(mortal)) => drop(mortal.kill().await),
            None => {}
        }
    }

    /// Whether the process that tapdesk is has died, perhaps while somebody waited for its answer.
    pub async fn has_died(&mut self, did_not_answer: bool) -> anyhow::Result<bool> {
        match &mut self.running {
            Some(Tapdesk::Apart(mortal)) => mortal.is_dead(did_not_answer).await,
            Some(Tapdesk::Here(_)) | None => Ok(false),
        }
    }

    /// Starts a process that died again; this one does not.
    pub async fn revive(&mut self) -> anyhow::Result<()> {
        self.stop_tapdesk().await;
        if let Some(apart) = &mut self.setting.apart {
            apart.death = None;
        }
        self.start_tapdesk().await
    }

    /// Stops tapdesk and starts it again on the same files, with whole parts.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.restart_with(Arc::new(|_| {})).await
    }

    /// Stops tapdesk and starts it again on the same files, with other parts.
    pub async fn restart_with(&mut self, fit: Fit) -> anyhow::Result<()> {
        self.stop_tapdesk().await;
        self.setting.fit = fit;
        self.start_tapdesk().await
    }

    /// Lets everybody work until nothing is due.
    pub async fn settle(&self) -> anyhow::Result<()> {
        match &self.running {
            Some(Tapdesk::Here(running)) => settle(running).await,
            Some(Tapdesk::Apart(mortal)) => mortal.settle(self.hands.now()).await,
            None => anyhow::bail!("tapdesk is not running"),
        }
    }

    /// Performs what is due while somebody waits for an answer that is held.
    pub async fn works_meanwhile(&self) -> anyhow::Result<()> {
        while self.tapdesk()?.worker.tick().await? > 0 {}
        Ok(())
    }

    /// When the next task is due.
    pub async fn next_due(&self) -> anyhow::Result<Option<Timestamp>> {
        match &self.running {
            Some(Tapdesk::Here(running)) => Ok(running.worker.desk.store().next_due().await?),
            Some(Tapdesk::Apart(mortal)) => mortal.next_due().await,
            None => anyhow::bail!("tapdesk is not running"),
        }
    }

    /// The state of a request, if the store knows it.
    pub async fn state(&self, id: &RequestId) -> anyhow::Result<Option<State>> {
        match &self.running {
            Some(Tapdesk::Here(running)) => {
                let stored = running.worker.desk.store().load(id).await?;
                Ok(stored.map(|stored| stored.request.state))
            }
            Some(Tapdesk::Apart(mortal)) => mortal.state(id.as_str()).await,
            None => anyhow::bail!("tapdesk is not running"),
        }
    }

    /// Moves the time on, stopping wherever a task is due.
    pub async fn advance(&self, by: Duration) -> anyhow::Result<()> {
        let target = self.hands.now().saturating_add(by)?;
        for _ in 0..20_000 {
            self.settle().await?;
            match self.next_due().await? {
                Some(due) if due <= target => self.hands.set(due.max(self.hands.now())),
                Some(_) | None => {
                    self.hands.set(target);
                    return self.settle().await;
                }
            }
        }
        anyhow::bail!("time does not get there: something is always due")
    }

    /// Somebody types a command.
    pub async fn types(&self, who: &Colleague, text: &str) -> Reply {
        self.slack.command(&who.account, COMMAND, text).await
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
        let inbox = self.slack.inbox(&who.account);
        let found = inbox.into_iter().rev().find(|message| message.visible_text().contains(&label));
        found.with_context(|| format!("{} sees no button {label}", who.account.name))
    }

    /// Somebody presses a button in their private chat, and everybody works.
    pub async fn presses(&self, who: &Colleague, button: &str) -> anyhow::Result<Reply> {
        let reply = self.slack.press(&who.account, &self.card(who, button)?, button).await?;
        ensure!(reply.is_accepted(), "pressing {button} was not accepted: {reply:?}");
        self.settle().await?;
        Ok(reply)
    }

    /// What somebody has not read yet in their private chat, oldest first; reads it.
    pub fn reads(&self, who: &Colleague) -> Vec<String> {
        self.slack.read(&who.account).iter().map(Message::visible_text).collect()
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
        let modal = self.slack.modal(&who.account).context("no modal is open")?;
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
            self.slack.read(&colleague.account);
        }
        for (person, _) in self.slack.all_unread() {
            self.slack.read(&person);
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

    /// What must hold after every story: let time run out, then look everywhere.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        ensure!(self.slack.all_unread().is_empty(), "unread in Slack: {:#?}", unread_texts(&self.slack));
        ensure!(self.twilio.unread().is_empty(), "unread text messages");
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
        self.slack.wire.heal();
        self.twilio.wire.heal();
        self.entra.wire.heal();
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

    /// What a collector of metrics reads.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.http.get(self.admin_base().join("metrics")?).send().await?.text().await?)
    }

    /// What tapdesk logged since the world began, at TRACE.
    #[must_use]
    pub fn logged(&self) -> String {
        self.logs.text()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for wire in [&self.entra.wire, &self.graph.wire, &self.slack.wire, &self.twilio.wire] {
            wire.stop();
        }
        self.smtp.stop();
    }
}

/// Lets a program work until nothing is due.
pub async fn settle(running: &Running) -> anyhow::Result<()> {
    for _ in 0..200 {
        running.idle().await;
        if running.worker.tick().await? == 0 {
            running.idle().await;
            return Ok(());
        }
    }
    anyhow::bail!("there was always another task due")
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

fn unread_texts(slack: &Slack) -> Vec<(String, String)> {
    slack.all_unread().into_iter().map(|(person, message)| (person.name, message.visible_text())).collect()
}

fn now_of(hands: &Hands) -> crate::Now {
    let hands = hands.clone();
    Arc::new(move || hands.now())
}

/// Where nobody listens.
fn nowhere() -> Url {
    base_url(SocketAddr::from(([127, 0, 0, 1], 1)))
}

fn base_url(address: SocketAddr) -> Url {
    let text = format!("http://{address}/");
    Url::parse(&text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
}

/// Every story is told twice: `tests/run` says for which store.
fn store_of_this_run() -> StoreKind {
    match std::env::var("TAPDESK_TEST_STORE").as_deref() {
        Err(_) | Ok("embedded") => StoreKind::Embedded,
        Ok("redis") => StoreKind::Redis,
        Ok(other) => panic!("TAPDESK_TEST_STORE is embedded or redis, not {other:?}"),
    }
}

fn store_text(files: &Path, redis: Option<&Redis>) -> String {
    match redis {
        None => format!("kind = \"embedded\"\npath = \"{}/tapdesk.db\"", files.display()),
        Some(redis) => format!("kind = \"redis\"\nurl = \"{}\"", redis.url()),
    }
}

fn config_text(
    setting: &Setting,
    files: &Path,
    entra: &Entra,
    graph: &Graph,
    slack: &Slack,
    twilio: &Twilio,
    smtp: SocketAddr,
) -> String {
    let workspace = slack.workspace();
    let files = files.display();
    let hook_host = slack.url.authority();
    format!(
        r#"
public_url = "https://tap.contoso.com"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
pepper_file = "{files}/pepper"
{extra}

[store]
{{store}}

[ledger]
path = "{files}/ledger"

[outbound]
connect = "{connect}s"
total = "{patience}s"
retry_pause = "0s"

[security]
notify = ["mailto:{SECURITY}"]
{alarms}

[graph]
tenant_id = "{tenant}"
client_id = "{client}"
client_secret = '{secret}'
base_url = "{graph_url}"
authority = "{entra_url}"

[slack]
signing_secret = "{signing}"
bot_token = "{bot_token}"
app_id = "{app}"
teams = ["{team}"]
trust_email = true
base_url = "{slack_url}"
response_hosts = ["{hook_host}"]

[courier.sms]
kind = "twilio"
account_sid = "{TWILIO_ACCOUNT}"
password = "{TWILIO_TOKEN}"
auth_token = "{TWILIO_TOKEN}"
from = "+15005550006"
base_url = "{twilio_url}"

[courier.email]
host = "{smtp_host}"
port = {smtp_port}
tls = "none"
from = "tapdesk <tapdesk@contoso.com>"

{policy}
"#,
        extra = setting.extra,
        alarms = setting.alarms,
        connect = setting.patience.min(2),
        patience = setting.patience,
        tenant = entra.tenant_id,
        client = entra.client_id,
        secret = entra.client_secret(),
        graph_url = graph.url,
        entra_url = entra.url,
        signing = workspace.signing_secret,
        bot_token = workspace.bot_token,
        app = workspace.app_id,
        team = workspace.team_id,
        slack_url = slack.api_url(),
        twilio_url = twilio.url,
        smtp_host = smtp.ip(),
        smtp_port = smtp.port(),
        policy = setting.policy,
    )
}
