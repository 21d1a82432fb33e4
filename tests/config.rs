//! The configuration file as the program finds it: whose it may be, what it may say, and where
//! passwords come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::pki::Authority;
use crate::support::postie::Home;
use crate::support::sink::Sink;

/// Nobody listens there, so that a run which gets this far ends with 75.
const SERVER: &str = "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\n";
const REACHED: &str = "127.0.0.1:1: cannot connect";

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_with_a_password_that_others_may_read_is_refused() {
    let home = Home::new();
    let path = home.config(&format!("{SERVER}password = \"not-a-secret\"\n"));
    for (mode, words) in [
        (0o644, "others may read "),
        (0o604, "which holds a secret: `chmod 600` it"),
        (0o602, "others may write to "),
    ] {
        chmod(&path, mode);
        let outcome = home.postie(["fetch"]).run();
        outcome.exit(78).says(words);
        assert!(!outcome.stderr.contains("not-a-secret"));
    }
    chmod(&path, 0o600);
    home.postie(["fetch"]).run().exit(75).says(REACHED);
}

#[test]
fn a_file_without_a_password_may_be_read_by_anybody() {
    let home = Home::new();
    let path = home.config(&format!("{SERVER}password-command = \"echo not-a-secret\"\n"));
    chmod(&path, 0o644);
    home.postie(["fetch"]).run().exit(75).says(REACHED);
}

#[test]
fn a_file_that_cannot_be_read_is_78_and_named() {
    let home = Home::new();
    let outcome = home.postie(["fetch", "-c", "there/is/none.toml"]).run();
    outcome.exit(78);
    outcome.stderr("postie: fetch: cannot read there/is/none.toml: no such file or directory\n");
    // A directory is as unreadable as a file can be, for the superuser too.
    let outcome = home.postie(["fetch", "-c", "."]).run();
    outcome.exit(78).stderr("postie: fetch: cannot read .: is a directory\n");
}

#[test]
fn a_file_that_is_too_large_is_refused_not_cut() {
    let long = |text: &str, octets: usize| {
        let lines = "# nothing\n".repeat(octets / 10 + 1);
        format!("{text}\n{lines}")
    };
    let pem = Authority::new().pem();
    for (line, octets, text, words) in [
        ("aliases-file = \"file\"", 1 << 20, "root: ann@example.com", "cannot read "),
        ("password-file = \"file\"", 64 << 10, "not-a-secret", "cannot read the password from "),
        ("ca-file = \"file\"", 4 << 20, pem.as_str(), "`ca-file`: "),
    ] {
        let home = Home::new();
        // Keys of the file's own come before its accounts.
        let text_of = |line: &str| match line {
            line if line.starts_with("aliases") => format!("{line}\n{SERVER}"),
            line => format!("{SERVER}{line}\n"),
        };
        home.config(&text_of(line));
        let check = |words: &str| {
            let outcome = home.postie(["check", "--fetch"]).run();
            assert!(outcome.stdout.contains(words), "{line}: {outcome:?}");
            outcome
        };
        let path = home.file("file", text);
        chmod(&path, 0o600);
        check("ok configuration");
        chmod(&home.file("file", long(text, octets)), 0o600);
        let whole = format!("{words}{}: it is larger than {octets} octets", path.display());
        check(&whole).exit(78);
    }
    let home = Home::new();
    let path = home.config(&long(SERVER, 1 << 20));
    let whole = format!(
        "postie: fetch: cannot read {}: it is larger than 1048576 octets\n",
        path.display()
    );
    home.postie(["fetch"]).run().exit(78).stderr(&whole);
}

#[test]
fn a_password_on_an_endless_line_is_refused_not_cut() {
    let home = Home::new();
    let command = "password-command = \"yes not-a-secret | head -c 80000 | tr -d '\\\\n'\"\n";
    home.config(&format!("{SERVER}{command}"));
    let outcome = home.postie(["check", "--fetch"]).run();
    assert!(outcome.exit(78).stdout.contains("it is larger than 65536 octets"), "{outcome:?}");
}

#[test]
fn what_the_file_should_not_say_is_named_with_its_line() {
    let home = Home::new();
    for (text, line) in [
        ("sever = \"x\"\n", "4: unknown key `sever`, did you mean `server`?"),
        ("port = 0\n", "4: expected a number from 1 to 65535"),
        (
            "timeout = \"soon\"\n",
            "4: expected a length of time such as `60s` or `2m`, found `soon`",
        ),
        ("tls = \"no\"\n", "4: expected `implicit`, `starttls` or `none`, found `no`"),
        ("user = \"bob\"\n", "4: `user` is there twice, first in line 3"),
        ("from = \"ann\"\n", "4: `ann` is not an address: it has no `@`"),
    ] {
        let path = home.config(&format!("{SERVER}{text}"));
        let line = format!("postie: fetch: {}:{line}\n", path.display());
        home.postie(["fetch"]).run().exit(78).stderr(&line);
    }
    home.config(&format!("{SERVER}fetch.maildir = \"~ann/M\"\n"));
    home.postie(["fetch"]).run().exit(78).says("in `~ann/M`: only ~ itself is expanded");
}

#[test]
fn an_account_that_is_not_there_is_64_with_the_one_that_was_meant() {
    let home = Home::new();
    home.config(&format!("{SERVER}password = \"not-a-secret\"\n"));
    let outcome = home.postie(["fetch", "hom"]).run();
    outcome.exit(64).stderr("postie: fetch: no account `hom`, did you mean `home`?\n");
    let outcome = home.postie(["send", "-a", "work", "bob@example.net"]).stdin("A: b\n\n").run();
    outcome.exit(64).stderr("postie: send: no account `work`\n");
    // In the configuration it is an error of that, and so a reason to wait.
    let path =
        home.config(&format!("# x\ndefault = \"hom\"\n{SERVER}password = \"not-a-secret\"\n"));
    let line = format!("{}:2: no account `hom`, did you mean `home`?", path.display());
    home.postie(["fetch"]).run().exit(78).says(&line);
    let sent = home.postie(["send", "--queue", "bob@example.net"]).stdin("A: b\n\n").run();
    sent.exit(0).says(&line).says("the message waits");
}

#[test]
fn a_file_without_a_server_is_78_and_named() {
    let home = Home::new();
    let path = home.config("[account.home]\nuser = \"ann@example.com\"\n");
    let line = |word: &str| {
        format!("postie: {word}: no account in {} has a `server` to {word} with\n", path.display())
    };
    home.postie(["fetch"]).run().exit(78).stderr(&line("fetch"));
    let send = home.postie(["send", "bob@example.net"]).stdin("A: b\n\n");
    send.run().exit(78).stderr(&line("send"));
    home.postie(["fetch", "home"]).run().exit(78).says("account `home` has no `server`");
}

#[test]
fn each_side_connects_from_the_address_that_it_was_given() {
    let home = Home::new();
    home.config(&format!(
        "{SERVER}password-command = \"echo not-a-secret\"\nsource-address = \"198.51.100.1\"\n\
         send.source-address = \"198.51.100.2\"\n"
    ));
    home.postie(["fetch"])
        .run()
        .exit(75)
        .says("127.0.0.1:1: cannot connect: not from 198.51.100.1 (");
    let outcome = home.postie(["send", "bob@example.net"]).stdin("A: b\n\n").run();
    outcome.exit(75).says("127.0.0.1:1: cannot connect: not from 198.51.100.2 (");
}

#[test]
fn several_accounts_may_send_when_one_is_the_default_or_the_messages_own() {
    let home = Home::new();
    let other = SERVER.replace("home", "work").replace("ann", "bob");
    let both = format!("[defaults]\npassword-command = \"echo not-a-secret\"\n{SERVER}{other}");
    home.config(&both);
    let send = |from: &str| {
        let run = home.postie(["send", "--timeout=5", "carol@example.org"]);
        run.stdin(format!("From: {from}\n\nhello\n")).run()
    };
    send("bob@example.com").exit(75).says("postie: send work: 127.0.0.1:1: ");
    send("ANN <ann@EXAMPLE.com>").exit(75).says("postie: send home: 127.0.0.1:1: ");
    send("eve@example.com").exit(78).says("name one with --account, or set `default`");
    home.config(&format!("default = \"home\"\n{both}"));
    send("eve@example.com").exit(75).says("postie: send home: 127.0.0.1:1: ");
}

#[test]
fn the_account_whose_address_is_most_like_the_senders_sends() {
    let home = Home::new();
    let account = |name: &str, from: &str| {
        format!(
            "[account.{name}]\nserver = \"127.0.0.1:1\"\nuser = \"{name}\"\nfrom = \"{from}\"\n"
        )
    };
    home.config(&format!(
        "default = \"c\"\n[defaults]\npassword-command = \"echo not-a-secret\"\n{}{}{}{}",
        account("a", "*@example.com"),
        account("b", "bob@example.com"),
        account("c", "carol@example.net"),
        account("d", "bob+lists@example.com"),
    ));
    for (from, name, sender) in [
        ("bob@example.com", "b", "bob@example.com"),
        ("bob+lists@example.com", "d", "bob+lists@example.com"),
        ("bob+shops@example.com", "b", "bob@example.com"),
        ("eve@example.com", "a", "eve@example.com"),
        ("eve@example.org", "c", "carol@example.net"),
    ] {
        let message = format!("From: {from}\n\nhello\n");
        let shown = home.postie(["send", "--dry-run", "x@y"]).stdin(message.as_str()).run();
        assert!(shown.stdout.starts_with(&format!("MAIL FROM:<{sender}>\n")), "{shown:?}");
        let sent = home.postie(["send", "--timeout=5", "x@y"]).stdin(message).run();
        sent.exit(75).says(&format!("postie: send {name}: "));
    }
    // Who resends a message is its sender now, and its author is not.
    let resent = |first: &str| {
        let message = format!("{first}Resent-To: x@y\nFrom: carol@example.net\nTo: x@y\n\nhello\n");
        let shown = home.postie(["send", "--dry-run", "-t"]).stdin(message).run();
        shown.stdout.lines().next().unwrap_or_default().to_owned()
    };
    let earlier = "Resent-From: carol@example.net\n";
    for first in [
        "Resent-From: bob@example.com\n".to_owned(),
        format!("Resent-From: bob@example.com\nResent-To: x@y\n{earlier}"),
    ] {
        assert_eq!(resent(&first), "MAIL FROM:<bob@example.com>", "{first}");
    }
    assert_eq!(resent("Resent-From: eve@example.org\n"), "MAIL FROM:<carol@example.net>");
    // Anybody is nobody in particular.
    let nobody = home.postie(["send", "-a", "a", "x@y"]).stdin("A: b\n\n").run();
    nobody.exit(78).stderr("postie: send: no sender's address: use --from, or set `from`\n");
}

#[test]
fn the_command_line_outweighs_the_side_which_outweighs_the_account() {
    let home = Home::new();
    let side = "password = \"not-a-secret\"\n[account.home.fetch]\nport = 2\n";
    home.config(&format!("{}{side}", SERVER.replace(":1", "")));
    home.postie(["fetch"]).run().exit(75).says("127.0.0.1:2: cannot connect");
    let starttls = ["fetch", "--tls", "starttls", "--maildir", "Other"];
    home.postie(starttls).run().exit(75).says("127.0.0.1:2: cannot connect");
    assert!(!home.path().join("Other").exists(), "it is made when a server has let us in");
    let send = ["send", "--tls=none", "bob@example.net"];
    home.postie(send).stdin("A: b\n\n").run().exit(75).says("127.0.0.1:587: cannot connect");
}

#[test]
fn a_password_comes_from_a_command_or_a_private_file() {
    let home = Home::new();
    let fetch = |source: &str| {
        home.config(&format!("{SERVER}{source}\n"));
        home.postie(["fetch"]).run()
    };
    fetch("password-command = [\"echo\", \"not-a-secret\"]").exit(75).says(REACHED);
    let outcome = fetch("password-command = \"echo no such entry >&2; exit 3\"");
    outcome.exit(78).says("exit status: 3");
    fetch("password-command = \"true\"").exit(78).says("the password is empty");
    fetch("password-command = [\"no-such-program\"]").exit(78).says("no such file or directory");
    fetch("password-file = \"secret\"").exit(78).says("secret: no such file or directory");
    let path = home.file("secret", "not-a-secret\n");
    fetch("password-file = \"secret\"").exit(75).says(REACHED);
    fetch("password-file = \"~/secret\"").exit(75).says(REACHED);
    chmod(&path, 0o644);
    fetch("password-file = \"secret\"").exit(78).says("others may read");
}

/// What `send --dry-run` says it would send, with `[account.home.send]` saying `more`.
fn dry_run(more: &str, args: &[&str], message: &str) -> String {
    let home = Home::new();
    home.config(&format!(
        "[aliases]\nroot = \"ann@example.com, bob@example.net\"\n\"*\" = \"ops@example.com\"\n\
         {SERVER}[account.home.send]\n{more}\n"
    ));
    let outcome = home.postie(["send", "--dry-run"].iter().chain(args)).stdin(message).run();
    outcome.exit(0).stderr("");
    outcome.stdout
}

#[test]
fn names_without_a_domain_are_settled_by_aliases() {
    let envelope = "MAIL FROM:<ann@example.com>\nRCPT TO:<ann@example.com>\n\
                    RCPT TO:<bob@example.net>\nRCPT TO:<ops@example.com>\nRCPT TO:<eve@example.org>\n";
    for (args, message) in [
        (&["Root,backup", "eve@example.org"][..], "A: b\n\n"),
        (&["-t"], "To: root, The backup <backup>\nCc: eve@example.org\nBcc: root\n\n"),
    ] {
        let shown = dry_run("", args, message);
        assert!(shown.starts_with(&format!("{envelope}size: ")), "{shown}");
    }
}

#[test]
fn a_from_field_gives_way_as_the_configuration_says() {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let own = format!("Box <root@{}>", host.trim());
    let local = [
        ("root (Cron Daemon)", "Cron Daemon <ann@example.com>"),
        ("mdadm monitoring <root>", "mdadm monitoring <ann@example.com>"),
        ("root@localhost", "ann@example.com"),
        (own.as_str(), "Box <ann@example.com>"),
        ("=?utf-8?q?J=C3=B6rg?= <www-data>", "=?utf-8?q?J=C3=B6rg?= <ann@example.com>"),
        ("nonsense here", "ann@example.com"),
    ];
    let remote = ("Eve <eve@example.org>", "Eve <ann@example.com>");
    for (mode, gives_way, stays) in [
        ("missing", &[][..], &[local.as_slice(), &[remote]].concat()[..]),
        ("local", &local, &[remote]),
        ("always", &[local.as_slice(), &[remote]].concat(), &[]),
    ] {
        let mode = format!("rewrite-from = \"{mode}\"");
        let stays = stays.iter().map(|&(from, _)| (from, from));
        for (from, expected) in gives_way.iter().copied().chain(stays) {
            let shown = dry_run(&mode, &["root"], &format!("From: {from}\nSubject: x\n\n"));
            let expected = format!("\nFrom: {expected}\r\nSubject: x\r\n");
            assert!(shown.contains(&expected), "{mode}, expected {expected:?} in:\n{shown}");
        }
    }
    for (from, expected) in [
        ("A <a@localhost>, B <b@x.example>", "A <ann@example.com>, B <b@x.example>"),
        ("b@x.example, root, www-data", "b@x.example, ann@example.com"),
    ] {
        let message = format!("From: {from}\n\nhello\n");
        let shown = dry_run("rewrite-from = \"local\"", &["root"], &message);
        assert!(shown.contains(&format!("From: {expected}\r\n")), "{expected:?} in:\n{shown}");
    }
}

#[test]
fn a_sender_on_the_command_line_gives_way_as_a_from_field_does() {
    for (mode, from, sender) in [
        ("missing", "www-data@localhost", "www-data@localhost"),
        ("local", "www-data@localhost", "ann@example.com"),
        ("local", "eve@example.org", "eve@example.org"),
        ("always", "eve@example.org", "ann@example.com"),
    ] {
        let mode = format!("rewrite-from = \"{mode}\"");
        let shown = dry_run(&mode, &["-f", from, "root"], "Subject: x\n\n");
        assert!(shown.starts_with(&format!("MAIL FROM:<{sender}>\n")), "{mode}:\n{shown}");
        assert!(shown.contains(&format!("From: {sender}\r\n")), "{mode}:\n{shown}");
    }
}

#[test]
fn a_name_is_given_to_a_from_field_that_is_added() {
    let shown = dry_run("", &["-F", "Cron Daemon", "root"], "Subject: x\n\n");
    assert!(shown.contains("From: Cron Daemon <ann@example.com>\r\n"), "{shown}");
    let shown = dry_run("", &["-F", "Cron Daemon", "root"], "From: eve@example.org\n\n");
    assert!(shown.contains("From: eve@example.org\r\n") && !shown.contains("Cron"), "{shown}");
}

#[test]
fn a_server_that_gets_chunking_wrong_can_be_done_without_it() {
    let sink = Sink::start(&["PIPELINING", "CHUNKING"]);
    let turns = ["chunking = true", "chunking = false"].map(|more| {
        let (home, before) = (Home::new(), sink.turns());
        home.config(&sink.config(more));
        home.postie(["send", "bob@example.net"]).stdin("A: b\n\n").run().exit(0);
        sink.turns() - before
    });
    // Where it is not ruled out, it takes a second connection to find that out.
    assert!(turns[0] > turns[1] + 2, "{turns:?}");
    assert_eq!(sink.taken().len(), 2);
}

#[test]
fn a_name_before_the_senders_address_stands_in_a_from_field_that_is_added() {
    let home = Home::new();
    let account = "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\npassword = \"x\"\n";
    home.config(&format!("{account}send.from = \"Ann Example <ann@example.com>\"\n"));
    let from = |args: &[&str], message: &str| {
        let args = [&["send", "--dry-run", "x@y"], args].concat();
        let shown = home.postie(args).stdin(message).run();
        let text = shown.exit(0).stdout.clone();
        assert!(text.starts_with("MAIL FROM:<ann@example.com>\n"), "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix("From: "));
        line.unwrap().trim_end().to_owned()
    };
    let none = "Subject: x\n\nhello\n";
    assert_eq!(from(&[], none), "Ann Example <ann@example.com>");
    assert_eq!(from(&["--body=x"], ""), "\"Ann Example\" <ann@example.com>");
    assert_eq!(from(&["-f", "ann@example.com"], none), "Ann Example <ann@example.com>");
    assert_eq!(from(&["-f", "The Boss <ann@example.com>"], none), "The Boss <ann@example.com>");
    assert_eq!(
        from(&["-F", "Cron", "-f", "The Boss <ann@example.com>"], none),
        "Cron <ann@example.com>"
    );
    assert_eq!(from(&[], "From: A <ann@example.com>\n\nhello\n"), "A <ann@example.com>");
}

#[test]
fn a_user_alone_is_nobodys() {
    let home = Home::new();
    home.config(&format!("{SERVER}password-command = \"echo not-a-secret\"\n"));
    let says = "--user needs --server, or one account by its name";
    home.postie(["fetch", "--user=bob"]).run().exit(64).says(says);
    let check = home.postie(["check", "--user=bob"]).run();
    assert!(format!("{}{}", check.stdout, check.stderr).contains(says), "{check:?}");
    home.postie(["send", "--user=bob", "x@y"]).stdin("A: b\n\n").run().exit(64).says(says);
    home.postie(["fetch", "home", "--user=bob"]).run().exit(75);
    home.postie(["send", "-a", "home", "--user=bob@example.com", "x@y"])
        .stdin("A: b\n\n")
        .run()
        .exit(75);
}

#[test]
fn of_two_accounts_with_one_maildrop_the_second_is_an_error_and_the_others_are_fetched() {
    let home = Home::new();
    let account = "server = \"127.0.0.1:9\"\nuser = \"ann\"\npassword = \"not-a-secret\"\n";
    home.config(&format!("[account.home]\n{account}[account.work]\n{account}maildir = \"Work\"\n"));
    let words = "accounts `home` and `work` have the same maildrop: remove one, or name one";
    let fetched = home.postie(["fetch"]).run();
    fetched.exit(78).says(&format!("fetch work: {words}")).says("fetch home: 127.0.0.1:9: ");
    let checked = home.postie(["check", "--fetch"]).run();
    assert!(checked.stdout.contains(words), "{}", checked.stdout);
    // One of them is as good as ever: here, nobody answers.
    home.postie(["fetch", "work"]).run().exit(75);
}
