//! A fetch against a server and a disk in memory: either may die at any octet and at any step,
//! and the power may be cut.

mod poison;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::RngSeed;

use super::*;
use crate::cli;
use crate::config::Keep;
use crate::net::Bounds;
use crate::password::Source;
use crate::run_id::RunId;
use crate::sasl::{Credentials, Key};
use crate::settings::Peer;
use crate::store::Destination;
use crate::store::disk::Disk;
use crate::store::disk::simulated::{Fault, Remains, Simulated};
use crate::text::Secret;
use crate::tls::Trust;
use crate::wire::random_peer::{RandomPeer, babble};
use crate::wire::sealed::Sealed;
use std::collections::VecDeque;

/// The errors a disk may answer: no space left, input/output error, read-only, over quota.
const FAILURES: [i32; 4] = [28, 5, 30, 122];

/// The time of the first run; later runs are a little later.
const START: u64 = limits::EARLIEST + 1_000_000;

/// A message.
#[derive(Clone)]
struct Message {
    uid: String,
    /// The message as the server sends it.
    sent: String,
    /// The message as it is in the Maildir.
    text: Vec<u8>,
}

impl Message {
    fn new(uid: &str, sent: &str, text: &str) -> Self {
        Self { uid: uid.to_owned(), sent: sent.to_owned(), text: text.as_bytes().to_vec() }
    }
}

fn three() -> Vec<Message> {
    vec![
        Message::new("a", "Subject: 1\r\n\r\n..\r\n...two\r\n", "Subject: 1\n\n.\n..two\n"),
        Message::new("b", "\r\nb\r\n", "\nb\n"),
        Message::new("../c", "c:\r\n", "c:\n"),
    ]
}

/// A mailbox on a server, and what its owner has on the disk.
struct Fixture {
    dir: Arc<tempfile::TempDir>,
    /// The directory of its state.
    state: &'static str,
    disk: Simulated,
    messages: Vec<Message>,
    mailbox: Arc<Mutex<Mailbox>>,
    keep: Keep,
    /// True if the server has no unique-ids.
    is_nameless: bool,
}

/// The server's maildrop.
#[derive(Clone, Default)]
struct Mailbox {
    messages: Vec<Message>,
    /// The messages deleted before they were durable.
    rash: Vec<String>,
    /// What was deleted.
    gone: Vec<Message>,
}

impl Mailbox {
    fn of(messages: &[Message]) -> Self {
        Self { messages: messages.to_vec(), ..Self::default() }
    }
}

/// How a server talks, and how many messages are made safe together.
#[derive(Clone, Copy, Debug)]
struct ServerBehaviour {
    batch: usize,
    /// Octets that can be read at a time.
    chunk: usize,
    is_pipelining: bool,
    /// Octets after which it is dead.
    last: usize,
}

const FLUENT: ServerBehaviour =
    ServerBehaviour { batch: 3, chunk: usize::MAX, is_pipelining: true, last: usize::MAX };

/// The result of a run: messages or an error, octets received, and disk operations.
struct Ended {
    outcome: Result<usize, Error>,
    octets: usize,
    /// Steps before the server was asked.
    steps_before: usize,
    steps: usize,
}

impl Fixture {
    fn new(keep: Keep, messages: Vec<Message>) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let disk = Simulated::new(dir.path());
        disk.give_up_what_cannot_be_synced();
        let mailbox = Arc::new(Mutex::new(Mailbox::of(&messages)));
        Self { dir, state: "state", disk, messages, mailbox, keep, is_nameless: false }
    }

    /// The ways to fetch: unique-ids are needed where messages stay.
    fn all() -> [Self; 3] {
        [(Keep::Forever, false), (Keep::Days(0), false), (Keep::Days(0), true)]
            .map(|(keep, is_nameless)| Self { is_nameless, ..Self::new(keep, three()) })
    }

    /// Back to the beginning.
    fn renew(&mut self) {
        self.disk = Simulated::new(self.dir.path());
        self.disk.give_up_what_cannot_be_synced();
        *self.mailbox.lock().unwrap() = Mailbox::of(&self.messages);
    }

    fn maildir(&self) -> PathBuf {
        self.dir.path().join("Mail")
    }

    fn new_dir(&self) -> PathBuf {
        self.maildir().join("new")
    }

    fn job(&self, seconds: u64) -> FetchJob {
        FetchJob {
            account: None,
            peer: Peer {
                host: "pop.example".parse().unwrap(),
                port: 995,
                side: crate::settings::Side::Fetch,
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
            destination: Destination::Maildir(self.maildir()),
            after_fetch: None,
            keep: self.keep,
            max_size: None,
            limit: None,
            all: false,
            repeat: false,
            dry_run: false,
            note_only: false,
            patience: None,
            log_file: None,
            mailbox: "ann@pop.example".to_owned(),
            state: self.dir.path().join(self.state),
            server: self.dir.path().join("server"),
            run_id: RunId {
                seconds,
                pid: 1,
                host: "here".to_owned(),
                random: seconds,
                fraction: 0,
            },
        }
    }

    /// Runs one fetch on a disk with a fault.
    fn fetch(&self, seconds: u64, manner: ServerBehaviour, fault: Fault) -> Ended {
        let (job, said) = (self.job(seconds), Arc::new(Mutex::new(0)));
        self.disk.arm(fault);
        let mut steps_before = 0;
        let outcome = self.opened(&job).and_then(|mut store| {
            steps_before = self.disk.steps();
            let server =
                || -> Box<dyn Private> { Box::new(Server::new(self, manner, Arc::clone(&said))) };
            converse(&job, &mut store, manner.batch, server)
        });
        let octets = *said.lock().unwrap();
        Ended { outcome, octets, steps_before, steps: self.disk.steps() }
    }

    fn opened(&self, job: &FetchJob) -> Result<Store, Error> {
        Ok(Store::create(Arc::new(self.disk.clone()), store_options(job))?)
    }

    /// A run that nothing disturbs.
    fn fetch_well(&self, seconds: u64) -> usize {
        self.fetch(seconds, FLUENT, Fault::None).outcome.unwrap()
    }

    /// Checks the invariants that hold at all times: every delivered file is a whole message, and
    /// every deleted message is durable.
    fn check(&self, case: &Case) {
        let keep = self.keep;
        for found in self.disk.contents(&self.new_dir()) {
            let is_whole = self.messages.iter().any(|message| message.text == found);
            assert!(is_whole, "{case:?}, {keep:?}: {}", String::from_utf8_lossy(&found));
        }
        assert_eq!(self.mailbox.lock().unwrap().rash, Vec::<String>::new(), "{case:?}, {keep:?}");
    }

    /// Checks the end of an uninterrupted run: every message is delivered once, and on the server
    /// as configured.
    fn check_end(&self, case: &Case) {
        let keep = self.keep;
        let mut expected: Vec<_> = self.messages.iter().map(|message| &message.text).collect();
        expected.sort();
        let found = self.disk.contents(&self.new_dir());
        if found.iter().collect::<Vec<_>>() != expected {
            let found = found.iter().map(|text| String::from_utf8_lossy(text));
            panic!("{case:?}, {keep:?}: found {:?}", found.collect::<Vec<_>>());
        }
        assert!(self.disk.contents(&self.maildir().join("tmp")).is_empty(), "{case:?}, {keep:?}");
        let left = self.mailbox.lock().unwrap().messages.len();
        let wanted = if keep == Keep::Forever { self.messages.len() } else { 0 };
        assert_eq!(left, wanted, "{case:?}, {keep:?}: on the server");
        self.check(case);
    }
}

/// From the greeting to the end of the last session, on streams that somebody else makes.
fn converse(
    job: &FetchJob,
    store: &mut Store,
    batch: usize,
    mut stream: impl FnMut() -> Box<dyn Private>,
) -> Result<usize, Error> {
    let mut log_in = || {
        let session = Session::open(stream(), None, Approach::cautious())?;
        session.login::<Error>([Ok(ann())], Prefetch::Uids, &mut Vec::new())
    };
    let session = log_in()?;
    let global = cli::Global { quiet: true, ..cli::Global::default() };
    let (report, stop) = (Report::new(&global), Stop::default());
    let context = FetchContext { report: &report, stop: &stop, accounts: 1, batch };
    let (mut run, mut server) = (Run::new(job, &context), server::Server::recall(job));
    run.take_over(store);
    store.prepare()?;
    if run.session(session, store, &mut server)? == Left::Suspects {
        run.is_for_suspects = true;
        run.session(log_in()?, store, &mut server)?;
    }
    store.compact()?;
    match run.fetched.missed.pop() {
        Some(outcome::Missed { reason, .. }) => Err(Error::AfterFetch { reason }),
        None => Ok(run.fetched.new),
    }
}

fn ann() -> Credentials {
    let key = Key::Password(Secret::new("not-a-secret"));
    Credentials { user: "ann".to_owned(), key, auth: None, nonce: [0; 18] }
}

/// A POP3 server in memory that ends at a given octet.
struct Server {
    disk: Simulated,
    mailbox: Arc<Mutex<Mailbox>>,
    manner: ServerBehaviour,
    is_nameless: bool,
    input: Vec<u8>,
    output: VecDeque<u8>,
    said: Arc<Mutex<usize>>,
    doomed: Vec<usize>,
    is_over: bool,
}

impl Server {
    fn new(world: &Fixture, manner: ServerBehaviour, said: Arc<Mutex<usize>>) -> Self {
        let mut server = Self {
            disk: world.disk.clone(),
            mailbox: Arc::clone(&world.mailbox),
            manner,
            is_nameless: world.is_nameless,
            input: Vec::new(),
            output: VecDeque::new(),
            said,
            doomed: Vec::new(),
            is_over: false,
        };
        server.say("+OK\r\n");
        server
    }

    fn say(&mut self, text: &str) {
        let mut said = self.said.lock().unwrap();
        let room = self.manner.last.saturating_sub(*said).min(text.len());
        self.output.extend(&text.as_bytes()[..room]);
        *said += room;
        self.is_over |= room < text.len() || *said == self.manner.last;
    }

    fn obey(&mut self, line: &str) {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let number = || argument.parse::<usize>().unwrap() - 1;
        let mailbox = Arc::clone(&self.mailbox);
        let mut mailbox = mailbox.lock().unwrap();
        let column = |value: &dyn Fn(&Message) -> String| {
            let lines = (1..).zip(&mailbox.messages);
            let lines = lines.map(|(n, message)| format!("{n} {}\r\n", value(message)));
            format!("+OK\r\n{}.\r\n", lines.collect::<String>())
        };
        let answer = match verb {
            "CAPA" if self.manner.is_pipelining => "+OK\r\nPIPELINING\r\n.\r\n".to_owned(),
            "CAPA" => "-ERR\r\n".to_owned(),
            "USER" | "PASS" | "NOOP" => "+OK\r\n".to_owned(),
            "UIDL" if self.is_nameless => "-ERR\r\n".to_owned(),
            "UIDL" => column(&|message| message.uid.clone()),
            "LIST" => column(&|message| message.sent.len().to_string()),
            "RETR" => format!("+OK\r\n{}.\r\n", mailbox.messages[number()].sent),
            "DELE" => {
                let Message { uid, text, .. } = &mailbox.messages[number()];
                let is_safe = self.disk.for_sure().delivered().contains(text);
                let uid = uid.clone();
                if !is_safe {
                    mailbox.rash.push(uid);
                }
                self.doomed.push(number());
                "+OK\r\n".to_owned()
            }
            "QUIT" => {
                let mut number = 0..;
                let doomed = std::mem::take(&mut self.doomed);
                let Mailbox { messages, gone, .. } = &mut *mailbox;
                messages.retain(|message| {
                    let is_gone = doomed.contains(&number.next().unwrap());
                    if is_gone {
                        self.disk.note(&message.uid);
                        gone.push(message.clone());
                    }
                    !is_gone
                });
                "+OK\r\n".to_owned()
            }
            _ => panic!("{line}"),
        };
        drop(mailbox);
        self.say(&answer);
        self.is_over |= verb == "QUIT";
    }
}

impl wire::Stream for Server {}

impl Read for Server {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.output.is_empty() {
            assert!(self.is_over, "the client waits for something that it did not ask for");
            // A dead server may or may not be taken leave of.
            return match self.manner.last % 2 {
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
        if self.is_over {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.input.extend_from_slice(octets);
        while let Some(end) = self.input.iter().position(|&octet| octet == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            if !self.is_over {
                self.obey(std::str::from_utf8(&line).unwrap().trim_end());
            }
        }
        Ok(octets.len())
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

/// A case of a sweep, for the message when it fails.
#[derive(Debug)]
struct Case {
    manner: ServerBehaviour,
    fault: Fault,
}

impl Case {
    /// A run that is disturbed, and one that is not.
    fn play(&self, world: &mut Fixture) -> Ended {
        world.renew();
        let ended = world.fetch(START, self.manner, self.fault);
        world.check(self);
        if ended.outcome.is_ok() {
            world.check_end(self);
        }
        world.fetch_well(START + 60);
        world.check_end(self);
        ended
    }
}

/// Says something that is to be seen even when the test passes, unlike what the macros print.
fn note(text: &str) {
    io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn whenever_the_server_dies_and_whatever_the_disk_refuses_nothing_is_lost_or_doubled() {
    const CHUNKS: [usize; 3] = [1, 7, usize::MAX];
    let mut cases = 0;
    for (mut world, is_pipelining) in
        [false, true].into_iter().flat_map(|is_so| Fixture::all().map(|world| (world, is_so)))
    {
        let mut play = |last, chunk, fault| {
            cases += 1;
            let manner = ServerBehaviour { batch: 3, chunk, is_pipelining, last };
            Case { manner, fault }.play(&mut world)
        };
        let whole = play(usize::MAX, 1, Fault::None);
        assert!(whole.outcome.is_ok() && whole.octets > 100 && whole.steps > 30);
        for last in (0..whole.octets).chain([usize::MAX]) {
            let [.., undisturbed] = CHUNKS.map(|chunk| play(last, chunk, Fault::None));
            // What comes before the server is asked is the same whenever it dies.
            let first = if last == usize::MAX { 0 } else { undisturbed.steps_before };
            for step in first..undisturbed.steps {
                // A file that stays unwritable; nothing new comes of it with the server's death.
                if last == usize::MAX {
                    for error in FAILURES {
                        play(last, CHUNKS[step % 3], Fault::Stays(step, error));
                    }
                }
                let turn = step.wrapping_add(last);
                let (chunk, error) = (CHUNKS[turn % 3], FAILURES[turn % 4]);
                play(last, chunk, Fault::Once(step, error));
                play(last, chunk, Fault::From(step));
            }
        }
    }
    assert!(cases > 6_000, "{cases}");
    note(&format!("fetch: {cases} ways for server and disk to fail, nothing lost or doubled"));
}

#[test]
fn a_batch_that_fails_while_the_next_streams_in_does_not_spoil_the_others() {
    for mut world in Fixture::all() {
        let mut play = |last, fault| {
            let manner = ServerBehaviour { batch: 1, last, ..FLUENT };
            Case { manner, fault }.play(&mut world)
        };
        let whole = play(usize::MAX, Fault::None);
        for step in whole.steps_before..whole.steps {
            play(usize::MAX, Fault::Once(step, FAILURES[step % 4]));
            for error in FAILURES {
                play(usize::MAX, Fault::Stays(step, error));
            }
            play(usize::MAX, Fault::From(step));
        }
        for last in 0..whole.octets {
            play(last, Fault::None);
        }
    }
}

/// Two runs that nothing disturbs: the first finds all but the last message, the second finds that,
/// too.
fn fetch_twice(world: &mut Fixture) {
    let last = world.mailbox.lock().unwrap().messages.pop().unwrap();
    world.fetch_well(START);
    world.mailbox.lock().unwrap().messages.push(last);
    world.fetch_well(START + 60);
}

/// A journal that is about to be rewritten, since most of it says nothing any more.
fn grow_old(world: &Fixture) {
    let state = world.job(START).state;
    let digest = "0".repeat(32);
    let (uid, turn) = if world.is_nameless {
        ("?", format!("forget ? {digest}\ndelivered {START} ? 9 {digest}\n"))
    } else {
        ("gone", format!("missing {START} gone\nlisted gone\n"))
    };
    let text = format!(
        "postie journal 2 0000000000000001\nmaildir /gone\ndelivered {START} {uid} 9 {digest}\n{}",
        turn.repeat(600)
    );
    world.disk.make_dir(&state).unwrap();
    let mut journal = world.disk.append(&state.join("journal")).unwrap();
    journal.write_all(text.as_bytes()).unwrap();
    world.disk.settle();
}

/// Returns the fault in what a power cut left, or in what the next run makes of it; `None` if there
/// is none.
fn fault_in(world: &mut Fixture, remains: Remains) -> Option<&'static str> {
    let Remains { disk, notes } = remains;
    let messages = world.messages.clone();
    let is_deleted = |message: &Message| notes.contains(&message.uid);
    let found = disk.contents(&world.new_dir());
    if found.iter().any(|text| messages.iter().all(|message| message.text != *text)) {
        return Some("part of a message is in new/");
    }
    if messages.iter().any(|message| is_deleted(message) && !found.contains(&message.text)) {
        return Some("a message is neither here nor there");
    }
    world.disk = disk;
    let left = messages.iter().filter(|message| !is_deleted(message)).cloned().collect();
    world.mailbox.lock().unwrap().messages = left;
    let ended = world.fetch(START + 120, FLUENT, Fault::None);
    if ended.outcome.is_err() {
        return Some("the next run fails");
    }
    let mut found = world.disk.contents(&world.new_dir());
    let total = found.len();
    found.dedup();
    match (found.len() == total, total.cmp(&messages.len())) {
        (false, _) => Some("a message is doubled"),
        (true, std::cmp::Ordering::Less) => Some("a message is lost"),
        _ => None,
    }
}

#[test]
fn whenever_the_power_is_cut_and_whatever_is_left_nothing_is_lost_or_doubled() {
    let mut cases = 0;
    for mut world in Fixture::all() {
        let mut check = |world: &mut Fixture, bound| {
            for remains in world.disk.remains(bound) {
                let fault = fault_in(world, remains);
                assert_eq!(fault, None, "{:?}, nameless: {}", world.keep, world.is_nameless);
                cases += 1;
            }
        };
        fetch_twice(&mut world);
        check(&mut world, 256);

        world.renew();
        grow_old(&world);
        fetch_twice(&mut world);
        check(&mut world, 16);

        // What a run that was killed left behind is as little durable.
        for step in 0.. {
            world.renew();
            let killed = world.fetch(START, FLUENT, Fault::From(step));
            world.fetch_well(START + 60);
            check(&mut world, 6);
            if killed.outcome.is_ok() {
                break;
            }
        }
    }
    assert!(cases > 5_000, "{cases}");
    note(&format!("fetch: {cases} disks that a power cut may leave, nothing lost or doubled"));
}

#[test]
fn without_any_one_of_its_syncs_a_power_cut_loses_or_doubles_something() {
    for (kind, expected) in [
        ("message", "part of a message is in new/"),
        ("new/", "a message is neither here nor there"),
        ("Mail/", "a message is neither here nor there"),
        ("journal", "a message is doubled"),
        ("journal.new", "a message is doubled"),
        ("state/", "a message is doubled"),
        ("above", "a message is doubled"),
    ] {
        let mut world = Fixture::new(Keep::Days(0), three());
        if kind == "journal.new" {
            world.keep = Keep::Forever;
            grow_old(&world);
        }
        world.disk.lie_about(kind);
        fetch_twice(&mut world);
        let remains = world.disk.remains(64);
        let mut faults = remains.into_iter().filter_map(|remains| fault_in(&mut world, remains));
        assert!(faults.any(|fault| fault == expected), "the sync of {kind} is not needed");
    }
}

/// A server that goes on with one text after the other costs a run so much traffic and no more.
#[test]
fn a_message_has_a_largest_size_and_so_many_texts_without_an_end_are_the_most() {
    let job = Fixture::new(Keep::Forever, Vec::new()).job(START);
    let report = Report::new(&cli::Global { quiet: true, ..cli::Global::default() });
    let stop = Stop::default();
    let context = FetchContext { report: &report, stop: &stop, accounts: 1, batch: 1 };
    let mut run = Run::new(&job, &context);
    assert_eq!(run.most(), 2 << 30);
    let too_long = |number: u32| {
        let listed = ScanListing { number, uid: Uid::new(number.to_string().as_bytes()) };
        let error = pop3::Error::Wire(wire::Error::TooLong(1)).into();
        Err(Error::Pop3(pop3::Error::InMessage { listed, octets: 1, error }))
    };
    let passed = (1..20).filter(|&number| run.passes_over(&too_long(number))).count();
    assert_eq!(passed, 8);
}

/// A conversation as it should be.
const GOOD: [&str; 10] = [
    "+OK\r\n",
    "+OK\r\nPIPELINING\r\n.\r\n",
    "+OK\r\n",
    "+OK\r\n",
    "+OK\r\n1 a\r\n2 b\r\n.\r\n",
    "+OK\r\n1 5\r\n2 18446744073709551615\r\n.\r\n",
    "+OK\r\n..a\r\n.\r\n",
    "-ERR no\r\n",
    "+OK\r\n",
    "+OK\r\n",
];

/// Unexpected replies.
const ODD: [&str; 12] = [
    "+OK\r\n",
    "-ERR\r\n",
    "+ \r\n",
    "+",
    ".\r\n",
    "\r\n.\r\n",
    "1 a\r\n",
    "1 1\r\n.\r\n",
    "1 -1\r\n",
    "4294967296 a\r\n.\r\n",
    "2 ../../a\0\r\n.\r\n",
    "SASL PLAIN\r\n.\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(1939),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_a_server_says_the_run_comes_to_an_end_and_leaves_nothing_half_done(
        pieces in babble(&GOOD, &ODD),
        deletes in any::<bool>(),
    ) {
        let world = Fixture::new(if deletes { Keep::Days(0) } else { Keep::Forever }, Vec::new());
        let job = world.job(START);
        let mut store = world.opened(&job).unwrap();
        drop(converse(&job, &mut store, 3, || Box::new(RandomPeer::new(pieces.clone()))));
        drop(store);
        prop_assert!(world.disk.contents(&world.maildir().join("tmp")).is_empty());
        let journal = world.disk.contents(&job.state).concat();
        let journal = String::from_utf8(journal).unwrap();
        prop_assert_eq!(journal.matches("\nintent ").count(), journal.matches("\ndone ").count());
    }
}

mod others;
