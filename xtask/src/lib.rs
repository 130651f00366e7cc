//! What the bench shares with the project's tasks, so that it proves what a user gets.

pub mod repository;
