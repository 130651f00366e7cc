//! The binary `metal3`.
fn main() {}
