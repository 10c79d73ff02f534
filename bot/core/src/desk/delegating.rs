//! How does an approver let somebody else decide for a while?
//!
//! Written down before it counts, like everything that people decide. Asked for twice, it is there once.

use jiff::civil::Date;

use crate::card::Card;
use crate::delegation::Delegation;
use crate::desk::Desk;
use crate::hours::Zone;
use crate::ids::{ChatUser, PersonId};
use crate::inbound::Delegating;
use crate::ledger::Record;
use crate::people::{Human, Naming, Person};
use crate::policy::Approver;
use crate::ports::{Account, PortError};
use crate::words;

/// A delegation as it is typed.
struct Wanted<'a> {
    to: Naming,
    first_day: Date,
    last_day: Date,
    /// What its sender types before a command.
    command: &'a str,
}

impl Desk {
    /// Shows, makes or ends the sender's delegation.
    pub(super) async fn delegating(&self, sender: &ChatUser, what: Delegating) -> Result<Card, PortError> {
        let me = match self.who_is(sender).await? {
            Ok(person) => person,
            Err(reason) => return Ok(words::not_for_you(&reason)),
        };
        let command = self.command(sender);
        let kept = self.ports.store.delegation(me.id).await?;
        let kept = kept.filter(|kept| !kept.is_over(self.now()));
        match (what, kept) {
            (Delegating::Show | Delegating::Off, None) => Ok(words::no_delegation(command)),
            (Delegating::Show, Some(kept)) => Ok(words::delegation(&kept, self.now(), command)),
            (Delegating::Off, Some(kept)) => self.end_delegation(kept).await,
            (Delegating::To { to, from, until }, kept) => {
                let wanted = Wanted { to, first_day: from, last_day: until, command };
                self.delegate(&me, kept, wanted).await
            }
        }
    }

    async fn delegate(
        &self,
        me: &Person,
        kept: Option<Delegation>,
        wanted: Wanted<'_>,
    ) -> Result<Card, PortError> {
        let Wanted { to, first_day, last_day, command } = wanted;
        if !self.may_be_asked(me.id).await? {
            return Ok(words::no_approver());
        }
        let delegate = match self.subject(&to).await? {
            Ok(delegate) => delegate,
            Err(reason) => return Ok(words::no_delegate(&reason)),
        };
        let account = self.account_of(&delegate, |_| true).await?;
        let (delegator, delegate) = (Human::from(me), Human::from(&delegate));
        let zone = self.zone_of(me).await?;
        let wanted = Delegation { delegator, delegate, first_day, last_day, zone };
        if let Some(kept) = kept {
            let is_same = kept.delegate.id == wanted.delegate.id
                && (kept.first_day, kept.last_day) == (first_day, last_day);
            return Ok(if is_same {
                words::delegation(&kept, self.now(), command)
            } else {
                words::one_delegation_at_a_time(&kept, command)
            });
        }
        let wanted = match wanted.checked(self.now()) {
            Ok(wanted) => wanted,
            Err(why) => return Ok(words::unsuitable(why)),
        };
        let Some(account) = account else { return Ok(words::delegate_without_chat(&wanted.delegate)) };
        self.set_delegation("delegation.made", &wanted, true).await?;
        self.tell_delegate(&account, &words::you_are_delegate(&wanted)).await;
        Ok(words::delegation(&wanted, self.now(), command))
    }

    async fn end_delegation(&self, kept: Delegation) -> Result<Card, PortError> {
        self.set_delegation("delegation.ended", &kept, false).await?;
        let delegate = self.ports.directory.person(kept.delegate.id).await?;
        if let Some(delegate) = delegate
            && let Some(account) = self.account_of(&delegate, |_| true).await?
        {
            self.tell_delegate(&account, &words::delegate_no_more(&kept)).await;
        }
        Ok(words::delegation_ended(&kept))
    }

    /// Written down before it counts; a store that may not have heard of it is written down as well.
    async fn set_delegation(&self, what: &str, of: &Delegation, is_on: bool) -> Result<(), PortError> {
        let line = Record::service(self.now(), what)
            .by(of.delegator.id)
            .with("delegate", of.delegate.id)
            .with("first_day", of.first_day)
            .with("last_day", of.last_day)
            .with("zone", &of.zone);
        self.ports.ledger.append(vec![line.clone()]).await?;
        let stored = self.ports.store.set_delegation(of.delegator.id, is_on.then(|| of.clone())).await;
        if let Err(error) = stored {
            self.ports.ledger.append(vec![line.outcome(self.now(), "unknown")]).await?;
            return Err(error);
        }
        tracing::info!(delegation = what, "an approver delegated, or ended it");
        Ok(())
    }

    async fn tell_delegate(&self, account: &Account, card: &Card) {
        let told = match self.chat(&account.user.chat) {
            Ok(chat) => chat.say(&account.user, card).await.map(drop).map_err(PortError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(error = &error as &dyn std::error::Error, "a delegate could not be told");
        }
    }

    /// Whether some rule may ask the person. Whose manager somebody is nobody looks up: without anybody to be asked
    /// about, a manager's delegation changes nothing.
    async fn may_be_asked(&self, person: PersonId) -> Result<bool, PortError> {
        let rules = &self.policy.rules;
        let lists = rules.iter().flat_map(|rule| rule.approvals.iter().chain(&rule.escalate_to));
        let approvers: Vec<Approver> = lists.flat_map(|list| list.0.iter().copied()).collect();
        let by_name = |approver: &Approver| match *approver {
            Approver::Manager => true,
            Approver::User(id) => id == person,
            Approver::Group(_) => false,
        };
        Ok(approvers.iter().any(by_name) || self.is_in_a_group_of(person, &approvers).await?)
    }

    /// Where the person's days begin: by their own clock where the chat knows it.
    async fn zone_of(&self, person: &Person) -> Result<Zone, PortError> {
        let own = self.account_of(person, |_| true).await?.and_then(|account| account.zone);
        let configured = self.policy.quiet_hours.as_ref().map(|quiet| quiet.zone.clone());
        Ok(own.or(configured).unwrap_or_else(Zone::utc))
    }
}
