//! What becomes of a pass that was shown, and what was it good for?

use std::time::Duration;

use crate::desk::work::{Done, until};
use crate::desk::{Desk, Stopped};
use crate::ids::PersonId;
use crate::method::{self, MethodKind, Registered};
use crate::pass::Usability;
use crate::ports::PortError;
use crate::request::{Event, Found, Grant, LOOKS, Look, Request, State, WATCH_EVERY};

/// How long methods are asked for before they count as not known.
const METHODS_WITHIN: Duration = Duration::from_mins(10);

impl Desk {
    /// Looks whether the pass was used, or is over.
    pub(super) async fn watch(&self, request: &Request) -> Result<Done, Stopped> {
        let State::Shown { grant, pass, .. } = &request.state else { return Ok(Done::Done) };
        let now = self.now();
        let passes = self.ports.directory.passes(grant.case.subject.id).await?;
        let event = match passes.iter().find(|listed| listed.id == pass.id) {
            Some(listed) if listed.usability == Usability::OneTimeUsed => Event::PassUsed,
            Some(listed) if listed.is_alive(now) => {
                return Ok(Done::In(until(now, pass.ends_at).min(WATCH_EVERY)));
            }
            Some(listed) if listed.one_time => Event::PassUnused,
            // Entra does not tell of a pass for several sign-ins whether there was one; nor of one that is gone.
            Some(_) | None => Event::PassOver,
        };
        let still = |state: &State| matches!(state, State::Shown { pass: other, .. } if other.id == pass.id);
        self.change_while(&request.id, &still, event).await.map(|_| Done::Done)
    }

    /// What the directory tells of the subject's methods without a date: read at submit, to compare with once the pass is
    /// over. An app that may not read it goes on without.
    pub(super) async fn undated_methods(&self, subject: PersonId) -> Option<Vec<MethodKind>> {
        let methods = self.ports.directory.methods(subject).await.ok()?;
        Some(method::undated(&methods))
    }

    /// Looks for what was registered with a pass that is over. An app that may not read methods is no reason to stop.
    pub(super) async fn look_for_methods(&self, request: &Request, number: u8) -> Result<Done, Stopped> {
        let Some(grant) = request.grant() else { return Ok(Done::Done) };
        let began = request.closed_at().map(|at| at.saturating_add(after(number)).unwrap_or(at));
        let waited = began.map_or(Duration::ZERO, |began| {
            Duration::try_from(self.now().duration_since(began)).unwrap_or_default()
        });
        let found = match self.ports.directory.methods(grant.case.subject.id).await {
            Ok(methods) => found(grant, &methods),
            Err(retry @ PortError::Retry { .. }) if waited < METHODS_WITHIN => return Err(retry.into()),
            Err(error) => {
                tracing::warn!(request.id = %request.id, error = &error as &dyn std::error::Error, "what was registered with the pass is not known");
                Found::NotKnown
            }
        };
        self.change(&request.id, Event::Looked(Look { number, found })).await.map(|_| Done::Done)
    }
}

/// How long after the pass's end that look is made.
fn after(number: u8) -> Duration {
    usize::from(number).checked_sub(1).and_then(|place| LOOKS.get(place)).copied().unwrap_or_default()
}

fn found(grant: &Grant, methods: &[method::Method]) -> Found {
    let Some(since) = grant.issuing_since else { return Found::NotKnown };
    let Registered { new, undated } = method::registered(methods, since, grant.case.undated.as_deref());
    if new.is_empty() && !undated.is_empty() { Found::NotKnown } else { Found::New(new) }
}
