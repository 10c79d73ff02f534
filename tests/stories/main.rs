//! The stories: what people do with tapdesk, and what must hold whatever happens.

mod approving;
mod asking;
mod contacts;
mod main_path;
mod people;
mod policy;
mod privileged;
mod recheck;
mod words_seen;
