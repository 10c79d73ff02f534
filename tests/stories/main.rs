//! The stories: what people do with tapdesk, and what must hold whatever happens.

mod bad_disk;
mod courier_trouble;
mod fail_closed;
mod graph_trouble;
mod killed;
mod main_path;
mod real_browser;
mod record_before_action;
mod slack_trouble;
mod token_trouble;
mod unknown_outcome;
