//! What runs make on the disk is where it was meant to be, and for nobody else, whatever stands in
//! the way.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::pki::Authority;
use crate::support::postie::{Home, Run};
use crate::support::server::Server;
use crate::support::servers::{self, NOBODY};

const USER: &str = "ann@example.com";

/// A home whose user has a message waiting.
struct Place {
    home: Home,
    server: Server,
}

impl Place {
    fn new() -> Self {
        let (home, authority) = (Home::new(), Authority::new());
        home.file("ca.pem", authority.pem());
        home.file("password", "not-a-secret");
        let tls = authority.issue(&["127.0.0.1"]).config();
        let server = Server::start(tls, &[(USER, "not-a-secret")]);
        let place = Self { home, server };
        let message = "From: ann@example.com\n\nhello\n";
        let args = account(&["send", "--from", USER, USER], place.server.smtp.port());
        place.home.postie(args).stdin(message).run().exit(0);
        place
    }

    fn args(&self) -> Vec<String> {
        account(&["fetch", "--maildir=Mail"], self.server.pop3.port())
    }

    fn fetch(&self) -> Run {
        self.home.postie(self.args())
    }

    /// Where the mailbox is remembered.
    fn state(&self) -> PathBuf {
        let port = self.server.pop3.port();
        let name = format!(".local/state/postie/fetch/ann@example.com@127.0.0.1+{port}");
        self.home.path().join(name)
    }
}

/// A command, and how to log in.
fn account(command: &[&str], port: u16) -> Vec<String> {
    let login = ["--user", USER, "--password-file=password", "--ca-file=ca.pem"];
    let words = command.iter().chain(&login).map(|&word| word.to_owned());
    words.chain([format!("--server=127.0.0.1:{port}")]).collect()
}

/// Everything below a directory.
fn tree(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn what_is_made_is_for_its_owner_alone_whatever_the_umask() {
    for umask in ["000", "077", "002"] {
        let place = Place::new();
        let script = format!("umask {umask}; exec \"$@\"");
        let shell = ["-c", &script, "sh", env!("CARGO_BIN_EXE_postie")].map(str::to_owned);
        let args = shell.into_iter().chain(place.args());
        place.home.program(Path::new("/bin/sh"), args).run().exit(0).silent();
        let tops = ["Mail", ".local"].map(|dir| place.home.path().join(dir));
        let below: Vec<_> = tops.iter().flat_map(|dir| tree(dir)).collect();
        assert!(below.iter().filter(|path| path.is_file()).count() == 4, "{below:?}");
        for path in tops.iter().chain(&below) {
            let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{} with umask {umask}", path.display());
        }
    }
}

#[test]
fn a_link_in_the_state_directory_leads_nowhere() {
    for name in ["journal", "lock"] {
        let place = Place::new();
        fs::create_dir_all(place.state()).unwrap();
        let elsewhere = place.home.file("elsewhere", "precious");
        symlink(&elsewhere, place.state().join(name)).unwrap();
        let outcome = place.fetch().run();
        outcome.exit(if name == "lock" { 73 } else { 74 }).says(&format!("/{name}: "));
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
        assert_eq!(place.home.files("Mail/new").len(), 0);
        // And one that leads to nothing makes nothing there.
        fs::remove_file(&elsewhere).unwrap();
        place.fetch().run().says(&format!("/{name}: "));
        assert!(!elsewhere.exists());

        fs::remove_file(place.state().join(name)).unwrap();
        place.fetch().run().exit(0).silent();
        assert_eq!(place.home.files("Mail/new").len(), 1);
    }
}

#[test]
fn a_state_directory_of_somebody_else_is_not_used() {
    if !servers::is_root() {
        return servers::note("SKIPPED: only root can give a directory away");
    }
    let place = Place::new();
    fs::create_dir_all(place.state()).unwrap();
    chown(place.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    let outcome = place.fetch().run();
    outcome
        .exit(73)
        .says(&format!("{} belongs to another user (nobody)\n", place.state().display()));
    assert_eq!(fs::read_dir(place.state()).unwrap().count(), 0);
    assert_eq!(place.home.files("Mail/new").len(), 0);
}
