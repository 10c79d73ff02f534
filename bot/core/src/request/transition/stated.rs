//! What follows from what a source says: that somebody approved, or that it is over?

use super::{Applied, Draft};
use crate::ids::{PersonId, SourceName};
use crate::people::Naming;
use crate::request::{Ending, MOST_STATEMENTS, NotCounted, Refusal, State, Statement, Weighed};
use crate::task::{News, Task};

impl Draft<'_> {
    /// Keeps what the source says until it is known who that is; said twice, it is said once.
    pub(super) fn stated(&mut self, source: &SourceName, approver: Naming) -> Applied {
        self.asked_by(source)?;
        match &self.before.state {
            State::Received | State::AwaitingApproval { .. } => {}
            State::Closed { .. } => return Err(Refusal::Over),
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => return Err(Refusal::AlreadyDecided),
        }
        if self.before.stated.iter().any(|statement| statement.approver == approver) {
            return Err(Refusal::AlreadyApproved);
        }
        if self.before.stated.len() >= MOST_STATEMENTS {
            return Err(Refusal::SentEnough);
        }
        self.event("approval.stated").with_fact("source", source);
        self.next.stated.push(Statement::new(approver, self.now));
        // Before the facts are in nobody knows who may approve: they bring the task.
        if matches!(self.before.state, State::AwaitingApproval { .. }) {
            let number = u8::try_from(self.before.stated.len()).unwrap_or(u8::MAX);
            self.task(self.now, Task::Weigh { statement: number });
        }
        Ok(())
    }

    /// An approval, if the person could give it in chat; else the source hears why it is none, and approvers decide.
    pub(super) fn weighed(&mut self, number: u8, verdict: Result<PersonId, NotCounted>) -> Applied {
        let State::AwaitingApproval { expires_at, .. } = &self.before.state else {
            return Err(Refusal::Moot);
        };
        let source = self.before.source().ok_or(Refusal::Moot)?.clone();
        let is_new = self.before.unweighed().any(|waiting| waiting == number);
        if !is_new || self.now >= *expires_at {
            return Err(Refusal::Moot);
        }
        let weighed = match verdict.and_then(|by| self.could_give(by)) {
            Ok(by) => {
                // Who was not asked yet reads of it on the card that is on its way.
                if self.before.newest_card(by).is_some() {
                    self.task(self.now, Task::Prompt { approver: by });
                }
                self.give(by, &format!("stated by {source}"), Some(source))?;
                Weighed::Counts
            }
            Err(why) => {
                self.event("approval.not_counted").with_fact("source", &source).with_fact("why", why.name());
                self.tell_requester(News::NotCounted);
                Weighed::Not(why)
            }
        };
        if let Some(statement) = self.next.stated.get_mut(usize::from(number)) {
            statement.weighed = weighed;
        }
        Ok(())
    }

    /// Whether pressing Approve would be an approval of that person, and the source has stated none yet.
    fn could_give(&self, by: PersonId) -> Result<PersonId, NotCounted> {
        let (case, approvals, _) = match self.undecided(by) {
            Ok(undecided) => undecided,
            Err(_) if self.is_involved(by) => return Err(NotCounted::Involved),
            Err(refusal) => return Err(refusal.into()),
        };
        let candidate = case.candidate(by).ok_or(NotCounted::NotAnApprover)?;
        if candidate.unreachable {
            Err(NotCounted::NotAnApprover)
        } else if case.matching.is_some() {
            Err(NotCounted::NumberWanted)
        } else if approvals.iter().any(|given| given.by.id == by || given.counts_for() == candidate.gives()) {
            Err(NotCounted::Given)
        } else if approvals.iter().any(|given| given.stated_by.is_some()) {
            Err(NotCounted::OneIsEnough)
        } else {
            Ok(by)
        }
    }

    fn is_involved(&self, person: PersonId) -> bool {
        self.before.case().is_some_and(|case| [case.requester.id, case.subject.id].contains(&person))
    }

    pub(super) fn cancel_by_source(&mut self, source: &SourceName) -> Applied {
        self.asked_by(source)?;
        self.event("request.stopped").with_fact("as", "source");
        self.stop(Ending::Cancelled)
    }

    fn asked_by(&self, source: &SourceName) -> Applied {
        if self.before.source() == Some(source) { Ok(()) } else { Err(Refusal::NotTheRequester) }
    }
}
