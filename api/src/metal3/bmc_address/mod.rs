//! The address of a management controller: `scheme://host[:port][/path][?query]`.
//!
//! The scheme is an [`AccessType`], with `+http` or `+https` behind it for those that speak Redfish. Short forms mean
//! IPMI: `192.0.2.7`, `192.0.2.7:6230`, `[2001:db8::7]:623`. `scheme:host` is read as `scheme://host`.
//!
//! Read by the webhook (is it one?) and by `bmo` (which node does it make in Ironic?).

mod access;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

pub use access::{AccessType, Family, Interfaces};

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BmcAddress {
    /// Driver and way to boot.
    pub access: AccessType,
    /// Whether the controller is spoken to over TLS; `true` unless the scheme ends in `+http`.
    pub tls: bool,
    /// The controller.
    pub host: Host,
    /// Its port, when one is given.
    pub port: Option<u16>,
    /// The path with its leading slash, percent-decoded; empty when there is none.
    pub path: String,
    /// The query, percent-decoded.
    pub query: BTreeMap<String, String>,
}

/// Host part of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, as written.
    Name(String),
}

impl fmt::Display for Host {
    /// As in a URL: IPv6 stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Host {
    /// Without brackets, as IPMI tools take it.
    pub fn bare(&self) -> String {
        match self {
            Self::Ip(ip) => ip.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// Why a text is not an address. The messages tell what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BmcAddressError {
    /// Nothing is written.
    Missing,
    /// The scheme is not an access type.
    UnknownScheme(String),
    /// `+http` or something else stands behind a scheme that has no such form.
    NoSuchTransport(String),
    /// The host is neither an IP address nor a DNS name.
    InvalidHost(String),
    /// The port is not a number from 1 to 65535.
    InvalidPort(String),
    /// A character that no address has: blanks, control characters, broken percent signs.
    InvalidCharacter(char),
}

impl fmt::Display for BmcAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing BMC address"),
            Self::UnknownScheme(scheme) => {
                let known: Vec<&str> = AccessType::ALL.iter().map(|a| a.name()).collect();
                write!(f, "unknown BMC type {scheme:?}; the address must start with one of {}", known.join(", "))
            }
            Self::NoSuchTransport(scheme) => {
                write!(
                    f,
                    "unknown BMC type {scheme:?}: only Redfish types can end in +http or +https, and in nothing else"
                )
            }
            Self::InvalidHost(host) => write!(
                f,
                "BMC address hostname/IP {host:?} is invalid; write an IPv4 address, an IPv6 address in brackets, or a DNS name"
            ),
            Self::InvalidPort(port) => {
                write!(f, "BMC address port {port:?} is invalid; write a number from 1 to 65535")
            }
            Self::InvalidCharacter(c) => write!(f, "BMC address must not contain {c:?}"),
        }
    }
}

impl std::error::Error for BmcAddressError {}

impl std::str::FromStr for BmcAddress {
    type Err = BmcAddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::parse(text)
    }
}

/// IPMI's port when the address has none.
const IPMI_PORT: u16 = 623;
/// Privilege level for IPMI when the address has none.
const IPMI_PRIVILEGE: &str = "ADMINISTRATOR";

impl BmcAddress {
    /// Interfaces of the Ironic node.
    pub fn interfaces(&self) -> Interfaces {
        self.access.interfaces()
    }

    /// `https://host[:port]` (or http), as Ironic takes it for Redfish.
    pub fn redfish_address(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match self.port {
            Some(port) => format!("{scheme}://{}:{port}", self.host),
            None => format!("{scheme}://{}", self.host),
        }
    }

    /// The Redfish system that is meant. None leaves the choice to Ironic, which needs that there is only one.
    pub fn redfish_system_id(&self) -> Option<&str> {
        match self.path.trim_matches('/') {
            "" | "redfish/v1" => None,
            _ => Some(&self.path),
        }
    }

    /// `driver_info` of the Ironic node, without the deploy images. Contains the password: never log it.
    pub fn driver_info(
        &self,
        username: &str,
        password: &str,
        verify_certificate: bool,
    ) -> BTreeMap<&'static str, Value> {
        let text = |value: &str| Value::Text(value.to_owned());
        let mut info = match self.access.family() {
            Family::Ipmi => BTreeMap::from([
                ("ipmi_address", Value::Text(self.host.bare())),
                ("ipmi_port", Value::Text(self.port.unwrap_or(IPMI_PORT).to_string())),
                ("ipmi_username", text(username)),
                ("ipmi_password", text(password)),
                ("ipmi_priv_level", text(self.query.get("privilegelevel").map_or(IPMI_PRIVILEGE, String::as_str))),
            ]),
            Family::Redfish => BTreeMap::from([
                ("redfish_address", Value::Text(self.redfish_address())),
                ("redfish_username", text(username)),
                ("redfish_password", text(password)),
            ]),
        };
        if let (Family::Redfish, Some(system)) = (self.access.family(), self.redfish_system_id()) {
            info.insert("redfish_system_id", text(system));
        }
        if !verify_certificate {
            let key = match self.access.family() {
                Family::Ipmi => "ipmi_verify_ca",
                Family::Redfish => "redfish_verify_ca",
            };
            info.insert(key, Value::Flag(false));
        }
        info
    }
}

/// A value of `driver_info`.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Text, possibly a password.
    Text(String),
    /// A flag.
    Flag(bool),
}

impl fmt::Debug for Value {
    /// Text is hidden, since it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::Flag(flag) => write!(f, "Flag({flag})"),
        }
    }
}
