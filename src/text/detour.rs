//! The address to connect to in place of a server's own, as in curl's `--connect-to`. For tests; the
//! name in the certificate stays the server's.

use std::str::FromStr;

use super::{Domain, shown};

/// An address to dial in place of a server's own. Name, certificate and protocol stay the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    host: Option<Domain>,
    port: Option<u16>,
    to: (Domain, u16),
}

impl Detour {
    /// The host and port to connect to in place of these; `None` if this one is for others.
    pub fn of(&self, host: &Domain, port: u16) -> Option<(&Domain, u16)> {
        let is_meant = self.host.as_ref().is_none_or(|own| own == host)
            && self.port.is_none_or(|own| own == port);
        let (host, port) = &self.to;
        is_meant.then_some((host, *port))
    }
}

impl FromStr for Detour {
    type Err = DetourError;

    /// `HOST:PORT` for every server, or `[NAME]:[PORT]:HOST:PORT`.
    fn from_str(text: &str) -> Result<Self, DetourError> {
        let wrong = || DetourError { text: shown(text) };
        let port = |text: &str| text.parse().ok().filter(|&port: &u16| port > 0).ok_or_else(wrong);
        let name = |text: &str| text.parse().map_err(|_| wrong());
        match text.split(':').collect::<Vec<_>>().as_slice() {
            [to, to_port] => Ok(Self { host: None, port: None, to: (name(to)?, port(to_port)?) }),
            [host, own, to, to_port] => {
                let host = if host.is_empty() { None } else { Some(name(host)?) };
                let own = if own.is_empty() { None } else { Some(port(own)?) };
                Ok(Self { host, port: own, to: (name(to)?, port(to_port)?) })
            }
            _ => Err(wrong()),
        }
    }
}

/// The text names no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT or [NAME]:[PORT]:HOST:PORT, found `{text}`")]
pub struct DetourError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detour_is_for_all_servers_or_for_those_that_it_names() {
        let of = |text: &str, host: &str, port| {
            let detour: Detour = text.parse().unwrap();
            let to = detour.of(&host.parse().unwrap(), port);
            to.map(|(host, port)| format!("{host}:{port}"))
        };
        assert_eq!(of("127.0.0.1:9", "a.example", 1).as_deref(), Some("127.0.0.1:9"));
        assert_eq!(of("a.example:1:127.0.0.1:9", "a.example", 1).as_deref(), Some("127.0.0.1:9"));
        assert_eq!(of("a.example::127.0.0.1:9", "a.example", 2).as_deref(), Some("127.0.0.1:9"));
        assert_eq!(of(":1:127.0.0.1:9", "b.example", 1).as_deref(), Some("127.0.0.1:9"));
        assert_eq!(of("a.example:1:127.0.0.1:9", "b.example", 1), None);
        assert_eq!(of("a.example:1:127.0.0.1:9", "a.example", 2), None);
        for wrong in ["", "a", "a:0", "a:b", "a:1:b", "a:1:b:2:c"] {
            assert!(wrong.parse::<Detour>().is_err(), "{wrong}");
        }
    }
}
