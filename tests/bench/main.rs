//! What do tapdesk's promises cost? One command, `tests/bench/run`, answers with tables for the README.
//!
//! Contenders take turns, so that a noisy minute of the machine is everybody's; figures are medians of rounds.
//! `--full` stores a million requests instead of a hundred thousand.

mod acknowledgement;
mod disk;
mod figures;
mod growth;
mod load;
mod opening;
mod requests;
mod servers;
mod waking;
mod writers;

use std::time::Duration;

use tapdesk::system;
use tapdesk_adapters::http::{self, Limits};

const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]
async fn main() -> anyhow::Result<()> {
    system::install_crypto_provider();
    let sizes = if std::env::args().any(|argument| argument == "--full") { &SIZES[..] } else { &SIZES[..2] };
    let http = http::client(Limits { connect: Duration::from_secs(5), total: Duration::from_secs(30) })?;
    println!("{}", acknowledgement::measure(&http).await?);
    println!("{}", waking::measure(&http).await?);
    println!("{}", writers::measure().await?);
    let (growth, opening) = growth::measure(&http, sizes).await?;
    println!("{growth}\n{opening}");
    Ok(())
}
