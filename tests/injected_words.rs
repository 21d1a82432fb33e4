//! What a stranger can do who slips words into the command line of a program that calls sendmail, as
//! in CVE-2016-10033: nothing. Judged by what servers and the file system saw, not by what is said.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};

use clap::CommandFactory;
use rustix::fs::inotify;

use crate::support::postie::Home;
use crate::support::servers;
use crate::support::sink::Sink;

const MESSAGE: &str = "To: bob@example.net\nSubject: hello\n\nhello\n";
/// What stands in files that are nobody's business.
const MARKER: &str = "not-a-password";

/// Whether anything in a directory was opened, made or changed since this was last asked.
struct Watch(rustix::fd::OwnedFd);

impl Watch {
    fn start(dir: &std::path::Path) -> Self {
        let inotify = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        let all = inotify::WatchFlags::ALL_EVENTS;
        inotify::add_watch(&inotify, dir, all).unwrap();
        Self(inotify)
    }

    fn seen(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut seen = Vec::new();
        while let Ok(event) = reader.next() {
            seen.push(format!("{:?} {:?}", event.file_name(), event.events()));
        }
        seen
    }
}

/// Sequences of words that may stand behind `sendmail`, each with something of the stranger's in it.
fn sequences(traps: &str, elsewhere: &str) -> Vec<Vec<String>> {
    let values = [
        format!("{traps}/secret"),
        format!("{traps}/config.toml"),
        format!("touch {traps}/ran"),
        elsewhere.to_owned(),
        "a@example.com,eve@example.org".to_owned(),
        "x\nBcc: eve@example.org\n\nhello".to_owned(),
        "x\rBcc: eve@example.org".to_owned(),
        format!("--attach={traps}/secret"),
        format!("--password-command=touch {traps}/ran"),
    ];
    let mut sequences = Vec::new();
    for letter in ('A'..='Z').chain('a'..='z') {
        for value in &values[..4] {
            sequences.push(vec![format!("-{letter}{value}")]);
        }
        // These have their value in the next word, if it is not in the same.
        if "ABCFLNORVXfhpr".contains(letter) {
            sequences.extend(values.iter().map(|value| vec![format!("-{letter}"), value.clone()]));
        }
    }
    let command = postie::cli::Args::command();
    let send = command.find_subcommand("send").unwrap();
    let names = send.get_arguments().chain(command.get_arguments()).filter_map(clap::Arg::get_long);
    for name in names.chain(["help", "version"]) {
        let value = match name {
            "server" => elsewhere.to_owned(),
            "to" | "cc" | "bcc" | "from" | "reply-to" => "eve@example.org".to_owned(),
            "header" => "Bcc: eve@example.org".to_owned(),
            "config" => format!("{traps}/config.toml"),
            "password-command" => format!("touch {traps}/ran"),
            _ => format!("{traps}/secret"),
        };
        sequences.push(vec![format!("--{name}={value}")]);
        sequences.push(vec![format!("--{name}"), value]);
        sequences.push(vec![format!("--{name}")]);
    }
    let whole = [
        format!("-OQueueDirectory=/tmp -X{traps}/page.php"),
        format!("-oQ/tmp/ -X{traps}/page.php"),
        format!("-C{traps}/secret -OQueueDirectory=/tmp -X{traps}/log"),
        format!("-be ${{run{{/usr/bin/touch {traps}/ran}}}}"),
        format!("-bp -C{traps}/config.toml"),
        format!("-q -C{traps}/config.toml"),
        format!("-bi --config={traps}/config.toml"),
        format!("-bs --server={elsewhere}"),
        format!("--server={elsewhere} --tls=none --user=x --password-file={traps}/secret"),
        format!("--attach={traps}/secret --to=eve@example.org --subject=x"),
        "-v -v -v -q30m".to_owned(),
        "-F --bcc=eve@example.org".to_owned(),
        "-f --bcc=eve@example.org".to_owned(),
        "-a elsewhere".to_owned(),
        "-aelsewhere".to_owned(),
    ];
    sequences.extend(whole.iter().map(|line| line.split(' ').map(str::to_owned).collect()));
    sequences
}

#[test]
fn no_word_of_a_stranger_reads_a_file_runs_a_command_connects_elsewhere_or_adds_a_recipient() {
    let sink = Sink::start(&["PIPELINING", "8BITMIME", "DSN", "REQUIRETLS"]);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = elsewhere.local_addr().unwrap().to_string();
    let home = Home::new();
    let sendmail = home.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    let account = |server: &str| {
        format!(
            "server = \"{server}\"\ntls = \"none\"\nuser = \"ann@example.com\"\n\
             password = \"not-a-secret\"\n"
        )
    };
    home.config(&format!(
        "default = \"home\"\n{}[account.elsewhere]\n{}from = \"other@example.org\"\n",
        sink.config(""),
        account(&address),
    ));
    let traps = home.path().join("traps");
    fs::create_dir(&traps).unwrap();
    let secret = home.file("traps/secret", format!("{MARKER}\n"));
    let config = home.file("traps/config.toml", format!("[account.x]\n{}", account(&address)));
    for file in [secret, config] {
        // Whoever runs the test, even as root it is not root's alone.
        fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let watch = Watch::start(&traps);
    let sequences = sequences(traps.to_str().unwrap(), &address);
    let (mut sent, mut refused) = (0, 0);
    for words in &sequences {
        let base = ["-t", "-i", "-fbounce@example.com"].map(str::to_owned);
        let args = base.into_iter().chain(words.iter().cloned());
        let outcome = home.program(&sendmail, args).stdin(MESSAGE).run();
        assert_eq!(watch.seen(), Vec::<String>::new(), "{words:?}: {outcome:?}");
        let met = elsewhere.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(met, Err(io::ErrorKind::WouldBlock), "{words:?}");
        let shown = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!shown.contains(MARKER) && !shown.contains("[account"), "{words:?}: {shown}");
        let is_mode = |word: &String| ["-b", "-q", "-I"].iter().any(|mode| word.starts_with(mode));
        match &sink.taken()[..] {
            [taken] => {
                let recipients: Vec<_> =
                    taken.recipients.iter().filter_map(|to| to.split(' ').next()).collect();
                assert_eq!(recipients, ["<bob@example.net>"], "{words:?}");
                let text = taken.lines();
                assert!(
                    !text.contains(MARKER) && text.ends_with("\n\nhello\n"),
                    "{words:?}: {text}"
                );
                let header: Vec<_> = text.lines().take_while(|line| !line.is_empty()).collect();
                assert!(header.iter().all(|line| !line.starts_with("Bcc")), "{words:?}: {text}");
                outcome.exit(0);
                sent += 1;
            }
            [] if words.iter().any(is_mode) => {}
            [] => {
                assert_ne!(outcome.status, 0, "{words:?}: neither sent nor refused");
                refused += 1;
            }
            taken => panic!("{words:?}: {taken:?}"),
        }
    }
    assert!(sequences.len() >= 200 && sent >= 50 && refused >= 100);
    servers::note(&format!(
        "injected words: {} sequences, {sent} sent as without them, {refused} refused",
        sequences.len()
    ));
}

#[test]
fn a_configuration_named_by_a_caller_of_sendmail_is_roots_or_refused_and_never_shown() {
    let sink = Sink::start(&[]);
    let home = Home::new();
    let sendmail = home.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    let run = |file: &std::path::Path| {
        let args = [std::ffi::OsStr::new("-C"), file.as_os_str(), "bob@example.net".as_ref()];
        home.program(&sendmail, args).stdin(MESSAGE).run()
    };
    let file = home.file("postie.toml", sink.config(""));
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    if servers::is_root() {
        for good in [0o600, 0o644, 0o755] {
            mode(good);
            run(&file).exit(0).silent();
            assert_eq!(sink.taken().len(), 1);
        }
        let note = home.file("note", format!("{MARKER} = 1\n"));
        let outcome = run(&note);
        outcome.exit(78).says("is not a configuration file");
        assert!(!outcome.stderr.contains(MARKER), "{}", outcome.stderr);
    } else {
        servers::skip("only root has files of root's");
    }
    for bad in [0o620, 0o602, 0o666] {
        mode(bad);
        run(&file).exit(78).says("-C needs a file that belongs to root");
    }
    run(std::path::Path::new("/dev/zero")).exit(78);
    run(home.path()).exit(78);
    assert_eq!(sink.taken(), []);
}
