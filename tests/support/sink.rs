//! A submission server on this machine that takes everything and remembers it, but nothing for
//! `nobody`. No TLS, any login; BDAT is unknown to it, whatever it offers, unless it is far away.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a silent client is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one that is far away waits for more before it answers.
const QUIET: Duration = Duration::from_millis(30);

/// Octets in a line.
const LINE: u64 = 1 << 20;

/// A server under way; its threads end with the process.
pub struct Sink {
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    turns: Arc<AtomicUsize>,
}

/// One message, and what was said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What stood behind `FROM:`.
    pub sender: String,
    /// What stood behind each `TO:`.
    pub recipients: Vec<String>,
    /// The text as it is meant: stuffed dots removed, CRLF at the end of every line.
    pub text: Vec<u8>,
}

impl Taken {
    /// The text as a string with bare line ends.
    pub fn lines(&self) -> String {
        String::from_utf8(self.text.clone()).unwrap().replace("\r\n", "\n")
    }
}

impl Sink {
    /// Starts a server that offers these extensions besides AUTH.
    pub fn start(offers: &[&str]) -> Self {
        Self::start_at(offers, None)
    }

    /// Starts a server that takes BDAT, and answers only when its client has nothing more to say: so it
    /// would be heard over a long line.
    pub fn start_far_away() -> Self {
        Self::start_at(&["PIPELINING", "CHUNKING"], Some(QUIET))
    }

    fn start_at(offers: &[&str], quiet: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Vec<Taken>>>::default();
        let mut ehlo = "250-sink\r\n".to_owned();
        ehlo.extend(offers.iter().map(|offer| format!("250-{offer}\r\n")));
        ehlo.push_str("250 AUTH PLAIN");
        let turns = Arc::<AtomicUsize>::default();
        let (ehlo, shelf) = (Arc::<str>::from(ehlo), Arc::clone(&taken));
        let count = Arc::clone(&turns);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (ehlo, shelf) = (Arc::clone(&ehlo), Arc::clone(&shelf));
                let count = Arc::clone(&count);
                thread::spawn(move || serve(socket?, &ehlo, &shelf, quiet, &count));
            }
            io::Result::Ok(())
        });
        Self { address, taken, turns }
    }

    /// How often a client waited for an answer.
    pub fn turns(&self) -> usize {
        self.turns.load(Ordering::SeqCst)
    }

    /// A configuration for it, with `more` in `[account.home.send]`.
    pub fn config(&self, more: &str) -> String {
        format!(
            "[aliases]\nroot = \"ann@example.com\"\n[account.home]\nserver = \"{}\"\n\
             tls = \"none\"\nuser = \"ann@example.com\"\npassword-command = \"echo not-a-secret\"\n\
             [account.home.send]\n{more}\n",
            self.address
        )
    }

    /// What came since this was last asked.
    pub fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }
}

/// A client's words; answers leave when it waits for them.
struct Conversation<'a> {
    socket: TcpStream,
    due: Vec<u8>,
    quiet: Option<Duration>,
    turns: &'a AtomicUsize,
}

impl Conversation<'_> {
    fn say(&mut self, text: &str) {
        self.due.extend_from_slice(format!("{text}\r\n").as_bytes());
    }

    fn flush(&mut self) -> io::Result<()> {
        self.turns.fetch_add(1, Ordering::SeqCst);
        self.socket.write_all(&std::mem::take(&mut self.due))
    }
}

impl Read for Conversation<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        if !self.due.is_empty() {
            if self.quiet.is_some() {
                self.socket.set_read_timeout(self.quiet)?;
                match self.socket.read(octets) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
            self.flush()?;
        }
        self.socket.set_read_timeout(Some(PATIENCE))?;
        self.socket.read(octets)
    }
}

fn serve(
    socket: TcpStream,
    ehlo: &str,
    shelf: &Mutex<Vec<Taken>>,
    quiet: Option<Duration>,
    turns: &AtomicUsize,
) -> io::Result<()> {
    let mut input = BufReader::new(Conversation { socket, due: Vec::new(), quiet, turns });
    let (mut sender, mut recipients) = (String::new(), Vec::new());
    input.get_mut().say("220 sink");
    loop {
        let line = String::from_utf8_lossy(&line(&mut input)?).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let is_text = match verb {
            "DATA" => {
                input.get_mut().say("354 go on");
                Some(text(&mut input)?)
            }
            "BDAT" if quiet.is_some() => {
                let octets = rest.trim_end_matches(" LAST").parse();
                let mut text = vec![0; octets.map_err(|_| io::ErrorKind::InvalidData)?];
                input.read_exact(&mut text)?;
                Some(text)
            }
            _ => None,
        };
        if let Some(text) = is_text {
            let (sender, recipients) =
                (std::mem::take(&mut sender), std::mem::take(&mut recipients));
            shelf.lock().unwrap().push(Taken { sender, recipients, text });
            input.get_mut().say("250 2.0.0 taken");
            continue;
        }
        input.get_mut().say(match verb {
            "EHLO" => ehlo,
            "AUTH" => "235 2.7.0 welcome",
            "MAIL" if !sender.is_empty() => "503 5.5.1 one sender is enough",
            "RSET" => {
                (sender, recipients) = Default::default();
                "250 2.0.0 forgotten"
            }
            "MAIL" => {
                rest.trim_start_matches("FROM:").clone_into(&mut sender);
                "250 2.1.0 go on"
            }
            "RCPT" if rest.starts_with("TO:<nobody@") => "550 5.1.1 \"nobody\" is not here",
            "RCPT" => {
                recipients.push(rest.trim_start_matches("TO:").to_owned());
                "250 2.1.5 go on"
            }
            "QUIT" => {
                input.get_mut().say("221 2.0.0 bye");
                return input.get_mut().flush();
            }
            _ => "500 5.5.2 unknown command",
        });
    }
}

/// A line without its CRLF; whoever sends a lone CR or LF is hung up on.
fn line(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.take(LINE).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(text) if !text.contains(&b'\r') => Ok(text.to_vec()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn text(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let line = line(input)?;
        if line == b"." {
            return Ok(text);
        }
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        text.extend_from_slice(b"\r\n");
    }
}
