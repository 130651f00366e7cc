//! What the credentials that a node was given are known by. Ironic masks passwords, and the version of a Secret changes with
//! its labels; with this, in the node's `extra`, a changed password is told from a changed label.
//!
//! Whoever may read nodes of Ironic can read it and must not be able to try passwords against it. So it depends on the
//! Secret's uid, a random number that only those see who may read the Secret itself.

use sha2::{Digest as _, Sha256};

/// The key in a node's `extra`.
pub const KEY: &str = "metal3_credentials";

/// What these credentials in the Secret of this uid are known by: 16 hexadecimal digits.
pub fn of(uid: &str, username: &str, password: &str) -> String {
    let mut sum = Sha256::new();
    for part in [uid, username, password] {
        // With its length, so that no two texts run into one.
        sum.update(part.len().to_be_bytes());
        sum.update(part);
    }
    let mut text = format!("{:x}", sum.finalize());
    text.truncate(16);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_credentials_apart() {
        let base = of("uid-1", "admin", "pw");
        assert_eq!(base, of("uid-1", "admin", "pw"));
        for other in [of("uid-2", "admin", "pw"), of("uid-1", "adminp", "w"), of("uid-1", "admin", "pw2")] {
            assert_ne!(base, other);
        }
        assert_eq!(base.len(), 16);
    }
}
