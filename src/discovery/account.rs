//! The account of an address as it is written into a configuration file: one server for both sides,
//! or two in tables of their own.

use std::path::{Path, PathBuf};

use super::{Findings, Place};
use crate::config::{self, Tls};
use crate::settings::Side;
use crate::text::Mailbox;

/// An account that is in no file yet.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The address that it was found for.
    pub address: Mailbox,
    /// The servers and the user name.
    pub findings: Findings,
    /// The only authorities to trust, if not the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The key of the password's source and its value; `None` if the password is asked for.
    pub password: Option<(&'static str, String)>,
}

impl Account {
    /// Creates an account, named after the first label of the address's domain.
    pub fn new(address: &Mailbox, findings: Findings) -> Self {
        let label = address.domain().split('.').next().unwrap_or_default();
        let name = label.to_ascii_lowercase();
        Self { name, address: address.clone(), findings, ca_file: None, password: None }
    }

    /// Returns the tables and comments for the file.
    pub fn block(&self) -> String {
        let Self { address, findings, .. } = self;
        let Findings { source, fetch, send, user, wants_token } = findings;
        let name = key(&self.name);
        let mut block = format!("# {address}: {}\n[account.{name}]\n", source.describe());
        let mut fetch = fetch.as_ref();
        let mut send = send.as_ref();
        // One server with the usual ports stands for both sides.
        if let (Some(one), Some(other)) = (fetch, send)
            && (&one.host, one.tls) == (&other.host, other.tls)
            && is_usual(one, Side::Fetch)
            && is_usual(other, Side::Send)
        {
            block += &server(one, Side::Fetch);
            (fetch, send) = (None, None);
        }
        block += &format!("user = {}\n", config::quoted(user));
        if let Some(file) = &self.ca_file {
            block += &format!("ca-file = {}\n", config::quoted(&absolute(file)));
        }
        if let Some((key, value)) = &self.password {
            block += &format!("{key} = {}\n", config::quoted(value));
        } else if *wants_token {
            block +=
                "# oauth = \"...\"   # the name of an [oauth.NAME] table: see postie-login(1)\n";
        } else {
            block += "# password-command = \"...\"    # prints the password; without it, you are asked for it\n";
        }
        if let Some(place) = fetch {
            block += &format!("\n[account.{name}.fetch]\n{}", server(place, Side::Fetch));
        }
        let needs_from = user != address.as_str();
        if send.is_some() || needs_from {
            block += &format!("\n[account.{name}.send]\n");
        }
        if let Some(place) = send {
            block += &server(place, Side::Send);
        }
        if needs_from {
            block += &format!("from = {}\n", config::quoted(address.as_str()));
        }
        block
    }
}

/// Returns a path that means the same in any directory.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A key as it is written: bare if it can be.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        config::quoted(name)
    }
}

fn is_usual(place: &Place, side: Side) -> bool {
    side.default_ports().ports().contains(&(place.port, place.tls))
}

/// The keys that name a server.
fn server(place: &Place, side: Side) -> String {
    let Place { host, port, tls } = place;
    let mut keys = format!("server = {}\n", config::quoted(host.as_str()));
    if !is_usual(place, side) {
        keys += &format!("port = {port}\n");
    }
    if *tls != Tls::Implicit {
        keys += &format!("tls = {}\n", config::quoted(tls.name()));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_may_have_any_name() {
        assert_eq!(key("home"), "home");
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(key(""), "\"\"");
    }
}
