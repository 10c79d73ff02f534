//! `cargo playground`: the program with the embedded store in the simulated world, no account anywhere.

use std::process::ExitCode;

use tapdesk_tests::tales;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["--story"] => vec!["slack"],
        ["--story", "all"] => tales::ALL.to_vec(),
        ["--story", name] if tales::ALL.contains(&name) => vec![name],
        _ => return usage(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for name in names {
        match runtime.block_on(tales::tell(name, &say)) {
            Ok(()) => say(&format!("story {name}: ok")),
            Err(error) => {
                say(&format!("story {name}: failed: {error:#}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo playground --story {}|all", tales::ALL.join("|"));
    ExitCode::from(2)
}

#[expect(clippy::print_stdout, reason = "the playground tells its story on standard output")]
fn say(line: &str) {
    println!("{line}");
}
