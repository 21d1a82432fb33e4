//! `postie check` where a transcript cannot go: what breaks before a server is reached, what needs a
//! server of its own kind, and that nothing is ever written.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::pki::{Authority, Identity};
use crate::support::postie::{Home, Outcome};
use crate::support::server::Server;
use crate::support::servers::skip;
use crate::support::version_1;

const USER: (&str, &str) = ("ann@example.com", "not-a-secret");

/// A server, and a home in which an account on it is configured.
pub fn account(more: &str) -> (Home, Server) {
    let (home, authority) = (Home::new(), Authority::new());
    let server = Server::start(authority.issue(&["127.0.0.1"]).config(), &[USER]);
    home.file("ca.pem", authority.pem());
    home.config(&config(&server, more));
    (home, server)
}

fn config(server: &Server, more: &str) -> String {
    format!(
        "[account.home]\nserver = \"127.0.0.1\"\nuser = \"{}\"\nca-file = \"ca.pem\"\n\
         fetch.port = {}\nsend.port = {}\n{more}",
        USER.0,
        server.pop3.port(),
        server.smtp.port()
    )
}

#[test]
fn an_account_to_be_kept_has_a_name_that_the_file_does_not_have() {
    let (home, server) = account("");
    let password = format!("--password-command=echo {}", USER.1);
    let (server, user) = (format!("--server=127.0.0.1:{}", server.pop3.port()), USER.0);
    let user = format!("--user={user}");
    let args = ["check", "--fetch", "--ca-file=ca.pem", &server, &user, &password];
    let kept = home.postie(args).run().exit(0).stdout.clone();
    assert!(
        kept.contains("[account.home2]\n") && kept.contains("[account.home2.fetch]\n"),
        "{kept}"
    );
    let refused = home.postie(args.into_iter().chain(["--save"])).run();
    breaks(
        &refused,
        78,
        "output: account `home` is already in ",
        "rename the account in the file; or run this without --write (--save), and add the lines \
         that it prints under another name",
    );
}

/// The last step of the last check, its hint included.
fn broken(outcome: &Outcome) -> &str {
    let at = outcome.stdout.rfind("FAILED ");
    at.map_or("", |at| &outcome.stdout[at..])
}

#[track_caller]
fn breaks(outcome: &Outcome, status: i32, step: &str, hint: &str) {
    outcome.exit(status).stderr("");
    let broken = broken(outcome);
    assert!(broken.starts_with(&format!("FAILED {step}")), "{}", outcome.stdout);
    let hints = broken.lines().filter_map(|line| line.strip_prefix("hint: ")).collect::<String>();
    assert!(hints.contains(hint) && hint.is_empty() == hints.is_empty(), "{broken}");
}

/// An ad-hoc account at this address.
fn at(address: SocketAddr, more: &[&str]) -> Vec<String> {
    let server = format!("--server={address}");
    let account = ["check", &server, "--user=ann", "--password-command=echo not-a-secret"];
    account.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
}

/// Every file and directory below home, with what is in it.
fn contents(home: &Home) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    fn visit(dir: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
                found.insert(path, None);
            } else {
                let octets = fs::read(&path).unwrap();
                found.insert(path, Some(octets));
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(home.path(), &mut found);
    found
}

#[test]
fn a_check_writes_nothing_here_and_changes_nothing_there() {
    let (home, _server) = account("password = \"not-a-secret\"\n");
    let before = contents(&home);
    let outcome = home.postie(["check"]).run();
    outcome.exit(0).stderr("");
    assert!(outcome.stdout.contains("ok mailbox: 0 messages"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("ok submission: "), "{}", outcome.stdout);
    assert_eq!(contents(&home), before);

    let message = "Subject: hello\n\nhello\n";
    home.postie(["send", USER.0]).stdin(message).run().exit(0);
    home.postie(["fetch"]).run().exit(0);
    home.postie(["send", USER.0]).stdin(message).run().exit(0);
    let before = contents(&home);
    for _ in 0..2 {
        let outcome = home.postie(["check", "--fetch"]).run();
        outcome.exit(0);
        assert!(outcome.stdout.contains("2 messages (") && outcome.stdout.contains("), 1 new\n"));
        let probe = ["check", "--send", "--probe-sender"];
        assert!(home.postie(probe).run().exit(0).stdout.contains(", and from ann@example.com\n"));
    }
    assert_eq!(contents(&home), before);
    assert_eq!(home.messages("Maildir").len(), 1);
}

#[test]
fn what_is_broken_in_the_configuration_is_the_first_step() {
    let home = Home::new();
    let none = home.postie(["check"]).run();
    breaks(&none, 78, "configuration: no configuration: ", "run `postie setup ADDRESS --write`");
    home.config("[account.home]\nsever = \"x\"\n");
    breaks(&home.postie(["check"]).run(), 78, "configuration: ", "");
    home.config("[account.home]\nserver = \"x\"\n");
    let no_user = home.postie(["check", "--fetch"]).run();
    breaks(&no_user, 78, "configuration: account `home` has no `user`", "");
    breaks(
        &home.postie(["check", "hom"]).run(),
        64,
        "configuration: no account `hom`, did you",
        "",
    );
    home.config("[account.home]\nserver = \"x\"\nuser = \"ann\"\n");
    let outcome = home.postie(["check", "--send"]).run();
    breaks(&outcome, 78, "configuration: no sender's address", "if the account sends nothing");
    home.config("[account.home]\nserver = \"x\"\nuser = \"a@b\"\nca-file = \"no.pem\"\n");
    let no_file = home.postie(["check", "--send"]).run();
    let file = home.path().join("no.pem");
    let step = format!("configuration: `ca-file`: {}: no such file", file.display());
    breaks(&no_file, 78, &step, "name a file of PEM certificates");
}

#[test]
fn whoever_sends_as_anybody_in_a_domain_can_be_checked() {
    let more = "password = \"not-a-secret\"\nsend.from = \"*@example.org\"\n";
    let (home, _server) = account(more);
    home.postie(["check", "--send"]).run().exit(0);
    let nobody = home.postie(["check", "--send", "--probe-sender"]).run();
    breaks(&nobody, 78, "configuration: no sender's address", "if the account sends nothing");
    let args = ["check", "--send", "--probe-sender", "--from=bob@example.org"];
    let outcome = home.postie(args).run();
    let asked = outcome.stdout.contains("bob@example.org");
    assert!(asked, "{}", outcome.stdout);
}

#[test]
fn a_port_is_for_one_side() {
    let home = Home::new();
    let check = |server: &str| {
        let server = format!("--server={server}");
        home.postie(["check", &server, "--user=a@b", "--password-command=echo x"]).run()
    };
    for (port, side) in [(995, "fetch from"), (110, "fetch from"), (465, "send by way of")] {
        let outcome = check(&format!("pop.invalid:{port}"));
        let title = format!("ad-hoc account: {side} pop.invalid:{port}\n");
        assert!(outcome.exit(68).stdout.starts_with(&title), "{}", outcome.stdout);
        assert_eq!(outcome.stdout.matches("ad-hoc").count(), 1);
    }
    assert_eq!(check("pop.invalid").exit(68).stdout.matches("ad-hoc").count(), 2);
    let either = check("pop.invalid:2525");
    breaks(
        &either,
        64,
        "configuration: port 2525 could be POP3 or SMTP: use --fetch or --send",
        "",
    );
}

#[test]
fn what_is_broken_about_the_password_is_told_before_anybody_is_connected_to() {
    for (source, status, step, hint) in [
        (
            "password-command = \"exit 3\"",
            78,
            "the password command failed",
            "run the command by hand",
        ),
        (
            "password-command = [\"/no/such\"]",
            78,
            "cannot run the password command",
            "run the command by hand",
        ),
        ("password-command = \"true\"", 78, "the password is empty", "only the first line is used"),
        (
            "password = \"a\\n\"",
            78,
            "the password holds a control character",
            "enter it again on one line",
        ),
        ("password-file = \"no\"", 78, "cannot read the password from ", ""),
        ("token-command = \"true\"", 78, "the token is empty", "only the first line is used"),
        ("", 78, "no password is configured, ", "set `password-command` or `password-file`"),
    ] {
        let home = Home::new();
        home.config(&format!(
            "[account.home]\nserver = \"pop.invalid\"\nuser = \"a@b\"\n{source}\n"
        ));
        let outcome = home.postie(["check", "--fetch"]).run();
        breaks(&outcome, status, &format!("password: {step}"), hint);
    }
}

#[test]
fn a_blank_at_the_end_of_a_password_is_told() {
    let (home, _server) = account("password = \"not-a-secret \"\n");
    let outcome = home.postie(["check", "--fetch"]).run();
    outcome.exit(77);
    assert!(outcome.stdout.contains("note password: it is in the configuration\nhint: it begins"));
    assert!(!outcome.stdout.contains("not-a-secret"));
}

#[test]
fn a_maildir_that_is_a_file_is_not_written_to() {
    let (home, _server) = account("password = \"not-a-secret\"\nfetch.maildir = \"mbox\"\n");
    home.file("mbox", "From ann\n");
    let outcome = home.postie(["check", "--fetch"]).run();
    assert!(outcome.stdout.contains("FAILED maildir: cannot "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("hint: a Maildir is a directory"), "{}", outcome.stdout);
    home.postie(["fetch"]).run().says("hint: a Maildir is a directory");
}

#[test]
fn a_maildir_that_cannot_be_made_is_told_and_one_that_is_in_use() {
    let (home, server) = account("password = \"not-a-secret\"\nfetch.maildir = \"no/such\"\n");
    let outcome = home.postie(["check"]).run();
    outcome.exit(73);
    assert!(outcome.stdout.contains("FAILED maildir: cannot create "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("\nhint: create the directory, or set another"));
    assert!(outcome.stdout.contains("ok submission: "), "the other side was not checked");
    assert!(!home.path().join("no").exists());

    home.config(&config(&server, "password = \"not-a-secret\"\n"));
    home.postie(["fetch"]).run().exit(0);
    let lock = home.files(".local/state/postie/fetch").remove(0).join("lock");
    let lock = fs::File::open(lock).unwrap();
    lock.lock().unwrap();
    let outcome = home.postie(["check", "--fetch"]).run();
    assert!(outcome.exit(0).stdout.contains("Maildir: a fetch is running\nhint: the server may"));
}

#[test]
fn a_name_that_does_not_exist_is_68() {
    let home = Home::new();
    let args = ["check", "--server=pop.invalid", "--user=ann", "--password-command=echo x"];
    let outcome = home.postie(args).run();
    breaks(&outcome, 68, "name: host name not found: ", "check the spelling of `server`");
}

#[test]
fn a_closed_port_is_told_from_one_that_does_not_answer() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let outcome = home.postie(at(closed, &["--fetch"])).run();
    breaks(
        &outcome,
        75,
        "connection: cannot connect: connection refused",
        "no server listens there",
    );

    // A listener whose queue is full lets whoever comes then wait.
    let full = FullPort::new();
    let outcome = home.postie(at(full.address, &["--send", "--timeout=1"])).run();
    let step = "connection: cannot connect: timed out after 1 s";
    breaks(&outcome, 75, step, "a firewall may block the port");
}

#[test]
fn another_usual_port_that_answers_is_named() {
    // An address of this machine's own that nobody else is likely to use.
    let address = Ipv4Addr::new(127, 77, 3, 19);
    for (side, port, tls) in [("--fetch", 110, "starttls"), ("--send", 465, "implicit")] {
        let Ok(_listener) = TcpListener::bind((address, port)) else {
            return skip("ports below 1024 are not to be had here");
        };
        let asked = SocketAddrV4::new(address, 9).into();
        let outcome = Home::new().postie(at(asked, &[side])).run();
        let step = format!(
            "connection: cannot connect: connection refused; but port {port} answers\n\
             hint: use `tls = \"{tls}\"`"
        );
        breaks(&outcome, 75, &step, "and no other port");
    }
}

#[test]
fn a_self_signed_certificate_comes_with_its_pin_which_then_holds() {
    let identity = Identity::self_signed(&["127.0.0.1"]);
    let server = Server::start(identity.config(), &[USER]);
    let home = Home::new();
    let config = |more: &str| {
        home.config(&format!(
            "[account.home]\nserver = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\n{more}",
            server.pop3, USER.0, USER.1
        ));
        home.postie(["check", "--fetch"]).run()
    };
    let pin = format!("pin = \"{}\"", identity.pin());
    let outcome = config("");
    breaks(&outcome, 77, "certificate: certificate refused: it is self-signed", &pin);
    let hint = format!("\nhint: if this is your own server: `{pin}`");
    home.postie(["fetch"]).run().exit(77).says("certificate refused").says(&hint);
    config(&pin).exit(0);
}

#[test]
fn a_certificate_of_version_1_comes_with_its_pin_which_then_holds() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let identity = version_1::self_signed();
        let server = Server::start(version_1::config(&identity, version), &[USER]);
        let home = Home::new();
        let check = |more: &str| {
            home.config(&format!(
                "[account.home]\nserver = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\n{more}",
                server.pop3, USER.0, USER.1
            ));
            home.postie(["check", "--fetch"]).run()
        };
        let pin = format!("pin = \"{}\"", identity.pin());
        let step = "certificate: certificate refused: it is of version 1, which has no host names";
        breaks(&check(""), 77, step, &pin);
        check(&pin).exit(0);
        // Another server shows the certificate, and has not its key.
        let thief = Identity { key: Identity::self_signed(&["x"]).key, ..identity };
        let server = Server::start(version_1::config(&thief, version), &[USER]);
        home.config(&format!(
            "[account.home]\nserver = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\n{pin}",
            server.pop3, USER.0, USER.1
        ));
        let outcome = home.postie(["check", "--fetch"]).run();
        outcome.exit(77);
        assert!(!outcome.stdout.contains("ok certificate"), "{}", outcome.stdout);
        assert!(!outcome.stdout.contains("hint: "), "{}", outcome.stdout);
    }
}

#[test]
fn a_certificate_of_the_future_is_about_the_clock() {
    let authority = Authority::new();
    let server = Server::start(authority.issue_early(&["127.0.0.1"]).config(), &[USER]);
    let home = Home::new();
    home.file("ca.pem", authority.pem());
    let outcome = home.postie(at(server.smtp, &["--send", "--ca-file=ca.pem"])).run();
    let step = "certificate: certificate refused: it is not valid yet before ";
    breaks(&outcome, 77, step, "check this machine's clock");
}

#[test]
fn the_lines_at_the_end_make_the_account_permanent() {
    let (home, server) = account("");
    let password = home.file("password", "not-a-secret\n");
    let mut args = at(server.pop3, &["--fetch", "--ca-file=ca.pem"]);
    args[2] = format!("--user={}", USER.0);
    args[3] = format!("--password-file={}", password.display());
    let outcome = home.postie(args).run();
    let (_, block) = outcome.exit(0).stdout.split_once("config.toml:\n\n").unwrap();
    home.config(block);
    let again = home.postie(["check"]).run();
    assert!(again.exit(0).stdout.starts_with("home2: fetch from 127.0.0.1:"), "{}", again.stdout);
    assert_eq!(again.stdout.matches("fetch from").count(), 1);
    assert!(!again.stdout.contains("send"), "{}", again.stdout);
}

#[test]
fn several_accounts_are_checked_in_turn_and_the_first_failed_step_is_the_status() {
    let (home, server) = account("password = \"not-a-secret\"\n");
    let closed = "server = \"127.0.0.1:1\"\nuser = \"a@b\"\npassword = \"x\"\n";
    let more = format!(
        "password = \"not-a-secret\"\n[account.closed]\n{closed}\
         [account.nowhere]\nserver = \"pop.invalid\"\nuser = \"a@b\"\npassword = \"x\"\n"
    );
    home.config(&config(&server, &more));
    let outcome = home.postie(["check", "--fetch", "--json"]).run();
    outcome.exit(75).stderr("");
    let objects: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> =
        objects.iter().map(|it| (it["account"].as_str().unwrap(), it["status"].as_i64())).collect();
    assert_eq!(statuses, [("closed", Some(75)), ("home", Some(0)), ("nowhere", Some(68))]);
    let steps = objects[1]["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    let expected = [
        "configuration",
        "maildir",
        "password",
        "name",
        "connection",
        "tls",
        "certificate",
        "greeting",
        "capabilities",
        "login",
        "mailbox",
    ];
    assert_eq!(names, expected);
    for step in steps {
        let keys: Vec<_> = step.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["hint", "ms", "name", "ok", "text"]);
    }
    let outcome = home.postie(["check", "nowhere", "home"]).run();
    assert!(outcome.exit(68).stdout.contains("home: send by way of "));
}

#[test]
fn quiet_means_nothing_but_the_failure() {
    let (home, server) = account("password = \"not-a-secret\"\n");
    home.postie(["check", "--quiet"]).run().exit(0).silent();
    home.config(&config(&server, "password = \"wrong\"\n"));
    let outcome = home.postie(["check", "--fetch", "--quiet"]).run();
    outcome.exit(77).says(&format!("postie: check home: {}: login refused: ", server.pop3));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.lines().count()), ("", 1));
}

/// A port at which connections are neither accepted nor refused, since too many wait already.
struct FullPort {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl FullPort {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let wait = Duration::from_millis(200);
        let queue = std::iter::from_fn(|| TcpStream::connect_timeout(&address, wait).ok());
        let queue = queue.take(10_000).collect();
        Self { address, _listener: listener, _queue: queue }
    }
}

#[test]
fn an_address_stands_for_the_accounts_that_have_it_and_several_may_be_named() {
    let home = Home::new();
    let account = |name: &str, user: &str, more: &str| {
        format!(
            "[account.{name}]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\nuser = \"{user}\"\n\
             password = \"not-a-secret\"\n{more}\n"
        )
    };
    home.config(
        &[
            account("one", "ann@gmail.com", ""),
            account("two", "bob", "send.from = \"Bob <bob@example.org>\""),
            account("three", "eve@example.org", ""),
        ]
        .concat(),
    );
    let checked = home.postie(["check", "bob@example.org", "one", "Ann@gmail.com"]).run();
    let heads: Vec<_> =
        checked.exit(75).stdout.lines().filter(|line| line.contains(": fetch from")).collect();
    assert_eq!(heads, ["two: fetch from 127.0.0.1:1", "one: fetch from 127.0.0.1:1"]);
    // One that nobody has is found as ever, behind the accounts.
    let checked = home.postie(["check", "one", "x@gmail.com"]).run();
    let words = "gmail: fetch from pop.gmail.com:995";
    assert!(checked.exit(75).stdout.contains(words), "{}", checked.stdout);
}
