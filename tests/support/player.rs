//! Plays the server's part of a transcript over real TCP and TLS against the built program, and
//! compares what the program says, prints and leaves behind. Every wait ends after ten seconds.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use rustls::{ServerConfig, ServerConnection};

use super::pki::Authority;
use super::postie::{Home, Outcome};
use super::transcript::{At, Certificate, Event, Fact, Playing, Run, Tls, Transcript};

/// How long anybody is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays all runs of a transcript; an error is a list of what differs, each with file and line.
pub fn play(transcript: &Transcript, playing: Playing) -> Result<(), String> {
    let home = Home::new();
    home.file("password", "not-a-secret\n");
    home.file("ca.pem", &CERTIFICATES.pem);
    home.file("client.pem", &CERTIFICATES.client);
    // One port for all runs: a mailbox is known by it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let server = listener.local_addr().unwrap().to_string();
    for run in &transcript.runs {
        if !run.config.is_empty() {
            let account = String::from_utf8_lossy(&run.config).replace("{pin}", &CERTIFICATES.pin);
            home.config(&format!(
                "[account.home]\nserver = \"{server}\"\nuser = \"ann\"\ntls = \"{}\"\n{account}",
                run.tls.name()
            ));
        }
        let is_over = AtomicBool::new(false);
        let (conversation, outcome) = thread::scope(|scope| {
            let running = home.postie(arguments(run, &server)).stdin(run.stdin.as_slice()).start();
            bound_memory(running.pid());
            let program = Program { home: &home, pid: running.pid() };
            let (listener, is_over) = (&listener, &is_over);
            let conversation = scope.spawn(move || serve(listener, run, playing, program, is_over));
            let outcome = running.finish();
            is_over.store(true, Ordering::Release);
            (conversation.join().unwrap(), outcome)
        });
        let mut differences = Vec::new();
        match conversation {
            Err(difference) => differences.push(difference),
            Ok(turns) => {
                // Elsewhere the octets arrive as they like, and so do the client's turns.
                let turns = (playing == Playing::Whole).then_some(turns);
                let check = |fact| check(fact, turns, &outcome, &home, &server);
                differences.extend(run.facts.iter().filter_map(check));
            }
        }
        differences.extend(leak(run, &outcome, &home));
        if !differences.is_empty() {
            return Err(report(transcript, playing, &differences, &outcome));
        }
    }
    Ok(())
}

/// The password, in clear or in base64, in what the program printed or remembers: whatever a server
/// says, there is none.
fn leak(run: &Run, outcome: &Outcome, home: &Home) -> Option<At<String>> {
    const PASSWORD: &str = "not-a-secret";
    let mut places = vec![
        ("standard output".to_owned(), outcome.stdout.clone()),
        ("standard error".to_owned(), outcome.stderr.clone()),
    ];
    let mut dirs = vec![home.path().join(".local"), home.path().join("log")];
    while let Some(path) = dirs.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            dirs.extend(entries.map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read(&path) {
            let text = String::from_utf8_lossy(&text).into_owned();
            places.push((path.display().to_string(), text));
        }
    }
    // What base64 makes of it behind none, one and two other octets, as far as it is certain.
    let encoded = ["", "a", "ab"].map(|before| {
        let encoded = STANDARD.encode(format!("{before}{PASSWORD}"));
        encoded[4 * before.len().min(1)..encoded.len() - 4].to_owned()
    });
    let is_in = |text: &str| text.contains(PASSWORD) || encoded.iter().any(|e| text.contains(e));
    let (place, text) = places.iter().find(|(_, text)| is_in(text))?;
    let line = run.facts.first().map_or(1, |fact| fact.line);
    Some(At { line, what: format!("the password is in {place}: {text}") })
}

/// Whatever a server does, the program gets by with so much; asking for more ends it.
fn bound_memory(pid: Pid) {
    const ENOUGH: u64 = 32 << 20;
    let limit = Rlimit { current: Some(ENOUGH), maximum: Some(ENOUGH) };
    // A program that is over already got by with less.
    let _ = prlimit(Some(pid), Resource::Data, limit);
}

fn report(
    transcript: &Transcript,
    playing: Playing,
    differences: &[At<String>],
    outcome: &Outcome,
) -> String {
    let path = transcript.path.display();
    let playing = Playing::NAMES.iter().find(|(_, named)| *named == playing).unwrap().0;
    let mut report = String::new();
    for At { line, what } in differences {
        writeln!(report, "{path}:{line} ({playing}): {what}").unwrap();
    }
    let Outcome { status, stdout, stderr } = outcome;
    for line in format!("exit status {status}\n{stdout}{stderr}").lines() {
        writeln!(report, "    {line}").unwrap();
    }
    report
}

fn arguments(run: &Run, server: &str) -> Vec<String> {
    let account = format!(
        "--server {server} --user ann --password-file password --tls {} --ca-file ca.pem",
        run.tls.name()
    );
    let args = run.args.replace("{account}", &account).replace("{server}", server);
    args.split_ascii_whitespace().map(str::to_owned).collect()
}

/// What is wrong, if anything.
fn check(
    At { line, what }: &At<Fact>,
    turns: Option<usize>,
    outcome: &Outcome,
    home: &Home,
    server: &str,
) -> Option<At<String>> {
    let says = |output: &str, text: &str| {
        let text = text.replace("{server}", server);
        if output.contains(&text) { Ok(()) } else { Err(format!("expected `{text}`")) }
    };
    let checked = match what {
        Fact::Exit(status) => same("exit status", status, &outcome.status),
        Fact::Turns(expected) => turns.map_or(Ok(()), |turns| same("turns", expected, &turns)),
        Fact::Silent => {
            let both = format!("{}{}", outcome.stdout, outcome.stderr);
            same("output", &"", &both.as_str())
        }
        Fact::Stdout(text) => says(&outcome.stdout, text),
        Fact::Stderr(text) => says(&outcome.stderr, text),
        Fact::Files { dir, number } => same("number of files", number, &home.files(dir).len()),
        Fact::File { dir, octets } => {
            let found: Vec<_> =
                home.files(dir).iter().map(|path| fs::read(path).unwrap()).collect();
            if found.contains(octets) {
                Ok(())
            } else {
                let found: Vec<_> = found.iter().map(|octets| shown(octets)).collect();
                Err(format!("expected `{}`, found {found:#?}", shown(octets)))
            }
        }
    };
    checked.err().map(|what| At { line: *line, what })
}

fn same<T: PartialEq + std::fmt::Debug>(name: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("expected {name} {expected:?}, found {found:?}"))
    }
}

/// Accepts one connection, speaks the transcript on it, and returns the client's turns. That the
/// program is over is known here, so that nobody waits for a connection that will not come.
fn serve(
    listener: &TcpListener,
    run: &Run,
    playing: Playing,
    program: Program<'_>,
    is_over: &AtomicBool,
) -> Result<usize, At<String>> {
    let first = run.dialogue.first().map_or(0, |event| event.line);
    let mut turns = Ok(0);
    let connections = run.dialogue.split(|event| event.what == Event::Reconnect);
    for dialogue in connections.filter(|_| !run.dialogue.is_empty()) {
        let Some(socket) = accept(listener, is_over) else {
            let line = dialogue.first().map_or(first, |event| event.line);
            return Err(At { line, what: "expected a connection, found none".to_owned() });
        };
        let peer = Peer::new(socket, run.certificate, playing, program);
        turns = Ok(turns? + peer.converse(dialogue, run.tls)?);
    }
    match accept(listener, is_over) {
        Some(_) if turns.is_ok() => {
            Err(At { line: first, what: "one connection more than expected".to_owned() })
        }
        _ => turns,
    }
}

fn accept(listener: &TcpListener, is_over: &AtomicBool) -> Option<TcpStream> {
    loop {
        // Looked at first: a connection that was made just before the end is not overlooked.
        let is_over = is_over.load(Ordering::Acquire);
        match listener.accept() {
            Ok((socket, _)) => return Some(socket),
            Err(_) if is_over => return None,
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// The program that is run, as far as a server has power over it.
#[derive(Clone, Copy)]
struct Program<'a> {
    home: &'a Home,
    pid: Pid,
}

impl Program<'_> {
    /// Waits until a directory holds so many files.
    fn wait_for(self, dir: &str, number: usize) -> Result<(), String> {
        let start = Instant::now();
        while self.home.files(dir).len() != number {
            if start.elapsed() > PATIENCE {
                return same(dir, &number, &self.home.files(dir).len());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Kills the program as soon as a directory holds so many files.
    fn kill_at(self, dir: &str, number: usize) -> Result<(), String> {
        self.wait_for(dir, number)?;
        kill_process(self.pid, Signal::KILL).map_err(|error| format!("cannot kill it: {error}"))
    }
}

/// What the client is heard to do.
enum Heard {
    Line(Vec<u8>),
    End,
    Silence,
}

impl std::fmt::Display for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "`C: {}`", shown(line)),
            Self::End => f.write_str("the end of the conversation"),
            Self::Silence => f.write_str("silence"),
        }
    }
}

/// The client, seen from the server.
struct Peer<'a> {
    program: Program<'a>,
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    certificate: Certificate,
    playing: Playing,
    pause: Duration,
    /// Said, but not sent yet.
    due: Vec<u8>,
    /// Received, but not heard yet.
    heard: Vec<u8>,
    /// The last line heard.
    line: Vec<u8>,
    /// Whether something was received since the last octet was sent.
    is_answer: bool,
    turns: usize,
}

impl<'a> Peer<'a> {
    fn new(
        socket: TcpStream,
        certificate: Certificate,
        playing: Playing,
        program: Program<'a>,
    ) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            program,
            socket,
            tls: None,
            certificate,
            playing,
            // Just enough for the client to see most octets alone.
            pause: Duration::from_micros(30),
            due: Vec::new(),
            heard: Vec::new(),
            line: Vec::new(),
            is_answer: false,
            turns: 0,
        }
    }

    fn converse(mut self, dialogue: &[At<Event>], tls: Tls) -> Result<usize, At<String>> {
        let mut last = dialogue.first().map_or(0, |event| event.line);
        if tls == Tls::Implicit {
            self.start_tls().map_err(|what| At { line: last, what })?;
        }
        for At { line, what } in dialogue {
            let at = |what| At { line: *line, what };
            last = *line;
            match what {
                Event::Server(octets) => self.due.extend(octets),
                Event::Client(pattern) => match self.hear() {
                    Heard::Line(found) if pattern.matches(&found) => self.line = found,
                    other => return Err(at(format!("expected `C: {}`, found {other}", pattern.0))),
                },
                Event::Tls => self.start_tls().map_err(at)?,
                Event::Drip => {
                    self.flush();
                    self.playing = Playing::ByteByByte;
                    self.pause = Duration::from_millis(3);
                }
                Event::Flood(text) => self.flood(text).map_err(at)?,
                Event::Stall => {
                    self.flush();
                    self.wait_for_the_end().map_err(at)?;
                    return Ok(self.turns);
                }
                Event::Close => {
                    if let Some(tls) = &mut self.tls {
                        tls.writer().write_all(&std::mem::take(&mut self.due)).unwrap();
                        tls.send_close_notify();
                        drop(self.write_tls());
                    }
                    self.flush();
                    return Ok(self.turns);
                }
                Event::Cut => {
                    self.flush();
                    return Ok(self.turns);
                }
                Event::Reset => {
                    self.flush();
                    // A socket that is closed with octets unread is reset (RFC 2525 §2.17).
                    drop(self.socket.peek(&mut [0]));
                    return Ok(self.turns);
                }
                Event::Reconnect => {}
                Event::Scram { reply, challenge } => {
                    let challenge = challenge.replace("{nonce}", &self.nonce().map_err(at)?);
                    let line = format!("{reply} {}\r\n", STANDARD.encode(challenge));
                    self.due.extend(line.into_bytes());
                }
                Event::Until { dir, number } => {
                    self.flush();
                    self.program.wait_for(dir, *number).map_err(at)?;
                }
                Event::Kill { dir, number } => {
                    self.flush();
                    self.program.kill_at(dir, *number).map_err(at)?;
                    return Ok(self.turns);
                }
            }
        }
        match self.hear() {
            Heard::End => Ok(self.turns),
            other => Err(At { line: last, what: format!("expected the end, found {other}") }),
        }
    }

    /// The nonce in the client's first SCRAM message (RFC 5802 §7), behind the command or alone.
    fn nonce(&self) -> Result<String, String> {
        let line = String::from_utf8_lossy(&self.line);
        let message = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap_or_default();
        let message = String::from_utf8_lossy(&message);
        let nonce = message.split(',').find_map(|attribute| attribute.strip_prefix("r="));
        nonce.map(str::to_owned).ok_or_else(|| format!("expected a nonce, found `{line}`"))
    }

    /// One line of the client. What is due is sent before, unless the line is there already and
    /// the playing is to answer later.
    fn hear(&mut self) -> Heard {
        if self.playing != Playing::Coalesced {
            self.flush();
        }
        loop {
            if let Some(end) = self.heard.windows(2).position(|two| two == b"\r\n") {
                let line = self.heard.drain(..end + 2).take(end).collect();
                return Heard::Line(line);
            }
            self.flush();
            match self.receive() {
                Ok(0) if self.heard.is_empty() => return Heard::End,
                Ok(0) => return Heard::Line(std::mem::take(&mut self.heard)),
                Ok(_) => {}
                Err(error) if is_gone(&error) => return Heard::End,
                Err(_) => return Heard::Silence,
            }
        }
    }

    /// Adds to what was heard, and returns the number of octets; none at the end.
    fn receive(&mut self) -> io::Result<usize> {
        let mut octets = vec![0; 64 << 10];
        let length = match &mut self.tls {
            None => self.socket.read(&mut octets)?,
            Some(tls) => loop {
                match tls.reader().read(&mut octets) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break 0,
                    other => break other?,
                }
                tls.read_tls(&mut self.socket)?;
                tls.process_new_packets().map_err(io::Error::other)?;
            },
        };
        self.heard.extend(octets.get(..length).unwrap_or_default());
        self.is_answer |= length > 0;
        Ok(length)
    }

    /// Sends what is due. A client that has hung up does not hear it, and what it has heard is
    /// what counts.
    fn flush(&mut self) {
        // More does not fit into the TLS library's buffer.
        const MOST: usize = 16 << 10;
        let due = std::mem::take(&mut self.due);
        if due.is_empty() {
            return;
        }
        self.turns += usize::from(std::mem::take(&mut self.is_answer));
        let segment = if self.playing == Playing::ByteByByte { 1 } else { MOST };
        for octets in due.chunks(segment) {
            if self.send(octets).is_err() {
                return;
            }
            if self.playing == Playing::ByteByByte {
                thread::sleep(self.pause);
            }
        }
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_all(octets),
            Some(tls) => {
                tls.writer().write_all(octets)?;
                self.write_tls()
            }
        }
    }

    fn write_tls(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    fn start_tls(&mut self) -> Result<(), String> {
        self.flush();
        let config = Arc::clone(CERTIFICATES.config(self.certificate));
        let mut tls = Box::new(ServerConnection::new(config).unwrap());
        // In STARTTLS the first octets of the handshake may have come with the command.
        let mut early = io::Cursor::new(std::mem::take(&mut self.heard));
        while tls.is_handshaking() {
            let step = if tls.wants_write() {
                tls.write_tls(&mut self.socket)
            } else {
                tls.read_tls(&mut (&mut early).chain(&self.socket))
            };
            let step = match step {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                other => other,
            };
            let step = step.and_then(|_| tls.process_new_packets().map_err(io::Error::other));
            if let Err(error) = step {
                if self.certificate != Certificate::Good {
                    return Ok(());
                }
                return Err(format!("expected a TLS handshake, found {error}"));
            }
        }
        self.tls = Some(tls);
        if self.playing != Playing::Coalesced {
            // Otherwise the session tickets share a segment with the next reply.
            drop(self.write_tls());
        }
        Ok(())
    }

    fn flood(&mut self, text: &[u8]) -> Result<(), String> {
        const ENOUGH: usize = 96 << 20;
        self.flush();
        let chunk = text.repeat((16 << 10) / text.len() + 1);
        let mut sent = 0;
        while self.send(&chunk).is_ok() {
            sent += chunk.len();
            if sent > ENOUGH {
                return Err(format!("the client took {sent} octets and would take more"));
            }
        }
        Ok(())
    }

    fn wait_for_the_end(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.receive() {
                Ok(0) => return Ok(()),
                Ok(_) => self.heard.clear(),
                Err(error) if is_timeout(&error) => break,
                // Whoever hangs up on a server that misbehaves need not do it politely.
                Err(_) => return Ok(()),
            }
        }
        Err("expected the client to hang up, found it waiting".to_owned())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A client that closes without having read everything resets the connection.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// On one line, with escapes for what cannot be printed.
fn shown(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for octet in chunk.invalid() {
            write!(text, "\\x{octet:02x}").unwrap();
        }
    }
    text
}

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::new);

/// Made once for all transcripts.
struct Certificates {
    pem: String,
    /// A certificate and its key, for the program to show.
    client: String,
    /// The SHA-256 of the good one.
    pin: String,
    good: Arc<ServerConfig>,
    asks: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    other_name: Arc<ServerConfig>,
    other_authority: Arc<ServerConfig>,
    wildcard: Arc<ServerConfig>,
    common_name: Arc<ServerConfig>,
    incomplete: Arc<ServerConfig>,
}

impl Certificates {
    fn new() -> Self {
        const NAMES: &[&str] = &["127.0.0.1"];
        let authority = Authority::new();
        let (good, client) = (authority.issue(NAMES), authority.issue(&["ann.example"]));
        Self {
            pem: authority.pem(),
            client: format!("{}{}", client.certificate, client.key),
            pin: good.pin(),
            good: Arc::new(good.config()),
            asks: Arc::new(good.config_for_clients_of(&authority)),
            expired: Arc::new(authority.issue_expired(NAMES).config()),
            other_name: Arc::new(authority.issue(&["other.example"]).config()),
            other_authority: Arc::new(Authority::new().issue(NAMES).config()),
            wildcard: Arc::new(authority.issue(&["*.0.0.1"]).config()),
            common_name: Arc::new(authority.issue_to_common_name("127.0.0.1").config()),
            incomplete: Arc::new(authority.intermediate().issue(NAMES).config()),
        }
    }

    fn config(&self, certificate: Certificate) -> &Arc<ServerConfig> {
        match certificate {
            Certificate::Good => &self.good,
            Certificate::AsksForOne => &self.asks,
            Certificate::Expired => &self.expired,
            Certificate::OtherName => &self.other_name,
            Certificate::OtherAuthority => &self.other_authority,
            Certificate::Wildcard => &self.wildcard,
            Certificate::CommonName => &self.common_name,
            Certificate::Incomplete => &self.incomplete,
        }
    }
}
