//! Thunderbird's autoconfig format (draft-ietf-mailmaint-autoconfig): an XML document in which a
//! provider names its servers. Does no I/O. Servers without TLS, of other protocols, or with a way to
//! log in that postie does not know are left out.

use roxmltree::{Document, Node, ParsingOptions};

use crate::config::Tls;
use crate::limits;
use crate::text::{Domain, Mailbox};

/// A server that the document names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The host name.
    pub host: Domain,
    /// The port.
    pub port: u16,
    /// The kind of TLS.
    pub tls: Tls,
    /// The name to log in with.
    pub user: String,
    /// True if it takes OAuth 2.0 tokens and no passwords.
    pub wants_token: bool,
}

/// The servers that a document names: the first that can be used of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// The POP3 server.
    pub fetch: Option<Server>,
    /// The server for submission.
    pub send: Option<Server>,
}

/// The reason why a document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The document is no XML of this format, or has a document type, which could hold anything.
    #[error("it is not an autoconfig file")]
    Format,
    /// The document is larger than any such file.
    #[error("it is larger than {} octets", limits::AUTOCONFIG)]
    TooLarge,
}

impl Servers {
    /// Reads a document for the user with this address.
    ///
    /// # Errors
    ///
    /// Returns an error if the document is too large, too deep, or not the expected XML.
    pub fn read(octets: &[u8], address: &Mailbox) -> Result<Self, Error> {
        if octets.len() > limits::AUTOCONFIG {
            return Err(Error::TooLarge);
        }
        let text = std::str::from_utf8(octets).map_err(|_| Error::Format)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: limits::AUTOCONFIG_NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options).map_err(|_| Error::Format)?;
        let root = document.root_element();
        if root.tag_name().name() != "clientConfig" {
            return Err(Error::Format);
        }
        let provider = child(root, "emailProvider").ok_or(Error::Format)?;
        let first = |element: &str, protocol: &str| {
            let servers = provider.children().filter(|node| {
                node.tag_name().name() == element && node.attribute("type") == Some(protocol)
            });
            let mut servers = servers.filter_map(|node| server(node, address));
            servers.next()
        };
        Ok(Self { fetch: first("incomingServer", "pop3"), send: first("outgoingServer", "smtp") })
    }
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn value<'a>(node: Node<'a, 'a>, name: &str) -> Option<&'a str> {
    child(node, name)?.text().map(str::trim)
}

fn server(node: Node<'_, '_>, address: &Mailbox) -> Option<Server> {
    let tls = match value(node, "socketType")? {
        "SSL" => Tls::Implicit,
        "STARTTLS" => Tls::Starttls,
        _ => return None,
    };
    let (mut takes_password, mut takes_token, mut is_silent) = (false, false, true);
    for child in node.children() {
        if child.tag_name().name() != "authentication" {
            continue;
        }
        let Some(way) = child.text() else { continue };
        is_silent = false;
        match way.trim() {
            "password-cleartext" | "password-encrypted" | "plain" | "secure" => {
                takes_password = true;
            }
            "OAuth2" => takes_token = true,
            _ => {}
        }
    }
    takes_password |= is_silent;
    if !takes_password && !takes_token {
        return None;
    }
    let host = filled_in(value(node, "hostname")?, address)?.parse().ok()?;
    let port = value(node, "port")?.parse().ok().filter(|&port: &u16| port > 0)?;
    let user = match value(node, "username") {
        Some(user) => filled_in(user, address)?,
        None => address.to_string(),
    };
    if user.is_empty() || user.len() > limits::ADDRESS || user.chars().any(char::is_control) {
        return None;
    }
    Some(Server { host, port, tls, user, wants_token: !takes_password })
}

/// The text with its placeholders replaced; `None` if one is not known.
fn filled_in(text: &str, address: &Mailbox) -> Option<String> {
    let mut filled = String::new();
    let mut parts = text.split('%');
    filled.push_str(parts.next()?);
    // Between an odd and an even sign stands a placeholder.
    while let Some(name) = parts.next() {
        filled.push_str(match name {
            "EMAILADDRESS" => address.as_str(),
            "EMAILLOCALPART" => address.local_part(),
            "EMAILDOMAIN" => address.domain(),
            _ => return None,
        });
        filled.push_str(parts.next()?);
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Result<Servers, Error> {
        let text = format!(
            "<?xml version=\"1.0\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"x\">{body}\
             </emailProvider></clientConfig>"
        );
        Servers::read(text.as_bytes(), &"ann.b@example.com".parse().unwrap())
    }

    fn incoming(
        protocol: &str,
        host: &str,
        port: &str,
        socket: &str,
        user: &str,
        way: &str,
    ) -> String {
        format!(
            "<incomingServer type=\"{protocol}\"><hostname>{host}</hostname><port>{port}</port>\
             <socketType>{socket}</socketType><username>{user}</username>\
             <authentication>{way}</authentication></incomingServer>"
        )
    }

    fn pop3(host: &str, port: &str, socket: &str, user: &str) -> Option<Server> {
        read(&incoming("pop3", host, port, socket, user, "password-cleartext")).unwrap().fetch
    }

    #[test]
    fn the_first_server_that_can_be_used_is_taken() {
        let text = [
            incoming(
                "imap",
                "imap.example.com",
                "993",
                "SSL",
                "%EMAILADDRESS%",
                "password-cleartext",
            ),
            incoming(
                "pop3",
                "pop.example.com",
                "110",
                "plain",
                "%EMAILADDRESS%",
                "password-cleartext",
            ),
            incoming("pop3", "pop.example.com", "995", "SSL", "%EMAILADDRESS%", "GSSAPI"),
            incoming(
                "pop3",
                "a.%EMAILDOMAIN%",
                " 995 ",
                "SSL",
                "%EMAILLOCALPART%",
                "password-cleartext",
            ),
            incoming("pop3", "b.example.com", "995", "SSL", "%EMAILADDRESS%", "password-cleartext"),
            "<outgoingServer type=\"smtp\"><hostname>s.example.com</hostname><port>587</port>\
             <socketType>STARTTLS</socketType><authentication>OAuth2</authentication>\
             </outgoingServer>"
                .to_owned(),
        ];
        let Servers { fetch, send } = read(&text.concat()).unwrap();
        let expected = Server {
            host: "a.example.com".parse().unwrap(),
            port: 995,
            tls: Tls::Implicit,
            user: "ann.b".to_owned(),
            wants_token: false,
        };
        assert_eq!(fetch, Some(expected));
        let send = send.unwrap();
        assert_eq!(
            (send.host.as_str(), send.port, send.tls),
            ("s.example.com", 587, Tls::Starttls)
        );
        assert!(send.wants_token && send.user == "ann.b@example.com");
    }

    #[test]
    fn values_that_are_none_are_left_out() {
        assert!(pop3("pop.example.com", "995", "SSL", "%EMAILADDRESS%").is_some());
        assert!(pop3("pop.example.com", "995", "SSL", "%EMAILLOCALPART%.%EMAILDOMAIN%").is_some());
        for (host, port, user) in [
            ("pop example.com", "995", "ann"),
            ("pop.example.com\"\nuser = \"x", "995", "ann"),
            ("", "995", "ann"),
            ("pop.example.com", "0", "ann"),
            ("pop.example.com", "99999", "ann"),
            ("pop.example.com", "995", "%REALNAME%"),
            ("pop.example.com", "995", "100%"),
            ("pop.example.com", "995", "ann&#10;QUIT"),
        ] {
            assert_eq!(pop3(host, port, "SSL", user), None, "{host} {port} {user}");
        }
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let address = "ann@example.com".parse().unwrap();
        let read = |text: &str| Servers::read(text.as_bytes(), &address);
        assert_eq!(read("<html></html>"), Err(Error::Format));
        assert_eq!(read("<clientConfig/>"), Err(Error::Format));
        assert_eq!(read("hello"), Err(Error::Format));
        let large = format!("<clientConfig>{}</clientConfig>", " ".repeat(limits::AUTOCONFIG));
        assert_eq!(read(&large), Err(Error::TooLarge));
        assert_eq!(
            Servers::read(b"<clientConfig>\xff</clientConfig>", &address),
            Err(Error::Format)
        );
    }

    #[test]
    fn bombs_do_not_go_off() {
        let address = "ann@example.com".parse().unwrap();
        let bomb = "<!DOCTYPE c [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
                    <clientConfig><emailProvider>&b;</emailProvider></clientConfig>";
        assert_eq!(Servers::read(bomb.as_bytes(), &address), Err(Error::Format));
        let outside = "<!DOCTYPE c [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><clientConfig>&a;</clientConfig>";
        assert_eq!(Servers::read(outside.as_bytes(), &address), Err(Error::Format));
        let deep = format!(
            "<clientConfig>{}{}</clientConfig>",
            "<a>".repeat(20_000),
            "</a>".repeat(20_000)
        );
        assert_eq!(Servers::read(deep.as_bytes(), &address), Err(Error::Format));
    }

    proptest! {
        /// Reading any document ends, and names only what may be shown.
        #[test]
        fn any_document_ends(host in "\\PC{0,20}", port in "[0-9]{0,6}", user in "\\PC{0,20}", tail in "[<>a-z&;!/]{0,40}") {
            let body = incoming("pop3", &host, &port, "SSL", &user, "password-cleartext") + &tail;
            if let Ok(Servers { fetch: Some(server), .. }) = read(&body) {
                prop_assert!(!server.user.chars().any(char::is_control));
                prop_assert!(!server.host.as_str().contains(['"', ' ', '\n']));
            }
        }
    }
}
