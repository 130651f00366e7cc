//! kit: what every controller needs, and the only place where controllers meet the Kubernetes API.
//!
//! One direction, nothing calls upstream:
//!
//! ```text
//! API server -> informer -> store --(wakes)--> queue -> worker: gather -> decide -> act -> record -> API server
//!                             ^                                             |
//!                             '------ answers of our own writes ------------'
//! ```
//!
//! | module | what it owns |
//! |---|---|
//! | [`runtime`], [`tasks`] | [`runtime::Context`]: what a controller family gets to run; parts that end together |
//! | [`informer`], [`store`], [`wakes`] | one watch per kind, the cache with indexes, who is woken by what |
//! | [`queue`], [`worker`], [`pass`], [`act`] | when a key is looked at, and the four steps of one look |
//! | [`client`], [`fault`], [`hook`], [`clock`] | requests with time limits, classes of failure, where faults are injected, time |
//! | [`diff`], [`conditions`], [`owners`], [`notes`] | small parts that decisions are made of |
//! | [`plans`], [`metrics`], [`serve`], [`guard`], [`telemetry`] | how people look inside |
//! | [`lease`], [`webhook`], [`args`], [`yaml`] | leader election, admission and conversion, flags, files |

pub mod act;
pub mod args;
pub mod client;
pub mod clock;
pub mod conditions;
pub mod diff;
pub mod fault;
pub mod guard;
pub mod hook;
pub mod informer;
pub mod key;
pub mod lease;
mod listen;
pub mod metrics;
pub mod notes;
pub mod owners;
pub mod pass;
pub mod plans;
pub mod queue;
pub mod runtime;
pub mod serve;
pub mod store;
pub mod tasks;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod wakes;
pub mod webhook;
pub mod worker;
pub mod yaml;

use std::fmt::Debug;

use kube::core::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind known at compile time, as every generic function here takes it.
pub trait Kind:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}
