//! The stories that only Redis can tell: its own troubles.

mod trouble;
