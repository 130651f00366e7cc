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
//! Deterministic: uids and generated names come from a counter and a seed, times from the caller's clock, and all
//! maps are ordered. No sockets, no threads, no timers of its own except where a fault asks for a delay.

pub mod cluster_api;
pub mod failure;
pub mod intercept;
pub mod kinds;
pub mod log;
pub mod server;

pub use failure::Failure;
pub use intercept::{Delivery, EventInfo, Intercept, Outcome, RequestInfo, Verb, Verdict};
pub use kinds::{Kind, KindName};
pub use server::Server;
