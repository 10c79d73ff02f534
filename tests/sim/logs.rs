//! What did tapdesk log, at TRACE, while a story ran?
//!
//! One subscriber serves the whole test process; each story looks only at what was logged since it began.

use std::io;
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::fmt::MakeWriter;

use crate::wire::lock;

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The logs since a story began.
pub struct Logs {
    from: usize,
}

struct Pen;

impl Logs {
    /// Starts to capture, with every target at TRACE as `RUST_LOG=trace` would have it.
    #[must_use]
    pub fn capture() -> Self {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            tapdesk::telemetry::metrics();
            // `Err` means that the playground installed another one: it captures nothing.
            let _ =
                tracing::subscriber::set_global_default(tapdesk::telemetry::subscriber("trace", true, Maker));
        });
        Self { from: lock(&WRITTEN).len() }
    }

    /// Everything since then, other stories' lines among it.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&WRITTEN)[self.from..]).into_owned()
    }
}

struct Maker;

impl MakeWriter<'_> for Maker {
    type Writer = Pen;
    fn make_writer(&self) -> Pen {
        Pen
    }
}

impl io::Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&WRITTEN).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
