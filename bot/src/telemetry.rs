//! What is logged and counted, and what never is?
//!
//! Never logged: passcodes, codes, PINs, links, tokens, full numbers or addresses, raw bodies, URLs that carry
//! tokens. Libraries that print frames or bodies below INFO are capped in code, whatever `RUST_LOG` says.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

/// Libraries whose DEBUG and TRACE lines hold headers, frames or bodies.
const CAPPED: [&str; 9] =
    ["hyper", "hyper_util", "h2", "reqwest", "lettre", "redis", "rustls", "axum", "tower"];

/// A subscriber that writes to `writer` what `filter` (the syntax of `RUST_LOG` targets) lets through.
pub fn subscriber<W>(filter: &str, json: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let wanted = wanted.and(capped());
    let layer = fmt::layer().with_writer(writer).with_target(true);
    if json {
        Box::new(Registry::default().with(layer.json().with_filter(wanted)))
    } else {
        Box::new(Registry::default().with(layer.with_ansi(false).with_filter(wanted)))
    }
}

/// The process's metrics; installed on first use.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // `Err` means that a test harness installed another recorder: ours then stays empty.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    })
}

/// Replaces the panic message, which may quote what it stumbled over, by where it happened.
pub fn hide_panic_payloads() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task panicked");
    }));
}

fn capped() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| {
        let of = |target: &str| {
            metadata.target() == target || metadata.target().starts_with(&format!("{target}::"))
        };
        *metadata.level() <= Level::INFO || !CAPPED.into_iter().any(of)
    })
}

fn describe() {
    use metrics::{describe_counter, describe_gauge};
    describe_counter!("tapdesk_webhooks_total", "Webhooks, by route and result");
    describe_counter!("tapdesk_refused_total", "Requests whose body was too large or too slow, by route");
    describe_counter!("tapdesk_claims_total", "Answers of the claim page, by answer");
    describe_counter!(
        "tapdesk_asks_total",
        "Requests at the page for people without chat, by what became of them"
    );
    describe_counter!("tapdesk_tasks_total", "Performed tasks, by task");
    describe_counter!(
        "tapdesk_tasks_repeated_total",
        "Tasks that a dead worker had held: each may repeat a message"
    );
    describe_counter!("tapdesk_worker_woken_total", "Looks for due tasks after a sleep, by what ended it");
    describe_gauge!("tapdesk_ledger_lines", "Lines in the ledger");
    describe_gauge!("tapdesk_lockdown", "1 while issuing is locked down");
    describe_gauge!("tapdesk_evaluating", "1 while tapdesk is being tried out and changes nothing in Entra");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Sink {
        type Writer = Self;
        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn libraries_that_print_bodies_stay_quiet_even_at_trace() {
        let sink = Sink::default();
        tracing::subscriber::with_default(subscriber("trace", false, sink.clone()), || {
            tracing::trace!(target: "hyper::proto", "a header");
            tracing::debug!(target: "lettre", "a body");
            tracing::info!(target: "hyper", "started");
            tracing::trace!(target: "hyperactive", "ours");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("a header") && !text.contains("a body"), "{text}");
        assert!(text.contains("started") && text.contains("ours"), "{text}");
    }
}
