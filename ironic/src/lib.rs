//! Client of the Ironic REST API, and a poller that keeps one picture of all its nodes. Knows no Kubernetes.
//!
//! Who feeds whom: [`Config`] makes a [`Client`]; a [`Client`] method is one HTTP request (a list follows its
//! pages) and returns typed values or an [`Error`] whose [`ErrorKind`] says who can help. [`Poller`] lists all nodes
//! with one client and serves a [`Poll`]: the last picture, its age, and which nodes changed.
//!
//! Reading order: [`node`] (what a node is), [`provision`] (its life), [`error`], [`client`], [`poll`].

pub mod client;
pub mod config;
pub mod error;
pub mod firmware;
mod http;
pub mod inventory;
pub mod media;
pub mod new_node;
pub mod node;
pub mod patch;
mod picture;
pub mod poll;
pub mod port;
pub mod power;
pub mod provision;
pub mod redact;
pub mod service;
pub mod version;

pub use client::Client;
pub use config::{Auth, Config, Source, Tls};
pub use error::{Error, ErrorKind};
pub use firmware::{BiosSetting, FirmwareComponent};
pub use inventory::Inventory;
pub use media::MediaSlot;
pub use new_node::NewNode;
pub use node::{Node, Validation};
pub use patch::Patch;
pub use poll::{Change, Health, Poll, PollOptions, Poller};
pub use port::{NewPort, Port, PortFilter};
pub use power::{PowerState, PowerTarget};
pub use provision::{ConfigDrive, Phase, ProvisionChange, ProvisionState, ProvisionTarget, Step};
pub use redact::{Hidden, Info};
pub use version::{Feature, Versions};
