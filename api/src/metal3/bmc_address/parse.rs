//! The grammar.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::{AccessType, BmcAddress, BmcAddressError, Family, Host};

/// An authority and what follows it.
type Parts<'a> = (Host, Option<u16>, &'a str);

/// Parses an address; see the module above for the forms.
pub(super) fn parse(text: &str) -> Result<BmcAddress, BmcAddressError> {
    if text.is_empty() {
        return Err(BmcAddressError::Missing);
    }
    if let Some(c) = text.chars().find(|c| c.is_control() || c.is_whitespace()) {
        return Err(BmcAddressError::InvalidCharacter(c));
    }
    let (scheme, rest) = split_scheme(text);
    let (access, tls) = access_type(&scheme)?;
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port, path) = authority(rest)?;
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect::<Result<BTreeMap<_, _>, BmcAddressError>>()?;
    Ok(BmcAddress { access, tls, host, port, path: decode(path)?, query })
}

/// The scheme in lower case and everything behind it; IPMI when there is none.
fn split_scheme(text: &str) -> (String, &str) {
    let no_scheme = || (AccessType::Ipmi.name().to_owned(), text.trim_start_matches("//"));
    let Some((scheme, rest)) = text.split_once(':') else { return no_scheme() };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_scheme {
        return no_scheme();
    }
    (scheme.to_ascii_lowercase(), rest.strip_prefix("//").unwrap_or(rest))
}

fn access_type(scheme: &str) -> Result<(AccessType, bool), BmcAddressError> {
    let (name, transport) = match scheme.split_once('+') {
        Some((name, transport)) => (name, Some(transport)),
        None => (scheme, None),
    };
    let access = AccessType::from_name(name).ok_or_else(|| BmcAddressError::UnknownScheme(scheme.to_owned()))?;
    match (access.family(), transport) {
        (Family::Ipmi | Family::Redfish, None) | (Family::Redfish, Some("https")) => Ok((access, true)),
        (Family::Redfish, Some("http")) => Ok((access, false)),
        (Family::Ipmi | Family::Redfish, Some(_)) => Err(BmcAddressError::NoSuchTransport(scheme.to_owned())),
    }
}

/// Splits `[user@]host[:port][/path]`. A user is ignored: credentials come from the Secret only.
fn authority(rest: &str) -> Result<Parts<'_>, BmcAddressError> {
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let broken = || BmcAddressError::InvalidHost(authority.to_owned());
        let (host, behind) = bracketed.split_once(']').ok_or_else(broken)?;
        let ip: Ipv6Addr = host.parse().map_err(|_| BmcAddressError::InvalidHost(host.to_owned()))?;
        let port = if behind.is_empty() { "" } else { behind.strip_prefix(':').ok_or_else(broken)? };
        (Host::Ip(IpAddr::V6(ip)), port)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        (named_host(host)?, port)
    };
    Ok((host, port_number(port)?, path))
}

fn named_host(host: &str) -> Result<Host, BmcAddressError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Host::Ip(ip));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(Host::Name(host.to_owned()))
    } else {
        Err(BmcAddressError::InvalidHost(host.to_owned()))
    }
}

/// No port is none; so is an empty one, as in `host:`.
fn port_number(text: &str) -> Result<Option<u16>, BmcAddressError> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<u16>() {
        // `parse` takes a sign, a URL does not.
        Ok(port) if port > 0 && text.chars().all(|c| c.is_ascii_digit()) => Ok(Some(port)),
        Ok(_) | Err(_) => Err(BmcAddressError::InvalidPort(text.to_owned())),
    }
}

/// Replaces `%41` by `A`.
fn decode(text: &str) -> Result<String, BmcAddressError> {
    let broken = BmcAddressError::InvalidCharacter('%');
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(broken),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| broken)?;
    match text.chars().find(|c| c.is_control()) {
        // What was hidden behind a percent sign must not reach a configuration file either.
        Some(c) => Err(BmcAddressError::InvalidCharacter(c)),
        None => Ok(text),
    }
}
