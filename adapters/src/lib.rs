//! The outside world of tapdesk, one folder per system; each implements a port of the core.

pub mod couriers;
pub mod graph;
pub mod hooks;
pub mod http;
pub mod ledgers;
pub mod secret;
pub mod slack;
pub mod stores;
pub mod teams;
