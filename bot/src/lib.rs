//! The program: configuration, listeners, the worker, and the one file that puts adapters together.

pub mod app;
pub mod ask;
mod audit;
pub mod claim;
pub mod cli;
pub mod config;
mod doctor;
mod explain;
pub mod page;
mod recovery;
mod scrub;
pub mod server;
pub mod system;
pub mod tally;
pub mod telemetry;
pub mod webhooks;
pub mod worker;
