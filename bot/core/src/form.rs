//! What can people fill in, before any platform has its way with it?
//!
//! A form says what it asks for; what comes back is entries, none of which is believed before the core has read it.

use std::time::Duration;

use crate::ids::{ChatUser, TicketNumber};
use crate::inbound::Ask;
use crate::people::{Naming, one_line};
use crate::words::{LONGEST_REASON, SHORTEST_REASON};

/// A form in front of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What filling it in means.
    pub purpose: Purpose,
    /// The opaque text that it brings back.
    pub value: String,
    /// Its title: short, since some platforms show 24 characters of it.
    pub title: String,
    /// Paragraphs above the fields.
    pub text: Vec<String>,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Caption of the button that submits it.
    pub submit: String,
    /// Caption of the button that closes it.
    pub close: String,
}

/// What a form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To ask for a pass.
    Ask,
    /// To say what looks wrong about a request.
    Doubt,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Which one.
    pub name: FieldName,
    /// What it is called.
    pub label: String,
    /// What to fill in.
    pub hint: String,
    /// How it is filled in.
    pub input: Input,
    /// Whether the form may be submitted without it.
    pub optional: bool,
}

/// The fields that forms have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldName {
    /// Somebody who has an account in the chat.
    Person,
    /// The address of somebody, who may have none.
    Address,
    /// Why.
    Reason,
    /// The number of the ticket about it.
    TicketNumber,
    /// How long the pass should live.
    Lifetime,
    /// What looks wrong.
    Doubt,
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody is picked from the chat's people.
    Person,
    /// One line.
    Line {
        /// How many characters at most.
        longest: usize,
    },
    /// Several lines.
    Text {
        /// How many characters at least.
        shortest: usize,
        /// How many at most.
        longest: usize,
    },
    /// One of these is picked.
    OneOf(Vec<Pick>),
}

/// What can be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// What it brings back.
    pub value: String,
    /// What it says.
    pub label: String,
}

/// A form that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// What for.
    pub purpose: Purpose,
    /// The opaque text that the form carried.
    pub value: String,
    /// The fields that are not empty.
    pub entries: Vec<(FieldName, Entry)>,
}

/// What stands in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Somebody was picked.
    Account(ChatUser),
    /// A text, or the value of what was picked.
    Text(String),
}

/// What a person has to mend before a form can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// Neither picked nor typed.
    NobodyNamed,
    /// Picked and typed, and it need not be the same person.
    NamedTwice,
    /// Not an address.
    NotAnAddress,
    /// Too short or too long.
    ReasonLength,
    /// Not what a ticket number looks like.
    NotATicketNumber,
    /// Not one of the list.
    NotOffered,
    /// The store did not confirm in time; submitting again does no harm.
    NotConfirmed,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Self; 2] = [Self::Ask, Self::Doubt];

    /// The name that a platform may carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Doubt => "doubt",
        }
    }

    /// The purpose with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// The field at which a complaint about the whole form is shown.
    #[must_use]
    pub fn main_field(self) -> FieldName {
        match self {
            Self::Ask => FieldName::Reason,
            Self::Doubt => FieldName::Doubt,
        }
    }
}

impl FieldName {
    /// Every field there is.
    pub const ALL: [Self; 6] =
        [Self::Person, Self::Address, Self::Reason, Self::TicketNumber, Self::Lifetime, Self::Doubt];

    /// The name that a platform may carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Address => "address",
            Self::Reason => "reason",
            Self::TicketNumber => "ticket_number",
            Self::Lifetime => "lifetime",
            Self::Doubt => "doubt",
        }
    }
}

/// Something that has to be mended, and where.
pub type Mending = (FieldName, Complaint);

impl Filled {
    /// The wish for a pass that was filled in, or everything that has to be mended.
    pub fn ask(&self) -> Result<Ask, Vec<Mending>> {
        let reason = one_line(self.text(FieldName::Reason).unwrap_or_default());
        let is_long_enough = (SHORTEST_REASON..=LONGEST_REASON).contains(&reason.chars().count());
        let reason = is_long_enough.then_some(reason).ok_or((FieldName::Reason, Complaint::ReasonLength));
        match (self.subject(), reason, self.ticket_number(), self.lifetime()) {
            (Ok(subject), Ok(reason), Ok(ticket_number), Ok(lifetime)) => {
                Ok(Ask { subject, reason, ticket_number, lifetime })
            }
            (subject, reason, ticket_number, lifetime) => {
                let wrong = [subject.err(), reason.err(), ticket_number.err(), lifetime.err()];
                Err(wrong.into_iter().flatten().collect())
            }
        }
    }

    /// What looks wrong, on one line. A doubt counts however it is worded.
    #[must_use]
    pub fn doubt(&self) -> String {
        one_line(self.text(FieldName::Doubt).unwrap_or_default()).chars().take(LONGEST_REASON).collect()
    }

    fn subject(&self) -> Result<Naming, Mending> {
        let picked = self.entry(FieldName::Person).and_then(|entry| match entry {
            Entry::Account(account) => Some(account.clone()),
            Entry::Text(_) => None,
        });
        match (picked, self.text(FieldName::Address)) {
            (Some(account), None) => Ok(Naming::Account(account)),
            (None, Some(typed)) => {
                Naming::address(typed).ok_or((FieldName::Address, Complaint::NotAnAddress))
            }
            (Some(_), Some(_)) => Err((FieldName::Address, Complaint::NamedTwice)),
            (None, None) => Err((FieldName::Person, Complaint::NobodyNamed)),
        }
    }

    fn ticket_number(&self) -> Result<Option<TicketNumber>, Mending> {
        let wrong = (FieldName::TicketNumber, Complaint::NotATicketNumber);
        let number = self.text(FieldName::TicketNumber).map(|text| text.parse().map_err(|_| wrong));
        number.transpose()
    }

    fn lifetime(&self) -> Result<Option<Duration>, Mending> {
        let wrong = (FieldName::Lifetime, Complaint::NotOffered);
        let read = |text: &str| lifetimes().find(|offered| pick(*offered) == text).ok_or(wrong);
        self.text(FieldName::Lifetime).map(read).transpose()
    }

    fn entry(&self, name: FieldName) -> Option<&Entry> {
        self.entries.iter().find(|(of, _)| *of == name).map(|(_, entry)| entry)
    }

    /// The text in a field, without the blanks around it; nothing where nothing else stands there.
    fn text(&self, name: FieldName) -> Option<&str> {
        match self.entry(name)? {
            Entry::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Entry::Account(_) => None,
        }
    }
}

/// The lifetimes that a form may offer, in minutes; the rule and the tenant have the last word.
const LIFETIMES: [u64; 9] = [10, 30, 60, 120, 240, 480, 1_440, 4_320, 10_080];

/// The lifetimes that a form may offer, the shortest first.
pub fn lifetimes() -> impl Iterator<Item = Duration> {
    LIFETIMES.into_iter().map(Duration::from_mins)
}

/// What a lifetime brings back when it is picked: its minutes.
#[must_use]
pub fn pick(lifetime: Duration) -> String {
    (lifetime.as_secs() / 60).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChatName;

    fn text(text: &str) -> Entry {
        Entry::Text(text.to_owned())
    }

    fn account() -> ChatUser {
        ChatUser { chat: ChatName::from("chat"), workspace: "T1".to_owned(), id: "U1".to_owned() }
    }

    fn filled(entries: &[(FieldName, Entry)]) -> Result<Ask, Vec<Mending>> {
        Filled { purpose: Purpose::Ask, value: String::new(), entries: entries.to_vec() }.ask()
    }

    fn reason() -> (FieldName, Entry) {
        (FieldName::Reason, text(" lost\nher phone "))
    }

    #[test]
    fn whoever_is_picked_or_typed_is_the_subject_and_the_rest_may_be_left_out() {
        let picked = filled(&[(FieldName::Person, Entry::Account(account())), reason()]).unwrap();
        assert_eq!(picked.subject, Naming::Account(account()));
        assert_eq!(picked.reason, "lost her phone");
        assert_eq!((picked.ticket_number, picked.lifetime), (None, None));
        let typed = filled(&[(FieldName::Address, text(" Jane@Contoso.com ")), reason()]).unwrap();
        assert_eq!(typed.subject, Naming::Address("jane@contoso.com".to_owned()));
    }

    #[test]
    fn ticket_number_and_lifetime_are_read_where_they_are_given() {
        let person = (FieldName::Person, Entry::Account(account()));
        let number = (FieldName::TicketNumber, text(" INC0012345 "));
        let ask = filled(&[person, reason(), number, (FieldName::Lifetime, text("120"))]).unwrap();
        assert_eq!(ask.ticket_number.unwrap().as_str(), "INC0012345");
        assert_eq!(ask.lifetime, Some(Duration::from_hours(2)));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = filled(&[
            (FieldName::Address, text("jane")),
            (FieldName::Reason, text("x")),
            (FieldName::TicketNumber, text("my laptop")),
            (FieldName::Lifetime, text("121")),
        ]);
        assert_eq!(
            wrong.unwrap_err(),
            [
                (FieldName::Address, Complaint::NotAnAddress),
                (FieldName::Reason, Complaint::ReasonLength),
                (FieldName::TicketNumber, Complaint::NotATicketNumber),
                (FieldName::Lifetime, Complaint::NotOffered),
            ]
        );
        assert_eq!(
            filled(&[]).unwrap_err(),
            [(FieldName::Person, Complaint::NobodyNamed), (FieldName::Reason, Complaint::ReasonLength)]
        );
        let both = [
            (FieldName::Person, Entry::Account(account())),
            (FieldName::Address, text("jane@contoso.com")),
            reason(),
        ];
        assert_eq!(filled(&both).unwrap_err(), [(FieldName::Address, Complaint::NamedTwice)]);
    }

    #[test]
    fn every_purpose_is_found_by_its_name() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::named(purpose.name()), Some(purpose));
        }
        assert_eq!(Purpose::named("other"), None);
    }
}
