//! What do tapdesk's promises cost? One command, `tests/bench/run`, answers with tables for the README.
//!
//! Contenders take turns, so that a noisy minute of the machine is everybody's; figures are medians of rounds.
//! `--full` stores a million requests instead of a hundred thousand; a word names the one question to ask.

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
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let sizes = if flags.iter().any(|flag| flag == "--full") { &SIZES[..] } else { &SIZES[..2] };
    let asks = |question: &str| words.is_empty() || words.iter().any(|word| word == question);
    let http = http::client(Limits { connect: Duration::from_secs(5), total: Duration::from_secs(30) })?;
    if asks("acknowledgement") {
        println!("{}", acknowledgement::measure(&http).await?);
    }
    if asks("waking") {
        println!("{}", waking::measure(&http).await?);
    }
    if asks("writers") {
        println!("{}", writers::measure().await?);
    }
    if asks("growth") {
        println!("{}", growth::measure(&http, sizes).await?);
    }
    Ok(())
}
