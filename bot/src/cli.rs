//! What can be typed, and what comes back?

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use tapdesk_adapters::entra::Unusable;
use tapdesk_adapters::ledgers::file::{Jointly, OpenIntent, Verified};
use tapdesk_core::evaluation::Mode;
use tapdesk_core::ids::LedgerName;
use tapdesk_core::ledger::Head;
use tapdesk_core::ports::Clock as _;

use crate::app::{self, Parts};
use crate::config::Config;
use crate::system::{self, SystemClock, SystemEntropy};
use crate::{audit, doctor, explain, telemetry};

/// Gets a locked-out colleague back in: Temporary Access Passes, asked for and approved in chat.
#[derive(Parser)]
#[command(version, about)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, short, global = true, env = "TAPDESK_CONFIG", default_value = "/etc/tapdesk/tapdesk.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service.
    Serve,
    /// Say whether the configuration can be used: file, line, column and key of what cannot.
    CheckConfig,
    /// Look at everything that it takes, without changing or sending anything: what is wrong, and how to mend it. Exit code
    /// 0: nothing to mend, 1: warnings, 2: faults.
    Doctor(doctor::Wanted),
    /// The rules.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The audit record.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// For auditors: one row per request, from the verified ledger. Who, for whom, why, who approved and how, by which
    /// routes, when, and what came of it.
    Report(audit::Wanted),
    /// Stop issuing, at once and for everybody, or go on.
    Lockdown {
        /// What to do.
        switch: Switch,
    },
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Say what would become of a request, without making one: rule, approvers, ways, and every reason to refuse it. Exit
    /// code 0: it would come before its approvers, 1: it would be refused, 2: nobody can tell.
    Explain(explain::Wanted),
}

#[derive(Subcommand)]
enum LedgerCommand {
    /// Check every line of the chain; names the first bad one and lists open intents. Several ledgers, those of replicas
    /// on one store, are compared as well.
    Verify {
        /// A ledger's directory, if not the configuration's; may be given for each replica.
        #[arg(long)]
        path: Vec<PathBuf>,
        /// A head that was kept elsewhere: the ledger (each its own, in the order of the paths) has to contain it.
        #[arg(long)]
        head: Vec<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    /// Stop issuing.
    On,
    /// Issue again.
    Off,
    /// Say which it is.
    Status,
}

/// Runs the command. Errors go to standard error, one line per cause.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // What these two cannot look at is worse than what they find.
    let failed = match &cli.command {
        Command::Doctor(_) | Command::Policy(_) => ExitCode::from(2),
        Command::Serve
        | Command::CheckConfig
        | Command::Ledger(_)
        | Command::Report(_)
        | Command::Lockdown { .. } => ExitCode::FAILURE,
    };
    match perform(cli) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            failed
        }
    }
}

fn perform(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve => serve(&cli.config),
        Command::CheckConfig => check_config(&cli.config),
        Command::Doctor(wanted) => {
            let (report, code) = runtime()?.block_on(doctor::report(&cli.config, &wanted))?;
            print(&report)?;
            Ok(code)
        }
        Command::Policy(PolicyCommand::Explain(wanted)) => {
            let config = Config::read(&cli.config)?;
            let (told, code) = runtime()?.block_on(explain::explain(&config, &wanted))?;
            print(&told)?;
            Ok(code)
        }
        Command::Ledger(LedgerCommand::Verify { path, head }) => {
            let paths = if path.is_empty() { vec![Config::read(&cli.config)?.ledger.path] } else { path };
            verify(&paths, &head)
        }
        Command::Report(wanted) => {
            let config = || Ok(Config::read(&cli.config)?);
            let report = runtime()?.block_on(audit::report(&wanted, config, SystemClock.now()))?;
            print(&report)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Lockdown { switch } => runtime()?.block_on(lockdown(&cli.config, switch)),
    }
}

fn check_config(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::read(path)?;
    let path = path.display();
    if let Some(warning) = recheck_credential(&config)? {
        say(&format!("{path}: warning: {warning}"));
    }
    say(&match config.mode {
        Mode::Enforce => format!("{path}: can be used"),
        Mode::Evaluate => format!("{path}: can be used; mode = \"evaluate\": nothing changes in Entra"),
    });
    Ok(ExitCode::SUCCESS)
}

/// Looks into the certificate, which may be over although nothing in the configuration changed. Files that are elsewhere,
/// on the machine that tapdesk will run on, are no fault of the configuration.
fn recheck_credential(config: &Config) -> anyhow::Result<Option<String>> {
    if config.graph.certificate_file.is_none() {
        return Ok(None);
    }
    let (clock, now) = (Arc::new(SystemClock), SystemClock.now());
    match config.graph.credential(&system::variable, clock) {
        Ok(credential) => Ok(credential.warning(now)),
        Err(error) => match error.downcast_ref::<Unusable>() {
            Some(unusable) if !unusable.was_read => Ok(Some(unusable.to_string())),
            Some(_) | None => Err(error),
        },
    }
}

fn serve(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::read(path)?;
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    tracing::subscriber::set_global_default(telemetry::subscriber(&filter, config.log.json, std::io::stderr))
        .context("logging is set up already")?;
    telemetry::hide_panic_payloads();
    telemetry::metrics();
    runtime()?.block_on(async {
        let parts = Parts::build(&config, Arc::new(SystemClock), Arc::new(SystemEntropy))?;
        app::serve(&config, parts, told_to_stop()).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn verify(paths: &[PathBuf], heads: &[String]) -> anyhow::Result<ExitCode> {
    one_head_each(paths, heads)?;
    let mut jointly = Jointly::default();
    let mut is_sound = true;
    for (place, path) in paths.iter().enumerate() {
        match jointly.verify(path, heads.get(place).map(String::as_str)) {
            Ok(verified) => tell(path, &verified),
            Err(error) => {
                is_sound = false;
                complain(&anyhow::Error::new(error).context(path.display().to_string()));
            }
        }
    }
    for (ledger, intent) in jointly.open_intents() {
        say(&describe(ledger, intent));
    }
    for contradiction in jointly.contradictions() {
        is_sound = false;
        complain(&anyhow::Error::new(contradiction));
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether it is clear which head belongs to which ledger.
pub(crate) fn one_head_each(paths: &[PathBuf], heads: &[String]) -> anyhow::Result<()> {
    ensure!(
        heads.is_empty() || heads.len() == paths.len(),
        "--head: {} for {} ledgers; give one for each, in the order of --path, or none",
        heads.len(),
        paths.len()
    );
    Ok(())
}

fn tell(path: &Path, verified: &Verified) {
    match &verified.head {
        Some(Head { ledger, seq, hash }) => {
            say(&format!("{}: ledger {ledger}, {seq} lines, head {hash}", path.display()));
        }
        None => say(&format!("{}: no lines", path.display())),
    }
    for warning in &verified.warnings {
        say(&format!("warning: {warning}"));
    }
}

/// An intent without an outcome: something that was begun, and nobody wrote down what became of it.
pub(crate) fn describe(ledger: &LedgerName, intent: &OpenIntent) -> String {
    let request = intent.request.as_ref().map_or_else(|| "the service".to_owned(), ToString::to_string);
    let pass = intent.pass.as_ref().map_or_else(String::new, |pass| format!(", pass {pass}"));
    let OpenIntent { seq, at, what, .. } = intent;
    format!("open intent: ledger {ledger}, line {seq} at {at}: {what} for {request}{pass}")
}

/// Asks the running service; where none runs, the store itself.
async fn lockdown(path: &Path, switch: Switch) -> anyhow::Result<ExitCode> {
    let config = Config::read(path)?;
    let http = tapdesk_adapters::http::client(tapdesk_adapters::http::Limits::default())?;
    let url = format!("http://{}/lockdown", config.admin_listen);
    let request = match switch {
        Switch::On => http.put(&url),
        Switch::Off => http.delete(&url),
        Switch::Status => http.get(&url),
    };
    let said = match request.send().await {
        Ok(response) if response.status().is_success() => response.text().await?,
        Ok(response) => {
            bail!("the service answered {}: {}", response.status(), response.text().await?.trim())
        }
        Err(error) if error.is_connect() => without_service(&config, switch).await?,
        Err(error) => return Err(error.without_url()).context("admin_listen"),
    };
    say(&format!("lockdown: {}", said.trim()));
    Ok(ExitCode::SUCCESS)
}

async fn without_service(config: &Config, switch: Switch) -> anyhow::Result<String> {
    let parts = Parts::build(config, Arc::new(SystemClock), Arc::new(SystemEntropy))
        .context("no service answers on admin_listen, and its store cannot be opened")?;
    let desk = app::idle_desk(config, parts);
    match switch {
        Switch::On => desk.set_lockdown(true).await?,
        Switch::Off => desk.set_lockdown(false).await?,
        Switch::Status => {}
    }
    Ok(match desk.store().lockdown().await? {
        Some(since) => format!("on since {since} (no service is running)"),
        None => "off (no service is running)".to_owned(),
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output")
}

fn complain(error: &anyhow::Error) {
    eprintln!("tapdesk: {error:#}");
}

#[expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]
fn say(line: &str) {
    println!("{line}");
}
