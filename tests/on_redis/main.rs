//! The stories that only Redis can tell: its own troubles, and several replicas on one server.

mod late;
mod minute;
mod sharing;
mod taking_over;
mod trouble;
