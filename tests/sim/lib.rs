//! The world: people first, and every outside service as a view of them that speaks real HTTP on loopback.

pub mod chance;
pub mod entra;
pub mod graph;
pub mod people;
pub mod wire;
