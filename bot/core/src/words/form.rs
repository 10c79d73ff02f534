//! What does the form say in which people ask for a pass?

use std::time::Duration;

use super::{LONGEST_REASON, SHORTEST_REASON, length};
use crate::card::{Card, Choice, Look};
use crate::form::{Complaint, Field, FieldName, Form, Input, Pick, Purpose, lifetimes, pick};
use crate::ids::TicketNumber;
use crate::people::Naming;

/// The form in which somebody asks for a pass; `longest` is the longest lifetime that any rule allows.
#[must_use]
pub fn ask_form(longest: Duration) -> Form {
    let field = |name, label: &str, hint: &str, input, optional| Field {
        name,
        label: label.to_owned(),
        hint: hint.to_owned(),
        input,
        optional,
    };
    let mut fields = vec![
        field(FieldName::Person, "Colleague", "Who is locked out?", Input::Person, true),
        field(
            FieldName::Address,
            "Or their address",
            "For a colleague who is not in this chat: user principal name or mail address.",
            Input::Line { longest: Naming::LONGEST_ADDRESS },
            true,
        ),
        field(
            FieldName::Reason,
            "Reason",
            "Approvers and auditors read it. No passwords, please.",
            Input::Text { shortest: SHORTEST_REASON, longest: LONGEST_REASON },
            false,
        ),
        field(
            FieldName::TicketNumber,
            "Ticket number",
            "Like INC0012345, if there is one. Some rules want it.",
            Input::Line { longest: TicketNumber::LONGEST },
            true,
        ),
    ];
    let offered: Vec<Pick> = lifetimes()
        .take_while(|lifetime| *lifetime <= longest)
        .map(|lifetime| Pick { value: pick(lifetime), label: length(lifetime) })
        .collect();
    if !offered.is_empty() {
        let hint = "How long the pass works once it is opened; never longer than the rule allows. Empty: as the rule says.";
        fields.push(field(FieldName::Lifetime, "Lifetime", hint, Input::OneOf(offered), true));
    }
    Form {
        purpose: Purpose::Ask,
        value: String::new(),
        title: "Help a colleague in".to_owned(),
        text: vec!["Nothing is asked before you submit. Then I check the rules and write to you.".to_owned()],
        fields,
        submit: "Ask".to_owned(),
        close: "Never mind".to_owned(),
    }
}

/// What has to be mended in a form.
#[must_use]
pub fn complaint(complaint: Complaint) -> String {
    match complaint {
        Complaint::NobodyNamed => "For whom? Pick a colleague here, or type their address below.".to_owned(),
        Complaint::NamedTwice => {
            "One request is for one colleague: pick one above or type an address here, not both.".to_owned()
        }
        Complaint::NotAnAddress => {
            "That is no address. Type it in full, like jane.doe@contoso.com; an @name of the chat is none."
                .to_owned()
        }
        Complaint::ReasonLength => format!(
            "Add a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters: approvers and auditors read it."
        ),
        Complaint::NotATicketNumber => {
            "A ticket number is one word with a digit in it, like INC0012345.".to_owned()
        }
        Complaint::NotOffered => "Pick one of the list.".to_owned(),
        Complaint::NotConfirmed => {
            "I could not confirm that this was stored. Submit it again: doing it twice does no harm."
                .to_owned()
        }
    }
}

/// Somebody's own page in the chat, with what is open for them.
#[must_use]
pub fn home(open: Card) -> Card {
    open.text("This page is drawn anew whenever you open it.").button(
        "Ask for a pass",
        Choice::Ask,
        "home",
        Look::Primary,
    )
}

/// A form did not open.
#[must_use]
pub fn form_not_opened(command: &str) -> Card {
    Card::line("The form did not open, and nothing was asked.")
        .text(format!("Try once more, or write: {command} for @colleague REASON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(longest: Duration) -> Vec<String> {
        let form = ask_form(longest);
        let picks = form.fields.into_iter().filter_map(|field| match field.input {
            Input::OneOf(picks) => Some(picks),
            Input::Person | Input::Line { .. } | Input::Text { .. } => None,
        });
        picks.flatten().map(|pick| pick.label).collect()
    }

    #[test]
    fn no_lifetime_is_offered_that_no_rule_allows() {
        assert_eq!(labels(Duration::from_hours(2)), ["10 minutes", "30 minutes", "1 hour", "2 hours"]);
        assert_eq!(labels(Duration::from_hours(24 * 30)).last().map(String::as_str), Some("7 days"));
        assert!(labels(Duration::from_mins(9)).is_empty());
    }

    #[test]
    fn every_lifetime_that_is_offered_can_be_told_from_the_others() {
        let all = labels(Duration::MAX);
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }
}
