//! Several messages in one flight, against a server that says this or that to each command and dies at
//! any octet, and with an outbox whose disk fails or loses its power: what becomes of each message is
//! exactly what follows from what was said and what had left.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::store::disk::simulated::{Fault, Remains};
use crate::store::outbox::{self, Id, Outbox, OutboxState};

/// The messages of a flight.
const MESSAGES: usize = 3;

/// The commands of each: MAIL, RCPT, BDAT, RSET.
const COMMANDS: usize = 4;

/// What a server may say to each of them: accepted, refused permanently, refused for now, and that it
/// leaves.
const REPLIES: [[&str; 4]; COMMANDS] = [
    ["250 ok", "550 no", "451 later", "421 bye"],
    ["250 ok", "550 no", "450 later", "421 bye"],
    ["250 taken", "554 no", "452 later", "421 bye"],
    ["250 forgotten", "500 what?", "451 later", "421 bye"],
];

/// How a server goes on after its last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// What is sent to it fails.
    Refuses,
    /// What is sent to it goes where nobody reads it.
    Swallows,
}

/// What a server says after the login, and when it dies: where it has no reply, after so many octets of
/// its own, or of the client's.
#[derive(Clone, Debug)]
struct Script {
    replies: Vec<&'static str>,
    death: Death,
    last_said: usize,
    last_heard: usize,
    /// Whether a refused message is taken off the stream (RFC 3030 §2), or its lines are obeyed.
    is_swallowing: bool,
    /// Whether it closes the connection with 421 (RFC 5321 §3.8), or goes on.
    is_leaving: bool,
}

impl Script {
    fn good() -> Self {
        let replies = REPLIES.map(|replies| replies[0]).repeat(MESSAGES);
        Self {
            replies,
            death: Death::Refuses,
            last_said: usize::MAX,
            last_heard: usize::MAX,
            is_swallowing: true,
            is_leaving: true,
        }
    }
}

/// What was said to its end and heard after the login.
#[derive(Default)]
struct Seen {
    replies: Vec<&'static str>,
    said: usize,
    heard: Vec<u8>,
    /// The recipients that have their message.
    got: Vec<String>,
}

impl Seen {
    /// Whether all octets of this message had left.
    fn has_left(&self, message: usize) -> bool {
        let end = b"\r\nhello\r\n";
        self.heard.windows(end.len()).filter(|octets| octets == end).count() > message
    }
}

struct Scripted {
    script: Script,
    seen: Rc<RefCell<Seen>>,
    disk: Option<Simulated>,
    input: Vec<u8>,
    output: VecDeque<u8>,
    is_logged_in: bool,
    /// The octets of a message that is awaited.
    chunk: Option<usize>,
    recipients: Vec<String>,
    is_dead: bool,
}

impl Scripted {
    fn boxed(
        script: &Script,
        seen: &Rc<RefCell<Seen>>,
        disk: Option<&Simulated>,
    ) -> Box<dyn Private> {
        Box::new(Self {
            script: script.clone(),
            seen: Rc::clone(seen),
            disk: disk.cloned(),
            input: Vec::new(),
            output: b"220 hi\r\n".iter().copied().collect(),
            is_logged_in: false,
            chunk: None,
            recipients: Vec::new(),
            is_dead: false,
        })
    }

    /// Says it, as far as it lives to.
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
        let next = self.seen.borrow().replies.len();
        let Some(reply) = self.script.replies.get(next).copied() else {
            self.is_dead = true;
            return false;
        };
        if self.say(&format!("{reply}\r\n")) {
            self.seen.borrow_mut().replies.push(reply);
        }
        self.is_dead |= self.script.is_leaving && reply.starts_with("421");
        reply.starts_with('2')
    }

    /// Takes what is awaited off the input; false if it is not all there.
    fn take(&mut self) -> bool {
        let line_end = self.input.windows(2).position(|two| two == b"\r\n").map(|at| at + 2);
        let end = match self.chunk {
            Some(octets) => Some(octets).filter(|octets| self.input.len() >= *octets),
            None => line_end,
        };
        let Some(end) = end else { return false };
        let taken: Vec<u8> = self.input.drain(..end).collect();
        if self.chunk.take().is_some() {
            // Before its answer: whether that arrives is another matter.
            let next = self.script.replies.get(self.seen.borrow().replies.len());
            if next.is_none_or(|reply| reply.starts_with('2')) {
                for recipient in std::mem::take(&mut self.recipients) {
                    self.disk.iter().for_each(|disk| disk.note(&format!("got {recipient}")));
                    self.seen.borrow_mut().got.push(recipient);
                }
            }
            self.reply();
            return true;
        }
        let line = String::from_utf8(taken).unwrap();
        match line.split([' ', '\r']).next().unwrap() {
            "EHLO" => {
                let offers = "250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n";
                self.output.extend(format!("250-mail.example\r\n{offers}").as_bytes());
            }
            "AUTH" => {
                self.output.extend(b"235 welcome\r\n");
                self.is_logged_in = true;
                // What comes before counts for nothing.
                self.seen.borrow_mut().heard.clear();
            }
            "MAIL" => drop(self.reply()),
            "RSET" => {
                self.recipients.clear();
                self.reply();
            }
            "RCPT" => {
                let is_begun = self.seen.borrow().replies.last().is_some_and(|it| *it == "250 ok");
                if self.reply() && is_begun {
                    let name = line.trim_end().strip_prefix("RCPT TO:<").unwrap();
                    self.recipients.push(name.strip_suffix("@example.org>").unwrap().to_owned());
                }
            }
            "BDAT" => {
                let octets = line.split(' ').nth(1).unwrap().parse().unwrap();
                if self.script.is_swallowing || !self.recipients.is_empty() {
                    self.chunk = Some(octets);
                } else {
                    self.reply();
                }
            }
            "QUIT" => self.is_dead = true,
            // A line of a message.
            _ => drop(self.say("500 5.5.2 what?\r\n")),
        }
        true
    }
}

impl wire::Stream for Scripted {}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.is_dead || !self.output.is_empty(), "{:?}", self.script);
        self.output.read(buffer)
    }
}

impl Write for Scripted {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut room = octets.len();
        if self.is_logged_in {
            let heard = self.seen.borrow().heard.len();
            room = room.min(self.script.last_heard - heard);
        }
        let is_deaf = self.is_dead && self.script.death == Death::Refuses;
        if room == 0 || is_deaf {
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

impl Sealed for Scripted {}

impl Private for Scripted {
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }
}

/// What may be known of a message, and how its attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Delivered,
    NotDelivered(Exit),
    InDoubt,
}

/// Why nothing more is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The server said 421, and has not taken what is behind it.
    Farewell,
    /// The line was lost, or the replies are not to what was sent.
    Doubt,
}

/// What follows for each message from what was said and what had left.
fn expected(seen: &Seen) -> (Vec<Outcome>, Option<Loss>) {
    let refused = |reply: &str, lasting| match &reply[..1] {
        "4" => Some(Outcome::NotDelivered(Exit::Later)),
        "5" => Some(Outcome::NotDelivered(lasting)),
        _ => None,
    };
    let mut replies = seen.replies.iter();
    let mut loss = None;
    let mut outcomes = Vec::new();
    for message in 0..MESSAGES {
        let mut outcome = None;
        for lasting in [Exit::Message, Exit::NoRecipient, Exit::Message] {
            if loss.is_some() {
                break;
            }
            let Some(reply) = replies.next() else {
                loss = Some(Loss::Doubt);
                break;
            };
            if reply.starts_with("421") {
                loss = Some(Loss::Farewell);
            } else if *reply == "250 taken" && outcome.is_some() {
                loss = Some(Loss::Doubt);
            }
            let taken = || (*reply == "250 taken").then_some(Outcome::Delivered);
            outcome = outcome.or_else(|| refused(reply, lasting)).or_else(taken);
        }
        outcomes.push(outcome.unwrap_or(match loss {
            Some(Loss::Doubt) if seen.has_left(message) => Outcome::InDoubt,
            _ => Outcome::NotDelivered(Exit::Later),
        }));
        // The next reply is to RSET.
        if loss.is_none() && replies.next().is_none_or(|reply| !reply.starts_with('2')) {
            loss = Some(Loss::Doubt);
        }
    }
    (outcomes, loss)
}

/// A message for one recipient each.
fn flight() -> Vec<Submission> {
    let recipients = [["a@example.org"], ["b@example.org"], ["c@example.org"]];
    recipients.iter().map(|recipient| submission(recipient, RecipientPolicy::Any)).collect()
}

/// Sends the messages, and compares what is said of them with what the server knows.
fn play(script: &Script) -> (Vec<Outcome>, Seen) {
    let seen = Rc::default();
    let mut flight = flight();
    let session = log_in(&flight[0], Scripted::boxed(script, &seen, None));
    let Submitting { outcomes, session, has_failed } =
        Submission::submit_flight(&mut flight, session, &silent());
    assert!(!outcomes.is_empty(), "{script:?}");
    let mut found: Vec<_> = flight
        .iter()
        .zip(&outcomes)
        .map(|(submission, outcome)| match submission.attempt_exit(outcome) {
            Exit::InDoubt => Outcome::InDoubt,
            Exit::Done => Outcome::Delivered,
            // Replies that make no sense are a reason to try again, too.
            Exit::Protocol => Outcome::NotDelivered(Exit::Later),
            exit => Outcome::NotDelivered(exit),
        })
        .collect();
    // What was not reached is tried again.
    found.resize(MESSAGES, Outcome::NotDelivered(Exit::Later));
    let is_over = session.is_none();
    session.into_iter().for_each(Session::quit);
    let seen = Rc::into_inner(seen).unwrap().into_inner();
    if script.is_swallowing && script.is_leaving {
        let (expected, loss) = expected(&seen);
        assert_eq!(found, expected, "{script:?}");
        assert_eq!(is_over, loss.is_some(), "{script:?}");
        let in_doubt = found.iter().filter(|outcome| **outcome == Outcome::InDoubt).count();
        let is_wrong = seen
            .replies
            .iter()
            .enumerate()
            .any(|(index, reply)| index % COMMANDS == COMMANDS - 1 && !reply.starts_with('2'));
        assert!(
            has_failed || in_doubt < 2 && !(is_wrong && loss == Some(Loss::Doubt)),
            "{script:?}"
        );
    }
    // Whatever the replies were to, this is so.
    for (outcome, name) in found.iter().zip(["a", "b", "c"]) {
        let has = seen.got.iter().any(|got| got == name);
        match outcome {
            Outcome::Delivered => assert!(has, "{script:?}: {name} is lost"),
            Outcome::NotDelivered(_) => assert!(!has, "{script:?}: {name} would come twice"),
            Outcome::InDoubt => {}
        }
    }
    (found, seen)
}

/// Scripts with up to so many replies that are not good, or none at all in place of one.
fn scripts(most: usize) -> Vec<Script> {
    let mut all = vec![Script::good()];
    let mut from = 0;
    for _ in 0..most {
        let before = all.len();
        for index in from..before {
            let bad =
                |position: &usize| all[index].replies[*position] != REPLIES[position % COMMANDS][0];
            let first = (0..all[index].replies.len()).rev().find(bad).map_or(0, |last| last + 1);
            for position in first..all[index].replies.len() {
                for reply in &REPLIES[position % COMMANDS][1..] {
                    let mut script = all[index].clone();
                    script.replies[position] = reply;
                    all.push(script);
                }
                let mut script = all[index].clone();
                script.replies.truncate(position);
                all.push(script);
            }
        }
        from = before;
    }
    all
}

#[test]
fn of_several_messages_each_is_delivered_or_not_or_in_doubt_exactly_as_far_as_can_be_known() {
    let (mut flights, mut counts) = (0, [0; 3]);
    let mut play = |script: &Script| {
        let (found, seen) = play(script);
        flights += 1;
        for outcome in found {
            counts[match outcome {
                Outcome::Delivered => 0,
                Outcome::NotDelivered(_) => 1,
                Outcome::InDoubt => 2,
            }] += 1;
        }
        seen
    };
    let few = scripts(1).len();
    for (index, script) in scripts(2).into_iter().enumerate() {
        for death in [Death::Refuses, Death::Swallows] {
            let script = Script { death, ..script.clone() };
            let whole = play(&script);
            // Each octet with some scripts, and each script with some octets.
            let (said, heard) = if index < few { (1, 3) } else { (15, 61) };
            for last_said in (0..=whole.said).skip(index % said).step_by(said) {
                play(&Script { last_said, ..script.clone() });
            }
            for last_heard in (0..whole.heard.len()).skip(index % heard).step_by(heard) {
                play(&Script { last_heard, ..script.clone() });
            }
        }
    }
    let [delivered, not_delivered, in_doubt] = counts;
    assert!(flights > 30_000 && in_doubt > 5_000, "{flights}, {in_doubt}");
    note(&format!(
        "send: {flights} flights of {MESSAGES} messages, cut at any octet: {delivered} are delivered, \
         {not_delivered} not delivered, {in_doubt} in doubt"
    ));
}

#[test]
fn a_server_that_obeys_the_lines_of_a_refused_message_is_not_believed() {
    let mut out_of_step = 0;
    for mut script in scripts(2) {
        script.is_swallowing = false;
        let (found, _) = play(&script);
        out_of_step += usize::from(found.contains(&Outcome::InDoubt));
    }
    assert!(out_of_step > 100, "{out_of_step}");
}

#[test]
fn a_server_that_says_421_and_goes_on_is_believed_by_its_replies() {
    let mut delivered_behind = 0;
    for mut script in scripts(2) {
        script.is_leaving = false;
        let (found, seen) = play(&script);
        let farewell = seen.replies.iter().position(|reply| reply.starts_with("421"));
        let behind = farewell.map_or(MESSAGES, |at| at / COMMANDS + 1);
        let behind = found.iter().skip(behind);
        delivered_behind += behind.filter(|outcome| **outcome == Outcome::Delivered).count();
    }
    assert!(delivered_behind > 20, "{delivered_behind}");
}

/// Messages that wait for one recipient each, and the disk that they wait on.
struct Waiting {
    dir: tempfile::TempDir,
    disk: Simulated,
}

/// What a run came to.
struct Ended {
    seen: Seen,
    steps: usize,
}

const NAMES: [&str; MESSAGES] = ["a", "b", "c"];

impl Waiting {
    fn new(lie: Option<&'static str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Simulated::new(dir.path());
        let this = Self { dir, disk };
        for (submission, number) in flight().iter_mut().zip(1..) {
            submission.job.account = Some("home".to_owned());
            submission.job.run_id.random = number << 32;
            assert!(submission.enqueue(&this.outbox(), PathBuf::from("/config")).is_ok());
        }
        this.disk.settle();
        if let Some(kind) = lie {
            this.disk.lie_about(kind);
        }
        this
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(self.disk.clone()), &self.dir.path().join("outbox"))
    }

    /// Sends what waits in one flight, on a disk that fails as it is told.
    fn flush(&self, script: &Script, fault: Fault) -> Ended {
        self.disk.arm(fault);
        let seen = Rc::default();
        // What the disk refused, the next run makes good.
        drop(self.flush_on(script, &seen));
        let steps = self.disk.steps();
        self.disk.arm(Fault::None);
        Ended { seen: Rc::into_inner(seen).unwrap().into_inner(), steps }
    }

    fn flush_on(&self, script: &Script, seen: &Rc<RefCell<Seen>>) -> Result<(), Error> {
        let mut flight = Vec::new();
        for number in 1..=u64::try_from(MESSAGES).unwrap() {
            let held = match self.outbox().hold(&Id::at(1, number << 32)) {
                Err(outbox::Error::Unknown(_)) => continue,
                held => held?,
            };
            if held.record().is_finished() {
                close(held)?;
                continue;
            }
            let mut job = submission(&["a@example.org"], RecipientPolicy::Any).job;
            job.account = Some("home".to_owned());
            let mut submission = Submission::queued(job, held)?;
            submission.begin()?;
            flight.push(submission);
        }
        let Some(first) = flight.first() else { return Ok(()) };
        let session = log_in(first, Scripted::boxed(script, seen, Some(&self.disk)));
        let AttemptedFlight { attempted, session, .. } =
            Submission::attempt_flight(&mut flight, session, Attempt::Further, None, &silent());
        session.into_iter().for_each(Session::quit);
        let rest = flight.split_off(attempted.len());
        let put_back = rest.into_iter().map(|mut submission| submission.put_back());
        let ends: Vec<_> =
            put_back.chain(attempted.into_iter().map(|it| it.disposition.map(drop))).collect();
        ends.into_iter().collect()
    }

    /// Which messages wait for a recipient, and whether they are marked; and which failed.
    fn listed(&self) -> (HashMap<&'static str, bool>, Vec<&'static str>) {
        let (mut waiting, mut failed) = (HashMap::new(), Vec::new());
        for listed in self.outbox().list().unwrap() {
            let record = listed.record.unwrap();
            let recipient = record.order.recipients[0].as_str();
            let name = *NAMES.iter().find(|name| recipient.starts_with(**name)).unwrap();
            match listed.place {
                // Only to be removed by the next run.
                OutboxState::Waiting if record.is_finished() => {}
                OutboxState::Waiting => drop(waiting.insert(name, record.may_be_duplicate())),
                OutboxState::Failed => failed.push(name),
            }
        }
        (waiting, failed)
    }

    /// What is wrong with what the next run makes of what is there, after such notes.
    fn fault(&self, notes: &[String]) -> Option<&'static str> {
        let (waiting, _) = self.listed();
        self.flush(&Script::good(), Fault::None);
        let (_, failed) = self.listed();
        if self.outbox().list().unwrap().len() > failed.len() {
            return Some("a message waits for ever");
        }
        for name in NAMES {
            let note = format!("got {name}");
            let got = |notes: &[String]| notes.contains(&note);
            match (got(notes), got(&self.disk.notes()), waiting.get(name)) {
                (false, false, _) if !failed.contains(&name) => return Some("a message is lost"),
                (true, true, Some(false)) => return Some("a message is doubled"),
                _ => {}
            }
        }
        None
    }

    /// The same for what a power cut may leave at any moment so far.
    fn faults_of_power_cuts(&mut self, bound: usize) -> Vec<Option<&'static str>> {
        let mut faults = Vec::new();
        for Remains { disk, notes } in self.disk.remains(bound) {
            self.disk = disk;
            faults.push(self.fault(&notes));
        }
        faults
    }
}

/// Scripts for the outbox: all good, one refused in the middle, RSET refused, 421, and the end.
fn few_scripts() -> Vec<Script> {
    let mut all = vec![Script::good()];
    for (position, reply) in [(5, "550 no"), (6, "452 later"), (3, "500 what?"), (5, "421 bye")] {
        let mut script = Script::good();
        script.replies[position] = reply;
        all.push(script);
    }
    for length in 0..COMMANDS * MESSAGES {
        let mut script = Script { death: Death::Swallows, ..Script::good() };
        script.replies.truncate(length);
        all.push(script);
    }
    all
}

#[test]
fn whatever_the_disk_refuses_each_message_of_a_flight_is_sent_waits_or_is_marked() {
    let (mut cases, mut killed, mut in_doubt) = (0, 0, 0);
    let mut play = |script: &Script, fault| {
        let world = Waiting::new(None);
        let ended = world.flush(script, fault);
        let case = format!("{script:?}, {fault:?}");
        let (waiting, _) = world.listed();
        let (outcomes, _) = expected(&ended.seen);
        for (message, name) in NAMES.iter().enumerate() {
            let is_marked = waiting.get(name).copied();
            let has = ended.seen.got.iter().any(|got| got == name);
            assert!(!(has && is_marked == Some(false)), "{case}: {name} has it and is not marked");
            if fault == Fault::None {
                // Exactly what is in doubt is marked.
                let is_in_doubt = outcomes[message] == Outcome::InDoubt;
                assert_eq!(is_marked == Some(true), is_in_doubt, "{case}: {name}");
            }
            in_doubt += usize::from(is_marked == Some(true));
        }
        let notes = world.disk.notes();
        world.disk.settle();
        assert_eq!(world.fault(&notes), None, "{case}: {notes:?}");
        (cases, killed) = (cases + 1, killed + usize::from(matches!(fault, Fault::From(_))));
        ended
    };
    for (turn, script) in few_scripts().iter().enumerate() {
        let whole = play(script, Fault::None);
        for step in 0..whole.steps + 4 {
            let error = [28, 5, 30, 122][(step + turn) % 4];
            play(script, Fault::From(step));
            play(script, Fault::Once(step, error));
            play(script, Fault::Stays(step, error));
        }
        for last_said in (0..=whole.seen.said).skip(turn % 4).step_by(4) {
            play(&Script { last_said, ..script.clone() }, Fault::None);
        }
        for last_heard in (0..whole.seen.heard.len()).skip(turn % 7).step_by(7) {
            play(&Script { last_heard, ..script.clone() }, Fault::None);
        }
    }
    assert!(cases > 3_000 && in_doubt > 500, "{cases}, {in_doubt}");
    note(&format!(
        "outbox: {cases} ways for a server and a disk to fail in a flight of {MESSAGES} messages, {killed} of \
         them kills, in doubt {in_doubt} times"
    ));
}

#[test]
fn whenever_the_power_is_cut_each_message_of_a_flight_is_sent_once_or_marked() {
    let mut cases = 0;
    for script in few_scripts() {
        let mut world = Waiting::new(None);
        world.flush(&script, Fault::None);
        for fault in world.faults_of_power_cuts(12) {
            assert_eq!(fault, None, "{script:?}");
            cases += 1;
        }
    }
    assert!(cases > 1_000, "{cases}");
    note(&format!("outbox: {cases} disks that a power cut may leave of flights"));
    // Without the sync of the marks it is not so.
    let mut script = Script { death: Death::Swallows, ..Script::good() };
    script.replies.truncate(2);
    let mut world = Waiting::new(Some("journal"));
    world.flush(&script, Fault::None);
    assert!(world.faults_of_power_cuts(64).contains(&Some("a message is doubled")));
}

#[test]
fn a_flight_takes_one_sync_for_each_mark_and_one_for_all_that_were_sent() {
    let world = Waiting::new(None);
    let ended = world.flush(&Script::good(), Fault::None);
    assert_eq!(ended.seen.got.len(), MESSAGES);
    assert_eq!(world.disk.syncs(), (MESSAGES, 1));
    assert!(world.outbox().list().unwrap().is_empty());
}

#[test]
fn what_was_answered_is_durable_before_a_fallback_is_tried() {
    let world = Waiting::new(None);
    let mut job = submission(&["a@example.org"], RecipientPolicy::Any).job;
    job.account = Some("home".to_owned());
    job.fallback = Some(Box::new(job.clone()));
    let ids = (1..=u64::try_from(MESSAGES).unwrap()).map(|number| Id::at(1, number << 32));
    let queued = |id| Submission::queued(job.clone(), world.outbox().hold(&id).unwrap()).unwrap();
    let mut flight: Vec<_> = ids.map(queued).collect();
    // The second message is to wait.
    let mut script = Script::good();
    script.replies[COMMANDS + 2] = "452 later";
    let session = log_in(&flight[0], Scripted::boxed(&script, &Rc::default(), Some(&world.disk)));
    let durable = Cell::new(None);
    let login = |_: &Submission| {
        let outbox = Outbox::new(Arc::new(world.disk.for_sure()), world.outbox().root());
        let listed = outbox.list().unwrap();
        let answered = listed.iter().filter(|listed| listed.record.as_ref().unwrap().is_sent());
        durable.set(Some(answered.count()));
        Err(Error::NobodyNamed)
    };
    let (report, stop) = (silent(), Stop::default());
    let mut fallback = Fallback::with_login("queue", &report, &stop, Box::new(login));
    let AttemptedFlight { session, .. } = Submission::attempt_flight(
        &mut flight,
        session,
        Attempt::Further,
        Some(&mut fallback),
        &report,
    );
    session.into_iter().for_each(Session::quit);
    assert_eq!(durable.get(), Some(MESSAGES - 1));
}

#[test]
fn a_flight_that_failed_is_remembered_for_thirty_days() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = submission(&["a@example.org"], RecipientPolicy::Any).job;
    job.server = Some(dir.path().join("server/mail.example+465"));
    job.run_id.seconds = 1_800_000_000;
    assert!(takes_flights(&job));
    server::failed(&job, Feature::Flights);
    server::failed(&job, Feature::Chunking);
    for (seconds, takes) in [(0, false), (29 * 24 * 3600, false), (30 * 24 * 3600, true)] {
        let mut later = job.clone();
        later.run_id.seconds += seconds;
        assert_eq!(takes_flights(&later), takes, "{seconds}");
        assert_eq!(server::can(&later, Feature::Chunking), takes, "{seconds}");
    }
    // A clock that was wrong.
    job.run_id.seconds -= 1;
    assert!(takes_flights(&job));
}
