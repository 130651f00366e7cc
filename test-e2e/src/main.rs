//! The command line of the bench; see `bench help`.

fn main() {}
