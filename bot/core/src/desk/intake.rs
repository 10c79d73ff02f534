//! What happens to a verified message from a chat?

use crate::card::{Card, Choice};
use crate::desk::undo::Undoing;
use crate::desk::{Desk, Inquiry, Question, Stopped};
use crate::form::{FieldName, Filled, Form, Mending, Purpose};
use crate::ids::{ChatUser, DeliveryId, PersonId, PromptId, RequestId, Version};
use crate::inbound::{Ask, Inbound, Wish};
use crate::people::one_line;
use crate::policy::Route;
use crate::ports::{Account, Chat, Commit, Opened, PortError, Reply, RequesterCap, Stored};
use crate::request::{Asker, Candidate, Change, Ending, Event, Refusal, Request, State};
use crate::ticket::Pin;
use crate::words;
use std::time::Duration;

/// What the sender is told at once.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Say(Card),
    /// This, and the answer to the inquiry once [`Desk::answer`] has it.
    Later(Card, Box<Inquiry>),
    /// This form, opened with [`Desk::open_form`] while the platform still allows it.
    Open(Form),
    /// The form stays open: this has to be mended, in these words.
    Mend(Vec<(FieldName, String)>),
    /// What [`Desk::show_home`] shows, instead of the version that is seen now.
    Home(Option<String>),
    /// Nothing: what follows is seen where it happens.
    Nothing,
}

impl Desk {
    /// Takes a message in. What it promises is durable when it returns.
    ///
    /// # Errors
    /// Store or ledger failed: nothing was accepted, and [`words::not_confirmed`] says so to the sender.
    pub async fn receive(&self, inbound: Inbound) -> Result<Answer, PortError> {
        let Inbound { delivery, sender, wish, reply } = inbound;
        match wish {
            Wish::Help => Ok(Answer::Say(words::help(self.command(&sender)))),
            Wish::Unclear(unclear) => Ok(Answer::Say(words::unclear(unclear, self.command(&sender)))),
            Wish::Ask(ask) => self.ask(delivery, sender, ask).await,
            Wish::Press { choice: Choice::Ask, .. } | Wish::Form => {
                Ok(Answer::Open(words::ask_form(self.policy.longest_lifetime())))
            }
            Wish::Home { seen } => Ok(Answer::Home(seen)),
            Wish::Fill(filled) => self.fill(delivery, sender, &filled).await,
            Wish::Status { of } => Ok(look_up(sender, Question::Status(of))),
            Wish::Pending => Ok(look_up(sender, Question::Pending)),
            Wish::Cancel { of } => self.undo_own(delivery, sender, Undoing::Cancel, of).await,
            Wish::Resend { of } => self.undo_own(delivery, sender, Undoing::Resend, of).await,
            Wish::Revoke { of } => self.revoke(delivery, sender, of).await,
            Wish::Delegate(what) => Ok(look_up(sender, Question::Delegate(what))),
            Wish::Press { choice, value } => {
                answered(self.press(&delivery, &sender, choice, &value, &reply).await)
            }
        }
    }

    /// Tells the sender something privately, and whether that worked; what cannot be told is logged and forgotten.
    pub async fn whisper(&self, reply: &Reply, card: &Card) -> bool {
        let told = match self.chat(&reply.to.chat) {
            Ok(chat) => chat.whisper(reply, card).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &told {
            tracing::warn!(error = error as &dyn std::error::Error, "a private answer could not be given");
        }
        told.is_ok()
    }

    /// Opens a form, and whether its person saw it or was told that it did not open.
    pub async fn open_form(&self, reply: &Reply, form: &Form) -> bool {
        let opened = match self.chat(&reply.to.chat) {
            Ok(chat) => chat.open_form(reply, form).await,
            Err(error) => Err(error),
        };
        let Err(error) = opened else { return true };
        tracing::warn!(error = &error as &dyn std::error::Error, "a form could not be opened");
        let card = match form.purpose {
            Purpose::Ask => words::form_not_opened(self.command(&reply.to)),
            Purpose::Doubt => words::nothing_asked(&self.settings.security),
        };
        self.whisper(reply, &card).await
    }

    async fn fill(
        &self,
        delivery: DeliveryId,
        sender: ChatUser,
        filled: &Filled,
    ) -> Result<Answer, PortError> {
        match filled.purpose {
            Purpose::Ask => match filled.ask() {
                Ok(ask) => self.ask(delivery, sender, ask).await,
                Err(wrong) => Ok(mend(&wrong)),
            },
            Purpose::Doubt => answered(self.doubt(&delivery, &sender, filled).await),
        }
    }

    async fn ask(&self, delivery: DeliveryId, sender: ChatUser, ask: Ask) -> Result<Answer, PortError> {
        let reason = one_line(&ask.reason);
        if !(words::SHORTEST_REASON..=words::LONGEST_REASON).contains(&reason.chars().count()) {
            return Ok(Answer::Say(words::reason_length()));
        }
        let id = RequestId::fresh(&*self.ports.entropy);
        let change = Request::open(id, Asker::Account(sender), Ask { reason, ..ask }, self.now());
        let card = words::checking(&change.next);
        let most = self.policy.requests_per_hour;
        let cap = RequesterCap { most, window: Duration::from_hours(1) };
        Ok(Answer::Say(match self.open(change, Some(delivery), cap).await? {
            Opened::New => card,
            Opened::Seen(_) => words::seen_before(),
            Opened::TooMany => words::too_many_requests(most),
        }))
    }

    /// Writes a new request down and stores it.
    pub(super) async fn open(
        &self,
        mut change: Change,
        delivery: Option<DeliveryId>,
        cap: RequesterCap,
    ) -> Result<Opened, PortError> {
        let pseudonym = self.pepper.pseudonym(&change.next.reason);
        for record in &mut change.records {
            record.facts.insert("reason".to_owned(), pseudonym.clone());
            if let Some(account) = change.next.requester.account() {
                record.facts.insert("chat".to_owned(), account.chat.to_string());
                record.facts.insert("account".to_owned(), format!("{}/{}", account.workspace, account.id));
            }
        }
        let head = self.ports.ledger.append(change.records.clone()).await?;
        change.next.footing.add(Version::FIRST, &head, change.records.len());
        let (id, now) = (change.next.id.clone(), change.next.received_at);
        let commit = Commit {
            request: change.next,
            tasks: change.tasks,
            head: head.clone(),
            delivery,
            fresh_tries: false,
        };
        let opened = self.ports.store.open(commit, cap, now).await;
        let is_stored = match &opened {
            Ok(Opened::New) => true,
            Ok(Opened::Seen(_) | Opened::TooMany) | Err(_) => {
                self.is_stored_after_all(&id, Version::FIRST, &head, &change.records).await?
            }
        };
        if is_stored {
            (self.ports.tasks_added)();
            return Ok(Opened::New);
        }
        opened
    }

    async fn press(
        &self,
        delivery: &DeliveryId,
        sender: &ChatUser,
        choice: Choice,
        value: &str,
        reply: &Reply,
    ) -> Result<Answer, Stopped> {
        let (value, number) = match choice {
            Choice::Pick => value.rsplit_once('.').ok_or(Refusal::NotAnApprover)?,
            // A doubt only takes something away, so a delegate keeps it.
            Choice::LooksWrong => return self.ask_what_is_wrong(sender, value).await,
            Choice::Disown => return self.disown_approval(delivery, sender, value).await,
            Choice::Approve | Choice::Deny | Choice::ShowPin | Choice::Withdraw | Choice::Ask => (value, ""),
        };
        let (stored, by) = self.presser(sender, value).await?;
        let id = stored.request.id.clone();
        self.still_stands_for(&stored, by).await?;
        match choice {
            Choice::Approve => self.change_for(&id, delivery, Event::Approve(by)).await?,
            Choice::Deny => self.change_for(&id, delivery, Event::Deny(by)).await?,
            Choice::Pick => return self.pick(&id, delivery, by, number).await,
            Choice::Withdraw => self.change_for(&id, delivery, Event::Withdraw(by)).await?,
            // It is about no request, and answered before.
            Choice::Ask | Choice::LooksWrong | Choice::Disown => return Err(Refusal::Moot.into()),
            Choice::ShowPin => {
                return self.show_pin(&id, delivery, by, reply).await.map(|()| Answer::Nothing);
            }
        };
        Ok(Answer::Nothing)
    }

    /// Whose button carries the value, if it is the sender's: who may press is decided by the verified sender, the prompt
    /// only says which card it was.
    pub(super) async fn presser(
        &self,
        sender: &ChatUser,
        value: &str,
    ) -> Result<(Stored, PersonId), Stopped> {
        let (id, prompt) = read_button(value).ok_or(Refusal::NotAnApprover)?;
        let stored = self.load(&id).await?;
        let by = presser(&stored, sender, &prompt).ok_or(Refusal::NotAnApprover)?;
        Ok((stored, by))
    }

    /// Whether the person decides for themselves, or for somebody whose delegation is in force.
    async fn still_stands_for(&self, stored: &Stored, by: PersonId) -> Result<(), Stopped> {
        let candidate = stored.request.case().and_then(|case| case.candidate(by));
        let Some(delegator) = candidate.and_then(Candidate::stands_for) else { return Ok(()) };
        if self.may_stand_for(delegator.id, by).await? { Ok(()) } else { Err(Refusal::DelegationOver.into()) }
    }

    async fn pick(
        &self,
        id: &RequestId,
        delivery: &DeliveryId,
        by: PersonId,
        number: &str,
    ) -> Result<Answer, Stopped> {
        let number = number.parse().map_err(|_| Refusal::NotAnApprover)?;
        let after = self.change_for(id, delivery, Event::Pick(by, number)).await?.request;
        let is_wrong = matches!(after.state, State::Closed { ending: Ending::Mismatched(_), .. });
        Ok(if is_wrong { Answer::Say(words::mismatched()) } else { Answer::Nothing })
    }

    /// Mints a PIN at this moment and opens the private modal that shows it.
    async fn show_pin(
        &self,
        id: &RequestId,
        delivery: &DeliveryId,
        by: PersonId,
        reply: &Reply,
    ) -> Result<(), Stopped> {
        let pin = Pin::mint(&*self.ports.entropy);
        let chat = self.chat(&reply.to.chat)?;
        let stored = self.load(id).await?;
        let case = stored.request.case().ok_or(Refusal::Moot)?;
        let card = words::pin(case, &pin);
        let hash =
            self.ports.pins.hash(pin).await.map_err(|_| PortError::fatal("the PIN could not be hashed"))?;
        self.change_for(id, delivery, Event::PinMinted(hash.clone(), Some(by))).await?;
        if let Err(error) = chat.reveal(reply, &card).await {
            tracing::warn!(request.id = %id, error = &error as &dyn std::error::Error, "a PIN could not be shown");
            self.whisper(reply, &words::pin_not_shown()).await;
            return Ok(());
        }
        match self.change(id, Event::PinSent(hash, Route::Approver)).await {
            // Showing it again while the claim is open changes nothing more.
            Ok(_) | Err(Stopped::Refused(Refusal::Moot)) => Ok(()),
            Err(stopped) => Err(stopped),
        }
    }

    /// The first chat account of the person that may act, with its chat.
    pub(crate) async fn account_of(
        &self,
        person: &crate::people::Person,
        usable: impl Fn(&dyn Chat) -> bool,
    ) -> Result<Option<Account>, PortError> {
        for chat in self.ports.chats.iter().filter(|chat| usable(&***chat)) {
            if let Some(account) = chat.account_of(person).await? {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }
}

fn mend(wrong: &[Mending]) -> Answer {
    Answer::Mend(wrong.iter().map(|(field, complaint)| (*field, words::complaint(*complaint))).collect())
}

fn look_up(sender: ChatUser, question: Question) -> Answer {
    Answer::Later(words::looking(), Box::new(Inquiry { sender, question }))
}

fn answered(outcome: Result<Answer, Stopped>) -> Result<Answer, PortError> {
    match outcome {
        Ok(answer) => Ok(answer),
        Err(Stopped::Seen) => Ok(Answer::Nothing),
        Err(Stopped::Refused(refusal)) => Ok(Answer::Say(words::refusal(refusal))),
        Err(Stopped::Gone | Stopped::SubjectBusy(_)) => Ok(Answer::Say(words::refusal(Refusal::Over))),
        Err(Stopped::Port(error)) => Err(error),
    }
}

fn read_button(value: &str) -> Option<(RequestId, PromptId)> {
    let (id, prompt) = value.split_once('.')?;
    Some((id.parse().ok()?, PromptId::from_button(prompt)))
}

fn presser(stored: &Stored, sender: &ChatUser, prompt: &PromptId) -> Option<PersonId> {
    let mine = |candidate: &&Candidate| candidate.account == *sender && candidate.prompt == *prompt;
    stored.request.case()?.approvers.iter().find(mine).map(|candidate| candidate.human.id)
}
