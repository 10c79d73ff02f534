//! A world small enough to reason about: one subject's passes, a worker, a clock, and bad luck.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::samples::{
    DORA, FINN, JANE, MAX, OLGA, SAM, SECURITY, STRANGER, Sample, account, browser, candidate, case, code,
    delegate, escalation, human, id, later, looks_wrong, mary, monday, new_approver, notice, number_47,
    person, pin_hash, posted, service_now, the_source, told, visitor, wish,
};
use crate::hours::{QuietHours, Zone};
use crate::ids::{PassId, PersonId, Version};
use crate::policy::Route;
use crate::ports::Decline;
use crate::request::{
    Attempt, Case, Change, Claim, Event, Found, Look, Loose, Made, Reason, Refusal, Request, SETTLE_AFTER,
    State, Told, ToldRequester, WATCH_EVERY,
};
use crate::task::{Audience, Task};

/// What people, Graph, the clock and the worker may do next.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Approve(PersonId),
    /// Chooses the number that the requester was shown, or another.
    Pick(PersonId, bool),
    Deny(PersonId),
    NotReached(PersonId),
    SetAside,
    /// The source says that somebody approved.
    Stated,
    /// Somebody finds out whose approval the statement of that number is.
    Weighed(u8, PersonId),
    Disown(PersonId),
    CancelBySource,
    LooksWrong(PersonId),
    Cancel(PersonId),
    Withdraw(PersonId),
    Resend(PersonId),
    Revoke(PersonId),
    RevokeBySecurity,
    Report,
    ShowPin(PersonId),
    /// Code and PIN are proved in a browser.
    Claim(u8),
    /// The same while a look for stray passes is under way.
    ClaimDuringLook(u8),
    /// Graph's answer to the oldest create that has none.
    Graph(Answer),
    PageShowed(u8),
    WrongPin,
    TriesExhausted,
    RecheckForbids,
    ForeignPass,
    PinProved,
    WrongNumber,
    /// Somebody signs in with the pass on the screen.
    SignIn,
    /// Time passes and the worker works.
    Work(u64),
    /// Time passes and nobody works.
    Sleep(u64),
    /// The clock goes back.
    Back(u64),
    /// A task is performed once more.
    Repeat(usize),
    /// The courier's word about the code.
    CodeUndeliverable,
}

/// What becomes of a create.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Created,
    Declined(Decline),
    LockedDown,
    Unusable,
    /// No answer, no pass.
    LostBefore,
    /// No answer, and a pass.
    LostAfter,
    /// No answer, and a pass in a while.
    LandsLater,
    /// The process dies; a pass was made or not.
    Killed(bool),
}

/// An event that was offered to the request, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) before: Request,
    pub(super) event: Event,
    pub(super) version: Version,
    pub(super) now: Timestamp,
    pub(super) result: Result<Change, Refusal>,
    /// Tasks that are left after it.
    pub(super) pending: Vec<(Timestamp, Task)>,
    /// Living passes of ours after it.
    pub(super) alive: Vec<PassId>,
}

#[derive(Debug, Clone)]
struct Living {
    created_at: Timestamp,
    ends_at: Timestamp,
}

/// The request and everything around it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) sample: Sample,
    pub(super) steps: Vec<Step>,
    tasks: Vec<(Timestamp, Task)>,
    performed: Vec<Task>,
    flights: Vec<Attempt>,
    landing: Vec<Timestamp>,
    alive: BTreeMap<PassId, Living>,
    used: Vec<PassId>,
    facts: Case,
    made: u32,
    minted: u32,
}

impl World {
    /// A request that the worker has not looked at yet.
    pub(super) fn new(facts: Case) -> Self {
        let sample = if facts.requester == visitor() {
            Sample::visiting()
        } else if facts.requester == the_source() {
            Sample::sourcing()
        } else {
            Sample::received()
        };
        let tasks = sample.tasks.iter().map(|new| (new.due, new.task.clone())).collect();
        Self {
            sample,
            steps: Vec::new(),
            tasks,
            performed: Vec::new(),
            flights: Vec::new(),
            landing: Vec::new(),
            alive: BTreeMap::new(),
            used: Vec::new(),
            facts,
            made: 0,
            minted: 0,
        }
    }

    /// The request after all of `acts`.
    pub(super) fn after(facts: Case, acts: &[Act]) -> Self {
        let mut world = Self::new(facts);
        for act in acts {
            world.act(act);
        }
        world
    }

    pub(super) fn state(&self) -> &State {
        &self.sample.request.state
    }

    pub(super) fn alive(&self) -> Vec<PassId> {
        self.alive.keys().cloned().collect()
    }

    /// Performs what is due in a world where everything works, until nothing is left to do. Returns the steps.
    pub(super) fn settle(&mut self) -> usize {
        // Nobody answers any more for creates that were begun: their processes died.
        self.flights.clear();
        for step in 0..2_000 {
            let Some(due) = self.tasks.iter().map(|(due, _)| *due).min() else { return step };
            self.go_to(self.sample.now.max(due));
            self.perform_one();
        }
        panic!("still at work: {:?} with {:?}", self.state().name(), self.tasks)
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Approve(by) => self.apply(Event::Approve(*by)),
            Act::Pick(by, is_right) => self.apply(Event::Pick(*by, if *is_right { 47 } else { 12 })),
            Act::LooksWrong(by) => self.apply(looks_wrong(*by)),
            Act::Deny(by) => self.apply(Event::Deny(*by)),
            Act::NotReached(approver) => self.apply(Event::NotReached(*approver)),
            Act::SetAside => self.apply(Event::SetAside(id())),
            Act::Stated => self.apply(Event::Stated(service_now(), mary())),
            Act::Weighed(number, by) => self.apply(Event::Weighed(*number, Ok(*by))),
            Act::Disown(by) => self.apply(Event::Disown(*by)),
            Act::CancelBySource => self.apply(Event::CancelBySource(service_now())),
            Act::Cancel(by) => self.apply(Event::Cancel(account(*by).into())),
            Act::Resend(by) => self.apply(Event::Resend(account(*by).into())),
            Act::Withdraw(by) => self.apply(Event::Withdraw(*by)),
            Act::Revoke(by) => self.apply(Event::Revoke(account(*by).into())),
            Act::RevokeBySecurity => self.apply(Event::RevokeBySecurity(human(SECURITY))),
            Act::Report => self.apply(Event::Report),
            Act::WrongPin => self.apply(Event::WrongPin),
            Act::TriesExhausted => self.apply(Event::TriesExhausted),
            Act::RecheckForbids => self.apply(Event::RecheckForbids(Reason::RuleChanged)),
            Act::ForeignPass => self.apply(Event::ForeignPass),
            Act::PinProved => self.apply(Event::PinProved),
            Act::WrongNumber => self.apply(Event::WrongNumber),
            Act::CodeUndeliverable => self.apply(Event::CodeUndeliverable(Route::Sms)),
            Act::PageShowed(by) => self.apply(Event::PageShowed(browser(*by))),
            Act::ShowPin(by) => self.show_pin(Some(*by)),
            Act::Claim(by) => self.claim(*by),
            Act::ClaimDuringLook(by) => self.claim_during_look(*by),
            Act::Graph(answer) => self.graph(*answer),
            Act::SignIn => self.sign_in(),
            Act::Work(seconds) => {
                self.go_to(later(self.sample.now, Duration::from_secs(*seconds)));
                // A worker that finds work for ever is caught by `settle`; here it only has to stop.
                for _ in 0..50 {
                    if !self.perform_one() {
                        break;
                    }
                }
            }
            Act::Sleep(seconds) => self.go_to(later(self.sample.now, Duration::from_secs(*seconds))),
            Act::Back(seconds) => {
                let back = self.sample.now.checked_sub(Duration::from_secs(*seconds)).unwrap();
                self.sample.now = back.max(monday());
            }
            Act::Repeat(which) => {
                if !self.performed.is_empty() {
                    let task = self.performed[which % self.performed.len()].clone();
                    self.perform(&task);
                }
            }
        }
    }

    fn apply(&mut self, event: Event) {
        let before = self.sample.request.clone();
        let version = self.sample.version.next();
        let result = self.sample.apply(event.clone());
        if let Ok(change) = &result {
            self.tasks.extend(change.tasks.iter().map(|new| (new.due, new.task.clone())));
            if let State::Issuing { attempt, .. } = &change.next.state
                && !matches!(before.state, State::Issuing { .. })
            {
                self.flights.push(attempt.clone());
            }
        }
        let (pending, alive) = (self.tasks.clone(), self.alive());
        self.steps.push(Step { before, event, version, now: self.sample.now, result, pending, alive });
    }

    /// As the desk does: a pass that was used or is gone is not made anew.
    fn claim(&mut self, by: u8) {
        let ours = match self.state() {
            State::Issued { pass, .. } | State::Shown { pass, .. } => Some(pass.id.clone()),
            _ => None,
        };
        if ours.as_ref().is_some_and(|pass| !self.alive.contains_key(pass)) {
            return;
        }
        let before: Vec<PassId> =
            self.alive.keys().filter(|pass| Some(*pass) != ours.as_ref()).cloned().collect();
        if !before.is_empty() {
            return self.apply(Event::ForeignPass);
        }
        let generation = self.sample.request.grant().map_or(0, |grant| grant.ticket.generation);
        let client = browser(by);
        self.apply(Event::Claim(Claim { generation, client, wish: wish(), before, up_since: monday() }));
    }

    fn graph(&mut self, answer: Answer) {
        if self.flights.is_empty() {
            return;
        }
        let attempt = self.flights.remove(0);
        // Time limits cut a call off long before; a create that is begun later than this nobody can foresee.
        if self.sample.now > later(attempt.at, Duration::from_mins(4)) {
            return;
        }
        match answer {
            Answer::Created => {
                let id = self.make_pass();
                let ends_at = self.alive[&id].ends_at;
                let issued_at = self.sample.now;
                self.apply(Event::Created(Made { id, issued_at, ends_at, client: attempt.client }));
            }
            Answer::Declined(why) => self.apply(Event::Declined(why)),
            Answer::LockedDown => self.apply(Event::LockedDown),
            Answer::Unusable => {
                let id = self.make_pass();
                self.apply(Event::Unusable(id));
            }
            Answer::LostBefore => self.apply(Event::OutcomeUnknown),
            Answer::LostAfter => {
                self.make_pass();
                self.apply(Event::OutcomeUnknown);
            }
            Answer::LandsLater => {
                self.landing.push(later(attempt.at, Duration::from_mins(4)));
                self.apply(Event::OutcomeUnknown);
            }
            Answer::Killed(made) => {
                if made {
                    self.make_pass();
                }
            }
        }
    }

    /// Entra keeps one pass per person: a new one replaces the old.
    fn make_pass(&mut self) -> PassId {
        self.made += 1;
        let id = PassId(format!("pass-{}", self.made));
        let created_at = self.sample.now;
        let ends_at = later(created_at, wish().lifetime);
        self.alive.clear();
        self.alive.insert(id.clone(), Living { created_at, ends_at });
        id
    }

    fn sign_in(&mut self) {
        let State::Shown { pass, .. } = self.state() else { return };
        let id = pass.id.clone();
        if self.alive.remove(&id).is_some() {
            self.used.push(id);
        }
    }

    fn go_to(&mut self, now: Timestamp) {
        let landed: Vec<Timestamp> = self.landing.extract_if(.., |at| *at <= now).collect();
        for at in landed {
            self.sample.now = at;
            self.make_pass();
        }
        self.sample.now = now;
        self.alive.retain(|_, pass| now < pass.ends_at);
    }

    /// Performs the task that is due first; says whether there was one.
    fn perform_one(&mut self) -> bool {
        let now = self.sample.now;
        let due = self.tasks.iter().enumerate().filter(|(_, (due, _))| *due <= now);
        let Some((place, _)) = due.min_by_key(|(place, (due, _))| (*due, *place)) else { return false };
        let (_, task) = self.tasks.remove(place);
        self.performed.push(task.clone());
        self.perform(&task);
        true
    }

    fn again(&mut self, after: Duration, task: Task) {
        self.tasks.push((later(self.sample.now, after), task));
    }

    /// What `desk/work.rs` does, with ports that always work.
    fn perform(&mut self, task: &Task) {
        let now = self.sample.now;
        match task {
            Task::FetchFacts => self.apply(Event::FactsArrived(Box::new(self.facts.clone()))),
            Task::Prompt { approver } => {
                let request = &self.sample.request;
                let copies = request.posted.iter().filter(|posted| posted.approver == *approver).count();
                let stated = usize::from(request.stated_approval(*approver).is_some());
                if copies <= request.case().map_or(0, |case| case.reminders_of(*approver)) + stated {
                    self.apply(Event::Prompted(posted(*approver, &format!("{}.{copies}", approver.0))));
                }
            }
            Task::Weigh { statement } => self.apply(Event::Weighed(*statement, Ok(MAX))),
            Task::RaiseAlarms => self.apply(Event::Alarmed(vec![new_approver()])),
            Task::Tell { to: Audience::Requester(_), news } => {
                let outcome = self.sample.request.outcome();
                let number = self.sample.request.told.len();
                self.apply(Event::RequesterTold(ToldRequester {
                    news: *news,
                    outcome,
                    ..told(&number.to_string())
                }));
            }
            Task::Refresh
            | Task::RetireCopies { .. }
            | Task::RetireNews
            | Task::Tell { .. }
            | Task::RevokeSessions
            | Task::ListMethods { .. } => {}
            Task::LookForMethods { number } => {
                self.apply(Event::Looked(Look { number: *number, found: Found::NotKnown }));
            }
            Task::Remind { approver, after } => self.apply(Event::RemindTime(*approver, *after)),
            Task::Escalate => self.apply(Event::Escalated(escalation(&[FINN, JANE, SAM]))),
            Task::LapseApproval => self.apply(Event::ApprovalTimeOver),
            Task::LapseTicket => self.apply(Event::TicketTimeOver),
            Task::Unseen => self.apply(Event::UnseenTimeOver),
            Task::SendCode => self.send_code(),
            Task::SendPin => self.show_pin(None),
            Task::NotifyOwner => {
                self.apply(Event::NoticeMinted(notice(now)));
                let attempts = self.sample.request.grant().map_or(0, |grant| grant.attempts);
                self.apply(Event::OwnerTold(attempts, Told::Made));
            }
            Task::Settle => {
                if let State::Issuing { attempt, .. } = self.state() {
                    let due = later(attempt.at, SETTLE_AFTER);
                    if now >= due {
                        self.apply(Event::OutcomeUnknown);
                    } else {
                        let wait = Duration::try_from(due.duration_since(now)).unwrap();
                        self.again(wait, Task::Settle);
                    }
                }
            }
            Task::Delete => {
                if let State::Revoking { pass, .. } = self.state() {
                    let pass = pass.clone();
                    self.alive.remove(&pass);
                    self.apply(Event::Deleted);
                }
            }
            Task::Sweep => self.sweep(None),
            Task::Watch => {
                if let State::Shown { pass, .. } = self.state() {
                    let pass = pass.id.clone();
                    if self.used.contains(&pass) {
                        self.apply(Event::PassUsed);
                    } else if self.alive.contains_key(&pass) {
                        self.again(WATCH_EVERY, Task::Watch);
                    } else {
                        self.apply(Event::PassOver);
                    }
                }
            }
        }
    }

    fn send_code(&mut self) {
        self.minted += 1;
        let hash = code(self.minted);
        self.apply(Event::CodeMinted(hash.clone(), Route::Sms));
        self.apply(Event::CodeSent(hash, "SM1".to_owned()));
    }

    fn show_pin(&mut self, by: Option<PersonId>) {
        self.minted += 1;
        let hash = pin_hash(self.minted);
        self.apply(Event::PinMinted(hash.clone(), by));
        if self.steps.last().is_some_and(|step| step.result.is_ok()) {
            self.apply(Event::PinSent(hash, Route::Approver));
        }
    }

    fn claim_during_look(&mut self, by: u8) {
        if let Some(place) = self.tasks.iter().position(|(_, task)| *task == Task::Sweep) {
            self.tasks.remove(place);
            self.sweep(Some(by));
        }
    }

    fn sweep(&mut self, claimed_by: Option<u8>) {
        let Some(grant) = self.sample.request.grant() else { return };
        let ours = match self.state() {
            State::Issuing { .. } => return self.again(Duration::from_secs(10), Task::Sweep),
            State::Issued { pass, .. } | State::Shown { pass, .. } => Some(&pass.id),
            State::Revoking { pass, .. } => Some(pass),
            _ => None,
        };
        let stray = |id: &PassId, pass: &Living, loose: &Loose| {
            let attempt = &loose.attempt;
            let since = attempt.at.checked_sub(Duration::from_mins(2)).unwrap();
            let until = later(attempt.at, Duration::from_mins(10));
            let new = !attempt.before.contains(id) && (since..=until).contains(&pass.created_at);
            new || attempt.replaces.as_ref() == Some(id)
        };
        let strays: Vec<PassId> = self
            .alive
            .iter()
            .filter(|(id, pass)| Some(*id) != ours && grant.loose.iter().any(|loose| stray(id, pass, loose)))
            .map(|(id, _)| id.clone())
            .collect();
        let deleted = u32::try_from(strays.len()).unwrap();
        for id in strays {
            self.alive.remove(&id);
        }
        if let Some(by) = claimed_by {
            self.claim(by);
        }
        self.apply(Event::Swept(deleted));
    }
}

/// Everybody who might press something.
fn anybody() -> impl Strategy<Value = PersonId> {
    prop::sample::select(vec![JANE, SAM, MAX, OLGA, person(5), FINN, DORA, STRANGER])
}

fn approvers() -> impl Strategy<Value = Vec<PersonId>> {
    prop::sample::subsequence(vec![MAX, OLGA, person(5)], 1..=3)
}

/// Facts as the desk binds them: approvers are neither requester nor subject.
pub(super) fn facts() -> impl Strategy<Value = Case> {
    let slots = prop::collection::vec(approvers(), 0..=2);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0..5u8);
    (slots, flags).prop_map(
        |(mut slots, (for_themselves, by_courier, by_number, is_night, is_away, visits))| {
            if slots.len() == 2 {
                // Two approvals that two people can give.
                slots[0] = vec![MAX, OLGA];
            }
            let slots: Vec<&[PersonId]> = slots.iter().map(Vec::as_slice).collect();
            let mut case = case(&slots);
            case.matching = (by_number || visits == 0).then(number_47);
            if is_night {
                case.terms.quiet_hours = Some(quiet_hours());
            }
            if is_away && case.candidate(MAX).is_some() {
                case.approvers.push(delegate(DORA, MAX));
            }
            if for_themselves {
                case.requester = human(JANE);
            }
            match visits {
                0 => case.requester = visitor(),
                1 => case.requester = the_source(),
                _ => {}
            }
            if by_courier || slots.is_empty() {
                case.terms.pin_routes = vec![Route::Email];
                case.terms.code_routes = vec![Route::Sms];
            }
            case
        },
    )
}

/// Most of the working day on Monday, when everything happens.
pub(super) fn quiet_hours() -> QuietHours {
    let time = |text: &str| text.parse().unwrap();
    QuietHours { from: time("09:10"), to: time("11:00"), zone: Zone::utc() }
}

/// Facts that a mistake elsewhere might bind: anybody may be an approver.
pub(super) fn mistaken_facts() -> impl Strategy<Value = Case> {
    let people = || prop::sample::subsequence(vec![JANE, SAM, MAX, OLGA], 1..=4);
    prop::collection::vec(people(), 1..=3).prop_map(|slots| {
        let slots: Vec<&[PersonId]> = slots.iter().map(Vec::as_slice).collect();
        let mut case = case(&slots);
        case.approvers = [JANE, SAM, MAX, OLGA].map(candidate).to_vec();
        case.approvers.extend([delegate(DORA, JANE), delegate(FINN, SAM)]);
        case
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        8 => Just(Answer::Created),
        1 => Just(Answer::Declined(Decline::Throttled)),
        1 => Just(Answer::Declined(Decline::PolicyOff)),
        1 => Just(Answer::LockedDown),
        1 => Just(Answer::Unusable),
        2 => Just(Answer::LostBefore),
        2 => Just(Answer::LostAfter),
        2 => Just(Answer::LandsLater),
        2 => any::<bool>().prop_map(Answer::Killed),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let browser = || 1..=2u8;
    prop_oneof![
        4 => anybody().prop_map(Act::Approve),
        3 => anybody().prop_map(|by| Act::Pick(by, true)),
        1 => anybody().prop_map(|by| Act::Pick(by, false)),
        1 => anybody().prop_map(Act::Deny),
        1 => anybody().prop_map(Act::NotReached),
        1 => Just(Act::SetAside),
        1 => Just(Act::Stated),
        1 => (0..3u8, anybody()).prop_map(|(number, by)| Act::Weighed(number, by)),
        2 => anybody().prop_map(Act::Disown),
        1 => Just(Act::CancelBySource),
        1 => anybody().prop_map(Act::LooksWrong),
        1 => anybody().prop_map(Act::Cancel),
        1 => anybody().prop_map(Act::Withdraw),
        1 => anybody().prop_map(Act::Resend),
        1 => anybody().prop_map(Act::Revoke),
        1 => Just(Act::RevokeBySecurity),
        1 => Just(Act::Report),
        3 => anybody().prop_map(Act::ShowPin),
        8 => browser().prop_map(Act::Claim),
        1 => browser().prop_map(Act::ClaimDuringLook),
        8 => answer().prop_map(Act::Graph),
        4 => browser().prop_map(Act::PageShowed),
        1 => Just(Act::WrongPin),
        1 => Just(Act::TriesExhausted),
        1 => Just(Act::RecheckForbids),
        1 => Just(Act::ForeignPass),
        1 => Just(Act::PinProved),
        1 => Just(Act::WrongNumber),
        1 => Just(Act::CodeUndeliverable),
        1 => Just(Act::SignIn),
        8 => (0..90u64).prop_map(Act::Work),
        1 => (90..3_600u64).prop_map(Act::Work),
        1 => (0..600u64).prop_map(Act::Sleep),
        1 => (1..30u64).prop_map(Act::Back),
        1 => any::<usize>().prop_map(Act::Repeat),
    ]
}

/// Anything in any order, most of it after a stretch of the main line so that late states are reached as well.
pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let main_line = vec![
        Act::Work(0),
        Act::Approve(MAX),
        Act::Approve(OLGA),
        Act::Approve(person(5)),
        Act::Pick(MAX, true),
        Act::Pick(OLGA, true),
        Act::Pick(person(5), true),
        Act::Work(1),
        Act::ShowPin(MAX),
        Act::ShowPin(OLGA),
        Act::ShowPin(person(5)),
        Act::Work(1),
        Act::Claim(1),
        Act::Graph(Answer::Created),
        Act::PageShowed(1),
        Act::SignIn,
    ];
    (0..=main_line.len(), prop::collection::vec(act(), 0..25))
        .prop_map(move |(far, acts)| main_line[..far].iter().cloned().chain(acts).collect())
}
