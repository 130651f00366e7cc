//! metal3.io: hosts and everything a host owns.
