//! A server that sends an octet now and then, at any point of a POP3 session: whoever waits for it
//! gives up in time.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::postie::Home;

/// What the client sends, and what is answered.
const SESSION: [(&str, &str); 8] = [
    ("", "+OK ready for a session that is not worth waiting for\r\n"),
    ("CAPA", "+OK\r\nSASL PLAIN\r\nUIDL\r\nIMPLEMENTATION of a server that drips\r\n.\r\n"),
    ("AUTH", "+OK welcome to a maildrop that takes its time, and then some more\r\n"),
    ("UIDL", "+OK\r\n1 a-unique-id-of-a-fair-length-to-be-sent-octet-by-octet\r\n.\r\n"),
    ("LIST", "+OK\r\n1 8000 and a remark of some length, as the standard allows it\r\n.\r\n"),
    ("RETR", "+OK\r\nSubject: a message that never comes to its end\r\n\r\nhello\r\n.\r\n"),
    ("NOOP", "+OK nothing was done, and it took a long time to do it, as is usual here\r\n"),
    ("QUIT", "+OK goodbye, which takes a while to say when it is said octet by octet\r\n"),
];

/// Octets at this distance keep any time-out for a single read from passing.
const PAUSE: Duration = Duration::from_millis(500);

/// Answers until the command at `slow` comes, and drips from there on.
fn serve(stream: TcpStream, slow: usize) {
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).split(b'\n');
    for (at, (command, reply)) in SESSION.iter().enumerate() {
        if !command.is_empty() {
            let Some(Ok(line)) = lines.next() else { return };
            assert!(line.starts_with(command.as_bytes()), "{command}: {line:?}");
        }
        if at < slow {
            out.write_all(reply.as_bytes()).unwrap();
            continue;
        }
        for octet in reply.as_bytes() {
            if out.write_all(&[*octet]).is_err() {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Runs a fetch against a server of this kind; its status, what it says, and how long it took.
fn fetch(tls: &str, server: impl FnOnce(TcpStream) + Send) -> (i32, String, Duration) {
    let home = Home::new();
    home.file("password", "not-a-secret\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::scope(|scope| {
        scope.spawn(|| server(listener.accept().unwrap().0));
        let args = ["fetch", "--server", &address, "--user", "ann", "--password-file", "password"];
        let more = ["--tls", tls, "--maildir", "Mail", "--timeout", "2"];
        let began = Instant::now();
        let outcome = home.postie(args.into_iter().chain(more)).run();
        (outcome.status, outcome.stderr, began.elapsed())
    })
}

#[test]
fn a_server_that_drips_at_any_point_of_a_session_is_given_up_on_in_time() {
    // Nothing depends on the answer to QUIT where nothing was deleted.
    let points = 0..SESSION.len() - 1;
    thread::scope(|scope| {
        let fetches: Vec<_> = points
            .map(|slow| {
                let (command, _) = SESSION[slow];
                let fetched = scope.spawn(move || fetch("none", |stream| serve(stream, slow)));
                (command, fetched)
            })
            .collect();
        for (command, fetched) in fetches {
            let (status, stderr, took) = fetched.join().unwrap();
            let is_bound =
                stderr.contains("timed out after") || stderr.contains("less than 100 octets");
            assert!(status == 75 && is_bound, "{command}: {status}, {stderr}");
            assert!(took < Duration::from_secs(30), "{command}: {took:?}");
        }
    });
}

#[test]
fn a_peer_that_drips_in_the_tls_handshake_is_given_up_on_in_time() {
    // The beginning of a record that holds 16 KiB of a ServerHello.
    let record = [0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 3, 3];
    let (status, stderr, took) = fetch("implicit", |mut stream| {
        for octet in record.iter().chain(std::iter::repeat(&0)) {
            if stream.write_all(&[*octet]).is_err() {
                return;
            }
            thread::sleep(PAUSE);
        }
    });
    assert!(status == 75 && stderr.contains("in the TLS handshake"), "{status}, {stderr}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}
