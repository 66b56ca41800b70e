//! What the benchmarks measure: sessions of three sizes, read and written.
// No benchmark needs all of it.
#![allow(dead_code)]

pub mod ours;
pub mod shapes;
pub mod zipf;
