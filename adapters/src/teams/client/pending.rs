//! How does what the core says reach an invoke that waits for its response?
//!
//! Each invoke that waits has a handle, and one answer. Whoever answers later finds nobody waiting, and has to send a
//! message. An answer may hold a PIN: it is one buffer, wiped when it is dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// The body of a response.
pub struct Said {
    /// JSON.
    pub body: Zeroizing<String>,
    /// Whether it holds a PIN, so that its connection has to end with it.
    pub is_secret: bool,
}

/// Where an invoke shows what it is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::teams) enum Window {
    Card,
    Dialog,
}

/// Invokes that wait, by handle.
#[derive(Default)]
pub(in crate::teams) struct Waiting {
    next: AtomicU64,
    invokes: Mutex<HashMap<String, (Window, oneshot::Sender<Said>)>>,
}

/// An invoke that waits; nobody waits for it any more once it is dropped.
pub struct Pending {
    handle: String,
    answer: oneshot::Receiver<Said>,
    waiting: Arc<Waiting>,
}

impl Waiting {
    pub(in crate::teams) fn wait(self: &Arc<Self>, window: Window) -> Pending {
        let handle = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (sender, answer) = oneshot::channel();
        self.lock().insert(handle.clone(), (window, sender));
        Pending { handle, answer, waiting: Arc::clone(self) }
    }

    /// What the invoke's answer is shown in, if it still waits.
    pub(super) fn window(&self, handle: Option<&String>) -> Option<Window> {
        self.lock().get(handle?).filter(|(_, sender)| !sender.is_closed()).map(|(window, _)| *window)
    }

    /// Answers the invoke; whether anybody waited for it.
    pub(super) fn answer(&self, handle: &str, body: &Value, is_secret: bool) -> bool {
        let Some((_, sender)) = self.lock().remove(handle) else { return false };
        let body = Zeroizing::new(body.to_string());
        sender.send(Said { body, is_secret }).is_ok()
    }

    /// Ends the wait.
    pub(super) fn forget(&self, handle: &str) {
        self.lock().remove(handle);
    }

    /// A panic elsewhere leaves the map whole: every change of it is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Window, oneshot::Sender<Said>)>> {
        self.invokes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// What names the invoke to a reply.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// The answer, once there is one.
    pub async fn answer(&mut self) -> Option<Said> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.waiting.forget(&self.handle);
    }
}
