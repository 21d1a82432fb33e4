//! Where the browser comes back to: a port of this machine that is open for one login, and the
//! terminal, where the address may be pasted. What comes is read within bounds, answered with a fixed
//! text, and never shown.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::limits;
use crate::oauth::{Loopback, Returned, Unexpected};

/// The time for one connection to send its request.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// A browser that is waited for.
pub(super) struct Browser {
    listeners: Vec<TcpListener>,
    port: u16,
    /// True if an address can be pasted.
    has_keyboard: bool,
    /// The part of a line that was typed so far.
    typed: Vec<u8>,
}

/// The answer, or the reason why it is not believed.
type Outcome = Result<Returned, Unexpected>;

impl Browser {
    /// Opens the port on both of this machine's loopback addresses: a browser may take `localhost`
    /// for either, and no other process must hold one of them.
    pub(super) fn listen(redirect: &Loopback) -> io::Result<Self> {
        const TRIES: usize = 20;
        let v6 = |port| TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
        let wanted = redirect.port();
        let mut tries = 0;
        let listeners = loop {
            let v4 =
                TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0))))?;
            match v6(v4.local_addr()?.port()) {
                Ok(v6) => break vec![v4, v6],
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    tries += 1;
                    if wanted.is_some() || tries == TRIES {
                        return Err(error);
                    }
                }
                // A machine without IPv6.
                Err(_) => break vec![v4],
            }
        };
        for listener in &listeners {
            // A client that has gone again must not be waited for.
            listener.set_nonblocking(true)?;
        }
        let port = listeners.first().map_or(Ok(0), |v4| Ok(v4.local_addr()?.port()));
        let port = port.map_err(|error: io::Error| error)?;
        let has_keyboard = io::stdin().is_terminal();
        Ok(Self { listeners, port, has_keyboard, typed: Vec::new() })
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for one thing to come back, at most as long as `wait`. `read` reads the target of a
    /// request, `pasted` an address that was typed.
    pub(super) fn wait(
        &mut self,
        wait: Duration,
        read: impl Fn(&str) -> Outcome,
        pasted: impl Fn(&str) -> Outcome,
    ) -> io::Result<Option<Outcome>> {
        let stdin = io::stdin();
        let mut sources: Vec<_> =
            self.listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)).collect();
        if self.has_keyboard {
            sources.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let at_most = Timespec::try_from(wait).map_err(io::Error::other)?;
        match poll(&mut sources, Some(&at_most)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<_> = sources.iter().map(|source| !source.revents().is_empty()).collect();
        drop(sources);
        for (listener, _) in self.listeners.iter().zip(&ready).filter(|(_, is_ready)| **is_ready) {
            if let Ok((stream, _)) = listener.accept() {
                // One that fails is as good as none.
                return Ok(serve(stream, &read).unwrap_or_default());
            }
        }
        if self.has_keyboard && ready.last() == Some(&true) {
            return Ok(self.line()?.map(|line| pasted(&line)));
        }
        Ok(None)
    }

    /// A line that was typed, when it is whole.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut octets = [0; 4096];
        let read = match rustix::io::read(io::stdin(), &mut octets) {
            Ok(read) => read,
            // In the background there is no typing.
            Err(rustix::io::Errno::IO) => 0,
            Err(rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if read == 0 {
            self.has_keyboard = false;
            return Ok(None);
        }
        self.typed.extend_from_slice(octets.get(..read).unwrap_or_default());
        let is_whole = self.typed.ends_with(b"\n") || self.typed.len() > limits::LOGIN_REQUEST;
        if !is_whole {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.typed);
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

/// Reads a request and answers it. `None` if it is none.
fn serve(mut stream: TcpStream, read: impl Fn(&str) -> Outcome) -> io::Result<Option<Outcome>> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let head = head(&mut stream)?;
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let outcome = match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version)) if version.starts_with("HTTP/1.") => {
            Some(read(target))
        }
        _ => None,
    };
    let (status, text) = match &outcome {
        Some(Ok(Returned::Code(_))) => (
            "200 OK",
            "The answer has arrived. See the terminal for how it ends; this page can be closed.",
        ),
        Some(Ok(Returned::Refused(_))) => {
            ("200 OK", "The login was refused. See the terminal; this page can be closed.")
        }
        Some(Err(Unexpected::Place)) => ("404 Not Found", "There is nothing here."),
        Some(Err(_)) | None => ("400 Bad Request", "This is not the expected answer."),
    };
    let length = text.len() + 1;
    // Nothing of the request is in it.
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}\n"
    );
    // Who has said what was waited for need not hear the answer.
    drop(stream.write_all(answer.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Write)));
    // A browser asks for an icon, too, which is not worth a word.
    Ok(outcome.filter(|outcome| !matches!(outcome, Err(Unexpected::Place))))
}

/// The head of a request, as far as it comes in time and within bounds.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    // A short wait each, so that octets that trickle in cannot make it long.
    const TURNS: u32 = 50;
    let (mut head, mut octets) = (Vec::new(), [0; 1024]);
    stream.set_read_timeout(Some(REQUEST_TIME / TURNS))?;
    for _ in 0..TURNS {
        match stream.read(&mut octets) {
            Ok(0) => break,
            Ok(read) => head.extend_from_slice(octets.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") || head.len() > limits::LOGIN_REQUEST {
            break;
        }
    }
    if head.len() > limits::LOGIN_REQUEST {
        return Ok(String::new());
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
