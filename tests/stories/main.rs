//! The stories: what people do with tapdesk, and what must hold whatever happens.

mod bad_disk;
mod fail_closed;
mod graph_trouble;
mod main_path;
mod unknown_outcome;
