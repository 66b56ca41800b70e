//! Revocation stores, through their contract and against real files and servers.

mod journal_conformance;
mod log_conformance;
mod log_model;
mod redb;
mod store_redis;
