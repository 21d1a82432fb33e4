//! From a host name to a connected stream: look-up, the race between a host's addresses (RFC
//! 8305), and every socket option. Each wait has a bound ([`Bounds`]) and a name.

mod deadline;
mod dial;
pub mod local;
mod stop;

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub use self::deadline::Bounds;
use self::deadline::{Deadline, LONG, Limit, MOMENT, Waiting, is_timeout, now, timed_out};
#[cfg(test)]
use self::dial::alternating;
use self::dial::{connect_error, dial, race, within_reach};
use self::stop::stopped;
pub use self::stop::{Shelter, Stop};
use crate::limits;
use crate::ownership;
use crate::program::Relay;
use crate::text::{Detour, Domain, plain};
use crate::wire::{self, Private, Stream, Wait};

/// The reason why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name does not exist, or has no address.
    #[error("host name not found: {}", plain(.0))]
    NotFound(io::Error),
    /// The resolver could not say.
    #[error("cannot look up the host name now: {}", plain(.0))]
    Lookup(io::Error),
    /// No address answered; the error is that of the last one.
    #[error("cannot connect: {}", plain(.0))]
    Connect(io::Error),
    /// The program that is the connection cannot be started.
    #[error("cannot run `connect-command`: {}", plain(.0))]
    Command(io::Error),
    /// The peer is on another machine, and plaintext is for this one only.
    #[error("`tls = \"none\"` is for a server on this machine, and {0} is elsewhere")]
    NotLoopback(IpAddr),
    /// The peer is another person's program, and would be told the password.
    #[error(
        "port {port} of this machine is held by another user ({user}), and nothing is encrypted"
    )]
    OtherUser {
        /// The port.
        port: u16,
        /// The user's name, or number.
        user: String,
    },
}

/// Looks up `host` and connects to the first of its addresses that answers, from the address
/// `source` if given. `bounds` hold for the connection from here on, and `stop` ends it.
///
/// # Errors
///
/// Returns an error if the name cannot be resolved or no address answers in time.
pub fn connect(
    host: &Domain,
    port: u16,
    source: Option<IpAddr>,
    bounds: Bounds,
    stop: &Stop,
) -> Result<Tcp, Error> {
    let deadline = Deadline::begin(bounds);
    let addresses = within_reach(host, port, source, deadline)?;
    let stream = race(&addresses, source, deadline).map_err(Error::Connect)?;
    // Commands leave in whole flights; Nagle's algorithm would only hold the last one back.
    stream.set_nodelay(true).map_err(Error::Connect)?;
    Tcp::new(stream, None, deadline, stop).map_err(Error::Connect)
}

/// Starts a program whose standard input and output are the connection, under the same bounds. It
/// ends with the connection.
///
/// # Errors
///
/// Returns an error if the program cannot be started.
pub fn connect_through(command: Command, bounds: Bounds, stop: &Stop) -> Result<Tcp, Error> {
    let deadline = Deadline::begin(bounds);
    let (socket, relay) = Relay::start(command).map_err(Error::Command)?;
    // Of a stream, only the calls that every socket has are used: those of TCP alone may fail.
    let stream = TcpStream::from(OwnedFd::from(socket));
    Tcp::new(stream, Some(relay), deadline, stop).map_err(Error::Connect)
}

/// Connects as [`connect`], but to where the first of `detours` leads that is for this server.
pub fn connect_by(
    detours: &[Detour],
    host: &Domain,
    port: u16,
    source: Option<IpAddr>,
    bounds: Bounds,
    stop: &Stop,
) -> Result<Tcp, Error> {
    let (host, port) = detours.iter().find_map(|it| it.of(host, port)).unwrap_or((host, port));
    connect(host, port, source, bounds, stop)
}

/// A deadline that several waits share.
#[derive(Clone, Copy, Debug)]
pub struct Allowance(Instant);

impl Allowance {
    /// Creates a deadline `time` from now.
    pub fn of(time: Duration) -> Self {
        let now = now();
        Self(now.checked_add(time).unwrap_or(now))
    }

    /// Returns a deadline at most `time` from now, and no later than this one.
    #[must_use]
    pub fn part(self, time: Duration) -> Self {
        Self(self.0.min(Self::of(time).0))
    }

    /// Returns the bounds of a connection that ends by the deadline, and after `time` at most.
    pub fn bounds(self, time: Duration) -> Bounds {
        let left = self.left().min(time);
        Bounds { per_wait: left, in_all: Some(left) }
    }

    /// A socket takes zero for "for ever".
    fn left(self) -> Duration {
        self.0.saturating_duration_since(now()).max(MOMENT)
    }
}

/// Sends a datagram to `server` and returns what `accept` makes of the first answer that it accepts.
/// Only what comes from the server's address and port is looked at.
pub fn ask<T>(
    server: SocketAddr,
    question: &[u8],
    within: Allowance,
    mut accept: impl FnMut(&[u8]) -> Option<T>,
) -> Result<T, Error> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut exchange = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(server)?;
        socket.send(question)?;
        let mut buffer = vec![0; limits::DNS_MESSAGE];
        loop {
            let left = within.left();
            if left == MOMENT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            socket.set_read_timeout(Some(left))?;
            let received = socket.recv(&mut buffer)?;
            if let Some(answer) = accept(buffer.get(..received).unwrap_or_default()) {
                return Ok(answer);
            }
        }
    };
    exchange().map_err(|error: io::Error| {
        let words = "the resolver does not answer";
        let is_silent = is_timeout(&error);
        Error::Lookup(if is_silent {
            io::Error::new(io::ErrorKind::TimedOut, words)
        } else {
            error
        })
    })
}

/// Asks a DNS server by TCP, where both messages have their length before them (RFC 1035 §4.2.2).
pub fn ask_by_stream(
    server: SocketAddr,
    question: &[u8],
    bounds: Bounds,
    stop: &Stop,
) -> Result<Vec<u8>, Error> {
    let host = server.ip().to_string().parse();
    let host = host.map_err(|error| Error::Lookup(io::Error::other(error)))?;
    let mut tcp = connect(&host, server.port(), None, bounds, stop)?;
    let mut exchange = || {
        let length = u16::try_from(question.len()).map_err(io::Error::other)?;
        tcp.write_all(&[&length.to_be_bytes(), question].concat())?;
        let mut length = [0; 2];
        tcp.read_exact(&mut length)?;
        let mut answer = vec![0; limits::DNS_MESSAGE.min(u16::from_be_bytes(length).into())];
        tcp.read_exact(&mut answer)?;
        Ok(answer)
    };
    exchange().map_err(Error::Lookup)
}

/// The addresses of `host`, in the order in which they are tried.
///
/// # Errors
///
/// Returns an error if the name does not exist, or the resolver does not answer in time.
pub fn addresses(
    host: &Domain,
    source: Option<IpAddr>,
    bounds: Bounds,
) -> Result<Vec<IpAddr>, Error> {
    let found = within_reach(host, 0, source, Deadline::begin(bounds))?;
    Ok(found.iter().map(SocketAddr::ip).collect())
}

/// Connects to each of these addresses at `port`, all at once, and returns the outcome of each.
pub fn answers(
    addresses: &[IpAddr],
    port: u16,
    source: Option<IpAddr>,
    bounds: Bounds,
) -> Vec<(IpAddr, Result<(), io::Error>)> {
    let deadline = Deadline::begin(bounds);
    let ask = |address| {
        let wait = deadline.wait()?;
        let answer = dial(SocketAddr::new(address, port), source, wait);
        answer.map(drop).map_err(|error| connect_error(error, deadline))
    };
    thread::scope(|scope| {
        let mut asked = Vec::new();
        for &address in addresses {
            let thread = thread::Builder::new().spawn_scoped(scope, move || ask(address));
            asked.push((address, thread));
        }
        let mut answers = Vec::new();
        for (address, thread) in asked {
            let answer = match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(io::Error::other("it could not be asked")),
                Err(error) => Err(error),
            };
            answers.push((address, answer));
        }
        answers
    })
}

/// A connected socket on which every read and write ends in time. Not private: nothing secret
/// can be spoken on it.
#[derive(Debug)]
pub struct Tcp {
    stream: Arc<TcpStream>,
    /// The program at the other end, where the connection is one.
    relay: Option<Relay>,
    deadline: Deadline,
    /// The time of the connection, until a login begins: the part before it is bounded as a whole.
    opening: Option<Instant>,
    waiting: Waiting,
    /// The time-out that the socket has for reads.
    read_timeout: Duration,
    stop: Stop,
    /// True if something was written since the last read.
    has_spoken: bool,
}

impl Tcp {
    fn new(
        stream: TcpStream,
        relay: Option<Relay>,
        deadline: Deadline,
        stop: &Stop,
    ) -> io::Result<Self> {
        let per_wait = deadline.bounds.per_wait;
        stream.set_read_timeout(Some(per_wait))?;
        stream.set_write_timeout(Some(per_wait))?;
        let stream = Arc::new(stream);
        stop.watch(&stream)?;
        Ok(Self {
            stream,
            relay,
            deadline,
            opening: Some(now()),
            waiting: Waiting::begin(Wait::Text, per_wait),
            read_timeout: per_wait,
            stop: stop.clone(),
            has_spoken: false,
        })
    }

    /// Returns how the program at the other end ended, if it has.
    fn relay_end(&mut self) -> Option<ExitStatus> {
        /// Its socket closes a moment before it is over.
        const MOMENT: Duration = Duration::from_millis(200);
        self.relay.as_mut()?.ended(MOMENT)
    }

    /// Makes the connection private without TLS: the peer is on this machine and is no other person's
    /// process.
    ///
    /// # Errors
    ///
    /// Returns an error if the peer is not on this machine, or its port belongs to another person.
    pub fn loopback(self) -> Result<Loopback, Error> {
        let peer = self.stream.peer_addr().map_err(Error::Connect)?;
        let local = self.stream.local_addr().map_err(Error::Connect)?;
        if !peer.ip().to_canonical().is_loopback() {
            return Err(Error::NotLoopback(peer.ip()));
        }
        match ownership::other_person_behind(peer, local) {
            Some(user) => Err(Error::OtherUser { port: peer.port(), user }),
            None => Ok(Loopback(self)),
        }
    }

    /// The address of the peer; `None` if it cannot be determined.
    pub fn address(&self) -> Option<IpAddr> {
        self.stream.peer_addr().ok().map(|peer| peer.ip())
    }

    /// Returns whether the peer sends nothing for this long. What it does send can still be read.
    pub fn is_silent_for(&self, span: Duration) -> bool {
        let silence = self.stream.set_read_timeout(Some(span)).and_then(|()| {
            let heard = self.stream.peek(&mut [0]);
            self.stream.set_read_timeout(Some(self.read_timeout))?;
            heard
        });
        silence.is_err_and(|error| is_timeout(&error))
    }

    /// Returns how long a read that began at `since` may still wait, and the bound that is nearest.
    fn allowance(&self, since: Instant) -> (Duration, Limit) {
        let now = now();
        let left =
            |began: Instant, bound: Duration| bound.saturating_sub(now.duration_since(began));
        let Waiting { began, bound, silence, .. } = self.waiting;
        let long = self.deadline.bounds.per_wait.saturating_mul(LONG);
        let mut nearest = (left(since, silence), Limit::Wait(silence));
        let others = [
            bound.map(|bound| (left(began, bound), Limit::Wait(bound))),
            self.opening.map(|began| (left(began, long), Limit::Opening(long))),
            self.deadline.end.map(|end| (end.saturating_duration_since(now), Limit::Connection)),
        ];
        for other in others.into_iter().flatten() {
            if other.0 < nearest.0 {
                nearest = other;
            }
        }
        nearest
    }

    fn passed(&self, limit: Limit) -> io::Error {
        match limit {
            Limit::Wait(bound) => timed_out(bound, ""),
            Limit::Opening(bound) => timed_out(bound, " before the login"),
            Limit::Connection => self.deadline.passed(),
        }
    }

    /// Sets how long the socket waits, which it keeps; nearly always it is what it was.
    fn limit_read(&mut self, wait: Duration) -> io::Result<()> {
        if self.read_timeout != wait {
            self.stream.set_read_timeout(Some(wait))?;
            self.read_timeout = wait;
        }
        Ok(())
    }

    /// Sets the time-out of a write: of all bounds, only that of the whole connection can be
    /// shorter than the socket's own.
    fn limit_write(&self) -> io::Result<()> {
        match self.deadline.end {
            None => Ok(()),
            Some(_) => self.stream.set_write_timeout(Some(self.deadline.wait()?)),
        }
    }

    /// Has what comes now acknowledged at once. A peer that answers in several small pieces and left
    /// Nagle's algorithm on, as some mail servers do, sends none before the one ahead of it was
    /// acknowledged, and systems take up to 40 ms for that to see whether there is data to go with
    /// it (RFC 1122 §4.2.3.2).
    #[cfg(target_os = "linux")]
    fn listen(&mut self) {
        use std::os::linux::net::TcpStreamExt as _;
        if std::mem::take(&mut self.has_spoken) {
            // Without it, everything works as well, only later.
            drop(self.stream.set_quickack(true));
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn listen(&mut self) {}

    /// Writes, and counts what passed.
    fn written(
        &mut self,
        write: impl FnOnce(&mut &TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.limit_write()?;
        self.has_spoken = true;
        let began = now();
        let written = write(&mut &*self.stream).map_err(|error| self.named(error))?;
        self.waiting.count(written, began.elapsed(), self.deadline.bounds.per_wait)?;
        Ok(written)
    }

    fn named(&mut self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ if self.stop.is_wanted() => stopped(),
            _ if is_timeout(&error) => self.deadline.passed(),
            kind => match self.relay_end() {
                Some(status) => relay_ended(status),
                None => io::Error::new(kind, format!("connection lost ({})", plain(&error))),
            },
        }
    }
}

fn relay_ended(status: ExitStatus) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, format!("`connect-command` ended ({status})"))
}

impl Stream for Tcp {
    fn begin(&mut self, wait: Wait) {
        if wait == Wait::Login {
            self.opening = None;
        }
        self.waiting = Waiting::begin(wait, self.deadline.bounds.per_wait);
    }

    fn finish_within(&mut self, time: Duration) {
        let bounds = Bounds { in_all: Some(time), ..self.deadline.bounds };
        let (end, before) = (Deadline::begin(bounds).end, self.deadline.end);
        if before.is_none() || end < before {
            self.deadline = Deadline { bounds, end };
        }
    }

    fn waited(&self) -> Duration {
        self.waiting.began.elapsed()
    }
}

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let per_wait = self.deadline.bounds.per_wait;
        self.listen();
        let began = now();
        loop {
            let (left, limit) = self.allowance(began);
            if left.is_zero() {
                return Err(self.passed(limit));
            }
            // The socket's own time-out is the usual one; a longer wait is made of several.
            self.limit_read(left.min(per_wait).max(MOMENT))?;
            match (&*self.stream).read(buffer) {
                Ok(0) if self.stop.is_wanted() => return Err(stopped()),
                // A program that succeeds has passed on that the server hung up.
                Ok(0) if let Some(status) = self.relay_end().filter(|it| !it.success()) => {
                    return Err(relay_ended(status));
                }
                Ok(read) => {
                    self.waiting.count(read, began.elapsed(), per_wait)?;
                    return Ok(read);
                }
                // A socket may give up a moment early.
                Err(error) if is_timeout(&error) && !self.stop.is_wanted() => {
                    if left <= per_wait {
                        return Err(self.passed(limit));
                    }
                }
                Err(error) => return Err(self.named(error)),
            }
        }
    }
}

impl Write for Tcp {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.written(|stream| stream.write(octets))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.written(|stream| stream.write_vectored(pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.stream).flush()
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.stop.forget(&self.stream);
        if self.relay.is_some() {
            // It is told that nothing follows, and passes on what is under way.
            drop(self.stream.shutdown(Shutdown::Write));
        }
    }
}

/// A connection without TLS to this machine itself, which the user asked for (`tls = "none"`).
#[derive(Debug)]
pub struct Loopback(Tcp);

impl Stream for Loopback {
    fn begin(&mut self, wait: Wait) {
        self.0.begin(wait);
    }

    fn finish_within(&mut self, time: Duration) {
        self.0.finish_within(time);
    }

    fn waited(&self) -> Duration {
        self.0.waited()
    }
}

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

impl Private for Loopback {
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn soon() -> Bounds {
        Bounds { per_wait: Duration::from_millis(200), in_all: None }
    }

    fn connected(bounds: Bounds, stop: &Stop) -> (TcpListener, Tcp) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = connect(&"127.0.0.1".parse().unwrap(), port, None, bounds, stop).unwrap();
        (listener, tcp)
    }

    #[test]
    fn a_silent_peer_is_given_up_on_in_time() {
        let (_listener, mut tcp) = connected(soon(), &Stop::default());
        let error = tcp.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "timed out after 0.2 s");
    }

    #[test]
    fn a_peer_that_drips_is_given_up_on_in_time_too() {
        let in_all = Some(Duration::from_millis(300));
        let bounds = Bounds { per_wait: Duration::from_mins(1), in_all };
        let (listener, mut tcp) = connected(bounds, &Stop::default());
        let (mut peer, _) = listener.accept().unwrap();
        let dripping = thread::spawn(move || {
            while peer.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let error = loop {
            if let Err(error) = tcp.read(&mut [0; 8]) {
                break error;
            }
        };
        assert_eq!(error.to_string(), "timed out after 0.3 s in all");
        drop(tcp);
        dripping.join().unwrap();
    }

    /// What a wait for a peer that sends an octet every tenth of a time-out ends with, and after how
    /// many time-outs.
    fn dripped(wait: Wait) -> (String, u32) {
        const TIME_OUT: Duration = Duration::from_millis(200);
        let (listener, mut tcp) = connected(soon(), &Stop::default());
        let (mut peer, _) = listener.accept().unwrap();
        let dripping = thread::spawn(move || {
            while peer.write_all(b"x").is_ok() {
                thread::sleep(TIME_OUT / 10);
            }
        });
        let began = now();
        tcp.begin(wait);
        let error = loop {
            if let Err(error) = tcp.read(&mut [0; 8]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let took = began.elapsed().as_millis() / TIME_OUT.as_millis();
        drop(tcp);
        dripping.join().unwrap();
        (error.to_string(), took.try_into().unwrap())
    }

    #[test]
    fn octets_now_and_then_do_not_keep_a_wait_from_its_end() {
        for (wait, at_least, expected) in [
            (Wait::Reply, 2, "timed out after 0.4 s"),
            (Wait::Login, 5, "timed out after 1 s"),
            (Wait::SentAhead, 1, "timed out after 0.2 s"),
            (Wait::Text, 1, "less than 100 octets a second over 0.2 s"),
        ] {
            let (words, took) = dripped(wait);
            assert_eq!(words, expected, "{wait:?}");
            assert!(took >= at_least, "{wait:?}: {took}");
        }
    }

    #[test]
    fn what_comes_before_a_login_is_bounded_as_a_whole() {
        let (listener, mut tcp) = connected(soon(), &Stop::default());
        let (mut peer, _) = listener.accept().unwrap();
        let talking = thread::spawn(move || {
            while peer.write_all(&[b'x'; 99]).is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let error = loop {
            tcp.begin(Wait::Reply);
            if let Err(error) = tcp.read(&mut [0; 99]) {
                break error;
            }
        };
        assert_eq!(error.to_string(), "timed out after 1 s before the login");
        drop(tcp);
        talking.join().unwrap();
    }

    #[test]
    fn a_login_may_take_longer_than_one_time_out_without_a_word() {
        let (listener, mut tcp) = connected(soon(), &Stop::default());
        let (mut peer, _) = listener.accept().unwrap();
        let answering = thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            peer.write_all(b"x").unwrap();
            peer
        });
        tcp.begin(Wait::Login);
        assert_eq!(tcp.read(&mut [0; 8]).unwrap(), 1);
        drop(answering.join().unwrap());
    }

    #[test]
    fn whoever_waits_for_a_peer_is_told_to_stop() {
        let stop = Stop::default();
        let (_listener, mut tcp) =
            connected(Bounds { per_wait: Duration::from_mins(1), in_all: None }, &stop);
        let waiting = thread::spawn(move || tcp.read(&mut [0; 8]).unwrap_err());
        assert!(stop.stop());
        assert_eq!(waiting.join().unwrap().to_string(), "interrupted");
        assert!(!stop.stop(), "a connection that is over was not forgotten");
    }

    /// Whether everything that was sent is acknowledged, as the system's table of connections has it.
    #[cfg(target_os = "linux")]
    fn is_acknowledged(stream: &TcpStream) -> bool {
        let ports = [stream.local_addr(), stream.peer_addr()].map(|end| end.unwrap().port());
        let [here, there] = ports.map(|port| format!(":{port:04X}"));
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mut rows = rows.filter(|row| row[1].ends_with(&here) && row[2].ends_with(&there));
        rows.next().unwrap()[4].starts_with("00000000:")
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_peer_need_not_wait_to_learn_that_it_was_heard() {
        let (listener, mut tcp) = connected(soon(), &Stop::default());
        let (mut peer, _) = listener.accept().unwrap();
        for _ in 0..9 {
            tcp.write_all(b"x").unwrap();
            assert_eq!(peer.read(&mut [0; 8]).unwrap(), 1);
            peer.write_all(b"x").unwrap();
            assert_eq!(tcp.read(&mut [0; 8]).unwrap(), 1);
            // A small part of what the system would take for it, if it took its time.
            let mut moments = (0..2).map(|_| thread::sleep(Duration::from_millis(1)));
            assert!(is_acknowledged(&peer) || moments.any(|()| is_acknowledged(&peer)));
        }
    }

    #[test]
    fn plaintext_does_for_this_machine_and_no_other() {
        assert!(connected(soon(), &Stop::default()).1.loopback().is_ok());
        // The address that others know this machine by; nothing is sent to find it out.
        let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
        let Ok(()) = probe.connect("192.0.2.1:9") else { return };
        let address = probe.local_addr().unwrap().ip();
        let listener = TcpListener::bind((address, 0)).unwrap();
        let (host, port) = (address.to_string(), listener.local_addr().unwrap().port());
        let host = host.parse().unwrap();
        let tcp = connect(&host, port, None, soon(), &Stop::default()).unwrap();
        assert!(matches!(tcp.loopback(), Err(Error::NotLoopback(found)) if found == address));
    }

    #[test]
    fn the_address_that_answers_wins_the_race() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = "127.0.0.1:1".parse().unwrap();
        let stream = race(&[closed, good], None, Deadline::begin(soon())).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let error = race(&[closed, closed], None, Deadline::begin(soon())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn each_address_answers_for_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let other: IpAddr = "127.0.0.9".parse().unwrap();
        let answers = answers(&[good.ip(), other], good.port(), None, soon());
        let kinds = answers
            .iter()
            .map(|(address, answer)| (*address, answer.as_ref().err().map(io::Error::kind)));
        let refused = Some(io::ErrorKind::ConnectionRefused);
        assert_eq!(kinds.collect::<Vec<_>>(), [(good.ip(), None), (other, refused)]);
    }

    #[test]
    fn a_peer_that_has_spoken_is_not_silent_and_is_still_to_be_heard() {
        let (listener, mut tcp) = connected(soon(), &Stop::default());
        let (mut peer, _) = listener.accept().unwrap();
        assert!(tcp.is_silent_for(Duration::from_millis(10)));
        peer.write_all(b"x").unwrap();
        assert!(!tcp.is_silent_for(Duration::from_secs(10)));
        assert_eq!(tcp.read(&mut [0; 8]).unwrap(), 1);
        drop(peer);
        assert!(!tcp.is_silent_for(Duration::from_secs(10)), "hanging up is not waiting");
    }

    #[test]
    fn a_connection_comes_from_the_address_that_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect = |source: &str| {
            let source = Some(source.parse().unwrap());
            connect(&"127.0.0.1".parse().unwrap(), port, source, soon(), &Stop::default())
        };
        let _tcp = connect("127.0.0.2").unwrap();
        let (_, client) = listener.accept().unwrap();
        assert_eq!(client.ip().to_string(), "127.0.0.2");
        for (source, expected) in [
            (
                "198.51.100.1",
                "cannot connect: not from 198.51.100.1 (cannot assign requested address)",
            ),
            ("::1", "cannot connect: it has no address of the source address's kind"),
        ] {
            assert_eq!(connect(source).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn families_take_turns() {
        let read = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (six, four) = (read("[::1]:1"), read("127.0.0.1:1"));
        assert_eq!(alternating(vec![six, six, four]), [six, four, six]);
        assert_eq!(alternating(vec![four, six, six]), [four, six, six]);
    }
}
