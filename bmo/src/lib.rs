//! bmo: the bare metal operator.

pub mod calls;
pub mod node;
