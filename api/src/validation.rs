//! What every validator returns: all violations at once.
