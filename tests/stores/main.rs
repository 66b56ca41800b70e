//! Revocation stores, through their contract and against real files and servers.

mod redb;
mod store_conformance;
mod store_model;
mod store_redis;
