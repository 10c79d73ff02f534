//! What follows once a pass is over?

use super::{Applied, Draft, later};
use crate::request::{Ending, Found, Goal, Grant, LOOKS, Look, Refusal, State, Told};
use crate::task::{News, Task};

impl Draft<'_> {
    /// The pass is good for nothing any more: it is deleted all the same, so that the directory shows who has one.
    pub(super) fn pass_ended(&mut self, ending: Ending, told: Told) -> Applied {
        let State::Shown { mut grant, pass, .. } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        grant.fate = Some(told);
        self.event("pass.ended").with_fact("pass", &pass.id).with_fact("how", told.ledger_word());
        self.take_away(grant, pass.id, Goal::End(ending));
        Ok(())
    }

    /// With a pass that nobody used nothing was registered.
    pub(super) fn look_for_methods(&mut self, grant: &Grant) {
        if matches!(grant.fate, Some(Told::Used | Told::Over)) {
            for (number, after) in (1..).zip(LOOKS) {
                self.task(later(self.now, after), Task::LookForMethods { number });
            }
        }
    }

    pub(super) fn looked(&mut self, look: &Look) -> Applied {
        // Whoever asked hears nothing more of a request that was stopped for safety.
        let State::Closed { ending: Ending::Used | Ending::Expired, .. } = self.before.state else {
            return Err(Refusal::Moot);
        };
        let grant = self.next.grant_mut().ok_or(Refusal::Moot)?;
        let last = grant.look.replace(look.clone());
        if last.as_ref().is_some_and(|last| last.number >= look.number) {
            return Err(Refusal::Moot);
        }
        let names = match &look.found {
            Found::NotKnown => "not known".to_owned(),
            Found::New(kinds) => kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join(", "),
        };
        self.event("methods.looked_at").with_fact("look", look.number).with_fact("new", names);
        let is_news = match (&look.found, last.map(|last| last.found)) {
            (_, None) => true,
            (Found::NotKnown, Some(_)) => false,
            (Found::New(kinds), Some(before)) => kinds.is_empty() || before != look.found,
        };
        if is_news {
            self.tell_requester(News::Registered);
        }
        Ok(())
    }
}

impl Told {
    fn ledger_word(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Unused => "unused",
            Self::Over => "over",
            Self::Made | Self::MayHaveBeenMade | Self::Deleted | Self::NotMade => "not over",
        }
    }

    /// Whether it says that a pass lived out its time, as passes do.
    #[must_use]
    pub fn is_the_usual_end(self) -> bool {
        match self {
            Self::Used | Self::Unused | Self::Over => true,
            Self::Made | Self::MayHaveBeenMade | Self::Deleted | Self::NotMade => false,
        }
    }
}
