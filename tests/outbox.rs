//! Messages that wait: when they are sent, when they are not, and what is done with them by hand.
//! What a server may say meanwhile is in the transcripts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use rustix::process::{Signal, kill_process};

use crate::support::pki::Authority;
use crate::support::postie::{Home, Outcome};
use crate::support::server::Server;
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
