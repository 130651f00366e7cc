//! The project's own tasks; the Makefile is the menu.
fn main() {}
