//! The outside world of tapdesk, one folder per system; each implements a port of the core.

pub mod couriers;
pub mod http;
