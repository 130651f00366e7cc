//! ironic
