//! `aliases-file`: recipients that only this machine knows, from a file in sendmail's format.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use crate::support::postie::{Home, Outcome};
use crate::support::servers::{self, NOBODY};
use crate::support::sink::Sink;

/// A home with an account for the server, and an alias file of this text.
fn home(sink: &Sink, aliases: &str) -> Home {
    let home = Home::new();
    home.file("aliases", aliases);
    home.config(&format!("aliases-file = \"~/aliases\"\n{}", sink.config("")));
    home
}

fn send(home: &Home, recipient: &str) -> Outcome {
    home.postie(["send", recipient]).stdin("Subject: hello\n\nhello\n").run()
}

fn recipients(sink: &Sink) -> Vec<String> {
    sink.taken().into_iter().flat_map(|taken| taken.recipients).collect()
}

#[test]
fn local_names_lead_to_the_addresses_of_the_file() {
    let sink = Sink::start(&[]);
    let home = home(
        &sink,
        "# as Debian has it\nmailer-daemon: postmaster\npostmaster: root\n\
         Staff: bob@example.net,\n\teve@example.org\nroot: nobody@example.com\n",
    );
    // [aliases] has another root.
    send(&home, "mailer-daemon").exit(0).silent();
    assert_eq!(recipients(&sink), ["<ann@example.com>"]);
    for name in ["staff", "STAFF@localhost"] {
        send(&home, name).exit(0).silent();
        assert_eq!(recipients(&sink), ["<bob@example.net>", "<eve@example.org>"], "{name}");
    }
    send(&home, "stranger").exit(67).says("`stranger` has no domain and no entry in [aliases]");
    // The path of an account's own file is read as others are: from home, not from here.
    let sendmail = home.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    home.program(&sendmail, ["-i", "staff"]).stdin("\nhello\n").run().exit(0).silent();
    assert_eq!(recipients(&sink), ["<bob@example.net>", "<eve@example.org>"]);
}

#[test]
fn a_wrong_line_is_named_and_what_comes_by_sendmail_waits_for_it() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "staff: bob@example.net\nlist: |/usr/bin/list\n");
    let words = format!(
        "{}:2: `|/usr/bin/list` runs a program: expected an address or another name\n",
        home.path().join("aliases").display()
    );
    send(&home, "staff").exit(78).says(&words);
    home.postie(["check", "--send"]).run().exit(78);
    let sendmail = home.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    home.program(&sendmail, ["-bi"]).run().exit(78).says(&words);
    let sent = home.program(&sendmail, ["-i", "staff"]).stdin("\nhello\n").run();
    sent.exit(0).says("; the message waits in the outbox").says(words.trim_end());
    home.postie(["queue"]).run().exit(0);
    assert_eq!(recipients(&sink), [""; 0]);
    home.file("aliases", "staff: bob@example.net\n");
    home.program(&sendmail, ["-bi"]).run().exit(0).silent();
    home.postie(["queue", "flush", "--all"]).run().exit(0);
    assert_eq!(recipients(&sink), ["<bob@example.net>"]);
    fs::remove_file(home.path().join("aliases")).unwrap();
    send(&home, "staff").exit(78).says("cannot read ").says("/aliases: no such file");
}

#[test]
fn a_file_that_others_may_write_decides_nothing() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "staff: bob@example.net\n");
    let path = home.path().join("aliases");
    fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
    send(&home, "staff").exit(78).says("others may write to ");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    if servers::is_root() {
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        send(&home, "staff").exit(78).says("/aliases belongs to another user (nobody)");
        chown(&path, Some(0), Some(0)).unwrap();
    }
    send(&home, "staff").exit(0).silent();
    assert_eq!(recipients(&sink), ["<bob@example.net>"]);
}
