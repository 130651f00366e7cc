//! The mapping between a host and its Ironic node: pure functions, no requests.
