//! What do approvers read of a request that somebody made at the page?

use crate::card::Card;
use crate::request::Case;

/// What somebody is called who says at the page that they are `name`.
#[must_use]
pub fn visitor(name: &str) -> String {
    format!("Somebody on the web page who says that they are {name}")
}

/// What the card asks.
pub(super) fn title(case: &Case) -> String {
    format!("{} asks for a pass; this was NOT verified", case.requester.name)
}

/// What to do before choosing a number.
pub(super) fn advice(card: Card, case: &Case, until: &str) -> Card {
    let name = &case.subject.name;
    card.text(format!(
        "Nobody checked that this is {name}: anybody can open that page. They were shown a number, and are to phone you and \
         tell it to you. Be sure that it is them: call back on a number that you already had. Until {until}."
    ))
    .text(
        "Choosing their number approves. You have one try: a wrong number ends the request, so never guess. If nobody \
         calls, or the number is not here, press Deny: somebody else asked.",
    )
}

/// Where the request stands when somebody in a chat asked for the same subject.
pub(super) fn set_aside() -> String {
    "set aside, since somebody asked for the same colleague in chat".to_owned()
}
