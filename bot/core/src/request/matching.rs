//! Which number does the requester see, and which numbers does an approver choose from?
//!
//! An approver who has to choose the number that only the requester sees has talked to the requester: pressing away a
//! card that an attacker brought up approves nothing. The number is no secret of its own, only worth nothing without
//! the approver's account; so it is kept as it is.

use serde::{Deserialize, Serialize};

use crate::ports::Entropy;

/// The number that the requester is shown, among those that every approver chooses from. Approvers who compare their
/// cards see the same numbers in the same order, and so learn nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matching {
    number: u8,
    choices: [u8; 3],
}

impl Matching {
    /// Three different two-digit numbers in any order, any one of which is the right one.
    #[must_use]
    pub fn fresh(entropy: &dyn Entropy) -> Self {
        let first = 10 + below(entropy, 90);
        let mut choices = [first; 3];
        for place in 1..choices.len() {
            while choices[..place].contains(&choices[place]) {
                choices[place] = 10 + below(entropy, 90);
            }
        }
        Self { number: choices[usize::from(below(entropy, 3))], choices }
    }

    #[cfg(test)]
    pub(crate) fn of(number: u8, choices: [u8; 3]) -> Self {
        Self { number, choices }
    }

    /// What the requester is shown, and nobody else.
    #[must_use]
    pub fn number(&self) -> u8 {
        self.number
    }

    /// What an approver chooses from, in this order.
    #[must_use]
    pub fn choices(&self) -> [u8; 3] {
        self.choices
    }
}

/// A number below `end`, each as likely as the others.
fn below(entropy: &dyn Entropy, end: u8) -> u8 {
    let fair = u8::MAX - u8::MAX % end;
    loop {
        let [byte] = entropy.array();
        if byte < fair {
            return byte % end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ports::testing::CountUp;

    #[test]
    fn the_choices_differ_have_two_digits_and_hold_the_number_at_any_place() {
        let entropy = CountUp::new();
        let mut places = BTreeSet::new();
        for _ in 0..200 {
            let matching = Matching::fresh(&entropy);
            let distinct: BTreeSet<u8> = matching.choices().into();
            assert!(distinct.len() == 3 && distinct.iter().all(|number| (10..=99).contains(number)));
            places.extend(matching.choices().iter().position(|choice| *choice == matching.number()));
        }
        assert_eq!(places, BTreeSet::from([0, 1, 2]));
    }
}
