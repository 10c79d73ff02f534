//! What is said where others read along, or to whom it does not concern?

use crate::card::Card;

/// The card of somebody else's request or decision, for whoever has it before them.
#[must_use]
pub fn card_of_somebody_else() -> Card {
    Card::line("This card is for somebody else, or what it was about is forgotten.")
}

/// The one line where others read along.
#[must_use]
pub fn answered_privately() -> Card {
    Card::line("I answered in our private chat.")
}

/// The one line where others read along, when there is no private chat.
#[must_use]
pub fn no_private_chat() -> Card {
    Card::line("I cannot write to you alone: add me for yourself first, then write to me there.")
}

/// The answer where a pass can be asked for and nothing else.
#[must_use]
pub fn only_asking_here(command: &str) -> Card {
    Card::line("Here you can ask for a pass, and nothing else.").text(format!(
        "Write: for jane.doe@contoso.com REASON. Everything else goes in our private chat: {command} help"
    ))
}
