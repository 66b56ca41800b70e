//! Writing and planning key files: what `sealed-session keys` does, for operators' own tools as well.
//!
//! Everything is a method of [`KeyTables`](crate::keys::KeyTables). A server only reads them.

mod edit;
mod error;
mod list;
mod plan;
mod review;
mod revoke;
mod rotate;
#[cfg(test)]
mod sample;
mod text;
mod write;

pub use error::EditError;
pub use list::{KeyInfo, KeyStatus};
pub use review::Finding;
pub use revoke::Successor;
pub use rotate::{Rotated, Rotation};
pub use write::mode_is_loose;
