//! The program as `/usr/sbin/sendmail`: called with what its callers pass, word for word, and by
//! some of them in person.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::postie::{Home, Outcome};
use crate::support::servers;
use crate::support::sink::{Sink, Taken};

/// A home with an account at the server, and the program under the name `sendmail` in it.
fn installed(sink: &Sink, more: &str) -> (Home, PathBuf) {
    let home = Home::new();
    home.config(&sink.config(more));
    let sendmail = home.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    (home, sendmail)
}

const BOB: &str = "bob@example.net";
const ROOT: &str = "ann@example.com";

/// Who calls, with which words, giving what to read; who sends, and who gets it.
type Call =
    (&'static str, &'static [&'static str], &'static str, &'static str, &'static [&'static str]);

const CALLS: &[Call] = &[
    (
        "cron (Debian)",
        &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"],
        "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@box> true\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\
         X-Cron-Env: <SHELL=/bin/sh>\n\nGrüße\n",
        ROOT,
        &[ROOT],
    ),
    (
        "cron (Debian, MAILTO of two)",
        &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "bob@example.net,eve@example.org"],
        "From: root (Cron Daemon)\nTo: bob@example.net,eve@example.org\n\nhello\n",
        ROOT,
        &[BOB, "eve@example.org"],
    ),
    (
        "cron (Vixie)",
        &["-FCronDaemon", "-odi", "-oem", "-or0s", "root"],
        "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@box> true\n\nhello\n.\nmore\n",
        ROOT,
        &[ROOT],
    ),
    (
        "cronie",
        &["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],
        "From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: Cron <root@box> true\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "anacron",
        &["-FAnacron", "-odi", "root"],
        "From: Anacron <root>\nTo: root\nSubject: Anacron job\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "at",
        &["-i", "root"],
        "Subject: Output from your job        1\nTo: root\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "git send-email",
        &["-f", "ann@example.org", "-i", BOB, "eve@example.org"],
        "From: Ann <ann@example.org>\nTo: bob@example.net\nDate: x\nMessage-Id: <1@x>\n\nhello\n",
        "ann@example.org",
        &[BOB, "eve@example.org"],
    ),
    (
        "mutt",
        &[
            "-oem",
            "-oi",
            "-B8BITMIME",
            "-f",
            "ann@example.org",
            "-N",
            "failure",
            "-R",
            "hdrs",
            "--",
            BOB,
        ],
        "From: Ann <ann@example.org>\nTo: bob@example.net\n\nhello\n",
        "ann@example.org",
        &[BOB],
    ),
    (
        "s-nail",
        &["-i", "-f", "ann@example.org", "--", BOB],
        "From: Ann <ann@example.org>\nTo: bob@example.net\n\nhello\n",
        "ann@example.org",
        &[BOB],
    ),
    (
        "bsd-mailx",
        &["-i", "-t", "-m"],
        "To: bob@example.net\nBcc: eve@example.org\nSubject: x\n\nhello\n",
        ROOT,
        &[BOB, "eve@example.org"],
    ),
    (
        "mailutils",
        &["-oi", "-f", "ann@example.org", BOB],
        "To: bob@example.net\nSubject: x\n\nhello\n",
        "ann@example.org",
        &[BOB],
    ),
    (
        "PHP mail()",
        &["-t", "-i", "-fbounce@example.com"],
        "To: bob@example.net\r\nSubject: x\r\nX-PHP-Originating-Script: 0:x.php\r\n\
         Bcc: eve@example.org\r\n\r\nhello\nthere\r\n.\r\n.\nmore",
        "bounce@example.com",
        &[BOB, "eve@example.org"],
    ),
    (
        "mdadm",
        &["-t"],
        "From: mdadm monitoring <root>\nTo: root\nSubject: Fail event\n\nhello\n.\n\nmore\n",
        ROOT,
        &[ROOT],
    ),
    (
        "sudo",
        &["-t"],
        "To: root\nFrom: www-data\nAuto-Submitted: auto-generated\nSubject: *** x ***\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "fail2ban",
        &["-f", "root@localhost", "root@localhost"],
        "Subject: [Fail2Ban] sshd: banned\nFrom: Fail2Ban <root@localhost>\nTo: root@localhost\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "unattended-upgrades",
        &["-oi", "-t"],
        "Subject: x\nTo: root\nAuto-Submitted: auto-generated\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "logcheck (as a mailer's child)",
        &["-oi", "-t"],
        "To: root\nSubject: box 2026-11-24 12:00 System Events\n\nhello\n",
        ROOT,
        &[ROOT],
    ),
    (
        "Python's email",
        &["-t", "-oi"],
        "Subject: x\nFrom: ann@example.com\nTo: Bob <bob@example.net>\n\nhello\n",
        ROOT,
        &[BOB],
    ),
];

#[test]
fn every_caller_is_served_in_silence() {
    let sink = Sink::start(&["PIPELINING", "8BITMIME", "DSN"]);
    let (home, sendmail) = installed(&sink, "rewrite-from = \"local\"");
    for (caller, args, message, sender, recipients) in CALLS {
        let outcome = home.program(&sendmail, *args).stdin(*message).run();
        assert_eq!(outcome.status, 0, "{caller}: {}", outcome.stderr);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""), "{caller}");
        let taken = sink.taken();
        let [taken] = taken.as_slice() else { panic!("{caller}: {taken:?}") };
        assert!(taken.sender.starts_with(&format!("<{sender}>")), "{caller}: {}", taken.sender);
        let paths: Vec<_> = taken.recipients.iter().filter_map(|to| to.split(' ').next()).collect();
        let expected: Vec<_> = recipients.iter().map(|to| format!("<{to}>")).collect();
        assert_eq!(paths, expected, "{caller}");
        // The whole body arrives, whatever is in it; and nobody learns of the others.
        let body = |text: &str| {
            let text = text.replace("\r\n", "\n");
            let (_, body) = text.split_once("\n\n").unwrap();
            body.trim_end().to_owned()
        };
        assert_eq!(body(&taken.lines()), body(message), "{caller}");
        assert!(!taken.lines().contains("Bcc:"), "{caller}");
        assert!(!taken.lines().contains("root>\n"), "{caller}: {}", taken.lines());
        let is_local = |line: &str| line.starts_with("To: root") || line.ends_with("@localhost>");
        assert!(!taken.lines().lines().any(is_local), "{caller}: {}", taken.lines());
    }
}

#[test]
fn whoever_only_this_machine_knows_is_an_alias() {
    let sink = Sink::start(&[]);
    let (home, _) = installed(&sink, "");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let at_host = format!("root@{host}");
    for recipient in ["root", "root@localhost", "ROOT@LocalHost.localdomain", &at_host] {
        home.postie(["send", recipient]).stdin("A: b\n\n").run().exit(0).silent();
        assert_eq!(only(&sink).recipients, ["<ann@example.com>"], "{recipient}");
        let to = ["send", "--body=x", &format!("--to=The boss <{recipient}>")];
        home.postie(to).run().exit(0).silent();
        let taken = only(&sink);
        assert_eq!(taken.recipients, ["<ann@example.com>"], "{recipient}");
        assert!(
            taken.lines().contains("To: \"The boss\" <ann@example.com>\n"),
            "{}",
            taken.lines()
        );
    }
    for recipient in ["root@example.com", "root@elsewhere", "root@localhost.example"] {
        home.postie(["send", recipient]).stdin("A: b\n\n").run().exit(0).silent();
        assert_eq!(only(&sink).recipients, [format!("<{recipient}>")]);
    }
}

#[test]
fn under_the_name_sendmail_messages_wait_unless_the_configuration_says_no() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "server = \"127.0.0.1:1\"");
    home.program(&sendmail, [BOB]).stdin("Subject: x\n\nhello\n").run().exit(0);
    for name in ["mailq", "newaliases"] {
        symlink(&sendmail, home.path().join(name)).unwrap();
    }
    let mailq = home.program(&home.path().join("mailq"), [""; 0]).run();
    assert!(mailq.exit(0).stdout.contains(BOB), "{}", mailq.stdout);
    home.program(&home.path().join("newaliases"), [""; 0]).run().exit(0).silent();
    // Under our own name nothing waits that was not to.
    home.postie(["send", BOB]).stdin("Subject: x\n\nhello\n").run().exit(75);
    home.config(&sink.config("server = \"127.0.0.1:1\"\nqueue = false"));
    home.program(&sendmail, [BOB]).stdin("Subject: x\n\nhello\n").run().exit(69);
    let mailq = home.program(&sendmail, ["-bp"]).run();
    assert_eq!(mailq.stdout.matches(BOB).count(), 1, "{}", mailq.stdout);
}

#[test]
fn sendmails_words_work_under_our_own_name() {
    let sink = Sink::start(&[]);
    let (home, _) = installed(&sink, "");
    let args = ["send", "-a", "home", "-oem", "-oi", "-f", "ann@example.org", "--", BOB];
    home.postie(args).stdin("Subject: x\n\nhello\n").run().exit(0).silent();
    assert_eq!(sink.taken()[0].sender, "<ann@example.org>");
}

#[test]
fn options_for_every_command_may_stand_before_and_among_sendmails_words() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    let file = home.file("postie.toml", sink.config(""));
    let file = file.to_str().unwrap();
    for args in [
        &["-qc", file, "send", "-oi", BOB][..],
        &["-c", file, "send", "-q", "-oi", BOB],
        &["-q", "-c", file, "--timeout", "9", "send", "-q", "-i", "--quiet", BOB],
    ] {
        home.postie(args.iter().copied()).stdin("Subject: x\n\nhello\n").run().exit(0).silent();
        assert_eq!(sink.taken().len(), 1, "{args:?}");
    }
}

#[test]
fn the_senders_address_is_taken_in_any_form_and_none_is_none() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "");
    let config = home.path().join(".config/postie/config.toml");
    let more = fs::read_to_string(&config).unwrap();
    home.config(&format!("{more}[account.other]\nfrom = \"desk@example.org\"\nserver = \"x\"\n"));
    let message = "From: Ann <ann@example.com>\nTo: bob@example.net\nSubject: x\n\nhello\n";
    for (from, path) in [
        ("<>", "<>"),
        ("", "<>"),
        (" <> ", "<>"),
        ("<bounce@example.com>", "<bounce@example.com>"),
        ("Ann B. <bounce@example.com>", "<bounce@example.com>"),
        ("root", "<ann@example.com>"),
    ] {
        home.program(&sendmail, ["-a", "-f", from, BOB]).stdin(message).run().exit(64);
        for args in [vec!["-i", "-f", from, BOB], vec!["-r", from, "-oi", BOB]] {
            home.program(&sendmail, args).stdin(message).run().exit(0).silent();
            let taken = only(&sink);
            assert_eq!(taken.sender, path, "{from:?}");
            assert!(taken.lines().contains("From: Ann <ann@example.com>\n"));
        }
        if from != "root" {
            let option = format!("--from={from}");
            home.postie(["send", &option, BOB]).stdin(message).run().exit(0).silent();
            assert_eq!(only(&sink).sender, path, "{from:?}");
        }
    }
    // What is missing is completed with the account's own address.
    let args = ["send", "--from=<>", BOB];
    home.postie(args).stdin("Subject: x\n\nhello\n").run().exit(78);
    home.config(&more);
    home.program(&sendmail, ["-f", "<>", BOB]).stdin("Subject: x\n\nhello\n").run().exit(0);
    let taken = only(&sink);
    assert!(taken.lines().contains("From: ann@example.com\n"), "{}", taken.lines());
    for wrong in ["a@example.com, b@example.com", "Ann <a@example.com", "x y@z"] {
        home.program(&sendmail, ["-f", wrong, BOB]).stdin(message).run().exit(64);
    }
    assert_eq!(sink.taken(), []);
}

#[test]
fn a_message_without_a_senders_address_waits_without_one() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "queue = true\nserver = \"127.0.0.1:1\"");
    let message = "From: Ann <ann@example.com>\nSubject: x\n\nhello\n";
    let sent = home.program(&sendmail, ["-f", "<>", BOB]).stdin(message).run();
    sent.exit(0).says("; the message waits in the outbox as ");
    let listed = home.postie(["queue", "--json"]).run();
    assert!(listed.stdout.contains("\"from\":\"\""), "{}", listed.stdout);
    home.config(&sink.config("queue = true"));
    home.postie(["queue", "flush", "--all"]).run().exit(0).silent();
    assert_eq!(only(&sink).sender, "<>");
}

#[test]
fn to_callers_of_sendmail_nothing_waits_that_is_not_kept() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "server = \"127.0.0.1:1\"\nqueue = false");
    home.program(&sendmail, [BOB]).stdin("Subject: x\n\nhello\n").run().exit(69);
    home.postie(["send", BOB]).stdin("Subject: x\n\nhello\n").run().exit(75);
    assert_eq!(home.files(".local/state/postie/outbox/waiting").len(), 0);
    // By default it is kept.
    home.config(&sink.config("server = \"127.0.0.1:1\""));
    let kept = home.program(&sendmail, [BOB]).stdin("Subject: x\n\nhello\n").run();
    kept.exit(0).says("cannot connect: connection refused; the message waits in the outbox as ");
    assert_eq!(kept.stderr.lines().count(), 1, "{kept:?}");
    assert_eq!(home.files(".local/state/postie/outbox/waiting").len(), 1);
    // So it is where the configuration cannot be read.
    home.config("nonsense");
    let kept = home.program(&sendmail, [BOB]).stdin("Subject: x\n\nhello\n").run();
    kept.exit(0).says("config.toml:1:").says("; the message waits in the outbox as ");
    assert_eq!(home.files(".local/state/postie/outbox/waiting").len(), 2);
}

#[test]
fn a_large_message_is_kept_whatever_a_caller_has_for_a_temporary_directory() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "");
    let message = format!("Subject: x\n\n{}", "hello, and a little more\n".repeat(100_000));
    let run = home.program(&sendmail, ["-i", BOB]).env("TMPDIR", "/nonexistent");
    run.stdin(message.as_str()).run().exit(0).silent();
    assert!(only(&sink).lines().ends_with(message.strip_prefix("Subject: x\n").unwrap()));
}

#[test]
fn what_sendmail_is_asked_besides_is_answered() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "");
    let run = |args: &[&str]| home.program(&sendmail, args).stdin("A: b\n\n").run();
    let listed = run(&["-bp"]);
    listed.exit(0).stderr("");
    assert_eq!(listed.stdout, "Mail queue is empty\n");
    run(&["-bi"]).exit(0).silent();
    run(&["-q"]).exit(0).silent();
    home.config(&sink.config("server = \"127.0.0.1:1\"\nqueue = true"));
    run(&["bob@example.net"]).exit(0).says("; the message waits in the outbox as ");
    let listed = run(&["-bp"]);
    assert!(listed.stdout.contains("  home  bob@example.net\n"), "{}", listed.stdout);
    // It is not due yet.
    run(&["-q"]).exit(0).silent();
    run(&["-bd", "-q15m"])
        .exit(64)
        .stderr("postie: -bd: this program does not run as a daemon (see --help)\n");
    assert_eq!(sink.taken(), []);
}

#[test]
fn what_goes_wrong_is_one_line_on_standard_error() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "password-file = \"/nowhere\"\nqueue = false");
    for (args, status) in [(&["nobody"][..], 67), (&["root"], 78), (&["a b"], 64), (&[], 64)] {
        let outcome = home.program(&sendmail, args).stdin("Subject: x\n\nhello\n").run();
        outcome.exit(status);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.lines().count()), ("", 1), "{args:?}");
    }
    assert_eq!(sink.taken(), []);
}

/// Runs somebody who sends mail with `sendmail`, in this home; `None`, and a word about it, if it
/// is not installed.
fn caller(home: &Home, program: &str, args: &[&str], stdin: &str) -> Option<Outcome> {
    let home = home.path();
    let place = match program {
        "git" => Path::new("/usr/lib/git-core/git-send-email").to_owned(),
        _ => Path::new("/usr/bin").join(program),
    };
    if !place.exists() {
        servers::skip(&format!("{} is not installed", place.display()));
        return None;
    }
    fs::write(home.join("stdin"), stdin).unwrap();
    let output = Command::new(Path::new("/usr/bin").join(program))
        .args(args)
        .env_clear()
        .env("HOME", home)
        // s-nail hands its children the superuser's home if it is the superuser who runs it.
        .env("XDG_CONFIG_HOME", home.join(".config"))
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .current_dir(home)
        .stdin(Stdio::from(fs::File::open(home.join("stdin")).unwrap()))
        .output()
        .unwrap();
    Some(Outcome::new(output))
}

#[track_caller]
fn only(sink: &Sink) -> Taken {
    let taken = sink.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.into_iter().next().unwrap()
}

#[test]
fn git_send_email_delivers_a_patch() {
    let sink = Sink::start(&["8BITMIME"]);
    let (home, sendmail) = installed(&sink, "");
    home.file(
        "0001.patch",
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
         From: Ann <ann@example.com>\nDate: Tue, 24 Nov 2026 12:00:00 +0000\n\
         Subject: [PATCH] Greet\n\nSay hello.\n---\n a | 1 +\n\ndiff --git a/a b/a\n--- a/a\n\
         +++ b/a\n@@ -0,0 +1 @@\n+.\n-- \n2.39.5\n",
    );
    home.file(".gitconfig", "[user]\nname = Ann\nemail = ann@example.com\n");
    let server = format!("--smtp-server={}", sendmail.display());
    let args = ["send-email", &server, "--confirm=never", "--to", BOB, "--bcc", ROOT, "0001.patch"];
    let Some(outcome) = caller(&home, "git", &args, "") else { return };
    outcome.exit(0);
    let taken = only(&sink);
    assert_eq!(taken.recipients, [format!("<{BOB}>"), format!("<{ROOT}>")]);
    assert!(taken.lines().contains("\n+.\n-- \n"), "{}", taken.lines());
    assert!(!taken.lines().contains("Bcc"), "{}", taken.lines());
}

#[test]
fn mutt_sends_a_letter() {
    let sink = Sink::start(&["8BITMIME", "DSN"]);
    let (home, sendmail) = installed(&sink, "");
    home.file(
        ".muttrc",
        format!(
            "set sendmail=\"{} -oem -oi\"\nset from=\"ann@example.org\"\nset use_envelope_from=yes\n\
             set use_8bitmime=yes\nset dsn_notify=\"failure\"\nset dsn_return=\"hdrs\"\nset copy=no\n\
             set charset=utf-8\n\
             set send_charset=\"us-ascii:utf-8\"\n",
            sendmail.display()
        ),
    );
    let args = ["-s", "Grüße", "-b", "eve@example.org", BOB];
    let Some(outcome) = caller(&home, "mutt", &args, "Grüße\n.\nAnn\n") else { return };
    outcome.exit(0);
    let taken = only(&sink);
    assert!(taken.sender.starts_with("<ann@example.org> RET=HDRS ENVID="), "{}", taken.sender);
    assert!(taken.sender.ends_with(" BODY=8BITMIME"), "{}", taken.sender);
    assert!(taken.recipients[0].contains(" NOTIFY=FAILURE "), "{:?}", taken.recipients);
    assert_eq!(taken.recipients.len(), 2, "{:?}", taken.recipients);
    assert!(taken.lines().ends_with("\n\nGrüße\n.\nAnn\n"), "{}", taken.lines());
}

#[test]
fn s_nail_sends_a_letter_and_hears_of_a_refusal() {
    let sink = Sink::start(&["8BITMIME"]);
    let (home, sendmail) = installed(&sink, "");
    let mta = format!("mta={}", sendmail.display());
    let args = [
        "-:/",
        "-S",
        &mta,
        "-S",
        "sendwait",
        "-S",
        "nosave",
        "-S",
        "from=ann@example.org",
        "-s",
        "x",
    ];
    let args = |to| [&args[..], &["-b", "eve@example.org", to]].concat();
    let Some(outcome) = caller(&home, "s-nail", &args(BOB), "hello\n.more\n") else { return };
    outcome.exit(0);
    let taken = only(&sink);
    assert_eq!(taken.recipients.len(), 2, "{:?}", taken.recipients);
    assert!(taken.lines().ends_with("\n\nhello\n.more\n"), "{}", taken.lines());
    let outcome = caller(&home, "s-nail", &args("nobody"), "hello\n").unwrap();
    assert_ne!(outcome.status, 0);
    outcome.says("`nobody` has no domain");
    assert_eq!(sink.taken(), []);
}

#[test]
fn dovecots_automatic_answer_goes_out_without_a_senders_address() {
    let lda = Path::new("/usr/lib/dovecot/dovecot-lda");
    let plugin = Path::new("/usr/lib/dovecot/modules/lib90_sieve_plugin.so");
    if !lda.exists() || !plugin.exists() {
        servers::skip("Dovecot's delivery agent or its sieve plugin is not installed");
        return;
    }
    let sink = Sink::start(&["8BITMIME"]);
    let home = Home::new();
    home.config(&sink.config(""));
    let root = home.path().display().to_string();
    // It hands down no environment, and does not deliver as root.
    fs::copy(env!("CARGO_BIN_EXE_postie"), home.path().join("sendmail")).unwrap();
    let script = format!("#!/bin/sh\nHOME={root} exec {root}/sendmail \"$@\"\n");
    let script = home.file("script", script);
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    home.file(
        "vacation.sieve",
        "require [\"vacation\"];\nvacation :subject \"Away\" :addresses [\"ann@example.com\"] \
         \"I am away.\";\n",
    );
    let config = home.file(
        "dovecot.conf",
        format!(
            "base_dir = {root}/run\nlog_path = {root}/log\nmail_location = maildir:{root}/Mail\n\
             mail_home = {root}\npostmaster_address = postmaster@example.com\nssl = no\n\
             sendmail_path = {root}/script\nprotocol lda {{\n  mail_plugins = sieve\n}}\n\
             plugin {{\n  sieve = file:{root}/sieve;active={root}/vacation.sieve\n}}\n"
        ),
    );
    let nobody = servers::NOBODY.to_string();
    let mut words = vec![];
    let mut user = std::env::var("USER").unwrap_or_default();
    if servers::is_root() {
        let status = Command::new("chown").args(["-R", &nobody, &root]).status().unwrap();
        assert!(status.success());
        words.extend(["setpriv", "--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--"]);
        "nobody".clone_into(&mut user);
    }
    words.extend([lda.to_str().unwrap(), "-c", config.to_str().unwrap()]);
    words.extend(["-f", BOB, "-a", ROOT]);
    let message = "From: Bob <bob@example.net>\nTo: ann@example.com\nSubject: hi\n\
                   Message-ID: <1@example.net>\nDate: Tue, 24 Nov 2026 12:00:00 +0000\n\nhello\n";
    let outcome =
        home.program(Path::new("/usr/bin/env"), words).env("USER", &user).stdin(message).run();
    let log = fs::read_to_string(home.path().join("log")).unwrap_or_default();
    assert_eq!(outcome.status, 0, "{outcome:?}\n{log}");
    let taken = only(&sink);
    assert_eq!((taken.sender.as_str(), taken.recipients.len()), ("<>", 1), "{log}");
    assert_eq!(taken.recipients, [format!("<{BOB}>")]);
    let text = taken.lines();
    assert!(text.contains("From: <ann@example.com>\n") && text.contains("I am away."), "{text}");
}

#[test]
fn php_sends_a_letter_and_none_of_a_strangers_words() {
    let sink = Sink::start(&["8BITMIME"]);
    let (home, sendmail) = installed(&sink, "");
    let secret = home.file("secret", "not-a-password\n");
    let path = format!("sendmail_path={} -t -i", sendmail.display());
    let mail = |words: &str| {
        let code = format!(
            "exit(mail('{BOB}', 'Grüße', \"hello\\n.\\n\", \"From: ann@example.com\\r\\nBcc: \
             eve@example.org\", '{words}') ? 0 : 1);"
        );
        caller(&home, "php", &["-d", &path, "-r", &code], "")
    };
    let Some(outcome) = mail("-fbounce@example.com") else { return };
    outcome.exit(0);
    let taken = only(&sink);
    assert_eq!(taken.sender, "<bounce@example.com>");
    assert_eq!(taken.recipients, [format!("<{BOB}>"), "<eve@example.org>".to_owned()]);
    assert!(taken.lines().contains("\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\n"), "{}", taken.lines());
    assert!(taken.lines().ends_with("\n\nhello\n.\n\n"), "{}", taken.lines());
    for words in [
        format!("-fx@example.com --attach={}", secret.display()),
        format!("-fx@example.com --password-command=\"touch {}/ran\"", home.path().display()),
        format!("-fx@example.com --server={} --tls=none --user=x", sink.address),
    ] {
        assert_ne!(mail(&words).unwrap().status, 0, "{words}");
    }
    // What its own sendmail would have written to is not there.
    mail(&format!("-fx@example.com -OQueueDirectory=/tmp -X{}/page.php", home.path().display()))
        .unwrap()
        .exit(0);
    assert_eq!(only(&sink).recipients.len(), 2);
    assert!(!home.path().join("page.php").exists() && !home.path().join("ran").exists());
}

/// Sends four messages in one process, and prints what became of each.
const SYMFONY_MAILER: &str = r#"
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$transport = new Symfony\Component\Mailer\Transport\SendmailTransport($argv[1]);
$mailer = new Symfony\Component\Mailer\Mailer($transport);
$bob = 'bob@example.net';
foreach ([[$bob], [$bob, 'nobody@example.net'], ['nobody@example.net'], [$bob]] as $n => $to) {
    $email = (new Symfony\Component\Mime\Email())->from('ann@example.com')->to(...$to)
        ->subject("Grüße $n")->text(".\n..\nhello\n")->attach("line\r\n.\r\n", 'a.txt');
    try {
        $mailer->send($email);
        echo "sent\n";
    } catch (Symfony\Component\Mailer\Exception\TransportExceptionInterface $error) {
        echo $error->getMessage(), "\n";
    }
}
"#;

#[test]
fn symfony_mailer_sends_several_messages_in_one_process() {
    if !Path::new("/usr/share/php/Symfony/Component/Mailer/autoload.php").exists() {
        servers::skip("php-symfony-mailer is not installed");
        return;
    }
    let sink = Sink::start(&["PIPELINING", "8BITMIME"]);
    // The words of Symfony, of Laravel, and of Drupal's Mailer Plus; an outbox, and none.
    for (words, more, sent) in [("-bs", "", 3), ("-bs -i", "", 3), ("-bs -oi", "queue = false", 2)]
    {
        let (home, sendmail) = installed(&sink, more);
        let command = format!("{} {words}", sendmail.display());
        let Some(outcome) = caller(&home, "php", &["-r", SYMFONY_MAILER, &command], "") else {
            return;
        };
        let lines: Vec<_> = outcome.exit(0).stdout.lines().collect();
        assert_eq!((lines[0], lines[3]), ("sent", "sent"), "{outcome:?}");
        assert_eq!(lines[1] == "sent", sent == 3, "{outcome:?}");
        assert!(
            lines[2].contains("got code \"554\"") && lines[2].contains("550 5.1.1"),
            "{lines:?}"
        );
        let taken = sink.taken();
        assert_eq!(taken.len(), sent);
        for taken in &taken {
            assert_eq!(taken.recipients, ["<bob@example.net>"]);
            assert!(taken.lines().contains("\n\n.\n..\nhello\n"), "{}", taken.lines());
        }
        let failed = home.files(".local/state/postie/outbox/failed").len();
        assert_eq!(failed, usize::from(sent == 3));
    }
    // With no server there is a place where they wait, or a reason.
    for (more, expected) in [("", "sent"), ("queue = false", "got code \"451\"")] {
        let (home, sendmail) = installed(&sink, &format!("server = \"127.0.0.1:1\"\n{more}"));
        let command = format!("{} -bs", sendmail.display());
        let outcome = caller(&home, "php", &["-r", SYMFONY_MAILER, &command], "").unwrap();
        let mut lines = outcome.exit(0).stdout.lines();
        assert!(lines.all(|line| line.contains(expected)), "{outcome:?}");
        let waiting = home.files(".local/state/postie/outbox/waiting").len();
        assert_eq!(waiting, if more.is_empty() { 4 } else { 0 });
    }
}

/// What Symfony Mailer's transport says to `sendmail -bs`, which it starts once for many messages.
fn symfony(recipients: &[&str]) -> String {
    let rcpt = recipients.iter().map(|to| format!("RCPT TO:<{to}>\r\n"));
    let rcpt = rcpt.collect::<Vec<_>>().concat();
    format!(
        "MAIL FROM:<ann@example.com>\r\n{rcpt}DATA\r\n\
         From: Ann <ann@example.com>\r\nTo: bob@example.net\r\nSubject: hello\r\n\
         MIME-Version: 1.0\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\n\
         Message-ID: <1@example.com>\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n..\r\nhello\r\n.\r\n"
    )
}

fn codes(replies: &str) -> String {
    replies.lines().map(|line| &line[..4]).collect::<String>().trim_end().to_owned()
}

#[test]
fn frameworks_speak_smtp_on_standard_input() {
    let sink = Sink::start(&["PIPELINING"]);
    for more in ["", "queue = false"] {
        let (home, sendmail) = installed(&sink, more);
        let (one, all) = (symfony(&[BOB]), symfony(&["nobody@example.net"]));
        let input = format!("HELO [127.0.0.1]\r\n{one}NOOP\r\n{all}RSET\r\n{one}QUIT\r\n");
        // Results have no place in the conversation.
        for words in [&["-bs"][..], &["-bs", "-t", "-i"], &["-bs", "-v"]] {
            let outcome = home.program(&sendmail, words).stdin(input.as_str()).run();
            let expected = "220 250 250 250 354 250 250 250 250 354 554 250 250 250 354 250 221";
            assert_eq!(codes(&outcome.exit(0).stdout), expected, "{more}: {}", outcome.stderr);
            let refusal = "554 5.0.0 not accepted: nobody@example.net refused: 550 5.1.1 ";
            assert!(outcome.stdout.contains(refusal), "{}", outcome.stdout);
            let taken = sink.taken();
            assert_eq!(taken.len(), 2, "{taken:?}");
            assert!(taken[1].lines().ends_with("\n\n.\nhello\n"), "{}", taken[1].lines());
            // What was refused for all is the caller's.
            let listed = home.program(&sendmail, ["-bp"]).run();
            assert_eq!(listed.stdout, "Mail queue is empty\n", "{more}");
        }
        for option in ["--json", "-v"] {
            let outcome = home.postie([option, "send", "-bs"]).stdin(symfony(&[BOB])).run();
            assert_eq!(codes(&outcome.exit(0).stdout), "220 250 250 354 250", "{outcome:?}");
            sink.taken();
        }
    }
}

#[test]
fn of_two_recipients_by_smtp_the_one_refused_stands_in_the_queue_or_stops_both() {
    let sink = Sink::start(&["PIPELINING"]);
    let input = symfony(&[BOB, "nobody@example.net"]);
    let (home, sendmail) = installed(&sink, "");
    let outcome = home.program(&sendmail, ["-bs"]).stdin(input.as_str()).run();
    assert_eq!(codes(&outcome.stdout), "220 250 250 250 354 250", "{outcome:?}");
    outcome.says("nobody@example.net refused: 550 5.1.1").says("/outbox/failed/");
    let taken = sink.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].recipients, ["<bob@example.net>"]);
    let listed = home.program(&sendmail, ["-bp"]).run().stdout;
    assert!(listed.contains("will not be sent\n    nobody@example.net: refused: 550"), "{listed}");
    assert_eq!(home.files(".local/state/postie/outbox/waiting").len(), 0);
    // It is tried no more.
    home.postie(["queue", "flush", "--all"]).run().exit(0);
    assert_eq!(sink.taken().len(), 0);

    // Without an outbox, or where none can be made, both have it or neither.
    home.config(&sink.config("queue = false"));
    let without = |home: &Home| {
        let outcome = home.program(&sendmail, ["-bs"]).stdin(input.as_str()).run();
        assert_eq!(codes(&outcome.stdout), "220 250 250 250 354 554", "{outcome:?}");
        assert_eq!(sink.taken().len(), 0);
    };
    without(&home);
    let (home, _) = installed(&sink, "");
    home.file(".local", "no directory");
    without(&home);
}

#[test]
fn a_rule_is_obeyed_by_smtp_for_good_and_a_local_sender_gives_way() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "recipients = [\"*@example.net\"]");
    let refused = symfony(&["bob@example.org"]);
    let local = symfony(&[BOB]).replacen("ann@example.com", "www-data", 1);
    let input = format!("{refused}{local}");
    let outcome = home.program(&sendmail, ["-bs"]).stdin(input).run();
    assert_eq!(codes(&outcome.stdout), "220 250 250 354 550 250 250 354 250", "{outcome:?}");
    assert_eq!(only(&sink).sender, "<ann@example.com>");
}

#[test]
fn what_is_answered_250_on_standard_output_is_in_the_outbox() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "server = \"127.0.0.1:1\"");
    let two = symfony(&[BOB]).repeat(2);
    let outcome = home.program(&sendmail, ["-bs"]).stdin(two.as_str()).run();
    assert_eq!(codes(&outcome.stdout), "220 250 250 354 250 250 250 354 250", "{outcome:?}");
    assert_eq!(home.files(".local/state/postie/outbox/waiting").len(), 2);
    // Nor is it answered so where it is kept nowhere.
    home.config(&sink.config("server = \"127.0.0.1:1\"\nqueue = false"));
    let outcome = home.program(&sendmail, ["-bs"]).stdin(two).run();
    assert_eq!(codes(&outcome.stdout), "220 250 250 354 451 250 250 354 451", "{outcome:?}");
    assert_eq!(home.files(".local/state/postie/outbox/waiting").len(), 2);
}

#[test]
fn smtp_is_spoken_on_no_connection_from_elsewhere() {
    let sink = Sink::start(&[]);
    let (home, sendmail) = installed(&sink, "");
    let run = |stdin: Stdio| {
        let mut command = Command::new(&sendmail);
        command.arg("-bs").env_clear().env("HOME", home.path()).stdin(stdin);
        Outcome::new(command.output().unwrap())
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let refused = run(Stdio::from(std::os::fd::OwnedFd::from(server)));
    refused.exit(77).says("standard input is a socket of another user");
    assert_eq!(refused.stdout, "");
    drop(client);
    // As Node gives to its children.
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut ours, b"QUIT\r\n").unwrap();
    assert_eq!(codes(&run(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stdout), "220 221");
}
