//! What the benchmarks measure: sessions of three sizes, read and written.

pub mod ours;
pub mod shapes;
