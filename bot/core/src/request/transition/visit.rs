//! What is different about a request that somebody made at the page?

use super::{Applied, Draft};
use crate::ids::RequestId;
use crate::request::{Ending, Past, Refusal, State};

impl Draft<'_> {
    /// Gives way to a request of somebody whom a chat vouches for: anybody can ask at the page, and must not keep the
    /// desk from helping the subject. Once it is approved, the subject is being helped.
    pub(super) fn set_aside(&mut self, by: RequestId) -> Applied {
        if !self.before.requester.is_visitor() {
            return Err(Refusal::Moot);
        }
        match self.before.state.clone() {
            State::AwaitingApproval { case, .. } => {
                self.event("request.set_aside").with_fact("for", &by);
                self.end(Ending::SetAside(by), Past::Asked(case));
                Ok(())
            }
            State::Closed { .. } => Err(Refusal::Over),
            State::Received => Err(Refusal::Moot),
            State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => Err(Refusal::AlreadyDecided),
        }
    }
}
