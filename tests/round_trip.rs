//! What is sent is what is fetched: the real program on both sides of a small real server.

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
