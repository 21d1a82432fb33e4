//! What a person at a terminal sees and is asked for, on a real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use crate::check::account;
use crate::support::dovecot::Dovecot;
use crate::support::mailbox::mailbox;
use crate::support::postie::Home;
use crate::support::servers;
use crate::support::sink::Sink;
use crate::support::transcript::Tls;

const ASKED: &str = "Password for ";

/// Runs the program on a terminal of its own. Whenever it asks, it is answered at once.
pub fn at_a_terminal(home: &Home, args: &[String], answer: &str) -> String {
    at_a_terminal_with(&[], home, args, answer)
}

/// The same with more in the environment.
fn at_a_terminal_with(
    environment: &[(&str, &str)],
    home: &Home,
    args: &[String],
    answer: &str,
) -> String {
    session(environment, home, &format!("{}; echo status $?", command(args)), answer)
}

/// The command line for a shell.
fn command(args: &[String]) -> String {
    let words: Vec<_> = args.iter().map(|word| format!("'{word}'")).collect();
    format!("{} {}", env!("CARGO_BIN_EXE_postie"), words.join(" "))
}

/// Runs a shell's line on a terminal of its own, and answers like [`at_a_terminal`].
fn session(environment: &[(&str, &str)], home: &Home, line: &str, answer: &str) -> String {
    let line = format!("stty cols 80; {line}");
    let script = Command::new("script")
        .args(["-qc", &line, "/dev/null"])
        .env_clear()
        .envs([("TERM", "xterm"), ("SHELL", "/bin/sh"), ("PATH", "/usr/bin:/bin")])
        .envs(environment.iter().copied())
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut script = script.unwrap();
    let (mut keyboard, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut seen, mut octets, mut length, mut answered) = (String::new(), [0; 4096], 1, 0);
    while length > 0 {
        length = screen.read(&mut octets).unwrap_or_default();
        seen.push_str(&String::from_utf8_lossy(&octets[..length]));
        if seen.matches(ASKED).count() > answered {
            answered += 1;
            keyboard.write_all(answer.as_bytes()).unwrap();
        }
    }
    script.wait().unwrap();
    seen
}

#[test]
fn a_person_sees_how_far_it_has_come_and_what_it_came_to() {
    if !servers::is_installed("script") {
        return;
    }
    let Some(dovecot) = Dovecot::start() else { return };
    let home = Home::new();
    dovecot.deliver(&mailbox(1_000));
    let args = dovecot.fetch(Tls::Implicit, "forever");
    let run = |args: &[String]| at_a_terminal(&home, args, "");
    let first = run(&args);
    assert!(first.contains("/1000 "), "no bar in {first:?}");
    assert!(first.contains("1000 new messages ("), "no sum in {first:?}");
    assert!(first.ends_with("status 0\r\n"), "{first:?}");
    let second = run(&args);
    assert!(second.contains(": nothing new\r\n"), "{second:?}");
    // Into another Maildir it is the same mailbox, and one should know.
    let other: Vec<_> = args.iter().map(|arg| arg.replace("Mail", "Other")).collect();
    let third = run(&other);
    assert!(third.contains("were fetched before, into "), "{third:?}");
    let quiet: Vec<_> = args.into_iter().chain(["--quiet".to_owned()]).collect();
    assert_eq!(run(&quiet), "status 0\r\n");
}

/// Files that are 30 MB together, the third of them the largest.
fn photos(home: &Home) -> [&'static str; 4] {
    let names = ["1.jpg", "2.jpg", "beach.jpg", "4.jpg"];
    for (name, megabytes) in names.iter().zip([7, 7, 9, 7]) {
        let photo: Vec<u8> = (0..=255).cycle().take(megabytes * 1_000_000).collect();
        home.file(name, photo);
    }
    names
}

#[test]
fn a_set_of_photos_of_30_mb_is_sent_with_a_bar() {
    if !servers::is_installed("script") {
        return;
    }
    let (sink, home) = (Sink::start(&[]), Home::new());
    home.config(&sink.config(""));
    let args = ["send", "--to=bob@example.net", "--body=hello", "--attach"].into_iter();
    let args: Vec<_> = args.chain(photos(&home)).map(str::to_owned).collect();
    let seen = at_a_terminal_with(&[("LC_ALL", "C")], &home, &args, "");
    assert!(seen.contains(" MB/41.05 MB "), "no bar in {seen:?}");
    assert!(seen.contains('#') && seen.is_ascii(), "beyond ASCII in {seen:?}");
    assert!(seen.contains("sent to 1 recipient (41.0 MB): 250 2.0.0 taken"), "{seen:?}");
    assert!(seen.ends_with("status 0\r\n"), "{seen:?}");
    let taken = sink.taken();
    assert_eq!(taken.len(), 1);
    let text = taken[0].lines();
    assert_eq!(text.matches("Content-Disposition: attachment").count(), 4);
    // A short message has none.
    let args = ["send", "--to=bob@example.net", "--body=hello"].map(str::to_owned);
    let seen = at_a_terminal(&home, &args, "");
    assert!(!seen.contains("B/") && seen.contains("sent to 1 recipient ("), "{seen:?}");
}

#[test]
fn a_message_too_large_for_the_server_is_refused_with_the_largest_attachments_name() {
    let (sink, home) = (Sink::start(&["SIZE 25000000"]), Home::new());
    home.config(&sink.config(""));
    let args = ["send", "--to=bob@example.net", "--body=hello", "--attach"];
    let outcome = home.postie(args.into_iter().chain(photos(&home))).run();
    outcome.exit(65).stderr(&format!(
        "postie: send home: {}: the message has 41.0 MB; the server accepts at most 25.0 MB; the \
         largest attachment is beach.jpg (9.0 MB)\nhint: send smaller attachments or a link; \
         encoding makes them a third larger\n",
        sink.address
    ));
    assert_eq!(sink.taken().len(), 0);
}

/// A server that answers what it knows an answer to, and is silent otherwise.
fn mute(greeting: &'static str, answers: &'static [(&str, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            socket.write_all(greeting.as_bytes()).unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            while let Some(Ok(line)) = lines.next() {
                let known = answers.iter().find(|(word, _)| line.starts_with(word));
                if let Some((_, answer)) = known {
                    socket.write_all(answer.as_bytes()).unwrap();
                }
            }
        }
    });
    address
}

#[test]
fn a_person_is_told_which_step_takes_long() {
    const SEND: &[&str] = &["send", "--to=bob@example.net", "--body=x"];
    const FETCH: &[&str] = &["fetch", "--maildir=Mail"];
    if !servers::is_installed("script") {
        return;
    }
    let smtp: &[_] = &[("EHLO", "250-mute\r\n250 AUTH PLAIN\r\n")];
    for (command, step, address) in [
        (SEND, "connecting", mute("", &[])),
        (FETCH, "connecting", mute("", &[])),
        (SEND, "logging in", mute("220 mute\r\n", smtp)),
        (FETCH, "logging in", mute("+OK mute\r\n", &[("CAPA", "-ERR no\r\n")])),
    ] {
        let account = ["--tls=none", "--user=ann@example.com", "--password-command=echo x"];
        let server = format!("--server={address}");
        let more = ["--timeout=3", &server];
        let args = command.iter().chain(&account).chain(&more);
        let args: Vec<_> = args.map(|word| (*word).to_owned()).collect();
        let seen = at_a_terminal(&Home::new(), &args, "");
        assert!(seen.contains(&format!("{step} to {address}")), "{step}: {seen:?}");
        assert!(seen.contains("timed out"), "{seen:?}");
        // Nothing of it away from a terminal, or where that is not wanted.
        let quiet: Vec<_> = args.iter().cloned().chain(["--quiet".to_owned()]).collect();
        let seen = at_a_terminal(&Home::new(), &quiet, "");
        assert!(!seen.contains(step), "{seen:?}");
    }
}

#[test]
fn a_person_is_asked_for_the_password_and_it_is_not_shown() {
    if !servers::is_installed("script") {
        return;
    }
    let Some(dovecot) = Dovecot::start() else { return };
    let home = Home::new();
    let args = dovecot.fetch(Tls::Implicit, "forever").into_iter();
    let args: Vec<_> = args.filter(|arg| !arg.starts_with("--password-")).collect();
    let right = at_a_terminal(&home, &args, "not-a-secret\n");
    assert!(right.contains(": nothing new") && right.contains("status 0"), "{right:?}");
    assert!(!right.contains("not-a-secret"), "{right:?}");
    let untrusted: Vec<_> = args.iter().filter(|arg| !arg.starts_with("--ca-file")).collect();
    let untrusted: Vec<_> = untrusted.into_iter().cloned().collect();
    assert!(untrusted.len() < args.len());
    let untrusted = at_a_terminal(&home, &untrusted, "not-a-secret\n");
    assert!(untrusted.contains("certificate") && !untrusted.contains(ASKED), "{untrusted:?}");
    let wrong = at_a_terminal(&home, &args, "not-the-secret\n");
    assert!(wrong.contains("login refused") && wrong.contains("status 77"), "{wrong:?}");
}

/// A command that asks for a password, which is refused.
fn asking() -> String {
    let server = mute("+OK mute\r\n", &[("CAPA", "-ERR no\r\n"), ("USER", "-ERR no\r\n")]);
    let args = ["fetch", "--server", &server, "--tls", "none", "--user", "ann"];
    command(&args.map(str::to_owned))
}

#[test]
fn a_password_is_asked_for_when_the_server_is_reached() {
    if !servers::is_installed("script") {
        return;
    }
    for command in [&["fetch"][..], &["send", "--to=bob@example.net", "--body=x"]] {
        let server = ["--server=127.0.0.1:1", "--tls=none", "--user=ann@example.com"];
        let args: Vec<_> = command.iter().chain(&server).map(|word| (*word).to_owned()).collect();
        let seen = at_a_terminal(&Home::new(), &args, "not-a-secret\n");
        assert!(seen.contains("refused") && !seen.contains(ASKED), "{seen:?}");
        assert!(seen.ends_with("status 75\r\n"), "{seen:?}");
    }
}

#[test]
fn what_is_typed_as_soon_as_the_question_appears_is_not_shown() {
    if !servers::is_installed("script") {
        return;
    }
    let (home, command) = (Home::new(), asking());
    // What was typed before is no answer: it was shown.
    let repeated = format!("for n in $(seq 20); do {command}; done; sleep 1; {command}");
    let seen = session(&[], &home, &repeated, "not-a-secret\n");
    assert!(!seen.contains("not-a-secret"), "{seen:?}");
    assert_eq!(seen.matches("login refused").count(), 21, "{seen:?}");
}

#[test]
fn a_signal_at_the_prompt_gives_the_terminal_back_as_it_was() {
    if !servers::is_installed("script") {
        return;
    }
    let (home, command) = (Home::new(), asking());
    // Ctrl-C is for all in the foreground, so the shell must not mind.
    let interrupted = format!("trap : INT; {command}; echo status $?; stty -a");
    let seen = session(&[], &home, &interrupted, "\u{3}");
    assert!(seen.contains("status 130\r\n") && seen.contains(" echo "), "{seen}");
    for (signal, status) in [("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let kill = format!("(sleep 1; pkill -{signal} -n -x postie -P $$)");
        let seen = session(&[], &home, &format!("{kill} & {command}; echo status $?; stty -a"), "");
        assert!(seen.contains(&format!("status {status}")) && seen.contains(" echo "), "{seen}");
    }
}

#[test]
fn a_check_has_marks_and_colours_unless_nobody_wants_them() {
    if !servers::is_installed("script") {
        return;
    }
    let (home, _server) = account("password = \"not-a-secret\"\n");
    let check = |environment: &[(&str, &str)]| {
        at_a_terminal_with(environment, &home, &["check".to_owned()], "")
    };
    let coloured = check(&[("NO_COLOR", "")]);
    assert!(coloured.contains("\x1b[32m✓\x1b[m login "), "{coloured:?}");
    let plain = check(&[("NO_COLOR", "1")]);
    assert!(plain.contains("  ✓ login         ann@example.com by PLAIN ("), "{plain:?}");
    assert!(!plain.contains('\x1b'), "{plain:?}");
    for (variables, mark) in [
        (&[("TERM", "dumb")][..], "  ok     login "),
        (&[("LC_ALL", "C"), ("NO_COLOR", "1")], "  ok     login "),
        (&[("LANG", "POSIX"), ("NO_COLOR", "1")], "  ok     login "),
        (&[("LC_ALL", "C.UTF-8"), ("LANG", "C"), ("NO_COLOR", "1")], "  ✓ login "),
    ] {
        let seen = check(variables);
        assert!(seen.contains(mark) && !seen.contains('\x1b'), "{variables:?}: {seen:?}");
    }
}

#[test]
fn a_check_of_both_sides_asks_once_for_the_password() {
    if !servers::is_installed("script") {
        return;
    }
    let (home, _server) = account("");
    let seen = at_a_terminal(&home, &["check".to_owned()], "not-a-secret\n");
    assert!(seen.ends_with("status 0\r\n"), "{seen:?}");
    assert_eq!(seen.matches(ASKED).count(), 1, "{seen:?}");
    assert!(seen.contains("it was typed") && !seen.contains("not-a-secret"), "{seen:?}");
}
