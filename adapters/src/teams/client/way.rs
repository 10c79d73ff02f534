//! Where does Teams reach somebody?
//!
//! Nobody can look that up: an activity tells it, and it is kept from then on. A place names a conversation within one
//! service, and whose it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tapdesk_core::ports::Conversation;

/// How somebody is reached; kept by the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::teams) struct Way {
    /// The service that their conversations are at, without a slash at its end.
    pub(in crate::teams) service_url: String,
    /// A conversation that they and we are in.
    pub(in crate::teams) conversation: String,
    /// What Teams calls them towards us, `29:…`.
    pub(in crate::teams) user: String,
    /// Whether the conversation is between them and us alone.
    pub(in crate::teams) personal: bool,
    /// The time zone that they live by, if their device said so.
    pub(in crate::teams) zone: Option<String>,
}

/// A conversation, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::teams) struct Place {
    pub(in crate::teams) service_url: String,
    pub(in crate::teams) conversation: String,
    pub(in crate::teams) user: String,
}

impl Way {
    pub(super) fn place(&self) -> Place {
        let Self { service_url, conversation, user, .. } = self.clone();
        Place { service_url, conversation, user }
    }

    /// What is known after an activity told this. A private conversation stays known when somebody writes elsewhere.
    pub(super) fn after(self, known: Option<Self>) -> Self {
        let Some(known) = known else { return self };
        let zone = self.zone.or(known.zone);
        if known.personal && !self.personal && known.user == self.user {
            return Self {
                zone,
                service_url: known.service_url,
                conversation: known.conversation,
                personal: true,
                user: known.user,
            };
        }
        Self { zone, ..self }
    }
}

impl From<&Way> for Conversation {
    fn from(way: &Way) -> Self {
        Self(serde_json::to_string(way).unwrap_or_default())
    }
}

impl TryFrom<&Conversation> for Way {
    type Error = serde_json::Error;

    fn try_from(kept: &Conversation) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&kept.0)
    }
}

impl Place {
    /// The place as a text that also names the message there that is answered.
    pub(in crate::teams) fn answering(&self, message: &str) -> String {
        format!("{self} {message}")
    }

    /// The message that such a text names.
    pub(in crate::teams) fn answered(text: &str) -> Option<&str> {
        text.split(' ').nth(3)
    }
}

/// None of the three parts has a blank in it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service_url, self.conversation, self.user)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(' ').map(str::to_owned);
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(());
        Ok(Self { service_url: part()?, conversation: part()?, user: part()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(conversation: &str, personal: bool, zone: Option<&str>) -> Way {
        Way {
            service_url: "https://smba.example/emea".to_owned(),
            conversation: conversation.to_owned(),
            user: "29:1".to_owned(),
            personal,
            zone: zone.map(str::to_owned),
        }
    }

    #[test]
    fn a_private_conversation_stays_known_when_somebody_writes_elsewhere() {
        let known = way("a:1", true, Some("Europe/Berlin"));
        assert_eq!(way("19:c", false, None).after(Some(known.clone())), known);
        assert_eq!(way("a:2", true, None).after(Some(known)), way("a:2", true, Some("Europe/Berlin")));
        assert_eq!(way("a:1", true, None).after(Some(way("19:c", false, None))), way("a:1", true, None));
        assert_eq!(way("19:c", false, None).after(None), way("19:c", false, None));
    }

    #[test]
    fn ways_and_places_are_read_as_they_were_written() {
        let way = way("19:c@thread.tacv2;messageid=1", false, None);
        assert_eq!(Way::try_from(&Conversation::from(&way)).unwrap(), way);
        assert_eq!(way.place().to_string().parse(), Ok(way.place()));
        let answer = way.place().answering("1764000000");
        assert_eq!((answer.parse(), Place::answered(&answer)), (Ok(way.place()), Some("1764000000")));
        assert_eq!(Place::answered(&way.place().to_string()), None);
        for text in ["", "https://a", "https://a b", "https://a  c"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
