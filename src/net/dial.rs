//! Name lookup and connection: the addresses of a name are raced, a head start apart (RFC 8305).

use std::io::{self};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use socket2::{Socket, Type};

use super::Error;
use super::deadline::Deadline;
use crate::text::{Domain, plain};

/// The addresses of `host` that are of the same kind as `source`.
pub(super) fn within_reach(
    host: &Domain,
    port: u16,
    source: Option<IpAddr>,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Error> {
    let mut addresses = resolve(host, port, deadline)?;
    addresses.retain(|to| source.is_none_or(|source| source.is_ipv6() == to.is_ipv6()));
    Ok(addresses)
}

/// The resolver has no deadline of its own, so it is waited for from outside.
fn resolve(host: &Domain, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.as_str().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, answer) = mpsc::channel();
    let name = host.as_str().to_owned();
    let look_up = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // The receiver is gone if the deadline passed first.
        drop(sender.send(found));
    };
    thread::Builder::new().spawn(look_up).map_err(Error::Lookup)?;
    match answer.recv_timeout(deadline.wait().map_err(Error::Lookup)?) {
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

/// The resolver's error without the standard library's preface.
pub(super) fn reason(error: &io::Error) -> String {
    let words = plain(error);
    words.rsplit(": ").next().unwrap_or(&words).to_owned()
}

/// RFC 8305 §4: families take turns, the resolver's first choice first.
pub(super) fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
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
pub(super) fn race(
    addresses: &[SocketAddr],
    source: Option<IpAddr>,
    deadline: Deadline,
) -> io::Result<TcpStream> {
    const HEAD_START: Duration = Duration::from_millis(250);
    if let [only] = addresses {
        return dial(*only, source, deadline.wait()?)
            .map_err(|error| connect_error(error, deadline));
    }
    let (sender, finish) = mpsc::channel();
    let mut running = 0_u32;
    let mut waiting = addresses.iter().copied();
    let mut last = io::Error::other("it has no address of the source address's kind");
    let wait = deadline.wait()?;
    loop {
        let started = waiting.next();
        if let Some(address) = started {
            let sender = sender.clone();
            let run = move || {
                // The receiver is gone if another address was faster.
                drop(sender.send(dial(address, source, wait)));
            };
            match thread::Builder::new().spawn(run) {
                Ok(_) => running += 1,
                Err(error) => {
                    last = error;
                    continue;
                }
            }
        } else if running == 0 {
            return Err(connect_error(last, deadline));
        }
        let patience = if started.is_some() { HEAD_START } else { wait };
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

pub(super) fn dial(
    address: SocketAddr,
    source: Option<IpAddr>,
    wait: Duration,
) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect_timeout(&address, wait) };
    let socket = Socket::new(socket2::Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into()).map_err(|error| {
        io::Error::new(error.kind(), format!("not from {source} ({})", plain(&error)))
    })?;
    socket.connect_timeout(&address.into(), wait)?;
    Ok(socket.into())
}

pub(super) fn connect_error(error: io::Error, deadline: Deadline) -> io::Error {
    if error.kind() == io::ErrorKind::TimedOut { deadline.passed() } else { error }
}
