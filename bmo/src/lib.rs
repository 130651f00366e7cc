//! bmo
