//! What does a provider say became of a message?

use crate::desk::{Desk, Stopped};
use crate::ports::{Mark, PortError};
use crate::request::{Event, Progress};

impl Desk {
    /// Takes a report in; says whether it told anything new. What is late, repeated, or about a code that is void counts
    /// for nothing.
    pub async fn take_receipt(&self, mark: &Mark, progress: Progress) -> Result<bool, PortError> {
        match self.change(&mark.request, Event::CodeReceipt(mark.generation, progress)).await {
            Ok(_) => Ok(true),
            Err(Stopped::Refused(_) | Stopped::Seen | Stopped::Gone | Stopped::SubjectBusy(_)) => Ok(false),
            Err(Stopped::Port(error)) => Err(error),
        }
    }
}
