//! What is secret or private in a story, where could it have got to, and is it there?
//!
//! Each place is read once, whatever the number of secrets: a step looks at two bytes, and only where some secret
//! begins with these two is it compared.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde_json::Value;
use url::form_urlencoded;

use crate::check::{files, report_token_in};
use crate::redis::PASSWORD;
use crate::world::{TWILIO_TOKEN, World, code_in, pin_in};

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
    /// What tapdesk proves itself with: tokens, passwords, signing secrets, the pepper.
    Credential,
    /// What the chat gives out to answer one person with: Slack's response addresses and triggers.
    Handle,
    /// A full number, an address, or what somebody gave as the reason: in no log and in no ledger.
    Personal,
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

impl Place {
    /// A place where nothing secret belongs but what is listed.
    #[must_use]
    pub fn new(name: &str, content: impl Into<Vec<u8>>, may_hold: &[Kind]) -> Self {
        Self { name: name.to_owned(), content: content.into(), may_hold: may_hold.to_vec() }
    }
}

/// Every secret that the story's people and services came to know.
#[must_use]
pub fn secrets(world: &World) -> BTreeSet<Secret> {
    let mut secrets = Secrets::default();
    for text in world.graph.secrets() {
        secrets.add(Kind::Passcode, &text);
    }
    let mails = world.smtp.sent().into_iter().map(|mail| mail.text);
    for text in world.twilio.sent().into_iter().map(|sms| sms.body).chain(mails) {
        if let Some(code) = code_in(&text) {
            let (first, second, third) = (&code[..4], &code[4..8], &code[8..]);
            for form in [code.clone(), code.to_lowercase(), format!("{first}-{second}-{third}")] {
                secrets.add(Kind::Code, &form);
            }
        }
        if let Some(token) = report_token_in(&text) {
            secrets.add(Kind::ReportToken, &token);
        }
        for pin in text.lines().filter_map(|line| pin_in(line.rsplit(':').next()?)) {
            secrets.pin(&pin);
        }
    }
    for modal in world.chat.modals_ever_opened() {
        for pin in texts(&modal).iter().filter_map(|text| pin_in(text)) {
            secrets.pin(&pin);
        }
    }
    let mut credentials = world.entra.secrets();
    credentials.extend(world.proofs.secrets());
    credentials.extend(world.chat.credentials());
    credentials.extend([TWILIO_TOKEN.to_owned(), PASSWORD.to_owned(), crate::tickets::SECRET.to_owned()]);
    credentials.extend(std::fs::read_to_string(world.files.path().join("pepper")));
    for credential in credentials {
        secrets.add(Kind::Credential, &credential);
    }
    for handle in world.chat.handles() {
        secrets.add(Kind::Handle, &handle);
    }
    for reason in world.chat.reasons().iter().filter(|reason| reason.len() >= LONG) {
        secrets.add(Kind::Personal, reason);
    }
    secrets.people(world);
    secrets.0
}

/// Everywhere that something could have leaked to.
pub fn places(world: &World) -> anyhow::Result<Vec<Place>> {
    use Kind::{Code, Credential, Handle, Personal, Pin, ReportToken};
    let seen: Vec<String> = world.chat.everything_ever_seen().iter().map(Value::to_string).collect();
    let modals: Vec<String> = world.chat.modals_ever_opened().iter().map(Value::to_string).collect();
    let texts: Vec<String> = world.twilio.sent().into_iter().map(|sms| sms.body).collect();
    let mails: Vec<String> = world.smtp.sent().into_iter().map(|mail| mail.raw + &mail.text).collect();
    let news: Vec<String> = world.tickets.news().iter().map(|news| news.body.to_string()).collect();
    let mut places = vec![
        Place::new("the log at TRACE", world.logged(), &[]),
        // The chat's own handles come back to it with the calls that use them.
        Place::new("chat messages", seen.join("\n"), &[Handle, Personal]),
        Place::new("chat modals", modals.join("\n"), &[Pin, Handle, Personal]),
        Place::new("text messages", texts.join("\n"), &[Code, Pin, ReportToken, Personal]),
        Place::new("mail", mails.join("\n"), &[Code, Pin, ReportToken, Personal]),
        // Names and addresses as it gave them itself; what is on file it never learns, which the stories look at.
        Place::new("a ticket system's news", news.join("\n"), &[Personal]),
        Place::new("metrics", tapdesk::telemetry::metrics().render(), &[]),
    ];
    for entry in files(world.files.path())? {
        let name = entry.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let may_hold: &[Kind] = match entry.extension().and_then(|extension| extension.to_str()) {
            Some("ndjson") => &[],
            // The configurations that an administrator wrote.
            Some("toml" | "acl") => &[Credential, Personal],
            Some(_) | None => &[Personal],
        };
        places.push(Place::new(&format!("file {name}"), std::fs::read(&entry)?, may_hold));
    }
    Ok(places)
}

/// Where secrets are that must not be there: plain, and as they look in base64, hex, URLs, JSON, HTML and UTF-16.
#[must_use]
pub fn search(secrets: &BTreeSet<Secret>, places: &[Place]) -> Vec<String> {
    let needles: Vec<Needle> = secrets.iter().flat_map(needles).collect();
    let mut beginnings: BTreeMap<[u8; 2], Vec<&Needle>> = BTreeMap::new();
    // One bit for every two bytes that some needle begins with.
    let mut begins = vec![0_u64; 1 << 10];
    for needle in &needles {
        let pair = [needle.bytes[0], needle.bytes[1]];
        beginnings.entry(pair).or_default().push(needle);
        let place = usize::from(u16::from_be_bytes(pair));
        begins[place >> 6] |= 1 << (place & 63);
    }
    let mut found = BTreeMap::new();
    for place in places {
        let mut at = 0;
        let content = place.content.as_slice();
        while at + 1 < content.len() {
            let pair = usize::from(content[at]) << 8 | usize::from(content[at + 1]);
            if begins[pair >> 6] >> (pair & 63) & 1 == 1 {
                for needle in beginnings.get(&[content[at], content[at + 1]]).into_iter().flatten() {
                    if needle.stands_at(content, at) && !place.may_hold.contains(&needle.kind) {
                        found
                            .entry((needle.kind, &place.name, needle.form))
                            .or_insert_with(|| before(content, at));
                    }
                }
            }
            at += 1;
        }
    }
    let leak = |((kind, place, form), before)| format!("{kind:?} in {place} ({form}) after {before:?}");
    found.into_iter().map(leak).collect()
}

/// What stands before a leak, to find the line of code that made it.
fn before(content: &[u8], at: usize) -> String {
    String::from_utf8_lossy(&content[at.saturating_sub(120)..at]).into_owned()
}

/// Every form that a text is searched in.
#[must_use]
pub fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let percent: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let as_json = |text: &str| {
        let json = Value::from(text).to_string();
        json.as_bytes()[1..json.len() - 1].to_vec()
    };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // As .NET, hence Graph, writes JSON; and that once more, as a log quotes a body.
    let dotnet: String = text
        .chars()
        .map(|c| if "+&<>'\"`".contains(c) { format!("\\u{:04X}", u32::from(c)) } else { c.to_string() })
        .collect();
    // As a card of Teams has it, which reads Markdown.
    let mut card = String::new();
    for c in text.chars() {
        card.extend(r"\`*_[]<>~&{".contains(c).then_some('\\').into_iter().chain([c]));
    }
    let hex = |upper: bool| -> String {
        text.bytes().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
    };
    let mut forms = vec![
        ("plain", text.as_bytes().to_vec()),
        ("URL", percent.into_bytes()),
        ("JSON", as_json(text)),
        ("HTML", escaped.clone().into_bytes()),
        ("HTML in JSON", as_json(&escaped)),
        ("JSON of .NET", dotnet.clone().into_bytes()),
        ("JSON of .NET in JSON", as_json(&dotnet)),
        ("Markdown", card.clone().into_bytes()),
        ("Markdown in JSON", as_json(&card)),
        ("hex", hex(false).into_bytes()),
        ("HEX", hex(true).into_bytes()),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ];
    // Inside a longer base64 text it looks different for each place modulo three; its edges mix with what is around.
    for (shift, cut) in [(0, 0), (1, 2), (2, 3)] {
        let shifted = [vec![0; shift], text.as_bytes().to_vec()].concat();
        let whole = shifted.len() / 3 * 4;
        let encoded = BASE64_STANDARD_NO_PAD.encode(&shifted);
        forms.push(("base64", encoded.as_bytes()[cut..whole].to_vec()));
    }
    let mut known = BTreeSet::new();
    forms.retain(|(_, bytes)| bytes.len() >= SHORTEST && known.insert(bytes.clone()));
    forms
}

/// Shorter than this, and something would be found by chance.
const SHORTEST: usize = 6;

struct Needle {
    kind: Kind,
    form: &'static str,
    bytes: Vec<u8>,
    alone: bool,
}

fn needles(secret: &Secret) -> Vec<Needle> {
    // Eight digits inside a longer number or hash are no PIN.
    let alone = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    forms(&secret.text)
        .into_iter()
        .map(|(form, bytes)| Needle { kind: secret.kind, form, alone: alone(&bytes), bytes })
        .collect()
}

impl Needle {
    fn stands_at(&self, content: &[u8], at: usize) -> bool {
        let edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_hexdigit());
        let before = || at.checked_sub(1).and_then(|before| content.get(before));
        content[at..].starts_with(&self.bytes)
            && (!self.alone || edge(before()) && edge(content.get(at + self.bytes.len())))
    }
}

#[derive(Default)]
struct Secrets(BTreeSet<Secret>);

impl Secrets {
    fn add(&mut self, kind: Kind, text: &str) {
        if text.len() >= SHORTEST {
            self.0.insert(Secret { kind, text: text.to_owned() });
        }
    }

    fn pin(&mut self, pin: &str) {
        self.add(Kind::Pin, pin);
        self.add(Kind::Pin, &format!("{} {}", &pin[..4], &pin[4..]));
    }

    fn people(&mut self, world: &World) {
        for person in world.company.people() {
            let profile = person.profile();
            let numbers = profile.phones.iter().map(|(_, number)| number).chain(&profile.mobile_phone);
            let mails = profile.mail.iter().chain(&profile.other_mails).chain([&profile.upn]);
            for text in numbers.chain(mails) {
                self.add(Kind::Personal, text);
            }
            // Names are words too; only a whole one, as somebody would be called by it, counts.
            if profile.display_name.len() >= LONG || profile.display_name.contains(' ') {
                self.add(Kind::Personal, &profile.display_name);
            }
        }
    }
}

/// Shorter texts of people may be words that anybody writes.
const LONG: usize = 12;

/// Every string in a JSON value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(kind: Kind, text: &str) -> BTreeSet<Secret> {
        BTreeSet::from([Secret { kind, text: text.to_owned() }])
    }

    #[test]
    fn a_deliberate_leak_is_found_in_every_form() {
        let secret = "+a/Z%&9\"kx7";
        for (form, leaked) in forms(secret) {
            let content = [b"before ".as_slice(), &leaked, b" after"].concat();
            let place = Place::new("somewhere", content, &[]);
            assert!(!search(&only(Kind::Passcode, secret), &[place]).is_empty(), "{form}");
        }
    }

    #[test]
    fn a_leak_is_found_in_the_middle_of_base64_and_of_words() {
        for before in ["", "u", "us", "user:"] {
            let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{before}+drkzqADx:more"));
            let place = Place::new("a header", format!("Basic {encoded}"), &[]);
            assert_eq!(search(&only(Kind::Passcode, "+drkzqADx"), &[place]).len(), 1, "{before}");
        }
        let glued = Place::new("a log", "code=xx0123456789ABCyy", &[]);
        assert_eq!(search(&only(Kind::Code, "0123456789ABC"), &[glued]).len(), 1);
    }

    #[test]
    fn a_secret_where_it_belongs_is_no_leak_and_digits_inside_a_number_are_no_pin() {
        let found = |content: &str, may_hold: &[Kind]| {
            !search(&only(Kind::Pin, "12345678"), &[Place::new("x", content, may_hold)]).is_empty()
        };
        assert!(!found("PIN 12345678.", &[Kind::Pin]));
        assert!(!found("at 1234567890 ns, hash a12345678f", &[]));
        assert!(found("PIN 12345678.", &[]));
        assert!(found("12345678", &[]));
        assert!(found("pin12345678z", &[]));
    }
}
