//! Which things have names, and how are those names written?
//!
//! Every id is its own type, so a group can never be passed where a person is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ports::Entropy;
use crate::ticket::sha256_hex;

/// Crockford's base32 alphabet: no I, L, O, U.
pub(crate) const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A text that is not the id it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct NotAnId {
    expected: &'static str,
}

/// One request; prints as `req_` and 26 characters of Crockford base32 (128 random bits).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

impl RequestId {
    /// A fresh id; unguessable, though nothing depends on that.
    pub fn fresh(entropy: &dyn Entropy) -> Self {
        Self(format!("req_{}", base32(&entropy.array::<16>())))
    }

    /// The id as it is written everywhere.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Six characters that people use to name the request to each other.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[self.0.len() - 6..]
    }
}

impl FromStr for RequestId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = NotAnId { expected: "a request id (req_ and 26 characters)" };
        let body = text.strip_prefix("req_").ok_or(wrong.clone())?;
        if body.len() == 26 && body.bytes().all(|b| CROCKFORD.contains(&b)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong)
        }
    }
}

/// An opaque one-shot name of one prompt: 128 random bits, carried by its buttons.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PromptId(String);

impl PromptId {
    /// A fresh, unguessable id.
    pub fn fresh(entropy: &dyn Entropy) -> Self {
        Self(base32(&entropy.array::<16>()))
    }

    /// Reads what a button brought back; any text is accepted, since only equality counts.
    #[must_use]
    pub fn from_button(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text that goes into a button.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId { expected: $expected })
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// The Entra object id of a person: the only identity that is ever compared.
    PersonId,
    "an Entra object id (a GUID)"
);
uuid_id!(
    /// The Entra object id of a group.
    GroupId,
    "the object id of a group (a GUID)"
);
uuid_id!(
    /// The template id of a directory role.
    RoleId,
    "the template id of a directory role (a GUID)"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// The id that Graph gave a pass; not secret.
    PassId
);
text_id!(
    /// Which chat a message came from or goes to: the name of a configured adapter.
    ChatName
);
text_id!(
    /// One inbound delivery, as the sender's platform identifies it; claimed once.
    DeliveryId
);
text_id!(
    /// The name of a policy rule; bound to a request at submit.
    RuleName
);
text_id!(
    /// Which running process holds a lease.
    WorkerId
);

/// The name of a ledger: 1 to 32 lower-case letters, digits and dashes. Each replica writes one of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerName(String);

impl LedgerName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LedgerName {
    fn default() -> Self {
        Self("tapdesk".to_owned())
    }
}

impl FromStr for LedgerName {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnId { expected: "the name of a ledger (1 to 32 of a-z, 0-9 and -)" })
        }
    }
}

impl TryFrom<String> for LedgerName {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<LedgerName> for String {
    fn from(name: LedgerName) -> Self {
        name.0
    }
}

impl fmt::Display for LedgerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A system that asks by signed messages, as the configuration calls it (`[hook.NAME]`) and people read it: 1 to 32
/// letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

impl SourceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands where somebody's object id would, if the source names nobody who asks: a digest of its name, in the
    /// version of UUIDs (8) that Entra gives nobody.
    #[must_use]
    pub fn stand_in(&self) -> PersonId {
        let digest = sha256_hex(format!("source\0{}", self.0).as_bytes());
        let number = u128::from_str_radix(&digest[..32], 16).unwrap_or_default();
        PersonId(uuid::Builder::from_custom_bytes(number.to_be_bytes()).into_uuid())
    }
}

impl FromStr for SourceName {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnId { expected: "the name of a source (1 to 32 of A-Z, a-z, 0-9 and -)" })
        }
    }
}

impl TryFrom<String> for SourceName {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number that a ticket has in the service desk's own system: one word. It is written down plainly, so that auditors
/// find the ticket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketNumber(String);

impl TicketNumber {
    /// Characters at most.
    pub const LONGEST: usize = 64;

    /// A word that the rule's own pattern calls a ticket number.
    pub(crate) fn by_pattern(word: &str) -> Self {
        Self(word.to_owned())
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TicketNumber {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        // A word without a digit is rather a name, and names are not written down plainly.
        let has_digit = text.bytes().any(|b| b.is_ascii_digit());
        let is_plain = |c: char| c.is_alphanumeric() || "-_#./:".contains(c);
        if has_digit && text.chars().all(is_plain) && text.chars().count() <= Self::LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnId { expected: "a ticket number (one word with a digit in it)" })
        }
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A chat account: unique within its chat and workspace, worth nothing as an identity by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatUser {
    /// The chat the account lives in.
    pub chat: ChatName,
    /// The workspace, team or tenant within that chat.
    pub workspace: String,
    /// The account's id there.
    pub id: String,
}

/// How often a request was changed; every commit names the version it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version that `open` gives a request.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TryFrom<String> for RequestId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PromptId(…)")
    }
}

/// Crockford base32 of `bytes`, most significant bits first, the last character padded with zero bits.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut window, mut bits) = (0u16, 0u8);
    for &byte in bytes {
        window = (window << 8) | u16::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(CROCKFORD[usize::from((window >> bits) & 31)]));
        }
    }
    if bits > 0 {
        text.push(char::from(CROCKFORD[usize::from((window << (5 - bits)) & 31)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::testing::CountUp;

    #[test]
    fn a_request_id_survives_being_written_and_read() {
        let id = RequestId::fresh(&CountUp::new());
        assert_eq!(id.as_str().len(), 30);
        assert_eq!(id.as_str().parse::<RequestId>().unwrap(), id);
    }

    #[test]
    fn a_ticket_number_is_one_plain_word_with_a_digit() {
        for text in ["INC0012345", "SR-7", "#4711", "2026/11-3", "Störung7"] {
            assert_eq!(text.parse::<TicketNumber>().unwrap().as_str(), text);
        }
        let too_long = "7".repeat(TicketNumber::LONGEST + 1);
        for text in ["", "Jane", "INC 7", "7\n", "<7>", "7\u{202e}", &too_long] {
            assert!(text.parse::<TicketNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_stands_in_for_nobody_is_the_same_each_time_and_nobodys_id() {
        let [one, same, other] = ["ServiceNow", "ServiceNow", "Power-Automate"]
            .map(|name| name.parse::<SourceName>().unwrap().stand_in());
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(one.0.get_version_num(), 8, "Entra's ids have version 4");
        for text in ["", "Service Now", "a/b", "ü", &"a".repeat(33)] {
            assert!(text.parse::<SourceName>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_request_ids() {
        for text in
            ["", "req_", "req_0123", "REQ_01234567890123456789012345", "req_0123456789012345678901234U"]
        {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
    }
}
