//! Several nodes, real servers, proxies and networks, and the faults of all of them.

mod attacks;
mod ended;
mod example;
mod faults;
mod harness;
mod keys;
mod late_nodes;
mod limits;
mod lost_stores;
mod networks;
mod nodes;
mod proxies;
mod storm;
