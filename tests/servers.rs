//! Every POP3 server that can be had here: what it says by itself, that another program fetches from
//! it, and that postie does, both ways into TLS and with every mechanism.

use crate::support::courier::Courier;
use crate::support::cyrus::Cyrus;
use crate::support::dovecot::Dovecot;
use crate::support::mailbox::{assert_same, mailbox, with_lf};
use crate::support::maildrop::Maildrop;
use crate::support::mailutils::Mailutils;
use crate::support::mpop;
use crate::support::pop3::Pop3;
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
fn serves(server: &dyn Maildrop, capability: &str, mpops_auth: &str) {
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
        if let Some(arrived) = mpop::fetch(server, tls, mpops_auth) {
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
    serves(&server, "SASL PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256", "on");
}

#[test]
fn mailutils_serves() {
    let Some(server) = Mailutils::start() else { return };
    // It greets with a timestamp and then refuses APOP.
    serves(&server, "USER", "user");
}

#[test]
fn cyrus_serves() {
    let Some(server) = Cyrus::start() else { return };
    serves(
        &server,
        "SASL PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1",
        "on",
    );
}

#[test]
fn courier_serves() {
    let Some(server) = Courier::start("LOGIN PLAIN") else { return };
    serves(&server, "SASL LOGIN PLAIN", "on");
}
