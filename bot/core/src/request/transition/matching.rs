//! What follows when an approver chooses a number?

use super::{Applied, Draft};
use crate::ids::PersonId;
use crate::request::{Ending, Past, Refusal};
use crate::task::{Audience, News};

impl Draft<'_> {
    /// The right number approves. There is one try: with two, guessing would be right two times in three.
    pub(super) fn pick(&mut self, by: PersonId, number: u8) -> Applied {
        let (case, approvals, _) = self.undecided(by)?;
        let matching = case.matching.ok_or(Refusal::Moot)?;
        // A number that no button of the card carries was never chosen.
        if !matching.choices().contains(&number) {
            return Err(Refusal::NotAnApprover);
        }
        if approvals.iter().any(|approval| approval.by.id == by) {
            return Err(Refusal::AlreadyApproved);
        }
        if matching.number() == number {
            return self.give(by, "number matched", None);
        }
        let candidate = case.candidate(by).ok_or(Refusal::NotAnApprover)?.clone();
        self.decision("approval.mismatched", &candidate, None);
        self.tell(Audience::Security, News::Mismatched);
        self.end(Ending::Mismatched(candidate.human), Past::Asked(case));
        Ok(())
    }
}
