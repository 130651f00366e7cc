//! Small types that several groups share.
