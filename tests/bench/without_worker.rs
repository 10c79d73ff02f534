//! What does the acknowledgement alone cost? tapdesk as its program runs it, but nobody performs the tasks.
//!
//! Started with the path of a configuration; ends when its standard input does.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tapdesk::app::{self, Parts};
use tapdesk::config::Config;
use tapdesk::system::{SystemClock, SystemEntropy};
use tapdesk::{system, telemetry};

/// The program's own: wiping memory is part of its cost.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    system::install_crypto_provider();
    let path: PathBuf = std::env::args_os().nth(1).context("name the configuration")?.into();
    let config = Config::read(&path)?;
    tracing::subscriber::set_global_default(telemetry::subscriber("info", false, std::io::stderr))?;
    telemetry::metrics();
    let parts = Parts::build(&config, Arc::new(SystemClock), Arc::new(SystemEntropy))?;
    let running = app::start(&config, parts).await?;
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    running.stop().await;
    Ok(())
}
