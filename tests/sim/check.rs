//! What must hold when a story is over, whatever it told?

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde_json::Value;
use tapdesk_adapters::ledgers::file;

use crate::world::{World, code_in, pin_in};

/// Something that must not be found, with the places where it may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: String,
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A passcode: nowhere but in the claim response.
    Passcode,
    /// A code: nowhere but in its text message or mail.
    Code,
    /// A PIN: nowhere but in its modal, text message or mail.
    Pin,
    /// The token of a "this wasn't me" link: nowhere but in the notice.
    ReportToken,
}

/// A place that was searched.
pub struct Place {
    /// Its name, for the message of a failed check.
    pub name: String,
    /// What is there.
    pub content: Vec<u8>,
    /// Secrets that belong there.
    pub may_hold: Vec<Kind>,
}

/// The ids of passes that tapdesk's ledger says were shown.
pub async fn shown_passes(world: &World) -> anyhow::Result<BTreeSet<String>> {
    world.settle().await?;
    let mut shown = BTreeSet::new();
    for line in ledger_lines(&world.files.path().join("ledger"))? {
        if line["what"] == "pass.shown" {
            shown.insert(line["facts"]["pass"].as_str().unwrap_or_default().to_owned());
        }
    }
    Ok(shown)
}

/// Invariants 5 and 6: a pass of ours that nobody saw is gone, and each subject has at most one that lives.
pub fn no_pass_lives_unseen(world: &World, shown: &BTreeSet<String>) -> anyhow::Result<()> {
    let now = world.hands.now();
    for pass in world.graph.passes().into_iter().filter(|pass| !pass.is_foreign) {
        let gone = pass.deleted_at.is_some() || pass.replaced_at.is_some();
        let seen = shown.contains(&pass.id.clone());
        ensure!(gone || seen, "a pass that nobody saw was not deleted: {} of {}", pass.id, pass.user);
        ensure!(!pass.is_live(now), "a pass still lives twelve hours later: {}", pass.id);
    }
    Ok(())
}

/// The chain is whole, and no intent is left without an outcome.
pub fn ledger_verifies(world: &World) -> anyhow::Result<()> {
    let verified =
        file::verify(&world.files.path().join("ledger"), None).context("the ledger does not verify")?;
    ensure!(verified.open_intents.is_empty(), "intents without outcome: {:#?}", verified.open_intents);
    Ok(())
}

/// Invariant 3: no secret of the story is anywhere but where it belongs.
pub fn nothing_leaked(world: &World) -> anyhow::Result<()> {
    let found = search(&secrets(world), &places(world)?);
    ensure!(found.is_empty(), "secrets leaked: {found:#?}");
    Ok(())
}

/// Every secret that the story's people and services came to know.
#[must_use]
pub fn secrets(world: &World) -> BTreeSet<Secret> {
    let mut secrets = BTreeSet::new();
    let mut add = |kind, text: String| secrets.insert(Secret { kind, text });
    for text in world.graph.secrets() {
        add(Kind::Passcode, text);
    }
    let mails = world.smtp.sent().into_iter().map(|mail| mail.text);
    for text in world.twilio.sent().into_iter().map(|sms| sms.body).chain(mails) {
        if let Some(code) = code_in(&text) {
            add(Kind::Code, code.clone());
            add(Kind::Code, format!("{}-{}-{}", &code[..4], &code[4..8], &code[8..]));
        }
        if let Some(token) = report_token_in(&text) {
            add(Kind::ReportToken, token);
        }
        for pin in text.lines().filter_map(|line| pin_in(line.rsplit(':').next()?)) {
            add_pin(&mut add, &pin);
        }
    }
    for modal in world.slack.modals_ever_opened() {
        for pin in texts(&modal).iter().filter_map(|text| pin_in(text)) {
            add_pin(&mut add, &pin);
        }
    }
    secrets
}

/// Everywhere that something could have leaked to.
pub fn places(world: &World) -> anyhow::Result<Vec<Place>> {
    let place = |name: &str, content: Vec<u8>, may_hold: &[Kind]| Place {
        name: name.to_owned(),
        content,
        may_hold: may_hold.to_vec(),
    };
    let seen: Vec<String> = world.slack.everything_ever_seen().iter().map(Value::to_string).collect();
    let modals: Vec<String> = world.slack.modals_ever_opened().iter().map(Value::to_string).collect();
    let texts: Vec<String> = world.twilio.sent().into_iter().map(|sms| sms.body).collect();
    let mails: Vec<String> = world.smtp.sent().into_iter().map(|mail| mail.raw + &mail.text).collect();
    let mut places = vec![
        place("the log at TRACE", world.logged().into_bytes(), &[]),
        place("chat messages", seen.join("\n").into_bytes(), &[]),
        place("chat modals", modals.join("\n").into_bytes(), &[Kind::Pin]),
        place("text messages", texts.join("\n").into_bytes(), &[Kind::Code, Kind::Pin, Kind::ReportToken]),
        place("mail", mails.join("\n").into_bytes(), &[Kind::Code, Kind::Pin, Kind::ReportToken]),
        place("metrics", tapdesk::telemetry::metrics().render().into_bytes(), &[]),
    ];
    for entry in files(world.files.path())? {
        let name =
            format!("file {}", entry.file_name().map(|name| name.to_string_lossy()).unwrap_or_default());
        places.push(Place { name, content: std::fs::read(&entry)?, may_hold: Vec::new() });
    }
    Ok(places)
}

/// Where secrets are that must not be there: plain, and as they look in base64, hex, URLs, JSON and UTF-16.
#[must_use]
pub fn search(secrets: &BTreeSet<Secret>, places: &[Place]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        for place in places.iter().filter(|place| !place.may_hold.contains(&secret.kind)) {
            for (form, needle) in forms(&secret.text) {
                if contains(&place.content, &needle) {
                    found.push(format!("{:?} in {} ({form})", secret.kind, place.name));
                }
            }
        }
    }
    found
}

fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let percent: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let json = Value::from(text).to_string();
    let hex = |upper: bool| -> String {
        text.bytes().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
    };
    vec![
        ("plain", text.as_bytes().to_vec()),
        ("URL", percent.into_bytes()),
        ("JSON", json.as_bytes()[1..json.len() - 1].to_vec()),
        ("base64", BASE64_STANDARD_NO_PAD.encode(text).into_bytes()),
        ("hex", hex(false).into_bytes()),
        ("HEX", hex(true).into_bytes()),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ]
}

/// Whether `needle` stands there by itself: eight digits inside a longer number are no PIN.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let free_edges = |at: usize| {
        let before = at.checked_sub(1).and_then(|i| haystack.get(i));
        edge(before) && edge(haystack.get(at + needle.len()))
    };
    memchr::memmem::find_iter(haystack, needle).any(free_edges)
}

fn add_pin(add: &mut impl FnMut(Kind, String) -> bool, pin: &str) {
    add(Kind::Pin, pin.to_owned());
    add(Kind::Pin, format!("{} {}", &pin[..4], &pin[4..]));
}

/// The token of a "this wasn't me" link.
#[must_use]
pub fn report_token_in(text: &str) -> Option<String> {
    let rest = text.split_once("#report=")?.1;
    Some(rest.chars().take_while(char::is_ascii_alphanumeric).collect())
}

/// Every string in a JSON value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Every line of every segment, in order.
pub fn ledger_lines(directory: &Path) -> anyhow::Result<Vec<Value>> {
    let mut lines = Vec::new();
    for file in files(directory)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "ndjson")) {
        for line in std::fs::read_to_string(&file)?.lines() {
            lines.push(serde_json::from_str(line)?);
        }
    }
    Ok(lines)
}

fn files(directory: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if !path.ends_with("pepper") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(content: &[u8], may_hold: &[Kind]) -> Place {
        Place { name: "somewhere".into(), content: content.to_vec(), may_hold: may_hold.to_vec() }
    }

    #[test]
    fn a_deliberate_leak_is_found_in_every_form() {
        let secret = Secret { kind: Kind::Passcode, text: "+a/Z%9\"k".into() };
        for (form, leaked) in forms(&secret.text) {
            let content = [b"before ".as_slice(), &leaked, b" after"].concat();
            let found = search(&BTreeSet::from([secret.clone()]), &[place(&content, &[])]);
            assert!(!found.is_empty(), "{form}");
        }
    }

    #[test]
    fn a_secret_where_it_belongs_is_no_leak_and_digits_inside_a_number_are_no_pin() {
        let pin = BTreeSet::from([Secret { kind: Kind::Pin, text: "12345678".into() }]);
        assert!(search(&pin, &[place(b"PIN 12345678.", &[Kind::Pin])]).is_empty());
        assert!(search(&pin, &[place(b"at 1234567890 ns, hash a12345678f", &[])]).is_empty());
        assert!(!search(&pin, &[place(b"PIN 12345678.", &[])]).is_empty());
    }
}
