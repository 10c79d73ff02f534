//! Is what lies on this machine as it should be: certificate, pepper, store and ledger?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use tapdesk_adapters::finding::{Finding, in_full};
use tapdesk_adapters::ledgers::file;
use tapdesk_core::evaluation::Mode;
use tapdesk_core::ledger::Head;
use tapdesk_core::ports::Store;

use crate::app::look::{Kept, Look};
use crate::config::{self, Config, Tls};

/// Whoever renews a certificate by hand needs so long; machines renew earlier.
const SOON: Duration = Duration::from_hours(14 * 24);

/// A time at which every certificate is over: the year 2200.
const FAR_AWAY: i64 = 7_258_118_400;

/// A ledger of some million lines takes longer, and gets a command of its own.
const VERIFIED_WITHIN: Duration = Duration::from_secs(20);

/// What a running service says of itself.
enum Service {
    Ready,
    NotReady(String),
    Silent,
}

pub(super) async fn examine(config: &Config, look: &Look<'_>) -> Vec<Finding> {
    let mut findings = vec![configuration(config), pepper(config)];
    findings.extend(certificate(config, look.now()));
    let service = service(config).await;
    findings.push(match &service {
        Service::Ready => {
            Finding::ok("service", format!("runs and is ready (admin_listen {})", config.admin_listen))
        }
        Service::NotReady(said) => {
            Finding::fault("service", format!("runs and is not ready: {said}"), "journalctl -u tapdesk -n 50")
        }
        Service::Silent => {
            let said = format!("none answers on admin_listen {}", config.admin_listen);
            Finding::note("service", said, "systemctl start tapdesk")
        }
    });
    findings.extend(store(config, look).await);
    findings.push(ledger(config, look).await);
    findings
}

fn configuration(config: &Config) -> Finding {
    const WHAT: &str = "configuration";
    match config.mode {
        Mode::Enforce => Finding::ok(WHAT, "can be used"),
        Mode::Evaluate => {
            let said = "can be used; mode = \"evaluate\": nothing changes in Entra";
            Finding::note(WHAT, said, "take mode out once it is in earnest")
        }
    }
}

fn pepper(config: &Config) -> Finding {
    const WHAT: &str = "pepper";
    let peppers = std::iter::once(&config.pepper_file).chain(&config.previous_pepper_file);
    match peppers.map(|path| config::pepper(path)).collect::<Result<Vec<_>, _>>() {
        Ok(_) => Finding::ok(WHAT, "can be read"),
        Err(error) => Finding::fault(
            WHAT,
            format!("{error:#}"),
            format!(
                "only where there never was one: openssl rand -hex 32 > {}",
                config.pepper_file.display()
            ),
        ),
    }
}

fn certificate(config: &Config, now: Timestamp) -> Vec<Finding> {
    const WHAT: &str = "TLS certificate";
    let host = config.public_url.host_str().unwrap_or_default();
    let Some(tls) = &config.tls else {
        let said = if config.behind_tls_proxy {
            "a proxy has it (behind_tls_proxy)"
        } else {
            "none: the listener is on loopback"
        };
        let remedy = format!(
            "to see until when it is good: openssl s_client -connect {host}:443 -servername {host} </dev/null | openssl x509 \
             -noout -dates"
        );
        return vec![Finding::note(WHAT, said, remedy)];
    };
    match read(tls).and_then(|chain| judged(&chain, host, now)) {
        Ok(findings) => findings,
        Err(error) => {
            let remedy = format!("openssl x509 -in {} -noout -subject -dates", tls.cert_file.display());
            vec![Finding::fault(WHAT, format!("{error:#}"), remedy)]
        }
    }
}

/// The chain of the listener, if the key belongs to it.
fn read(tls: &Tls) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(&tls.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| shown(&tls.cert_file))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file).with_context(|| shown(&tls.key_file))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", shown(&tls.cert_file));
    rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .with_context(|| format!("{} does not go with {}", shown(&tls.key_file), shown(&tls.cert_file)))?;
    Ok(chain)
}

/// Judged as a browser that trusts whoever issued the chain would, at several times: what is refused says until when.
fn judged(chain: &[CertificateDer<'static>], host: &str, now: Timestamp) -> anyhow::Result<Vec<Finding>> {
    const WHAT: &str = "TLS certificate";
    const RENEW: &str = "renew it, as with: certbot renew; then: systemctl restart tapdesk";
    let look = Browser::trusting(chain)?;
    let shown = |time: UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%d").to_string()
    };
    let soon = now.saturating_add(SOON).unwrap_or(Timestamp::MAX);
    Ok(vec![match (look.at(now, host)?, look.at(soon, host)?) {
        (Some(CertificateError::ExpiredContext { not_after, .. }), _) => {
            let said = format!("was good until {}: no browser opens the claim page", shown(not_after));
            Finding::fault(WHAT, said, RENEW)
        }
        (Some(CertificateError::NotValidYetContext { not_before, .. }), _) => {
            Finding::fault(WHAT, format!("is good from {} on", shown(not_before)), RENEW)
        }
        (Some(CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName), _) => {
            let said = format!("is not for {host}, the host of public_url: no browser opens the claim page");
            Finding::fault(WHAT, said, format!("have one issued for {host}, or mend public_url"))
        }
        (Some(other), _) => {
            let said = format!("browsers may refuse it: {other}");
            Finding::warning(
                WHAT,
                said,
                format!("openssl s_client -connect {host}:443 -servername {host} </dev/null"),
            )
        }
        (None, Some(CertificateError::ExpiredContext { not_after, .. })) => {
            Finding::warning(WHAT, format!("is good until {} only", shown(not_after)), RENEW)
        }
        (None, _) => match look.at(Timestamp::from_second(FAR_AWAY)?, host)? {
            Some(CertificateError::ExpiredContext { not_after, .. }) => {
                Finding::ok(WHAT, format!("is for {host}, and good until {}", shown(not_after)))
            }
            Some(_) | None => Finding::ok(WHAT, format!("is for {host}")),
        },
    }])
}

/// Somebody who trusts the end of a chain.
struct Browser<'c> {
    chain: &'c [CertificateDer<'static>],
    verifier: Arc<WebPkiServerVerifier>,
}

impl<'c> Browser<'c> {
    fn trusting(chain: &'c [CertificateDer<'static>]) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let last = chain.last().context("there is no certificate")?;
        roots.add(last.clone()).context("the last certificate cannot be read")?;
        let verifier =
            WebPkiServerVerifier::builder(Arc::new(roots)).build().context("the chain cannot be judged")?;
        Ok(Self { chain, verifier })
    }

    /// What is wrong with the chain at that time.
    fn at(&self, time: Timestamp, host: &str) -> anyhow::Result<Option<CertificateError>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare).context("public_url")?;
        let since = Duration::from_secs(u64::try_from(time.as_second()).unwrap_or_default());
        let (leaf, others) = self.chain.split_first().context("there is no certificate")?;
        match self.verifier.verify_server_cert(leaf, others, &name, &[], UnixTime::since_unix_epoch(since)) {
            Ok(_) => Ok(None),
            Err(rustls::Error::InvalidCertificate(wrong)) => Ok(Some(wrong)),
            Err(error) => Err(error).context("the chain cannot be judged"),
        }
    }
}

async fn service(config: &Config) -> Service {
    let Ok(http) = tapdesk_adapters::http::client(tapdesk_adapters::http::Limits::default()) else {
        return Service::Silent;
    };
    match http.get(format!("http://{}/readyz", config.admin_listen)).send().await {
        Ok(response) if response.status().is_success() => Service::Ready,
        Ok(response) => {
            let status = response.status();
            let said = response.text().await.unwrap_or_default();
            Service::NotReady(format!("{status} {}", said.trim()))
        }
        Err(error) if error.is_connect() => Service::Silent,
        Err(error) => Service::NotReady(error.without_url().to_string()),
    }
}

async fn store(config: &Config, look: &Look<'_>) -> Vec<Finding> {
    const WHAT: &str = "store";
    if let Some(findings) = look.redis().await {
        return findings;
    }
    let path = config.store.path.as_deref().map_or_else(String::new, |path| path.display().to_string());
    vec![match look.store() {
        Kept::Readable(_) => {
            Finding::ok(WHAT, format!("{path} can be read; every change is synced before it counts"))
        }
        Kept::Held => Finding::ok(WHAT, format!("{path} is in the hands of a running tapdesk")),
        Kept::NotYet => {
            let said = format!("{path} is not there yet; the first start makes it");
            Finding::note(WHAT, said, "where there was one: stop, and restore it first")
        }
        Kept::Broken(error) => {
            let remedy = format!("ls -l {path}; if it is damaged, restore it from a backup");
            Finding::fault(WHAT, format!("{error:#}"), remedy)
        }
    }]
}

/// Only reads, so that it works while a service writes.
async fn ledger(config: &Config, look: &Look<'_>) -> Finding {
    const WHAT: &str = "ledger";
    let path = config.ledger.path.clone();
    let shown = path.display().to_string();
    if !path.exists() {
        let said = format!("{shown} is not there yet; the first start makes it");
        return Finding::note(WHAT, said, "where there was one: stop, and restore it first");
    }
    let verifying = path.clone();
    let verifying = tokio::task::spawn_blocking(move || file::verify(&verifying, None));
    let verified = match tokio::time::timeout(VERIFIED_WITHIN, verifying).await {
        Ok(Ok(Ok(verified))) => verified,
        Ok(Ok(Err(error))) => {
            let remedy = format!(
                "restore it; nothing starts on a ledger that was changed: tapdesk ledger verify --path {shown}"
            );
            return Finding::fault(WHAT, format!("does not verify: {}", in_full(&error)), remedy);
        }
        Ok(Err(error)) => return Finding::unchecked(WHAT, &error, "tapdesk ledger verify"),
        Err(_) => {
            let said = "so long that verifying it takes its time; nothing was found so far";
            return Finding::note(WHAT, said, format!("tapdesk ledger verify --path {shown}"));
        }
    };
    let name = match config.ledger.name() {
        Ok(name) => name,
        Err(error) => {
            return Finding::fault(
                WHAT,
                format!("{error:#}"),
                "make that file readable, or write name instead",
            );
        }
    };
    let head = verified.head.unwrap_or_else(|| Head::empty(name.clone()));
    if head.ledger != name {
        let said = format!("{shown} is named {}, not {name}", head.ledger);
        return Finding::fault(
            WHAT,
            said,
            format!("name = \"{}\" in [ledger], or another path", head.ledger),
        );
    }
    if let Kept::Readable(store) = look.store()
        && let Some(finding) = behind(&**store, &head).await
    {
        return finding;
    }
    let Head { seq, hash, .. } = head;
    let odd = verified.warnings.first().map(|warning| format!("; {warning}")).unwrap_or_default();
    Finding::ok(WHAT, format!("every line verifies: {seq} lines, head {hash}{odd}"))
}

/// What is wrong if the store stands on lines that the ledger does not have.
async fn behind(store: &dyn Store, head: &Head) -> Option<Finding> {
    const WHAT: &str = "ledger";
    match store.anchor(&head.ledger).await {
        Ok(anchor) if anchor.seq > head.seq => Some(Finding::fault(
            WHAT,
            format!("is behind the store: that names line {}, this ends at line {}", anchor.seq, head.seq),
            "restore the ledger as it was with that store; tapdesk does not start without",
        )),
        Ok(_) => None,
        Err(error) => Some(Finding::unchecked(
            WHAT,
            &error,
            "the store could not be asked for the line that it stands on",
        )),
    }
}
