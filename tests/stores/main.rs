//! Revocation stores, through their contract and against real files and servers.

mod append_only;
mod index_conformance;
mod journal_conformance;
mod log_conformance;
mod log_model;
#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../../examples/own_store.rs"]
mod own_store;
mod redb;
mod store_redis;
