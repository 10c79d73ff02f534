//! What tapdesk means: requests, policy, tickets, passes and the words for them.
//!
//! Nothing here performs I/O by itself, reads a clock or knows a platform's name; see `README.md` beside this
//! package for the table of states and events.

pub mod alarm;
pub mod audit;
pub mod card;
pub mod caution;
pub mod command;
pub mod delegation;
pub mod desk;
pub mod evaluation;
pub mod explanation;
pub mod form;
pub mod hours;
pub mod ids;
pub mod inbound;
pub mod ledger;
pub mod method;
pub mod pass;
pub mod people;
pub mod policy;
pub mod ports;
pub mod request;
pub mod source;
pub mod task;
pub mod ticket;
pub mod words;
