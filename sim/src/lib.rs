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
//! | [`world`] | the runtime with virtual time, managers that start, die and double, and quiet |
//! | [`scenario`], [`user`] | what users do: short stories about pools and claims |
//! | [`faults`], [`referee`] | fault plans, and how they come into effect and are written down |
//! | [`oracle`], [`mask`], [`errors`] | what must hold after every write and at the end |
//! | [`explore`] | one run with its judgement, and every plan of a scenario |
//! | [`wrong`] | controllers with known mistakes, to see that the oracles bite |
//! | [`kube`] | the simulated Kubernetes API server; `test-e2e/tests/sim_conformance.rs` compares it with the real one |

pub mod errors;
pub mod explore;
pub mod faults;
pub mod kube;
pub mod mask;
pub mod oracle;
pub mod referee;
pub mod scenario;
pub mod user;
pub mod world;
pub mod wrong;
