//! What of a well-formed configuration must not be?

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tapdesk_adapters::secret::Secret;
use tapdesk_core::ids::LedgerName;
use tapdesk_core::people::{Contact, ContactKind, ContactSource};
use tapdesk_core::policy::{Fault, Route};
use url::Url;

use super::{Config, EmailTls, StoreKind, hook};

impl Config {
    /// Everything that is wrong with a well-formed configuration. Reads no secret.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.policy.faults();
        faults.extend(self.security.alarms.faults(self.store.keep_closed));
        faults.extend(self.ask.iter().flat_map(|visits| visits.faults(&self.policy)));
        faults.extend(hook::faults(&self.hook, &self.policy));
        faults.extend(self.graph.faults());
        let mut fault = |key: &str, what: &str| faults.push(Fault::new(key, what));
        let safe = self.tls.is_some() || self.behind_tls_proxy || self.listen.ip().is_loopback();
        if !safe {
            fault(
                "listen",
                "neither loopback nor TLS: add [tls], or behind_tls_proxy = true if a proxy terminates it",
            );
        }
        if self.tls.is_some() && self.behind_tls_proxy {
            fault("behind_tls_proxy", "tapdesk terminates TLS itself ([tls]) or a proxy does, not both");
        }
        if self.public_url.scheme() != "https" && !is_loopback(&self.public_url) {
            fault("public_url", "people type a PIN there: it starts with https://");
        }
        if self.public_url.path() != "/"
            || self.public_url.query().is_some()
            || self.public_url.fragment().is_some()
        {
            fault("public_url", "tapdesk lives at the root of its own host name: https://tap.example.com");
        }
        if self.security_contacts().is_none() || self.security.notify.is_empty() {
            fault(
                "security.notify",
                "name at least one address of your security team: [\"mailto:soc@example.com\"]",
            );
        }
        if self.courier.email.is_none() {
            fault("courier.email", "security and account owners are told by mail: configure a mail server");
        }
        if self.slack.is_none() && self.teams.is_none() {
            fault("slack", "no chat is configured: nobody could ask or approve");
        }
        if self.outbound.total > Duration::from_secs(20) || self.outbound.connect > self.outbound.total {
            fault("outbound", "total is at most 20s, and connect at most total");
        }
        if self.worker.lease < 2 * self.outbound.total || self.worker.lease > Duration::from_mins(10) {
            fault(
                "worker.lease",
                "at least twice outbound.total, so that a task can end in it, and at most 10m",
            );
        }
        if self.ask.is_some() && self.behind_tls_proxy && self.trusted_proxies.is_empty() {
            fault(
                "ask",
                "behind a proxy that trusted_proxies does not name, everybody has one address, and few could ask",
            );
        }
        for rule in &self.policy.rules {
            let key = format!("policy.rule \"{}\"", rule.name);
            let used = rule.ticket.iter().chain(&rule.pin).chain(&rule.notice);
            if used.clone().any(|route| *route == Route::Sms) && self.courier.sms.is_none() {
                fault(&key, "uses sms, and [courier.sms] is missing");
            }
        }
        if let Some(teams) = &self.teams
            && teams.outgoing_secrets.len() + teams.outgoing_secret_files.len() > 2
        {
            fault("teams.outgoing_secrets", "two at most, while one is replaced");
        }
        let store = &self.store;
        match store.kind {
            StoreKind::Embedded if store.path.is_none() => {
                fault("store.path", "the embedded store needs a file");
            }
            StoreKind::Embedded if store.url.is_some() || store.url_file.is_some() => {
                fault("store.url", "is for kind = \"redis\"");
            }
            StoreKind::Redis if store.path.is_some() => fault("store.path", "is for kind = \"embedded\""),
            StoreKind::Embedded | StoreKind::Redis => {}
        }
        if self.ledger.name_file.is_some() && self.ledger.name != LedgerName::default() {
            fault("ledger.name_file", "give either ledger.name or ledger.name_file");
        }
        for (key, inline, file) in self.secrets() {
            if inline.is_some() == file.is_some() {
                fault(key, &format!("give either {key} or {key}_file"));
            }
        }
        if let Some(sms) = &self.courier.sms
            && sms.from.is_some() == sms.messaging_service.is_some()
        {
            fault("courier.sms", "give either from or messaging_service");
        }
        if let Some(sms) = &self.courier.sms
            && sms.auth_token.is_some()
            && sms.auth_token_file.is_some()
        {
            fault(
                "courier.sms.auth_token",
                "give either courier.sms.auth_token or courier.sms.auth_token_file",
            );
        }
        if let Some(email) = &self.courier.email
            && email.tls == EmailTls::None
            && !is_loopback_host(&email.host)
        {
            fault("courier.email.tls", "\"none\" is only for a mail server on this machine");
        }
        faults
    }

    /// The security contacts, unless one of them is not a `mailto:` address.
    #[must_use]
    pub fn security_contacts(&self) -> Option<Vec<Contact>> {
        let contact = |text: &String| {
            let address = text.strip_prefix("mailto:").filter(|address| address.contains('@'))?;
            Some(Contact {
                source: ContactSource::Mail,
                kind: ContactKind::Mail,
                address: address.to_owned(),
            })
        };
        self.security.notify.iter().map(contact).collect()
    }

    /// Every secret that is `x` or `x_file`.
    fn secrets(&self) -> Vec<(&'static str, Option<&Secret>, Option<&PathBuf>)> {
        let mut secrets = Vec::new();
        if self.store.kind == StoreKind::Redis {
            secrets.push(("store.url", self.store.url.as_ref(), self.store.url_file.as_ref()));
        }
        if let Some(slack) = &self.slack {
            secrets.push((
                "slack.signing_secret",
                slack.signing_secret.as_ref(),
                slack.signing_secret_file.as_ref(),
            ));
            secrets.push(("slack.bot_token", slack.bot_token.as_ref(), slack.bot_token_file.as_ref()));
        }
        if let Some(teams) = &self.teams {
            secrets.push(("teams.app_secret", teams.app_secret.as_ref(), teams.app_secret_file.as_ref()));
        }
        if let Some(sms) = &self.courier.sms {
            secrets.push(("courier.sms.password", sms.password.as_ref(), sms.password_file.as_ref()));
        }
        if let Some(email) = &self.courier.email
            && email.username.is_some()
        {
            secrets.push(("courier.email.password", email.password.as_ref(), email.password_file.as_ref()));
        }
        secrets
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
