//! People, facts and requests to test with.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::alarm::Alarm;
use crate::ids::{ChatUser, GroupId, PersonId, PromptId, RequestId, SourceName, Version};
use crate::inbound::Ask;
use crate::ledger::Record;
use crate::pass::PassWish;
use crate::people::{ContactKind, ContactSource, Human, Naming, PinnedContact};
use crate::policy::Route;
use crate::request::{
    Asker, Candidate, Case, Change, Claim, Escalation, Event, Made, Mandate, Matching, MessageRef, Notice,
    Outcome, Posted, Refusal, Reminders, Request, Sourced, Standing, Terms, ToldRequester,
};
use crate::task::{NewTask, News};
use crate::ticket::{CodeHash, PinHash, TokenHash};

pub(crate) const JANE: PersonId = person(1);
pub(crate) const SAM: PersonId = person(2);
pub(crate) const MAX: PersonId = person(3);
pub(crate) const OLGA: PersonId = person(4);
pub(crate) const FINN: PersonId = person(6);
pub(crate) const DORA: PersonId = person(7);
pub(crate) const SECURITY: PersonId = person(8);
pub(crate) const STRANGER: PersonId = person(9);

pub(crate) const fn person(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(number))
}

pub(crate) fn human(id: PersonId) -> Human {
    let name = match id.0.as_u128() {
        1 => "Jane Doe",
        2 => "Sam Agent",
        3 => "Max Manager",
        4 => "Olga Oncall",
        6 => "Finn Fallback",
        7 => "Dora Deputy",
        8 => "Sec Urity",
        _ => "Somebody Else",
    };
    let upn = format!("{}@contoso.com", name.to_lowercase().replace(' ', "."));
    Human { id, name: name.to_owned(), upn }
}

pub(crate) fn account(id: PersonId) -> ChatUser {
    ChatUser { chat: "chat".into(), workspace: "T1".to_owned(), id: format!("U{}", id.0.as_u128()) }
}

pub(crate) fn candidate(id: PersonId) -> Candidate {
    let prompt = PromptId::from_button(&format!("PROMPT{}", id.0.as_u128()));
    Candidate {
        human: human(id),
        account: account(id),
        zone: None,
        prompt,
        standing: Standing::Named,
        reminders: Reminders::default(),
        unreachable: false,
    }
}

/// Somebody who decides in that person's stead.
pub(crate) fn delegate(id: PersonId, of: PersonId) -> Candidate {
    let last_day = "2026-03-31".parse().unwrap();
    let mandate = Mandate { delegator: human(of), last_day };
    Candidate { standing: Standing::Delegate(mandate), ..candidate(id) }
}

/// Who joins, and may give each of the approvals.
pub(crate) fn escalation(people: &[PersonId]) -> Escalation {
    let fallback = |id: &PersonId| Candidate { standing: Standing::Fallback, ..candidate(*id) };
    Escalation { slots: vec![people.to_vec(); 3], approvers: people.iter().map(fallback).collect() }
}

/// The requester's first message, sent while nothing was decided.
pub(crate) fn told(message: &str) -> ToldRequester {
    let message = MessageRef { message: message.to_owned(), ..posted(SAM, message).message };
    ToldRequester { news: News::Checked, outcome: Outcome::Undecided, message }
}

pub(crate) fn posted(approver: PersonId, message: &str) -> Posted {
    let message =
        MessageRef { chat: "chat".into(), conversation: "D1".to_owned(), message: message.to_owned() };
    Posted { approver, at: monday(), message }
}

pub(crate) fn monday() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap()
}

/// Sam asks for Jane; `slots` say who may give each approval.
pub(crate) fn case(slots: &[&[PersonId]]) -> Case {
    let mut asked: Vec<PersonId> = slots.iter().flat_map(|slot| slot.iter().copied()).collect();
    asked.sort_unstable();
    asked.dedup();
    let phone = PinnedContact {
        source: ContactSource::PhoneMethods,
        kind: ContactKind::Phone,
        masked: "+49…12".to_owned(),
        fingerprint: "phone".to_owned(),
    };
    let mail = PinnedContact {
        source: ContactSource::OtherMails,
        kind: ContactKind::Mail,
        masked: "j…@home.example".to_owned(),
        fingerprint: "mail".to_owned(),
    };
    Case {
        requester: human(SAM),
        subject: human(JANE),
        manager: Some(human(MAX)),
        rule: "helpdesk for staff".into(),
        ticket_number: None,
        colleagues: vec![GroupId(Uuid::from_u128(100))],
        slots: slots.iter().map(|slot| slot.to_vec()).collect(),
        approvers: asked.into_iter().map(candidate).collect(),
        terms: Terms {
            approval_expires: Duration::from_hours(4),
            ticket_expires: Duration::from_mins(30),
            wish: wish(),
            asked: None,
            wished: None,
            code_routes: vec![Route::Sms, Route::Email],
            pin_routes: vec![Route::Approver],
            notice_routes: vec![Route::Email, Route::Manager],
            sources: vec![ContactSource::PhoneMethods, ContactSource::OtherMails],
            remind_after: Some(Duration::from_mins(15)),
            quiet_hours: None,
            escalate_after: Some(Duration::from_mins(30)),
        },
        contacts: vec![(Route::Sms, phone), (Route::Email, mail)],
        foreign: Vec::new(),
        matching: None,
        escalated_at: None,
        cautions: Vec::new(),
        undated: Some(Vec::new()),
    }
}

pub(crate) fn new_approver() -> Alarm {
    Alarm::NewApprover(human(MAX))
}

pub(crate) fn looks_wrong(by: PersonId) -> Event {
    let (line, pseudonym) = ("she is on holiday".to_owned(), "pseudonym".to_owned());
    Event::LooksWrong { by, line, pseudonym }
}

/// Whoever says at the page that they are Jane.
pub(crate) fn visitor() -> Human {
    let jane = human(JANE);
    Human { name: crate::words::visitor(&jane.name), ..jane }
}

pub(crate) fn service_now() -> SourceName {
    "ServiceNow".parse().unwrap()
}

pub(crate) fn another_source() -> SourceName {
    "Another".parse().unwrap()
}

/// Whom the source names as approver, and nobody has looked up.
pub(crate) fn mary() -> Naming {
    Naming::Address("mary.manager@contoso.com".to_owned())
}

/// How the source asks, naming nobody who asks.
pub(crate) fn service_nows() -> Sourced {
    let max = Naming::Address("max.manager@contoso.com".to_owned());
    Sourced {
        source: service_now(),
        requested_by: None,
        approved_by: Some(max),
        key: "INC0012345".to_owned(),
        fingerprint: "fingerprint".to_owned(),
    }
}

/// What stands in the place of a requester whom a source does not name.
pub(crate) fn the_source() -> Human {
    let name = crate::words::sourced(&service_nows(), None, "");
    Human { id: service_now().stand_in(), name, upn: String::new() }
}

pub(crate) fn id() -> RequestId {
    "req_0123456789ABCDEFGHJKMNPQRS".parse().unwrap()
}

pub(crate) fn number_47() -> Matching {
    Matching::of(47, [83, 47, 12])
}

pub(crate) fn wish() -> PassWish {
    PassWish { lifetime: Duration::from_hours(1), one_time: true }
}

pub(crate) fn browser(number: u8) -> TokenHash {
    TokenHash(format!("browser {number}"))
}

pub(crate) fn code(number: u32) -> CodeHash {
    CodeHash(format!("code {number}"))
}

pub(crate) fn pin_hash(number: u32) -> PinHash {
    PinHash(format!("pin {number}"))
}

pub(crate) fn claim(by: u8) -> Claim {
    Claim { generation: 1, client: browser(by), wish: wish(), before: Vec::new(), up_since: monday() }
}

pub(crate) fn made(pass: &str, by: u8, at: Timestamp) -> Made {
    let ends_at = later(at, wish().lifetime);
    Made { id: pass.into(), issued_at: at, ends_at, client: browser(by) }
}

pub(crate) fn notice(at: Timestamp) -> Notice {
    let token = TokenHash("report".to_owned());
    Notice { token, number: 42, wrong: 0, told: None, expires_at: Notice::link_ends(at) }
}

/// A request on its way, with everything that its changes brought.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) request: Request,
    pub(crate) version: Version,
    pub(crate) now: Timestamp,
    pub(crate) tasks: Vec<NewTask>,
    pub(crate) records: Vec<Record>,
}

impl Sample {
    pub(crate) fn received() -> Self {
        Self::asked_by(Asker::Account(account(SAM)))
    }

    fn asked_by(asker: Asker) -> Self {
        let subject = Naming::Address("jane.doe@contoso.com".to_owned());
        let ask = Ask::new(subject, "lost her phone, INC0012345".to_owned());
        let Change { next, tasks, records, .. } = Request::open(id(), asker, ask, monday());
        Self { request: next, version: Version::FIRST, now: monday(), tasks, records }
    }

    /// Somebody at the page says that they are Jane, was shown 47, and waits.
    pub(crate) fn visited() -> Self {
        let facts = Case { requester: visitor(), matching: Some(number_47()), ..case(&[&[MAX, OLGA]]) };
        Self::visiting().after([Event::FactsArrived(Box::new(facts))])
    }

    /// The same before anybody looked who Jane is.
    pub(crate) fn visiting() -> Self {
        Self::asked_by(Asker::Visitor(number_47()))
    }

    /// A source asked for Jane and said that Max approved; nobody has looked yet.
    pub(crate) fn sourcing() -> Self {
        Self::asked_by(Asker::Source(service_nows()))
    }

    /// The same with its facts, before anybody looked who Max is.
    pub(crate) fn sourced() -> Self {
        let facts = Case { requester: the_source(), ..case(&[&[MAX, OLGA]]) };
        Self::sourcing().after([Event::FactsArrived(Box::new(facts)), Event::Prompted(posted(MAX, "0"))])
    }

    /// Approved by Max, as the source says.
    pub(crate) fn stated() -> Self {
        Self::sourced().after([Event::Weighed(0, Ok(MAX))])
    }

    pub(crate) fn awaiting() -> Self {
        let facts = Event::FactsArrived(Box::new(case(&[&[MAX, OLGA]])));
        Self::received().after([facts, Event::Prompted(posted(MAX, "0"))])
    }

    /// Waiting for an approver to choose 47.
    pub(crate) fn matching() -> Self {
        let facts = Case { matching: Some(number_47()), ..case(&[&[MAX, OLGA]]) };
        Self::received().after([Event::FactsArrived(Box::new(facts))])
    }

    pub(crate) fn approved() -> Self {
        Self::awaiting().after([Event::Approve(MAX)])
    }

    pub(crate) fn claim_open() -> Self {
        Self::approved().after([
            Event::CodeMinted(code(1), Route::Sms),
            Event::CodeSent(code(1), "SM1".to_owned()),
            Event::PinMinted(pin_hash(1), Some(MAX)),
            Event::PinSent(pin_hash(1), Route::Approver),
        ])
    }

    pub(crate) fn issuing() -> Self {
        Self::claim_open().after([Event::Claim(claim(1))])
    }

    pub(crate) fn unsettled() -> Self {
        Self::issuing().after([Event::OutcomeUnknown])
    }

    pub(crate) fn issued() -> Self {
        let issuing = Self::issuing();
        let made = made("pass-1", 1, issuing.now);
        issuing.after([Event::NoticeMinted(notice(monday())), Event::Created(made)])
    }

    pub(crate) fn shown() -> Self {
        Self::issued().after([Event::PageShowed(browser(1))])
    }

    pub(crate) fn revoking() -> Self {
        let issued = Self::issued().wait(crate::request::UNSEEN_AFTER);
        issued.after([Event::UnseenTimeOver])
    }

    /// The same with one more card in Max's chat.
    #[must_use]
    pub(crate) fn with_card(self) -> Self {
        self.after([Event::Prompted(posted(MAX, "another"))])
    }

    #[must_use]
    pub(crate) fn wait(mut self, time: Duration) -> Self {
        self.now = later(self.now, time);
        self
    }

    /// The request after events that it has to take.
    #[must_use]
    pub(crate) fn after(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        for event in events {
            let what = format!("{event:?} in {}", self.request.state.name());
            self.apply(event).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
        }
        self
    }

    pub(crate) fn apply(&mut self, event: Event) -> Result<Change, Refusal> {
        let version = self.version.next();
        let change = self.request.apply(event, self.now, version)?;
        self.version = version;
        self.request = change.next.clone();
        self.tasks.extend(change.tasks.clone());
        self.records.extend(change.records.clone());
        Ok(change)
    }
}
