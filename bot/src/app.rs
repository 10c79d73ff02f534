//! How are the parts put together? (The composition root: the only file that names concrete adapters.)

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tapdesk_adapters::couriers::{Mail, MailConfig, MailTls, Sender, StatusReports, Twilio, TwilioConfig};
use tapdesk_adapters::graph::{Graph, GraphConfig};
use tapdesk_adapters::hooks::{Hook, HookConfig, Hooks};
use tapdesk_adapters::http;
use tapdesk_adapters::ledgers::file::{self, FileLedger};
use tapdesk_adapters::slack::{Slack, SlackConfig};
use tapdesk_adapters::stores::embedded::Embedded;
use tapdesk_adapters::stores::redis::{Durability, Redis, RedisConfig};
use tapdesk_adapters::teams::{Teams, TeamsConfig};
use tapdesk_core::desk::{Desk, Ports, Settings};
use tapdesk_core::evaluation::{Evaluating, Mode, UnchangedDirectory};
use tapdesk_core::ids::{SourceName, WorkerId};
use tapdesk_core::ports::{Chat, Clock, Courier, Directory, Entropy, Ledger, Pins, Store};
use tapdesk_core::source::SourceTerms;
use tapdesk_core::ticket::{Malformed, Pepper, Pin, PinHash};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::ask::Asks;
use crate::config::{self, Config, EmailTls, StoreKind};
use crate::server::{self, Admin, Site};
use crate::system::{self, SystemClock};
use crate::worker::Worker;
use crate::{recovery, scrub};

pub(crate) mod look;

/// PIN checks at a time: each costs one core tens of milliseconds and 9 MiB.
const PIN_CHECKS: usize = 2;
/// How long a request may take to bring its body.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// How long the page for people without chat takes to answer at least: longer than a slow disk's sync.
const ANSWER_AFTER: Duration = Duration::from_secs(1);
/// How long shutdown waits for work in hand.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(25);

/// A server on the same network that takes longer is in trouble; webhooks have to be acknowledged within 3 s.
const REDIS_CONNECTS_WITHIN: Duration = Duration::from_secs(1);
/// A script takes less than a millisecond, a slow disk's sync some hundred.
const REDIS_RESPONDS_WITHIN: Duration = Duration::from_millis(1200);

/// Everything that the program is put together from.
pub struct Parts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Entra.
    pub directory: Arc<dyn Directory>,
    /// Slack, where it is configured: its webhooks and, among `chats`, its verbs.
    pub slack: Option<Arc<Slack>>,
    /// Teams, where it is configured: its webhooks and, among `chats`, its verbs.
    pub teams: Option<Arc<Teams>>,
    /// Every chat that is configured.
    pub chats: Vec<Arc<dyn Chat>>,
    /// The ticket systems and workflows that may ask.
    pub hooks: Hooks,
    /// At most one per route.
    pub couriers: Vec<Arc<dyn Courier>>,
    /// What reads Twilio's reports of how far text messages came.
    pub status_reports: Option<Arc<StatusReports>>,
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// Redis, where it is the store: checked at the start, and heard for tasks that other replicas add.
    pub redis: Option<Arc<Redis>>,
    /// The audit record.
    pub ledger: Arc<dyn Ledger>,
    /// The server's pepper.
    pub pepper: Arc<Pepper>,
    /// How long a request may take to bring its body.
    pub body_within: Duration,
    /// How long the page for people without chat takes to answer at least.
    pub answer_after: Duration,
}

/// A program that listens. The worker is handed out, so that whoever drives time drives it too.
pub struct Running {
    /// Where the public listener is.
    pub address: SocketAddr,
    /// Where the admin listener is.
    pub admin_address: SocketAddr,
    /// The performer of due tasks.
    pub worker: Worker,
    stop: Stop,
}

/// What ends the listeners.
pub struct Stop {
    handles: [Handle<SocketAddr>; 2],
    servers: Vec<JoinHandle<std::io::Result<()>>>,
    tracker: TaskTracker,
    _listening: Option<Listening>,
}

/// Hears of tasks that other replicas added, as long as it is kept.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Parts {
    /// The parts that the configuration names.
    pub fn build(config: &Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Self> {
        let redis = match config.store.kind {
            StoreKind::Embedded => None,
            StoreKind::Redis => Some(redis(&config.store, &*entropy)?),
        };
        let store: Arc<dyn Store> = match &redis {
            Some(redis) => Arc::<Redis>::clone(redis),
            None => Arc::new(embedded(&config.store)?),
        };
        let options = file::Options { name: config.ledger.name()?, ..file::Options::default() };
        let ledger = FileLedger::open(&config.ledger.path, options, clock.now()).context("[ledger]")?;
        Self::around(config, store, redis, Arc::new(ledger), clock, entropy)
    }

    /// The same around a store and a ledger that are there.
    fn around(
        config: &Config,
        store: Arc<dyn Store>,
        redis: Option<Arc<Redis>>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let limits = http::Limits { connect: config.outbound.connect, total: config.outbound.total };
        let http = http::client(limits).context("the HTTP client cannot be built")?;
        let previous = config.previous_pepper_file.as_deref().map(config::pepper).transpose()?;
        let pepper = Arc::new(Pepper::new(config::pepper(&config.pepper_file)?, previous));
        let slack = config.slack.as_ref().map(|section| slack(section, &http, &clock)).transpose()?;
        let section = config.teams.as_ref();
        let teams =
            section.map(|section| teams(section, config, &http, &clock, &entropy, &store)).transpose()?;
        let mut chats: Vec<Arc<dyn Chat>> = Vec::new();
        chats.extend(slack.iter().map(|slack| Arc::clone(slack) as Arc<dyn Chat>));
        chats.extend(teams.iter().map(|teams| Arc::clone(teams) as Arc<dyn Chat>));
        Ok(Self {
            directory: Arc::new(graph(config, &http, &clock, &entropy)?),
            chats,
            slack,
            teams,
            hooks: hooks(config, &http, &clock)?,
            couriers: couriers(config, &http, &clock, &entropy)?,
            status_reports: status_reports(config)?,
            store,
            redis,
            ledger,
            pepper,
            body_within: BODY_WITHIN,
            answer_after: ANSWER_AFTER,
            clock,
            entropy,
        })
    }
}

impl Parts {
    /// The same parts as the mode wants them: in an evaluation nothing reaches Entra, and everything is marked.
    fn in_mode(mut self, mode: Mode) -> Self {
        if mode == Mode::Enforce {
            return self;
        }
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        self.directory = Arc::new(UnchangedDirectory::new(self.directory, clock, entropy));
        let marked = |chat| Arc::new(Evaluating::<dyn Chat>::new(chat)) as Arc<dyn Chat>;
        self.chats = self.chats.into_iter().map(marked).collect();
        let marked = |courier| Arc::new(Evaluating::<dyn Courier>::new(courier)) as Arc<dyn Courier>;
        self.couriers = self.couriers.into_iter().map(marked).collect();
        self.ledger = Arc::new(Evaluating::<dyn Ledger>::new(self.ledger));
        self
    }
}

/// Starts the listeners. Issuing is refused, by not starting, when the ledger is behind the store.
pub async fn start(config: &Config, parts: Parts) -> anyhow::Result<Running> {
    let parts = parts.in_mode(config.mode);
    if config.mode == Mode::Evaluate {
        tracing::warn!(mode = "evaluate", "tapdesk is being tried out: nothing changes in Entra");
    }
    if let Some(redis) = &parts.redis {
        // Boxed: the questions to servers of all kinds make a large future.
        Box::pin(redis.check()).await.context("[store]")?;
    }
    recovery::recover(config, &parts).await?;
    let bell = Arc::new(Notify::new());
    let listening = parts.redis.clone().map(|redis| {
        let bell = Arc::clone(&bell);
        Listening(tokio::spawn(async move { redis.listen(|| bell.notify_one()).await }))
    });
    let name = WorkerId(format!("worker-{:016x}", u64::from_be_bytes(parts.entropy.array())));
    let desk = Arc::new(desk(config, &parts, &name, &bell));
    let tracker = TaskTracker::new();
    let site = Arc::new(Site {
        desk: Arc::clone(&desk),
        slack: parts.slack.clone(),
        teams: parts.teams.clone(),
        hooks: parts.hooks.clone(),
        status_reports: parts.status_reports.clone(),
        clock: Arc::clone(&parts.clock),
        tracker: tracker.clone(),
        misses: crate::claim::misses(),
        asks: config.ask.clone().map(|visits| Asks::new(visits, parts.answer_after)),
        trusted_proxies: config.trusted_proxies.clone(),
        body_within: parts.body_within,
    });
    let admin = Arc::new(Admin { desk: Arc::clone(&desk), ledger: Arc::clone(&parts.ledger) });
    let handles = [Handle::new(), Handle::new()];
    let (address, public_server) = listen_public(config, server::public(site), handles[0].clone()).await?;
    let (admin_address, admin_server) =
        listen(config.admin_listen, server::admin(admin), handles[1].clone())?;
    let head = parts.ledger.head();
    tracing::info!(%address, %admin_address, worker = %name, ledger.lines = head.seq, ledger.head = head.hash, "tapdesk is listening");
    let worker = Worker {
        desk,
        clock: parts.clock,
        name,
        bell,
        lease: config.worker.lease,
        keep_closed: config.store.keep_closed,
    };
    let stop = Stop { handles, servers: vec![public_server, admin_server], tracker, _listening: listening };
    Ok(Running { address, admin_address, worker, stop })
}

/// Runs the program until it is told to stop, then finishes the work in hand.
pub async fn serve(config: &Config, parts: Parts, until: impl Future<Output = ()>) -> anyhow::Result<()> {
    let Running { worker, stop, .. } = start(config, parts).await?;
    let (tell, told) = watch::channel(false);
    let working = tokio::spawn(worker.run(told));
    until.await;
    tracing::info!("stopping: no new work, finishing what is in hand");
    // The receiver is the worker; if it is gone already there is nothing to tell.
    let _ = tell.send(true);
    stop.gracefully().await;
    if tokio::time::timeout(SHUTDOWN_WITHIN, working).await.is_err() {
        tracing::warn!("a task was not finished; it comes again after the next start");
    }
    Ok(())
}

impl Running {
    /// Waits for work that outlived its connection.
    pub async fn idle(&self) {
        self.stop.tracker.close();
        self.stop.tracker.wait().await;
        self.stop.tracker.reopen();
    }

    /// Ends everything as shutdown does; the worker is the caller's.
    pub async fn stop(self) {
        self.stop.gracefully().await;
    }
}

impl Stop {
    async fn gracefully(self) {
        for handle in &self.handles {
            handle.graceful_shutdown(Some(SHUTDOWN_WITHIN));
        }
        self.tracker.close();
        let finished = async {
            self.tracker.wait().await;
            for server in self.servers {
                let _ = server.await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_WITHIN, finished).await.is_err() {
            tracing::warn!("connections were cut that did not end in time");
        }
    }
}

/// A desk without listeners, for commands that need one.
#[must_use]
pub fn idle_desk(config: &Config, parts: Parts) -> Desk {
    desk(config, &parts.in_mode(config.mode), &WorkerId::from("command"), &Arc::new(Notify::new()))
}

fn desk(config: &Config, parts: &Parts, name: &WorkerId, bell: &Arc<Notify>) -> Desk {
    let bell = Arc::clone(bell);
    let outside = Ports {
        sources: parts.hooks.sources(),
        directory: Arc::clone(&parts.directory),
        chats: parts.chats.clone(),
        couriers: parts.couriers.clone(),
        store: Arc::clone(&parts.store),
        ledger: Arc::clone(&parts.ledger),
        clock: Arc::clone(&parts.clock),
        entropy: Arc::clone(&parts.entropy),
        pins: Arc::new(PinChecks::new(&parts.pepper, &parts.entropy)),
        tasks_added: Arc::new(move || bell.notify_one()),
    };
    let settings = Settings {
        public_url: config.public_url.to_string(),
        security: config.security_contacts().unwrap_or_default(),
        alarms: config.security.alarms.clone(),
        security_group: config.security.group,
        visits: config.ask.clone(),
        worker: name.clone(),
        mode: config.mode,
    };
    Desk::new(outside, settings, config.policy.clone(), Arc::clone(&parts.pepper))
}

fn embedded(section: &config::Store) -> anyhow::Result<Embedded> {
    let path = section.path.as_ref().context("store.path: the embedded store needs a file")?;
    make_parent(path)?;
    Embedded::open(path).context("[store]")
}

/// Not connected yet: `start` does that, and checks the server.
fn redis(section: &config::Store, entropy: &dyn Entropy) -> anyhow::Result<Arc<Redis>> {
    let config = RedisConfig {
        url: config::secret("store.url", section.url.as_ref(), section.url_file.as_ref())?,
        prefix: "tapdesk".to_owned(),
        name: format!("{:016x}", u64::from_be_bytes(entropy.array())),
        machine_clock: Arc::new(SystemClock),
        required: match section.required_durability {
            config::Durability::Always => Durability::Always,
            config::Durability::EverySec => Durability::EverySecond,
            config::Durability::None => Durability::None,
        },
        connect: REDIS_CONNECTS_WITHIN,
        respond: REDIS_RESPONDS_WITHIN,
    };
    Ok(Arc::new(Redis::new(config).context("[store]")?))
}

fn graph(
    config: &Config,
    http: &reqwest::Client,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<Graph> {
    let (section, retry_pause) = (&config.graph, config.outbound.retry_pause);
    let app = section.app(&system::variable, Arc::clone(clock), retry_pause)?;
    tracing::info!("tapdesk proves itself to Entra with {}", app.credential.proof());
    if let Some(warning) = app.credential.warning(clock.now()) {
        tracing::warn!("{warning}");
    }
    let config =
        GraphConfig { base_url: section.base_url(), retry_pause, tenant_has_pim: section.tenant_has_pim };
    Graph::new(app, config, http.clone(), Arc::clone(clock), Arc::clone(entropy)).context("[graph]")
}

fn slack(
    section: &config::Slack,
    http: &reqwest::Client,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<Slack>> {
    let signing = config::secret(
        "slack.signing_secret",
        section.signing_secret.as_ref(),
        section.signing_secret_file.as_ref(),
    )?;
    let previous = section.previous_signing_secret_file.as_ref();
    let previous =
        previous.map(|path| config::secret("slack.previous_signing_secret", None, Some(path))).transpose()?;
    let bot_token =
        config::secret("slack.bot_token", section.bot_token.as_ref(), section.bot_token_file.as_ref())?;
    let config = SlackConfig {
        base_url: section.base_url.clone(),
        signing_secrets: std::iter::once(signing).chain(previous).collect(),
        bot_token,
        app_id: section.app_id.clone(),
        teams: section.teams.clone(),
        trust_email: section.trust_email,
        response_hosts: section.response_hosts.clone(),
        command: section.command.clone(),
    };
    Ok(Arc::new(Slack::new(config, http.clone(), Arc::clone(clock)).context("[slack]")?))
}

fn teams(
    section: &config::Teams,
    config: &Config,
    http: &reqwest::Client,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    store: &Arc<dyn Store>,
) -> anyhow::Result<Arc<Teams>> {
    let app_secret =
        config::secret("teams.app_secret", section.app_secret.as_ref(), section.app_secret_file.as_ref())?;
    let mut outgoing_secrets = section.outgoing_secrets.clone();
    for path in &section.outgoing_secret_files {
        outgoing_secrets.push(config::secret("teams.outgoing_secret", None, Some(path))?);
    }
    let config = TeamsConfig {
        tenant: config.graph.tenant_id.parse().context("graph.tenant_id")?,
        app_id: section.app_id.clone(),
        app_secret,
        command: section.command.clone(),
        openid_url: section.openid_url.clone(),
        issuer: section.issuer.clone(),
        authority: section.authority.clone().unwrap_or_else(|| config.graph.authority()),
        token_scope: section.token_scope.clone(),
        service_hosts: section.service_hosts.clone(),
        outgoing_secrets,
    };
    let (http, clock, entropy) = (http.clone(), Arc::clone(clock), Arc::clone(entropy));
    Ok(Arc::new(Teams::new(config, http, clock, entropy, Arc::clone(store)).context("[teams]")?))
}

fn hooks(config: &Config, http: &reqwest::Client, clock: &Arc<dyn Clock>) -> anyhow::Result<Hooks> {
    let hook = |(name, section): (&SourceName, &config::Hook)| {
        let config = HookConfig {
            name: name.clone(),
            secrets: section.secrets(name)?,
            status_url: section.status_url(name)?,
            terms: SourceTerms {
                may_state_approvals: section.may_state_approvals,
                requests_per_hour: section.requests_per_hour,
            },
        };
        Ok(Hook::new(config, http.clone(), Arc::clone(clock)))
    };
    config.hook.iter().map(hook).collect::<anyhow::Result<_>>().map(Hooks::new)
}

fn couriers(
    config: &Config,
    http: &reqwest::Client,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<Vec<Arc<dyn Courier>>> {
    let mut couriers: Vec<Arc<dyn Courier>> = Vec::new();
    if let Some(section) = &config.courier.sms {
        couriers.push(Arc::new(twilio(section, config, http, clock)?));
    }
    if let Some(section) = &config.courier.email {
        couriers.push(Arc::new(mail(section, config, clock, entropy)?));
    }
    Ok(couriers)
}

/// Reads what Twilio says became of text messages, where the account's token is known.
fn status_reports(config: &Config) -> anyhow::Result<Option<Arc<StatusReports>>> {
    let Some((section, url)) = config.courier.sms.as_ref().zip(status_url(config)?) else { return Ok(None) };
    let token = config::secret(
        "courier.sms.auth_token",
        section.auth_token.as_ref(),
        section.auth_token_file.as_ref(),
    )?;
    Ok(Some(Arc::new(StatusReports::new(url, section.account_sid.clone(), token))))
}

fn status_url(config: &Config) -> anyhow::Result<Option<Url>> {
    let Some(sms) = &config.courier.sms else { return Ok(None) };
    if sms.auth_token.is_none() && sms.auth_token_file.is_none() {
        return Ok(None);
    }
    let path = server::TWILIO_STATUS.trim_start_matches('/');
    config.public_url.join(path).map(Some).context("public_url")
}

fn twilio(
    section: &config::Sms,
    config: &Config,
    http: &reqwest::Client,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Twilio> {
    let password =
        config::secret("courier.sms.password", section.password.as_ref(), section.password_file.as_ref())?;
    let from = match (&section.from, &section.messaging_service) {
        (Some(number), _) => Sender::Number(number.clone()),
        (None, Some(service)) => Sender::MessagingService(service.clone()),
        (None, None) => anyhow::bail!("courier.sms: give either from or messaging_service"),
    };
    let twilio = TwilioConfig {
        base_url: section.base_url.clone(),
        account_sid: section.account_sid.clone(),
        username: section.username.clone().unwrap_or_else(|| section.account_sid.clone()),
        password,
        from,
        discard_content: section.discard_content,
        status_url: status_url(config)?,
    };
    Twilio::new(twilio, http.clone(), Arc::clone(clock)).context("[courier.sms]")
}

fn mail(
    section: &config::Email,
    config: &Config,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<Mail> {
    let credentials = match &section.username {
        Some(username) => {
            let password = config::secret(
                "courier.email.password",
                section.password.as_ref(),
                section.password_file.as_ref(),
            )?;
            Some((username.clone(), password))
        }
        None => None,
    };
    let config = MailConfig {
        host: section.host.clone(),
        port: section.port,
        tls: match section.tls {
            EmailTls::Required => MailTls::Required,
            EmailTls::Implicit => MailTls::Implicit,
            EmailTls::None => MailTls::None,
        },
        credentials,
        from: section.from.clone(),
        helo: None,
        timeout: config.outbound.total,
    };
    Mail::new(config, Arc::clone(clock), Arc::clone(entropy)).context("[courier.email]")
}

/// HTTP/1.1 only: there an answer can end its connection, and the buffers that held a secret with it.
async fn listen_public(
    config: &Config,
    router: axum::Router,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<(SocketAddr, JoinHandle<std::io::Result<()>>)> {
    let Some(tls) = &config.tls else {
        ensure!(
            config.behind_tls_proxy || config.listen.ip().is_loopback(),
            "listen: {} is neither loopback nor TLS",
            config.listen
        );
        return listen(config.listen, router, handle);
    };
    let tls = RustlsConfig::from_pem_file(&tls.cert_file, &tls.key_file).await.context("[tls]")?;
    let mut offer = (*tls.get_inner()).clone();
    offer.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = bind(config.listen)?;
    let address = listener.local_addr()?;
    let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(offer)))?;
    let server = server.handle(handle).http1_only();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok((address, tokio::spawn(server.serve(service))))
}

fn listen(
    address: SocketAddr,
    router: axum::Router,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<(SocketAddr, JoinHandle<std::io::Result<()>>)> {
    let listener = bind(address)?;
    let address = listener.local_addr()?;
    let server = axum_server::from_tcp(listener)?.handle(handle).http1_only();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok((address, tokio::spawn(server.serve(service))))
}

fn bind(address: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address).with_context(|| format!("listen: {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    match path.parent() {
        Some(parent) => std::fs::create_dir_all(parent).with_context(|| parent.display().to_string()),
        None => Ok(()),
    }
}

/// Argon2 on blocking threads, a few at a time.
struct PinChecks {
    pepper: Arc<Pepper>,
    entropy: Arc<dyn Entropy>,
    slots: Arc<Semaphore>,
}

impl PinChecks {
    fn new(pepper: &Arc<Pepper>, entropy: &Arc<dyn Entropy>) -> Self {
        let slots = Arc::new(Semaphore::new(PIN_CHECKS));
        Self { pepper: Arc::clone(pepper), entropy: Arc::clone(entropy), slots }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pepper, &dyn Entropy) -> T + Send + 'static,
    ) -> Option<T> {
        let _slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let (pepper, entropy) = (Arc::clone(&self.pepper), Arc::clone(&self.entropy));
        let checking = tokio::task::spawn_blocking(move || {
            let checked = work(&pepper, &*entropy);
            scrub::stack();
            checked
        });
        checking.await.ok()
    }
}

#[async_trait]
impl Pins for PinChecks {
    async fn hash(&self, pin: Pin) -> Result<PinHash, Malformed> {
        self.run(move |pepper, entropy| pepper.pin_hash(&pin, entropy)).await.unwrap_or(Err(Malformed("PIN")))
    }

    async fn matches(&self, pin: Pin, hash: PinHash) -> bool {
        self.run(move |pepper, _| pepper.pin_matches(&pin, &hash)).await.unwrap_or(false)
    }
}
