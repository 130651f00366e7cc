//! Ranges of a pool as numbers: what a [`Range`](super::Range) covers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Range;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The largest address as a number.
    pub fn max(self) -> u128 {
        match self {
            Self::V4 => u128::from(u32::MAX),
            Self::V6 => u128::MAX,
        }
    }

    /// Number of bits of an address.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An address as a number. IPv4 written as IPv6 (`::ffff:a00:1`) is IPv4.
pub fn number(ip: IpAddr) -> (Family, u128) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (Family::V4, u128::from(u32::from(ip))),
        IpAddr::V6(ip) => (Family::V6, u128::from(ip)),
    }
}

/// The address of a number; numbers above the family's largest wrap.
pub fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// Reads an address.
pub fn parse(text: &str) -> Result<IpAddr, RangeError> {
    text.parse::<IpAddr>().map(|ip| ip.to_canonical()).map_err(|_| RangeError::Address(text.to_owned()))
}

/// A subnet with its address as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The address as written; bits behind the prefix may be set.
    pub written: u128,
    /// First address of the subnet.
    pub first: u128,
    /// Last address of the subnet.
    pub last: u128,
}

impl Subnet {
    /// Reads `address/prefix`.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let broken = || RangeError::Subnet(text.to_owned());
        let (ip, prefix) = text.split_once('/').ok_or_else(broken)?;
        let ip: IpAddr = ip.parse().map_err(|_| broken())?;
        let mut prefix: u8 = prefix.parse().map_err(|_| broken())?;
        let (family, written) = number(ip);
        // The prefix belongs to the form that is written: of IPv4 written as IPv6 it covers the 96 bits before.
        if ip.is_ipv6() && family == Family::V4 {
            prefix = prefix.checked_sub(96).ok_or_else(|| RangeError::MappedSubnet(text.to_owned()))?;
        }
        let host_bits = family.bits().checked_sub(prefix).ok_or_else(broken)?;
        let hosts = match host_bits {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        };
        Ok(Self { family, written, first: written & !hosts, last: written | hosts })
    }
}

/// Addresses from first to last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// IPv4 or IPv6.
    pub family: Family,
    /// First address.
    pub first: u128,
    /// Last address.
    pub last: u128,
}

impl Interval {
    /// Whether an address is inside.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (family, number) = number(ip);
        family == self.family && (self.first..=self.last).contains(&number)
    }

    /// Number of addresses; the whole of IPv6 counts one less than it has.
    pub fn size(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }
}

/// Why a range makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeError {
    /// Not an address.
    Address(String),
    /// Not a subnet.
    Subnet(String),
    /// IPv4 written as IPv6, with more than IPv4 inside.
    MappedSubnet(String),
    /// The parts are of both families.
    MixedFamilies,
    /// The last address is before the first.
    Backwards,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(f, "{text:?} is not a valid IP address"),
            Self::Subnet(text) => write!(f, "{text:?} is not a valid subnet such as 192.0.2.0/24"),
            Self::MappedSubnet(text) => {
                write!(f, "{text:?} is IPv4 written as IPv6 with a prefix below 96; write it as IPv4: 192.0.2.0/24")
            }
            Self::MixedFamilies => f.write_str("IPv4 and IPv6 are mixed; write one range for each"),
            Self::Backwards => f.write_str("end is before start; exchange them"),
        }
    }
}

impl std::error::Error for RangeError {}

/// The parts of a range, parsed and of one family.
struct Parts {
    family: Option<Family>,
    start: Option<u128>,
    end: Option<u128>,
    subnet: Option<Subnet>,
}

impl Range {
    fn parts(&self) -> Result<Parts, RangeError> {
        let read = |text: &Option<String>| text.as_deref().map(|t| parse(t).map(number)).transpose();
        let (start, end) = (read(&self.start)?, read(&self.end)?);
        let subnet = self.subnet.as_deref().map(Subnet::parse).transpose()?;
        let mut families = start.map(|s| s.0).into_iter().chain(end.map(|e| e.0)).chain(subnet.map(|s| s.family));
        let family = families.next();
        if families.any(|other| Some(other) != family) {
            return Err(RangeError::MixedFamilies);
        }
        let (start, end) = (start.map(|s| s.1), end.map(|e| e.1));
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return Err(RangeError::Backwards);
        }
        Ok(Parts { family, start, end, subnet })
    }

    /// The addresses that can be given out; none when neither start nor subnet tells the first, or nothing is left.
    ///
    /// A subnet alone starts behind its written address and ends with its last (IPv4's broadcast address included). A
    /// start outside the subnet leaves nothing.
    pub fn interval(&self) -> Result<Option<Interval>, RangeError> {
        let parts = self.parts()?;
        let Some(family) = parts.family else { return Ok(None) };
        let first = match (parts.start, parts.subnet) {
            (Some(start), Some(subnet)) if !(subnet.first..=subnet.last).contains(&start) => return Ok(None),
            (Some(start), _) => start,
            (None, Some(subnet)) => match subnet.written.checked_add(1) {
                Some(first) => first,
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let mut last = parts.end.unwrap_or(family.max());
        if let Some(subnet) = parts.subnet {
            last = last.min(subnet.last);
        }
        Ok((first <= last).then_some(Interval { family, first, last }))
    }

    /// Whether an address is inside all limits that are written. Wider than [`Range::interval`]: a subnet's own
    /// address is within its bounds, though it is never given out by itself.
    pub fn bounds(&self, ip: IpAddr) -> bool {
        let Ok(parts) = self.parts() else { return false };
        let (family, number) = number(ip);
        parts.family == Some(family)
            && parts.start.is_none_or(|start| start <= number)
            && parts.end.is_none_or(|end| number <= end)
            && parts.subnet.is_none_or(|subnet| (subnet.first..=subnet.last).contains(&number))
    }

    /// Whether start and end, or subnet, say how many addresses there are.
    pub fn is_countable(&self) -> bool {
        self.subnet.is_some() || (self.start.is_some() && self.end.is_some())
    }
}
