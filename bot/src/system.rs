//! What of the operating system does tapdesk use: clock, randomness, environment, process limits?

use jiff::Timestamp;
use tapdesk_core::ports::{Clock, Entropy};

/// The system's wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that the ban points to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's random generator.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the Entropy that the ban points to")]
    #[expect(clippy::expect_used, reason = "without randomness there is nothing safe to do")]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
    }
}

/// A variable of the environment; nothing where it is not text.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Installs the one TLS provider of the process. A second call changes nothing.
pub fn install_crypto_provider() {
    // `Err` means that one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// No core dump, no debugger of another user: memory may hold a passcode for a moment.
pub fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    let done = set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
        && setrlimit(Resource::Core, nothing).is_ok();
    if !done {
        // Before logging is set up; standard error is what an operator sees.
        eprintln!("tapdesk: core dumps could not be switched off; set LimitCORE=0");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    use super::forbid_core_dumps;

    #[test]
    fn the_process_can_neither_be_dumped_nor_be_made_so() {
        forbid_core_dumps();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    }
}
