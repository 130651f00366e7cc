//! The mapping between a host and its Ironic node: pure functions, no requests.
//!
//! In the order of a host's life: [`names`], [`driver`] and [`fingerprint`] say what to create, [`register`] builds the creation and the
//! differences of an existing node, [`ports`] its network interfaces, [`ramdisk`] what it boots for work on it,
//! [`hardware`] reads what inspection found, [`raid`] and [`firmware`] make the steps of preparing, [`hints`],
//! [`instance`] and [`configdrive`] say what to deploy.

pub mod capabilities;
pub mod configdrive;
pub mod driver;
pub mod fingerprint;
pub mod firmware;
pub mod hardware;
pub mod hints;
pub mod instance;
pub mod names;
pub mod ports;
pub mod raid;
pub mod ramdisk;
pub mod register;
