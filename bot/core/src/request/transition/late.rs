//! What happens while approvers let people wait?

use jiff::Timestamp;

use super::{Applied, Draft, later};
use crate::ids::PersonId;
use crate::request::{Candidate, Case, Ending, Escalation, MOST_REMINDERS, Past, Reason, Refusal, State};
use crate::task::{News, Task};

impl Draft<'_> {
    /// Plans the reminder that follows the card which somebody just got, if there is to be one.
    pub(super) fn plan_reminder(&mut self, approver: PersonId) {
        let State::AwaitingApproval { case, expires_at, .. } = &mut self.next.state else { return };
        let Some(due) = next_reminder(case, approver, self.now, *expires_at) else { return };
        let planned = case.approvers.iter_mut().find(|candidate| candidate.human.id == approver);
        let Some(candidate) = planned else { return };
        candidate.reminders.next = Some(due);
        let after = candidate.reminders.count;
        self.task(due, Task::Remind { approver, after });
    }

    pub(super) fn remind_time(&mut self, approver: PersonId, after: u8) -> Applied {
        let State::AwaitingApproval { mut case, approvals, expires_at } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        let candidate = case.candidate(approver).ok_or(Refusal::Moot)?;
        let is_needed = case.would_gain_by(candidate, &approvals) && case.delegate_of(approver).is_none();
        // A task that comes twice finds that its reminder was counted.
        let due = candidate.reminders.next.filter(|_| candidate.reminders.count == after);
        let due = due.filter(|_| is_needed).ok_or(Refusal::Moot)?;
        // A task that comes late may come at night.
        let due = due.max(awake(&case, candidate, self.now));
        if due >= expires_at {
            return Err(Refusal::Moot);
        }
        if self.now < due {
            self.not_yet(due, Task::Remind { approver, after });
            return Ok(());
        }
        let now = self.now;
        for candidate in case.approvers.iter_mut().filter(|candidate| candidate.human.id == approver) {
            candidate.reminders.count = after.saturating_add(1);
            candidate.reminders.last = Some(now);
            candidate.reminders.next = None;
        }
        self.event("approver.reminded").with_fact("count", after.saturating_add(1)).by(approver);
        self.task(now, Task::Prompt { approver });
        self.next.state = State::AwaitingApproval { case, approvals, expires_at };
        Ok(())
    }

    /// The requester waits for nobody who was never asked.
    pub(super) fn not_reached(&mut self, approver: PersonId) -> Applied {
        // What a source states must not stand if nobody can tell who is said to have approved.
        if let Some(approval) = self.before.stated_approval(approver) {
            let reason = Reason::NotReached(approval.by.name.clone());
            self.event("approver.not_reached").by(approver);
            return self.stop(Ending::Refused(reason));
        }
        let State::AwaitingApproval { mut case, approvals, expires_at } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        let candidate = case.approvers.iter_mut().find(|candidate| candidate.human.id == approver);
        let candidate = candidate.filter(|candidate| !candidate.unreachable).ok_or(Refusal::Moot)?;
        candidate.unreachable = true;
        self.event("approver.not_reached").by(approver);
        let others_may_join = self.before.escalates_at().is_some();
        if !others_may_join && !case.can_be_decided(&approvals) {
            self.end(nobody_is_left(&case), Past::Asked(case));
            return Ok(());
        }
        self.next.state = State::AwaitingApproval { case, approvals, expires_at };
        self.tell_requester(News::NotReached);
        Ok(())
    }

    pub(super) fn escalated(&mut self, escalation: Escalation) -> Applied {
        let due = self.before.escalates_at().ok_or(Refusal::Moot)?;
        let State::AwaitingApproval { mut case, approvals, expires_at } = self.before.state.clone() else {
            return Err(Refusal::Moot);
        };
        if self.now >= expires_at {
            return Err(Refusal::TooLate);
        }
        if self.now < due {
            self.not_yet(due, Task::Escalate);
            return Ok(());
        }
        // Whoever was asked first stays who they are, and separation of people holds whatever was looked up.
        let involved = [case.requester.id, case.subject.id];
        let is_separate = |person: &PersonId| !involved.contains(person);
        let mut asked = Vec::new();
        for candidate in escalation.approvers {
            let is_new = case.candidate(candidate.human.id).is_none();
            if is_new && [candidate.human.id, candidate.gives()].iter().all(is_separate) {
                asked.push(candidate.human.id);
                case.approvers.push(candidate);
            }
        }
        for (slot, more) in case.slots.iter_mut().zip(escalation.slots) {
            for person in more.into_iter().filter(is_separate) {
                if !slot.contains(&person) {
                    slot.push(person);
                }
            }
        }
        case.escalated_at = Some(self.now);
        let names: Vec<String> = asked.iter().map(PersonId::to_string).collect();
        self.event("request.escalated").with_fact("approvers", names.join(" "));
        if !case.can_be_decided(&approvals) {
            self.end(nobody_is_left(&case), Past::Asked(case));
            return Ok(());
        }
        self.tell_requester(if asked.is_empty() { News::NobodyElse } else { News::Escalated });
        for approver in asked {
            self.task(self.now, Task::Prompt { approver });
        }
        self.next.state = State::AwaitingApproval { case, approvals, expires_at };
        Ok(())
    }
}

fn nobody_is_left(case: &Case) -> Ending {
    let gone = case.approvers.iter().filter(|candidate| candidate.unreachable);
    let names: Vec<&str> = gone.map(|candidate| candidate.human.name.as_str()).collect();
    Ending::Refused(Reason::NotReached(names.join(", ")))
}

/// When somebody who is asked now needs a reminder; never, if it could not come before the time is over.
fn next_reminder(
    case: &Case,
    approver: PersonId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Option<Timestamp> {
    let candidate = case.candidate(approver)?;
    let first = case.terms.remind_after?;
    let count = candidate.reminders.count;
    if count >= MOST_REMINDERS {
        return None;
    }
    let pause = first.saturating_mul(2_u32.saturating_pow(u32::from(count)));
    let due = awake(case, candidate, later(now, pause));
    (due < expires_at).then_some(due)
}

/// The first point of time from `at` on that is not in the quiet hours of that approver.
fn awake(case: &Case, candidate: &Candidate, at: Timestamp) -> Timestamp {
    let quiet = case.terms.quiet_hours.as_ref();
    quiet.map_or(at, |quiet| quiet.over(at, candidate.zone.as_ref()))
}
