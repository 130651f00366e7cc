//! What the credentials that a node was given are known by. Ironic masks passwords, and the version of a Secret changes with
//! its labels; with this, in the node's `extra`, a changed password is told from a changed label.
//!
//! Whoever may read nodes of Ironic can read it, so it says little: it is slow to compute, differs from host to host, and
//! has 32 bits, so that many passwords fit one. Two passwords in a row fit one once in four billion times.

use sha2::{Digest as _, Sha256};

/// The key in a node's `extra`.
pub const KEY: &str = "metal3_credentials";

/// How often the sum is taken: slow for a guesser, a few milliseconds here.
const ROUNDS: u32 = 10_000;

/// What these credentials of the node of this name are known by.
pub fn of(node: &str, username: &str, password: &str) -> String {
    let mut sum = Sha256::new();
    for part in [node, username, password] {
        // With its length, so that no two texts run into one.
        sum.update(part.len().to_be_bytes());
        sum.update(part);
    }
    let first = sum.finalize();
    let last = (1..ROUNDS).fold(first, |sum, _| Sha256::new().chain_update(sum).chain_update(password).finalize());
    format!("{:08x}", last.iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_credentials_apart_and_not_which() {
        let base = of("ns~a", "admin", "pw");
        assert_eq!(base, of("ns~a", "admin", "pw"));
        for other in [of("ns~b", "admin", "pw"), of("ns~a", "adminp", "w"), of("ns~a", "admin", "pw2")] {
            assert_ne!(base, other);
        }
        assert_eq!(base.len(), 8);
    }
}
