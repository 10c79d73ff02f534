//! The stories: what people do with tapdesk, and what must hold whatever happens.

mod killed;
mod main_path;
mod process;
mod program;
mod restarts;
