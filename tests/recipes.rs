//! The recipes of postie-recipes(7) do what they say, with the servers' names and the passwords
//! replaced.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use postie::cli::{Check, Fetch, Global, OneOff};
use postie::settings::Settings;

use crate::readme::{command, parse};
use crate::support::pki::Authority;
use crate::support::postie::{Home, Outcome};
use crate::support::server::Server;

/// What stands in a section as it is to be written: configuration, commands and scripts.
fn section(title: &str) -> Vec<String> {
    let page = fs::read_to_string("man/text/postie-recipes.txt").unwrap();
    let (_, section) = page.split_once(&format!("# {title}\n\n")).unwrap();
    let section = section.split("\n\n# ").next().unwrap();
    let verbatim = section.split("\n\n").filter(|paragraph| paragraph.starts_with("  "));
    let unindented = |text: &str| {
        text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned() + "\n").collect()
    };
    verbatim.map(unindented).collect()
}

fn titles() -> Vec<String> {
    let page = fs::read_to_string("man/text/postie-recipes.txt").unwrap();
    page.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect()
}

fn config(title: &str) -> String {
    section(title).into_iter().filter(|block| block.starts_with('[')).collect()
}

#[test]
fn every_recipe_loads_and_every_command_parses() {
    let (mut configs, mut commands) = (0, 0);
    for title in titles() {
        let text = config(&title);
        if !text.is_empty() {
            let home = Home::new();
            let global = Global { config: Some(home.config(&text)), ..Global::default() };
            let settings = Settings::load(&global, &OneOff::default()).unwrap();
            settings.fetch_jobs(&Fetch::default()).unwrap();
            let checks = settings.checks(&Check { probe_sender: true, ..Check::default() });
            assert!(checks.unwrap().iter().all(|check| check.target.is_ok()), "{title}");
            configs += 1;
        }
        for block in section(&title).iter().filter(|block| !block.starts_with(['[', '#'])) {
            for line in block.lines() {
                let words = command(line).unwrap();
                parse(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
                commands += 1;
            }
        }
    }
    assert!(configs >= 4 && commands >= 7, "{configs} {commands}");
}

#[test]
fn a_password_command_of_the_page_is_one() {
    let page = fs::read_to_string("man/text/postie-recipes.txt").unwrap();
    let (_, section) = page.split_once("# PASSWORDS FROM OTHER PROGRAMS\n").unwrap();
    let mut keys = 0;
    for line in section.lines().filter_map(|line| line.strip_prefix(": ")) {
        let key = line.split_once(']').map_or(line, |(key, rest)| {
            assert!(rest.is_empty() || rest.starts_with(','), "{rest}");
            &line[..=key.len()]
        });
        let key = if key.contains('[') { key } else { &key[..=key.rfind('"').unwrap()] };
        let key =
            key.split_once("\" in a service").map_or(key.to_owned(), |(key, _)| format!("{key}\""));
        let home = Home::new();
        let path = home.config(&format!("[account.a]\nserver = \"h\"\nuser = \"a@h\"\n{key}\n"));
        let global = Global { config: Some(path), ..Global::default() };
        Settings::load(&global, &OneOff::default()).unwrap();
        keys += 1;
    }
    assert_eq!(keys, 7);
}

const USERS: [(&str, &str); 3] = [
    ("ann@example.net", "not-a-secret"),
    ("ann@example.com", "not-a-secret"),
    ("ann@gmail.com", "not-a-secret"),
];

/// A server for all users, and a home with the configuration of a recipe for it.
fn home(recipe: &str) -> (Home, Server) {
    let (home, authority) = (Home::new(), Authority::new());
    let server = Server::start(authority.issue(&["127.0.0.1"]).config(), &USERS);
    home.file("ca.pem", authority.pem());
    let trusted = format!(
        "server = \"127.0.0.1\"\nca-file = \"ca.pem\"\nfetch.port = {}\nsend.port = {}\n",
        server.pop3.port(),
        server.smtp.port()
    );
    let line = |line: &str| match line.split_once(" = ") {
        Some(("server", _)) => trusted.clone(),
        Some(("password-command", _)) => "password = \"not-a-secret\"\n".to_owned(),
        _ => line.replace("\"postie\"", &format!("\"{}\"", env!("CARGO_BIN_EXE_postie"))) + "\n",
    };
    home.config(&recipe.lines().map(line).collect::<String>());
    (home, server)
}

fn run(home: &Home, args: &[&str], stdin: &str) -> Outcome {
    let bin = Path::new(env!("CARGO_BIN_EXE_postie")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    home.postie(args.iter().copied()).env("PATH", path).stdin(stdin).run()
}

/// Sends to a user of the server without any account.
fn send(home: &Home, server: &Server, to: &str, message: &str) {
    home.file("password", "not-a-secret\n");
    let at = format!("--server={}", server.smtp);
    let account = [&at, "--user=ann@gmail.com", "--password-file=password", "--ca-file=ca.pem"];
    run(home, &[&["send", to], account.as_slice()].concat(), message).exit(0);
}

/// What a user of the server has, without the fields that `send` adds.
fn maildrop(home: &Home, server: &Server, user: &str, maildir: &str) -> Vec<String> {
    let (at, user) = (format!("--server={}", server.pop3), format!("--user={user}"));
    let account = [&at, &user, "--password-file=password", "--ca-file=ca.pem"];
    let args = [&["fetch", "--maildir", maildir], account.as_slice()].concat();
    run(home, &args, "").exit(0);
    let messages = home.messages(maildir).into_iter();
    messages.map(|message| String::from_utf8(message).unwrap()).collect()
}

const MESSAGES: [&str; 3] = [
    "From: Bob <bob@example.org>\nTo: ann@example.net\nDate: Mon, 24 Nov 2025 12:00:00 +0000\n\
     Message-ID: <1@example.org>\nSubject: one\n\nhello\n.\n",
    "From: list@example.org\nReply-To: others@example.org\nTo: all@example.org\n\
     Date: Mon, 24 Nov 2025 12:00:00 +0000\nMessage-ID: <2@example.org>\nSubject: two\n\n\
     From here on\n",
    "From: Eve <eve@example.org>\nTo: ann@example.net\nDate: Mon, 24 Nov 2025 12:00:00 +0000\n\
     Message-ID: <3@example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\n\
     Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
     Gr=C3=BC=C3=9Fe\n",
];

#[test]
fn mail_is_moved_to_another_account_and_into_gmail_unchanged_and_once() {
    for (title, account, to) in [
        ("MOVE MAIL TO ANOTHER ACCOUNT", "old", "ann@example.com"),
        ("POP3 INTO GMAIL", "other", "ann@gmail.com"),
    ] {
        let (home, server) = home(&config(title));
        for message in MESSAGES {
            send(&home, &server, "ann@example.net", message);
        }
        for _ in 0..2 {
            run(&home, &["fetch", account], "").exit(0);
            let mut moved = maildrop(&home, &server, to, "Moved");
            moved.sort();
            let mut expected = MESSAGES.map(str::to_owned);
            expected.sort();
            assert_eq!(moved, expected, "{title}");
        }
    }
}

#[test]
fn who_is_away_answers_each_person_once_and_no_program() {
    let [script] = section("ANSWER WHILE AWAY").try_into().unwrap();
    let recipe = "[account.home]\nserver = \"x\"\nuser = \"ann@example.com\"\npassword-command = \"x\"\n\
                  fetch.after-fetch = [\"./answer\"]\n";
    let (home, server) = home(recipe);
    let path = home.file("answer", script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    let arrives = |sender: &str, more: &str| {
        let message = format!(
            "Return-Path: <{sender}>\nFrom: Bob <{sender}>\nTo: Ann <ann@example.com>\n{more}\
             Subject: where are you?\n\nhello\n"
        );
        send(&home, &server, "ann@example.com", &message);
        run(&home, &["fetch"], "").exit(0);
    };
    // The first run notes the time only.
    arrives("ann@gmail.com", "");
    assert_eq!(maildrop(&home, &server, "ann@gmail.com", "Gmail"), [""; 0]);
    arrives("ann@gmail.com", "List-Id: <cooks.example.org>\n");
    arrives("ann@gmail.com", "Auto-Submitted: auto-generated\n");
    arrives("ann@gmail.com", "Precedence: bulk\n");
    arrives("", "");
    assert_eq!(maildrop(&home, &server, "ann@gmail.com", "Gmail"), [""; 0]);
    for _ in 0..2 {
        arrives("ann@gmail.com", "");
    }
    let answers = maildrop(&home, &server, "ann@gmail.com", "Gmail");
    let [answer] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(answer.contains("\nAuto-Submitted: auto-replied\n"), "{answer}");
    assert!(answer.contains("\nFrom: <ann@example.com>\n"), "{answer}");
    assert!(answer.ends_with("\n\nI read mail again on 4 May.\n"), "{answer}");
    arrives("ann@example.net", "");
    assert_eq!(maildrop(&home, &server, "ann@example.net", "Net").len(), 1);
    let log = fs::read_to_string(home.path().join("Maildir/answer.log")).unwrap();
    assert_eq!(log, "");
}
