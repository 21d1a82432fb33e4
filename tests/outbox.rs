//! Messages that wait: when they are sent, when they are not, and what is done with them by hand.
//! What a server may say meanwhile is in the transcripts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::support::pki::Authority;
use crate::support::postie::{Home, Outcome};
use crate::support::server::Server;
use crate::support::servers;
use crate::support::sink::Sink;

const WAITING: &str = ".local/state/postie/outbox/waiting";
const FAILED: &str = ".local/state/postie/outbox/failed";
const TMP: &str = ".local/state/postie/outbox/tmp";

/// Nobody listens there.
const AWAY: &str = "server = \"127.0.0.1:1\"\n";

/// A home from which the server cannot be reached, with a message that waits.
fn home_with_a_message(sink: &Sink, more: &str) -> Home {
    let home = Home::new();
    home.config(&sink.config(&format!("{AWAY}{more}")));
    send(&home, "1").exit(0).says("cannot connect: connection refused; the message waits");
    home
}

fn send(home: &Home, number: &str) -> Outcome {
    let args = ["send", "--queue", "bob@example.net", "--bcc", "eve@example.org"];
    home.postie(args.into_iter().chain(["--body=hello", "--subject", number])).run()
}

fn count(home: &Home) -> [usize; 3] {
    [WAITING, FAILED, TMP].map(|dir| home.files(dir).len())
}

fn id(home: &Home, dir: &str) -> String {
    home.files(dir)[0].file_name().unwrap().to_str().unwrap().to_owned()
}

const DAY: u64 = 24 * 60 * 60;

/// Lets so many seconds pass for all messages that wait.
fn age(home: &Home, seconds: u64) {
    for dir in home.files(WAITING) {
        let path = dir.join("journal");
        let older = |line: &str| match line.split_once(' ') {
            Some((word @ ("received" | "attempt"), time)) => {
                format!("{word} {}\n", time.parse::<u64>().unwrap().saturating_sub(seconds))
            }
            _ => format!("{line}\n"),
        };
        let text: String = fs::read_to_string(&path).unwrap().lines().map(older).collect();
        fs::write(&path, text).unwrap();
    }
}

#[test]
fn a_flush_removes_what_one_that_was_killed_has_sent() {
    let home = home_with_a_message(&Sink::start(&[]), "");
    let [waiting, tmp] = [WAITING, TMP].map(|dir| home.path().join(dir).join(id(&home, WAITING)));
    fs::rename(waiting, tmp).unwrap();
    assert_eq!(count(&home), [0, 0, 1]);
    home.postie(["queue", "flush"]).run().exit(0).silent();
    assert_eq!(count(&home), [0, 0, 0]);
}

#[test]
fn what_is_due_goes_with_the_next_message() {
    let sink = Sink::start(&["PIPELINING"]);
    let home = home_with_a_message(&sink, "");
    home.config(&sink.config(""));
    // A minute has not passed.
    send(&home, "2").exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (1, [1, 0, 0]));
    age(&home, 60);
    send(&home, "3").exit(0).silent();
    let subjects = sink.taken().iter().map(|taken| subject(&taken.lines())).collect::<Vec<_>>();
    assert_eq!((subjects, count(&home)), (vec!["3".to_owned(), "1".to_owned()], [0, 0, 0]));
}

fn subject(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
}

#[test]
fn what_is_due_goes_with_the_next_fetch_and_is_no_matter_to_it() {
    let authority = Authority::new();
    let users = [("ann@example.com", "not-a-secret"), ("bob@example.com", "not-a-secret-either")];
    let server = Server::start(authority.issue(&["127.0.0.1"]).config(), &users);
    let home = Home::new();
    home.file("ca.pem", authority.pem());
    let config = |smtp: u16| {
        home.config(&format!(
            "[account.ann]\nserver = \"127.0.0.1\"\nuser = \"ann@example.com\"\n\
             password = \"not-a-secret\"\nca-file = \"ca.pem\"\n\
             fetch.port = {}\nsend.port = {smtp}\nsend.queue = true\n",
            server.pop3.port(),
        ))
    };
    config(1);
    home.postie(["send", "ann@example.com"]).stdin("Subject: x\n\nhello\n").run().exit(0);
    assert_eq!(count(&home), [1, 0, 0]);
    age(&home, 60);
    home.postie(["fetch"]).run().exit(0).silent();
    let listed = home.postie(["queue"]).run();
    assert!(listed.stdout.contains("tried 2 times, due in "), "{}", listed.stdout);

    config(server.smtp.port());
    age(&home, 120);
    home.postie(["fetch", "--dry-run"]).run().exit(0).silent();
    assert_eq!(count(&home), [1, 0, 0]);
    home.postie(["fetch"]).run().exit(0).silent();
    assert_eq!(count(&home), [0, 0, 0]);
    home.postie(["fetch"]).run().exit(0).silent();
    assert_eq!(home.messages("Maildir").len(), 1);
}

#[test]
fn the_list_names_the_subject() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    let message =
        "To: bob@example.net\nSubject: Re:\n =?utf-8?q?Gr=C3=BC=C3=9Fe?= \x1b[2J\n\nhello\n";
    home.postie(["send", "--queue", "-t"]).stdin(message.replace('\x1b', "=?utf-8?q?=1B?=")).run();
    send(&home, "Gr\u{fc}\u{df}e").exit(0);
    let listed = home.postie(["queue"]).run().stdout;
    assert!(listed.contains("\n    Subject: 1\n"), "{listed}");
    assert_eq!(listed.matches("Gr\u{fc}\u{df}e").count(), 2, "{listed}");
    assert!(!listed.contains('\x1b'), "{listed:?}");
    let listed = home.postie(["queue", "--json"]).run().stdout;
    assert!(listed.contains("\"subject\":\"1\""), "{listed}");
}

#[test]
fn flushes_that_meet_send_each_message_once() {
    const MANY: usize = 20;
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    for number in 2..=MANY {
        send(&home, &number.to_string()).exit(0);
    }
    home.config(&sink.config(""));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| home.postie(["queue", "flush", "--all"]).run().exit(0).silent().status);
        }
    });
    let taken = sink.taken();
    let subjects: BTreeSet<_> = taken.iter().map(|taken| subject(&taken.lines())).collect();
    assert_eq!((taken.len(), subjects.len(), count(&home)), (MANY, MANY, [0, 0, 0]));
}

/// Adds copies of the message that waits, so that there are so many.
fn multiply(home: &Home, number: usize) {
    let first = home.files(WAITING).remove(0);
    for copy in 1..number {
        let dir = first.with_file_name(format!("{copy:08x}.{copy:08x}"));
        fs::create_dir(&dir).unwrap();
        for file in ["message.eml", "journal", "lock"] {
            fs::copy(first.join(file), dir.join(file)).unwrap();
        }
    }
}

#[test]
fn a_thousand_messages_need_few_round_trips() {
    let sink = Sink::start_far_away();
    let home = home_with_a_message(&sink, "");
    multiply(&home, 1_000);
    home.config(&sink.config(""));
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (1_000, [0, 0, 0]));
    // Greeting, EHLO, AUTH, and eight messages each time.
    let turns = sink.turns();
    servers::note(&format!("outbox: 1,000 messages, {turns} round trips"));
    assert!((128..=150).contains(&turns), "{turns}");
}

/// A client, heard line by line. What is said to it leaves when it is waited for.
struct Client {
    socket: TcpStream,
    heard: Vec<u8>,
    due: Vec<u8>,
}

impl Client {
    /// Takes so many octets, or a line; `None` at the end.
    fn take(&mut self, octets: Option<usize>) -> Option<String> {
        loop {
            let line_end = self.heard.windows(2).position(|two| two == b"\r\n").map(|at| at + 2);
            let end =
                octets.map_or(line_end, |octets| (self.heard.len() >= octets).then_some(octets));
            if let Some(end) = end {
                return Some(String::from_utf8(self.heard.drain(..end).collect()).unwrap());
            }
            self.socket.write_all(&std::mem::take(&mut self.due)).ok()?;
            let mut octets = [0; 4096];
            let length = self.socket.read(&mut octets).ok().filter(|length| *length > 0)?;
            self.heard.extend_from_slice(&octets[..length]);
        }
    }

    /// Takes in what comes before it is silent.
    fn read_until_silent(&mut self) {
        self.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut octets = [0; 4096];
        while let Ok(length @ 1..) = self.socket.read(&mut octets) {
            self.heard.extend_from_slice(&octets[..length]);
        }
        self.socket.set_read_timeout(None).unwrap();
    }
}

/// Takes any login, and hangs up where several messages come in one flight. Returns the number of
/// messages that were answered.
fn serve_one_at_a_time(listener: &TcpListener, connections: usize) -> usize {
    let mut taken = 0;
    for _ in 0..connections {
        let socket = listener.accept().unwrap().0;
        let mut client = Client { socket, heard: Vec::new(), due: b"220 hi\r\n".to_vec() };
        while let Some(line) = client.take(None) {
            let reply: &[u8] = match line.split([' ', '\r']).next().unwrap() {
                "EHLO" => b"250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n",
                "AUTH" => b"235 welcome\r\n",
                "BDAT" => {
                    let octets = line.split(' ').nth(1).unwrap().parse().unwrap();
                    client.take(Some(octets));
                    client.read_until_silent();
                    if client.heard.windows(4).any(|four| four == b"MAIL") {
                        break;
                    }
                    taken += 1;
                    b"250 taken\r\n"
                }
                _ => b"250 ok\r\n",
            };
            client.due.extend_from_slice(reply);
        }
    }
    taken
}

#[test]
fn a_server_at_which_a_flight_was_lost_gets_one_message_at_a_time() {
    let sink = Sink::start(&[]);
    // Also where that cannot be written down.
    for is_remembered in [true, false] {
        let home = home_with_a_message(&sink, "");
        multiply(&home, 12);
        if !is_remembered {
            home.file(".local/state/postie/server", "");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        home.config(&sink.config(&format!("server = \"{server}\"")));
        thread::scope(|scope| {
            let serving = scope.spawn(|| serve_one_at_a_time(&listener, 2));
            let flushed = home.postie(["queue", "flush", "--all"]).run();
            flushed.exit(80).says(": the message may have been delivered; ");
            assert_eq!(flushed.stderr.lines().count(), 8, "{}", flushed.stderr);
            assert_eq!(serving.join().unwrap(), 4);
        });
        let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
        assert_eq!(listed.matches("\"duplicate\":true").count(), 8, "{listed}");
        assert_eq!(home.files(".local/state/postie/server").len(), usize::from(is_remembered));
    }
}

#[test]
fn what_goes_with_another_message_goes_one_by_one() {
    let sink = Sink::start_far_away();
    let home = home_with_a_message(&sink, "");
    multiply(&home, 3);
    age(&home, 60);
    home.config(&sink.config(""));
    send(&home, "2").exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (4, [0, 0, 0]));
    // Greeting, EHLO, AUTH, its own, and for each of the others RSET and the message.
    assert!(sink.turns() >= 10, "{}", sink.turns());
}

/// Adds attempts on each of six days, of which the last is today.
fn try_for_days(home: &Home) {
    age(home, 6 * DAY);
    for dir in home.files(WAITING) {
        let path = dir.join("journal");
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().find_map(|line| line.strip_prefix("received ")).unwrap();
        let first: u64 = first.parse().unwrap();
        let attempt = |day| format!("attempt {0}\ndeferred {0} 451 later\n", first + day * DAY);
        let more: String = (1..6).map(attempt).collect();
        fs::write(&path, text + &more).unwrap();
    }
}

#[test]
fn what_was_tried_for_five_days_is_abandoned_and_kept() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    try_for_days(&home);
    let id = id(&home, WAITING);
    let flushed = home.postie(["queue", "flush"]).run();
    let path = home.path().join(FAILED).join(&id);
    flushed.exit(75).says(&format!(
        "postie: queue home: 127.0.0.1:1: bob@example.net: abandoned after 5 days: cannot connect: \
         connection refused (and 1 recipient more); {id} is in {} now\nhint: ",
        path.display()
    ));
    assert_eq!(count(&home), [0, 1, 0]);
    assert!(fs::read_to_string(path.join("message.eml")).unwrap().contains("\nSubject: 1\n"));
    let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
    assert_eq!(listed.matches("\"status\":\"abandoned\"").count(), 2, "{listed}");
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
}

#[test]
fn a_clock_that_was_wrong_makes_no_message_too_old() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    age(&home, 20_000 * DAY);
    for _ in 0..3 {
        home.postie(["queue", "flush", "--all"]).run().exit(75).says(" waits\n");
    }
    assert_eq!(count(&home), [1, 0, 0]);
    home.config(&sink.config(""));
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (1, [0, 0, 0]));
}

#[test]
fn a_message_is_dropped_by_its_name() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    let remove = |id: &str| home.postie(["queue", "remove", id]).run();
    let unknown = |id: &str| format!("postie: queue: no message `{id}` in the outbox\n");
    for wrong in ["6924e3a1.5f0c81d2", "../../outbox", "\u{1b}[2J"] {
        remove(wrong).exit(64).stderr(&unknown(&wrong.replace('\u{1b}', "\\u{1b}")));
    }
    let waiting = id(&home, WAITING);
    remove(&waiting).exit(0).silent();
    assert_eq!(count(&home), [0, 0, 0]);
    remove(&waiting).exit(64).stderr(&unknown(&waiting));

    send(&home, "2").exit(0);
    try_for_days(&home);
    home.postie(["queue", "flush"]).run().exit(75);
    remove(&id(&home, FAILED)).exit(0).silent();
    assert_eq!(count(&home), [0, 0, 0]);
}

#[test]
fn a_journal_that_makes_no_sense_is_named_and_keeps_nothing_else_from_being_sent() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    let broken = home.files(WAITING)[0].join("journal");
    send(&home, "2").exit(0);
    let text = fs::read_to_string(&broken).unwrap().replace("\naccount ", "\naccuont ");
    fs::write(&broken, text).unwrap();
    home.config(&sink.config(""));
    let line = format!("{}:4: not a line of a journal\n", broken.display());
    home.postie(["queue"]).run().exit(74).says(&line);
    home.postie(["queue", "flush", "--all"]).run().exit(74).says(&line);
    assert_eq!((sink.taken().len(), count(&home)), (1, [1, 0, 0]));
    home.postie(["queue", "remove", &id(&home, WAITING)]).run().exit(0).silent();
}

#[test]
fn a_refusal_that_nobody_has_heard_of_is_reported_by_the_next_flush() {
    let sink = Sink::start(&[]);
    for (answers, status) in [
        ("refused bob%40example.net 550 no\nnot-sent eve%40example.org 550 no\n", 67),
        ("accepted bob%40example.net 250 ok\nrefused eve%40example.org 550 no\n", 81),
        ("accepted bob%40example.net 250 ok\nrefused eve%40example.org 550 no\nnotified 3\n", 0),
        ("accepted bob%40example.net 250 ok\naccepted eve%40example.org 250 ok\n", 0),
        // Then the other gets it.
        ("refused bob%40example.net 550 no\n", 81),
    ] {
        let home = home_with_a_message(&sink, "");
        // As a run leaves it that is killed at that moment.
        let journal = home.files(WAITING)[0].join("journal");
        let text = fs::read_to_string(&journal).unwrap();
        fs::write(&journal, text + "attempt 2\ndata 2\n" + answers + "reply 2 x\n").unwrap();
        home.config(&sink.config(""));
        let flushed = home.postie(["queue", "flush", "--all"]).run();
        if status == 0 {
            flushed.exit(0).silent();
        } else {
            flushed.exit(status).says("550 no").says(" now\n");
        }
        let (failed, sent) = (usize::from(status != 0), usize::from(!answers.contains("eve")));
        assert_eq!((sink.taken().len(), count(&home)), (sent, [0, failed, 0]), "{answers}");
    }
}

#[test]
fn an_account_of_the_same_name_serves_whatever_file_it_is_in() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    let other: PathBuf = home.file("other.toml", sink.config(""));
    let flush = ["queue", "flush", "--all", "--config", other.to_str().unwrap()];
    home.postie(flush).run().exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (1, [0, 0, 0]));
}

#[test]
fn a_message_whose_account_is_gone_waits_and_that_is_reported_once_a_day() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    let waiting = id(&home, WAITING);
    home.config(&sink.config("").replace("account.home", "account.work"));
    let words = "no account `home`";
    let flush = || home.postie(["queue", "flush"]).run();
    age(&home, 60);
    flush().exit(78).says(&format!("postie: queue: {waiting} waits: {words}"));
    flush().exit(0).silent();
    home.postie(["queue", "flush", "--all"]).run().exit(78).says(words);
    let listed = home.postie(["queue"]).run().exit(0).stdout.clone();
    assert!(listed.contains(words) && listed.contains("; queued with /"), "{listed}");
    let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
    assert!(listed.contains(&format!("\"missing\":\"{words}")), "{listed}");
    // The day after.
    let journal = home.files(WAITING)[0].join("journal");
    let text = fs::read_to_string(&journal).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix("missing ") {
        Some(rest) => {
            let (time, what) = rest.split_once(' ').unwrap();
            format!("missing {} {what}\n", time.parse::<u64>().unwrap() - DAY)
        }
        None => format!("{line}\n"),
    });
    fs::write(&journal, lines.collect::<String>()).unwrap();
    flush().exit(78).says(words);
    flush().exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (0, [1, 0, 0]));

    home.config(&sink.config(""));
    flush().exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (1, [0, 0, 0]));
}

#[test]
fn what_cannot_be_known_later_is_not_queued() {
    let home = Home::new();
    let args = ["send", "--queue", "--server", "127.0.0.1:1", "--user", "ann", "bob@example.net"];
    let refused = home.postie(args).stdin("A: b\n\n").run();
    refused.exit(64).says("the argument '--queue' cannot be used with: --server");
}

#[test]
fn the_copy_and_the_log_know_of_the_wait() {
    let sink = Sink::start(&[]);
    let more = "sent-maildir = \"Sent\"\nlog-file = \"log\"\n";
    let home = home_with_a_message(&sink, more);
    let id = id(&home, WAITING);
    let flush = || home.postie(["queue", "flush", "--all", "--json"]).run();
    let outcome = flush();
    outcome.exit(75).says("waits");
    for part in ["\"kind\":\"later\"", "\"status\":\"queued\"", &format!("\"queued\":\"{id}\"")] {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
    assert_eq!(home.messages("Sent").len(), 0);
    home.config(&sink.config(more));
    let outcome = flush();
    outcome.exit(0).stderr("");
    assert!(outcome.stdout.contains(&format!("\"id\":\"{id}\"")), "{}", outcome.stdout);
    let log = fs::read_to_string(home.path().join("log")).unwrap();
    let ends: Vec<_> = log.lines().map(|line| line.split_once(" outbox=").unwrap().1).collect();
    let line = |status| format!("{id} status={status}");
    assert_eq!(ends, [line(75), line(75), line(0)]);
    let copies = home.messages("Sent");
    let sent = sink.taken().remove(0).lines();
    assert_eq!(copies, [format!("Bcc: <eve@example.org>\n{sent}").into_bytes()]);
    assert!(!sent.contains("eve"));
}

#[test]
fn the_log_says_which_message_may_come_twice() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    // As a run leaves it that is killed at that moment.
    let journal = home.files(WAITING)[0].join("journal");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text + "attempt 1\ndata 1\n").unwrap();
    home.config(&sink.config("log-file = \"log\""));
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    let log = fs::read_to_string(home.path().join("log")).unwrap();
    assert!(log.ends_with(" duplicate=maybe status=0\n"), "{log}");
}

#[test]
fn a_run_that_is_told_to_end_leaves_its_message() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new();
    home.config(&format!(
        "[account.home]\nserver = \"{}\"\ntls = \"none\"\nuser = \"ann@example.com\"\n\
         password-command = \"echo not-a-secret\"\n",
        listener.local_addr().unwrap()
    ));
    let running = home.postie(["send", "--queue", "bob@example.net", "--body=hello"]).start();
    let (mut socket, _) = listener.accept().unwrap();
    socket.write_all(b"220 mail.example.com\r\n").unwrap();
    // When it has asked for something, it waits for an answer.
    assert!(socket.read(&mut [0; 100]).unwrap() > 0);
    kill_process(running.pid(), Signal::TERM).unwrap();
    running.finish().exit(0).says("; the message waits in the outbox as ");
    assert_eq!(count(&home), [1, 0, 0]);
}

/// What goes wrong at night, as configuration, and the words for it.
fn troubles(sink: &Sink) -> Vec<(String, &'static str)> {
    let with = |more: &str| sink.config(more);
    vec![
        (with(AWAY), "cannot connect: connection refused"),
        (with("server = \"no-such-host.invalid\"\ntls = \"implicit\"\n"), "host name"),
        (with("password-command = \"exit 1\"\n"), "the password command failed"),
        (with("password-command = \"true\"\n"), "the password is empty"),
        (
            with("token-command = \"exit 1\"\nauth = \"xoauth2\"\n")
                .replace("password-command", "# "),
            "the token command failed",
        ),
        (with("tls = \"implicit\"\n"), "TLS"),
        (with("tls = \"starttls\"\n"), "the server does not offer STARTTLS"),
        (with("auth = \"cram-md5\"\n"), "auth"),
        (with("ca-file = \"/nowhere.pem\"\ntls = \"implicit\"\n"), "/nowhere.pem"),
        (with("auth = \"scram-sha-256\"\n"), "the server offers"),
        ("[account.home\n".to_owned(), "config.toml:1"),
        (with("").replace("server =", "sever ="), "sever"),
        (with("").replace("server =", "# "), "no account in "),
        (with("").replace("user = \"ann@example.com\"", ""), "no sender's address"),
    ]
}

#[test]
fn whatever_is_not_the_messages_fault_waits_and_goes_when_it_has_passed() {
    let sink = Sink::start(&["PIPELINING"]);
    for (config, words) in troubles(&sink) {
        let home = Home::new();
        home.config(&config);
        let args = ["send", "--queue", "bob@example.net", "root"];
        let message = "From: Ann <ann@example.com>\nSubject: x\n\nhello\n";
        let outcome = home.postie(args).stdin(message).run();
        outcome.exit(0).says("; the message waits in the outbox as ").says(words);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert_eq!(count(&home), [1, 0, 0], "{words}");
        // A further attempt fails in the same way, and loses nothing.
        let flushed = home.postie(["queue", "flush", "--all"]).run();
        assert_ne!(flushed.status, 0, "{words}");
        assert_eq!(count(&home), [1, 0, 0], "{words}: {}", flushed.stderr);
        home.postie(["queue"]).run().exit(0);
        home.config(&sink.config(""));
        home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
        let taken = sink.taken();
        assert_eq!((taken.len(), count(&home)), (1, [0, 0, 0]), "{words}");
        assert_eq!(taken[0].recipients, ["<bob@example.net>", "<ann@example.com>"], "{words}");
        let text = taken[0].lines();
        for part in ["From: Ann <ann@example.com>\n", "\nDate: ", "\nMessage-ID: <", "\nhello\n"] {
            assert_eq!(text.matches(part).count(), 1, "{words}: {text}");
        }
    }
}

/// A server that refuses every login, and counts them.
fn refusing_server() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, logins) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&logins);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut output = socket.unwrap();
            let input = BufReader::new(output.try_clone().unwrap());
            output.write_all(b"220 hi\r\n").unwrap();
            for line in input.lines().map_while(Result::ok) {
                let reply: &[u8] = match line.get(..4) {
                    Some("EHLO") => b"250-hi\r\n250 AUTH PLAIN\r\n",
                    Some("AUTH") => {
                        counted.fetch_add(1, Ordering::SeqCst);
                        b"535 5.7.8 no\r\n"
                    }
                    _ => b"221 bye\r\n",
                };
                if output.write_all(reply).is_err() {
                    break;
                }
            }
        }
    });
    (address, logins)
}

#[test]
fn a_refused_login_is_asked_once_per_flush_and_not_at_all_while_it_is_held_back() {
    let (address, logins) = refusing_server();
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    for number in 2..=5 {
        send(&home, &number.to_string()).exit(0);
    }
    home.config(&sink.config(&format!("server = \"{address}\"\n")));
    let asked = || logins.swap(0, Ordering::SeqCst);
    let flush = |args: &[&str]| home.postie(["queue", "flush"].iter().chain(args)).run();
    flush(&["--all"]).exit(77);
    assert_eq!(asked(), 1);
    // New messages wait without a word to the server, and so do those that are due.
    let words = "login refused earlier; next attempt in ";
    send(&home, "6").exit(0).says(words).says("; the message waits in the outbox as ");
    age(&home, 30);
    flush(&[]).exit(0).silent();
    assert_eq!((asked(), count(&home)), (0, [6, 0, 0]));
    // Each refusal doubles the pause.
    for _ in 0..3 {
        flush(&["--all"]).exit(77);
    }
    assert_eq!(asked(), 3);
    let line = send(&home, "7").stderr;
    let minutes = line.split_once(words).unwrap().1.split_once('m').unwrap().0;
    assert!((7..=8).contains(&minutes.parse::<u64>().unwrap()), "{line}");
    age(&home, 10 * 60);
    flush(&[]).exit(0).silent();
    assert_eq!(asked(), 0);
    home.config(&sink.config(""));
    flush(&["--all"]).exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (7, [0, 0, 0]));
    // And it is forgotten.
    send(&home, "8").exit(0).silent();
    assert_eq!(sink.taken().len(), 1);
}

/// A server that takes a message, and answers nothing more in this session.
fn server_that_stalls() -> (std::net::SocketAddr, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (told, taken)) = (listener.local_addr().unwrap(), std::sync::mpsc::channel());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (mut output, told) = (socket.unwrap(), told.clone());
            thread::spawn(move || {
                let mut input = BufReader::new(output.try_clone().unwrap());
                let (mut line, mut is_text) = (String::new(), false);
                output.write_all(b"220 hi\r\n").unwrap();
                while input.read_line(&mut line).is_ok_and(|read| read > 0) {
                    let reply: &[u8] = match line.trim_end() {
                        "." => {
                            output.write_all(b"250 taken\r\n").unwrap();
                            told.send(()).unwrap();
                            drop(io::copy(&mut input, &mut io::sink()));
                            return;
                        }
                        _ if is_text => b"",
                        "DATA" => {
                            is_text = true;
                            b"354 go on\r\n"
                        }
                        line if line.starts_with("EHLO") => b"250-hi\r\n250 AUTH PLAIN\r\n",
                        line if line.starts_with("AUTH") => b"235 welcome\r\n",
                        _ => b"250 ok\r\n",
                    };
                    output.write_all(reply).unwrap();
                    line.clear();
                }
            });
        }
    });
    (address, taken)
}

#[test]
fn what_goes_in_passing_takes_a_few_seconds_however_a_server_stalls() {
    let (address, _taken) = server_that_stalls();
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    for number in 2..=20 {
        send(&home, &number.to_string()).exit(0);
    }
    age(&home, 3600);
    home.config(&sink.config(&format!("server = \"{address}\"\n")));
    let start = Instant::now();
    send(&home, "21").exit(0).silent();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(count(&home)[0], 20);
}

#[test]
fn a_few_messages_go_in_passing_and_the_others_later() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    for number in 2..=25 {
        send(&home, &number.to_string()).exit(0);
    }
    age(&home, 3600);
    home.config(&sink.config(""));
    send(&home, "26").exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (11, [15, 0, 0]));
}

#[test]
fn a_signal_after_the_message_was_accepted_changes_nothing() {
    for queue in [true, false] {
        let (address, taken) = server_that_stalls();
        let sink = Sink::start(&[]);
        let home = home_with_a_message(&sink, "");
        age(&home, 3600);
        home.config(&sink.config(&format!("server = \"{address}\"\nqueue = {queue}\n")));
        let running = home.postie(["send", "bob@example.net", "--body=x"]).start();
        taken.recv().unwrap();
        // It goes on with the message that waits.
        thread::sleep(Duration::from_millis(300));
        kill_process(running.pid(), Signal::INT).unwrap();
        running.finish().exit(0).silent();
        assert_eq!(count(&home), [1, 0, 0], "{queue}");
    }
}

#[test]
fn the_outbox_is_the_users_whatever_the_environment_says() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    let config = home.file("config.toml", sink.config(AWAY));
    let config = config.to_str().unwrap().to_owned();
    let elsewhere = home.path().join("elsewhere");
    // As a service has it.
    let args = ["send", "-c", &config, "--queue", "bob@example.net", "--body=x", "--subject=2"];
    home.postie(args).env("XDG_STATE_HOME", &elsewhere).run().exit(0);
    assert_eq!(home.files("elsewhere/postie/outbox/waiting").len(), 1);
    let queue = |args: &[&str]| {
        let run = home.postie(["queue"].iter().chain(args));
        run.env("XDG_STATE_HOME", &elsewhere).run()
    };
    let listed = queue(&["--json"]).exit(0).stdout.clone();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    // One of the other place is removed, too.
    let other = id(&home, WAITING);
    queue(&["remove", &other]).exit(0).silent();
    assert_eq!(count(&home), [0, 0, 0]);
    send(&home, "3").exit(0);
    home.config(&sink.config(""));
    queue(&["flush", "--all"]).exit(0).silent();
    assert_eq!(sink.taken().len(), 2);
    assert_eq!((count(&home)[0], home.files("elsewhere/postie/outbox/waiting").len()), (0, 0));
}

#[test]
fn what_waits_is_listed_and_removed_without_a_configuration_that_can_be_read() {
    let sink = Sink::start(&[]);
    let home = home_with_a_message(&sink, "");
    home.config("[account.home\n");
    // What was queued while it could be read, and what was not.
    home.postie(["send", "--queue", "eve@example.net"])
        .stdin("Subject: x\n\nhello\n")
        .run()
        .exit(0);
    let queue = home.postie(["queue"]).run();
    queue.exit(0).says("postie: queue: ").says("config.toml:1");
    let listed = queue.stdout;
    assert!(listed.contains("bob@example.net") && listed.contains("eve@example.net"), "{listed}");
    assert_eq!(listed.matches("config.toml is wrong").count(), 2, "{listed}");
    assert_eq!(listed.matches("no configuration: ").count(), 2, "{listed}");
    home.postie(["queue", "flush"]).run().exit(78).says("config.toml:1");
    assert_eq!(count(&home), [2, 0, 0]);
    for removed in 1..=2 {
        home.postie(["queue", "remove", &id(&home, WAITING)]).run().exit(0);
        assert_eq!(count(&home), [2 - removed, 0, 0]);
    }
}

#[test]
fn what_waits_is_held_to_the_rules_of_the_account_that_would_send_it() {
    let sink = Sink::start(&[]);
    // One waits for the account, and one was queued while the configuration could not be read.
    let home = home_with_a_message(&sink, "");
    home.config("[account.home\n");
    let args = ["send", "--queue", "eve@example.org", "bob@example.net"];
    home.postie(args).stdin("Subject: x\n\nhello\n").run().exit(0);
    for rule in ["recipients = [\"*@example.net\"]", "max-recipients = 1"] {
        home.config(&sink.config(rule));
        let flushed = home.postie(["queue", "flush", "--all"]).run();
        flushed.exit(78);
        assert_eq!(flushed.stderr.matches(" waits: ").count(), 2, "{flushed:?}");
        assert_eq!((sink.taken().len(), count(&home)), (0, [2, 0, 0]), "{rule}");
        assert!(home.postie(["queue"]).run().stdout.contains("this account "), "{rule}");
        // Neither do they go along with another message.
        age(&home, DAY);
        home.postie(["send", "bob@example.net"]).stdin("Subject: x\n\nhello\n").run().silent();
        assert_eq!(sink.taken().len(), 1, "{rule}");
    }
    home.config(&sink.config(""));
    home.postie(["queue", "flush", "--all"]).run().exit(0);
    assert_eq!(sink.taken().len(), 2);
}

/// A relay that answers EHLO for a server behind it, and does not know BDAT itself.
#[test]
fn a_message_is_not_lost_where_chunking_is_offered_and_unknown() {
    let sink = Sink::start(&["PIPELINING", "CHUNKING"]);
    let home = Home::new();
    home.config(&sink.config("queue = true"));
    send(&home, "1").exit(0).silent();
    // What it does not know is remembered, also by a user who has kept nothing yet.
    let turns = sink.turns();
    send(&home, "2").exit(0).silent();
    assert!(sink.turns() - turns < turns, "{turns}");
    assert_eq!((sink.taken().len(), count(&home)), (2, [0, 0, 0]));
    // Nor is it without an outbox.
    let home = Home::new();
    home.config(&sink.config(""));
    for _ in 0..2 {
        home.postie(["send", "bob@example.net"]).stdin("Subject: x\n\nhello\n").run().exit(0);
    }
    assert_eq!(sink.taken().len(), 2);
}

#[test]
fn messages_are_sent_in_the_order_in_which_they_were_queued() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&sink.config(&format!("{AWAY}queue = true")));
    // Several of them within a second.
    for number in 0..12 {
        send(&home, &number.to_string()).exit(0);
    }
    home.config(&sink.config("queue = true"));
    home.postie(["queue", "flush", "--all"]).run().exit(0);
    let taken = sink.taken();
    let subject = |text: String| {
        text.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned))
    };
    let subjects: Vec<_> = taken.iter().filter_map(|taken| subject(taken.lines())).collect();
    assert_eq!(subjects, (0..12).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn where_no_outbox_can_be_made_the_message_is_sent_without_one() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&sink.config("queue = true"));
    // Something else is there.
    home.file(".local", "");
    let words = "; the message is sent without the outbox\n";
    send(&home, "1").exit(0).says(words);
    assert_eq!(sink.taken().len(), 1);
    home.config(&sink.config(&format!("{AWAY}queue = true")));
    send(&home, "2").exit(75).says(words).says("cannot connect");
}

#[test]
fn what_lost_a_file_is_listed_and_can_be_removed() {
    for file in ["journal", "message.eml"] {
        let sink = Sink::start(&[]);
        let home = home_with_a_message(&sink, "");
        fs::remove_file(home.files(WAITING)[0].join(file)).unwrap();
        let damaged = format!(": damaged: {}/", home.path().join(WAITING).display());
        let id = id(&home, WAITING);
        home.postie(["queue"]).run().exit(74).says(&damaged);
        let listed = home.postie(["queue", "--json"]).run();
        let object = format!("{{\"id\":\"{id}\",\"state\":\"damaged\",\"error\":{{\"kind\":");
        assert!(listed.exit(74).stdout.starts_with(&object), "{}", listed.stdout);
        home.postie(["queue", "flush", "--all"]).run().exit(74).says("damaged: ");
        // One that is not there keeps none from being removed.
        let unknown = "no message `00000000.0000000000` in the outbox";
        let ids = ["queue", "remove", "00000000.0000000000", &id];
        home.postie(ids).run().exit(64).says(unknown);
        assert_eq!(count(&home), [0, 0, 0]);
    }
}

#[test]
fn what_the_choice_of_an_account_lacks_is_listed() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config("[[[");
    let send = |to: &str| home.postie(["send", "--queue", to, "--body=hello", "--subject=x"]).run();
    send("bob@example.net").exit(0);
    send("staff").exit(0);
    let config = sink.config("");
    let (_, account) = config.split_once("[account.home]").unwrap();
    let other = account.replace("account.home", "account.other");
    home.config(&format!("{config}[account.other]{other}"));
    let listed = home.postie(["queue"]).run().exit(0).stdout.clone();
    let lack = "    several accounts could send: name one with --account, or set `default`; queued";
    assert_eq!(listed.matches(lack).count(), 2, "{listed}");
    home.config(&config);
    let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
    let lacks: Vec<_> = listed.lines().map(|line| line.contains("\"missing\":null")).collect();
    assert_eq!((lacks, count(&home)), (vec![true, false], [2, 0, 0]), "{listed}");
    assert!(listed.contains("\"missing\":\"`staff` has no domain"), "{listed}");
}

/// What an NFS client does: an exclusive lock is for files that are open for writing.
const NFS: &str = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <fcntl.h>\n\
    #include <sys/file.h>\n\
    int flock(int fd, int how) {\n\
      int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, \"flock\");\n\
      int mode = fcntl(fd, F_GETFL) & O_ACCMODE;\n\
      int kind = how & ~LOCK_NB;\n\
      if ((kind == LOCK_EX && mode == O_RDONLY) || (kind == LOCK_SH && mode == O_WRONLY)) {\n\
        errno = EBADF;\n        return -1;\n      }\n\
      return next(fd, how);\n    }\n";

/// Locks the file that it is called with, opened for reading only.
const LOCKER: &str = "#include <fcntl.h>\n#include <sys/file.h>\n\
    int main(int count, char **args) {\n\
      return flock(open(args[1], O_RDONLY), LOCK_EX | LOCK_NB) == 0 ? 0 : 1;\n    }\n";

#[test]
fn an_outbox_on_nfs_is_locked_by_a_file_that_is_open_for_writing() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&sink.config(AWAY));
    let (source, library) = (home.file("nfs.c", NFS), home.path().join("nfs.so"));
    let mut compiler = Command::new("cc");
    let built = compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(built.arg("-ldl").status().unwrap().success());
    let run = |args: &[&str]| home.postie(args).env("LD_PRELOAD", &library).run();
    // A program that locks as NFS does not allow is refused.
    let (source, locker) = (home.file("locker.c", LOCKER), home.path().join("locker"));
    assert!(Command::new("cc").arg("-o").arg(&locker).arg(&source).status().unwrap().success());
    home.program(&locker, ["locker.c"]).run().exit(0);
    home.program(&locker, ["locker.c"]).env("LD_PRELOAD", &library).run().exit(1);
    run(&["send", "--queue", "bob@example.net", "--body=x"]).exit(0).says("waits in the outbox");
    assert_eq!(run(&["queue", "--json"]).exit(0).stdout.lines().count(), 1);
    home.config(&sink.config(""));
    run(&["queue", "flush", "--all"]).exit(0).silent();
    assert_eq!((sink.taken().len(), count(&home)), (1, [0, 0, 0]));
}

/// As a service has it, or a program that sudo or su starts: another user, whose home is not there or
/// not this user's, and root's configuration, which the group may read.
#[test]
fn a_user_without_a_home_sends_without_an_outbox_and_is_told_what_that_means() {
    if !servers::is_root() || !servers::is_installed("setpriv") {
        return servers::note("SKIPPED: only root can act as other users");
    }
    let sink = Sink::start(&[]);
    let home = Home::new();
    let config = home.file("config.toml", sink.config("queue = true"));
    for (path, mode) in [(home.path().to_owned(), 0o755), (config.clone(), 0o640)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    chown(&config, Some(0), Some(servers::NOBODY)).unwrap();
    let sendmail = home.path().join("sendmail");
    fs::copy(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    let nobody = servers::NOBODY.to_string();
    let send = |environment: (&str, &str), program: &str| {
        let head = ["--reuid", &nobody, "--regid", &nobody, "--clear-groups", program];
        let rest = ["-C", config.to_str().unwrap(), "-i", "bob@example.net"];
        let run = home.program(Path::new("/usr/bin/setpriv"), head.into_iter().chain(rest));
        run.env(environment.0, environment.1).stdin("Subject: x\n\nhello\n").run()
    };
    let sendmail = sendmail.to_str().unwrap();
    // Of root, and for root alone.
    let closed = home.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let (closed, below) = (closed.to_str().unwrap(), closed.join(".local/state"));
    let below = below.to_str().unwrap();
    for environment in [("HOME", "/"), ("HOME", closed), ("XDG_STATE_HOME", below)] {
        let outcome = send(environment, sendmail);
        outcome.exit(0).says("; the message is sent without the outbox\n");
        assert_eq!(sink.taken().len(), 1, "{environment:?}");
    }
    // What was not kept is the caller's.
    fs::write(&config, sink.config(AWAY)).unwrap();
    send(("HOME", "/"), sendmail).exit(69).says("without the outbox\n").says("cannot connect");
    // With a place of its own it has an outbox.
    let state = home.path().join("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(servers::NOBODY), Some(servers::NOBODY)).unwrap();
    send(("XDG_STATE_HOME", state.to_str().unwrap()), sendmail)
        .exit(0)
        .says("; the message waits in the outbox");
    assert_eq!(home.files("state/postie/outbox/waiting").len(), 1);
    // It is none if somebody else could put another one there.
    let other = Some(servers::NOBODY - 1);
    chown(&state, other, other).unwrap();
    let outcome = send(("XDG_STATE_HOME", state.to_str().unwrap()), sendmail);
    outcome.exit(69).says("without the outbox\n");
    assert_eq!(home.files("state/postie/outbox/waiting").len(), 1);
}
