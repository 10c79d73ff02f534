//! The stories: what people do with tapdesk, and what must hold whatever happens.

mod approving;
mod asking;
mod bad_disk;
mod contacts;
mod courier_trouble;
mod decide_once;
mod fail_closed;
mod graph_trouble;
mod killed;
mod leaks;
mod main_path;
mod people;
mod policy;
mod privileged;
mod process;
mod program;
mod real_browser;
mod recheck;
mod record_before_action;
mod restarts;
mod slack_trouble;
mod token_trouble;
mod unknown_outcome;
mod webhooks;
mod words_seen;
