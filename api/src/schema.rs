//! From Rust types to the CRDs that are installed.
