//! The state machine, looked at from all sides.

mod cards;
mod invariants;
pub(crate) mod samples;
mod stories;
pub(crate) mod table;
mod told;
mod undo;
mod world;
