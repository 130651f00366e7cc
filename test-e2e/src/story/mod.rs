//! The main job, told as a user would do it: enrol powered-off machines, generate a cluster, scale it.
//!
//! ```text
//! stage (machines, Ironic, API server, manager) -> enrol (BareMetalHosts) -> cluster (clusterctl, scaling) -> main_job (the order of it)
//!                                        '------------ watch + progress (what is shown meanwhile) -----------'
//! ```

pub mod cluster;
pub mod crashes;
pub mod demo;
pub mod enrol;
pub mod main_job;
pub mod progress;
pub mod stage;
pub mod watch;
