//! Which chat is a story told in, and how does it name what a story watches or spoils?
//!
//! What people do and see in a chat is [`Platform`], in their words; a simulator speaks it in a file of its own here.
//! Whatever is true of one platform's protocol alone is asked of its simulator, through [`World::slack`] and [`World::teams`].
//!
//! [`World::slack`]: crate::world::World::slack
//! [`World::teams`]: crate::world::World::teams

mod on_slack;
mod on_teams;
mod platform;
mod shapes;

use std::ops::Deref;

pub use platform::Platform;
pub use shapes::{Account, Button, Delivery, Message, Profile, Reply, View};

use crate::Now;
use crate::slack::{Slack, Workspace};
use crate::teams::{App, Teams};
use crate::wire::{Gate, Trouble};

/// The chat that a world has.
#[derive(Clone)]
pub enum Chat {
    /// A workspace of Slack.
    Slack(Slack),
    /// A tenant's Microsoft Teams.
    Teams(Teams),
}

/// Which chat a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatKind {
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
}

/// What tapdesk asks of a chat, as far as stories watch, hold or spoil it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A new message in somebody's private chat.
    Say,
    /// Another content for a message that is there.
    Edit,
    /// An answer to somebody alone.
    Whisper,
    /// The profile behind an account.
    LookUp,
    /// The account of somebody whom the directory names.
    Find,
}

/// How a chat turns tapdesk away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has a fault of its own; later it works again.
    Fault,
    /// It asks to come back after that many seconds.
    Busy(u32),
    /// Nobody is reached there, now or later.
    ClosedDoor,
}

impl ChatKind {
    /// Every story is told in each chat: `tests/run` says in which.
    ///
    /// # Panics
    /// When it says something else.
    #[must_use]
    pub fn of_this_run() -> Self {
        match std::env::var("TAPDESK_TEST_CHAT").as_deref() {
            Err(_) | Ok("slack") => Self::Slack,
            Ok("teams") => Self::Teams,
            Ok(other) => panic!("TAPDESK_TEST_CHAT is slack or teams, not {other:?}"),
        }
    }

    /// What people read, as snapshots have it: commands as they are written in Slack.
    #[must_use]
    pub fn as_in_snapshots(self, text: &str) -> String {
        match self {
            Self::Slack => text.to_owned(),
            Self::Teams => with_slashes(text),
        }
    }
}

impl Chat {
    /// Opens the chat on free loopback ports.
    pub async fn start(kind: ChatKind, now: Now) -> anyhow::Result<Self> {
        Ok(match kind {
            ChatKind::Slack => Self::Slack(Slack::start(now, Workspace::default()).await?),
            ChatKind::Teams => Self::Teams(Teams::start(now, App::default()).await?),
        })
    }

    /// Waits until so many calls of that kind came in, held or not.
    ///
    /// # Panics
    /// When they do not come within some seconds.
    pub async fn arrived(&self, call: Call, times: usize) {
        self.wire().arrived(self.named(call), times).await;
    }

    /// How many calls of that kind came in so far.
    #[must_use]
    pub fn calls(&self, call: Call) -> usize {
        let part = self.named(call);
        self.wire().seen().iter().filter(|exchange| exchange.is_named(part)).count()
    }

    /// Holds the next call of that kind before anything comes of it.
    #[must_use]
    pub fn hold_request(&self, call: Call) -> Gate {
        self.wire().hold_request(self.named(call))
    }

    /// Holds the answer to the next call of that kind.
    #[must_use]
    pub fn hold_answer(&self, call: Call) -> Gate {
        self.wire().hold_answer(self.named(call))
    }

    /// Plans a trouble for the next `times` calls of that kind.
    pub fn trouble(&self, call: Call, times: usize, trouble: Trouble) {
        self.wire().trouble(self.named(call), times, trouble);
    }

    /// The next `times` calls of that kind are turned away as this chat does it.
    pub fn refuses(&self, call: Call, times: usize, refusal: Refusal) {
        self.trouble(call, times, self.refusal(refusal));
    }
}

impl Deref for Chat {
    type Target = dyn Platform;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Slack(slack) => slack,
            Self::Teams(teams) => teams,
        }
    }
}

/// A text that names commands as they are written in Teams, with the slash that they have in Slack.
fn with_slashes(text: &str) -> String {
    let line = |line: &str| {
        let words = line.split(' ').map(|word| if word == "tap" { "/tap" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
