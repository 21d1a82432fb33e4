//! A long line to a server on this machine. It counts round trips, which are therefore the same on
//! any machine, however busy.
//!
//! Every piece of data carries a number: how many round trips had to pass before it could be sent.
//! What a client sends has the highest number of what it had got by then; what the server sends has
//! one more than the highest of what it had got. So pieces of a server's that come without being
//! asked for, such as the tickets of TLS 1.3, count for nothing, and nor does an answer that the
//! client does not wait for. TCP itself takes one. The delay is only there to keep apart what is
//! sent before something arrives and what because of it; it must be longer than a whole transfer
//! takes on this machine.

use std::io::{Read, Write};
use std::iter;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// One way, where round trips are counted.
const DELAY: Duration = Duration::from_millis(150);

/// How long a client that has ended is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// After so long without another end of a connection, all have ended.
const QUIET: Duration = Duration::from_millis(500);

/// Between clients and one server.
pub struct Line {
    pub port: u16,
    tallies: Receiver<Tally>,
}

/// What passed between the beginning and the moment when the client hung up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub round_trips: usize,
    /// Line ends from the client, which are its commands unless they are encrypted.
    pub commands: usize,
    pub octets: usize,
}

/// What the two ends have got so far.
#[derive(Default)]
struct Progress {
    client: AtomicUsize,
    server: AtomicUsize,
    octets: AtomicUsize,
    commands: AtomicUsize,
}

/// Octets under way: when they arrive, and their number.
type Piece = (Instant, usize, Vec<u8>);

/// What is seen of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum View {
    Whole,
    /// The word PIPELINING is another one, as long as nothing is encrypted.
    WithoutPipelining,
}

impl Line {
    pub fn to(port: u16, view: View) -> Self {
        Self::between(Ipv4Addr::LOCALHOST, port, view, DELAY)
    }

    /// One of this length, at an address of its own. Connecting takes no time.
    pub fn of(delay: Duration, host: Ipv4Addr, port: u16) -> Self {
        Self::between(host, port, View::Whole, delay)
    }

    fn between(host: Ipv4Addr, port: u16, view: View, delay: Duration) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let here = listener.local_addr().unwrap().port();
        let (sender, tallies) = channel();
        thread::spawn(move || {
            for client in listener.incoming() {
                let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                join(client.unwrap(), server, (view, delay), sender.clone());
            }
        });
        Self { port: here, tallies }
    }

    /// What has passed since it was last asked, of all connections together. All clients have
    /// ended.
    pub fn tally(&self) -> Tally {
        let first = self.tallies.recv_timeout(PATIENCE).unwrap();
        let others = iter::from_fn(|| self.tallies.recv_timeout(QUIET).ok());
        others.fold(first, |sum, tally| Tally {
            round_trips: sum.round_trips + tally.round_trips,
            commands: sum.commands + tally.commands,
            octets: sum.octets + tally.octets,
        })
    }
}

fn join(
    client: TcpStream,
    server: TcpStream,
    (view, delay): (View, Duration),
    tallies: Sender<Tally>,
) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let progress = Arc::new(Progress::default());
    let (to_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let seen = Arc::clone(&progress);
    let pieces = deliver(to_server, move |number| {
        seen.server.fetch_max(number, Ordering::SeqCst);
    });
    let seen = Arc::clone(&progress);
    thread::spawn(move || {
        listen(client, delay, &pieces, |octets| {
            let line_ends = octets.windows(2).filter(|two| two == b"\r\n").count();
            seen.commands.fetch_add(line_ends, Ordering::SeqCst);
            seen.octets.fetch_add(octets.len(), Ordering::SeqCst);
            seen.client.load(Ordering::SeqCst)
        });
        let tally = Tally {
            round_trips: 1 + seen.client.load(Ordering::SeqCst),
            commands: seen.commands.load(Ordering::SeqCst),
            octets: seen.octets.load(Ordering::SeqCst),
        };
        // Nobody listens any more at the very end.
        let _ = tallies.send(tally);
    });
    let seen = Arc::clone(&progress);
    let pieces = deliver(to_client, move |number| {
        seen.client.fetch_max(number, Ordering::SeqCst);
    });
    thread::spawn(move || {
        listen(server, delay, &pieces, |octets| {
            if view == View::WithoutPipelining {
                hide(octets, b"PIPELINING");
            }
            progress.octets.fetch_add(octets.len(), Ordering::SeqCst);
            progress.server.load(Ordering::SeqCst) + 1
        });
    });
}

/// Takes in what one end says, until it has ended.
fn listen(
    mut end: TcpStream,
    delay: Duration,
    pieces: &Sender<Piece>,
    mut number: impl FnMut(&mut [u8]) -> usize,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = end.read(&mut buffer) {
        let octets = &mut buffer[..length];
        let number = number(octets);
        drop(pieces.send((Instant::now() + delay, number, octets.to_vec())));
    }
}

/// A thread that hands over what is due, and says so before.
fn deliver(mut end: TcpStream, arrives: impl Fn(usize) + Send + 'static) -> Sender<Piece> {
    let (sender, pieces) = channel::<Piece>();
    thread::spawn(move || {
        for (due, number, octets) in pieces {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            arrives(number);
            if end.write_all(&octets).is_err() {
                break;
            }
        }
        drop(end.shutdown(Shutdown::Write));
    });
    sender
}

fn hide(octets: &mut [u8], word: &[u8]) {
    if let Some(at) = octets.windows(word.len()).position(|found| found == word) {
        octets[at..at + word.len()].fill(b'X');
    }
}
