//! Is a request out of the ordinary? What the store remembers says so.

use std::time::Duration;

use jiff::Timestamp;

use crate::alarm::{Alarm, Alarms, DAY, Watch};
use crate::desk::work::Done;
use crate::desk::{Desk, Stopped};
use crate::ports::PortError;
use crate::request::{Approval, Event, Party, Request};

impl Desk {
    /// Looks for everything that is watched for; what rang before does not ring again.
    pub(super) async fn raise_alarms(&self, request: &Request) -> Result<Done, Stopped> {
        let Alarms { repeated_requests, busy_agent, quick_approval, new_approver, off_hours } =
            &self.settings.alarms;
        let mut alarms = Vec::new();
        if let (Watch::For(repeated), Some(subject)) = (repeated_requests, request.subject_id()) {
            let since = before(request.received_at, repeated.within);
            let requests = self.requests(&Party::Subject(subject), since).await?;
            if requests >= repeated.requests {
                alarms.push(Alarm::Repeated(requests, repeated.within));
            }
        }
        if let (Watch::For(busy), Some(agent)) = (busy_agent, request.requester.account()) {
            let agent = Party::Requester(agent.clone());
            let yesterday = before(request.received_at, DAY);
            let today = self.requests(&agent, yesterday).await?;
            // Most agents are far from it, and their past need not be read.
            if today >= busy.at_least {
                let all = self.requests(&agent, before(yesterday, busy.over)).await?;
                let earlier = all.saturating_sub(today);
                if busy.rings(today, earlier) {
                    alarms.push(Alarm::BusyAgent(today, earlier, busy.over));
                }
            }
        }
        for approval in request.approvals() {
            // What a source states was given before anybody had a card.
            if let (Watch::For(quick), None) = (quick_approval, &approval.stated_by) {
                let after = since_the_card(request, approval);
                if after < quick.within {
                    alarms.push(Alarm::QuickApproval(approval.by.clone(), after));
                }
            }
            if let Watch::For(newcomer) = new_approver
                && (newcomer.managers || !is_manager(request, approval))
                && self.is_first(request, approval).await?
            {
                alarms.push(Alarm::NewApprover(approval.by.clone()));
            }
        }
        if let Watch::For(hours) = off_hours {
            let times = std::iter::once(request.received_at).chain(request.approvals().iter().map(|a| a.at));
            let late = times.into_iter().find(|at| hours.are_over(*at));
            alarms.extend(late.map(|at| Alarm::OffHours(at, hours.zone.clone())));
        }
        self.change(&request.id, Event::Alarmed(alarms)).await.map(|_| Done::Done)
    }

    async fn requests(&self, of: &Party, since: Timestamp) -> Result<u32, PortError> {
        let requests = self.ports.store.requests_since(of, since).await?;
        Ok(u32::try_from(requests.len()).unwrap_or(u32::MAX))
    }

    async fn is_first(&self, request: &Request, approval: &Approval) -> Result<bool, PortError> {
        let approved = Party::Approved(approval.by.id);
        let all = self.ports.store.requests_since(&approved, Timestamp::MIN).await?;
        Ok(all.iter().all(|id| *id == request.id))
    }
}

/// How long after their card came somebody approved. A card whose posting is not noted yet came just now.
fn since_the_card(request: &Request, approval: &Approval) -> Duration {
    let cards = request.posted.iter().filter(|posted| posted.approver == approval.by.id);
    let first = cards.map(|posted| posted.at).min().unwrap_or(approval.at);
    Duration::try_from(approval.at.duration_since(first)).unwrap_or_default()
}

fn is_manager(request: &Request, approval: &Approval) -> bool {
    let manager = request.case().and_then(|case| case.manager.as_ref());
    manager.is_some_and(|manager| manager.id == approval.by.id)
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
