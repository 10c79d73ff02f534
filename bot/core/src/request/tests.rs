//! The state machine, looked at from all sides.

mod invariants;
pub(crate) mod samples;
mod stories;
pub(crate) mod table;
mod undo;
mod world;
