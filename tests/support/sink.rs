//! A submission server on this machine that takes everything and remembers it, but nothing for
//! `nobody`. No TLS, any login; BDAT is unknown to it, whatever it offers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a silent client is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets in a line.
const LINE: u64 = 1 << 20;

/// A server under way; its threads end with the process.
pub struct Sink {
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Vec<Taken>>>::default();
        let mut ehlo = "250-sink\r\n".to_owned();
        ehlo.extend(offers.iter().map(|offer| format!("250-{offer}\r\n")));
        ehlo.push_str("250 AUTH PLAIN");
        let (ehlo, shelf) = (Arc::<str>::from(ehlo), Arc::clone(&taken));
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (ehlo, shelf) = (Arc::clone(&ehlo), Arc::clone(&shelf));
                thread::spawn(move || serve(socket?, &ehlo, &shelf));
            }
            io::Result::Ok(())
        });
        Self { address, taken }
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

fn serve(socket: TcpStream, ehlo: &str, shelf: &Mutex<Vec<Taken>>) -> io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut output = socket.try_clone()?;
    let mut input = BufReader::new(socket);
    let mut say = |text: &str| output.write_all(format!("{text}\r\n").as_bytes());
    let (mut sender, mut recipients) = (String::new(), Vec::new());
    say("220 sink")?;
    loop {
        let line = String::from_utf8_lossy(&line(&mut input)?).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "EHLO" => say(ehlo)?,
            "AUTH" => say("235 2.7.0 welcome")?,
            "MAIL" if !sender.is_empty() => say("503 5.5.1 one sender is enough")?,
            "RSET" => {
                (sender, recipients) = Default::default();
                say("250 2.0.0 forgotten")?;
            }
            "MAIL" => {
                rest.trim_start_matches("FROM:").clone_into(&mut sender);
                say("250 2.1.0 go on")?;
            }
            "RCPT" if rest.starts_with("TO:<nobody@") => say("550 5.1.1 \"nobody\" is not here")?,
            "RCPT" => {
                recipients.push(rest.trim_start_matches("TO:").to_owned());
                say("250 2.1.5 go on")?;
            }
            "DATA" => {
                say("354 go on")?;
                let text = text(&mut input)?;
                let (sender, recipients) =
                    (std::mem::take(&mut sender), std::mem::take(&mut recipients));
                shelf.lock().unwrap().push(Taken { sender, recipients, text });
                say("250 2.0.0 taken")?;
            }
            "QUIT" => return say("221 2.0.0 bye"),
            _ => say("500 5.5.2 unknown command")?,
        }
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
