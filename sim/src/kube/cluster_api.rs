//! Cluster API's kinds that controllers here read or write, with schemas as far as these controllers can see.

use super::kinds::Kind;

/// `Cluster`, `IPAddressClaim` and `IPAddress`.
pub fn kinds() -> Vec<Kind> {
    Vec::new()
}
