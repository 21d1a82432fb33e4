//! From a host name to a connected stream: look-up, the race between a host's addresses (RFC
//! 8305), and every socket option. Each wait has a bound ([`Deadline`]) and a name.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::text::{Domain, plain};
use crate::wire::{self, Private};

/// How long to wait: for each single step of the network, never for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    per_wait: Duration,
}

impl Deadline {
    /// At least a millisecond, since a socket takes zero for "for ever".
    pub fn per_wait(wait: Duration) -> Self {
        Self { per_wait: wait.max(Duration::from_millis(1)) }
    }

    fn passed(self) -> io::Error {
        let seconds = self.per_wait.as_secs_f64();
        io::Error::new(io::ErrorKind::TimedOut, format!("timed out after {seconds} s"))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name does not exist, or has no address.
    #[error("host name not found: {}", plain(.0))]
    NotFound(io::Error),
    /// The resolver could not say.
    #[error("cannot look up the host name now: {}", plain(.0))]
    Lookup(io::Error),
    /// No address answered; the error is the last one's.
    #[error("cannot connect: {}", plain(.0))]
    Connect(io::Error),
    /// The peer is on another machine, and plaintext is for this one only.
    #[error("`tls = \"none\"` is for a server on this machine, and {0} is elsewhere")]
    NotLoopback(IpAddr),
}

/// Looks up `host` and connects to whichever of its addresses answers first.
pub fn connect(host: &Domain, port: u16, deadline: Deadline) -> Result<Tcp, Error> {
    let addresses = resolve(host, port, deadline)?;
    let stream = race(&addresses, deadline).map_err(Error::Connect)?;
    // Commands leave in whole flights; Nagle's algorithm would only hold the last one back.
    stream.set_nodelay(true).map_err(Error::Connect)?;
    stream.set_read_timeout(Some(deadline.per_wait)).map_err(Error::Connect)?;
    stream.set_write_timeout(Some(deadline.per_wait)).map_err(Error::Connect)?;
    Ok(Tcp { stream, deadline })
}

/// A connected socket on which every read and write ends in time. Not private: nothing secret
/// can be spoken on it.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    deadline: Deadline,
}

impl Tcp {
    /// Makes plaintext do, for a peer on this machine.
    pub fn loopback(self) -> Result<Loopback, Error> {
        let peer = self.stream.peer_addr().map_err(Error::Connect)?.ip();
        if peer.to_canonical().is_loopback() {
            Ok(Loopback(self))
        } else {
            Err(Error::NotLoopback(peer))
        }
    }

    /// This end's address.
    pub fn local_address(&self) -> Option<IpAddr> {
        self.stream.local_addr().ok().map(|address| address.ip().to_canonical())
    }

    /// A socket's time-out comes as `WouldBlock` on some systems.
    fn named(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.deadline.passed(),
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, format!("connection lost ({})", plain(&error))),
        }
    }
}

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).map_err(|error| self.named(error))
    }
}

impl Write for Tcp {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.write(octets).map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Plaintext to this machine itself, asked for by name.
#[derive(Debug)]
pub struct Loopback(Tcp);

impl Read for Loopback {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Loopback {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl wire::sealed::Sealed for Loopback {}
impl Private for Loopback {}

/// The resolver has no deadline of its own, so it is waited for from outside.
fn resolve(host: &Domain, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.as_str().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, answer) = mpsc::channel();
    let name = host.as_str().to_owned();
    thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // Nobody listens any more if the deadline passed first.
        drop(sender.send(found));
    });
    match answer.recv_timeout(deadline.per_wait) {
        Ok(Ok(addresses)) if addresses.is_empty() => {
            Err(Error::NotFound(io::Error::other("it has no address")))
        }
        Ok(Ok(addresses)) => Ok(alternating(addresses)),
        Ok(Err(error)) if is_temporary(&error) => Err(Error::Lookup(error)),
        Ok(Err(error)) => Err(Error::NotFound(io::Error::other(reason(&error)))),
        Err(_) => Err(Error::Lookup(deadline.passed())),
    }
}

/// The standard library wraps `EAI_AGAIN` without a kind of its own; its words are all there is.
fn is_temporary(error: &io::Error) -> bool {
    let words = error.to_string();
    words.contains("Temporary failure") || words.contains("Try again")
}

/// What the resolver said, without the standard library's preface.
fn reason(error: &io::Error) -> String {
    let words = plain(error);
    words.rsplit(": ").next().unwrap_or(&words).to_owned()
}

/// RFC 8305 §4: families take turns, the resolver's first choice first.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let mut other = other.into_iter();
    let mut turns: Vec<_> =
        one.into_iter().flat_map(|address| [Some(address), other.next()]).flatten().collect();
    turns.extend(other);
    turns
}

/// RFC 8305 §5: an address that has not answered within a quarter of a second gets company.
fn race(addresses: &[SocketAddr], deadline: Deadline) -> io::Result<TcpStream> {
    const HEAD_START: Duration = Duration::from_millis(250);
    if let [only] = addresses {
        return TcpStream::connect_timeout(only, deadline.per_wait)
            .map_err(|error| connect_error(error, deadline));
    }
    let (sender, finish) = mpsc::channel();
    let mut running = 0_u32;
    let mut waiting = addresses.iter().copied();
    let mut last = io::Error::other("it has no address");
    loop {
        let started = waiting.next();
        if let Some(address) = started {
            let sender = sender.clone();
            running += 1;
            thread::spawn(move || {
                // Nobody listens any more if another address was faster.
                drop(sender.send(TcpStream::connect_timeout(&address, deadline.per_wait)));
            });
        } else if running == 0 {
            return Err(connect_error(last, deadline));
        }
        let patience = if started.is_some() { HEAD_START } else { deadline.per_wait };
        match finish.recv_timeout(patience) {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                running -= 1;
                last = error;
            }
            Err(_) if started.is_some() => {}
            Err(_) => return Err(deadline.passed()),
        }
    }
}

fn connect_error(error: io::Error, deadline: Deadline) -> io::Error {
    if error.kind() == io::ErrorKind::TimedOut { deadline.passed() } else { error }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn soon() -> Deadline {
        Deadline::per_wait(Duration::from_millis(200))
    }

    #[test]
    fn a_silent_peer_is_given_up_on_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tcp = connect(&"127.0.0.1".parse().unwrap(), port, soon()).unwrap();
        let error = tcp.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "timed out after 0.2 s");
    }

    #[test]
    fn the_address_that_answers_wins_the_race() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let stream = race(&[closed, good], soon()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let error = race(&[closed, closed], soon()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn families_take_turns() {
        let read = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (six, four) = (read("[::1]:1"), read("127.0.0.1:1"));
        assert_eq!(alternating(vec![six, six, four]), [six, four, six]);
        assert_eq!(alternating(vec![four, six, six]), [four, six, six]);
    }
}
