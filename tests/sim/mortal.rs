//! tapdesk in a process of its own that the story drives, and that kills itself at a chosen effect.
//!
//! The same library as `tapdesk serve`, from the same configuration file; but the world's time, rounds of work when the
//! story says so, and a [`Fuse`] in front of every port, whose death is a real SIGKILL.
//! `mortal CONFIG EFFECTS TIME [N before|after]`: effects are noted in the file EFFECTS, and the Nth of them is the last.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tapdesk::app::{self, Parts, Running};
use tapdesk::config::Config;
use tapdesk::system::{self, SystemEntropy};
use tapdesk::telemetry;
use tapdesk_core::ids::RequestId;
use tapdesk_tests::fuse::{Death, Fuse};
use tapdesk_tests::world::{Hands, settle};

/// What the story reaches of the running program.
struct Told {
    hands: Hands,
    running: Running,
}

/// What goes wrong in a round, as the answer to whoever asked for it.
struct Failed(anyhow::Error);

impl axum::response::IntoResponse for Failed {
    fn into_response(self) -> axum::response::Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the story reads the addresses")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next();
    let config = PathBuf::from(next().context("CONFIG")?);
    let effects = OpenOptions::new().append(true).create(true).open(next().context("EFFECTS")?)?;
    let hands = Hands::at(next().context("TIME")?.parse()?);
    let fuse = match (next(), next().as_deref()) {
        (None, None) => Fuse::new(effects, None),
        (Some(n), Some("before")) => Fuse::new(effects, Some((n.parse()?, Death::Before))),
        (Some(n), Some("after")) => Fuse::new(effects, Some((n.parse()?, Death::After))),
        other => bail!("{other:?} is no death"),
    };

    system::install_crypto_provider();
    let config = Config::read(&config)?;
    tracing::subscriber::set_global_default(telemetry::subscriber("trace", true, std::io::stderr))?;
    let mut parts = Parts::build(&config, Arc::new(hands.clone()), Arc::new(SystemEntropy))?;
    fuse.fit(&mut parts);
    let running = app::start(&config, parts).await?;
    let (public, admin) = (running.address, running.admin_address);
    let told = Router::new()
        .route("/settle", post(work))
        .route("/next", get(next_due))
        .route("/state", post(state))
        .with_state(Arc::new(Told { hands, running }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{public} {admin} {}", listener.local_addr()?);
    axum::serve(listener, told).await?;
    Ok(())
}

/// Sets the time and works until nothing is due.
async fn work(State(told): State<Arc<Told>>, time: String) -> Result<(), Failed> {
    told.hands.set(time.parse().map_err(|error| Failed(anyhow::Error::new(error)))?);
    settle(&told.running).await.map_err(Failed)
}

/// When the next task is due; nothing if none is left.
async fn next_due(State(told): State<Arc<Told>>) -> Result<String, Failed> {
    let next = told.running.worker.desk.store().next_due().await;
    Ok(next.map_err(|error| Failed(error.into()))?.map(|at| at.to_string()).unwrap_or_default())
}

/// The state of a request, as JSON; nothing if there is no such request.
async fn state(State(told): State<Arc<Told>>, id: String) -> Result<String, Failed> {
    let id: RequestId = id.parse().map_err(|error| Failed(anyhow::Error::new(error)))?;
    let stored = told.running.worker.desk.store().load(&id).await.map_err(|error| Failed(error.into()))?;
    let json = stored.map(|stored| serde_json::to_string(&stored.request.state)).transpose();
    json.map(Option::unwrap_or_default).map_err(|error| Failed(error.into()))
}
