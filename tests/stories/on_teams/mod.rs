//! The stories that only Microsoft Teams can tell: tokens and keys of the Bot Connector, invokes and their answers, dialogs,
//! automatic refreshes, channels, the outgoing webhook, and people whom no message reaches. `tests/run` leaves them out
//! where another chat is told of.

mod channel;
mod dialogs;
mod doctor;
mod invokes;
mod keys;
mod looking;
mod outgoing;
mod people;
mod reach;
mod tokens;

use tapdesk_tests::chat::ChatKind;
use tapdesk_tests::world::{Setting, World};

/// The usual world in Teams, whichever chat the run tells the other stories in.
async fn in_teams() -> anyhow::Result<World> {
    World::with(setting()).await
}

fn setting() -> Setting {
    Setting { chat: ChatKind::Teams, ..Setting::default() }
}
