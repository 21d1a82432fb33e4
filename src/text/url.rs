//! URLs of the servers that postie asks by HTTP: `https` and nothing else (RFC 9110 §4.2.2).

use std::fmt;
use std::str::FromStr;

use super::{Domain, shown, without_password};
use crate::limits;

/// An `https` URL without user information and fragment. Holds no blank and no control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsUrl {
    host: Domain,
    port: u16,
    /// The part from the first slash on.
    path: String,
}

impl HttpsUrl {
    /// The port of a URL that names none.
    pub const PORT: u16 = 443;

    /// The host, which the server's certificate must be for.
    pub fn host(&self) -> &Domain {
        &self.host
    }

    /// The port, 443 unless another is named.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path and the query; begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Resolves a reference in an answer to this URL (RFC 3986 §5.2): an absolute URL, or a path on the
    /// same host.
    ///
    /// # Errors
    ///
    /// Returns an error if the result is no https URL.
    pub fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError::new(reference, NO_HTTPS);
        if let Some(rest) = reference.strip_prefix("//") {
            return format!("https://{rest}").parse();
        }
        if reference.starts_with('/') {
            let path = path(reference).ok_or_else(wrong)?;
            return Ok(Self { path, ..self.clone() });
        }
        reference.parse()
    }
}

/// The path and query of a request: visible ASCII (RFC 3986 §2), without the fragment.
fn path(text: &str) -> Option<String> {
    let text = text.split('#').next().unwrap_or_default();
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&octet);
    (text.len() <= limits::URL && text.bytes().all(is_plain)).then(|| match text {
        "" => "/".to_owned(),
        _ if text.starts_with('?') => format!("/{text}"),
        _ => text.to_owned(),
    })
}

impl FromStr for HttpsUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError::new(text, NO_HTTPS);
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(wrong());
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).ok_or_else(wrong)?;
        if authority.contains('@') {
            return Err(UrlError::new(text, "holds a user name, which is not sent here"));
        }
        // An IPv6 address stands in brackets (RFC 3986 §3.2.2), so its colons are before the last one.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
                let port = port.parse().ok().filter(|&port: &u16| is_number && port > 0);
                (host, port.ok_or_else(wrong)?)
            }
            _ => (authority, Self::PORT),
        };
        if host.contains(':') && !host.starts_with('[') {
            return Err(wrong());
        }
        let host = host.parse().map_err(|_| wrong())?;
        Ok(Self { host, port, path: path(rest).ok_or_else(wrong)? })
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        f.write_str("https://")?;
        if host.as_str().contains(':') {
            write!(f, "[{host}]")?;
        } else {
            write!(f, "{host}")?;
        }
        if *port != Self::PORT {
            write!(f, ":{port}")?;
        }
        f.write_str(path)
    }
}

const NO_HTTPS: &str = "is not an https address";

/// The text is not an `https` URL, or has user information (RFC 3986 §3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` {fault}")]
pub struct UrlError {
    url: String,
    fault: &'static str,
}

impl UrlError {
    fn new(text: &str, fault: &'static str) -> Self {
        Self { url: shown(&without_password(text)), fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        text.parse::<HttpsUrl>().ok().map(|url| url.to_string())
    }

    #[test]
    fn only_https_is_an_address() {
        assert_eq!(read("https://Example.com").as_deref(), Some("https://example.com/"));
        assert_eq!(
            read("HTTPS://example.com:8443/a?b=c#d").as_deref(),
            Some("https://example.com:8443/a?b=c")
        );
        assert_eq!(read("https://example.com?x").as_deref(), Some("https://example.com/?x"));
        assert_eq!(read("https://[::1]:443/x").as_deref(), Some("https://[::1]/x"));
        for wrong in [
            "http://example.com/",
            "example.com",
            "https://",
            "https://ann@example.com/",
            "https://example.com@evil.example/",
            "https://example.com:0/",
            "https://example.com:+1/",
            "https://example.com:/",
            "https://::1/",
            "https://example.com/a b",
            "https://example.com/a\r\nHost: evil",
            "https://example.com/\u{e4}",
            "https://exa mple.com/",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let error = |text: &str| text.parse::<HttpsUrl>().unwrap_err().to_string();
        assert_eq!(
            error("https://ann:hunter2@example.com/x"),
            "`https://****@example.com/x` holds a user name, which is not sent here"
        );
        assert_eq!(
            error("http://ann:hunter2@example.com/x"),
            "`http://****@example.com/x` is not an https address"
        );
    }

    #[test]
    fn a_reference_stays_on_the_host_or_names_another_by_https() {
        let base: HttpsUrl = "https://example.com:8443/a/b?c".parse().unwrap();
        let resolved = |text: &str| base.resolve(text).ok().map(|url| url.to_string());
        assert_eq!(resolved("/x").as_deref(), Some("https://example.com:8443/x"));
        assert_eq!(resolved("//other.example/x").as_deref(), Some("https://other.example/x"));
        assert_eq!(resolved("https://other.example").as_deref(), Some("https://other.example/"));
        assert_eq!(resolved("http://example.com/x"), None);
        assert_eq!(resolved("x"), None, "relative to the directory: nobody's servers say it");
    }
}
