//! `tapdesk`: arguments → configuration → run.

use std::process::ExitCode;

use clap::Parser as _;
use tapdesk::cli::Cli;

/// Memory is wiped when it is freed: buffers of libraries that held a passcode leave no copy behind.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    // Before anything else: the first use of TLS would panic without a provider.
    tapdesk::system::install_crypto_provider();
    tapdesk::system::forbid_core_dumps();
    tapdesk::cli::run(Cli::parse())
}
