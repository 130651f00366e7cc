//! The wire: requests as Ironic gets them, answers as Ironic gives them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking, also in its helpers

mod polling;
mod requests;
mod server;
mod sessions;
mod tls;
