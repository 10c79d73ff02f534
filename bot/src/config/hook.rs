//! Which ticket systems and workflows may ask, and do the rules know them?

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tapdesk_adapters::secret::Secret;
use tapdesk_core::ids::SourceName;
use tapdesk_core::policy::{Fault, Policy, Rule};
use url::Url;

use super::check::is_loopback;
use super::secret;

/// A shorter secret could be guessed: this many hex digits are 128 bits.
const SHORTEST_SECRET: usize = 32;

/// `[hook.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// What both sides sign with.
    pub secret: Option<Secret>,
    /// The file that holds it.
    pub secret_file: Option<PathBuf>,
    /// The secret before this one, while it is being rotated.
    pub previous_secret_file: Option<PathBuf>,
    /// Where the source is told what became of its requests; it is told nothing without. Workflow triggers have a key in
    /// theirs, so it counts as a secret.
    pub status_url: Option<Secret>,
    /// The file that holds it.
    pub status_url_file: Option<PathBuf>,
    /// Whether it may state that somebody approved, where a rule allows it, too.
    #[serde(default)]
    pub may_state_approvals: bool,
    /// How often it may ask within an hour.
    #[serde(default = "sixty")]
    pub requests_per_hour: u32,
}

impl Hook {
    /// Its secrets, the one in force first.
    pub fn secrets(&self, name: &SourceName) -> anyhow::Result<Vec<Secret>> {
        let key = format!("hook.{name}.secret");
        let current = secret(&key, self.secret.as_ref(), self.secret_file.as_ref())?;
        let previous = self.previous_secret_file.as_ref();
        let previous = previous.map(|path| secret(&format!("hook.{name}.previous_secret"), None, Some(path)));
        let secrets: Vec<Secret> = std::iter::once(current).chain(previous.transpose()?).collect();
        let long = secrets.iter().all(|secret| secret.expose().len() >= SHORTEST_SECRET);
        ensure!(long, "{key}: at least {SHORTEST_SECRET} characters; make one with: openssl rand -hex 32");
        Ok(secrets)
    }

    /// Where it is told, if it is.
    pub fn status_url(&self, name: &SourceName) -> anyhow::Result<Option<Url>> {
        if self.status_url.is_none() && self.status_url_file.is_none() {
            return Ok(None);
        }
        let key = format!("hook.{name}.status_url");
        let text = secret(&key, self.status_url.as_ref(), self.status_url_file.as_ref())?;
        // The error of the parser would quote it.
        let url = Url::parse(text.expose()).ok().filter(is_safe);
        url.map(Some).with_context(|| format!("{key}: {UNSAFE}"))
    }
}

const UNSAFE: &str = "a whole URL that starts with https://";

/// What is signed can still be read on its way.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Everything that is wrong with the sections and with what the rules say of them. Reads no file.
pub(super) fn faults(hooks: &BTreeMap<SourceName, Hook>, policy: &Policy) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, hook) in hooks {
        let mut fault = |key: &str, what: &str| faults.push(Fault::new(&format!("hook.{name}.{key}"), what));
        if hook.secret.is_some() == hook.secret_file.is_some() {
            fault("secret", "give either secret or secret_file");
        }
        if hook.status_url.is_some() && hook.status_url_file.is_some() {
            fault("status_url", "give either status_url or status_url_file");
        }
        let unsafe_url = |url: &Secret| !Url::parse(url.expose()).is_ok_and(|url| is_safe(&url));
        if hook.status_url.as_ref().is_some_and(unsafe_url) {
            fault("status_url", UNSAFE);
        }
        if hook.requests_per_hour == 0 {
            fault("requests_per_hour", "0 lets it ask for nothing: leave the whole section out instead");
        }
        let mut rules = policy.rules.iter().filter(|rule| rule.sources().any(|source| source == name));
        if rules.clone().next().is_none() {
            let what =
                format!("no rule has requester = \"hook:{name}\": whatever it asks for would be refused");
            faults.push(Fault::new(&format!("hook.{name}"), &what));
        } else if hook.may_state_approvals && !rules.any(|rule| rule.stated_approval) {
            let what = format!(
                "no rule with requester = \"hook:{name}\" has stated_approval = true: no approval would count"
            );
            faults.push(Fault::new(&format!("hook.{name}.may_state_approvals"), &what));
        }
    }
    for rule in &policy.rules {
        let key = format!("policy.rule \"{}\"", rule.name);
        for name in rule.sources().filter(|name| !hooks.contains_key(name)) {
            let what = format!("requester: hook:{name} is not configured; add [hook.{name}]");
            faults.push(Fault::new(&key, &what));
        }
        let may_state = |rule: &Rule| {
            rule.sources().filter_map(|name| hooks.get(name)).any(|hook| hook.may_state_approvals)
        };
        if rule.stated_approval && rule.sources().all(|name| hooks.contains_key(name)) && !may_state(rule) {
            let what =
                "stated_approval: none of its sources may; add may_state_approvals = true to its section";
            faults.push(Fault::new(&key, what));
        }
    }
    faults
}

fn sixty() -> u32 {
    60
}
