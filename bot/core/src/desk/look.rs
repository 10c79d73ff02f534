//! How do a card and a form look now, for somebody who has them before them?
//!
//! Looking changes nothing, whoever looks and however often.

use crate::card::Card;
use crate::desk::{Desk, Stopped};
use crate::form::{Filled, Form, Purpose};
use crate::ids::ChatUser;
use crate::ports::{PortError, Stored};
use crate::words;

impl Desk {
    /// The card whose buttons carry `value` as its approver sees it now; anybody else gets one that tells nothing and has
    /// no button. `message` is the chat's id of the message that it is in: an older copy leads to the newest.
    pub async fn card_behind(
        &self,
        viewer: &ChatUser,
        value: &str,
        message: Option<&str>,
    ) -> Result<Card, PortError> {
        let (Stored { request, .. }, by) = match self.presser(viewer, value).await {
            Ok(found) => found,
            Err(Stopped::Port(error)) => return Err(error),
            Err(Stopped::Refused(_) | Stopped::Seen | Stopped::SubjectBusy(_) | Stopped::Gone) => {
                return Ok(self.mode().marked(words::card_of_somebody_else()));
            }
        };
        let known = request.case().and_then(|case| Some((case, case.candidate(by)?)));
        let Some((case, candidate)) = known else {
            return Ok(self.mode().marked(words::card_of_somebody_else()));
        };
        let card = words::approval(&request, case, candidate, self.now());
        let is = |at: &crate::request::MessageRef| Some(at.message.as_str()) == message;
        // A message that is not noted yet was posted a moment ago: it is the newest.
        let is_noted = request.posted.iter().any(|posted| posted.approver == by && is(&posted.message));
        let is_older = is_noted && !request.newest_card(by).is_some_and(is);
        Ok(self.mode().marked(if is_older { words::older_copy(card) } else { card }))
    }

    /// The form that was filled in, once more.
    #[must_use]
    pub fn form_again(&self, filled: &Filled) -> Form {
        self.mode().marked_form(match filled.purpose {
            Purpose::Ask => words::ask_form(self.policy.longest_lifetime()),
            Purpose::Doubt => words::what_looks_wrong(&filled.value),
        })
    }
}
