//! A server that says this or that to each command, dies at any octet, and knows what the client can
//! know: what became of the message is exactly what follows from that.

use super::*;

/// What may be said to each command of a transaction, and to the message; nothing is the end.
const MAIL: [&str; 4] = ["250 ok", "550 no", "421 bye", ""];
const RCPT: [&str; 5] = ["250 ok", "550 no", "450 later", "421 bye", ""];
const DATA: [&str; 4] = ["354 go on", "554 no", "421 bye", ""];
const TEXT: [&str; 5] = ["250 taken", "554 no", "452 later", "421 bye", ""];

const RECIPIENTS: [&str; 2] = ["bob@example.org", "eve@example.org"];

/// What a server says, and when it dies.
#[derive(Clone, Debug)]
struct Script {
    offers: &'static str,
    /// To MAIL, each RCPT, DATA and the message, in turn.
    replies: Vec<&'static str>,
    /// Octets of its own after which it is dead, and of the client's.
    last_said: usize,
    last_heard: usize,
}

/// What came of it.
#[derive(Default)]
struct Seen {
    said: usize,
    heard: Vec<u8>,
    /// The replies that were said to their ends.
    replies: Vec<&'static str>,
}

struct Server {
    script: Script,
    seen: Rc<RefCell<Seen>>,
    input: Vec<u8>,
    output: VecDeque<u8>,
    awaited: Awaited,
    turn: usize,
    is_dead: bool,
}

impl Server {
    fn new(script: &Script, seen: &Rc<RefCell<Seen>>) -> Self {
        let mut server = Self {
            script: script.clone(),
            seen: Rc::clone(seen),
            input: Vec::new(),
            output: VecDeque::new(),
            awaited: Awaited::Command,
            turn: 0,
            is_dead: false,
        };
        server.say("220 hi\r\n");
        server
    }

    fn say(&mut self, text: &str) -> bool {
        let mut seen = self.seen.borrow_mut();
        let room = text.len().min(self.script.last_said - seen.said);
        self.output.extend(&text.as_bytes()[..room]);
        seen.said += room;
        self.is_dead |= seen.said == self.script.last_said;
        room == text.len()
    }

    /// The next of the script's replies; whether it is one to go on with.
    fn reply(&mut self) -> bool {
        let reply = self.script.replies.get(self.turn).copied().unwrap_or_default();
        self.turn += 1;
        if reply.is_empty() {
            self.is_dead = true;
            return false;
        }
        if self.say(&format!("{reply}\r\n")) {
            self.seen.borrow_mut().replies.push(reply);
        }
        self.is_dead |= reply.starts_with("421");
        reply.starts_with(['2', '3'])
    }

    fn take(&mut self) -> bool {
        let behind = |end: &[u8]| {
            let start = self.input.windows(end.len()).position(|octets| octets == end);
            start.map(|start| start + end.len())
        };
        let end = match self.awaited {
            Awaited::Command => behind(b"\r\n"),
            Awaited::Text => behind(b"\r\n.\r\n"),
            Awaited::Octets(octets) => Some(octets).filter(|octets| self.input.len() >= *octets),
        };
        let Some(end) = end else { return false };
        let taken: Vec<u8> = self.input.drain(..end).collect();
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Command);
        let line = String::from_utf8(taken).unwrap();
        match (awaited, line.split(' ').next().unwrap_or_default().trim_end()) {
            (Awaited::Command, "EHLO") => {
                let offers = self.script.offers;
                self.say(&format!("250-mail.example\r\n{offers}250 AUTH PLAIN\r\n"));
            }
            (Awaited::Command, "AUTH") => drop(self.say("235 welcome\r\n")),
            (Awaited::Command, "QUIT") => self.is_dead = true,
            (Awaited::Command, "BDAT") => {
                let octets = line.split(' ').nth(1).unwrap().parse().unwrap();
                self.awaited = Awaited::Octets(octets);
            }
            (Awaited::Command, "DATA") => {
                if self.reply() {
                    self.awaited = Awaited::Text;
                }
            }
            (Awaited::Command, "MAIL" | "RCPT") | (Awaited::Text | Awaited::Octets(_), _) => {
                self.reply();
            }
            (Awaited::Command, verb) => panic!("{verb}"),
        }
        true
    }
}

impl Read for Server {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.is_dead || !self.output.is_empty(), "{:?}", self.script);
        self.output.read(buffer)
    }
}

impl Write for Server {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let room = if self.is_dead {
            0
        } else {
            octets.len().min(self.script.last_heard - self.seen.borrow().heard.len())
        };
        if room == 0 {
            self.is_dead = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.seen.borrow_mut().heard.extend_from_slice(&octets[..room]);
        self.input.extend_from_slice(&octets[..room]);
        while !self.is_dead && self.take() {}
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed for Server {}

impl crate::wire::Stream for Server {}

impl Private for Server {
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }
}

/// What may be known of a message, and how the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Delivered(Exit),
    NotDelivered(Exit),
    InDoubt,
}

/// What follows from what was said and what had left.
fn expected(seen: &Seen, has_left: bool, is_bdat: bool, demand: Demand) -> Outcome {
    let refused = |reply: &str, lasting| match &reply[..1] {
        "4" => Some(Outcome::NotDelivered(Exit::Later)),
        "5" => Some(Outcome::NotDelivered(lasting)),
        _ => None,
    };
    let mut replies = seen.replies.iter();
    let mail = replies.next();
    if let Some(outcome) = mail.and_then(|reply| refused(reply, Exit::Message)) {
        return outcome;
    }
    let recipients: Vec<_> = replies.by_ref().take(RECIPIENTS.len()).collect();
    if recipients.iter().any(|reply| reply.starts_with("421")) {
        // Everybody is to have it, and somebody never will.
        let is_hopeless =
            demand == Demand::All && recipients.iter().any(|reply| reply.starts_with('5'));
        return Outcome::NotDelivered(if is_hopeless { Exit::NoRecipient } else { Exit::Later });
    }
    let count = |digit| recipients.iter().filter(|reply| reply.starts_with(digit)).count();
    let (accepted, hopeless) = (count('2'), count('5'));
    let is_answered = recipients.len() == RECIPIENTS.len();
    let is_for_nobody = match demand {
        Demand::Any => is_answered && accepted == 0,
        Demand::All => is_answered && accepted < RECIPIENTS.len() || hopeless > 0,
    };
    if is_for_nobody {
        let is_hopeless = match demand {
            Demand::Any => hopeless == RECIPIENTS.len(),
            Demand::All => hopeless > 0,
        };
        return Outcome::NotDelivered(if is_hopeless { Exit::NoRecipient } else { Exit::Later });
    }
    let data = if is_bdat { None } else { replies.next() };
    if let Some(outcome) = data.and_then(|reply| refused(reply, Exit::Message)) {
        return outcome;
    }
    match replies.next() {
        Some(reply) => refused(reply, Exit::Message).unwrap_or(Outcome::Delivered(
            if accepted == RECIPIENTS.len() { Exit::Done } else { Exit::Partial },
        )),
        None if has_left => Outcome::InDoubt,
        None => Outcome::NotDelivered(Exit::Later),
    }
}

/// Sends the message, and compares what is said of it with what the server knows.
fn play(script: &Script, demand: Demand) -> (Outcome, Seen) {
    let seen = Rc::default();
    let server = Server::new(script, &seen);
    let mut submission = submission(&RECIPIENTS, demand);
    let outcome = converse(&mut submission, Box::new(server));
    let exit = submission.verdict(&outcome);
    let is_taken = outcome.as_ref().is_ok_and(|sent| sent.accepted.is_some());
    let found = match exit {
        Exit::InDoubt => Outcome::InDoubt,
        exit if is_taken => Outcome::Delivered(exit),
        exit => Outcome::NotDelivered(exit),
    };
    let seen = Rc::into_inner(seen).unwrap().into_inner();
    let is_bdat = script.offers.contains("CHUNKING") && demand == Demand::Any;
    let end: &[u8] = if is_bdat { b"\r\nhello\r\n" } else { b"\r\nhello\r\n.\r\n" };
    let has_left = seen.heard.windows(end.len()).any(|octets| octets == end);
    assert_eq!(found, expected(&seen, has_left, is_bdat, demand), "{script:?}, {demand:?}");
    // Whoever was refused is told so in the server's words, whatever became of the others.
    let recipients = outcome.iter().flat_map(|sent| &sent.recipients);
    let told: Vec<_> = recipients
        .filter_map(|(_, answer)| answer.as_ref().err())
        .map(ToString::to_string)
        .collect();
    let is_sender_refused = seen.replies.first().is_some_and(|reply| !reply.starts_with('2'));
    let refused = seen.replies.iter().skip(1).take(RECIPIENTS.len());
    let refused = refused.take_while(|reply| !is_sender_refused && !reply.starts_with("421"));
    let refused: Vec<_> = refused.filter(|reply| !reply.starts_with('2')).copied().collect();
    assert_eq!(told, refused, "{script:?}, {demand:?}");
    (found, seen)
}

/// Every way to answer, up to where the server ends it; of each command's, the first `most` and
/// none at all.
fn scripts(is_bdat: bool, is_short: bool) -> Vec<Vec<&'static str>> {
    let mut turns: Vec<&[&'static str]> = vec![&MAIL];
    turns.extend([&RCPT[..]; RECIPIENTS.len()]);
    turns.extend((!is_bdat).then_some(&DATA[..]));
    turns.push(&TEXT);
    let mut scripts = vec![Vec::new()];
    for turn in turns {
        let mut longer = Vec::new();
        for script in scripts {
            if script.last().is_some_and(|last: &&str| last.is_empty() || last.starts_with("421")) {
                longer.push(script);
                continue;
            }
            for (index, reply) in turn.iter().enumerate() {
                if !is_short || index < 2 || reply.is_empty() {
                    longer.push([&script[..], &[*reply]].concat());
                }
            }
        }
        scripts = longer;
    }
    scripts
}

#[test]
fn a_message_is_delivered_or_not_or_in_doubt_exactly_as_far_as_can_be_known() {
    let offers = ["", "250-PIPELINING\r\n", "250-PIPELINING\r\n250-CHUNKING\r\n"];
    let mut counts = [0; 3];
    let mut exits = std::collections::HashSet::new();
    for offers in offers {
        for demand in [Demand::Any, Demand::All] {
            let is_bdat = offers.contains("CHUNKING");
            if is_bdat && demand == Demand::All {
                // No message goes along then.
                continue;
            }
            let mut play = |replies: &[&'static str], last_said, last_heard| {
                let replies = replies.to_vec();
                let (found, seen) =
                    play(&Script { offers, replies, last_said, last_heard }, demand);
                exits.insert(found);
                match found {
                    Outcome::Delivered(_) => counts[0] += 1,
                    Outcome::NotDelivered(_) => counts[1] += 1,
                    Outcome::InDoubt => counts[2] += 1,
                }
                seen
            };
            // Every answer to every command,
            for replies in scripts(is_bdat, false) {
                play(&replies, usize::MAX, usize::MAX);
            }
            // and with some of them the end at every octet that is said or heard.
            let (mut said, mut heard) = (1, 0);
            for replies in scripts(is_bdat, true) {
                let whole = play(&replies, usize::MAX, usize::MAX);
                for last in said..whole.said {
                    play(&replies, last, usize::MAX);
                }
                for last in heard..whole.heard.len() {
                    play(&replies, usize::MAX, last);
                }
                // Up to here one is as the other.
                said = "220 hi\r\n250-mail.example\r\n250 AUTH PLAIN\r\n235 welcome\r\n".len();
                said += offers.len();
                heard = whole.heard.windows(5).position(|octets| octets == b"MAIL ").unwrap();
            }
        }
    }
    let [delivered, not_delivered, in_doubt] = counts;
    assert!(delivered > 50 && not_delivered > 10_000 && in_doubt > 100, "{counts:?}");
    let all = [Exit::Done, Exit::Partial].map(Outcome::Delivered).into_iter();
    let not = [Exit::Later, Exit::Message, Exit::NoRecipient].map(Outcome::NotDelivered);
    let all = all.chain(not).chain([Outcome::InDoubt]);
    assert_eq!(exits, all.collect());
    note(&format!(
        "send: {delivered} outcomes are delivered, {not_delivered} not delivered, {in_doubt} in doubt"
    ));
}

#[test]
fn a_conversation_is_over_after_a_chunk_that_was_not_taken() {
    const BDAT: &str = "250-PIPELINING\r\n250-CHUNKING\r\n";
    const DATA: &str = "250-PIPELINING\r\n";
    for (offers, replies, is_over) in [
        (BDAT, &["250 ok", "250 ok", "250 ok", "250 taken"][..], false),
        (BDAT, &["250 ok", "250 ok", "250 ok", "554 no"], true),
        (BDAT, &["250 ok", "550 no", "550 no", "503 for whom?"], true),
        (BDAT, &["550 no", "503 no", "503 no", "503 no"], true),
        (DATA, &["550 no", "503 no", "503 no", "503 no"], false),
        (DATA, &["250 ok", "250 ok", "250 ok", "354 go on", "554 no"], false),
        (DATA, &["250 ok", "250 ok", "250 ok", "354 go on", "421 bye"], true),
    ] {
        let (last_said, last_heard) = (usize::MAX, usize::MAX);
        let script = Script { offers, replies: replies.to_vec(), last_said, last_heard };
        let stream: Box<dyn Private> = Box::new(Server::new(&script, &Rc::default()));
        let mut submission = submission(&RECIPIENTS, Demand::Any);
        let session = Session::open(stream, submission.job.hello.clone(), None).unwrap();
        let attempts = submission.job.peer.source.attempts("ann", "mail.example", None).unwrap();
        let line = session.auth(attempts.map(|attempt| attempt.map_err(Error::from))).unwrap();
        let (_, line) = submission.submit(line);
        assert_eq!(line.is_none(), is_over, "{script:?}");
    }
}
