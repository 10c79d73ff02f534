//! `cargo playground`: the program with the embedded store in the simulated world, no account anywhere.

use std::process::ExitCode;

use tapdesk_tests::tales;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["--story"] => "slack",
        ["--story", name] => name,
        _ => return usage(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let told = match name {
        "slack" => runtime.block_on(tales::slack(&say)),
        "hook" => runtime.block_on(tales::hook(&say)),
        _ => return usage(),
    };
    match told {
        Ok(()) => {
            say(&format!("story {name}: ok"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("story {name}: failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo playground --story slack|hook");
    ExitCode::from(2)
}

#[expect(clippy::print_stdout, reason = "the playground tells its story on standard output")]
fn say(line: &str) {
    println!("{line}");
}
