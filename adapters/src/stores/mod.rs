//! Where is durable state kept? One engine per module, all held to the same contract.

pub mod contract;
pub mod embedded;
pub mod redis;
