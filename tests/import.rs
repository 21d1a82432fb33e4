//! `postie import`: with the real programs, where they are installed, whose configurations and
//! memories are taken over.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postie::import::vocabulary;

use crate::support::dovecot::Dovecot;
use crate::support::mailbox::mailbox;
use crate::support::postfix::{Auth, Postfix};
use crate::support::postie::Home;
use crate::support::servers::{self, PASSWORD, USER, installed, note};
use crate::support::transcript::Tls;

/// A program that leaves a message in `~/Mail`, for those that do not do it themselves.
const DELIVER: &str = "#!/bin/sh\nset -e\nfile=$(mktemp -p ~/Mail/tmp)\ncat > \"$file\"\n\
                       mv \"$file\" ~/Mail/new/\n";

/// A home with `~/Mail` and `~/deliver`.
fn home() -> Home {
    let home = Home::new();
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(home.path().join("Mail").join(part)).unwrap();
    }
    let deliver = home.file("deliver", DELIVER);
    fs::set_permissions(deliver, fs::Permissions::from_mode(0o700)).unwrap();
    home
}

/// Fetches with another program, configured in `~/rc`; skipped where it is not installed.
fn peer(home: &Home, program: &str, args: &[&str], done: &[i32]) -> Option<()> {
    let program = installed(program)?;
    let mut command = Command::new(program);
    command.args(args).env("HOME", home.path()).env("LC_ALL", "C").current_dir(home.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let status = output.status.code();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(status.is_some_and(|status| done.contains(&status)), "{status:?}: {said}");
    Some(())
}

fn mpoprc(server: &Dovecot, home: &Home, keep: &str) -> String {
    format!(
        "defaults\ntls on\ntls_starttls off\ntls_trust_file {}\nkeep {keep}\nreceived_header off\n\
         delivery maildir {}/Mail\n\naccount test\nhost 127.0.0.1\nport {}\nuser {USER}\n\
         password {PASSWORD}\n\naccount default : test\n",
        server.site.path("ca.pem").display(),
        home.path().display(),
        server.port(Tls::Implicit),
    )
}

fn fetchmailrc(server: &Dovecot, home: &Home, keep: &str) -> String {
    format!(
        "set daemon 300\nset no bouncemail\npoll localhost with proto pop3 uidl service {}\n  \
         user \"{USER}\" there with password \"{PASSWORD}\" is root here\n  \
         ssl sslcertck sslcertfile \"{}\" {keep} mda \"{}/deliver\"\n",
        server.port(Tls::Implicit),
        server.site.path("ca.pem").display(),
        home.path().display(),
    )
}

fn getmailrc(server: &Dovecot, home: &Home, delete: &str) -> String {
    format!(
        "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {}\n\
         username = {USER}\npassword = {PASSWORD}\nca_certs = {}\n\n[destination]\n\
         type = MDA_external\npath = {}/deliver\nallow_root_commands = true\n\n[options]\n\
         read_all = false\ndelete = {delete}\ndelivered_to = false\nreceived = false\nverbose = 0\n",
        server.port(Tls::Implicit),
        server.site.path("ca.pem").display(),
        home.path().display(),
    )
}

/// Takes over what another program has fetched, and goes on fetching: nothing comes twice, and
/// nothing is deleted that was only imported.
#[track_caller]
fn goes_on(server: &Dovecot, home: &Home, files: &[&str]) {
    let before = home.messages("Mail").len();
    let held = server.count();
    assert_eq!((before, held), (3, 3));
    let args = ["import", "--write"].iter().chain(files);
    home.postie(args.copied()).run().exit(0).silent();
    home.postie(["fetch"]).run().exit(0).silent();
    assert_eq!(home.messages("Mail").len(), 3, "nothing is new");
    // The same import once more changes no account, and so nothing.
    let again = ["import", "--write"].iter().chain(files);
    home.postie(again.copied()).run().exit(78).says("is already in");
    server.deliver(&mailbox(2)[..1]);
    home.postie(["fetch", "--keep=forever"]).run().exit(0).silent();
    assert_eq!((home.messages("Mail").len(), server.count()), (4, 4), "one is new");
    home.postie(["fetch", "--keep=none"]).run();
    let left = servers::wait_until(|| server.count() == 3);
    assert!(left, "what postie delivered is deleted, and nothing else: {}", server.count());
    home.postie(["fetch", "--keep=none"]).run();
    assert_eq!((home.messages("Mail").len(), server.count()), (4, 3));
}

#[test]
fn after_mpop_nothing_comes_twice_and_nothing_imported_is_deleted() {
    for form in ["1.4.18", "1.4.23"] {
        let Some(server) = Dovecot::start() else { return };
        server.deliver(&mailbox(6)[..3]);
        let home = home();
        let rc = home.file("rc", mpoprc(&server, &home, "on"));
        let args = ["-q", "-C", rc.to_str().unwrap()];
        if peer(&home, "mpop", &args, &[0]).is_none() {
            return;
        }
        let [uidls] = home.files(".mpop_uidls").try_into().unwrap();
        if form == "1.4.23" {
            let text = fs::read_to_string(&uidls).unwrap();
            let timed = text.lines().map(|line| match line.as_bytes() {
                [b'#' | b' ', ..] => format!("{line}\n"),
                _ => format!("{line} 1785000000\n"),
            });
            home.file(
                uidls.strip_prefix(home.path()).unwrap().to_str().unwrap(),
                timed.collect::<String>(),
            );
        }
        goes_on(&server, &home, &["rc"]);
    }
}

#[test]
fn after_fetchmail_nothing_comes_twice_and_nothing_imported_is_deleted() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver(&mailbox(6)[..3]);
    let home = home();
    let rc = home.file("rc", fetchmailrc(&server, &home, "keep"));
    let args = ["--nodetach", "-d0", "-s", "-f", rc.to_str().unwrap()];
    if peer(&home, "fetchmail", &args, &[0]).is_some() {
        goes_on(&server, &home, &["rc"]);
    }
}

#[test]
fn after_getmail_nothing_comes_twice_and_nothing_imported_is_deleted() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver(&mailbox(6)[..3]);
    let home = home();
    let dir = home.path().join(".getmail");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    home.file(".getmail/getmailrc", getmailrc(&server, &home, "false"));
    let args = ["--getmaildir", dir.to_str().unwrap(), "-r", "getmailrc"];
    if peer(&home, "getmail", &args, &[0]).is_some() {
        goes_on(&server, &home, &[".getmail/getmailrc"]);
    }
}

#[test]
fn a_memory_that_is_named_is_given_to_the_account_that_is_there() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver(&mailbox(6)[..3]);
    let home = home();
    let rc = home.file("rc", mpoprc(&server, &home, "on"));
    if peer(&home, "mpop", &["-q", "-C", rc.to_str().unwrap()], &[0]).is_none() {
        return;
    }
    let [uidls] = home.files(".mpop_uidls").try_into().unwrap();
    let uidls: PathBuf = uidls;
    home.config(&format!(
        "[account.mine]\n{}[account.mine.fetch]\nmaildir = \"~/Mail\"\n",
        server.table()
    ));
    let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
    home.postie(["import", "--write", uidls.to_str().unwrap()]).run().exit(0).silent();
    home.postie(["fetch"]).run().exit(0).silent();
    assert_eq!(home.messages("Mail").len(), 3);
    assert_eq!(fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap(), config);
    // Of a maildrop from which no account fetches, it is said that nothing was noted.
    let other = home.file("other", " 1 pop.example.com nobody\nx\n");
    let outcome = home.postie(["import", "--write", other.to_str().unwrap()]).run();
    outcome.exit(0).says("no account fetches from");
}

/// What `check` says of each account of a configuration that was imported.
fn checked(home: &Home, files: &[&str]) -> String {
    home.postie(["import", "--write"].iter().chain(files).copied()).run().exit(0).silent();
    let outcome = home.postie(["check"]).run();
    outcome.exit(0).stderr("");
    outcome.stdout
}

#[test]
fn what_is_imported_means_the_same_to_real_servers() {
    let Some(server) = Dovecot::start() else { return };
    let (implicit, plain) = (server.port(Tls::Implicit), server.port(Tls::Starttls));
    let tls = |port: u16, way: &str| format!(":{port} as {USER}, {way}");
    let keeps = |home: &Home, keep: &str, size: Option<&str>| {
        let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
        assert!(config.contains(&format!("\nkeep = \"{keep}\"\n")), "{config}");
        assert!(!config.contains(PASSWORD), "{config}");
        let size = size.map(|size| format!("\nmax-size = \"{size}\"\n"));
        assert!(size.is_none_or(|size| config.contains(&size)), "{config}");
    };
    for (way, port, is_on) in
        [("TLS from the start", implicit, "off"), ("TLS by STARTTLS", plain, "on")]
    {
        let home = home();
        let rc = mpoprc(&server, &home, "off")
            .replace(&implicit.to_string(), &port.to_string())
            .replace("tls_starttls off", &format!("tls_starttls {is_on}\nskipsize 2k"));
        home.file("rc", rc);
        let said = checked(&home, &["rc"]);
        assert!(said.contains(&tls(port, way)), "{said}");
        keeps(&home, "none", Some("2048"));

        let home = home_with("rc", |home| {
            let rc = fetchmailrc(&server, home, "nokeep limit 3000");
            let rc = rc.replace(&implicit.to_string(), &port.to_string());
            if is_on == "on" {
                rc.replace("  ssl sslcertck", "  sslproto auto sslcertck")
            } else {
                rc
            }
        });
        let said = checked(&home, &["rc"]);
        assert!(said.contains(&tls(port, way)), "{said}");
        keeps(&home, "none", Some("3000"));
    }
    let home = home_with("getmailrc-test", |home| {
        getmailrc(&server, home, "false") + "delete_after = 7\nmax_message_size = 4000\n"
    });
    let said = checked(&home, &["getmailrc-test"]);
    assert!(said.contains(&tls(implicit, "TLS from the start")), "{said}");
    keeps(&home, "7d", Some("4000"));
}

fn home_with(name: &str, text: impl FnOnce(&Home) -> String) -> Home {
    let home = home();
    home.file(name, text(&home));
    home
}

#[test]
fn an_account_of_msmtp_sends_as_it_did() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(server) = Postfix::start(&dovecot, Auth::Offered) else { return };
    for (tls, starttls) in [(Tls::Implicit, "off"), (Tls::Starttls, "on")] {
        let home = home_with("rc", |_| {
            format!(
                "defaults\ntls on\ntls_trust_file {}\nauth on\ntls_starttls {starttls}\n\n\
                 account work\nhost 127.0.0.1\nport {}\nfrom {USER}\nuser {USER}\n\
                 passwordeval echo {PASSWORD}\ndsn_notify failure\n\naccount default : work\n",
                server.site.path("ca.pem").display(),
                server.port(tls),
            )
        });
        let message = "To: bob@example.net\nSubject: hello\n\nhello\n";
        if let Some(msmtp) = installed("msmtp") {
            let rc = home.path().join("rc");
            let mut command = Command::new(msmtp);
            command.arg("-C").arg(rc).arg("bob@example.net").env("HOME", home.path());
            let input = home.file("message", message);
            command.stdin(fs::File::open(input).unwrap());
            assert!(command.status().unwrap().success());
            let theirs = server.arrived();
            let said = checked(&home, &["rc"]);
            assert!(said.contains(&format!(":{} as {USER}", server.port(tls))), "{said}");
            home.postie(["send", "bob@example.net"]).stdin(message).run().exit(0).silent();
            let ours = server.arrived();
            assert_eq!((&ours.from, &ours.to), (&theirs.from, &theirs.to));
        }
    }
}

#[test]
fn a_password_is_in_no_output_and_in_a_private_file() {
    let secret = "Not a secret, \"really\" #1";
    let files = [
        ("msmtp", format!("account a\nhost smtp.example.com\ntls on\nuser u@example.com\npassword {secret}\nfrom u@example.com\n")),
        ("mpop", format!("account a\nhost pop.example.com\ntls on\nuser u@example.com\npassword {secret}\ndelivery maildir ~/Mail\n")),
        ("fetchmail", "poll pop.example.org proto pop3 user u pass 'Not a secret, \"really\" #1' esmtppassword 'Not a secret, \"really\" #1'\n".replace(" user u pass", " esmtppassword x user u pass").replace("' esmtppassword 'Not a secret, \"really\" #1'", "'")),
        ("getmail", format!("[retriever]\ntype = SimplePOP3SSLRetriever\nserver = pop.example.net\nusername = u\npassword = {secret}\n[destination]\ntype = Maildir\npath = ~/Mail/\n")),
    ];
    for (program, text) in files {
        let home = home_with("rc", |_| text);
        for args in
            [&["import", "rc"][..], &["import", "rc", "--json"], &["import", "rc", "--write", "-v"]]
        {
            let outcome = home.postie(args.iter().copied()).run();
            outcome.exit(0);
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(!said.contains("really"), "{program}: {said}");
        }
        let files = home.files(".config/postie");
        let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
        assert!(
            !config.contains("really") && config.contains("password-file"),
            "{program}: {config}"
        );
        let [password] = files
            .iter()
            .filter(|file| file.extension().is_some_and(|it| it == "password"))
            .collect::<Vec<_>>()[..]
        else {
            panic!("{program}: {files:?}")
        };
        assert_eq!(fs::read_to_string(password).unwrap(), format!("{secret}\n"), "{program}");
        for file in &files {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
    }
}

#[test]
fn an_import_that_cannot_be_whole_changes_nothing() {
    let good =
        "account a\nhost pop.example.com\ntls on\nuser u\npassword x\ndelivery maildir ~/Mail\n";
    let huge = format!("{good}# {}\n", "x".repeat(2 << 20));
    for (name, text, status) in [
        ("unknown word", good.replace("tls on", "tls on\nttls off").into_bytes(), 78),
        ("binary", b"account a\nhost \0\n".to_vec(), 78),
        ("not UTF-8", b"account a\nhost \xff\ndelivery maildir /x\n".to_vec(), 78),
        ("empty", Vec::new(), 78),
        ("huge", huge.into_bytes(), 78),
        ("another program's", b"Host example\n  User ann\n".to_vec(), 78),
        ("a torn memory", b" 3 pop.example.com u\na\nb\n".to_vec(), 78),
        ("twice the same account", format!("{good}{good}").into_bytes(), 78),
    ] {
        let home = home();
        home.file("good", good);
        home.file("rc", &text);
        let outcome = home.postie(["import", "--write", "good", "rc"]).run();
        outcome.exit(status).says("rc");
        assert!(!home.path().join(".config").exists(), "{name}");
        assert!(!home.path().join(".local").exists(), "{name}");
    }
    let home = home();
    home.postie(["import", "--write", "nowhere"]).run().exit(66).says("cannot read nowhere");
    // A file that others can write to says what they like.
    let rc = home.file("rc", good);
    fs::set_permissions(rc, fs::Permissions::from_mode(0o666)).unwrap();
    home.postie(["import", "rc"]).run().exit(78).says("others may write");
}

#[test]
fn without_write_nothing_is_changed_and_what_is_printed_can_be_used() {
    let home = home_with("rc", |_| {
        "account a\nhost pop.example.com\ntls on\nuser u\npasswordeval pass show x\n\
         delivery maildir ~/Mail\n"
            .to_owned()
    });
    let uidls = home.path().join(".mpop_uidls");
    fs::create_dir(&uidls).unwrap();
    home.file(".mpop_uidls/u_at_pop.example.com", " 2 pop.example.com u\na\nb\n");
    let outcome = home.postie(["import", "rc"]).run();
    outcome.exit(0).stderr("");
    assert!(
        outcome.stdout.contains("# 2 messages fetched before, according to "),
        "{}",
        outcome.stdout
    );
    assert!(!home.path().join(".config").exists() && !home.path().join(".local").exists());
    home.config(&outcome.stdout);
    let message = "Subject: x\n\nx\n";
    home.postie(["send", "--dry-run", "a@example.com"]).stdin(message).run().exit(78);
    home.postie(["queue"]).run().exit(0);
}

#[test]
fn a_memory_that_is_named_is_that_of_an_account_beside_it() {
    let mpop = "account a\nhost pop.example.com\ntls on\nuser u\npasswordeval pass show x\n\
                delivery maildir ~/Mail\n";
    let fetchmail = "poll pop.example.com proto pop3 user u ssl keep\n";
    for (rc, list) in [
        (mpop, " 2 pop.example.com u\na\nb\n"),
        (fetchmail, "u@pop.example.com a\nu@pop.example.com b\n"),
    ] {
        let home = home_with("rc", |_| rc.to_owned());
        home.file("list", list);
        for args in [&["import", "rc", "list"][..], &["import", "list", "rc", "--write"]] {
            home.postie(args.iter().copied()).run().exit(0);
        }
        let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
        assert!(config.contains("# 2 messages fetched before, according to list"), "{config}");
        assert!(!config.contains("does not exist"), "{config}");
    }
}

#[test]
fn an_account_that_is_there_is_left_as_it_is() {
    let home = home_with("rc", |_| {
        "account a\nhost pop.example.com\ntls on\nuser u\npassword x\ndelivery maildir ~/Mail\n\
         account b : a\nuser v\n"
            .to_owned()
    });
    let text = "[account.b]\nserver = \"mail.example.com\"\nuser = \"ann\"\n";
    home.config(text);
    home.postie(["import", "--write", "rc"]).run().exit(78).says("account `b` is already in");
    let [config] = home.files(".config/postie").try_into().unwrap();
    let config: PathBuf = config;
    assert_eq!(fs::read_to_string(config).unwrap(), text);
    assert!(!home.path().join(".local").exists());
}

#[test]
fn both_sides_of_an_account_come_from_two_programs() {
    let home = home();
    home.file(
        "fetch",
        "account a\nhost pop.example.com\ntls on\nuser u\npassword x\ndelivery maildir ~/Mail\n",
    );
    home.file(
        "send",
        "account a\nhost smtp.example.com\ntls on\nauth on\nuser u\npassword y\nfrom u@example.com\n\
         account default : a\n",
    );
    home.postie(["import", "--write", "fetch", "send"]).run().exit(0).silent();
    let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
    assert!(config.starts_with("default = \"a\"\n"), "{config}");
    for file in ["a.fetch.password", "a.send.password"] {
        assert!(home.path().join(".config/postie").join(file).exists(), "{file}");
    }
    let args = ["send", "--dry-run", "bob@example.net"];
    let outcome = home.postie(args).stdin("Subject: x\n\nx\n").run();
    outcome.exit(0).stderr("");
}

/// The text of an installed file, which may be compressed; skipped where it is not there.
fn installed_text(path: &str) -> Option<String> {
    if !Path::new(path).exists() {
        note(&format!("SKIPPED: {path} is not installed"));
        return None;
    }
    let output = Command::new("gzip").args(["-dcf", path]).output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Fails unless every word is in the table of a program.
#[track_caller]
fn are_known(program: &str, words: &BTreeSet<String>, least: usize) {
    assert!(words.len() >= least, "{program}: {words:?}");
    let table = vocabulary();
    let (_, known) = table.iter().find(|(name, _)| *name == program).unwrap();
    for word in words {
        let is_it = |known: &str| known.rsplit('.').next() == Some(word);
        assert!(known.iter().any(|keyword| is_it(keyword.word)), "{program}: {word}");
    }
}

#[test]
fn no_word_of_an_installed_manual_is_missing() {
    for (program, section, least) in [("msmtp", "CONFIGURATION FILE", 40), ("mpop", "USAGE", 30)] {
        let Some(page) = installed_text(&format!("/usr/share/man/man1/{program}.1.gz")) else {
            continue;
        };
        let (_, text) = page.split_once(section).unwrap();
        let heads = text.lines().filter_map(|line| line.strip_prefix(".IP \""));
        let words = heads.map(|head| head.split(['"', ' ']).next().unwrap().to_owned());
        let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        are_known(program, &words.collect(), least);
    }
    if let Some(page) = installed_text("/usr/share/man/man1/fetchmail.1.gz") {
        let (_, text) = page.split_once("KEYWORD/OPTION SUMMARY").unwrap();
        let tables = text.split(".TS").skip(1).filter_map(|rest| rest.split(".TE").next());
        let mut words = BTreeSet::new();
        for table in tables {
            let rows = table.lines().filter(|line| line.ends_with("T{"));
            for row in rows {
                let head = row.split('\t').next().unwrap().replace("\\-", "-");
                let word =
                    head.split_whitespace().find(|word| !["set", "no"].contains(word)).unwrap();
                // `proto[col]` is `proto` and `protocol`.
                words.insert(word.split('[').next().unwrap().to_owned());
            }
        }
        // Some stand there in short; two say whose an account is, which no table has.
        let short = [("local", "localdomains"), ("proto", "protocol"), ("pass", "password")];
        for (short, long) in short {
            assert!(words.remove(short), "{words:?}");
            words.insert(long.to_owned());
        }
        for word in ["user", "is", "to"] {
            assert!(words.remove(word), "{words:?}");
        }
        are_known("fetchmail", &words, 60);
    }
    if let Some(text) = installed_text("/usr/share/doc/getmail6/configuration.txt.gz") {
        let is_type = |rest: &str| {
            ["string", "integer", "boolean", "tuple", "2-tuple"]
                .iter()
                .any(|it| rest.starts_with(it))
        };
        let rows = text.lines().filter_map(|line| line.trim_start().strip_prefix("* "));
        let heads = rows.filter_map(|row| row.split_once(" (").filter(|(_, rest)| is_type(rest)));
        let words =
            heads.flat_map(|(head, _)| head.split(", ").map(str::to_owned).collect::<Vec<_>>());
        are_known("getmail", &words.collect(), 60);
    }
}

#[test]
fn the_examples_of_installed_manuals_are_imported() {
    for path in [
        "/usr/share/doc/mpop/examples/mpoprc.example",
        "/usr/share/doc/msmtp/examples/msmtprc-user.example",
        "/usr/share/doc/msmtp/examples/msmtprc-system.example",
    ] {
        let Some(text) = installed_text(path) else { continue };
        let home = home_with("rc", |_| text);
        let outcome = home.postie(["import", "--write", "rc"]).run();
        outcome.exit(0);
        let config = fs::read_to_string(home.path().join(".config/postie/config.toml")).unwrap();
        // The last of them sends without a login, and is all comments.
        let has_accounts = config.contains("\n[account.");
        assert_eq!(has_accounts, !path.contains("system"), "{path}: {config}");
    }
}

#[test]
fn where_no_word_decides_the_name_of_the_file_does() {
    let home = Home::new();
    let text = "account default\nhost mail.example.com\nauth on\nuser ann@example.com\n";
    for (name, side) in [(".msmtprc", "send"), ("mpoprc.old", "fetch")] {
        let path = home.file(name, text);
        let imported = home.postie(["import", path.to_str().unwrap()]).run();
        let head = format!("[account.default.{side}]");
        assert!(imported.exit(0).stdout.contains(&head), "{}", imported.stdout);
    }
    let path = home.file("rc", text);
    let imported = home.postie(["import", path.to_str().unwrap()]).run();
    imported.exit(78).says("rc:1: of msmtp or of mpop? Add `from` or `delivery` to an account");
}
