//! A server that says this or that to each command, dies at any octet, and knows what the client can
//! know: what became of the message is exactly what follows from that.

use super::*;

/// What a server is asked, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Greeting,
    Ehlo,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Message,
}

impl Turn {
    /// What it may say to this: accepted, refused permanently, refused for now, and that it leaves.
    fn replies(self) -> [&'static str; 4] {
        match self {
            Self::Greeting => ["220 hi", "554 no", "450 later", "421 bye"],
            Self::Ehlo => ["250", "550 no", "451 later", "421 bye"],
            Self::Starttls => ["220 go", "502 no", "454 later", "421 bye"],
            Self::Auth => ["235 welcome", "535 no", "454 later", "421 bye"],
            Self::Mail => ["250 ok", "550 no", "451 later", "421 bye"],
            Self::Rcpt => ["250 ok", "550 no", "450 later", "421 bye"],
            Self::Data => ["354 go on", "554 no", "451 later", "421 bye"],
            Self::Message => ["250 taken", "554 no", "452 later", "421 bye"],
        }
    }
}

const RECIPIENTS: [&str; 2] = ["bob@example.org", "eve@example.org"];

/// What a server says, and when it dies: where it has no reply, after so many octets of its own, or
/// of the client's.
#[derive(Clone, Debug)]
struct Script {
    tls: Tls,
    offers: &'static str,
    replies: Vec<&'static str>,
    last_said: usize,
    last_heard: usize,
}

impl Script {
    fn new(tls: Tls, offers: &'static str, replies: Vec<&'static str>) -> Self {
        Self { tls, offers, replies, last_said: usize::MAX, last_heard: usize::MAX }
    }
}

/// What came of it.
#[derive(Default)]
struct Seen {
    said: usize,
    heard: Vec<u8>,
    /// Octets of what was heard that were obeyed.
    obeyed: usize,
    /// The replies that were said to their ends.
    replies: Vec<(Turn, &'static str)>,
    /// What there was no reply to.
    unanswered: Option<Turn>,
}

impl Seen {
    /// What was said to this, to the end.
    fn replies_to(&self, turn: Turn) -> impl Iterator<Item = &'static str> {
        self.replies.iter().filter(move |(asked, _)| *asked == turn).map(|(_, reply)| *reply)
    }
}

struct Server {
    script: Script,
    seen: Rc<RefCell<Seen>>,
    input: Vec<u8>,
    output: VecDeque<u8>,
    awaited: Awaited,
    turn: usize,
    is_secure: bool,
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
            is_secure: script.tls != Tls::Starttls,
            is_dead: false,
        };
        server.reply(Turn::Greeting);
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
    fn reply(&mut self, turn: Turn) -> bool {
        let Some(reply) = self.script.replies.get(self.turn).copied() else {
            self.seen.borrow_mut().unanswered = Some(turn);
            self.is_dead = true;
            return false;
        };
        self.turn += 1;
        let text = match (turn, self.is_secure) {
            (Turn::Ehlo, _) if reply != "250" => format!("{reply}\r\n"),
            (Turn::Ehlo, false) => "250-mail.example\r\n250 STARTTLS\r\n".to_owned(),
            (Turn::Ehlo, true) => {
                format!("250-mail.example\r\n{}250 AUTH PLAIN\r\n", self.script.offers)
            }
            _ => format!("{reply}\r\n"),
        };
        if self.say(&text) {
            self.seen.borrow_mut().replies.push((turn, reply));
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
        self.seen.borrow_mut().obeyed += end;
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Command);
        let line = String::from_utf8(taken).unwrap();
        match (awaited, line.split(' ').next().unwrap_or_default().trim_end()) {
            (Awaited::Text | Awaited::Octets(_), _) => drop(self.reply(Turn::Message)),
            (Awaited::Command, "EHLO") => drop(self.reply(Turn::Ehlo)),
            (Awaited::Command, "STARTTLS") => self.is_secure |= self.reply(Turn::Starttls),
            (Awaited::Command, "AUTH") => drop(self.reply(Turn::Auth)),
            (Awaited::Command, "MAIL") => drop(self.reply(Turn::Mail)),
            (Awaited::Command, "RCPT") => drop(self.reply(Turn::Rcpt)),
            (Awaited::Command, "BDAT") => {
                let octets = line.split(' ').nth(1).unwrap().parse().unwrap();
                self.awaited = Awaited::Octets(octets);
            }
            (Awaited::Command, "DATA") => {
                if self.reply(Turn::Data) {
                    self.awaited = Awaited::Text;
                }
            }
            (Awaited::Command, "QUIT") => self.is_dead = true,
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

impl wire::Stream for Server {}

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
fn expected(seen: &Seen, has_left: bool, demand: RecipientPolicy) -> Outcome {
    let refused = |reply: &str, lasting| match &reply[..1] {
        "4" => Some(Outcome::NotDelivered(Exit::Later)),
        "5" => Some(Outcome::NotDelivered(lasting)),
        _ => None,
    };
    let refusal_of =
        |turn, lasting| seen.replies_to(turn).find_map(|reply| refused(reply, lasting));
    for (turn, lasting) in [
        (Turn::Greeting, Exit::Missing),
        (Turn::Ehlo, Exit::Missing),
        (Turn::Starttls, Exit::Missing),
        (Turn::Auth, Exit::Denied),
        (Turn::Mail, Exit::Message),
    ] {
        if let Some(outcome) = refusal_of(turn, lasting) {
            return outcome;
        }
    }
    let recipients: Vec<_> = seen.replies_to(Turn::Rcpt).collect();
    if recipients.iter().any(|reply| reply.starts_with("421")) {
        // Everybody is to have it, and somebody never will.
        let is_hopeless =
            demand == RecipientPolicy::All && recipients.iter().any(|reply| reply.starts_with('5'));
        return Outcome::NotDelivered(if is_hopeless { Exit::NoRecipient } else { Exit::Later });
    }
    let count = |digit| recipients.iter().filter(|reply| reply.starts_with(digit)).count();
    let (accepted, hopeless) = (count('2'), count('5'));
    let is_answered = recipients.len() == RECIPIENTS.len();
    let is_for_nobody = match demand {
        RecipientPolicy::Any => is_answered && accepted == 0,
        RecipientPolicy::All => is_answered && accepted < RECIPIENTS.len() || hopeless > 0,
    };
    if is_for_nobody {
        let is_hopeless = match demand {
            RecipientPolicy::Any => hopeless == RECIPIENTS.len(),
            RecipientPolicy::All => hopeless > 0,
        };
        return Outcome::NotDelivered(if is_hopeless { Exit::NoRecipient } else { Exit::Later });
    }
    if let Some(outcome) = refusal_of(Turn::Data, Exit::Message) {
        return outcome;
    }
    match seen.replies_to(Turn::Message).next() {
        Some(reply) => refused(reply, Exit::Message).unwrap_or(Outcome::Delivered(
            if accepted == RECIPIENTS.len() { Exit::Done } else { Exit::Partial },
        )),
        None if has_left => Outcome::InDoubt,
        None => Outcome::NotDelivered(Exit::Later),
    }
}

/// Sends the message, and compares what is said of it with what the server knows.
fn play(script: &Script, demand: RecipientPolicy) -> (Outcome, Seen) {
    let seen = Rc::default();
    let server = Server::new(script, &seen);
    let mut submission = submission(&RECIPIENTS, demand);
    submission.job.peer.tls = script.tls;
    let outcome = converse(&mut submission, Box::new(server));
    let exit = submission.attempt_exit(&outcome);
    let is_taken = outcome.as_ref().is_ok_and(|sent| sent.accepted.is_some());
    let found = match exit {
        Exit::InDoubt => Outcome::InDoubt,
        exit if is_taken => Outcome::Delivered(exit),
        exit => Outcome::NotDelivered(exit),
    };
    let seen = Rc::into_inner(seen).unwrap().into_inner();
    let is_bdat = script.offers.contains("CHUNKING") && demand == RecipientPolicy::Any;
    let end: &[u8] = if is_bdat { b"\r\nhello\r\n" } else { b"\r\nhello\r\n.\r\n" };
    let has_left = seen.heard.windows(end.len()).any(|octets| octets == end);
    assert_eq!(found, expected(&seen, has_left, demand), "{script:?}, {demand:?}");
    // Whoever was refused is told so in the server's words, whatever became of the others.
    let recipients = outcome.iter().flat_map(|sent| &sent.recipients);
    let told: Vec<_> = recipients
        .filter_map(|(_, answer)| answer.as_ref().err())
        .map(ToString::to_string)
        .collect();
    let is_sender_refused = seen.replies_to(Turn::Mail).any(|reply| !reply.starts_with('2'));
    let refused = seen.replies_to(Turn::Rcpt);
    let refused = refused.take_while(|reply| !is_sender_refused && !reply.starts_with("421"));
    let refused: Vec<_> = refused.filter(|reply| !reply.starts_with('2')).collect();
    assert_eq!(told, refused, "{script:?}, {demand:?}");
    (found, seen)
}

/// What the runs of a sweep came to.
#[derive(Default)]
struct Sweep {
    conversations: usize,
    delivered: usize,
    not_delivered: usize,
    in_doubt: usize,
    /// What was played to its end, by what it came to.
    outcomes: std::collections::HashSet<Outcome>,
}

impl Sweep {
    fn play(&mut self, script: &Script, demand: RecipientPolicy) -> Seen {
        let (found, seen) = play(script, demand);
        self.outcomes.insert(found);
        *match found {
            Outcome::Delivered(_) => &mut self.delivered,
            Outcome::NotDelivered(_) => &mut self.not_delivered,
            Outcome::InDoubt => &mut self.in_doubt,
        } += 1;
        seen
    }

    /// Every answer to every command that follows these replies, the end in place of each, and the
    /// end at every octet of what is said and heard from the last of them on. What comes before
    /// `said` and `heard` octets is in the conversations that are shorter by a reply.
    fn conversations(
        &mut self,
        script: &Script,
        demand: RecipientPolicy,
        said: usize,
        heard: usize,
    ) {
        self.conversations += 1;
        let whole = self.play(script, demand);
        for last_said in said + 1..=whole.said {
            self.play(&Script { last_said, ..script.clone() }, demand);
        }
        for last_heard in heard..whole.heard.len() {
            self.play(&Script { last_heard, ..script.clone() }, demand);
        }
        for reply in whole.unanswered.into_iter().flat_map(Turn::replies) {
            let mut longer = script.clone();
            longer.replies.push(reply);
            self.conversations(&longer, demand, whole.said, whole.obeyed);
        }
    }
}

#[test]
fn a_message_is_delivered_or_not_or_in_doubt_exactly_as_far_as_can_be_known() {
    const BDAT: &str = "250-PIPELINING\r\n250-CHUNKING\r\n";
    const DATA: &str = "250-PIPELINING\r\n";
    let mut sweep = Sweep::default();
    for (tls, offers, demand) in [
        (Tls::Implicit, "", RecipientPolicy::Any),
        (Tls::Implicit, "", RecipientPolicy::All),
        (Tls::Implicit, DATA, RecipientPolicy::Any),
        (Tls::Implicit, DATA, RecipientPolicy::All),
        // No message goes along where it is for all or nobody.
        (Tls::Starttls, BDAT, RecipientPolicy::Any),
    ] {
        sweep.conversations(&Script::new(tls, offers, Vec::new()), demand, 0, 0);
    }
    let Sweep { conversations, delivered, not_delivered, in_doubt, outcomes } = sweep;
    assert!(delivered > 100 && not_delivered > 10_000 && in_doubt > 500, "{delivered}, {in_doubt}");
    let all = [Exit::Done, Exit::Partial].map(Outcome::Delivered).into_iter();
    let not = [Exit::Later, Exit::Message, Exit::NoRecipient, Exit::Missing, Exit::Denied];
    let all = all.chain(not.map(Outcome::NotDelivered)).chain([Outcome::InDoubt]);
    assert_eq!(outcomes, all.collect());
    note(&format!(
        "send: {conversations} conversations, cut at every octet: {delivered} are delivered, \
         {not_delivered} not delivered, {in_doubt} in doubt"
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
        let replies = [&["220 hi", "250", "235 welcome"], replies].concat();
        let script = Script::new(Tls::Implicit, offers, replies);
        let stream: Box<dyn Private> = Box::new(Server::new(&script, &Rc::default()));
        let mut submission = submission(&RECIPIENTS, RecipientPolicy::Any);
        let session = Session::open(stream, submission.job.ehlo_name.clone(), None).unwrap();
        let attempts = submission
            .job
            .peer
            .source
            .attempts("ann", "mail.example", None, &crate::password::Run::default())
            .unwrap();
        let line = session.auth(attempts.map(|attempt| attempt.map_err(Error::from))).unwrap();
        let (_, line) = submission.submit_over(Ok(line), &silent());
        assert_eq!(line.is_none(), is_over, "{script:?}");
    }
}
