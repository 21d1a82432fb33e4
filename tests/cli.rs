//! The command line as a person meets it: what is wrong with it is said in one line, and nothing
//! is connected to, read or written for it.

use std::fs;
use std::process::Stdio;

use crate::support::postie::Home;

/// Where nobody listens. No port that the system hands out, for it might be handed to another test.
const NOBODY: &str = "127.0.0.1:1";

fn one_off(server: &str) -> [String; 6] {
    let password = "--password-command=echo not-a-secret";
    ["--server", server, "--user", "ann", password, "--timeout=5"].map(str::to_owned)
}

fn fetch(server: &str, more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|&word| word.to_owned());
    std::iter::once("fetch".to_owned()).chain(one_off(server)).chain(more).collect()
}

fn send(more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|&word| word.to_owned());
    std::iter::once("send".to_owned()).chain(one_off(NOBODY)).chain(more).collect()
}

#[test]
fn a_usage_error_is_one_line_and_perhaps_a_hint() {
    let home = Home::new();
    for (args, line) in [
        (&["fech"][..], "postie: there is no command 'fech' (see --help)"),
        (
            &["-t", "-i"],
            "postie: unexpected argument '-t' found (see --help)\nhint: an option of a command \
             follows its name, as in `postie send -t`",
        ),
        (
            &["send", "-s", "hello"],
            "postie: -s is not an option here: the subject is --subject (see --help)",
        ),
        (&["send", "-b", "a@b"], "postie: -b: unknown mode; blind copies are --bcc (see --help)"),
        (
            &["fetch", "--limit", "many"],
            "postie: invalid value 'many' for '--limit <NUMBER>': expected a number of at least 1 \
             (see --help)",
        ),
        (
            &["fetch", "--timeout", "5x"],
            "postie: invalid value '5x' for '--timeout <TIME>': expected a length of time such as \
             `60s` or `2m`, found `5x` (see --help)",
        ),
        (&["fetch", "--sever", "x"], "postie: unexpected argument '--sever' found (see --help)"),
        (
            &["send", "a@b>"],
            "postie: invalid value 'a@b>' for '[RECIPIENT]...': `a@b>` is not an address: \
             the part after the `@` is not a domain (see --help)",
        ),
        (
            &["send", "", "bob@example.net"],
            "postie: invalid value '' for '[RECIPIENT]...': `` is not an address: it holds no \
             address (see --help)",
        ),
        (
            &["send", "--to", "Ann :( <ann@example.net>", "--cc", "bob@example.net"],
            "postie: invalid value 'Ann :( <ann@example.net>' for '--to <ADDRESS>': \
             `Ann :( <ann@example.net>` is not an address: a parenthesis, quote or bracket is not \
             closed (see --help)",
        ),
        (
            &["send", "--from", "ann", "bob@example.net"],
            "postie: invalid value 'ann' for '--from <ADDRESS>': `ann` is not an address: \
             it has no `@` (see --help)",
        ),
        (
            &["fetch", "--keep", "30"],
            "postie: invalid value '30' for '--keep <TIME>': expected `forever`, `none` or a \
             number of days such as `30d`, found `30` (see --help)",
        ),
    ] {
        let outcome = home.postie(args).run();
        outcome.exit(64);
        assert!(outcome.stderr.starts_with(&format!("{line}\n")), "{outcome:?}");
        let rest: Vec<_> = outcome.stderr.lines().skip(1).collect();
        assert!(rest.iter().all(|line| line.starts_with("hint: ")) && rest.len() < 2, "{rest:?}");
        let message = line.lines().next().unwrap().trim_start_matches("postie: ");
        let message = message.trim_end_matches(" (see --help)");
        let object = home.postie(args.iter().copied().chain(["--json"])).run();
        let words = format!("\"message\":\"{message}\"}}}}\n");
        assert!(object.exit(64).stdout.ends_with(&words), "{object:?}");
    }
    // What is typed may have any length.
    let long = "x".repeat(1_200);
    let outcome = home.postie(["fetch", "--limit", &long, "--json"]).run();
    outcome.exit(64);
    assert!(outcome.stderr.len() < 400 && outcome.stdout.len() < 400, "{outcome:?}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let home = Home::new();
    for args in [&["--help"][..], &["fetch", "--help"], &["send", "-h"], &["check", "-h"]] {
        let outcome = home.postie(args).run();
        outcome.exit(0).stderr("");
        assert!(outcome.stdout.contains("Usage: postie"), "{}", outcome.stdout);
    }
    let version = home.postie(["--version"]).run();
    assert_eq!(version.stdout, format!("postie {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_account_needs_a_server_a_user_and_a_password() {
    let home = Home::new();
    let outcome = home.postie(["fetch"]).run();
    outcome
        .exit(78)
        .says("no configuration: ")
        .says("\nhint: run `postie setup ADDRESS --write`\n");
    home.postie(["send", "bob@example.net"])
        .stdin("A: b\n\n")
        .run()
        .exit(78)
        .says("no configuration: ");
    for login in [&["login"][..], &["login", "home"], &["login", "--forget"]] {
        home.postie(login).run().exit(78).says(
            "/config.toml nor /etc/postie/config.toml exists\nhint: run `postie setup ADDRESS",
        );
    }
    home.postie(["fetch", "--server", "pop.invalid"]).run().exit(64).says("--server needs --user");
    let no_password = ["fetch", "--server", "127.0.0.1:1", "--user", "ann"];
    let told = home.postie(no_password).run();
    told.exit(78).says("no password").says("(--password-command, --password-file)");
}

#[test]
fn a_host_that_does_not_exist_is_68() {
    let home = Home::new();
    let outcome = home.postie(fetch("pop.invalid", &["--maildir", "Mail"])).run();
    outcome.exit(68).says("postie: fetch: pop.invalid:995: host name not found: ");
    outcome.says("\nhint: check the spelling of `server` (--server)\n");
    assert_eq!(outcome.stderr.lines().count(), 2);
    assert_eq!(home.messages("Mail").len(), 0);
}

#[test]
fn a_port_where_nobody_listens_is_75() {
    let home = Home::new();
    let lines = "postie: fetch: 127.0.0.1:1: cannot connect: connection refused
\
                 hint: no server listens there: check `port` and `tls`
";
    home.postie(fetch(NOBODY, &["--maildir", "Mail"])).run().exit(75).stderr(lines);
}

#[test]
fn a_maildir_whose_parent_is_missing_is_73() {
    let home = Home::new();
    let outcome = home.postie(fetch(NOBODY, &["--maildir", "no/such"])).run();
    outcome.exit(73).says("no/such: ").says("/no does not exist");
    assert!(!home.path().join("no").exists(), "a directory was made nobody asked for");
}

#[test]
fn an_empty_message_is_65() {
    let home = Home::new();
    let args = ["--from", "ann@example.com", "bob@example.net"];
    home.postie(send(&args)).run().exit(65).stderr("postie: send: the message is empty\n");
}

#[test]
fn a_header_without_end_is_65() {
    let home = Home::new();
    let args = send(&["--from", "ann@example.com", "bob@example.net"]);
    let header = "X: y\n".repeat(300_000);
    let line = "postie: send: the header is longer than 1048576 octets\n";
    home.postie(args).stdin(header).run().exit(65).stderr(line);
}

#[test]
fn a_message_for_nobody_is_64() {
    let home = Home::new();
    let line = "postie: send: no recipients: name them, or use --read-recipients (-t)\n";
    home.postie(send(&["--from", "ann@example.com"])).stdin("A: b\n\n").run().exit(64).stderr(line);
    let line = "postie: send: no recipients in To, Cc or Bcc\n";
    let args = send(&["--from", "ann@example.com", "-t"]);
    home.postie(args).stdin("Subject: b\n\n").run().exit(65).stderr(line);
}

#[test]
fn a_malformed_address_in_the_header_is_65() {
    let home = Home::new();
    let args = send(&["--from", "ann@example.com", "-t"]);
    let outcome = home.postie(args).stdin("To: bob@example.net, no body\n\nhello\n").run();
    outcome.exit(65).stderr("postie: send: To: `no body` is not an address: it has no `@`\n");
}

#[test]
fn a_recipient_without_domain_or_alias_is_67() {
    let home = Home::new();
    let line = "postie: send: `root` has no domain and no entry in [aliases]\n\
                hint: write the whole address, or add it to [aliases]; a comma may stand for a dot, \
                and one in a name needs quotes\n";
    for recipient in ["root", "-t"] {
        let args = send(&["--from=ann@example.com", "--dry-run", recipient]);
        home.postie(args).stdin("To: root\n\nhello\n").run().exit(67).stderr(line);
    }
}

#[test]
fn an_attachment_that_is_not_there_is_66() {
    let home = Home::new();
    let args = ["--from=ann@example.com", "--to=bob@example.net", "--attach=photo.jpg"];
    let outcome = home.postie(send(&args)).stdin("hello\n").run();
    outcome.exit(66).says("photo.jpg: no such file or directory");
}

#[test]
fn a_message_is_composed_of_what_the_command_line_says() {
    let home = Home::new();
    home.file("page.html", "<p>Grüße <img src=\"cid:photo.jpg\"></p>\n");
    home.file("photo.jpg", b"\xff\xd8");
    home.file("notes.txt", "a\nb\n");
    let args = [
        "--from=ann@example.com",
        "--full-name=Ann",
        "--to=Bob <bob@example.net>",
        "--bcc=eve@example.org",
        "--reply-to=desk@example.com",
        "--subject=Grüße",
        "--header=X-Note: für dich",
        "--html=page.html",
        "--body=hello",
        "--attach=photo.jpg",
        "--attach=notes.txt",
        "--dry-run",
    ];
    let outcome = home.postie(send(&args)).stdin("not this").run();
    outcome.exit(0).stderr("");
    for part in [
        "RCPT TO:<bob@example.net>\nRCPT TO:<eve@example.org>\nsize: 1.",
        "From: \"Ann\" <ann@example.com>\r\n",
        "To: \"Bob\" <bob@example.net>\r\n",
        "Reply-To: <desk@example.com>\r\n",
        "Subject: =?utf-8?",
        "X-Note: =?utf-8?",
        "\r\n\r\nhello\r\n",
        "\r\n\r\n/9g=\r\n",
        "\r\n\r\nYQpiCg==\r\n",
    ] {
        assert!(outcome.stdout.contains(part), "expected {part:?} in:\n{}", outcome.stdout);
    }
    for part in ["eve@example.org>\r\n", "not this", "cid:photo.jpg"] {
        assert!(!outcome.stdout.contains(part), "{part:?} in:\n{}", outcome.stdout);
    }
}

#[test]
fn a_page_or_text_that_is_not_utf8_is_sent_all_the_same() {
    let home = Home::new();
    home.file("page.html", b"caf\xe9 au lait");
    let args = |more| send(&["--from=ann@example.com", "--to=bob@example.net", "--dry-run", more]);
    for (more, kind) in [("--html=page.html", "html"), ("--subject=x", "plain")] {
        let outcome = home.postie(args(more)).stdin(b"caf\xe9 au lait").run();
        let part = format!("Content-Type: text/{kind}; charset=\"unknown-8bit\"\r\n");
        assert!(outcome.exit(0).stdout.contains(&part), "{}", outcome.stdout);
        assert!(outcome.stdout.contains("caf=E9 au lait\r\n"), "{}", outcome.stdout);
    }
    home.postie(args("--html=none.html")).run().exit(66).says("none.html: no such file");
    home.postie(args("--header=Bcc: a@x")).run().exit(64).says("`Bcc` cannot be set with --header");
}

#[test]
fn a_dash_is_standard_input_for_one_part() {
    let home = Home::new();
    let run = |more: &[&str]| {
        let args = ["--from=ann@example.com", "--to=bob@example.net", "--dry-run"];
        home.postie(send(&[&args, more].concat())).stdin("<p>hello\n").run()
    };
    for (more, part) in [
        (
            &["--body", "-"][..],
            "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n<p>hello\r\n",
        ),
        (
            &["--html=-"],
            "Content-Type: text/html; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n<p>hello\r\n",
        ),
        (&["--attach=-", "--body=x"], "Content-Transfer-Encoding: base64\r\n\r\nPHA+aGVsbG8K\r\n"),
        (&["--attach", "-"], "filename=\"attachment\""),
    ] {
        let outcome = run(more);
        assert!(outcome.exit(0).stdout.contains(part), "{more:?}: {}", outcome.stdout);
    }
    for more in [&["--body=-", "--html=-"], &["--attach=-", "--html=-"]] {
        run(more).exit(64).says("postie: send: `-` is standard input, which can be one of ");
    }
}

#[test]
fn a_dry_run_prints_the_envelope_and_the_message_and_connects_to_nothing() {
    let home = Home::new();
    let args = ["--from=ann@example.com", "-t", "--dry-run", "carol@example.org"];
    let text = "To: Bob <bob@example.net>\nBcc: dave@example.org\nDate: x\nMessage-ID: <y@z>\n\
                From: ann@example.com\n\n.hello\n";
    let outcome = home.postie(send(&args)).stdin(text).run();
    outcome.exit(0).stderr("");
    let expected = "MAIL FROM:<ann@example.com>\nRCPT TO:<carol@example.org>\n\
                    RCPT TO:<bob@example.net>\nRCPT TO:<dave@example.org>\n\
                    size: 88 B (88 octets)\n\n\
                    To: Bob <bob@example.net>\r\nDate: x\r\nMessage-ID: <y@z>\r\n\
                    From: ann@example.com\r\n\r\n.hello\r\n";
    assert_eq!(outcome.stdout, expected);
    // It is shown as it would be sent, and not as it was read.
    let outcome = home.postie(send(&args)).stdin(format!("{text}{}\n", "x".repeat(999))).run();
    let encoded = "Content-Transfer-Encoding: quoted-printable\r\n\r\n.hello\r\nxxx";
    assert!(outcome.exit(0).stdout.contains(encoded), "{}", outcome.stdout);
}

#[test]
fn whoever_reads_a_dry_run_may_have_read_enough() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let args = send(&["--from=ann@example.com", "--dry-run", "bob@example.net"]);
    let run = home.postie(args).stdin("A: b\n\nhello\n").output(writer, Stdio::piped());
    run.run().exit(0).stderr("");
}

#[test]
fn json_is_one_object_on_standard_output_even_when_all_goes_wrong() {
    let home = Home::new();
    let outcome = home.postie(fetch(NOBODY, &["--json", "--maildir", "Mail"])).run();
    outcome.exit(75);
    let object: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(object["error"]["status"], 75);
    assert_eq!(object["error"]["kind"], "later");
    assert_eq!(object["new"], 0);
    assert_eq!(outcome.stdout.lines().count(), 1);
}

#[test]
fn a_password_in_a_url_is_not_said_back() {
    let args = ["fetch", "--user", "ann", "--server", "pop3s://ann:not-a-secret@host"];
    let outcome = Home::new().postie(args).run();
    outcome.exit(64).says("invalid value 'pop3s://****@host' for '--server");
    assert!(!outcome.stderr.contains("not-a-secret"));
}

#[test]
fn words_behind_a_file_to_attach_are_files_if_they_exist_and_hold_no_at() {
    let home = Home::new();
    for name in ["1.txt", "2.txt", "carol@example.org"] {
        home.file(name, "hello\n");
    }
    let args = ["--from=ann@example.com", "--to=bob@example.net", "--body=x", "--dry-run"];
    let words = ["--attach", "1.txt", "2.txt", "carol@example.org"];
    let outcome = home.postie(send(&[&args[..], &words].concat())).run();
    let shown = &outcome.exit(0).stdout;
    assert!(shown.contains("\nRCPT TO:<carol@example.org>\n"), "{shown}");
    assert_eq!(shown.matches("Content-Disposition: attachment").count(), 2, "{shown}");
    // What is no file is no attachment, and no address either.
    let outcome = home.postie(send(&[&args[..], &["--attach", "1.txt", "3.txt"]].concat())).run();
    outcome.exit(67);
    // Behind `=` there is one.
    let outcome = home.postie(send(&[&args[..], &["--attach=1.txt", "2.txt"]].concat())).run();
    outcome.exit(67);
}

#[test]
fn an_object_holds_no_more_of_an_identifier_than_a_line_would() {
    let message = format!("Message-ID: <{}@x.example>\n\nhello\n", "i".repeat(100_000));
    let args = send(&["--from=ann@example.com", "--dry-run", "--json", "bob@example.net"]);
    let outcome = Home::new().postie(args).stdin(message).run();
    outcome.exit(0);
    assert!(outcome.stdout.contains("\"message_id\":\"<iii"), "{outcome:?}");
    assert!(outcome.stdout.len() < 1_000, "{} octets", outcome.stdout.len());
}

#[test]
fn a_comma_for_a_dot_or_in_a_name_is_explained() {
    let home = Home::new();
    home.config(
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\npassword = \"x\"\n",
    );
    for (recipient, what) in
        [("bob@example,net", "`net` has no domain"), ("Doe, Jr <joe@example.com>", "`Doe`")]
    {
        let outcome = home.postie(["send", recipient]).stdin("A: b\n\nc\n").run();
        outcome.says(what).says("a comma may stand for a dot, and one in a name needs quotes");
    }
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let home = Home::new();
    for args in [&["--help"][..], &["help", "send"], &["--version"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let failed = home.postie(args).output(full, Stdio::piped()).run();
        assert_eq!(failed.status, 74, "{args:?}");
    }
}
