//! What does an activity look like, as far as it concerns us?
//!
//! Unknown fields are ignored and any field may be missing or null: clients and kinds of conversation differ.
//! Source: learn.microsoft.com, "Bot Framework Activity schema", 2026.

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activity {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) id: Option<String>,
    pub(super) timestamp: Option<String>,
    pub(super) service_url: Option<String>,
    pub(super) channel_id: Option<String>,
    pub(super) from: Option<Party>,
    pub(super) recipient: Option<Party>,
    pub(super) conversation: Option<Conversation>,
    pub(super) channel_data: Option<ChannelData>,
    pub(super) text: Option<String>,
    pub(super) entities: Option<Vec<Entity>>,
    pub(super) value: Option<Value>,
    pub(super) reply_to_id: Option<String>,
    pub(super) members_added: Option<Vec<Party>>,
    pub(super) members_removed: Option<Vec<Party>>,
    pub(super) action: Option<String>,
    pub(super) local_timezone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Party {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) aad_object_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    pub(super) id: Option<String>,
    pub(super) tenant_id: Option<String>,
    #[serde(rename = "conversationType")]
    pub(super) kind: Option<String>,
    pub(super) is_group: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct ChannelData {
    pub(super) tenant: Option<Tenant>,
}

#[derive(Deserialize)]
pub(super) struct Tenant {
    pub(super) id: Option<String>,
}

/// A mention, or what the client says of itself.
#[derive(Deserialize)]
pub(super) struct Entity {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) mentioned: Option<Party>,
    pub(super) text: Option<String>,
    pub(super) timezone: Option<String>,
}

impl Activity {
    /// Every tenant that the activity names.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &str> {
        let conversation =
            self.conversation.as_ref().and_then(|conversation| some(conversation.tenant_id.as_ref()));
        let channel = self.channel_data.as_ref().and_then(|data| data.tenant.as_ref());
        conversation.into_iter().chain(channel.and_then(|tenant| some(tenant.id.as_ref())))
    }

    /// Whether it comes from the private chat of one person and us.
    pub(super) fn is_personal(&self) -> bool {
        self.conversation.as_ref().is_some_and(|conversation| {
            let is_named = some(conversation.kind.as_ref()) == Some("personal");
            is_named && conversation.is_group != Some(true)
        })
    }

    /// The time zone that the sender's device says.
    pub(super) fn zone(&self) -> Option<&str> {
        let of_client = || self.entities.iter().flatten().find_map(|entity| some(entity.timezone.as_ref()));
        some(self.local_timezone.as_ref()).or_else(of_client)
    }
}

/// Teams leaves a field out, sends null or sends an empty text, and means the same.
pub(super) fn some(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}
