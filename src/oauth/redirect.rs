//! The way back from the browser (RFC 6749 §4.1.2, RFC 8252 §7.3): to this machine only, and checked
//! before anything in it is believed.

use std::str::FromStr;

use super::{Endpoints, ErrorCode, Refusal};
use crate::text::{Secret, shown};

/// A redirect to this machine: `http://localhost`, `http://127.0.0.1` or `http://[::1]`, perhaps with
/// a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback {
    host: &'static str,
    port: Option<u16>,
    path: String,
}

impl Loopback {
    /// The port, if it is registered with one; else any.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path, which begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the redirect URI with the port that is listened on.
    pub fn at(&self, port: u16) -> String {
        // Servers compare it without the port (RFC 8252 §7.3), but with the path.
        let path = if self.path == "/" { "" } else { self.path.as_str() };
        format!("http://{}:{port}{path}", self.host)
    }
}

impl Default for Loopback {
    /// The redirect that RFC 8252 §7.3 recommends.
    fn default() -> Self {
        Self { host: "127.0.0.1", port: None, path: "/".to_owned() }
    }
}

impl FromStr for Loopback {
    type Err = LoopbackError;

    fn from_str(text: &str) -> Result<Self, LoopbackError> {
        let wrong = || LoopbackError(shown(text));
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let known = ["localhost", "127.0.0.1", "[::1]"];
        let host = known.into_iter().find(|host| rest.starts_with(host)).ok_or_else(wrong)?;
        let rest = rest.get(host.len()..).unwrap_or_default();
        let (port, path) =
            rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or_default();
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(wrong()),
            Some(port) => {
                let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
                let port = port.parse().ok().filter(|port| is_number && *port > 0);
                Some(port.ok_or_else(wrong)?)
            }
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if !path.chars().all(is_plain) {
            return Err(wrong());
        }
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        Ok(Self { host, port, path })
    }
}

/// The text is no redirect to this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a redirect to this machine, such as `http://localhost`, found `{0}`")]
pub struct LoopbackError(String);

/// The answer that the browser brings back.
#[derive(Debug)]
pub enum Returned {
    /// A code, to be exchanged for tokens.
    Code(Secret),
    /// The server, or the user, has refused.
    Refused(Refusal),
}

/// The reason why a request is not the expected answer. It is not believed, and the wait goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexpected {
    /// The path is another.
    #[error("this is not the address of the last page")]
    Place,
    /// `state` belongs to another login, or is missing.
    #[error("this answer belongs to another login (its `state` is wrong)")]
    State,
    /// `iss` names another server.
    #[error("this answer comes from another server (its `iss` is wrong)")]
    Issuer,
    /// There is neither a code nor an error.
    #[error("this answer has no code in it")]
    Empty,
}

impl Returned {
    /// Reads what an HTTP request on the loopback address asks for, `/PATH?QUERY`.
    pub fn read(
        target: &str,
        redirect: &Loopback,
        state: &str,
        server: &Endpoints,
    ) -> Result<Self, Unexpected> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != redirect.path {
            return Err(Unexpected::Place);
        }
        let (mut code, mut error, mut description) = (None, None, None);
        let (mut found, mut issuer) = (None, None);
        for field in query.split('#').next().unwrap_or_default().split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let place = match name {
                "code" => &mut code,
                "error" => &mut error,
                "error_description" => &mut description,
                "state" => &mut found,
                "iss" => &mut issuer,
                _ => continue,
            };
            // A parameter that comes twice (RFC 6749 §3.1 forbids it) could be read in two ways.
            if place.replace(decoded(value)).is_some() {
                return Err(Unexpected::State);
            }
        }
        if found.as_deref() != Some(state) {
            return Err(Unexpected::State);
        }
        match (&server.issuer, &issuer) {
            (Some(known), Some(found)) if known == found => {}
            (None, _) => {}
            (Some(_), None) if !server.names_issuer => {}
            _ => return Err(Unexpected::Issuer),
        }
        match (error, code.filter(|code| !code.is_empty())) {
            (Some(word), _) => Ok(Self::Refused(Refusal {
                code: ErrorCode::new(&word),
                description: description.unwrap_or_default(),
                status: 0,
            })),
            (None, Some(code)) => Ok(Self::Code(Secret::new(code))),
            (None, None) => Err(Unexpected::Empty),
        }
    }

    /// Reads an address as it was copied out of the browser.
    pub fn pasted(
        text: &str,
        redirect: &Loopback,
        state: &str,
        server: &Endpoints,
    ) -> Result<Self, Unexpected> {
        let rest = text.trim().strip_prefix("http://").ok_or(Unexpected::Place)?;
        let at = rest.find(['/', '?']).ok_or(Unexpected::Place)?;
        let (authority, target) = rest.split_at_checked(at).ok_or(Unexpected::Place)?;
        let host = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        if host.map_or(authority, |(host, _)| host) != redirect.host {
            return Err(Unexpected::Place);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Self::read(&format!("{slash}{target}"), redirect, state, server)
    }
}

/// A value of a query, decoded (`application/x-www-form-urlencoded`). What is malformed stays.
fn decoded(value: &str) -> String {
    let value = value.replace('+', " ");
    let octets = crate::text::percent_decoded(value.as_bytes());
    octets.map_or_else(|| value.clone(), |octets| String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(issuer: Option<&str>, names_issuer: bool) -> Endpoints {
        Endpoints {
            issuer: issuer.map(str::to_owned),
            names_issuer,
            authorize: None,
            token: "https://a.example/t".parse().unwrap(),
            device: None,
        }
    }

    fn read(target: &str, server: &Endpoints) -> Result<String, Unexpected> {
        let redirect = "http://localhost".parse().unwrap();
        Returned::read(target, &redirect, "right", server).map(|returned| match returned {
            Returned::Code(code) => code.expose().to_owned(),
            Returned::Refused(refusal) => refusal.to_string(),
        })
    }

    #[test]
    fn only_the_answer_to_this_login_is_believed() {
        let anybody = server(None, false);
        let found = |target: &str| read(target, &anybody);
        assert_eq!(found("/?code=a%2Fb&state=right").unwrap(), "a/b");
        assert_eq!(
            found("/?error=access_denied&error_description=not+today&state=right").unwrap(),
            "access_denied: not today"
        );
        for (target, why) in [
            ("/favicon.ico", Unexpected::Place),
            ("/x?code=a&state=right", Unexpected::Place),
            ("/?code=a", Unexpected::State),
            ("/?code=a&state=wrong", Unexpected::State),
            ("/?error=access_denied&state=wrong", Unexpected::State),
            ("/?code=a&state=right&state=right", Unexpected::State),
            ("/?code=a&code=b&state=right", Unexpected::State),
            ("/?state=right", Unexpected::Empty),
            ("/?code=&state=right", Unexpected::Empty),
        ] {
            assert_eq!(found(target).unwrap_err(), why, "{target}");
        }
    }

    #[test]
    fn an_answer_of_another_issuer_is_not_believed() {
        let quiet = server(Some("https://a.example"), false);
        let strict = server(Some("https://a.example"), true);
        let target = |iss: &str| format!("/?code=a&state=right{iss}");
        let (right, wrong) = ("&iss=https%3A%2F%2Fa.example", "&iss=https%3A%2F%2Fevil.example");
        assert!(read(&target(right), &quiet).is_ok());
        assert!(read(&target(""), &quiet).is_ok());
        assert_eq!(read(&target(wrong), &quiet).unwrap_err(), Unexpected::Issuer);
        assert!(read(&target(right), &strict).is_ok());
        assert_eq!(read(&target(""), &strict).unwrap_err(), Unexpected::Issuer);
    }

    #[test]
    fn an_address_may_be_pasted_with_blanks_around_it() {
        let redirect: Loopback = "http://localhost".parse().unwrap();
        let paste = |text: &str| Returned::pasted(text, &redirect, "right", &server(None, false));
        for text in [
            " http://localhost:4711/?code=a&state=right\n",
            "http://localhost/?code=a&state=right",
            "http://localhost:4711?code=a&state=right",
        ] {
            assert!(matches!(paste(text), Ok(Returned::Code(_))), "{text}");
        }
        for text in ["", "code", "http://evil.example/?code=a&state=right", "http://localhost"] {
            assert_eq!(paste(text).unwrap_err(), Unexpected::Place, "{text}");
        }
    }

    #[test]
    fn a_redirect_leads_to_this_machine() {
        let at = |text: &str| text.parse::<Loopback>().map(|redirect| redirect.at(99));
        assert_eq!(at("http://localhost").unwrap(), "http://localhost:99");
        assert_eq!(at("http://127.0.0.1/cb").unwrap(), "http://127.0.0.1:99/cb");
        assert_eq!("http://[::1]:80/".parse::<Loopback>().unwrap().port(), Some(80));
        for wrong in [
            "https://localhost",
            "http://localhost.evil.example",
            "http://127.0.0.10",
            "http://192.0.2.1/",
            "http://localhost:0",
            "http://localhost/?x",
            "localhost",
        ] {
            assert!(wrong.parse::<Loopback>().is_err(), "{wrong}");
        }
    }
}
