//! Domains, address literals and the client's name in EHLO (RFC 5321 §4.1.2, §4.1.3), and domains
//! beyond ASCII in their ASCII form (RFC 5890). Looks nothing up.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::str::FromStr;

use super::shown;
use crate::limits;

/// A host to connect to: a name, or an address as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain(String);

impl Domain {
    /// The name as it was written, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let name = ascii(bare);
        if bare.parse::<IpAddr>().is_ok() || (is_domain(&name) && bare == text) {
            Ok(Self(name.to_ascii_lowercase()))
        } else {
            Err(DomainError { name: shown(text) })
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a host name")]
pub struct DomainError {
    name: String,
}

/// The name of a client in EHLO: a domain or an address literal (RFC 5321 §4.1.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EhloName(String);

impl EhloName {
    /// An address literal (RFC 5321 §4.1.3).
    pub fn literal(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self(format!("[{v4}]")),
            IpAddr::V6(v6) => Self(format!("[IPv6:{v6}]")),
        }
    }
}

impl FromStr for EhloName {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let name = ascii(text);
        if is_domain(&name) || is_address_literal(text) {
            Ok(Self(name.into_owned()))
        } else {
            Err(DomainError { name: shown(text) })
        }
    }
}

impl fmt::Display for EhloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A domain as every server understands it: U-labels become A-labels. What is no domain stays as
/// it is, and is no domain afterwards either.
pub(super) fn ascii(domain: &str) -> Cow<'_, str> {
    match idna::domain_to_ascii(domain) {
        Ok(ascii) if !domain.is_ascii() => ascii.into(),
        _ => domain.into(),
    }
}

/// RFC 5321 §4.1.2 `Domain`; underscores occur in the wild.
pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    text.len() <= limits::DOMAIN && text.split('.').all(label)
}

/// RFC 5321 §4.1.3 `address-literal`.
pub(super) fn is_address_literal(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return false;
    };
    match inner.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}
