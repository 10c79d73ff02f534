//! The state machine, looked at from all sides.

mod invariants;
mod samples;
mod stories;
mod table;
mod world;
