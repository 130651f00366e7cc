//! kit: what every controller needs, and the only place where controllers meet the Kubernetes API.

pub mod key;
pub mod pass;
