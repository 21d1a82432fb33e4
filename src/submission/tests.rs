//! A submission against a server in memory that dies at any octet of what it says or hears.

mod flights;
mod outbox;
mod outcomes;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use proptest::test_runner::RngSeed;

use super::*;
use crate::cli;
use crate::config::RewriteFrom;
use crate::net::Bounds;
use crate::password::Source;
use crate::run_id::RunId;
use crate::settings::Peer;
use crate::store::disk::simulated::Simulated;
use crate::text::Secret;
use crate::tls::Trust;
use crate::wire::random_peer::{RandomPeer, babble};
use crate::wire::sealed::Sealed;

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\n..\r\nhello\r\n";

/// How a server talks.
#[derive(Clone, Copy, Debug)]
struct ServerBehaviour {
    offers: &'static str,
    /// Octets that can be read at a time.
    chunk: usize,
    /// Octets of its own after which it is dead.
    last_said: usize,
    /// Octets of the client's after which it is dead.
    last_heard: usize,
    /// Whether it puts off whoever can be put off.
    is_busy: bool,
}

/// What the server knows in the end.
#[derive(Default)]
struct Known {
    said: usize,
    /// What came, and what would have come if it had lived.
    heard: Vec<u8>,
    is_logged_in: bool,
    /// Whether the message came whole, with its end, and there was somebody to get it.
    has_message: bool,
    /// Whether all of the answer to it could be read.
    is_answered: bool,
}

/// What a server is in the middle of.
#[derive(Clone, Copy)]
enum Awaited {
    Command,
    /// A text that ends with a dot (RFC 5321).
    Text,
    /// So many octets (RFC 3030).
    Octets(usize),
}

/// A server that knows what there is to know about submission.
struct Server {
    manner: ServerBehaviour,
    known: Rc<RefCell<Known>>,
    /// Where it notes who got the message, and who never will.
    disk: Simulated,
    input: Vec<u8>,
    output: VecDeque<u8>,
    awaited: Awaited,
    /// Those whom the message in hand is for.
    recipients: Vec<String>,
    is_dead: bool,
}

impl Server {
    fn new(manner: ServerBehaviour, known: &Rc<RefCell<Known>>, disk: &Simulated) -> Self {
        let mut server = Self {
            manner,
            known: Rc::clone(known),
            disk: disk.clone(),
            input: Vec::new(),
            output: VecDeque::new(),
            awaited: Awaited::Command,
            recipients: Vec::new(),
            is_dead: false,
        };
        server.say("220 hi\r\n");
        server
    }

    /// Says it, as far as it lives to; whether that is all of it.
    fn say(&mut self, text: &str) -> bool {
        let mut known = self.known.borrow_mut();
        let room = text.len().min(self.manner.last_said - known.said);
        self.output.extend(&text.as_bytes()[..room]);
        known.said += room;
        self.is_dead |= known.said == self.manner.last_said;
        room == text.len()
    }

    /// Takes what is awaited off the input; false if it is not all there.
    fn take(&mut self) -> bool {
        let behind = |end: &[u8]| {
            let start = self.input.windows(end.len()).position(|octets| octets == end);
            start.map(|start| start + end.len())
        };
        let end = match self.awaited {
            Awaited::Command => behind(b"\r\n"),
            // An empty text follows the command's own line end.
            Awaited::Text if self.input.starts_with(b".\r\n") => Some(3),
            Awaited::Text => behind(b"\r\n.\r\n"),
            Awaited::Octets(octets) => Some(octets).filter(|octets| self.input.len() >= *octets),
        };
        let Some(end) = end else { return false };
        let taken: Vec<u8> = self.input.drain(..end).collect();
        match std::mem::replace(&mut self.awaited, Awaited::Command) {
            Awaited::Command => self.obey(std::str::from_utf8(&taken).unwrap().trim_end()),
            Awaited::Text | Awaited::Octets(_) => {
                let has_message = !self.recipients.is_empty();
                for recipient in std::mem::take(&mut self.recipients) {
                    self.disk.note(&format!("got {recipient}"));
                }
                let is_answered =
                    self.say(if has_message { "250 taken\r\n" } else { "554 for whom?\r\n" });
                let mut known = self.known.borrow_mut();
                (known.has_message, known.is_answered) = (has_message, is_answered);
            }
        }
        true
    }

    fn obey(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let is_logged_in = self.known.borrow().is_logged_in;
        assert!(is_logged_in || matches!(words[0], "EHLO" | "AUTH" | "QUIT"), "{line}");
        match words[..] {
            ["EHLO", _] => {
                let offers = self.manner.offers;
                self.say(&format!("250-mail.example\r\n{offers}250 AUTH PLAIN\r\n"));
            }
            ["AUTH", "PLAIN", _] => {
                let is_logged_in = self.say("235 welcome\r\n");
                self.known.borrow_mut().is_logged_in = is_logged_in;
            }
            ["RCPT", "TO:<nobody@example.org>"] => {
                self.disk.note("refused nobody");
                self.say("550 nobody\r\n");
            }
            ["RCPT", "TO:<dave@example.org>"] if self.manner.is_busy => {
                self.say("450 later\r\n");
            }
            ["MAIL", ..] | ["RSET"] => {
                self.recipients.clear();
                self.say("250 ok\r\n");
            }
            ["RCPT", recipient] => {
                let name = recipient.strip_prefix("TO:<").unwrap();
                self.recipients.push(name.strip_suffix("@example.org>").unwrap().to_owned());
                self.say("250 ok\r\n");
            }
            ["DATA"] => {
                self.awaited = Awaited::Text;
                self.say("354 go on\r\n");
            }
            ["BDAT", octets, "LAST"] => self.awaited = Awaited::Octets(octets.parse().unwrap()),
            ["QUIT"] => drop(self.say("221 bye\r\n")),
            _ => panic!("{line}"),
        }
    }
}

impl wire::Stream for Server {}

impl Read for Server {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.output.is_empty() {
            assert!(self.is_dead, "the client waits for something that it did not ask for");
            // A dead server may or may not be taken leave of.
            return match self.manner.chunk % 2 {
                0 => Err(io::ErrorKind::ConnectionReset.into()),
                _ => Ok(0),
            };
        }
        let room = buffer.len().min(self.manner.chunk);
        self.output.read(&mut buffer[..room])
    }
}

impl Write for Server {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut known = self.known.borrow_mut();
        let room = if self.is_dead { 0 } else { self.manner.last_heard - known.heard.len() };
        let room = room.min(octets.len());
        if room == 0 {
            self.is_dead = true;
            known.heard.extend_from_slice(octets);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        known.heard.extend_from_slice(&octets[..room]);
        drop(known);
        self.input.extend_from_slice(&octets[..room]);
        while !self.is_dead && self.take() {}
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed for Server {}

impl Private for Server {
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }
}

fn submission(recipients: &[&str], demand: RecipientPolicy) -> Submission {
    let from: Mailbox = "ann@example.com".parse().unwrap();
    let recipients = recipients.iter().map(|recipient| recipient.parse().unwrap()).collect();
    let job = SendJob {
        account: None,
        peer: Peer {
            host: "mail.example".parse().unwrap(),
            port: 465,
            side: crate::settings::Side::Send,
            source_address: None,
            connect_command: None,
            tls: Tls::Implicit,
            trust: Trust::default(),
            bounds: Bounds { per_wait: Duration::from_secs(1), in_all: None },
            pipelining: None,
            user: "ann".to_owned(),
            source: Source::Text(Secret::new("not-a-secret")),
            auth: None,
            detours: Vec::new(),
        },
        from: from.clone(),
        name: None,
        reverse_path: from.clone().into(),
        ehlo_name: "example.com".parse().unwrap(),
        rewrite_from: RewriteFrom::Missing,
        chunking: true,
        queue: false,
        fallback: None,
        permissions: crate::settings::Permissions::default(),
        sent_maildir: None,
        log_file: None,
        server: None,
        run_id: RunId { seconds: 1, pid: 1, host: "here".to_owned(), random: 1, fraction: 0 },
    };
    let envelope = Envelope::new(from.into(), recipients).unwrap();
    let message = Message::read(&mut &*MESSAGE).unwrap();
    let (held, largest, fallback_of, caller) = (None, None, None, None);
    Submission { job, envelope, message, demand, held, largest, fallback_of, put_off: None, caller }
}

/// Whoever does not want to hear anything.
fn silent() -> Report {
    Report::new(&cli::Global { quiet: true, ..cli::Global::default() })
}

/// From the greeting to an accepted login, on a stream that somebody else has made.
fn log_in(submission: &Submission, stream: Box<dyn Private>) -> Result<SmtpSession, Error> {
    let mut session = Session::open(stream, submission.job.ehlo_name.clone(), None)?;
    if submission.job.peer.tls == Tls::Starttls {
        // The stream is private as it is.
        session = session.starttls(Ok::<_, Error>)?;
    }
    let attempts = submission.job.peer.source.attempts(
        "ann",
        "mail.example",
        None,
        &crate::password::Run::default(),
    )?;
    session.auth(attempts.map(|attempt| attempt.map_err(Error::from)))
}

/// From the greeting to the end.
fn converse(
    submission: &mut Submission,
    stream: Box<dyn Private>,
) -> Result<SubmissionOutcome, Error> {
    let line = log_in(submission, stream)?;
    let (outcome, line) = submission.submit_over(Ok(line), &silent());
    line.into_iter().for_each(Session::quit);
    outcome
}

/// Sends the message, and checks what is said of it against what the server knows.
fn play(recipients: &[&str], demand: RecipientPolicy, manner: ServerBehaviour) -> Known {
    let mut submission = submission(recipients, demand);
    let known = Rc::default();
    let stream: Box<dyn Private> =
        Box::new(Server::new(manner, &known, &Simulated::new(Path::new("/"))));
    let outcome = converse(&mut submission, stream);
    let exit = match &outcome {
        Ok(sent) => sent.exit(demand),
        Err(error) => error.into(),
    };
    let known = Rc::into_inner(known).unwrap().into_inner();
    let end: &[u8] = if manner.offers.contains("CHUNKING") && demand == RecipientPolicy::Any {
        b"\r\nhello\r\n"
    } else {
        b"\r\nhello\r\n.\r\n"
    };
    let is_end_sent = known.heard.windows(end.len()).any(|octets| octets == end);
    let expected: &[Exit] = match (known.has_message, known.is_answered) {
        (true, true) if recipients.len() > 1 => &[Exit::Partial],
        (true, true) => &[Exit::Done],
        (true, false) => &[Exit::InDoubt],
        // The server has nothing, but who could know?
        (false, _) if is_end_sent => &[Exit::InDoubt, Exit::Later, Exit::NoRecipient],
        (false, _) => &[Exit::Later, Exit::NoRecipient],
    };
    assert!(expected.contains(&exit), "{recipients:?}, {demand:?}, {manner:?}: {exit:?}");
    known
}

#[test]
fn whenever_the_server_dies_it_is_known_or_in_doubt_whether_it_has_the_message() {
    const CHUNKS: [usize; 3] = [1, 7, 1 << 20];
    const BOB: &str = "bob@example.org";
    const NOBODY: &str = "nobody@example.org";
    let offers = ["", "250-PIPELINING\r\n", "250-PIPELINING\r\n250-CHUNKING\r\n"];
    let (mut cases, mut in_doubt) = (0, 0);
    for offers in offers {
        for (recipients, demand) in [
            (&[BOB][..], RecipientPolicy::Any),
            (&[BOB, NOBODY], RecipientPolicy::Any),
            (&[NOBODY], RecipientPolicy::Any),
            (&[BOB], RecipientPolicy::All),
            (&[BOB, NOBODY], RecipientPolicy::All),
        ] {
            let mut play = |chunk, last_said, last_heard| {
                let manner =
                    ServerBehaviour { offers, chunk, last_said, last_heard, is_busy: false };
                let known = play(recipients, demand, manner);
                cases += 1;
                in_doubt += i32::from(known.has_message && !known.is_answered);
                known
            };
            let whole = play(7, usize::MAX, usize::MAX);
            for chunk in CHUNKS {
                for last in 0..=whole.said {
                    play(chunk, last, usize::MAX);
                }
                for last in 0..=whole.heard.len() {
                    play(chunk, usize::MAX, last);
                }
            }
        }
    }
    assert!(cases > 10_000 && in_doubt > 100, "{cases}, {in_doubt}");
    note(&format!("send: {cases} ways for a server to die, in doubt in {in_doubt} of them"));
}

/// Says something that is to be seen even when the test passes, unlike what the macros print.
fn note(text: &str) {
    io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// A conversation as it should be.
const GOOD: [&str; 8] = [
    "220 hi\r\n",
    "250-x\r\n250-SIZE\r\n250 AUTH PLAIN\r\n",
    "235 ok\r\n",
    "250 ok\r\n",
    "250 ok\r\n",
    "354 go on\r\n",
    "250 taken\r\n",
    "221 bye\r\n",
];

/// Unexpected replies.
const ODD: [&str; 12] = [
    "220 hi\r\n",
    "250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n",
    "250-SIZE 99999999999999999999\r\n250-LIMITS RCPTMAX=0\r\n250 AUTH\r\n",
    "334 \r\n",
    "334\r\n",
    "2\r\n",
    "250-\r\n",
    "250-\r\n251 x\r\n",
    "421 \r\n",
    "452 too many\r\n",
    "999 x\r\n",
    "550\0\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        rng_seed: RngSeed::Fixed(5321),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_a_server_says_nothing_counts_as_sent_that_was_not(pieces in babble(&GOOD, &ODD)) {
        let mut submission = submission(&["bob@example.org"], RecipientPolicy::Any);
        let babbler = RandomPeer::new(pieces);
        let heard = Rc::clone(&babbler.heard);
        let outcome = converse(&mut submission, Box::new(babbler));
        let exit = outcome.map_or_else(|error| Exit::from(&error), |sent| sent.exit(RecipientPolicy::Any));
        let end = b"\r\nhello\r\n";
        let is_end_sent = heard.borrow().windows(end.len()).any(|octets| octets == end);
        prop_assert!(is_end_sent || !matches!(exit, Exit::Done | Exit::Partial | Exit::InDoubt));
    }
}
