//! Who is told what, and on which route?

use std::time::Duration;

use crate::desk::work::Done;
use crate::desk::{Desk, Stopped};
use crate::ids::PersonId;
use crate::people::{Contact, ContactKind, ContactSource};
use crate::policy::Route;
use crate::ports::{Leased, Message, PortError, Stored};
use crate::request::{Case, Event, Grant, Notice, State, Told, ToldRequester};
use crate::task::{Audience, News};
use crate::words;

/// The owner is told that a pass may have been made when nobody knows for so long.
const UNKNOWN_FOR_TOO_LONG: Duration = Duration::from_mins(2);
/// How often an outcome is waited for.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Desk {
    pub(super) async fn tell(
        &self,
        leased: &Leased,
        stored: &Stored,
        to: &Audience,
        news: News,
    ) -> Result<Done, Stopped> {
        let card = words::news(&stored.request, news);
        match to {
            Audience::Requester(account) => {
                let said = self.chat(&account.chat)?.say(account, &card).await;
                let (message, outcome) = (said.map_err(PortError::from)?, stored.request.outcome());
                let told = ToldRequester { news, outcome, message };
                self.change(&stored.request.id, Event::RequesterTold(told)).await?;
            }
            Audience::Source(source) => {
                return self.tell_source(leased, &stored.request, source, news).await;
            }
            Audience::Approver(id) => {
                let case = stored.request.case();
                let candidate = case.and_then(|case| case.approvers.iter().find(|c| c.human.id == *id));
                if let Some(candidate) = candidate {
                    let chat = self.chat(&candidate.account.chat)?;
                    chat.say(&candidate.account, &card).await.map_err(PortError::from)?;
                }
            }
            Audience::Security => self.tell_security(&words::security_mail(&stored.request, news)).await?,
        }
        Ok(Done::Done)
    }

    pub(super) async fn tell_security(&self, message: &Message) -> Result<(), PortError> {
        for contact in &self.settings.security {
            self.courier(Route::Email)?.send(contact, message).await?;
        }
        Ok(())
    }

    /// Tells the account's owner, worded from the recorded outcome of the last create.
    pub(super) async fn notify_owner(&self, stored: &Stored) -> Result<Done, Stopped> {
        let Some(grant) = stored.request.grant() else { return Ok(Done::Done) };
        let Some(told) = self.to_be_told(&stored.request.state, grant) else {
            return Ok(Done::In(LOOK_AGAIN));
        };
        let last = grant.notice.as_ref().and_then(|notice| notice.told);
        let said_may_be = last == Some((grant.attempts, Told::MayHaveBeenMade));
        if last == Some((grant.attempts, told)) || (told == Told::NotMade && !said_may_be) {
            return Ok(Done::Done);
        }
        let (token, number) = self.pepper.report_link(&stored.request.id);
        let ends_at = stored.request.state.made().map_or_else(|| self.now(), |pass| pass.ends_at);
        let notice = Notice {
            token: token.hash(),
            number,
            wrong: 0,
            told: last,
            expires_at: Notice::link_ends(ends_at),
        };
        let id = &stored.request.id;
        self.change(id, Event::NoticeMinted(notice)).await?;
        let message = words::owner_notice(&grant.case, told, &token, number, &self.settings.public_url);
        // Security was asked to tell the owner when the pass was made; that it is over is no further alarm.
        if self.bring_notice(grant, &message, told).await? == 0 && !told.is_the_usual_end() {
            self.tell_security(&words::owner_unreachable(&stored.request)).await?;
        }
        self.change(id, Event::OwnerTold(grant.attempts, told)).await?;
        Ok(Done::Done)
    }

    /// What there is to tell now; nothing while the outcome of the last create may still become known.
    fn to_be_told(&self, state: &State, grant: &Grant) -> Option<Told> {
        if grant.fate.is_some() {
            return grant.fate;
        }
        // The ticket may be open again by now: that no stray pass was seen yet does not mean that none was made.
        let begun = match state {
            State::Issuing { attempt, .. } => Some(attempt.at),
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => grant.loose.last().map(|loose| loose.attempt.at),
        };
        let waited = |begun| Duration::try_from(self.now().duration_since(begun)).unwrap_or_default();
        begun.is_none_or(|begun| waited(begun) >= UNKNOWN_FOR_TOO_LONG).then_some(Told::MayHaveBeenMade)
    }

    /// Sends the notice on every route that is not the code's; returns how many took it.
    async fn bring_notice(&self, grant: &Grant, message: &Message, told: Told) -> Result<usize, PortError> {
        let case = &grant.case;
        let code_route = grant.ticket.code.as_ref().map(|code| code.route);
        let mut reached = 0;
        let routes = case.terms.notice_routes.iter().filter(|route| Some(**route) != code_route);
        // The owner's own addresses first: were the manager told before, a mailbox that is down would be passed over.
        let (own, others): (Vec<Route>, Vec<Route>) = routes.partition(|route| route.kind().is_some());
        for route in own.iter().chain(&others) {
            let brought = match route {
                Route::Email | Route::Sms => self.mail_or_text(case, *route, message).await,
                // That a pass came to its usual end is for the manager only where the owner cannot be told.
                Route::Manager if told.is_the_usual_end() && reached > 0 => Ok(false),
                Route::Manager => self.tell_manager(case, told).await,
                Route::Approver => Ok(false),
            };
            match brought {
                Ok(true) => reached += 1,
                Ok(false) => {}
                Err(PortError::Fatal { what, source }) => {
                    let error = PortError::Fatal { what, source };
                    tracing::error!(%route, error = &error as &dyn std::error::Error, "the owner's notice found no way");
                }
                Err(retry) if reached == 0 => return Err(retry),
                Err(retry) => {
                    tracing::warn!(%route, error = &retry as &dyn std::error::Error, "the owner's notice went elsewhere only");
                }
            }
        }
        Ok(reached)
    }

    async fn mail_or_text(&self, case: &Case, route: Route, message: &Message) -> Result<bool, PortError> {
        let Some(contact) = self.notice_contact(case.subject.id, route).await? else { return Ok(false) };
        self.courier(route)?.send(&contact, message).await.map(|_| true)
    }

    /// A notice may go to the primary mailbox: it is a warning, and its owner reads it sooner or later.
    pub(super) async fn notice_contact(
        &self,
        subject: PersonId,
        route: Route,
    ) -> Result<Option<Contact>, PortError> {
        let Some(person) = self.ports.directory.person(subject).await? else { return Ok(None) };
        let sources = match route.kind() {
            Some(ContactKind::Mail) => vec![ContactSource::Mail],
            Some(ContactKind::Phone) => vec![ContactSource::PhoneMethods],
            None => Vec::new(),
        };
        Ok(self.contacts(&person, &sources).await?.into_iter().find(Contact::is_readable))
    }

    async fn tell_manager(&self, case: &Case, told: Told) -> Result<bool, PortError> {
        let Some(manager) = self.ports.directory.manager(case.subject.id).await? else { return Ok(false) };
        let Some(account) = self.account_of(&manager, |_| true).await? else { return Ok(false) };
        let account = account.user;
        Ok(self.chat(&account.chat)?.say(&account, &words::manager_notice(case, told)).await.map(|_| true)?)
    }
}
