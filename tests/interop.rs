//! Against real servers, each started for one test: Dovecot and GNU pop3d for POP3, Postfix
//! and Exim for submission.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Signal, kill_process};

use crate::support::dovecot::Dovecot;
use crate::support::exim::Exim;
use crate::support::mailbox::{self, assert_arrived, mailbox};
use crate::support::mailutils::{Mailutils, without_uidl};
use crate::support::postfix::{Auth, Postfix};
use crate::support::postie::Home;
use crate::support::servers::{self, Arrived};
use crate::support::transcript::Tls;

#[test]
fn a_mailbox_of_a_thousand_arrives_octet_for_octet_and_only_once() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(1_000));
    dovecot.deliver(&messages);
    let args = dovecot.fetch(Tls::Implicit, "forever");
    home.postie(&args).run().exit(0).silent();
    assert_arrived(&home, &messages);
    // What is learnt of the server is written until nothing is left to learn.
    home.postie(&args).run().exit(0).silent();
    home.postie(&args).run().exit(0).silent();
    let before = files(&home);
    home.postie(&args).run().exit(0).silent();
    assert!(files(&home) == before, "a run that brings nothing has written something");
    assert_eq!(dovecot.count(), 1_000);
}

#[test]
fn what_is_not_to_be_kept_is_gone_from_the_server() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(300));
    let (old, new) = messages.split_at(150);
    dovecot.deliver(old);
    home.postie(dovecot.fetch(Tls::Starttls, "forever")).run().exit(0).silent();
    assert_arrived(&home, old);
    assert_eq!(dovecot.count(), 150);
    dovecot.deliver(new);
    home.postie(dovecot.fetch(Tls::Starttls, "none")).run().exit(0).silent();
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), 0);
}

#[test]
fn another_server_is_no_other_story() {
    let Some(mailutils) = Mailutils::start() else { return };
    let mut messages = mailbox(300);
    // It takes a CR before a line's end for text, and a header that does not end for none.
    messages.retain(|text| !text.contains(&b'\r') && text.windows(2).any(|two| two == b"\n\n"));
    mailutils.deliver(&messages);
    for tls in [Tls::Starttls, Tls::Implicit] {
        let home = Home::new();
        let args = mailutils.fetch(tls, "forever");
        (0..3).for_each(|_| fetch_when_free(&home, &args));
        let before = files(&home);
        fetch_when_free(&home, &args);
        assert!(files(&home) == before, "a run that brings nothing has written something");
        let arrived = home.messages("Mail").iter().map(|text| without_uidl(text)).collect();
        mailbox::assert_same(arrived, &messages);
    }
    let home = Home::new();
    fetch_when_free(&home, &mailutils.fetch(Tls::Implicit, "none"));
    assert_eq!((home.messages("Mail").len(), mailutils.count()), (messages.len(), 0));
}

/// A run that has nothing to delete does not wait for the server to close the mailbox, so the next
/// may find it locked.
#[track_caller]
fn fetch_when_free(home: &Home, args: &[String]) {
    let mut outcome = home.postie(args).run();
    servers::wait_until(|| {
        if outcome.stderr.contains("[IN-USE]") {
            outcome.exit(75);
            outcome = home.postie(args).run();
        }
        !outcome.stderr.contains("[IN-USE]")
    });
    outcome.exit(0).silent();
}

#[test]
fn a_wrong_password_is_one_line_and_77() {
    let Some(dovecot) = Dovecot::start() else { return };
    let home = Home::new();
    for tls in [Tls::Implicit, Tls::Starttls] {
        let mut args = vec!["fetch".to_owned(), "--maildir=Mail".to_owned()];
        args.extend(dovecot.wrong_account(tls));
        let line = format!(
            "postie: fetch: 127.0.0.1:{}: login refused: [AUTH] Authentication failed.",
            dovecot.port(tls)
        );
        let outcome = home.postie(args).run();
        assert_eq!(outcome.exit(77).stderr.lines().next(), Some(line.as_str()));
    }
    let Some(postfix) = Postfix::start(&dovecot, Auth::Offered) else { return };
    for tls in [Tls::Implicit, Tls::Starttls] {
        let args = send(postfix.wrong_account(tls), &["bob@example.net"]);
        let line = format!(
            "postie: send: 127.0.0.1:{}: login refused: 535 5.7.8 Error: authentication failed:",
            postfix.port(tls)
        );
        let outcome = home.postie(args).stdin("Subject: hello\n\nhello\n").run();
        let found = outcome.exit(77).stderr.lines().next().unwrap();
        assert!(found.starts_with(&line), "{found}");
    }
    assert_never_says(&postfix, "MAIL FROM");
}

#[test]
fn a_message_is_submitted_as_it_is() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start(&dovecot, Auth::Offered) else { return };
    let home = Home::new();
    let header = "From: Ann <ann@example.com>\nTo: bob@example.net\nSubject: octets\n\
                  Date: Tue, 24 Nov 2026 12:00:00 +0100\nMessage-ID: <1@example.com>\n\
                  X-Folded: one\n\ttwo\n  three\nMIME-Version: 1.0\n\
                  Content-Type: text/plain; charset=x-mixed\nContent-Transfer-Encoding: 8bit\n";
    let mut body = b"\n.\n..\n.hidden\n \t\nGr\xfc\xdfe, \xe5\x86\x99\nFrom here\n\n".to_vec();
    body.extend([&b"x".repeat(998)[..], b"\n", &b".".repeat(998)[..], b"\n"].concat());
    body.extend("eine Zeile für viele Puffer\n.\n".repeat(20_000).bytes());
    for tls in [Tls::Implicit, Tls::Starttls] {
        let bcc = "Bcc: dave@example.org,\n eve@example.org\n";
        let message = [header.as_bytes(), bcc.as_bytes(), &body, b"no end of line"].concat();
        let args = send(postfix.account(tls), &["-t", "carol@example.org"]);
        home.postie(args).stdin(message).run().exit(0).silent();
        let arrived = postfix.arrived();
        assert_eq!(arrived.from, "ann@example.com");
        let recipients =
            ["carol@example.org", "bob@example.net", "dave@example.org", "eve@example.org"];
        assert_eq!(sorted(&arrived.to), sorted(&recipients));
        let expected = [header.as_bytes(), &body, b"no end of line\n"].concat();
        assert_same(without_trace(&arrived), &expected);
    }
    // What is asserted to be absent elsewhere is something that this log would show.
    assert!(postfix.log().contains("MAIL FROM:<ann@example.com>"));
}

#[test]
fn crlf_stays_crlf_and_what_is_missing_is_added_behind_the_header() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start(&dovecot, Auth::Offered) else { return };
    let home = Home::new();
    let args = send(postfix.account(Tls::Implicit), &["bob@example.net"]);
    home.postie(args).stdin("Subject: x\r\n\r\n.\r\nlone\rcr\nlf").run().exit(0).silent();
    let arrived = postfix.arrived();
    let text = std::str::from_utf8(without_trace(&arrived)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [subject, date, message_id, from, body @ ..] = &lines[..] else { panic!("{text}") };
    assert_eq!((*subject, *from), ("Subject: x", "From: ann@example.com"));
    assert!(date.starts_with("Date: ") && message_id.ends_with("@example.com>"), "{text}");
    assert_eq!(body, ["", ".", "lone", "cr", "lf"]);
}

#[test]
fn a_composed_message_arrives_with_its_attachment() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start_reticent(&dovecot) else { return };
    let home = Home::new();
    let octets: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    home.file("photo.jpg", &octets);
    for tls in [Tls::Implicit, Tls::Starttls] {
        let composing = [
            "--to=Bob <bob@example.net>",
            "--cc=carol@example.org",
            "--bcc=dave@example.org",
            "--subject=The photo",
            "--attach=photo.jpg",
        ];
        let args = send(postfix.account(tls), &composing);
        home.postie(args).stdin("Look:\n.\n..and a dot\n").run().exit(0).silent();
        let arrived = postfix.arrived();
        let recipients = ["bob@example.net", "carol@example.org", "dave@example.org"];
        assert_eq!(sorted(&arrived.to), sorted(&recipients));
        let text = std::str::from_utf8(without_trace(&arrived)).unwrap();
        for part in
            ["Subject: The photo\n", "Cc: <carol@example.org>\n", "\nLook:\n.\n..and a dot\n"]
        {
            assert!(text.contains(part), "expected {part:?} in:\n{text}");
        }
        assert!(!text.contains("dave"), "{text}");
        let (_, attachment) = text.split_once("filename=\"photo.jpg\"").unwrap();
        let (_, attachment) = attachment.split_once("\n\n").unwrap();
        let encoded = attachment.split("\n--").next().unwrap().replace('\n', "");
        assert_same(&STANDARD.decode(encoded).unwrap(), &octets);
    }
}

#[test]
fn all_that_an_envelope_and_a_composed_message_can_hold_is_taken() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start(&dovecot, Auth::Offered) else { return };
    let home = Home::new();
    home.file("page.html", "<p>Grüße <img src=\"cid:Füße 1.png\"></p>\n");
    home.file("Füße 1.png", [0, 255, 13, 10, 46]);
    home.file("notes.txt", "a\rb\n");
    let composing = [
        "--full-name=Ann Müller",
        "--to=Jörg <jörg@example.net>, Smith <a+b=c@example.org>",
        "--bcc=carol@bücher.example",
        "--reply-to=desk@example.com",
        "--subject=Grüße",
        "--header=X-Note: für dich",
        "--html=page.html",
        "--attach=Füße 1.png",
        "--attach=notes.txt",
        "--dsn-notify=failure,delay",
        "--dsn-return=hdrs",
    ];
    let args = send(postfix.account(Tls::Implicit), &composing);
    home.postie(args).stdin("hello\n").run().exit(0).silent();
    let arrived = postfix.arrived();
    let recipients = ["a+b=c@example.org", "carol@xn--bcher-kva.example", "jörg@example.net"];
    assert_eq!(sorted(&arrived.to), sorted(&recipients));
    let text = std::str::from_utf8(without_trace(&arrived)).unwrap();
    for part in ["Content-Type: multipart/related;", "\nAP8NCi4=\n", "\nYQ1iCg==\n"] {
        assert!(text.contains(part), "expected {part:?} in:\n{text}");
    }
    let log = postfix.log();
    for said in [
        " RET=HDRS ENVID=",
        " SMTPUTF8",
        "RCPT TO:<a+b=c@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@example.org",
        "BDAT ",
    ] {
        assert!(log.contains(said), "expected {said:?} in:\n{log}");
    }
}

#[test]
fn another_submission_server_takes_the_same_octet_for_octet() {
    let Some(exim) = Exim::start() else { return };
    let home = Home::new();
    home.file("page.html", "<p>Grüße <img src=\"cid:Füße 1.png\"></p>\n");
    home.file("Füße 1.png", [0, 255, 13, 10, 46]);
    home.file("写真.jpg", (0..=255).cycle().take(30_000_000).collect::<Vec<_>>());
    let raw = [
        b"To: bob@example.net\nBcc: dave@example.org,\n eve@example.org\n\n\n.\n..\n.hidden\n \t\n\
          Gr\xfc\xdfe, \xe5\x86\x99\nlone\rcr\nFrom here\n"
            .as_slice(),
        &b".".repeat(998),
        b"\nno end of line",
    ];
    let composed = [
        "--full-name=Ann Müller",
        "--to=Jörg <jörg@example.net>, Smith <a+b=c@example.org>",
        "--cc=frank@example.org",
        "--bcc=carol@bücher.example",
        "--subject=Grüße",
        "--header=X-Note: für dich",
        "--html=page.html",
        "--attach=Füße 1.png",
        "--dsn-notify=failure,delay",
        "--dsn-return=hdrs",
    ];
    let large = [&composed[..], &["--attach=写真.jpg"]].concat();
    let raw_to = ["bob@example.net", "carol@example.org", "dave@example.org", "eve@example.org"];
    let composed_to = [
        "a+b=c@example.org",
        "carol@xn--bcher-kva.example",
        "frank@example.org",
        "jörg@example.net",
    ];
    for tls in [Tls::Implicit, Tls::Starttls] {
        for (args, text, recipients) in [
            (&["-t", "carol@example.org"][..], raw.concat(), raw_to),
            // Enough of it to be sent after its envelope, and not along with it.
            (&["-t", "carol@example.org"], [raw.concat(), b"\nx".repeat(50_000)].concat(), raw_to),
            (&composed, b"hello\n.\n".to_vec(), composed_to),
            (&large, b"hello\n.\n".to_vec(), composed_to),
        ] {
            let sent = home.path().join("Sent");
            home.config(&format!(
                "[account.exim]\n{}send.sent-maildir = \"Sent\"\n",
                exim.table(tls)
            ));
            home.postie([&["send"], args].concat()).stdin(text).run().exit(0).silent();
            let arrived = exim.arrived();
            assert_eq!(
                (arrived.from.as_str(), sorted(&arrived.to)),
                ("ann@example.com", recipients.to_vec())
            );
            let [copy] = &home.messages("Sent")[..] else { panic!("more than one copy") };
            fs::remove_dir_all(sent).unwrap();
            assert_same(without_trace(&arrived), without_first("Bcc: ", copy));
        }
    }
    // CHUNKING, SMTPUTF8 and 8BITMIME, as it logs them.
    let log = exim.log();
    for used in [" K S=", " P=utf8esmtpsa ", " M8S=8 "] {
        assert!(log.contains(used), "expected {used:?} in:\n{log}");
    }
}

#[test]
fn queued_messages_that_share_a_flight_arrive_once_each() {
    // As many as Exim delivers at once of one connection.
    const MANY: usize = 10;
    let Some(dovecot) = Dovecot::start() else { return };
    let postfix = Postfix::start(&dovecot, Auth::Offered);
    let exim = Exim::start();
    let tables =
        [postfix.as_ref().map(Postfix::table), exim.as_ref().map(|exim| exim.table(Tls::Implicit))];
    for (index, table) in tables.into_iter().enumerate() {
        let Some(table) = table else { continue };
        let arrived = || match index {
            0 => postfix.as_ref().unwrap().arrived().text,
            _ => exim.as_ref().unwrap().arrived().text,
        };
        let home = Home::new();
        let config = |more: &str| {
            home.config(&format!("[account.home]\n{table}send.queue = true\n{more}"));
        };
        config("send.password-command = \"exit 1\"\n");
        for number in 0..MANY {
            let subject = format!("--subject={number} of {MANY}");
            home.postie(["send", "bob@example.net", "--body=hello", &subject]).run().exit(0);
        }
        config("");
        let flushed = home.postie(["queue", "flush", "--all", "--verbose"]).run();
        flushed.exit(0);
        // The next one is begun before the last one is answered.
        let lines: Vec<_> = flushed.stderr.lines().collect();
        let is_flight =
            lines.windows(2).any(|two| two[0].contains("C: RSET") && two[1].contains("C: MAIL"));
        assert!(is_flight, "{}", flushed.stderr);
        let subject = |text: Vec<u8>| {
            let text = String::from_utf8(text).unwrap();
            text.lines()
                .find_map(|line| line.strip_prefix("Subject: "))
                .unwrap()
                .trim_end()
                .to_owned()
        };
        let subjects: Vec<_> = (0..MANY).map(|_| subject(arrived())).collect();
        let expected: HashSet<_> = (0..MANY).map(|number| format!("{number} of {MANY}")).collect();
        assert_eq!(subjects.iter().cloned().collect::<HashSet<_>>(), expected);
        let listed = home.postie(["queue"]).run();
        assert_eq!(listed.stdout, "Mail queue is empty\n");
    }
}

#[test]
fn flushes_of_hundreds_that_are_killed_lose_nothing_and_double_what_is_marked() {
    const MANY: usize = 300;
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start_holding(&dovecot) else { return };
    let home = Home::new();
    let table = postfix.table();
    let config = |more: &str| home.config(&format!("[account.home]\n{table}queue = true\n{more}"));
    config("send.password-command = \"exit 1\"\n");
    let send = ["send", "bob@example.net", "--body=hello", "--subject=number-0-"];
    home.postie(send).run().exit(0);
    let first = home.files(".local/state/postie/outbox/waiting").remove(0);
    for number in 1..MANY {
        let dir = first.with_file_name(format!("{number:08x}.{number:08x}"));
        fs::create_dir(&dir).unwrap();
        for file in ["message.eml", "journal", "lock"] {
            let text = fs::read_to_string(first.join(file)).unwrap();
            let text = text.replace("number-0-", &format!("number-{number}-"));
            fs::write(dir.join(file), text).unwrap();
        }
    }
    config("");
    let mut times_in_doubt = vec![0; MANY];
    for enough in [40, 100, 180] {
        let flush = home.postie(["queue", "flush", "--all"]).start();
        assert!(servers::wait_until(|| postfix.held() >= enough));
        kill_process(flush.pid(), Signal::KILL).unwrap();
        flush.finish();
        let listed = home.postie(["queue", "--json"]).run().exit(0).stdout.clone();
        for line in listed.lines().filter(|line| line.contains("\"duplicate\":true")) {
            let (_, number) = line.split_once("number-").unwrap();
            let number = number.split('-').next().unwrap();
            times_in_doubt[number.parse::<usize>().unwrap()] += 1;
        }
    }
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    assert_eq!(home.postie(["queue"]).run().stdout, "Mail queue is empty\n");
    assert!(home.files(".local/state/postie/outbox/tmp").is_empty());
    let arrived = postfix.held_texts();
    for (number, in_doubt) in times_in_doubt.iter().enumerate() {
        let subject = format!("Subject: number-{number}-");
        let times = arrived.iter().filter(|text| text.contains(&subject)).count();
        assert!((1..=1 + in_doubt).contains(&times), "{number}: {times}, in doubt {in_doubt}");
    }
    let in_doubt: usize = times_in_doubt.iter().sum();
    servers::note(&format!(
        "outbox: three flushes of {MANY} messages killed, {in_doubt} times in doubt, {} arrived",
        arrived.len()
    ));
}

#[test]
fn a_server_that_nobody_can_log_in_to_gets_no_mail() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start(&dovecot, Auth::NotOffered) else { return };
    let home = Home::new();
    for tls in [Tls::Implicit, Tls::Starttls] {
        let args = send(postfix.account(tls), &["bob@example.net"]);
        let outcome = home.postie(args).stdin("Subject: hello\n\nhello\n").run();
        let server = format!("postie: send: 127.0.0.1:{}: ", postfix.port(tls));
        outcome.exit(69).says(&server).says("AUTH").says("\nhint: submit on port 465 or 587");
        assert_eq!(outcome.stderr.lines().count(), 2);
    }
    assert_never_says(&postfix, "MAIL FROM");
}

#[test]
fn a_server_that_counts_errors_gets_its_refusals_told() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start_strict(&dovecot) else { return };
    let home = Home::new();
    let run = |args: &[&str], recipients: &[String]| {
        let mut words = vec!["send".to_owned()];
        words.extend(postfix.account(Tls::Implicit));
        words.extend(args.iter().map(|&word| word.to_owned()));
        words.extend(recipients.iter().cloned());
        home.postie(words).stdin("Subject: hello\n\nhello\n").run()
    };
    let unknown: Vec<_> = (0..30).map(|number| format!("u{number}@listed.example")).collect();
    // The refusal of the sender is the outcome, and not what follows it in the flight, which would
    // take twenty seconds and end with 421.
    let outcome = run(&["--from=refused@example.com"], &unknown);
    outcome.exit(65).says("the sender's address refused: 554 5.7.1 <refused@example.com>");
    // All are refused, however many more commands there were.
    let outcome = run(&["--from=ann@example.com"], &unknown[..9]);
    outcome.exit(67);
    assert_eq!(outcome.stderr.matches("User unknown").count(), 9, "{}", outcome.stderr);
    // Some were refused before the server had enough: nothing was sent, and they are listed.
    let outcome = run(&["--from=ann@example.com"], &unknown);
    outcome.exit(75).says("421 4.7.0 ");
    let lines = outcome.stderr.lines().filter(|line| line.contains("User unknown"));
    let names = lines.filter_map(|line| line.split_once(" refused: ")).map(|(names, _)| names);
    let refused: usize = names.map(|names| names.matches("@listed.example").count()).sum();
    assert!((19..=21).contains(&refused), "{}", outcome.stderr);
    // Who is known gets the message.
    let some = [&unknown[..5], &["known@listed.example".to_owned()]].concat();
    let outcome = run(&["--from=ann@example.com"], &some);
    outcome.exit(81);
    assert_eq!(outcome.stderr.matches("User unknown").count(), 5, "{}", outcome.stderr);
    assert_eq!(postfix.arrived().to, ["known@listed.example"]);
}

fn send(account: Vec<String>, more: &[&str]) -> Vec<String> {
    let mut args = vec!["send".to_owned(), "--from=ann@example.com".to_owned()];
    args.extend(account);
    args.extend(more.iter().map(|&word| word.to_owned()));
    args
}

/// What a server writes in front of a message is its own.
fn without_trace(arrived: &Arrived) -> &[u8] {
    without_first("Received: from ", &arrived.text)
}

/// A message without its first field, which must begin like this.
#[track_caller]
fn without_first<'a>(field: &str, text: &'a [u8]) -> &'a [u8] {
    assert!(text.starts_with(field.as_bytes()), "{}", text.escape_ascii());
    let is_next = |two: &[u8]| two[0] == b'\n' && !b" \t".contains(&two[1]);
    &text[text.windows(2).position(is_next).unwrap() + 1..]
}

/// Fails if anything like `text` was said to this server once the conversations are over.
#[track_caller]
fn assert_never_says(postfix: &Postfix, text: &str) {
    // Two by the program, and the first by whoever waited for this server's greeting.
    let is_over = || postfix.log().matches(": disconnect from").count() == 3;
    assert!(servers::wait_until(is_over), "{}", postfix.log());
    assert!(postfix.log().contains("EHLO "), "the log does not show what is said");
    assert!(!postfix.log().contains(text), "{}", postfix.log());
}

#[track_caller]
fn assert_same(found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let context = |octets: &[u8]| {
        octets[same.saturating_sub(40)..octets.len().min(same + 40)].escape_ascii().to_string()
    };
    panic!(
        "{} octets of {} are as expected, then:\n{}\ninstead of\n{}",
        same,
        expected.len(),
        context(found),
        context(expected)
    );
}

fn sorted<T: AsRef<str>>(words: &[T]) -> Vec<&str> {
    let mut words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    words.sort_unstable();
    words
}

/// Every file below the home directory, with its contents.
fn files(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![home.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let octets = fs::read(&path).unwrap();
                found.insert(path, octets);
            }
        }
    }
    found
}
