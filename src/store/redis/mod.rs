//! The store on a server that nodes share.
//!
//! 1. One script changes the list, atomically and by the server's clock. Each change is told in a
//!    stream whose entries are numbered and chained.
//! 2. What is lost is noticed. The list says how many entries there must be; where there are
//!    fewer it begins anew and knows of no session from before. Every answer says which server gives it.
//! 3. What is not understood refuses, and is left as it is.
//! 4. The index of sessions is beside the list: keys and connections of its own.

mod check;
mod contract;
mod fault;
mod follow;
mod handle;
mod index;
mod link;
mod options;
mod record;
mod replicas;
mod script;
mod snapshot;

pub use self::handle::Redis;
pub use self::options::RedisOptions;
