//! A Kubernetes API server in memory, as exact as controllers can see.
//!
//! One direction, nothing calls upstream:
//!
//! ```text
//! kube client -> service (tower) -> intercept? -> route -> create, update, delete, read, watch -> store -> log
//!                                                            | schema: prune, default, validate   |
//!                                                            '- metadata, selector, patch         '-> watches
//! collect_garbage (called by the world) -> the same deletes and updates
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`server`] | [`Server`]: the handle, and what a world does with it |
//! | [`kinds`], [`cluster_api`] | which kinds are served, with their schemas |
//! | [`schema`] | structural schemas: pruning, defaults, validation |
//! | [`intercept`] | [`Intercept`]: where faults are injected |
//! | [`log`] | [`log::Request`] and [`log::Commit`]: what happened |
//! | [`failure`] | [`Failure`]: answers that are a Status |
//!
//! As exact as it is compared: `test-e2e/tests/sim_conformance.rs` sends random requests to this and to a real API server,
//! and names what may differ and why.
//!
//! Deterministic: uids and generated names come from a counter and a seed, times from the caller's clock, and all
//! maps are ordered. No sockets, no threads, no timers of its own except where a fault asks for a delay.

mod body;
mod builtin;
pub mod cluster_api;
mod delete;
pub mod failure;
mod gc;
pub mod intercept;
pub mod kinds;
pub mod log;
mod meta;
mod patch;
mod read;
mod route;
mod rules;
pub mod schema;
mod selector;
pub mod serve;
pub mod server;
mod state;
mod watch;
mod write;

pub use failure::Failure;
pub use intercept::{Delivery, EventInfo, Intercept, Outcome, RequestInfo, Verb, Verdict};
pub use kinds::{Kind, KindName};
pub use serve::{ConnectionReset, Service};
pub use server::{Server, WatchEnd};

#[cfg(test)]
mod tests;
