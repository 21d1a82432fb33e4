//! `fallback`: another account for what would otherwise wait, and for nothing else.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::thread;

use serde_json::Value;

use crate::support::postie::{Home, Outcome, Run};
use crate::support::sink::Sink;

/// Where a server stops, and what it says there.
#[derive(Clone, Copy)]
struct Stop {
    /// The beginning of the command that it answers so; a dot is the message, nothing the connection.
    command: &'static str,
    /// Its answer; nothing if it hangs up.
    answer: &'static str,
}

/// Starts a server that agrees with everything but this.
fn server(stop: Stop) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            drop(serve(&socket.unwrap(), stop));
        }
    });
    address
}

fn serve(socket: &TcpStream, stop: Stop) -> std::io::Result<()> {
    let (mut output, mut lines) = (socket, BufReader::new(socket).lines());
    let mut say = |command: &str, usual: &str| {
        let is_stop =
            command.starts_with(stop.command) && (stop.command.is_empty() == command.is_empty());
        let answer = if is_stop { stop.answer } else { usual };
        if answer.is_empty() {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        output.write_all(format!("{answer}\r\n").as_bytes())
    };
    say("", "220 ready")?;
    while let Some(line) = lines.next().transpose()? {
        let usual = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => "250-here\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            _ => "250 ok",
        };
        say(&line, usual)?;
        if usual.starts_with("354") {
            while lines.next().transpose()?.is_some_and(|line| line != ".") {}
            say(".", "250 taken")?;
        }
    }
    Ok(())
}

/// An account for a server, with `more` for sending.
fn account(name: &str, address: impl std::fmt::Display, more: &str) -> String {
    format!(
        "[account.{name}]\nserver = \"{address}\"\ntls = \"none\"\nuser = \"ann@example.com\"\n\
         password-command = \"echo not-a-secret\"\n[account.{name}.send]\n{more}\n"
    )
}

/// Nobody listens there.
const AWAY: &str = "127.0.0.1:1";

/// A home whose account `home` has a server at `address` and falls back to `other`, a sink.
fn home(address: impl std::fmt::Display, sink: &Sink, more: &str) -> Home {
    let home = Home::new();
    home.config(&format!(
        "default = \"home\"\n[aliases]\nroot = \"ann@example.com\"\n{}{}",
        account("home", address, &format!("fallback = \"other\"\n{more}")),
        account("other", sink.address, "from = \"ann@example.org\"\n")
    ));
    home
}

fn send(home: &Home, more: &[&str]) -> Run {
    let args = ["send", "bob@example.net"].iter().chain(more).copied();
    home.postie(args).stdin("Subject: hello\n\nhello\n")
}

/// The only object that was printed.
fn object(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

const WAITING: &str = ".local/state/postie/outbox/waiting";

#[test]
fn what_would_wait_is_sent_with_the_fallback_which_is_said() {
    for (address, reason) in [
        (AWAY.to_owned(), "cannot connect: connection refused"),
        (stop("", "421 too busy"), "421 too busy"),
        (stop("AUTH", "535 not you"), "535 not you"),
        (stop("MAIL", "451 later"), "451 later"),
        (stop("RCPT", "450 greylisted"), "450 greylisted"),
        (stop("DATA", "451 later"), "451 later"),
        (stop(".", "452 no space"), "452 no space"),
        (stop("RCPT", ""), "closed the connection"),
    ] {
        let sink = Sink::start(&[]);
        for queue in [&[][..], &["--queue"]] {
            let home = home(&address, &sink, "log-file = \"log\"\n");
            let sent = send(&home, &[queue, &["--json"]].concat()).run();
            sent.exit(0).says(reason).says("; tried the fallback other\n");
            let taken = sink.taken();
            assert_eq!(taken.len(), 1, "{reason}");
            // The message and its sender stay as they are.
            assert_eq!(taken[0].sender, "<ann@example.com>");
            assert!(taken[0].lines().contains("From: ann@example.com\n"), "{}", taken[0].lines());
            let object = object(&sent);
            assert_eq!(object["account"], "other", "{object}");
            assert_eq!(object["fallback_of"], "home", "{object}");
            assert_eq!(object["recipients"][0]["status"], "accepted", "{object}");
            assert_eq!(object["queued"], Value::Null, "{object}");
            assert!(home.files(WAITING).is_empty());
        }
    }
}

fn stop(command: &'static str, answer: &'static str) -> String {
    server(Stop { command, answer }).to_string()
}

#[test]
fn what_is_in_doubt_accepted_or_refused_permanently_is_not_sent_again() {
    let sink = Sink::start(&[]);
    for (command, answer, status) in [
        // The final reply is lost.
        (".", "", 80),
        (".", "554 spam", 65),
        ("MAIL", "550 not from here", 65),
        ("RCPT", "550 no such user", 67),
        (".", "250 taken", 0),
    ] {
        let home = home(stop(command, answer), &sink, "");
        let sent = send(&home, &[]).run();
        sent.exit(status);
        assert!(!sent.stderr.contains("fallback"), "{command} {answer}: {}", sent.stderr);
    }
    // What was in doubt once waits for a person or its own server.
    let lost = home(stop(".", ""), &sink, "queue = true\n");
    send(&lost, &[]).run().exit(0).says("may have been delivered");
    lost.config(&format!(
        "{}{}",
        account("home", AWAY, "fallback = \"other\"\nqueue = true\n"),
        account("other", sink.address, "")
    ));
    lost.postie(["queue", "flush", "--all"]).run().exit(75);
    assert_eq!((sink.taken().len(), lost.files(WAITING).len()), (0, 1));
}

/// A server that answers RCPT by the recipient: with the first answer whose word is in it.
fn choosy(answers: &'static [(&str, &str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            let (mut output, mut lines) = (&socket, BufReader::new(&socket).lines());
            let mut say = |line: &str| output.write_all(format!("{line}\r\n").as_bytes());
            say("220 ready").unwrap();
            let mut is_text = false;
            while let Some(Ok(line)) = lines.next() {
                if is_text && line != "." {
                    continue;
                }
                let verb = line.split(' ').next().unwrap_or_default();
                is_text = verb == "DATA";
                drop(say(match verb {
                    "EHLO" => "250-here\r\n250 AUTH PLAIN",
                    "AUTH" => "235 welcome",
                    "RCPT" => answers.iter().find(|(word, _)| line.contains(word)).unwrap().1,
                    "DATA" => "354 go on",
                    _ => "250 ok",
                }));
            }
        }
    });
    address
}

#[test]
fn whom_a_fallback_refuses_waits_for_a_reason_that_is_given() {
    let address = choosy(&[("eve", "550 not for us"), ("", "250 ok")]);
    let home = Home::new();
    home.config(&format!(
        "default = \"home\"\n{}{}",
        account("home", AWAY, "fallback = \"other\"\nqueue = true\n"),
        account("other", address, "")
    ));
    let sent = send(&home, &["eve@example.org"]).run();
    sent.exit(0).says(&format!(
        "send other: {address}: eve@example.org refused: 550 not for us; the message waits"
    ));
}

#[test]
fn whom_the_accounts_own_server_refused_is_no_reason_for_another_to_wait() {
    let own = choosy(&[("eve", "550 no such user"), ("", "450 later")]);
    let other = choosy(&[("bob", "550 not for us"), ("", "250 ok")]);
    let home = Home::new();
    home.config(&format!(
        "default = \"home\"\n{}{}",
        account("home", own, "fallback = \"other\"\nqueue = true\n"),
        account("other", other, "")
    ));
    let sent = send(&home, &["eve@example.org", "carol@example.org"]).run();
    sent.exit(81).says(&format!("send home: {own}: eve@example.org refused: 550 no such user\n"));
    sent.says(&format!(
        "send other: {other}: bob@example.net refused: 550 not for us; the message"
    ));
}

#[test]
fn who_was_refused_permanently_stays_refused_and_the_others_get_it() {
    let sink = Sink::start(&[]);
    let address = choosy(&[("eve", "550 no such user"), ("", "450 later")]);
    let queued = home(address, &sink, "queue = true\n");
    let sent = send(&queued, &["eve@example.org", "--json"]).run();
    sent.exit(81).says("bob@example.net refused: 450 later; tried the fallback other");
    sent.says(&format!("send home: {address}: eve@example.org refused: 550 no such user\n"));
    let taken = sink.taken();
    assert_eq!((taken.len(), &taken[0].recipients[..]), (1, &["<bob@example.net>".to_owned()][..]));
    assert!(queued.files(WAITING).is_empty());
    let recipients = object(&sent)["recipients"].clone();
    assert_eq!(
        (&recipients[0]["status"], &recipients[1]["status"]),
        (&Value::from("refused"), &Value::from("accepted")),
        "{recipients}"
    );
    // Where one refusal is enough, nobody gets it.
    send(&queued, &["eve@example.org", "--all-or-nothing"]).run().exit(67);
    assert!(sink.taken().is_empty());
}

#[test]
fn where_the_fallback_fails_too_the_message_waits_for_its_own_account() {
    for (address, reason) in [
        (AWAY.to_owned(), "cannot connect"),
        (stop("AUTH", "535 not you either"), "535 not you either"),
        // That a fallback will not have it says nothing about the account's own server.
        (stop("MAIL", "550 not from here"), "550 not from here"),
        (stop("RCPT", "550 no relaying"), "550 no relaying"),
    ] {
        let sink = Sink::start(&[]);
        let config = |own: &str| {
            format!(
                "default = \"home\"\n{}{}",
                account("home", own, "fallback = \"other\"\nqueue = true\n"),
                account("other", &address, "")
            )
        };
        let home = Home::new();
        home.config(&config(AWAY));
        let sent = send(&home, &["--json"]).run();
        sent.exit(0).says(reason).says("; it is the fallback\n").says("the message waits");
        let object = object(&sent);
        assert_eq!(
            (&object["account"], &object["recipients"][0]["status"]),
            (&Value::from("home"), &Value::from("queued")),
            "{object}"
        );
        assert_eq!(home.files(WAITING).len(), 1, "{reason}");
        // Without an outbox the account's own failure is the outcome.
        home.config(&config(AWAY).replace("queue = true\n", ""));
        send(&home, &[]).run().exit(75).says("send home: 127.0.0.1:1: cannot connect");
        // The account's own server takes it in the end.
        home.config(&config(&sink.address.to_string()));
        home.postie(["queue", "flush", "--all"]).run().exit(0);
        assert_eq!((sink.taken().len(), home.files(WAITING).len()), (1, 0));
    }
}

/// An account whose server is away and whose messages wait, with a fallback at this address.
fn away_with_fallback(other: &str) -> String {
    format!(
        "default = \"home\"\n{}{}",
        account("home", AWAY, "fallback = \"other\"\nqueue = true\n"),
        account("other", other, "")
    )
}

#[test]
fn a_flush_sends_what_waits_with_the_fallback_too() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&away_with_fallback(AWAY));
    for _ in 0..3 {
        send(&home, &[]).run().exit(0);
    }
    assert_eq!(home.files(WAITING).len(), 3);
    home.config(&away_with_fallback(&sink.address.to_string()));
    let flushed = home.postie(["queue", "flush", "--all", "--json"]).run();
    flushed.exit(0).says("tried the fallback other\n");
    assert_eq!((sink.taken().len(), home.files(WAITING).len()), (3, 0));
    let objects: Vec<Value> =
        flushed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3, "{objects:?}");
    assert!(objects.iter().all(|object| object["account"] == "other"), "{objects:?}");
}

#[test]
fn a_flush_says_of_each_message_whether_the_fallback_has_it() {
    // The first is for bob, whom the fallback takes as little as the account's own server can.
    let address = choosy(&[("bob", "450 not now"), ("", "250 ok")]);
    let home = Home::new();
    home.config(&away_with_fallback(AWAY));
    for recipient in ["bob@example.net", "carol@example.net", "bob@example.net"] {
        home.postie(["send", recipient]).stdin("Subject: hello\n\nhello\n").run().exit(0);
    }
    home.config(&away_with_fallback(&address.to_string()));
    let flushed = home.postie(["queue", "flush", "--all"]).run();
    flushed.exit(75);
    assert_eq!(home.files(WAITING).len(), 2);
    let listed = home.postie(["queue"]).run().stdout;
    assert_eq!(listed.matches("cannot connect: connection refused").count(), 2, "{listed}");
    let waits: Vec<&str> = flushed.stderr.lines().filter(|line| line.ends_with(" waits")).collect();
    assert!(
        waits.len() == 2 && waits.iter().all(|line| line.contains("queue home: 127.0.0.1:1: ")),
        "{flushed:?}"
    );
    // Where nothing answers, one line speaks for all.
    home.config(&away_with_fallback(AWAY));
    let flushed = home.postie(["queue", "flush", "--all"]).run();
    flushed.exit(75).says(" waits, like 1 other\n");
    assert_eq!(flushed.stderr.matches(" waits").count(), 1, "{flushed:?}");
}

#[test]
fn what_a_fallback_leaves_in_doubt_is_said_of_that_message_alone() {
    // It loses the final reply to the first message, and is away for the second.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        drop(listener);
        drop(serve(&socket, Stop { command: ".", answer: "" }));
    });
    let home = Home::new();
    home.config(&away_with_fallback(AWAY));
    for _ in 0..2 {
        send(&home, &[]).run().exit(0);
    }
    home.config(&away_with_fallback(&address.to_string()));
    home.postie(["queue", "flush", "--all"]).run().says("may have been delivered");
    let listed = home.postie(["queue", "--json"]).run();
    let marks = |mark: &str| listed.stdout.matches(&format!("\"duplicate\":{mark}")).count();
    assert_eq!((marks("true"), marks("false")), (1, 1), "{listed:?}");
}

#[test]
fn a_login_that_is_not_tried_again_yet_does_not_hold_the_fallback_back() {
    let sink = Sink::start(&[]);
    let home = home(stop("AUTH", "535 not you"), &sink, "queue = true\n");
    send(&home, &[]).run().exit(0).says("535 not you");
    send(&home, &[]).run().exit(0).says("tried the fallback other");
    assert_eq!((sink.taken().len(), home.files(WAITING).len()), (2, 0));
}

#[test]
fn sendmail_has_it_too_and_the_fallbacks_rewrite_from_is_obeyed() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&format!(
        "default = \"home\"\n[defaults]\nlog-file = \"~/log\"\n\
         [aliases]\nroot = \"bob@example.net\"\n{}{}",
        account("home", AWAY, "fallback = \"other\"\nrewrite-from = \"local\"\n"),
        account("other", sink.address, "from = \"me@example.org\"\nrewrite-from = \"always\"\n")
    ));
    let sendmail = home.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    let sent = home.program(&sendmail, ["-i", "root"]).stdin("Subject: x\n\nhello\n").run();
    sent.exit(0).silent();
    let log = std::fs::read_to_string(home.path().join("log")).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert!(lines[0].contains("account=home") && lines[0].contains("status=75"), "{log}");
    assert!(lines[1].contains("account=other") && lines[1].contains("status=0"), "{log}");
    let taken = sink.taken();
    assert_eq!((taken.len(), taken[0].sender.as_str()), (1, "<me@example.org>"));
    assert!(taken[0].lines().contains("From: me@example.org\n"), "{}", taken[0].lines());
    assert!(home.files(WAITING).is_empty());
}

#[test]
fn the_fallbacks_fallback_is_not_tried() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    home.config(&format!(
        "default = \"a\"\n{}{}{}",
        account("a", AWAY, "fallback = \"b\"\n"),
        account("b", AWAY, "fallback = \"c\"\n"),
        account("c", sink.address, "")
    ));
    send(&home, &[]).run().exit(75);
    send(&home, &["-a", "b"]).run().exit(0);
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn a_fallback_that_is_no_account_or_leads_back_is_an_error_of_the_configuration() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    for (own, other, words) in [
        ("othr", "", "account `home`: no account `othr` to fall back on, did you mean `other`?"),
        ("home", "", "account `home`: its fallback `home` leads back to itself"),
        (
            "other",
            "fallback = \"home\"",
            "account `other`: its fallback `home` leads back to itself",
        ),
    ] {
        home.config(&format!(
            "default = \"home\"\n{}{}",
            account("home", sink.address, &format!("fallback = \"{own}\"")),
            account("other", sink.address, other)
        ));
        send(&home, &[]).run().exit(78).says(words);
    }
    // For all accounts, it is for none that it names.
    home.config(&format!(
        "default = \"home\"\n[defaults]\nsend.fallback = \"other\"\n{}{}",
        account("home", AWAY, ""),
        account("other", sink.address, "")
    ));
    send(&home, &[]).run().exit(0);
    send(&home, &["-a", "other"]).run().exit(0);
    assert_eq!(sink.taken().len(), 2);
}
