//! The stories that only Slack can tell: signatures, retries and response addresses, triggers, scopes, its own error codes
//! and its own ways to write a name. `tests/run` leaves them out where another chat is told of.

mod asking;
mod buttons;
mod doctor;
mod forged;
mod home;
mod scopes;
mod trouble;
mod two_accounts;
mod webhooks;
