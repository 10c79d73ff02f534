//! What happens on the claim page?
//!
//! Code and PIN are proved, everything is checked again, and only then is Graph asked: the pass goes from
//! Graph's answer into this answer. The caller runs [`Desk::claim`] in a task of its own, so that a dropped
//! connection does not cancel it.

use jiff::Timestamp;

use crate::desk::{Desk, Stopped};
use crate::ids::{PassId, PersonId, RequestId, Version};
use crate::ledger::Phase;
use crate::pass::{NewPass, Passcode};
use crate::ports::{CreateError, Decline, PIN_TRIES, PortError, Stored, Try};
use crate::request::{
    Claim, Ending, Event, Goal, Grant, Made, REPORT_TRIES, Refusal, Request, SETTLE_AFTER, State,
};
use crate::ticket::{Client, Code, Pin, ReportToken, TokenHash};

/// How soon a claim that met a hitch may come again, in seconds.
const SOON: u64 = 5;
/// How soon a claim may come again that met a Graph in trouble: after the second look for a stray pass.
const LATER: u64 = 35;

/// The answer to a claim.
#[derive(Debug)]
pub enum ClaimAnswer {
    /// The pass, for this one response.
    Pass {
        /// The passcode.
        passcode: Passcode,
        /// When the pass ends.
        ends_at: Timestamp,
        /// How long it lives.
        lifetime_minutes: u64,
        /// Whether one sign-in spends it.
        one_time: bool,
        /// The user name to sign in with.
        upn: String,
    },
    /// Everything was as it should be, and no pass was made: this is an evaluation.
    Evaluated,
    /// The PIN is wrong; that many tries are left.
    WrongPin(u8),
    /// Too many wrong PINs.
    Locked,
    /// Another browser has opened it.
    Opened(Option<Timestamp>),
    /// No ticket has that code.
    Unknown,
    /// No PIN was sent yet.
    Waiting,
    /// Others are trying at the same moment, or an earlier try is still worked on; come again in so many seconds.
    Busy(u64),
    /// Nothing was lost; come again in so many seconds.
    Unavailable(u64),
    /// Somebody else made a pass meanwhile.
    Stopped,
    /// Issuing is locked down.
    Lockdown,
    /// The rules, the directory or Graph say no.
    Refused,
    /// The request is over.
    Closed(ClosedWhy),
}

/// Why a request is over, as its code's holder is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedWhy {
    /// Its time passed.
    Expired,
    /// The pass was used.
    Used,
    /// The pass was revoked, or the approval withdrawn.
    Revoked,
    /// Somebody said that it was not them.
    Reported,
    /// The requester took it back.
    Cancelled,
    /// It was turned down.
    Denied,
    /// Too many wrong PINs.
    Locked,
}

/// What the holder of a code may know before proving the PIN.
#[derive(Debug, PartialEq, Eq)]
pub enum StatusAnswer {
    /// The claim is open until then.
    Open(Timestamp),
    /// The PIN was not sent yet.
    Waiting,
    /// A pass is being made or deleted.
    Busy,
    /// It was opened.
    Opened(Option<Timestamp>),
    /// It is over.
    Closed(ClosedWhy),
    /// No ticket has that code.
    Unknown,
}

/// The answer to the page's "it is on the screen".
#[derive(Debug, PartialEq, Eq)]
pub enum ShownAnswer {
    /// It counts as shown.
    Noted,
    /// The pass is not this browser's, or was deleted meanwhile.
    TooLate,
    /// It could not be stored; say it again.
    Again,
}

/// The answer to "this wasn't me".
#[derive(Debug, PartialEq, Eq)]
pub enum ReportAnswer {
    /// The request is frozen; whatever pass there was is being deleted.
    Reported,
    /// The number is not the notice's.
    WrongNumber(u8),
    /// No such code or link.
    Unknown,
    /// It could not be stored; say it again.
    Again,
}

impl Desk {
    /// Proves code and PIN and, if everything still holds, makes the pass.
    pub async fn claim(&self, code: Code, pin: Pin, client: Client) -> ClaimAnswer {
        match self.try_claim(&code, pin, client.hash()).await {
            Ok(answer) => answer,
            Err(stopped) => answer_to(&stopped),
        }
    }

    /// What the code's holder may know. Counts nothing.
    pub async fn status(&self, code: &Code) -> Result<StatusAnswer, PortError> {
        let Some(id) = self.find_code(code).await? else { return Ok(StatusAnswer::Unknown) };
        let Some(stored) = self.ports.store.load(&id).await? else { return Ok(StatusAnswer::Unknown) };
        Ok(match &stored.request.state {
            State::ClaimOpen(grant) => StatusAnswer::Open(grant.ticket.expires_at),
            State::Received | State::AwaitingApproval { .. } | State::Approved(_) => StatusAnswer::Waiting,
            State::Issued { pass, .. } => StatusAnswer::Opened(Some(pass.issued_at)),
            State::Shown { shown_at, .. } => StatusAnswer::Opened(Some(*shown_at)),
            State::Closed { ending, .. }
            | State::Unsettled { goal: Goal::End(ending), .. }
            | State::Revoking { goal: Goal::End(ending), .. } => StatusAnswer::Closed(why(ending)),
            State::Issuing { .. } | State::Unsettled { .. } | State::Revoking { .. } => StatusAnswer::Busy,
        })
    }

    /// The page says that the pass is on the screen.
    pub async fn shown(&self, code: &Code, client: &Client) -> ShownAnswer {
        let id = match self.find_code(code).await {
            Ok(Some(id)) => id,
            Ok(None) => return ShownAnswer::TooLate,
            Err(_) => return ShownAnswer::Again,
        };
        match self.change(&id, Event::PageShowed(client.hash())).await {
            Ok(_) | Err(Stopped::Refused(Refusal::Moot)) => ShownAnswer::Noted,
            Err(Stopped::Port(_)) => ShownAnswer::Again,
            Err(Stopped::Refused(_) | Stopped::Seen | Stopped::SubjectBusy(_) | Stopped::Gone) => {
                ShownAnswer::TooLate
            }
        }
    }

    /// "This wasn't me", by who holds the code. It needs no PIN: it only ever takes something away.
    pub async fn report_by_code(&self, code: &Code) -> ReportAnswer {
        match self.find_code(code).await {
            Ok(Some(id)) => self.report(&id).await,
            Ok(None) => ReportAnswer::Unknown,
            Err(_) => ReportAnswer::Again,
        }
    }

    /// "This wasn't me", by who got the notice: a link alone is not enough, since mail scanners click.
    pub async fn report_by_notice(&self, token: &ReportToken, number: u8) -> ReportAnswer {
        match self.try_report(&token.hash(), number).await {
            Ok(answer) => answer,
            Err(Stopped::Port(_)) => ReportAnswer::Again,
            Err(Stopped::Refused(_) | Stopped::Seen | Stopped::SubjectBusy(_) | Stopped::Gone) => {
                ReportAnswer::Unknown
            }
        }
    }

    async fn try_claim(&self, code: &Code, pin: Pin, client: TokenHash) -> Result<ClaimAnswer, Stopped> {
        // A try counts only where a PIN is checked: who asks again while a pass is being looked for must not lock
        // themselves out.
        if let Some(id) = self.find_code(code).await?
            && let Err(answer) = claimable(&self.load(&id).await?, &client)
        {
            return Ok(answer);
        }
        let id = match self.count_try(code).await? {
            Try::Unknown => return Ok(ClaimAnswer::Unknown),
            Try::Busy(_) => return Ok(ClaimAnswer::Busy(SOON)),
            Try::Exhausted(id) => return self.exhausted(&id).await,
            Try::Counted(id) => id,
        };
        let stored = self.load(&id).await?;
        let grant = match claimable(&stored, &client) {
            Ok(grant) => grant,
            Err(answer) => return Ok(answer),
        };
        let Some(half) = &grant.ticket.pin else { return Ok(ClaimAnswer::Waiting) };
        if !self.ports.pins.matches(pin, half.hash.clone()).await {
            return match self.change(&id, Event::WrongPin).await {
                Ok(after) => Ok(wrong_pin(&after)),
                Err(stopped) => self.as_it_stands(&id, stopped).await,
            };
        }
        let answer = match self.proved(&stored.request, &grant, client.clone()).await {
            Ok(answer) => Ok(answer),
            Err(stopped) => self.overtaken(&id, stopped, &client).await,
        };
        // A right PIN whose claim met a hitch must not use up the tries.
        if !matches!(answer, Ok(ClaimAnswer::Pass { .. } | ClaimAnswer::Evaluated)) {
            match self.change(&id, Event::PinProved).await {
                Ok(_) => {}
                Err(stopped) => tracing::debug!(request.id = %id, %stopped, "the tries were not given back"),
            }
        }
        answer
    }

    /// Code and PIN are proved: check everything again, write it down, ask Graph.
    async fn proved(
        &self,
        request: &Request,
        grant: &Grant,
        client: TokenHash,
    ) -> Result<ClaimAnswer, Stopped> {
        let id = &request.id;
        if self.ports.store.lockdown().await?.is_some() {
            return Ok(ClaimAnswer::Lockdown);
        }
        let checked = match self.recheck(&request.requester, grant).await? {
            Ok(checked) => checked,
            Err(reason) => {
                tracing::info!(request.id = %id, reason = reason.name(), "the check at the claim forbids the pass");
                self.change(id, Event::RecheckForbids(reason)).await?;
                return Ok(ClaimAnswer::Refused);
            }
        };
        let now = self.now();
        let stored = self.load(id).await?;
        let ours = stored.request.state.made().map(|pass| pass.id.clone());
        if let Some(ours) = &ours {
            let alive = checked.passes.iter().any(|pass| pass.id == *ours && pass.is_alive(now));
            if !alive {
                // Used, or deleted by its owner: it was seen, and is never made anew.
                return Ok(ClaimAnswer::Opened(None));
            }
        }
        let known =
            |pass: &crate::pass::PassMeta| grant.case.foreign.iter().any(|foreign| foreign.id == pass.id);
        // What an earlier create of ours left behind is not somebody else's.
        let strays = self.delete_strays(stored.version, &stored.request, &checked.passes).await?;
        let is_theirs =
            |pass: &&crate::pass::PassMeta| Some(&pass.id) != ours.as_ref() && !strays.contains(&pass.id);
        let mut others = checked.passes.iter().filter(is_theirs);
        if others.clone().any(|pass| pass.is_alive(now) && !known(pass)) {
            self.change(id, Event::ForeignPass).await?;
            return Ok(ClaimAnswer::Stopped);
        }
        let before = others.by_ref().map(|pass| pass.id.clone()).collect();
        let claim = Claim {
            generation: grant.ticket.generation,
            client: client.clone(),
            wish: checked.wish,
            before,
            up_since: self.up_since,
        };
        let begun = self.change(id, Event::Claim(claim)).await?;
        self.issue(id, &begun, client).await
    }

    /// Asks Graph for the pass, once, and writes down what became of it.
    async fn issue(&self, id: &RequestId, begun: &Stored, client: TokenHash) -> Result<ClaimAnswer, Stopped> {
        let State::Issuing { grant, attempt } = &begun.request.state else {
            return Ok(ClaimAnswer::Busy(SOON));
        };
        let still = |state: &State| is_at(state, attempt.intent);
        // The last look before the call: whoever switched the lockdown on must not see another pass made.
        if self.ports.store.lockdown().await?.is_some() {
            self.change_while(id, &still, Event::LockedDown).await?;
            return Ok(ClaimAnswer::Lockdown);
        }
        // A process that was frozen since the commit: the create counts as unknown by now, and must not begin.
        if self.now() >= attempt.at.saturating_add(SETTLE_AFTER).unwrap_or(Timestamp::MAX) {
            return Ok(ClaimAnswer::Busy(SOON));
        }
        let subject = grant.case.subject.id;
        let error = match self.ports.directory.create_pass(subject, attempt.wish).await {
            Ok(NewPass { meta, passcode }) => {
                let lifetime_minutes = meta.lifetime.as_secs() / 60;
                let (ends_at, one_time) = (meta.ends_at(), meta.one_time);
                let made = Made { id: meta.id, issued_at: self.now(), ends_at, client };
                let pass = made.id.clone();
                let after = match self.change_while(id, &still, Event::Created(made)).await {
                    // The store lost the request, and every task that would find the pass.
                    Err(Stopped::Gone) => {
                        self.disown(id, attempt.intent, subject, &pass).await?;
                        return Err(Stopped::Gone);
                    }
                    // If this cannot be written down, nobody gets to see the pass: it is swept up as a stray one.
                    written => written?,
                };
                return Ok(match (after.request.state, passcode) {
                    (State::Issued { grant, .. }, Some(passcode)) => {
                        let upn = grant.case.subject.upn;
                        ClaimAnswer::Pass { passcode, ends_at, lifetime_minutes, one_time, upn }
                    }
                    (State::Issued { .. }, None) => ClaimAnswer::Evaluated,
                    (state, _) => over(&state),
                });
            }
            Err(error) => error,
        };
        tracing::warn!(request.id = %id, error = &error as &dyn std::error::Error, "Graph made no pass for a claim");
        match error {
            CreateError::Declined { why, .. } => {
                self.change_while(id, &still, Event::Declined(why)).await?;
                Ok(match why {
                    Decline::Throttled | Decline::NotSent | Decline::NoSuchPerson => {
                        ClaimAnswer::Unavailable(LATER)
                    }
                    Decline::PolicyOff
                    | Decline::Guest
                    | Decline::NotPermitted
                    | Decline::Lifetime
                    | Decline::Other => ClaimAnswer::Refused,
                })
            }
            CreateError::Unusable { pass } => {
                self.change_while(id, &still, Event::Unusable(pass)).await?;
                Ok(ClaimAnswer::Refused)
            }
            CreateError::Unknown { .. } => {
                self.change_while(id, &still, Event::OutcomeUnknown).await?;
                Ok(ClaimAnswer::Unavailable(LATER))
            }
        }
    }

    /// Deletes the pass of a request that the store does not know any more.
    async fn disown(
        &self,
        id: &RequestId,
        intent: Version,
        of: PersonId,
        pass: &PassId,
    ) -> Result<(), PortError> {
        tracing::error!(request.id = %id, "the store lost a request while its pass was made: the pass is deleted");
        let facts = [("result", "created"), ("made", pass.as_str())];
        self.record(id, intent, Phase::Outcome, "pass.create", &facts).await?;
        self.delete_stray(id, intent, of, pass, "the store lost the request").await
    }

    async fn exhausted(&self, id: &RequestId) -> Result<ClaimAnswer, Stopped> {
        match self.change(id, Event::TriesExhausted).await {
            Ok(_) => Ok(ClaimAnswer::Locked),
            Err(stopped) => self.as_it_stands(id, stopped).await,
        }
    }

    /// The answer to a claim that came upon another state than it began in: that state tells more than the refusal.
    async fn as_it_stands(&self, id: &RequestId, stopped: Stopped) -> Result<ClaimAnswer, Stopped> {
        match stopped {
            Stopped::Refused(Refusal::Moot | Refusal::Over) => Ok(over(&self.load(id).await?.request.state)),
            other => Err(other),
        }
    }

    /// The same for a right PIN: a pass that this very browser opened, and has not got to see, is made anew when it asks again.
    async fn overtaken(
        &self,
        id: &RequestId,
        stopped: Stopped,
        client: &TokenHash,
    ) -> Result<ClaimAnswer, Stopped> {
        let answer = self.as_it_stands(id, stopped).await?;
        let is_ours =
            matches!(answer, ClaimAnswer::Opened(_)) && claimable(&self.load(id).await?, client).is_ok();
        Ok(if is_ours { ClaimAnswer::Busy(SOON) } else { answer })
    }

    async fn count_try(&self, code: &Code) -> Result<Try, PortError> {
        for hash in self.pepper.code_hashes(code) {
            let counted = self.ports.store.try_pin(&hash, self.now()).await?;
            if counted != Try::Unknown {
                return Ok(counted);
            }
        }
        Ok(Try::Unknown)
    }

    async fn find_code(&self, code: &Code) -> Result<Option<RequestId>, PortError> {
        for hash in self.pepper.code_hashes(code) {
            if let Some(id) = self.ports.store.find_code(&hash).await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn report(&self, id: &RequestId) -> ReportAnswer {
        match self.change(id, Event::Report).await {
            // Reported before: it stays so.
            Ok(_) | Err(Stopped::Refused(_)) => ReportAnswer::Reported,
            Err(Stopped::Gone) => ReportAnswer::Unknown,
            Err(Stopped::Port(_) | Stopped::Seen | Stopped::SubjectBusy(_)) => ReportAnswer::Again,
        }
    }

    async fn try_report(&self, token: &TokenHash, number: u8) -> Result<ReportAnswer, Stopped> {
        let Some(id) = self.ports.store.find_report(token).await? else { return Ok(ReportAnswer::Unknown) };
        let stored = self.load(&id).await?;
        let notice = stored.request.grant().and_then(|grant| grant.notice.as_ref()).ok_or(Refusal::Moot)?;
        let usable = notice.token.is(token) && self.now() < notice.expires_at && notice.wrong < REPORT_TRIES;
        if !usable {
            return Ok(ReportAnswer::Unknown);
        }
        if notice.number == number {
            return Ok(self.report(&id).await);
        }
        let after = self.change(&id, Event::WrongNumber).await?;
        let wrong =
            after.request.grant().and_then(|grant| grant.notice.as_ref()).map_or(REPORT_TRIES, |n| n.wrong);
        Ok(ReportAnswer::WrongNumber(REPORT_TRIES.saturating_sub(wrong)))
    }
}

/// The answer to a claim that was stopped.
fn answer_to(stopped: &Stopped) -> ClaimAnswer {
    match stopped {
        Stopped::Refused(refusal) => match refusal {
            Refusal::AlreadyOpened => ClaimAnswer::Opened(None),
            Refusal::Waiting => ClaimAnswer::Waiting,
            Refusal::TooLate | Refusal::Over => ClaimAnswer::Closed(ClosedWhy::Expired),
            Refusal::InHand
            | Refusal::AlreadyDecided
            | Refusal::AlreadyApproved
            | Refusal::NumberWanted
            | Refusal::GivenAlready
            | Refusal::DelegationOver
            | Refusal::NotAnApprover
            | Refusal::NotTheRequester
            | Refusal::Claimed
            | Refusal::SentEnough
            | Refusal::Moot => ClaimAnswer::Busy(SOON),
        },
        Stopped::Gone => ClaimAnswer::Unknown,
        Stopped::Seen | Stopped::SubjectBusy(_) => ClaimAnswer::Busy(SOON),
        Stopped::Port(error) => {
            tracing::error!(error = error as &dyn std::error::Error, "a claim could not go on");
            ClaimAnswer::Unavailable(pause_after(error))
        }
    }
}

/// Whether the create with that intent is under way, or the last one whose outcome is unknown.
fn is_at(state: &State, intent: Version) -> bool {
    match state {
        State::Issuing { attempt, .. } => attempt.intent == intent,
        State::Unsettled { grant, .. } => {
            grant.loose.last().is_some_and(|loose| loose.attempt.intent == intent)
        }
        State::Received
        | State::AwaitingApproval { .. }
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => false,
    }
}

/// How soon the page may come again after a port failed; never sooner than the other side wants to be asked.
fn pause_after(error: &PortError) -> u64 {
    let wanted = match error {
        PortError::Retry { after, .. } => after.map_or(0, |after| after.as_secs()),
        PortError::Fatal { .. } => 0,
    };
    wanted.max(LATER)
}

/// What was granted, if this browser may prove its PIN now; otherwise the answer.
fn claimable(stored: &Stored, client: &TokenHash) -> Result<Grant, ClaimAnswer> {
    match &stored.request.state {
        State::ClaimOpen(grant) => Ok((**grant).clone()),
        State::Issued { grant, pass } | State::Shown { grant, pass, .. } if pass.client.is(client) => {
            Ok((**grant).clone())
        }
        State::Received
        | State::AwaitingApproval { .. }
        | State::Approved(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => Err(over(&stored.request.state)),
    }
}

/// The answer to a claim in a state that allows none.
fn over(state: &State) -> ClaimAnswer {
    match state {
        State::Received | State::AwaitingApproval { .. } | State::Approved(_) => ClaimAnswer::Waiting,
        State::ClaimOpen(_) | State::Issuing { .. } => ClaimAnswer::Busy(SOON),
        State::Issued { pass, .. } => ClaimAnswer::Opened(Some(pass.issued_at)),
        State::Shown { shown_at, .. } => ClaimAnswer::Opened(Some(*shown_at)),
        State::Closed { ending, .. }
        | State::Unsettled { goal: Goal::End(ending), .. }
        | State::Revoking { goal: Goal::End(ending), .. } => ClaimAnswer::Closed(why(ending)),
        State::Unsettled { goal: Goal::Reopen, .. } | State::Revoking { goal: Goal::Reopen, .. } => {
            ClaimAnswer::Busy(SOON)
        }
    }
}

fn wrong_pin(after: &Stored) -> ClaimAnswer {
    match &after.request.state {
        State::ClaimOpen(grant) | State::Issued { grant, .. } => {
            ClaimAnswer::WrongPin(PIN_TRIES.saturating_sub(grant.ticket.wrong))
        }
        State::Received
        | State::AwaitingApproval { .. }
        | State::Approved(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => ClaimAnswer::Locked,
    }
}

fn why(ending: &Ending) -> ClosedWhy {
    match ending.as_told() {
        Ending::Used => ClosedWhy::Used,
        Ending::Expired | Ending::LapsedUndecided | Ending::LapsedUnclaimed => ClosedWhy::Expired,
        Ending::Revoked(_) | Ending::Withdrawn(_) => ClosedWhy::Revoked,
        Ending::Refused(_) | Ending::Denied(_) | Ending::Mismatched(_) | Ending::SetAside(_) => {
            ClosedWhy::Denied
        }
        Ending::Cancelled => ClosedWhy::Cancelled,
        Ending::Locked => ClosedWhy::Locked,
        Ending::Reported | Ending::Doubted { .. } => ClosedWhy::Reported,
    }
}
