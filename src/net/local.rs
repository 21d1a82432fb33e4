//! UNIX stream sockets between the users of this machine, on which every read and write ends in time.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::umask;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{Bounds, Deadline, is_timeout};

/// A connected UNIX stream socket.
#[derive(Debug)]
pub struct LocalStream {
    stream: UnixStream,
    deadline: Deadline,
}

impl LocalStream {
    /// Connects to the socket at `path`. The connection is part of what `bounds` bound.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing listens there, or it accepts no connection in time.
    pub fn connect(path: &Path, bounds: Bounds) -> io::Result<Self> {
        let deadline = Deadline::begin(bounds);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A full backlog is waited for, as long as a write would be.
        socket.set_write_timeout(Some(deadline.wait()?))?;
        socket.connect(&SockAddr::unix(path)?).map_err(|error| named(error, deadline))?;
        Ok(Self { stream: OwnedFd::from(socket).into(), deadline })
    }

    /// A socket that is connected already.
    pub fn of(socket: OwnedFd, bounds: Bounds) -> Self {
        Self { stream: socket.into(), deadline: Deadline::begin(bounds) }
    }

    /// Sets other bounds, which begin now.
    pub fn bound(&mut self, bounds: Bounds) {
        self.deadline = Deadline::begin(bounds);
    }

    /// Tells the peer that nothing more is written, and drops some of what it still sends for a
    /// moment: an answer is not lost over octets that were not read.
    pub fn finish(mut self, moment: Duration) {
        const MOST: usize = 256;
        self.deadline = Deadline::begin(Bounds { per_wait: moment, in_all: Some(moment) });
        // A peer that has gone needs none of it.
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            let mut chunk = [0; 4096];
            let mut reads = 0..MOST;
            while reads.next().is_some() && matches!(self.read(&mut chunk), Ok(1..)) {}
        }
    }
}

impl Read for LocalStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.wait()?))?;
        self.stream.read(buffer).map_err(|error| named(error, self.deadline))
    }
}

impl Write for LocalStream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.wait()?))?;
        self.stream.write(octets).map_err(|error| named(error, self.deadline))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn named(error: io::Error, deadline: Deadline) -> io::Error {
    if is_timeout(&error) { deadline.passed() } else { error }
}

/// Repeats an attempt, with pauses that grow, until it has a result or `time` has passed. `None` if it
/// has none in the end.
pub fn with_pauses<T>(time: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    const LONGEST: Duration = Duration::from_secs(1);
    let end = Deadline::begin(Bounds { per_wait: LONGEST, in_all: Some(time) });
    let mut pause = Duration::from_millis(20);
    loop {
        let result = attempt();
        // The time that is left is the longest pause.
        let Ok(left) = end.wait() else { return result };
        if result.is_some() {
            return result;
        }
        thread::sleep(pause.min(left));
        pause = (2 * pause).min(LONGEST);
    }
}

/// A UNIX socket that every user of this machine may connect to.
#[derive(Debug)]
pub struct LocalListener(Socket);

impl LocalListener {
    /// Listens at `path`, which must not exist. The socket has mode 0666 from the beginning.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket cannot be made.
    pub fn bind(path: &Path) -> io::Result<Self> {
        const BACKLOG: i32 = 128;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let address = SockAddr::unix(path)?;
        let before = umask(Mode::from_bits_truncate(0o111));
        let bound = socket.bind(&address);
        umask(before);
        bound.and_then(|()| socket.listen(BACKLOG))?;
        Ok(Self(socket))
    }

    /// Waits for a connection; `None` if none comes in time, where there is a bound.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket fails.
    pub fn accept(&self, bound: Option<Duration>) -> io::Result<Option<OwnedFd>> {
        self.0.set_read_timeout(bound)?;
        match self.0.accept() {
            Ok((socket, _)) => Ok(Some(socket.into())),
            Err(error) if is_timeout(&error) || is_transient(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether the error is about one connection, or a signal.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

/// Returns whether a process listens at `path`. A socket at which none does stays behind when its
/// process ends.
///
/// # Errors
///
/// Returns an error if that cannot be determined.
pub fn is_listening(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        // Its backlog is full.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const SOON: Bounds = Bounds { per_wait: Duration::from_millis(50), in_all: None };

    #[test]
    fn a_socket_is_for_everybody_and_a_dead_one_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = LocalListener::bind(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o666);
        assert!(is_listening(&path).unwrap());
        assert!(LocalListener::bind(&path).is_err());
        drop(listener);
        assert!(!is_listening(&path).unwrap());
        assert!(is_listening(&dir.path().join("none")).is_err());
    }

    #[test]
    fn every_wait_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = LocalListener::bind(&path).unwrap();
        assert!(listener.accept(Some(Duration::from_millis(20))).unwrap().is_none());
        let mut stream = LocalStream::connect(&path, SOON).unwrap();
        let accepted = listener.accept(None).unwrap().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let full = stream.write_all(&vec![0; 16 << 20]).unwrap_err();
        assert_eq!(full.to_string(), "timed out after 0.05 s");
        stream.bound(Bounds { per_wait: SOON.per_wait, in_all: Some(Duration::from_millis(1)) });
        thread::sleep(Duration::from_millis(5));
        let over = stream.read(&mut [0]).unwrap_err();
        assert_eq!(over.to_string(), "timed out after 0.001 s in all");
        drop(accepted);
    }
}
