//! The same with an outbox: the server may die at any octet, its disk at any step, and the power
//! may be cut.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::smtp;
use crate::store::disk::Disk;
use crate::store::disk::simulated::{Fault, Remains};
use crate::store::outbox::{self, DeliveryRecord, Id, NotAdded, Outbox, OutboxState};

/// The errors a disk may answer: no space left, input/output error, read-only, over quota.
const FAILURES: [i32; 4] = [28, 5, 30, 122];

/// The message as it waits.
const WAITING: &[u8] = b"Subject: hello\n\n..\nhello\n";

/// A server that takes everybody's message and lives for ever.
const FLUENT: ServerBehaviour = ServerBehaviour {
    offers: "250-PIPELINING\r\n",
    chunk: 1 << 20,
    last_said: usize::MAX,
    last_heard: usize::MAX,
    is_busy: false,
};

/// One that has no more than a greeting.
const DEAF: ServerBehaviour = ServerBehaviour { last_said: "220 hi\r\n".len(), ..FLUENT };

const BOB: &str = "bob@example.org";
/// The recipient that the server may refuse for now.
const DAVE: &str = "dave@example.org";
/// The recipient that the server refuses permanently.
const NOBODY: &str = "nobody@example.org";

/// A message on its way, and the disk that it waits on.
struct Fixture {
    dir: tempfile::TempDir,
    disk: Simulated,
    recipients: &'static [&'static str],
    demand: RecipientPolicy,
    /// The kind of sync that is promised and not done.
    lie: Option<&'static str>,
    /// The server of the account's fallback, if it has one.
    fallback: Option<ServerBehaviour>,
    /// What that server heard.
    heard: RefCell<Vec<u8>>,
}

impl Fixture {
    fn new(recipients: &'static [&'static str], demand: RecipientPolicy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Simulated::new(dir.path());
        let (lie, fallback, heard) = (None, None, RefCell::default());
        Self { dir, disk, recipients, demand, lie, fallback, heard }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("outbox")
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(self.disk.clone()), &self.root())
    }

    fn submission(&self) -> Submission {
        let mut submission = submission(self.recipients, self.demand);
        submission.job.account = Some("home".to_owned());
        if self.fallback.is_some() {
            let account = Some("other".to_owned());
            submission.job.fallback = Some(Box::new(SendJob { account, ..submission.job.clone() }));
        }
        submission
    }

    fn id(&self) -> Id {
        Id::new(&self.submission().job.run_id)
    }

    /// Back to the beginning.
    fn renew(&mut self) {
        self.disk = Simulated::new(self.dir.path());
        self.lie.into_iter().for_each(|kind| self.disk.lie_about(kind));
    }

    /// An attempt, with the fallback if there is one.
    fn attempt(
        &self,
        submission: &mut Submission,
        session: Result<SmtpSession, Error>,
        attempt: Attempt,
    ) -> (Attempted, Option<SmtpSession>) {
        let Some(manner) = self.fallback else {
            return submission.attempt(session, attempt, None, &silent());
        };
        let (report, stop, other) = (silent(), Stop::default(), Rc::default());
        let login = |submission: &Submission| {
            log_in(submission, Box::new(Server::new(manner, &other, &self.disk)))
        };
        let mut fallback = Fallback::with_login("send", &report, &stop, Box::new(login));
        let attempted = submission.attempt(session, attempt, Some(&mut fallback), &report);
        fallback.into_session().into_iter().for_each(Session::quit);
        let other = Rc::into_inner(other).unwrap().into_inner();
        self.heard.borrow_mut().extend(other.heard);
        attempted
    }

    /// The run of whoever sends the message, from the outbox on, on a disk that fails as it is told.
    fn send(&mut self, manner: ServerBehaviour, fault: Fault) -> Ended {
        self.first(Attempt::First, manner, fault)
    }

    /// The same for a caller who hears of each recipient, or gets one reply.
    fn first(&mut self, attempt: Attempt, manner: ServerBehaviour, fault: Fault) -> Ended {
        self.renew();
        self.disk.arm(fault);
        let mut submission = self.submission();
        let known = Rc::default();
        let exit = match submission.enqueue(&self.outbox(), PathBuf::from("/config")) {
            Ok(()) => {
                self.disk.note("added");
                let session = submission.begin().and_then(|()| {
                    log_in(&submission, Box::new(Server::new(manner, &known, &self.disk)))
                });
                let (Attempted { outcome, disposition }, session) =
                    self.attempt(&mut submission, session, attempt);
                let exit = submission.exit(&outcome);
                // One reply tells of a refusal only if it is true of all.
                let is_told = attempt != Attempt::OneReply
                    || submission.held.is_some() && submission.waiting().is_none();
                // A run that was killed before tells nobody anything.
                if is_told && !matches!(fault, Fault::From(step) if self.disk.steps() > step) {
                    self.disk.note("heard");
                }
                if attempt == Attempt::OneReply
                    && let Ok(disposition) = &disposition
                {
                    self.note_fate(disposition);
                }
                if is_told {
                    drop(submission.notified());
                }
                session.into_iter().for_each(Session::quit);
                let is_alive = !matches!(fault, Fault::From(_));
                let is_broken = outcome.as_ref().map_or(true, |sent| sent.interrupted.is_some());
                let is_accepted =
                    exit == Exit::Done || attempt == Attempt::OneReply && exit == Exit::Partial;
                if is_accepted {
                    self.disk.note("accepted");
                } else if is_alive && is_broken && submission.held.is_none() {
                    // Whoever hears that it failed has the message, and sends it again.
                    self.disk.note("told");
                }
                exit
            }
            Err(NotAdded { error, .. }) => Exit::from(&error),
        };
        drop(submission);
        self.ended(Ok(exit), fault, known)
    }

    /// The same where the server is not reached at all, for this reason.
    fn send_in_vain(&mut self, reason: Error, fault: Fault) -> Ended {
        self.renew();
        self.disk.arm(fault);
        let mut submission = self.submission();
        let exit = match submission.enqueue(&self.outbox(), PathBuf::from("/config")) {
            Ok(()) => {
                self.disk.note("added");
                let session = submission.begin().and(Err(reason));
                let (Attempted { outcome, .. }, _) =
                    submission.attempt(session, Attempt::First, None, &silent());
                submission.exit(&outcome)
            }
            Err(NotAdded { error, .. }) => Exit::from(&error),
        };
        drop(submission);
        self.ended(Ok(exit), fault, Rc::default())
    }

    /// The same of a further attempt.
    fn flush_in_vain(&self, reason: Error, fault: Fault) -> Ended {
        self.disk.arm(fault);
        let flush = || -> Result<Exit, Error> {
            let held = self.outbox().hold(&self.id())?;
            let mut submission = Submission::queued(self.submission().job, held)?;
            submission.begin()?;
            let (Attempted { outcome, disposition }, _) =
                submission.attempt(Err(reason), Attempt::Further, None, &silent());
            self.note_fate(&disposition?);
            Ok(submission.attempt_exit(&outcome))
        };
        let exit = flush();
        self.ended(exit, fault, Rc::default())
    }

    /// The run of whoever flushes the outbox.
    fn flush(&self, manner: ServerBehaviour, fault: Fault) -> Ended {
        self.disk.arm(fault);
        let known = Rc::default();
        let exit = self.flush_on(manner, &known);
        self.ended(exit, fault, known)
    }

    fn flush_on(&self, manner: ServerBehaviour, known: &Rc<RefCell<Known>>) -> Result<Exit, Error> {
        let held = match self.outbox().hold(&self.id()) {
            Err(outbox::Error::Unknown(_)) => return Ok(Exit::Done),
            held => held?,
        };
        if held.record().waiting().is_empty() {
            self.note_fate(&close(held)?);
            return Ok(Exit::Done);
        }
        let mut submission = Submission::queued(self.submission().job, held)?;
        submission.begin()?;
        let session = log_in(&submission, Box::new(Server::new(manner, known, &self.disk)));
        let (Attempted { outcome, disposition }, session) =
            self.attempt(&mut submission, session, Attempt::Further);
        session.into_iter().for_each(Session::quit);
        self.note_fate(&disposition?);
        Ok(submission.attempt_exit(&outcome))
    }

    fn ended(&self, exit: Result<Exit, Error>, fault: Fault, known: Rc<RefCell<Known>>) -> Ended {
        let steps = self.disk.steps();
        self.disk.arm(Fault::None);
        let is_killed = matches!(fault, Fault::From(_));
        let is_disk_failing = matches!(fault, Fault::Once(..) | Fault::Stays(..));
        let mut known = Rc::into_inner(known).unwrap().into_inner();
        known.heard.append(&mut self.heard.borrow_mut());
        Ended { exit, steps, is_killed, is_disk_failing, known }
    }

    fn note_fate(&self, disposition: &Disposition) {
        if let Disposition::Failed { .. } = disposition {
            self.disk.note("failed");
        }
    }

    /// What is wrong with what is there after such notes, or with what the next run makes of it.
    fn fault(&self, notes: &[String]) -> Option<&'static str> {
        let before = notes.len();
        let Ok(listed) = self.outbox().list() else { return Some("the outbox cannot be listed") };
        let waiting = listed.iter().filter(|listed| listed.place == OutboxState::Waiting);
        let inside = self.disk.list(&self.root().join("waiting")).unwrap_or_default();
        if inside.len() != waiting.clone().count() {
            return Some("half a message is listed");
        }
        let mut is_marked = false;
        for listed in &listed {
            match &listed.record {
                Ok(record) => is_marked |= record.may_be_duplicate(),
                Err(_) => return Some("a journal cannot be read"),
            }
        }
        for listed in waiting {
            let mut text = Vec::new();
            let message = self.outbox().hold(&listed.id).and_then(|held| held.message());
            if !message.is_ok_and(|mut message| io::copy(&mut message, &mut text).is_ok())
                || text != WAITING
            {
                return Some("part of a message is listed");
            }
        }
        if self.flush(FLUENT, Fault::None).exit.is_err() {
            return Some("the next run fails");
        }
        let notes: Vec<_> = notes.iter().cloned().chain(self.disk.notes()).collect();
        let times =
            |notes: &[String], text: &str| notes.iter().filter(|note| *note == text).count();
        let is_added = times(&notes, "added") > times(&notes, "told");
        let Ok(listed) = self.outbox().list() else { return Some("the outbox cannot be listed") };
        if listed.iter().any(|listed| listed.place == OutboxState::Waiting) {
            return Some("a message waits for ever");
        }
        for name in self.recipients.iter().filter(|name| **name != NOBODY) {
            let got = format!("got {}", name.strip_suffix("@example.org").unwrap());
            match (times(&notes[..before], &got), times(&notes[before..], &got)) {
                (0, 0) if is_added => return Some("a message is lost"),
                (1.., 1..) if !is_marked => return Some("a message is doubled"),
                _ => {}
            }
        }
        // What nobody is to get any more is where a person will look at it, unless the sender heard.
        let is_unheard = is_added
            && times(&notes[..before], "refused nobody") > times(&notes[..before], "heard");
        let is_failed = times(&notes[..before], "failed") > 0;
        if (is_failed || is_unheard || times(&notes[before..], "refused nobody") > 0)
            && !listed.iter().any(|listed| listed.place == OutboxState::Failed)
        {
            return Some("a refusal is lost");
        }
        None
    }

    /// What holds after a run, whatever happened: somebody who has the message and is to get it
    /// again is known to be in doubt; and who is in doubt may well have it. Says whether that is so.
    fn check(&self, ended: &Ended, case: &str) -> bool {
        let notes = self.disk.notes();
        let listed = self.outbox().list().unwrap();
        let waiting = listed.iter().find(|listed| listed.place == OutboxState::Waiting);
        let record = waiting.map(|listed| listed.record.as_ref().unwrap());
        let is_marked = record.is_some_and(DeliveryRecord::may_be_duplicate);
        let has = |recipient: &str| {
            let name = recipient.strip_suffix("@example.org").unwrap();
            notes.contains(&format!("got {name}"))
        };
        let again = record.map(DeliveryRecord::waiting).unwrap_or_default();
        let is_doubled = again.iter().any(|mailbox| has(mailbox.as_str()));
        assert!(is_marked || !is_doubled, "{case}: {notes:?}");
        let end = b"\r\nhello\r\n";
        let is_end_sent = ended.known.heard.windows(end.len()).any(|octets| octets == end);
        // Where the disk would not take it that the end stayed here, the mark stays.
        let is_unwritten = ended.is_killed || ended.is_disk_failing;
        assert!(is_end_sent || is_unwritten || !is_marked, "{case}: {notes:?}");
        let is_failed = listed.iter().any(|listed| listed.place == OutboxState::Failed);
        let is_refused = |recipient: &&str| {
            is_failed || record.is_some_and(|it| it.answer(&recipient.parse().unwrap()).is_some())
        };
        // What one reply accepts is with its recipient, waits for it, or is listed as refused.
        if !ended.is_killed && notes.contains(&"accepted".to_owned()) {
            let is_lost = |name: &&str| {
                !has(name) && !again.contains(&name.parse().unwrap()) && !is_refused(name)
            };
            assert!(!self.recipients.iter().any(is_lost), "{case}: {notes:?}");
        }
        // Nobody is told that it is well and finds it gone.
        let is_lost = |recipient: &&str| !has(recipient) && record.is_none();
        if matches!(ended.exit, Ok(Exit::Done)) {
            assert!(!self.recipients.iter().any(is_lost), "{case}: {notes:?}");
        }
        is_marked
    }
}

/// What a run came to, and what it took.
struct Ended {
    exit: Result<Exit, Error>,
    steps: usize,
    is_killed: bool,
    is_disk_failing: bool,
    known: Known,
}

/// Ways in which a server may take a message: one recipient at a time, for one.
const OFFERS: [&str; 4] = [
    "",
    "250-PIPELINING\r\n",
    "250-PIPELINING\r\n250-CHUNKING\r\n",
    "250-PIPELINING\r\n250-LIMITS RCPTMAX=1\r\n",
];

const TASKS: [(&[&str], RecipientPolicy); 4] = [
    (&[BOB], RecipientPolicy::Any),
    (&[BOB, NOBODY, DAVE], RecipientPolicy::Any),
    (&[NOBODY], RecipientPolicy::Any),
    (&[BOB, DAVE], RecipientPolicy::All),
];

#[test]
fn a_failure_is_durable_before_anybody_hears_of_it() {
    for attempt in [Attempt::First, Attempt::Further] {
        let fixture = Fixture::new(&[BOB], RecipientPolicy::Any);
        let mut submission = fixture.submission();
        assert!(submission.enqueue(&fixture.outbox(), PathBuf::from("/config")).is_ok());
        submission.begin().unwrap();
        let missing = Err(smtp::Error::Missing(smtp::Extension::Dsn).into());
        submission.attempt(missing, attempt, None, &silent()).0.disposition.unwrap();
        let durable = Outbox::new(Arc::new(fixture.disk.for_sure()), &fixture.root());
        let listed = durable.list().unwrap();
        assert_eq!(listed.len(), 1);
        let record = listed[0].record.as_ref().unwrap();
        assert!(record.is_finished() && record.failed().len() == 1, "{record:?}");
        let is_kept = attempt == Attempt::Further;
        assert_eq!(listed[0].place == OutboxState::Failed, is_kept);
    }
}

#[test]
fn whenever_the_power_is_cut_and_whatever_is_left_a_message_that_waits_is_sent_once_or_marked() {
    let mut cases = 0;
    for (recipients, demand) in TASKS {
        let mut world = Fixture::new(recipients, demand);
        let mut check = |world: &mut Fixture, bound| {
            for Remains { disk, notes } in world.disk.remains(bound) {
                world.disk = disk;
                assert_eq!(world.fault(&notes), None, "{recipients:?}, {notes:?}");
                cases += 1;
            }
        };
        for offers in OFFERS {
            for is_busy in [false, true] {
                let manner = ServerBehaviour { offers, is_busy, ..FLUENT };
                let whole = world.send(manner, Fault::None);
                world.flush(ServerBehaviour { offers, ..FLUENT }, Fault::None).exit.unwrap();
                check(&mut world, 64);

                // The final reply is lost, and the next run has another.
                let last_said = whole.known.said.saturating_sub("taken\r\n221 bye\r\n".len());
                world.send(ServerBehaviour { last_said, ..manner }, Fault::None);
                world.flush(manner, Fault::None).exit.unwrap();
                check(&mut world, 16);
            }
        }
        // What a run that was killed left behind is as little durable.
        for step in 0.. {
            let killed = world.send(FLUENT, Fault::From(step));
            drop(world.flush(FLUENT, Fault::From(step)));
            world.flush(FLUENT, Fault::None).exit.unwrap();
            check(&mut world, 6);
            if killed.steps <= step {
                break;
            }
        }
    }
    assert!(cases > 6_000, "{cases}");
    note(&format!("outbox: {cases} disks that a power cut may leave, nothing lost or doubled"));
}

#[test]
fn without_any_one_of_its_syncs_a_power_cut_loses_or_doubles_a_message_that_waits() {
    for (kind, expected) in [
        ("message", "part of a message is listed"),
        ("journal", "a journal cannot be read"),
        ("journal", "a message is doubled"),
        ("tmp/ID/", "a journal cannot be read"),
        ("waiting/", "a message is lost"),
        ("failed/", "a refusal is lost"),
        ("outbox/", "a message is lost"),
        ("above", "a message is lost"),
    ] {
        let mut world = Fixture::new(&[BOB, NOBODY, DAVE], RecipientPolicy::Any);
        let mut faults = HashSet::new();
        for manner in [FLUENT, ServerBehaviour { is_busy: true, ..FLUENT }, DEAF] {
            world.lie = Some(kind);
            world.send(manner, Fault::None);
            world.flush(FLUENT, Fault::None).exit.unwrap();
            for Remains { disk, notes } in world.disk.remains(64) {
                world.disk = disk;
                faults.extend(world.fault(&notes));
            }
        }
        assert!(faults.contains(expected), "the sync of {kind} is not needed: {faults:?}");
    }
}

#[test]
fn whenever_the_server_dies_and_whatever_the_disk_refuses_a_message_is_sent_or_waits() {
    const CHUNKS: [usize; 3] = [1, 7, 1 << 20];
    let (mut cases, mut in_doubt) = (0, 0);
    for (turn, offers) in OFFERS.into_iter().enumerate() {
        for (recipients, demand) in TASKS {
            let mut world = Fixture::new(recipients, demand);
            let mut play = |attempt, last_said, last_heard, fault| {
                let chunk = CHUNKS[cases % CHUNKS.len()];
                let is_busy = cases % 2 == 1;
                let manner = ServerBehaviour { offers, chunk, last_said, last_heard, is_busy };
                cases += 1;
                let case = format!("{recipients:?}, {demand:?}, {manner:?}, {fault:?}");
                let ended = match attempt {
                    Attempt::First | Attempt::OneReply => world.first(attempt, manner, fault),
                    Attempt::Further => {
                        world.send(DEAF, Fault::None);
                        world.flush(manner, fault)
                    }
                };
                in_doubt += usize::from(world.check(&ended, &case));
                let notes = world.disk.notes();
                world.disk.settle();
                assert_eq!(world.fault(&notes), None, "{case}: {notes:?}");
                ended
            };
            // Where some are refused and others not, the kind of caller matters.
            let first = [Attempt::First, Attempt::OneReply];
            let first = if recipients.len() > 2 { &first[..] } else { &first[..1] };
            let attempts = first.iter().map(|&attempt| (turn, attempt));
            for (turn, attempt) in attempts.chain([(turn + 1, Attempt::Further)]) {
                let whole = play(attempt, usize::MAX, usize::MAX, Fault::None);
                let (said, heard) = (whole.known.said, whole.known.heard.len());
                let deaths = (0..=said).map(|last| (last, usize::MAX));
                let deaths = deaths.chain((0..=heard).map(|last| (usize::MAX, last)));
                // Each death on one of the occasions, and on the other with the next server.
                let deaths = deaths.enumerate().skip(turn % 2).step_by(2);
                for (index, (last_said, last_heard)) in deaths {
                    let steps = play(attempt, last_said, last_heard, Fault::None).steps;
                    // Each step with some of the deaths, and each death with some of the steps.
                    for step in (0..steps).filter(|step| (step + index / 2) % 32 == 0) {
                        let error = FAILURES[index / 8 % FAILURES.len()];
                        let faults = [Fault::Once(step, error), Fault::From(step)];
                        play(attempt, last_said, last_heard, faults[index / 4 % 2]);
                    }
                }
                for step in 0..whole.steps + 8 {
                    let error = FAILURES[(step + turn) % FAILURES.len()];
                    play(attempt, usize::MAX, usize::MAX, Fault::Stays(step, error));
                    play(attempt, usize::MAX, usize::MAX, Fault::Once(step, error));
                    play(attempt, usize::MAX, usize::MAX, Fault::From(step));
                }
            }
        }
    }
    assert!(cases > 9_000 && in_doubt > 100, "{cases}, {in_doubt}");
    note(&format!(
        "outbox: {cases} ways for server and disk to fail, in doubt in {in_doubt} of them"
    ));
}

/// What keeps a message from being submitted: its name, and the status without an outbox.
type Reason = (&'static str, Exit, fn() -> Error);

const REASONS: [Reason; 11] = [
    ("no network", Exit::Later, || crate::net::Error::Connect(refused()).into()),
    ("no resolver", Exit::Later, || crate::net::Error::Lookup(refused()).into()),
    ("unknown host", Exit::NoHost, || crate::net::Error::NotFound(refused()).into()),
    ("password command", Exit::Config, || {
        let status = std::os::unix::process::ExitStatusExt::from_raw(256);
        crate::password::Error::Failed("password", status).into()
    }),
    ("password file", Exit::Config, || {
        crate::password::Error::File { path: "/password".into(), source: refused() }.into()
    }),
    ("no STARTTLS", Exit::Missing, || smtp::Error::Missing(smtp::Extension::Starttls).into()),
    ("no AUTH", Exit::Missing, || smtp::Error::Missing(smtp::Extension::Auth).into()),
    ("greeting", Exit::Missing, || smtp::Error::TurnedAway(refusal(554)).into()),
    ("EHLO", Exit::Missing, || {
        smtp::Error::Refused { what: smtp::Subject::Ehlo, refusal: refusal(550) }.into()
    }),
    ("login", Exit::Denied, || {
        smtp::Error::Login { refusal: refusal(535), explanation: None }.into()
    }),
    ("login for now", Exit::Later, || {
        smtp::Error::Login { refusal: refusal(454), explanation: None }.into()
    }),
];

fn refused() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

fn refusal(code: u16) -> smtp::Refusal {
    smtp::Refusal::new(code)
}

#[test]
fn whatever_keeps_a_message_from_being_submitted_it_waits_and_is_sent_once() {
    let (mut cases, mut killed) = (0, 0);
    let mut world = Fixture::new(&[BOB, NOBODY, DAVE], RecipientPolicy::Any);
    for (name, without, reason) in REASONS {
        assert_eq!(Exit::from(&reason()), without, "{name}");
        let whole = world.send_in_vain(reason(), Fault::None);
        assert!(matches!(whole.exit, Ok(Exit::Done)), "{name}: {:?}", whole.exit);
        let again = world.flush_in_vain(reason(), Fault::None);
        assert_eq!(again.exit.as_ref().unwrap(), &without, "{name}");
        let mut faults = Vec::new();
        for (attempt, steps) in [(Attempt::First, whole.steps), (Attempt::Further, again.steps)] {
            let steps = (0..steps + 4).flat_map(|step| {
                let once = FAILURES.map(|error| Fault::Once(step, error));
                once.into_iter().chain([Fault::From(step)])
            });
            faults.extend(steps.map(|fault| (attempt, fault)));
        }
        for (attempt, fault) in faults {
            let ended = match attempt {
                Attempt::First | Attempt::OneReply => world.send_in_vain(reason(), fault),
                Attempt::Further => {
                    world.send_in_vain(reason(), Fault::None);
                    world.flush_in_vain(reason(), fault)
                }
            };
            let case = format!("{name}, {fault:?}");
            assert!(!world.check(&ended, &case), "{case}: in doubt without a server");
            let notes = world.disk.notes();
            world.disk.settle();
            assert_eq!(world.fault(&notes), None, "{case}: {notes:?}");
            (cases, killed) = (cases + 1, killed + usize::from(ended.is_killed));
        }
    }
    assert!(cases > 1_000 && killed > 200, "{cases}, {killed}");
    note(&format!(
        "outbox: {cases} failures of the disk with {} reasons to wait, {killed} of them kills",
        REASONS.len()
    ));
}

#[test]
fn with_a_fallback_whichever_server_dies_a_message_is_sent_once_waits_or_is_marked() {
    let (mut cases, mut in_doubt, mut by_fallback) = (0, 0, 0);
    for offers in OFFERS {
        for (recipients, demand) in TASKS {
            let mut world = Fixture::new(recipients, demand);
            let manner = |(last_said, last_heard), is_busy| {
                let chunk = [1, 7, 1 << 20][(last_said ^ last_heard) % 3];
                ServerBehaviour { offers, chunk, last_said, last_heard, is_busy }
            };
            let mut play = |own: ServerBehaviour, other, attempt, fault| {
                world.fallback = Some(other);
                let case = format!("{recipients:?}, {demand:?}, {own:?}, {other:?}, {fault:?}");
                cases += 1;
                let ended = match attempt {
                    Attempt::First | Attempt::OneReply => world.first(attempt, own, fault),
                    Attempt::Further => {
                        world.fallback = Some(DEAF);
                        world.send(DEAF, Fault::None);
                        world.fallback = Some(other);
                        world.flush(own, fault)
                    }
                };
                let is_marked = world.check(&ended, &case);
                in_doubt += usize::from(is_marked);
                let notes = world.disk.notes();
                for name in recipients.iter().map(|name| name.strip_suffix("@example.org").unwrap())
                {
                    let times = notes.iter().filter(|note| **note == format!("got {name}")).count();
                    assert!(times <= 1, "{case}: {notes:?}");
                    by_fallback += usize::from(times == 1 && own.last_said == DEAF.last_said);
                }
                world.disk.settle();
                // The next run has only the account.
                world.fallback = None;
                assert_eq!(world.fault(&notes), None, "{case}: {notes:?}");
                ended
            };
            let alive = (usize::MAX, usize::MAX);
            let whole = play(manner(alive, false), DEAF, Attempt::First, Fault::None);
            let (said, heard) = (whole.known.said, whole.known.heard.len());
            let deaths = (0..=said).map(|last| (last, usize::MAX));
            let deaths = deaths.chain((0..=heard).map(|last| (usize::MAX, last)));
            for (turn, death) in deaths.enumerate() {
                let attempt = [Attempt::First, Attempt::Further][turn % 2];
                // The account's server dies, or puts off whoever it can, or nobody hears of it; and the
                // other one lives or dies.
                play(manner(death, turn % 3 == 0), FLUENT, attempt, Fault::None);
                play(DEAF, manner(death, turn % 3 == 0), attempt, Fault::None);
                let other = manner((usize::MAX, heard - turn.min(heard)), false);
                let steps = play(manner(death, false), other, attempt, Fault::None).steps;
                for step in (0..steps).filter(|step| (step + turn) % 24 == 0) {
                    let error = FAILURES[turn % FAILURES.len()];
                    play(DEAF, FLUENT, attempt, Fault::Once(step, error));
                    play(manner(death, false), FLUENT, attempt, Fault::From(step));
                }
            }
        }
    }
    assert!(
        cases > 9_000 && in_doubt > 100 && by_fallback > 1_000,
        "{cases}, {in_doubt}, {by_fallback}"
    );
    note(&format!(
        "outbox: {cases} ways for an account's server and its fallback's to fail, in doubt in {in_doubt}"
    ));
}
