//! The world: people first, and every outside service as a view of them that speaks real HTTP on loopback.

pub mod apart;
pub mod audit;
pub mod browser;
pub mod chance;
pub mod chat;
pub mod check;
pub mod claims;
pub mod doctor;
pub mod entra;
pub mod errand;
pub mod faulty;
pub mod forge;
pub mod forms;
pub mod fuse;
pub mod graph;
pub mod leaks;
pub mod logs;
pub mod memory;
pub mod patience;
pub mod people;
pub mod process;
pub mod receipts;
pub mod redis;
pub mod replicas;
pub mod scene;
pub mod slack;
pub mod smtp;
pub mod tales;
pub mod teams;
pub mod tickets;
pub mod trouble;
pub mod twilio;
pub mod visit;
pub mod visitor;
pub mod wire;
pub mod world;

/// The clock that the whole world shares: simulators never read the machine's own.
pub type Now = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
