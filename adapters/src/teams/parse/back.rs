//! What does a card bring back?
//!
//! Buttons carry a choice and an opaque value, forms their purpose, an opaque value and a mark of their own, with what was
//! filled in beside them.

use serde_json::Value;
use tapdesk_core::card::Choice;
use tapdesk_core::form::{Entry, FieldName, Filled, Purpose};
use tapdesk_core::inbound::Wish;

use super::{Ours, account};

/// The verb of a card that is only shown anew.
pub(in crate::teams) const REFRESH: &str = "refresh";
/// The key of a button's choice.
pub(in crate::teams) const CHOICE: &str = "choice";
/// The key of the opaque value of a button or form.
pub(in crate::teams) const VALUE: &str = "value";
/// The key of a form's purpose.
pub(in crate::teams) const FORM: &str = "form";
/// The key of a form's own mark.
pub(in crate::teams) const MARK: &str = "mark";
/// The key of the button that only closes a dialog.
pub(in crate::teams) const CLOSE: &str = "close";

/// What came back, and the mark of the form that it was in.
pub(super) struct Back {
    pub(super) brought: Brought,
    pub(super) form: Option<String>,
}

pub(super) enum Brought {
    Press(Wish),
    Fill(Filled),
    Close,
}

/// Reads what a button of ours brings back; nothing of it is believed but which one it was.
pub(super) fn read(data: &Value, ours: &Ours) -> Option<Back> {
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let form = data[MARK].as_str().filter(|mark| !mark.is_empty()).map(str::to_owned);
    let brought = if let Some(purpose) = data[FORM].as_str() {
        let purpose = Purpose::named(purpose)?;
        let entries = FieldName::ALL.into_iter().filter_map(|name| entry(name, data, ours)).collect();
        Brought::Fill(Filled { purpose, value: text(VALUE), entries })
    } else if let Some(choice) = data[CHOICE].as_str() {
        Brought::Press(Wish::Press { choice: Choice::named(choice)?, value: text(VALUE) })
    } else {
        (data[CLOSE] == true).then_some(Brought::Close)?
    };
    Some(Back { brought, form })
}

fn entry(name: FieldName, data: &Value, ours: &Ours) -> Option<(FieldName, Entry)> {
    let text = data[name.name()].as_str().filter(|text| !text.is_empty())?;
    match name {
        // The people picker brings back object ids.
        FieldName::Person => account(text, ours).map(|user| (name, Entry::Account(user))),
        FieldName::Address
        | FieldName::Reason
        | FieldName::TicketNumber
        | FieldName::Lifetime
        | FieldName::Doubt => Some((name, Entry::Text(text.to_owned()))),
    }
}
