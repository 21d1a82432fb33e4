//! Every POP3 server that can be had here: what it says by itself, that another program fetches from
//! it, and that postie does, both ways into TLS and with every mechanism.

use crate::support::courier::Courier;
use crate::support::cyrus::Cyrus;
use crate::support::dovecot::Dovecot;
use crate::support::mailbox::{assert_same, mailbox, with_lf};
use crate::support::maildrop::Maildrop;
use crate::support::mailutils::{Format, Mailutils};
use crate::support::mpop;
use crate::support::pop3::Pop3;
use crate::support::postie::{Home, Outcome};
use crate::support::servers;
use crate::support::transcript::Tls;

const WAYS: [Tls; 2] = [Tls::Implicit, Tls::Starttls];

/// Messages that every server takes as they are: with a header that ends, line ends of one kind
/// and no NUL, but for fields that it adds.
fn messages(count: usize) -> Vec<Vec<u8>> {
    let mut messages = mailbox(count * 2);
    messages.retain(|text| {
        text.windows(2).any(|two| two == b"\n\n")
            && !text.iter().any(|octet| b"\r\0".contains(octet))
    });
    messages.truncate(count);
    messages
}

/// Fails unless a client that takes one step at a time, and mpop, find the messages there.
#[track_caller]
fn serves(server: &dyn Maildrop, capability: &str) {
    let messages = messages(3);
    server.deliver(&messages);
    let held = server.held();
    assert_same(held.iter().map(|text| body(&with_lf(text))).collect(), &bodies(&messages));
    for tls in WAYS {
        let mut session = Pop3::connect(server, tls);
        let capabilities = session.lines("CAPA").concat();
        let capabilities = String::from_utf8(capabilities).unwrap();
        assert!(capabilities.lines().any(|line| line == capability), "{capabilities}");
        drop(session);
        let mut session = Pop3::login(server, tls);
        assert_eq!((session.count(), session.lines("UIDL").len()), (3, 3));
        let texts = (1..=3).map(|number| session.lines(&format!("RETR {number}")).concat());
        assert_held(server, &texts.collect::<Vec<_>>());
        session.quit();
        if let Some(arrived) = mpop::fetch(server, tls) {
            assert_held(server, &arrived);
        }
    }
}

/// Fails unless what was fetched is what the server holds, octet for octet.
#[track_caller]
fn assert_held(server: &dyn Maildrop, fetched: &[Vec<u8>]) {
    let fetched = fetched.iter().map(|text| server.as_stored(text)).collect();
    assert_same(fetched, &server.held());
}

/// What follows the header: the part that no server adds to.
fn body(message: &[u8]) -> Vec<u8> {
    let end = message.windows(2).position(|two| two == b"\n\n").unwrap();
    message[end..].to_vec()
}

fn bodies(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    messages.iter().map(|text| body(text)).collect()
}

#[test]
fn dovecot_serves() {
    let Some(server) = Dovecot::start() else { return };
    serves(&server, "SASL PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256");
}

#[test]
fn mailutils_serves() {
    let Some(server) = Mailutils::start() else { return };
    serves(&server, "USER");
}

#[test]
fn cyrus_serves() {
    let Some(server) = Cyrus::start() else { return };
    serves(
        &server,
        "SASL PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1",
    );
}

#[test]
fn courier_serves() {
    let Some(server) = Courier::start("LOGIN PLAIN") else { return };
    serves(&server, "SASL LOGIN PLAIN");
}

/// Fails unless postie, by default settings, fetches 200 messages of which one has 10 MB, octet for
/// octet and only once, is refused with a wrong password, and empties the maildrop when asked to.
#[track_caller]
fn is_fetched_from(server: &dyn Maildrop, tls: Tls) {
    let mut messages = messages(250);
    messages.retain(|text| server.is_faithful_to(text));
    messages.truncate(199);
    messages.push(large());
    assert_eq!(messages.len(), 200);
    server.deliver(&messages);
    if let Some(arrived) = mpop::fetch(server, tls) {
        assert_held(server, &arrived);
    }
    let home = Home::new();
    configure(&home, server, tls, "");
    run(&home, &["fetch"]).exit(0).silent();
    assert_held(server, &home.messages("Maildir"));
    run(&home, &["fetch"]).exit(0).silent();
    assert_held(server, &home.messages("Maildir"));
    run(&home, &["check", "--fetch"]).exit(0);
    is_refused(server, tls, "");
    configure(&home, server, tls, "fetch.keep = \"none\"\n");
    run(&home, &["fetch"]).exit(0);
    assert_eq!(home.messages("Maildir").len(), messages.len());
    // The server may still be at it when the run has ended.
    assert!(servers::wait_until(|| server.count() == 0), "not all were deleted");
}

/// Fails unless each of these mechanisms logs in, and is refused with a wrong password.
#[track_caller]
fn takes_each(server: &dyn Maildrop, mechanisms: &[&str]) {
    server.deliver(&messages(3));
    for tls in WAYS {
        for auth in mechanisms {
            let home = Home::new();
            let key = format!("auth = \"{auth}\"\n");
            configure(&home, server, tls, &key);
            let command = match *auth {
                "user" => "C: USER ann@example.com\n".to_owned(),
                auth => format!("C: AUTH {}", auth.to_ascii_uppercase()),
            };
            run(&home, &["fetch", "-v"]).exit(0).says(&command);
            assert_held(server, &home.messages("Maildir"));
            run(&home, &["fetch"]).exit(0).silent();
            assert_eq!(home.messages("Maildir").len(), 3);
            run(&home, &["check", "--fetch"]).exit(0);
            is_refused(server, tls, &key);
        }
    }
}

/// Fails unless a wrong password is 77, and nothing is left of the attempt.
#[track_caller]
fn is_refused(server: &dyn Maildrop, tls: Tls, more: &str) {
    let home = Home::new();
    configure(&home, server, tls, more);
    let path = home.path().join(".config/postie/config.toml");
    let config = std::fs::read_to_string(path).unwrap();
    home.config(&config.replace("not-a-secret", "not-the-secret"));
    run(&home, &["fetch"]).exit(77).says("login refused: ");
    assert!(home.messages("Maildir").is_empty());
}

fn configure(home: &Home, server: &dyn Maildrop, tls: Tls, more: &str) {
    let table = server.site().table(server.port(tls));
    home.config(&format!("[account.home]\n{table}tls = \"{}\"\n{more}", tls.name()));
}

/// Runs the program; again while the server has not closed the maildrop after the run before.
fn run(home: &Home, args: &[&str]) -> Outcome {
    let mut outcome = home.postie(args).run();
    servers::wait_until(|| {
        let is_busy = outcome.stderr.contains("[IN-USE]") || outcome.stdout.contains("[IN-USE]");
        if is_busy {
            outcome = home.postie(args).run();
        }
        !is_busy
    });
    outcome
}

/// A message of 10 MB.
fn large() -> Vec<u8> {
    let line = [&b"QUJD".repeat(19)[..], b"\n"].concat();
    let header = "Subject: large\nMessage-ID: <large@example.net>\n\n";
    [header.as_bytes(), &line.repeat(10_000_000 / line.len())].concat()
}

#[test]
fn dovecot_is_fetched_from() {
    for tls in WAYS {
        let Some(server) = Dovecot::start() else { return };
        is_fetched_from(&server, tls);
    }
}

#[test]
fn mailutils_is_fetched_from() {
    for tls in WAYS {
        let Some(server) = Mailutils::start() else { return };
        is_fetched_from(&server, tls);
    }
}

/// It notes what it knows in the messages themselves, so that sizes change between sessions.
#[test]
fn mailutils_is_fetched_from_with_an_mbox() {
    for tls in WAYS {
        let Some(server) = Mailutils::start_with(Format::Mbox) else { return };
        is_fetched_from(&server, tls);
    }
}

#[test]
fn cyrus_is_fetched_from() {
    for tls in WAYS {
        let Some(server) = Cyrus::start() else { return };
        is_fetched_from(&server, tls);
    }
}

#[test]
fn courier_is_fetched_from() {
    for tls in WAYS {
        let Some(server) = Courier::start("LOGIN PLAIN") else { return };
        is_fetched_from(&server, tls);
    }
}

#[test]
fn courier_without_sasl_is_fetched_from() {
    for tls in WAYS {
        let Some(server) = Courier::start("") else { return };
        is_fetched_from(&server, tls);
    }
}

#[test]
fn dovecot_takes_each_mechanism() {
    let Some(server) = Dovecot::start() else { return };
    takes_each(&server, &["scram-sha-256", "scram-sha-1", "plain", "login", "user"]);
}

#[test]
fn mailutils_takes_each_mechanism() {
    let Some(server) = Mailutils::start() else { return };
    takes_each(&server, &["user"]);
}

#[test]
fn cyrus_takes_each_mechanism() {
    let Some(server) = Cyrus::start() else { return };
    takes_each(&server, &["scram-sha-256", "scram-sha-1", "plain", "login", "user"]);
}

#[test]
fn courier_takes_each_mechanism() {
    let Some(server) = Courier::start("LOGIN PLAIN") else { return };
    takes_each(&server, &["plain", "login", "user"]);
}
