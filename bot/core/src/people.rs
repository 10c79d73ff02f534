//! Who are the people, as the directory knows them, and how can the subject be reached?

use serde::{Deserialize, Serialize};

use crate::ids::{PersonId, RoleId};
use crate::ticket::sha256_hex;

/// A person as the directory knows them now. Never stored; see [`Human`] for what a request keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Entra object id.
    pub id: PersonId,
    /// Display name.
    pub name: String,
    /// User principal name.
    pub upn: String,
    /// Primary mail address.
    pub mail: Option<String>,
    /// `accountEnabled`; `false` where Entra left it out.
    pub enabled: bool,
    /// `userType` is `Member`; guests are refused everywhere.
    pub member: bool,
    /// Member of a restricted-management administrative unit.
    pub management_restricted: bool,
    /// `mobilePhone`, a profile attribute: used only where a rule names it.
    pub mobile_phone: Option<String>,
    /// `otherMails`, a profile attribute: used only where a rule names it.
    pub other_mails: Vec<String>,
}

/// A person as a request remembers them: enough to name them, compare them and find them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Human {
    /// Entra object id.
    pub id: PersonId,
    /// Display name at the time.
    pub name: String,
    /// User principal name at the time.
    pub upn: String,
}

impl From<&Person> for Human {
    fn from(person: &Person) -> Self {
        let name = one_line(&person.name);
        let name = if name.is_empty() { person.upn.clone() } else { name };
        Self { id: person.id, name, upn: person.upn.clone() }
    }
}

/// What somebody typed or is called, as one line of what can be seen. Line breaks, reversed and invisible characters
/// would let a name or a reason pass for words of ours.
#[must_use]
pub fn one_line(text: &str) -> String {
    let seen: String = text.chars().filter(|c| c.is_whitespace() || !is_unseen(*c)).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Controls, and the format characters that draw nothing or turn the direction (Unicode's `Cf`). The two joiners stay:
/// some scripts and many emoji need them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What a requester typed or picked to name a person: a chat mention or an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Naming {
    /// A mention of a chat account.
    Account(crate::ids::ChatUser),
    /// A user principal name or mail address, lower-cased.
    Address(String),
}

impl Naming {
    /// RFC 5321 allows no longer address.
    pub const LONGEST_ADDRESS: usize = 254;

    /// The address, if `text` is one and nothing else.
    #[must_use]
    pub fn address(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let (local, domain) = text.split_once('@')?;
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || "@<>()[]|\\\",;:".contains(c);
        let sound = |part: &str| !part.is_empty() && !part.contains(forbidden);
        (sound(local) && sound(domain) && text.len() <= Self::LONGEST_ADDRESS).then_some(Self::Address(text))
    }
}

/// Everything that makes a person privileged in Entra's eyes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Directory roles held now, directly, through a group, tenant-wide or scoped.
    pub roles: Vec<RoleId>,
    /// Directory roles that could be activated through PIM.
    pub eligible: Vec<RoleId>,
    /// Member of a role-assignable group.
    pub in_role_assignable_group: bool,
    /// Owner of a role-assignable group.
    pub owns_role_assignable_group: bool,
}

/// Where a contact is on file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContactSource {
    /// An authentication phone method: the default, and the only one that Entra guards.
    #[serde(rename = "phone-methods")]
    PhoneMethods,
    /// The profile attribute `mobilePhone`.
    MobilePhone,
    /// The profile attribute `otherMails`.
    OtherMails,
    /// The primary mail address: for notices only, since a locked-out person cannot read it.
    Mail,
}

/// What kind of address a contact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContactKind {
    /// A telephone number in E.164.
    Phone,
    /// A mail address.
    Mail,
}

/// An address of the subject that Entra has on file. Never stored; see [`PinnedContact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where it is on file.
    pub source: ContactSource,
    /// What kind of address it is.
    pub kind: ContactKind,
    /// The address: E.164 or RFC 5321.
    pub address: String,
}

/// A contact as a request remembers it: recognisable, not readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedContact {
    /// Where it is on file.
    pub source: ContactSource,
    /// What kind of address it is.
    pub kind: ContactKind,
    /// The masked form that people see.
    pub masked: String,
    /// SHA-256 of source and address: tells whether the address changed since.
    pub fingerprint: String,
}

impl Contact {
    /// Whether Entra shows the whole address; some permissions get `+1 XXXXXXXX89`.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        match self.kind {
            ContactKind::Phone => {
                let digits = self.address.strip_prefix('+').unwrap_or("");
                (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
            }
            ContactKind::Mail => self.address.contains('@') && !self.address.contains('*'),
        }
    }

    /// What a request keeps of it.
    #[must_use]
    pub fn pin(&self) -> PinnedContact {
        let fingerprint = sha256_hex(format!("{:?}\0{}", self.source, self.address).as_bytes());
        PinnedContact { source: self.source, kind: self.kind, masked: self.masked(), fingerprint }
    }

    /// `+49…12`, `j…@contoso.com`: enough for its owner to recognise it.
    #[must_use]
    pub fn masked(&self) -> String {
        match self.kind {
            ContactKind::Phone => {
                let characters: Vec<char> = self.address.chars().collect();
                let head: String = characters.iter().take(3).collect();
                let tail: String = characters.iter().skip(characters.len().saturating_sub(2)).collect();
                format!("{head}…{tail}")
            }
            ContactKind::Mail => {
                let (local, domain) = self.address.split_once('@').unwrap_or((&self.address, ""));
                let head: String = local.chars().take(1).collect();
                format!("{head}…@{domain}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(address: &str) -> Contact {
        Contact { source: ContactSource::PhoneMethods, kind: ContactKind::Phone, address: address.to_owned() }
    }

    #[test]
    fn an_address_is_one_whatever_its_case_and_nothing_else_is() {
        let jane = Naming::Address("jane@contoso.com".to_owned());
        assert_eq!(Naming::address("Jane@Contoso.COM"), Some(jane));
        let longest = format!("{}@b", "a".repeat(253));
        for text in ["", "jane", "jane@", "@contoso.com", "a@b@c", "a b@c", "<a@b>", "a@b,c", &longest] {
            assert_eq!(Naming::address(text), None, "{text}");
        }
    }

    #[test]
    fn a_masked_contact_shows_its_owner_enough_and_nobody_else() {
        assert_eq!(phone("+491701234512").masked(), "+49…12");
        let mail = Contact { kind: ContactKind::Mail, ..phone("jane@home.example") };
        assert_eq!(mail.masked(), "j…@home.example");
    }

    #[test]
    fn a_number_that_entra_masks_is_not_readable() {
        assert!(phone("+491701234512").is_readable());
        assert!(!phone("+1 XXXXXXXX89").is_readable());
    }

    #[test]
    fn a_changed_address_has_another_fingerprint() {
        assert_eq!(phone("+491701234512").pin(), phone("+491701234512").pin());
        assert_ne!(phone("+491701234512").pin().fingerprint, phone("+491701234513").pin().fingerprint);
    }
}
