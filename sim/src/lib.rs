//! sim: a world inside one process, in virtual time: the controllers as they ship against a simulated API server.
//!
//! ```text
//!  controllers (ipam, ..) --kube client--> kube: the API server, in memory --watches--> their informers
//!                                             ^  log of requests and writes --> oracles, traces
//!                                             '--- faults are put in here
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`kube`] | the simulated Kubernetes API server; `test-e2e/tests/sim_conformance.rs` compares it with the real one |

pub mod kube;
