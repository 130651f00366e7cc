//! The IP address manager on a real API server. In most of the tests the controller runs inside the test, so that the
//! test can break it; `process.rs` runs the binary with the rights that it ships with.
//!
//! | file | what |
//! |---|---|
//! | `stage.rs` | a namespace with its controller, and what the tests ask of it |
//! | `choice.rs` | which address a claim gets |
//! | `life.rs` | claims, addresses and pools come and go, in any order |
//! | `clusters.rs` | Clusters, pause, watch filter, other providers |
//! | `wire.rs` | schemas, columns and answers as published |
//! | `takeover.rs` | objects from elsewhere: a copy without status, `clusterctl move` |
//! | `upgrade.rs` | objects as the Go manager leaves them |
//! | `cluster_api.rs` | beside the real Cluster API with its webhooks |
//! | `process.rs` | the binary: rights, leader election, health, metrics |
//! | `crashes.rs`, `many.rs` | killed at every write; a thousand claims; two managers at once |
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod choice;
mod cluster_api;
mod clusters;
mod crashes;
mod life;
mod many;
mod process;
mod stage;
mod takeover;
mod upgrade;
mod wire;
