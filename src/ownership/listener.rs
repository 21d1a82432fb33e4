//! Whose program a connection to this machine has reached, by the system's table of connections. A
//! tunnel that is down leaves its port to any local process, and what is said there is not encrypted.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{us, user_name};
use crate::limits;

/// The first user id that systems give to people; `nobody` has one above, and is no person.
const FIRST_PERSON: u32 = 1_000;
const NOBODY: u32 = 65_534;

/// A person other than this user who listens at `server`, or has accepted the connection from
/// `client` to it: the name, or the number where there is none. The users of system services count
/// as trusted, and so does what the table does not show. `None` if there is no such person.
pub fn other_person_behind(server: SocketAddr, client: SocketAddr) -> Option<String> {
    let uid = Table::read().other_person_behind(server, client, us())?;
    Some(user_name(uid).unwrap_or_else(|| uid.to_string()))
}

/// The TCP connections of this machine.
struct Table(Vec<Row>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    remote: SocketAddr,
    is_listening: bool,
    uid: u32,
}

impl Table {
    /// Reads the table of connections; empty on systems other than Linux.
    fn read() -> Self {
        let mut rows = Vec::new();
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // One that cannot be read shows nothing.
            let Ok(file) = File::open(path) else { continue };
            let lines = BufReader::new(file.take(limits::CONNECTIONS)).split(b'\n');
            rows.extend(lines.map_while(io::Result::ok).filter_map(|line| Row::parse(&line)));
        }
        Self(rows)
    }

    fn other_person_behind(&self, server: SocketAddr, client: SocketAddr, us: u32) -> Option<u32> {
        let (server, client) = (canonical(server), canonical(client));
        // The system prefers a listener at the exact address.
        let is_there = self.0.iter().any(|row| row.listens_at(server));
        for row in &self.0 {
            // One who has stopped listening since has the connection all the same.
            let has_accepted = row.local == server && row.remote == client;
            let listens = row.listens_at(server) || (!is_there && row.listens_everywhere(server));
            let is_person = row.uid >= FIRST_PERSON && row.uid != NOBODY;
            if (has_accepted || listens) && is_person && row.uid != us {
                return Some(row.uid);
            }
        }
        None
    }
}

impl Row {
    fn listens_at(&self, server: SocketAddr) -> bool {
        let is_port = self.is_listening && self.local.port() == server.port();
        is_port && self.local.ip() == server.ip()
    }

    /// Returns whether it listens at all addresses of the server's family.
    fn listens_everywhere(&self, server: SocketAddr) -> bool {
        let is_port = self.is_listening && self.local.port() == server.port();
        let is_family = self.local.is_ipv6() || server.is_ipv4();
        is_port && is_family && self.local.ip().is_unspecified()
    }

    /// A line such as `0: 0100007F:03E3 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 ...`.
    fn parse(line: &[u8]) -> Option<Self> {
        const LISTEN: &str = "0A";
        let mut fields = str::from_utf8(line).ok()?.split_ascii_whitespace().skip(1);
        let (local, remote) = (address(fields.next()?)?, address(fields.next()?)?);
        let is_listening = fields.next()? == LISTEN;
        let uid = fields.nth(3)?.parse().ok()?;
        Some(Self { local: canonical(local), remote: canonical(remote), is_listening, uid })
    }
}

/// `ADDRESS:PORT` in hexadecimal, the address in words of 32 bits as this machine stores them.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = address.get(at..at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn row(local: &str, is_listening: bool, uid: u32) -> Row {
        let remote = "127.0.0.1:5000".parse().unwrap();
        Row { local: local.parse().unwrap(), remote, is_listening, uid }
    }

    fn behind(rows: &[Row], server: &str) -> Option<u32> {
        let client = "127.0.0.1:5000".parse().unwrap();
        Table(rows.to_vec()).other_person_behind(server.parse().unwrap(), client, 1_000)
    }

    #[test]
    fn a_person_who_listens_is_found_and_a_service_and_this_user_are_not() {
        for (uid, found) in
            [(0, None), (999, None), (1_000, None), (65_534, None), (1_001, Some(1_001))]
        {
            for local in ["127.0.0.1:110", "0.0.0.0:110", "[::]:110"] {
                assert_eq!(
                    behind(&[row(local, true, uid)], "127.0.0.1:110"),
                    found,
                    "{uid}, {local}"
                );
            }
        }
        assert_eq!(behind(&[row("127.0.0.1:111", true, 1_001)], "127.0.0.1:110"), None);
        assert_eq!(behind(&[row("127.0.0.2:110", true, 1_001)], "127.0.0.1:110"), None);
        assert_eq!(behind(&[row("0.0.0.0:110", true, 1_001)], "[::1]:110"), None);
        assert_eq!(behind(&[row("[::1]:110", true, 1_001)], "[::1]:110"), Some(1_001));
    }

    #[test]
    fn the_one_who_listens_at_the_very_address_counts_and_one_who_has_accepted() {
        let rows = [row("0.0.0.0:110", true, 1_001), row("127.0.0.1:110", true, 0)];
        assert_eq!(behind(&rows, "127.0.0.1:110"), None);
        assert_eq!(behind(&rows[..1], "127.0.0.1:110"), Some(1_001));
        assert_eq!(behind(&[row("127.0.0.1:110", false, 1_001)], "127.0.0.1:110"), Some(1_001));
    }

    #[test]
    fn the_systems_own_table_is_understood() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(local) else { continue };
            let local = listener.local_addr().unwrap();
            let mut rows = Table::read().0.into_iter();
            let found = rows.find(|row| row.local == local && row.is_listening);
            assert_eq!(found.unwrap().uid, us());
        }
    }
}
