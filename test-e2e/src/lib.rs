//! The test bench: real parts, no container engine, no hardware virtualisation.
//!
//! Who feeds whom:
//!
//! ```text
//! versions -> gobuild, apt -> cache        what is built or installed once per machine
//!                               |
//! bench (run folder) -> process            what runs now, stopped by its own id
//!                          |
//!            pki -> level_a -> level_b     API server, then Cluster API
//!                      |          |
//!                   manager   clusterctl   our binary, our release components
//!
//! debian -> ramdisk, node_image (oci) -> cache     what machines boot and what is written to them
//! net -> boot (files), ironic, bmc -> level_m      powered-off machines with a real Ironic
//!                                       |
//!                            life, story           one machine by hand; the main job
//! ```
//!
//! Everything here works on Linux as root or as a user; only network namespaces, machines and package installation
//! need root. Nothing blocks for a fixed time: every wait polls with a deadline and names what it waits for.

pub mod apt;
pub mod assets;
pub mod bench;
pub mod bmc;
pub mod boot;
pub mod by_url;
pub mod cache;
pub mod clean;
pub mod clusterctl;
pub mod command;
pub mod debian;
pub mod files;
pub mod fixture;
pub mod gobuild;
pub mod host;
pub mod ironic;
pub mod level_a;
pub mod level_b;
pub mod level_m;
pub mod life;
pub mod manager;
pub mod manifests;
pub mod measure;
pub mod net;
pub mod node_image;
pub mod oci;
pub mod pki;
pub mod played;
mod ports;
pub mod process;
pub mod ramdisk;
mod room;
pub mod story;
pub mod versions;
pub mod wait;
pub mod workload;

pub use bench::Bench;
