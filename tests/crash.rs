//! Runs that are killed, stopped, doubled, left without readers or without room: what they leave
//! behind, and that the next run makes it good. What each single step of the disk may do is
//! tested with the store; here it is real processes and a real server.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::support::dovecot::Dovecot;
use crate::support::mailbox::{assert_arrived, assert_arrived_in, mailbox, with_lf};
use crate::support::postie::{Home, Outcome};
use crate::support::servers;
use crate::support::sink::Sink;
use crate::support::transcript::Tls;

/// How many messages a mailbox holds that takes a while.
const MANY: usize = 1_000;

#[test]
fn runs_that_are_killed_at_any_moment_come_to_the_same_end() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(MANY));
    dovecot.deliver(&messages);
    let args = dovecot.fetch(Tls::Implicit, "forever");
    let kills = fetch_despite_kills(&home, &args);
    assert!(kills >= 5, "only {kills} runs were killed");
    assert_arrived(&home, &messages);
    home.postie(&args).run().exit(0).silent();
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), MANY);
}

#[test]
fn runs_that_are_killed_while_they_empty_the_mailbox_lose_nothing() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(MANY));
    dovecot.deliver(&messages);
    let args = dovecot.fetch(Tls::Starttls, "none");
    let kills = fetch_despite_kills(&home, &args);
    assert!(kills >= 5, "only {kills} runs were killed");
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), 0);
}

#[test]
fn a_reader_that_takes_messages_at_once_does_not_get_one_twice() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(MANY));
    dovecot.deliver(&messages);
    let args = dovecot.fetch(Tls::Implicit, "forever");
    thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch_despite_kills(&home, &args));
        while !fetching.is_finished() {
            for path in home.files("Mail/new") {
                let name = path.file_name().unwrap().to_str().unwrap();
                let taken = home.path().join("Mail/cur").join(format!("{name}:2,S"));
                fs::rename(&path, taken).unwrap();
            }
            thread::sleep(Duration::from_micros(200));
        }
    });
    home.postie(&args).run().exit(0).silent();
    assert_arrived(&home, &messages);
}

#[test]
fn a_second_run_is_turned_away_and_neither_doubles_a_message() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(MANY));
    dovecot.deliver(&messages);
    let args = dovecot.fetch(Tls::Implicit, "forever");
    let first = home.postie(&args).start();
    assert!(servers::wait_until(|| !home.files("Mail/tmp").is_empty()));
    kill_process(first.pid(), Signal::STOP).unwrap();
    let second = home.postie(&args).run();
    kill_process(first.pid(), Signal::CONT).unwrap();
    first.finish().exit(0).silent();
    second.exit(75).silent();
    assert_arrived(&home, &messages);
}

#[test]
fn a_run_that_nobody_listens_to_delivers_all_the_same() {
    let Some(dovecot) = Dovecot::start() else { return };
    let messages = mailbox(30);
    dovecot.deliver(&messages);
    let mut args = dovecot.fetch(Tls::Implicit, "forever");
    args.extend(["--json", "--verbose"].map(str::to_owned));

    // The readers have gone away.
    let home = Home::new();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    home.postie(&args).output(writer.try_clone().unwrap(), writer).run().exit(0);
    assert_arrived(&home, &messages);

    // There is nothing to write to at all.
    let home = Home::new();
    let closed = ["-c", "exec \"$@\" >&- 2>&-", "sh", env!("CARGO_BIN_EXE_postie")];
    let args = closed.map(str::to_owned).into_iter().chain(args);
    home.program(Path::new("/bin/sh"), args).run().exit(0);
    assert_arrived(&home, &messages);
}

#[test]
fn a_full_disk_delivers_nothing_by_halves() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(300));
    dovecot.deliver(&messages);
    let Some(disk) = SmallDisk::mount(&home, "Mail", "size=2m") else { return };
    let args = dovecot.fetch(Tls::Implicit, "none");
    let outcome = home.postie(&args).run();
    outcome.exit(74).says("/Mail/tmp/").says("no space left on device");
    assert_eq!(outcome.stderr.lines().count(), 1);
    assert_eq!(home.files("Mail/tmp"), Vec::<PathBuf>::new());
    let expected: HashSet<_> = messages.iter().map(|message| with_lf(message)).collect();
    let mut found = home.messages("Mail").into_iter();
    assert!(found.len() < 300, "the disk was not full");
    assert!(found.all(|message| expected.contains(&message)), "part of a message was delivered");
    assert_eq!(dovecot.count(), 300);

    disk.resize("size=64m");
    home.postie(&args).run().exit(0).silent();
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), 0);
}

#[test]
fn a_journal_that_could_be_written_by_half_only_is_made_good() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(300));
    dovecot.deliver(&messages);
    // Room for some of a batch's lines: the first's, unless it is a small one.
    let Some(disk) = SmallDisk::mount(&home, "state", "size=8k") else { return };
    let args = dovecot.fetch(Tls::Implicit, "none");
    let run = || home.postie(&args).env("XDG_STATE_HOME", home.path().join("state")).run();
    run().exit(74).says("/journal: no space left on device");
    assert!(home.files("Mail/new").len() < 300);
    assert_eq!(dovecot.count(), 300);

    disk.resize("size=64m");
    run().exit(0).silent();
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), 0);
}

#[test]
fn a_run_killed_at_any_step_of_a_delivery_is_made_good_by_the_next() {
    let Some(dovecot) = Dovecot::start() else { return };
    kill_at_every_step(&[dovecot]);
}

#[test]
fn four_mailboxes_at_once_are_made_good_after_a_kill_at_any_step() {
    let servers: Vec<_> = (0..4).map_while(|_| Dovecot::start()).collect();
    if servers.len() == 4 {
        kill_at_every_step(&servers);
    }
}

/// Of each call that makes something durable or visible, every one.
fn kill_at_every_step(servers: &[Dovecot]) {
    if !servers::is_installed("strace") {
        return;
    }
    // Files and journal; tmp/ and new/; from one to the other.
    for (call, times) in [("fdatasync", 4), ("fsync", 2), ("rename", 3)] {
        let kills = (1..100).take_while(|&time| kill_at(call, time, servers)).count();
        assert!(kills >= times, "{call}: only {kills} runs were killed");
        servers::note(&format!("killed: {kills} runs, one at each {call}"));
    }
}

/// Kills a run that is about to make a call for the given time in one of its threads, and looks at
/// what the next run makes of what it left. Says whether it came to that.
fn kill_at(call: &str, time: usize, servers: &[Dovecot]) -> bool {
    let (home, messages) = (Home::new(), mailbox(3 * servers.len()));
    let account = |(number, server): (usize, &Dovecot)| {
        let table = server.table();
        format!("[account.a{number}]\n{table}keep = \"none\"\nmaildir = \"Mail{number}\"\n")
    };
    home.config(&servers.iter().enumerate().map(account).collect::<String>());
    // The journals are begun, so that the calls are those of deliveries.
    home.postie(["fetch"]).run().exit(0).silent();
    for (server, messages) in servers.iter().zip(messages.chunks(3)) {
        server.deliver(messages);
    }
    let inject = format!("--inject={call}:signal=KILL:when={time}");
    let postie = env!("CARGO_BIN_EXE_postie");
    let args = ["-f", "-qqq", "-o", "/dev/null", &inject, postie, "fetch"].map(str::to_owned);
    let killed = home.program(Path::new("/usr/bin/strace"), args).run();
    assert!([0, 137].contains(&killed.status), "{killed:?}");
    home.postie(["fetch"]).run().exit(0).silent();
    for (number, (server, messages)) in servers.iter().zip(messages.chunks(3)).enumerate() {
        assert_arrived_in(&home, &format!("Mail{number}"), messages);
        assert_eq!(server.count(), 0, "{call} {time}");
    }
    killed.status == 137
}

#[test]
fn a_message_for_which_there_is_no_room_is_sent_without_an_outbox_and_not_listed() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&sink.config("queue = true"));
    let Some(disk) = SmallDisk::mount(&home, "state", "size=64k") else { return };
    let text = "x".repeat(70).repeat(2_000);
    let run = |args: &[&str]| {
        let run = home.postie(args).env("XDG_STATE_HOME", home.path().join("state"));
        run.stdin(format!("Subject: x\n\n{text}\n")).run()
    };
    let outcome = run(&["send", "bob@example.net"]);
    let words = "/message.eml: no space left on device; the message is sent without the outbox\n";
    outcome.exit(0).says(words);
    assert_eq!(outcome.stderr.lines().count(), 1);
    assert_eq!(run(&["queue"]).stdout, "Mail queue is empty\n");
    assert_eq!(home.files("state/postie/outbox/tmp"), Vec::<PathBuf>::new());
    assert_eq!(sink.taken().len(), 1);

    disk.resize("size=64m");
    run(&["send", "bob@example.net"]).exit(0).silent();
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn what_was_killed_on_its_way_arrives_and_twice_only_if_that_was_said() {
    const WAITING: &str = ".local/state/postie/outbox/waiting";
    let sink = Sink::start(&["PIPELINING"]);
    let home = Home::new();
    home.config(&sink.config("queue = true"));
    let journals = || {
        let journals = home.files(WAITING).into_iter().map(|dir| dir.join("journal"));
        journals.filter_map(|path| fs::read_to_string(path).ok()).collect::<Vec<_>>()
    };
    let (mut taken, mut must_arrive, mut doubtful) = (Vec::new(), HashSet::new(), HashSet::new());
    let mut kills = 0;
    for number in 0..48 {
        let subject = number.to_string();
        let flush = ["queue", "flush", "--all"].as_slice();
        let send = ["send", "bob@example.net", "--body=hello", "--subject", &subject];
        let args = if number % 4 == 3 { flush } else { &send };
        let (before, start) = (journals().concat(), Instant::now());
        let is_new =
            |word| journals().concat().matches(word).count() > before.matches(word).count();
        // When the message is there, when it is on its way, and at no moment in particular.
        let is_time = || match number % 6 {
            0 => !journals().is_empty(),
            1 => is_new("attempt "),
            2 => is_new("data "),
            3 => is_new("reply "),
            _ => start.elapsed() > Duration::from_millis(number * 7 % 60),
        };
        let mut run = home.postie(args).spawn();
        let is_whole = loop {
            if run.try_wait().unwrap().is_some() {
                Outcome::new(run.wait_with_output().unwrap()).exit(0).silent();
                break true;
            }
            if is_time() {
                run.kill().unwrap();
                run.wait().unwrap();
                kills += 1;
                break false;
            }
            thread::sleep(Duration::from_micros(100));
        };
        taken.extend(sink.taken());
        if is_whole && args == send {
            must_arrive.insert(subject);
        }
        let listed = home.postie(["queue", "--json"]).run();
        for line in listed.exit(0).stdout.lines() {
            let listed: serde_json::Value = serde_json::from_str(line).unwrap();
            let dir = home.path().join(WAITING).join(listed["id"].as_str().unwrap());
            let subject = subject_of(&fs::read_to_string(dir.join("message.eml")).unwrap());
            if listed["duplicate"] == true {
                doubtful.insert(subject.clone());
            }
            must_arrive.insert(subject);
        }
    }
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    assert_eq!(home.files(WAITING), Vec::<PathBuf>::new());
    assert!(kills >= 10, "only {kills} runs were killed");
    taken.extend(sink.taken());
    let arrived: Vec<_> = taken.iter().map(|taken| subject_of(&taken.lines())).collect();
    for subject in &must_arrive {
        let times = arrived.iter().filter(|arrived| *arrived == subject).count();
        let most = if doubtful.contains(subject) { usize::MAX } else { 1 };
        assert!((1..=most).contains(&times), "{subject} arrived {times} times");
    }
}

/// A message as frameworks submit it on standard input.
fn by_smtp(subject: u64, text: &str) -> String {
    format!(
        "MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n\
         Subject: {subject}\r\n\r\n{text}\r\n.\r\n"
    )
}

/// How many messages were answered with 250: of the codes, those behind 354.
fn accepted(stdout: &str) -> Vec<bool> {
    let codes: Vec<_> = stdout.lines().map(|line| &line[..3]).collect();
    let pairs = codes.windows(2).filter(|pair| pair[0] == "354");
    pairs.map(|pair| pair[1] == "250").collect()
}

#[test]
fn what_is_answered_250_on_standard_output_survives_a_kill_at_any_step() {
    if !servers::is_installed("strace") {
        return;
    }
    let mut kills = 0;
    for (call, trouble) in ["fdatasync", "fsync", "rename", "unlink", "sendto"]
        .into_iter()
        .flat_map(|call| ["", "server = \"127.0.0.1:1\""].map(|trouble| (call, trouble)))
    {
        for time in 1..100 {
            let (sink, home) = (Sink::start(&[]), Home::new());
            home.config(&sink.config(&format!("queue = true\n{trouble}")));
            let inject = format!("--inject={call}:signal=KILL:when={time}");
            let args = ["-f", "-qqq", "-o", "/dev/null", &inject, env!("CARGO_BIN_EXE_postie")];
            let input: String = (0..3).map(|subject| by_smtp(subject, "hello")).collect();
            let killed = home
                .program(Path::new("/usr/bin/strace"), args.into_iter().chain(["send", "-bs"]))
                .stdin(input)
                .run();
            assert!([0, 137].contains(&killed.status), "{killed:?}");
            home.config(&sink.config("queue = true"));
            home.postie(["queue", "flush", "--all"]).run().exit(0);
            let taken = sink.taken();
            let arrived: HashSet<_> = taken.iter().map(|it| subject_of(&it.lines())).collect();
            for (subject, _) in accepted(&killed.stdout).iter().enumerate().filter(|it| *it.1) {
                assert!(arrived.contains(&subject.to_string()), "{call} {time}: {killed:?}");
            }
            assert_eq!(home.files(".local/state/postie/outbox/waiting"), Vec::<PathBuf>::new());
            if killed.status == 0 {
                assert_eq!(accepted(&killed.stdout), [true; 3], "{killed:?}");
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 40, "only {kills} runs were killed");
    servers::note(&format!("killed: {kills} conversations on standard input"));
}

#[test]
fn a_full_disk_has_nothing_answered_250_that_is_not_in_the_outbox() {
    let (sink, home) = (Sink::start(&[]), Home::new());
    home.config(&sink.config("queue = true\nserver = \"127.0.0.1:1\""));
    let Some(disk) = SmallDisk::mount(&home, "state", "size=256k") else { return };
    let run = |args: &[&str], input: String| {
        let args = args.iter().map(ToString::to_string);
        home.postie(args).env("XDG_STATE_HOME", home.path().join("state")).stdin(input).run()
    };
    let text = "x".repeat(70) + "\r\n";
    let input: String = (0..12).map(|subject| by_smtp(subject, &text.repeat(500))).collect();
    let outcome = run(&["send", "-bs"], input);
    let accepted = accepted(&outcome.exit(0).stdout);
    let expected: HashSet<_> =
        accepted.iter().enumerate().filter(|it| *it.1).map(|it| it.0.to_string()).collect();
    assert_eq!(accepted.len(), 12, "{outcome:?}");
    assert!((1..12).contains(&expected.len()), "the disk was not full, or all of it: {outcome:?}");
    outcome.says("no space left on device");
    let first_refused = outcome.stdout.lines().find(|line| line.starts_with("451")).unwrap();
    assert!(first_refused.starts_with("451 4.0.0 not accepted: "), "{first_refused}");

    disk.resize("size=64m");
    home.config(&sink.config("queue = true"));
    run(&["queue", "flush", "--all"], String::new()).exit(0);
    let taken = sink.taken();
    let arrived: HashSet<_> = taken.iter().map(|taken| subject_of(&taken.lines())).collect();
    assert_eq!((arrived, taken.len()), (expected.clone(), expected.len()));
}

#[test]
fn a_submission_killed_at_any_step_is_made_good_by_the_next_flush() {
    if !servers::is_installed("strace") {
        return;
    }
    // Message and journal; what they say; directories; into the outbox and out of it; the rest.
    for (call, sent, waiting) in
        [("fdatasync", 3, 3), ("write", 5, 4), ("fsync", 5, 5), ("rename", 2, 1), ("unlink", 2, 0)]
    {
        for trouble in TROUBLES {
            let times = if trouble.is_empty() { sent } else { waiting };
            let kills =
                (1..100).take_while(|&time| kill_submission_at(call, time, trouble)).count();
            assert!(kills >= times, "{call}: only {kills} runs were killed");
            servers::note(&format!("killed: {kills} submissions, one at each {call}: {trouble:?}"));
        }
    }
}

/// What keeps the message from being sent meanwhile, in the account's table: nothing, no connection,
/// no password, no host, no TLS.
const TROUBLES: [&str; 5] = [
    "",
    "server = \"127.0.0.1:1\"",
    "password-command = \"exit 1\"",
    "server = \"no-such-host.invalid\"\ntls = \"implicit\"",
    "tls = \"starttls\"",
];

/// Kills a submission that is about to make a call for the given time, and looks at what the next
/// flush makes of what it left. Says whether it came to that.
fn kill_submission_at(call: &str, time: usize, trouble: &str) -> bool {
    let (sink, home) = (Sink::start(&[]), Home::new());
    home.config(&sink.config(&format!("queue = true\n{trouble}")));
    let inject = format!("--inject={call}:signal=KILL:when={time}");
    let args = ["-f", "-qqq", "-o", "/dev/null", &inject, env!("CARGO_BIN_EXE_postie")];
    let args = args.into_iter().chain(["send", "bob@example.net", "--body=hello"]);
    let killed = home.program(Path::new("/usr/bin/strace"), args).run();
    assert!([0, 137].contains(&killed.status), "{killed:?}");
    let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
    let before = sink.taken().len();
    home.config(&sink.config("queue = true"));
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    let arrived = before + sink.taken().len();
    let may_be = if !listed.is_empty() {
        if listed.contains("\"duplicate\":true") { 1..3 } else { 1..2 }
    } else if killed.status == 0 {
        1..2
    } else {
        // Nobody was told that it was there, or it was gone already.
        0..2
    };
    assert!(may_be.contains(&arrived), "{call} {time}: {arrived} arrived\n{listed}");
    assert_eq!(home.files(".local/state/postie/outbox/waiting"), Vec::<PathBuf>::new());
    killed.status == 137
}

#[test]
fn a_flight_killed_at_any_step_is_made_good_by_the_next_flush() {
    if !servers::is_installed("strace") {
        return;
    }
    // An attempt, a mark and an answer for each message, of which the mark is waited for; their removal,
    // which all wait for together.
    for (call, times) in [
        ("write", 12..20),
        ("fdatasync", 4..5),
        ("fsync", 1..2),
        ("rename", 4..5),
        ("unlink", 12..20),
    ] {
        let kills: Vec<_> = (1..100).map_while(|time| kill_flight_at(call, time)).collect();
        assert!(times.contains(&kills.len()), "{call}: {} runs were killed", kills.len());
        let most = kills.iter().max().unwrap();
        servers::note(&format!(
            "killed: {} flights of four messages, one at each {call}; up to {most} in doubt",
            kills.len()
        ));
    }
}

/// Kills a flush of four messages that is about to make a call for the given time, and looks at what the
/// next flush makes of what it left. Returns how many were in doubt; `None` if it did not come to that.
fn kill_flight_at(call: &str, time: usize) -> Option<usize> {
    let (sink, home) = (Sink::start_far_away(), Home::new());
    home.config(&sink.config("queue = true\nserver = \"127.0.0.1:1\""));
    for subject in ["1", "2", "3", "4"] {
        home.postie(["send", "bob@example.net", "--body=hello", "--subject", subject])
            .run()
            .exit(0);
    }
    home.config(&sink.config("queue = true"));
    let inject = format!("--inject={call}:signal=KILL:when={time}");
    let args = ["-f", "-qqq", "-o", "/dev/null", &inject, env!("CARGO_BIN_EXE_postie")];
    let args = args.into_iter().chain(["queue", "flush", "--all"]);
    let killed = home.program(Path::new("/usr/bin/strace"), args).run();
    assert!([0, 137].contains(&killed.status), "{killed:?}");
    let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
    let is_in_doubt = |subject: &String| {
        let subject = format!("\"subject\":\"{subject}\"");
        let mut lines = listed.lines().filter(|line| line.contains(&subject));
        lines.any(|line| line.contains("\"duplicate\":true"))
    };
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    let subjects = sink.taken().iter().map(|taken| subject_of(&taken.lines())).collect::<Vec<_>>();
    for subject in ["1", "2", "3", "4"].map(str::to_owned) {
        let times = subjects.iter().filter(|arrived| **arrived == subject).count();
        let most = if is_in_doubt(&subject) { 2 } else { 1 };
        assert!(
            (1..=most).contains(&times),
            "{call} {time}: {subject} arrived {times} times\n{listed}"
        );
    }
    assert_eq!(home.files(".local/state/postie/outbox/waiting"), Vec::<PathBuf>::new());
    (killed.status == 137).then(|| listed.matches("\"duplicate\":true").count())
}

fn subject_of(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
}

/// A file system with little room.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one below a home directory, if this process may do such a thing.
    fn mount(home: &Home, name: &str, size: &str) -> Option<Self> {
        let path = home.path().join(name);
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", size, "none"]).arg(&path).output().unwrap();
        if output.status.success() {
            Some(Self(path))
        } else {
            servers::note("SKIPPED: only root can mount a small disk, and not everywhere");
            None
        }
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,{size}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

/// Fetches again and again, and kills each run at another moment, until one comes to its end.
/// Says how many did not.
fn fetch_despite_kills(home: &Home, args: &[String]) -> u64 {
    for kills in 0.. {
        let (before, start) = (Progress::of(home), Instant::now());
        let moment = Duration::from_millis(10 + kills * 29 % 200);
        let few = usize::try_from(kills * 37 % 128).unwrap();
        let is_time = |now: Progress| match kills % 6 {
            // While messages come in, once the journal is written to, while a batch moves to new/,
            // around the moment when a batch is whole, and at no moment in particular.
            0 | 3 => now.drafts > few,
            1 => now.journal > before.journal,
            2 => now.delivered == MANY || now.delivered > before.delivered + few,
            4 => now.delivered == MANY || now.drafts > 126,
            _ => start.elapsed() > moment,
        };
        let mut run = home.postie(args).spawn();
        loop {
            if run.try_wait().unwrap().is_some() {
                Outcome::new(run.wait_with_output().unwrap()).exit(0).silent();
                servers::note(&format!("killed: {kills} runs in the middle of a fetch"));
                return kills;
            }
            if is_time(Progress::of(home)) {
                run.kill().unwrap();
                run.wait().unwrap();
                break;
            }
            thread::sleep(Duration::from_micros(100));
        }
    }
    unreachable!()
}

/// How far runs have come, as the disk shows it.
#[derive(Clone, Copy)]
struct Progress {
    drafts: usize,
    delivered: usize,
    journal: u64,
}

impl Progress {
    fn of(home: &Home) -> Self {
        let count = |dir| fs::read_dir(home.path().join(dir)).map_or(0, Iterator::count);
        let mailboxes = home.files(".local/state/postie/fetch");
        let journals = mailboxes.iter().map(|mailbox| mailbox.join("journal").metadata());
        Self {
            drafts: count("Mail/tmp"),
            delivered: count("Mail/new") + count("Mail/cur"),
            journal: journals.filter_map(|metadata| Some(metadata.ok()?.len())).sum(),
        }
    }
}
