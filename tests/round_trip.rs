//! What is sent is what is fetched: the real program on both sides of a small real server.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::pki::Authority;
use crate::support::postie::Home;
use crate::support::server::Server;

/// A home with an account for Ann on a server that knows her and Bob.
fn home(password: &str) -> Home {
    let authority = Authority::new();
    let users = [("ann@example.com", "not-a-secret"), ("bob@example.com", "not-a-secret-either")];
    let server = Server::start(authority.issue(&["127.0.0.1"]).config(), &users);
    let home = Home::new();
    home.file("ca.pem", authority.pem());
    home.config(&format!(
        "[account.ann]\nserver = \"127.0.0.1\"\nuser = \"ann@example.com\"\n\
         password = \"{password}\"\nca-file = \"ca.pem\"\n\
         fetch.port = {}\nsend.port = {}\n",
        server.pop3.port(),
        server.smtp.port()
    ));
    home
}

#[test]
fn a_message_arrives_as_the_dry_run_showed_it() {
    let home = home("not-a-secret");
    let photo: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    home.file("Füße – 写真.jpg", &photo);
    let compose = ["send", "--dry-run", "--to=Ännchen <ann@example.com>", "--subject=Grüße vom Ä"];
    let shown = home.postie(compose.into_iter().chain(["--attach=Füße – 写真.jpg"]));
    let shown = shown.stdin("Liebe Ännchen,\n\n.\n..und ein Punkt\nFrom mir\n").run();
    let (envelope, message) = shown.exit(0).stdout.split_once("\n\n").unwrap();
    let octets = message.len();
    let expected = format!(
        "MAIL FROM:<ann@example.com>\nRCPT TO:<ann@example.com>\nsize: 1{} kB ({octets} octets)",
        &format!("{}.{}", octets / 1_000, octets % 1_000 / 100)[1..],
    );
    assert_eq!(envelope, expected);

    home.postie(["send", "-t"]).stdin(message).run().exit(0).silent();
    home.postie(["fetch"]).run().exit(0).silent();
    let messages = home.messages("Maildir");
    let [arrived] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    let arrived = String::from_utf8(arrived.clone()).unwrap();
    assert_eq!(arrived, message.replace("\r\n", "\n"));

    let (_, attachment) = arrived.split_once("filename*=UTF-8''F%C3%BC%C3%9Fe").unwrap();
    let (_, text) = attachment.split_once("\n\n").unwrap();
    let text: String = text.split("--").next().unwrap().split_whitespace().collect();
    assert_eq!(STANDARD.decode(text).unwrap(), photo);
}

#[test]
fn what_was_fetched_is_not_fetched_again_and_goes_when_it_may() {
    let home = home("not-a-secret");
    for text in ["one\n", ".\n..two\n\n"] {
        let run = home.postie(["send", "ann@example.com"]);
        run.stdin(format!("Subject: hello\n\n{text}")).run().exit(0);
    }
    let fetched = |args: &[&str]| {
        let outcome = home.postie(["fetch", "--json"].iter().chain(args)).run();
        let object: serde_json::Value = serde_json::from_str(&outcome.exit(0).stdout).unwrap();
        ["new", "left", "deleted"].map(|key| object[key].as_u64().unwrap())
    };
    assert_eq!(fetched(&[]), [2, 2, 0]);
    assert_eq!(fetched(&[]), [0, 2, 0]);
    assert_eq!(fetched(&["--keep", "none"]), [0, 0, 2]);
    assert_eq!(fetched(&[]), [0, 0, 0]);
    let messages = home.messages("Maildir");
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().any(|text| text.ends_with(b"\n\n.\n..two\n\n")));
}

#[test]
fn each_fetch_is_a_line_in_the_log_and_a_log_that_cannot_be_written_changes_nothing() {
    let home = home("not-a-secret");
    let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
    let log_to = |file: &str| {
        home.config(&config.replace("fetch.port", &format!("log-file = \"{file}\"\nfetch.port")))
    };
    let send = || home.postie(["send", "ann@example.com"]).stdin("Subject: hello\n\nhi\n").run();
    send().exit(0);
    log_to("log");
    home.postie(["fetch", "--dry-run"]).run().exit(0);
    home.postie(["fetch"]).run().exit(0).silent();
    home.postie(["fetch", "--keep=none"]).run().exit(0).silent();
    let (shared, _) = config.split_once("fetch.port").unwrap();
    home.config(&format!("{shared}log-file = \"log\"\nport = 1\n"));
    home.postie(["fetch"]).run().exit(75);
    let text = fs::read_to_string(home.path().join("log")).unwrap();
    let [first, second, failed] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let (time, rest) = first.split_once(' ').unwrap();
    assert!(time.len() == "2026-11-24T12:00:00+00:00".len() && &time[10..11] == "T", "{time}");
    let bytes = home.messages("Maildir").concat().len();
    assert!(rest.starts_with("account=ann server=127.0.0.1:"), "{rest}");
    let numbers =
        format!(" user=ann@example.com new=1 bytes={bytes} deleted=0 left=1 refused=0 status=0");
    assert!(rest.ends_with(&numbers), "{rest}");
    assert!(second.ends_with(" new=0 bytes=0 deleted=1 left=0 refused=0 status=0"), "{second}");
    assert!(failed.contains(" error=\"cannot connect: connection refused\" status=75"), "{failed}");

    home.config(&config);
    send().exit(0);
    for file in ["no/log", "/dev/full"] {
        log_to(file);
        let outcome = home.postie(["fetch", "--all", "--json"]).run();
        outcome.exit(0).says("postie: fetch ann: cannot write to ");
        assert!(outcome.stdout.contains("\"new\":1"), "{}", outcome.stdout);
    }
}

#[test]
fn a_recipient_who_is_not_known_does_not_keep_the_message_from_the_others() {
    let home = home("not-a-secret");
    let send = |args: &[&str]| home.postie(["send"].iter().chain(args)).stdin("A: b\n\nc\n").run();
    let says = "nobody@example.com refused: 550 5.1.1 nobody of that name here";
    send(&["nobody@example.com", "ann@example.com"]).exit(81).says(says);
    send(&["--all-or-nothing", "nobody@example.com", "ann@example.com"]).exit(67).says(says);
    home.postie(["fetch"]).run().exit(0);
    assert_eq!(home.messages("Maildir").len(), 1);
}

#[test]
fn a_wrong_password_is_77_on_both_sides() {
    let home = home("not-the-secret");
    let outcome = home.postie(["fetch"]).run();
    outcome.exit(77).says("login refused: [AUTH] wrong user or password\nhint: ");
    let outcome = home.postie(["send", "ann@example.com"]).stdin("A: b\n\nc\n").run();
    outcome.exit(77).says("login refused: 535 5.7.8 wrong user or password\nhint: ");
    assert_eq!(home.messages("Maildir").len(), 0);
}
